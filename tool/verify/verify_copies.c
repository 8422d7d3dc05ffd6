/* verify_copies.c - x86 instructions whose straddling operand went into a copy elsewhere.
 * Takes: struct verify_moves.  Gives: the copies, checked byte by byte.
 * Must not: accept a copy of an instruction that something leads into the middle of, or whose extent is not
 * certain.  The form: the place holds a jump to the copy and int3 up to its end; the copy is the instruction
 * with its operands as they must be in the new image, then a jump to what follows the place, unless the
 * instruction never goes on. */
#include "verify/verify_relocations.h"
#include "verify/verify_stub.h"

#include <stdlib.h>

enum { JUMP_NBYTES = 5, ADDRESS_NBYTES = 4 };

static int compare_u32(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return a < b ? -1 : a > b;
}

/* The new image's own relocations, ascending. */
static bool new_sites(struct verify_moves *moves, uint32_t **sites, size_t *count)
{
    struct verify_relocation_reader reader = verify_relocations_begin(&moves->judged->new_image);
    struct verify_relocation relocation;
    size_t capacity = 0;
    *sites = NULL;
    *count = 0;
    while (verify_relocations_next(&reader, &relocation)) {
        uint32_t *grown =
            arena_grow(moves->judged->arena, *sites, *count, &capacity, *count + 1, sizeof *grown);
        if (!grown)
            return false;
        *sites = grown;
        (*sites)[(*count)++] = relocation.rva;
        moves->judged->verdict->step_count++;
    }
    if (*count > 1)
        qsort(*sites, *count, sizeof **sites, compare_u32);
    return true;
}

static bool holds_site(const uint32_t *sites, size_t count, uint32_t rva)
{
    return count != 0 && bsearch(&rva, sites, count, sizeof *sites, compare_u32) != NULL;
}

static bool is_applied(const struct verify_repairs *repairs, uint32_t new_rva)
{
    size_t low = 0, high = repairs->applied_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (repairs->applied[middle].rva < new_rva)
            low = middle + 1;
        else
            high = middle;
    }
    return low < repairs->applied_count && repairs->applied[low].rva == new_rva;
}

static const struct verify_copy *copy_up_to(const struct verify_repairs *repairs, uint64_t rva)
{
    size_t low = 0, high = repairs->copy_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (repairs->copies[middle].rva <= rva)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? &repairs->copies[low - 1] : NULL;
}

const struct verify_copy *verify_copy_of(const struct verify_repairs *repairs, uint64_t rva)
{
    const struct verify_copy *copy = copy_up_to(repairs, rva);
    return copy && rva - copy->rva < copy->nbytes ? copy : NULL;
}

static bool check_place(struct verify_moves *moves, struct verify_copy *copy)
{
    struct verify_case *judged = moves->judged;
    uint64_t distance;
    uint8_t byte = 0;
    if (!verify_memory_byte(&judged->new_image, copy->new_rva, &byte) || byte != 0xE9 ||
        !verify_read_at(&judged->new_image, (uint64_t)copy->new_rva + 1, 4, &distance))
        return verify_refute(
            judged, verify_spot_rva(judged, copy->new_rva),
            "The base relocation at RVA 0x%X of the old image is gone, and no jump to a copy is "
            "at RVA 0x%X.",
            (unsigned)copy->rva, (unsigned)copy->new_rva);
    int64_t copy_rva = (int64_t)copy->new_rva + JUMP_NBYTES + (int32_t)distance;
    if (copy_rva < 0 || copy_rva > UINT32_MAX || verify_is_from_old(&moves->map, (uint32_t)copy_rva))
        return verify_refute(judged, verify_spot_rva(judged, copy->new_rva + 1),
                             "The jump at RVA 0x%X, in place of an instruction, does not lead to a copy.",
                             (unsigned)copy->new_rva);
    copy->copy_rva = (uint32_t)copy_rva;
    for (unsigned i = JUMP_NBYTES; i < copy->nbytes; i++)
        if (!verify_memory_byte(&judged->new_image, copy->new_rva + i, &byte) || byte != 0xCC)
            return verify_refute(judged, verify_spot_rva(judged, copy->new_rva + i),
                                 "The byte at RVA 0x%X, behind a jump to a copy, is not int3.",
                                 (unsigned)copy->new_rva + i);
    return true;
}

