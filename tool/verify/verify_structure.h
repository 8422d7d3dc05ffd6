/* verify_structure.h - the structural rules that loaders and code integrity hold an image to.
 * Takes: both images.  Gives: true, or a counter-example when the new image breaks a rule that the old one
 * kept.  Must not: mind what was wrong before: a repair of one thing is not asked to repair another. */
#ifndef HVCIFIX_VERIFY_VERIFY_STRUCTURE_H
#define HVCIFIX_VERIFY_VERIFY_STRUCTURE_H

#include "verify/verify_case.h"

/* One bit a rule, 1 << enum verify_structure_rule. */
enum verify_structure_rule {
    STRUCTURE_LFANEW,           /* e_lfanew at least 0x40 and 4-aligned */
    STRUCTURE_EXECUTABLE_IMAGE, /* EXECUTABLE_IMAGE set */
    STRUCTURE_ALIGNMENT,        /* both alignments powers of two, the file's not above the sections' */
    STRUCTURE_FILE_ALIGNMENT,   /* FileAlignment a multiple of 0x200 unless equal to SectionAlignment */
    STRUCTURE_HEADERS_SIZE,     /* SizeOfHeaders covers the section table and is below SizeOfImage */
    STRUCTURE_HEADERS_PAGE,     /* the section table ends in the first page */
    STRUCTURE_SECTION_COUNT,    /* 1 to 96 sections */
    STRUCTURE_SECTION_ADJACENT, /* each section begins where the one before ends, rounded up */
    STRUCTURE_IMAGE_SIZE,       /* SizeOfImage is where the last section ends, rounded up */
    STRUCTURE_RAW_IN_FILE,      /* raw data inside the file and behind the headers */
    STRUCTURE_RAW_OVERLAP,      /* no two sections share raw data */
    STRUCTURE_FLAT_OFFSETS,     /* below page alignment: file offset equals RVA */
    STRUCTURE_CODE_FILLED,      /* executable sections have raw data for all their pages */
    STRUCTURE_WRITABLE_CODE,    /* no section that is not discardable is executable and writable */
    STRUCTURE_DIRECTORIES,      /* every data directory inside the image */
    STRUCTURE_CERTIFICATES,     /* certificate table 8-aligned, inside the file, last in it */
    STRUCTURE_RELOCATIONS,      /* relocation blocks well formed and ascending */
    STRUCTURE_SECTION_SIZE,     /* no section without a size */
    STRUCTURE_RAW_ALIGNED,      /* raw data begins, and the headers end, at a multiple of FileAlignment */
    STRUCTURE_RULE_COUNT
};

/* The rules that the image breaks, as bits; for each, foff[rule] is where. */
uint32_t verify_structure_broken(const struct verify_image *image, uint64_t foff[STRUCTURE_RULE_COUNT]);

/* A sentence part that says what the rule asks. */
const char *verify_structure_text(enum verify_structure_rule rule);

/* The rules that the new image breaks, as part of a sentence; NULL when it breaks none. */
const char *verify_structure_still_broken(struct verify_case *judged);

/* False when refuted. */
bool verify_structure(struct verify_case *judged);

#endif
