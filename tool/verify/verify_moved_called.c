/* verify_moved_called.c - data that code calls: a buffer that instructions are written to.
 * Takes: struct verify_moves with its fields.  Gives: true, or the call that leads to what can no longer be
 * executed.  Must not: ask what the bytes are: they may be written before the call. */
#include "verify/verify_branch_field.h"
#include "verify/verify_called.h"
#include "verify/verify_data_routine.h"
#include "verify/verify_moved_headers.h"
#include "verify/verify_operand.h"
#include "verify/verify_relocations.h"

/* The part that holds rva, when it could be executed and can no longer be. */
static bool is_lost_to_calls(const struct verify_moves *moves, uint64_t rva)
{
    const struct verify_piece *piece = verify_piece_at(&moves->map, rva);
    bool was_flat = moves->judged->old_image.section_alignment < PAGE_NBYTES;
    if (!piece || piece->is_slots || piece->is_code ||
        !(was_flat || (piece->section->characteristics & SCN_MEM_EXECUTE)))
        return false;
    const struct verify_section *section =
        verify_section_at(&moves->judged->new_image, (uint32_t)((int64_t)rva + piece->delta));
    return !section || !(section->characteristics & SCN_MEM_EXECUTE);
}

/* Some part could be executed and can no longer be. */
static bool loses_executable(const struct verify_moves *moves)
{
    for (size_t i = 0; i < moves->map.count; i++)
        if (is_lost_to_calls(moves, moves->map.pieces[i].rva) ||
            is_lost_to_calls(moves, moves->map.pieces[i].end_rva - 1))
            return true;
    return false;
}

/* An address that the loader adjusts lies in the bytes, but is no operand of theirs: tables of addresses
 * decode now and then. No more is said once the searches, each through the whole table, are spent. */
static bool holds_a_relocated_field(struct verify_moves *moves, uint32_t rva, uint32_t nbytes)
{
    enum { MOST_SEARCHES = 64 };
    struct verify_relocation_reader reader = verify_relocations_begin(&moves->judged->old_image);
    struct verify_relocation relocation;
    if (moves->field_search_count == MOST_SEARCHES)
        return false;
    moves->field_search_count++;
    while (verify_relocations_next(&reader, &relocation)) {
        uint32_t width = verify_relocation_width(relocation.type);
        moves->judged->verdict->step_count++;
        if ((uint64_t)relocation.rva + width > rva && relocation.rva < (uint64_t)rva + nbytes &&
            !verify_is_routine_operand(&moves->code, rva, relocation.rva, width))
            return true;
    }
    return false;
}

/* A routine in a section that is not marked as code: whoever has its address may call it. */
static bool judge_routine(struct verify_moves *moves, uint32_t field_rva, uint64_t rva)
{
    uint32_t nbytes = verify_data_routine_nbytes(&moves->code, (uint32_t)rva);
    return nbytes == 0 || holds_a_relocated_field(moves, (uint32_t)rva, nbytes) ||
           verify_moves_unproved(
               moves, field_rva,
               "The address at RVA 0x%X leads to RVA 0x%llX, which looks like code and is no "
               "longer in executable memory.",
               (unsigned)field_rva, (unsigned long long)rva);
}

static bool judge_field(struct verify_moves *moves, const struct verify_called_variables *variables,
                        const struct verify_field_in_code *field, uint64_t rva)
{
    uint32_t field_rva = field->section->rva + (uint32_t)field->at;
    if (!is_lost_to_calls(moves, rva))
        return true;
    struct verify_uses uses = verify_uses_resolved(&moves->code, field);
    moves->looked_at_count++;
    if (!uses.is_operand || !(uses.uses & USE_ADDRESS))
        return true;
    struct verify_call_use use = verify_call_use(&moves->code, field->section, uses.operand_at);
    if (use.is_called || verify_is_called_variable(variables, use.stored_rva))
        return verify_moves_unproved(
            moves, field_rva,
            "The operand at RVA 0x%X is the address of RVA 0x%llX, which is called and "
            "is no longer in executable memory.",
            (unsigned)field_rva, (unsigned long long)rva);
    return judge_routine(moves, field_rva, rva);
}

