/* verify_handed.c - what an address near an edge means that is stored, passed on, or lies in data.
 * Takes: see verify_edges.h.  Gives: verify_handed_meaning().  Must not: let an address into the middle of
 * decoded code mean the code, when nothing says that it is a label. */
#include "verify/verify_accessed.h"
#include "verify/verify_among_code.h"
#include "verify/verify_code_target.h"
#include "verify/verify_registers.h"
#include "verify/verify_ways.h"

enum { LABEL_REACH_NBYTES = 0x4000, FILL_MAX_COUNT = 32 };

/* The end of one part is the begin of the next. */
static bool is_seam(const struct verify_moves *moves, uint64_t rva)
{
    const struct verify_piece *piece = verify_piece_at(&moves->map, rva);
    const struct verify_piece *before = piece ? verify_piece_before(&moves->map, piece->rva) : NULL;
    return piece && rva == piece->rva && before && before->end_rva == rva;
}

/* nop, or what assemblers take for one: lea r, [r + 0]; mov r, r. */
static bool is_fill(const struct verify_full *full)
{
    const ZydisDecodedOperand *to = &full->operands[0], *from = &full->operands[1];
    if (full->decoded.meta.category == ZYDIS_CATEGORY_NOP ||
        full->decoded.meta.category == ZYDIS_CATEGORY_WIDENOP)
        return true;
    if (full->decoded.mnemonic == ZYDIS_MNEMONIC_LEA)
        return from->mem.base == to->reg.value && from->mem.index == ZYDIS_REGISTER_NONE &&
               from->mem.disp.value == 0;
    return full->decoded.mnemonic == ZYDIS_MNEMONIC_MOV && to->type == ZYDIS_OPERAND_TYPE_REGISTER &&
           from->type == ZYDIS_OPERAND_TYPE_REGISTER && to->reg.value == from->reg.value;
}

/* The instruction of known code that ends where `at` begins, or none. */
static bool decode_before(const struct verify_code *code, const struct verify_code_section *section,
                          size_t begin, size_t at, struct verify_full *full)
{
    for (size_t back = 1; back <= INSTRUCTION_MAX_NBYTES && back <= at - begin; back++)
        if (verify_bit(section->starts, at - back))
            return verify_decode_full(code, section, at - back, full) && full->decoded.length == back;
    return false;
}

/* Code does not come here from the instruction before, or from what lies before the fill. */
bool verify_follows_an_end(const struct verify_code *code, const struct verify_code_section *section,
                           size_t begin, size_t at)
{
    struct verify_full full;
    for (unsigned i = 0; at != begin && i < FILL_MAX_COUNT; i++) {
        if (!decode_before(code, section, begin, at, &full))
            return false;
        if (!verify_falls_through(&full))
            return true;
        if (!is_fill(&full))
            return false;
        at -= full.decoded.length;
    }
    return at == begin;
}

/* Fill that is no room for a patch at the begin of a function. */
static bool is_nop(const struct verify_code *code, const struct verify_code_section *section, size_t at)
{
    struct verify_full full;
    return verify_decode_full(code, section, at, &full) &&
           (full.decoded.meta.category == ZYDIS_CATEGORY_NOP ||
            full.decoded.meta.category == ZYDIS_CATEGORY_WIDENOP);
}

static bool is_behind_end(const struct verify_code *code, const struct verify_code_section *section,
                          const struct verify_function *function, size_t at)
{
    return verify_follows_an_end(code, section, function->rva - section->rva, at) &&
           !is_nop(code, section, at);
}

/* Two instructions of one function, as far as that is known: no call leads between them. */
static bool are_of_one_function(struct verify_moves *moves, uint64_t rva, uint64_t other_rva)
{
    uint64_t low = rva < other_rva ? rva : other_rva, high = rva < other_rva ? other_rva : rva;
    struct verify_function *function = verify_function_at(&moves->code, (uint32_t)low);
    if (!function || function != verify_function_at(&moves->code, (uint32_t)high))
        return false;
    return !function->is_gap || !verify_is_called_between(&moves->code, (uint32_t)low, (uint32_t)high);
}

