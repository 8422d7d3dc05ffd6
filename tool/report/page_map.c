/* page_map.c - runs of alike pages, found by a sweep over the borders of everything that lies in the image.
 * Takes: an outcome.  Gives: struct page_map.  Must not: judge.
 * Each thing that covers pages opens and closes a track; between two borders no track changes, so the pages
 * between them are alike. page_contents.c and page_objections.c say what covers what. */
#include "report/page_map.h"

#include "report/page_tracks.h"

#include <stdlib.h>
#include <string.h>

struct border {
    uint32_t page;
    uint8_t track;
    bool opens;
};

bool page_tracks_cover(struct page_tracks *tracks, uint64_t rva, uint64_t nbytes, unsigned track)
{
    uint64_t first = rva / PAGE_NBYTES;
    uint64_t end = (rva + nbytes + PAGE_NBYTES - 1) / PAGE_NBYTES;
    if (end > tracks->page_count)
        end = tracks->page_count;
    if (nbytes == 0 || first >= end)
        return true;
    /* Tables bring thousands of small things in a row on the same page: one is enough. */
    struct page_last *last = &tracks->last[track];
    if (track != TRACK_BORDER && last->is_set && last->first == first && last->end == end)
        return true;
    *last = (struct page_last){(uint32_t)first, (uint32_t)end, true};
    struct border *borders = arena_grow(tracks->arena, tracks->borders, tracks->border_count,
                                        &tracks->border_capacity, tracks->border_count + 2, sizeof *borders);
    if (!borders)
        return false;
    tracks->borders = borders;
    borders[tracks->border_count++] = (struct border){(uint32_t)first, (uint8_t)track, true};
    borders[tracks->border_count++] = (struct border){(uint32_t)end, (uint8_t)track, false};
    return true;
}

static int by_page(const void *a, const void *b)
{
    const struct border *left = a, *right = b;
    return left->page < right->page ? -1 : left->page > right->page;
}

static bool cover_rights(struct page_tracks *tracks, const struct image *image)
{
    if (image->is_flat) /* mapped as one piece, whatever the section headers say */
        return page_tracks_cover(tracks, 0, image->image_nbytes, TRACK_READ) &&
               page_tracks_cover(tracks, 0, image->image_nbytes, TRACK_WRITE) &&
               page_tracks_cover(tracks, 0, image->image_nbytes, TRACK_EXECUTE);
    static const struct {
        uint32_t flag;
        unsigned track;
    } rights[] = {
        {SCN_MEM_READ, TRACK_READ},
        {SCN_MEM_WRITE, TRACK_WRITE},
        {SCN_MEM_EXECUTE, TRACK_EXECUTE},
        {SCN_MEM_DISCARDABLE, TRACK_DISCARD},
    };
    for (uint32_t i = 0; i < image->mapped_section_count; i++) {
        const struct section *section = image->sections_by_rva[i];
        for (size_t k = 0; k < sizeof rights / sizeof rights[0]; k++)
            if ((section->characteristics & rights[k].flag) &&
                !page_tracks_cover(tracks, section->rva, section->memory_nbytes, rights[k].track))
                return false;
    }
    return page_tracks_cover(tracks, 0, image->headers_nbytes, TRACK_READ);
}

/* Sections stay apart even when they look alike. */
static bool cover_section_borders(struct page_tracks *tracks, const struct image *image)
{
    for (uint32_t i = 0; i < image->mapped_section_count; i++) {
        const struct section *section = image->sections_by_rva[i];
        if (!page_tracks_cover(tracks, section->rva, section->memory_nbytes, TRACK_BORDER))
            return false;
    }
    return true;
}

/* The state of all tracks between two borders. */
struct sweep {
    uint32_t open_counts[TRACK_COUNT];
    uint32_t contents;
    uint32_t codes;
    uint8_t rights;
};

static void sweep_border(struct sweep *sweep, const struct border *border)
{
    uint32_t *open_count = &sweep->open_counts[border->track];
    *open_count += border->opens ? 1 : UINT32_MAX; /* a close follows its open, so this never wraps below 0 */
    bool is_open = *open_count != 0;
    if (border->track < TRACK_READ) {
        uint32_t bit = CONTENT_BIT(border->track);
        sweep->contents = is_open ? sweep->contents | bit : sweep->contents & ~bit;
    } else if (border->track < TRACK_CODES) {
        uint8_t bit = (uint8_t)(1U << (border->track - TRACK_READ));
        sweep->rights = (uint8_t)(is_open ? sweep->rights | bit : sweep->rights & ~bit);
    } else if (border->track < TRACK_BORDER) {
        uint32_t bit = UINT32_C(1) << (border->track - TRACK_CODES);
        sweep->codes = is_open ? sweep->codes | bit : sweep->codes & ~bit;
    }
}

/* Appends [first, end) with the state of the sweep, or lengthens the last run by it. */
static void append_run(struct page_map *map, const struct sweep *sweep, uint32_t first, uint32_t end,
                       bool is_new_section)
{
    struct page_run *last = map->run_count != 0 ? &map->runs[map->run_count - 1] : NULL;
    if (last && !is_new_section && last->contents == sweep->contents && last->rights == sweep->rights &&
        last->codes == sweep->codes) {
        last->page_count += end - first;
        return;
    }
    map->runs[map->run_count++] = (struct page_run){
        .first_page = first,
        .page_count = end - first,
        .rights = sweep->rights,
        .contents = sweep->contents,
        .codes = sweep->codes,
    };
}

