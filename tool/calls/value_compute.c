/* value_compute.c - what arithmetic makes of values.
 * Takes: two values.  Gives: all that one atom of each can give.  Must not: guess: what is not exactly known
 * becomes unknown. */
#include "calls/value_parts.h"

static int64_t sign_extended(uint64_t number, unsigned nbytes)
{
    uint64_t sign = UINT64_C(1) << (nbytes * 8 - 1);
    number &= width_mask(nbytes);
    return (int64_t)((number ^ sign) - sign);
}

static bool is_place(const struct atom *atom)
{
    return (atom->kind == ATOM_STACK_ADDRESS || atom->kind == ATOM_ADDRESS) && atom->or_mask == 0 &&
           (atom->and_mask == UINT64_MAX || atom->and_mask == UINT32_MAX);
}

/* An address that a call returned, or one that was made from it. */
static bool is_result(const struct atom *atom)
{
    return (atom->kind == ATOM_RESULT || atom->kind == ATOM_INSIDE) && atom->or_mask == 0 &&
           (atom->and_mask == UINT64_MAX || atom->and_mask == UINT32_MAX);
}

static struct atom inside_of(const struct atom *result)
{
    return (struct atom){.kind = ATOM_INSIDE, .number = result->number, .and_mask = result->and_mask};
}

/* One atom with another. */
static struct atom compute(enum value_operation operation, const struct atom *a, const struct atom *b,
                           unsigned nbytes)
{
    static const struct atom unknown = {.kind = ATOM_UNKNOWN, .id = UNKNOWN_COMPUTED, .and_mask = UINT64_MAX};
    struct atom result = unknown;
    uint64_t mask = width_mask(nbytes), x = a->or_mask, y = b->or_mask;
    bool both = a->kind == ATOM_CONSTANT && b->kind == ATOM_CONSTANT;
    switch (operation) {
    case VALUE_ADD:
    case VALUE_SUB:
        if (b->kind == ATOM_CONSTANT && y == 0)
            return *a;
        if (b->kind == ATOM_CONSTANT && is_place(a)) {
            int64_t distance = sign_extended(y, nbytes);
            result = *a;
            result.number = (int64_t)((uint64_t)a->number +
                                      (operation == VALUE_ADD ? (uint64_t)distance : -(uint64_t)distance));
            return result;
        }
        if (operation == VALUE_ADD && a->kind == ATOM_CONSTANT && is_place(b))
            return compute(operation, b, a, nbytes);
        if (operation == VALUE_SUB && is_place(a) && is_place(b) && a->kind == b->kind && a->id == b->id) {
            result.or_mask = (uint64_t)(a->number - b->number) & mask;
            break;
        }
        if (is_result(a) && !is_result(b))
            return inside_of(a);
        if (operation == VALUE_ADD && is_result(b) && !is_result(a))
            return inside_of(b);
        if (!both)
            return unknown;
        result.or_mask = (operation == VALUE_ADD ? x + y : x - y) & mask;
        break;
    case VALUE_AND:
        if (a->kind == ATOM_CONSTANT && b->kind != ATOM_CONSTANT)
            return compute(operation, b, a, nbytes);
        if (b->kind != ATOM_CONSTANT)
            return unknown;
        result = *a;
        result.and_mask &= y & mask;
        result.or_mask &= y & mask;
        return atom_simplified(result);
    case VALUE_OR:
        if (a->kind == ATOM_CONSTANT && b->kind != ATOM_CONSTANT)
            return compute(operation, b, a, nbytes);
        if (b->kind != ATOM_CONSTANT) {
            /* Of two unknown numbers the bits that one of them has for certain are left. */
            result.or_mask = (x | y) & mask;
            return atom_simplified(result);
        }
        result = *a;
        result.or_mask = (x | y) & mask;
        return atom_simplified(result);
    case VALUE_XOR:
        if (!both)
            return unknown;
        result.or_mask = (x ^ y) & mask;
        break;
    case VALUE_SHIFT_LEFT:
    case VALUE_SHIFT_RIGHT:
        y &= nbytes == 8 ? 63 : 31;
        if (!both)
            return unknown;
        result.or_mask = operation == VALUE_SHIFT_LEFT ? (x << y) & mask : (x & mask) >> y;
        break;
    case VALUE_MULTIPLY:
        if (!both)
            return unknown;
        result.or_mask = (x * y) & mask;
        break;
    }
    result.and_mask = 0;
    return atom_simplified(result);
}

/* The same of the atoms of these numbers. Flags are often joined from two variables: that is kept. */
static struct atom compute_numbered(const struct value_table *table, enum value_operation operation,
                                    uint32_t a, uint32_t b, unsigned nbytes)
{
    const struct atom left = table->atoms[a], right = table->atoms[b];
    if (operation == VALUE_OR && left.kind == ATOM_GLOBAL && right.kind == ATOM_GLOBAL)
        return (struct atom){.kind = ATOM_EITHER_BIT,
                             .id = a,
                             .number = b,
                             .and_mask = (left.and_mask | right.and_mask | left.or_mask | right.or_mask) &
                                         width_mask(nbytes)};
    return compute(operation, &left, &right, nbytes);
}

value_number value_compute(struct value_table *table, enum value_operation operation, value_number a,
                           value_number b, unsigned nbytes)
{
    struct value computed = {.atom_count = 0};
    if (table->values[a].atom_count == 1 && table->values[b].atom_count == 1)
        return value_alone(table, compute_numbered(table, operation, table->values[a].atoms[0],
                                                   table->values[b].atoms[0], nbytes));
    for (uint32_t i = 0; i < table->values[a].atom_count; i++) {
        for (uint32_t k = 0; k < table->values[b].atom_count; k++) {
            struct atom atom = compute_numbered(table, operation, table->values[a].atoms[i],
                                                table->values[b].atoms[k], nbytes);
            if (!value_add_atom(table, &computed, &atom))
                return value_unknown(table, UNKNOWN_MANY);
        }
    }
    return value_number_of(table, &computed);
}

value_number value_sign_extend(struct value_table *table, value_number value, unsigned from_nbytes,
                               unsigned to_nbytes)
{
    struct value extended = {.atom_count = 0};
    for (uint32_t i = 0; i < table->values[value].atom_count; i++) {
        struct atom atom = *value_atom(table, value, i);
        uint64_t sign = UINT64_C(1) << (from_nbytes * 8 - 1);
        atom.and_mask &= width_mask(from_nbytes);
        atom.or_mask &= width_mask(from_nbytes);
        if (atom.and_mask & sign) /* the upper bits follow one that is not known */
            atom.and_mask |= width_mask(to_nbytes) & ~width_mask(from_nbytes),
                atom = (struct atom){.kind = ATOM_UNKNOWN,
                                     .id = UNKNOWN_COMPUTED,
                                     .and_mask = atom.and_mask,
                                     .or_mask = atom.or_mask};
        else if (atom.or_mask & sign)
            atom.or_mask |= width_mask(to_nbytes) & ~width_mask(from_nbytes);
        atom = atom_simplified(atom);
        (void)value_add_atom(table, &extended, &atom);
    }
    return value_number_of(table, &extended);
}
