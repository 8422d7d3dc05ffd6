/* straddle_pairs.h - a small driver whose base relocations straddle pages, and its right repair.
 * Takes: what the driver is to have.  Gives: the pair, with the places of what the repair added.
 * Must not: use anything of tool/ but the format's numbers and the byte readers.
 *
 * Old: .text 1000 (three pages), .rdata 5000, .data 6000 (three pages, writable), .const 9000 (two pages),
 * .reloc B000. New: .hvcode C000 (copies, stubs, their table, the longer guard table), .hvdata D000 (the
 * flag), .hvidata E000 (.const, when it was shifted), .hvreloc last. */
#ifndef HVCIFIX_TESTS_STRADDLE_PAIRS_H
#define HVCIFIX_TESTS_STRADDLE_PAIRS_H

#include "verify_pairs.h"

enum {
    STRADDLE_TEXT_RVA = 0x1000,
    STRADDLE_ENTRY_RVA = 0x1000,
    STRADDLE_INITIALIZE_RVA = 0x1040,
    STRADDLE_EXPORTED_RVA = 0x1060,
    STRADDLE_SPARE_RVA = 0x1080, /* int3: room for a test's own code */
    STRADDLE_CODE_RVA = 0x1F80,  /* x86: nop up to an instruction with two operands, the first straddles */
    STRADDLE_STORE_RVA = 0x1FFB, /* x86: mov [data], offset of data: ten bytes */
    STRADDLE_JUMP_RVA = 0x2FFC,  /* x86: jmp [data]: six bytes, never goes on */
    STRADDLE_RDATA_RVA = 0x5000,
    STRADDLE_EXPORTS_RVA = 0x5000,
    STRADDLE_SLOTS_RVA = 0x5028, /* of the exports: DllInitialize, a function or data */
    STRADDLE_NAMES_RVA = 0x5030,
    STRADDLE_ORDINALS_RVA = 0x5038,
    STRADDLE_CONFIG_RVA = 0x5100,
    STRADDLE_GUARD_RVA = 0x5280,
    STRADDLE_TLS_RVA = 0x5300,
    STRADDLE_CALLBACKS_RVA = 0x5340,
    STRADDLE_DATA_RVA = 0x6000,
    STRADDLE_POINTER_RVA = 0x6010, /* relocated, does not straddle */
    STRADDLE_ARRAY_RVA = 0x6100,   /* named by a pointer: an object begins here */
    STRADDLE_FIRST_RVA = 0x6FFD,   /* relocated, straddles on both machines */
    STRADDLE_SECOND_RVA = 0x7FFE,
    STRADDLE_DATA_NBYTES = 0x2800,
    STRADDLE_CONST_RVA = 0x9000,
    STRADDLE_CONST_POINTER_RVA = 0x9FFE, /* relocated, straddles, read-only */
    STRADDLE_CONST_NBYTES = 0x1100,
    STRADDLE_RELOC_RVA = 0xB000,
    REPAIR_CODE_RVA = 0xC000,
    REPAIR_STORE_COPY_RVA = 0xC000,
    REPAIR_JUMP_COPY_RVA = 0xC010,
    REPAIR_STUB_RVA = 0xC020,
    REPAIR_STUB_2_RVA = 0xC070,
    REPAIR_TABLE_RVA = 0xC0C0,
    REPAIR_GUARD_RVA = 0xC0E0,
    REPAIR_CODE_NBYTES = 0x100,
    REPAIR_DATA_RVA = 0xD000,
    REPAIR_FLAG_RVA = 0xD000,
    REPAIR_CONST_RVA = 0xE000,
    REPAIR_SHIFT_NBYTES = 0x800,
    REPAIR_CONST_DELTA = REPAIR_CONST_RVA + REPAIR_SHIFT_NBYTES - STRADDLE_CONST_RVA,
    STRADDLE_STRIDE_NBYTES = 5,
    STRADDLE_MAX_SITES = 64
};