/* An address beside this one, in data, leads to an instruction not far away: a table of functions, if this
 * may be the begin of one, or of labels of one function. */
static bool has_code_beside(struct verify_moves *moves, uint64_t rva, uint64_t field_rva, bool may_begin)
{
    const struct verify_image *image = moves->code.image;
    unsigned nbytes = image->is_64 ? 8 : 4;
    for (int side = -1; side <= 1; side += 2) {
        uint64_t va;
        if (!verify_read_at(image, field_rva + (uint64_t)(int64_t)(side * (int)nbytes), nbytes, &va))
            continue;
        uint64_t other_rva = va - image->base_va;
        if (verify_is_instruction(&moves->code, other_rva) && other_rva < rva + LABEL_REACH_NBYTES &&
            rva < other_rva + LABEL_REACH_NBYTES && (may_begin || are_of_one_function(moves, rva, other_rva)))
            return true;
    }
    return false;
}

/* A function begins there, not only a label that a jump before it leaves free. */
static bool is_function(struct verify_moves *moves, const struct verify_code_section *section,
                        const struct verify_function *function, size_t at)
{
    size_t begin = function->rva - section->rva;
    if (!function->is_gap)
        return at == begin;
    if (verify_bit(section->called, at) && moves->judged->old_image.is_64)
        return true;
    return !verify_is_inner_label(&moves->code, section, at) &&
           (verify_bit(section->called, at) || is_behind_end(&moves->code, section, function, at));
}

bool verify_is_function(struct verify_moves *moves, uint64_t rva)
{
    const struct verify_code_section *section = verify_code_at(&moves->code, rva);
    struct verify_function *function = section ? verify_function_at(&moves->code, (uint32_t)rva) : NULL;
    size_t at = section ? (size_t)(rva - section->rva) : 0;
    return function && verify_function_is_clean(&moves->code, function) && verify_bit(section->starts, at) &&
           (rva == moves->code.image->entry_rva || is_function(moves, section, function, at));
}

/* In decoded code: a function or a label; what code itself takes may be any instruction, such as the one
 * where an exception goes on. Elsewhere anything. */
static bool may_be_meant(struct verify_moves *moves, uint64_t rva, uint64_t field_rva)
{
    const struct verify_code_section *section = verify_code_at(&moves->code, rva);
    struct verify_function *function = section ? verify_function_at(&moves->code, (uint32_t)rva) : NULL;
    if (!function || !verify_function_is_clean(&moves->code, function))
        return true;
    size_t at = (size_t)(rva - section->rva);
    if (!verify_bit(section->starts, at) ||
        (field_rva != UINT64_MAX && verify_is_accessed_through(moves, field_rva)))
        return false;
    return field_rva == UINT64_MAX || rva == moves->code.image->entry_rva ||
           is_function(moves, section, function, at) ||
           has_code_beside(moves, rva, field_rva, is_behind_end(&moves->code, section, function, at));
}

enum verify_meaning verify_handed_meaning(struct verify_moves *moves, uint64_t rva, uint64_t field_rva,
                                          int64_t *delta)
{
    if (!may_be_meant(moves, rva, field_rva)) {
        /* Data that is indexed from such an address may lie at any distance. */
        enum verify_meaning indexed = verify_meaning(moves, rva, ADDRESS_INDEXED, delta);
        return field_rva != UINT64_MAX && verify_array_may_be_far(moves, rva) ? MEANING_OPEN : indexed;
    }
    enum verify_meaning meaning = verify_meaning(moves, rva, ADDRESS_TAKEN, delta);
    const struct verify_piece *piece = verify_piece_at(&moves->map, rva);
    if (meaning == MEANING_SURE || !piece || is_seam(moves, rva))
        return meaning;
    *delta = piece->delta;
    return MEANING_INFERRED;
}