/* What the variables that are called hold in the file. */
static bool judge_variables(struct verify_moves *moves, const struct verify_called_variables *variables)
{
    const struct verify_image *image = &moves->judged->old_image;
    uint64_t va;
    for (size_t i = 0; i < variables->count; i++)
        if (verify_read_at(image, variables->items[i].rva, image->is_64 ? 8 : 4, &va) &&
            va >= image->base_va && is_lost_to_calls(moves, va - image->base_va))
            return verify_moves_unproved(
                moves, variables->items[i].field_rva,
                "The operand at RVA 0x%X calls RVA 0x%llX, which is no longer in executable memory.",
                (unsigned)variables->items[i].field_rva, (unsigned long long)(va - image->base_va));
    return true;
}

/* A direct call or jump, in code that decodes: elsewhere text and tables look like branches. */
static bool judge_branch(struct verify_moves *moves, const struct verify_code_section *section, size_t at)
{
    int64_t rva = (int64_t)section->rva + (int64_t)at + 4 + (int32_t)load_u32(section->bytes.bytes + at);
    struct verify_field_in_code field = {section, at, 4, FIELD_BRANCH, 0};
    uint32_t field_rva = section->rva + (uint32_t)at;
    if (rva < 0 || !is_lost_to_calls(moves, (uint64_t)rva))
        return true;
    struct verify_function *function = verify_function_at(&moves->code, field_rva);
    moves->looked_at_count++;
    return !function || !verify_function_is_clean(&moves->code, function) ||
           !verify_uses_resolved(&moves->code, &field).is_operand ||
           verify_moves_unproved(
               moves, field_rva,
               "The branch at RVA 0x%X leads to RVA 0x%llX, which is no longer in executable "
               "memory.",
               (unsigned)field_rva, (unsigned long long)rva);
}

/* Pointers in data. */
static bool judge_pointers(struct verify_moves *moves)
{
    const struct verify_image *image = &moves->judged->old_image;
    struct verify_relocation_reader reader = verify_relocations_begin(image);
    struct verify_relocation relocation;
    uint64_t va;
    while (verify_relocations_next(&reader, &relocation)) {
        moves->judged->verdict->step_count++;
        if (!verify_code_at(&moves->code, relocation.rva) &&
            verify_read_at(image, relocation.rva, image->is_64 ? 8 : 4, &va) && va >= image->base_va &&
            is_lost_to_calls(moves, va - image->base_va) &&
            !judge_routine(moves, relocation.rva, va - image->base_va))
            return false;
    }
    return true;
}

bool verify_moved_called(struct verify_moves *moves)
{
    const struct verify_image *image = &moves->judged->old_image;
    struct verify_called_variables variables;
    if (!loses_executable(moves))
        return true;
    if (!verify_called_variables_find(moves, &variables) || !judge_variables(moves, &variables))
        return false;
    for (uint32_t i = 0; i < moves->code.section_count; i++) {
        const struct verify_code_section *section = &moves->code.sections[i];
        for (size_t at = 1; range_fits(section->bytes.nbytes, at, 4); at++) {
            uint32_t value = load_u32(section->bytes.bytes + at);
            bool is_rip = image->is_64 && (section->bytes.bytes[at - 1] & 0xC7) == 0x05;
            bool is_absolute = !image->is_64 && verify_bit(section->relocated, at);
            int64_t rva = is_rip ? (int64_t)section->rva + (int64_t)at + 4 + (int32_t)value
                                 : (int64_t)value - (int64_t)image->base_va;
            struct verify_field_in_code field = {section, at, 4, is_rip ? FIELD_RIP_RELATIVE : FIELD_ABSOLUTE,
                                                 0};
            moves->judged->verdict->step_count++;
            if (verify_ends_rel32_opcode(section->bytes.bytes, at - 1) && !judge_branch(moves, section, at))
                return false;
            if ((is_rip || is_absolute) && rva >= 0 && !judge_field(moves, &variables, &field, (uint64_t)rva))
                return false;
        }
    }
    return judge_pointers(moves);
}
