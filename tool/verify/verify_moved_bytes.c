/* verify_moved_bytes.c - every old byte against its place in the new image, and every new byte against the
 * old. Takes: struct verify_moves with all fields.  Gives: true, or the first byte that is not explained.
 * Must not: pass over a byte of either image. */
#include "verify/verify_moved_bytes.h"
#include "verify/verify_moved_headers.h"
#include "verify/verify_repairs.h"
#include "verify/verify_tail.h"

#include <stdlib.h>

static int compare_fields(const void *left, const void *right)
{
    const struct verify_moved_field *a = left, *b = right;
    if (a->rva != b->rva)
        return a->rva < b->rva ? -1 : 1;
    return a->nbytes < b->nbytes ? -1 : a->nbytes > b->nbytes;
}

bool verify_sort_fields(struct verify_moves *moves)
{
    if (moves->field_count > 1)
        qsort(moves->fields, moves->field_count, sizeof *moves->fields, compare_fields);
    size_t kept = 0;
    for (size_t i = 0; i < moves->field_count; i++) {
        struct verify_moved_field *last = kept ? &moves->fields[kept - 1] : NULL, *next = &moves->fields[i];
        if (last && next->rva < last->rva + last->nbytes) {
            last->is_inferred = last->is_inferred && next->is_inferred;
            if (last->rva != next->rva || last->nbytes != next->nbytes || last->expected != next->expected)
                return verify_moves_unproved(
                    moves, next->rva, "The bytes at RVA 0x%X are %s and also %s, which does not agree.",
                    (unsigned)next->rva, last->what, next->what);
            continue;
        }
        moves->fields[kept++] = *next;
    }
    moves->field_count = kept;
    return true;
}

static uint64_t read_memory(const struct verify_image *image, uint64_t rva, unsigned nbytes)
{
    uint8_t bytes[8] = {0};
    for (unsigned i = 0; i < nbytes; i++)
        verify_memory_byte(image, rva + i, &bytes[i]);
    return load_width(bytes, nbytes);
}

static bool check_field(struct verify_moves *moves, const struct verify_piece *piece,
                        const struct verify_moved_field *field)
{
    struct verify_case *judged = moves->judged;
    uint64_t new_rva = (uint64_t)((int64_t)field->rva + piece->delta);
    uint64_t value = read_memory(&judged->new_image, new_rva, field->nbytes);
    if (field->rva + (uint64_t)field->nbytes > piece->end_rva)
        return verify_moves_unproved(moves, field->rva, "%s at RVA 0x%X is not in one piece.", field->what,
                                     (unsigned)field->rva);
    if (value == field->expected)
        return true;
    if (field->is_inferred)
        return verify_moves_unproved(
            moves, field->rva, "%s at RVA 0x%X became 0x%llX; it is not shown that it need not be 0x%llX.",
            field->what, (unsigned)field->rva, (unsigned long long)value,
            (unsigned long long)field->expected);
    return verify_refute(
        judged, verify_spot_rva(judged, (uint32_t)new_rva),
        "%s at RVA 0x%X (RVA 0x%X of the old image) is 0x%llX; to lead where it led it must be "
        "0x%llX.",
        field->what, (unsigned)new_rva, (unsigned)field->rva, (unsigned long long)value,
        (unsigned long long)field->expected);
}

static bool is_in_relocations(const struct verify_image *image, uint64_t rva)
{
    struct verify_directory directory = image->directory_count > DIR_BASERELOC
                                            ? image->directories[DIR_BASERELOC]
                                            : (struct verify_directory){0, 0};
    return rva >= directory.rva && rva - directory.rva < directory.nbytes;
}

/* The byte is in a number of code that followed what it means as an RVA. Where code takes the image base, it
 * may be added to that. */
static bool may_be_rva_number(const struct verify_moves *moves, const struct verify_piece *piece,
                              uint64_t rva)
{
    enum { NUMBER_NBYTES = 4 };
    if (!piece->is_code || !moves->judged->old_image.is_64 || moves->base_sites.count == 0)
        return false;
    for (uint64_t before = 0; before < NUMBER_NBYTES && rva - before >= piece->rva; before++) {
        uint64_t at_rva = rva - before;
        uint64_t old_value = read_memory(&moves->judged->old_image, at_rva, NUMBER_NBYTES);
        uint64_t new_value =
            read_memory(&moves->judged->new_image, (uint64_t)((int64_t)at_rva + piece->delta), NUMBER_NBYTES);
        const struct verify_piece *target = verify_piece_at(&moves->map, old_value);
        if (target && new_value != old_value && new_value == (uint64_t)((int64_t)old_value + target->delta))
            return true;
    }
    return false;
}

