/* refs_exception.h - the exception table, by machine.
 * Takes: directory 3.  Gives: SOURCE_EXCEPTION and SOURCE_UNWIND, and the uses of language handlers.
 * Private to tool/refs. */
#ifndef HVCIFIX_REFS_REFS_EXCEPTION_H
#define HVCIFIX_REFS_REFS_EXCEPTION_H

#include "refs/refs_handler_data.h"

struct exception_walk {
    struct refset *refs;
    struct window table;       /* the records of directory 3, a whole number of them */
    struct unwind_infos infos; /* those that were read */
    struct handler_uses uses;
    uint32_t unread_version_count; /* unwind info of a version that is not read */
    uint32_t first_unread_rva;
    bool adds_functions, adds_unwind; /* the sources that were asked for */
};

/* Each false when memory ran out. */
bool exception_collect_x64(struct exception_walk *walk);
bool exception_collect_arm64(struct exception_walk *walk);

/* Notes that an unwind info, or a function record outside the table, begins at foff; false when it was read
 * before. */
bool exception_begin_info(struct exception_walk *walk, uint64_t foff);

/* Adds a 4-byte RVA when its source was asked for. */
bool exception_add_rva(struct exception_walk *walk, const struct window *window, uint64_t offset,
                       enum ref_source source, uint16_t detail, uint8_t flags);

/* Records the handler whose RVA is at `offset` of the unwind info, and its use. */
bool exception_add_handler(struct exception_walk *walk, const struct window *info, uint64_t offset,
                           uint32_t function_rva, uint32_t frame_nbytes);

#endif
