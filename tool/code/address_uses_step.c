/* address_uses_step.c - what one instruction does with registers that hold an address.
 * Takes: the instruction that was decoded last, and those registers.  Gives: the accesses, and the registers
 * that hold the address behind it.  Must not: choose the way on. */
#include "code/address_uses_internal.h"
#include "code/index_range.h"

enum { RSI = 6, RDI = 7 };

/* movs, cmps, stos, lods, scas: they begin at the address and go on upward. */
static uint32_t string_registers(const struct instruction *instruction)
{
    if (!instruction->is_one_byte_map)
        return 0;
    switch (instruction->opcode) {
    case 0xA4:
    case 0xA5:
    case 0xA6:
    case 0xA7:
        return 1U << RSI | 1U << RDI;
    case 0xAC:
    case 0xAD:
        return 1U << RSI;
    case 0xAA:
    case 0xAB:
    case 0xAE:
    case 0xAF:
        return 1U << RDI;
    default:
        return 0;
    }
}

/* On the way from the origin to the instruction, and not only on another. */
static bool holds_from_origin(const struct follower *follower, const struct instruction *instruction,
                              const struct register_bounds *bounds)
{
    bool passes_origin = bounds->begin_rva <= follower->origin_rva && follower->origin_rva < instruction->rva;
    return !bounds->is_joined || passes_origin;
}

/* A memory operand of two registers, one of which holds the address. */
static bool take_indexed(struct follower *follower, const struct instruction *instruction,
                         const struct memory_operand *memory, uint32_t held)
{
    struct register_bounds bounds;
    bool is_base = memory->base != NO_REGISTER && (held >> memory->base & 1);
    bool is_index = memory->index != NO_REGISTER && (held >> memory->index & 1);
    uint8_t other = is_base ? memory->index : memory->base;
    int64_t scale = is_base ? instruction->scale : 1;
    if (!follower->joins || memory->access == ACCESS_ADDRESS || is_base == is_index ||
        (is_index && instruction->scale != 1) || other == NO_REGISTER ||
        !register_bounds_find(follower->image, follower->code, follower->decoder, follower->joins,
                              instruction->rva, other, &bounds) ||
        !holds_from_origin(follower, instruction, &bounds))
        return false;
    follower->uses.is_written |= memory->access == ACCESS_WRITE || memory->access == ACCESS_READ_WRITE;
    follower_access(follower, instruction->disp + bounds.low * scale,
                    (unsigned)((bounds.high - bounds.low) * scale) + (memory->nbytes ? memory->nbytes : 1U));
    return true;
}

/* The memory operand of the instruction, with the address in its base register. False: it is no plain access.
 */
static bool take_memory(struct follower *follower, const struct instruction *instruction, uint32_t held)
{
    struct memory_operand memory;
    if (!instruction->is_legacy || !decode_memory(follower->decoder, &memory))
        return false;
    if (memory.index != NO_REGISTER)
        return take_indexed(follower, instruction, &memory, held);
    if (memory.access == ACCESS_ADDRESS || memory.base == NO_REGISTER || !(held >> memory.base & 1))
        return false;
    follower->uses.is_written |= memory.access == ACCESS_WRITE || memory.access == ACCESS_READ_WRITE;
    follower_access(follower, instruction->disp, memory.nbytes);
    return true;
}

static bool is_test(const struct instruction *instruction)
{
    return instruction->is_one_byte_map && (instruction->opcode == 0x84 || instruction->opcode == 0x85);
}

uint32_t follower_spread(struct follower *follower, const struct instruction *instruction, uint32_t held)
{
    struct register_sets use;
    struct instruction_effects effects;
    struct memory_operand memory;
    uint32_t strings = string_registers(instruction) & held &
                       ~(instruction->opcode >= 0xAA && instruction->opcode <= 0xAB ? 1U << RDI : 0U);
    if (instruction->operation == OP_NOP)
        return held;
    if (!decode_registers(follower->decoder, &use) || !decode_effects(follower->decoder, &effects))
        return follower_give_up(follower), 0;
    bool reads = (use.addresses & held) != 0 && decode_memory(follower->decoder, &memory) &&
                 (memory.access == ACCESS_READ || memory.access == ACCESS_READ_WRITE ||
                  (follower->is_loaded && memory.access == ACCESS_WRITE));
    if (reads || strings != 0) {
        follower->is_read = true;
        return follower_give_up(follower), 0;
    }
    uint32_t after = held & ~effects.overwritten;
    for (int i = 0; i < 2; i++)
        if (held & effects.moved_from[i])
            after |= effects.moved_to[i];
    if (effects.computes_with & held)
        after |= use.changes & ~(1U << STACK_REGISTER);
    return after;
}

uint32_t follower_step(struct follower *follower, const struct instruction *instruction, uint32_t held)
{
    struct register_sets use;
    struct instruction_effects effects;
    uint32_t strings = string_registers(instruction) & held;
    if (instruction->operation == OP_NOP)
        return held;
    if (!decode_registers(follower->decoder, &use) || !decode_effects(follower->decoder, &effects)) {
        follower_give_up(follower);
        return 0;
    }
    if (strings != 0) {
        bool is_read =
            instruction->opcode >= 0xA6 && (instruction->opcode < 0xAA || instruction->opcode > 0xAB);
        follower->uses.is_written |= !is_read && (strings >> RDI & 1);
        follower_access(follower, 0, 1);
        return follower->joins ? 0 : held & ~strings & ~effects.overwritten;
    }
    if ((use.addresses & held) != 0) {
        if (!take_memory(follower, instruction, held))
            follower_give_up(follower);
        if (follower->is_given_up || follower->joins)
            return 0;
    }
    uint32_t read = use.reads & held;
    if ((effects.computes_with & held) != 0) {
        follower_give_up(follower);
        return 0;
    }
    if (read != 0 && instruction->operation == OP_CMP) {
        follower->uses.is_compared = true;
        return held;
    }
    uint32_t after = held & ~effects.overwritten, moved = 0;
    for (int i = 0; i < 2; i++)
        if (held & effects.moved_from[i]) {
            after |= effects.moved_to[i];
            moved |= effects.moved_from[i];
        }
    if ((read & ~moved) != 0 && !is_test(instruction))
        follower->is_lost = true; /* pushed, stored, called */
    return after;
}