static bool check_byte(struct verify_moves *moves, const struct verify_piece *piece, uint64_t rva)
{
    struct verify_case *judged = moves->judged;
    uint64_t new_rva = (uint64_t)((int64_t)rva + piece->delta);
    uint8_t old_byte = 0, new_byte = 0;
    if (!verify_memory_byte(&judged->old_image, rva, &old_byte))
        return true;
    if (!verify_memory_byte(&judged->new_image, new_rva, &new_byte))
        return verify_refute(
            judged, (struct verify_spot){true, UINT64_MAX, (uint32_t)rva},
            "The byte at RVA 0x%llX of the old image is not in the new one (RVA 0x%llX is in no "
            "section).",
            (unsigned long long)rva, (unsigned long long)new_rva);
    if (is_in_relocations(&judged->old_image, rva))
        return new_byte == 0 || is_in_relocations(&judged->new_image, new_rva) ||
               verify_refute(judged, verify_spot_rva(judged, (uint32_t)new_rva),
                             "The byte at RVA 0x%llX is left from the old base relocations.",
                             (unsigned long long)new_rva);
    bool is_spill = old_byte == 0 && rva - piece->section->rva >= piece->section->virtual_nbytes &&
                    is_in_relocations(&judged->new_image, new_rva);
    /* Data that left a code section leaves fill behind; where the map does not know of them, it may be wrong.
     */
    if (old_byte != new_byte && new_byte == 0xCC && (piece->section->characteristics & SCN_MEM_EXECUTE))
        return verify_moves_unproved(moves, (uint32_t)rva,
                                     "The byte at RVA 0x%llX (RVA 0x%llX of the old image) has become fill; "
                                     "it is not shown where it went.",
                                     (unsigned long long)new_rva, (unsigned long long)rva);
    if (old_byte != new_byte && !is_spill && may_be_rva_number(moves, piece, rva))
        return verify_moves_unproved(moves, (uint32_t)rva,
                                     "The number at RVA 0x%llX (RVA 0x%llX of the old image) changed like an "
                                     "RVA; it is not shown that it is added to the image base.",
                                     (unsigned long long)new_rva, (unsigned long long)rva);
    if (old_byte != new_byte && !is_spill)
        return verify_refute(
            judged, verify_spot_rva(judged, (uint32_t)new_rva),
            "The byte at RVA 0x%llX is 0x%02X; at RVA 0x%llX of the old image it is 0x%02X, and "
            "no known field explains the change.",
            (unsigned long long)new_rva, new_byte, (unsigned long long)rva, old_byte);
    bool is_padding = rva - piece->section->rva >= piece->section->virtual_nbytes;
    if (!is_padding && is_in_relocations(&judged->new_image, new_rva))
        return verify_refute(judged, verify_spot_rva(judged, (uint32_t)new_rva),
                             "The new base relocations overlap mapped content at RVA 0x%llX.",
                             (unsigned long long)new_rva);
    return true;
}

static bool check_old_bytes(struct verify_moves *moves)
{
    size_t next = 0;
    for (size_t i = 0; i < moves->map.count; i++) {
        const struct verify_piece *piece = &moves->map.pieces[i];
        uint64_t rva = piece->rva;
        while (rva < piece->end_rva) {
            while (next < moves->field_count && moves->fields[next].rva < rva)
                next++;
            moves->judged->verdict->step_count++;
            uint32_t copied_nbytes;
            if (!verify_copy_check(moves, rva, &copied_nbytes))
                return false;
            if (copied_nbytes != 0) {
                rva += copied_nbytes;
                continue;
            }
            if (next < moves->field_count && moves->fields[next].rva == rva) {
                if (!check_field(moves, piece, &moves->fields[next]))
                    return false;
                rva += moves->fields[next].nbytes;
            } else {
                if (!check_byte(moves, piece, rva))
                    return false;
                rva++;
            }
        }
    }
    return true;
}

struct interval {
    uint64_t rva, end_rva;
    const struct verify_piece *piece; /* NULL: made by a repair */
};

static int compare_intervals(const void *left, const void *right)
{
    const struct interval *a = left, *b = right;
    return a->rva < b->rva ? -1 : a->rva > b->rva;
}

