/* address_uses_origin.c - where an address comes from: the instruction that takes or loads it.
 * Takes: that instruction.  Gives: the registers that hold the address behind it, and what was added to it.
 * Must not: follow it further. */
#include "code/address_uses_internal.h"
#include "code/index_range.h"

/* lea r, [index * scale + address] with known bounds; or an access there. */
static bool take_indexed_origin(struct follower *follower, const struct instruction *instruction)
{
    struct index_range range;
    if (follower->image->is_64 || !index_range_find(follower->image, follower->code, follower->decoder,
                                                    follower->joins, instruction->rva, &range))
        return false;
    follower->origin_low = range.low * range.scale;
    follower->origin_high = range.high * range.scale;
    if (instruction->operation != OP_LEA && range.nbytes != 0)
        follower_access(follower, 0, range.nbytes);
    return instruction->operation == OP_LEA || range.nbytes != 0;
}

/* mov register, [address]: the register. */
static uint32_t take_loaded(struct follower *follower, const struct instruction *instruction)
{
    struct register_sets use;
    struct memory_operand memory;
    bool is_plain = instruction->is_rip_relative ||
                    (instruction->base == NO_REGISTER && instruction->index == NO_REGISTER);
    if (instruction->operation != OP_MOV || !is_plain || !decode_memory(follower->decoder, &memory) ||
        memory.access != ACCESS_READ || !decode_registers(follower->decoder, &use))
        return follower_give_up(follower), 0;
    return use.writes;
}

uint32_t follower_take_origin(struct follower *follower, const struct instruction *instruction,
                              uint32_t site_rva)
{
    struct register_sets use;
    uint32_t offset = site_rva - instruction->rva;
    bool is_displacement = instruction->disp_nbytes != 0 && instruction->disp_offset == offset;
    bool is_immediate = instruction->imm_nbytes[0] != 0 && instruction->imm_offset[0] == offset;
    if (follower->is_loaded)
        return take_loaded(follower, instruction);
    if (is_displacement && instruction->operation == OP_LEA && instruction->base == NO_REGISTER &&
        instruction->index == NO_REGISTER)
        return 1U << instruction->reg;
    if (is_displacement && follower->joins && take_indexed_origin(follower, instruction))
        return instruction->operation == OP_LEA ? 1U << instruction->reg : 0;
    if (!is_immediate)
        return follower_give_up(follower), 0;
    if (instruction->operation == OP_CMP) {
        follower->uses.is_compared = true;
        return 0;
    }
    if (instruction->operation == OP_PUSH) {
        follower->is_lost = true;
        return 0;
    }
    if (instruction->operation != OP_MOV || !decode_registers(follower->decoder, &use))
        return follower_give_up(follower), 0;
    if (use.writes == 0) /* to memory */
        follower->is_lost = true;
    return use.writes;
}

/* A constant is added to that register. */
static bool adds_constant(const struct instruction *instruction, uint32_t held, int64_t *constant)
{
    bool is_add = instruction->operation == OP_ADD, is_sum = is_add || instruction->operation == OP_SUB;
    if (is_sum && instruction->is_one_byte_map && instruction->has_register_operand &&
        held == 1U << instruction->rm && (instruction->opcode == 0x81 || instruction->opcode == 0x83)) {
        int64_t value = (int32_t)(uint32_t)instruction->imm;
        *constant = is_add ? value : -value;
        return true;
    }
    if (instruction->operation == OP_LEA && instruction->base != NO_REGISTER &&
        instruction->index == NO_REGISTER && held == 1U << instruction->base &&
        instruction->reg == instruction->base && !instruction->is_rip_relative) {
        *constant = instruction->disp_nbytes != 0 ? instruction->disp : 0;
        return true;
    }
    return false;
}

uint32_t follower_add_constants(struct follower *follower, uint32_t rva, uint32_t held)
{
    enum { MOST_CONSTANTS = 4 };
    struct instruction instruction;
    int64_t constant;
    for (int i = 0; i < MOST_CONSTANTS && follower->joins && follower_decode(follower, rva, &instruction) &&
                    adds_constant(&instruction, held, &constant);
         i++) {
        follower->origin_low += constant;
        follower->origin_high += constant;
        rva = instruction_end_rva(&instruction);
    }
    return rva;
}
