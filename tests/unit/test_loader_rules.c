/* test_loader_rules.c - which layouts Windows refuses, and which odd ones it loads.
 * What is expected was written down from the sources that loader_rules.h names, not from the code. */
#include "cmocka_all.h"

#include "image/loader_rules.h"
#include "make_image.h"

enum { AT_DOS, AT_COFF, AT_OPT, AT_SECTION_0, AT_SECTION_1, AT_SECTION_2 };
enum seed {
    DRIVER_X64,
    DRIVER_X86,
    DRIVER_ARM64,
    DRIVER_IA64,
    PROGRAM_X64,
    PROGRAM_X86,
    FLAT_X86,
    FLAT_PROGRAM_X86,
    FLAT_400_X86
};

/* One field of the image set to a value. */
struct poke {
    int structure;
    unsigned offset, width;
    uint64_t value;
};

struct layout_case {
    const char *what;
    enum seed seed;
    struct poke pokes[3];     /* width 0 ends them */
    enum finding_level level; /* LEVEL_OFF: nothing is said */
    struct poke place;        /* structure and offset that the finding names */
    const char *words;        /* in its message */
};

struct judged_layout {
    struct arena arena;
    struct made_image made;
    struct image image;
    struct finding_list refusals, doubts;
};

static const uint8_t bytes[0x900];

static struct made_image make_seed(enum seed seed)
{
    static const uint16_t machines[] = {MACHINE_AMD64, MACHINE_I386,  MACHINE_ARM64,
                                        MACHINE_IA64,  MACHINE_AMD64, MACHINE_I386,
                                        MACHINE_I386,  MACHINE_I386,  MACHINE_I386};
    struct made_image made = make_image(machines[seed]);
    bool is_flat = seed == FLAT_X86 || seed == FLAT_PROGRAM_X86;
    if (seed == PROGRAM_X64 || seed == PROGRAM_X86 || seed == FLAT_PROGRAM_X86)
        made.subsystem = SUBSYSTEM_WINDOWS_CUI;
    if (is_flat) {
        made.section_alignment = made.file_alignment = 0x80;
        make_section(&made, ".text", 0x200, MADE_TEXT, bytes, 0x200);
        make_section(&made, ".data", 0x400, MADE_DATA, bytes, 0x700);
        make_section(&made, "INIT", 0xB00, MADE_INIT, bytes, 0x100);
    } else if (seed == FLAT_400_X86) {
        made.section_alignment = made.file_alignment = 0x400;
        make_section(&made, ".text", 0x400, MADE_TEXT, bytes, 0x400);
        make_section(&made, "INIT", 0x800, MADE_INIT, bytes, 0x400);
    } else {
        make_section(&made, ".text", 0x1000, MADE_TEXT, bytes, sizeof bytes);
        make_section(&made, ".data", 0x2000, MADE_DATA, bytes, 0x300)->virtual_size = 0x1800;
        make_section(&made, "INIT", 0x4000, MADE_INIT, bytes, 0x100);
    }
    return made;
}

static uint32_t place_foff(const struct made_image *made, int structure)
{
    switch (structure) {
    case AT_DOS:
        return 0;
    case AT_COFF:
        return made_coff_foff();
    case AT_OPT:
        return made_opt_foff();
    default:
        return made_section_header_foff(made, (uint32_t)(structure - AT_SECTION_0));
    }
}

static void judge_begin(struct judged_layout *judged, enum seed seed, const struct poke *pokes, size_t count)
{
    *judged = (struct judged_layout){0};
    arena_init(&judged->arena, NULL);
    judged->made = make_seed(seed);
    struct span file = make_file(&judged->made);
    for (size_t i = 0; i < count && pokes[i].width != 0; i++) {
        uint8_t *field = judged->made.file + place_foff(&judged->made, pokes[i].structure) + pokes[i].offset;
        for (unsigned k = 0; k < pokes[i].width; k++)
            field[k] = (uint8_t)(pokes[i].value >> 8 * k);
        if (pokes[i].structure == AT_COFF &&
            pokes[i].offset == COFF_SIZE_OF_OPTIONAL_HEADER) /* it leads there */
            memmove(judged->made.file + made_opt_foff() + pokes[i].value,
                    judged->made.file + made_section_header_foff(&judged->made, 0),
                    judged->made.section_count * SECTION_HEADER_NBYTES);
    }
    struct finding error;
    if (!image_read(file, &judged->arena, &judged->image, &error))
        fail_msg("cannot be read: %s", error.message);
    judged->refusals.arena = judged->doubts.arena = &judged->arena;
    assert_true(loader_rules_judge(&judged->image, &judged->refusals, &judged->doubts));
}