struct straddle_options {
    uint16_t machine;
    bool has_initialize;   /* exports DllInitialize ... */
    bool exports_function; /* ... and a function */
    bool exports_data;     /* ... or the array, whose fields straddle */
    bool exports_only;     /* exports, but no DllInitialize */
    bool is_guarded;       /* load configuration with a guard function table */
    bool has_callbacks;    /* a TLS directory with a callback */
    bool has_tls_data;     /* the first straddler lies in TLS data */
    bool is_user_mode, is_dll;
    bool has_code;       /* x86: straddling operands in code */
    bool has_const;      /* a straddler in read-only data */
    bool is_discardable; /* .data is */
    /* what the repair does wrong */
    bool keeps_site;                   /* the first straddler is in the new relocations as well */
    bool drops_other_site;             /* a relocation that did not straddle is gone */
    bool drops_stub_site;              /* x86: one of the stub's own is missing */
    bool leaves_straddler;             /* the second straddler is left as it was */
    bool shifts_code_rights;           /* .hvidata is executable */
    uint32_t pointer_into;             /* STRADDLE_POINTER_RVA holds the address of this RVA instead */
    void (*change_old)(uint8_t *text); /* or NULL: changes .text before all else */
};

struct straddle_pair {
    struct verify_files files;
    struct straddle_options options;
    bool is_64;
};

struct straddle_sites {
    uint32_t items[STRADDLE_MAX_SITES];
    size_t count;
};

static inline void add_straddle_site(struct straddle_sites *sites, uint32_t rva)
{
    size_t at = sites->count++;
    assert(sites->count <= STRADDLE_MAX_SITES);
    for (; at > 0 && sites->items[at - 1] > rva; at--)
        sites->items[at] = sites->items[at - 1];
    sites->items[at] = rva;
}

/* The bytes of the driver while it is being made. */
struct straddle_parts {
    struct made_image made;
    struct straddle_sites sites;
    uint8_t text[0x2100], rdata[0x400], data[STRADDLE_DATA_NBYTES], constants[STRADDLE_CONST_NBYTES];
};

static inline uint8_t *straddle_at(struct straddle_parts *parts, uint32_t rva)
{
    if (rva < STRADDLE_RDATA_RVA)
        return parts->text + (rva - STRADDLE_TEXT_RVA);
    if (rva < STRADDLE_DATA_RVA)
        return parts->rdata + (rva - STRADDLE_RDATA_RVA);
    return rva < STRADDLE_CONST_RVA ? parts->data + (rva - STRADDLE_DATA_RVA)
                                    : parts->constants + (rva - STRADDLE_CONST_RVA);
}

static inline void straddle_address(struct straddle_parts *parts, uint32_t rva, uint32_t target_rva)
{
    if (made_is_64(&parts->made))
        store_u64(straddle_at(parts, rva), parts->made.image_base_va + target_rva);
    else
        store_u32(straddle_at(parts, rva), (uint32_t)parts->made.image_base_va + target_rva);
    add_straddle_site(&parts->sites, rva);
}

static inline void straddle_exports(struct straddle_parts *parts, const struct straddle_options *options)
{
    uint8_t *directory = straddle_at(parts, STRADDLE_EXPORTS_RVA);
    uint32_t second_rva =
        options->exports_data ? (uint32_t)STRADDLE_ARRAY_RVA : (uint32_t)STRADDLE_EXPORTED_RVA;
    uint32_t first = options->exports_only ? 1 : 0;
    bool has_second = options->exports_only || options->exports_function || options->exports_data;
    uint32_t count = has_second ? 2 : 1;
    store_u32(directory + EXPORT_NAME, 0x5060);
    store_u32(directory + EXPORT_ORDINAL_BASE, 1);
    store_u32(directory + EXPORT_NUMBER_OF_FUNCTIONS, count - first);
    store_u32(directory + EXPORT_NUMBER_OF_NAMES, count - first);
    store_u32(directory + EXPORT_ADDRESS_OF_FUNCTIONS, STRADDLE_SLOTS_RVA + first * 4);
    store_u32(directory + EXPORT_ADDRESS_OF_NAMES, STRADDLE_NAMES_RVA + first * 4);
    store_u32(directory + EXPORT_ADDRESS_OF_NAME_ORDINALS, STRADDLE_ORDINALS_RVA);
    store_u32(straddle_at(parts, STRADDLE_SLOTS_RVA), STRADDLE_INITIALIZE_RVA);
    store_u32(straddle_at(parts, STRADDLE_SLOTS_RVA + 4), second_rva);
    store_u32(straddle_at(parts, STRADDLE_NAMES_RVA), 0x5070);
    store_u32(straddle_at(parts, STRADDLE_NAMES_RVA + 4), 0x5080);
    store_u16(straddle_at(parts, STRADDLE_ORDINALS_RVA + 2), 1);
    memcpy(straddle_at(parts, 0x5060), "made.sys", 9);
    memcpy(straddle_at(parts, 0x5070), "DllInitialize", 14);
    memcpy(straddle_at(parts, 0x5080), "exported", 9);
    make_directory(&parts->made, DIR_EXPORT, STRADDLE_EXPORTS_RVA, 0x90);
}

