/* reloc_table.h - the base relocation table of the new image.
 * Takes: the old entries, as references, and the layout.  Gives: the bytes of directory 5.
 * Must not: add or leave out a place but as layout->straddles says. */
#ifndef HVCIFIX_PLAN_RELOC_TABLE_H
#define HVCIFIX_PLAN_RELOC_TABLE_H

#include "plan/layout.h"

/* The old entries at their mapped places with their types; one block for each page, ascending, as Windows
 * demands. With layout->straddles: those in copied instructions lie in the copies, those that a stub applies
 * are not there, and the stub has its own. Without any entry, one empty block. *table lies in the arena.
 * False when memory ran out. */
bool reloc_table_build(const struct refset *refs, const struct layout *layout, struct arena *arena,
                       struct span *table);

/* The table of `nbytes` goes where the old one goes, in the room that the old one had. */
void reloc_table_stays(struct layout *layout, const struct directory *directory, uint32_t nbytes);

/* A place and its type (BASERELOC_*). */
struct reloc_place {
    uint32_t rva;
    uint16_t type;
};

/* The table for these places, which are sorted here. False when memory ran out. */
bool reloc_table_write(struct reloc_place *places, size_t count, struct arena *arena, struct span *table);

#endif
