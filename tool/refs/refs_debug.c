/* refs_debug.c - the debug directory and the payloads that hold addresses.
 * Takes: directory 6.  Gives: SOURCE_DEBUG. payload_readers says for each type what its payload holds; a
 * type that is not listed becomes a problem. Must not: open PDB files.
 * Source: PE format specification, "Debug Directory", and the public winnt.h layouts. */
#include "refs/refs_sources.h"

enum {
    /* The header of COFF debug data: counts and distances, then four RVAs. */
    COFF_DEBUG_FIRST_RVA = 0x10,
    COFF_DEBUG_HEADER_NBYTES = 0x20,
    FIXUP_RVA = 4,
    FIXUP_TARGET_RVA = 8,
    FIXUP_ENTRY_NBYTES = 12,
    CODEVIEW_SIGNATURE_RSDS = 0x53445352,
    CODEVIEW_SIGNATURE_NB10 = 0x3031424E,
    POGO_NAME_MAX_NBYTES = 256,
    POGO_ALIGN_NBYTES = 4,
    DEBUG_TYPE_UNKNOWN = 0,
    DEBUG_TYPE_BBT = 10,
    DEBUG_TYPE_PERFMAP = 21
};

typedef bool read_payload_fn(struct refset *refs, const struct window *payload, uint16_t type);

static bool add_rva(struct refset *refs, const struct window *payload, uint64_t offset, uint16_t type)
{
    struct ref_spec spec = {.source = SOURCE_DEBUG, .encoding = REF_RVA, .width_nbytes = 4, .detail = type};
    return window_add(refs, payload, offset, spec);
}

/* True, with a problem recorded, when the element at `offset` is in the inventory already: two entries of the
 * directory share a payload. */
static bool is_shared(struct refset *refs, const struct window *payload, uint64_t offset, bool *has_memory)
{
    *has_memory = true;
    if (!window_claimed(refs, payload, offset))
        return false;
    *has_memory = refset_problem(refs, SOURCE_DEBUG, payload->rva, payload->foff,
                                 "Debug data at file offset 0x%llX is named by two entries.",
                                 (unsigned long long)payload->foff);
    return true;
}

/* Equal records of record_nbytes, each with an RVA at field_offset. */
static bool add_records(struct refset *refs, const struct window *payload, uint16_t type,
                        uint32_t record_nbytes, uint32_t field_offset)
{
    bool has_memory;
    for (uint64_t at = 0; range_fits(payload->bytes.nbytes, at, record_nbytes); at += record_nbytes) {
        if (is_shared(refs, payload, at + field_offset, &has_memory))
            return has_memory;
        if (!add_rva(refs, payload, at + field_offset, type))
            return false;
    }
    return true;
}

static bool read_coff(struct refset *refs, const struct window *payload, uint16_t type)
{
    if (payload->bytes.nbytes < COFF_DEBUG_HEADER_NBYTES)
        return true;
    for (uint64_t at = COFF_DEBUG_FIRST_RVA; at < COFF_DEBUG_HEADER_NBYTES; at += 4)
        if (!add_rva(refs, payload, at, type))
            return false;
    return true;
}

/* A reference to a PDB file holds no address; CodeView symbols inside the image do. */
static bool read_codeview(struct refset *refs, const struct window *payload, uint16_t type)
{
    (void)type;
    uint32_t signature = 0;
    if (!span_u32(payload->bytes, 0, &signature) || signature == CODEVIEW_SIGNATURE_RSDS ||
        signature == CODEVIEW_SIGNATURE_NB10)
        return true;
    return refset_limit(refs, SOURCE_DEBUG, payload->rva, payload->foff,
                        "The CodeView data at file offset 0x%llX (signature 0x%X) is not a reference to a "
                        "PDB file; the addresses in it are not read.",
                        (unsigned long long)payload->foff, signature);
}

static bool read_fpo(struct refset *refs, const struct window *payload, uint16_t type)
{
    return add_records(refs, payload, type, FPO_ENTRY_NBYTES, 0);
}

