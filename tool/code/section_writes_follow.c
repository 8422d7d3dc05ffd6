/* section_writes_follow.c - what happens to the address of a function after code has taken it.
 * Takes: the instruction that takes the address.  Gives: a counter-example when the code behind it writes
 * through the address or computes another one from it.  Must not: call the address harmless because it was
 * lost from sight: what is passed to a call, stored in memory, or carried over an indirect jump is taken for
 * a pointer to call (docs/ASSUMPTIONS.md). Follows one path of at most FOLLOWED_INSTRUCTIONS: straight on at
 * conditional branches, along direct jumps. */
#include "code/section_writes_internal.h"

#include <inttypes.h>

enum { FOLLOWED_INSTRUCTIONS = 64, DESTINATION_REGISTER = 7 /* RDI, EDI */ };

/* RAX, RCX, RDX, R8 to R11: what a callee may change, on x64 and, for the first three, on x86. */
#define VOLATILE_REGISTERS UINT32_C(0x0F07)

static uint32_t register_bit(unsigned number)
{
    return number < REGISTER_COUNT ? UINT32_C(1) << number : 0;
}

static const struct code_section *decoded_at(const struct judge *judge, uint32_t rva)
{
    return code_class_at(judge->code, rva) == BYTE_INSTRUCTION ? code_section_at(judge->code, rva) : NULL;
}

static bool decode_at(const struct judge *judge, uint32_t rva, struct instruction *instruction)
{
    const struct code_section *section = decoded_at(judge, rva);
    struct span bytes;
    return section && image_bytes_at_rva(judge->image, section->rva, section->nbytes, &bytes) &&
           decode(judge->decoder, bytes.bytes + (rva - section->rva), section->nbytes - (rva - section->rva),
                  rva, instruction);
}

/* Registers that hold the address after the instruction that takes it; 0 when it goes to memory or the stack.
 */
static uint32_t taken_into(const struct instruction *instruction)
{
    bool is_mov_immediate =
        instruction->is_one_byte_map && instruction->opcode >= 0xB8 && instruction->opcode <= 0xBF;
    if (instruction->operation == OP_LEA)
        return register_bit(instruction->reg);
    if (is_mov_immediate)
        return register_bit(instruction->opcode & 7U);
    if (instruction->opcode == 0xC7 && instruction->has_register_operand)
        return register_bit(instruction->rm);
    return 0;
}

/* String instructions write where RDI or EDI points, without a ModRM byte to show it. */
static bool writes_string(const struct instruction *instruction)
{
    if (!instruction->is_one_byte_map)
        return false;
    uint8_t opcode = instruction->opcode;
    return opcode == 0xA4 || opcode == 0xA5 || opcode == 0xAA || opcode == 0xAB || opcode == 0x6C ||
           opcode == 0x6D;
}

/* Does the instruction write through, or compute with, a register of `held`? */
static bool is_harmful(const struct judge *judge, const struct instruction *instruction, uint32_t held)
{
    struct memory_operand memory;
    if (instruction->operation == OP_NOP)
        return false;
    if (writes_string(instruction) && (held & register_bit(DESTINATION_REGISTER)))
        return true;
    if (decode_memory(judge->decoder, &memory))
        return ((register_bit(memory.base) | register_bit(memory.index)) & held) != 0 &&
               (memory.access == ACCESS_WRITE || memory.access == ACCESS_READ_WRITE ||
                memory.access == ACCESS_ADDRESS);
    /* Arithmetic on the register itself; clearing it by taking it from itself does not count. */
    bool is_arithmetic =
        instruction->operation == OP_ADD || instruction->operation == OP_SUB ||
        (instruction->is_one_byte_map && instruction->opcode == 0xFF && instruction->reg <= 1);
    bool is_short_step = instruction->is_one_byte_map && !judge->is_64 && instruction->opcode >= 0x40 &&
                         instruction->opcode <= 0x4F;
    if (is_short_step)
        return (register_bit(instruction->opcode & 7U) & held) != 0;
    if (!is_arithmetic || !instruction->has_register_operand)
        return false;
    bool is_reversed =
        instruction->opcode == 0x03 || instruction->opcode == 0x2B; /* reg is the destination */
    uint8_t destination = is_reversed ? instruction->reg : instruction->rm;
    bool clears = instruction->operation == OP_SUB && instruction->imm_nbytes[0] == 0 &&
                  instruction->reg == instruction->rm;
    return !clears && (register_bit(destination) & held) != 0;
}

/* Which registers hold the address after the instruction. */
static uint32_t held_after(const struct judge *judge, const struct instruction *instruction, uint32_t held)
{
    uint8_t opcode = instruction->opcode;
    bool one_byte = instruction->is_one_byte_map;
    if (instruction->flow == FLOW_CALL || instruction->flow == FLOW_CALL_INDIRECT)
        return held & ~VOLATILE_REGISTERS;
    if (one_byte && opcode == 0x89 && instruction->has_register_operand) /* mov rm, reg */
        return (held & register_bit(instruction->reg)) ? held | register_bit(instruction->rm)
                                                       : held & ~register_bit(instruction->rm);
    if (one_byte && opcode == 0x8B) { /* mov reg, rm */
        bool copies = instruction->has_register_operand && (held & register_bit(instruction->rm));
        return copies ? held | register_bit(instruction->reg) : held & ~register_bit(instruction->reg);
    }
    bool overwrites_reg = instruction->operation == OP_LEA || instruction->operation == OP_MOVSXD ||
                          instruction->operation == OP_MOVZX;
    if (overwrites_reg)
        return held & ~register_bit(instruction->reg);
    bool clears = one_byte && (opcode == 0x31 || opcode == 0x33 || opcode == 0x29 || opcode == 0x2B) &&
                  instruction->has_register_operand && instruction->reg == instruction->rm;
    if (clears)
        return held & ~register_bit(instruction->rm);
    bool is_mov_immediate = one_byte && opcode >= 0xB8 && opcode <= 0xBF;
    if (is_mov_immediate && !judge->is_64)
        return held & ~register_bit(opcode & 7U);
    return held;
}

void judge_follow(struct judge *judge, uint32_t taken_rva, uint32_t target_rva)
{
    struct instruction instruction;
    if (judge->found || !decode_at(judge, taken_rva, &instruction))
        return;
    uint32_t held = taken_into(&instruction);
    uint32_t rva = instruction_end_rva(&instruction);
    for (int i = 0; i < FOLLOWED_INSTRUCTIONS && held != 0 && decode_at(judge, rva, &instruction); i++) {
        uint32_t foff;
        if (is_harmful(judge, &instruction, held)) {
            judge_found(
                judge, rva, image_rva_to_foff(judge->image, rva, 1, &foff) ? foff : (uint64_t)NO_FILE_OFFSET,
                arena_printf(judge->arena,
                             "Section %s may have to stay writable: the code at RVA 0x%" PRIX32
                             " takes the address of RVA 0x%" PRIX32
                             " in it, and the instruction at RVA 0x%" PRIX32 " writes or computes with it.",
                             judge->section->name, taken_rva, target_rva, rva),
                "Do not change code at run time; keep variables out of this section.");
            return;
        }
        held = held_after(judge, &instruction, held);
        if (flow_ends(instruction.flow) && (instruction.flow != FLOW_JUMP || !instruction.target_fits))
            return;
        rva = instruction.flow == FLOW_JUMP ? instruction.target_rva : instruction_end_rva(&instruction);
    }
}
