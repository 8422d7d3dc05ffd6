/* test_verify_moves.c - the verifier on images whose IAT left an executable section.
 * Takes: a small driver made in memory and the move of its IAT, made by this test's own code.  Gives: pass or
 * fail.  Must not: use the rewriter, or take expected places from the verifier. */
#include "verify_expect.h"
#include "verify_pairs.h"

enum {
    MOVED_RVA = 0x6000, /* the appended section; the IAT is at its begin as it is in its page */
    MOVED_NBYTES = 0x10,
    MOVED_DELTA = MOVED_RVA - DRIVER_IAT_RVA,
    RDATA_EXECUTABLE = (int)(SCN_CNT_CODE | SCN_MEM_EXECUTE | SCN_MEM_READ)
};

struct moved {
    struct verify_files files;
    uint16_t machine;
};

static uint8_t *new_at(const struct moved *moved, uint32_t rva)
{
    struct pe_view view = view_of(moved->files.new_bytes, moved->files.new_nbytes);
    uint32_t foff = view_foff(&view, rva);
    assert_int_not_equal(foff, 0);
    return moved->files.new_bytes + foff;
}

static uint64_t new_foff(const struct moved *moved, uint32_t rva)
{
    return (uint64_t)(new_at(moved, rva) - moved->files.new_bytes);
}

static void add_to(uint8_t *field, int32_t delta)
{
    store_u32(field, load_u32(field) + (uint32_t)delta);
}

/* Moves all raw data up by 0x200, for one more section header. */
static void grow_headers(struct moved *moved)
{
    struct pe_view view = view_of(moved->files.new_bytes, moved->files.new_nbytes);
    uint32_t headers_nbytes = load_u32(view.bytes + view.opt_foff + OPT_SIZE_OF_HEADERS);
    if (view_section_foff(&view, view.section_count + 1) <= headers_nbytes)
        return;
    uint8_t *bytes = calloc(1, moved->files.new_nbytes + 0x200);
    assert_non_null(bytes);
    memcpy(bytes, view.bytes, headers_nbytes);
    memcpy(bytes + headers_nbytes + 0x200, view.bytes + headers_nbytes,
           moved->files.new_nbytes - headers_nbytes);
    for (uint32_t i = 0; i < view.section_count; i++)
        add_to(bytes + view_section_foff(&view, i) + SECTION_POINTER_TO_RAW_DATA, 0x200);
    store_u32(bytes + view.opt_foff + OPT_SIZE_OF_HEADERS, headers_nbytes + 0x200);
    free(moved->files.new_bytes);
    moved->files.new_bytes = bytes;
    moved->files.new_nbytes += 0x200;
}

static void append_section(struct moved *moved)
{
    grow_headers(moved);
    struct pe_view view = view_of(moved->files.new_bytes, moved->files.new_nbytes);
    uint32_t foff = (uint32_t)((moved->files.new_nbytes + 0x1FF) / 0x200 * 0x200);
    uint32_t header_foff = view_section_foff(&view, view.section_count);
    uint8_t *bytes = realloc(moved->files.new_bytes, foff + 0x1200);
    assert_non_null(bytes);
    uint8_t *header = bytes + header_foff;
    memset(bytes + moved->files.new_nbytes, 0, foff + 0x1200 - moved->files.new_nbytes);
    moved->files.new_bytes = bytes;
    moved->files.new_nbytes = foff + 0x200;
    memcpy(header, ".hvidata", 8);
    store_u32(header + SECTION_VIRTUAL_SIZE, MOVED_NBYTES);
    store_u32(header + SECTION_VIRTUAL_ADDRESS, MOVED_RVA);
    store_u32(header + SECTION_SIZE_OF_RAW_DATA, 0x200);
    store_u32(header + SECTION_POINTER_TO_RAW_DATA, foff);
    store_u32(header + SECTION_CHARACTERISTICS, MADE_RDATA | SCN_MEM_NOT_PAGED);
    store_u16(bytes + view.coff_foff + COFF_NUMBER_OF_SECTIONS, (uint16_t)(view.section_count + 1));
    store_u32(bytes + view.opt_foff + OPT_SIZE_OF_IMAGE, MOVED_RVA + 0x1000);
}

