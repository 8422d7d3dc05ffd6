/* page_contents.c - what lies on the pages: headers, code, typed tables, other data, zero fill.
 * Takes: image, extents, code map.  Gives: covered tracks.  Must not: judge. */
#include "report/page_tracks.h"

#include <stdlib.h>
#include <string.h>

/* A table's alignment gap or a section's tail in the file is not worth a word. */
enum { SMALLEST_ZERO_GAP_NBYTES = 0x200 };

const char *page_content_name(unsigned content)
{
    static const char *const names[CONTENT_COUNT] = {
        [CONTENT_HEADERS] = "headers",
        [CONTENT_CODE] = "code",
        [CONTENT_CODE_DATA] = "data in code",
        [CONTENT_CODE_PADDING] = "padding",
        [CONTENT_CODE_UNKNOWN] = "unknown bytes",
        [CONTENT_UNDECODED] = "code, not decoded",
        [CONTENT_DATA] = "data",
        [CONTENT_ZEROS] = "zeros",
        [CONTENT_ZERO_FILL] = "zero fill",
        [CONTENT_IAT] = "IAT",
        [CONTENT_GUARD_SLOTS] = "guard slots",
        [CONTENT_SECURITY_COOKIE] = "security cookie",
        [CONTENT_DELAY_IAT] = "delay IAT",
        [CONTENT_IMPORTS] = "imports",
        [CONTENT_EXPORTS] = "exports",
        [CONTENT_RESOURCES] = "resources",
        [CONTENT_UNWIND] = "unwind data",
        [CONTENT_RELOCATIONS] = "relocations",
        [CONTENT_DEBUG] = "debug data",
        [CONTENT_TLS] = "TLS",
        [CONTENT_LOAD_CONFIG] = "load configuration",
        [CONTENT_GUARD_TABLES] = "guard tables",
        [CONTENT_DYNAMIC_RELOCATIONS] = "dynamic relocations",
        [CONTENT_BOUND_IMPORTS] = "bound imports",
        [CONTENT_DELAY_IMPORTS] = "delay imports",
        [CONTENT_CLR] = "CLR header",
        [CONTENT_JUMP_TABLES] = "jump tables",
    };
    return content < CONTENT_COUNT ? names[content] : "unknown";
}

/* Every kind has a row: a kind without one would show as headers, which test_report_show.c refuses. */
static unsigned content_of_extent(unsigned kind)
{
    static const uint8_t contents[EXTENT_KIND_COUNT] = {
        [EXTENT_EXPORT_DIRECTORY] = CONTENT_EXPORTS,
        [EXTENT_EXPORT_TABLE] = CONTENT_EXPORTS,
        [EXTENT_EXPORT_STRING] = CONTENT_EXPORTS,
        [EXTENT_IMPORT_DESCRIPTORS] = CONTENT_IMPORTS,
        [EXTENT_IMPORT_LOOKUP] = CONTENT_IMPORTS,
        [EXTENT_IAT] = CONTENT_IAT,
        [EXTENT_IMPORT_NAME] = CONTENT_IMPORTS,
        [EXTENT_RESOURCE_TREE] = CONTENT_RESOURCES,
        [EXTENT_RESOURCE_DATA] = CONTENT_RESOURCES,
        [EXTENT_PDATA] = CONTENT_UNWIND,
        [EXTENT_UNWIND_INFO] = CONTENT_UNWIND,
        [EXTENT_HANDLER_DATA] = CONTENT_UNWIND,
        [EXTENT_BASERELOCS] = CONTENT_RELOCATIONS,
        [EXTENT_DEBUG_DIRECTORY] = CONTENT_DEBUG,
        [EXTENT_DEBUG_DATA] = CONTENT_DEBUG,
        [EXTENT_TLS] = CONTENT_TLS,
        [EXTENT_LOAD_CONFIG] = CONTENT_LOAD_CONFIG,
        [EXTENT_GUARD_TABLE] = CONTENT_GUARD_TABLES,
        [EXTENT_GUARD_SLOT] = CONTENT_GUARD_SLOTS,
        [EXTENT_SECURITY_COOKIE] = CONTENT_SECURITY_COOKIE,
        [EXTENT_DVRT] = CONTENT_DYNAMIC_RELOCATIONS,
        [EXTENT_BOUND_IMPORTS] = CONTENT_BOUND_IMPORTS,
        [EXTENT_DELAY_DESCRIPTORS] = CONTENT_DELAY_IMPORTS,
        [EXTENT_DELAY_IAT] = CONTENT_DELAY_IAT,
        [EXTENT_DELAY_TABLE] = CONTENT_DELAY_IMPORTS,
        [EXTENT_CLR_HEADER] = CONTENT_CLR,
        [EXTENT_JUMP_TABLE] = CONTENT_JUMP_TABLES,
    };
    return kind < EXTENT_KIND_COUNT ? contents[kind] : CONTENT_DATA;
}

static int by_rva(const void *a, const void *b)
{
    const struct extent *left = a, *right = b;
    return left->rva < right->rva ? -1 : left->rva > right->rva;
}

static int by_page(const void *a, const void *b)
{
    const struct code_page *left = a, *right = b;
    return left->page < right->page ? -1 : left->page > right->page;
}

static bool cover_extents(struct page_tracks *tracks, const struct refset *refs)
{
    for (size_t i = 0; i < refs->extent_count; i++) {
        const struct extent *extent = &refs->extents[i];
        if (!page_tracks_cover(tracks, extent->rva, extent->nbytes, content_of_extent(extent->kind)))
            return false;
    }
    return true;
}

