/* test_base.c - spans, arena, text: the ground that everything reads and writes on. */
#include "cmocka_all.h"

#include "base/arena.h"
#include "base/finding.h"
#include "base/span.h"
#include "base/text.h"

static void test_ranges_at_their_edges(void **state)
{
    (void)state;
    assert_true(range_fits(10, 0, 10));
    assert_true(range_fits(10, 10, 0));
    assert_false(range_fits(10, 11, 0));
    assert_false(range_fits(10, 1, 10));
    /* sums that would wrap */
    assert_false(range_fits(10, UINT64_MAX, 2));
    assert_false(range_fits(10, 2, UINT64_MAX));
    assert_true(ranges_overlap(0, 4, 3, 1));
    assert_false(ranges_overlap(0, 4, 4, 1));
    assert_false(ranges_overlap(0, 0, 0, 4));
}

static void test_reads_stop_at_the_end(void **state)
{
    (void)state;
    uint8_t *bytes = malloc(8); /* exactly 8, so that a sanitizer sees a ninth */
    assert_non_null(bytes);
    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(i + 1);
    struct span span = {bytes, 8};
    uint8_t u8 = 0xAA;
    uint16_t u16 = 0xAAAA;
    uint32_t u32 = 0xAAAAAAAA;
    uint64_t u64 = 0;
    assert_true(span_u8(span, 7, &u8) && u8 == 8);
    assert_true(span_u16(span, 6, &u16) && u16 == 0x0807);
    assert_true(span_u32(span, 4, &u32) && u32 == 0x08070605);
    assert_true(span_u64(span, 0, &u64) && u64 == UINT64_C(0x0807060504030201));
    assert_false(span_u8(span, 8, &u8));
    assert_false(span_u16(span, 7, &u16));
    assert_false(span_u32(span, 5, &u32));
    assert_false(span_u64(span, 1, &u64));
    assert_false(span_u32(span, UINT64_MAX, &u32));
    assert_int_equal(u32, 0x08070605); /* untouched by the failures */
    free(bytes);
}

static void test_widths_round_trip(void **state)
{
    (void)state;
    static const unsigned widths[] = {1, 2, 4, 8};
    for (size_t i = 0; i < 4; i++) {
        uint8_t bytes[9] = {0};
        store_width(bytes, widths[i], UINT64_C(0x8877665544332211));
        uint64_t mask = widths[i] == 8 ? UINT64_MAX : (UINT64_C(1) << (8 * widths[i])) - 1;
        assert_true(load_width(bytes, widths[i]) == (UINT64_C(0x8877665544332211) & mask));
        assert_int_equal(bytes[widths[i]], 0);
    }
}

static void test_strings_need_their_end(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {'a', 'b', 0, 'c', 'd'};
    struct span span = {bytes, sizeof bytes};
    size_t length = 99;
    assert_true(span_cstr(span, 0, 10, &length));
    assert_int_equal(length, 2);
    assert_false(span_cstr(span, 3, 10, &length)); /* runs to the end without a NUL */
    assert_false(span_cstr(span, 0, 2, &length));  /* NUL beyond the limit */
    assert_false(span_cstr(span, 5, 10, &length));
    assert_true(span_is_filled((struct span){bytes, 0}, 7));
    assert_true(span_is_filled((struct span){(const uint8_t *)"\0\0\0", 3}, 0));
    assert_false(span_is_filled((struct span){(const uint8_t *)"\0\0\1", 3}, 0));
}

static void test_rounding(void **state)
{
    (void)state;
    uint32_t rounded = 1;
    assert_true(round_up_u32(0x1001, 0x1000, &rounded) && rounded == 0x2000);
    assert_true(round_up_u32(0, 0x1000, &rounded) && rounded == 0);
    assert_false(round_up_u32(5, 0, &rounded));
    assert_false(round_up_u32(5, 3, &rounded));
    assert_false(round_up_u32(UINT32_MAX, 0x1000, &rounded)); /* 2^32 does not fit */
    assert_true(round_up_u32(0xFFFFF000, 0x1000, &rounded) && rounded == 0xFFFFF000);
}