/* The field in code that leads to the IAT: x64 behind lea and FF 15, x86 behind FF 15. */
static uint32_t call_field_rva(uint16_t machine)
{
    return machine == MACHINE_AMD64 ? DRIVER_INIT_RVA + 13 : DRIVER_INIT_RVA + 12;
}

static struct moved make_moved(uint16_t machine)
{
    struct driver driver = driver_make(machine);
    struct moved moved = {.machine = machine};
    make_section(&driver.made, ".text", DRIVER_TEXT_RVA, MADE_TEXT, driver.text, sizeof driver.text);
    make_section(&driver.made, ".rdata", DRIVER_RDATA_RVA, (uint32_t)RDATA_EXECUTABLE, driver.rdata,
                 sizeof driver.rdata);
    make_section(&driver.made, ".data", DRIVER_DATA_RVA, MADE_DATA, driver.data, sizeof driver.data);
    make_section(&driver.made, "INIT", DRIVER_INIT_RVA, MADE_INIT & ~SCN_MEM_WRITE, driver.init,
                 sizeof driver.init);
    make_relocations(&driver.made, DRIVER_RELOC_RVA, driver.sites, driver.site_count);
    moved.files = pairs_repair(make_file(&driver.made));
    make_free(&driver.made);
    append_section(&moved);
    uint32_t slots_nbytes = machine == MACHINE_AMD64 ? 16 : 8;
    memcpy(new_at(&moved, MOVED_RVA), new_at(&moved, DRIVER_IAT_RVA), slots_nbytes);
    memset(new_at(&moved, DRIVER_IAT_RVA), 0xCC, slots_nbytes);
    add_to(new_at(&moved, DRIVER_DESCRIPTORS_RVA) + IMPORT_FIRST_THUNK, MOVED_DELTA);
    add_to(new_at(&moved, call_field_rva(machine)), MOVED_DELTA);
    struct pe_view view = view_of(moved.files.new_bytes, moved.files.new_nbytes);
    add_to(view.bytes + view_directory_foff(DIR_IAT, &view), MOVED_DELTA);
    pairs_set_checksum(moved.files.new_bytes, moved.files.new_nbytes);
    return moved;
}

static const uint16_t machines[] = {MACHINE_AMD64, MACHINE_I386};

static void the_right_move_is_proved(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct moved moved = make_moved(machines[i]);
        struct arena arena;
        arena_init(&arena, NULL);
        struct verify_verdict verdict = judge(&moved.files, &arena);
        if (verdict.result != VERIFY_PROVED_WITH_ASSUMPTIONS)
            fail_msg("not proved: %s", verdict.reason);
        bool has_piece = false;
        for (size_t k = 0; k < verdict.difference_count; k++)
            has_piece = has_piece || (verdict.differences[k].old_value == DRIVER_IAT_RVA &&
                                      verdict.differences[k].new_value == MOVED_RVA);
        assert_true(has_piece);
        arena_free(&arena);
        pairs_free(&moved.files);
    }
}

/* One four-byte field of the new image, at rva, changed by `change`; refuted there or with these words. */
struct wrong {
    const char *name;
    uint32_t rva_64, rva_32; /* 0: not on this machine */
    int32_t change;
    const char *words;
};

