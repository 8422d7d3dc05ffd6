/* index_range.c - the bounds of an index from the instructions before its use.
 * Understood: a value of few bits (`and`, `movzx`, `shr` by a constant, a small constant), copied, or with a
 * constant added; on x86 also `cmp i, n` then `ja` or `jae`, the compared one perhaps made by `lea t, [i+c]`.
 * Must not: believe in a bound across another write to the index, or where execution may not come from. */
#include "code/index_range.h"

#include "code/code_back.h"

enum {
    MOST_STEPS = 16,
    LEAST_ADDRESS = 0x10000, /* a constant that is as large may be an address */
    OPCODE_ADD_EAX = 0x05,
    OPCODE_AND_EAX = 0x25,
    OPCODE_SUB_EAX = 0x2D,
    OPCODE_CMP_EAX = 0x3D,
    MOST_FACTOR = 0x10000,
    OPCODE_SHIFT = 0xC1,
    SHIFT_LEFT = 4,
    SHIFT_RIGHT = 5
};

/* The operand is that register; `for_eax` is the form of the instruction that has no other. */
static bool is_register_operand(const struct instruction *instruction, uint8_t for_eax, uint8_t number)
{
    if (instruction->is_one_byte_map && instruction->opcode == for_eax)
        return number == 0;
    return instruction->has_register_operand && instruction->rm == number;
}

/* cmp register, constant. */
static bool is_compare(const struct instruction *instruction, uint8_t *number)
{
    if (instruction->operation != OP_CMP || instruction->imm_nbytes[0] == 0 || !instruction->is_one_byte_map)
        return false;
    if (instruction->opcode == OPCODE_CMP_EAX)
        return *number = 0, true;
    *number = instruction->rm;
    return instruction->has_register_operand && (instruction->opcode == 0x81 || instruction->opcode == 0x83);
}

/* What `checked` <= bound, unsigned, says of the index: they are the same, or an earlier lea made the one of
 * the other. */
static bool bound_of(struct code_back *back, uint8_t checked, uint64_t bound, uint8_t index,
                     struct register_bounds *bounds)
{
    struct instruction instruction;
    int64_t offset = 0;
    bool is_known = checked == index;
    for (int i = 0; !is_known && i < MOST_STEPS; i++) {
        if (!back_go(back, &instruction, 1U << checked | 1U << index))
            return false;
        if (instruction.operation == OP_LEA && !back_is_narrow(back) && instruction.reg == checked &&
            instruction.base == index && instruction.index == NO_REGISTER && instruction.disp_nbytes != 0) {
            offset = instruction.disp;
            is_known = true;
        } else if (back_changes(back, checked) || back_changes(back, index)) {
            return false;
        }
    }
    if (!is_known || bound > INT32_MAX || offset > 0)
        return false;
    bounds->low = -offset;
    bounds->high = -offset + (int64_t)bound;
    return true;
}

/* A constant that is no address. */
static bool is_small_constant(const struct instruction *instruction, const struct register_sets *use,
                              uint8_t index)
{
    return instruction->operation == OP_MOV && use->writes == 1U << index &&
           instruction->imm_nbytes[0] == 4 && instruction->disp_nbytes == 0 &&
           instruction->imm < LEAST_ADDRESS;
}

/* `xor r, r` or `sub r, r`. */
static bool is_clearing(const struct instruction *instruction, uint8_t index)
{
    if (!instruction->is_one_byte_map || !instruction->has_register_operand ||
        instruction->reg != instruction->rm || instruction->reg != index)
        return false;
    return instruction->opcode == 0x31 || instruction->opcode == 0x33 || instruction->opcode == 0x29 ||
           instruction->opcode == 0x2B;
}

/* The index is made here, of few bits. */
static bool made_of_few_bits(const struct code_back *back, const struct instruction *instruction,
                             uint8_t index, struct register_bounds *bounds)
{
    struct register_sets use;
    bool is_of_index = is_register_operand(instruction, OPCODE_AND_EAX, index);
    bounds->low = 0;
    if (back_is_narrow(back) || !decode_registers(back->decoder, &use))
        return false;
    if (instruction->operation == OP_AND && instruction->opcode != 0x80 && is_of_index &&
        instruction->imm_nbytes[0] != 0 && instruction->imm <= INT32_MAX) {
        bounds->high = (int64_t)instruction->imm;
        return true;
    }
    if (instruction->operation == OP_MOVZX && instruction->reg == index) {
        bounds->high = instruction->opcode == 0xB6 ? UINT8_MAX : UINT16_MAX;
        return true;
    }
    if (instruction->is_one_byte_map && instruction->opcode == OPCODE_SHIFT &&
        instruction->reg == SHIFT_RIGHT && is_of_index && instruction->imm < 32 && instruction->imm > 0 &&
        !back->image->is_64) {
        bounds->high = UINT32_MAX >> instruction->imm;
        return true;
    }
    if (is_clearing(instruction, index)) {
        bounds->high = 0;
        return true;
    }
    if (is_small_constant(instruction, &use, index)) {
        bounds->low = bounds->high = (int64_t)instruction->imm;
        return true;
    }
    return false;
}

