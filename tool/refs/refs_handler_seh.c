/* refs_handler_seh.c - scope tables of structured exception handling, and the data of cookie checks.
 * Takes: one use of a handler.  Gives: whether its data are such a table, and the table's references.
 * Scope table: a count, then {Begin, End, Handler, Target} each. Handler may be the constant 1 (always
 * handle); Target 0 marks a __finally, whose Handler is its function. Behind it, or alone, __GSHandlerCheck*
 * keep the cookie's place in the frame: one or three words without an address. Must not: take data for a
 * table on its count alone. Source: public winnt.h (SCOPE_TABLE), x64 exception handling documentation. */
#include "refs/refs_handler_data.h"

enum {
    SCOPE_BEGIN = 0x0,
    SCOPE_END = 0x4,
    SCOPE_HANDLER = 0x8,
    SCOPE_TARGET = 0xC,
    SCOPE_COUNT_NBYTES = 4,
    HANDLER_ALWAYS = 1, /* EXCEPTION_EXECUTE_HANDLER in place of a filter's address */
    MOST_SCOPES = 0x10000,

    GS_FLAGS = 7,
    GS_FLAG_EHANDLER = 1,
    GS_FLAG_UHANDLER = 2,
    GS_FLAG_ALIGNED = 4,    /* two more words follow: offset and alignment of the frame */
    GS_ALIGNED_NBYTES = 12, /* the three words */
    GS_LARGEST_ALIGNMENT = 0x2000,
    GS_PUSHED_COOKIE_NBYTES = 16,
    MOST_EMPTY_NBYTES = 16
};

/* The table with its count, as far as the file holds it. */
static bool scope_window(const struct refset *refs, const struct handler_use *use, struct window *table,
                         uint32_t *count)
{
    if (!window_from_rva(refs->image, use->data_rva, table) || !span_u32(table->bytes, 0, count))
        return false;
    uint64_t nbytes = SCOPE_COUNT_NBYTES + (uint64_t)*count * SCOPE_ENTRY_NBYTES;
    if (nbytes > table->bytes.nbytes)
        return false;
    *table = window_part(table, 0, nbytes);
    return true;
}

static bool scope_fits(const struct refset *refs, const struct handler_use *use, const uint8_t *scope)
{
    uint32_t begin_rva = load_u32(scope + SCOPE_BEGIN), end_rva = load_u32(scope + SCOPE_END);
    uint32_t handler_rva = load_u32(scope + SCOPE_HANDLER), target_rva = load_u32(scope + SCOPE_TARGET);
    const struct section *section = image_section_at_rva(refs->image, begin_rva);
    /* A function's cold part may lie away from its hot part, but in the same section. */
    if (!section || section != image_section_at_rva(refs->image, use->function_rva) || begin_rva >= end_rva ||
        end_rva - section->rva > section->memory_nbytes)
        return false;
    if (target_rva == 0)
        return handler_is_code(refs, handler_rva);
    return handler_is_code(refs, target_rva) &&
           (handler_rva == HANDLER_ALWAYS || handler_is_code(refs, handler_rva));
}

bool scope_table_fits(struct handler_walk *walk, const struct handler_use *use)
{
    struct window table;
    uint32_t count;
    if (!scope_window(walk->refs, use, &table, &count) || count == 0 || count > MOST_SCOPES ||
        !handler_spend(walk, count))
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (!scope_fits(walk->refs, use,
                        table.bytes.bytes + SCOPE_COUNT_NBYTES + (size_t)i * SCOPE_ENTRY_NBYTES))
            return false;
    return true;
}

static bool add_scope(struct handler_walk *walk, const struct window *table, uint64_t at)
{
    struct ref_spec handler = {.source = SOURCE_HANDLER_DATA,
                               .encoding = REF_RVA,
                               .width_nbytes = 4,
                               .flags = REF_FLAG_CODE_TARGET,
                               .detail = DETAIL_SCOPE_HANDLER};
    if (load_u32(table->bytes.bytes + at + SCOPE_HANDLER) == HANDLER_ALWAYS) {
        handler.is_constant = true;
        handler.flags = 0;
    }
    return handler_add_rva(walk, table, at + SCOPE_BEGIN, DETAIL_SCOPE_BEGIN, 0) &&
           handler_add_rva(walk, table, at + SCOPE_END, DETAIL_SCOPE_END, 0) &&
           window_add(walk->refs, table, at + SCOPE_HANDLER, handler) &&
           handler_add_rva(walk, table, at + SCOPE_TARGET, DETAIL_SCOPE_TARGET, REF_FLAG_CODE_TARGET);
}

