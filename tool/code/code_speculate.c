/* code_speculate.c - may these bytes be code?
 * Takes: a candidate.  Gives: whether the straight line from it decodes cleanly to a return, a jump, or code
 * that is already known; and for mere pointers, whether it convinces as a function.
 * Must not: classify bytes or add references.
 *
 * Random bytes decode: of the tables of a cipher every fifth reaches a `ret`. So what only a pointer names
 * has to show one of: a field that base relocations or the image's range confirm, a branch to known code, the
 * frame prologue, or a balanced stack with fill bytes or known code behind it.
 * Linear: when a line fails, every instruction start on it is marked, so that no byte is the start of a
 * failing decode twice; a line that passes becomes code. */
#include "code/code_internal.h"
#include "code/literals.h"

/* Larger functions than this were not met. */
enum { NEAR_TABLE_NBYTES = 256 * 1024 };

/* So many confirmed fields on one line are no coincidence, even where the x64 ABI asks for unwind data. */
enum { ENOUGH_CONFIRMED_FIELDS = 2 };

/* A register and the room that the x64 ABI asks for. */
enum { SMALLEST_FRAME_NBYTES = 40 };

/* Compilers and linkers align functions to this, and fill with CC. */
enum { FUNCTION_ALIGNMENT = 16 };

enum step { STEP_ON, STEP_CLEAN, STEP_NOT_CODE, STEP_NOT_FUNCTION };

/* What the line has shown so far. */
struct evidence {
    bool convinces;      /* by itself */
    bool stack_is_known; /* no call so far, and ESP or RSP was only pushed, popped and moved by constants */
    bool returns_balanced;
    bool breaks_leaf_rule;
    bool undoes_frame;        /* returns, or jumps to a function, with all that it pushed taken back */
    uint32_t confirmed_count; /* instructions with a confirmed field */
    int64_t stack_nbytes, deepest_nbytes;
};

struct line {
    struct code_reader *reader;
    struct reader_section *section;
    const struct bound *bound; /* that holds the line's begin, or NULL */
    enum trust trust;
    uint32_t begin, at; /* offsets in the section */
    uint32_t reach;     /* the farthest offset that a branch of the line leads on to */
    size_t length;      /* instructions on reader->chain */
    bool after_call;
    struct evidence evidence;
};

/* First opcode bytes with which compilers begin functions; all of the 0F map is accepted. Data that happens
 * to decode mostly begins otherwise (small integers give `add` forms, text gives jcc forms). */
static bool begins_like_function(const struct instruction *instruction)
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

static bool is_call(const struct instruction *instruction)
{
    return instruction->flow == FLOW_CALL || instruction->flow == FLOW_CALL_INDIRECT;
}

/* Without unwind data an x64 function is a leaf: it neither calls nor moves the stack pointer (x64 ABI).
 * Held against pointers only, and only in images that have unwind data at all. Assembler code, and compilers
 * told to leave unwind data out, break the rule, so enough confirmed fields outweigh it. */
static bool breaks_leaf_rule(const struct instruction *instruction)
{
    return is_call(instruction) || instruction->operation == OP_PUSH;
}

/* Zero bytes decode as `add [rax], al`. */
static bool is_odd(const struct instruction *instruction, const uint8_t *bytes)
{
    return instruction->operation == OP_ODD || (instruction->nbytes >= 2 && bytes[0] == 0 && bytes[1] == 0) ||
           (instruction->rel_nbytes != 0 && !instruction->target_fits);
}

/* A direct branch of real code leads to an instruction, or to bytes that nothing else has claimed. */
static bool target_is_plausible(const struct code_reader *reader, const struct instruction *instruction)
{
    if (instruction->rel_nbytes == 0)
        return true;
    const struct reader_section *section = reader_section_at(reader, instruction->target_rva);
    if (!section)
        return false;
    uint32_t at = instruction->target_rva - section->rva;
    return byte_class_at(section, at) == BYTE_INSTRUCTION ||
           (byte_is_unknown(section, at) && !(section->marks[at] & MARK_DATA_OPERAND));
}

