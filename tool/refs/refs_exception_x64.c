/* refs_exception_x64.c - x64: runtime functions, unwind info with its chains, handlers.
 * Takes: the records of .pdata.  Gives: references to code and unwind info. Unwind codes hold offsets in the
 * prologue and frame sizes, no addresses.
 * Must not: read one unwind info twice; they are shared between functions, and damaged chains can be cyclic.
 * Source: x64 exception handling documentation (RUNTIME_FUNCTION, UNWIND_INFO). */
#include "refs/refs_exception.h"

enum {
    UNWIND_VERSION_MASK = 7,
    UNWIND_FLAGS_SHIFT = 3,
    UNWIND_CODE_COUNT = 2, /* offsets in the header */
    UNWIND_CODE_NBYTES = 2,
    NEWEST_READ_VERSION = 2,

    UWOP_PUSH_NONVOL = 0,
    UWOP_ALLOC_LARGE = 1,
    UWOP_ALLOC_SMALL = 2,
    UWOP_SET_FPREG = 3,
    UWOP_SAVE_NONVOL = 4,
    UWOP_SAVE_NONVOL_FAR = 5,
    UWOP_EPILOG = 6,
    UWOP_SPARE = 7,
    UWOP_SAVE_XMM128 = 8,
    UWOP_SAVE_XMM128_FAR = 9,
    UWOP_PUSH_MACHFRAME = 10,
    STACK_SLOT_NBYTES = 8
};

static unsigned code_slot_count(unsigned operation, unsigned info)
{
    switch (operation) {
    case UWOP_ALLOC_LARGE:
        return info == 0 ? 2 : 3;
    case UWOP_SAVE_NONVOL:
    case UWOP_SAVE_XMM128:
        return 2;
    case UWOP_SAVE_NONVOL_FAR:
    case UWOP_SAVE_XMM128_FAR:
    case UWOP_SPARE:
        return 3;
    default: /* UWOP_EPILOG is one slot in version 2; version 1 has no such operation */
        return 1;
    }
}

/* Stack bytes that the prologue takes: the cookie of a checked function lies among them. */
static uint32_t frame_nbytes(const uint8_t *codes, size_t code_count)
{
    uint64_t nbytes = 0;
    for (size_t i = 0; i < code_count;) {
        const uint8_t *code = codes + UNWIND_CODE_NBYTES * i;
        unsigned operation = code[1] & 15, info = code[1] >> 4;
        unsigned slot_count = code_slot_count(operation, info);
        if (i + slot_count > code_count)
            break;
        if (operation == UWOP_PUSH_NONVOL)
            nbytes += STACK_SLOT_NBYTES;
        else if (operation == UWOP_ALLOC_SMALL)
            nbytes += (uint64_t)info * STACK_SLOT_NBYTES + STACK_SLOT_NBYTES;
        else if (operation == UWOP_ALLOC_LARGE)
            nbytes += info == 0 ? (uint64_t)load_u16(code + 2) * STACK_SLOT_NBYTES : load_u32(code + 2);
        i += slot_count;
    }
    return nbytes < UINT32_MAX ? (uint32_t)nbytes : UINT32_MAX - 1;
}

/* The three RVAs of a record. The unwind field with bit 0 set names another record instead. */
static bool add_function(struct exception_walk *walk, const struct window *record, enum ref_source source)
{
    uint32_t unwind = load_u32(record->bytes.bytes + RUNTIME_FUNCTION_UNWIND);
    bool is_wanted = source == SOURCE_EXCEPTION ? walk->adds_functions : walk->adds_unwind;
    struct ref_spec indirect = {
        .source = source, .encoding = REF_RVA_FLAGS, .width_nbytes = 4, .detail = DETAIL_FUNCTION_UNWIND};
    if (!exception_add_rva(walk, record, RUNTIME_FUNCTION_BEGIN, source, DETAIL_FUNCTION_BEGIN,
                           REF_FLAG_CODE_TARGET) ||
        !exception_add_rva(walk, record, RUNTIME_FUNCTION_END, source, DETAIL_FUNCTION_END, 0))
        return false;
    if ((unwind & RUNTIME_FUNCTION_INDIRECT) == 0)
        return exception_add_rva(walk, record, RUNTIME_FUNCTION_UNWIND, source, DETAIL_FUNCTION_UNWIND, 0);
    return !is_wanted || window_add(walk->refs, record, RUNTIME_FUNCTION_UNWIND, indirect);
}

