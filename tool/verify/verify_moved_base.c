/* verify_moved_base.c - uses of the image base in x64 code.
 * Takes: the instructions that take it.  Gives: a field for each displacement that has to change.
 * Must not: lose sight of the base: a use that is not understood is not proved.
 *
 * When code moved by one distance and the headers stayed, `lea r, [base]` is left as it is and yields the
 * base plus that distance: RVAs that code adds to it still reach what moved by the same distance. */
#include "verify/verify_references.h"

enum { REGISTER_COUNT = 16, PASS_MAX_COUNT = 8, FUNCTION_MAX_COUNT = 20000 };

/* Bits of the four argument registers, and of those a call does not keep. */
enum {
    RAX_BIT = 1 << 0,
    ARGUMENT_BITS = 1 << 1 | 1 << 2 | 1 << 8 | 1 << 9,
    VOLATILE_BITS = RAX_BIT | ARGUMENT_BITS | 1 << 10 | 1 << 11
};

struct step {
    uint32_t rva;
    ZydisDecodedInstruction decoded;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    uint16_t may, must;  /* registers that may, and that do, hold the base before it */
    uint16_t rva_values; /* registers that hold an RVA loaded from a table */
    bool is_reached;
};

struct walk {
    struct verify_moves *moves;
    const struct verify_code_section *section;
    const struct verify_piece *site;
    struct step *steps;
    size_t count;
    bool is_gap;
};

static int register_number(ZydisRegister reg)
{
    if (reg == ZYDIS_REGISTER_NONE || reg == ZYDIS_REGISTER_RIP)
        return -1;
    ZydisRegister wide = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);
    int number = (int)wide - (int)ZYDIS_REGISTER_RAX;
    return number >= 0 && number < REGISTER_COUNT ? number : -1;
}

static bool holds(uint16_t set, ZydisRegister reg)
{
    int number = register_number(reg);
    return number >= 0 && (set >> number & 1);
}

static bool unproved_at(struct walk *walk, const struct step *step, const char *what)
{
    return verify_moves_unproved(walk->moves, step->rva,
                                 "The image base reaches the instruction at RVA 0x%X, %s.",
                                 (unsigned)step->rva, what);
}

static bool takes_base(const struct verify_moves *moves, uint32_t rva)
{
    for (size_t i = 0; i < moves->base_site_count; i++)
        if (moves->base_sites[i] == rva)
            return true;
    return false;
}

