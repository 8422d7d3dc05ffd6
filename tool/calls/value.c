/* value.c - sets of atoms, kept once each, and what arithmetic makes of them.
 * Takes: atoms.  Gives: numbers of values.  Must not: guess: what is not exactly known becomes unknown. */
#include "calls/value_parts.h"

#include <string.h>

enum { FIRST_SLOTS = 256 };

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash ^= word + UINT64_C(0x9E3779B97F4A7C15) + (hash << 6) + (hash >> 2);
    return hash * UINT64_C(0xFF51AFD7ED558CCD);
}

/* Masks are mostly whole: adding them up is enough to tell those that are not apart. */
static uint64_t hash_atom(const struct atom *atom)
{
    uint64_t origin = (uint64_t)atom->number + ((uint64_t)atom->kind << 56) + ((uint64_t)atom->id << 24);
    return mix(origin, atom->and_mask + 3 * atom->or_mask) >> 16;
}

static uint64_t hash_value(const struct value *value)
{
    uint64_t hash = value->atom_count;
    for (uint32_t i = 0; i < value->atom_count; i++)
        hash = mix(hash, value->atoms[i]);
    return hash >> 16;
}

static bool atom_is_equal(const struct atom *a, const struct atom *b)
{
    return a->kind == b->kind && a->id == b->id && a->number == b->number && a->and_mask == b->and_mask &&
           a->or_mask == b->or_mask;
}

static bool value_is_equal(const struct value *a, const struct value *b)
{
    return a->atom_count == b->atom_count &&
           memcmp(a->atoms, b->atoms, a->atom_count * sizeof a->atoms[0]) == 0;
}

static bool grow_atom_slots(struct value_table *table)
{
    size_t count = table->atom_slot_count ? table->atom_slot_count * 2 : FIRST_SLOTS;
    uint32_t *slots = arena_array(table->arena, count, sizeof *slots);
    if (!slots)
        return false;
    for (size_t i = 0; i < table->atom_count; i++) {
        size_t at = hash_atom(&table->atoms[i]) & (count - 1);
        while (slots[at])
            at = (at + 1) & (count - 1);
        slots[at] = (uint32_t)i + 1;
    }
    table->atom_slots = slots;
    table->atom_slot_count = count;
    return true;
}

static bool grow_value_slots(struct value_table *table)
{
    size_t count = table->value_slot_count ? table->value_slot_count * 2 : FIRST_SLOTS;
    uint32_t *slots = arena_array(table->arena, count, sizeof *slots);
    if (!slots)
        return false;
    for (size_t i = 0; i < table->value_count; i++) {
        size_t at = hash_value(&table->values[i]) & (count - 1);
        while (slots[at])
            at = (at + 1) & (count - 1);
        slots[at] = (uint32_t)i + 1;
    }
    table->value_slots = slots;
    table->value_slot_count = count;
    return true;
}

/* The number of the atom; 0, which is "unknown, computed", when memory ran out. */
static uint32_t atom_number(struct value_table *table, const struct atom *atom)
{
    size_t at = hash_atom(atom) & (table->atom_slot_count - 1);
    for (; table->atom_slots[at]; at = (at + 1) & (table->atom_slot_count - 1))
        if (atom_is_equal(&table->atoms[table->atom_slots[at] - 1], atom))
            return table->atom_slots[at] - 1;
    struct atom *atoms = arena_grow(table->arena, table->atoms, table->atom_count, &table->atom_capacity,
                                    table->atom_count + 1, sizeof *atoms);
    if (!atoms)
        return 0;
    table->atoms = atoms;
    atoms[table->atom_count] = *atom;
    atoms[table->atom_count].alone = 0;
    table->atom_slots[at] = (uint32_t)table->atom_count + 1;
    uint32_t number = (uint32_t)table->atom_count++;
    if (table->atom_count * 2 > table->atom_slot_count && !grow_atom_slots(table))
        return 0;
    return number;
}

value_number value_number_of(struct value_table *table, const struct value *value)
{
    size_t at = hash_value(value) & (table->value_slot_count - 1);
    for (; table->value_slots[at]; at = (at + 1) & (table->value_slot_count - 1))
        if (value_is_equal(&table->values[table->value_slots[at] - 1], value))
            return table->value_slots[at] - 1;
    struct value *values = arena_grow(table->arena, table->values, table->value_count, &table->value_capacity,
                                      table->value_count + 1, sizeof *values);
    if (!values)
        return 0;
    table->values = values;
    values[table->value_count] = *value;
    table->value_slots[at] = (uint32_t)table->value_count + 1;
    value_number number = (value_number)table->value_count++;
    if (table->value_count * 2 > table->value_slot_count && !grow_value_slots(table))
        return 0;
    return number;
}

/* What the masks leave, in one form: no origin without a bit of it, no bit twice. */
struct atom atom_simplified(struct atom atom)
{
    atom.and_mask &= ~atom.or_mask;
    if (atom.kind == ATOM_CONSTANT || atom.and_mask == 0)
        return (struct atom){.kind = ATOM_CONSTANT, .or_mask = atom.or_mask};
    return atom;
}

/* Adds an atom to a set that is being made. False when it is full. */
static bool add_number(struct value *value, uint32_t number)
{
    uint32_t at = 0;
    while (at < value->atom_count && value->atoms[at] < number)
        at++;
    if (at < value->atom_count && value->atoms[at] == number)
        return true;
    if (value->atom_count == VALUE_MOST_ATOMS)
        return false;
    for (uint32_t i = value->atom_count; i > at; i--)
        value->atoms[i] = value->atoms[i - 1];
    value->atoms[at] = number;
    value->atom_count++;
    return true;
}

