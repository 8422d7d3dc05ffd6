/* value.h - what a register or a stack slot may hold: a small set of atoms.
 * Takes: nothing of images.  Gives: numbered values, equal numbers for equal sets.  Must not: know
 * instructions or what a value is good for.
 * An atom is an origin with two masks: (origin & and_mask) | or_mask. A constant has no origin: and_mask is
 * 0. */
#ifndef HVCIFIX_CALLS_VALUE_H
#define HVCIFIX_CALLS_VALUE_H

#include "base/arena.h"

enum atom_kind {
    ATOM_UNKNOWN,        /* id: enum unknown_reason */
    ATOM_CONSTANT,       /* or_mask is the number */
    ATOM_ENTRY_REGISTER, /* what register `id` held when the function began */
    ATOM_ENTRY_STACK,    /* what the caller put at `number` bytes above the stack pointer at entry */
    ATOM_STACK_ADDRESS,  /* stack base `id` + number bytes; base 0: the stack pointer at entry */
    ATOM_ADDRESS,        /* the address of RVA `number` */
    ATOM_GLOBAL,         /* the `id` bytes that are stored at RVA `number` */
    ATOM_FIELD,          /* what lies `number` bytes into what the pointer stored at RVA `id` leads to */
    ATOM_INSIDE,         /* ATOM_RESULT `number` plus something: within the memory that the call gave */
    ATOM_RESULT,         /* what the call at RVA `number` returns */
    ATOM_EITHER_BIT, /* what the variables of two ATOM_GLOBAL hold, joined by OR: atoms `id` and `number` */
    ATOM_CONTROL     /* what control register `id` held */
};

/* Why a value is not known. */
enum unknown_reason {
    UNKNOWN_COMPUTED,  /* by an instruction that is not followed */
    UNKNOWN_MEMORY,    /* read through a pointer */
    UNKNOWN_CLOBBERED, /* a register or slot that a call may have changed */
    UNKNOWN_MANY,      /* more values than are kept */
    UNKNOWN_STACK,     /* the depth of the stack is not known */
    UNKNOWN_UNREACHED, /* no way from the function's beginning to here was found */
    UNKNOWN_RESULT,    /* what a call returns */
    UNKNOWN_LIMIT,     /* the function is too large */
    UNKNOWN_CONTROL,   /* what a control register held */
    UNKNOWN_WHOLE,     /* part of a variable whose beginning is handed on, or that an index selects from */
    UNKNOWN_REASON_COUNT
};

struct atom {
    uint8_t kind; /* enum atom_kind */
    uint32_t id;
    int64_t number;
    uint64_t and_mask, or_mask;
    uint32_t alone; /* the number + 1 of the value that this atom alone is; 0: not asked for yet */
};

enum { VALUE_MOST_ATOMS = 6 };

/* The number of a value; 0 is "unknown, computed". */
typedef uint32_t value_number;

struct value {
    uint32_t atom_count;              /* at least 1 */
    uint32_t atoms[VALUE_MOST_ATOMS]; /* numbers of atoms, ascending */
};

/* What was joined lately. */
enum { VALUE_JOINS_KEPT = 512 };
struct value_join_kept {
    value_number a, b, joined;
};

enum { VALUE_ENTRY_REGISTERS = 16 };

struct value_table {
    struct arena *arena; /* borrowed */
    struct atom *atoms;
    size_t atom_count, atom_capacity;
    struct value *values;
    size_t value_count, value_capacity;
    uint32_t *atom_slots, *value_slots; /* hash tables of numbers + 1, a power of two in size */
    size_t atom_slot_count, value_slot_count;
    struct value_join_kept *joins;                       /* VALUE_JOINS_KEPT of them */
    value_number unknowns[UNKNOWN_REASON_COUNT];         /* + 1; 0: not asked for yet */
    value_number entry_registers[VALUE_ENTRY_REGISTERS]; /* the same */
};

/* False when memory ran out. All functions below give value 0 then, with arena->exhausted set. */
bool value_table_init(struct value_table *table, struct arena *arena);

value_number value_unknown(struct value_table *table, enum unknown_reason reason);
value_number value_entry_register(struct value_table *table, uint32_t number);
value_number value_constant(struct value_table *table, uint64_t number);
value_number value_of_atom(struct value_table *table, enum atom_kind kind, uint32_t id, int64_t number);

/* What is in one or in the other; "unknown, many" when that is too much. */
value_number value_join(struct value_table *table, value_number a, value_number b);

/* Can it be anything? */
bool value_has_unknown(const struct value_table *table, value_number value);

/* Is it, or may it be, the address of a function that comes from elsewhere: a variable, a field, a caller, a
 * call? */
bool value_may_be_function(const struct value_table *table, value_number value);

/* Copies the atoms, in an order that depends on nothing but what they are: constants by number, others by
 * origin, unknown ones last. Their count, 1 to VALUE_MOST_ATOMS. value_order.c */
uint32_t value_in_order(const struct value_table *table, value_number value, struct atom *atoms);

/* Each atom masked: (v & and_mask) | or_mask. */
value_number value_mask(struct value_table *table, value_number value, uint64_t and_mask, uint64_t or_mask);

/* The constant that a value of one atom is. */
bool value_is_constant(const struct value_table *table, value_number value, uint64_t *number);

/* The only atom of a value when it is of this kind and whole (no masks); else NULL. */
const struct atom *value_single(const struct value_table *table, value_number value, enum atom_kind kind);

/* Binary operations; `nbytes` is the width of the result (1, 2, 4, 8). */
enum value_operation {
    VALUE_ADD,
    VALUE_SUB,
    VALUE_AND,
    VALUE_OR,
    VALUE_XOR,
    VALUE_SHIFT_LEFT,
    VALUE_SHIFT_RIGHT,
    VALUE_MULTIPLY
};
value_number value_compute(struct value_table *table, enum value_operation operation, value_number a,
                           value_number b, unsigned nbytes);

/* The low `from_nbytes` bytes, with the sign spread over to_nbytes; other bits are 0. */
value_number value_sign_extend(struct value_table *table, value_number value, unsigned from_nbytes,
                               unsigned to_nbytes);

static inline uint64_t width_mask(unsigned nbytes)
{
    return nbytes >= 8 ? UINT64_MAX : (UINT64_C(1) << (nbytes * 8)) - 1;
}

static inline const struct atom *value_atom(const struct value_table *table, value_number value, unsigned i)
{
    return &table->atoms[table->values[value].atoms[i]];
}

#endif
