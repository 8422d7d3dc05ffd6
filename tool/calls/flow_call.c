/* flow_call.c - what a call does to registers and stack, and the record of it.
 * Takes: the state at the call.  Gives: the state behind it.  Must not: look into the callee. */
#include "calls/flow_operand.h"

#include <string.h>

static bool record_call(struct flow_step *step, const struct operation *operation, uint32_t target_rva,
                        bool is_tail, const struct flow_state *state, value_number target)
{
    struct call_records *records = step->flow->records;
    if (!step->records)
        return true;
    struct call_record *calls = arena_grow(step->flow->arena, records->calls, records->call_count,
                                           &records->call_capacity, records->call_count + 1, sizeof *calls);
    if (!calls)
        return false;
    records->calls = calls;
    struct call_record *call = &calls[records->call_count++];
    *call = (struct call_record){.site_rva = operation->rva,
                                 .function_rva = step->function_rva,
                                 .target_rva = target_rva,
                                 .is_tail = is_tail,
                                 .is_indirect = target_rva == 0,
                                 .is_thunk = is_tail && step->is_thunk,
                                 .target = target};
    memcpy(call->registers, state->registers, sizeof call->registers);
    uint32_t base;
    int32_t offset;
    state_stack_pointer(state, step->flow->values, &base, &offset);
    if (is_tail) /* above our own return address */
        offset += (int32_t)flow_pointer_nbytes(step);
    for (int32_t i = 0; i < CALL_STACK_WORDS; i++)
        call->stack[i] =
            state_load_argument(state, step->flow->values, base,
                                offset + i * (int32_t)flow_pointer_nbytes(step), flow_pointer_nbytes(step));
    return true;
}

static value_number call_target(const struct flow_step *step, const struct operation *operation,
                                const struct flow_state *state)
{
    return operation->has_target ? value_of_atom(step->flow->values, ATOM_ADDRESS, 0, operation->target_rva)
                                 : flow_read(step, &operation->operands[0], state, flow_pointer_nbytes(step));
}

/* The block of a __finally is called as a function, and works in our frame: on x86 it lies inside our code
 * and shares the frame pointer, on x64 it gets it as its second argument. */
static bool shares_frame(const struct flow_step *step, const struct operation *operation,
                         const struct flow_state *state)
{
    if (!operation->has_target)
        return false;
    if (!step->flow->image->is_64)
        return operation->target_rva > step->function_rva && operation->target_rva < step->end_rva;
    return state->registers[REGISTER_DX] == state->registers[REGISTER_BP] &&
           value_single(step->flow->values, state->registers[REGISTER_DX], ATOM_STACK_ADDRESS);
}

bool flow_call(struct flow_step *step, const struct operation *operation, struct flow_state *state)
{
    struct value_table *values = step->flow->values;
    bool is_64 = step->flow->image->is_64;
    value_number target = call_target(step, operation, state);
    if (!record_call(step, operation, operation->has_target ? operation->target_rva : 0, false, state,
                     target))
        return false;
    static const uint8_t given_64[] = {REGISTER_CX, REGISTER_DX, REGISTER_8, REGISTER_9};
    static const uint8_t given_32[] = {REGISTER_AX, REGISTER_CX, REGISTER_DX};
    const uint8_t *given = is_64 ? given_64 : given_32;
    for (size_t i = 0; i < (is_64 ? sizeof given_64 : sizeof given_32); i++)
        flow_hand_out(step, state, state->registers[given[i]]);
    const struct atom *frame = value_single(values, state->registers[REGISTER_BP], ATOM_STACK_ADDRESS);
    if (frame && shares_frame(step, operation, state))
        state_hand_out(state, frame->id, INT32_MIN / 2);
    state_others_wrote(state, values);

    uint32_t base;
    int32_t offset;
    state_stack_pointer(state, values, &base, &offset);
    if (is_64) {
        state_drop_below(state, base, offset + 32); /* the callee's own four words */
    } else {
        int pops = step->flow->pops(step->flow->context, operation, target);
        if (pops == POPS_UNKNOWN)
            state->registers[REGISTER_SP] =
                value_of_atom(values, ATOM_STACK_ADDRESS, operation->rva | 1u << 31, 0);
        else
            flow_move_stack(step, state, pops);
    }
    static const uint8_t lost_64[] = {REGISTER_CX, REGISTER_DX, REGISTER_8,
                                      REGISTER_9,  REGISTER_10, REGISTER_11};
    static const uint8_t lost_32[] = {REGISTER_CX, REGISTER_DX};
    const uint8_t *lost = is_64 ? lost_64 : lost_32;
    for (size_t i = 0; i < (is_64 ? sizeof lost_64 : sizeof lost_32); i++)
        state->registers[lost[i]] = value_unknown(values, UNKNOWN_CLOBBERED);
    state->registers[REGISTER_AX] = value_of_atom(values, ATOM_RESULT, 0, operation->rva);
    return true;
}

bool flow_leads_out(const struct flow_step *step, const struct operation *operation,
                    const struct flow_state *state)
{
    return value_may_be_function(step->flow->values, call_target(step, operation, state));
}

bool flow_tail_call(struct flow_step *step, const struct operation *operation, uint32_t target_rva,
                    struct flow_state *state)
{
    value_number target = target_rva ? value_of_atom(step->flow->values, ATOM_ADDRESS, 0, target_rva)
                                     : call_target(step, operation, state);
    return record_call(step, operation, target_rva, true, state, target);
}