struct counting {
    int live, allowed;
};

static void *counting_alloc(void *context, size_t nbytes)
{
    struct counting *counting = context;
    if (counting->allowed-- <= 0)
        return NULL;
    counting->live++;
    return malloc(nbytes);
}

static void counting_release(void *context, void *block)
{
    ((struct counting *)context)->live--;
    free(block);
}

static void test_arena_gives_zeroed_aligned_memory_and_returns_all(void **state)
{
    (void)state;
    struct counting counting = {0, 1000};
    struct allocator allocator = {counting_alloc, counting_release, &counting, 0};
    struct arena arena;
    arena_init(&arena, &allocator);
    for (size_t nbytes = 0; nbytes < 5000; nbytes += 37) {
        uint8_t *block = arena_alloc(&arena, nbytes);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % 16, 0);
        for (size_t i = 0; i < nbytes; i++)
            assert_int_equal(block[i], 0);
        memset(block, 0xFF, nbytes);
    }
    assert_null(arena_array(&arena, SIZE_MAX / 2, 3));
    assert_true(arena.exhausted);
    assert_true(counting.live > 0);
    arena_free(&arena);
    assert_int_equal(counting.live, 0);
}

static void test_arena_failure_is_remembered(void **state)
{
    (void)state;
    struct counting counting = {0, 0};
    struct allocator allocator = {counting_alloc, counting_release, &counting, 0};
    struct arena arena;
    arena_init(&arena, &allocator);
    assert_null(arena_alloc(&arena, 8));
    assert_true(arena.exhausted);
    assert_string_equal(arena_printf(&arena, "%d", 7), "");
    struct text text = {.arena = &arena};
    text_addz(&text, "gone");
    assert_int_equal(text.nbytes, 0);
    arena_free(&arena);
}

static void test_growing_keeps_elements(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL);
    uint32_t *items = NULL;
    size_t capacity = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        items = arena_grow(&arena, items, i, &capacity, i + 1, sizeof *items);
        assert_non_null(items);
        items[i] = i * 3;
    }
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(items[i], i * 3);
    arena_free(&arena);
}

static void test_text_and_findings(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL);
    struct text text = {.arena = &arena};
    text_addz(&text, "ab");
    text_pad_to_column(&text, 0, 5);
    text_printf(&text, "%03d", 7);
    assert_string_equal(text.chars, "ab   007");

    struct finding_list list = {.arena = &arena};
    assert_int_equal(finding_worst(&list), LEVEL_OFF);
    struct finding note = finding_make(&arena, HVCI9005_UNSUPPORTED, LEVEL_NOTE, "n%d.", 1);
    for (int i = 0; i < FINDING_MAX_EVIDENCE + 5; i++)
        finding_evidence(&arena, &note, "line %d", i);
    assert_int_equal(note.evidence_count, FINDING_MAX_EVIDENCE);
    assert_string_equal(note.evidence[63], "line 63");
    struct finding error = finding_make(&arena, HVCI9002_TRUNCATED, LEVEL_ERROR, "e.");
    assert_true(finding_add(&list, &error));
    assert_true(finding_add(&list, &note));
    assert_int_equal(finding_worst(&list), LEVEL_ERROR);
    assert_string_equal(list.items[1].message, "n1.");
    assert_true(list.items[0].rva == NO_RVA && list.items[0].file_offset == NO_FILE_OFFSET);
    arena_free(&arena);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges_at_their_edges),
        cmocka_unit_test(test_reads_stop_at_the_end),
        cmocka_unit_test(test_widths_round_trip),
        cmocka_unit_test(test_strings_need_their_end),
        cmocka_unit_test(test_rounding),
        cmocka_unit_test(test_arena_gives_zeroed_aligned_memory_and_returns_all),
        cmocka_unit_test(test_arena_failure_is_remembered),
        cmocka_unit_test(test_growing_keeps_elements),
        cmocka_unit_test(test_text_and_findings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