static const struct wrong wrongs[] = {
    {"operand left unpatched", DRIVER_INIT_RVA + 13, DRIVER_INIT_RVA + 12, -MOVED_DELTA,
     "to lead where it led"},
    {"operand patched twice", DRIVER_INIT_RVA + 13, DRIVER_INIT_RVA + 12, MOVED_DELTA,
     "to lead where it led"},
    {"operand patched to the neighbour slot", DRIVER_INIT_RVA + 13, DRIVER_INIT_RVA + 12, 8,
     "to lead where it led"},
    {"FirstThunk off by a slot", DRIVER_DESCRIPTORS_RVA + IMPORT_FIRST_THUNK,
     DRIVER_DESCRIPTORS_RVA + IMPORT_FIRST_THUNK, 4, ""},
    {"FirstThunk left unpatched", DRIVER_DESCRIPTORS_RVA + IMPORT_FIRST_THUNK,
     DRIVER_DESCRIPTORS_RVA + IMPORT_FIRST_THUNK, -MOVED_DELTA, ""},
    {"the name of the import", DRIVER_DESCRIPTORS_RVA + IMPORT_NAME, DRIVER_DESCRIPTORS_RVA + IMPORT_NAME,
     0x10, "the name of an imported image"},
    {"an IAT entry", MOVED_RVA, MOVED_RVA, 2, "an IAT entry"},
    {"a lookup entry", DRIVER_LOOKUP_RVA, DRIVER_LOOKUP_RVA, 2, "an import lookup entry"},
    {"a relocated pointer", DRIVER_POINTER_RVA, DRIVER_POINTER_RVA, 0x1000, "a relocated address"},
    {"the begin of unwind data", DRIVER_PDATA_RVA, 0, 0x10, "the begin of unwind data"},
    {"the unwind data's place", DRIVER_PDATA_RVA + 8, 0, 4, "the place of unwind data"},
    {"an unwind code", DRIVER_UNWIND_RVA, 0, 8, "no known field"},
    {"an operand that leads elsewhere", DRIVER_INIT_RVA + 7, DRIVER_INIT_RVA + 17, 4, ""},
    {"code", DRIVER_TEXT_RVA, DRIVER_TEXT_RVA, 1, "no known field"},
    {"content behind the slots", MOVED_RVA + 0x10, MOVED_RVA + 0x10, 1, "comes from nowhere"},
    {"something in the hole", DRIVER_IAT_RVA, DRIVER_IAT_RVA, 1, "comes from nowhere"},
    {"data", DRIVER_DATA_RVA, DRIVER_DATA_RVA, 1, "no known field"},
};

static void each_wrong_field_is_refuted(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * sizeof wrongs / sizeof wrongs[0]; i++) {
        const struct wrong *wrong = &wrongs[i / 2];
        uint32_t rva = i % 2 == 0 ? wrong->rva_64 : wrong->rva_32;
        if (rva == 0)
            continue;
        struct moved moved = make_moved(machines[i % 2]);
        struct arena arena;
        arena_init(&arena, NULL);
        add_to(new_at(&moved, rva), wrong->change);
        pairs_set_checksum(moved.files.new_bytes, moved.files.new_nbytes);
        struct verify_verdict verdict = judge(&moved.files, &arena);
        if (verdict.result != VERIFY_REFUTED)
            fail_msg("%s: not refuted", wrong->name);
        if (verdict.right_not_shown || !strstr(verdict.reason, wrong->words))
            fail_msg("%s: %s", wrong->name, verdict.reason);
        if (wrong->words[0] != 0 &&
            (verdict.file_offset > new_foff(&moved, rva) || verdict.file_offset + 8 <= new_foff(&moved, rva)))
            fail_msg("%s: refuted at offset 0x%llX: %s", wrong->name, (unsigned long long)verdict.file_offset,
                     verdict.reason);
        arena_free(&arena);
        pairs_free(&moved.files);
    }
}

/* int3 where nothing of the old image is: it may have gone along with data that the verifier does not know
 * of. */
static void fill_behind_what_moved_is_not_shown(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct moved moved = make_moved(machines[i]);
        struct arena arena;
        arena_init(&arena, NULL);
        add_to(new_at(&moved, MOVED_RVA + 0x10), 0xCC);
        pairs_set_checksum(moved.files.new_bytes, moved.files.new_nbytes);
        struct verify_verdict verdict = judge(&moved.files, &arena);
        if (verdict.result != VERIFY_REFUTED || !verdict.right_not_shown ||
            !strstr(verdict.reason, "is fill; it is not shown"))
            fail_msg("%s", verdict.reason ? verdict.reason : "proved");
        arena_free(&arena);
        pairs_free(&moved.files);
    }
}

