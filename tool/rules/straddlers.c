/* straddlers.c - the base relocations that cross a page boundary, and which of them belong together.
 * Takes: image, references of the base relocations and of the values under them.
 * Gives: sorted straddlers, and groups of them.  Must not: judge or word.
 *
 * A straddling field is by its place not naturally aligned, so in data it nearly always belongs to an array
 * of packed structures, and a long array has one straddler at most page boundaries. Such an array shows in
 * the relocations themselves (relocation_runs.h). A group is therefore the straddlers inside one maximal run.
 * What belongs to no run (operands in code, single objects, arrays with empty pointers) makes one more group
 * for its section. */
#include "rules/straddlers.h"
#include "rules/relocation_runs.h"

#include <stdlib.h>

enum { MOST_ARRAYS = 64 }; /* further regular runs are counted with the rest of their section */
#define NOT_IN_A_SECTION UINT32_MAX

/* Bytes that a relocation of this type changes; 0 for types that this rule does not judge. */
static unsigned relocation_nbytes(unsigned type)
{
    return type == BASERELOC_HIGHLOW ? 4 : type == BASERELOC_DIR64 ? 8 : 0;
}

bool relocation_is_judged(const struct ref *ref)
{
    return ref->source == SOURCE_BASERELOCS && ref->encoding == REF_PAGE_12 &&
           relocation_nbytes(ref->detail) != 0;
}

static bool is_straddling(uint32_t rva, unsigned type)
{
    return rva % PAGE_NBYTES + relocation_nbytes(type) > PAGE_NBYTES;
}

static int by_rva(const void *a, const void *b)
{
    const struct straddler *x = a, *y = b;
    if (x->rva != y->rva)
        return x->rva < y->rva ? -1 : 1;
    return (int)x->type - (int)y->type;
}

/* Straddlers in RVA order, one for each place: a second entry for the same place adds nothing. */
static bool collect(const struct rule_input *input, struct straddlers *straddlers)
{
    size_t count = 0;
    for (size_t i = 0; i < input->refs->ref_count; i++) {
        const struct ref *ref = &input->refs->refs[i];
        if (!relocation_is_judged(ref))
            continue;
        straddlers->relocation_count++;
        count += is_straddling(ref->target, ref->detail);
    }
    if (count == 0)
        return true;
    struct straddler *items = arena_array(input->arena, count, sizeof *items);
    if (!items)
        return false;
    count = 0;
    for (size_t i = 0; i < input->refs->ref_count; i++) {
        const struct ref *ref = &input->refs->refs[i];
        if (!relocation_is_judged(ref) || !is_straddling(ref->target, ref->detail))
            continue;
        const struct section *section = image_section_at_rva(input->image, ref->target);
        items[count++] =
            (struct straddler){ref->target, ref->detail, section ? section->index : NOT_IN_A_SECTION, NULL};
    }
    qsort(items, count, sizeof *items, by_rva);
    size_t kept = 1;
    for (size_t i = 1; i < count; i++)
        if (items[i].rva != items[kept - 1].rva)
            items[kept++] = items[i];
    straddlers->items = items;
    straddlers->count = kept;
    return true;
}

static struct straddler *straddler_at(const struct straddlers *straddlers, uint32_t rva)
{
    size_t low = 0, high = straddlers->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (straddlers->items[middle].rva < rva)
            low = middle + 1;
        else
            high = middle;
    }
    return low < straddlers->count && straddlers->items[low].rva == rva ? &straddlers->items[low] : NULL;
}

static void attach_values(const struct rule_input *input, struct straddlers *straddlers)
{
    for (size_t i = 0; i < input->refs->ref_count; i++) {
        const struct ref *ref = &input->refs->refs[i];
        if (ref->source != SOURCE_RELOCATED || !is_straddling(ref->site_rva, ref->detail))
            continue;
        struct straddler *straddler = straddler_at(straddlers, ref->site_rva);
        if (straddler)
            straddler->value = ref;
    }
}

struct grouping {
    const struct rule_input *input;
    struct straddlers *straddlers;
    struct relocation_places places;
    struct straddler *sorted; /* the new order: arrays of a section first, then its rest */
    size_t sorted_count;
    size_t array_count, capacity;
};

