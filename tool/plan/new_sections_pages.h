/* new_sections_pages.h - the rights that each page of a new layout gets. Private to tool/plan.
 * Takes: placed pieces of a low-aligned image.  Gives: a class for each page.  Must not: make sections of
 * them; new_sections_low.c does. */
#ifndef HVCIFIX_PLAN_NEW_SECTIONS_PAGES_H
#define HVCIFIX_PLAN_NEW_SECTIONS_PAGES_H

#include "plan/new_sections.h"

enum page_class { PAGES_NONE, PAGES_CONSTANTS, PAGES_DATA, PAGES_CODE, PAGES_SLOTS, PAGES_RELOCATIONS };

/* One page of the new image. */
struct page {
    uint8_t class;
    bool begins;          /* a new section may begin here even when the one before has the same rights */
    bool continues;       /* a loader's table goes on here that began on the page before */
    uint32_t first_piece; /* index in the list by new address, of the first that touches it */
};

struct page_table {
    struct rewrite *rewrite;
    const struct piece **pieces; /* by ascending new_rva, without headers */
    uint32_t piece_count;
    struct page *pages; /* from RVA 0x1000 on */
    uint32_t page_count;
};

/* Bytes of the piece that come from the file: its content, and the fill behind it up to its last byte that is
 * not zero. In a low-aligned image all of the file is memory. */
uint32_t pages_carried_nbytes(const struct rewrite *rewrite, const struct piece *piece);

/* The same, or the piece's size in memory where that is more. */
uint32_t pages_placed_nbytes(const struct rewrite *rewrite, const struct piece *piece);

/* What the piece needs. */
enum page_class pages_class_of(const struct rewrite *rewrite, const struct piece *piece);

/* Fills table->pages from its pieces. False when memory ran out. */
bool pages_classify(struct page_table *table);

/* Readers of files expect a table in one section. In memory it goes on behind a border, but none is cut
 * without need: both pages get the rights of the one that has more. */
void pages_keep_tables_whole(struct page_table *table);

#endif