/* The whole instruction, the jump back, and where they lie. */
static bool check_target(struct verify_moves *moves, const struct verify_copy *copy)
{
    struct verify_case *judged = moves->judged;
    uint32_t nbytes = copy->nbytes + (copy->goes_on ? (uint32_t)JUMP_NBYTES : 0);
    uint32_t jump_rva = copy->copy_rva + copy->nbytes;
    if (!verify_stays_there(moves, copy->copy_rva, nbytes, SCN_MEM_READ | SCN_MEM_EXECUTE,
                            SCN_MEM_WRITE | SCN_MEM_DISCARDABLE, "A copy of an instruction") ||
        !verify_repairs_add(moves, copy->copy_rva, nbytes, "a copy of an instruction"))
        return false;
    uint8_t byte = 0;
    uint64_t distance = 0;
    int64_t back_rva = (int64_t)copy->new_rva + copy->nbytes;
    if (!copy->goes_on)
        return true;
    bool is_jump = verify_memory_byte(&judged->new_image, jump_rva, &byte) && byte == 0xE9 &&
                   verify_read_at(&judged->new_image, (uint64_t)jump_rva + 1, 4, &distance);
    return (is_jump && (int64_t)jump_rva + JUMP_NBYTES + (int32_t)distance == back_rva) ||
           verify_refute(judged, verify_spot_rva(judged, jump_rva),
                         "The copy at RVA 0x%X of the new image does not jump back to RVA 0x%llX.",
                         (unsigned)copy->copy_rva, (unsigned long long)back_rva);
}

static bool append(struct verify_moves *moves, struct verify_copy copy)
{
    struct verify_repairs *repairs = &moves->repairs;
    struct verify_copy *grown = arena_grow(moves->judged->arena, repairs->copies, repairs->copy_count,
                                           &repairs->copy_capacity, repairs->copy_count + 1, sizeof *grown);
    if (!grown)
        return false;
    repairs->copies = grown;
    repairs->copies[repairs->copy_count++] = copy;
    return true;
}

/* A relocation in code that straddled and is no longer there: its instruction must have been copied. */
static bool find_copy(struct verify_moves *moves, uint32_t field_rva)
{
    const struct verify_code_section *section = verify_code_at(&moves->code, field_rva);
    struct verify_instruction instruction;
    if (!section || verify_copy_of(&moves->repairs, field_rva))
        return true;
    size_t at;
    if (!verify_copy_instruction(moves, section, field_rva - section->rva, &at, &instruction))
        return verify_moves_unproved(moves, field_rva,
                                     "It is not certain which instruction has the operand at RVA 0x%X, whose "
                                     "base relocation is gone.",
                                     (unsigned)field_rva);
    struct verify_copy copy = {.rva = section->rva + (uint32_t)at, .nbytes = instruction.nbytes};
    copy.is_call = instruction.flow == FLOW_CALL;
    copy.goes_on = instruction.flow != FLOW_JUMP && instruction.flow != FLOW_STOP;
    const struct verify_piece *piece = verify_piece_at(&moves->map, copy.rva);
    if (copy.nbytes < JUMP_NBYTES || instruction.has_target || instruction.flow == FLOW_BRANCH || !piece ||
        piece->is_slots || copy.rva + (uint64_t)copy.nbytes >= piece->end_rva)
        return verify_moves_unproved(moves, copy.rva,
                                     "The instruction at RVA 0x%X is of a kind that cannot be copied.",
                                     (unsigned)copy.rva);
    copy.new_rva = (uint32_t)((int64_t)copy.rva + piece->delta);
    return check_place(moves, &copy) && check_target(moves, &copy) && append(moves, copy);
}

static int compare_copies(const void *left, const void *right)
{
    const struct verify_copy *a = left, *b = right;
    return a->rva < b->rva ? -1 : a->rva > b->rva;
}

