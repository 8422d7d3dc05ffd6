/* loader_rules_sections.c - what Windows demands of the section table before it maps an image.
 * Takes: a read image.  Gives: findings HVCI9011.  Must not: look into section contents.
 * Behind each rule stands who says it, as in loader_rules.c. */
#include "image/loader_rules_parts.h"

/* Sections of page-aligned images lie in memory without a gap, in the order of their headers: the first
 * begins where the headers end, each other where the one before ends. The first section that breaks this is
 * named, and no other: where it should have ended is not known. S, M, R. */
static void judge_memory(struct layout_judge *judge)
{
    const struct image *image = judge->image;
    uint64_t image_end_rva = ((uint64_t)image->image_nbytes + PAGE_NBYTES - 1) & ~(uint64_t)(PAGE_NBYTES - 1);
    uint64_t next_rva = layout_rounded(image, image->headers_nbytes);
    for (uint32_t i = 0; i < image->section_count; i++) {
        const struct section *s = &image->sections[i];
        if (s->rva != next_rva) {
            layout_refuse(
                judge, s, (uint64_t)s->header_foff + SECTION_VIRTUAL_ADDRESS,
                "section %s begins at RVA 0x%X, but %s %s at RVA 0x%llX, and sections must lie in memory "
                "without a gap, in the order of their headers",
                s->name, s->rva, i == 0 ? "the headers" : image->sections[i - 1].name,
                i == 0 ? "end" : "ends", (unsigned long long)next_rva);
            return;
        }
        if (s->memory_nbytes == 0) {
            layout_refuse(judge, s, (uint64_t)s->header_foff + SECTION_VIRTUAL_SIZE, "section %s is empty",
                          s->name);
            return;
        }
        next_rva += layout_rounded(image, s->memory_nbytes);
        if (next_rva > image_end_rva) { /* W, M */
            layout_refuse(judge, s, (uint64_t)image->opt_foff + OPT_SIZE_OF_IMAGE,
                          "section %s ends at RVA 0x%llX, but SizeOfImage is 0x%X", s->name,
                          (unsigned long long)next_rva, image->image_nbytes);
            return;
        }
    }
    if (next_rva > image_end_rva) /* M */
        layout_refuse(judge, NULL, (uint64_t)image->opt_foff + OPT_SIZE_OF_HEADERS,
                      "SizeOfHeaders is 0x%X, which takes more pages than SizeOfImage (0x%X)",
                      image->headers_nbytes, image->image_nbytes);
    else if (image_end_rva - next_rva >= image->section_alignment) /* M */
        layout_doubt(
            judge, NULL, (uint64_t)image->opt_foff + OPT_SIZE_OF_IMAGE,
            "SizeOfImage is 0x%X, but all sections end at RVA 0x%llX; Windows 7 to Windows 10 version "
            "1803 refuse such an image",
            image->image_nbytes, (unsigned long long)next_rva);
}

/* The file of an image below page alignment is mapped as it is. */
static void judge_flat(struct layout_judge *judge)
{
    const struct image *image = judge->image;
    for (uint32_t i = 0; i < image->section_count; i++) {
        const struct section *s = &image->sections[i];
        if (s->stored_raw_foff != s->rva) { /* S, M, Wine */
            layout_refuse(
                judge, s, (uint64_t)s->header_foff + SECTION_POINTER_TO_RAW_DATA,
                "section %s is at RVA 0x%X but at file offset 0x%X, and below page alignment the two "
                "must be equal",
                s->name, s->rva, s->stored_raw_foff);
            return;
        }
        if (s->raw_nbytes < s->memory_nbytes) { /* M */
            layout_refuse(
                judge, s, (uint64_t)s->header_foff + SECTION_SIZE_OF_RAW_DATA,
                "section %s has 0x%X bytes in memory but 0x%X in the file, and below page alignment "
                "nothing is filled up with zeros",
                s->name, s->memory_nbytes, s->raw_nbytes);
            return;
        }
    }
    uint64_t next_rva = layout_rounded(image, image->headers_nbytes);
    for (uint32_t i = 0; i < image->section_count && !judge->sizes_are_wrong; i++) {
        const struct section *s = &image->sections[i];
        uint64_t end_rva = (uint64_t)s->rva + s->memory_nbytes;
        if (s->rva != next_rva || end_rva > image->image_nbytes) { /* S, R */
            layout_doubt(
                judge, s, (uint64_t)s->header_foff + SECTION_VIRTUAL_ADDRESS,
                "section %s at RVA 0x%X does not begin where %s, or does not end in SizeOfImage (0x%X)",
                s->name, s->rva, i == 0 ? "the headers end" : "the section before it ends",
                image->image_nbytes);
            return;
        }
        next_rva = layout_rounded(image, end_rva);
    }
}

/* A hash covers the headers once and then the sections. M. */
static void judge_raw_data(struct layout_judge *judge)
{
    const struct image *image = judge->image;
    for (uint32_t i = 0; i < image->section_count; i++) {
        const struct section *s = &image->sections[i];
        uint64_t foff = (uint64_t)s->header_foff + SECTION_POINTER_TO_RAW_DATA;
        if (s->stored_raw_foff == 0 || s->raw_nbytes == 0)
            continue;
        if (s->stored_raw_foff < image->section_table_end_foff) {
            layout_refuse(judge, s, foff,
                          "section %s is at file offset 0x%X, inside the headers (0x%X bytes)", s->name,
                          s->stored_raw_foff, image->section_table_end_foff);
            return;
        }
        if (s->stored_raw_foff < image->headers_nbytes && !judge->sizes_are_wrong) {
            layout_doubt(judge, s, foff,
                         "section %s is at file offset 0x%X, before the end of SizeOfHeaders (0x%X)", s->name,
                         s->stored_raw_foff, image->headers_nbytes);
            return;
        }
    }
}

void layout_judge_sections(struct layout_judge *judge)
{
    if (judge->image->is_flat)
        judge_flat(judge);
    else if (!judge->sizes_are_wrong)
        judge_memory(judge);
    if (judge->is_hashed)
        judge_raw_data(judge);
}
