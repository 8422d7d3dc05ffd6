/* flow_step.h - what one operation does to the state.
 * Takes: the state before.  Gives: the state after, and on request records of calls and stores.
 * Must not: choose the order in which operations are looked at. */
#ifndef HVCIFIX_CALLS_FLOW_STEP_H
#define HVCIFIX_CALLS_FLOW_STEP_H

#include "calls/flow.h"
#include "calls/flow_state.h"

struct flow_step {
    struct flow *flow;
    uint32_t function_rva, end_rva; /* the end: behind the last of its operations */
    bool records;                   /* write down what is called and stored */
    bool is_thunk;                  /* for flow_tail_call() */
};

/* False when memory ran out. */
bool flow_step(struct flow_step *step, const struct operation *operation, struct flow_state *state);

/* A call that comes back. False when memory ran out. */
bool flow_call(struct flow_step *step, const struct operation *operation, struct flow_state *state);

/* The call that a jump into another function is; target_rva 0: through the operation's operand. */
bool flow_tail_call(struct flow_step *step, const struct operation *operation, uint32_t target_rva,
                    struct flow_state *state);

/* Can the jump through the operation's operand lead to a function, as far as the operand's value tells? (A
 * switch jumps to an address that was computed or read out of a table.) */
bool flow_leads_out(const struct flow_step *step, const struct operation *operation,
                    const struct flow_state *state);

/* What a conditional branch at the end of a block says of a register where it was compared with a number and
 * found equal: the state on that way. `block` are the operations up to the branch. */
void flow_note_equal(const struct flow_step *step, const struct operation *block, size_t count,
                     struct flow_state *state);

#endif
