/* verify_accessed.c - finds the loads of pointers that lead into code, and follows what they load.
 * Takes: base relocations and code of the old image.  Gives: verify_is_accessed_through().
 * Must not: follow anything but a plain load, or twice what it followed once. */
#include "verify/verify_accessed.h"
#include "verify/verify_follow.h"
#include "verify/verify_operand.h"
#include "verify/verify_relocations.h"

#include <stdlib.h>

enum { DISP32_NBYTES = 4 };

static int compare_rvas(const void *left, const void *right)
{
    const uint32_t *a = left, *b = right;
    return *a < *b ? -1 : *a > *b;
}

static struct verify_pointer *pointer_at(const struct verify_moves *moves, uint64_t rva)
{
    size_t low = 0, high = moves->pointer_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (moves->pointers[middle].rva < rva)
            low = middle + 1;
        else
            high = middle;
    }
    return low < moves->pointer_count && moves->pointers[low].rva == rva ? &moves->pointers[low] : NULL;
}

/* All relocated addresses that lead into code. */
static bool find_pointers(struct verify_moves *moves)
{
    const struct verify_image *image = &moves->judged->old_image;
    struct verify_relocation_reader reader = verify_relocations_begin(image);
    struct verify_relocation relocation;
    size_t capacity = 0;
    uint64_t va;
    while (verify_relocations_next(&reader, &relocation)) {
        unsigned nbytes = verify_relocation_width(relocation.type);
        moves->judged->verdict->step_count++;
        if (nbytes == 0 || !verify_read_at(image, relocation.rva, nbytes, &va) ||
            !verify_is_instruction(&moves->code, va - image->base_va))
            continue;
        struct verify_pointer *grown = arena_grow(moves->judged->arena, moves->pointers, moves->pointer_count,
                                                  &capacity, moves->pointer_count + 1, sizeof *grown);
        if (!grown)
            return false;
        moves->pointers = grown;
        moves->pointers[moves->pointer_count++] = (struct verify_pointer){relocation.rva, false};
    }
    if (moves->pointer_count > 1)
        qsort(moves->pointers, moves->pointer_count, sizeof *moves->pointers, compare_rvas);
    return true;
}

/* mov r, [pointer], or add. */
static bool is_accessed(struct verify_moves *moves, const struct verify_field_in_code *field)
{
    struct verify_instruction instruction;
    struct verify_full full;
    struct verify_uses uses = verify_uses_resolved(&moves->code, field);
    if (!uses.is_operand || !uses.is_unanimous || uses.uses != USE_READ ||
        !verify_code_decode(&moves->code, field->section, uses.operand_at, &instruction) ||
        !instruction.is_plain_memory ||
        !verify_decode_full(&moves->code, field->section, uses.operand_at, &full) ||
        full.operands[0].type != ZYDIS_OPERAND_TYPE_REGISTER)
        return false;
    if (full.decoded.mnemonic != ZYDIS_MNEMONIC_MOV)
        return full.decoded.mnemonic == ZYDIS_MNEMONIC_ADD;
    struct verify_followed followed = verify_follow(&moves->code, field->section, uses.operand_at, 0);
    return followed.accessed.count != 0 || followed.is_indexed || followed.is_added;
}

static void look_at(struct verify_moves *moves, const struct verify_field_in_code *field, uint64_t target_rva)
{
    struct verify_pointer *pointer = pointer_at(moves, target_rva);
    if (pointer && !pointer->is_accessed)
        pointer->is_accessed = is_accessed(moves, field);
}

static void look_at_relocated(struct verify_moves *moves)
{
    const struct verify_image *image = &moves->judged->old_image;
    struct verify_relocation_reader reader = verify_relocations_begin(image);
    struct verify_relocation relocation;
    uint64_t va;
    while (verify_relocations_next(&reader, &relocation)) {
        const struct verify_code_section *section = verify_code_at(&moves->code, relocation.rva);
        unsigned nbytes = verify_relocation_width(relocation.type);
        moves->judged->verdict->step_count++;
        if (!section || nbytes == 0 || !verify_read_at(image, relocation.rva, nbytes, &va))
            continue;
        struct verify_field_in_code field = {section, relocation.rva - section->rva, nbytes, FIELD_ABSOLUTE,
                                             0};
        look_at(moves, &field, va - image->base_va);
    }
}

static void look_at_relative(struct verify_moves *moves, const struct verify_code_section *section)
{
    for (size_t at = 1; range_fits(section->bytes.nbytes, at, DISP32_NBYTES); at++) {
        moves->judged->verdict->step_count++;
        if ((section->bytes.bytes[at - 1] & 0xC7) != 0x05)
            continue;
        struct verify_field_in_code field = {section, at, DISP32_NBYTES, FIELD_RIP_RELATIVE, 0};
        look_at(moves, &field,
                (uint64_t)((int64_t)section->rva + (int64_t)at + DISP32_NBYTES +
                           (int32_t)load_u32(section->bytes.bytes + at)));
    }
}

bool verify_is_accessed_through(struct verify_moves *moves, uint64_t pointer_rva)
{
    if (!moves->has_pointers) {
        if (!find_pointers(moves))
            return true; /* the next who asks for memory fails */
        moves->has_pointers = true;
        look_at_relocated(moves);
        for (uint32_t i = 0; moves->code.image->is_64 && i < moves->code.section_count; i++)
            look_at_relative(moves, &moves->code.sections[i]);
    }
    const struct verify_pointer *pointer = pointer_at(moves, pointer_rva);
    return pointer && pointer->is_accessed;
}
