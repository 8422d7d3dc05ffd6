/* test_report_show.c - the picture of pages and the listings, for images filled by hand. */
#include "cmocka_all.h"

#include "outcome_by_hand.h"
#include "report/page_map.h"

#include <cjson/cJSON.h>

enum { R_X = 0x60000020, R__ = 0x40000040, RW_ = (int)0xC0000040, RWXD = (int)0xE2000020 };

static void add_extent(struct hand *hand, uint32_t rva, uint32_t nbytes, enum extent_kind kind)
{
    struct refset *refs = &hand->outcome.refs;
    struct extent *extents = arena_grow(refs->arena, refs->extents, refs->extent_count,
                                        &refs->extent_capacity, refs->extent_count + 1, sizeof *extents);
    assert_non_null(extents);
    refs->extents = extents;
    extents[refs->extent_count++] = (struct extent){rva, nbytes, (uint8_t)kind, SOURCE_IMPORTS};
}

static void add_finding(struct hand *hand, enum finding_code code, uint32_t rva)
{
    struct finding finding = hand_finding(code, LEVEL_NOTE, "M.");
    finding.rva = rva;
    assert_true(finding_add(&hand->outcome.findings, &finding));
}

/* .text with 3 pages of code of which two are full of instructions, .rdata with an IAT and constants,
 * .data of which most is zero fill, INIT that is writable and executable. */
static struct hand *driver(void)
{
    struct hand *hand = hand_new("drv.sys");
    hand_section(hand, ".text", 0x1000, 0x2800, 0x1000, R_X);
    hand_section(hand, ".rdata", 0x4000, 0x400, 0x400, R__);
    hand_section(hand, ".data", 0x5000, 0x3000, 0x200, (uint32_t)RW_);
    hand_section(hand, "INIT", 0x8000, 0x200, 0x200, (uint32_t)RWXD);
    struct outcome *outcome = &hand->outcome;
    static uint8_t text_classes[0x2800], init_classes[0x200];
    static struct code_section sections[] = {{0, 0x1000, 0x2800, text_classes},
                                             {3, 0x8000, 0x200, init_classes}};
    memset(text_classes, BYTE_INSTRUCTION_TAIL, 0x2000);
    text_classes[0] = BYTE_INSTRUCTION;
    memset(text_classes + 0x2000, BYTE_INSTRUCTION, 0x600);
    memset(text_classes + 0x2600, BYTE_DATA, 0x4);
    memset(text_classes + 0x2604, BYTE_PADDING, 0x1FC);
    memset(init_classes, BYTE_INSTRUCTION, 0x180);
    memset(init_classes + 0x180, BYTE_UNKNOWN, 0x80);
    outcome->has_code = true;
    outcome->code = (struct code_map){.decoded = true, .sections = sections, .section_count = 2};
    hand->bytes[hand->sections[1].raw_foff + 0x3FF] = 1; /* a constant in .rdata; .data holds zeros */
    add_extent(hand, 0x4000, 0x40, EXTENT_IAT);
    add_extent(hand, 0x4040, 0x10, EXTENT_IMPORT_DESCRIPTORS);
    add_finding(hand, HVCI2102_INIT_WRITABLE_EXECUTABLE, 0x8000);
    return hand;
}

static const char *show(const struct hand *hand, enum show_what what, const struct report_style *style)
{
    static struct text text;
    text = (struct text){.arena = (struct arena *)(uintptr_t)&hand->outcome.arena};
    report_text_show(&text, &hand->outcome, what, style);
    return hand_chars(&text);
}

static void the_picture_of_a_driver(void **state)
{
    (void)state;
    struct hand *hand = driver();
    /* Pages 2 and 3 differ only in what lies beside the code: of 0x1800 bytes 0x1600 are code (91.7 %), 4
     * data, 0x1FC padding (8.3 %). */
    assert_string_equal(
        show(hand, SHOW_PAGES, &hand_plain),
        "drv.sys: x64, native, kernel image, 4 sections, 9 pages of 4 KiB\n"
        "  RVA                 pages  rights  section  HVCI  what lies there\n"
        "  00000000-00000FFF       1  R--     headers        headers\n"
        "  00001000-00001FFF       1  R-X     .text          code\n"
        "  00002000-00003FFF       2  R-X     .text          code 91%, data in code <1%, padding 8%, zero\n"
        "                                                    fill\n"
        "  00004000-00004FFF       1  R--     .rdata         data, IAT, imports\n"
        "  00005000-00007FFF       3  RW-     .data          zeros, zero fill\n"
        "  00008000-00008FFF       1  RWXd    INIT     2102  code 75%, unknown bytes 25%\n"
        "    rights    R read, W write, X execute, d discarded after start; as the section headers say.\n"
        "    HVCI2102  discardable section INIT is writable and executable\n");
    hand_free(hand);
}

