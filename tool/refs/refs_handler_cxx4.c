/* refs_handler_cxx4.c - C++ exception data of __CxxFrameHandler4: tables of variable-length records.
 * Takes: one use of a handler.  Gives: whether its data are such tables, and all RVAs in them.
 * Counts, states, frame offsets and distances from the function's start are compressed integers of 1 to 5
 * bytes; pointers between tables, handlers, actions and types are plain RVAs of 4 bytes at any alignment. The
 * same reading serves the check (adds is false: every RVA must lead where its meaning asks) and the
 * collection. Must not: read a record twice. Source: the public layouts of the C++ run-time's exception data.
 */
#include "refs/refs_handler_data.h"

enum {
    INFO_IS_CATCH = 0x01,
    INFO_IS_SEPARATED = 0x02,
    INFO_HAS_BBT = 0x04,
    INFO_HAS_UNWIND_MAP = 0x08,
    INFO_HAS_TRY_MAP = 0x10,
    INFO_RESERVED = 0x80,

    UNWIND_TYPE_MASK = 3, /* low bits of an unwind record's first integer */
    UNWIND_TYPE_NONE = 0,
    UNWIND_TYPE_FUNCTION = 3, /* an action; the two types between have an object as well */

    CATCH_HAS_ADJECTIVES = 0x01,
    CATCH_HAS_TYPE = 0x02,
    CATCH_HAS_OBJECT = 0x04,
    CATCH_CONTINUES_AT_RVA = 0x08,
    CATCH_CONTINUATION_SHIFT = 4, /* two bits: how many continuation addresses follow */
    CATCH_RESERVED = 0xC0,
    MOST_ENTRIES = 0x100000
};

/* Reading position in one table. */
struct cursor {
    struct handler_walk *walk;
    struct window window;
    uint64_t at;
    bool adds;   /* record references; else only check */
    bool failed; /* the bytes are not such a table */
    bool no_memory;
};

static bool cursor_open(struct handler_walk *walk, uint32_t rva, bool adds, struct cursor *cursor)
{
    *cursor = (struct cursor){.walk = walk, .adds = adds};
    if (rva == 0 || !window_from_rva(walk->refs->image, rva, &cursor->window))
        cursor->failed = true;
    return !cursor->failed;
}

static bool cursor_ok(const struct cursor *cursor)
{
    return !cursor->failed && !cursor->no_memory;
}

static uint8_t read_byte(struct cursor *cursor)
{
    uint8_t value = 0;
    if (!cursor_ok(cursor) || !span_u8(cursor->window.bytes, cursor->at, &value))
        cursor->failed = true;
    cursor->at++;
    return value;
}

/* The low bits of the first byte say how many bytes there are. */
static uint32_t read_compressed(struct cursor *cursor)
{
    uint8_t first = 0;
    if (!cursor_ok(cursor) || !span_u8(cursor->window.bytes, cursor->at, &first)) {
        cursor->failed = true;
        return 0;
    }
    unsigned nbytes = 1;
    while (nbytes < 5 && (first & (1U << (nbytes - 1))) != 0)
        nbytes++;
    if (!range_fits(cursor->window.bytes.nbytes, cursor->at, nbytes)) {
        cursor->failed = true;
        return 0;
    }
    uint64_t raw = 0;
    for (unsigned i = 0; i < nbytes; i++)
        raw |= (uint64_t)cursor->window.bytes.bytes[cursor->at + i] << (8 * i);
    cursor->at += nbytes;
    return (uint32_t)(nbytes == 5 ? raw >> 8 : raw >> nbytes);
}

/* An RVA: of code when it is an action, handler or address; of any mapped data otherwise. */
static uint32_t read_rva(struct cursor *cursor, uint16_t detail, uint8_t flags)
{
    uint32_t rva = 0;
    if (!cursor_ok(cursor) || !span_u32(cursor->window.bytes, cursor->at, &rva)) {
        cursor->failed = true;
        return 0;
    }
    bool is_code = detail == DETAIL_CXX_ACTION || detail == DETAIL_CXX_IP;
    if (cursor->adds)
        cursor->no_memory = !handler_add_rva(cursor->walk, &cursor->window, cursor->at, detail, flags);
    else if (is_code ? !handler_is_code(cursor->walk->refs, rva)
                     : rva != 0 && !image_section_at_rva(cursor->walk->refs->image, rva))
        cursor->failed = true;
    cursor->at += 4;
    return rva;
}

