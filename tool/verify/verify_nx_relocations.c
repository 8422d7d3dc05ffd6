/* verify_nx_relocations.c - the relocation table that x86 stubs need.
 * Takes: both tables.  Gives: true, or a counter-example.
 * Must not: accept a relocation more or less than the step asks for. */
#include "verify/verify_nx.h"
#include "verify/verify_relocated.h"

#include <stdlib.h>

struct place {
    uint32_t rva;
    unsigned type;
};

struct place_list {
    struct place *items;
    size_t count, capacity;
};

static bool append(struct verify_case *judged, struct place_list *list, uint32_t rva, unsigned type)
{
    struct place *grown =
        arena_grow(judged->arena, list->items, list->count, &list->capacity, list->count + 1, sizeof *grown);
    if (!grown)
        return false;
    list->items = grown;
    list->items[list->count++] = (struct place){rva, type};
    return true;
}

static int compare(const void *left, const void *right)
{
    const struct place *a = left, *b = right;
    if (a->rva != b->rva)
        return a->rva < b->rva ? -1 : 1;
    return a->type < b->type ? -1 : a->type > b->type;
}

static void sort(struct place_list *list)
{
    if (list->count > 1)
        qsort(list->items, list->count, sizeof *list->items, compare);
}

static bool read_table(struct verify_case *judged, const struct verify_image *image, struct place_list *list)
{
    struct verify_relocation_reader reader = verify_relocations_begin(image);
    struct verify_relocation relocation;
    while (verify_relocations_next(&reader, &relocation)) {
        judged->verdict->step_count++;
        if (!append(judged, list, relocation.rva, relocation.type))
            return false;
    }
    sort(list);
    return !reader.problem || verify_refute(judged, verify_spot_foff(judged, reader.problem_foff),
                                            "In the new image %s.", reader.problem);
}

/* What the new table must have: the operands that became distances go, the stubs' own come. *gone_count: how
 * many of the first kind the old table had. */
static bool expect(struct verify_case *judged, const struct verify_nx *nx, const struct place_list *before,
                   struct place_list *expected, size_t *gone_count)
{
    *gone_count = 0;
    for (size_t i = 0; i < before->count; i++) {
        const struct verify_nx_site *site = verify_nx_site_at(nx, before->items[i].rva);
        bool is_gone = site && !site->is_load && before->items[i].rva == site->rva + site->field_at &&
                       before->items[i].type == BASERELOC_HIGHLOW;
        *gone_count += is_gone;
        if (!is_gone && !append(judged, expected, before->items[i].rva, before->items[i].type))
            return false;
    }
    for (uint32_t i = 0; i < nx->stub_count; i++)
        if (!append(judged, expected, nx->stubs[i].slot_field_rva, BASERELOC_HIGHLOW))
            return false;
    sort(expected);
    return true;
}

static bool compare_tables(struct verify_case *judged, const struct place_list *expected,
                           const struct place_list *table)
{
    for (size_t i = 0; i < expected->count || i < table->count; i++) {
        bool is_missing =
            i >= table->count || (i < expected->count && compare(&expected->items[i], &table->items[i]) < 0);
        if (!is_missing && i < expected->count && compare(&expected->items[i], &table->items[i]) == 0)
            continue;
        uint32_t rva = is_missing ? expected->items[i].rva : table->items[i].rva;
        return verify_refute(judged, verify_spot_rva(judged, rva),
                             is_missing
                                 ? "The base relocation at RVA 0x%X is missing in the new image."
                                 : "The base relocation at RVA 0x%X of the new image comes from nowhere.",
                             (unsigned)rva);
    }
    return true;
}

bool verify_nx_relocations(struct verify_case *judged, const struct verify_nx *nx)
{
    struct place_list before = {0}, expected = {0}, table = {0};
    size_t gone_count, change_count = 0;
    if (nx->image.is_64)
        return true;
    if (!verify_relocations_are_plain(judged) || !read_table(judged, &nx->before, &before) ||
        !read_table(judged, &nx->image, &table) || !expect(judged, nx, &before, &expected, &gone_count))
        return false;
    for (size_t i = 0; i < nx->site_count; i++)
        change_count += !nx->sites[i].is_load;
    if (gone_count != change_count)
        return verify_nx_unproved(
            judged, nx->code->rva,
            "Not each operand that leads to a stub was relocated once in the old image.");
    return compare_tables(judged, &expected, &table);
}