static void a_flat_image_is_one_piece(void **state)
{
    (void)state;
    struct hand *hand = hand_new("drv.sys");
    struct image *image = &hand->outcome.image;
    image->is_flat = true;
    image->section_alignment = 0x80;
    hand_section(hand, "a", 0x400, 0x80, 0x80, R_X);
    hand_section(hand, "b", 0x480, 0x80, 0x80, R__);
    hand_section(hand, "c", 0x500, 0x80, 0x80, R__);
    hand_section(hand, "d", 0x580, 0xB00, 0xB00, (uint32_t)RW_);
    image->sections[3].file_nbytes = 0xB00;
    memset(hand->bytes + 0x400, 7, 0x1000);
    add_finding(hand, HVCI2004_SECTION_NOT_PAGE_ALIGNED, NO_RVA);
    assert_string_equal(
        show(hand, SHOW_PAGES, &hand_quiet),
        "drv.sys: x64, native, kernel image, 4 sections, 2 pages of 4 KiB\n"
        "  RVA                 pages  rights  section   HVCI  what lies there\n"
        "  00000000-00000FFF       1  RWX     a b c +1  2004  headers, code, not decoded, data\n"
        "  00001000-00001FFF       1  RWX     d         2004  data\n");
    hand_free(hand);
}

/* A grouped finding names one place; the references tell all pages. */
static void straddling_relocations_mark_both_pages(void **state)
{
    (void)state;
    struct hand *hand = driver();
    struct ref refs[] = {
        {.site_rva = 0x5FFC, .source = SOURCE_RELOCATED, .width_nbytes = 8},
        {.site_rva = 0x4FF8, .source = SOURCE_RELOCATED, .width_nbytes = 8}, /* ends at the border */
        {.site_rva = 0x2FFF, .source = SOURCE_CODE, .width_nbytes = 4},      /* no relocation */
        {.site_rva = NO_RVA, .source = SOURCE_RELOCATED, .width_nbytes = 8},
    };
    hand->outcome.refs.refs = refs;
    hand->outcome.refs.ref_count = sizeof refs / sizeof refs[0];
    struct page_map map;
    assert_true(page_map_make(&hand->outcome, &hand->outcome.arena, &map));
    for (size_t i = 0; i < map.run_count; i++)
        for (size_t k = 0; k < map.code_count; k++)
            assert_false(map.codes[k] == HVCI2101_RELOCATION_STRADDLES);
    add_finding(hand, HVCI2101_RELOCATION_STRADDLES, 0x5FFC);
    assert_true(page_map_make(&hand->outcome, &hand->outcome.arena, &map));
    assert_int_equal(map.code_count, 2);
    assert_int_equal(map.codes[0], 2101);
    assert_int_equal(map.codes[1], 2102);
    uint32_t marked_pages = 0;
    for (size_t i = 0; i < map.run_count; i++)
        for (uint32_t page = 0; (map.runs[i].codes & 1) && page < map.runs[i].page_count; page++)
            marked_pages |= UINT32_C(1) << (map.runs[i].first_page + page);
    assert_int_equal(marked_pages, (1 << 5) | (1 << 6));
    hand_free(hand);
}

static void the_iat_marks_its_whole_directory(void **state)
{
    (void)state;
    struct hand *hand = driver();
    hand->outcome.image.directory_count = DIR_COUNT;
    hand->outcome.image.directories[DIR_IAT] = (struct directory){0x1FF0, 0x20, 0x100};
    add_finding(hand, HVCI2005_IAT_EXECUTABLE, 0x1FF8);
    struct page_map map;
    assert_true(page_map_make(&hand->outcome, &hand->outcome.arena, &map));
    assert_int_equal(map.codes[0], 2005);
    for (size_t i = 0; i < map.run_count; i++)
        assert_int_equal(map.runs[i].codes & 1, map.runs[i].first_page == 1 || map.runs[i].first_page == 2);
    hand_free(hand);
}