static void judge_end(struct judged_layout *judged)
{
    make_free(&judged->made);
    arena_free(&judged->arena);
}

/* PE32 fields lie at the same offsets of the optional header as PE32+ fields but for ImageBase. */
static const struct layout_case cases[] = {
    {"a driver", DRIVER_X64, {{0}}, LEVEL_OFF, {0}, NULL},
    {"an x86 driver", DRIVER_X86, {{0}}, LEVEL_OFF, {0}, NULL},
    {"an ARM64 driver", DRIVER_ARM64, {{0}}, LEVEL_OFF, {0}, NULL},
    {"an IA64 driver", DRIVER_IA64, {{0}}, LEVEL_OFF, {0}, NULL},
    {"a program", PROGRAM_X64, {{0}}, LEVEL_OFF, {0}, NULL},
    {"an x86 program", PROGRAM_X86, {{0}}, LEVEL_OFF, {0}, NULL},
    {"a driver below page alignment", FLAT_X86, {{0}}, LEVEL_OFF, {0}, NULL},
    {"a program below page alignment", FLAT_PROGRAM_X86, {{0}}, LEVEL_OFF, {0}, NULL},

    /* Odd, and loaded: what linkers of thirty years have written. */
    {"SizeOfHeaders not rounded",
     DRIVER_X64,
     {{AT_OPT, OPT_SIZE_OF_HEADERS, 4, 0x1F1}},
     LEVEL_OFF,
     {0},
     NULL},
    {"SizeOfImage not rounded", DRIVER_X64, {{AT_OPT, OPT_SIZE_OF_IMAGE, 4, 0x4001}}, LEVEL_OFF, {0}, NULL},
    {"VirtualSize 0", DRIVER_X64, {{AT_SECTION_0, SECTION_VIRTUAL_SIZE, 4, 0}}, LEVEL_OFF, {0}, NULL},
    {"raw data without a rounded size",
     DRIVER_X64,
     {{AT_SECTION_2, SECTION_SIZE_OF_RAW_DATA, 4, 0x101}},
     LEVEL_OFF,
     {0},
     NULL},
    {"raw data that is larger than memory",
     DRIVER_X64,
     {{AT_SECTION_0, SECTION_VIRTUAL_SIZE, 4, 1}},
     LEVEL_OFF,
     {0},
     NULL},
    {"a section without raw data",
     DRIVER_X64,
     {{AT_SECTION_1, SECTION_SIZE_OF_RAW_DATA, 4, 0}},
     LEVEL_OFF,
     {0},
     NULL},
    {"sections with the same raw data",
     DRIVER_X64,
     {{AT_SECTION_2, SECTION_POINTER_TO_RAW_DATA, 4, 0x200}},
     LEVEL_OFF,
     {0},
     NULL},
    {"no CheckSum, no versions", DRIVER_X64, {{AT_OPT, OPT_MAJOR_OS_VERSION, 8, 0}}, LEVEL_OFF, {0}, NULL},
    {"relocations stripped from a program",
     PROGRAM_X86,
     {{AT_COFF, COFF_CHARACTERISTICS, 2, 0x103}},
     LEVEL_OFF,
     {0},
     NULL},
    {"a program's raw data in the headers",
     PROGRAM_X86,
     {{AT_SECTION_0, SECTION_POINTER_TO_RAW_DATA, 4, 0x40}},
     LEVEL_OFF,
     {0},
     NULL},
    {"few directories", DRIVER_X64, {{AT_OPT, OPT_NUMBER_OF_RVA_AND_SIZES_64, 4, 2}}, LEVEL_OFF, {0}, NULL},
    {"many directories",
     DRIVER_X64,
     {{AT_OPT, OPT_NUMBER_OF_RVA_AND_SIZES_64, 4, 0xFFFFFFFF}},
     LEVEL_OFF,
     {0},
     NULL},
    {"page-sized FileAlignment", DRIVER_X64, {{AT_OPT, OPT_FILE_ALIGNMENT, 4, 0x1000}}, LEVEL_OFF, {0}, NULL},
    {"an IA64 driver without DYNAMIC_BASE",
     DRIVER_IA64,
     {{AT_OPT, OPT_DLL_CHARACTERISTICS, 2, 0}},
     LEVEL_OFF,
     {0},
     NULL},
    {"firmware",
     DRIVER_X64,
     {{AT_OPT, OPT_SUBSYSTEM, 2, SUBSYSTEM_EFI_APPLICATION},
      {AT_SECTION_2, SECTION_VIRTUAL_ADDRESS, 4, 0x9000}},
     LEVEL_OFF,
     {0},
     NULL},
    {"a boot application",
     DRIVER_X64,
     {{AT_OPT, OPT_SUBSYSTEM, 2, SUBSYSTEM_WINDOWS_BOOT_APPLICATION}, {AT_COFF, COFF_CHARACTERISTICS, 2, 0}},
     LEVEL_OFF,
     {0},
     NULL},
    {"Windows CE",
     DRIVER_X86,
     {{AT_OPT, OPT_SUBSYSTEM, 2, SUBSYSTEM_WINDOWS_CE_GUI}, {AT_OPT, OPT_FILE_ALIGNMENT, 4, 3}},
     LEVEL_OFF,
     {0},
     NULL},

    {"no executable image",
     DRIVER_X64,
     {{AT_COFF, COFF_CHARACTERISTICS, 2, 0x20}},
     LEVEL_ERROR,
     {AT_COFF, COFF_CHARACTERISTICS, 0, 0},
     "executable"},
    {"a machine of no Windows",
     PROGRAM_X86,
     {{AT_COFF, COFF_MACHINE, 2, 0xDEAD}},
     LEVEL_ERROR,
     {AT_COFF, COFF_MACHINE, 0, 0},
     "0xDEAD"},
    {"no machine",
     DRIVER_X86,
     {{AT_COFF, COFF_MACHINE, 2, 0}},
     LEVEL_ERROR,
     {AT_COFF, COFF_MACHINE, 0, 0},
     "0x0000"},
    {"x64 code, PE32 header",
     DRIVER_X86,
     {{AT_COFF, COFF_MACHINE, 2, MACHINE_AMD64}},
     LEVEL_ERROR,
     {AT_OPT, OPT_MAGIC, 0, 0},
     "PE32"},
    {"x86 code, PE32+ header",
     PROGRAM_X64,
     {{AT_COFF, COFF_MACHINE, 2, MACHINE_I386}},
     LEVEL_ERROR,
     {AT_OPT, OPT_MAGIC, 0, 0},
     "PE32+"},
    {"ARM64 without DYNAMIC_BASE",
     DRIVER_ARM64,
     {{AT_OPT, OPT_DLL_CHARACTERISTICS, 2, DLLCHAR_NX_COMPAT}},
     LEVEL_ERROR,
     {AT_OPT, OPT_DLL_CHARACTERISTICS, 0, 0},
     "DYNAMIC_BASE"},
    {"ARM64 without NX_COMPAT",
     DRIVER_ARM64,
     {{AT_OPT, OPT_DLL_CHARACTERISTICS, 2, DLLCHAR_DYNAMIC_BASE}},
     LEVEL_ERROR,
     {AT_OPT, OPT_DLL_CHARACTERISTICS, 0, 0},
     "NX_COMPAT"},
    {"ARM64 without relocations",
     DRIVER_ARM64,
     {{AT_COFF, COFF_CHARACTERISTICS, 2, 0x23}},
     LEVEL_NOTE,
     {AT_COFF, COFF_CHARACTERISTICS, 0, 0},
     "stripped"},
    {"a driver without relocations",
     DRIVER_X86,
     {{AT_COFF, COFF_CHARACTERISTICS, 2, 0x103}},
     LEVEL_NOTE,
     {AT_COFF, COFF_CHARACTERISTICS, 0, 0},
     "stripped"},
    {"fewer directories than named",
     DRIVER_X64,
     {{AT_COFF, COFF_SIZE_OF_OPTIONAL_HEADER, 2, 0xE8}},
     LEVEL_ERROR,
     {AT_COFF, COFF_SIZE_OF_OPTIONAL_HEADER, 0, 0},
     "15 of its 16"},
    {"an optional header of an odd size",
     DRIVER_X64,
     {{AT_COFF, COFF_SIZE_OF_OPTIONAL_HEADER, 2, 0xF4}},
     LEVEL_ERROR,
     {AT_COFF, COFF_SIZE_OF_OPTIONAL_HEADER, 0, 0},
     "multiple of 8"},
    {"the same for x86",
     PROGRAM_X86,
     {{AT_COFF, COFF_SIZE_OF_OPTIONAL_HEADER, 2, 0xE4}},
     LEVEL_NOTE,
     {AT_COFF, COFF_SIZE_OF_OPTIONAL_HEADER, 0, 0},
     "multiple of 8"},

    {"FileAlignment 0",
     PROGRAM_X64,
     {{AT_OPT, OPT_FILE_ALIGNMENT, 4, 0}},
     LEVEL_ERROR,
     {AT_OPT, OPT_FILE_ALIGNMENT, 0, 0},
     "power of two"},
    {"FileAlignment no power of two",
     DRIVER_X64,
     {{AT_OPT, OPT_FILE_ALIGNMENT, 4, 0x600}},
     LEVEL_ERROR,
     {AT_OPT, OPT_FILE_ALIGNMENT, 0, 0},
     "power of two"},
    {"FileAlignment above SectionAlignment",
     DRIVER_X64,
     {{AT_OPT, OPT_FILE_ALIGNMENT, 4, 0x2000}},
     LEVEL_ERROR,
     {AT_OPT, OPT_FILE_ALIGNMENT, 0, 0},
     "more than"},
    {"FileAlignment too small",
     DRIVER_X64,
     {{AT_OPT, OPT_FILE_ALIGNMENT, 4, 0x100}},
     LEVEL_ERROR,
     {AT_OPT, OPT_FILE_ALIGNMENT, 0, 0},
     "less than"},
    {"alignments below a page that differ",
     FLAT_400_X86,
     {{AT_OPT, OPT_FILE_ALIGNMENT, 4, 0x200}},
     LEVEL_NOTE,
     {AT_OPT, OPT_FILE_ALIGNMENT, 0, 0},
     "should be equal"},
    {"ImageBase not at 64 KiB",
     DRIVER_X86,
     {{AT_OPT, OPT_IMAGE_BASE_32, 4, 0x11000}},
     LEVEL_ERROR,
     {AT_OPT, OPT_IMAGE_BASE_32, 0, 0},
     "64 KiB"},
    {"ImageBase not at 64 KiB, x64",
     PROGRAM_X64,
     {{AT_OPT, OPT_IMAGE_BASE_64, 4, 0x11000}},
     LEVEL_ERROR,
     {AT_OPT, OPT_IMAGE_BASE_64, 0, 0},
     "64 KiB"},

    {"SizeOfImage 0",
     PROGRAM_X64,
     {{AT_OPT, OPT_SIZE_OF_IMAGE, 4, 0}},
     LEVEL_ERROR,
     {AT_OPT, OPT_SIZE_OF_IMAGE, 0, 0},
     "is 0x0"},
    {"SizeOfImage too large",
     DRIVER_X64,
     {{AT_OPT, OPT_SIZE_OF_IMAGE, 4, 0x77000001}},
     LEVEL_ERROR,
     {AT_OPT, OPT_SIZE_OF_IMAGE, 0, 0},
     "0x77000001"},
    {"SizeOfImage a page too small",
     DRIVER_X64,
     {{AT_OPT, OPT_SIZE_OF_IMAGE, 4, 0x4000}},
     LEVEL_ERROR,
     {AT_OPT, OPT_SIZE_OF_IMAGE, 0, 0},
     "INIT ends at RVA 0x5000"},
    {"SizeOfImage a page too large",
     DRIVER_X64,
     {{AT_OPT, OPT_SIZE_OF_IMAGE, 4, 0x5001}},
     LEVEL_NOTE,
     {AT_OPT, OPT_SIZE_OF_IMAGE, 0, 0},
     "1803"},
    {"SizeOfHeaders above SizeOfImage",
     FLAT_PROGRAM_X86,
     {{AT_OPT, OPT_SIZE_OF_HEADERS, 4, 0x10000}},
     LEVEL_ERROR,
     {AT_OPT, OPT_SIZE_OF_HEADERS, 0, 0},
     "more than SizeOfImage"},
    {"SizeOfHeaders 0",
     PROGRAM_X64,
     {{AT_OPT, OPT_SIZE_OF_HEADERS, 4, 0}},
     LEVEL_ERROR,
     {AT_OPT, OPT_SIZE_OF_HEADERS, 0, 0},
     "is 0"},
    {"SizeOfHeaders above the file",
     DRIVER_X64,
     {{AT_OPT, OPT_SIZE_OF_HEADERS, 4, 0x4FFF}},
     LEVEL_ERROR,
     {AT_OPT, OPT_SIZE_OF_HEADERS, 0, 0},
     "the file ends"},
    {"SizeOfHeaders below the section table",
     DRIVER_X64,
     {{AT_OPT, OPT_SIZE_OF_HEADERS, 4, 0x100}},
     LEVEL_NOTE,
     {AT_OPT, OPT_SIZE_OF_HEADERS, 0, 0},
     "section table ends"},
    {"headers of two pages",
     PROGRAM_X64,
     {{AT_OPT, OPT_SIZE_OF_HEADERS, 4, 0x1001}},
     LEVEL_ERROR,
     {AT_SECTION_0, SECTION_VIRTUAL_ADDRESS, 0, 0},
     "the headers end"},
    {"certificates outside the file",
     DRIVER_X64,
     {{AT_OPT, OPT_DIRECTORIES_64 + 8 * DIR_SECURITY, 8, UINT64_C(0x100007FFF0)}},
     LEVEL_NOTE,
     {AT_OPT, OPT_DIRECTORIES_64 + 8 * DIR_SECURITY, 0, 0},
     "not the last thing"},
    {"certificates in a section",
     DRIVER_X86,
     {{AT_OPT, OPT_DIRECTORIES_32 + 8 * DIR_SECURITY, 8, UINT64_C(0x1000000400)}},
     LEVEL_NOTE,
     {AT_OPT, OPT_DIRECTORIES_32 + 8 * DIR_SECURITY, 0, 0},
     "not the last thing"},
    {"no sections",
     PROGRAM_X86,
     {{AT_COFF, COFF_NUMBER_OF_SECTIONS, 2, 0}, {AT_OPT, OPT_SIZE_OF_IMAGE, 4, 0x1000}},
     LEVEL_NOTE,
     {AT_COFF, COFF_NUMBER_OF_SECTIONS, 0, 0},
     "no sections"},

    {"a hole",
     DRIVER_X64,
     {{AT_SECTION_2, SECTION_VIRTUAL_ADDRESS, 4, 0x5000}, {AT_OPT, OPT_SIZE_OF_IMAGE, 4, 0x6000}},
     LEVEL_ERROR,
     {AT_SECTION_2, SECTION_VIRTUAL_ADDRESS, 0, 0},
     ".data ends at RVA 0x4000"},
    {"a hole in a program",
     PROGRAM_X86,
     {{AT_SECTION_1, SECTION_VIRTUAL_SIZE, 4, 0x1000}},
     LEVEL_ERROR,
     {AT_SECTION_2, SECTION_VIRTUAL_ADDRESS, 0, 0},
     ".data ends at RVA 0x3000"},
    {"a wrong order",
     DRIVER_X64,
     {{AT_SECTION_0, SECTION_VIRTUAL_ADDRESS, 4, 0x5000}, {AT_OPT, OPT_SIZE_OF_IMAGE, 4, 0x6000}},
     LEVEL_ERROR,
     {AT_SECTION_0, SECTION_VIRTUAL_ADDRESS, 0, 0},
     "in the order"},
    {"a section off its alignment",
     DRIVER_X64,
     {{AT_SECTION_2, SECTION_VIRTUAL_ADDRESS, 4, 0x4010}},
     LEVEL_ERROR,
     {AT_SECTION_2, SECTION_VIRTUAL_ADDRESS, 0, 0},
     "0x4010"},
    {"an empty section",
     PROGRAM_X64,
     {{AT_SECTION_2, SECTION_VIRTUAL_SIZE, 4, 0}, {AT_SECTION_2, SECTION_SIZE_OF_RAW_DATA, 4, 0}},
     LEVEL_ERROR,
     {AT_SECTION_2, SECTION_VIRTUAL_SIZE, 0, 0},
     "INIT is empty"},
    {"raw data in the section table",
     DRIVER_X64,
     {{AT_SECTION_1, SECTION_POINTER_TO_RAW_DATA, 4, 0x100}},
     LEVEL_ERROR,
     {AT_SECTION_1, SECTION_POINTER_TO_RAW_DATA, 0, 0},
     "inside the headers"},
    {"raw data behind the section table",
     DRIVER_X64,
     {{AT_SECTION_1, SECTION_POINTER_TO_RAW_DATA, 4, 0x1E0}},
     LEVEL_NOTE,
     {AT_SECTION_1, SECTION_POINTER_TO_RAW_DATA, 0, 0},
     "before the end"},

    {"file offset and RVA differ",
     FLAT_X86,
     {{AT_SECTION_1, SECTION_POINTER_TO_RAW_DATA, 4, 0x480}},
     LEVEL_ERROR,
     {AT_SECTION_1, SECTION_POINTER_TO_RAW_DATA, 0, 0},
     "must be equal"},
    {"zeros below page alignment",
     FLAT_PROGRAM_X86,
     {{AT_SECTION_2, SECTION_VIRTUAL_SIZE, 4, 0x101}},
     LEVEL_ERROR,
     {AT_SECTION_2, SECTION_SIZE_OF_RAW_DATA, 0, 0},
     "filled up"},
    {"a hole below page alignment",
     FLAT_X86,
     {{AT_SECTION_0, SECTION_VIRTUAL_SIZE, 4, 0x100}},
     LEVEL_NOTE,
     {AT_SECTION_1, SECTION_VIRTUAL_ADDRESS, 0, 0},
     "does not begin where"},
    {"SizeOfImage too small below page alignment",
     FLAT_X86,
     {{AT_OPT, OPT_SIZE_OF_IMAGE, 4, 0xB00}},
     LEVEL_NOTE,
     {AT_SECTION_2, SECTION_VIRTUAL_ADDRESS, 0, 0},
     "SizeOfImage"},
};

