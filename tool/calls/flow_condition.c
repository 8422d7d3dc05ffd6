/* flow_condition.c - what a branch tells about a register on the way where two numbers were equal.
 * Takes: the operations of a block and the state at its end.  Gives: the state with that register known.
 * Must not: guess at other conditions. */
#include "calls/flow_step.h"

/* Does the operation leave the flags alone? */
static bool keeps_flags(const struct operation *operation)
{
    if (operation->keeps_zero_flag)
        return true;
    switch (operation->kind) {
    case DOES_MOVE:
    case DOES_MOVE_SIGNED:
    case DOES_MOVE_MAYBE:
    case DOES_ADDRESS:
    case DOES_PUSH:
    case DOES_POP:
    case DOES_NOTHING:
        return true;
    default:
        return false;
    }
}

/* The register of which `operation` says that it is `*number` when the flag for zero is set. */
static bool says_equal(const struct flow_step *step, const struct operation *operation,
                       const struct flow_state *state, const struct operand **operand, uint64_t *number)
{
    const struct operand *first = &operation->operands[0], *second = &operation->operands[1];
    if (operation->operand_count < 1 || first->kind != OPERAND_REGISTER || first->reg >= MACHINE_REGISTERS ||
        first->is_high_byte)
        return false;
    *operand = first;
    *number = 0;
    if (operation->kind == DOES_COMPARE && operation->operand_count >= 2) {
        if (second->kind == OPERAND_CONSTANT) {
            *number = (uint64_t)second->number & width_mask(first->nbytes);
            return true;
        }
        return second->kind == OPERAND_REGISTER && second->reg < MACHINE_REGISTERS && !second->is_high_byte &&
               second->nbytes == first->nbytes &&
               value_is_constant(step->flow->values, state->registers[second->reg], number);
    }
    if (operation->kind == DOES_TEST)
        return operation->operand_count >= 2 && second->kind == OPERAND_REGISTER &&
               second->reg == first->reg && !second->is_high_byte;
    return operation->kind == DOES_COMPUTE && operation->compute != VALUE_SHIFT_LEFT &&
           operation->compute != VALUE_SHIFT_RIGHT && operation->compute != VALUE_MULTIPLY;
}

/* The register that a comparison names second, as its bit: its number is read at the end of the block. */
static uint16_t compared_with(const struct operation *operation)
{
    const struct operand *second = &operation->operands[1];
    bool is_register =
        operation->operand_count >= 2 && second->kind == OPERAND_REGISTER && second->reg < MACHINE_REGISTERS;
    return (uint16_t)(is_register ? 1u << second->reg : 0u);
}

void flow_note_equal(const struct flow_step *step, const struct operation *block, size_t count,
                     struct flow_state *state)
{
    uint16_t written = 0;
    const struct operand *operand;
    uint64_t number;
    for (size_t i = count; i-- > 0; written |= block[i].written) {
        if (keeps_flags(&block[i]))
            continue;
        if (!says_equal(step, &block[i], state, &operand, &number) || (written & (1u << operand->reg)) ||
            (written & compared_with(&block[i])) || operand->reg == REGISTER_SP)
            return;
        uint64_t mask = width_mask(operand->nbytes);
        value_number *reg = &state->registers[operand->reg];
        *reg = value_mask(step->flow->values, *reg, ~mask, number & mask);
        return;
    }
}
