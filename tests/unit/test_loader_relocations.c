/* test_loader_relocations.c - which tables of base relocations some Windows does not apply. What is expected
 * was written down from what current Windows checks, not from the code. */
#include "cmocka_all.h"

#include "make_image.h"
#include "rules/loader_relocations.h"

enum { DATA_RVA = 0x1000, DATA_NBYTES = 0x3000, RELOC_RVA = 0x4000, MOST_WORDS = 16 };

struct reloc_case {
    const char *what;
    uint16_t words[MOST_WORDS]; /* the table: {page (2), size (2), entries} */
    unsigned nbytes;
    const char *message; /* words of the only finding; NULL: nothing is said */
    uint32_t rva, table_offset;
};

static const struct reloc_case cases[] = {
    {"plain", {0x1000, 0, 12, 0, 0xA010, 0xA018, 0x2000, 0, 12, 0, 0xAFF8, 0}, 24, NULL, 0, 0},
    {"HIGHLOW in a 64-bit image", {0x1000, 0, 12, 0, 0x3010, 0}, 12, NULL, 0, 0},
    {"at the page's end", {0x1000, 0, 12, 0, 0xAFFF, 0}, 12, NULL, 0, 0},
    {"HIGH",
     {0x1000, 0, 12, 0, 0xA010, 0x1020},
     12,
     "types HIGH, LOW or HIGHADJ (the first, for RVA 0x1020, HIGH)",
     0x1020,
     10},
    {"two LOW", {0x1000, 0, 12, 0, 0x2020, 0x2030}, 12, "2 of its base relocations", 0x1020, 8},
    {"HIGHADJ, and its second half",
     {0x1000, 0, 12, 0, 0x4020, 0x1234},
     12,
     "1 of its base relocations",
     0x1020,
     8},
    {"one page twice",
     {0x1000, 0, 12, 0, 0xA010, 0, 0x1000, 0, 12, 0, 0xA020, 0},
     24,
     "two blocks of its base relocations are for the page at RVA 0x1000",
     0x1000,
     12},
    {"one page twice, unaligned",
     {0x1000, 0, 12, 0, 0xA010, 0, 0x1100, 0, 12, 0, 0xA020, 0},
     24,
     "two blocks of its base relocations are for the page at RVA 0x1000",
     0x1100,
     12},
    {"an empty block for the same page",
     {0x1000, 0, 12, 0, 0xA010, 0, 0x1000, 0, 12, 0, 0, 0},
     24,
     NULL,
     0,
     0},
    {"an empty block between",
     {0x1000, 0, 12, 0, 0xA010, 0, 0x1000, 0, 8, 0, 0x1000, 0, 10, 0, 0xA020},
     30,
     "two blocks",
     0x1000,
     20},
    {"unaligned, inside the page", {0x1100, 0, 12, 0, 0xAEFE, 0}, 12, NULL, 0, 0},
    {"unaligned, at the page's end",
     {0x1100, 0, 12, 0, 0xAEFF, 0},
     12,
     "RVA 0x1FFF ends behind the page in which its block begins (RVA 0x1100)",
     0x1FFF,
     8},
    {"in the headers", {0x0000, 0, 12, 0, 0xA100, 0}, 12, "RVA 0x100 lies in the headers", 0x100, 8},
    {"the last page", {0x4000, 0, 12, 0, 0xA000, 0}, 12, NULL, 0, 0},
    {"a page that ends behind the image",
     {0x4100, 0, 12, 0, 0xA000, 0},
     12,
     "the page at RVA 0x4100, which ends behind the image",
     0x4100,
     0},
};

static void judge_case(const struct reloc_case *c, unsigned subsystem, const char *message)
{
    static const uint8_t data[DATA_NBYTES];
    uint8_t table[2 * MOST_WORDS];
    for (size_t i = 0; i < MOST_WORDS; i++)
        store_u16(table + 2 * i, c->words[i]);
    struct made_image made = make_image(MACHINE_AMD64);
    made.subsystem = (uint16_t)subsystem;
    make_section(&made, ".data", DATA_RVA, MADE_DATA, data, DATA_NBYTES);
    make_section(&made, ".reloc", RELOC_RVA, MADE_RELOC, table, c->nbytes);
    make_directory(&made, DIR_BASERELOC, RELOC_RVA, c->nbytes);
    struct arena arena;
    arena_init(&arena, NULL);
    struct image image;
    struct refset refs;
    struct finding error = {0};
    struct finding_list doubts = {.arena = &arena};
    assert_true(image_read(make_file(&made), &arena, &image, &error));
    assert_true(
        refs_collect(&image, &arena, SOURCE_BIT(SOURCE_BASERELOCS) | SOURCE_BIT(SOURCE_RELOCATED), &refs));
    assert_true(loader_relocations_judge(&image, &refs, &doubts));
    if (doubts.count != (message != NULL))
        fail_msg("%s: %zu findings, the first is %s", c->what, doubts.count,
                 doubts.count ? doubts.items[0].message : "-");
    if (message) {
        const struct finding *finding = &doubts.items[0];
        if (!strstr(finding->message, message))
            fail_msg("%s: %s", c->what, finding->message);
        assert_int_equal(finding->code, HVCI9011_LAYOUT_REFUSED);
        assert_int_equal(finding->level, LEVEL_NOTE);
        assert_int_equal(finding->rva, c->rva);
        assert_int_equal(finding->file_offset, made_foff(&made, RELOC_RVA) + c->table_offset);
        assert_non_null(finding->cure);
    }
    arena_free(&arena);
    make_free(&made);
}

static void each_table_gets_its_answer(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        judge_case(&cases[i], SUBSYSTEM_NATIVE, cases[i].message);
        judge_case(&cases[i], SUBSYSTEM_WINDOWS_CE_GUI, NULL); /* another loader */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_table_gets_its_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