static bool read_fixup(struct refset *refs, const struct window *payload, uint16_t type)
{
    bool has_memory;
    for (uint64_t at = 0; range_fits(payload->bytes.nbytes, at, FIXUP_ENTRY_NBYTES);
         at += FIXUP_ENTRY_NBYTES) {
        if (is_shared(refs, payload, at + FIXUP_RVA, &has_memory))
            return has_memory;
        if (!add_rva(refs, payload, at + FIXUP_RVA, type) ||
            !add_rva(refs, payload, at + FIXUP_TARGET_RVA, type))
            return false;
    }
    return true;
}

/* Pairs of an address and what it maps to; only one of the two is an address of this image. */
static bool read_omap_to_source(struct refset *refs, const struct window *payload, uint16_t type)
{
    return add_records(refs, payload, type, OMAP_ENTRY_NBYTES, 0);
}

static bool read_omap_from_source(struct refset *refs, const struct window *payload, uint16_t type)
{
    return add_records(refs, payload, type, OMAP_ENTRY_NBYTES, 4);
}

/* After a signature: the RVA, size and name of each contribution to a section. */
static bool read_pogo(struct refset *refs, const struct window *payload, uint16_t type)
{
    uint64_t at = POGO_SIGNATURE_NBYTES;
    size_t name_nbytes;
    bool has_memory;
    while (span_cstr(payload->bytes, at + POGO_ENTRY_HEADER_NBYTES, POGO_NAME_MAX_NBYTES, &name_nbytes)) {
        if (load_u32(payload->bytes.bytes + at) == 0) /* the end is padded with zero bytes */
            return true;
        if (is_shared(refs, payload, at, &has_memory))
            return has_memory;
        if (!add_rva(refs, payload, at, type))
            return false;
        at += POGO_ENTRY_HEADER_NBYTES + name_nbytes + 1;
        at = (at + POGO_ALIGN_NBYTES - 1) & ~(uint64_t)(POGO_ALIGN_NBYTES - 1);
    }
    return true;
}

static bool read_none(struct refset *refs, const struct window *payload, uint16_t type)
{
    (void)refs;
    (void)payload;
    (void)type;
    return true;
}

static bool read_unknown(struct refset *refs, const struct window *payload, uint16_t type)
{
    return refset_limit(refs, SOURCE_DEBUG, payload->rva, payload->foff,
                        "The debug data at file offset 0x%llX is of type %u, which is not read; addresses "
                        "in it are not known.",
                        (unsigned long long)payload->foff, type);
}

/* By type. Nothing of MISC (a file name), CLSID, VC_FEATURE (counts), ILTCG (empty), REPRO and PDB_CHECKSUM
 * (hashes), EMBEDDED_PDB (a managed PDB), EX_DLLCHARACTERISTICS (flags) or PERFMAP (a file name) is an
 * address. */
static read_payload_fn *const payload_readers[] = {
    [DEBUG_TYPE_UNKNOWN] = read_unknown,
    [DEBUG_TYPE_COFF] = read_coff,
    [DEBUG_TYPE_CODEVIEW] = read_codeview,
    [DEBUG_TYPE_FPO] = read_fpo,
    [DEBUG_TYPE_MISC] = read_none,
    [DEBUG_TYPE_EXCEPTION] = read_unknown,
    [DEBUG_TYPE_FIXUP] = read_fixup,
    [DEBUG_TYPE_OMAP_TO_SRC] = read_omap_to_source,
    [DEBUG_TYPE_OMAP_FROM_SRC] = read_omap_from_source,
    [DEBUG_TYPE_BORLAND] = read_unknown,
    [DEBUG_TYPE_BBT] = read_unknown,
    [DEBUG_TYPE_CLSID] = read_none,
    [DEBUG_TYPE_VC_FEATURE] = read_none,
    [DEBUG_TYPE_POGO] = read_pogo,
    [DEBUG_TYPE_ILTCG] = read_none,
    [DEBUG_TYPE_MPX] = read_unknown,
    [DEBUG_TYPE_REPRO] = read_none,
    [DEBUG_TYPE_EMBEDDED_PDB] = read_none,
    [DEBUG_TYPE_SPGO] = read_unknown,
    [DEBUG_TYPE_PDB_CHECKSUM] = read_none,
    [DEBUG_TYPE_EX_DLLCHARACTERISTICS] = read_none,
    [DEBUG_TYPE_PERFMAP] = read_none,
};