/* Records of five bytes: RVA and a flag byte. */
static inline void straddle_guard(struct straddle_parts *parts)
{
    bool is_64 = made_is_64(&parts->made);
    uint8_t *config = straddle_at(parts, STRADDLE_CONFIG_RVA);
    uint32_t nbytes = is_64 ? (uint32_t)LC_GUARD_FLAGS_64 + 4 : (uint32_t)LC_GUARD_FLAGS_32 + 4;
    store_u32(config + LC_SIZE, nbytes);
    store_u32(config + (is_64 ? LC_GUARD_FLAGS_64 : LC_GUARD_FLAGS_32),
              1u << GUARD_FLAG_STRIDE_SHIFT | GUARD_FLAG_TABLE_PRESENT);
    store_u32(config + (is_64 ? LC_GUARD_CF_FUNCTION_COUNT_64 : LC_GUARD_CF_FUNCTION_COUNT_32), 2);
    straddle_address(
        parts, STRADDLE_CONFIG_RVA + (is_64 ? LC_GUARD_CF_FUNCTION_TABLE_64 : LC_GUARD_CF_FUNCTION_TABLE_32),
        STRADDLE_GUARD_RVA);
    store_u32(straddle_at(parts, STRADDLE_GUARD_RVA), STRADDLE_ENTRY_RVA);
    store_u32(straddle_at(parts, STRADDLE_GUARD_RVA + STRADDLE_STRIDE_NBYTES), STRADDLE_INITIALIZE_RVA);
    *straddle_at(parts, STRADDLE_GUARD_RVA + STRADDLE_STRIDE_NBYTES + 4) = 2;
    make_directory(&parts->made, DIR_LOAD_CONFIG, STRADDLE_CONFIG_RVA, nbytes);
    parts->made.dll_characteristics |= DLLCHAR_GUARD_CF;
}

static inline void straddle_tls(struct straddle_parts *parts, const struct straddle_options *options)
{
    bool is_64 = made_is_64(&parts->made);
    uint32_t width = is_64 ? 8 : 4;
    straddle_address(parts, STRADDLE_TLS_RVA, options->has_tls_data ? (uint32_t)STRADDLE_ARRAY_RVA : 0x6020);
    straddle_address(parts, STRADDLE_TLS_RVA + width, options->has_tls_data ? 0x7100 : 0x6040);
    straddle_address(parts, STRADDLE_TLS_RVA + 2 * width, 0x6040);
    straddle_address(parts, STRADDLE_TLS_RVA + 3 * width, STRADDLE_CALLBACKS_RVA);
    if (options->has_callbacks)
        straddle_address(parts, STRADDLE_CALLBACKS_RVA, STRADDLE_EXPORTED_RVA);
    make_directory(&parts->made, DIR_TLS, STRADDLE_TLS_RVA,
                   is_64 ? TLS_DIRECTORY_NBYTES_64 : TLS_DIRECTORY_NBYTES_32);
}

static inline void straddle_code(struct straddle_parts *parts)
{
    memset(straddle_at(parts, STRADDLE_CODE_RVA), 0x90, STRADDLE_STORE_RVA - STRADDLE_CODE_RVA);
    memcpy(straddle_at(parts, STRADDLE_STORE_RVA), "\xC7\x05", 2);
    straddle_address(parts, STRADDLE_STORE_RVA + 2, STRADDLE_ARRAY_RVA);
    straddle_address(parts, STRADDLE_STORE_RVA + 6, STRADDLE_POINTER_RVA);
    memset(straddle_at(parts, 0x2F80), 0x90, STRADDLE_JUMP_RVA - 0x2F80);
    *straddle_at(parts, STRADDLE_STORE_RVA + 10) = 0xC3;
    memcpy(straddle_at(parts, STRADDLE_JUMP_RVA), "\xFF\x25", 2);
    straddle_address(parts, STRADDLE_JUMP_RVA + 2, STRADDLE_POINTER_RVA);
}