static void test_every_rule(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct layout_case *c = &cases[i];
        struct judged_layout judged;
        judge_begin(&judged, c->seed, c->pokes, sizeof c->pokes / sizeof c->pokes[0]);
        const struct finding_list *list = c->level == LEVEL_NOTE ? &judged.doubts : &judged.refusals;
        size_t expected_refusals = c->level == LEVEL_ERROR, expected_doubts = c->level == LEVEL_NOTE;
        if (judged.refusals.count != expected_refusals || judged.doubts.count != expected_doubts)
            fail_msg("%s: %zu refusals, %zu doubts; %s", c->what, judged.refusals.count, judged.doubts.count,
                     judged.refusals.count ? judged.refusals.items[0].message
                     : judged.doubts.count ? judged.doubts.items[0].message
                                           : "nothing");
        if (c->level != LEVEL_OFF) {
            const struct finding *finding = &list->items[0];
            uint64_t foff = place_foff(&judged.made, c->place.structure) + c->place.offset;
            if (!strstr(finding->message, c->words) || finding->file_offset != foff)
                fail_msg("%s: \"%s\" at file offset 0x%llX", c->what, finding->message,
                         (unsigned long long)finding->file_offset);
            assert_int_equal(finding->code, HVCI9011_LAYOUT_REFUSED);
            assert_int_equal(finding->level, c->level);
            assert_int_equal(finding->message[strlen(finding->message) - 1], '.');
            assert_non_null(finding->cure);
            assert_non_null(finding->windows);
            if (c->place.structure >= AT_SECTION_0)
                assert_non_null(finding->section);
        }
        judge_end(&judged);
    }
}

