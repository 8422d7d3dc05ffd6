/* verify_moved_split.c - data that left an executable section: it is no code, and nothing writes what stays.
 * Takes: struct verify_moves with its fields.  Gives: true, or what speaks against it.
 * Must not: take bytes for data because they were moved. */
#include "verify/verify_branch_field.h"
#include "verify/verify_code_target.h"
#include "verify/verify_follow.h"
#include "verify/verify_moved_headers.h"
#include "verify/verify_operand.h"
#include "verify/verify_relocations.h"
#include "verify/verify_text_literal.h"
#include "verify/verify_unexecuted.h"
#include "verify/verify_writes.h"

/* The run of data that holds rva, when it can no longer be executed there. */
static const struct verify_piece *run_at(const struct verify_moves *moves, uint64_t rva)
{
    const struct verify_piece *piece = verify_piece_at(&moves->map, rva);
    return piece && piece->is_data_run ? piece : NULL;
}

/* Only tables behind the function's code left it: every instruction stays where it can be executed. */
static bool keeps_its_instructions(struct verify_moves *moves, struct verify_function *function)
{
    const struct verify_code_section *section = verify_code_at(&moves->code, function->rva);
    struct verify_instruction instruction;
    if (!verify_function_is_clean(&moves->code, function))
        return false;
    for (uint32_t rva = function->rva; rva < function->end_rva; rva++) {
        size_t at = rva - section->rva;
        moves->judged->verdict->step_count++;
        if (verify_bit(section->starts, at) &&
            (!verify_code_decode(&moves->code, section, at, &instruction) || run_at(moves, rva) ||
             run_at(moves, (uint64_t)rva + instruction.nbytes - 1)))
            return false;
    }
    return true;
}

static bool judge_functions(struct verify_moves *moves)
{
    for (size_t i = 0; i < moves->code.function_count; i++) {
        struct verify_function *function = &moves->code.functions[i];
        const struct verify_piece *piece = verify_piece_behind(&moves->map, function->rva);
        bool is_cut = piece && piece->rva < function->end_rva && piece->is_data_run;
        moves->judged->verdict->step_count++;
        if (function->is_gap || !(run_at(moves, function->rva) || is_cut))
            continue;
        if (keeps_its_instructions(moves, function))
            return verify_moves_unproved(moves, function->rva,
                                         "Tables of the function at RVA 0x%X left it; it is not shown that "
                                         "they are read where they are now.",
                                         (unsigned)function->rva);
        return verify_refute(moves->judged, (struct verify_spot){true, UINT64_MAX, function->rva},
                             "A part of the function at RVA 0x%X of the old image is no longer in "
                             "executable memory.",
                             (unsigned)function->rva);
    }
    return true;
}

static bool judge_pointer(struct verify_moves *moves, uint32_t pointer_rva, uint64_t rva)
{
    struct verify_code *code = &moves->code;
    if (!run_at(moves, rva) || verify_is_text_literal(code->image, rva, &code->step_count) ||
        !verify_looks_like_code(code, (uint32_t)rva, false))
        return true;
    return verify_moves_unproved(
        moves, pointer_rva,
        "The address at RVA 0x%X leads to RVA 0x%llX, which looks like code and is no "
        "longer in executable memory.",
        (unsigned)pointer_rva, (unsigned long long)rva);
}

/* An instruction that only reads or writes at the address does not execute what is there. */
static bool is_memory_operand(struct verify_moves *moves, uint32_t rva, unsigned nbytes)
{
    const struct verify_code_section *section = verify_code_at(&moves->code, rva);
    if (!section)
        return false;
    struct verify_field_in_code field = {section, rva - section->rva, nbytes, FIELD_ABSOLUTE, 0};
    struct verify_uses uses = verify_uses_resolved(&moves->code, &field);
    return uses.is_operand && uses.is_unanimous && !(uses.uses & USE_ADDRESS);
}

static bool judge_pointers(struct verify_moves *moves)
{
    const struct verify_image *image = &moves->judged->old_image;
    struct verify_relocation_reader reader = verify_relocations_begin(image);
    struct verify_relocation relocation;
    while (verify_relocations_next(&reader, &relocation)) {
        unsigned nbytes = verify_relocation_width(relocation.type);
        uint64_t va;
        moves->judged->verdict->step_count++;
        if (nbytes == 0 || !verify_read_at(image, relocation.rva, nbytes, &va) ||
            !run_at(moves, va - image->base_va) || is_memory_operand(moves, relocation.rva, nbytes))
            continue;
        if (!judge_pointer(moves, relocation.rva, va - image->base_va))
            return false;
    }
    return true;
}