/* Runs cover all pages from 0 without gaps, whatever SizeOfImage claims, and cost no memory for pages. */
static void a_huge_image_costs_no_more_than_its_things(void **state)
{
    (void)state;
    struct hand *hand = hand_new("x");
    hand_section(hand, ".text", 0x1000, 0xFFFFE000, 0x200, R_X);
    hand->outcome.image.image_nbytes = 0xFFFFF000;
    add_extent(hand, 0xFFFFFFF0, 0xFFFFFFFF, EXTENT_IAT); /* beyond the end */
    add_extent(hand, 0x2000, 0xFFFFFFFF, EXTENT_RESOURCE_DATA);
    add_extent(hand, 0x3000, 0, EXTENT_TLS);
    size_t before_nbytes = hand->outcome.arena.total_nbytes;
    struct page_map map;
    assert_true(page_map_make(&hand->outcome, &hand->outcome.arena, &map));
    assert_true(hand->outcome.arena.total_nbytes - before_nbytes < 64 * 1024);
    uint64_t next_page = 0;
    for (size_t i = 0; i < map.run_count; i++) {
        assert_int_equal(map.runs[i].first_page, next_page);
        assert_true(map.runs[i].page_count > 0);
        next_page += map.runs[i].page_count;
    }
    assert_int_equal(next_page, 0xFFFFF);
    assert_true(map.run_count <= 6);
    hand_free(hand);
}

static void every_kind_of_table_has_its_own_words(void **state)
{
    (void)state;
    for (int kind = 0; kind < EXTENT_KIND_COUNT; kind++) {
        struct hand *hand = hand_new("x");
        hand->outcome.image.image_nbytes = 0x3000;
        add_extent(hand, 0x2000, 4, (enum extent_kind)kind);
        struct page_map map;
        assert_true(page_map_make(&hand->outcome, &hand->outcome.arena, &map));
        const struct page_run *last = &map.runs[map.run_count - 1];
        assert_int_equal(last->first_page, 2);
        assert_int_not_equal(last->contents, 0);
        assert_int_equal(last->contents & CONTENT_BIT(CONTENT_HEADERS), 0);
        assert_int_equal(last->contents & (last->contents - 1), 0); /* one bit */
        hand_free(hand);
    }
    for (unsigned content = 0; content < CONTENT_COUNT; content++)
        assert_non_null(page_content_name(content));
}

static void sections_that_look_alike_stay_apart(void **state)
{
    (void)state;
    struct hand *hand = hand_new("x");
    hand_section(hand, "A", 0x1000, 0x2000, 0x200, R__);
    hand_section(hand, "B", 0x3000, 0x1000, 0x200, R__);
    hand->sections[0].file_nbytes = 0x2000;
    hand->sections[1].raw_foff = 0x1000;
    hand->sections[1].file_nbytes = 0x1000;
    memset(hand->bytes + 0x400, 7, sizeof hand->bytes - 0x400);
    assert_string_equal(show(hand, SHOW_PAGES, &hand_quiet),
                        "x: x64, native, kernel image, 2 sections, 4 pages of 4 KiB\n"
                        "  RVA                 pages  rights  section  HVCI  what lies there\n"
                        "  00000000-00000FFF       1  R--     headers        headers\n"
                        "  00001000-00002FFF       2  R--     A              data\n"
                        "  00003000-00003FFF       1  R--     B              data\n");
    hand_free(hand);
}