/* Bytes [from, to) of a section that no table claims. */
static bool cover_unclaimed(struct page_tracks *tracks, const struct image *image,
                            const struct section *section, uint64_t from, uint64_t to)
{
    struct span bytes;
    if (from >= to || !span_part(image->file, section->raw_foff + (from - section->rva), to - from, &bytes))
        return true;
    if (!span_is_filled(bytes, 0))
        return page_tracks_cover(tracks, from, to - from, CONTENT_DATA);
    return to - from < SMALLEST_ZERO_GAP_NBYTES || page_tracks_cover(tracks, from, to - from, CONTENT_ZEROS);
}

/* The gaps between the extents in sections that are not executable. Sections and the sorted extents both
 * ascend, so one walk does it; an extent may reach over several sections. */
static bool cover_unclaimed_data(struct page_tracks *tracks, const struct image *image,
                                 const struct refset *refs)
{
    struct extent *extents = arena_array(tracks->arena, refs->extent_count, sizeof *extents);
    if (!extents)
        return false;
    if (refs->extent_count != 0) {
        memcpy(extents, refs->extents, refs->extent_count * sizeof *extents);
        qsort(extents, refs->extent_count, sizeof *extents, by_rva);
    }
    uint64_t claimed_end = 0;
    size_t at = 0;
    for (uint32_t i = 0; i < image->mapped_section_count; i++) {
        const struct section *section = image->sections_by_rva[i];
        bool is_data = (section->characteristics & SCN_MEM_EXECUTE) == 0;
        uint64_t end =
            (uint64_t)section->rva +
            (section->file_nbytes < section->memory_nbytes ? section->file_nbytes : section->memory_nbytes);
        if (claimed_end < section->rva)
            claimed_end = section->rva;
        for (; at < refs->extent_count && extents[at].rva < end; at++) {
            if (is_data && !cover_unclaimed(tracks, image, section, claimed_end, extents[at].rva))
                return false;
            uint64_t extent_end = (uint64_t)extents[at].rva + extents[at].nbytes;
            if (claimed_end < extent_end)
                claimed_end = extent_end;
        }
        if (is_data && !cover_unclaimed(tracks, image, section, claimed_end, end))
            return false;
    }
    return true;
}

static bool cover_zero_fill(struct page_tracks *tracks, const struct image *image)
{
    for (uint32_t i = 0; i < image->mapped_section_count; i++) {
        const struct section *section = image->sections_by_rva[i];
        if (section->memory_nbytes > section->file_nbytes &&
            !page_tracks_cover(tracks, (uint64_t)section->rva + section->file_nbytes,
                               section->memory_nbytes - section->file_nbytes, CONTENT_ZERO_FILL))
            return false;
    }
    return true;
}

static bool cover_undecoded(struct page_tracks *tracks, const struct image *image)
{
    for (uint32_t i = 0; i < image->mapped_section_count; i++) {
        const struct section *section = image->sections_by_rva[i];
        if ((section->characteristics & SCN_MEM_EXECUTE) &&
            !page_tracks_cover(tracks, section->rva, section->file_nbytes, CONTENT_UNDECODED))
            return false;
    }
    return true;
}

/* One page's part of a code section: counted by class, and covered by what occurs. */
static bool cover_code_page(struct page_tracks *tracks, const struct code_section *section, uint32_t from,
                            uint32_t to)
{
    static const unsigned contents[5] = {
        [BYTE_UNKNOWN] = CONTENT_CODE_UNKNOWN,  [BYTE_INSTRUCTION] = CONTENT_CODE,
        [BYTE_INSTRUCTION_TAIL] = CONTENT_CODE, [BYTE_DATA] = CONTENT_CODE_DATA,
        [BYTE_PADDING] = CONTENT_CODE_PADDING,
    };
    struct code_page *page = &tracks->code_pages[tracks->code_page_count++];
    page->page = (section->rva + from) / PAGE_NBYTES;
    for (uint32_t i = from; i < to; i++)
        if (section->classes[i] < 5)
            page->class_counts[section->classes[i]]++;
    for (unsigned i = 0; i < 5; i++)
        if (page->class_counts[i] != 0 &&
            !page_tracks_cover(tracks, section->rva + from, to - from, contents[i]))
            return false;
    return true;
}

static bool cover_code(struct page_tracks *tracks, const struct code_map *code)
{
    size_t page_count = 0;
    for (size_t i = 0; i < code->section_count; i++)
        page_count += code->sections[i].nbytes / PAGE_NBYTES + 2; /* it may begin and end inside a page */
    tracks->code_pages = arena_array(tracks->arena, page_count, sizeof *tracks->code_pages);
    if (!tracks->code_pages)
        return false;
    for (size_t i = 0; i < code->section_count; i++) {
        const struct code_section *section = &code->sections[i];
        for (uint32_t from = 0; from < section->nbytes;) {
            uint32_t to = from + PAGE_NBYTES - (section->rva + from) % PAGE_NBYTES;
            if (to > section->nbytes)
                to = section->nbytes;
            if (!cover_code_page(tracks, section, from, to))
                return false;
            from = to;
        }
    }
    if (tracks->code_page_count != 0)
        qsort(tracks->code_pages, tracks->code_page_count, sizeof *tracks->code_pages, by_page);
    return true;
}

bool page_contents_cover(struct page_tracks *tracks, const struct outcome *outcome)
{
    const struct image *image = &outcome->image;
    bool is_decoded = outcome->has_code && outcome->code.decoded;
    return page_tracks_cover(tracks, 0, image->headers_nbytes, CONTENT_HEADERS) &&
           cover_extents(tracks, &outcome->refs) && cover_unclaimed_data(tracks, image, &outcome->refs) &&
           cover_zero_fill(tracks, image) &&
           (is_decoded ? cover_code(tracks, &outcome->code) : cover_undecoded(tracks, image));
}
