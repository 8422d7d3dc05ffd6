/* verify_stub_guard.c - the guard function table, when start-up stubs are called from outside.
 * Takes: the old table.  Gives: the load configuration's fields that follow.
 * Must not: accept a table that is not sorted, or has other entries than the old one and the stubs.
 * Source: control flow guard: the kernel checks the entry point as any indirect call; the table is searched
 * by bisection; with a stride above four each record has flag bytes behind its RVA. */
#include "verify/verify_stub.h"

struct guard_walk {
    struct verify_moves *moves;
    const struct verify_guard_table *table;
    uint64_t new_rva; /* of the new table */
    uint64_t next;    /* record of the new table */
};

static bool refute_record(const struct guard_walk *walk, uint64_t value, uint32_t expected_rva)
{
    uint64_t rva = walk->new_rva + walk->next * walk->table->stride_nbytes;
    return verify_refute(
        walk->moves->judged, verify_spot_rva(walk->moves->judged, (uint32_t)rva),
        "The record at RVA 0x%llX of the new guard function table is for RVA 0x%llX; the next "
        "one must be for RVA 0x%X, with its flags.",
        (unsigned long long)rva, (unsigned long long)value, (unsigned)expected_rva);
}

/* The next record of the new table: the RVA, and the flag bytes of the old record at old_rva, or zeros. */
static bool take(struct guard_walk *walk, uint32_t expected_rva, uint64_t old_rva)
{
    const struct verify_case *judged = walk->moves->judged;
    uint64_t rva = walk->new_rva + walk->next * walk->table->stride_nbytes, value = 0;
    if (!verify_read_at(&judged->new_image, rva, 4, &value) || value != expected_rva)
        return refute_record(walk, value, expected_rva);
    for (unsigned i = 4; i < walk->table->stride_nbytes; i++) {
        uint8_t old_byte = 0, byte = 0;
        if (old_rva != 0)
            verify_memory_byte(&judged->old_image, old_rva + i, &old_byte);
        if (!verify_memory_byte(&judged->new_image, rva + i, &byte) || byte != old_byte)
            return refute_record(walk, value, expected_rva);
    }
    walk->next++;
    return true;
}

/* The stubs, ascending and each once. */
static size_t sorted_stubs(const struct verify_repairs *repairs, uint32_t stubs[STUB_MAX_COUNT])
{
    size_t count = 0;
    for (size_t i = 0; i < repairs->stub_count; i++)
        if (i == 0 || repairs->stubs[i].rva != repairs->stubs[0].rva)
            stubs[count++] = repairs->stubs[i].rva;
    if (count == 2 && stubs[0] > stubs[1]) {
        uint32_t first = stubs[1];
        stubs[1] = stubs[0];
        stubs[0] = first;
    }
    return count;
}

static bool check_records(struct guard_walk *walk, const uint32_t *stubs, size_t stub_count)
{
    struct verify_moves *moves = walk->moves;
    uint64_t old_rva = walk->table->va - moves->judged->old_image.base_va;
    size_t next = 0;
    for (uint64_t i = 0; i < walk->table->count; i++) {
        uint64_t record_rva = old_rva + i * walk->table->stride_nbytes, function_rva;
        uint32_t new_rva;
        moves->judged->verdict->step_count++;
        if (!verify_read_at(&moves->judged->old_image, record_rva, 4, &function_rva) ||
            !verify_mapped_rva(&moves->map, (uint32_t)function_rva, &new_rva))
            return verify_moves_unproved(moves, (uint32_t)record_rva,
                                         "The guard function table of the old image cannot be read.");
        for (; next < stub_count && stubs[next] < new_rva; next++)
            if (!take(walk, stubs[next], 0))
                return false;
        if (!take(walk, new_rva, record_rva))
            return false;
    }
    for (; next < stub_count; next++)
        if (!take(walk, stubs[next], 0))
            return false;
    return true;
}

bool verify_guard_with_stubs(struct verify_moves *moves, const struct verify_guard_table *table,
                             bool *is_derived)
{
    struct verify_case *judged = moves->judged;
    const struct verify_image *a = &judged->old_image, *b = &judged->new_image;
    unsigned width_nbytes = a->is_64 ? 8 : 4;
    uint32_t stubs[STUB_MAX_COUNT] = {0}, pointer_rva, count_rva, kept_rva;
    uint64_t new_va, new_count;
    size_t stub_count = sorted_stubs(&moves->repairs, stubs);
    bool is_guarded =
        (load_u16(a->file.bytes + a->opt_foff + OPT_DLL_CHARACTERISTICS) & DLLCHAR_GUARD_CF) != 0;
    *is_derived = false;
    if (stub_count == 0 || table->va == 0 || table->count == 0)
        return true;
    if (!verify_mapped_rva(&moves->map, table->pointer_rva, &pointer_rva) ||
        !verify_mapped_rva(&moves->map, table->count_rva, &count_rva) ||
        !verify_mapped_rva(&moves->map, (uint32_t)(table->va - a->base_va), &kept_rva) ||
        !verify_read_at(b, pointer_rva, width_nbytes, &new_va) ||
        !verify_read_at(b, count_rva, width_nbytes, &new_count))
        return verify_moves_unproved(moves, table->pointer_rva, "The guard function table is not found.");
    if (new_va == b->base_va + kept_rva && new_count == table->count && !is_guarded)
        return true; /* nobody looks at it */
    if (new_count != table->count + stub_count)
        return verify_refute(
            judged, verify_spot_rva(judged, count_rva),
            "The new guard function table has %llu records; with the start-up stubs there must "
            "be %llu.",
            (unsigned long long)new_count, (unsigned long long)table->count + stub_count);
    struct guard_walk walk = {moves, table, new_va - b->base_va, 0};
    uint64_t nbytes = new_count * table->stride_nbytes;
    if (new_va < b->base_va || walk.new_rva > UINT32_MAX || nbytes > UINT32_MAX)
        return verify_refute(judged, verify_spot_rva(judged, pointer_rva),
                             "The new guard function table, at 0x%llX, is not in the image.",
                             (unsigned long long)new_va);
    *is_derived = true;
    return check_records(&walk, stubs, stub_count) &&
           verify_stays_there(moves, (uint32_t)walk.new_rva, nbytes, SCN_MEM_READ,
                              SCN_MEM_WRITE | SCN_MEM_DISCARDABLE, "The new guard function table") &&
           verify_repairs_add(moves, (uint32_t)walk.new_rva, nbytes, "the guard function table") &&
           verify_moves_field(moves, table->pointer_rva, width_nbytes, new_va, "GuardCFFunctionTable") &&
           verify_moves_field(moves, table->count_rva, width_nbytes, new_count, "GuardCFFunctionCount");
}
