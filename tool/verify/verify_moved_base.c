/* verify_moved_base.c - uses of the image base in x64 code.
 * Takes: the instructions that take it.  Gives: a field for each displacement that has to change.
 * Must not: lose sight of the base: a use that is not understood is not proved.
 *
 * When code moved by one distance and the headers stayed, `lea r, [base]` is left as it is and yields the
 * base plus that distance: RVAs that code adds to it still reach what moved by the same distance. */
#include "verify/verify_base_walk.h"
#include "verify/verify_references.h"
#include "verify/verify_rva_numbers.h"

static bool unproved_at(struct verify_moves *moves, const struct verify_base_step *step, const char *what)
{
    return verify_moves_unproved(moves, step->rva, "The image base reaches the instruction at RVA 0x%X, %s.",
                                 (unsigned)step->rva, what);
}

/* [base + index * scale + displacement]: the displacement is an RVA. */
static bool judge_memory(struct verify_moves *moves, const struct verify_piece *site,
                         const struct verify_base_step *step, const ZydisDecodedOperand *operand,
                         uint64_t rva)
{
    int64_t delta;
    bool is_address = operand->mem.type == ZYDIS_MEMOP_TYPE_AGEN;
    bool is_indexed = operand->mem.base != ZYDIS_REGISTER_NONE && operand->mem.index != ZYDIS_REGISTER_NONE;
    bool is_still = !moves->map.moves_code;
    if (rva < moves->map.pieces[0].rva)
        return is_still || unproved_at(moves, step, "which reads the headers");
    enum verify_meaning meaning =
        verify_meaning(moves, rva, is_address || is_indexed ? ADDRESS_INDEXED : ADDRESS_DIRECT, &delta);
    if (meaning == MEANING_OPEN || (is_indexed && verify_array_may_be_far(moves, rva)))
        return unproved_at(moves, step, "with an RVA whose meaning is not shown");
    if ((operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) &&
        !verify_store_is_allowed(moves, step->rva, rva, true))
        return false;
    if (!is_still && verify_base_is_table_load(step) && verify_is_typed(&moves->old_tables, rva, rva + 4))
        return unproved_at(moves, step, "which reads a loader's table");
    int64_t change = delta - site->delta;
    if (change == 0 && meaning == MEANING_SURE)
        return true;
    if (!verify_moves_field(moves, step->rva + step->full.decoded.raw.disp.offset, 4,
                            (uint64_t)((int64_t)rva + change), "an RVA added to the image base"))
        return false;
    if (meaning == MEANING_INFERRED)
        verify_moves_inferred(moves);
    return true;
}

static bool judge_function(struct verify_moves *moves, const struct verify_function *function)
{
    struct verify_base_walk walk;
    const char *problem;
    const struct verify_piece *site = verify_piece_at(&moves->map, function->rva);
    if (!site)
        return verify_moves_unproved(moves, function->rva, "The function at RVA 0x%X is in no section.",
                                     (unsigned)function->rva);
    if (!verify_base_walk(&moves->code, &moves->base_sites, moves->judged->arena, function, &walk, &problem))
        return problem && verify_moves_unproved(moves, function->rva,
                                                "The function at RVA 0x%X takes the image base and %s.",
                                                (unsigned)function->rva, problem);
    for (size_t i = 0; i < walk.count; i++) {
        const struct verify_base_step *step = &walk.steps[i];
        const char *escape = verify_base_escape(&walk, step);
        uint64_t rva;
        if (escape)
            return unproved_at(moves, step, escape);
        for (unsigned k = 0; step->may != 0 && k < step->full.decoded.operand_count; k++)
            if (verify_base_operand(step, &step->full.operands[k], &rva) &&
                !judge_memory(moves, site, step, &step->full.operands[k], rva))
                return false;
    }
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

/* Parts other than import slots, and tables whose readers go by directories, that lie elsewhere than `delta`.
 */
static bool left_distance(const struct verify_moves *moves, int64_t delta)
{
    for (size_t i = 0; i < moves->map.count; i++)
        if (!moves->map.pieces[i].is_slots && !moves->map.pieces[i].is_table &&
            moves->map.pieces[i].delta != delta)
            return true;
    return false;
}

static int64_t code_distance(const struct verify_moves *moves)
{
    int64_t delta = moves->map.pieces[0].delta;
    for (size_t i = 0; i < moves->map.count; i++)
        if (moves->map.pieces[i].is_code)
            delta = moves->map.pieces[i].delta;
    return delta;
}

/* Whether some number is the RVA of data that moved: asked at most once. */
struct number_answer {
    bool is_asked, is_found;
    uint32_t rva;
};

static bool ask_for_number(struct verify_moves *moves, struct number_answer *answer)
{
    if (answer->is_asked)
        return true;
    answer->is_asked = true;
    return verify_rva_numbers_find(moves, &answer->is_found, &answer->rva);
}

/* Type information of C++ may be read from outside, whether this image takes its base or not. */
static bool judge_types(struct verify_moves *moves, struct number_answer *number)
{
    const struct verify_image *image = &moves->judged->old_image;
    uint16_t subsystem = load_u16(image->file.bytes + image->opt_foff + OPT_SUBSYSTEM);
    /* The kernel brings no runtime that reads it (docs/ASSUMPTIONS.md). */
    if (!image->is_64 || subsystem == SUBSYSTEM_NATIVE || !left_distance(moves, code_distance(moves)) ||
        !verify_holds_type_names(moves))
        return true;
    if (!moves->map.moves_code && !ask_for_number(moves, number))
        return false;
    return (number->is_asked && !number->is_found) ||
           verify_moves_unproved(moves, number->is_asked ? number->rva : UINT32_MAX,
                                 "The image holds type information of C++, which leads to data by RVAs "
                                 "that no table names.");
}

bool verify_base_uses(struct verify_moves *moves)
{
    const struct verify_function *last = NULL;
    struct number_answer number = {0};
    if (!judge_types(moves, &number))
        return false;
    if (moves->base_sites.count == 0 && moves->header_pointer_rva == 0)
        return true;
    /* Slots alone: nobody reaches them but through constants. */
    if (!left_distance(moves, 0))
        return judge_constants(moves);
    /* The base is the true one: without a number that could be added to it, nobody reaches what moved. */
    if (!moves->map.moves_code) {
        if (!ask_for_number(moves, &number))
            return false;
        if (!number.is_found)
            return true;
    }
    if (moves->header_pointer_rva != 0)
        return verify_moves_unproved(
            moves, moves->header_pointer_rva,
            "The address at RVA 0x%X leads to the headers; what code reaches from it "
            "is not followed.",
            (unsigned)moves->header_pointer_rva);
    for (size_t i = 0; i < moves->base_sites.count; i++) {
        struct verify_function *function = verify_function_at(&moves->code, moves->base_sites.rvas[i]);
        if (!function || !verify_function_is_clean(&moves->code, function))
            return verify_moves_unproved(
                moves, moves->base_sites.rvas[i],
                "The instruction at RVA 0x%X takes the image base outside a function that "
                "is known; its uses are not followed.",
                (unsigned)moves->base_sites.rvas[i]);
        if (function != last && !judge_function(moves, function))
            return false;
        last = function;
    }
    return true;
}
