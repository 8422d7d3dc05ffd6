/* straddlers.c - the base relocations that cross a page boundary, and which of them belong together.
 * Takes: image, references of the base relocations and of the values under them.
 * Gives: sorted straddlers, and groups of them.  Must not: judge or word.
 *
 * A straddling field is by its place not naturally aligned, so in data it nearly always belongs to an array
 * of packed structures, and a long array has one straddler at most page boundaries. Such an array shows in
 * the relocations themselves: the fields repeat at a constant stride. A group is therefore the straddlers
 * inside one maximal run of relocations R[] with R[k + period] - R[k] = stride for all k of the run, where
 * `period` is the number of pointers in one structure. What belongs to no run (operands in code, single
 * objects, arrays with empty pointers) makes one more group for its section. */
#include "rules/straddlers.h"

#include <stdlib.h>

enum {
    MOST_POINTERS_IN_STRUCTURE = 16,
    FEWEST_ELEMENTS_IN_ARRAY = 8,
    MOST_ARRAYS = 64 /* further regular runs are counted with the rest of their section */
};
#define NOT_IN_A_SECTION UINT32_MAX

/* Places of all judged relocations, sorted and unique. */
struct places {
    uint32_t *rvas;
    size_t count;
};

/* A regular run [low, high] of indices into struct places. */
struct run {
    size_t low, high;
    uint32_t stride_nbytes;
};

unsigned relocation_nbytes(unsigned type)
{
    return type == BASERELOC_HIGHLOW ? 4 : type == BASERELOC_DIR64 ? 8 : 0;
}

static bool is_judged(const struct ref *ref)
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

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Straddlers in RVA order, one for each place: a second entry for the same place adds nothing. */
static bool collect(const struct rule_input *input, struct straddlers *straddlers)
{
    size_t count = 0;
    for (size_t i = 0; i < input->refs->ref_count; i++) {
        const struct ref *ref = &input->refs->refs[i];
        if (!is_judged(ref))
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
        if (!is_judged(ref) || !is_straddling(ref->target, ref->detail))
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

static bool collect_places(const struct rule_input *input, size_t relocation_count, struct places *places)
{
    uint32_t *rvas = arena_array(input->arena, relocation_count, sizeof *rvas);
    if (!rvas)
        return false;
    size_t count = 0;
    bool sorted = true;
    for (size_t i = 0; i < input->refs->ref_count; i++) {
        const struct ref *ref = &input->refs->refs[i];
        if (!is_judged(ref))
            continue;
        sorted = sorted && (count == 0 || rvas[count - 1] <= ref->target);
        rvas[count++] = ref->target;
    }
    if (!sorted)
        qsort(rvas, count, sizeof *rvas, by_number);
    size_t kept = count ? 1 : 0;
    for (size_t i = 1; i < count; i++)
        if (rvas[i] != rvas[kept - 1])
            rvas[kept++] = rvas[i];
    *places = (struct places){rvas, kept};
    return true;
}

static size_t place_index(const struct places *places, uint32_t rva)
{
    size_t low = 0, high = places->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (places->rvas[middle] < rva)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static size_t run_length(const struct run *run)
{
    return run->high - run->low + 1;
}

/* The longest run through places `at` and `at + period` inside the places [floor, ceiling). */
static struct run run_from(const struct places *places, size_t at, size_t period, size_t floor,
                           size_t ceiling)
{
    const uint32_t *rvas = places->rvas;
    struct run run = {at, at + period, rvas[at + period] - rvas[at]};
    while (run.high + 1 < ceiling && rvas[run.high + 1] - rvas[run.high + 1 - period] == run.stride_nbytes)
        run.high++;
    while (run.low > floor && rvas[run.low - 1 + period] - rvas[run.low - 1] == run.stride_nbytes)
        run.low--;
    return run;
}

/* The best run through place `at`: the longest; a larger period has to pay for itself. A place in the last
 * structure of an array has its partner in front of it. stride_nbytes 0: there is none. */
static struct run best_run(const struct places *places, size_t at, size_t floor, size_t ceiling)
{
    struct run best = {at, at, 0};
    for (size_t period = 1; period <= MOST_POINTERS_IN_STRUCTURE; period++)
        for (int backwards = 0; backwards <= 1; backwards++) {
            if (backwards ? at - floor < period : ceiling - at <= period)
                continue;
            struct run run = run_from(places, backwards ? at - period : at, period, floor, ceiling);
            if (run_length(&run) >= FEWEST_ELEMENTS_IN_ARRAY * period &&
                run_length(&run) > run_length(&best) + 2 * period)
                best = run;
        }
    return best;
}

struct grouping {
    const struct rule_input *input;
    struct straddlers *straddlers;
    struct places places;
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
    const struct places *places = &grouping->places;
    size_t floor = place_index(places, section->rva);
    uint64_t section_end_rva = (uint64_t)section->rva + section->memory_nbytes;
    size_t ceiling =
        section_end_rva > UINT32_MAX ? places->count : place_index(places, (uint32_t)section_end_rva);
    *rest_count = 0;
    for (size_t i = first; i < end;) {
        size_t at = place_index(places, items[i].rva);
        struct run run = {at, at, 0};
        if (at < ceiling && grouping->array_count < MOST_ARRAYS)
            run = best_run(places, at, floor, ceiling);
        if (run.stride_nbytes == 0) {
            items[first + (*rest_count)++] = items[i++];
            continue;
        }
        struct straddler_group group = {
            .first = grouping->sorted_count,
            .stride_nbytes = run.stride_nbytes,
            .run_begin_rva = places->rvas[run.low],
            .run_end_rva = places->rvas[run.high] + relocation_nbytes(items[i].type),
            .run_count = run_length(&run),
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
    if (!grouping.sorted || !collect_places(input, straddlers->relocation_count, &grouping.places))
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