/* The payload by its file offset, which is what debuggers use, else by its RVA. */
static bool payload_window(const struct image *image, const uint8_t *entry, struct window *payload)
{
    uint32_t nbytes = load_u32(entry + DEBUG_SIZE_OF_DATA);
    uint32_t rva = load_u32(entry + DEBUG_ADDRESS_OF_RAW_DATA);
    uint32_t foff = load_u32(entry + DEBUG_POINTER_TO_RAW_DATA);
    return foff != 0 ? window_at_foff(image, foff, nbytes, payload)
                     : window_at_rva(image, rva, nbytes, payload);
}

static bool collect_entry(struct refset *refs, const struct window *table, uint64_t offset)
{
    const uint8_t *entry = table->bytes.bytes + offset;
    uint32_t type = load_u32(entry + DEBUG_TYPE);
    uint16_t type16 = (uint16_t)(type < DETAIL_DEBUG_ENTRY ? type : DETAIL_DEBUG_ENTRY - 1);
    struct ref_spec rva = {.source = SOURCE_DEBUG,
                           .encoding = REF_RVA,
                           .width_nbytes = 4,
                           .detail = (uint16_t)(type16 + DETAIL_DEBUG_ENTRY)};
    struct ref_spec foff = rva;
    foff.encoding = REF_FOFF;
    if (!window_add(refs, table, offset + DEBUG_ADDRESS_OF_RAW_DATA, rva) ||
        !window_add(refs, table, offset + DEBUG_POINTER_TO_RAW_DATA, foff))
        return false;
    struct window payload;
    if (load_u32(entry + DEBUG_SIZE_OF_DATA) == 0)
        return true;
    if (!payload_window(refs->image, entry, &payload)) {
        static const char outside[] =
            "The debug data of type %u (0x%X bytes at file offset 0x%X) lies outside the file.";
        uint32_t nbytes = load_u32(entry + DEBUG_SIZE_OF_DATA);
        uint32_t data_foff = load_u32(entry + DEBUG_POINTER_TO_RAW_DATA);
        if (load_u32(entry + DEBUG_ADDRESS_OF_RAW_DATA) == 0 && data_foff != 0) /* split off by a tool */
            return refset_limit(refs, SOURCE_DEBUG, NO_RVA, table->foff + offset, outside, type, nbytes,
                                data_foff);
        return refset_problem(refs, SOURCE_DEBUG, NO_RVA, table->foff + offset, outside, type, nbytes,
                              data_foff);
    }
    bool is_known = type < sizeof payload_readers / sizeof payload_readers[0];
    read_payload_fn *read_payload = is_known ? payload_readers[type] : read_unknown;
    return refset_extent(refs, payload.rva, (uint32_t)payload.bytes.nbytes, EXTENT_DEBUG_DATA,
                         SOURCE_DEBUG) &&
           read_payload(refs, &payload, type16);
}

bool refs_collect_debug(struct refset *refs)
{
    const struct directory *directory = image_directory(refs->image, DIR_DEBUG);
    struct window table;
    if (!directory)
        return true;
    if (!window_from_rva(refs->image, directory->rva, &table))
        return refset_problem(refs, SOURCE_DEBUG, directory->rva, NO_FILE_OFFSET,
                              "The debug directory at RVA 0x%X has no bytes in the file.", directory->rva);
    uint64_t entry_count = directory->nbytes / DEBUG_ENTRY_NBYTES;
    uint64_t room_count = table.bytes.nbytes / DEBUG_ENTRY_NBYTES;
    if (entry_count > room_count) {
        if (!refset_problem(refs, SOURCE_DEBUG, table.rva, table.foff,
                            "The debug directory names %llu entries, but the file holds only %llu of them.",
                            (unsigned long long)entry_count, (unsigned long long)room_count))
            return false;
        entry_count = room_count;
    }
    if (!refset_extent(refs, table.rva, (uint32_t)entry_count * DEBUG_ENTRY_NBYTES, EXTENT_DEBUG_DIRECTORY,
                       SOURCE_DEBUG))
        return false;
    for (uint64_t i = 0; i < entry_count; i++)
        if (!collect_entry(refs, &table, i * DEBUG_ENTRY_NBYTES))
            return false;
    return true;
}
