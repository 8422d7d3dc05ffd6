/* verify_differences.c - compares two files byte by byte.
 * Takes: both images.  Gives: the changed fields, or the first byte outside them.
 * Must not: skip a byte of the common length. */
#include "verify/verify_differences.h"
#include "verify/verify_flags.h"
#include "verify/verify_place.h"

enum { COMPARED_NBYTES = 4096 };

/* Offset of the first differing byte at or after foff, or end_foff. */
static uint64_t next_difference(struct span old_file, struct span new_file, uint64_t foff, uint64_t end_foff)
{
    while (foff < end_foff) {
        size_t nbytes = end_foff - foff < COMPARED_NBYTES ? (size_t)(end_foff - foff) : COMPARED_NBYTES;
        if (memcmp(old_file.bytes + foff, new_file.bytes + foff, nbytes) != 0)
            break;
        foff += nbytes;
    }
    while (foff < end_foff && old_file.bytes[foff] == new_file.bytes[foff])
        foff++;
    return foff;
}

static bool is_inside(uint64_t foff, uint64_t field_foff, uint64_t field_nbytes)
{
    return foff >= field_foff && foff - field_foff < field_nbytes;
}

/* The place is named as the old file has it; the new file may hold something else there. */
static bool refute_difference(struct verify_case *judged, uint64_t foff)
{
    struct verify_place place = verify_place_at(&judged->old_image, foff, judged->arena);
    struct verify_place new_place = verify_place_at(&judged->new_image, foff, judged->arena);
    struct span old_file = judged->old_image.file, new_file = judged->new_image.file;
    struct verify_spot spot = {false, foff, new_place.rva};
    unsigned nbytes = place.field.nbytes;
    bool is_number = nbytes == 2 || nbytes == 4;
    if (is_number && range_fits(new_file.nbytes, place.field.foff, nbytes)) {
        spot.foff = place.field.foff;
        return verify_refute(judged, spot,
                             "The header field %s (file offset 0x%llX) changed from 0x%llX to 0x%llX.",
                             place.field.name, (unsigned long long)place.field.foff,
                             (unsigned long long)load_width(old_file.bytes + place.field.foff, nbytes),
                             (unsigned long long)load_width(new_file.bytes + place.field.foff, nbytes));
    }
    const char *as_new = "";
    if (strcmp(place.field.name, new_place.field.name) != 0)
        as_new = arena_printf(judged->arena, " (in the new file: %s)", new_place.field.name);
    return verify_refute(
        judged, spot, "A byte changed at file offset 0x%llX from 0x%02X to 0x%02X; it is in: %s%s.",
        (unsigned long long)foff, old_file.bytes[foff], new_file.bytes[foff], place.field.name, as_new);
}

/* The field at foff that may differ: its end, or 0. */
static uint64_t allowed_field_end(struct verify_case *judged, enum verify_certificates_fate fate,
                                  uint64_t foff, struct verify_changed_fields *changed)
{
    const struct verify_image *image = &judged->new_image;
    uint64_t security_foff = image->directories_foff + (uint64_t)DIR_SECURITY * DIRECTORY_ENTRY_NBYTES;
    if (is_inside(foff, image->checksum_foff, 4))
        return image->checksum_foff + 4;
    uint64_t flags_foff = verify_flags_foff(image);
    if (is_inside(foff, flags_foff, 2)) {
        if (!changed->signed_field)
            changed->signed_field = "DllCharacteristics";
        return flags_foff + 2;
    }
    if (fate == CERTIFICATES_DROPPED && is_inside(foff, security_foff, DIRECTORY_ENTRY_NBYTES))
        return security_foff + DIRECTORY_ENTRY_NBYTES;
    if (!is_inside(foff, image->section_table_foff,
                   image->section_table_end_foff - image->section_table_foff))
        return 0;
    uint32_t index = (uint32_t)((foff - image->section_table_foff) / SECTION_HEADER_NBYTES);
    uint64_t field_foff = image->sections[index].header_foff + SECTION_CHARACTERISTICS;
    if (!is_inside(foff, field_foff, 4) || changed->section_count == VERIFY_MAX_CHANGED_SECTIONS)
        return 0;
    changed->section_indices[changed->section_count++] = index;
    if (!changed->signed_field)
        changed->signed_field =
            arena_printf(judged->arena, "section %s Characteristics", image->sections[index].name);
    return field_foff + 4;
}

/* The places that the list of allowed fields is drawn from must be the same in both files. */
static bool same_frame(struct verify_case *judged)
{
    const struct verify_image *a = &judged->old_image, *b = &judged->new_image;
    return a->checksum_foff == b->checksum_foff && a->directories_foff == b->directories_foff &&
           a->section_table_foff == b->section_table_foff && a->section_count == b->section_count;
}

bool verify_differences(struct verify_case *judged, enum verify_certificates_fate fate,
                        struct verify_changed_fields *changed)
{
    struct span old_file = judged->old_image.file, new_file = judged->new_image.file;
    uint64_t end_foff = old_file.nbytes < new_file.nbytes ? old_file.nbytes : new_file.nbytes;
    bool is_same_frame = same_frame(judged);
    *changed = (struct verify_changed_fields){.section_count = 0};
    judged->verdict->step_count += end_foff;
    for (uint64_t foff = next_difference(old_file, new_file, 0, end_foff); foff < end_foff;) {
        uint64_t field_end_foff = is_same_frame ? allowed_field_end(judged, fate, foff, changed) : 0;
        if (field_end_foff == 0)
            return refute_difference(judged, foff);
        foff = next_difference(old_file, new_file, field_end_foff, end_foff);
    }
    return true;
}