/* Reads the unwind info at rva; *next_rva is that of the record it is chained to, else 0. */
static bool read_unwind_info(struct exception_walk *walk, uint32_t rva, uint32_t function_rva,
                             uint32_t *next_rva)
{
    struct refset *refs = walk->refs;
    struct window info;
    *next_rva = 0;
    if (!window_from_rva(refs->image, rva, &info) || info.bytes.nbytes < UNWIND_INFO_HEADER_NBYTES)
        return refset_problem(refs, SOURCE_UNWIND, rva, NO_FILE_OFFSET,
                              "The unwind info at RVA 0x%X of the function at RVA 0x%X has no bytes in the "
                              "file.",
                              rva, function_rva);
    if (!exception_begin_info(walk, info.foff))
        return true;
    const uint8_t *bytes = info.bytes.bytes;
    unsigned version = bytes[0] & UNWIND_VERSION_MASK, flags = bytes[0] >> UNWIND_FLAGS_SHIFT;
    unsigned code_count = bytes[UNWIND_CODE_COUNT];
    if (version == 0 || version > NEWEST_READ_VERSION) {
        if (walk->unread_version_count++ == 0)
            walk->first_unread_rva = rva;
        return true;
    }
    /* The codes are padded to an even number. */
    uint32_t tail = UNWIND_INFO_HEADER_NBYTES + ((code_count + 1U) & ~1U) * UNWIND_CODE_NBYTES;
    uint32_t tail_nbytes = 0;
    if ((flags & UNWIND_FLAG_CHAININFO) != 0)
        tail_nbytes = RUNTIME_FUNCTION_NBYTES;
    else if ((flags & (UNWIND_FLAG_EHANDLER | UNWIND_FLAG_UHANDLER)) != 0)
        tail_nbytes = 4;
    if (!range_fits(info.bytes.nbytes, tail, tail_nbytes))
        return refset_problem(refs, SOURCE_UNWIND, rva, info.foff,
                              "The unwind info at RVA 0x%X runs past the end of its section.", rva);
    if (walk->adds_unwind && !refset_extent(refs, rva, tail + tail_nbytes, EXTENT_UNWIND_INFO, SOURCE_UNWIND))
        return false;
    if (tail_nbytes == RUNTIME_FUNCTION_NBYTES) {
        struct window chained = window_part(&info, tail, RUNTIME_FUNCTION_NBYTES);
        *next_rva = load_u32(chained.bytes.bytes + RUNTIME_FUNCTION_UNWIND);
        return add_function(walk, &chained, SOURCE_UNWIND);
    }
    return tail_nbytes == 0 ||
           exception_add_handler(walk, &info, tail, function_rva,
                                 frame_nbytes(bytes + UNWIND_INFO_HEADER_NBYTES, code_count));
}

static bool is_in_table(const struct exception_walk *walk, uint32_t rva)
{
    return rva - walk->table.rva < walk->table.bytes.nbytes;
}

/* Follows one function's unwind info to the end of its chain. Each step reads an info, or a record outside
 * the table, that no function has read before. */
static bool follow_unwind(struct exception_walk *walk, uint32_t unwind, uint32_t function_rva)
{
    while (unwind != 0) {
        if ((unwind & RUNTIME_FUNCTION_INDIRECT) == 0) {
            if (!read_unwind_info(walk, unwind, function_rva, &unwind))
                return false;
            continue;
        }
        uint32_t record_rva = unwind & ~UINT32_C(3);
        struct window record;
        if (is_in_table(walk, record_rva))
            return true; /* read in its turn */
        if (!window_at_rva(walk->refs->image, record_rva, RUNTIME_FUNCTION_NBYTES, &record))
            return refset_problem(
                walk->refs, SOURCE_UNWIND, record_rva, NO_FILE_OFFSET,
                "The function record at RVA 0x%X, named by the function at RVA 0x%X, has no "
                "bytes in the file.",
                record_rva, function_rva);
        if (!exception_begin_info(walk, record.foff))
            return true;
        if (!add_function(walk, &record, SOURCE_UNWIND))
            return false;
        unwind = load_u32(record.bytes.bytes + RUNTIME_FUNCTION_UNWIND);
    }
    return true;
}

bool exception_collect_x64(struct exception_walk *walk)
{
    size_t function_count = walk->table.bytes.nbytes / RUNTIME_FUNCTION_NBYTES;
    bool follows = walk->adds_unwind || refset_wants(walk->refs, SOURCE_HANDLER_DATA);
    if (walk->adds_functions && !refset_reserve(walk->refs, 3 * function_count))
        return false;
    for (size_t i = 0; i < function_count; i++) {
        struct window record =
            window_part(&walk->table, i * RUNTIME_FUNCTION_NBYTES, RUNTIME_FUNCTION_NBYTES);
        if (!add_function(walk, &record, SOURCE_EXCEPTION))
            return false;
        const uint8_t *bytes = record.bytes.bytes;
        if (follows && !follow_unwind(walk, load_u32(bytes + RUNTIME_FUNCTION_UNWIND),
                                      load_u32(bytes + RUNTIME_FUNCTION_BEGIN)))
            return false;
    }
    return true;
}
