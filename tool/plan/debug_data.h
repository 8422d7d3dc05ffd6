/* debug_data.h - where an image holds debug data, and what becomes of those that lie in the file only.
 * Takes: an image.  Gives: its debug entries, and which of their data a new layout does not carry over.
 * Must not: decide about data that are mapped: those go where their section goes.
 *
 * Linkers before the year 2002, and tools that split symbols off, put debug data behind the sections: the
 * entry has a file offset and no RVA. Nothing loads them. A reference to a PDB or DBG file and the frame data
 * of functions (FPO) are carried over; old symbols in the image itself (COFF, CodeView, FIXUP, OMAP, Borland)
 * name every place by section and offset and would lead a debugger astray in the new layout: they are left
 * out, and their entry says so with a size of 0. */
#ifndef HVCIFIX_PLAN_DEBUG_DATA_H
#define HVCIFIX_PLAN_DEBUG_DATA_H

#include "image/image.h"

/* The entries of the debug directory, as many as the file has whole. `foff`: of the first, when there is one.
 */
uint32_t debug_entry_count(const struct image *image, uint32_t *foff);

/* True when a new layout leaves out the data of the entry at file offset entry_foff. */
bool debug_entry_is_dropped(const struct image *image, uint32_t entry_foff);

/* The same for any file offset: false when no entry begins there. */
bool debug_entry_is_dropped_at(const struct image *image, uint64_t foff);

/* True when the byte at foff belongs to debug data that a new layout leaves out. Work: the entries. */
bool debug_data_is_dropped(const struct image *image, uint64_t foff);

/* DWARF, which gcc puts into sections: its name for them, by way of the string table, and rights that nothing
 * asks for at run time. */
bool section_is_debug(const struct section *section);

#endif