static uint16_t written_bits(const struct step *step)
{
    unsigned bits = 0;
    for (unsigned i = 0; i < step->decoded.operand_count; i++) {
        const ZydisDecodedOperand *operand = &step->operands[i];
        int number = operand->type == ZYDIS_OPERAND_TYPE_REGISTER ? register_number(operand->reg.value) : -1;
        if (number >= 0 && (operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
            bits |= 1u << number;
    }
    if (step->decoded.meta.category == ZYDIS_CATEGORY_CALL)
        bits |= VOLATILE_BITS;
    return (uint16_t)bits;
}

static bool is_copy(const struct step *step)
{
    return step->decoded.mnemonic == ZYDIS_MNEMONIC_MOV &&
           step->operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
           step->operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER && step->operands[0].size == 64;
}

/* A 4-byte load through the base: an entry of a table of RVAs, perhaps. */
static bool is_table_load(const struct step *step, uint16_t must)
{
    bool is_load = step->decoded.mnemonic == ZYDIS_MNEMONIC_MOV &&
                   step->operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER && step->operands[0].size == 32;
    return is_load && step->operands[1].type == ZYDIS_OPERAND_TYPE_MEMORY &&
           (holds(must, step->operands[1].mem.base) || holds(must, step->operands[1].mem.index));
}

struct state {
    uint16_t may, must, rva_values;
};

static struct state after(const struct walk *walk, const struct step *step)
{
    struct state out = {step->may, step->must, step->rva_values};
    uint16_t written = written_bits(step);
    out.may &= (uint16_t)~written;
    out.must &= (uint16_t)~written;
    out.rva_values &= (uint16_t)~written;
    int to = step->operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER
                 ? register_number(step->operands[0].reg.value)
                 : -1;
    uint16_t bit = (uint16_t)(to >= 0 ? 1u << to : 0u);
    if (takes_base(walk->moves, step->rva)) {
        out.may |= bit;
        out.must |= bit;
    } else if (is_copy(step)) {
        if (holds(step->may, step->operands[1].reg.value))
            out.may |= bit;
        if (holds(step->must, step->operands[1].reg.value))
            out.must |= bit;
    } else if (is_table_load(step, step->must)) {
        out.rva_values |= bit;
    }
    return out;
}

static bool join(struct step *step, struct state in)
{
    struct state before = {step->may, step->must, step->rva_values};
    step->may |= in.may;
    step->must = step->is_reached ? step->must & in.must : in.must;
    step->rva_values = step->is_reached ? step->rva_values & in.rva_values : in.rva_values;
    bool changed = !step->is_reached || before.may != step->may || before.must != step->must ||
                   before.rva_values != step->rva_values;
    step->is_reached = true;
    return changed;
}

static struct step *step_at(const struct walk *walk, int64_t rva)
{
    size_t low = 0, high = walk->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (walk->steps[middle].rva < rva)
            low = middle + 1;
        else
            high = middle;
    }
    return low < walk->count && walk->steps[low].rva == rva ? &walk->steps[low] : NULL;
}

static bool falls_through(const struct step *step)
{
    return step->decoded.meta.category != ZYDIS_CATEGORY_UNCOND_BR &&
           step->decoded.meta.category != ZYDIS_CATEGORY_RET &&
           step->decoded.mnemonic != ZYDIS_MNEMONIC_INT3 && step->decoded.mnemonic != ZYDIS_MNEMONIC_UD2;
}

static bool is_direct_branch(const struct step *step, int64_t *target_rva)
{
    bool is_branch = step->decoded.meta.category == ZYDIS_CATEGORY_UNCOND_BR ||
                     step->decoded.meta.category == ZYDIS_CATEGORY_COND_BR;
    if (!is_branch || !step->decoded.raw.imm[0].is_relative)
        return false;
    *target_rva = (int64_t)step->rva + step->decoded.length + step->decoded.raw.imm[0].value.s;
    return true;
}

/* What only an indirect jump or a handler reaches may see every state there is. */
static bool spread(struct walk *walk)
{
    bool changed = false, has_indirect = false;
    uint16_t any = 0;
    for (size_t i = 0; i < walk->count; i++) {
        struct step *step = &walk->steps[i];
        int64_t target_rva;
        walk->moves->judged->verdict->step_count++;
        /* Between functions of unwind data stand leaf functions, one after the other. */
        bool is_aligned = walk->is_gap && i > 0 && step->rva % 16 == 0 && !falls_through(&step[-1]);
        bool is_entry =
            i == 0 || (is_aligned && (!has_indirect || step[-1].decoded.mnemonic == ZYDIS_MNEMONIC_INT3));
        if (is_entry) {
            any = 0;
            has_indirect = false;
        }
        has_indirect = has_indirect || (step->decoded.mnemonic == ZYDIS_MNEMONIC_JMP &&
                                        !step->decoded.raw.imm[0].is_relative);
        if (!step->is_reached)
            changed |= join(step, is_entry ? (struct state){0, 0, 0} : (struct state){any, 0, 0});
        struct state out = after(walk, step);
        any |= out.may;
        if (falls_through(step) && i + 1 < walk->count)
            changed |= join(&walk->steps[i + 1], out);
        struct step *target = is_direct_branch(step, &target_rva) ? step_at(walk, target_rva) : NULL;
        if (target)
            changed |= join(target, out);
    }
    return changed;
}

/* [base + index * scale + displacement]: the displacement is an RVA. */
static bool judge_memory(struct walk *walk, const struct step *step, const ZydisDecodedOperand *operand)
{
    bool is_base = holds(step->may, operand->mem.base), is_index = holds(step->may, operand->mem.index);
    if (!is_base && !is_index)
        return true;
    ZydisRegister reg = is_base ? operand->mem.base : operand->mem.index;
    if (is_base == is_index || !holds(step->must, reg) || (is_index && operand->mem.scale > 1))
        return unproved_at(walk, step, "which may or may not use it");
    if (step->decoded.raw.disp.size != 32 || operand->mem.disp.value <= 0)
        return unproved_at(walk, step, "which adds no RVA of its own to it");
    uint64_t rva = (uint64_t)operand->mem.disp.value;
    int64_t delta;
    bool is_address = operand->mem.type == ZYDIS_MEMOP_TYPE_AGEN;
    ZydisRegister other = is_base ? operand->mem.index : operand->mem.base;
    if (rva < walk->moves->map.pieces[0].rva)
        return unproved_at(walk, step, "which reads the headers");
    bool is_direct = !is_address && other == ZYDIS_REGISTER_NONE;
    enum verify_meaning meaning =
        verify_meaning(walk->moves, rva, is_direct ? ADDRESS_DIRECT : ADDRESS_INDEXED, &delta);
    if (meaning == MEANING_OPEN)
        return unproved_at(walk, step, "with an RVA whose meaning is not shown");
    if ((operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) &&
        !verify_store_is_allowed(walk->moves, step->rva, rva, true))
        return false;
    if (is_table_load(step, step->must) && verify_is_typed(&walk->moves->old_tables, rva, rva + 4))
        return unproved_at(walk, step, "which reads a loader's table");
    int64_t change = delta - walk->site->delta;
    if (change == 0 && meaning == MEANING_SURE)
        return true;
    if (!verify_moves_field(walk->moves, step->rva + step->decoded.raw.disp.offset, 4,
                            (uint64_t)((int64_t)rva + change), "an RVA added to the image base"))
        return false;
    if (meaning == MEANING_INFERRED)
        verify_moves_inferred(walk->moves);
    return true;
}

/* add x, base with x from a table, and then jmp x. */
static bool is_table_jump(const struct walk *walk, const struct step *step)
{
    const struct step *next = step + 1;
    if (step->decoded.mnemonic != ZYDIS_MNEMONIC_ADD || next >= walk->steps + walk->count ||
        step->operands[0].type != ZYDIS_OPERAND_TYPE_REGISTER ||
        step->operands[1].type != ZYDIS_OPERAND_TYPE_REGISTER)
        return false;
    ZydisRegister a = step->operands[0].reg.value, b = step->operands[1].reg.value;
    bool adds = (holds(step->rva_values, a) && holds(step->must, b)) ||
                (holds(step->rva_values, b) && holds(step->must, a));
    return adds && next->decoded.mnemonic == ZYDIS_MNEMONIC_JMP &&
           next->operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER && next->operands[0].reg.value == a;
}

static bool judge_step(struct walk *walk, const struct step *step)
{
    bool is_call = step->decoded.meta.category == ZYDIS_CATEGORY_CALL;
    bool is_ret = step->decoded.meta.category == ZYDIS_CATEGORY_RET;
    int64_t target_rva;
    bool leaves = is_direct_branch(step, &target_rva) && !step_at(walk, target_rva);
    if (step->may == 0)
        return true;
    if ((is_call || leaves) && (step->may & ARGUMENT_BITS))
        return unproved_at(walk, step, "which may pass it on");
    if (is_ret && (step->may & RAX_BIT))
        return unproved_at(walk, step, "which may return it");
    for (unsigned i = 0; i < step->decoded.operand_count; i++) {
        const ZydisDecodedOperand *operand = &step->operands[i];
        if (operand->type == ZYDIS_OPERAND_TYPE_MEMORY && !judge_memory(walk, step, operand))
            return false;
        bool reads = operand->type == ZYDIS_OPERAND_TYPE_REGISTER &&
                     (operand->actions & ZYDIS_OPERAND_ACTION_MASK_READ);
        if (reads && holds(step->may, operand->reg.value) && !is_copy(step) && !is_table_jump(walk, step))
            return unproved_at(walk, step, "which does something else with it");
    }
    return true;
}

static bool judge_function(struct verify_moves *moves, const struct verify_function *function)
{
    struct walk walk = {.moves = moves, .section = verify_code_at(&moves->code, function->rva)};
    size_t nbytes = function->end_rva - function->rva, at = function->rva - walk.section->rva,
           end = at + nbytes;
    walk.is_gap = function->is_gap;
    walk.site = verify_piece_at(&moves->map, function->rva);
    if (!walk.site || nbytes > FUNCTION_MAX_COUNT)
        return verify_moves_unproved(moves, function->rva, "The function at RVA 0x%X is too large to follow.",
                                     (unsigned)function->rva);
    size_t count = 0;
    for (size_t i = at; i < end; i++)
        count += verify_bit(walk.section->starts, i);
    walk.steps = arena_array(moves->judged->arena, count, sizeof *walk.steps);
    if (!walk.steps)
        return false;
    for (size_t i = at; i < end; i++) {
        if (!verify_bit(walk.section->starts, i))
            continue;
        struct step *step = &walk.steps[walk.count++];
        size_t left_nbytes = walk.section->bytes.nbytes - i;
        step->rva = walk.section->rva + (uint32_t)i;
        if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(
                &moves->code.decoder.zydis, walk.section->bytes.bytes + i,
                left_nbytes < INSTRUCTION_MAX_NBYTES ? left_nbytes : INSTRUCTION_MAX_NBYTES, &step->decoded,
                step->operands)))
            return verify_moves_unproved(moves, step->rva, "The instruction at RVA 0x%X is not decoded.",
                                         (unsigned)step->rva);
    }
    unsigned pass = 0;
    while (spread(&walk))
        if (++pass == PASS_MAX_COUNT)
            return verify_moves_unproved(
                moves, function->rva,
                "The uses of the image base in the function at RVA 0x%X are not followed.",
                (unsigned)function->rva);
    for (size_t i = 0; i < walk.count; i++)
        if (!judge_step(&walk, &walk.steps[i]))
            return false;
    return true;
}