static void many_pieces_are_joined(void **state)
{
    (void)state;
    struct hand *hand = hand_new("x");
    hand_section(hand, ".rdata", 0x1000, 0x200000, 0x200, R__);
    for (uint32_t i = 0; i < 200; i++)
        add_extent(hand, 0x1000 + i * 0x1000, 8, i % 2 ? EXTENT_PDATA : EXTENT_TLS);
    struct page_map map;
    assert_true(page_map_make(&hand->outcome, &hand->outcome.arena, &map));
    assert_true(map.run_count > 200);
    assert_string_equal(show(hand, SHOW_PAGES, &hand_quiet),
                        "x: x64, native, kernel image, 1 section, 513 pages of 4 KiB\n"
                        "  RVA                 pages  rights  section  HVCI  what lies there\n"
                        "  00000000-00000FFF       1  R--     headers        headers\n"
                        "  00001000-00200FFF     512  R--     .rdata         zero fill, unwind data, TLS\n");
    hand_free(hand);
}

static void a_repair_shows_before_and_after(void **state)
{
    (void)state;
    struct hand *before = driver(), *after = driver();
    after->sections[3].characteristics = 0x62000020;
    after->outcome.findings.count = 0;
    after->outcome.path = "new.sys";
    struct text text = {.arena = &before->outcome.arena};
    report_text_show_pair(&text, &before->outcome, &after->outcome, &hand_quiet);
    assert_string_equal(text.chars,
                        "drv.sys: x64, native, kernel image, 4 sections, 9 pages of 4 KiB\n"
                        "after: new.sys\n"
                        "  RVA                section             before                    after\n"
                        "  00000000-00000FFF  headers             R--                       R--\n"
                        "  00001000-00003FFF  .text               R-X                       R-X\n"
                        "  00004000-00004FFF  .rdata              R--                       R--\n"
                        "  00005000-00007FFF  .data               RW-                       RW-\n"
                        "> 00008000-00008FFF  INIT                RWXd  2102                R-Xd\n");
    /* A layout that has changed cannot stand side by side. */
    after->outcome.image.image_nbytes = 0xA000;
    text = (struct text){.arena = &before->outcome.arena};
    report_text_show_pair(&text, &before->outcome, &after->outcome, &hand_quiet);
    assert_non_null(strstr(text.chars, "drv.sys: x64, native, kernel image, 4 sections, 9 pages"));
    assert_non_null(strstr(text.chars, "new.sys: x64, native, kernel image, 4 sections, 10 pages"));
    hand_free(before);
    hand_free(after);
}

static void the_regions(void **state)
{
    (void)state;
    struct hand *hand = driver();
    struct region regions[] = {{0, 0x40, REGION_DOS_HEADER, UINT32_MAX},
                               {0x400, 0x1000, REGION_SECTION, 0},
                               {0x1400, 0x1C00, REGION_OVERLAY, UINT32_MAX}};
    struct region_overlap overlaps[] = {{0x400, 0x10, REGION_SECTION, REGION_CERTIFICATES}};
    struct ref_problem problems[] = {{SOURCE_TLS, NO_RVA, 0x18, false, "It is cut."}};
    struct image *image = &hand->outcome.image;
    image->regions = regions;
    image->region_count = 3;
    image->overlaps = overlaps;
    image->overlap_count = 1;
    hand->outcome.refs.problems = problems;
    hand->outcome.refs.problem_count = 1;
    hand->outcome.code.instruction_count = 12;
    hand->outcome.code.function_count = 3;
    assert_string_equal(show(hand, SHOW_REGIONS, &hand_plain),
                        "drv.sys\n"
                        "regions of the file, 12288 bytes\n"
                        "  offset         bytes  kind                section\n"
                        "  00000000          64  DOS header\n"
                        "  00000400        4096  section             .text\n"
                        "  00001400        7168  overlay\n"
                        "  00000400          16  section, also claimed as certificates\n"
                        "tables in memory, in the order of their sources\n"
                        "  RVA            bytes  kind                      section\n"
                        "  00004000          64  IAT                       .rdata\n"
                        "  00004040          16  import descriptors        .rdata\n"
                        "executable sections, 12 instructions, 3 functions\n"
                        "  RVA            bytes  instructions      data   padding   unknown  section\n"
                        "  00001000       10240          9728         4       508         0  .text\n"
                        "  00008000         512           384         0         0       128  INIT\n"
                        "    00008180         128  unknown\n"
                        "not read\n"
                        "  TLS                 It is cut.\n");
    hand_free(hand);
}

