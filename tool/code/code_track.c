/* code_track.c - what registers hold, as far as jump tables and the image base need it.
 * Takes: instructions in the order of a straight line.  Gives: jump tables to read, and which registers a
 * function loads addresses into.  Must not: claim that a register holds a value at a point: what other
 * instructions overwrite is not followed, so every table is checked against its entries before it counts.
 *
 * The forms, with T the table's address:
 *   x64, Visual C++   lea b,[rip->image base]; mov e,[b+i*4+T]; add e,b; jmp e       entries are RVAs
 *                     the same with i from movzx i,byte [b+c+X]: X maps cases to entries
 *   x64, clang, gcc   lea b,[rip->T]; movsxd e,[b+i*4]; add e,b; jmp e               entries are label - T
 *   x86               jmp [i*4+T], or mov e,[i*4+T]; jmp e                           entries are addresses
 *                     the same with i from movzx i,byte [c+X] */
#include "code/code_internal.h"

enum { ENTRY_OPERAND = 4, INDIRECT_JUMP_OPCODE = 0xFF };

void track_begin(struct tracker *tracker, uint32_t case_count)
{
    tracker->known = tracker->addresses = 0;
    tracker->compared = UINT32_MAX;
    tracker->case_count = case_count;
}

static uint16_t register_bit(uint8_t number)
{
    return (uint16_t)(1U << number);
}

/* One of kind VALUE_UNKNOWN when nothing is known. */
static struct register_value value_in(const struct tracker *tracker, uint8_t number)
{
    return tracker->known & register_bit(number) ? tracker->values[number] : (struct register_value){0};
}

static void set_value(struct tracker *tracker, uint8_t number, struct register_value value)
{
    uint16_t bit = register_bit(number);
    tracker->known = (uint16_t)(value.kind != VALUE_UNKNOWN ? tracker->known | bit : tracker->known & ~bit);
    tracker->addresses =
        (uint16_t)(value.kind == VALUE_ADDRESS ? tracker->addresses | bit : tracker->addresses & ~bit);
    tracker->values[number] = value;
}

static void forget(struct tracker *tracker, uint8_t number)
{
    tracker->known &= (uint16_t)~register_bit(number);
    tracker->addresses &= (uint16_t)~register_bit(number);
}

/* Records that the function loads this address into this register somewhere. */
static void remember_lea(struct code_reader *reader, const struct bound *bound, uint8_t number, uint32_t rva)
{
    struct function_registers *registers = reader_registers(reader, bound);
    uint16_t bit = register_bit(number);
    if ((registers->lea_known & bit) && registers->lea_rva[number] != rva)
        registers->lea_ambiguous |= bit;
    registers->lea_known |= bit;
    registers->lea_rva[number] = rva;
    if (rva == 0)
        registers->image_base |= bit;
}

/* The address in a register: as the line has it, else the only one that the function ever loads into it
 * (the `lea` of a loop's table stands before the loop). */
static bool address_in(const struct code_reader *reader, const struct tracker *tracker,
                       const struct bound *bound, uint8_t number, uint32_t *rva)
{
    if (number == NO_REGISTER)
        return false;
    uint16_t bit = register_bit(number);
    if (tracker->addresses & bit) {
        *rva = tracker->values[number].rva;
        return true;
    }
    const struct function_registers *registers = reader_registers(reader, bound);
    if (!bound || !(registers->lea_known & bit) || (registers->lea_ambiguous & bit))
        return false;
    *rva = registers->lea_rva[number];
    return true;
}

/* The address that a memory operand adds to its scaled index: from a base register, from the displacement
 * as an RVA (x64: some register of the operand holds the image base) or as a VA (x86). */
