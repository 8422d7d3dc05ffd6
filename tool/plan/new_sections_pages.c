/* new_sections_pages.c - see new_sections_pages.h.
 *
 * A page gives what one piece on it needs; a table that goes on over the end of a page keeps both alike. */
#include "plan/new_sections_pages.h"

uint32_t pages_carried_nbytes(const struct rewrite *rewrite, const struct piece *piece)
{
    const struct section *section = &rewrite->image->sections[piece->section];
    const struct piece *next = piece + 1;
    bool is_last = next >= rewrite->layout->pieces + rewrite->layout->piece_count;
    uint64_t end = is_last ? (uint64_t)section->raw_foff + section->file_nbytes : next->old_rva;
    if (end > rewrite->image->file.nbytes)
        end = rewrite->image->file.nbytes;
    if (end <= piece->old_rva || piece->kind == PIECE_RELOCATIONS)
        return 0;
    uint32_t nbytes = (uint32_t)end - piece->old_rva;
    while (nbytes > piece->nbytes && rewrite->image->file.bytes[piece->old_rva + nbytes - 1] == 0)
        nbytes--;
    return nbytes;
}

uint32_t pages_placed_nbytes(const struct rewrite *rewrite, const struct piece *piece)
{
    uint32_t carried = pages_carried_nbytes(rewrite, piece);
    return carried > piece->nbytes ? carried : piece->nbytes;
}

enum page_class pages_class_of(const struct rewrite *rewrite, const struct piece *piece)
{
    unsigned needs = piece_needs(rewrite, piece);
    if (piece->kind == PIECE_RELOCATIONS)
        return PAGES_RELOCATIONS;
    if (piece->kind == PIECE_IAT || piece->kind == PIECE_SLOTS)
        return PAGES_SLOTS;
    if (needs & NEEDS_EXECUTE)
        return PAGES_CODE;
    return needs & NEEDS_WRITE ? PAGES_DATA : PAGES_CONSTANTS;
}

/* Rights by page: what one piece on it needs, the page gives. The classes rise in that order. */
bool pages_classify(struct page_table *table)
{
    const struct piece *last = table->pieces[table->piece_count - 1];
    uint32_t end_rva = last->new_rva + pages_placed_nbytes(table->rewrite, last);
    table->page_count = (page_of(end_rva + PAGE_NBYTES - 1) - PAGE_NBYTES) / PAGE_NBYTES;
    table->pages = arena_array(table->rewrite->arena, table->page_count, sizeof *table->pages);
    if (!table->pages)
        return false;
    for (uint32_t i = 0; i < table->piece_count; i++) {
        const struct piece *piece = table->pieces[i];
        uint32_t nbytes = pages_placed_nbytes(table->rewrite, piece);
        if (nbytes == 0)
            continue;
        uint8_t class = (uint8_t)pages_class_of(table->rewrite, piece);
        uint32_t first = piece->new_rva / PAGE_NBYTES - 1, end = (piece->new_rva + nbytes - 1) / PAGE_NBYTES;
        for (uint32_t p = first; p < end; p++) {
            struct page *page = &table->pages[p];
            if (page->class == PAGES_NONE) {
                page->first_piece = i;
                page->begins = p == first && class != PAGES_CODE;
            }
            if (class > page->class)
                page->class = class;
        }
    }
    return true;
}

/* What pages that a table lies on both of may become: where one of two neighbours gives more, the other gives
 * it too. 0 when that would make code writable. */
static uint8_t class_for_both(uint8_t a, uint8_t b)
{
    uint8_t more = a > b ? a : b, less = a > b ? b : a;
    bool is_plain = more <= PAGES_CODE && less >= PAGES_CONSTANTS;
    return is_plain && (less != PAGES_DATA || more != PAGES_CODE) ? more : PAGES_NONE;
}

static void join_pages(struct page_table *table, uint32_t p)
{
    struct page *before = &table->pages[p - 1], *page = &table->pages[p];
    uint8_t class = class_for_both(before->class, page->class);
    if (!page->continues || class == PAGES_NONE)
        return;
    before->class = page->class = class;
    page->begins = false;
}

static void mark_whole(struct page_table *table, uint32_t old_rva, uint32_t nbytes)
{
    uint32_t rva = layout_map_rva(table->rewrite->layout, old_rva);
    uint64_t end = nbytes == 0 ? 0 : ((uint64_t)rva + nbytes - 1) / PAGE_NBYTES; /* page p has index p - 1 */
    for (uint64_t p = rva / PAGE_NBYTES; p > 0 && p < end && p < table->page_count; p++)
        table->pages[p].continues = true;
}

void pages_keep_tables_whole(struct page_table *table)
{
    static const unsigned directories[] = {DIR_EXPORT, DIR_RESOURCE, DIR_EXCEPTION};
    const struct refset *refs = table->rewrite->refs;
    for (size_t i = 0; i < refs->extent_count; i++)
        if (refs->extents[i].source != SOURCE_BASERELOCS)
            mark_whole(table, refs->extents[i].rva, refs->extents[i].nbytes);
    for (size_t i = 0; i < sizeof directories / sizeof directories[0]; i++) {
        const struct directory *directory = image_directory(table->rewrite->image, directories[i]);
        if (directory)
            mark_whole(table, directory->rva, directory->nbytes);
    }
    for (uint32_t p = table->page_count; p-- > 1;)
        join_pages(table, p);
    for (uint32_t p = 1; p < table->page_count; p++)
        join_pages(table, p);
}
