/* verify_inventory_internal.h - shared by the files of the inventory, nothing else.
 * Takes: struct verify_moves.  Gives: small steps over a table.  Must not: be used where no table is walked.
 */
#ifndef HVCIFIX_VERIFY_VERIFY_INVENTORY_INTERNAL_H
#define HVCIFIX_VERIFY_VERIFY_INVENTORY_INTERNAL_H

#include "verify/verify_inventory.h"

/* One entry of a table more; "not shown" when there have been more than any image can need. */
bool inventory_take(struct verify_moves *moves, uint64_t rva);

/* Four bytes of the old image; "not shown" when they are not in the file. `what` begins a sentence. */
bool inventory_read_u32(struct verify_moves *moves, uint64_t rva, uint32_t *value, const char *what);

/* The same without a verdict: false, and 0 in *value, when they are not in the file. */
bool inventory_peek_u32(const struct verify_moves *moves, uint64_t rva, uint32_t *value);

/* Data directory `index` of the old image; zeros when it has none. */
struct verify_directory inventory_directory(const struct verify_moves *moves, uint32_t index);

/* The text at the place that the RVA at field_rva leads to, skipped_nbytes behind its begin, moves by one
 * distance up to its end, and holds no array. */
bool inventory_text(struct verify_moves *moves, uint64_t field_rva, uint32_t skipped_nbytes);

/* One function whose unwind data name a language handler. */
struct handler_use {
    uint32_t handler_rva, data_rva, begin_rva, end_rva;
    uint32_t frame_nbytes; /* of stack that the prologue takes, as the unwind codes say */
};

/* Each is false when not shown or out of memory. */
bool inventory_handlers(struct verify_moves *moves, struct handler_use *uses,
                        size_t count); /* sorts `uses` */
bool inventory_imports(struct verify_moves *moves);
bool inventory_delay_imports(struct verify_moves *moves);

#endif
