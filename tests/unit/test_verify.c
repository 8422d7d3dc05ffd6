/* test_verify.c - the verdicts of the verifier on right repairs, on unreadable files, and on its own parts.
 * Takes: small drivers made in memory.  Gives: pass or fail.  Must not: take expected values from the
 * verifier. */
#include "verify_expect.h"
#include "verify_pairs.h"

#include "verify/verify_place.h"
#include "verify/verify_structure.h"

static uint32_t init_flags_foff(const struct verify_files *files)
{
    struct pe_view view = view_of(files->new_bytes, files->new_nbytes);
    return view_section_foff(&view, view_find_section(&view, "INIT", 0)) + SECTION_CHARACTERISTICS;
}

static void right_repair_is_proved_with_its_differences(void **state)
{
    (void)state;
    static const uint16_t machines[] = {MACHINE_AMD64, MACHINE_I386};
    for (size_t i = 0; i < 2; i++) {
        struct driver driver = driver_make(machines[i]);
        struct verify_files files = driver_repair(&driver);
        struct arena arena;
        arena_init(&arena, NULL);
        struct verify_verdict verdict = judge(&files, &arena);
        if (verdict.result != VERIFY_PROVED_WITH_ASSUMPTIONS)
            fail_msg("not proved: %s", verdict.reason);
        assert_null(verdict.still_broken);
        assert_int_equal(verdict.difference_count, 2);
        assert_string_equal(verdict.differences[0].field, "CheckSum");
        assert_int_equal(verdict.differences[0].old_value, 0);
        assert_string_equal(verdict.differences[1].field, "section INIT Characteristics");
        assert_int_equal(verdict.differences[1].file_offset, init_flags_foff(&files));
        assert_int_equal(verdict.differences[1].old_value, 0xE2000020);
        assert_int_equal(verdict.differences[1].new_value, 0x62000020);
        assert_false(verdict.differences[0].assumed);
        assert_true(verdict.differences[1].assumed);
        arena_free(&arena);
        pairs_free(&files);
    }
}

/* A rule that the repair does not touch is named: such an image may not load all the same. */
static void what_the_new_image_still_breaks_is_named(void **state)
{
    (void)state;
    struct driver driver = driver_make(MACHINE_AMD64);
    struct verify_files files = driver_repair(&driver);
    struct pe_view view = view_of(files.new_bytes, files.new_nbytes);
    uint32_t flags_foff =
        view_section_foff(&view, view_find_section(&view, ".text", 0)) + SECTION_CHARACTERISTICS;
    store_u32(files.old_bytes + flags_foff, MADE_TEXT | SCN_MEM_WRITE);
    store_u32(files.new_bytes + flags_foff, MADE_TEXT | SCN_MEM_WRITE);
    pairs_set_checksum(files.new_bytes, files.new_nbytes);
    struct arena arena;
    arena_init(&arena, NULL);
    struct verify_verdict verdict = judge(&files, &arena);
    assert_int_equal(verdict.result, VERIFY_PROVED_WITH_ASSUMPTIONS);
    assert_string_equal(verdict.still_broken,
                        "that a section that stays loaded is not writable and executable");
    arena_free(&arena);
    pairs_free(&files);
}

static void machines_that_are_not_decoded_are_assumed_for_init_only(void **state)
{
    (void)state;
    struct driver driver = driver_make(MACHINE_ARM64);
    struct verify_files files = driver_repair(&driver);
    struct arena arena;
    arena_init(&arena, NULL);
    struct verify_verdict verdict = judge(&files, &arena);
    assert_int_equal(verdict.result, VERIFY_PROVED_WITH_ASSUMPTIONS);
    assert_true(verdict.differences[1].assumed);
    assert_non_null(strstr(verdict.differences[1].why_allowed, "Windows 10"));
    arena_free(&arena);

    /* Another name: nothing allows it. */
    uint32_t flags_foff = init_flags_foff(&files);
    files.old_bytes[flags_foff - SECTION_CHARACTERISTICS] = 'X';
    files.new_bytes[flags_foff - SECTION_CHARACTERISTICS] = 'X';
    pairs_set_checksum(files.new_bytes, files.new_nbytes);
    expect_refuted(&files, flags_foff, "not a discardable INIT");
    pairs_free(&files);
}

