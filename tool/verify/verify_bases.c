/* verify_bases.c - finds indexed operands, and addresses taken and not followed, near edges.
 * Takes: relocated fields and RIP-relative operands at every byte position.  Gives: moves->bases, ascending.
 * Must not: decide what an address means. */
#include "verify/verify_bases.h"
#include "verify/verify_edges.h"
#include "verify/verify_follow.h"
#include "verify/verify_relocations.h"
#include "verify/verify_text_literal.h"

#include <stdlib.h>

enum { DISP32_NBYTES = 4 };

static bool add_base(struct verify_moves *moves, uint64_t rva)
{
    uint32_t *grown = arena_grow(moves->judged->arena, moves->bases, moves->base_count, &moves->base_capacity,
                                 moves->base_count + 1, sizeof *moves->bases);
    if (!grown)
        return false;
    moves->bases = grown;
    moves->bases[moves->base_count++] = (uint32_t)rva;
    return true;
}

/* A field that may lead to rva, near an edge. */
static bool look_at(struct verify_moves *moves, const struct verify_field_in_code *field, uint64_t rva)
{
    if (!verify_uses_possible(&moves->code, field).is_operand)
        return true;
    struct verify_uses uses = verify_uses_resolved(&moves->code, field);
    struct verify_instruction instruction;
    moves->looked_at_count++;
    if (!uses.is_operand || !verify_code_decode(&moves->code, field->section, uses.operand_at, &instruction))
        return true;
    bool is_plain = instruction.is_plain_memory && uses.operand_at + instruction.disp_at == field->at;
    if (uses.is_unanimous && is_plain && !(uses.uses & USE_ADDRESS))
        return true;
    struct verify_followed followed = verify_follow(&moves->code, field->section, uses.operand_at, 0);
    if (uses.is_unanimous && followed.is_followed)
        return true;
    /* The address of a string that is handed on is no array's. */
    bool is_text = !followed.is_indexed && !followed.is_added && !followed.is_distance &&
                   (uses.uses & USE_ADDRESS) &&
                   verify_is_text_literal(moves->code.image, rva, &moves->code.step_count);
    return is_text || add_base(moves, rva);
}

static bool look_at_relocations(struct verify_moves *moves)
{
    const struct verify_image *image = &moves->judged->old_image;
    struct verify_relocation_reader reader = verify_relocations_begin(image);
    struct verify_relocation relocation;
    while (verify_relocations_next(&reader, &relocation)) {
        const struct verify_code_section *section = verify_code_at(&moves->code, relocation.rva);
        unsigned nbytes = verify_relocation_width(relocation.type);
        uint64_t va;
        moves->judged->verdict->step_count++;
        if (!section || nbytes == 0 || !verify_read_at(image, relocation.rva, nbytes, &va) ||
            va < image->base_va || va - image->base_va > UINT32_MAX ||
            !verify_is_near_edge(moves, va - image->base_va))
            continue;
        struct verify_field_in_code field = {section, relocation.rva - section->rva, nbytes, FIELD_ABSOLUTE,
                                             0};
        if (!look_at(moves, &field, va - image->base_va))
            return false;
    }
    return true;
}

static bool look_at_section(struct verify_moves *moves, const struct verify_code_section *section)
{
    static const uint8_t trailing_nbytes[] = {0, 1, 2, 4};
    for (size_t at = 1; range_fits(section->bytes.nbytes, at, DISP32_NBYTES); at++) {
        moves->judged->verdict->step_count++;
        if ((section->bytes.bytes[at - 1] & 0xC7) != 0x05)
            continue;
        int64_t end_rva = (int64_t)section->rva + (int64_t)at + DISP32_NBYTES;
        for (size_t i = 0; i < sizeof trailing_nbytes; i++) {
            struct verify_field_in_code field = {section, at, DISP32_NBYTES, FIELD_RIP_RELATIVE,
                                                 trailing_nbytes[i]};
            int64_t rva = end_rva + (int32_t)load_u32(section->bytes.bytes + at) + trailing_nbytes[i];
            if (rva >= moves->map.pieces[0].rva && rva <= UINT32_MAX &&
                verify_is_near_edge(moves, (uint64_t)rva) && !look_at(moves, &field, (uint64_t)rva))
                return false;
        }
    }
    return true;
}

static int compare_rvas(const void *left, const void *right)
{
    const uint32_t *a = left, *b = right;
    return *a < *b ? -1 : *a > *b;
}

bool verify_bases_find(struct verify_moves *moves)
{
    if (!moves->map.moves_apart)
        return true;
    if (!look_at_relocations(moves))
        return false;
    for (uint32_t i = 0; moves->judged->old_image.is_64 && i < moves->code.section_count; i++)
        if (!look_at_section(moves, &moves->code.sections[i]))
            return false;
    if (moves->base_count > 1)
        qsort(moves->bases, moves->base_count, sizeof *moves->bases, compare_rvas);
    return true;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
    return a < b ? b - a : a - b;
}

/* A base on the other side of the edge. */
static bool has_base_at(const struct verify_moves *moves, const struct verify_piece *piece, uint64_t edge_rva)
{
    size_t low = 0, high = moves->base_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((uint64_t)moves->bases[middle] + EDGE_NBYTES < edge_rva)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < moves->base_count && moves->bases[low] <= edge_rva + EDGE_NBYTES; low++) {
        const struct verify_piece *other = verify_piece_at(&moves->map, moves->bases[low]);
        if (!other || other->delta != piece->delta)
            return true;
    }
    return false;
}

bool verify_has_base_near(const struct verify_moves *moves, const struct verify_piece *piece, uint64_t rva)
{
    return (distance(rva, piece->rva) <= EDGE_NBYTES && has_base_at(moves, piece, piece->rva)) ||
           (distance(rva, piece->end_rva) <= EDGE_NBYTES && has_base_at(moves, piece, piece->end_rva));
}
