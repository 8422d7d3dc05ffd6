/* candidates.c - the layouts that are tried in turn.
 * Takes: sections, splits and slots.  Gives: rewrite->layout with what every reference means in it, or the
 * refusal. Must not: place a piece, or judge a reference.
 *
 * A candidate is placed, then every reference is asked what it means in it; where one could mean two things,
 * the next is tried. First what moves least: slots leave alone, then with the data around them; writable
 * sections alone, then with their neighbours. Last, all data moves by one distance: then no address has to be
 * told from another one, as long as both are data's; then with the data that lies among code. The refusal is
 * that of the last one but for those. */
#include "plan/rewrite.h"

enum {
    FIRST_THAT_KEEPS = 2 * CUT_COUNT,           /* slots leave pages that are written; then they stay */
    FIRST_WITH_ALL_RUNS = FIRST_THAT_KEEPS + 2, /* and the same with the data of all code sections */
    LAYOUT_COUNT = FIRST_WITH_ALL_RUNS + 2
};

_Static_assert((int)LAYOUT_COUNT == (int)PLAN_MOST_LAYOUTS, "plan.h says how many there are");

static bool is_split(const struct rewrite *rewrite)
{
    for (uint32_t i = 0; i < rewrite->image->section_count; i++)
        if (rewrite->splits[i].kind != SPLIT_NONE)
            return true;
    return false;
}

static bool exists(const struct rewrite *rewrite, uint32_t number)
{
    if (rewrite->context->options->forced)
        return number == 0;
    if (number >= FIRST_WITH_ALL_RUNS)
        return layout_is_low(rewrite->image);
    if (number >= FIRST_THAT_KEEPS)
        return layout_is_low(rewrite->image) || is_split(rewrite);
    return (number < CUT_COUNT || is_split(rewrite)) &&
           (layout_is_low(rewrite->image) || number % CUT_COUNT == CUT_WRITABLE_ALONE);
}

static void choose(struct rewrite *rewrite, uint32_t number)
{
    struct plan *plan = rewrite->context->plan;
    plan->layout_number = number;
    plan->has_other_layouts = false;
    for (uint32_t next = number + 1; next < LAYOUT_COUNT; next++)
        plan->has_other_layouts |= exists(rewrite, next);
    rewrite->keeps_distances = number >= FIRST_THAT_KEEPS;
    rewrite->takes_all_runs = number >= FIRST_WITH_ALL_RUNS;
    rewrite->runs_leave_whole =
        rewrite->keeps_distances ? (number - FIRST_THAT_KEEPS) % 2 == 1 : number >= CUT_COUNT;
    rewrite->cut = rewrite->keeps_distances ? CUT_WRITABLE_ALONE : (enum cut)(number % CUT_COUNT);
}

/* The old bytes of one candidate are laid out and asked. */
static bool try_candidate(struct rewrite *rewrite)
{
    bool is_low = layout_is_low(rewrite->image);
    rewrite->has_number = false;
    rewrite->layout = arena_alloc(rewrite->arena, sizeof *rewrite->layout);
    if (!rewrite->layout)
        return false;
    *rewrite->layout = (struct layout){.moves = true, .keeps_distances = rewrite->keeps_distances};
    bool is_placed = is_low                              ? place_low(rewrite)
                     : rewrite->context->options->forced ? place_forced(rewrite)
                                                         : place_append(rewrite);
    if (!is_placed || !(is_low ? new_sections_low(rewrite) : new_sections_append(rewrite)))
        return false;
    if (!layout_tables_are_whole(rewrite) || !import_range_choose(rewrite) || !rva_types_judge(rewrite))
        return false;
    rewrite->edges = edges_new(rewrite);
    if (!rewrite->edges || !referents_choose(rewrite) || !split_writes_judge(rewrite) ||
        !base_judge(rewrite) || !enumerate_direct(rewrite) || !position_judge(rewrite))
        return false;
    straddle_retarget(rewrite);
    return true;
}

/* What no layout changes is found once. */
static bool survey(struct rewrite *rewrite)
{
    rewrite->ref_order = ref_order_make(rewrite->refs, rewrite->arena);
    return rewrite->ref_order &&
           destinations_find(&rewrite->destinations, rewrite->image, rewrite->refs, rewrite->code,
                             rewrite->arena) &&
           data_pointers_find(&rewrite->data_pointers, rewrite->image, rewrite->refs, rewrite->code,
                              rewrite->arena) &&
           datum_bytes_find(&rewrite->datum_bytes, rewrite->image, rewrite->refs, rewrite->code,
                            rewrite->arena);
}

bool candidates_try(struct rewrite *rewrite)
{
    struct slot_range *slots = arena_array(rewrite->arena, rewrite->slot_count, sizeof *slots);
    struct finding refusal = rewrite->refusal;
    bool has_refusal = false;
    if (!slots || !survey(rewrite))
        return false;
    if (rewrite->slot_count != 0)
        memcpy(slots, rewrite->slots, rewrite->slot_count * sizeof *slots);
    for (uint32_t number = rewrite->context->options->first_layout; number < LAYOUT_COUNT; number++) {
        if (!exists(rewrite, number))
            continue;
        choose(rewrite, number);
        rewrite->is_refused = false;
        if (rewrite->slot_count != 0)
            memcpy(rewrite->slots, slots, rewrite->slot_count * sizeof *slots);
        if (atoms_make(rewrite) && try_candidate(rewrite))
            return true;
        if (!rewrite->is_refused)
            return false; /* memory ran out */
        if (!has_refusal || !rewrite->keeps_distances)
            refusal = rewrite->refusal;
        has_refusal = true;
    }
    rewrite->refusal = refusal;
    return false;
}