/* RIP-relative operands and branches at every byte position of code that stayed. */
static bool judge_code(struct verify_moves *moves, const struct verify_code_section *section)
{
    const uint8_t *bytes = section->bytes.bytes;
    for (size_t at = 1; range_fits(section->bytes.nbytes, at, 4); at++) {
        bool is_branch = verify_ends_rel32_opcode(bytes, at - 1);
        bool is_operand = moves->judged->old_image.is_64 && (bytes[at - 1] & 0xC7) == 0x05;
        int64_t rva = (int64_t)section->rva + (int64_t)at + 4 + (int32_t)load_u32(bytes + at);
        uint32_t field_rva = section->rva + (uint32_t)at;
        moves->judged->verdict->step_count++;
        if ((!is_branch && !is_operand) || rva < 0 || !run_at(moves, (uint64_t)rva) ||
            run_at(moves, field_rva))
            continue;
        struct verify_field_in_code field = {section, at, 4, is_branch ? FIELD_BRANCH : FIELD_RIP_RELATIVE,
                                             0};
        struct verify_uses uses = verify_uses_possible(&moves->code, &field);
        if (!uses.is_operand || !(uses.uses & USE_ADDRESS))
            continue;
        uses = verify_uses_resolved(&moves->code, &field);
        if (!uses.is_operand)
            continue;
        if (is_branch)
            return verify_moves_unproved(moves, field_rva,
                                         "The branch at RVA 0x%X leads to RVA 0x%llX, which is no longer in "
                                         "executable memory.",
                                         (unsigned)field_rva, (unsigned long long)rva);
        /* Through what is added to it, or read from it, no code is reached. */
        struct verify_followed followed = verify_follow(&moves->code, section, uses.operand_at, 0);
        if (!(uses.is_unanimous && (followed.is_followed || followed.is_indexed)) &&
            !judge_pointer(moves, field_rva, (uint64_t)rva))
            return false;
    }
    return true;
}

static bool judge_exports(struct verify_moves *moves)
{
    const struct verify_image *image = &moves->judged->old_image;
    uint64_t functions_rva, count, rva;
    if (image->directory_count <= DIR_EXPORT || image->directories[DIR_EXPORT].rva == 0 ||
        !verify_read_at(image, (uint64_t)image->directories[DIR_EXPORT].rva + EXPORT_ADDRESS_OF_FUNCTIONS, 4,
                        &functions_rva) ||
        !verify_read_at(image, (uint64_t)image->directories[DIR_EXPORT].rva + EXPORT_NUMBER_OF_FUNCTIONS, 4,
                        &count))
        return true; /* read and refused by the inventory */
    for (uint64_t i = 0; i < count && verify_read_at(image, functions_rva + i * 4, 4, &rva); i++) {
        moves->judged->verdict->step_count++;
        if (!judge_pointer(moves, (uint32_t)(functions_rva + i * 4), rva))
            return false;
    }
    return true;
}

bool verify_moved_split(struct verify_moves *moves)
{
    bool is_split = false;
    for (size_t i = 0; i < moves->map.count; i++)
        is_split = is_split || moves->map.pieces[i].is_data_run;
    if (!is_split)
        return true;
    uint32_t entry_rva = moves->judged->old_image.entry_rva;
    if (entry_rva != 0 && run_at(moves, entry_rva))
        return verify_refute(moves->judged, (struct verify_spot){true, UINT64_MAX, entry_rva},
                             "The entry point is no longer in executable memory.");
    if (!judge_functions(moves) || !judge_pointers(moves) || !judge_exports(moves))
        return false;
    for (uint32_t i = 0; i < moves->code.section_count; i++)
        if (!judge_code(moves, &moves->code.sections[i]))
            return false;
    return true;
}

bool verify_loses_write(struct verify_moves *moves, const struct verify_section *section)
{
    struct verify_unwritten found;
    struct verify_range_list stays = {0};
    bool is_whole = true;
    /* The section as it was, with the proof that is asked when only the right goes. */
    struct verify_case old_case = *moves->judged;
    old_case.new_image = moves->judged->old_image;
    stays.items = arena_array(moves->judged->arena, moves->map.count, sizeof *stays.items);
    if (!stays.items)
        return false;
    for (size_t i = 0; i < moves->map.count; i++) {
        const struct verify_piece *piece = &moves->map.pieces[i];
        if (piece->section != section)
            continue;
        if (piece->is_slots || piece->is_data_run)
            is_whole = false;
        else
            stays.items[stays.count++] = (struct verify_range){piece->rva, piece->end_rva, "what stays"};
    }
    bool proved =
        verify_nothing_writes(&old_case, &section->index, 1, false, is_whole ? NULL : &stays, &found);
    if (!proved)
        moves->judged->verdict->right_not_shown = true;
    return proved;
}

bool verify_loses_execute(struct verify_moves *moves, const struct verify_section *section)
{
    struct verify_case old_case = *moves->judged;
    const char *summary;
    old_case.new_image = moves->judged->old_image;
    bool proved = verify_nothing_executes(&old_case, section, &summary);
    if (!proved)
        moves->judged->verdict->right_not_shown = true;
    return proved;
}
