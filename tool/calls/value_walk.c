/* value_walk.c - see value_walk.h. */
#include "calls/value_walk.h"

/* What two variables hold in the file stays two leaves: one of them may be the opt-in, the other not. */
static bool is_same_leaf(const struct leaf *a, const struct leaf *b)
{
    return a->kind == b->kind && a->known_bits == b->known_bits && a->value == b->value &&
           a->import == b->import && a->name == b->name && a->origin == b->origin && a->reason == b->reason &&
           ((a->reason != UNKNOWN_RESULT && a->reason != UNKNOWN_WHOLE && a->origin != ORIGIN_GLOBAL_FILE) ||
            a->origin_rva == b->origin_rva) &&
           a->other_origin == b->other_origin && a->other_origin_rva == b->other_origin_rva;
}

bool leaf_is_listed(const struct leaves *leaves, size_t first, size_t count, const struct leaf *leaf)
{
    for (size_t i = first; i < count; i++)
        if (is_same_leaf(&leaves->items[i], leaf))
            return true;
    return false;
}

void walk_add_leaf(struct walk *walk, struct leaf leaf)
{
    struct leaves *leaves = walk->leaves;
    if (leaf_is_listed(leaves, walk->first, leaves->count, &leaf))
        return;
    if (leaves->count == MOST_LEAVES)
        leaves->is_full = true;
    else
        leaves->items[leaves->count++] = leaf;
}

void walk_add_unknown(struct walk *walk, enum unknown_reason reason, enum leaf_origin origin,
                      uint32_t origin_rva)
{
    walk_add_leaf(walk, (struct leaf){.kind = LEAF_BITS,
                                      .reason = (uint8_t)reason,
                                      .origin = (uint8_t)origin,
                                      .origin_rva = origin_rva});
}

void walk_add_number(struct walk *walk, uint64_t number, enum leaf_origin origin, uint32_t origin_rva)
{
    walk_add_leaf(walk, (struct leaf){.kind = LEAF_BITS,
                                      .known_bits = UINT64_MAX,
                                      .value = number,
                                      .origin = (uint8_t)origin,
                                      .origin_rva = origin_rva});
}

enum way_state walk_enter(const struct walk *walk, struct way *way, uint32_t rva, const struct atom *atom)
{
    for (unsigned i = 0; i < way->count; i++)
        if (way->rvas[i] == rva && way->atoms[i].kind == atom->kind && way->atoms[i].id == atom->id &&
            way->atoms[i].number == atom->number)
            return way->mask_counts[i] == walk->mask_count ? WAY_AGAIN : WAY_CHANGED;
    if (way->count == MOST_STEPS)
        return WAY_TOO_LONG;
    way->rvas[way->count] = rva;
    way->atoms[way->count] = *atom;
    way->mask_counts[way->count++] = walk->mask_count;
    return WAY_NEW;
}

bool walk_take_step(struct walk *walk)
{
    bool is_taken = search_take_steps(walk->search, 1);
    walk->leaves->is_full |= !is_taken;
    return is_taken;
}

bool walk_find_user(struct call_search *search, const struct ref *ref, struct read_function *function,
                    uint32_t *site_rva)
{
    const struct read_function *found = search_function_holding(search, ref->site_rva);
    *function = found ? *found : (struct read_function){0};
    *site_rva = code_instruction_begin(search->map, ref->site_rva);
    return found || !search->arena->exhausted;
}
