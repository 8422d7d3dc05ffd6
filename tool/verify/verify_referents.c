/* verify_referents.c - what an operand near an edge means, by what is done with the address.
 * Takes: a field in code.  Gives: verify_operand_meaning().
 * Must not: decide by the place the address falls in when something is added to it. */
#include "verify/verify_among_code.h"
#include "verify/verify_around_head.h"
#include "verify/verify_bounded.h"
#include "verify/verify_code_target.h"
#include "verify/verify_follow.h"
#include "verify/verify_origins.h"

/* The one piece that holds all bytes that are accessed through the address. */
static const struct verify_piece *accessed_piece(const struct verify_moves *moves, uint64_t rva,
                                                 const struct verify_reach *reach)
{
    int64_t low = (int64_t)rva + reach->low, high = (int64_t)rva + reach->high;
    const struct verify_piece *piece = low < 0 ? NULL : verify_piece_at(&moves->map, (uint64_t)low);
    return piece && high <= (int64_t)piece->end_rva ? piece : NULL;
}

/* The same of an index: it may begin in a gap, which is nobody's, where it never has its lowest value. */
static const struct verify_piece *indexed_piece(const struct verify_moves *moves, uint64_t rva,
                                                const struct verify_reach *reach)
{
    int64_t low = (int64_t)rva + reach->low, high = (int64_t)rva + reach->high;
    const struct verify_piece *piece = low < 0 ? NULL : verify_piece_at(&moves->map, (uint64_t)low);
    if (!piece && low >= 0)
        piece = verify_piece_behind(&moves->map, (uint64_t)low);
    return piece && (int64_t)piece->rva < high && high <= (int64_t)piece->end_rva ? piece : NULL;
}

/* An immediate that is compared with or added to something ends or begins an array. */
static bool is_arithmetic(const struct verify_full *full)
{
    switch (full->decoded.mnemonic) {
    case ZYDIS_MNEMONIC_MOV:
    case ZYDIS_MNEMONIC_PUSH:
    case ZYDIS_MNEMONIC_LEA:
        return false;
    case ZYDIS_MNEMONIC_AND: /* chooses between it and null */
        return full->operands[0].type != ZYDIS_OPERAND_TYPE_REGISTER;
    default:
        return true;
    }
}

/* jmp [index * 4 + table] with two entries there that lead into the function of the jump: its table. */
static bool is_jump_table(struct verify_moves *moves, const struct verify_field_in_code *field,
                          const struct verify_full *full, uint64_t rva)
{
    const struct verify_code *code = &moves->code;
    struct verify_function *function =
        verify_function_at(&moves->code, field->section->rva + (uint32_t)field->at);
    const struct verify_code_section *section = verify_code_at(code, rva);
    unsigned width_nbytes = code->image->is_64 ? 8 : 4;
    if (full->decoded.mnemonic != ZYDIS_MNEMONIC_JMP || !function || !section || code->image->is_64 ||
        full->operands[0].mem.scale != width_nbytes || full->operands[0].mem.base != ZYDIS_REGISTER_NONE)
        return false;
    for (unsigned i = 0; i < 2; i++) {
        uint64_t va, entry_rva = rva + (uint64_t)i * width_nbytes;
        if (!verify_read_at(code->image, entry_rva, width_nbytes, &va) ||
            entry_rva - section->rva >= section->bytes.nbytes ||
            !verify_bit(section->relocated, entry_rva - section->rva) ||
            va - code->image->base_va < function->rva || va - code->image->base_va >= function->end_rva)
            return false;
    }
    return true;
}

/* The same of a table in data: two entries there lead to code around the jump, as those of a switch do. */
static bool is_switch_in_data(const struct verify_moves *moves, const struct verify_field_in_code *field,
                              const struct verify_full *full, uint64_t rva)
{
    enum { FUNCTION_REACH_NBYTES = 0x4000 };
    const struct verify_image *image = moves->code.image;
    uint64_t site_rva = field->section->rva + field->at;
    if (full->decoded.mnemonic != ZYDIS_MNEMONIC_JMP || image->is_64 || full->operands[0].mem.scale != 4 ||
        full->operands[0].mem.base != ZYDIS_REGISTER_NONE)
        return false;
    for (unsigned i = 0; i < 2; i++) {
        uint64_t va;
        if (!verify_read_at(image, rva + 4 * (uint64_t)i, 4, &va))
            return false;
        uint64_t target_rva = va - image->base_va;
        uint64_t gap = target_rva > site_rva ? target_rva - site_rva : site_rva - target_rva;
        if (verify_code_at(&moves->code, target_rva) != field->section || gap > FUNCTION_REACH_NBYTES)
            return false;
    }
    return true;
}

