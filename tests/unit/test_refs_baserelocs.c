/* test_refs_baserelocs.c - base relocations: entries, the values at their places, damaged tables, and the
 * mark on fields of other tables that a relocation covers. The tables are written out by hand. */
#include "refs_by_hand.h"

enum {
    DATA_RVA = 0x1000,
    DATA_NBYTES = 0x1400, /* reaches into a second page */
    TAIL_RVA = 0x4000,    /* .bss: no bytes in the file */
    RELOC_RVA = 0x6000,
    SOURCES = SOURCE_BIT(SOURCE_BASERELOCS) | SOURCE_BIT(SOURCE_RELOCATED)
};

struct reloc_table {
    uint8_t bytes[512];
    size_t nbytes;
};

static void add_block(struct reloc_table *table, uint32_t page_rva, const uint16_t *entries, size_t count)
{
    uint8_t *block = table->bytes + table->nbytes;
    size_t nbytes = BASERELOC_BLOCK_HEADER_NBYTES + 2 * count;
    assert_true(table->nbytes + nbytes <= sizeof table->bytes);
    store_u32(block + BASERELOC_PAGE_RVA, page_rva);
    store_u32(block + BASERELOC_BLOCK_SIZE, (uint32_t)nbytes);
    for (size_t i = 0; i < count; i++)
        store_u16(block + BASERELOC_BLOCK_HEADER_NBYTES + 2 * i, entries[i]);
    table->nbytes += nbytes;
}

#define ADD_BLOCK(table, page, ...)                                                                          \
    add_block(table, page, (const uint16_t[]){__VA_ARGS__},                                                  \
              sizeof((const uint16_t[]){__VA_ARGS__}) / sizeof(uint16_t))

static struct made_image with_table(uint16_t machine, const struct reloc_table *table, const uint8_t *data)
{
    struct made_image made = make_image(machine);
    make_section(&made, ".data", DATA_RVA, MADE_DATA, data, DATA_NBYTES);
    make_section(&made, ".bss", TAIL_RVA, MADE_DATA, NULL, 0)->virtual_size = 0x1000;
    make_section(&made, ".reloc", RELOC_RVA, MADE_RELOC, table->bytes, table->nbytes);
    make_directory(&made, DIR_BASERELOC, RELOC_RVA, (uint32_t)table->nbytes);
    return made;
}

static void test_x64_entries_and_values(void **state)
{
    (void)state;
    uint8_t data[DATA_NBYTES] = {0};
    struct reloc_table table = {.nbytes = 0};
    struct collected c;
    store_u64(data + 0x10, UINT64_C(0x140001234));
    store_u64(data + 0xFFC, UINT64_C(0x140001FFC)); /* crosses into the second page */
    ADD_BLOCK(&table, DATA_RVA, 0xA010, 0xAFFC, 0xA018, 0x0000);
    struct made_image made = with_table(MACHINE_AMD64, &table, data);
    collect(&c, &made, SOURCES);
    assert_ref(&c, SOURCE_BASERELOCS, RELOC_RVA, REF_RVA, DATA_RVA, REF_RESOLVED);
    assert_ref(&c, SOURCE_BASERELOCS, RELOC_RVA + 8, REF_PAGE_12, 0x1010, REF_RESOLVED);
    assert_ref(&c, SOURCE_BASERELOCS, RELOC_RVA + 10, REF_PAGE_12, 0x1FFC, REF_RESOLVED);
    assert_ref(&c, SOURCE_RELOCATED, 0x1010, REF_VA, 0x1234, REF_RESOLVED);
    assert_ref(&c, SOURCE_RELOCATED, 0x1FFC, REF_VA, 0x1FFC, REF_RESOLVED);
    assert_ref(&c, SOURCE_RELOCATED, 0x1018, REF_VA, 0xC0000000, REF_OUTSIDE);
    const struct ref *value = find_ref(&c, SOURCE_RELOCATED, 0x1010);
    assert_int_equal(value->width_nbytes, 8);
    assert_int_equal(value->detail, BASERELOC_DIR64);
    assert_int_equal(value->flags, REF_FLAG_RELOCATED);
    assert_int_equal(count_refs(&c, SOURCE_BASERELOCS), 4); /* the padding entry names no place */
    assert_int_equal(count_refs(&c, SOURCE_RELOCATED), 3);
    assert_int_equal(c.refs.problem_count, 0);
    assert_extent(&c, EXTENT_BASERELOCS, RELOC_RVA, 16);
    collected_free(&c, &made);
}