static bool operand_origin(const struct code_reader *reader, const struct tracker *tracker,
                           const struct bound *bound, const struct instruction *instruction, uint32_t *rva)
{
    uint32_t base_rva;
    if (!reader->is_64)
        return instruction->disp_nbytes == 4 &&
               image_va_to_rva(reader->image, (uint32_t)instruction->disp, rva) &&
               *rva < reader->image->image_nbytes;
    if (address_in(reader, tracker, bound, instruction->base, &base_rva) ||
        (instruction->scale == 1 && address_in(reader, tracker, bound, instruction->index, &base_rva))) {
        *rva = (uint32_t)((int64_t)base_rva + instruction->disp);
        return true;
    }
    if (instruction->disp_nbytes != 4 || instruction->disp < (int64_t)reader->image->headers_nbytes ||
        instruction->disp >= (int64_t)reader->image->image_nbytes)
        return false;
    *rva = (uint32_t)instruction->disp;
    return true;
}

/* Takes over what is known of the register that selects the entry. */
static void set_index(const struct tracker *tracker, uint8_t number, struct register_value *entry)
{
    struct register_value index = value_in(tracker, number);
    entry->case_count = tracker->case_count;
    if (index.kind == VALUE_BELOW) {
        if (entry->case_count == 0 || index.case_count < entry->case_count)
            entry->case_count = index.case_count;
    } else if (index.kind == VALUE_INDEX) {
        entry->index_rva = index.rva;
        entry->index_nbytes = index.index_nbytes;
    }
}

/* mov or movsxd of an element into a register. */
static struct register_value loaded_entry(const struct code_reader *reader, const struct tracker *tracker,
                                          const struct bound *bound, const struct instruction *instruction)
{
    struct register_value value = {0};
    if (instruction->scale != 4 || instruction->index == NO_REGISTER ||
        !operand_origin(reader, tracker, bound, instruction, &value.rva))
        return value;
    set_index(tracker, instruction->index, &value);
    value.kind = VALUE_ENTRY;
    value.form = !reader->is_64                        ? TABLE_VA
                 : instruction->operation == OP_MOVSXD ? TABLE_LABEL_DIFF
                                                       : TABLE_RVA;
    value.entry_nbytes = 4;
    return value;
}

/* movzx of a byte or word that may map cases to entries. */
static struct register_value loaded_index(const struct code_reader *reader, const struct tracker *tracker,
                                          const struct bound *bound, const struct instruction *instruction)
{
    struct register_value value = {0};
    if (operand_origin(reader, tracker, bound, instruction, &value.rva)) {
        value.kind = VALUE_INDEX;
        value.index_nbytes = instruction->opcode == 0xB7 ? 2 : 1;
    }
    return value;
}

static void track_mov(struct code_reader *reader, struct tracker *tracker,
                      const struct instruction *instruction, const struct bound *bound)
{
    bool is_load = instruction->opcode == 0x8B || instruction->operation != OP_MOV;
    if (instruction->has_register_operand) {
        uint8_t from = is_load ? instruction->rm : instruction->reg;
        uint8_t to = is_load ? instruction->reg : instruction->rm;
        if (!(tracker->known & (register_bit(from) | register_bit(to))))
            return;
        struct register_value value = value_in(tracker, from);
        set_value(tracker, to, value);
        if (value.kind == VALUE_ADDRESS)
            remember_lea(reader, bound, to, value.rva);
    } else if (is_load) {
        set_value(tracker, instruction->reg,
                  instruction->operation == OP_MOVZX ? loaded_index(reader, tracker, bound, instruction)
                                                     : loaded_entry(reader, tracker, bound, instruction));
    }
}

/* entry + base: the sum is still "the entry", whichever register it ends up in. */
static void track_add(struct tracker *tracker, const struct instruction *instruction)
{
    if (!instruction->has_register_operand || (instruction->opcode != 0x03 && instruction->opcode != 0x01))
        return;
    uint8_t to = instruction->opcode == 0x03 ? instruction->reg : instruction->rm;
    uint8_t from = instruction->opcode == 0x03 ? instruction->rm : instruction->reg;
    if (value_in(tracker, from).kind == VALUE_ENTRY)
        set_value(tracker, to, tracker->values[from]);
    else if (value_in(tracker, to).kind != VALUE_ENTRY)
        forget(tracker, to);
}

