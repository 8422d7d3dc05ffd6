/* refs_handler_data.h - the data that language handlers find behind unwind info.
 * Takes: every use of every handler, gathered by the x64 and ARM64 unwind readers.
 * Gives: SOURCE_HANDLER_DATA. Must not: read data whose meaning is not established.
 * A handler is known by its name (import thunk, export, COFF symbol); one without a name is judged by what
 * all its users' data have in common, and stays unknown when one of them does not fit. Private to tool/refs.
 */
#ifndef HVCIFIX_REFS_REFS_HANDLER_DATA_H
#define HVCIFIX_REFS_REFS_HANDLER_DATA_H

#include "refs/refs_sources.h"

/* One unwind info that names a handler. */
struct handler_use {
    uint32_t handler_rva;
    uint32_t data_rva; /* of the first byte behind the handler's RVA */
    uint32_t function_rva;
    uint32_t frame_nbytes; /* stack bytes of the function's fixed frame */
};

struct handler_uses {
    struct handler_use *items;
    size_t count, capacity;
};

/* False when memory ran out. */
bool handler_uses_add(struct refset *refs, struct handler_uses *uses, const struct handler_use *use);

/* Where unwind infos begin, by file offset: what a handler's data must end before. */
struct unwind_infos {
    struct site_set starts;
    uint64_t last_foff;
};

/* Reorders `uses`, decides what each handler is, and
 * adds the references in the data of those known. */
bool refs_collect_handler_data(struct refset *refs, struct handler_uses *uses,
                               const struct unwind_infos *infos);

/* What a handler's data are. */
enum handler_kind {
    HANDLER_UNKNOWN,
    HANDLER_SCOPE_TABLE, /* __C_specific_handler, __GSHandlerCheck_SEH */
    HANDLER_CXX3,        /* __CxxFrameHandler to __CxxFrameHandler3, __GSHandlerCheck_EH: RVA of a FuncInfo */
    HANDLER_CXX4,        /* __CxxFrameHandler4, __GSHandlerCheck_EH4: RVA of compressed tables */
    HANDLER_GS,          /* __GSHandlerCheck: a cookie's place in the frame, no address */
    HANDLER_EMPTY        /* no data: zero bytes up to the next unwind info */
};

struct handler {
    uint32_t rva;
    size_t first_use, use_count; /* in handler_uses, sorted */
    const char *name;            /* in the arena, or NULL */
    enum handler_kind kind;
};

/* Finds names for `handlers`, which are sorted by RVA. */
bool handlers_name(struct refset *refs, struct handler *handlers, size_t handler_count);

/* The kind that a name stands for; HANDLER_UNKNOWN for any other name. */
enum handler_kind handler_kind_of_name(const char *name);

/* What the readers of handler data share. */
struct handler_walk {
    struct refset *refs;
    struct site_set visited; /* records that were read, by file offset */
    const struct unwind_infos *infos;
    uint64_t steps_left; /* checks without result are bounded: overlapping tables must not cost more */
};

/* Do the data of this use look like this kind, in every respect that can be checked? */
bool scope_table_fits(struct handler_walk *walk, const struct handler_use *use);
bool gs_data_fits(struct handler_walk *walk, const struct handler_use *use);
bool cxx3_fits(struct handler_walk *walk, const struct handler_use *use);
bool cxx4_fits(struct handler_walk *walk, const struct handler_use *use);
bool empty_data_fits(struct handler_walk *walk, const struct handler_use *use);

/* Add the references of data whose kind is established. False when memory ran out. */
bool scope_table_add(struct handler_walk *walk, const struct handler_use *use);
bool gs_data_add(struct handler_walk *walk, const struct handler_use *use);
bool cxx3_add(struct handler_walk *walk, const struct handler_use *use);
bool cxx4_add(struct handler_walk *walk, const struct handler_use *use);
bool empty_data_add(struct handler_walk *walk, const struct handler_use *use);

/* True when rva lies in a section that can be executed. */
bool handler_is_code(const struct refset *refs, uint32_t rva);

/* Spends `steps`; false when none are left. */
bool handler_spend(struct handler_walk *walk, uint64_t steps);

/* Adds an RVA of 4 bytes at `offset` of the window as SOURCE_HANDLER_DATA. */
bool handler_add_rva(struct handler_walk *walk, const struct window *window, uint64_t offset, uint16_t detail,
                     uint8_t flags);

#endif