/* The old file; the sites are what its relocations name. */
static inline struct span straddle_make(struct straddle_parts *parts, const struct straddle_options *options)
{
    static const uint8_t leaf[] = {0x33, 0xC0, 0xC3};
    struct made_image *made = &parts->made;
    *made = make_image(options->machine);
    made->entry_rva = STRADDLE_ENTRY_RVA;
    made->subsystem = options->is_user_mode ? SUBSYSTEM_WINDOWS_CUI : SUBSYSTEM_NATIVE;
    made->coff_characteristics |= options->is_dll ? COFF_DLL : 0;
    memset(parts->text, 0xCC, sizeof parts->text);
    memcpy(straddle_at(parts, STRADDLE_ENTRY_RVA), leaf, sizeof leaf);
    memcpy(straddle_at(parts, STRADDLE_INITIALIZE_RVA), leaf, sizeof leaf);
    memcpy(straddle_at(parts, STRADDLE_EXPORTED_RVA), leaf, sizeof leaf);
    if (options->has_initialize || options->exports_only)
        straddle_exports(parts, options);
    if (options->is_guarded)
        straddle_guard(parts);
    if (options->has_callbacks || options->has_tls_data)
        straddle_tls(parts, options);
    straddle_address(parts, STRADDLE_POINTER_RVA,
                     options->pointer_into ? options->pointer_into : (uint32_t)STRADDLE_EXPORTED_RVA);
    straddle_address(parts, 0x6080, STRADDLE_ARRAY_RVA);
    if (!options->exports_data)
        straddle_address(parts, 0x6088, 0x6200);
    straddle_address(parts, STRADDLE_FIRST_RVA, STRADDLE_ENTRY_RVA);
    straddle_address(parts, STRADDLE_SECOND_RVA, STRADDLE_EXPORTED_RVA);
    if (options->has_code)
        straddle_code(parts);
    if (options->has_const) {
        straddle_address(parts, STRADDLE_CONST_POINTER_RVA, STRADDLE_EXPORTED_RVA);
        straddle_address(parts, 0x6090, STRADDLE_CONST_RVA + 0x20);
        for (uint32_t i = 0; i < 0x400; i++)
            parts->constants[i] = (uint8_t)(i * 7 + 1);
    }
    if (options->change_old)
        options->change_old(parts->text);
    uint32_t data_flags = MADE_DATA | (options->is_discardable ? SCN_MEM_DISCARDABLE : 0);
    make_section(made, ".text", STRADDLE_TEXT_RVA, MADE_TEXT, parts->text, sizeof parts->text);
    /* The sixth header, so that SizeOfHeaders has room for four more on both machines. */
    make_section(made, ".sixth", 0x4000, MADE_RDATA, "sixth", 6);
    make_section(made, ".rdata", STRADDLE_RDATA_RVA, MADE_RDATA, parts->rdata, sizeof parts->rdata);
    make_section(made, ".data", STRADDLE_DATA_RVA, data_flags, parts->data, sizeof parts->data);
    make_section(made, ".const", STRADDLE_CONST_RVA, MADE_RDATA, parts->constants, sizeof parts->constants);
    make_relocations(made, STRADDLE_RELOC_RVA, parts->sites.items, parts->sites.count);
    return make_file(made);
}

/* Appends a section header and its bytes. */
static inline void repair_section(struct verify_files *files, const char *name, uint32_t rva, uint32_t flags,
                                  const uint8_t *bytes, uint32_t nbytes)
{
    struct pe_view view = view_of(files->new_bytes, files->new_nbytes);
    uint8_t *header = files->new_bytes + view_section_foff(&view, view.section_count);
    uint32_t foff = made_round_up((uint32_t)files->new_nbytes, 0x200),
             raw_nbytes = made_round_up(nbytes, 0x200);
    assert(view_section_foff(&view, view.section_count + 1) <=
           load_u32(files->new_bytes + view.opt_foff + OPT_SIZE_OF_HEADERS));
    memcpy(header, name, strlen(name));
    store_u32(header + SECTION_VIRTUAL_SIZE, nbytes);
    store_u32(header + SECTION_VIRTUAL_ADDRESS, rva);
    store_u32(header + SECTION_SIZE_OF_RAW_DATA, raw_nbytes);
    store_u32(header + SECTION_POINTER_TO_RAW_DATA, foff);
    store_u32(header + SECTION_CHARACTERISTICS, flags);
    memcpy(files->new_bytes + foff, bytes, nbytes);
    files->new_nbytes = foff + raw_nbytes;
    store_u16(files->new_bytes + view.coff_foff + COFF_NUMBER_OF_SECTIONS,
              (uint16_t)(view.section_count + 1));
    store_u32(files->new_bytes + view.opt_foff + OPT_SIZE_OF_IMAGE, made_round_up(rva + nbytes, PAGE_NBYTES));
}