/* The index is *source * *factor + *added. */
static bool made_of_other(const struct code_back *back, const struct instruction *instruction, uint8_t index,
                          uint8_t *source, int64_t *factor, int64_t *added)
{
    *added = 0;
    *factor = 1;
    if (back_is_narrow(back) || !instruction->is_one_byte_map)
        return false;
    if (instruction->opcode == OPCODE_SHIFT && instruction->reg == SHIFT_LEFT &&
        instruction->has_register_operand && instruction->rm == index && instruction->imm < 16) {
        *source = index;
        *factor = INT64_C(1) << instruction->imm;
        return true;
    }
    if (instruction->operation == OP_MOV && instruction->has_register_operand &&
        instruction->imm_nbytes[0] == 0 && (instruction->opcode == 0x8B || instruction->opcode == 0x89)) {
        bool is_load = instruction->opcode == 0x8B;
        *source = is_load ? instruction->rm : instruction->reg;
        return (is_load ? instruction->reg : instruction->rm) == index;
    }
    if (instruction->operation == OP_LEA && instruction->reg == index && instruction->base != NO_REGISTER &&
        instruction->index == NO_REGISTER && !instruction->is_rip_relative) {
        *source = instruction->base;
        *added = instruction->disp_nbytes != 0 ? instruction->disp : 0;
        return true;
    }
    bool is_add = instruction->operation == OP_ADD, is_sum = is_add || instruction->operation == OP_SUB;
    bool has_constant = instruction->opcode == 0x81 || instruction->opcode == 0x83 ||
                        instruction->opcode == OPCODE_ADD_EAX || instruction->opcode == OPCODE_SUB_EAX;
    if (is_sum && has_constant &&
        is_register_operand(instruction, is_add ? OPCODE_ADD_EAX : OPCODE_SUB_EAX, index)) {
        int64_t constant = (int32_t)(uint32_t)instruction->imm;
        *source = index;
        *added = is_add ? constant : -constant;
        return true;
    }
    if (!back->image->is_64 && instruction->nbytes == 1 && (instruction->opcode & 0xF0) == 0x40 &&
        (instruction->opcode & 7) == index) { /* inc, dec */
        *source = index;
        *added = instruction->opcode & 8 ? -1 : 1;
        return true;
    }
    return false;
}

/* What was made of the value that has the bounds; it must neither wrap nor go below zero. */
static bool apply(int64_t factor, int64_t sum, struct register_bounds *bounds)
{
    if (bounds->low > INT32_MAX || bounds->high > INT32_MAX)
        return false;
    bounds->low = bounds->low * factor + sum;
    bounds->high = bounds->high * factor + sum;
    return bounds->low >= 0 && bounds->high <= INT32_MAX;
}

/* `instruction` may be the compare in front of a `ja` or `jae` that was not taken; *back stays. */
static bool checked_bounds(const struct code_back *back, const struct instruction *instruction, bool is_above,
                           uint8_t index, struct register_bounds *bounds)
{
    struct code_back before = *back;
    uint64_t excluded = is_above ? 0 : 1;
    uint8_t checked;
    if (back_is_narrow(back) || !is_compare(instruction, &checked) || instruction->imm < excluded ||
        !bound_of(&before, checked, instruction->imm - excluded, index, bounds))
        return false;
    bounds->begin_rva = before.section->rva + before.at;
    bounds->is_joined = before.is_reached;
    return true;
}

bool register_bounds_find(const struct image *image, const struct code_map *code, struct decoder *decoder,
                          const struct site_set *joins, uint32_t rva, uint8_t number,
                          struct register_bounds *bounds)
{
    struct code_back back = {image, code, decoder, joins, code_section_at(code, rva), 0, false};
    struct instruction instruction;
    uint8_t index = number, behind = OP_OTHER; /* the operation of the instruction behind */
    int64_t product = 1, sum = 0;              /* the index is product * what is looked for + sum */
    if (!back.section || number >= REGISTER_COUNT)
        return false;
    back.at = rva - back.section->rva;
    for (int i = 0; i < MOST_STEPS; i++) {
        uint8_t source;
        int64_t factor, added;
        if (!back_go(&back, &instruction, 1U << index))
            return false;
        bool is_checked = behind == OP_BRANCH_ABOVE || behind == OP_BRANCH_ABOVE_EQUAL;
        if (is_checked && !image->is_64 &&
            checked_bounds(&back, &instruction, behind == OP_BRANCH_ABOVE, index, bounds))
            return apply(product, sum, bounds);
        behind = instruction.operation;
        (void)back_decode(&back, &instruction); /* the check has decoded others */
        if (!back_changes(&back, index))
            continue;
        bounds->begin_rva = instruction.rva;
        bounds->is_joined = back.is_reached;
        if (made_of_few_bits(&back, &instruction, index, bounds))
            return apply(product, sum, bounds);
        if (!made_of_other(&back, &instruction, index, &source, &factor, &added) || added <= -LEAST_ADDRESS ||
            added >= LEAST_ADDRESS || product * factor > MOST_FACTOR)
            return false;
        index = source;
        sum += product * added;
        product *= factor;
    }
    return false;
}

bool index_range_find(const struct image *image, const struct code_map *code, struct decoder *decoder,
                      const struct site_set *joins, uint32_t rva, struct index_range *range)
{
    struct code_back back = {image, code, decoder, joins, code_section_at(code, rva), 0, false};
    struct instruction instruction;
    struct memory_operand memory;
    struct register_bounds bounds;
    if (!back.section)
        return false;
    back.at = rva - back.section->rva;
    if (!back_decode(&back, &instruction) || !instruction.is_legacy || back_is_narrow(&back) ||
        !decode_memory(decoder, &memory) || memory.base != instruction.base ||
        memory.index != instruction.index ||
        (instruction.base == NO_REGISTER) == (instruction.index == NO_REGISTER))
        return false;
    bool is_base = instruction.base != NO_REGISTER;
    if (!register_bounds_find(image, code, decoder, joins, rva,
                              is_base ? instruction.base : instruction.index, &bounds))
        return false;
    *range = (struct index_range){bounds.low, bounds.high, is_base ? 1 : instruction.scale, memory.nbytes};
    return true;
}