static void identical_files_are_identical(void **state)
{
    (void)state;
    struct driver driver = driver_make(MACHINE_AMD64);
    struct verify_files files = driver_repair(&driver);
    struct arena arena;
    arena_init(&arena, NULL);
    memcpy(files.new_bytes, files.old_bytes, files.old_nbytes);
    struct verify_verdict verdict = judge(&files, &arena);
    assert_int_equal(verdict.result, VERIFY_IDENTICAL);
    assert_int_equal(verdict.difference_count, 0);
    arena_free(&arena);
    pairs_free(&files);
}

static void expect_unreadable(struct span old_file, struct span new_file, bool in_old, const char *words)
{
    struct arena arena;
    struct verify_verdict verdict;
    arena_init(&arena, NULL);
    assert_true(verify_pair(old_file, new_file, &arena, &verdict));
    assert_int_equal(verdict.result, VERIFY_UNREADABLE);
    assert_int_equal(verdict.in_old, in_old);
    assert_non_null(strstr(verdict.reason, words));
    arena_free(&arena);
}

static void unreadable_files_say_which_and_why(void **state)
{
    (void)state;
    struct driver driver = driver_make(MACHINE_AMD64);
    struct verify_files files = driver_repair(&driver);
    struct span old_file = {files.old_bytes, files.old_nbytes};
    struct pe_view view = view_of(files.old_bytes, files.old_nbytes);
    expect_unreadable((struct span){NULL, 0}, old_file, true, "MZ");
    expect_unreadable(old_file, (struct span){files.new_bytes, 0x20}, false, "DOS header");
    expect_unreadable(old_file, (struct span){files.new_bytes, view.coff_foff - 1}, false, "PE signature");
    expect_unreadable(old_file, (struct span){files.new_bytes, view.coff_foff + 4}, false, "COFF");
    expect_unreadable(old_file, (struct span){files.new_bytes, view.opt_foff + 8}, false, "optional header");
    expect_unreadable(old_file, (struct span){files.new_bytes, view.sections_foff + 8}, false,
                      "section table");
    store_u16(files.new_bytes + view.opt_foff, 0x107);
    expect_unreadable(old_file, (struct span){files.new_bytes, files.new_nbytes}, false, "Magic");
    store_u16(files.new_bytes + view.opt_foff, OPT_MAGIC_64);
    store_u16(files.new_bytes + view.coff_foff + COFF_SIZE_OF_OPTIONAL_HEADER, 0x60);
    expect_unreadable(old_file, (struct span){files.new_bytes, files.new_nbytes}, false, "too small");
    pairs_free(&files);
}

/* What truncation leaves is never taken for the old image. */
static void every_truncation_is_refused(void **state)
{
    (void)state;
    struct driver driver = driver_make(MACHINE_I386);
    struct verify_files files = driver_repair(&driver);
    size_t whole_nbytes = files.new_nbytes;
    struct arena arena;
    for (files.new_nbytes = 0; files.new_nbytes < whole_nbytes; files.new_nbytes++) {
        arena_init(&arena, NULL);
        struct verify_verdict verdict = judge(&files, &arena);
        assert_true(verdict.result == VERIFY_REFUTED || verdict.result == VERIFY_UNREADABLE);
        assert_non_null(verdict.reason);
        arena_free(&arena);
    }
    pairs_free(&files);
}

static void checksum_must_be_right_even_when_it_was_zero(void **state)
{
    (void)state;
    struct driver driver = driver_make(MACHINE_AMD64);
    struct verify_files files = driver_repair(&driver);
    struct pe_view view = view_of(files.new_bytes, files.new_nbytes);
    uint32_t checksum_foff = view.opt_foff + OPT_CHECK_SUM;
    uint32_t right = load_u32(files.new_bytes + checksum_foff);
    store_u32(files.new_bytes + checksum_foff, right + 1);
    expect_refuted(&files, checksum_foff, "CheckSum");
    store_u32(files.new_bytes + checksum_foff, 0);
    expect_refuted(&files, checksum_foff, "CheckSum");

    /* A right checksum alone is a change that is explained. */
    memcpy(files.new_bytes, files.old_bytes, files.old_nbytes);
    pairs_set_checksum(files.new_bytes, files.new_nbytes);
    expect_proved(&files);

    /* An odd length: the last byte is the low byte of a word. */
    files.old_bytes = realloc(files.old_bytes, files.old_nbytes + 1);
    assert_non_null(files.old_bytes);
    files.old_bytes[files.old_nbytes++] = 0x5A;
    files.new_bytes[files.new_nbytes++] = 0x5A;
    pairs_set_checksum(files.new_bytes, files.new_nbytes);
    expect_proved(&files);
    pairs_free(&files);
}

