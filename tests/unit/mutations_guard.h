/* mutations_guard.h - a wrong load configuration, and wrong tables that it names.
 * Takes: directory 10 of the new image.  Gives: one field or record that is wrong.
 * Must not: count a table that the image does not have. */
#ifndef HVCIFIX_TESTS_MUTATIONS_GUARD_H
#define HVCIFIX_TESTS_MUTATIONS_GUARD_H

#include "mutation.h"

/* Tables of RVAs that the load configuration names, with their counts. */
static const struct guard_table {
    uint16_t table_32, count_32, table_64, count_64;
    bool has_stride; /* records are as long as GuardFlags says; else 4 bytes */
} guard_tables[] = {
    {LC_GUARD_CF_FUNCTION_TABLE_32, LC_GUARD_CF_FUNCTION_COUNT_32, LC_GUARD_CF_FUNCTION_TABLE_64,
     LC_GUARD_CF_FUNCTION_COUNT_64, true},
    {LC_GUARD_IAT_TABLE_32, LC_GUARD_IAT_COUNT_32, LC_GUARD_IAT_TABLE_64, LC_GUARD_IAT_COUNT_64, true},
    {LC_GUARD_LONGJMP_TABLE_32, LC_GUARD_LONGJMP_COUNT_32, LC_GUARD_LONGJMP_TABLE_64,
     LC_GUARD_LONGJMP_COUNT_64, true},
    {LC_GUARD_EH_CONTINUATION_TABLE_32, LC_GUARD_EH_CONTINUATION_COUNT_32, LC_GUARD_EH_CONTINUATION_TABLE_64,
     LC_GUARD_EH_CONTINUATION_COUNT_64, true},
    {LC_SE_HANDLER_TABLE_32, LC_SE_HANDLER_COUNT_32, LC_SE_HANDLER_TABLE_64, LC_SE_HANDLER_COUNT_64, false},
};
enum { GUARD_TABLE_COUNT = sizeof guard_tables / sizeof guard_tables[0] };

struct found_table {
    uint32_t foff, count_foff, count, stride_nbytes;
};

static uint32_t config_value(const struct mutant *mutant, uint32_t config_foff, unsigned at)
{
    uint32_t config_nbytes = load_u32(mutant->bytes + config_foff + LC_SIZE);
    return at + 4 <= config_nbytes ? (uint32_t)get_field(mutant, config_foff + at, 4) : 0;
}

static bool find_table(const struct mutant *mutant, unsigned index, struct found_table *found)
{
    const struct guard_table *table = &guard_tables[index];
    uint32_t config = directory_foff(mutant, DIR_LOAD_CONFIG);
    bool is_64 = mutant->view.is_64;
    if (config == 0)
        return false;
    uint32_t va = config_value(mutant, config, is_64 ? table->table_64 : table->table_32);
    uint32_t flags =
        config_value(mutant, config, is_64 ? (unsigned)LC_GUARD_FLAGS_64 : (unsigned)LC_GUARD_FLAGS_32);
    found->count_foff = config + (is_64 ? table->count_64 : table->count_32);
    found->count = config_value(mutant, config, is_64 ? table->count_64 : table->count_32);
    found->stride_nbytes = 4 + (table->has_stride ? flags >> GUARD_FLAG_STRIDE_SHIFT : 0);
    /* The low half of a VA and of the base give the RVA. */
    found->foff = va ? view_foff(&mutant->view, va - (uint32_t)subject_base(mutant->subject)) : 0;
    return found->foff != 0 && found->count != 0 && found->count < 0x10000 &&
           range_fits(mutant->nbytes, found->foff, (uint64_t)found->count * found->stride_nbytes);
}

static void add_place_table(struct mutant *mutant, const struct found_table *found)
{
    add_place_foff(mutant, found->foff, (uint64_t)(found->count + 1) * found->stride_nbytes);
    add_place_foff(mutant, found->count_foff, 8);
}

enum guard_wrong {
    GUARD_UNSORTED,
    GUARD_DOUBLED,
    GUARD_SHORT,
    GUARD_LONG,
    GUARD_STRIDE, /* the table begins in its second byte */
    GUARD_RECORD_FLAGS
};

/* a: enum guard_wrong, b: index of the table. */
MUTATE(wrong_guard_table)
{
    struct found_table table;
    if (!find_table(mutant, kind->b, &table))
        return false;
    uint32_t last = table.foff + (table.count - 1) * table.stride_nbytes, before = last - table.stride_nbytes;
    switch ((enum guard_wrong)kind->a) {
    case GUARD_UNSORTED:
        return table.count >= 2 && swap_records(mutant, before, last, table.stride_nbytes);
    case GUARD_DOUBLED:
        return table.count >= 2 && double_record(mutant, before, last, table.stride_nbytes);
    case GUARD_SHORT:
    case GUARD_LONG:
        add_place_table(mutant, &table);
        return add_to(mutant, table.count_foff, 4, kind->a == GUARD_SHORT ? UINT64_MAX : 1);
    case GUARD_STRIDE:
        add_place_table(mutant, &table);
        return add_to(mutant, table.count_foff - subject_width(mutant->subject), 4, table.stride_nbytes);
    case GUARD_RECORD_FLAGS:
        return table.stride_nbytes > 4 && flip_byte(mutant, last + 4, 0x02);
    }
    return false;
}

/* A field of the load configuration: a: offset in PE32, b: in PE32+, c: bits of its low four bytes. */
MUTATE(config_bits)
{
    uint32_t config = directory_foff(mutant, DIR_LOAD_CONFIG), at = mutant->view.is_64 ? kind->b : kind->a;
    if (config == 0 || at + 4 > load_u32(mutant->bytes + config + LC_SIZE))
        return false;
    add_place_directory(mutant, DIR_LOAD_CONFIG);
    add_place_foff(mutant, config, load_u32(mutant->bytes + config + LC_SIZE));
    for (unsigned i = 0; i < GUARD_TABLE_COUNT; i++) {
        struct found_table table;
        if (find_table(mutant, i, &table))
            add_place_table(mutant, &table);
    }
    return set_field(mutant, config + at, 4, get_field(mutant, config + at, 4) ^ kind->c);
}

/* The cookie must hold what the loader knows as "not yet chosen". */
MUTATE(cookie_value)
{
    uint32_t config = directory_foff(mutant, DIR_LOAD_CONFIG);
    (void)kind;
    if (config == 0)
        return false;
    uint32_t va =
        config_value(mutant, config,
                     mutant->view.is_64 ? (unsigned)LC_SECURITY_COOKIE_64 : (unsigned)LC_SECURITY_COOKIE_32);
    uint32_t foff = va ? view_foff(&mutant->view, va - (uint32_t)subject_base(mutant->subject)) : 0;
    return flip_byte(mutant, foff, 0x40);
}

#endif
