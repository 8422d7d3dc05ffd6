/* loader_rules_parts.h - what the files of loader_rules share. Private to tool/image.
 * A part looks at its own fields of the image and reports through refuse() and doubt(). */
#ifndef HVCIFIX_IMAGE_LOADER_RULES_PARTS_H
#define HVCIFIX_IMAGE_LOADER_RULES_PARTS_H

#include "image/loader_rules.h"

struct layout_judge {
    const struct image *image;
    struct finding_list *refusals, *doubts;
    /* 64-bit Windows computes the hash of every kernel image, and its reader of headers is stricter. */
    bool is_hashed;
    bool sizes_are_wrong; /* SizeOfImage or SizeOfHeaders was refused; what follows from them is not judged */
    bool out_of_memory;
};

/* One finding: the printf text says what is wrong, without a period. `section` may be NULL. */
void layout_refuse(struct layout_judge *judge, const struct section *section, uint64_t foff,
                   const char *format, ...) HVCIFIX_PRINTF(4, 5);
void layout_doubt(struct layout_judge *judge, const struct section *section, uint64_t foff,
                  const char *format, ...) HVCIFIX_PRINTF(4, 5);

/* Where the headers end in memory; the sections follow. 64 bits: rounding cannot overflow. */
static inline uint64_t layout_rounded(const struct image *image, uint64_t nbytes)
{
    uint64_t mask = (uint64_t)image->section_alignment - 1; /* image_read(): a power of two */
    return (nbytes + mask) & ~mask;
}

void layout_judge_sections(struct layout_judge *judge);

#endif