enum { TABLE_NBYTES = 0x18 };

/* Appends padding_nbytes zeros and a certificate table to the old file, and makes the repair anew. */
static struct verify_files signed_pair(uint32_t padding_nbytes)
{
    struct driver driver = driver_make(MACHINE_AMD64);
    struct verify_files plain = driver_repair(&driver);
    size_t table_foff = plain.old_nbytes + padding_nbytes;
    uint8_t *bytes = calloc(1, table_foff + TABLE_NBYTES);
    assert_non_null(bytes);
    memcpy(bytes, plain.old_bytes, plain.old_nbytes);
    struct pe_view view = view_of(bytes, table_foff + TABLE_NBYTES);
    store_u32(bytes + view_directory_foff(DIR_SECURITY, &view) + DIRECTORY_RVA, (uint32_t)table_foff);
    store_u32(bytes + view_directory_foff(DIR_SECURITY, &view) + DIRECTORY_SIZE, TABLE_NBYTES);
    store_u32(bytes + table_foff + CERTIFICATE_LENGTH, TABLE_NBYTES);
    store_u16(bytes + table_foff + CERTIFICATE_REVISION, 0x0200);
    store_u16(bytes + table_foff + CERTIFICATE_TYPE, CERTIFICATE_TYPE_PKCS7);
    memset(bytes + table_foff + CERTIFICATE_HEADER_NBYTES, 0xAB, TABLE_NBYTES - CERTIFICATE_HEADER_NBYTES);
    struct verify_files files = pairs_repair((struct span){bytes, table_foff + TABLE_NBYTES});
    free(bytes);
    pairs_free(&plain);
    return files;
}

static void dropped_certificates_are_proved_with_or_without_their_padding(void **state)
{
    (void)state;
    struct verify_files files = signed_pair(0);
    expect_proved(&files);
    pairs_free(&files);

    files = signed_pair(5);
    expect_proved(&files);
    files.new_nbytes -= 5;
    pairs_set_checksum(files.new_bytes, files.new_nbytes);
    expect_proved(&files);
    files.new_nbytes -= 1; /* into the last section */
    pairs_set_checksum(files.new_bytes, files.new_nbytes);
    expect_refuted(&files, files.new_nbytes, "more than its padding");
    pairs_free(&files);
}

static void padding_that_is_not_zero_must_stay(void **state)
{
    (void)state;
    struct verify_files files = signed_pair(4);
    size_t last = files.old_nbytes - TABLE_NBYTES - 1;
    files.old_bytes[last] = files.new_bytes[last] = 1;
    pairs_set_checksum(files.new_bytes, files.new_nbytes);
    expect_proved(&files);
    files.new_nbytes -= 4;
    pairs_set_checksum(files.new_bytes, files.new_nbytes);
    expect_refuted(&files, files.new_nbytes, "more than its padding");
    pairs_free(&files);
}

