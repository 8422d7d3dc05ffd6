/* test_refs_encoding.c - each way of storing an address: what it points at, how it is stored for a new
 * target, and when that does not fit. The expected targets and values are worked out by hand from the
 * encodings' definitions in refset.h. */
#include "refs_by_hand.h"

enum {
    TEXT_RVA = 0x1000,
    DATA_RVA = 0x3000, /* 0x2000 to 0x3000 is a gap */
    DATA_NBYTES = 0x200,
    FIELD_RVA = DATA_RVA + 0x10
};

struct encoding_case {
    struct ref_spec spec;
    uint64_t stored;
    uint32_t target;
    enum ref_state state;
    uint32_t new_target, new_base;
    bool fits;
    uint64_t new_stored;
};

/* An x64 image at 0x140000000 with .text at 0x1000 and .data at 0x3000, both one page in memory. */
static void check(const struct encoding_case *expected)
{
    uint8_t code[16] = {0xC3}, data[DATA_NBYTES] = {0};
    struct made_image made = make_image(MACHINE_AMD64);
    struct collected c;
    store_width(data + (FIELD_RVA - DATA_RVA), expected->spec.width_nbytes, expected->stored);
    make_section(&made, ".text", TEXT_RVA, MADE_TEXT, code, sizeof code);
    make_section(&made, ".data", DATA_RVA, MADE_DATA, data, sizeof data);
    collect(&c, &made, 0);
    assert_true(refset_add_at_rva(&c.refs, FIELD_RVA, expected->spec));
    assert_int_equal(c.refs.ref_count, 1);
    assert_encodes_back(&c);
    const struct ref *ref = &c.refs.refs[0];
    assert_int_equal(ref->site_rva, FIELD_RVA);
    assert_int_equal(ref->site_foff, made_foff(&made, FIELD_RVA));
    assert_int_equal(ref->target, expected->target);
    assert_string_equal(ref_state_name((enum ref_state)ref->state), ref_state_name(expected->state));
    uint64_t value = 0;
    bool fits = ref_encode(&c.image, ref, expected->stored, expected->new_target, expected->new_base, &value);
    assert_int_equal(fits, expected->fits);
    if (fits)
        assert_true(value == expected->new_stored);
    collected_free(&c, &made);
}

#define SPEC(kind, width) .spec = {.source = SOURCE_IMPORTS, .encoding = (kind), .width_nbytes = (width)}
#define SPEC_BASE(kind, width, base)                                                                         \
    .spec = {.source = SOURCE_IMPORTS, .encoding = (kind), .width_nbytes = (width), .base_rva = (base)}