/* One header field of the new image. */
struct wrong_header {
    const char *name;
    enum { IN_OPTIONAL, IN_DIRECTORY, IN_SECTION } where;
    uint32_t index, at;
    uint32_t value;
    const char *words;
};

static const struct wrong_header wrong_headers[] = {
    {"entry point", IN_OPTIONAL, 0, OPT_ADDRESS_OF_ENTRY_POINT, DRIVER_CALLBACK_RVA, "AddressOfEntryPoint"},
    {"size of the image", IN_OPTIONAL, 0, OPT_SIZE_OF_IMAGE, MOVED_RVA + 0x2000, "SizeOfImage"},
    {"directory 12 too long", IN_DIRECTORY, DIR_IAT, DIRECTORY_SIZE, 0x40, "directory 12"},
    {"directory 12 left", IN_DIRECTORY, DIR_IAT, DIRECTORY_RVA, DRIVER_IAT_RVA, "executable section"},
    {"import directory", IN_DIRECTORY, DIR_IMPORT, DIRECTORY_RVA, DRIVER_DESCRIPTORS_RVA + 4, ""},
    {"resources", IN_DIRECTORY, DIR_RESOURCE, DIRECTORY_RVA, DRIVER_RESOURCE_RVA + 8, "follows from the old"},
    {"no relocations", IN_DIRECTORY, DIR_BASERELOC, DIRECTORY_SIZE, 0, "is missing in the new"},
    {"new section writable and executable", IN_SECTION, 5, SECTION_CHARACTERISTICS,
     SCN_CNT_INITIALIZED_DATA | SCN_MEM_READ | SCN_MEM_WRITE | SCN_MEM_EXECUTE, "writable and executable"},
    {"new section executable", IN_SECTION, 5, SECTION_CHARACTERISTICS,
     SCN_CNT_CODE | SCN_MEM_READ | SCN_MEM_EXECUTE, "is executable"},
    {"new section discardable", IN_SECTION, 5, SECTION_CHARACTERISTICS, MADE_RDATA | SCN_MEM_DISCARDABLE,
     "discardable"},
    {"new section paged by name", IN_SECTION, 5, SECTION_NAME, 0x45474150, "paged"},
    {"new section without a name", IN_SECTION, 5, SECTION_NAME, 0, "by its name"},
    {"code section not executable", IN_SECTION, 0, SECTION_CHARACTERISTICS, MADE_RDATA, ""},
    {"data section not writable", IN_SECTION, 2, SECTION_CHARACTERISTICS, MADE_RDATA, ""},
    {"INIT renamed", IN_SECTION, 3, SECTION_NAME, 0x45474150, "changed in its name"},
};

static void each_wrong_header_is_refuted(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * sizeof wrong_headers / sizeof wrong_headers[0]; i++) {
        const struct wrong_header *wrong = &wrong_headers[i / 2];
        struct moved moved = make_moved(machines[i % 2]);
        struct pe_view view = view_of(moved.files.new_bytes, moved.files.new_nbytes);
        struct arena arena;
        arena_init(&arena, NULL);
        uint32_t index =
            wrong->where == IN_SECTION && wrong->index == 5 ? view.section_count - 1 : wrong->index;
        uint32_t foff = wrong->where == IN_OPTIONAL    ? view.opt_foff + wrong->at
                        : wrong->where == IN_DIRECTORY ? view_directory_foff(index, &view) + wrong->at
                                                       : view_section_foff(&view, index) + wrong->at;
        store_u32(view.bytes + foff, wrong->value);
        pairs_set_checksum(moved.files.new_bytes, moved.files.new_nbytes);
        struct verify_verdict verdict = judge(&moved.files, &arena);
        if (verdict.result != VERIFY_REFUTED)
            fail_msg("%s: not refuted", wrong->name);
        if (!strstr(verdict.reason, wrong->words))
            fail_msg("%s: %s", wrong->name, verdict.reason);
        arena_free(&arena);
        pairs_free(&moved.files);
    }
}

