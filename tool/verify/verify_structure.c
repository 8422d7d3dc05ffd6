/* verify_structure.c - judges the structure of an image, rule by rule.
 * Takes: images.  Gives: bits of broken rules.  Must not: stop at the first; the old image's faults are
 * taken off the new one's.
 * Source: PE format specification; the layout checks of public loaders. */
#include "verify/verify_structure.h"
#include "verify/verify_relocations.h"

#include <stdlib.h>

static const char *const rule_texts[STRUCTURE_RULE_COUNT] = {
    [STRUCTURE_LFANEW] = "e_lfanew is at least 0x40 and a multiple of 4",
    [STRUCTURE_EXECUTABLE_IMAGE] = "the file header is marked EXECUTABLE_IMAGE",
    [STRUCTURE_ALIGNMENT] = "SectionAlignment and FileAlignment are powers of two, the first not smaller",
    [STRUCTURE_FILE_ALIGNMENT] = "FileAlignment is a multiple of 0x200 unless it equals SectionAlignment",
    [STRUCTURE_HEADERS_SIZE] = "SizeOfHeaders covers the section table and is below SizeOfImage",
    [STRUCTURE_HEADERS_PAGE] = "the section table ends in the first page",
    [STRUCTURE_SECTION_COUNT] = "there are 1 to 96 sections",
    [STRUCTURE_SECTION_ADJACENT] = "each section begins where the one before it ends",
    [STRUCTURE_IMAGE_SIZE] = "SizeOfImage is the rounded end of the last section",
    [STRUCTURE_RAW_IN_FILE] = "each section's raw data lies behind the headers and inside the file",
    [STRUCTURE_RAW_OVERLAP] = "no two sections share raw data",
    [STRUCTURE_FLAT_OFFSETS] = "below page alignment a section's file offset equals its RVA",
    [STRUCTURE_CODE_FILLED] = "an executable section has raw data for all of its pages",
    [STRUCTURE_WRITABLE_CODE] = "a section that stays loaded is not writable and executable",
    [STRUCTURE_DIRECTORIES] = "each data directory lies inside the image",
    [STRUCTURE_CERTIFICATES] = "the certificate table is 8-aligned and the last thing in the file",
    [STRUCTURE_RELOCATIONS] = "base relocation blocks are well formed and ascend",
    [STRUCTURE_SECTION_SIZE] = "each section has a size",
    [STRUCTURE_RAW_ALIGNED] = "raw data begins, and the headers end, at a multiple of FileAlignment",
};

struct structure_check {
    const struct verify_image *image;
    uint32_t broken;
    uint64_t *foff;
};

static void require(struct structure_check *check, bool holds, enum verify_structure_rule rule, uint64_t foff)
{
    if (holds || (check->broken & (1u << rule)))
        return;
    check->broken |= 1u << rule;
    check->foff[rule] = foff;
}

