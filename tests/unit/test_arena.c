/* test_arena.c - what the arena does with memory: arrays that grow, blocks that are kept from one arena to
 * the next.
 */
#include "cmocka_all.h"

#include "base/arena.h"
#include "base/heap.h"

enum { PREFIX_NBYTES = 16, MEBIBYTE = 1024 * 1024 };

/* malloc() that knows how much is out. */
struct ledger {
    size_t live_nbytes, most_nbytes;
    int refuse_after; /* so many allocations; negative: never */
};

static void *ledger_alloc(void *context, size_t nbytes)
{
    struct ledger *ledger = context;
    if (ledger->refuse_after == 0)
        return NULL;
    if (ledger->refuse_after > 0)
        ledger->refuse_after--;
    uint8_t *block = malloc(nbytes + PREFIX_NBYTES);
    assert_non_null(block);
    memcpy(block, &nbytes, sizeof nbytes);
    ledger->live_nbytes += nbytes;
    if (ledger->live_nbytes > ledger->most_nbytes)
        ledger->most_nbytes = ledger->live_nbytes;
    return block + PREFIX_NBYTES;
}

static void ledger_release(void *context, void *payload)
{
    uint8_t *block = (uint8_t *)payload - PREFIX_NBYTES;
    size_t nbytes;
    memcpy(&nbytes, block, sizeof nbytes);
    ((struct ledger *)context)->live_nbytes -= nbytes;
    free(block);
}

/* Grows an array one element at a time between other allocations; every element holds its number. */
static void grow_beside_others(struct arena *arena, size_t element_nbytes, uint32_t count)
{
    uint8_t *items = NULL;
    size_t capacity = 0;
    for (uint32_t i = 0; i < count; i++) {
        items = arena_grow(arena, items, i, &capacity, (size_t)i + 1, element_nbytes);
        assert_non_null(items);
        assert_true(capacity > i);
        assert_int_equal((uintptr_t)items % 16, 0);
        memset(items + i * element_nbytes, 0xEE, element_nbytes);
        memcpy(items + i * element_nbytes, &i, sizeof i);
        if (i % 64 == 0)
            memset(arena_alloc(arena, 40), 0xDD, 40);
    }
    /* What is said to be there can be written to. */
    memset(items + count * element_nbytes, 0xCC, (capacity - count) * element_nbytes);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number;
        memcpy(&number, items + i * element_nbytes, sizeof number);
        assert_int_equal(number, i);
    }
}

static void test_growing_arrays_keep_their_elements(void **state)
{
    (void)state;
    static const size_t sizes[] = {4, 12, 24, 40, 80, 100};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct arena arena;
        arena_init(&arena, NULL);
        grow_beside_others(&arena, sizes[i], 60000);
        assert_false(arena.exhausted);
        arena_free(&arena);
    }
}

static void test_growing_arrays_leave_little_behind(void **state)
{
    (void)state;
    static const size_t sizes[] = {4, 24, 80};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint32_t count = (uint32_t)(20 * MEBIBYTE / sizes[i]);
        struct ledger ledger = {.refuse_after = -1};
        struct allocator allocator = {ledger_alloc, ledger_release, &ledger, 0};
        struct arena arena;
        arena_init(&arena, &allocator);
        grow_beside_others(&arena, sizes[i], count);
        size_t beside_nbytes = (size_t)count / 64 * 48;
        /* Twice the size, since it grows by doubling, and the half that is copied from. */
        assert_in_range(ledger.most_nbytes, 20 * MEBIBYTE, 62 * MEBIBYTE + beside_nbytes);
        assert_in_range(ledger.live_nbytes, 20 * MEBIBYTE, 42 * MEBIBYTE + beside_nbytes);
        assert_true(arena.total_nbytes == ledger.live_nbytes);
        arena_free(&arena);
        assert_int_equal(ledger.live_nbytes, 0);
    }
}

static void test_text_at_the_end_of_a_block_grows_where_it_is(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL);
    size_t capacity = 0;
    char *first = arena_grow(&arena, NULL, 0, &capacity, 10, 1);
    char *again = arena_grow(&arena, first, 10, &capacity, 100, 1);
    assert_ptr_equal(first, again);
    assert_true(capacity >= 100);
    uint8_t *next = arena_alloc(&arena, 8);
    assert_true((char *)next >= again + capacity);
    arena_free(&arena);
}