static void certificates_may_not_be_kept_cut_or_left_behind(void **state)
{
    (void)state;
    struct verify_files files = signed_pair(0);
    struct pe_view view = view_of(files.new_bytes, files.new_nbytes);
    size_t table_foff = files.new_nbytes;
    uint32_t entry_foff = view_directory_foff(DIR_SECURITY, &view);

    /* The entry cleared, the table left. */
    memcpy(files.new_bytes + table_foff, files.old_bytes + table_foff, TABLE_NBYTES);
    files.new_nbytes = files.old_nbytes;
    pairs_set_checksum(files.new_bytes, files.new_nbytes);
    expect_refuted(&files, table_foff, "goes on after");

    /* The table kept although MEM_WRITE went. */
    memcpy(files.new_bytes + entry_foff, files.old_bytes + entry_foff, DIRECTORY_ENTRY_NBYTES);
    pairs_set_checksum(files.new_bytes, files.new_nbytes);
    expect_refuted(&files, table_foff, "stale");

    /* Part of it cut off. */
    files.new_nbytes -= 8;
    pairs_set_checksum(files.new_bytes, files.new_nbytes);
    expect_refuted(&files, files.new_nbytes, "inside the certificate table");

    /* The entry says that it is smaller. */
    store_u32(files.new_bytes + entry_foff + DIRECTORY_SIZE, TABLE_NBYTES - 8);
    files.new_nbytes = files.old_nbytes;
    pairs_set_checksum(files.new_bytes, files.new_nbytes);
    expect_refuted(&files, entry_foff + DIRECTORY_SIZE, "security");

    /* Only the checksum corrected: the signature does not cover it. */
    memcpy(files.new_bytes, files.old_bytes, files.old_nbytes);
    pairs_set_checksum(files.new_bytes, files.new_nbytes);
    expect_proved(&files);
    pairs_free(&files);
}

static void data_behind_the_certificates_is_not_dropped_with_them(void **state)
{
    (void)state;
    for (size_t tail_nbytes = 4; tail_nbytes <= 16; tail_nbytes += 12) {
        struct verify_files files = signed_pair(0);
        size_t end_foff = files.old_nbytes;
        files.old_bytes = realloc(files.old_bytes, end_foff + tail_nbytes);
        assert_non_null(files.old_bytes);
        memset(files.old_bytes + end_foff, 0x77, tail_nbytes);
        files.old_nbytes += tail_nbytes;
        expect_refuted(&files, end_foff, "follow it");
        pairs_free(&files);
    }
}

