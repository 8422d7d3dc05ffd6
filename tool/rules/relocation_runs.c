/* relocation_runs.c - arrays of structures with pointers, as they show in the base relocations.
 * Takes: references of the base relocations.  Gives: their places, and regular runs among them.
 * Must not: judge, or look at the bytes. */
#include "rules/relocation_runs.h"
#include "rules/straddlers.h"

#include <stdlib.h>

enum { MOST_POINTERS_IN_STRUCTURE = 16, FEWEST_ELEMENTS_IN_ARRAY = 8 };

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

bool relocation_places_collect(const struct rule_input *input, size_t relocation_count,
                               struct relocation_places *places)
{
    uint32_t *rvas = arena_array(input->arena, relocation_count, sizeof *rvas);
    if (!rvas)
        return false;
    size_t count = 0;
    bool sorted = true;
    for (size_t i = 0; i < input->refs->ref_count; i++) {
        const struct ref *ref = &input->refs->refs[i];
        if (!relocation_is_judged(ref))
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
    *places = (struct relocation_places){rvas, kept};
    return true;
}

size_t relocation_place_index(const struct relocation_places *places, uint32_t rva)
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

size_t relocation_run_length(const struct relocation_run *run)
{
    return run->high - run->low + 1;
}

/* The longest run through places `at` and `at + period` inside the places [floor, ceiling). */
static struct relocation_run run_from(const struct relocation_places *places, size_t at, size_t period,
                                      size_t floor, size_t ceiling)
{
    const uint32_t *rvas = places->rvas;
    struct relocation_run run = {at, at + period, rvas[at + period] - rvas[at]};
    while (run.high + 1 < ceiling && rvas[run.high + 1] - rvas[run.high + 1 - period] == run.stride_nbytes)
        run.high++;
    while (run.low > floor && rvas[run.low - 1 + period] - rvas[run.low - 1] == run.stride_nbytes)
        run.low--;
    return run;
}

struct relocation_run relocation_run_best(const struct relocation_places *places, size_t at, size_t floor,
                                          size_t ceiling)
{
    struct relocation_run best = {at, at, 0};
    for (size_t period = 1; period <= MOST_POINTERS_IN_STRUCTURE; period++)
        for (int backwards = 0; backwards <= 1; backwards++) {
            if (backwards ? at - floor < period : ceiling - at <= period)
                continue;
            struct relocation_run run =
                run_from(places, backwards ? at - period : at, period, floor, ceiling);
            if (relocation_run_length(&run) >= FEWEST_ELEMENTS_IN_ARRAY * period &&
                relocation_run_length(&run) > relocation_run_length(&best) + 2 * period)
                best = run;
        }
    return best;
}
