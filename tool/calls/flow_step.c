/* flow_step.c - see flow_step.h. */
#include "calls/flow_operand.h"

enum { STRING_MOST_TIMES = 1 << 20 };

/* A string instruction writes upwards from where its register leads, once or as often as the count says. */
static void write_string(const struct flow_step *step, const struct operation *operation,
                         struct flow_state *state)
{
    struct value_table *values = step->flow->values;
    uint64_t times = 1;
    if (operation->string_reg == NO_MACHINE_REGISTER)
        return;
    value_number begin = flow_register(state, operation->string_reg);
    const struct atom *slot = value_single(values, begin, ATOM_STACK_ADDRESS);
    bool is_counted =
        !operation->is_repeated || value_is_constant(values, state->registers[REGISTER_CX], &times);
    if (!slot)
        flow_hand_out(step, state, begin);
    else if (is_counted && times < STRING_MOST_TIMES)
        state_wrote_range(state, values, slot->id, (int32_t)slot->number,
                          (int64_t)times * operation->string_nbytes);
    else
        state_wrote_above(state, values, slot->id, (int32_t)slot->number);
}

/* What the flow does not follow: all that the operation writes is unknown. */
static bool forget_written(struct flow_step *step, const struct operation *operation,
                           struct flow_state *state)
{
    value_number unknown = value_unknown(step->flow->values, UNKNOWN_COMPUTED);
    if (operation->writes_memory) {
        write_string(step, operation, state);
        state_others_wrote(state, step->flow->values);
    }
    for (unsigned i = 0; i < MACHINE_REGISTERS; i++)
        if (operation->written & (1u << i))
            state->registers[i] = unknown;
    for (unsigned i = 0; i < operation->operand_count; i++) {
        const struct operand *operand = &operation->operands[i];
        if (operand->kind == OPERAND_REGISTER && operand->reg != REGISTER_SP)
            flow_hand_out_pointers(step, operand, state); /* it may go into a register that is not followed */
        if (operand->kind == OPERAND_MEMORY && operand->is_written &&
            !flow_write_memory(step, operation, operand, state, unknown))
            return false;
    }
    return true;
}

static bool is_same_register(const struct operation *operation)
{
    const struct operand *a = &operation->operands[0], *b = &operation->operands[1];
    return operation->operand_count >= 2 && a->kind == OPERAND_REGISTER && b->kind == OPERAND_REGISTER &&
           a->reg == b->reg && a->reg != NO_MACHINE_REGISTER && !a->is_high_byte && !b->is_high_byte;
}

static value_number address_value(const struct flow_step *step, const struct operand *operand,
                                  const struct flow_state *state)
{
    struct value_table *values = step->flow->values;
    struct place place = flow_find_place(step, operand, state);
    if (place.kind == PLACE_IMAGE)
        return value_of_atom(values, ATOM_ADDRESS, 0, place.offset);
    if (place.kind == PLACE_STACK)
        return value_of_atom(values, ATOM_STACK_ADDRESS, place.base, place.offset);
    unsigned nbytes = flow_pointer_nbytes(step);
    value_number sum = value_constant(values, (uint64_t)operand->number & width_mask(nbytes));
    if (operand->base != NO_MACHINE_REGISTER)
        sum = value_compute(values, VALUE_ADD, flow_register(state, operand->base), sum, nbytes);
    if (operand->index != NO_MACHINE_REGISTER)
        sum = value_compute(values, VALUE_ADD, sum,
                            value_compute(values, VALUE_MULTIPLY, flow_register(state, operand->index),
                                          value_constant(values, operand->scale), nbytes),
                            nbytes);
    return sum;
}

