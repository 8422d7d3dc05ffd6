/* new_sections.h - what the two makers of section tables share. Private to tool/plan. */
#ifndef HVCIFIX_PLAN_NEW_SECTIONS_H
#define HVCIFIX_PLAN_NEW_SECTIONS_H

#include "plan/rewrite.h"

enum { RAW_ALIGNMENT_NBYTES = 0x200, FILL_CODE = 0xCC };

/* Characteristics of sections that are new. */
#define NEW_CODE (SCN_CNT_CODE | SCN_MEM_EXECUTE | SCN_MEM_READ | SCN_MEM_NOT_PAGED)
#define NEW_DATA (SCN_CNT_INITIALIZED_DATA | SCN_MEM_READ | SCN_MEM_WRITE | SCN_MEM_NOT_PAGED)
#define NEW_CONSTANTS (SCN_CNT_INITIALIZED_DATA | SCN_MEM_READ | SCN_MEM_NOT_PAGED)
#define NEW_RELOCATIONS (SCN_CNT_INITIALIZED_DATA | SCN_MEM_READ | SCN_MEM_DISCARDABLE)

uint32_t align_up(uint32_t value, uint32_t align);

/* Rights that the memory of a piece needs: NEEDS_*. */
unsigned piece_needs(const struct rewrite *rewrite, const struct piece *piece);

/* How many bytes of the piece lie in the file; the rest are zeros. */
uint32_t piece_backed_nbytes(const struct rewrite *rewrite, const struct piece *piece);

/* Behind the last section, at the next page. */
uint32_t sections_end_rva(const struct layout *layout);

/* A new section of `nbytes` at rva, all of them in the file unless the caller shortens that. The array has
 * room for it (MOST_NEW_SECTIONS); its place in the file is chosen later. `name` has at most 8 characters. */
struct new_section *sections_add(struct layout *layout, const char *name, uint32_t rva, uint32_t nbytes,
                                 uint32_t characteristics);

/* new_sections_window.c: what leaves in a page-aligned image that keeps all distances. A section that leaves
 * as a whole keeps its header at its new place; a hole without data is left behind. */
bool window_holds(const struct rewrite *rewrite, const struct piece *piece);
bool window_leaves_whole(const struct rewrite *rewrite, const struct section *section);
void window_vacate(const struct section *section, struct new_section *kept);
bool window_add_sections(struct rewrite *rewrite);
/* Bytes of the file in front of the section that leave their place in it. */
uint32_t window_vacated_nbytes(const struct rewrite *rewrite, const struct section *section);

/* Regions behind the sections: carries over debug data (and, with_symbols, the COFF symbols with their
 * strings) from new file offset *end_foff on; refuses what nothing names, unless it is zero. */
bool carry_unmapped(struct rewrite *rewrite, bool with_symbols, uint32_t *end_foff);

/* Header bytes in front of the section table, for a table of `section_count` entries. Refuses when anything
 * but zeros lies behind the old one. *end_foff is the end of what must lie below SizeOfHeaders. */
bool carry_headers(struct rewrite *rewrite, uint32_t section_count, uint32_t *end_foff);

/* place_forced.c: empty sections where the caller's layout leaves gaps, behind the others; then all in order.
 */
bool forced_fill_gaps(struct rewrite *rewrite);
bool forced_sort_sections(struct layout *layout);

#endif