/* As llvm-mc assembles the two texts; the fields are zero here. */
static const uint8_t stub_text_64[] = {
    0xB8, 0x01, 0x00, 0x00, 0x00, 0x87, 0x05, 0,    0,    0,    0,    0x85, 0xC0, 0x75, 0x2F, 0x48, 0x8D,
    0x05, 0xEA, 0xFF, 0xFF, 0xFF, 0x49, 0xBA, 0,    0,    0,    0,    0,    0,    0,    0,    0x4C, 0x29,
    0xD0, 0x74, 0x19, 0x4C, 0x8D, 0x15, 0,    0,    0,    0,    0x4D, 0x63, 0x1A, 0x4D, 0x85, 0xDB, 0x74,
    0x0A, 0x4B, 0x01, 0x04, 0x1A, 0x49, 0x83, 0xC2, 0x04, 0xEB, 0xEE, 0xE9, 0,    0,    0,    0};
static const uint8_t stub_text_32[] = {
    0xB8, 0x01, 0x00, 0x00, 0x00, 0x87, 0x05, 0,    0,    0,    0,    0x85, 0xC0, 0x75, 0x1F, 0xB8, 0,
    0,    0,    0,    0x2D, 0,    0,    0,    0,    0x74, 0x13, 0xBA, 0,    0,    0,    0,    0x8B, 0x0A,
    0x85, 0xC9, 0x74, 0x08, 0x01, 0x04, 0x0A, 0x83, 0xC2, 0x04, 0xEB, 0xF2, 0xE9, 0,    0,    0,    0};

static inline void put_stub(uint8_t *code, bool is_64, uint64_t base_va, uint32_t rva, uint32_t function_rva)
{
    uint8_t *stub = code + (rva - REPAIR_CODE_RVA);
    if (is_64) {
        memcpy(stub, stub_text_64, sizeof stub_text_64);
        store_u32(stub + 0x07, REPAIR_FLAG_RVA - (rva + 0x0B));
        store_u64(stub + 0x18, base_va + rva);
        store_u32(stub + 0x28, REPAIR_TABLE_RVA - (rva + 0x2C));
        store_u32(stub + 0x3F, function_rva - (rva + 0x43));
    } else {
        memcpy(stub, stub_text_32, sizeof stub_text_32);
        store_u32(stub + 0x07, (uint32_t)base_va + REPAIR_FLAG_RVA);
        store_u32(stub + 0x10, (uint32_t)base_va + rva);
        store_u32(stub + 0x15, (uint32_t)base_va + rva);
        store_u32(stub + 0x1C, (uint32_t)base_va + REPAIR_TABLE_RVA);
        store_u32(stub + 0x2F, function_rva - (rva + 0x33));
    }
}

static inline uint8_t *pair_at(const struct straddle_pair *pair, uint32_t rva)
{
    struct pe_view view = view_of(pair->files.new_bytes, pair->files.new_nbytes);
    uint32_t foff = view_foff(&view, rva);
    assert(foff != 0);
    return pair->files.new_bytes + foff;
}

/* Replaces an instruction of the new image by a jump, and writes the copy. */
static inline void put_copy(const struct straddle_pair *pair, uint8_t *code, uint32_t rva, uint32_t nbytes,
                            uint32_t copy_rva, bool goes_on)
{
    uint8_t *place = pair_at(pair, rva), *copy = code + (copy_rva - REPAIR_CODE_RVA);
    memcpy(copy, place, nbytes);
    memset(place, 0xCC, nbytes);
    place[0] = 0xE9;
    store_u32(place + 1, copy_rva - (rva + 5));
    if (goes_on) {
        copy[nbytes] = 0xE9;
        store_u32(copy + nbytes + 1, rva + nbytes - (copy_rva + nbytes + 5));
    }
}

