/* verify_slots_taken.c - the rule of verify_slots_taken.h, for relocated fields and for lea on x64.
 * Takes: struct verify_moves.  Gives: see the header.  Must not: decide where an address leads. */
#include "verify/verify_slots_taken.h"
#include "verify/verify_code_target.h"
#include "verify/verify_follow.h"
#include "verify/verify_relocations.h"
#include "verify/verify_text_literal.h"

enum { FIELD_NBYTES = 4, LEA_OPCODE = 0x8D };

enum place { PLACE_FAR, PLACE_IN_SLOTS, PLACE_BESIDE_SLOTS };

/* Of slots that moved otherwise than rva: elsewhere an address moves with them whatever it means. */
static enum place place_of(const struct verify_moves *moves, uint64_t rva)
{
    const struct verify_piece *own = verify_piece_at(&moves->map, rva);
    if (own && own->is_slots)
        return PLACE_IN_SLOTS;
    for (size_t i = 0; i < moves->map.count; i++) {
        const struct verify_piece *piece = &moves->map.pieces[i];
        if (piece->is_slots && !(own && own->delta == piece->delta) && rva + EDGE_NBYTES >= piece->rva &&
            rva <= piece->end_rva)
            return PLACE_BESIDE_SLOTS;
    }
    return PLACE_FAR;
}

static bool has_meaning_of_its_own(struct verify_moves *moves, uint64_t rva)
{
    struct verify_code *code = &moves->code;
    if (verify_is_text_literal(code->image, rva, &moves->judged->verdict->step_count) ||
        verify_is_code_target(code, (uint32_t)rva, false))
        return true;
    struct verify_function *function = verify_function_at(code, (uint32_t)rva);
    return function && verify_function_is_clean(code, function) && verify_begins_instruction(code, rva);
}

/* The slot of a delay-loaded function leads, at first, to the instruction that takes its address. */
static bool is_delay_thunk(const struct verify_moves *moves, uint64_t slot_rva, uint64_t site_rva)
{
    const struct verify_image *image = &moves->judged->old_image;
    uint64_t va;
    return verify_read_at(image, slot_rva, image->is_64 ? 8 : 4, &va) && va - image->base_va == site_rva;
}

static bool judge_operand(struct verify_moves *moves, const struct verify_field_in_code *field, uint64_t rva)
{
    enum place place = place_of(moves, rva);
    if (place == PLACE_FAR || !(verify_uses_possible(&moves->code, field).uses & USE_ADDRESS))
        return true;
    struct verify_uses uses = verify_uses_resolved(&moves->code, field);
    moves->looked_at_count++;
    if (!uses.is_operand || !(uses.uses & USE_ADDRESS))
        return true;
    struct verify_followed followed = verify_follow(&moves->code, field->section, uses.operand_at, 0);
    bool is_read = followed.is_accessed_first || followed.certain.count != 0;
    if (is_read || (place == PLACE_BESIDE_SLOTS && !followed.is_computed) ||
        is_delay_thunk(moves, rva, field->section->rva + uses.operand_at))
        return true;
    uint32_t field_rva = field->section->rva + (uint32_t)field->at;
    return verify_moves_unproved(
        moves, field_rva,
        "The instruction at RVA 0x%X takes the address of RVA 0x%llX, of import slots "
        "or beside them, and it is not shown which part it means.",
        (unsigned)(field->section->rva + uses.operand_at), (unsigned long long)rva);
}

static bool judge_relocated(struct verify_moves *moves)
{
    const struct verify_image *image = &moves->judged->old_image;
    struct verify_relocation_reader reader = verify_relocations_begin(image);
    struct verify_relocation relocation;
    while (verify_relocations_next(&reader, &relocation)) {
        unsigned nbytes = verify_relocation_width(relocation.type);
        uint64_t va;
        moves->judged->verdict->step_count++;
        if (nbytes == 0 || !verify_read_at(image, relocation.rva, nbytes, &va))
            continue;
        uint64_t rva = va - image->base_va;
        const struct verify_code_section *section = verify_code_at(&moves->code, relocation.rva);
        const struct verify_piece *holder = verify_piece_at(&moves->map, relocation.rva);
        if (section && holder && holder->is_code) {
            struct verify_field_in_code field = {section, relocation.rva - section->rva, nbytes,
                                                 FIELD_ABSOLUTE, 0};
            if (!judge_operand(moves, &field, rva))
                return false;
        } else if (place_of(moves, rva) == PLACE_BESIDE_SLOTS && !has_meaning_of_its_own(moves, rva)) {
            return verify_moves_unproved(moves, relocation.rva,
                                         "The address at RVA 0x%X leads to RVA 0x%llX, beside import slots; "
                                         "it is not shown which part it means.",
                                         (unsigned)relocation.rva, (unsigned long long)rva);
        }
    }
    return true;
}

static bool judge_leas(struct verify_moves *moves, const struct verify_code_section *section)
{
    const uint8_t *bytes = section->bytes.bytes;
    for (size_t at = 2; range_fits(section->bytes.nbytes, at, FIELD_NBYTES); at++) {
        struct verify_field_in_code field = {section, at, FIELD_NBYTES, FIELD_RIP_RELATIVE, 0};
        int64_t rva = (int64_t)section->rva + (int64_t)at + FIELD_NBYTES + (int32_t)load_u32(bytes + at);
        moves->judged->verdict->step_count++;
        if (bytes[at - 2] == LEA_OPCODE && (bytes[at - 1] & 0xC7) == 0x05 && rva >= 0 &&
            !judge_operand(moves, &field, (uint64_t)rva))
            return false;
    }
    return true;
}

bool verify_slots_taken(struct verify_moves *moves)
{
    if (!moves->map.moves_apart)
        return true;
    for (uint32_t i = 0; moves->code.image->is_64 && i < moves->code.section_count; i++)
        if (!judge_leas(moves, &moves->code.sections[i]))
            return false;
    return judge_relocated(moves);
}