static void test_each_source_alone(void **state)
{
    (void)state;
    uint8_t data[DATA_NBYTES] = {0};
    struct reloc_table table = {.nbytes = 0};
    struct collected c;
    ADD_BLOCK(&table, DATA_RVA, 0x3010, 0x3020);
    struct made_image made = with_table(MACHINE_I386, &table, data);
    collect(&c, &made, SOURCE_BIT(SOURCE_BASERELOCS));
    assert_int_equal(c.refs.ref_count, 3);
    arena_free(&c.arena);
    collect(&c, &made, SOURCE_BIT(SOURCE_RELOCATED));
    assert_int_equal(c.refs.ref_count, 2);
    assert_int_equal(c.refs.refs[0].width_nbytes, 4);
    collected_free(&c, &made);
}

static void test_order_and_repetition(void **state)
{
    (void)state;
    uint8_t data[DATA_NBYTES] = {0};
    struct reloc_table table = {.nbytes = 0};
    struct collected c;
    ADD_BLOCK(&table, 0x2000, 0xA010, 0xA010); /* the same place twice */
    ADD_BLOCK(&table, 0x1000, 0xA020, 0xA024); /* one overlaps the other; a lower page comes later */
    ADD_BLOCK(&table, 0x1000, 0xA030, 0xA038); /* a second block for a page is no fault; neighbours touch */
    struct made_image made = with_table(MACHINE_AMD64, &table, data);
    collect(&c, &made, SOURCES);
    assert_int_equal(count_refs(&c, SOURCE_BASERELOCS), 3 + 6);
    assert_int_equal(count_refs(&c, SOURCE_RELOCATED), 4);
    assert_null(find_ref(&c, SOURCE_RELOCATED, 0x1024));
    assert_int_equal(count_problems(&c, SOURCE_BASERELOCS), 3);
    assert_problem(&c, SOURCE_BASERELOCS, "same bytes at RVA 0x2010");
    assert_problem(&c, SOURCE_BASERELOCS, "same bytes at RVA 0x1024");
    assert_problem(&c, SOURCE_BASERELOCS, "not in ascending order");
    collected_free(&c, &made);
}