bool verify_copies_find(struct verify_moves *moves)
{
    const struct verify_image *image = &moves->judged->old_image;
    struct verify_repairs *repairs = &moves->repairs;
    struct verify_relocation_reader reader = verify_relocations_begin(image);
    struct verify_relocation relocation;
    uint32_t *sites = NULL, *gone = NULL;
    size_t site_count = 0, gone_count = 0, gone_capacity = 0;
    bool is_read = false;
    while (image->machine == MACHINE_I386 && verify_relocations_next(&reader, &relocation)) {
        uint32_t new_rva;
        moves->judged->verdict->step_count++;
        if (relocation.type != BASERELOC_HIGHLOW || !verify_code_at(&moves->code, relocation.rva) ||
            !verify_mapped_rva(&moves->map, relocation.rva, &new_rva) ||
            !verify_straddles(new_rva, ADDRESS_NBYTES) || is_applied(repairs, new_rva))
            continue;
        if (!is_read && !new_sites(moves, &sites, &site_count))
            return false;
        is_read = true;
        if (holds_site(sites, site_count, new_rva))
            continue;
        uint32_t *grown =
            arena_grow(moves->judged->arena, gone, gone_count, &gone_capacity, gone_count + 1, sizeof *grown);
        if (!grown)
            return false;
        gone = grown;
        gone[gone_count++] = relocation.rva;
    }
    if (gone_count > 1) /* so that the copies come out ascending */
        qsort(gone, gone_count, sizeof *gone, compare_u32);
    for (size_t i = 0; i < gone_count; i++)
        if (!find_copy(moves, gone[i]))
            return false;
    if (repairs->copy_count > 1)
        qsort(repairs->copies, repairs->copy_count, sizeof *repairs->copies, compare_copies);
    for (size_t i = 1; i < repairs->copy_count; i++)
        if (repairs->copies[i].rva < repairs->copies[i - 1].rva + repairs->copies[i - 1].nbytes)
            return verify_moves_unproved(moves, repairs->copies[i].rva,
                                         "Two copied instructions at RVA 0x%X overlap.",
                                         (unsigned)repairs->copies[i].rva);
    return true;
}

bool verify_copied_site(const struct verify_moves *moves, uint32_t old_rva, uint32_t *new_rva)
{
    const struct verify_copy *copy = verify_copy_of(&moves->repairs, old_rva);
    if (copy)
        *new_rva = copy->copy_rva + (old_rva - copy->rva);
    return copy != NULL;
}

static const struct verify_moved_field *field_from(const struct verify_moves *moves, uint32_t rva)
{
    size_t low = 0, high = moves->field_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (moves->fields[middle].rva < rva)
            low = middle + 1;
        else
            high = middle;
    }
    return low < moves->field_count ? &moves->fields[low] : NULL;
}

bool verify_copy_check(struct verify_moves *moves, uint64_t rva, uint32_t *nbytes)
{
    struct verify_case *judged = moves->judged;
    const struct verify_copy *copy = moves->repairs.copy_count == 0 ? NULL : copy_up_to(&moves->repairs, rva);
    *nbytes = 0;
    if (!copy || copy->rva != rva)
        return true;
    for (uint32_t i = 0; i < copy->nbytes;) {
        const struct verify_moved_field *field = field_from(moves, copy->rva + i);
        uint64_t new_rva = (uint64_t)copy->copy_rva + i, value = 0, expected = 0;
        unsigned width = 1;
        uint8_t byte = 0;
        if (field && field->rva == copy->rva + i) {
            width = field->nbytes;
            expected = field->expected;
            if (width != ADDRESS_NBYTES || i + width > copy->nbytes)
                return verify_moves_unproved(moves, field->rva,
                                             "%s at RVA 0x%X is no operand of the copied instruction.",
                                             field->what, (unsigned)field->rva);
            verify_read_at(&judged->new_image, new_rva, width, &value);
        } else {
            verify_memory_byte(&judged->old_image, rva + i, &byte);
            expected = byte;
            byte = 0;
            verify_memory_byte(&judged->new_image, new_rva, &byte);
            value = byte;
        }
        if (value != expected)
            return verify_refute(judged, verify_spot_rva(judged, (uint32_t)new_rva),
                                 "The copy at RVA 0x%X of the new image has 0x%llX at RVA 0x%llX, where the "
                                 "instruction at RVA 0x%llX asks for 0x%llX.",
                                 (unsigned)copy->copy_rva, (unsigned long long)value,
                                 (unsigned long long)new_rva, (unsigned long long)rva,
                                 (unsigned long long)expected);
        i += width;
    }
    *nbytes = copy->nbytes;
    return true;
}
