/* refs_handler_cxx3.c - C++ exception data of __CxxFrameHandler3 and older: a FuncInfo with its tables.
 * Takes: one use of a handler.  Gives: whether its data name a FuncInfo, and all RVAs below it.
 * On x64 and ARM64 the pointers are RVAs. FuncInfo: {magic, state count, unwind map, try count, try map, IP
 * count, IP map, frame offset, exception specification, flags}. Must not: read one without its magic number.
 * Source: the public layouts of the C++ run-time's exception data. */
#include "refs/refs_handler_data.h"

enum {
    FUNC_INFO_MAGIC = 0x00,
    FUNC_INFO_STATE_COUNT = 0x04,
    FUNC_INFO_UNWIND_MAP = 0x08,
    FUNC_INFO_TRY_COUNT = 0x0C,
    FUNC_INFO_TRY_MAP = 0x10,
    FUNC_INFO_IP_COUNT = 0x14,
    FUNC_INFO_IP_MAP = 0x18,
    FUNC_INFO_SPECIFICATION = 0x20, /* from the second magic number on */
    FUNC_INFO_NBYTES = 0x20,
    FUNC_INFO_NBYTES_2 = 0x24,
    FUNC_INFO_NBYTES_3 = 0x28,
    FUNC_INFO_MAGIC_MASK = 0x1FFFFFFF, /* the upper bits are flags */

    UNWIND_MAP_ACTION = 4,
    UNWIND_MAP_NBYTES = 8,
    TRY_CATCH_COUNT = 12,
    TRY_CATCHES = 16,
    TRY_NBYTES = 20,
    CATCH_TYPE = 4,
    CATCH_HANDLER = 12,
    CATCH_NBYTES = 20,
    IP_MAP_IP = 0,
    IP_MAP_NBYTES = 8,
    SPECIFICATION_NBYTES = 8
};

struct record_field {
    uint8_t offset;
    uint8_t flags;
    uint16_t detail;
};

/* Adds the fields of `count` equal records at rva. *table is what was read now: empty when the table was read
 * before, or cannot be read. */
static bool add_records(struct handler_walk *walk, uint32_t rva, uint32_t count, uint32_t record_nbytes,
                        const struct record_field *fields, size_t field_count, struct window *table)
{
    struct refset *refs = walk->refs;
    uint64_t nbytes = (uint64_t)count * record_nbytes;
    *table = (struct window){.rva = NO_RVA};
    if (count == 0 || rva == 0)
        return true;
    if (!window_at_rva(refs->image, rva, nbytes, table))
        return refset_problem(
            refs, SOURCE_HANDLER_DATA, rva, NO_FILE_OFFSET,
            "A table of C++ exception data at RVA 0x%X (%u entries) runs past the end of its "
            "section.",
            rva, count);
    uint32_t added_count = 0;
    for (; added_count < count; added_count++) {
        uint64_t at = (uint64_t)added_count * record_nbytes;
        if (window_claimed(refs, table, at + fields[0].offset))
            break; /* shared with another function */
        for (size_t i = 0; i < field_count; i++)
            if (!handler_add_rva(walk, table, at + fields[i].offset, fields[i].detail, fields[i].flags))
                return false;
    }
    *table = window_part(table, 0, (uint64_t)added_count * record_nbytes);
    return refset_extent(refs, rva, (uint32_t)nbytes, EXTENT_HANDLER_DATA, SOURCE_HANDLER_DATA);
}

static bool add_catches(struct handler_walk *walk, uint32_t rva, uint32_t count)
{
    static const struct record_field fields[] = {{CATCH_TYPE, 0, DETAIL_CXX_TYPE},
                                                 {CATCH_HANDLER, REF_FLAG_CODE_TARGET, DETAIL_CXX_ACTION}};
    struct window table;
    return add_records(walk, rva, count, CATCH_NBYTES, fields, 2, &table);
}

static bool add_tries(struct handler_walk *walk, uint32_t rva, uint32_t count)
{
    static const struct record_field fields[] = {{TRY_CATCHES, 0, DETAIL_CXX_TABLE}};
    struct window table;
    if (!add_records(walk, rva, count, TRY_NBYTES, fields, 1, &table))
        return false;
    for (uint64_t at = 0; at < table.bytes.nbytes; at += TRY_NBYTES) {
        const uint8_t *record = table.bytes.bytes + at;
        if (!add_catches(walk, load_u32(record + TRY_CATCHES), load_u32(record + TRY_CATCH_COUNT)))
            return false;
    }
    return true;
}

