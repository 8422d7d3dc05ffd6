/* verify_moved_base.c - uses of the image base in x64 code.
 * Takes: the instructions that take it.  Gives: a field for each displacement that has to change.
 * Must not: lose sight of the base: a use that is not understood is not proved.
 *
 * When code moved by one distance and the headers stayed, `lea r, [base]` is left as it is and yields the
 * base plus that distance: RVAs that code adds to it still reach what moved by the same distance. */
#include "verify/verify_base_walk.h"
#include "verify/verify_references.h"

static bool unproved_at(const struct verify_base_walk *walk, const struct verify_base_step *step,
                        const char *what)
{
    return verify_moves_unproved(walk->moves, step->rva,
                                 "The image base reaches the instruction at RVA 0x%X, %s.",
                                 (unsigned)step->rva, what);
}

/* [base + index * scale + displacement]: the displacement is an RVA. */
static bool judge_memory(const struct verify_base_walk *walk, const struct verify_base_step *step,
                         const ZydisDecodedOperand *operand)
{
    bool is_base = verify_holds(step->may, operand->mem.base),
         is_index = verify_holds(step->may, operand->mem.index);
    if (!is_base && !is_index)
        return true;
    ZydisRegister reg = is_base ? operand->mem.base : operand->mem.index;
    if (is_base == is_index || !verify_holds(step->must, reg) || (is_index && operand->mem.scale > 1))
        return unproved_at(walk, step, "which may or may not use it");
    if (step->full.decoded.raw.disp.size != 32 || operand->mem.disp.value <= 0)
        return unproved_at(walk, step, "which adds no RVA of its own to it");
    uint64_t rva = (uint64_t)operand->mem.disp.value;
    int64_t delta;
    bool is_address = operand->mem.type == ZYDIS_MEMOP_TYPE_AGEN;
    ZydisRegister other = is_base ? operand->mem.index : operand->mem.base;
    bool is_still = !walk->moves->map.moves_headers_distance;
    if (rva < walk->moves->map.pieces[0].rva)
        return is_still || unproved_at(walk, step, "which reads the headers");
    bool is_direct = !is_address && other == ZYDIS_REGISTER_NONE;
    enum verify_meaning meaning =
        verify_meaning(walk->moves, rva, is_direct ? ADDRESS_DIRECT : ADDRESS_INDEXED, &delta);
    if (meaning == MEANING_OPEN)
        return unproved_at(walk, step, "with an RVA whose meaning is not shown");
    if ((operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) &&
        !verify_store_is_allowed(walk->moves, step->rva, rva, true))
        return false;
    if (!is_still && verify_base_is_table_load(step) &&
        verify_is_typed(&walk->moves->old_tables, rva, rva + 4))
        return unproved_at(walk, step, "which reads a loader's table");
    int64_t change = delta - walk->site->delta;
    if (change == 0 && meaning == MEANING_SURE)
        return true;
    if (!verify_moves_field(walk->moves, step->rva + step->full.decoded.raw.disp.offset, 4,
                            (uint64_t)((int64_t)rva + change), "an RVA added to the image base"))
        return false;
    if (meaning == MEANING_INFERRED)
        verify_moves_inferred(walk->moves);
    return true;
}

/* add x, base with x from a table, and then jmp x. */
static bool is_table_jump(const struct verify_base_walk *walk, const struct verify_base_step *step)
{
    const struct verify_base_step *next = step + 1;
    if (step->full.decoded.mnemonic != ZYDIS_MNEMONIC_ADD || next >= walk->steps + walk->count ||
        step->full.operands[0].type != ZYDIS_OPERAND_TYPE_REGISTER ||
        step->full.operands[1].type != ZYDIS_OPERAND_TYPE_REGISTER)
        return false;
    ZydisRegister a = step->full.operands[0].reg.value, b = step->full.operands[1].reg.value;
    bool adds = (verify_holds(step->rva_values, a) && verify_holds(step->must, b)) ||
                (verify_holds(step->rva_values, b) && verify_holds(step->must, a));
    return adds && next->full.decoded.mnemonic == ZYDIS_MNEMONIC_JMP &&
           next->full.operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
           next->full.operands[0].reg.value == a;
}

static bool judge_step(const struct verify_base_walk *walk, const struct verify_base_step *step)
{
    bool is_call = step->full.decoded.meta.category == ZYDIS_CATEGORY_CALL;
    bool is_ret = step->full.decoded.meta.category == ZYDIS_CATEGORY_RET;
    int64_t target;
    bool leaves =
        verify_direct_jump(&step->full, &target) && !verify_base_step_at(walk, (int64_t)step->rva + target);
    if (step->may == 0)
        return true;
    if ((is_call || leaves) && (step->may & REGISTERS_ARGUMENT_64))
        return unproved_at(walk, step, "which may pass it on");
    if (is_ret && (step->may & REGISTER_AX))
        return unproved_at(walk, step, "which may return it");
    for (unsigned i = 0; i < step->full.decoded.operand_count; i++) {
        const ZydisDecodedOperand *operand = &step->full.operands[i];
        if (operand->type == ZYDIS_OPERAND_TYPE_MEMORY && !judge_memory(walk, step, operand))
            return false;
        bool reads = operand->type == ZYDIS_OPERAND_TYPE_REGISTER &&
                     (operand->actions & ZYDIS_OPERAND_ACTION_MASK_READ);
        if (reads && verify_holds(step->may, operand->reg.value) && !verify_base_is_copy(step) &&
            !is_table_jump(walk, step))
            return unproved_at(walk, step, "which does something else with it");
    }
    return true;
}

static bool judge_function(struct verify_moves *moves, const struct verify_function *function)
{
    struct verify_base_walk walk;
    if (!verify_base_walk(moves, function, &walk))
        return false;
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

/* Parts other than import slots left the distance of the headers or of their code. */
static bool moves_data(const struct verify_moves *moves)
{
    for (size_t i = 0; i < moves->map.count; i++)
        if (!moves->map.pieces[i].is_slots && moves->map.pieces[i].delta != 0)
            return true;
    return false;
}

bool verify_base_uses(struct verify_moves *moves)
{
    const struct verify_function *last = NULL;
    if (moves->base_site_count == 0)
        return true;
    /* Slots alone: nobody reaches them but through constants. */
    if (!moves_data(moves))
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
