/* page_tracks.h - the tracks of the sweep in page_map.c: what covers which pages.
 * Takes: ranges of RVAs.  Gives: borders.  Must not: judge. Only the page_*.c files include this. */
#ifndef HVCIFIX_REPORT_PAGE_TRACKS_H
#define HVCIFIX_REPORT_PAGE_TRACKS_H

#include "report/page_map.h"

/* Contents have the tracks 0 to CONTENT_COUNT - 1. */
enum page_track {
    TRACK_READ = CONTENT_COUNT, /* in the order of the RIGHT_ bits */
    TRACK_WRITE,
    TRACK_EXECUTE,
    TRACK_DISCARD,
    TRACK_CODES, /* PAGE_MAP_MAX_CODES of them */
    TRACK_BORDER = TRACK_CODES + PAGE_MAP_MAX_CODES,
    TRACK_COUNT
};

struct border;

struct page_last {
    uint32_t first, end;
    bool is_set;
};

/* Decoded bytes of one page of an executable section. */
struct code_page {
    uint32_t page;
    uint32_t class_counts[5];
};

struct page_tracks {
    struct arena *arena; /* borrowed */
    uint32_t page_count; /* of the whole image */
    struct border *borders;
    size_t border_count, border_capacity;
    struct page_last last[TRACK_COUNT]; /* the range that each track got last */
    struct code_page *code_pages;       /* ascending */
    size_t code_page_count;
};

/* Says that [rva, rva + nbytes) belongs to `track`; what lies beyond the image is cut off.
 * False when memory ran out. */
bool page_tracks_cover(struct page_tracks *tracks, uint64_t rva, uint64_t nbytes, unsigned track);

/* page_contents.c: headers, code, typed tables, other data, zero fill. */
bool page_contents_cover(struct page_tracks *tracks, const struct outcome *outcome);

/* page_objections.c: fills map->codes and covers the pages that each of them is about. */
bool page_objections_cover(struct page_tracks *tracks, const struct outcome *outcome, struct page_map *map);

#endif