/* An immediate that is pushed or stored, compared with a pointer, or scrambled. */
static bool is_handed_on(struct verify_moves *moves, const struct verify_field_in_code *field,
                         const struct verify_full *full, size_t at)
{
    switch (full->decoded.mnemonic) {
    case ZYDIS_MNEMONIC_PUSH:
    case ZYDIS_MNEMONIC_XOR:
        return true;
    case ZYDIS_MNEMONIC_MOV: /* a slot on the stack may be a variable that runs through an array */
        return full->operands[0].type == ZYDIS_OPERAND_TYPE_MEMORY &&
               !verify_follow(&moves->code, field->section, at, 0).is_computed;
    case ZYDIS_MNEMONIC_CMP:
        return verify_is_compared_pointer(&moves->code, field->section, at, full, &full->operands[0]);
    default:
        return false;
    }
}

static enum verify_meaning meaning_of_indexed(struct verify_moves *moves,
                                              const struct verify_field_in_code *field, uint64_t rva,
                                              int64_t *delta)
{
    bool is_in_gap = !verify_piece_at(&moves->map, rva) && rva >= moves->map.pieces[0].rva;
    if (is_in_gap && !moves->judged->old_image.is_64)
        return verify_only_array_distance(moves, rva, delta) ? MEANING_INFERRED : MEANING_OPEN;
    if (verify_is_among_code(moves, rva))
        return verify_among_code_meaning(moves, field, rva, delta);
    enum verify_meaning meaning = verify_meaning(moves, rva, ADDRESS_INDEXED, delta);
    return verify_array_may_be_far(moves, rva) ? MEANING_OPEN : meaning;
}

/* By what is done with the address behind the instruction that takes it. */
static enum verify_meaning meaning_of_followed(struct verify_moves *moves,
                                               const struct verify_field_in_code *field,
                                               const struct verify_followed *followed, uint64_t rva,
                                               int64_t *delta)
{
    bool is_32 = !moves->judged->old_image.is_64;
    struct verify_reach all = followed->accessed;
    if (followed->handed.count != 0) {
        all.low = all.count == 0 || followed->handed.low < all.low ? followed->handed.low : all.low;
        all.high = all.count == 0 || followed->handed.high > all.high ? followed->handed.high : all.high;
        all.count += followed->handed.count;
    }
    const struct verify_piece *accessed = accessed_piece(moves, rva, &followed->accessed);
    if (followed->certain.count != 0 || followed->is_accessed_first) {
        if (!accessed)
            return MEANING_OPEN;
        *delta = accessed->delta;
        return MEANING_SURE;
    }
    if (verify_is_among_code(moves, rva))
        return verify_among_code_meaning(moves, field, rva, delta);
    /* How far a function lies from something, or on which side. */
    bool is_distance = followed->is_distance && !followed->is_indexed && !followed->is_added;
    if (is_distance && is_32 && verify_is_code_target(&moves->code, (uint32_t)rva, false))
        return verify_meaning(moves, rva, ADDRESS_TAKEN, delta);
    /* A pointer that runs on from here, and is handed on or accessed first as it is, begins here. */
    bool runs_on = is_32 && followed->is_known;
    if (followed->is_computed && !runs_on)
        return meaning_of_indexed(moves, field, rva, delta);
    if (followed->is_followed || (is_32 && followed->is_known && all.count == 0))
        return verify_piece_at(&moves->map, rva) ? verify_meaning(moves, rva, ADDRESS_DIRECT, delta)
                                                 : MEANING_OPEN;
    if (!is_32 || !followed->is_known)
        return verify_meaning(moves, rva, ADDRESS_TAKEN, delta);
    const struct verify_piece *piece = accessed_piece(moves, rva, &all);
    if (!piece)
        return MEANING_OPEN;
    if (followed->accessed.count == 0)
        return verify_handed_meaning(moves, (uint64_t)((int64_t)rva + followed->handed.low), UINT64_MAX,
                                     delta);
    *delta = piece->delta;
    return MEANING_SURE;
}

