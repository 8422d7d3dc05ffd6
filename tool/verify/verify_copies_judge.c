/* verify_copies_judge.c - does anything lead into the middle of an instruction that was replaced?
 * Takes: the copies, and all that tables, relocations and code of the old image name.  Gives: true, or what
 * leads there. Must not: follow control flow: each byte position that may be a branch is looked at. */
#include "verify/verify_branch_field.h"
#include "verify/verify_operand.h"
#include "verify/verify_relocations.h"
#include "verify/verify_repairs.h"

enum { ADDRESS_NBYTES = 4 };

/* An address that means a byte of the instruction behind its first one, or NULL. */
static const struct verify_copy *middle_of(const struct verify_repairs *repairs, uint64_t rva)
{
    const struct verify_copy *copy = rva > 0 ? verify_copy_of(repairs, rva) : NULL;
    return copy && rva > copy->rva ? copy : NULL;
}

static bool judge_branch(struct verify_moves *moves, const struct verify_code_section *section, size_t at,
                         unsigned nbytes)
{
    if (!range_fits(section->bytes.nbytes, at, nbytes))
        return true;
    int64_t distance = verify_branch_distance(section->bytes.bytes + at, nbytes);
    int64_t target_rva = (int64_t)section->rva + (int64_t)at + nbytes + distance;
    const struct verify_copy *copy = target_rva < 0 ? NULL : middle_of(&moves->repairs, (uint64_t)target_rva);
    if (!copy || verify_is_typed(&moves->old_tables, section->rva + at, section->rva + at + nbytes))
        return true;
    struct verify_field_in_code field = {section, at, nbytes, FIELD_BRANCH, 0};
    if (!verify_uses_possible(&moves->code, &field).is_operand)
        return true;
    struct verify_uses uses = verify_uses_resolved(&moves->code, &field);
    moves->looked_at_count++;
    if (!uses.is_operand)
        return true;
    uint32_t rva = section->rva + (uint32_t)at;
    if (!uses.is_unanimous)
        return verify_moves_unproved(
            moves, rva,
            "The bytes at RVA 0x%X may be a branch into the middle of the instruction "
            "at RVA 0x%X, which was copied.",
            (unsigned)rva, (unsigned)copy->rva);
    return verify_refute(
        moves->judged, (struct verify_spot){true, UINT64_MAX, rva},
        "The branch at RVA 0x%X of the old image leads into the middle of the instruction at RVA "
        "0x%X, which was copied.",
        (unsigned)rva, (unsigned)copy->rva);
}

static bool judge_branches(struct verify_moves *moves)
{
    for (uint32_t i = 0; i < moves->code.section_count; i++) {
        const struct verify_code_section *section = &moves->code.sections[i];
        const uint8_t *bytes = section->bytes.bytes;
        for (size_t at = 0; at < section->bytes.nbytes; at++) {
            moves->judged->verdict->step_count++;
            if (verify_ends_rel32_opcode(bytes, at) && !judge_branch(moves, section, at + 1, 4))
                return false;
            if (verify_is_rel8_opcode(bytes[at]) && !judge_branch(moves, section, at + 1, 1))
                return false;
        }
    }
    return true;
}

static bool refuse_pointer(struct verify_moves *moves, uint32_t rva, const struct verify_copy *copy)
{
    return verify_moves_unproved(moves, rva,
                                 "The address at RVA 0x%X leads into or behind the instruction at RVA 0x%X, "
                                 "which was copied.",
                                 (unsigned)rva, (unsigned)copy->rva);
}

static bool judge_pointers(struct verify_moves *moves)
{
    const struct verify_image *image = &moves->judged->old_image;
    struct verify_relocation_reader reader = verify_relocations_begin(image);
    struct verify_relocation relocation;
    while (verify_relocations_next(&reader, &relocation)) {
        uint64_t va;
        moves->judged->verdict->step_count++;
        if (!verify_read_at(image, relocation.rva, ADDRESS_NBYTES, &va))
            continue;
        const struct verify_copy *copy = middle_of(&moves->repairs, (va - image->base_va) & UINT32_MAX);
        if (copy)
            return refuse_pointer(moves, relocation.rva, copy);
    }
    return true;
}

/* Fields of tables, as RVAs and as addresses. What a call returns to is named by the table of longjmp
 * targets. */
static bool judge_tables(struct verify_moves *moves)
{
    const struct verify_image *image = &moves->judged->old_image;
    for (size_t i = 0; i < moves->table_field_count; i++) {
        const struct verify_moved_field *field = &moves->fields[i];
        uint64_t stored;
        moves->judged->verdict->step_count++;
        if (field->nbytes != 4 || !verify_read_at(image, field->rva, 4, &stored))
            continue;
        uint64_t rvas[] = {stored, (stored - image->base_va) & UINT32_MAX};
        for (size_t k = 0; k < 2; k++) {
            const struct verify_copy *copy = middle_of(&moves->repairs, rvas[k]);
            const struct verify_copy *before =
                rvas[k] > 0 ? verify_copy_of(&moves->repairs, rvas[k] - 1) : NULL;
            if (!copy && before && before->is_call && strcmp(field->what, "a longjmp target") == 0)
                copy = before;
            if (copy)
                return refuse_pointer(moves, field->rva, copy);
        }
    }
    const struct verify_copy *entered = middle_of(&moves->repairs, image->entry_rva);
    return !entered || refuse_pointer(moves, image->entry_rva, entered);
}

bool verify_copies_judge(struct verify_moves *moves)
{
    return moves->repairs.copy_count == 0 ||
           (judge_branches(moves) && judge_pointers(moves) && judge_tables(moves));
}
