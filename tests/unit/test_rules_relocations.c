/* test_rules_relocations.c - HVCI2101: which base relocations straddle, how they are grouped and weighed. */
#include "judge_image.h"

enum { DATA_RVA = 0x2000, DATA_NBYTES = 0xA000, MOST_BLOCKS = 64 };

/* An image with .text (0x1000), .data (0x2000, ten pages) and relocations as a test adds them. */
struct parts {
    struct made_image made;
    uint8_t data[DATA_NBYTES];
    uint8_t reloc[0x8000];
    size_t reloc_nbytes, block_at;
    uint32_t block_page;
};

static const uint8_t text_bytes[0x1000];

static struct parts *new_parts(uint16_t machine)
{
    struct parts *parts = calloc(1, sizeof *parts);
    assert_non_null(parts);
    parts->made = make_image(machine);
    parts->block_page = UINT32_MAX;
    return parts;
}

/* One entry; sites ascend. */
static void add_entry(struct parts *parts, uint32_t site_rva, unsigned type)
{
    uint32_t page = site_rva / PAGE_NBYTES * PAGE_NBYTES;
    if (page != parts->block_page) {
        parts->block_at = parts->reloc_nbytes;
        parts->block_page = page;
        store_u32(parts->reloc + parts->block_at + BASERELOC_PAGE_RVA, page);
        parts->reloc_nbytes += BASERELOC_BLOCK_HEADER_NBYTES;
    }
    assert_true(parts->reloc_nbytes + 4 <= sizeof parts->reloc);
    store_u16(parts->reloc + parts->reloc_nbytes, (uint16_t)(type << 12 | site_rva % PAGE_NBYTES));
    parts->reloc_nbytes += BASERELOC_ENTRY_NBYTES;
    store_u32(parts->reloc + parts->block_at + BASERELOC_BLOCK_SIZE,
              (uint32_t)(parts->reloc_nbytes - parts->block_at));
}

/* A relocated pointer in .data of the width that the machine has. */
static void add_pointer(struct parts *parts, uint32_t site_rva, uint32_t target_rva)
{
    bool is_64 = made_is_64(&parts->made);
    store_width(parts->data + (site_rva - DATA_RVA), is_64 ? 8 : 4, parts->made.image_base_va + target_rva);
    add_entry(parts, site_rva, is_64 ? BASERELOC_DIR64 : BASERELOC_HIGHLOW);
}

static void judge_parts(struct judged *judged, struct parts *parts, enum windows_target target)
{
    make_section(&parts->made, ".text", 0x1000, MADE_TEXT, text_bytes, sizeof text_bytes);
    make_section(&parts->made, ".data", DATA_RVA, MADE_DATA, parts->data, DATA_NBYTES);
    if (parts->reloc_nbytes) {
        make_section(&parts->made, ".reloc", DATA_RVA + DATA_NBYTES, MADE_RELOC, parts->reloc,
                     parts->reloc_nbytes);
        make_directory(&parts->made, DIR_BASERELOC, DATA_RVA + DATA_NBYTES, (uint32_t)parts->reloc_nbytes);
    }
    judge_made(judged, &parts->made, target);
}

static void done(struct judged *judged, struct parts *parts)
{
    judged_free(judged, &parts->made);
    free(parts);
}

