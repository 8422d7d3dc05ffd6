/* code_evidence.c - see code_evidence.h. */
#include "code/code_evidence.h"

/* So many confirmed fields on one line are no coincidence, even where the x64 ABI asks for unwind data. */
enum { ENOUGH_CONFIRMED_FIELDS = 2 };

/* A register and the room that the x64 ABI asks for. */
enum { SMALLEST_FRAME_NBYTES = 40 };

/* Compilers and linkers align functions to this, and fill with CC. */
enum { FUNCTION_ALIGNMENT = 16 };

/* First opcode bytes with which compilers begin functions; all of the 0F map is accepted. Data that happens
 * to decode mostly begins otherwise (small integers give `add` forms, text gives jcc forms). */
bool evidence_begins_like_function(const struct instruction *instruction)
{
    if (!instruction->is_one_byte_map || instruction->operation == OP_NOP)
        return true;
    uint8_t opcode = instruction->opcode;
    switch (opcode) {
    case 0x33: /* xor r, r/m */
    case 0x31:
    case 0x38: /* cmp */
    case 0x39:
    case 0x3A:
    case 0x3B:
    case 0x3C:
    case 0x3D:
    case 0x60: /* pushad */
    case 0x63: /* movsxd */
    case 0x68: /* push imm */
    case 0x69: /* imul */
    case 0x6A:
    case 0x6B:
    case 0x80: /* cmp, sub and others with an immediate */
    case 0x81:
    case 0x83:
    case 0x84: /* test, mov, lea */
    case 0x85:
    case 0x88:
    case 0x89:
    case 0x8A:
    case 0x8B:
    case 0x8D:
    case 0x9C: /* pushf */
    case 0xA0: /* mov from and to a plain address */
    case 0xA1:
    case 0xA2:
    case 0xA3:
    case 0xC2: /* ret */
    case 0xC3:
    case 0xC6: /* mov m, imm */
    case 0xC7:
    case 0xCC:
    case 0xE8: /* call, jmp */
    case 0xE9:
    case 0xEB:
    case 0xF0:
    case 0xF6: /* test, neg, not */
    case 0xF7:
    case 0xFA: /* cli, sti */
    case 0xFB:
    case 0xFF: /* call, jmp and push through memory or a register */
        return true;
    default: /* push r, mov r, imm */
        return (opcode >= 0x50 && opcode <= 0x57) || (opcode >= 0xB0 && opcode <= 0xBF);
    }
}

bool evidence_is_call(const struct instruction *instruction)
{
    return instruction->flow == FLOW_CALL || instruction->flow == FLOW_CALL_INDIRECT;
}

/* Without unwind data an x64 function is a leaf: it neither calls nor moves the stack pointer (x64 ABI).
 * Held against pointers only, and only in images that have unwind data at all. Assembler code, and compilers
 * told to leave unwind data out, break the rule, so enough confirmed fields outweigh it. */
static bool breaks_leaf_rule(const struct instruction *instruction)
{
    return evidence_is_call(instruction) || instruction->operation == OP_PUSH;
}

/* A field that random bytes would hardly fill: relocated, RIP-relative into the image, a rel32 into
 * executable bytes (target_is_plausible() has passed it), or a short branch to an instruction. */
static bool has_confirmed_field(const struct line *line, const struct instruction *instruction)
{
    if (instruction->is_rip_relative || instruction->rel_nbytes == 4)
        return true;
    if (instruction->rel_nbytes != 0) {
        const struct reader_section *there = reader_section_at(line->reader, instruction->target_rva);
        if (there && byte_class_at(there, instruction->target_rva - there->rva) == BYTE_INSTRUCTION)
            return true;
    }
    for (unsigned i = 0; line->section->has_relocations && i < instruction->nbytes; i++)
        if (mark_begins_field(line->section->marks[line->at + i]))
            return true;
    return false;
}

bool evidence_is_frame_prologue(const struct line *line)
{
    static const uint8_t hot_patch[] = {0x8B, 0xFF}, frame[] = {0x55, 0x8B, 0xEC}, gcc[] = {0x55, 0x89, 0xE5};
    const uint8_t *bytes = line->section->bytes + line->begin;
    size_t room_nbytes = line->section->nbytes - line->begin;
    return !line->reader->is_64 && room_nbytes >= 3 &&
           (memcmp(bytes, hot_patch, 2) == 0 || memcmp(bytes, frame, 3) == 0 || memcmp(bytes, gcc, 3) == 0);
}