static struct register_value jump_value(const struct code_reader *reader, const struct tracker *tracker,
                                        const struct bound *bound, const struct instruction *instruction)
{
    struct register_value value = {0};
    if (!instruction->has_modrm || (instruction->reg & 7) != ENTRY_OPERAND)
        return value;
    if (instruction->has_register_operand)
        return value_in(tracker, instruction->rm);
    if (instruction->index == NO_REGISTER || instruction->scale != image_pointer_nbytes(reader->image) ||
        !operand_origin(reader, tracker, bound, instruction, &value.rva))
        return value;
    set_index(tracker, instruction->index, &value);
    value.kind = VALUE_ENTRY;
    value.form = TABLE_VA;
    value.entry_nbytes = instruction->scale;
    return value;
}

static bool track_jump(struct code_reader *reader, const struct tracker *tracker,
                       const struct instruction *instruction, const struct bound *bound, enum trust trust)
{
    struct register_value value = jump_value(reader, tracker, bound, instruction);
    if (value.kind != VALUE_ENTRY)
        return true;
    struct jump_table table = {.rva = value.rva,
                               .jump_rva = instruction->rva,
                               .index_rva = value.index_rva,
                               .case_count = value.case_count,
                               .form = value.form,
                               .entry_nbytes = value.entry_nbytes,
                               .index_nbytes = value.index_nbytes,
                               .trust = (uint8_t)trust};
    return tables_want(reader, &table);
}

static void track_branch(struct tracker *tracker, const struct instruction *instruction)
{
    if (tracker->compared == UINT32_MAX)
        return;
    if (instruction->operation == OP_BRANCH_ABOVE)
        tracker->case_count = tracker->compared + 1;
    else if (instruction->operation == OP_BRANCH_ABOVE_EQUAL)
        tracker->case_count = tracker->compared;
}

/* What a call may change: entries and indexes do not live across one, addresses in callee-saved registers do
 * and the others are loaded anew. */
static void track_call(struct tracker *tracker)
{
    tracker->known = tracker->addresses;
    tracker->compared = UINT32_MAX;
    tracker->case_count = 0;
}

bool track_instruction(struct code_reader *reader, struct tracker *tracker,
                       const struct instruction *instruction, const struct bound *bound, enum trust trust)
{
    if (instruction->flow == FLOW_JUMP_INDIRECT)
        return track_jump(reader, tracker, instruction, bound, trust);
    if (instruction->flow == FLOW_CALL || instruction->flow == FLOW_CALL_INDIRECT)
        track_call(tracker);
    if (instruction->flow == FLOW_BRANCH)
        track_branch(tracker, instruction);
    if (!instruction->has_modrm && instruction->operation != OP_CMP)
        return true;
    switch (instruction->operation) {
    case OP_LEA:
        forget(tracker, instruction->reg);
        if (instruction->is_rip_relative) {
            int64_t rva = (int64_t)instruction_end_rva(instruction) + instruction->disp;
            if (rva >= 0 && rva < (int64_t)reader->image->image_nbytes) {
                struct register_value value = {.kind = VALUE_ADDRESS, .rva = (uint32_t)rva};
                set_value(tracker, instruction->reg, value);
                remember_lea(reader, bound, instruction->reg, (uint32_t)rva);
            }
        }
        break;
    case OP_MOV:
    case OP_MOVSXD:
    case OP_MOVZX:
        track_mov(reader, tracker, instruction, bound);
        break;
    case OP_ADD:
        track_add(tracker, instruction);
        break;
    case OP_AND:
        if (instruction->has_register_operand && instruction->imm_nbytes[0] != 0 &&
            instruction->imm < UINT8_MAX)
            set_value(
                tracker, instruction->rm,
                (struct register_value){.kind = VALUE_BELOW, .case_count = (uint32_t)instruction->imm + 1});
        break;
    case OP_CMP:
        tracker->compared = instruction->imm_nbytes[0] != 0 && instruction->imm < UINT32_MAX
                                ? (uint32_t)instruction->imm
                                : UINT32_MAX;
        break;
    default:
        break;
    }
    return true;
}
