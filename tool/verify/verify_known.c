/* verify_known.c - marks what fields and tables hold.
 * Takes: struct verify_moves.  Gives: struct verify_known.  Must not: mark a byte that no table names. */
#include "verify/verify_known.h"

void verify_known_mark(const struct verify_known *known, uint64_t rva, uint64_t end_rva)
{
    const struct verify_image *image = &known->moves->judged->old_image;
    while (rva < end_rva && rva <= UINT32_MAX) {
        const struct verify_section *section = verify_section_at(image, (uint32_t)rva);
        if (!section)
            return;
        uint64_t raw_end_rva = (uint64_t)section->rva + section->bytes.nbytes;
        uint64_t stop_rva = end_rva < raw_end_rva ? end_rva : raw_end_rva;
        for (; rva < stop_rva; rva++) {
            uint64_t at = rva - section->rva;
            uint8_t *byte = &known->bits[section->index][at / 8];
            known->moves->judged->verdict->step_count++;
            *byte = (uint8_t)(*byte | 1u << (at % 8));
        }
        rva = (uint64_t)section->rva + section->memory_nbytes; /* zeros, and then the next section */
    }
}

bool verify_known_any(const struct verify_known *known, const struct verify_section *section, size_t at,
                      size_t nbytes)
{
    for (size_t i = at; i < at + nbytes; i++)
        if (known->bits[section->index][i / 8] >> (i % 8) & 1)
            return true;
    return false;
}

bool verify_known_empty(struct verify_moves *moves, struct verify_known *known)
{
    const struct verify_image *image = &moves->judged->old_image;
    struct arena *arena = moves->judged->arena;
    *known = (struct verify_known){moves, arena_array(arena, image->section_count, sizeof *known->bits)};
    for (uint32_t i = 0; known->bits && i < image->section_count; i++) {
        known->bits[i] = arena_alloc(arena, image->sections[i].bytes.nbytes / 8 + 1);
        if (!known->bits[i])
            return false;
    }
    return known->bits != NULL;
}

bool verify_known_begin(struct verify_moves *moves, struct verify_known *known)
{
    if (!verify_known_empty(moves, known))
        return false;
    for (size_t i = 0; i < moves->field_count; i++)
        verify_known_mark(known, moves->fields[i].rva,
                          (uint64_t)moves->fields[i].rva + moves->fields[i].nbytes);
    for (size_t i = 0; i < moves->inert.count; i++)
        verify_known_mark(known, moves->inert.items[i].rva, moves->inert.items[i].end_rva);
    return true;
}