/* Where a relocation of the old image is now; false when the stub applies it. */
static inline bool repaired_site(const struct straddle_pair *pair, uint32_t rva, uint32_t *new_rva)
{
    const struct straddle_options *options = &pair->options;
    *new_rva = rva;
    if (rva >= STRADDLE_STORE_RVA && rva < STRADDLE_STORE_RVA + 10)
        *new_rva = rva - STRADDLE_STORE_RVA + REPAIR_STORE_COPY_RVA;
    else if (rva >= STRADDLE_JUMP_RVA && rva < STRADDLE_JUMP_RVA + 6)
        *new_rva = rva - STRADDLE_JUMP_RVA + REPAIR_JUMP_COPY_RVA;
    else if (rva >= STRADDLE_CONST_RVA && rva < STRADDLE_CONST_RVA + STRADDLE_CONST_NBYTES)
        *new_rva = rva + REPAIR_CONST_DELTA;
    else if (rva == STRADDLE_FIRST_RVA)
        return options->keeps_site;
    else if (rva == STRADDLE_SECOND_RVA)
        return options->leaves_straddler;
    else if (rva == 0x6080)
        return !options->drops_other_site;
    return true;
}

static inline void repair_relocations(struct straddle_pair *pair, const struct straddle_sites *old_sites)
{
    struct straddle_sites sites = {0};
    struct made_image scratch = make_image(pair->options.machine);
    uint32_t new_rva;
    for (size_t i = 0; i < old_sites->count; i++)
        if (repaired_site(pair, old_sites->items[i], &new_rva))
            add_straddle_site(&sites, new_rva);
    for (uint32_t i = 0; !pair->is_64 && i < (pair->options.has_initialize ? 2u : 1u); i++) {
        uint32_t rva = i == 0 ? (uint32_t)REPAIR_STUB_RVA : (uint32_t)REPAIR_STUB_2_RVA;
        add_straddle_site(&sites, rva + 0x07);
        add_straddle_site(&sites, rva + 0x10);
        if (i != 0 || !pair->options.drops_stub_site)
            add_straddle_site(&sites, rva + 0x1C);
    }
    uint32_t reloc_rva = pair->options.has_const ? 0x10000 : 0xE000;
    make_relocations(&scratch, reloc_rva, sites.items, sites.count);
    struct made_section *made = &scratch.sections[0];
    repair_section(&pair->files, ".hvreloc", reloc_rva, MADE_RELOC, made->bytes, made->nbytes);
    struct pe_view view = view_of(pair->files.new_bytes, pair->files.new_nbytes);
    uint8_t *directory = view.bytes + view_directory_foff(DIR_BASERELOC, &view);
    memset(pair_at(pair, load_u32(directory + DIRECTORY_RVA)), 0, load_u32(directory + DIRECTORY_SIZE));
    store_u32(directory + DIRECTORY_RVA, reloc_rva);
    store_u32(directory + DIRECTORY_SIZE, made->nbytes);
    make_free(&scratch);
}

static inline void put_guard_record(uint8_t *code, uint32_t index, uint32_t function_rva, uint8_t flags)
{
    uint8_t *record = code + (REPAIR_GUARD_RVA - REPAIR_CODE_RVA) + index * STRADDLE_STRIDE_NBYTES;
    store_u32(record, function_rva);
    record[4] = flags;
}

static inline void repair_guard(struct straddle_pair *pair, uint8_t *code, uint64_t base_va)
{
    uint8_t *config = pair_at(pair, STRADDLE_CONFIG_RVA);
    bool is_64 = pair->is_64;
    uint32_t count = pair->options.has_initialize ? 4 : 3;
    put_guard_record(code, 0, STRADDLE_ENTRY_RVA, 0);
    put_guard_record(code, 1, STRADDLE_INITIALIZE_RVA, 2);
    put_guard_record(code, 2, REPAIR_STUB_RVA, 0);
    if (pair->options.has_initialize)
        put_guard_record(code, 3, REPAIR_STUB_2_RVA, 0);
    store_u32(config + (is_64 ? LC_GUARD_CF_FUNCTION_COUNT_64 : LC_GUARD_CF_FUNCTION_COUNT_32), count);
    store_u32(config + (is_64 ? LC_GUARD_CF_FUNCTION_TABLE_64 : LC_GUARD_CF_FUNCTION_TABLE_32),
              (uint32_t)base_va + REPAIR_GUARD_RVA);
}