static void test_an_array_that_cannot_grow_is_still_there(void **state)
{
    (void)state;
    for (size_t element_nbytes = 1; element_nbytes <= 24; element_nbytes += 23) {
        struct ledger ledger = {.refuse_after = 1};
        struct allocator allocator = {ledger_alloc, ledger_release, &ledger, 1};
        struct arena arena;
        arena_init(&arena, &allocator);
        size_t capacity = 0;
        uint8_t *items = arena_grow(&arena, NULL, 0, &capacity, 30000, element_nbytes);
        assert_non_null(items);
        size_t before = capacity;
        memset(items, 7, capacity * element_nbytes);
        assert_null(arena_grow(&arena, items, capacity, &capacity, capacity + 1, element_nbytes));
        assert_true(arena.exhausted);
        assert_int_equal(capacity, before);
        for (size_t i = 0; i < before * element_nbytes; i++)
            assert_int_equal(items[i], 7);
        assert_null(arena_grow(&arena, items, 1, &capacity, SIZE_MAX / 2, element_nbytes + 2));
        assert_int_equal(capacity, before);
        arena_free(&arena);
        assert_int_equal(ledger.live_nbytes, 0);
    }
}

static void test_a_stock_serves_the_next_arena(void **state)
{
    (void)state;
    struct arena_stock stock = {0};
    struct arena arena;
    const void *first = NULL;
    for (int round = 0; round < 3; round++) {
        arena_init(&arena, NULL);
        arena_use_stock(&arena, &stock);
        uint8_t *large = arena_alloc_unset(&arena, 3 * MEBIBYTE);
        assert_non_null(large);
        if (round == 0)
            first = large;
        assert_ptr_equal(large, first);
        memset(large, 0xBB, 3 * MEBIBYTE);
        uint8_t *zeroed = arena_alloc(&arena, 3000); /* also where something was before */
        for (size_t i = 0; i < 3000; i++)
            assert_int_equal(zeroed[i], 0);
        memset(zeroed, 0xBB, 3000);
        grow_beside_others(&arena, 24, 30000);
        arena_free(&arena);
        assert_true(stock.block_count > 0);
    }
    /* What is too small is left in the stock. */
    arena_init(&arena, NULL);
    arena_use_stock(&arena, &stock);
    memset(arena_alloc_unset(&arena, 9 * MEBIBYTE), 1, 9 * MEBIBYTE);
    arena_free(&arena);
    arena_stock_free(&stock);
    assert_null(stock.blocks);
    assert_int_equal(stock.total_nbytes, 0);
}

static void test_a_stock_has_an_end(void **state)
{
    (void)state;
    struct arena_stock stock = {0};
    struct arena arena;
    arena_init(&arena, NULL);
    arena_use_stock(&arena, &stock);
    for (int i = 0; i < 300; i++)
        assert_non_null(arena_alloc(&arena, 200 * 1024));
    arena_free(&arena);
    assert_in_range(stock.total_nbytes, 1, 16 * MEBIBYTE);
    assert_in_range(stock.block_count, 1, 64);
    arena_init(&arena, NULL);
    arena_use_stock(&arena, &stock);
    assert_non_null(arena_alloc(&arena, 40 * MEBIBYTE));
    arena_free(&arena);
    assert_in_range(stock.total_nbytes, 1, 16 * MEBIBYTE);
    arena_stock_free(&stock);
}

static void test_sizes_that_the_heap_likes(void **state)
{
    (void)state;
    for (size_t nbytes = 1; nbytes < (size_t)64 * MEBIBYTE; nbytes = nbytes * 3 + 1) {
        size_t good_nbytes = heap_good_nbytes(nbytes);
        assert_true(good_nbytes >= nbytes && good_nbytes <= nbytes + 2 * MEBIBYTE);
        uint8_t *block = heap_alloc(good_nbytes);
        assert_non_null(block);
        memset(block, 1, good_nbytes);
        heap_release(block);
    }
    assert_true(heap_good_nbytes(SIZE_MAX - 5) >= SIZE_MAX - 5);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_growing_arrays_keep_their_elements),
        cmocka_unit_test(test_growing_arrays_leave_little_behind),
        cmocka_unit_test(test_text_at_the_end_of_a_block_grows_where_it_is),
        cmocka_unit_test(test_an_array_that_cannot_grow_is_still_there),
        cmocka_unit_test(test_a_stock_serves_the_next_arena),
        cmocka_unit_test(test_a_stock_has_an_end),
        cmocka_unit_test(test_sizes_that_the_heap_likes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