/* e_lfanew moves all headers, so these images are moved as a whole. */
static void expect_pe_header_at(enum seed seed, uint32_t pe_foff, size_t refusals, size_t doubts)
{
    struct made_image made = make_seed(seed);
    struct span file = make_file(&made);
    uint32_t headers_nbytes = made_section_header_foff(&made, made.section_count) - MADE_PE_FOFF;
    uint8_t headers[0x200];
    assert_true(headers_nbytes <= sizeof headers);
    memcpy(headers, made.file + MADE_PE_FOFF, headers_nbytes);
    memcpy(made.file + pe_foff, headers, headers_nbytes);
    store_u32(made.file + DOS_E_LFANEW, pe_foff);
    struct arena arena;
    arena_init(&arena, NULL);
    struct image image;
    struct finding error;
    struct finding_list refused = {.arena = &arena}, doubted = {.arena = &arena};
    assert_true(image_read(file, &arena, &image, &error));
    assert_true(loader_rules_judge(&image, &refused, &doubted));
    assert_int_equal(refused.count, refusals);
    assert_int_equal(doubted.count, doubts);
    arena_free(&arena);
    make_free(&made);
}

static void test_place_of_the_pe_header(void **state)
{
    (void)state;
    expect_pe_header_at(DRIVER_X64, 0x48, 0, 0);
    expect_pe_header_at(DRIVER_X64, 0x44, 0, 0);
    expect_pe_header_at(DRIVER_X64, 0x42, 1, 0);
    expect_pe_header_at(PROGRAM_X86, 0x41, 1, 0);
}

