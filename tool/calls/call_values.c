/* call_values.c - where a value comes from, across functions and global variables.
 * Takes: a value of one function.  Gives: the leaves of the tree that leads to it.  Must not: go deeper than
 * MOST_STEPS, or leave out a way: what is not followed is a leaf of which nothing is known. */
#include "calls/value_walk.h"

/* Something was added to what a call returned: only where that came from is left of it. */
static bool walk_inside(struct walk *walk, const struct atom *atom, uint32_t function_rva)
{
    size_t first = walk->leaves->count;
    walk->mask_count++; /* what leads back to here comes changed */
    if (!walk_result(walk, (uint32_t)atom->number, function_rva))
        return false;
    walk->mask_count--;
    for (size_t i = first; i < walk->leaves->count; i++) {
        struct leaf *leaf = &walk->leaves->items[i];
        if (leaf->kind != LEAF_BITS || leaf->reason != UNKNOWN_RESULT || !leaf->name)
            *leaf = (struct leaf){.kind = LEAF_BITS, .reason = UNKNOWN_COMPUTED, .origin = ORIGIN_HERE};
    }
    return true;
}

static bool walk_origin(struct walk *walk, const struct atom *atom, uint32_t function_rva,
                        enum leaf_origin origin, uint32_t origin_rva);

/* What the masks of an atom leave of its origin's leaves. */
static void mask_leaves(struct walk *walk, size_t first, const struct atom *atom)
{
    uint64_t all = width_mask(image_pointer_nbytes(walk->search->image));
    bool is_whole = (atom->and_mask & all) == all && atom->or_mask == 0;
    for (size_t i = first; i < walk->leaves->count && !is_whole; i++) {
        struct leaf *leaf = &walk->leaves->items[i];
        if (leaf->kind != LEAF_BITS)
            *leaf = (struct leaf){.kind = LEAF_BITS, .origin = leaf->origin, .origin_rva = leaf->origin_rva};
        leaf->value = (leaf->value & atom->and_mask) | atom->or_mask;
        leaf->known_bits |= ~atom->and_mask | atom->or_mask;
    }
}

/* A leaf of one variable joined by OR with one of another: a bit is known when both are, or one is set. */
static struct leaf either_bit(const struct leaf *a, const struct leaf *b)
{
    uint64_t known_a = a->kind == LEAF_BITS ? a->known_bits : 0;
    uint64_t known_b = b->kind == LEAF_BITS ? b->known_bits : 0;
    uint64_t set = (known_a & a->value) | (known_b & b->value);
    const struct leaf *of_reason = known_a != UINT64_MAX ? a : b;
    return (struct leaf){.kind = LEAF_BITS,
                         .known_bits = (known_a & known_b) | set,
                         .value = set,
                         .reason = of_reason->reason,
                         .origin = of_reason->origin,
                         .origin_rva = of_reason->origin_rva,
                         .other_origin = (of_reason == a ? b : a)->origin,
                         .other_origin_rva = (of_reason == a ? b : a)->origin_rva};
}

/* All that two variables can hold, each with each. */
static bool walk_either_bit(struct walk *walk, const struct atom *atom, uint32_t function_rva)
{
    struct leaves *leaves = walk->leaves;
    const uint32_t numbers[] = {atom->id, (uint32_t)atom->number};
    size_t begin[3] = {leaves->count, 0, 0};
    walk->mask_count++; /* what leads back to one of them comes changed */
    for (unsigned i = 0; i < 2; i++) {
        struct atom part = walk->search->values.atoms[numbers[i]];
        walk->first = begin[i];
        if (!walk_origin(walk, &part, function_rva, ORIGIN_HERE, 0))
            return false;
        mask_leaves(walk, begin[i], &part);
        begin[i + 1] = leaves->count;
    }
    walk->mask_count--;
    struct leaves made = {.is_full = leaves->is_full};
    for (size_t i = begin[0]; i < begin[1]; i++) {
        for (size_t k = begin[1]; k < begin[2]; k++) {
            struct leaf leaf = either_bit(&leaves->items[i], &leaves->items[k]);
            if (leaf_is_listed(&made, 0, made.count, &leaf))
                continue;
            if (begin[0] + made.count == MOST_LEAVES)
                made.is_full = true;
            else
                made.items[made.count++] = leaf;
        }
    }
    for (size_t i = 0; i < made.count; i++)
        leaves->items[begin[0] + i] = made.items[i];
    leaves->count = begin[0] + made.count;
    leaves->is_full = made.is_full;
    walk->first = begin[0];
    return true;
}

