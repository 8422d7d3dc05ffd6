/* verify_borders.c - addresses outside a section that may mean it all the same: its end, or just before it.
 * Takes: the search, a field.  Gives: harmless, or a counter-example.
 * Must not: take an address that is only used where it leads for one of the section. */
#include "verify/verify_code_target.h"
#include "verify/verify_follow.h"
#include "verify/verify_targets.h"

enum { FOLD_NBYTES = 0x100 }; /* docs/ASSUMPTIONS.md, M1 */

enum verify_border verify_border_at(const struct verify_write_search *search, uint64_t rva,
                                    const struct verify_target **target)
{
    /* Of parts that move apart, verify_edges.c says what an address means. */
    bool is_in_place = !search->has_parts && search->code->image->section_alignment >= PAGE_NBYTES;
    for (size_t i = 0; i < search->target_count && is_in_place; i++) {
        const struct verify_section *section = search->targets[i].section;
        uint32_t used_nbytes = verify_used_nbytes(section);
        *target = &search->targets[i];
        if (rva == (uint64_t)section->rva + used_nbytes && rva >= search->targets[i].end_rva)
            return BORDER_PAST_END;
        if (rva < search->targets[i].rva && rva + FOLD_NBYTES >= section->rva)
            return BORDER_CLOSE_BEFORE;
    }
    return BORDER_NONE;
}

/* push imm32, mov [memory], imm32: nothing is computed with it here, and so nothing was folded into it. */
static bool is_handed_on(const struct verify_field_in_code *field, size_t at)
{
    enum { OPCODE_PUSH_IMM32 = 0x68, OPCODE_MOV_MEMORY_IMM32 = 0xC7 };
    uint8_t opcode = field->section->bytes.bytes[at];
    return opcode == OPCODE_PUSH_IMM32 || (opcode == OPCODE_MOV_MEMORY_IMM32 && field->at - at > 2);
}

/* Whatever is done through the address is done on its own side of the border. */
static bool stays_there(struct verify_write_search *search, enum verify_border border,
                        const struct verify_target *target, const struct verify_field_in_code *field,
                        const struct verify_uses *uses, uint32_t rva)
{
    struct verify_instruction instruction;
    if (!uses->is_operand ||
        !verify_code_decode(search->code, field->section, uses->operand_at, &instruction))
        return false;
    if (!(uses->uses & USE_ADDRESS)) /* an array's end is not where an index begins */
        return !(uses->uses & USE_WRITE) || border == BORDER_PAST_END || instruction.is_plain_memory;
    if (is_handed_on(field, uses->operand_at))
        return border == BORDER_CLOSE_BEFORE;
    struct verify_followed followed = verify_follow(search->code, field->section, uses->operand_at, 0);
    if (!followed.is_known)
        return false;
    if (border == BORDER_PAST_END) /* handed on, it could be walked back from */
        return !followed.is_computed && followed.handed.count == 0 &&
               (followed.accessed.count == 0 || followed.accessed.low >= 0);
    return !followed.is_computed && (followed.accessed.count == 0 ||
                                     (int64_t)rva + followed.accessed.high <= (int64_t)target->section->rva);
}

bool verify_judge_border_field(struct verify_write_search *search, enum verify_border border,
                               const struct verify_target *target, const struct verify_field_in_code *field,
                               uint32_t rva)
{
    unsigned possible = verify_uses_possible(search->code, field).uses;
    if (!(possible & (USE_WRITE | USE_ADDRESS)) || verify_is_code_target(search->code, rva, false))
        return true;
    struct verify_uses uses = verify_uses_resolved(search->code, field);
    bool is_harmless = !(uses.uses & (USE_WRITE | USE_ADDRESS)) || (uses.is_operand && !uses.is_unanimous);
    return is_harmless || stays_there(search, border, target, field, &uses, rva) ||
           verify_refute(
               search->judged, verify_spot_rva(search->judged, field->section->rva + (uint32_t)field->at),
               "Section %s loses MEM_WRITE, but the address at RVA 0x%X leads to its border (RVA 0x%X) "
               "and may mean data in it.",
               target->section->name, (unsigned)(field->section->rva + field->at), (unsigned)rva);
}