/* int3 behind the last bytes of a piece that was its section's padding there, and went along. */
static bool is_old_padding(const struct verify_moves *moves, const struct interval *before, uint64_t rva)
{
    uint8_t byte = 0;
    uint64_t old_rva = before->piece ? (uint64_t)((int64_t)rva - before->piece->delta) : UINT64_MAX;
    return before->piece && old_rva - before->piece->section->rva >= before->piece->section->virtual_nbytes &&
           old_rva - before->piece->section->rva < before->piece->section->memory_nbytes &&
           verify_memory_byte(&moves->judged->old_image, old_rva, &byte) && byte == 0xCC;
}

/* Between the mapped intervals: padding or the rebuilt relocations. */
static bool check_rest(struct verify_moves *moves, const struct verify_section *section,
                       const struct interval *intervals, size_t count)
{
    struct verify_case *judged = moves->judged;
    size_t i = 0;
    for (uint64_t at = 0; at < section->bytes.nbytes;) {
        uint64_t rva = section->rva + at;
        while (i < count && intervals[i].end_rva <= rva)
            i++;
        judged->verdict->step_count++;
        if (i < count && intervals[i].rva <= rva) {
            at = intervals[i].end_rva - section->rva;
            continue;
        }
        uint8_t byte = section->bytes.bytes[at];
        bool is_padding =
            byte == 0 || (byte == 0xCC && ((section->characteristics & SCN_MEM_EXECUTE) ||
                                           (i > 0 && is_old_padding(moves, &intervals[i - 1], rva))));
        /* Fill may have left code among data: where the map does not know of it, it may be wrong. */
        if (!is_padding && byte == 0xCC && !is_in_relocations(&judged->new_image, rva))
            return verify_moves_unproved(
                moves, UINT32_MAX,
                "The byte at RVA 0x%llX of the new image is fill; it is not shown where it "
                "comes from.",
                (unsigned long long)rva);
        if (!is_padding && !is_in_relocations(&judged->new_image, rva))
            return verify_refute(
                judged, verify_spot_rva(judged, (uint32_t)rva),
                "The byte 0x%02X at RVA 0x%llX of the new image comes from nowhere in the old "
                "one.",
                byte, (unsigned long long)rva);
        at++;
    }
    return true;
}

/* File bytes outside the headers and all sections. */
static bool check_file(struct verify_moves *moves)
{
    struct verify_case *judged = moves->judged;
    const struct verify_image *image = &judged->new_image;
    for (uint32_t i = 0; i < image->section_count; i++) {
        struct verify_section section = image->sections[i];
        for (uint64_t at = section.bytes.nbytes;
             at < section.raw_nbytes && section.raw_foff + at < image->file.nbytes; at++)
            if (image->file.bytes[section.raw_foff + at] != 0)
                return verify_refute(judged, verify_spot_foff(judged, section.raw_foff + at),
                                     "Section %s has bytes in the file that memory does not have.",
                                     section.name);
    }
    return verify_tail(moves);
}

static bool check_new_bytes(struct verify_moves *moves)
{
    struct verify_case *judged = moves->judged;
    size_t made_count = verify_repairs_range_count(moves), count = moves->map.count + made_count;
    struct interval *intervals = arena_array(judged->arena, count, sizeof *intervals);
    if (!intervals)
        return false;
    for (size_t i = 0; i < made_count; i++) {
        struct verify_range made = verify_repairs_range(moves, i);
        intervals[moves->map.count + i] = (struct interval){made.rva, made.end_rva, NULL};
    }
    for (size_t i = 0; i < moves->map.count; i++)
        intervals[i] =
            (struct interval){(uint64_t)((int64_t)moves->map.pieces[i].rva + moves->map.pieces[i].delta),
                              (uint64_t)((int64_t)moves->map.pieces[i].end_rva + moves->map.pieces[i].delta),
                              &moves->map.pieces[i]};
    qsort(intervals, count, sizeof *intervals, compare_intervals);
    for (size_t i = 1; i < count; i++)
        if (intervals[i].rva < intervals[i - 1].end_rva)
            return verify_refute(judged, verify_spot_rva(judged, (uint32_t)intervals[i].rva),
                                 "Two parts of the old image, or of its repair, would lie at RVA 0x%llX.",
                                 (unsigned long long)intervals[i].rva);
    for (uint32_t i = 0; i < judged->new_image.section_count; i++)
        if (!check_rest(moves, &judged->new_image.sections[i], intervals, count))
            return false;
    return check_file(moves);
}

bool verify_moved_bytes(struct verify_moves *moves)
{
    return verify_sort_fields(moves) && check_old_bytes(moves) && check_new_bytes(moves);
}