static void only_write_may_go_and_only_from_code(void **state)
{
    (void)state;
    struct driver driver = driver_make(MACHINE_AMD64);
    struct verify_files files = driver_repair(&driver);
    struct pe_view view = view_of(files.new_bytes, files.new_nbytes);
    uint32_t flags_foff = init_flags_foff(&files);
    static const struct {
        uint32_t flags;
        const char *words;
    } wrong[] = {
        {0x60000020, "loses MEM_DISCARDABLE"}, {0x42000020, "loses MEM_EXECUTE"},
        {0x22000020, "loses MEM_READ"},        {0x72000020, "gains MEM_SHARED"},
        {0x62000000, "loses CNT_CODE"},        {0x6A000020, "gains MEM_NOT_PAGED"},
        {0x62000021, "gains bits 0x1"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        store_u32(files.new_bytes + flags_foff, wrong[i].flags);
        pairs_set_checksum(files.new_bytes, files.new_nbytes);
        expect_refuted(&files, flags_foff, wrong[i].words);
    }
    memcpy(files.new_bytes, files.old_bytes, files.old_nbytes);
    uint32_t data_foff =
        view_section_foff(&view, view_find_section(&view, ".data", 0)) + SECTION_CHARACTERISTICS;
    store_u32(files.new_bytes + data_foff, load_u32(files.new_bytes + data_foff) & ~SCN_MEM_WRITE);
    pairs_set_checksum(files.new_bytes, files.new_nbytes);
    expect_refuted(&files, data_foff, "not executable");
    pairs_free(&files);
}

/* Each structural rule: one poke that breaks it in an image that keeps all of them. */
struct structure_poke {
    enum verify_structure_rule rule;
    enum {
        IN_DOS,
        IN_COFF,
        IN_OPTIONAL,
        IN_FIRST_SECTION,
        IN_SECOND_SECTION,
        IN_DIRECTORIES,
        IN_RELOCATIONS
    } where;
    uint32_t at, nbytes, value;
};

static const struct structure_poke structure_pokes[] = {
    {STRUCTURE_SECTION_COUNT, IN_COFF, COFF_NUMBER_OF_SECTIONS, 2, 0},
    {STRUCTURE_FLAT_OFFSETS, IN_OPTIONAL, OPT_SECTION_ALIGNMENT, 4, 0x200},
    {STRUCTURE_EXECUTABLE_IMAGE, IN_COFF, COFF_CHARACTERISTICS, 2, 0},
    {STRUCTURE_ALIGNMENT, IN_OPTIONAL, OPT_SECTION_ALIGNMENT, 4, 0x1800},
    {STRUCTURE_FILE_ALIGNMENT, IN_OPTIONAL, OPT_FILE_ALIGNMENT, 4, 0x100},
    {STRUCTURE_HEADERS_SIZE, IN_OPTIONAL, OPT_SIZE_OF_HEADERS, 4, 0x40},
    {STRUCTURE_SECTION_ADJACENT, IN_SECOND_SECTION, SECTION_VIRTUAL_ADDRESS, 4, 0x2800},
    {STRUCTURE_IMAGE_SIZE, IN_OPTIONAL, OPT_SIZE_OF_IMAGE, 4, 0x7000},
    {STRUCTURE_RAW_IN_FILE, IN_FIRST_SECTION, SECTION_POINTER_TO_RAW_DATA, 4, 0x10000},
    {STRUCTURE_RAW_OVERLAP, IN_SECOND_SECTION, SECTION_POINTER_TO_RAW_DATA, 4, 0x400},
    {STRUCTURE_CODE_FILLED, IN_FIRST_SECTION, SECTION_SIZE_OF_RAW_DATA, 4, 0},
    {STRUCTURE_WRITABLE_CODE, IN_FIRST_SECTION, SECTION_CHARACTERISTICS, 4, 0xE0000020},
    {STRUCTURE_DIRECTORIES, IN_DIRECTORIES, DIR_DEBUG *DIRECTORY_ENTRY_NBYTES, 4, 0x9000},
    {STRUCTURE_CERTIFICATES, IN_DIRECTORIES, DIR_SECURITY *DIRECTORY_ENTRY_NBYTES, 4, 0x404},
    {STRUCTURE_RELOCATIONS, IN_RELOCATIONS, BASERELOC_BLOCK_SIZE, 4, 6},
    {STRUCTURE_RAW_ALIGNED, IN_OPTIONAL, OPT_FILE_ALIGNMENT, 4, 0x1000},
    {STRUCTURE_RAW_ALIGNED, IN_OPTIONAL, OPT_SIZE_OF_HEADERS, 4, 0x3F8},
};

/* The verdict of the structure alone: the new image breaks a rule that the old one keeps, or both break it.
 */
static void expect_structure(struct span old_file, struct span new_file, bool is_kept)
{
    struct arena arena;
    struct verify_verdict verdict = {.result = VERIFY_PROVED};
    struct verify_case judged = {.arena = &arena, .verdict = &verdict};
    const char *reason;
    uint64_t reason_foff;
    arena_init(&arena, NULL);
    assert_true(verify_image_read(old_file, &arena, &judged.old_image, &reason, &reason_foff));
    assert_true(verify_image_read(new_file, &arena, &judged.new_image, &reason, &reason_foff));
    assert_int_equal(verify_structure(&judged), is_kept);
    assert_int_equal(verdict.result, is_kept ? VERIFY_PROVED : VERIFY_REFUTED);
    if (!is_kept)
        assert_non_null(strstr(verdict.reason, "the new one breaks it"));
    arena_free(&arena);
}

static void each_structural_rule_is_seen_broken(void **state)
{
    (void)state;
    struct driver driver = driver_make(MACHINE_AMD64);
    struct verify_files files = driver_repair(&driver);
    struct pe_view view = view_of(files.new_bytes, files.new_nbytes);
    const uint32_t starts[] = {[IN_COFF] = view.coff_foff,
                               [IN_OPTIONAL] = view.opt_foff,
                               [IN_FIRST_SECTION] = view_section_foff(&view, 0),
                               [IN_SECOND_SECTION] = view_section_foff(&view, 1),
                               [IN_DIRECTORIES] = view.directories_foff,
                               [IN_RELOCATIONS] = view_foff(&view, DRIVER_RELOC_RVA)};
    struct span old_file = {files.old_bytes, files.old_nbytes},
                new_file = {files.new_bytes, files.new_nbytes};
    struct arena arena;
    arena_init(&arena, NULL);
    expect_structure(old_file, new_file, true);
    for (size_t i = 0; i < sizeof structure_pokes / sizeof structure_pokes[0]; i++) {
        const struct structure_poke *poke = &structure_pokes[i];
        struct verify_image image;
        const char *reason;
        uint64_t foff[STRUCTURE_RULE_COUNT];
        uint8_t *field = files.new_bytes + starts[poke->where] + poke->at;
        assert_true(verify_image_read(new_file, &arena, &image, &reason, foff));
        assert_int_equal(verify_structure_broken(&image, foff), 0);
        uint64_t kept = load_width(field, poke->nbytes);
        store_width(field, poke->nbytes, poke->value);
        assert_true(verify_image_read(new_file, &arena, &image, &reason, foff));
        if (!(verify_structure_broken(&image, foff) & (1u << poke->rule)))
            fail_msg("rule %u (%s) is not seen broken", poke->rule, verify_structure_text(poke->rule));
        expect_structure(old_file, new_file, false);
        expect_structure(new_file, new_file, true);
        store_width(field, poke->nbytes, kept);
    }
    arena_free(&arena);
    pairs_free(&files);
}

static void a_section_without_a_size_is_seen(void **state)
{
    (void)state;
    struct driver driver = driver_make(MACHINE_AMD64);
    struct verify_files files = driver_repair(&driver);
    struct pe_view view = view_of(files.new_bytes, files.new_nbytes);
    uint8_t *header = files.new_bytes + view_section_foff(&view, view.section_count - 1);
    store_u32(header + SECTION_VIRTUAL_SIZE, 0);
    store_u32(header + SECTION_SIZE_OF_RAW_DATA, 0);
    store_u32(view.bytes + view.opt_foff + OPT_SIZE_OF_IMAGE, load_u32(header + SECTION_VIRTUAL_ADDRESS));
    memset(view.bytes + view_directory_foff(DIR_BASERELOC, &view), 0, DIRECTORY_ENTRY_NBYTES);
    struct arena arena;
    struct verify_image image;
    const char *reason;
    uint64_t foff[STRUCTURE_RULE_COUNT];
    arena_init(&arena, NULL);
    assert_true(
        verify_image_read((struct span){files.new_bytes, files.new_nbytes}, &arena, &image, &reason, foff));
    assert_int_equal(verify_structure_broken(&image, foff), 1u << STRUCTURE_SECTION_SIZE);
    arena_free(&arena);
    pairs_free(&files);
}

static void places_are_named(void **state)
{
    (void)state;
    struct verify_files files = signed_pair(0);
    struct pe_view view = view_of(files.old_bytes, files.old_nbytes);
    struct arena arena;
    struct verify_image image;
    const char *reason;
    uint64_t reason_foff;
    arena_init(&arena, NULL);
    assert_true(verify_image_read((struct span){files.old_bytes, files.old_nbytes}, &arena, &image, &reason,
                                  &reason_foff));
    const struct {
        uint64_t foff;
        uint32_t rva;
        const char *words;
    } places[] = {
        {0x10, 0x10, "DOS header"},
        {DOS_E_LFANEW + 1, DOS_E_LFANEW + 1, "e_lfanew"},
        {view.coff_foff - 2, view.coff_foff - 2, "PE signature"},
        {view.coff_foff + 5, view.coff_foff + 5, "TimeDateStamp"},
        {view.opt_foff + OPT_SUBSYSTEM, view.opt_foff + OPT_SUBSYSTEM, "Subsystem"},
        {view_directory_foff(DIR_IAT, &view) + 4, view_directory_foff(DIR_IAT, &view) + 4,
         "data directory 12 (IAT) size"},
        {view_section_foff(&view, 3) + 9, view_section_foff(&view, 3) + 9, "section INIT VirtualSize"},
        {view_section_foff(&view, 5), view_section_foff(&view, 5), "header slack"},
        {view_foff(&view, DRIVER_INIT_RVA + 3), DRIVER_INIT_RVA + 3, "a code byte in section INIT"},
        {view_foff(&view, DRIVER_DATA_RVA), DRIVER_DATA_RVA, "a data byte in section .data"},
        {view_foff(&view, DRIVER_DATA_RVA + 0x100), DRIVER_DATA_RVA + 0x100,
         "padding at the end of section .data"},
        {view_foff(&view, DRIVER_DESCRIPTORS_RVA + 2), DRIVER_DESCRIPTORS_RVA + 2, "an import descriptor"},
        {view_foff(&view, DRIVER_LOOKUP_RVA), DRIVER_LOOKUP_RVA, "an import lookup table entry"},
        {view_foff(&view, DRIVER_IAT_RVA + 1), DRIVER_IAT_RVA + 1, "an IAT slot"},
        {view_foff(&view, DRIVER_NAMES_RVA + 3), DRIVER_NAMES_RVA + 3, "the name of an imported module"},
        {view_foff(&view, DRIVER_NAMES_RVA + 0x14), DRIVER_NAMES_RVA + 0x14, "an imported name"},
        {view_foff(&view, DRIVER_RESOURCE_RVA), DRIVER_RESOURCE_RVA, "data directory 2 (resources)"},
        {view_foff(&view, DRIVER_RELOC_RVA + 8), DRIVER_RELOC_RVA + 8,
         "a base relocation entry (type 10 for RVA 0x20C0)"},
        {view_foff(&view, DRIVER_RELOC_RVA + 1), DRIVER_RELOC_RVA + 1, "block header"},
        {files.old_nbytes - 1, UINT32_MAX, "the certificate table"},
    };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct verify_place place = verify_place_at(&image, places[i].foff, &arena);
        if (!strstr(place.field.name, places[i].words))
            fail_msg("offset 0x%llx: \"%s\" instead of \"%s\"", (unsigned long long)places[i].foff,
                     place.field.name, places[i].words);
        assert_int_equal(place.rva, places[i].rva);
    }
    arena_free(&arena);
    pairs_free(&files);
}