/* `or ah, 2` is `or eax, 0x200`. */
static bool compute_high_byte(const struct flow_step *step, const struct operation *operation,
                              struct flow_state *state)
{
    const struct operand *into = &operation->operands[0], *with = &operation->operands[1];
    if (into->kind != OPERAND_REGISTER || !into->is_high_byte || with->kind != OPERAND_CONSTANT)
        return false;
    uint64_t bits = ((uint64_t)with->number & 0xFF) << 8;
    value_number *reg = &state->registers[into->reg];
    if (operation->compute == VALUE_AND)
        *reg = value_mask(step->flow->values, *reg, ~UINT64_C(0xFF00) | bits, 0);
    else if (operation->compute == VALUE_OR)
        *reg = value_mask(step->flow->values, *reg, UINT64_MAX, bits);
    else
        return false;
    return true;
}

/* An address of the stack from which something is computed that is not followed may lead to any slot there.
 */
static void hand_out_lost(const struct flow_step *step, const struct operation *operation,
                          struct flow_state *state, value_number value)
{
    const struct operand *into = &operation->operands[0];
    if (!value_has_unknown(step->flow->values, value) ||
        (into->kind == OPERAND_REGISTER && into->reg == REGISTER_SP))
        return;
    for (unsigned i = operation->kind == DOES_ADDRESS; i < operation->operand_count; i++)
        if (operation->kind == DOES_ADDRESS || operation->operands[i].kind == OPERAND_REGISTER)
            flow_hand_out_pointers(step, &operation->operands[i], state);
}

static bool compute(struct flow_step *step, const struct operation *operation, struct flow_state *state)
{
    struct value_table *values = step->flow->values;
    const struct operand *into = &operation->operands[0];
    value_number value;
    if (operation->operand_count < 2)
        return forget_written(step, operation, state);
    if (compute_high_byte(step, operation, state))
        return true;
    bool clears = operation->compute == VALUE_XOR || operation->compute == VALUE_SUB;
    if (clears && is_same_register(operation))
        value = value_constant(values, 0);
    else
        value = value_compute(values, (enum value_operation)operation->compute,
                              flow_read(step, into, state, into->nbytes),
                              flow_read(step, &operation->operands[1], state, into->nbytes), into->nbytes);
    if (into->kind == OPERAND_REGISTER && into->reg == REGISTER_SP) {
        uint32_t base;
        int32_t offset;
        state->registers[REGISTER_SP] = value;
        flow_keep_stack(step, operation, state);
        state_stack_pointer(state, values, &base, &offset);
        if (operation->compute == VALUE_ADD)
            state_drop_below(state, base, offset);
        return true;
    }
    hand_out_lost(step, operation, state, value);
    return flow_write(step, operation, into, state, value);
}

/* sbb of a register with itself spreads the carry: 0 or -1. setcc: 0 or 1. */
static value_number two_numbers(struct value_table *values, uint64_t other)
{
    return value_join(values, value_constant(values, 0), value_constant(values, other));
}

static bool leave(struct flow_step *step, const struct operation *operation, struct flow_state *state)
{
    state->registers[REGISTER_SP] = state->registers[REGISTER_BP];
    flow_keep_stack(step, operation, state);
    state->registers[REGISTER_BP] = flow_pop(step, state);
    return true;
}

/* The value goes into the first operand, which may be the stack pointer. */
static bool write_first(struct flow_step *step, const struct operation *operation, struct flow_state *state,
                        value_number value)
{
    if (!flow_write(step, operation, &operation->operands[0], state, value))
        return false;
    flow_keep_stack(step, operation, state);
    return true;
}

static bool set_flag(struct flow_step *step, const struct operation *operation, struct flow_state *state)
{
    struct value_table *values = step->flow->values;
    const struct operand *into = &operation->operands[0];
    value_number value = two_numbers(values, 1);
    if (into->kind != OPERAND_REGISTER || into->reg >= MACHINE_REGISTERS || into->is_high_byte)
        return write_first(step, operation, state, value);
    /* Both cases keep the rest of the register. */
    value_number *reg = &state->registers[into->reg];
    *reg = value_join(values, value_mask(values, *reg, ~UINT64_C(0xFF), 0),
                      value_mask(values, *reg, ~UINT64_C(0xFF), 1));
    return true;
}