/* May the next record be read? When collecting, each record is read once; when checking, work is bounded. */
static bool begin_record(struct cursor *cursor)
{
    if (!cursor_ok(cursor))
        return false;
    if (cursor->adds)
        return site_set_add(&cursor->walk->visited, cursor->window.foff + cursor->at);
    cursor->failed = !handler_spend(cursor->walk, 1);
    return !cursor->failed;
}

/* Says what the bytes that were read are. Gives the result for the caller: false when memory ran out while
 * adding, or, while checking, when the bytes do not fit. */
static bool cursor_close(struct cursor *cursor)
{
    if (!cursor->adds)
        return cursor_ok(cursor);
    if (cursor->no_memory)
        return false;
    if (cursor->failed)
        return refset_problem(cursor->walk->refs, SOURCE_HANDLER_DATA, cursor->window.rva, NO_FILE_OFFSET,
                              "C++ exception data at RVA 0x%X are damaged.", cursor->window.rva);
    return refset_extent(cursor->walk->refs, cursor->window.rva, (uint32_t)cursor->at, EXTENT_HANDLER_DATA,
                         SOURCE_HANDLER_DATA);
}

static uint32_t read_count(struct cursor *cursor)
{
    uint32_t count = read_compressed(cursor);
    if (count > MOST_ENTRIES)
        cursor->failed = true;
    return cursor_ok(cursor) ? count : 0;
}

static bool read_unwind_map(struct handler_walk *walk, uint32_t rva, bool adds)
{
    struct cursor cursor;
    cursor_open(walk, rva, adds, &cursor);
    uint32_t count = read_count(&cursor);
    for (uint32_t i = 0; i < count && begin_record(&cursor); i++) {
        uint32_t type = read_compressed(&cursor) & UNWIND_TYPE_MASK;
        if (type == UNWIND_TYPE_NONE)
            continue;
        read_rva(&cursor, DETAIL_CXX_ACTION, REF_FLAG_CODE_TARGET);
        if (type != UNWIND_TYPE_FUNCTION)
            read_compressed(&cursor); /* the object's place in the frame */
    }
    return cursor_close(&cursor);
}

static void read_catch(struct cursor *cursor)
{
    uint8_t header = read_byte(cursor);
    unsigned continuation_count = (header >> CATCH_CONTINUATION_SHIFT) & 3;
    if ((header & CATCH_RESERVED) != 0 || continuation_count > 2)
        cursor->failed = true;
    if ((header & CATCH_HAS_ADJECTIVES) != 0)
        read_compressed(cursor);
    if ((header & CATCH_HAS_TYPE) != 0)
        read_rva(cursor, DETAIL_CXX_TYPE, 0);
    if ((header & CATCH_HAS_OBJECT) != 0)
        read_compressed(cursor);
    read_rva(cursor, DETAIL_CXX_ACTION, REF_FLAG_CODE_TARGET);
    for (unsigned i = 0; i < continuation_count; i++)
        if ((header & CATCH_CONTINUES_AT_RVA) != 0)
            read_rva(cursor, DETAIL_CXX_IP, REF_FLAG_CODE_TARGET);
        else
            read_compressed(cursor);
}

static bool read_catches(struct handler_walk *walk, uint32_t rva, bool adds)
{
    struct cursor cursor;
    cursor_open(walk, rva, adds, &cursor);
    uint32_t count = read_count(&cursor);
    for (uint32_t i = 0; i < count && begin_record(&cursor); i++)
        read_catch(&cursor);
    return cursor_close(&cursor);
}

static bool read_try_map(struct handler_walk *walk, uint32_t rva, bool adds)
{
    struct cursor cursor;
    cursor_open(walk, rva, adds, &cursor);
    uint32_t count = read_count(&cursor);
    for (uint32_t i = 0; i < count && begin_record(&cursor); i++) {
        read_compressed(&cursor); /* lowest and highest state of the try, highest of the catches */
        read_compressed(&cursor);
        read_compressed(&cursor);
        uint32_t catches_rva = read_rva(&cursor, DETAIL_CXX_TABLE, 0);
        if (cursor_ok(&cursor) && !read_catches(walk, catches_rva, adds)) {
            cursor.failed = !adds;
            cursor.no_memory = adds;
        }
    }
    return cursor_close(&cursor);
}