/* cmp with the begin of a function. */
static bool is_compared_function(struct verify_moves *moves, const struct verify_full *full, uint64_t rva)
{
    return full->decoded.mnemonic == ZYDIS_MNEMONIC_CMP &&
           verify_is_code_target(&moves->code, (uint32_t)rva, false);
}

enum verify_meaning verify_operand_meaning(struct verify_moves *moves,
                                           const struct verify_field_in_code *field,
                                           const struct verify_uses *uses, uint64_t rva, int64_t *delta)
{
    struct verify_instruction instruction;
    struct verify_full full;
    if (field->kind == FIELD_BRANCH || field->kind == FIELD_CALL)
        return verify_meaning(moves, rva, ADDRESS_DIRECT, delta);
    if ((uses->uses & USE_ADDRESS) && verify_may_be_around_head(moves, field, uses->operand_at, rva))
        return MEANING_OPEN;
    if (!verify_is_near_edge(moves, rva) && !verify_array_may_be_far(moves, rva))
        return verify_meaning(moves, rva, ADDRESS_TAKEN, delta);
    if (!verify_code_decode(&moves->code, field->section, uses->operand_at, &instruction) ||
        !verify_decode_full(&moves->code, field->section, uses->operand_at, &full))
        return MEANING_OPEN;
    bool is_displacement =
        instruction.disp_nbytes != 0 && uses->operand_at + instruction.disp_at == field->at;
    if (is_displacement && instruction.is_plain_memory && !(uses->uses & USE_ADDRESS))
        return verify_meaning(moves, rva, ADDRESS_DIRECT, delta);
    if (is_displacement &&
        (is_jump_table(moves, field, &full, rva) || is_switch_in_data(moves, field, &full, rva)))
        return verify_meaning(moves, rva, ADDRESS_DIRECT, delta);
    if (is_displacement && instruction.is_bit_string)
        return meaning_of_indexed(moves, field, rva, delta);
    bool is_32 = !moves->judged->old_image.is_64;
    struct verify_reach bounded = {.count = 1};
    /* A negative address of 32 bits wraps around. */
    uint64_t unwrapped = rva > INT32_MAX ? rva | UINT64_C(0xFFFFFFFF00000000) : rva;
    const struct verify_piece *piece = NULL;
    uint32_t added_most, nbytes;
    if (is_32 && (is_displacement || full.decoded.mnemonic == ZYDIS_MNEMONIC_ADD) &&
        verify_added_bound(&moves->code, field->section, uses->operand_at, &added_most, &nbytes)) {
        if (nbytes == 0) {
            struct verify_followed sum =
                verify_follow(&moves->code, field->section, uses->operand_at, added_most);
            return meaning_of_followed(moves, field, &sum, rva, delta);
        }
        bounded.high = (int64_t)added_most + nbytes;
        piece = indexed_piece(moves, unwrapped, &bounded);
        if (piece) {
            *delta = piece->delta;
            return MEANING_SURE;
        }
    }
    if (is_32 && is_displacement &&
        verify_bounded_index(&moves->code, field->section, uses->operand_at, &bounded.low, &bounded.high) &&
        (piece = indexed_piece(moves, unwrapped, &bounded)) != NULL) {
        *delta = piece->delta;
        return MEANING_INFERRED; /* the comparison was found by its form: another value is not shown */
    }
    if (!is_displacement && !moves->judged->old_image.is_64 &&
        is_handed_on(moves, field, &full, uses->operand_at))
        return verify_is_among_code(moves, rva) ? verify_among_code_meaning(moves, field, rva, delta)
                                                : verify_handed_meaning(moves, rva, UINT64_MAX, delta);
    if (!is_displacement && is_compared_function(moves, &full, rva))
        return verify_meaning(moves, rva, ADDRESS_TAKEN, delta);
    if ((is_displacement && !instruction.is_plain_memory) || is_arithmetic(&full))
        return meaning_of_indexed(moves, field, rva, delta);
    struct verify_followed followed = verify_follow(&moves->code, field->section, uses->operand_at, 0);
    return meaning_of_followed(moves, field, &followed, rva, delta);
}