bool value_add_atom(struct value_table *table, struct value *value, const struct atom *atom)
{
    return add_number(value, atom_number(table, atom));
}

value_number value_alone(struct value_table *table, struct atom atom)
{
    atom = atom_simplified(atom);
    uint32_t number = atom_number(table, &atom);
    if (table->atoms[number].alone == 0) {
        struct value value = {.atom_count = 1, .atoms = {number}};
        table->atoms[number].alone = value_number_of(table, &value) + 1;
    }
    return table->atoms[number].alone - 1;
}

bool value_table_init(struct value_table *table, struct arena *arena)
{
    *table = (struct value_table){.arena = arena};
    table->joins = arena_array(arena, VALUE_JOINS_KEPT, sizeof *table->joins);
    if (!table->joins || !grow_atom_slots(table) || !grow_value_slots(table))
        return false;
    return value_unknown(table, UNKNOWN_COMPUTED) == 0 && !arena->exhausted;
}

value_number value_unknown(struct value_table *table, enum unknown_reason reason)
{
    if (table->unknowns[reason] == 0)
        table->unknowns[reason] = value_of_atom(table, ATOM_UNKNOWN, reason, 0) + 1;
    return table->unknowns[reason] - 1;
}

value_number value_entry_register(struct value_table *table, uint32_t number)
{
    value_number *kept = &table->entry_registers[number % VALUE_ENTRY_REGISTERS];
    if (*kept == 0)
        *kept = value_of_atom(table, ATOM_ENTRY_REGISTER, number, 0) + 1;
    return *kept - 1;
}

value_number value_constant(struct value_table *table, uint64_t number)
{
    return value_alone(table, (struct atom){.kind = ATOM_CONSTANT, .or_mask = number});
}

value_number value_of_atom(struct value_table *table, enum atom_kind kind, uint32_t id, int64_t number)
{
    return value_alone(
        table, (struct atom){.kind = (uint8_t)kind, .id = id, .number = number, .and_mask = UINT64_MAX});
}

static bool is_whole_unknown(const struct atom *atom)
{
    return atom->kind == ATOM_UNKNOWN && atom->and_mask == UINT64_MAX;
}

bool value_has_unknown(const struct value_table *table, value_number value)
{
    for (uint32_t i = 0; i < table->values[value].atom_count; i++)
        if (is_whole_unknown(value_atom(table, value, i)))
            return true;
    return false;
}

bool value_may_be_function(const struct value_table *table, value_number value)
{
    for (uint32_t i = 0; i < table->values[value].atom_count; i++) {
        uint8_t kind = value_atom(table, value, i)->kind;
        if (kind == ATOM_GLOBAL || kind == ATOM_FIELD || kind == ATOM_RESULT || kind == ATOM_ENTRY_REGISTER ||
            kind == ATOM_ENTRY_STACK)
            return true;
    }
    return false;
}

/* One reason not to know is enough. */
static value_number join(struct value_table *table, value_number a, value_number b)
{
    bool has_unknown = value_has_unknown(table, a);
    struct value joined = table->values[a];
    for (uint32_t i = 0; i < table->values[b].atom_count; i++)
        if (!(has_unknown && is_whole_unknown(value_atom(table, b, i))) &&
            !add_number(&joined, table->values[b].atoms[i]))
            return value_unknown(table, UNKNOWN_MANY);
    return value_number_of(table, &joined);
}

value_number value_join(struct value_table *table, value_number a, value_number b)
{
    if (a == b)
        return a;
    struct value_join_kept *kept =
        &table->joins[(a * UINT32_C(2654435761) ^ b * UINT32_C(40503)) % VALUE_JOINS_KEPT];
    if (kept->a != a || kept->b != b)
        *kept = (struct value_join_kept){a, b, join(table, a, b)};
    return kept->joined;
}

value_number value_mask(struct value_table *table, value_number value, uint64_t and_mask, uint64_t or_mask)
{
    struct value masked = {.atom_count = 0};
    if (table->values[value].atom_count == 1) {
        struct atom atom = *value_atom(table, value, 0);
        atom.and_mask &= and_mask;
        atom.or_mask = (atom.or_mask & and_mask) | or_mask;
        return value_alone(table, atom);
    }
    for (uint32_t i = 0; i < table->values[value].atom_count; i++) {
        struct atom atom = *value_atom(table, value, i);
        atom.and_mask &= and_mask;
        atom.or_mask = (atom.or_mask & and_mask) | or_mask;
        atom = atom_simplified(atom);
        (void)value_add_atom(table, &masked, &atom); /* no more than there were */
    }
    return value_number_of(table, &masked);
}

bool value_is_constant(const struct value_table *table, value_number value, uint64_t *number)
{
    const struct atom *atom = value_atom(table, value, 0);
    if (table->values[value].atom_count != 1 || atom->kind != ATOM_CONSTANT)
        return false;
    *number = atom->or_mask;
    return true;
}

const struct atom *value_single(const struct value_table *table, value_number value, enum atom_kind kind)
{
    const struct atom *atom = value_atom(table, value, 0);
    bool is_it = table->values[value].atom_count == 1 && atom->kind == kind && atom->or_mask == 0 &&
                 atom->and_mask == UINT64_MAX;
    return is_it ? atom : NULL;
}