/* The new table drops, doubles or moves an entry. */
static void changed_relocations_are_refuted(void **state)
{
    (void)state;
    static const int32_t changes[] = {1, -0x1000, 0x1000};
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct moved moved = make_moved(MACHINE_I386);
        struct arena arena;
        arena_init(&arena, NULL);
        uint8_t *entry = new_at(&moved, DRIVER_RELOC_RVA) + BASERELOC_BLOCK_HEADER_NBYTES;
        store_u16(entry, (uint16_t)(load_u16(entry) + changes[i]));
        pairs_set_checksum(moved.files.new_bytes, moved.files.new_nbytes);
        struct verify_verdict verdict = judge(&moved.files, &arena);
        assert_int_equal(verdict.result, VERIFY_REFUTED);
        assert_false(verdict.right_not_shown);
        arena_free(&arena);
        pairs_free(&moved.files);
    }
}

/* Loaders judge the header of a block that has no entry, too. */
static void empty_blocks_are_refuted(void **state)
{
    (void)state;
    static const uint32_t pages[] = {0, DRIVER_INIT_RVA, 0x7FFFF000};
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        struct moved moved = make_moved(MACHINE_I386);
        struct arena arena;
        arena_init(&arena, NULL);
        struct pe_view view = view_of(moved.files.new_bytes, moved.files.new_nbytes);
        uint8_t *size = view.bytes + view_directory_foff(DIR_BASERELOC, &view) + DIRECTORY_SIZE;
        uint8_t *block = new_at(&moved, DRIVER_RELOC_RVA) + load_u32(size);
        store_u32(block + BASERELOC_PAGE_RVA, pages[i]);
        store_u32(block + BASERELOC_BLOCK_SIZE, BASERELOC_BLOCK_HEADER_NBYTES);
        add_to(size, BASERELOC_BLOCK_HEADER_NBYTES);
        pairs_set_checksum(moved.files.new_bytes, moved.files.new_nbytes);
        struct verify_verdict verdict = judge(&moved.files, &arena);
        assert_int_equal(verdict.result, VERIFY_REFUTED);
        if (!strstr(verdict.reason, "is empty, out of order or outside the image"))
            fail_msg("page 0x%X: %s", (unsigned)pages[i], verdict.reason);
        arena_free(&arena);
        pairs_free(&moved.files);
    }
}

/* What is not decoded, or not read, is not proved; that is another thing than a wrong byte. */
static void what_cannot_be_shown_is_not_proved(void **state)
{
    (void)state;
    struct moved moved = make_moved(MACHINE_AMD64);
    struct pe_view old_view = view_of(moved.files.old_bytes, moved.files.old_nbytes);
    struct arena arena;
    arena_init(&arena, NULL);
    store_u16(moved.files.old_bytes + old_view.coff_foff + COFF_MACHINE, MACHINE_ARM64);
    store_u16(moved.files.new_bytes + old_view.coff_foff + COFF_MACHINE, MACHINE_ARM64);
    pairs_set_checksum(moved.files.new_bytes, moved.files.new_nbytes);
    struct verify_verdict verdict = judge(&moved.files, &arena);
    assert_int_equal(verdict.result, VERIFY_REFUTED);
    assert_true(verdict.right_not_shown);
    assert_non_null(strstr(verdict.reason, "not decoded here"));
    arena_free(&arena);
    pairs_free(&moved.files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_right_move_is_proved),
        cmocka_unit_test(each_wrong_field_is_refuted),
        cmocka_unit_test(fill_behind_what_moved_is_not_shown),
        cmocka_unit_test(each_wrong_header_is_refuted),
        cmocka_unit_test(changed_relocations_are_refuted),
        cmocka_unit_test(empty_blocks_are_refuted),
        cmocka_unit_test(what_cannot_be_shown_is_not_proved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
