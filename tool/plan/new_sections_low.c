/* new_sections_low.c - the section table of an image that was low-aligned.
 * Takes: placed pieces.  Gives: sections, copies, fills.  Must not: move a piece.
 *
 * A section is a run of pages with the same rights, without a gap to the next. What shared pages before was
 * hardly paged and hardly discarded, so the new sections are neither: no name begins with PAGE or .eda, and
 * only base relocations are discardable. */
#include "plan/new_sections_pages.h"

#include <stdlib.h>

enum { HOLE_MIN_PAGES = 16 }; /* so many empty pages of an executable run become a section without data */

static int by_new_rva(const void *a, const void *b)
{
    const struct piece *x = *(const struct piece *const *)a, *y = *(const struct piece *const *)b;
    return x->new_rva < y->new_rva ? -1 : x->new_rva > y->new_rva;
}

static bool asks_for_paging(const char *name)
{
    return strncmp(name, "PAGE", 4) == 0 || strncmp(name, ".eda", 4) == 0 || strncmp(name, "INIT", 4) == 0;
}

/* The name of the first piece of that class on the pages, unless it means something to Windows. */
static void set_name(const struct page_table *table, const struct page *page, struct new_section *section)
{
    static const char *const names[] = {
        [PAGES_CONSTANTS] = ".rdata", [PAGES_DATA] = ".data",   [PAGES_CODE] = ".text",
        [PAGES_SLOTS] = ".hvidata",   [PAGES_NONE] = ".hvhole", [PAGES_RELOCATIONS] = ".reloc"};
    const char *name = names[page->class];
    for (uint32_t i = page->first_piece; i < table->piece_count && page->class != PAGES_NONE; i++) {
        const struct piece *piece = table->pieces[i];
        if (piece->new_rva >= section->rva + section->virtual_size)
            break;
        if (piece->kind == PIECE_VARIABLES || piece->kind == PIECE_DATA) {
            name = page->class == PAGES_DATA ? ".hvdata" : ".hvidata";
            break;
        }
        if (piece->kind != PIECE_SECTION || pages_class_of(table->rewrite, piece) != page->class)
            continue;
        const char *own = table->rewrite->image->sections[piece->section].raw_name;
        if (!asks_for_paging(own) && own[0] != '/' && own[0] != 0)
            name = own;
        break;
    }
    memcpy(section->name, name, strlen(name));
}

static uint32_t characteristics_of(enum page_class class)
{
    switch (class) {
    case PAGES_CODE:
        return NEW_CODE;
    case PAGES_DATA:
        return NEW_DATA;
    case PAGES_RELOCATIONS:
        return NEW_RELOCATIONS;
    default:
        return NEW_CONSTANTS;
    }
}

/* Last page of the section that begins at `first`: the same rights, up to where another may begin; with empty
 * pages behind, unless they are many. */
static uint32_t run_end(const struct page_table *table, uint32_t first)
{
    uint8_t class = table->pages[first].class;
    uint32_t end = first + 1;
    while (end < table->page_count) {
        const struct page *page = &table->pages[end];
        uint32_t hole_end = end;
        while (hole_end < table->page_count && table->pages[hole_end].class == PAGES_NONE)
            hole_end++;
        if (class == PAGES_NONE ? page->class != PAGES_NONE
                                : page->class == PAGES_NONE && hole_end - end >= HOLE_MIN_PAGES)
            break;
        if (page->class != PAGES_NONE && (page->class != class || page->begins))
            break;
        end++;
    }
    return end;
}

/* Where the content of the pages [first, end) ends. */
static uint32_t content_end_rva(const struct page_table *table, uint32_t first, uint32_t end)
{
    uint32_t first_rva = (first + 1) * PAGE_NBYTES, limit_rva = (end + 1) * PAGE_NBYTES, end_rva = first_rva;
    for (uint32_t i = table->pages[first].first_piece; i < table->piece_count; i++) {
        const struct piece *piece = table->pieces[i];
        if (piece->new_rva >= limit_rva)
            break;
        uint32_t piece_end_rva = piece->new_rva + pages_placed_nbytes(table->rewrite, piece);
        if (piece_end_rva > end_rva)
            end_rva = piece_end_rva;
    }
    return end_rva < limit_rva ? end_rva : limit_rva;
}

static bool make_sections(struct page_table *table)
{
    struct layout *layout = table->rewrite->layout;
    layout->sections = arena_array(table->rewrite->arena, (size_t)table->page_count + MOST_NEW_SECTIONS,
                                   sizeof *layout->sections);
    if (!layout->sections)
        return false;
    for (uint32_t first = 0, end; first < table->page_count; first = end) {
        end = run_end(table, first);
        const struct page *page = &table->pages[first];
        struct new_section *section = &layout->sections[layout->section_count++];
        *section = (struct new_section){.rva = (first + 1) * PAGE_NBYTES,
                                        .characteristics = characteristics_of((enum page_class)page->class),
                                        .old_section = NO_SECTION};
        uint32_t last_page_rva = end * PAGE_NBYTES;
        uint32_t end_rva =
            page->class == PAGES_NONE ? last_page_rva + PAGE_NBYTES : content_end_rva(table, first, end);
        if (end_rva <= last_page_rva) /* the last page is empty: the section still has to reach over it */
            end_rva = last_page_rva + PAGE_NBYTES;
        section->virtual_size = end_rva - section->rva;
        section->raw_nbytes =
            page->class == PAGES_NONE ? 0 : align_up(section->virtual_size, layout->file_alignment);
        set_name(table, page, section);
    }
    straddle_add_sections(layout);
    return true;
}

