/* verify_moved_headers.h - headers and section rights of a moved image.
 * Takes: struct verify_moves with its map.  Gives: true, or the first field that is not what follows from the
 * old image.  Must not: allow a right that the old image did not have, or paging that low alignment kept off.
 */
#ifndef HVCIFIX_VERIFY_VERIFY_MOVED_HEADERS_H
#define HVCIFIX_VERIFY_VERIFY_MOVED_HEADERS_H

#include "verify/verify_inventory.h"

/* What no layout changes; needs no map, so that the verdict names the field and not what follows from it. */
bool verify_moved_fixed_headers(struct verify_moves *moves);
bool verify_moved_headers(struct verify_moves *moves);
bool verify_moved_sections(struct verify_moves *moves);

/* COFF symbols of page-aligned images, which nothing loads: both files have them, and the new ones are the
 * old ones but for where parts went. */
bool verify_symbols_are_kept(struct verify_moves *moves);

/* Data that left executable sections is no code. */
bool verify_moved_split(struct verify_moves *moves);

/* Nothing that is called can no longer be executed. */
bool verify_moved_called(struct verify_moves *moves);

/* Nothing writes what stays of a section that lost its write right. */
bool verify_loses_write(struct verify_moves *moves, const struct verify_section *section);

/* Nothing executes in this section of the old image. False, with the counter-example set and marked as not
 * shown, when something may. */
bool verify_loses_execute(struct verify_moves *moves, const struct verify_section *section);

#endif