static void follow_stack(struct line *line, const struct instruction *instruction)
{
    struct evidence *evidence = &line->evidence;
    int64_t slot_nbytes = line->reader->is_64 ? 8 : 4;
    bool is_stack_operand = instruction->has_register_operand && instruction->rm == STACK_REGISTER;
    if (evidence_is_call(instruction))
        evidence->stack_is_known = false; /* the callee may pop its arguments */
    else if (instruction->operation == OP_PUSH)
        evidence->stack_nbytes += slot_nbytes;
    else if (instruction->operation == OP_POP)
        evidence->stack_nbytes -= slot_nbytes;
    else if (is_stack_operand && instruction->imm_nbytes[0] != 0 && instruction->operation == OP_SUB)
        evidence->stack_nbytes += (int64_t)instruction->imm;
    else if (is_stack_operand && instruction->imm_nbytes[0] != 0 && instruction->operation == OP_ADD)
        evidence->stack_nbytes -= (int64_t)instruction->imm;
    if (evidence->stack_nbytes > evidence->deepest_nbytes)
        evidence->deepest_nbytes = evidence->stack_nbytes;
    if (evidence->stack_nbytes < 0) /* takes what it never pushed */
        evidence->stack_is_known = false;
}

/* Fill bytes, known bytes or the section's end; behind that the file only fills up. */
static bool is_followed_by_border(const struct line *line)
{
    const struct reader_section *section = line->section;
    const struct section *whole = image_section_at_rva(line->reader->image, section->rva);
    uint32_t at = line->at;
    struct instruction next;
    return at >= section->nbytes || (whole && whole->virtual_size != 0 && at >= whole->virtual_size) ||
           !byte_is_unknown(section, at) || section->bytes[at] == 0xCC ||
           (decode(line->reader->decoder, section->bytes + at, section->nbytes - at, section->rva + at,
                   &next) &&
            instruction_is_fill(&next));
}

/* A function of one instruction, on a multiple of 16, with nothing but CC up to the next one: a trap that
 * stands for what must not be called, or a jump. */
static bool is_set_apart(const struct line *line)
{
    const struct reader_section *section = line->section;
    uint32_t end = line->begin + FUNCTION_ALIGNMENT;
    if ((section->rva + line->begin) % FUNCTION_ALIGNMENT != 0 || end > section->nbytes || line->at >= end)
        return false;
    for (uint32_t at = line->at; at < end; at++)
        if (section->bytes[at] != 0xCC)
            return false;
    return true;
}

/* All that it pushed is taken back. */
static bool has_undone_frame(const struct evidence *evidence)
{
    return evidence->stack_nbytes == 0 && evidence->deepest_nbytes >= SMALLEST_FRAME_NBYTES;
}

void evidence_take(struct line *line, const struct instruction *instruction)
{
    struct evidence *evidence = &line->evidence;
    if (has_confirmed_field(line, instruction)) {
        evidence->confirmed_count++;
        evidence->convinces = true;
    }
    evidence->breaks_leaf_rule |= breaks_leaf_rule(instruction);
    follow_stack(line, instruction);
    bool is_tail_call = instruction->flow == FLOW_JUMP && instruction->rel_nbytes == 4;
    bool is_return = instruction->flow == FLOW_RETURN;
    if ((is_tail_call || is_return) && evidence->stack_is_known)
        evidence->undoes_frame = has_undone_frame(evidence);
    if (is_return && evidence->stack_is_known) {
        evidence->returns_balanced |= evidence->stack_nbytes == 0;
        evidence->stack_is_known = false;
    }
}

void evidence_take_end(struct line *line)
{
    struct evidence *evidence = &line->evidence;
    evidence->convinces |= evidence->returns_balanced && is_followed_by_border(line);
    evidence->convinces |= line->length == 1 && is_set_apart(line);
}

bool evidence_is_enough(const struct line *line)
{
    const struct evidence *evidence = &line->evidence;
    const struct code_reader *reader = line->reader;
    bool is_odd_leaf = !line->bound && reader->is_64 && reader->bound_count != 0 &&
                       evidence->breaks_leaf_rule && !evidence->undoes_frame &&
                       evidence->confirmed_count < ENOUGH_CONFIRMED_FIELDS;
    return evidence->convinces && !is_odd_leaf;
}