/* An allocator that fails from its nth call on. */
struct failing {
    size_t calls, fails_at;
};

static void *failing_alloc(void *context, size_t nbytes)
{
    struct failing *failing = context;
    return failing->calls++ >= failing->fails_at ? NULL : malloc(nbytes);
}

static void failing_release(void *context, void *block)
{
    (void)context;
    free(block);
}

/* Running out of memory is said, and never ends in "proved". */
static void exhausted_memory_is_reported(void **state)
{
    (void)state;
    struct driver driver = driver_make(MACHINE_AMD64);
    struct verify_files files = driver_repair(&driver);
    size_t failed_count = 0;
    for (size_t n = 0; n < 64; n++) {
        struct failing failing = {.fails_at = n};
        struct allocator allocator = {failing_alloc, failing_release, &failing, 1};
        struct arena arena;
        struct verify_verdict verdict;
        arena_init(&arena, &allocator);
        bool is_done = verify_pair((struct span){files.old_bytes, files.old_nbytes},
                                   (struct span){files.new_bytes, files.new_nbytes}, &arena, &verdict);
        failed_count += !is_done;
        if (is_done)
            assert_int_equal(verdict.result, VERIFY_PROVED_WITH_ASSUMPTIONS);
        arena_free(&arena);
    }
    assert_true(failed_count > 0 && failed_count < 64);
    pairs_free(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_repair_is_proved_with_its_differences),
        cmocka_unit_test(what_the_new_image_still_breaks_is_named),
        cmocka_unit_test(machines_that_are_not_decoded_are_assumed_for_init_only),
        cmocka_unit_test(identical_files_are_identical),
        cmocka_unit_test(unreadable_files_say_which_and_why),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(checksum_must_be_right_even_when_it_was_zero),
        cmocka_unit_test(dropped_certificates_are_proved_with_or_without_their_padding),
        cmocka_unit_test(padding_that_is_not_zero_must_stay),
        cmocka_unit_test(certificates_may_not_be_kept_cut_or_left_behind),
        cmocka_unit_test(data_behind_the_certificates_is_not_dropped_with_them),
        cmocka_unit_test(only_write_may_go_and_only_from_code),
        cmocka_unit_test(each_structural_rule_is_seen_broken),
        cmocka_unit_test(a_section_without_a_size_is_seen),
        cmocka_unit_test(places_are_named),
        cmocka_unit_test(exhausted_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
