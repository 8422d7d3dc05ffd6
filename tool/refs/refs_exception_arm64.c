/* refs_exception_arm64.c - ARM64: function records, .xdata records, handlers.
 * Takes: the records of .pdata.  Gives: references to code and .xdata. Packed unwind words, epilogue scopes
 * and unwind codes hold lengths and offsets in the function, no addresses. Must not: read one .xdata record
 * twice. Source: ARM64 exception handling documentation. */
#include "refs/refs_exception.h"

enum {
    RECORD_BEGIN = 0,
    RECORD_UNWIND = 4,
    UNWIND_KIND_MASK = 3,
    UNWIND_KIND_XDATA = 0,  /* the word is the RVA of an .xdata record; 1 and 2 are packed */
    UNWIND_KIND_RECORD = 3, /* the RVA of another record of the table, with the kind in the low bits */

    XDATA_VERSION_SHIFT = 18,
    XDATA_HAS_HANDLER = 1 << 20,
    XDATA_ONE_EPILOG = 1 << 21, /* the count below is then an index: no scopes follow */
    XDATA_EPILOG_SHIFT = 22,
    XDATA_CODE_SHIFT = 27,
    XDATA_FIELD_MASK = 31,
    XDATA_EXTENDED_CODE_SHIFT = 16,
    WORD_NBYTES = 4
};

static bool add_record(struct exception_walk *walk, const struct window *record, uint32_t unwind)
{
    uint32_t kind = unwind & UNWIND_KIND_MASK;
    struct ref_spec spec = {.source = SOURCE_EXCEPTION,
                            .encoding = kind == UNWIND_KIND_RECORD ? REF_RVA_FLAGS : REF_RVA,
                            .width_nbytes = WORD_NBYTES,
                            .detail = DETAIL_FUNCTION_UNWIND,
                            .is_constant = kind != UNWIND_KIND_XDATA && kind != UNWIND_KIND_RECORD};
    if (!exception_add_rva(walk, record, RECORD_BEGIN, SOURCE_EXCEPTION, DETAIL_FUNCTION_BEGIN,
                           REF_FLAG_CODE_TARGET) ||
        (walk->adds_functions && !window_add(walk->refs, record, RECORD_UNWIND, spec)))
        return false;
    uint32_t offset = (unwind & ~(uint32_t)UNWIND_KIND_MASK) - walk->table.rva;
    return kind != UNWIND_KIND_RECORD ||
           (offset < walk->table.bytes.nbytes && offset % ARM64_RUNTIME_FUNCTION_NBYTES == 0) ||
           refset_problem(walk->refs, SOURCE_EXCEPTION, record->rva, record->foff,
                          "The function record at RVA 0x%X names another record that is not in the table.",
                          record->rva);
}

/* Stack bytes that one unwind code stands for, and the code's length in bytes: the codes that allocate. */
static uint32_t code_frame_nbytes(const uint8_t *code, size_t left_nbytes, size_t *code_nbytes)
{
    uint32_t first = code[0], second = left_nbytes > 1 ? code[1] : 0;
    *code_nbytes = 1;
    if (first < 0x20) /* alloc_s */
        return (first & 0x1F) * 16;
    if (first < 0x40) /* save_r19r20_x */
        return (first & 0x1F) * 8;
    if (first < 0x80) /* save_fplr */
        return 0;
    if (first < 0xC0) /* save_fplr_x */
        return ((first & 0x3F) + 1) * 8;
    if (first >= 0xE0) {
        static const uint8_t lengths[] = {4, 1, 2, 1, 1, 1, 1, 3}; /* E0 to E7; those above are 1 long */
        *code_nbytes = first < 0xE8 ? lengths[first - 0xE0] : 1;
        if (first != 0xE0 || left_nbytes < 4)
            return 0;
        return ((second << 16) | ((uint32_t)code[2] << 8) | code[3]) * 16; /* alloc_l */
    }
    *code_nbytes = 2;
    if (first < 0xC8) /* alloc_m */
        return (((first & 7) << 8) | second) * 16;
    if ((first & 0xFC) == 0xCC || (first & 0xFE) == 0xDA) /* save_regp_x, save_fregp_x */
        return ((second & 0x3F) + 1) * 8;
    if ((first & 0xFE) == 0xD4 || first == 0xDE) /* save_reg_x, save_freg_x */
        return ((second & 0x1F) + 1) * 8;
    return 0;
}