/* PE format: HIGHLOW changes four bytes, DIR64 eight. */
static void the_last_offsets_of_a_page_decide(void **state)
{
    (void)state;
    static const struct {
        unsigned type;
        uint32_t offset;
        bool straddles;
    } cases[] = {
        {BASERELOC_HIGHLOW, 0xFFC, false},  {BASERELOC_HIGHLOW, 0xFFD, true},
        {BASERELOC_HIGHLOW, 0xFFF, true},   {BASERELOC_DIR64, 0xFF8, false},
        {BASERELOC_DIR64, 0xFF9, true},     {BASERELOC_DIR64, 0xFFF, true},
        {BASERELOC_ABSOLUTE, 0xFFF, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct judged judged;
        struct parts *parts = new_parts(MACHINE_AMD64);
        add_entry(parts, DATA_RVA + cases[i].offset, cases[i].type);
        judge_parts(&judged, parts, TARGET_DEFAULT);
        assert_int_equal(finding_count_of(&judged, 2101), cases[i].straddles);
        if (cases[i].straddles)
            assert_verdict(&judged, 2101, RULE_FAIL);
        else
            assert_verdict(&judged, 2101,
                           cases[i].type == BASERELOC_ABSOLUTE ? RULE_NOT_APPLICABLE : RULE_PASS);
        done(&judged, parts);
    }
}

static void place_type_value_and_target_are_told(void **state)
{
    (void)state;
    struct judged judged;
    struct parts *parts = new_parts(MACHINE_AMD64);
    add_pointer(parts, DATA_RVA + 0xFFC, 0x1234);
    judge_parts(&judged, parts, TARGET_DEFAULT);
    const struct finding *finding = finding_of(&judged, 2101, 0);
    assert_string_equal(finding->section, ".data");
    assert_int_equal(finding->rva, DATA_RVA + 0xFFC);
    assert_int_equal(finding->file_offset, made_foff(&parts->made, DATA_RVA + 0xFFC));
    assert_int_equal(finding->place_count, 1);
    assert_true(evidence_has(finding,
                             "DIR64 relocation at RVA 0x2FFC (.data+0xFFC), across the page boundary "
                             "0x3000: holds 0x140001234, which is RVA 0x1234 (.text+0x234)."));
    done(&judged, parts);
}

static void the_target_release_decides_the_level(void **state)
{
    (void)state;
    static const struct {
        enum windows_target target;
        uint16_t machine, subsystem;
        enum finding_level level;
    } cases[] = {
        {TARGET_1507, MACHINE_AMD64, SUBSYSTEM_NATIVE, LEVEL_ERROR},
        {TARGET_1607, MACHINE_AMD64, SUBSYSTEM_NATIVE, LEVEL_ERROR},
        {TARGET_1703, MACHINE_AMD64, SUBSYSTEM_NATIVE, LEVEL_NOTE},
        {TARGET_11, MACHINE_AMD64, SUBSYSTEM_NATIVE, LEVEL_NOTE},
        {TARGET_1607, MACHINE_I386, SUBSYSTEM_NATIVE, LEVEL_ERROR},
        {TARGET_1607, MACHINE_AMD64, SUBSYSTEM_WINDOWS_CUI, LEVEL_NOTE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct judged judged;
        struct parts *parts = new_parts(cases[i].machine);
        parts->made.subsystem = cases[i].subsystem;
        add_pointer(parts, DATA_RVA + 0xFFE, 0x1000);
        judge_parts(&judged, parts, cases[i].target);
        assert_verdict(&judged, 2101, RULE_FAIL);
        assert_int_equal(finding_of(&judged, 2101, 0)->level, cases[i].level);
        done(&judged, parts);
    }
}

/* Adds `count` packed structures of `stride` bytes from begin_rva on, a pointer at each of two offsets (the
 * second may be 0: none). Returns how many pointers straddle, counted here. */
static size_t add_array(struct parts *parts, uint32_t begin_rva, size_t count, uint32_t stride,
                        uint32_t first_offset, uint32_t second_offset)
{
    size_t straddling = 0;
    uint32_t last_whole = made_is_64(&parts->made) ? PAGE_NBYTES - 8 : PAGE_NBYTES - 4;
    for (size_t i = 0; i < count; i++)
        for (int second = 0; second <= (second_offset != 0); second++) {
            uint32_t site_rva = begin_rva + (uint32_t)i * stride + (second ? second_offset : first_offset);
            add_pointer(parts, site_rva, 0x1000);
            straddling += site_rva % PAGE_NBYTES > last_whole;
        }
    return straddling;
}

/* The case that Microsoft documents, scaled: a USHORT and a pointer in each structure. */
static void an_array_is_one_finding_with_a_count(void **state)
{
    (void)state;
    static const uint16_t machines[] = {MACHINE_AMD64, MACHINE_I386};
    for (size_t i = 0; i < 2; i++) {
        struct judged judged;
        struct parts *parts = new_parts(machines[i]);
        uint32_t stride = machines[i] == MACHINE_AMD64 ? 10 : 6;
        size_t straddling = add_array(parts, DATA_RVA + 5, 4000, stride, 2, 0);
        assert_true(straddling > 1);
        judge_parts(&judged, parts, TARGET_1607);
        assert_int_equal(finding_count_of(&judged, 2101), 1);
        const struct finding *finding = finding_of(&judged, 2101, 0);
        assert_int_equal(finding->place_count, straddling);
        assert_words(finding->message, "one array in section .data");
        assert_words(finding->message, machines[i] == MACHINE_AMD64 ? "stride 10 bytes" : "stride 6 bytes");
        assert_true(evidence_has(finding, "4000 relocated fields from RVA 0x2007"));
        done(&judged, parts);
    }
}

static void structures_with_two_pointers_are_one_array(void **state)
{
    (void)state;
    struct judged judged;
    struct parts *parts = new_parts(MACHINE_AMD64);
    size_t straddling = add_array(parts, DATA_RVA + 1, 1500, 21, 2, 13);
    assert_true(straddling > 1);
    judge_parts(&judged, parts, TARGET_1607);
    assert_int_equal(finding_count_of(&judged, 2101), 1);
    assert_int_equal(finding_of(&judged, 2101, 0)->place_count, straddling);
    assert_words(finding_of(&judged, 2101, 0)->message, "stride 21 bytes");
    done(&judged, parts);
}

/* The straddler may be the very last or the very first structure of its array. */
static void an_array_is_seen_from_either_end(void **state)
{
    (void)state;
    struct judged judged;
    struct parts *parts = new_parts(MACHINE_AMD64);
    assert_int_equal(add_array(parts, DATA_RVA + 0xFFC - 90, 10, 10, 0, 0), 1); /* last */
    assert_int_equal(add_array(parts, DATA_RVA + 0x4FFC, 10, 10, 0, 0), 1);     /* first */
    judge_parts(&judged, parts, TARGET_1607);
    assert_int_equal(finding_count_of(&judged, 2101), 2);
    for (size_t i = 0; i < 2; i++)
        assert_true(evidence_has(finding_of(&judged, 2101, i), "10 relocated fields"));
    done(&judged, parts);
}

/* Two arrays and what belongs to no array: three findings, and every straddler counted once. */
static void arrays_and_the_rest_are_told_apart(void **state)
{
    (void)state;
    struct judged judged;
    struct parts *parts = new_parts(MACHINE_AMD64);
    size_t first = add_array(parts, DATA_RVA, 800, 10, 2, 0);
    size_t second = add_array(parts, DATA_RVA + 0x3000, 700, 11, 3, 0);
    assert_true(first > 0 && second > 0);
    add_pointer(parts, DATA_RVA + 0x6FFA, 0x1000);
    add_pointer(parts, DATA_RVA + 0x7FFF, 0x1000);
    judge_parts(&judged, parts, TARGET_1607);
    assert_int_equal(finding_count_of(&judged, 2101), 3);
    assert_int_equal(finding_of(&judged, 2101, 0)->place_count, first);
    assert_int_equal(finding_of(&judged, 2101, 1)->place_count, second);
    assert_int_equal(finding_of(&judged, 2101, 2)->place_count, 2);
    assert_words(answer_of(&judged, 2101)->reason, " of 1502 relocations");
    done(&judged, parts);
}

static void a_second_entry_for_a_place_counts_once(void **state)
{
    (void)state;
    struct judged judged;
    struct parts *parts = new_parts(MACHINE_AMD64);
    add_pointer(parts, DATA_RVA + 0xFFC, 0x1000);
    add_entry(parts, DATA_RVA + 0xFFC, BASERELOC_DIR64);
    judge_parts(&judged, parts, TARGET_1607);
    assert_int_equal(finding_of(&judged, 2101, 0)->place_count, 1);
    done(&judged, parts);
}

static void operands_in_code_are_grouped_by_section(void **state)
{
    (void)state;
    struct judged judged;
    struct parts *parts = new_parts(MACHINE_I386);
    add_entry(parts, 0x1FFE, BASERELOC_HIGHLOW);
    add_entry(parts, 0x2FFD, BASERELOC_HIGHLOW);
    judge_parts(&judged, parts, TARGET_1607);
    assert_int_equal(finding_count_of(&judged, 2101), 2);
    assert_string_equal(finding_of(&judged, 2101, 0)->section, ".text");
    assert_words(finding_of(&judged, 2101, 0)->cure, "/Gy");
    assert_string_equal(finding_of(&judged, 2101, 1)->section, ".data");
    done(&judged, parts);
}

/* 64-bit code holds no relocated operands to speak of, so a regular run in .text is data there. */
static void an_array_merged_into_code_is_one_finding_on_64_bit_machines_only(void **state)
{
    (void)state;
    static const uint16_t machines[] = {MACHINE_AMD64, MACHINE_I386};
    for (size_t i = 0; i < 2; i++) {
        struct judged judged;
        struct parts *parts = new_parts(machines[i]);
        bool is_64 = machines[i] == MACHINE_AMD64;
        for (uint32_t site_rva = 0x1F56; site_rva < 0x1FFF; site_rva += 12) /* the last one is 0x1FFE */
            add_entry(parts, site_rva, is_64 ? BASERELOC_DIR64 : BASERELOC_HIGHLOW);
        judge_parts(&judged, parts, TARGET_1607);
        const struct finding *finding = finding_of(&judged, 2101, 0);
        assert_string_equal(finding->section, ".text");
        assert_int_equal(strstr(finding->message, "one array") != NULL, is_64);
        done(&judged, parts);
    }
}

static void values_outside_the_image_are_told(void **state)
{
    (void)state;
    struct judged judged;
    struct parts *parts = new_parts(MACHINE_AMD64);
    store_u64(parts->data + 0xFFC, UINT64_C(0x7FF612345678));
    add_entry(parts, DATA_RVA + 0xFFC, BASERELOC_DIR64);
    judge_parts(&judged, parts, TARGET_1607);
    assert_true(
        evidence_has(finding_of(&judged, 2101, 0), "holds 0x7FF612345678, which lies outside the image"));
    done(&judged, parts);
}

static void a_damaged_table_is_no_silent_pass(void **state)
{
    (void)state;
    struct judged judged;
    struct parts *parts = new_parts(MACHINE_AMD64);
    add_pointer(parts, DATA_RVA + 0x10, 0x1000);
    store_u32(parts->reloc + parts->reloc_nbytes, 0x3000);
    store_u32(parts->reloc + parts->reloc_nbytes + 4, 0x7FFFFFFF);
    parts->reloc_nbytes += 8;
    judge_parts(&judged, parts, TARGET_1607);
    assert_words(answer_of(&judged, 2101)->reason, "Part of it could not be read: ");
    done(&judged, parts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_offsets_of_a_page_decide),
        cmocka_unit_test(place_type_value_and_target_are_told),
        cmocka_unit_test(the_target_release_decides_the_level),
        cmocka_unit_test(an_array_is_one_finding_with_a_count),
        cmocka_unit_test(structures_with_two_pointers_are_one_array),
        cmocka_unit_test(an_array_is_seen_from_either_end),
        cmocka_unit_test(arrays_and_the_rest_are_told_apart),
        cmocka_unit_test(a_second_entry_for_a_place_counts_once),
        cmocka_unit_test(operands_in_code_are_grouped_by_section),
        cmocka_unit_test(an_array_merged_into_code_is_one_finding_on_64_bit_machines_only),
        cmocka_unit_test(values_outside_the_image_are_told),
        cmocka_unit_test(a_damaged_table_is_no_silent_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
