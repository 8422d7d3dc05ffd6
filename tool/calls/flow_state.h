/* flow_state.h - registers and stack slots at one point of a function.
 * Takes: values.  Gives: reading, writing, joining.  Must not: know instructions. */
#ifndef HVCIFIX_CALLS_FLOW_STATE_H
#define HVCIFIX_CALLS_FLOW_STATE_H

#include "calls/operation.h"
#include "calls/value.h"

#include <stddef.h>
#include <string.h>

enum { STATE_MOST_SLOTS = 48 };

struct stack_slot {
    uint32_t base; /* as in ATOM_STACK_ADDRESS */
    int32_t offset;
    uint32_t nbytes;
    value_number value;
};

struct flow_state {
    bool is_reached;
    bool slots_lost;         /* more than fit: nothing that is not listed is known */
    bool others_handed_out;  /* the address of a slot of a base but 0 was handed out */
    int32_t handed_out_from; /* the lowest slot of base 0 whose address was; INT32_MAX: none */
    int32_t changed_from;    /* from here on unlisted slots may have been changed; INT32_MAX: none */
    uint32_t slot_count;
    value_number registers[MACHINE_REGISTERS];
    struct stack_slot slots[STATE_MOST_SLOTS];
};

/* What lies behind the last slot is not copied. */
static inline void state_copy(struct flow_state *to, const struct flow_state *from)
{
    memcpy(to, from, offsetof(struct flow_state, slots) + from->slot_count * sizeof from->slots[0]);
}

/* The state in which a function begins; is_known false: nothing but that there is a stack of base `base`. */
void state_begin(struct flow_state *state, struct value_table *values, bool is_known, uint32_t base);

/* Where the stack pointer is. It is always a single address: an unknown one becomes a base of its own. */
void state_stack_pointer(const struct flow_state *state, const struct value_table *values, uint32_t *base,
                         int32_t *offset);

/* A slot; what nobody has written is what the caller left there (base 0, at or above 0), or unknown. */
value_number state_load(const struct flow_state *state, struct value_table *values, uint32_t base,
                        int32_t offset, unsigned nbytes);
void state_store(struct flow_state *state, uint32_t base, int32_t offset, unsigned nbytes,
                 value_number value);

/* The same for a word that is handed to a call: it may have been written in its lower part only, when the
 * argument is that short. */
value_number state_load_argument(const struct flow_state *state, struct value_table *values, uint32_t base,
                                 int32_t offset, unsigned nbytes);

/* From now on others may write the slot and what lies above it. */
void state_hand_out(struct flow_state *state, uint32_t base, int32_t offset);

/* Somebody may have written all that was handed out. */
void state_others_wrote(struct flow_state *state, struct value_table *values);

/* A store of this many bytes whose value is not followed. */
void state_wrote_range(struct flow_state *state, struct value_table *values, uint32_t base, int32_t offset,
                       int64_t nbytes);

/* A store somewhere at or above this slot. */
void state_wrote_above(struct flow_state *state, struct value_table *values, uint32_t base, int32_t offset);

/* Forgets slots below the offset: the stack pointer has risen above them. */
void state_drop_below(struct flow_state *state, uint32_t base, int32_t offset);

/* Joins `more` into `state`; true when that changed it. New depths of the stack become base `base`. With
 * `widen` values that would change become unknown. */
bool state_join(struct flow_state *state, const struct flow_state *more, struct value_table *values,
                uint32_t base, bool widen);

#endif