bool scope_table_add(struct handler_walk *walk, const struct handler_use *use)
{
    struct refset *refs = walk->refs;
    struct window table;
    uint32_t count;
    if (!scope_window(refs, use, &table, &count))
        return refset_problem(refs, SOURCE_HANDLER_DATA, use->data_rva, NO_FILE_OFFSET,
                              "The scope table at RVA 0x%X runs past the end of its section.", use->data_rva);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t at = SCOPE_COUNT_NBYTES + (uint64_t)i * SCOPE_ENTRY_NBYTES;
        if (window_claimed(refs, &table, at))
            return refset_problem(refs, SOURCE_HANDLER_DATA, use->data_rva, table.foff,
                                  "The scope table at RVA 0x%X runs into another table.", use->data_rva);
        if (!add_scope(walk, &table, at))
            return false;
    }
    return refset_extent(refs, table.rva, (uint32_t)table.bytes.nbytes, EXTENT_HANDLER_DATA,
                         SOURCE_HANDLER_DATA);
}

/* The cookie lies inside the fixed frame: above its lower end on x64, below its upper end on ARM64, where it
 * may also be in the slot that __security_push_cookie adds below a frame. */
static bool is_in_frame(const struct image *image, uint32_t offset, uint32_t frame_nbytes)
{
    if (image->machine == MACHINE_ARM64)
        return offset != 0 && 0 - offset <= (uint64_t)frame_nbytes + GS_PUSHED_COOKIE_NBYTES;
    return offset < frame_nbytes;
}

/* Bytes of the cookie's data at the window's start; 0 when they cannot be such. The two flags for handlers
 * are set only where such data follow a scope table or C++ data. */
static uint32_t gs_data_nbytes(const struct handler_walk *walk, const struct handler_use *use,
                               const struct window *data)
{
    uint32_t word, alignment;
    if (!span_u32(data->bytes, 0, &word) || (word & (GS_FLAG_EHANDLER | GS_FLAG_UHANDLER)) != 0 ||
        !is_in_frame(walk->refs->image, word & ~(uint32_t)GS_FLAGS, use->frame_nbytes))
        return 0;
    if ((word & GS_FLAG_ALIGNED) == 0)
        return sizeof word;
    if (!span_u32(data->bytes, 8, &alignment) || alignment == 0 || (alignment & (alignment - 1)) != 0 ||
        alignment > GS_LARGEST_ALIGNMENT)
        return 0;
    return GS_ALIGNED_NBYTES;
}

/* True when nothing but a few zero bytes lies between `offset` and the next unwind info: the data end there.
 * Behind the last unwind info of the image nothing marks the end. */
static bool ends_at(const struct handler_walk *walk, const struct window *data, uint32_t offset)
{
    for (uint32_t at = offset; at <= offset + MOST_EMPTY_NBYTES && at < data->bytes.nbytes; at++) {
        if (site_set_has(&walk->infos->starts, data->foff + at))
            return true;
        if (data->bytes.bytes[at] != 0)
            break;
    }
    return false;
}

/* A number below the frame's size proves little: the data must end right behind it. */
bool gs_data_fits(struct handler_walk *walk, const struct handler_use *use)
{
    struct window data;
    if (!handler_spend(walk, 1) || !window_from_rva(walk->refs->image, use->data_rva, &data))
        return false;
    uint32_t nbytes = gs_data_nbytes(walk, use, &data);
    return nbytes != 0 && (data.foff > walk->infos->last_foff || ends_at(walk, &data, nbytes));
}

/* No address in it: only what the bytes are. */
bool gs_data_add(struct handler_walk *walk, const struct handler_use *use)
{
    struct window data;
    if (!window_from_rva(walk->refs->image, use->data_rva, &data))
        return true;
    return refset_extent(walk->refs, use->data_rva, gs_data_nbytes(walk, use, &data), EXTENT_HANDLER_DATA,
                         SOURCE_HANDLER_DATA);
}

/* Zero bytes up to the next unwind info hold no address, whatever the handler does with them. */
bool empty_data_fits(struct handler_walk *walk, const struct handler_use *use)
{
    struct window data;
    return handler_spend(walk, 1) && window_from_rva(walk->refs->image, use->data_rva, &data) &&
           ends_at(walk, &data, 0);
}

bool empty_data_add(struct handler_walk *walk, const struct handler_use *use)
{
    (void)walk;
    (void)use;
    return true;
}