static inline void repair_code(struct straddle_pair *pair, uint64_t base_va)
{
    uint8_t code[REPAIR_CODE_NBYTES];
    memset(code, 0xCC, sizeof code);
    put_stub(code, pair->is_64, base_va, REPAIR_STUB_RVA, STRADDLE_ENTRY_RVA);
    if (pair->options.has_initialize) {
        put_stub(code, pair->is_64, base_va, REPAIR_STUB_2_RVA, STRADDLE_INITIALIZE_RVA);
        store_u32(pair_at(pair, STRADDLE_SLOTS_RVA), REPAIR_STUB_2_RVA);
    }
    uint8_t *table = code + (REPAIR_TABLE_RVA - REPAIR_CODE_RVA);
    store_u32(table, (uint32_t)STRADDLE_FIRST_RVA - REPAIR_TABLE_RVA);
    store_u32(table + 4,
              pair->options.leaves_straddler ? 0 : (uint32_t)STRADDLE_SECOND_RVA - (REPAIR_TABLE_RVA + 4));
    store_u32(table + 8, pair->options.leaves_straddler ? 0xCCCCCCCC : 0);
    if (pair->options.is_guarded)
        repair_guard(pair, code, base_va);
    if (pair->options.has_code) {
        put_copy(pair, code, STRADDLE_STORE_RVA, 10, REPAIR_STORE_COPY_RVA, true);
        put_copy(pair, code, STRADDLE_JUMP_RVA, 6, REPAIR_JUMP_COPY_RVA, false);
    }
    repair_section(&pair->files, ".hvcode", REPAIR_CODE_RVA, MADE_TEXT | SCN_MEM_NOT_PAGED, code,
                   sizeof code);
}

static inline void repair_const(struct straddle_pair *pair)
{
    uint8_t bytes[REPAIR_SHIFT_NBYTES + STRADDLE_CONST_NBYTES] = {0};
    uint8_t *old_place = pair_at(pair, STRADDLE_CONST_RVA), *pointer = pair_at(pair, 0x6090);
    memcpy(bytes + REPAIR_SHIFT_NBYTES, old_place, STRADDLE_CONST_NBYTES);
    memset(old_place, 0, STRADDLE_CONST_NBYTES);
    store_u32(pointer, load_u32(pointer) + REPAIR_CONST_DELTA);
    repair_section(&pair->files, ".hvidata", REPAIR_CONST_RVA,
                   pair->options.shifts_code_rights ? MADE_TEXT : MADE_RDATA, bytes, sizeof bytes);
}

static inline struct straddle_pair straddle_repair(const struct straddle_options *options)
{
    struct straddle_pair pair = {.options = *options, .is_64 = options->machine == MACHINE_AMD64};
    struct straddle_parts *parts = calloc(1, sizeof *parts);
    uint8_t flag[4] = {0};
    assert(parts);
    struct span file = straddle_make(parts, options);
    pair.files.old_nbytes = pair.files.new_nbytes = file.nbytes;
    pair.files.old_bytes = malloc(file.nbytes);
    pair.files.new_bytes = calloc(1, file.nbytes + 0x8000);
    assert(pair.files.old_bytes && pair.files.new_bytes);
    memcpy(pair.files.old_bytes, file.bytes, file.nbytes);
    memcpy(pair.files.new_bytes, file.bytes, file.nbytes);
    struct pe_view view = view_of(pair.files.new_bytes, pair.files.new_nbytes);
    repair_code(&pair, parts->made.image_base_va);
    repair_section(&pair.files, ".hvdata", REPAIR_DATA_RVA, MADE_DATA | SCN_MEM_NOT_PAGED, flag, sizeof flag);
    if (options->has_const)
        repair_const(&pair);
    repair_relocations(&pair, &parts->sites);
    store_u32(view.bytes + view.opt_foff + OPT_ADDRESS_OF_ENTRY_POINT, REPAIR_STUB_RVA);
    pairs_set_checksum(pair.files.new_bytes, pair.files.new_nbytes);
    make_free(&parts->made);
    free(parts);
    return pair;
}

#endif