/* The fixed frame that the prologue's codes build: those up to the first `end`. */
static uint32_t frame_nbytes(const uint8_t *codes, size_t codes_nbytes)
{
    enum { CODE_END = 0xE4 };
    uint64_t nbytes = 0;
    size_t code_nbytes;
    for (size_t i = 0; i < codes_nbytes && codes[i] != CODE_END; i += code_nbytes)
        nbytes += code_frame_nbytes(codes + i, codes_nbytes - i, &code_nbytes);
    return nbytes < UINT32_MAX ? (uint32_t)nbytes : UINT32_MAX - 1;
}

/* Bytes of the record up to its handler, of which the last *codes_nbytes are unwind codes; 0 when they are
 * not all there. */
static uint64_t xdata_nbytes(struct span bytes, size_t *codes_nbytes)
{
    uint32_t header, extension;
    if (!span_u32(bytes, 0, &header))
        return 0;
    uint64_t nbytes = WORD_NBYTES;
    uint32_t epilog_count = (header >> XDATA_EPILOG_SHIFT) & XDATA_FIELD_MASK;
    uint32_t code_word_count = (header >> XDATA_CODE_SHIFT) & XDATA_FIELD_MASK;
    if (epilog_count == 0 && code_word_count == 0) {
        if (!span_u32(bytes, WORD_NBYTES, &extension))
            return 0;
        nbytes += WORD_NBYTES;
        epilog_count = extension & 0xFFFF;
        code_word_count = (extension >> XDATA_EXTENDED_CODE_SHIFT) & 0xFF;
    }
    if ((header & XDATA_ONE_EPILOG) == 0)
        nbytes += (uint64_t)epilog_count * WORD_NBYTES;
    *codes_nbytes = (size_t)code_word_count * WORD_NBYTES;
    nbytes += *codes_nbytes;
    return nbytes <= bytes.nbytes ? nbytes : 0;
}

static bool read_xdata(struct exception_walk *walk, uint32_t rva, uint32_t function_rva)
{
    struct refset *refs = walk->refs;
    struct window info;
    uint64_t nbytes = 0;
    size_t codes_nbytes;
    if (window_from_rva(refs->image, rva, &info))
        nbytes = xdata_nbytes(info.bytes, &codes_nbytes);
    if (nbytes == 0)
        return refset_problem(refs, SOURCE_UNWIND, rva, NO_FILE_OFFSET,
                              "The unwind info at RVA 0x%X of the function at RVA 0x%X is not wholly in the "
                              "file.",
                              rva, function_rva);
    if (!exception_begin_info(walk, info.foff))
        return true;
    uint32_t header = load_u32(info.bytes.bytes);
    if (((header >> XDATA_VERSION_SHIFT) & 3) != 0) {
        if (walk->unread_version_count++ == 0)
            walk->first_unread_rva = rva;
        return true;
    }
    bool has_handler = (header & XDATA_HAS_HANDLER) != 0;
    if (walk->adds_unwind && !refset_extent(refs, rva, (uint32_t)nbytes + (has_handler ? WORD_NBYTES : 0),
                                            EXTENT_UNWIND_INFO, SOURCE_UNWIND))
        return false;
    return !has_handler ||
           exception_add_handler(walk, &info, nbytes, function_rva,
                                 frame_nbytes(info.bytes.bytes + nbytes - codes_nbytes, codes_nbytes));
}

bool exception_collect_arm64(struct exception_walk *walk)
{
    size_t function_count = walk->table.bytes.nbytes / ARM64_RUNTIME_FUNCTION_NBYTES;
    bool follows = walk->adds_unwind || refset_wants(walk->refs, SOURCE_HANDLER_DATA);
    if (walk->adds_functions && !refset_reserve(walk->refs, 2 * function_count))
        return false;
    for (size_t i = 0; i < function_count; i++) {
        struct window record =
            window_part(&walk->table, i * ARM64_RUNTIME_FUNCTION_NBYTES, ARM64_RUNTIME_FUNCTION_NBYTES);
        uint32_t begin_rva = load_u32(record.bytes.bytes + RECORD_BEGIN);
        uint32_t unwind = load_u32(record.bytes.bytes + RECORD_UNWIND);
        if (!add_record(walk, &record, unwind))
            return false;
        if ((unwind & UNWIND_KIND_MASK) == UNWIND_KIND_XDATA && unwind != 0 && follows &&
            !read_xdata(walk, unwind, begin_rva))
            return false;
    }
    return true;
}
