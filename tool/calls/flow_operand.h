/* flow_operand.h - reading and writing what an operation names: registers, stack slots, variables.
 * Takes: a state.  Gives: values, or the state after a store.  Must not: know what operations do. */
#ifndef HVCIFIX_CALLS_FLOW_OPERAND_H
#define HVCIFIX_CALLS_FLOW_OPERAND_H

#include "calls/flow_step.h"

/* Where a memory operand lies. */
struct place {
    enum { PLACE_UNKNOWN, PLACE_STACK, PLACE_STACK_ABOVE /* with an index */, PLACE_IMAGE, PLACE_FIELD } kind;
    uint32_t base;  /* stack base; PLACE_FIELD: RVA of the pointer */
    int64_t offset; /* PLACE_IMAGE: the RVA */
};

unsigned flow_pointer_nbytes(const struct flow_step *step);

value_number flow_register(const struct flow_state *state, uint8_t reg);

struct place flow_find_place(const struct flow_step *step, const struct operand *operand,
                             const struct flow_state *state);

/* A constant has as many bytes as the operation works on. */
value_number flow_read(const struct flow_step *step, const struct operand *operand,
                       const struct flow_state *state, unsigned nbytes);

/* Both: false when memory ran out. */
bool flow_write(struct flow_step *step, const struct operation *operation, const struct operand *operand,
                struct flow_state *state, value_number value);
bool flow_write_memory(struct flow_step *step, const struct operation *operation,
                       const struct operand *operand, struct flow_state *state, value_number value);

/* An address of the stack that goes where others can find it. */
void flow_hand_out(const struct flow_step *step, struct flow_state *state, value_number value);

/* The same for the addresses in the registers that an operand names. */
void flow_hand_out_pointers(const struct flow_step *step, const struct operand *operand,
                            struct flow_state *state);

/* The stack pointer goes up by nbytes (down when negative). */
void flow_move_stack(const struct flow_step *step, struct flow_state *state, int64_t nbytes);

/* A stack pointer that no arithmetic explains begins a stack of its own. */
void flow_keep_stack(const struct flow_step *step, const struct operation *operation,
                     struct flow_state *state);

void flow_push(struct flow_step *step, struct flow_state *state, value_number value);
value_number flow_pop(struct flow_step *step, struct flow_state *state);

#endif
