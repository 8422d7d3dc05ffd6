/* verify_among_code.c - decides what an address among instructions means.
 * Takes: see the header.  Gives: verify_among_code_meaning().
 * Must not: let a folded address mean the instruction that it falls on by chance. */
#include "verify/verify_around_head.h"
#include "verify/verify_ways.h"

enum {
    NEAR_LABEL_NBYTES = 64, /* where a function goes on after it called what may unwind to there */
    EPILOGUE_MAX_COUNT = 16
};

/* push ebp; mov ebp, esp, in both encodings, with or without room for a patch: behind text its begin may not
 * be known for one. */
static bool is_prologue(const struct verify_moves *moves, uint64_t rva)
{
    static const uint8_t patch[] = {0x8B, 0xFF}, prologues[2][3] = {{0x55, 0x8B, 0xEC}, {0x55, 0x89, 0xE5}};
    struct span bytes =
        rva > UINT32_MAX ? (struct span){NULL, 0} : verify_bytes_at(&moves->judged->old_image, (uint32_t)rva);
    size_t at = bytes.nbytes >= sizeof patch && memcmp(bytes.bytes, patch, sizeof patch) == 0 ? 2 : 0;
    if (moves->judged->old_image.is_64 || !range_fits(bytes.nbytes, at, 3))
        return false;
    return memcmp(bytes.bytes + at, prologues[0], 3) == 0 || memcmp(bytes.bytes + at, prologues[1], 3) == 0;
}

/* Each instruction of the function is looked at, as long as the budget lasts. */
static bool is_branched_to(struct verify_moves *moves, const struct verify_code_section *section,
                           const struct verify_function *function, size_t at)
{
    struct verify_instruction instruction;
    uint32_t nbytes = function->end_rva - function->rva;
    size_t begin = function->rva - section->rva;
    if (moves->code.has_branches)
        return verify_is_inner_label(&moves->code, section, at);
    if (moves->budget_count < nbytes)
        return false;
    moves->budget_count -= nbytes;
    for (size_t from = begin; from < begin + nbytes; from++)
        if (verify_bit(section->starts, from) &&
            verify_code_decode(&moves->code, section, from, &instruction) && instruction.has_target &&
            instruction.flow != FLOW_CALL && (int64_t)from + instruction.target == (int64_t)at)
            return true;
    return false;
}

/* A branch of its function leads to rva, or no instruction before it goes on there. */
static bool is_label(struct verify_moves *moves, uint64_t rva)
{
    const struct verify_code_section *section = verify_code_at(&moves->code, rva);
    struct verify_function *function = section ? verify_function_at(&moves->code, (uint32_t)rva) : NULL;
    size_t at = section ? (size_t)(rva - section->rva) : 0;
    return function && verify_function_is_clean(&moves->code, function) && verify_bit(section->starts, at) &&
           (verify_follows_an_end(&moves->code, section, function->rva - section->rva, at) ||
            is_branched_to(moves, section, function, at));
}

/* [index * scale + address]: a table's begin, or where it would begin. */
static bool has_index(const struct verify_field_in_code *field)
{
    const uint8_t *bytes = field->section->bytes.bytes;
    return field->at >= 2 && (bytes[field->at - 2] & 0xC7) == 0x04 && (bytes[field->at - 1] & 0x07) == 0x05;
}

/* mov [memory], offset label; ...; label: a little further on in the same function. */
static bool is_near_label(struct verify_moves *moves, const struct verify_field_in_code *field, uint64_t rva)
{
    uint64_t field_rva = field->section->rva + (uint64_t)field->at;
    struct verify_function *function = verify_function_at(&moves->code, (uint32_t)field_rva);
    return function && !has_index(field) && rva > field_rva && rva - field_rva <= NEAR_LABEL_NBYTES &&
           rva < function->end_rva && verify_begins_instruction(&moves->code, rva);
}

/* lea rax, [label]; the epilogue; ret: an exception handler says where its function goes on. */
static bool is_returned(struct verify_moves *moves, const struct verify_field_in_code *field, uint64_t rva)
{
    enum { LEA_RAX_NBYTES = 3 };
    static const uint8_t lea_rax[] = {0x48, 0x8D, 0x05};
    struct verify_function *function = verify_function_at(&moves->code, (uint32_t)rva);
    struct verify_full full;
    size_t at = field->at + 4;
    if (!moves->judged->old_image.is_64 || field->at < LEA_RAX_NBYTES || !function || function->is_gap ||
        !verify_begins_instruction(&moves->code, rva) ||
        memcmp(field->section->bytes.bytes + field->at - LEA_RAX_NBYTES, lea_rax, LEA_RAX_NBYTES) != 0)
        return false;
    for (unsigned i = 0; i < EPILOGUE_MAX_COUNT; i++) {
        if (!verify_decode_full(&moves->code, field->section, at, &full))
            return false;
        if (full.decoded.mnemonic == ZYDIS_MNEMONIC_RET)
            return true;
        if (!verify_falls_through(&full) || full.decoded.meta.category == ZYDIS_CATEGORY_CALL ||
            (verify_written_registers(&full) & 1u))
            return false;
        at += full.decoded.length;
    }
    return false;
}

bool verify_is_among_code(struct verify_moves *moves, uint64_t rva)
{
    const struct verify_piece *own = verify_piece_at(&moves->map, rva);
    const struct verify_code_section *section = verify_code_at(&moves->code, rva);
    return own && own->is_code && section && verify_array_may_be_far(moves, rva) &&
           verify_is_in_instruction(moves, section, (size_t)(rva - section->rva)) &&
           !verify_is_function(moves, rva) && !is_prologue(moves, rva);
}

enum verify_meaning verify_among_code_meaning(struct verify_moves *moves,
                                              const struct verify_field_in_code *field, uint64_t rva,
                                              int64_t *delta)
{
    const struct verify_piece *own = verify_piece_at(&moves->map, rva);
    uint64_t field_rva = field->section->rva + (uint64_t)field->at;
    /* A branch alone says nothing about an address that may be the one around the head of a list. */
    bool may_be_label = !verify_has_head_behind(moves, rva) || verify_is_ahead(moves, field_rva, rva);
    if (own && ((may_be_label && is_label(moves, rva)) || is_near_label(moves, field, rva) ||
                is_returned(moves, field, rva))) {
        *delta = own->delta;
        return MEANING_INFERRED;
    }
    /* The begin of another instruction may be taken for its own sake all the same. */
    if (!own || verify_begins_instruction(&moves->code, rva))
        return MEANING_OPEN;
    return verify_is_one_distance(moves, rva, delta) ? MEANING_INFERRED : MEANING_OPEN;
}