static bool walk_origin(struct walk *walk, const struct atom *atom, uint32_t function_rva,
                        enum leaf_origin origin, uint32_t origin_rva)
{
    struct call_search *search = walk->search;
    uint32_t pointer_nbytes = image_pointer_nbytes(search->image);
    const struct import *import;
    const struct kmdf_binding *kmdf = &search->kmdf;
    uint32_t rva = (uint32_t)atom->number;
    switch ((enum atom_kind)atom->kind) {
    case ATOM_CONSTANT:
        walk_add_number(walk, atom->or_mask, origin, origin_rva);
        return true;
    case ATOM_ADDRESS:
        walk_add_leaf(
            walk, (struct leaf){
                      .kind = LEAF_CODE, .value = rva, .origin = (uint8_t)origin, .origin_rva = origin_rva});
        return true;
    case ATOM_GLOBAL:
        import = atom->id == pointer_nbytes ? import_at(&search->imports, rva) : NULL;
        if (import) {
            walk_add_leaf(walk, (struct leaf){.kind = LEAF_IMPORT,
                                              .import = import,
                                              .origin = (uint8_t)origin,
                                              .origin_rva = origin_rva});
            return true;
        }
        if (kmdf->is_bound && !kmdf->is_pointer && rva > kmdf->table_rva &&
            rva - kmdf->table_rva < kmdf->function_count * pointer_nbytes) {
            walk_add_leaf(
                walk, (struct leaf){.kind = LEAF_KMDF, .value = (rva - kmdf->table_rva) / pointer_nbytes});
            return true;
        }
        return walk_variable(walk, rva, atom->id);
    case ATOM_FIELD:
        if (kmdf->is_bound && atom->id == kmdf->table_rva && atom->number >= 0) {
            walk_add_leaf(walk,
                          (struct leaf){.kind = LEAF_KMDF, .value = (uint64_t)atom->number / pointer_nbytes});
            return true;
        }
        walk_add_unknown(walk, UNKNOWN_MEMORY, origin, origin_rva);
        return true;
    case ATOM_ENTRY_REGISTER:
    case ATOM_ENTRY_STACK:
        return walk_callers(walk, atom, function_rva);
    case ATOM_RESULT:
        return walk_result(walk, rva, function_rva);
    case ATOM_STACK_ADDRESS:
        walk_add_unknown(walk, UNKNOWN_COMPUTED, origin, origin_rva);
        return true;
    case ATOM_INSIDE:
        return walk_inside(walk, atom, function_rva);
    case ATOM_EITHER_BIT:
        return walk_either_bit(walk, atom, function_rva);
    case ATOM_CONTROL:
        walk_add_unknown(walk, UNKNOWN_CONTROL, origin, origin_rva);
        return true;
    case ATOM_UNKNOWN:
        break;
    }
    walk_add_unknown(walk, (enum unknown_reason)atom->id, origin, origin_rva);
    return true;
}

bool walk_value(struct walk *walk, value_number value, uint32_t function_rva, enum leaf_origin origin,
                uint32_t origin_rva)
{
    struct atom atoms[VALUE_MOST_ATOMS];
    uint32_t count = value_in_order(&walk->search->values, value, atoms);
    size_t outer_first = walk->first;
    uint64_t number; /* is all there is to know: it takes no step */
    if (!value_is_constant(&walk->search->values, value, &number) && !walk_take_step(walk))
        return true;
    for (uint32_t i = 0; i < count; i++) {
        struct atom atom = atoms[i];
        size_t first = walk->leaves->count;
        walk->first = first;
        bool is_changed = atom.or_mask != 0 || (atom.and_mask & UINT32_MAX) != UINT32_MAX;
        walk->mask_count += is_changed;
        if (!walk_origin(walk, &atom, function_rva, origin, origin_rva))
            return false;
        walk->mask_count -= is_changed;
        if (atom.kind != ATOM_CONSTANT)
            mask_leaves(walk, first, &atom);
        size_t kept = first;
        for (size_t k = first; k < walk->leaves->count; k++)
            if (!leaf_is_listed(walk->leaves, outer_first, kept, &walk->leaves->items[k]))
                walk->leaves->items[kept++] = walk->leaves->items[k];
        walk->leaves->count = kept;
    }
    walk->first = outer_first;
    return true;
}

static bool find_leaves(struct walk *walk, value_number value, uint32_t function_rva)
{
    *walk->leaves = (struct leaves){.count = 0};
    struct step_budget *steps = &walk->search->steps;
    bool was_spent = steps->is_spent;
    steps->is_spent = false;
    bool is_done = walk_value(walk, value, function_rva, ORIGIN_HERE, 0);
    walk->leaves->is_cut = steps->is_spent;
    walk->leaves->is_full |= steps->is_spent;
    steps->is_spent |= was_spent;
    return is_done && !walk->search->arena->exhausted;
}

bool search_leaves(struct call_search *search, value_number value, uint32_t function_rva,
                   struct leaves *leaves)
{
    struct walk walk = {.search = search, .leaves = leaves};
    return find_leaves(&walk, value, function_rva);
}

bool search_deciding_leaves(struct call_search *search, value_number value, uint32_t function_rva,
                            struct leaves *leaves)
{
    struct walk walk = {.search = search, .leaves = leaves, .minds_wholes = true};
    return find_leaves(&walk, value, function_rva);
}
