/* index_range.c - the bounds of an index from the instructions before its use.
 * Understood: `lea t, [i + c]` or nothing, then `cmp t, n` or `cmp i, n`, then `ja`; `and i, n`; `movzx i,
 * byte` or word. Must not: believe in a bound across a write to the index, a call, or a place that is reached
 * from elsewhere. */
#include "code/index_range.h"

enum { MOST_STEPS = 16 };

struct back {
    const struct image *image;
    const struct code_map *code;
    struct decoder *decoder;
    const struct code_section *section;
    uint32_t at; /* offset of the instruction that is looked at */
};

/* Goes to the instruction that ends where this one begins. */
static bool step_back(struct back *back)
{
    uint32_t at = back->at;
    if (at == 0)
        return false;
    at--;
    while (at > 0 && back->section->classes[at] == BYTE_INSTRUCTION_TAIL)
        at--;
    if (back->section->classes[at] != BYTE_INSTRUCTION)
        return false;
    back->at = at;
    return true;
}

static bool decode_here(const struct back *back, struct instruction *instruction)
{
    const uint8_t *bytes = back->image->file.bytes + back->image->sections[back->section->section].raw_foff;
    return decode(back->decoder, bytes + back->at, back->section->nbytes - back->at,
                  back->section->rva + back->at, instruction);
}

/* Of 16 bits, operands or addresses: the rest of a register is not what is checked. */
static bool is_narrow(const struct back *back)
{
    const uint8_t *bytes = back->image->file.bytes + back->image->sections[back->section->section].raw_foff;
    for (uint32_t at = back->at; at < back->section->nbytes; at++)
        switch (bytes[at]) {
        case 0x66:
        case 0x67:
            return true;
        case 0x26: /* segments, lock, repetition */
        case 0x2E:
        case 0x36:
        case 0x3E:
        case 0x64:
        case 0x65:
        case 0xF0:
        case 0xF2:
        case 0xF3:
            continue;
        default:
            return false;
        }
    return true;
}

static bool is_joined(const struct back *back, const struct site_set *joins)
{
    return site_set_has(joins, (uint64_t)back->image->sections[back->section->section].raw_foff + back->at);
}

static bool writes(const struct back *back, uint8_t number)
{
    struct register_sets use;
    return !decode_registers(back->decoder, &use) || (use.writes >> number & 1) != 0;
}

/* cmp register, constant. */
static bool is_compare(const struct instruction *instruction, uint8_t *number)
{
    if (instruction->operation != OP_CMP || !instruction->has_register_operand ||
        instruction->imm_nbytes[0] == 0 || !instruction->is_one_byte_map ||
        (instruction->opcode != 0x81 && instruction->opcode != 0x83))
        return false;
    *number = instruction->rm;
    return true;
}

/* What `checked` <= bound, unsigned, says of the index: they are the same, or an earlier lea made the one of
 * the other. */
static bool bound_of(struct back *back, const struct site_set *joins, uint8_t checked, uint64_t bound,
                     uint8_t index, struct index_range *range)
{
    struct instruction instruction;
    int64_t offset = 0;
    bool is_known = checked == index;
    for (int i = 0; !is_known && i < MOST_STEPS; i++) {
        if (is_joined(back, joins) || !step_back(back) || !decode_here(back, &instruction) ||
            instruction.flow != FLOW_NEXT)
            return false;
        if (instruction.operation == OP_LEA && !is_narrow(back) && instruction.reg == checked &&
            instruction.base == index && instruction.index == NO_REGISTER && instruction.disp_nbytes != 0) {
            offset = instruction.disp;
            is_known = true;
        } else if (writes(back, checked) || writes(back, index)) {
            return false;
        }
    }
    if (!is_known || bound > INT32_MAX || offset > 0)
        return false;
    range->low = -offset;
    range->high = -offset + (int64_t)bound;
    return true;
}

/* The index is made here, of few bits. */
static bool made_of_few_bits(const struct instruction *instruction, uint8_t index, struct index_range *range)
{
    bool is_mask = instruction->operation == OP_AND && instruction->opcode != 0x80 &&
                   instruction->has_register_operand && instruction->rm == index &&
                   instruction->imm_nbytes[0] != 0 && instruction->imm <= INT32_MAX;
    bool is_extension = instruction->operation == OP_MOVZX && instruction->reg == index;
    if (!is_mask && !is_extension)
        return false;
    range->low = 0;
    range->high = is_mask ? (int64_t)instruction->imm : instruction->opcode == 0xB6 ? UINT8_MAX : UINT16_MAX;
    return true;
}

bool index_range_find(const struct image *image, const struct code_map *code, struct decoder *decoder,
                      const struct site_set *joins, uint32_t rva, struct index_range *range)
{
    struct back back = {image, code, decoder, code_section_at(code, rva), 0};
    struct instruction instruction;
    struct memory_operand memory;
    if (!back.section)
        return false;
    back.at = rva - back.section->rva;
    if (!decode_here(&back, &instruction) || !instruction.is_legacy || is_narrow(&back) ||
        !decode_memory(decoder, &memory) || instruction.base != NO_REGISTER || memory.base != NO_REGISTER ||
        instruction.index == NO_REGISTER || memory.index != instruction.index)
        return false;
    uint8_t index = instruction.index, checked;
    range->scale = instruction.scale;
    range->nbytes = memory.nbytes;
    bool is_checked = false; /* the instruction behind is a `ja` that was not taken */
    for (int i = 0; i < MOST_STEPS; i++) {
        if (is_joined(&back, joins) || !step_back(&back) || !decode_here(&back, &instruction))
            return false;
        if (is_checked)
            return !is_narrow(&back) && is_compare(&instruction, &checked) &&
                   bound_of(&back, joins, checked, instruction.imm, index, range);
        if (instruction.operation == OP_BRANCH_ABOVE) {
            is_checked = true;
            continue;
        }
        if (instruction.flow != FLOW_NEXT)
            return false;
        if (!is_narrow(&back) && writes(&back, index) && made_of_few_bits(&instruction, index, range))
            return true;
        if (writes(&back, index))
            return false;
    }
    return false;
}