/* Copies and fills for the part of each piece that lies in the section. */
static bool fill_section(struct page_table *table, const struct new_section *section)
{
    struct rewrite *rewrite = table->rewrite;
    uint8_t fill = section->characteristics & SCN_MEM_EXECUTE ? FILL_CODE : 0;
    uint32_t end_rva = section->rva + section->raw_nbytes, at_rva = section->rva;
    for (uint32_t i = 0; i < table->piece_count; i++) {
        const struct piece *piece = table->pieces[i];
        uint32_t carried = pages_carried_nbytes(rewrite, piece);
        uint32_t begin = piece->new_rva > section->rva ? piece->new_rva : section->rva;
        uint32_t end = piece->new_rva + pages_placed_nbytes(rewrite, piece);
        end = end < end_rva ? end : end_rva;
        if (begin >= end)
            continue;
        uint32_t copied_end = piece->new_rva + carried < end ? piece->new_rva + carried : end;
        if (!layout_add_fill(rewrite->layout, rewrite->arena, section->raw_foff + (at_rva - section->rva),
                             begin > at_rva ? begin - at_rva : 0, fill))
            return false;
        if (piece->kind != PIECE_RELOCATIONS && copied_end > begin &&
            !layout_add_copy(rewrite->layout, rewrite->arena, piece->old_rva + (begin - piece->new_rva),
                             section->raw_foff + (begin - section->rva), copied_end - begin))
            return false;
        at_rva = end;
    }
    return layout_add_fill(rewrite->layout, rewrite->arena, section->raw_foff + (at_rva - section->rva),
                           end_rva - at_rva, fill);
}

static bool lay_out_file(struct page_table *table)
{
    struct rewrite *rewrite = table->rewrite;
    struct layout *layout = rewrite->layout;
    uint32_t end_foff;
    if (!carry_headers(rewrite, layout->section_count, &end_foff))
        return false;
    layout->headers_nbytes = align_up(end_foff, layout->file_alignment);
    if (layout->headers_nbytes > PAGE_NBYTES)
        return rewrite_refuse(rewrite, NO_RVA, end_foff, "Link the image again with fewer sections.",
                              "The headers of the repaired image would not fit into one page.");
    uint32_t foff = layout->headers_nbytes;
    for (uint32_t i = 0; i < layout->section_count; i++) {
        struct new_section *section = &layout->sections[i];
        section->raw_foff = section->raw_nbytes == 0 ? 0 : foff;
        foff += section->raw_nbytes;
        if (section->raw_nbytes != 0 && !fill_section(table, section))
            return false;
    }
    layout_sort_copies(layout);
    if (!carry_unmapped(rewrite, false, &foff))
        return false;
    const struct new_section *last = &layout->sections[layout->section_count - 1];
    layout->image_nbytes = page_of(last->rva + last->virtual_size + PAGE_NBYTES - 1);
    layout->file_nbytes = foff;
    return true;
}

/* Who reads the base relocations from the file looks for them in one section. */
static bool check_relocations(const struct page_table *table)
{
    struct rewrite *rewrite = table->rewrite;
    const struct layout *layout = rewrite->layout;
    const struct directory *directory = image_directory(rewrite->image, DIR_BASERELOC);
    if (!directory || layout->relocations_nbytes == 0 ||
        layout_section_at(layout, layout->relocations_rva) ==
            layout_section_at(layout, layout->relocations_rva + layout->relocations_nbytes - 1))
        return true;
    return rewrite_refuse(rewrite, directory->rva, directory->entry_foff,
                          "Let the linker put base relocations into a section of their own (.reloc).",
                          "Other things lie beside the base relocation table, and it would be cut in two.");
}

bool new_sections_low(struct rewrite *rewrite)
{
    struct layout *layout = rewrite->layout;
    struct page_table table = {.rewrite = rewrite};
    layout->section_alignment = PAGE_NBYTES;
    layout->file_alignment = rewrite->image->file_alignment >= RAW_ALIGNMENT_NBYTES
                                 ? rewrite->image->file_alignment
                                 : RAW_ALIGNMENT_NBYTES;
    layout->drops_symbols = rewrite->image->symbol_table_foff != 0;
    table.pieces = arena_array(rewrite->arena, layout->piece_count, sizeof *table.pieces);
    if (!table.pieces)
        return false;
    for (size_t i = 0; i < layout->piece_count; i++)
        if (layout->pieces[i].kind != PIECE_HEADERS)
            table.pieces[table.piece_count++] = &layout->pieces[i];
    qsort(table.pieces, table.piece_count, sizeof *table.pieces, by_new_rva);
    if (!pages_classify(&table))
        return false;
    pages_keep_tables_whole(&table);
    return make_sections(&table) && check_relocations(&table) && lay_out_file(&table);
}