static bool sweep_borders(struct page_tracks *tracks, struct page_map *map)
{
    if (tracks->border_count != 0)
        qsort(tracks->borders, tracks->border_count, sizeof *tracks->borders, by_page);
    map->runs = arena_array(tracks->arena, tracks->border_count + 1, sizeof *map->runs);
    if (!map->runs)
        return false;
    struct sweep sweep = {0};
    uint32_t page = 0;
    bool is_new_section = false;
    for (size_t i = 0; i < tracks->border_count;) {
        uint32_t next_page = tracks->borders[i].page;
        if (next_page > page)
            append_run(map, &sweep, page, next_page, is_new_section);
        is_new_section = next_page > page ? false : is_new_section;
        for (; i < tracks->border_count && tracks->borders[i].page == next_page; i++) {
            sweep_border(&sweep, &tracks->borders[i]);
            is_new_section = is_new_section || tracks->borders[i].track == TRACK_BORDER;
        }
        page = next_page;
    }
    if (page < tracks->page_count)
        append_run(map, &sweep, page, tracks->page_count, is_new_section);
    return true;
}

static uint64_t section_end_page(const struct section *section)
{
    return ((uint64_t)section->rva + section->memory_nbytes + PAGE_NBYTES - 1) / PAGE_NBYTES;
}

/* Both lists ascend, so one walk finds the sections of every run. */
static void find_sections(struct page_map *map, const struct image *image)
{
    uint32_t first = 0;
    for (size_t i = 0; i < map->run_count; i++) {
        struct page_run *run = &map->runs[i];
        uint64_t end_page = (uint64_t)run->first_page + run->page_count;
        while (first < image->mapped_section_count &&
               section_end_page(image->sections_by_rva[first]) <= run->first_page)
            first++;
        uint32_t end = first;
        while (end < image->mapped_section_count && image->sections_by_rva[end]->rva / PAGE_NBYTES < end_page)
            end++;
        run->first_section = first;
        run->section_count = end - first;
    }
}

/* Both lists ascend here too. */
static void add_class_counts(struct page_map *map, const struct page_tracks *tracks)
{
    size_t at = 0;
    for (size_t i = 0; i < map->run_count; i++) {
        struct page_run *run = &map->runs[i];
        uint64_t end_page = (uint64_t)run->first_page + run->page_count;
        for (; at < tracks->code_page_count && tracks->code_pages[at].page < end_page; at++)
            for (size_t k = 0; k < 5; k++)
                run->class_counts[k] += tracks->code_pages[at].class_counts[k];
    }
}

bool page_map_make(const struct outcome *outcome, struct arena *arena, struct page_map *map)
{
    const struct image *image = &outcome->image;
    *map = (struct page_map){.outcome = outcome};
    struct page_tracks *tracks = arena_alloc(arena, sizeof *tracks);
    if (!tracks)
        return false;
    tracks->arena = arena;
    uint64_t page_count = ((uint64_t)image->image_nbytes + PAGE_NBYTES - 1) / PAGE_NBYTES;
    if (image->mapped_section_count != 0) {
        uint64_t end_page = section_end_page(image->sections_by_rva[image->mapped_section_count - 1]);
        page_count = end_page > page_count ? end_page : page_count;
    }
    tracks->page_count = (uint32_t)page_count;
    if (!cover_rights(tracks, image) || !cover_section_borders(tracks, image) ||
        !page_contents_cover(tracks, outcome) || !page_objections_cover(tracks, outcome, map) ||
        !sweep_borders(tracks, map))
        return false;
    find_sections(map, image);
    add_class_counts(map, tracks);
    return true;
}

void page_map_coarsen(struct page_map *map, uint32_t ignored)
{
    size_t kept = 0;
    for (size_t i = 0; i < map->run_count; i++) {
        const struct page_run *run = &map->runs[i];
        struct page_run *last = kept != 0 ? &map->runs[kept - 1] : NULL;
        bool is_alike = last && last->rights == run->rights && last->codes == run->codes &&
                        ((last->contents ^ run->contents) & ~ignored) == 0 &&
                        last->first_section == run->first_section &&
                        last->section_count == run->section_count;
        if (!is_alike) {
            map->runs[kept++] = *run;
            continue;
        }
        last->page_count += run->page_count;
        last->contents |= run->contents;
        for (size_t k = 0; k < 5; k++)
            last->class_counts[k] += run->class_counts[k];
    }
    map->run_count = kept;
}

void page_rights_words(uint8_t rights, char words[5])
{
    words[0] = rights & RIGHT_READ ? 'R' : '-';
    words[1] = rights & RIGHT_WRITE ? 'W' : '-';
    words[2] = rights & RIGHT_EXECUTE ? 'X' : '-';
    words[3] = rights & RIGHT_DISCARD ? 'd' : 0;
    words[4] = 0;
}
