/* page_map.h - the pages of an image in memory: rights, sections, contents, and the rules that object.
 * Takes: an outcome with an image (references, code and findings as far as they are there).
 * Gives: runs of pages that are alike.  Must not: judge, or do work beyond what the file's size allows
 * (SizeOfImage may claim 4 GiB for a file of 1 KiB: runs are found by sweeping over borders). */
#ifndef HVCIFIX_REPORT_PAGE_MAP_H
#define HVCIFIX_REPORT_PAGE_MAP_H

#include "pipeline.h"

/* What lies on a page, in the order of listings. Kinds of tables that belong together are one content. */
enum page_content {
    CONTENT_HEADERS,
    CONTENT_CODE,         /* decoded instructions */
    CONTENT_CODE_DATA,    /* data inside an executable section */
    CONTENT_CODE_PADDING, /* between functions */
    CONTENT_CODE_UNKNOWN, /* bytes of an executable section that nothing explains */
    CONTENT_UNDECODED,    /* an executable section whose code was not read */
    CONTENT_DATA,         /* bytes that no table claims */
    CONTENT_ZEROS,        /* zero bytes in the file that no table claims */
    CONTENT_ZERO_FILL,    /* memory without file bytes */
    CONTENT_IAT,
    CONTENT_GUARD_SLOTS,
    CONTENT_SECURITY_COOKIE,
    CONTENT_DELAY_IAT,
    CONTENT_IMPORTS,
    CONTENT_EXPORTS,
    CONTENT_RESOURCES,
    CONTENT_UNWIND,
    CONTENT_RELOCATIONS,
    CONTENT_DEBUG,
    CONTENT_TLS,
    CONTENT_LOAD_CONFIG,
    CONTENT_GUARD_TABLES,
    CONTENT_DYNAMIC_RELOCATIONS,
    CONTENT_BOUND_IMPORTS,
    CONTENT_DELAY_IMPORTS,
    CONTENT_CLR,
    CONTENT_JUMP_TABLES,
    CONTENT_COUNT
};
#define CONTENT_BIT(content) (UINT32_C(1) << (content))

/* A stable word for listings and JSON. */
const char *page_content_name(unsigned content);

enum { RIGHT_READ = 1, RIGHT_WRITE = 2, RIGHT_EXECUTE = 4, RIGHT_DISCARD = 8 };

enum { PAGE_MAP_MAX_CODES = 32 };

struct page_run {
    uint32_t first_page, page_count;
    uint8_t rights;
    uint32_t first_section, section_count; /* in image->sections_by_rva; those that touch these pages */
    uint32_t contents;                     /* CONTENT_BIT sum */
    uint32_t codes;           /* bit i: struct page_map, codes[i] objects to one of these pages */
    uint64_t class_counts[5]; /* decoded bytes per enum byte_class */
};

struct page_map {
    const struct outcome *outcome; /* borrowed */
    struct page_run *runs;         /* in order of RVA, without gaps: from 0 to SizeOfImage */
    size_t run_count;
    enum finding_code codes[PAGE_MAP_MAX_CODES]; /* ascending */
    size_t code_count;
};

/* False when memory ran out (arena->exhausted is set). outcome->has_image must be true. */
bool page_map_make(const struct outcome *outcome, struct arena *arena, struct page_map *map);

/* Joins neighbours in the same sections that differ only in the contents of `ignored` (a CONTENT_BIT sum),
 * for pictures of images with many small pieces. */
void page_map_coarsen(struct page_map *map, uint32_t ignored);

/* What may come and go from page to page without being worth a line of its own. */
#define CONTENTS_FILLING                                                                                     \
    (CONTENT_BIT(CONTENT_CODE_DATA) | CONTENT_BIT(CONTENT_CODE_PADDING) |                                    \
     CONTENT_BIT(CONTENT_CODE_UNKNOWN) | CONTENT_BIT(CONTENT_DATA) | CONTENT_BIT(CONTENT_ZEROS))
#define CONTENTS_ALL UINT32_MAX

/* "R-X", "RWXd", "---": into `words`, which has room for 5 characters. */
void page_rights_words(uint8_t rights, char words[5]);

#endif
