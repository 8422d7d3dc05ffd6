/* flow_stack.c - the stack pointer, pushing and popping: the last part of flow_operand.h. */
#include "calls/flow_operand.h"

void flow_move_stack(const struct flow_step *step, struct flow_state *state, int64_t nbytes)
{
    struct value_table *values = step->flow->values;
    uint32_t base;
    int32_t offset;
    state_stack_pointer(state, values, &base, &offset);
    if (base == UINT32_MAX)
        return;
    state->registers[REGISTER_SP] = value_of_atom(values, ATOM_STACK_ADDRESS, base, offset + nbytes);
    if (nbytes > 0)
        state_drop_below(state, base, offset + (int32_t)nbytes);
}

/* A stack pointer that no arithmetic explains begins a stack of its own. */
void flow_keep_stack(const struct flow_step *step, const struct operation *operation,
                     struct flow_state *state)
{
    uint32_t base;
    int32_t offset;
    state_stack_pointer(state, step->flow->values, &base, &offset);
    if (base == UINT32_MAX)
        state->registers[REGISTER_SP] =
            value_of_atom(step->flow->values, ATOM_STACK_ADDRESS, operation->rva | 1u << 31, 0);
}

void flow_push(struct flow_step *step, struct flow_state *state, value_number value)
{
    uint32_t base;
    int32_t offset;
    flow_move_stack(step, state, -(int64_t)flow_pointer_nbytes(step));
    state_stack_pointer(state, step->flow->values, &base, &offset);
    flow_hand_out(step, state, value);
    state_store(state, base, offset, flow_pointer_nbytes(step), value);
}

value_number flow_pop(struct flow_step *step, struct flow_state *state)
{
    uint32_t base;
    int32_t offset;
    state_stack_pointer(state, step->flow->values, &base, &offset);
    value_number value = state_load(state, step->flow->values, base, offset, flow_pointer_nbytes(step));
    flow_move_stack(step, state, flow_pointer_nbytes(step));
    return value;
}