static bool operand_is_plausible(const struct code_reader *reader, const struct instruction *instruction)
{
    if (!instruction->is_rip_relative)
        return true;
    int64_t target = (int64_t)instruction_end_rva(instruction) + instruction->disp;
    return target >= 0 && target < (int64_t)reader->image->image_nbytes;
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

/* `mov edi, edi` or `push ebp; mov ebp, esp`, as x86 functions with a frame begin. */
static bool is_frame_prologue(const struct line *line)
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
    if (is_call(instruction))
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

/* Two entries of a table of RVAs that lead to places not far from it, where code can be. Visual C++ puts the
 * tables of a switch behind the function's code, aligned; most of their bytes decode, but hardly any code
 * looks like this. */
bool speculate_sees_table(const struct code_reader *reader, const struct reader_section *section, uint32_t at)
{
    if (!reader->is_64 || (section->rva + at) % 4 != 0)
        return false;
    if (!range_fits(section->nbytes, at, 2 * sizeof(uint32_t)))
        return false;
    for (size_t i = 0; i < 2; i++) {
        uint32_t target = load_u32(section->bytes + at + i * sizeof(uint32_t));
        int64_t distance = (int64_t)target - (int64_t)(section->rva + at);
        const struct reader_section *there = reader_section_at(reader, target);
        if (distance > NEAR_TABLE_NBYTES || distance < -NEAR_TABLE_NBYTES || !there)
            return false;
        enum byte_class byte_class = byte_class_at(there, target - there->rva);
        if (byte_class != BYTE_INSTRUCTION && byte_class != BYTE_UNKNOWN)
            return false;
    }
    return true;
}

/* One instruction of the line. A line that runs into known code is clean. One that began at a pointer must
 * not run into the begin of a function: functions do not fall into each other, but data in front of one
 * would. */
static enum step step(const struct line *line, struct instruction *instruction)
{
    struct code_reader *reader = line->reader;
    const struct reader_section *section = line->section;
    const struct bound *bound = line->bound;
    uint32_t at = line->at;
    bool is_pointer = line->trust == TRUST_POINTER;
    if (at >= section->nbytes)
        return STEP_NOT_CODE;
    if (bound && section->rva + at == bound->end_rva)
        return STEP_CLEAN; /* a call that does not return may be a function's last instruction */
    if (byte_class_at(section, at) == BYTE_INSTRUCTION)
        return is_pointer && byte_begins_function(section, at) ? STEP_NOT_FUNCTION : STEP_CLEAN;
    const uint8_t *bytes = section->bytes + at;
    if (!byte_is_unknown(section, at) || section->marks[at] & (MARK_NOT_CODE | MARK_DATA_OPERAND) ||
        !decode(reader->decoder, bytes, section->nbytes - at, section->rva + at, instruction) ||
        !descent_fits(section, instruction) || is_odd(instruction, bytes) ||
        !target_is_plausible(reader, instruction) || !operand_is_plausible(reader, instruction) ||
        (bound && instruction_end_rva(instruction) > bound->end_rva))
        return STEP_NOT_CODE;
    if (is_pointer && section->marks[at] & MARK_NOT_FUNCTION)
        return STEP_NOT_FUNCTION;
    if (is_pointer && at == line->begin && !begins_like_function(instruction))
        return STEP_NOT_FUNCTION;
    return STEP_ON;
}

static void follow_branch(struct line *line, const struct instruction *instruction)
{
    uint32_t target = instruction->target_rva - line->section->rva;
    if (instruction->flow == FLOW_BRANCH && target > line->reach && target - line->begin < NEAR_TABLE_NBYTES)
        line->reach = target;
}

/* Takes the instruction that step() has just passed into account. A pointer's line goes on behind a return to
 * where its branches lead, up to the function's last one. */
static enum step advance(struct line *line, const struct instruction *instruction)
{
    struct evidence *evidence = &line->evidence;
    bool ends = flow_ends(instruction->flow);
    if (has_confirmed_field(line, instruction)) {
        evidence->confirmed_count++;
        evidence->convinces = true;
    }
    evidence->breaks_leaf_rule |= breaks_leaf_rule(instruction);
    follow_stack(line, instruction);
    follow_branch(line, instruction);
    line->at += instruction->nbytes;
    /* Fill bytes behind a call: it does not return, and the line ends here. */
    ends |= instruction->flow == FLOW_BREAK && line->after_call;
    line->after_call = is_call(instruction);
    bool is_tail_call = instruction->flow == FLOW_JUMP && instruction->rel_nbytes == 4;
    if (is_tail_call && evidence->stack_is_known)
        evidence->undoes_frame =
            evidence->stack_nbytes == 0 && evidence->deepest_nbytes >= SMALLEST_FRAME_NBYTES;
    if (instruction->flow == FLOW_RETURN && evidence->stack_is_known) {
        evidence->undoes_frame =
            evidence->stack_nbytes == 0 && evidence->deepest_nbytes >= SMALLEST_FRAME_NBYTES;
        evidence->returns_balanced |= evidence->stack_nbytes == 0;
        evidence->stack_is_known = false;
    }
    if (!ends || (line->trust == TRUST_POINTER && !evidence->convinces && line->reach >= line->at))
        return STEP_ON;
    evidence->convinces |= evidence->returns_balanced && is_followed_by_border(line);
    evidence->convinces |= line->length == 1 && is_set_apart(line);
    return STEP_CLEAN;
}

/* Adds the instruction start at line->at to the chain. False when memory ran out. */
static bool chain_add(struct line *line)
{
    struct code_reader *reader = line->reader;
    uint32_t *grown = arena_grow(reader->arena, reader->chain, line->length, &reader->chain_capacity,
                                 line->length + 1, sizeof *grown);
    if (!grown)
        return false;
    reader->chain = grown;
    reader->chain[line->length++] = line->at;
    return true;
}

/* What a pointer leads to may well be a string that decodes cleanly. */
static bool is_text(const struct reader_section *section, uint32_t at)
{
    struct span bytes = {section->bytes, section->nbytes};
    return at < section->nbytes && byte_is_unknown(section, at) &&
           literal_nbytes(bytes, section->classes, at) >= LEAST_NAMED_LITERAL_NBYTES;
}

bool speculate(struct code_reader *reader, struct reader_section *section, uint32_t rva, enum trust trust,
               bool *is_code)
{
    uint32_t until_rva;
    struct line line = {.reader = reader,
                        .section = section,
                        .bound = reader_bound_at(reader, rva, &until_rva),
                        .trust = trust,
                        .begin = rva - section->rva,
                        .at = rva - section->rva,
                        .evidence = {.stack_is_known = true}};
    if (trust == TRUST_POINTER && is_text(section, rva - section->rva)) {
        section->marks[rva - section->rva] |= MARK_NOT_FUNCTION;
        *is_code = false;
        return true;
    }
    enum step result = STEP_ON;
    if (speculate_sees_table(reader, section, line.begin))
        result = STEP_NOT_CODE;
    line.evidence.convinces = line.bound || is_frame_prologue(&line);
    while (result == STEP_ON) {
        struct instruction instruction = {0};
        result = step(&line, &instruction);
        if (result == STEP_NOT_CODE || result == STEP_NOT_FUNCTION || instruction.nbytes == 0)
            break;
        if (!chain_add(&line))
            return false;
        result = advance(&line, &instruction);
    }
    bool is_odd_leaf = !line.bound && reader->is_64 && reader->bound_count != 0 &&
                       line.evidence.breaks_leaf_rule && !line.evidence.undoes_frame &&
                       line.evidence.confirmed_count < ENOUGH_CONFIRMED_FIELDS;
    if (result == STEP_CLEAN && trust == TRUST_POINTER && (!line.evidence.convinces || is_odd_leaf))
        result = STEP_NOT_FUNCTION;
    *is_code = result == STEP_CLEAN;
    if (!*is_code)
        for (size_t i = 0; i < line.length; i++)
            section->marks[reader->chain[i]] |=
                result == STEP_NOT_FUNCTION ? MARK_NOT_FUNCTION : MARK_NOT_CODE;
    return true;
}