static void test_pe_header_inside_the_dos_header(void **state)
{
    (void)state;
    /* As packers do: e_lfanew is at the same time a field of the optional header (BaseOfCode). */
    static const struct {
        enum seed seed;
        size_t refusals, doubts;
    } expected[] = {{DRIVER_X64, 1, 0}, {PROGRAM_X64, 0, 1}, {PROGRAM_X86, 0, 1}};
    for (size_t i = 0; i < 3; i++)
        expect_pe_header_at(expected[i].seed, 0x10, expected[i].refusals, expected[i].doubts);
}

/* 65,535 sections in a row: one finding for each rule, not one for each section. */
static void test_many_sections(void **state)
{
    (void)state;
    enum { COUNT = 65535, FIRST_RVA = 0x281000 };
    uint32_t table_foff = made_opt_foff() + OPT_DIRECTORIES_64 + DIR_COUNT * DIRECTORY_ENTRY_NBYTES;
    for (int has_holes = 0; has_holes <= 1; has_holes++) {
        struct made_image made = make_seed(DRIVER_X64);
        struct span small = make_file(&made);
        size_t nbytes = table_foff + (size_t)COUNT * SECTION_HEADER_NBYTES;
        uint8_t *file = calloc(1, nbytes);
        assert_non_null(file);
        memcpy(file, small.bytes, table_foff);
        store_u16(file + made_coff_foff() + COFF_NUMBER_OF_SECTIONS, COUNT);
        store_u32(file + made_opt_foff() + OPT_SIZE_OF_HEADERS, (uint32_t)nbytes);
        store_u32(file + made_opt_foff() + OPT_SIZE_OF_IMAGE, FIRST_RVA + COUNT * 0x1000u);
        for (uint32_t i = 0; i < COUNT; i++) {
            uint8_t *header = file + table_foff + i * SECTION_HEADER_NBYTES;
            store_u32(header + SECTION_VIRTUAL_SIZE, has_holes ? 0 : 1);
            store_u32(header + SECTION_VIRTUAL_ADDRESS, FIRST_RVA + i * 0x1000);
        }
        struct arena arena;
        arena_init(&arena, NULL);
        struct image image;
        struct finding error;
        struct finding_list refusals = {.arena = &arena}, doubts = {.arena = &arena};
        assert_true(image_read((struct span){file, nbytes}, &arena, &image, &error));
        assert_true(loader_rules_judge(&image, &refusals, &doubts));
        assert_int_equal(refusals.count, has_holes ? 2 : 1);
        assert_int_equal(doubts.count, 1);
        arena_free(&arena);
        free(file);
        make_free(&made);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_rule),
        cmocka_unit_test(test_place_of_the_pe_header),
        cmocka_unit_test(test_pe_header_inside_the_dos_header),
        cmocka_unit_test(test_many_sections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