/* Of all loaders only the kernel's minds; a repair sees it nevertheless. */
static void test_order_in_what_other_loaders_take(void **state)
{
    (void)state;
    static const struct {
        uint16_t subsystem;
        bool is_damage;
    } cases[] = {{SUBSYSTEM_NATIVE, true},
                 {SUBSYSTEM_WINDOWS_CUI, false},
                 {SUBSYSTEM_EFI_APPLICATION, false},
                 {SUBSYSTEM_EFI_ROM, false},
                 {SUBSYSTEM_WINDOWS_BOOT_APPLICATION, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t data[DATA_NBYTES] = {0};
        struct reloc_table table = {.nbytes = 0};
        struct collected c;
        ADD_BLOCK(&table, 0x2000, 0xA010, 0x0000);
        ADD_BLOCK(&table, 0x1000, 0xA020, 0x0000);
        struct made_image made = with_table(MACHINE_AMD64, &table, data);
        made.subsystem = cases[i].subsystem;
        collect(&c, &made, SOURCES);
        assert_problem(&c, SOURCE_BASERELOCS, "not in ascending order");
        assert_int_equal(c.refs.damaged, cases[i].is_damage ? SOURCE_BIT(SOURCE_BASERELOCS) : 0);
        assert_int_equal(count_refs(&c, SOURCE_RELOCATED), 2);
        collected_free(&c, &made);
    }
}

static void test_types_that_are_not_plain_addresses(void **state)
{
    (void)state;
    uint8_t data[DATA_NBYTES] = {0};
    struct reloc_table table = {.nbytes = 0};
    struct collected c;
    ADD_BLOCK(&table, DATA_RVA, 0x9010, 0x9020, 0xA030, 0xB040);
    struct made_image made = with_table(MACHINE_IA64, &table, data);
    collect(&c, &made, SOURCES);
    assert_int_equal(count_refs(&c, SOURCE_BASERELOCS), 1 + 4);
    assert_int_equal(count_refs(&c, SOURCE_RELOCATED), 1);
    assert_int_equal(count_problems(&c, SOURCE_RELOCATED), 2); /* one for each type, not for each entry */
    assert_problem(&c, SOURCE_RELOCATED, "2 base relocations are of type IA64_IMM64");
    assert_problem(&c, SOURCE_RELOCATED, "that no loader of this machine knows");
    assert_int_equal(c.refs.damaged, SOURCE_BIT(SOURCE_RELOCATED)); /* the unknown type, not IA64_IMM64 */
    collected_free(&c, &made);
}

static void test_halves_and_arm_instructions(void **state)
{
    (void)state;
    static const struct {
        uint16_t machine, entry;
        const char *words;
        bool is_damage;
    } cases[] = {
        {MACHINE_I386, 0x1010, "HIGH (the upper half", false},
        {MACHINE_I386, 0x2010, "LOW (the lower half", false},
        {MACHINE_ARMNT, 0x5010, "ARM_MOV32", false},
        {MACHINE_ARMNT, 0x7010, "THUMB_MOV32", false},
        /* Types of other machines: no loader takes the image. */
        {MACHINE_AMD64, 0x5010, "that no loader of this machine knows", true},
        {MACHINE_ARM64, 0x7010, "that no loader of this machine knows", true},
        {MACHINE_AMD64, 0x9010, "that no loader of this machine knows", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t data[DATA_NBYTES] = {0};
        struct reloc_table table = {.nbytes = 0};
        struct collected c;
        ADD_BLOCK(&table, DATA_RVA, cases[i].entry);
        struct made_image made = with_table(cases[i].machine, &table, data);
        collect(&c, &made, SOURCES);
        assert_int_equal(count_refs(&c, SOURCE_RELOCATED), 0);
        assert_problem(&c, SOURCE_RELOCATED, cases[i].words);
        assert_int_equal(c.refs.damaged, cases[i].is_damage ? SOURCE_BIT(SOURCE_RELOCATED) : 0);
        collected_free(&c, &made);
    }
}

/* Also where the value is not read: the loader would change memory that is not the image's. */
static void test_halves_outside_the_image(void **state)
{
    (void)state;
    uint8_t data[DATA_NBYTES] = {0};
    struct reloc_table table = {.nbytes = 0};
    struct collected c;
    ADD_BLOCK(&table, 0x7FFF0000, 0x1010, 0x0000);
    struct made_image made = with_table(MACHINE_I386, &table, data);
    collect(&c, &made, SOURCES);
    assert_problem(&c, SOURCE_RELOCATED,
                   "The base relocation for RVA 0x7FFF0010 names a place that has no bytes");
    assert_int_equal(c.refs.damaged, SOURCE_BIT(SOURCE_RELOCATED));
    collected_free(&c, &made);
}

static void test_directory_larger_than_the_file(void **state)
{
    (void)state;
    uint8_t data[DATA_NBYTES] = {0};
    struct reloc_table table = {.nbytes = 0};
    struct collected c;
    ADD_BLOCK(&table, DATA_RVA, 0xA010, 0x0000);
    struct made_image made = with_table(MACHINE_AMD64, &table, data);
    make_directory(&made, DIR_BASERELOC, RELOC_RVA, UINT32_MAX);
    collect(&c, &made, SOURCES);
    assert_int_equal(count_refs(&c, SOURCE_RELOCATED), 1);
    assert_problem(&c, SOURCE_BASERELOCS, "has 0xFFFFFFFF bytes, but the file holds only 0x200");
    collected_free(&c, &made);
}

/* The entry after HIGHADJ is the lower half of an address, not a place. */
static void test_highadj_takes_two_entries(void **state)
{
    (void)state;
    uint8_t data[DATA_NBYTES] = {0};
    struct reloc_table table = {.nbytes = 0};
    struct collected c;
    ADD_BLOCK(&table, DATA_RVA, 0x4010, 0x3ABC, 0x3020);
    struct made_image made = with_table(MACHINE_I386, &table, data);
    collect(&c, &made, SOURCES);
    assert_int_equal(count_refs(&c, SOURCE_BASERELOCS), 1 + 2);
    assert_non_null(find_ref(&c, SOURCE_RELOCATED, 0x1020));
    assert_null(find_ref(&c, SOURCE_RELOCATED, 0x1ABC));
    collected_free(&c, &made);
}

static void test_places_without_bytes(void **state)
{
    (void)state;
    uint8_t data[DATA_NBYTES] = {0};
    struct reloc_table table = {.nbytes = 0};
    struct collected c;
    ADD_BLOCK(&table, TAIL_RVA, 0xA010);
    ADD_BLOCK(&table, 0xFFFFF000, 0xAFFF);
    struct made_image made = with_table(MACHINE_AMD64, &table, data);
    collect(&c, &made, SOURCES);
    assert_int_equal(count_refs(&c, SOURCE_BASERELOCS), 4);
    assert_int_equal(count_refs(&c, SOURCE_RELOCATED), 0);
    assert_problem(&c, SOURCE_RELOCATED, "RVA 0x4010 names a place that has no bytes");
    assert_problem(&c, SOURCE_RELOCATED, "RVA 0xFFFFFFFF names a place that has no bytes");
    collected_free(&c, &made);
}

static void test_block_sizes(void **state)
{
    (void)state;
    static const struct {
        uint32_t second_block_nbytes;
        size_t entry_count;
        const char *problem;
    } cases[] = {
        {10, 2, NULL},
        {11, 2, "odd size"},
        {4, 1, "does not fit the directory"},
        {0, 1, "does not fit the directory"},
        {0x1000, 1, "does not fit the directory"},
        {UINT32_MAX, 1, "does not fit the directory"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t data[DATA_NBYTES] = {0};
        struct reloc_table table = {.nbytes = 0};
        struct collected c;
        ADD_BLOCK(&table, DATA_RVA, 0xA010);
        ADD_BLOCK(&table, DATA_RVA + 0x1000, 0xA010);
        store_u32(table.bytes + 10 + BASERELOC_BLOCK_SIZE, cases[i].second_block_nbytes);
        table.nbytes++; /* room for the odd size */
        struct made_image made = with_table(MACHINE_AMD64, &table, data);
        collect(&c, &made, SOURCES);
        assert_int_equal(count_refs(&c, SOURCE_RELOCATED), cases[i].entry_count);
        if (cases[i].problem)
            assert_problem(&c, SOURCE_BASERELOCS, cases[i].problem);
        assert_int_equal(c.refs.damaged != 0, cases[i].problem != NULL);
        collected_free(&c, &made);
    }
}

static void test_zero_bytes_at_the_end_are_padding(void **state)
{
    (void)state;
    uint8_t data[DATA_NBYTES] = {0};
    struct reloc_table table = {.nbytes = 0};
    struct collected c;
    ADD_BLOCK(&table, DATA_RVA, 0xA010, 0x0000);
    table.nbytes += 20;
    struct made_image made = with_table(MACHINE_AMD64, &table, data);
    collect(&c, &made, SOURCES);
    assert_int_equal(count_refs(&c, SOURCE_RELOCATED), 1);
    assert_int_equal(c.refs.damaged, 0);
    assert_problem(&c, SOURCE_BASERELOCS, "ends with zeros at RVA 0x600C");
    collected_free(&c, &made);
}

/* TLS fields are absolute addresses: one is relocated as a whole, another is hit in its middle. */
static void test_marks_fields_of_other_tables(void **state)
{
    (void)state;
    uint8_t data[DATA_NBYTES] = {0};
    struct reloc_table table = {.nbytes = 0};
    struct collected c;
    store_u64(data + TLS_START_64, UINT64_C(0x140001100));
    store_u64(data + TLS_END_64, UINT64_C(0x140001108));
    ADD_BLOCK(&table, DATA_RVA, 0xA000 | TLS_START_64, 0xA000 | (TLS_END_64 + 4));
    struct made_image made = with_table(MACHINE_AMD64, &table, data);
    make_directory(&made, DIR_TLS, DATA_RVA, TLS_DIRECTORY_NBYTES_64);
    collect(&c, &made, SOURCES | SOURCE_BIT(SOURCE_TLS));
    assert_true(find_ref(&c, SOURCE_TLS, DATA_RVA + TLS_START_64)->flags & REF_FLAG_RELOCATED);
    assert_true(find_ref(&c, SOURCE_TLS, DATA_RVA + TLS_END_64)->flags & REF_FLAG_RELOCATED);
    assert_false(find_ref(&c, SOURCE_TLS, DATA_RVA + TLS_CALLBACKS_64)->flags & REF_FLAG_RELOCATED);
    assert_problem(&c, SOURCE_BASERELOCS, "changes a field of TLS");
    collected_free(&c, &made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_x64_entries_and_values),
        cmocka_unit_test(test_each_source_alone),
        cmocka_unit_test(test_order_and_repetition),
        cmocka_unit_test(test_order_in_what_other_loaders_take),
        cmocka_unit_test(test_types_that_are_not_plain_addresses),
        cmocka_unit_test(test_halves_and_arm_instructions),
        cmocka_unit_test(test_halves_outside_the_image),
        cmocka_unit_test(test_directory_larger_than_the_file),
        cmocka_unit_test(test_highadj_takes_two_entries),
        cmocka_unit_test(test_places_without_bytes),
        cmocka_unit_test(test_block_sizes),
        cmocka_unit_test(test_zero_bytes_at_the_end_are_padding),
        cmocka_unit_test(test_marks_fields_of_other_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