static struct ref sample_refs[] = {
    {.site_foff = 0x128,
     .site_rva = 0x128,
     .target = 0x4010,
     .encoding = REF_RVA,
     .source = SOURCE_DIRECTORIES,
     .state = REF_RESOLVED,
     .width_nbytes = 4,
     .detail = 12,
     .flags = REF_FLAG_LOADER_WRITES},
    {.site_foff = 0x2F00,
     .site_rva = NO_RVA,
     .encoding = REF_VA,
     .source = SOURCE_DEBUG,
     .state = REF_NULL,
     .width_nbytes = 8},
    {.site_foff = 0x402,
     .site_rva = 0x1002,
     .target = 0x1420,
     .encoding = REF_FOFF,
     .source = SOURCE_CODE,
     .state = REF_RESOLVED,
     .access = ACCESS_CALL,
     .width_nbytes = 4},
    {.site_foff = 0x500,
     .site_rva = 0x1100,
     .target = 4,
     .encoding = REF_SECTION_INDEX,
     .source = SOURCE_COFF_SYMBOLS,
     .state = REF_RESOLVED,
     .width_nbytes = 2},
    {.site_foff = 0x500,
     .site_rva = 0x1100,
     .target = 5,
     .encoding = REF_SECTION_INDEX,
     .source = SOURCE_COFF_SYMBOLS,
     .state = REF_OUTSIDE,
     .width_nbytes = 2},
};

static void the_references(void **state)
{
    (void)state;
    struct hand *hand = driver();
    struct region regions[] = {{0x400, 0x1000, REGION_SECTION, 0}, {0x1400, 0x400, REGION_SECTION, 1}};
    hand->outcome.image.regions = regions;
    hand->outcome.image.region_count = 2;
    hand->outcome.refs.refs = sample_refs;
    hand->outcome.refs.ref_count = 5;
    assert_string_equal(
        show(hand, SHOW_REFERENCES, &hand_plain),
        "drv.sys: 5 references\n"
        "  at RVA    at offset source              encoding             nb  target    which is\n"
        "  00000128  00000128  directories         RVA                  4   00004010  .rdata+0x10\n"
        "  -         00002F00  debug data          VA                   8   00000000  null\n"
        "  00001002  00000402  code                file offset          4   00001420  .rdata+0x20, call\n"
        "  00001100  00000500  COFF symbols        section number       2   00000004  INIT+0x0\n"
        "  00001100  00000500  COFF symbols        section number       2   00000005  outside\n");
    hand_free(hand);
}

static cJSON *shown_image(struct hand *hand, enum show_what what)
{
    struct text text = {.arena = &hand->outcome.arena};
    report_json_begin(&text);
    report_json_show(&text, &hand->outcome, what, true);
    report_json_end(&text);
    cJSON *parsed = cJSON_ParseWithOpts(text.chars, NULL, true);
    assert_non_null(parsed);
    cJSON *image = cJSON_DetachItemFromArray(cJSON_GetObjectItem(parsed, "images"), 0);
    cJSON_Delete(parsed);
    return image;
}

static void assert_member(const cJSON *object, const char *key, const char *expected)
{
    char *printed = cJSON_PrintUnformatted(cJSON_GetObjectItem(object, key));
    assert_non_null(printed);
    assert_string_equal(printed, expected);
    cJSON_free(printed);
}