static void test_absolute_addresses(void **state)
{
    (void)state;
    static const struct encoding_case cases[] = {
        {SPEC(REF_VA, 8), 0x140001004, 0x1004, REF_RESOLVED, 0x5004, 0, true, 0x140005004},
        {SPEC(REF_VA, 8), 0x140000000, 0, REF_HEADERS, 0, 0, true, 0x140000000},
        {SPEC(REF_VA, 8), 0x140002000, 0x2000, REF_SECTION_END, 0x6000, 0, true, 0x140006000},
        {SPEC(REF_VA, 8), 0x140002800, 0x2800, REF_GAP, 0x2900, 0, true, 0x140002900},
        {SPEC(REF_VA, 8), 0x140004000, 0x4000, REF_SECTION_END, 0x5000, 0, true, 0x140005000},
        {SPEC(REF_VA, 8), 0, 0, REF_NULL, 0x5000, 0, true, 0},
        /* Below the base and far above it: the value keeps its upper half, the difference moves it. */
        {SPEC(REF_VA, 8), 0x13FFFFFF0, 0xFFFFFFF0, REF_OUTSIDE, 0xFFFFFFF8, 0, true, 0x13FFFFFF8},
        {SPEC(REF_VA, 8), 0x7FFE00000320, 0xC0000320, REF_OUTSIDE, 0xC0000320, 0, true, 0x7FFE00000320},
        /* A 4-byte field cannot hold an address above 4 GiB. */
        {SPEC(REF_VA, 4), 0x40001004, 0x1004, REF_OUTSIDE, 0, 0, true, 0x40000000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check(&cases[i]);
}

static void test_rvas(void **state)
{
    (void)state;
    static const struct encoding_case cases[] = {
        {SPEC(REF_RVA, 4), 0x1004, 0x1004, REF_RESOLVED, 0x9004, 0, true, 0x9004},
        {SPEC(REF_RVA, 4), 0, 0, REF_NULL, 0x9004, 0, true, 0},
        {SPEC(REF_RVA, 4), 0x90000000, 0x90000000, REF_OUTSIDE, 0x90000000, 0, true, 0x90000000},
        {SPEC(REF_RVA, 4), 0x1004, 0x1004, REF_RESOLVED, 0x80000000, 0, false, 0},
        {SPEC(REF_RVA, 8), 0x3100, 0x3100, REF_RESOLVED, 0x7100, 0, true, 0x7100},
        {SPEC(REF_RVA_FLAGS, 4), 0x3021, 0x3020, REF_RESOLVED, 0x7020, 0, true, 0x7021},
        {SPEC(REF_RVA_FLAGS, 4), 0x3021, 0x3020, REF_RESOLVED, 0x7022, 0, false, 0},
        {SPEC(REF_IMAGE_REL, 4), 0x3010, 0x3010, REF_RESOLVED, 0x8010, 0, true, 0x8010},
        {SPEC(REF_IMAGE_REL, 4), 0, 0, REF_HEADERS, 0, 0, true, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check(&cases[i]);
}

static void test_distances(void **state)
{
    (void)state;
    static const struct encoding_case cases[] = {
        {SPEC_BASE(REF_PCREL, 4, 0x3014), 0xFFFFDFF0, 0x1004, REF_RESOLVED, 0x1004, 0x7014, true, 0xFFFF9FF0},
        {SPEC_BASE(REF_PCREL, 1, 0x1010), 0xF4, 0x1004, REF_RESOLVED, 0x1000, 0x1010, true, 0xF0},
        {SPEC_BASE(REF_PCREL, 1, 0x1010), 0xF4, 0x1004, REF_RESOLVED, 0x1004, 0x1085, false, 0},
        {SPEC_BASE(REF_LABEL_DIFF, 2, 0x3010), 0xE000, 0x1010, REF_RESOLVED, 0x1010, 0x9000, true, 0x8010},
        {SPEC_BASE(REF_LABEL_DIFF, 2, 0x3010), 0xE000, 0x1010, REF_RESOLVED, 0x1010, 0x9100, false, 0},
        {SPEC_BASE(REF_OFFSET, 2, 0x3000), 0x20, 0x3020, REF_RESOLVED, 0x4020, 0x4000, true, 0x20},
        {SPEC_BASE(REF_OFFSET, 2, 0x3000), 0x20, 0x3020, REF_RESOLVED, 0x13000, 0x3000, false, 0},
        {SPEC_BASE(REF_OFFSET, 4, 0x3000), 0x80000020, 0x3020, REF_RESOLVED, 0x3040, 0x3000, true,
         0x80000040},
        {SPEC_BASE(REF_PAGE_12, 2, 0x3000), 0xA123, 0x3123, REF_RESOLVED, 0x7456, 0x7000, true, 0xA456},
        {SPEC_BASE(REF_PAGE_12, 2, 0x3000), 0xA123, 0x3123, REF_RESOLVED, 0x8000, 0x7000, false, 0},
        {SPEC_BASE(REF_PAGE_12, 4, 0x1000), 0x00012004, 0x1004, REF_RESOLVED, 0x5008, 0x5000, true,
         0x00012008},
        {SPEC_BASE(REF_PAGE_10X4, 4, 0x1000), 0x00010401, 0x1004, REF_RESOLVED, 0x5008, 0x5000, true,
         0x00010402},
        {SPEC_BASE(REF_PAGE_10X4, 4, 0x1000), 0x00010401, 0x1004, REF_RESOLVED, 0x5006, 0x5000, false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check(&cases[i]);
}

static void test_places_that_are_not_addresses(void **state)
{
    (void)state;
    static const struct encoding_case cases[] = {
        {SPEC(REF_FOFF, 4), 0x10, 0x10, REF_RESOLVED, 0x30, 0, true, 0x30},
        {SPEC(REF_FOFF, 4), 0x100000, 0x100000, REF_OUTSIDE, 0x30, 0, true, 0x30},
        {SPEC(REF_FOFF, 4), 0, 0, REF_NULL, 0x30, 0, true, 0},
        {SPEC(REF_SECTION_INDEX, 2), 2, 2, REF_RESOLVED, 3, 0, true, 3},
        {SPEC(REF_SECTION_INDEX, 2), 3, 3, REF_OUTSIDE, 3, 0, true, 3},
        {SPEC(REF_SECTION_INDEX, 2), 0xFFFF, 0xFFFF, REF_CONSTANT, 1, 0, true, 0xFFFF},
        {SPEC(REF_SECTION_INDEX, 2), 2, 2, REF_RESOLVED, 0x10000, 0, false, 0},
        {SPEC_BASE(REF_SIZE, 4, 0x1000), 0x400, 0x1000, REF_RESOLVED, 0x5000, 0x5000, true, 0x400},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check(&cases[i]);
}

static void test_constants_keep_their_value(void **state)
{
    (void)state;
    struct encoding_case ordinal = {
        SPEC(REF_RVA, 8), 0x8000000000000012, 0x12, REF_CONSTANT, 0x5000, 0, true, 0x8000000000000012};
    ordinal.spec.is_constant = true;
    check(&ordinal);
}

/* The loader adds to a relocated field whatever it holds, so 0 is not "nothing" there. */
static void test_zero_under_a_relocation_is_an_address(void **state)
{
    (void)state;
    static const struct encoding_case zero = {
        .spec = {.source = SOURCE_RELOCATED, .encoding = REF_VA, .width_nbytes = 8},
        .target = 0xC0000000,
        .state = REF_OUTSIDE,
        .new_target = 0xC0000000,
        .fits = true,
    };
    check(&zero);
}

static void test_a_table_field_goes_in_once(void **state)
{
    (void)state;
    uint8_t data[16] = {0, 0x10};
    struct made_image made = make_image(MACHINE_AMD64);
    struct collected c;
    struct ref_spec table = {.source = SOURCE_EXPORTS, .encoding = REF_RVA, .width_nbytes = 4};
    struct ref_spec code = {.source = SOURCE_CODE, .encoding = REF_RVA, .width_nbytes = 4};
    make_section(&made, ".data", TEXT_RVA, MADE_DATA, data, sizeof data);
    collect(&c, &made, 0);
    assert_true(refset_add_at_rva(&c.refs, TEXT_RVA, table));
    assert_true(refset_add_at_rva(&c.refs, TEXT_RVA, table));
    assert_int_equal(c.refs.ref_count, 1);
    assert_problem(&c, SOURCE_EXPORTS, "part of two tables");
    assert_true(refset_add_at_rva(&c.refs, TEXT_RVA, code));
    assert_int_equal(c.refs.ref_count, 2);
    collected_free(&c, &made);
}

static void test_fields_outside_the_file_are_problems(void **state)
{
    (void)state;
    uint8_t data[16] = {0};
    struct made_image made = make_image(MACHINE_AMD64);
    struct collected c;
    struct ref_spec spec = {.source = SOURCE_TLS, .encoding = REF_VA, .width_nbytes = 8};
    make_section(&made, ".data", TEXT_RVA, MADE_DATA, data, sizeof data);
    collect(&c, &made, 0);
    assert_true(refset_add(&c.refs, made.file_nbytes - 7, spec));
    assert_true(refset_add(&c.refs, UINT64_MAX, spec));
    assert_true(refset_add_at_rva(&c.refs, TEXT_RVA + 0x1FC, spec));
    assert_true(refset_add_at_rva(&c.refs, 0xFFFFFFFE, spec));
    assert_int_equal(c.refs.ref_count, 0);
    assert_int_equal(count_problems(&c, SOURCE_TLS), 4);
    collected_free(&c, &made);
}

static void test_problems_of_one_source_are_limited(void **state)
{
    (void)state;
    uint8_t data[16] = {0};
    struct made_image made = make_image(MACHINE_AMD64);
    struct collected c;
    make_section(&made, ".data", TEXT_RVA, MADE_DATA, data, sizeof data);
    collect(&c, &made, 0);
    for (int i = 0; i < 3 * REFSET_MAX_PROBLEMS; i++)
        assert_true(refset_problem(&c.refs, SOURCE_DEBUG, NO_RVA, NO_FILE_OFFSET, "Number %d.", i));
    assert_true(refset_problem(&c.refs, SOURCE_TLS, NO_RVA, NO_FILE_OFFSET, "Another source."));
    assert_int_equal(count_problems(&c, SOURCE_DEBUG), REFSET_MAX_PROBLEMS);
    assert_problem(&c, SOURCE_DEBUG, "not listed");
    assert_problem(&c, SOURCE_TLS, "Another source.");
    collected_free(&c, &made);
}

static void test_every_value_has_its_own_name(void **state)
{
    (void)state;
    for (int i = 0; i < SOURCE_COUNT; i++)
        for (int j = 0; j < i; j++)
            assert_string_not_equal(ref_source_name((enum ref_source)i), ref_source_name((enum ref_source)j));
    for (int i = 0; i <= REF_ARM64_INSTRUCTION; i++)
        for (int j = 0; j < i; j++)
            assert_string_not_equal(ref_encoding_name((enum ref_encoding)i),
                                    ref_encoding_name((enum ref_encoding)j));
    assert_string_equal(ref_source_name(SOURCE_COUNT), "unknown");
    for (int i = 0; i < EXTENT_KIND_COUNT; i++)
        assert_string_not_equal(extent_kind_name((enum extent_kind)i), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_absolute_addresses),
        cmocka_unit_test(test_rvas),
        cmocka_unit_test(test_distances),
        cmocka_unit_test(test_places_that_are_not_addresses),
        cmocka_unit_test(test_constants_keep_their_value),
        cmocka_unit_test(test_zero_under_a_relocation_is_an_address),
        cmocka_unit_test(test_a_table_field_goes_in_once),
        cmocka_unit_test(test_fields_outside_the_file_are_problems),
        cmocka_unit_test(test_problems_of_one_source_are_limited),
        cmocka_unit_test(test_every_value_has_its_own_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