/* Distances and states only; read to know where the table ends. */
static bool read_ip_map(struct handler_walk *walk, uint32_t rva, bool adds)
{
    struct cursor cursor;
    cursor_open(walk, rva, adds, &cursor);
    uint32_t count = read_count(&cursor);
    for (uint32_t i = 0; i < count && begin_record(&cursor); i++) {
        read_compressed(&cursor);
        read_compressed(&cursor);
    }
    return cursor_close(&cursor);
}

/* For functions in several pieces: the start of each piece and its IP map. */
static bool read_segment_map(struct handler_walk *walk, uint32_t rva, bool adds)
{
    struct cursor cursor;
    cursor_open(walk, rva, adds, &cursor);
    uint32_t count = read_count(&cursor);
    for (uint32_t i = 0; i < count && begin_record(&cursor); i++) {
        read_rva(&cursor, DETAIL_CXX_IP, REF_FLAG_CODE_TARGET);
        uint32_t map_rva = read_rva(&cursor, DETAIL_CXX_TABLE, 0);
        if (cursor_ok(&cursor) && !read_ip_map(walk, map_rva, adds)) {
            cursor.failed = !adds;
            cursor.no_memory = adds;
        }
    }
    return cursor_close(&cursor);
}

static bool read_func_info(struct handler_walk *walk, uint32_t rva, bool adds)
{
    struct cursor cursor;
    uint32_t unwind_rva = 0, try_rva = 0;
    cursor_open(walk, rva, adds, &cursor);
    if (cursor_ok(&cursor) && !begin_record(&cursor))
        return adds; /* shared with another function, or no checks left */
    uint8_t header = read_byte(&cursor);
    if ((header & INFO_RESERVED) != 0)
        cursor.failed = true;
    if ((header & INFO_HAS_BBT) != 0)
        read_compressed(&cursor);
    if ((header & INFO_HAS_UNWIND_MAP) != 0)
        unwind_rva = read_rva(&cursor, DETAIL_CXX_TABLE, 0);
    if ((header & INFO_HAS_TRY_MAP) != 0)
        try_rva = read_rva(&cursor, DETAIL_CXX_TABLE, 0);
    uint32_t map_rva = read_rva(&cursor, DETAIL_CXX_TABLE, 0);
    if ((header & INFO_IS_CATCH) != 0)
        read_compressed(&cursor);
    if (map_rva == 0)
        cursor.failed = true; /* every function with such data has one */
    if (!cursor_close(&cursor))
        return false;
    if (cursor.failed)
        return true;
    return (unwind_rva == 0 || read_unwind_map(walk, unwind_rva, adds)) &&
           (try_rva == 0 || read_try_map(walk, try_rva, adds)) &&
           ((header & INFO_IS_SEPARATED) != 0 ? read_segment_map(walk, map_rva, adds)
                                              : read_ip_map(walk, map_rva, adds));
}

bool cxx4_fits(struct handler_walk *walk, const struct handler_use *use)
{
    const struct image *image = walk->refs->image;
    struct window data;
    return handler_spend(walk, 1) && window_at_rva(image, use->data_rva, 4, &data) &&
           image_section_at_rva(image, load_u32(data.bytes.bytes)) &&
           read_func_info(walk, load_u32(data.bytes.bytes), false);
}

bool cxx4_add(struct handler_walk *walk, const struct handler_use *use)
{
    struct refset *refs = walk->refs;
    struct window data;
    if (!window_at_rva(refs->image, use->data_rva, 4, &data))
        return refset_problem(refs, SOURCE_HANDLER_DATA, use->data_rva, NO_FILE_OFFSET,
                              "The handler data at RVA 0x%X have no bytes in the file.", use->data_rva);
    if (window_claimed(refs, &data, 0))
        return true;
    return handler_add_rva(walk, &data, 0, DETAIL_CXX_TABLE, 0) &&
           refset_extent(refs, data.rva, 4, EXTENT_HANDLER_DATA, SOURCE_HANDLER_DATA) &&
           read_func_info(walk, load_u32(data.bytes.bytes), true);
}