/* With the base where it was, only RVAs of what moved matter: a displacement or immediate that holds one. */
static bool judge_constants(struct verify_moves *moves)
{
    for (uint32_t i = 0; i < moves->code.section_count; i++) {
        const struct verify_code_section *section = &moves->code.sections[i];
        for (size_t at = 1; range_fits(section->bytes.nbytes, at, 4); at++) {
            uint32_t rva = load_u32(section->bytes.bytes + at), field_rva = section->rva + (uint32_t)at;
            const struct verify_piece *piece = verify_piece_at(&moves->map, rva);
            moves->judged->verdict->step_count++;
            if (!piece || piece->delta == 0 || verify_is_typed(&moves->old_tables, field_rva, field_rva + 4))
                continue;
            struct verify_field_in_code field = {section, at, 4, FIELD_ABSOLUTE, 0};
            if (!verify_uses_possible(&moves->code, &field).is_operand)
                continue;
            struct verify_uses uses = verify_uses_resolved(&moves->code, &field);
            struct verify_instruction instruction;
            bool is_relative = uses.is_operand && uses.is_unanimous &&
                               verify_code_decode(&moves->code, section, uses.operand_at, &instruction) &&
                               (instruction.has_target ||
                                (instruction.is_rip_relative && uses.operand_at + instruction.disp_at == at));
            if (uses.is_operand && !is_relative)
                return verify_moves_unproved(
                    moves, field_rva,
                    "The number at RVA 0x%X is RVA 0x%X, which moved, and the image forms "
                    "its base.",
                    (unsigned)field_rva, (unsigned)rva);
        }
    }
    return true;
}

bool verify_base_uses(struct verify_moves *moves)
{
    const struct verify_function *last = NULL;
    if (moves->base_site_count == 0)
        return true;
    if (!moves->map.moves_headers_distance)
        return judge_constants(moves);
    for (size_t i = 0; i < moves->base_site_count; i++) {
        struct verify_function *function = verify_function_at(&moves->code, moves->base_sites[i]);
        if (!function || !verify_function_is_clean(&moves->code, function))
            return verify_moves_unproved(
                moves, moves->base_sites[i],
                "The instruction at RVA 0x%X takes the image base outside a function that "
                "is known; its uses are not followed.",
                (unsigned)moves->base_sites[i]);
        if (function != last && !judge_function(moves, function))
            return false;
        last = function;
    }
    return true;
}
