/* verify_moved_called.c - data that code calls: a buffer that instructions are written to.
 * Takes: struct verify_moves with its fields.  Gives: true, or the call that leads to what can no longer be
 * executed.  Must not: ask what the bytes are: they may be written before the call. */
#include "verify/verify_data_routine.h"
#include "verify/verify_moved_headers.h"
#include "verify/verify_operand.h"
#include "verify/verify_registers.h"
#include "verify/verify_relocations.h"

enum { FOLLOWED_MAX_COUNT = 24 };

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

/* Where a memory operand without registers leads, as a number that is the same for the same place; or -1. */
static int64_t place_of(const struct verify_full *full, size_t at, const ZydisDecodedOperand *operand)
{
    if (operand->type != ZYDIS_OPERAND_TYPE_MEMORY || operand->mem.index != ZYDIS_REGISTER_NONE)
        return -1;
    if (operand->mem.base == ZYDIS_REGISTER_RIP)
        return (int64_t)at + full->decoded.length + operand->mem.disp.value;
    return operand->mem.base == ZYDIS_REGISTER_NONE ? (int64_t)(uint32_t)operand->mem.disp.value : -1;
}

/* In the straight line behind the instruction, the register that it writes is called or jumped to, or a place
 * that it was stored at. */
static bool is_called(struct verify_moves *moves, const struct verify_code_section *section, size_t at)
{
    struct verify_full full;
    if (!verify_decode_full(&moves->code, section, at, &full) ||
        full.operands[0].type != ZYDIS_OPERAND_TYPE_REGISTER)
        return false;
    int number = verify_register_number(full.operands[0].reg.value);
    int64_t stored_at = -1;
    for (unsigned i = 0; i < FOLLOWED_MAX_COUNT && number >= 0; i++) {
        at += full.decoded.length;
        if (!verify_decode_full(&moves->code, section, at, &full))
            return false;
        bool is_call = full.decoded.meta.category == ZYDIS_CATEGORY_CALL ||
                       full.decoded.meta.category == ZYDIS_CATEGORY_UNCOND_BR;
        if (is_call && full.operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER)
            return verify_register_number(full.operands[0].reg.value) == number;
        if (is_call && stored_at >= 0 && place_of(&full, at, &full.operands[0]) == stored_at)
            return true;
        if (full.decoded.mnemonic == ZYDIS_MNEMONIC_MOV &&
            full.operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
            verify_register_number(full.operands[1].reg.value) == number)
            stored_at = place_of(&full, at, &full.operands[0]);
        if (!verify_falls_through(&full) || (verify_written_registers(&full) >> number & 1))
            return false;
    }
    return false;
}

/* call [pointer] or jmp [pointer], and what the pointer holds in the file. */
static bool is_called_through(const struct verify_moves *moves, const struct verify_code_section *section,
                              size_t at, uint64_t pointer_rva, uint64_t *rva)
{
    const struct verify_image *image = &moves->judged->old_image;
    const uint8_t *bytes = section->bytes.bytes;
    uint64_t va;
    if (at < 2 || verify_written_in(&moves->old_tables, pointer_rva, pointer_rva + 1) ||
        bytes[at - 2] != 0xFF || (bytes[at - 1] != 0x15 && bytes[at - 1] != 0x25) ||
        !verify_read_at(image, pointer_rva, image->is_64 ? 8 : 4, &va) || va < image->base_va)
        return false;
    *rva = va - image->base_va;
    return is_lost_to_calls(moves, *rva);
}

/* A routine in a section that is not marked as code: whoever has its address may call it. */
static bool judge_routine(struct verify_moves *moves, uint32_t field_rva, uint64_t rva)
{
    return !verify_is_data_routine(&moves->code, (uint32_t)rva) ||
           verify_moves_unproved(
               moves, field_rva,
               "The address at RVA 0x%X leads to RVA 0x%llX, which looks like code and is no "
               "longer in executable memory.",
               (unsigned)field_rva, (unsigned long long)rva);
}

static bool judge_field(struct verify_moves *moves, const struct verify_field_in_code *field, uint64_t rva)
{
    uint64_t called_rva = rva;
    bool is_through = is_called_through(moves, field->section, field->at, rva, &called_rva);
    if (!is_through && !is_lost_to_calls(moves, rva))
        return true;
    struct verify_uses uses = verify_uses_resolved(&moves->code, field);
    moves->looked_at_count++;
    if (!uses.is_operand || (!is_through && !(uses.uses & USE_ADDRESS)))
        return true;
    if (!is_through && !is_called(moves, field->section, uses.operand_at))
        return judge_routine(moves, field->section->rva + (uint32_t)field->at, rva);
    return verify_moves_unproved(moves, field->section->rva + (uint32_t)field->at,
                                 "The operand at RVA 0x%X calls RVA 0x%llX, which is no longer in executable "
                                 "memory.",
                                 (unsigned)(field->section->rva + field->at), (unsigned long long)called_rva);
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
            uint8_t before = section->bytes.bytes[at - 1];
            bool is_conditional = (before & 0xF0) == 0x80 && at > 1 && section->bytes.bytes[at - 2] == 0x0F;
            moves->judged->verdict->step_count++;
            if ((before == 0xE8 || before == 0xE9 || is_conditional) && !judge_branch(moves, section, at))
                return false;
            if ((is_rip || is_absolute) && rva >= 0 && !judge_field(moves, &field, (uint64_t)rva))
                return false;
        }
    }
    return judge_pointers(moves);
}
