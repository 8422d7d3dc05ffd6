/* test_undo.c - records of repairs: there and back for files that are alike, moved, larger, smaller or empty;
 * what is cut to the room of a description; sizes beside the least that they could have. */
#include "cmocka_all.h"

#include "undo/undo.h"
#include "undo/undo_delta.h"

#include <stdlib.h>

enum { FILE_NBYTES = 100000 };

static int begin(void **state)
{
    struct arena *arena = malloc(sizeof *arena);
    arena_init(arena, NULL);
    *state = arena;
    return 0;
}

static int end(void **state)
{
    arena_free(*state);
    free(*state);
    return 0;
}

/* Bytes that no other place has. */
static uint8_t *noise(struct arena *arena, size_t nbytes, uint32_t seed)
{
    uint8_t *bytes = arena_alloc(arena, nbytes + 1);
    for (size_t i = 0; i < nbytes; i++) {
        seed = seed * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(seed >> 24);
    }
    return bytes;
}

/* The size of the record that leads from `repaired` back to `original`, which it is seen to do. */
static size_t there_and_back(struct arena *arena, struct span original, struct span repaired)
{
    struct undo_description none = {0};
    struct undo_file file;
    struct finding error;
    struct span record, found;
    struct undo_image image;
    assert_true(undo_record_make(original, repaired, &none, arena, &record));
    assert_true(undo_read(record, "x", arena, &file, &error));
    assert_int_equal(file.record_count, 1);
    assert_true(undo_image_of(repaired, &image));
    assert_int_equal(undo_find(&file, &image), 0);
    assert_true(undo_apply(&file, 0, repaired, "x", arena, &found, &error));
    assert_int_equal(found.nbytes, original.nbytes);
    assert_true(original.nbytes == 0 || memcmp(found.bytes, original.bytes, original.nbytes) == 0);
    return record.nbytes;
}

static void test_equal_and_empty(void **state)
{
    struct arena *arena = *state;
    struct span whole = {noise(arena, FILE_NBYTES, 1), FILE_NBYTES}, empty = {whole.bytes, 0};
    struct span one = {whole.bytes, 1};
    assert_true(there_and_back(arena, whole, whole) < 400);
    assert_true(there_and_back(arena, empty, whole) < 200);
    assert_true(there_and_back(arena, whole, empty) < FILE_NBYTES + 400);
    (void)there_and_back(arena, empty, empty);
    (void)there_and_back(arena, one, whole);
    (void)there_and_back(arena, one, empty);
}

/* Pieces in another order, at other distances, with zeros between: what is stored is where they are. */
static void test_moved_pieces(void **state)
{
    struct arena *arena = *state;
    struct span old_file = {noise(arena, FILE_NBYTES, 2), FILE_NBYTES};
    uint8_t *moved = arena_alloc(arena, 2 * FILE_NBYTES);
    memcpy(moved, old_file.bytes, 1000);
    memcpy(moved + 4096, old_file.bytes + 60001, 39999);
    memcpy(moved + 4096 + 40007, old_file.bytes + 1000, 59001);
    assert_true(there_and_back(arena, old_file, (struct span){moved, 2 * FILE_NBYTES}) < 600);
}

/* Every 20th byte is the first of a field of four bytes that became larger by the same, as operands do. */
static void test_patched_fields(void **state)
{
    struct arena *arena = *state;
    struct span old_file = {noise(arena, FILE_NBYTES, 3), FILE_NBYTES};
    uint8_t *patched = arena_alloc(arena, FILE_NBYTES + 0x1000);
    memcpy(patched + 0x1000, old_file.bytes, FILE_NBYTES);
    for (size_t at = 0x1000; at + 4 <= FILE_NBYTES + 0x1000; at += 20)
        store_u32(patched + at, load_u32(patched + at) + 0x1000);
    assert_true(there_and_back(arena, old_file, (struct span){patched, FILE_NBYTES + 0x1000}) < 2500);
}

/* Zeros that are gone, between pieces, cost nothing; nor does an end that was cut off and is zeros. */
static void test_zeros(void **state)
{
    struct arena *arena = *state;
    uint8_t *old_bytes = noise(arena, FILE_NBYTES, 4);
    memset(old_bytes + 20000, 0, 50000);
    uint8_t *new_bytes = arena_alloc(arena, 50000);
    memcpy(new_bytes, old_bytes, 20000);
    memcpy(new_bytes + 20000, old_bytes + 70000, 30000);
    assert_true(
        there_and_back(arena, (struct span){old_bytes, FILE_NBYTES}, (struct span){new_bytes, 50000}) < 500);
}

/* Two files that have nothing in common: never more ranges than there is room for. */
static void test_strangers(void **state)
{
    struct arena *arena = *state;
    struct span delta, old_file = {noise(arena, FILE_NBYTES, 5), FILE_NBYTES};
    struct span new_file = {noise(arena, FILE_NBYTES, 6), FILE_NBYTES}, found;
    uint32_t range_count;
    assert_true(delta_make(old_file, new_file, arena, &delta, &range_count));
    assert_true(range_count <= delta_most_ranges(FILE_NBYTES));
    assert_true(delta_apply(delta, range_count, FILE_NBYTES, new_file, arena, &found));
    assert_memory_equal(found.bytes, old_file.bytes, FILE_NBYTES);
    assert_false(delta_apply(delta, range_count, FILE_NBYTES - 1, new_file, arena, &found));
    assert_false(delta_apply(delta, range_count - 1, FILE_NBYTES, new_file, arena, &found));
    assert_true(there_and_back(arena, old_file, new_file) < FILE_NBYTES + FILE_NBYTES / 50);
}

/* A long list of findings is cut; what is there is whole, and never a reason without its fact. */
static void test_long_description(void **state)
{
    enum { FACT_COUNT = 5000 };
    struct arena *arena = *state;
    struct undo_fact *facts = arena_array(arena, FACT_COUNT, sizeof *facts);
    struct undo_description description = {.image_name = "x.sys", .changes = {facts, FACT_COUNT}};
    struct span file_bytes = {noise(arena, 100, 7), 100}, record;
    struct undo_file file;
    struct finding error;
    for (size_t i = 0; i < FACT_COUNT; i++)
        facts[i] = (struct undo_fact){arena_printf(arena, "change %zu", i), i % 2 ? "because" : NULL};
    assert_true(undo_record_make(file_bytes, file_bytes, &description, arena, &record));
    assert_true(undo_read(record, "x", arena, &file, &error));
    const struct undo_facts *read = &file.records[0].description.changes;
    assert_in_range(read->count, 1000, FACT_COUNT - 1);
    assert_string_equal(file.records[0].description.image_name, "x.sys");
    for (size_t i = 0; i < read->count - 1; i++) {
        assert_string_equal(read->items[i].what, facts[i].what);
        assert_true((read->items[i].why != NULL) == (i % 2 == 1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_equal_and_empty, begin, end),
        cmocka_unit_test_setup_teardown(test_moved_pieces, begin, end),
        cmocka_unit_test_setup_teardown(test_patched_fields, begin, end),
        cmocka_unit_test_setup_teardown(test_zeros, begin, end),
        cmocka_unit_test_setup_teardown(test_strangers, begin, end),
        cmocka_unit_test_setup_teardown(test_long_description, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