static bool add_specification(struct handler_walk *walk, uint32_t rva)
{
    static const struct record_field fields[] = {{4, 0, DETAIL_CXX_TABLE}};
    struct window table;
    if (!add_records(walk, rva, 1, SPECIFICATION_NBYTES, fields, 1, &table))
        return false;
    return table.bytes.nbytes == 0 ||
           add_catches(walk, load_u32(table.bytes.bytes + 4), load_u32(table.bytes.bytes));
}

/* The FuncInfo that the use's data name, as long as its magic number says; false when it has none. */
static bool func_info_window(const struct refset *refs, const struct handler_use *use, struct window *data,
                             struct window *info)
{
    uint32_t magic;
    if (!window_at_rva(refs->image, use->data_rva, 4, data) ||
        !window_from_rva(refs->image, load_u32(data->bytes.bytes), info) ||
        !span_u32(info->bytes, FUNC_INFO_MAGIC, &magic))
        return false;
    magic &= FUNC_INFO_MAGIC_MASK;
    if (magic < CXX_FUNC_INFO_MAGIC_FIRST || magic > CXX_FUNC_INFO_MAGIC_LAST)
        return false;
    static const uint8_t nbytes_by_magic[] = {FUNC_INFO_NBYTES, FUNC_INFO_NBYTES_2, FUNC_INFO_NBYTES_3};
    uint32_t nbytes = nbytes_by_magic[magic - CXX_FUNC_INFO_MAGIC_FIRST];
    if (nbytes > info->bytes.nbytes)
        return false;
    *info = window_part(info, 0, nbytes);
    return true;
}

bool cxx3_fits(struct handler_walk *walk, const struct handler_use *use)
{
    struct window data, info;
    return handler_spend(walk, 1) && func_info_window(walk->refs, use, &data, &info);
}

static bool add_func_info(struct handler_walk *walk, const struct window *info)
{
    static const struct record_field action[] = {
        {UNWIND_MAP_ACTION, REF_FLAG_CODE_TARGET, DETAIL_CXX_ACTION}};
    static const struct record_field ip[] = {{IP_MAP_IP, 0, DETAIL_CXX_IP}};
    const uint8_t *bytes = info->bytes.bytes;
    struct window table;
    bool has_specification = info->bytes.nbytes >= FUNC_INFO_NBYTES_2;
    if (!refset_extent(walk->refs, info->rva, (uint32_t)info->bytes.nbytes, EXTENT_HANDLER_DATA,
                       SOURCE_HANDLER_DATA) ||
        !handler_add_rva(walk, info, FUNC_INFO_UNWIND_MAP, DETAIL_CXX_TABLE, 0) ||
        !handler_add_rva(walk, info, FUNC_INFO_TRY_MAP, DETAIL_CXX_TABLE, 0) ||
        !handler_add_rva(walk, info, FUNC_INFO_IP_MAP, DETAIL_CXX_TABLE, 0) ||
        (has_specification && !handler_add_rva(walk, info, FUNC_INFO_SPECIFICATION, DETAIL_CXX_TABLE, 0)))
        return false;
    return add_records(walk, load_u32(bytes + FUNC_INFO_UNWIND_MAP), load_u32(bytes + FUNC_INFO_STATE_COUNT),
                       UNWIND_MAP_NBYTES, action, 1, &table) &&
           add_tries(walk, load_u32(bytes + FUNC_INFO_TRY_MAP), load_u32(bytes + FUNC_INFO_TRY_COUNT)) &&
           add_records(walk, load_u32(bytes + FUNC_INFO_IP_MAP), load_u32(bytes + FUNC_INFO_IP_COUNT),
                       IP_MAP_NBYTES, ip, 1, &table) &&
           (!has_specification || add_specification(walk, load_u32(bytes + FUNC_INFO_SPECIFICATION)));
}

bool cxx3_add(struct handler_walk *walk, const struct handler_use *use)
{
    struct refset *refs = walk->refs;
    struct window data, info;
    if (!func_info_window(refs, use, &data, &info))
        return refset_problem(refs, SOURCE_HANDLER_DATA, use->data_rva, NO_FILE_OFFSET,
                              "The handler data at RVA 0x%X do not lead to C++ exception data.",
                              use->data_rva);
    if (window_claimed(refs, &data, 0))
        return true;
    if (!handler_add_rva(walk, &data, 0, DETAIL_CXX_TABLE, 0) ||
        !refset_extent(refs, data.rva, 4, EXTENT_HANDLER_DATA, SOURCE_HANDLER_DATA))
        return false;
    return window_claimed(refs, &info, FUNC_INFO_UNWIND_MAP) || add_func_info(walk, &info);
}