static bool exchange(struct flow_step *step, const struct operation *operation, struct flow_state *state)
{
    const struct operand *first = &operation->operands[0], *second = &operation->operands[1];
    value_number of_second = flow_read(step, second, state, first->nbytes);
    value_number of_first = flow_read(step, first, state, first->nbytes);
    return flow_write(step, operation, second, state, of_first) &&
           write_first(step, operation, state, of_second);
}

/* What a move, or a computation with one operand, leaves in its first operand. */
static value_number result_of(struct flow_step *step, const struct operation *operation,
                              struct flow_state *state)
{
    struct value_table *values = step->flow->values;
    const struct operand *first = &operation->operands[0], *second = &operation->operands[1];
    unsigned nbytes = first->nbytes;
    value_number value;
    switch ((enum operation_kind)operation->kind) {
    case DOES_MOVE_SIGNED:
        return value_sign_extend(values, flow_read(step, second, state, second->nbytes), second->nbytes,
                                 nbytes);
    case DOES_MOVE_MAYBE:
        value =
            value_join(values, flow_read(step, first, state, nbytes), flow_read(step, second, state, nbytes));
        hand_out_lost(step, operation, state, value);
        return value;
    case DOES_ADDRESS:
        value = address_value(step, second, state);
        hand_out_lost(step, operation, state, value);
        return value;
    case DOES_INCREMENT:
    case DOES_DECREMENT:
        return value_compute(values, operation->kind == DOES_INCREMENT ? VALUE_ADD : VALUE_SUB,
                             flow_read(step, first, state, nbytes), value_constant(values, 1), nbytes);
    case DOES_NEGATE:
        return value_compute(values, VALUE_SUB, value_constant(values, 0),
                             flow_read(step, first, state, nbytes), nbytes);
    case DOES_COMPLEMENT:
        return value_compute(values, VALUE_XOR, flow_read(step, first, state, nbytes),
                             value_constant(values, width_mask(nbytes)), nbytes);
    default: /* DOES_MOVE */
        return flow_read(step, second, state, nbytes);
    }
}

bool flow_step(struct flow_step *step, const struct operation *operation, struct flow_state *state)
{
    const struct operand *first = &operation->operands[0];
    switch ((enum operation_kind)operation->kind) {
    case DOES_MOVE:
    case DOES_MOVE_SIGNED:
    case DOES_MOVE_MAYBE:
    case DOES_ADDRESS:
    case DOES_INCREMENT:
    case DOES_DECREMENT:
    case DOES_NEGATE:
    case DOES_COMPLEMENT:
        return write_first(step, operation, state, result_of(step, operation, state));
    case DOES_COMPUTE:
        return compute(step, operation, state);
    case DOES_SUBTRACT_BORROW:
        if (!is_same_register(operation))
            return forget_written(step, operation, state);
        return write_first(step, operation, state,
                           two_numbers(step->flow->values, width_mask(first->nbytes)));
    case DOES_SET_FLAG:
        return set_flag(step, operation, state);
    case DOES_EXCHANGE:
        return exchange(step, operation, state);
    case DOES_PUSH:
        flow_push(step, state, flow_read(step, first, state, flow_pointer_nbytes(step)));
        return true;
    case DOES_POP:
        return write_first(step, operation, state, flow_pop(step, state));
    case DOES_LEAVE:
        return leave(step, operation, state);
    case DOES_CALL:
        return flow_call(step, operation, state);
    case DOES_OTHER:
        if (!forget_written(step, operation, state))
            return false;
        flow_keep_stack(step, operation, state);
        return true;
    case DOES_JUMP:
    case DOES_BRANCH:
    case DOES_RETURN:
    case DOES_STOP:
    case DOES_COMPARE:
    case DOES_TEST:
    case DOES_NOTHING:
        return true;
    }
    return true;
}