static bool is_power_of_two(uint32_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

static bool is_file_aligned(const struct verify_image *image, uint32_t foff)
{
    return image->file_alignment == 0 || foff % image->file_alignment == 0;
}

static void check_headers(struct structure_check *check)
{
    const struct verify_image *image = check->image;
    uint64_t opt_foff = image->opt_foff;
    require(check, image->pe_foff >= DOS_HEADER_NBYTES && image->pe_foff % 4 == 0, STRUCTURE_LFANEW,
            DOS_E_LFANEW);
    require(check, image->coff_characteristics & COFF_EXECUTABLE_IMAGE, STRUCTURE_EXECUTABLE_IMAGE,
            image->coff_foff + COFF_CHARACTERISTICS);
    require(check,
            is_power_of_two(image->section_alignment) && is_power_of_two(image->file_alignment) &&
                image->section_alignment >= image->file_alignment,
            STRUCTURE_ALIGNMENT, opt_foff + OPT_SECTION_ALIGNMENT);
    require(check, image->file_alignment % 0x200 == 0 || image->file_alignment == image->section_alignment,
            STRUCTURE_FILE_ALIGNMENT, opt_foff + OPT_FILE_ALIGNMENT);
    require(check,
            image->headers_nbytes >= image->section_table_end_foff &&
                image->headers_nbytes < image->image_nbytes,
            STRUCTURE_HEADERS_SIZE, opt_foff + OPT_SIZE_OF_HEADERS);
    require(check, is_file_aligned(image, image->headers_nbytes), STRUCTURE_RAW_ALIGNED,
            opt_foff + OPT_SIZE_OF_HEADERS);
    require(check, image->section_table_end_foff < PAGE_NBYTES, STRUCTURE_HEADERS_PAGE,
            image->section_table_foff);
    require(check, image->section_count >= 1 && image->section_count <= 96, STRUCTURE_SECTION_COUNT,
            image->coff_foff + COFF_NUMBER_OF_SECTIONS);
}

static bool rounded_end(const struct verify_image *image, uint64_t rva, uint32_t nbytes, uint64_t *end_rva)
{
    uint32_t rounded_nbytes;
    if (!round_up_u32(nbytes, image->section_alignment, &rounded_nbytes))
        return false;
    *end_rva = rva + rounded_nbytes;
    return true;
}

/* Each section against the one before it: `next_rva` is where it has to begin. */
static void check_memory(struct structure_check *check)
{
    const struct verify_image *image = check->image;
    uint64_t next_rva = 0;
    bool is_rounded = rounded_end(image, 0, image->headers_nbytes, &next_rva);
    for (uint32_t i = 0; i < image->section_count; i++) {
        const struct verify_section *section = &image->sections[i];
        require(check, is_rounded && section->rva == next_rva, STRUCTURE_SECTION_ADJACENT,
                section->header_foff + SECTION_VIRTUAL_ADDRESS);
        uint32_t nbytes = section->virtual_nbytes ? section->virtual_nbytes : section->raw_nbytes;
        require(check, nbytes != 0, STRUCTURE_SECTION_SIZE, section->header_foff + SECTION_VIRTUAL_SIZE);
        is_rounded = rounded_end(image, section->rva, nbytes, &next_rva);
    }
    require(check, is_rounded && image->image_nbytes == next_rva, STRUCTURE_IMAGE_SIZE,
            image->opt_foff + OPT_SIZE_OF_IMAGE);
}

static void check_raw_data(struct structure_check *check)
{
    const struct verify_image *image = check->image;
    for (uint32_t i = 0; i < image->section_count; i++) {
        const struct verify_section *section = &image->sections[i];
        uint64_t at_foff = section->header_foff + SECTION_POINTER_TO_RAW_DATA;
        if (section->raw_nbytes != 0) {
            require(check, is_file_aligned(image, section->raw_foff), STRUCTURE_RAW_ALIGNED, at_foff);
            require(check,
                    section->raw_foff >= image->section_table_end_foff &&
                        range_fits(image->file.nbytes, section->raw_foff, section->raw_nbytes),
                    STRUCTURE_RAW_IN_FILE, at_foff);
            require(check, image->section_alignment >= PAGE_NBYTES || section->raw_foff == section->rva,
                    STRUCTURE_FLAT_OFFSETS, at_foff);
        }
        if (section->characteristics & SCN_MEM_EXECUTE) {
            uint64_t pages_nbytes = ((uint64_t)section->virtual_nbytes + PAGE_NBYTES - 1) / PAGE_NBYTES;
            uint64_t raw_pages_nbytes = ((uint64_t)section->raw_nbytes + PAGE_NBYTES - 1) / PAGE_NBYTES;
            require(check, raw_pages_nbytes >= pages_nbytes, STRUCTURE_CODE_FILLED,
                    section->header_foff + SECTION_SIZE_OF_RAW_DATA);
            require(check,
                    !(section->characteristics & SCN_MEM_WRITE) ||
                        (section->characteristics & SCN_MEM_DISCARDABLE),
                    STRUCTURE_WRITABLE_CODE, section->header_foff + SECTION_CHARACTERISTICS);
        }
    }
}

struct raw_range {
    uint64_t start_foff, end_foff, header_foff;
};

static int compare_ranges(const void *left, const void *right)
{
    const struct raw_range *a = left, *b = right;
    if (a->start_foff != b->start_foff)
        return a->start_foff < b->start_foff ? -1 : 1;
    return a->header_foff < b->header_foff ? -1 : a->header_foff > b->header_foff;
}

/* More than 96 sections break another rule; they are not compared here. */
static void check_overlap(struct structure_check *check)
{
    const struct verify_image *image = check->image;
    struct raw_range ranges[96] = {{0}};
    size_t count = 0;
    for (uint32_t i = 0; i < image->section_count && count < 96; i++) {
        const struct verify_section *section = &image->sections[i];
        if (section->raw_nbytes != 0)
            ranges[count++] = (struct raw_range){
                section->raw_foff, (uint64_t)section->raw_foff + section->raw_nbytes, section->header_foff};
    }
    qsort(ranges, count, sizeof ranges[0], compare_ranges);
    for (size_t i = 1; i < count; i++)
        require(check, ranges[i].start_foff >= ranges[i - 1].end_foff, STRUCTURE_RAW_OVERLAP,
                ranges[i].header_foff + SECTION_POINTER_TO_RAW_DATA);
}

static void check_directories(struct structure_check *check)
{
    const struct verify_image *image = check->image;
    for (uint32_t i = 0; i < image->directory_count; i++) {
        struct verify_directory directory = image->directories[i];
        uint64_t at_foff = image->directories_foff + (uint64_t)i * DIRECTORY_ENTRY_NBYTES;
        if (i == DIR_SECURITY) {
            bool is_last = directory.rva % CERTIFICATE_ALIGN_NBYTES == 0 &&
                           range_fits(image->file.nbytes, directory.rva, directory.nbytes) &&
                           image->file.nbytes - directory.rva - directory.nbytes < CERTIFICATE_ALIGN_NBYTES;
            require(check, directory.rva == 0 || is_last, STRUCTURE_CERTIFICATES, at_foff);
        } else {
            require(check, range_fits(image->image_nbytes, directory.rva, directory.nbytes),
                    STRUCTURE_DIRECTORIES, at_foff);
        }
    }
}

static void check_relocations(struct structure_check *check)
{
    struct verify_relocation_reader reader = verify_relocations_begin(check->image);
    struct verify_relocation relocation;
    uint32_t page_rva = 0;
    bool is_first = true;
    while (verify_relocations_next(&reader, &relocation)) {
        require(check, is_first || reader.page_rva >= page_rva, STRUCTURE_RELOCATIONS, relocation.entry_foff);
        require(check, range_fits(check->image->image_nbytes, relocation.rva, 4), STRUCTURE_RELOCATIONS,
                relocation.entry_foff);
        page_rva = reader.page_rva;
        is_first = false;
    }
    require(check, !reader.problem, STRUCTURE_RELOCATIONS, reader.problem_foff);
}

uint32_t verify_structure_broken(const struct verify_image *image, uint64_t foff[STRUCTURE_RULE_COUNT])
{
    struct structure_check check = {image, 0, foff};
    check_headers(&check);
    check_memory(&check);
    check_raw_data(&check);
    check_overlap(&check);
    check_directories(&check);
    check_relocations(&check);
    return check.broken;
}

const char *verify_structure_text(enum verify_structure_rule rule)
{
    return rule_texts[rule];
}

const char *verify_structure_still_broken(struct verify_case *judged)
{
    uint64_t foff[STRUCTURE_RULE_COUNT];
    uint32_t broken = verify_structure_broken(&judged->new_image, foff);
    const char *words = NULL;
    for (unsigned rule = 0; rule < STRUCTURE_RULE_COUNT; rule++)
        if (broken & (1u << rule))
            words = arena_printf(judged->arena, "%s%s%s", words ? words : "", words ? "; that " : "that ",
                                 rule_texts[rule]);
    return words;
}

bool verify_structure(struct verify_case *judged)
{
    uint64_t old_foff[STRUCTURE_RULE_COUNT], new_foff[STRUCTURE_RULE_COUNT];
    uint32_t old_broken = verify_structure_broken(&judged->old_image, old_foff);
    uint32_t new_broken = verify_structure_broken(&judged->new_image, new_foff) & ~old_broken;
    for (unsigned rule = 0; rule < STRUCTURE_RULE_COUNT; rule++)
        if (new_broken & (1u << rule))
            return verify_refute(judged, verify_spot_foff(judged, new_foff[rule]),
                                 "The old image keeps the rule that %s; the new one breaks it.",
                                 rule_texts[rule]);
    return true;
}