static bool add_group(struct grouping *grouping, struct straddler_group group)
{
    struct straddlers *straddlers = grouping->straddlers;
    struct straddler_group *groups =
        arena_grow(grouping->input->arena, straddlers->groups, straddlers->group_count, &grouping->capacity,
                   straddlers->group_count + 1, sizeof *groups);
    if (!groups)
        return false;
    straddlers->groups = groups;
    groups[straddlers->group_count++] = group;
    return true;
}

/* Groups the straddlers [first, end) of one section: arrays are added, the rest is moved to the front of
 * `items`; its number is returned through rest_count. */
static bool group_arrays(struct grouping *grouping, const struct section *section, size_t first, size_t end,
                         size_t *rest_count)
{
    struct straddler *items = grouping->straddlers->items;
    const struct relocation_places *places = &grouping->places;
    size_t floor = relocation_place_index(places, section->rva);
    uint64_t section_end_rva = (uint64_t)section->rva + section->memory_nbytes;
    size_t ceiling = section_end_rva > UINT32_MAX ? places->count
                                                  : relocation_place_index(places, (uint32_t)section_end_rva);
    *rest_count = 0;
    for (size_t i = first; i < end;) {
        size_t at = relocation_place_index(places, items[i].rva);
        struct relocation_run run = {at, at, 0};
        if (at < ceiling && grouping->array_count < MOST_ARRAYS)
            run = relocation_run_best(places, at, floor, ceiling);
        if (run.stride_nbytes == 0) {
            items[first + (*rest_count)++] = items[i++];
            continue;
        }
        struct straddler_group group = {
            .first = grouping->sorted_count,
            .stride_nbytes = run.stride_nbytes,
            .run_begin_rva = places->rvas[run.low],
            .run_end_rva = places->rvas[run.high] + relocation_nbytes(items[i].type),
            .run_count = relocation_run_length(&run),
        };
        for (; i < end && items[i].rva <= places->rvas[run.high]; i++)
            grouping->sorted[grouping->sorted_count++] = items[i];
        group.count = grouping->sorted_count - group.first;
        grouping->array_count++;
        floor = run.high + 1; /* a place belongs to one run only, which also keeps the work linear */
        if (!add_group(grouping, group))
            return false;
    }
    return true;
}

/* In x86 code, operands of similar instructions in a row would look like an array; 64-bit code has hardly any
 * relocated operands, so what is relocated in its sections is data. */
static bool may_hold_arrays(const struct image *image, const struct section *section)
{
    return image->is_64 || !section_is_executable(section);
}

static bool group_section(struct grouping *grouping, size_t first, size_t end)
{
    struct straddler *items = grouping->straddlers->items;
    const struct section *section = items[first].section_index == NOT_IN_A_SECTION
                                        ? NULL
                                        : &grouping->input->image->sections[items[first].section_index];
    size_t rest_count = end - first;
    if (section && may_hold_arrays(grouping->input->image, section) &&
        !group_arrays(grouping, section, first, end, &rest_count))
        return false;
    if (rest_count == 0)
        return true;
    struct straddler_group rest = {.first = grouping->sorted_count, .count = rest_count};
    memcpy(grouping->sorted + grouping->sorted_count, items + first, rest_count * sizeof *items);
    grouping->sorted_count += rest_count;
    return add_group(grouping, rest);
}

bool straddlers_find(const struct rule_input *input, struct straddlers *straddlers)
{
    *straddlers = (struct straddlers){0};
    if (!collect(input, straddlers))
        return false;
    if (straddlers->count == 0)
        return true;
    attach_values(input, straddlers);
    struct grouping grouping = {
        .input = input,
        .straddlers = straddlers,
        .sorted = arena_array(input->arena, straddlers->count, sizeof *grouping.sorted),
    };
    if (!grouping.sorted || !relocation_places_collect(input, straddlers->relocation_count, &grouping.places))
        return false;
    /* In RVA order the straddlers of a section stand together. */
    for (size_t first = 0, end; first < straddlers->count; first = end) {
        for (end = first + 1; end < straddlers->count; end++)
            if (straddlers->items[end].section_index != straddlers->items[first].section_index)
                break;
        if (!group_section(&grouping, first, end))
            return false;
    }
    straddlers->items = grouping.sorted;
    return true;
}
