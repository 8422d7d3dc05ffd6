/* verify_moved_rights.h - what rights the sections of a moved image may have.
 * Takes: struct verify_moves with its fields.  Gives: whose header a section has, and which rights its
 * content had.  Must not: take a right for needed because the new image gives it. */
#ifndef HVCIFIX_VERIFY_VERIFY_MOVED_RIGHTS_H
#define HVCIFIX_VERIFY_VERIFY_MOVED_RIGHTS_H

#include "verify/verify_moved_headers.h"

/* Where the header of a section of the new image comes from. All but HEADER_NEW: page-aligned images only. */
enum verify_header_origin {
    HEADER_KEPT,         /* it stays as it was, */
    HEADER_LOST_WRITE,   /* but for the right to write, */
    HEADER_LOST_EXECUTE, /* or, of a section with both, to execute */
    HEADER_MOVED,        /* it went with all of its content */
    HEADER_CHANGED,      /* it should have stayed: content lies where it lay */
    HEADER_NEW           /* what it holds is judged, piece for piece */
};
enum verify_header_origin verify_header_origin(const struct verify_moves *moves, uint32_t index);

/* It stays where it was, with its size, whatever right it lost. */
static inline bool verify_header_stays(enum verify_header_origin origin)
{
    return origin == HEADER_KEPT || origin == HEADER_LOST_WRITE || origin == HEADER_LOST_EXECUTE;
}

/* A section of the new image has all eight bytes of the old one's name. */
bool verify_has_name_of(const struct verify_moves *moves, const struct verify_section *old_section,
                        const struct verify_section *section);

/* False when a section is larger in memory than what it holds, or the image far larger than it was. */
bool verify_moved_sizes(struct verify_moves *moves);

/* False when something that the loader writes is executable, or read-only where it may not be, or when data
 * directory 12 is not that of the import slots. */
bool verify_moved_slots(struct verify_moves *moves);

/* Rights that something in the section had: executable code, or data that was written. Parts that a repair
 * added are judged with it. */
uint32_t verify_rights_of_content(const struct verify_moves *moves, const struct verify_section *section);

/* Written again while the driver runs: not only by the loader, which opens what it needs. `what` as in
 * struct verify_range. */
bool verify_needs_write(const char *what);

/* False when what could not be written in a page-aligned image can be, on a page where nothing is written. */
bool verify_constants_are_protected(struct verify_moves *moves);

/* Constants of a low-aligned image lie in a section that can be written: as all of its pages could. */
bool verify_constants_are_writable(const struct verify_moves *moves);

#endif