static void the_same_as_json(void **state)
{
    (void)state;
    struct hand *hand = driver();
    hand->sections[3].name = "IN\"IT\\";
    hand->outcome.refs.refs = sample_refs;
    hand->outcome.refs.ref_count = 2;
    cJSON *image = shown_image(hand, SHOW_PAGES);
    const cJSON *pages = cJSON_GetObjectItem(image, "pages");
    assert_int_equal(cJSON_GetArraySize(pages), 8);
    char *last = cJSON_PrintUnformatted(cJSON_GetArrayItem(pages, 7));
    assert_string_equal(last,
                        "{\"rva\":32768,\"pages\":1,\"rights\":\"RWXd\",\"sections\":[\"IN\\\"IT\\\\\"],"
                        "\"contents\":[\"code\",\"unknown bytes\"],\"rules\":[\"HVCI2102\"]}");
    cJSON_free(last);
    assert_member(image, "path", "\"drv.sys\"");
    cJSON_Delete(image);

    image = shown_image(hand, SHOW_REFERENCES);
    assert_member(
        image, "references",
        "[{\"rva\":296,\"file_offset\":296,\"source\":\"directories\",\"encoding\":\"RVA\",\"width\":4,"
        "\"target\":16400,\"section\":\".rdata\",\"offset\":16,\"state\":\"resolved\","
        "\"access\":\"none\",\"detail\":12,\"flags\":[\"loader_writes\"]},"
        "{\"rva\":null,\"file_offset\":12032,\"source\":\"debug data\",\"encoding\":\"VA\",\"width\":8,"
        "\"target\":0,\"section\":null,\"offset\":null,\"state\":\"null\",\"access\":\"none\","
        "\"detail\":0,\"flags\":[]}]");
    cJSON_Delete(image);

    image = shown_image(hand, SHOW_REGIONS);
    assert_member(
        image, "tables",
        "[{\"rva\":16384,\"bytes\":64,\"kind\":\"IAT\",\"section\":\".rdata\",\"source\":\"imports\"},"
        "{\"rva\":16448,\"bytes\":16,\"kind\":\"import descriptors\",\"section\":\".rdata\","
        "\"source\":\"imports\"}]");
    const cJSON *code = cJSON_GetObjectItem(image, "code");
    assert_member(code, "decoded", "true");
    char *init = cJSON_PrintUnformatted(cJSON_GetArrayItem(cJSON_GetObjectItem(code, "sections"), 1));
    assert_string_equal(init,
                        "{\"section\":\"IN\\\"IT\\\\\",\"rva\":32768,\"bytes\":512,\"instruction_bytes\":384,"
                        "\"data_bytes\":0,\"padding_bytes\":0,\"unknown_bytes\":128,"
                        "\"unknown\":[{\"rva\":33152,\"bytes\":128}]}");
    cJSON_free(init);
    cJSON_Delete(image);
    hand_free(hand);
}

static size_t blocks_left;

static void *scarce_alloc(void *context, size_t nbytes)
{
    (void)context;
    if (blocks_left == 0)
        return NULL;
    blocks_left--;
    return malloc(nbytes);
}

static void scarce_release(void *context, void *block)
{
    (void)context;
    free(block);
}

/* Memory that runs out anywhere in a report is told by the arena; nothing is read that is not there. */
static void scarce_memory_is_told(void **state)
{
    (void)state;
    static const struct allocator scarce = {
        .alloc = scarce_alloc, .release = scarce_release, .block_nbytes = 1};
    struct hand *hand = driver();
    hand->outcome.refs.refs = sample_refs;
    hand->outcome.refs.ref_count = 5;
    for (enum show_what what = SHOW_PAGES; what <= SHOW_REFERENCES; what++) {
        for (int is_json = 0; is_json < 2; is_json++) {
            bool was_enough = false;
            for (size_t limit = 0; !was_enough; limit++) {
                struct arena arena;
                arena_init(&arena, &scarce);
                blocks_left = limit;
                struct text text = {.arena = &arena};
                if (is_json)
                    report_json_show(&text, &hand->outcome, what, true);
                else
                    report_text_show(&text, &hand->outcome, what, &hand_plain);
                report_text_show_pair(&text, &hand->outcome, &hand->outcome, &hand_plain);
                report_text_image(&text, &hand->outcome, &hand_plain);
                was_enough = !arena.exhausted;
                assert_true(limit > 0 || !was_enough);
                assert_true(limit < 5000);
                arena_free(&arena);
            }
        }
    }
    hand_free(hand);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_picture_of_a_driver),
        cmocka_unit_test(a_flat_image_is_one_piece),
        cmocka_unit_test(straddling_relocations_mark_both_pages),
        cmocka_unit_test(the_iat_marks_its_whole_directory),
        cmocka_unit_test(a_huge_image_costs_no_more_than_its_things),
        cmocka_unit_test(every_kind_of_table_has_its_own_words),
        cmocka_unit_test(sections_that_look_alike_stay_apart),
        cmocka_unit_test(many_pieces_are_joined),
        cmocka_unit_test(a_repair_shows_before_and_after),
        cmocka_unit_test(the_regions),
        cmocka_unit_test(the_references),
        cmocka_unit_test(the_same_as_json),
        cmocka_unit_test(scarce_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
