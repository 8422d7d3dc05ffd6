/* verify_type_info.c - walks from each complete object locator to the records it leads to.
 * Takes: see the header.  Gives: marked bytes.  Must not: walk farther than counts that compilers write. */
#include "verify/verify_type_info.h"

enum {
    LOCATOR_NBYTES = 24, /* signature 1, offset, cdOffset, RVAs: type, class hierarchy, itself */
    LOCATOR_HIERARCHY = 16,
    LOCATOR_SELF = 20,
    HIERARCHY_NBYTES = 16, /* signature 0, attributes, number of bases, RVA: array of bases */
    HIERARCHY_BASE_COUNT = 8,
    HIERARCHY_BASES = 12,
    BASE_NBYTES = 28,
    BASE_MAX_COUNT = 64
};

static void mark_hierarchy(const struct verify_known *known, uint64_t rva)
{
    const struct verify_image *image = &known->moves->judged->old_image;
    uint64_t count, bases_rva, base_rva;
    if (!verify_read_at(image, rva + HIERARCHY_BASE_COUNT, 4, &count) ||
        !verify_read_at(image, rva + HIERARCHY_BASES, 4, &bases_rva) || count == 0 || count > BASE_MAX_COUNT)
        return;
    verify_known_mark(known, rva, rva + HIERARCHY_NBYTES);
    for (uint64_t i = 0; i < count && verify_read_at(image, bases_rva + i * 4, 4, &base_rva); i++) {
        verify_known_mark(known, bases_rva + i * 4, bases_rva + i * 4 + 4);
        verify_known_mark(known, base_rva, base_rva + BASE_NBYTES);
    }
}

void verify_type_info_mark(const struct verify_known *known)
{
    const struct verify_image *image = &known->moves->judged->old_image;
    for (uint32_t i = 0; image->is_64 && i < image->section_count; i++) {
        const struct verify_section *section = &image->sections[i];
        for (size_t at = 0; range_fits(section->bytes.nbytes, at, LOCATOR_NBYTES); at += 4) {
            const uint8_t *bytes = section->bytes.bytes + at;
            known->moves->judged->verdict->step_count++;
            if (load_u32(bytes) != 1 || load_u32(bytes + LOCATOR_SELF) != section->rva + at)
                continue;
            verify_known_mark(known, section->rva + at, section->rva + at + LOCATOR_NBYTES);
            mark_hierarchy(known, load_u32(bytes + LOCATOR_HIERARCHY));
        }
    }
}
