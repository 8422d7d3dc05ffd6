/* verify_table_sections.h - sections that code does not read: nothing but tables of the loader, or debug
 * data. Takes: struct verify_moves behind the inventory.  Gives: a mark on each piece. Must not: take a
 * section for such a one because of its name alone. */
#ifndef HVCIFIX_VERIFY_VERIFY_TABLE_SECTIONS_H
#define HVCIFIX_VERIFY_VERIFY_TABLE_SECTIONS_H

#include "verify/verify_inventory.h"

/* Sets is_table of each piece. Behind verify_inert_join(). False when memory ran out. */
bool verify_mark_tables(struct verify_moves *moves);

/* DWARF: gcc's name for it, by way of the string table, and rights that nothing asks for at run time. */
bool verify_is_debug_section(const struct verify_section *section);

#endif
