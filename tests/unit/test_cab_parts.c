/* test_cab_parts.c - the directory of a cabinet (package/cab_parts.h), and damaged ones.
 * The cabinet is written here by hand; tests/cli/test_fix_cabinets.py has those of other programs. */
#include "cmocka_all.h"

#include "package/cab_parts.h"

#include <stdlib.h>

enum { FILES_FOFF = 44, DATA_FOFF = 82, CAB_NBYTES = 94 };

/* Two files, "a" and "b\c", stored in one block. */
static const uint8_t cabinet[CAB_NBYTES] = {
    'M',  'S',  'C', 'F',  0,   0, 0, 0, CAB_NBYTES, 0, 0, 0, 0, 0, 0,   0,    FILES_FOFF, 0,         0,
    0,    0,    0,   0,    0,   3, 1, 1, 0,          2, 0, 0, 0, 0, 0,   0,    0,          DATA_FOFF, 0,
    0,    0,    1,   0,    0,   0, 1, 0, 0,          0, 0, 0, 0, 0, 0,   0,    0x21,       0x28,      0x41,
    0x08, 0x20, 0,   'a',  0,   3, 0, 0, 0,          1, 0, 0, 0, 0, 0,   0x22, 0x28,       0x42,      0x08,
    0xA0, 0,    'b', '\\', 'c', 0, 0, 0, 0,          0, 4, 0, 4, 0, 'A', 'B',  'C',        'D'};

static bool find(struct span bytes, struct arena *arena, struct cab_parts *parts)
{
    const char *problem = NULL;
    bool is_found = cab_parts_find(bytes, arena, parts, &problem);
    assert_true(is_found == (problem == NULL));
    return is_found;
}

static void test_read(void **state)
{
    struct arena arena;
    struct cab_parts parts;
    (void)state;
    arena_init(&arena, NULL);
    assert_true(find((struct span){cabinet, sizeof cabinet}, &arena, &parts));
    assert_int_equal(parts.count, 2);
    assert_int_equal(parts.packings, 1 << CAB_STORED);
    assert_false(parts.is_signed || parts.has_reserve || parts.has_more || parts.is_one_of_many);
    assert_string_equal(parts.files[0].name, "a");
    assert_string_equal(parts.files[1].name, "b\\c");
    assert_int_equal(parts.files[1].nbytes, 3);
    assert_int_equal(parts.files[1].date, 0x2822);
    assert_int_equal(parts.files[1].time, 0x842);
    assert_int_equal(parts.files[1].attributes, 0xA0);
    arena_free(&arena);
}

/* Names lie in the bytes, whatever these are. Each case in memory of its own, so that a sanitizer sees more.
 */
static void judge(const uint8_t *bytes, size_t nbytes)
{
    struct arena arena;
    struct cab_parts parts;
    uint8_t *copy = malloc(nbytes + 1);
    assert_non_null(copy);
    memcpy(copy, bytes, nbytes);
    uint8_t *end = realloc(copy, nbytes != 0 ? nbytes : 1);
    assert_non_null(end);
    copy = end;
    arena_init(&arena, NULL);
    if (find((struct span){copy, nbytes}, &arena, &parts) && parts.files)
        for (size_t i = 0; i < parts.count; i++) {
            const uint8_t *name = (const uint8_t *)parts.files[i].name;
            assert_true(name > copy && name + strlen(parts.files[i].name) < copy + nbytes);
        }
    arena_free(&arena);
    free(copy);
}

static void test_damaged(void **state)
{
    static const uint8_t values[] = {0, 1, 2, 4, 5, 0x7F, 0x80, 0xFF};
    uint8_t changed[CAB_NBYTES];
    (void)state;
    for (size_t nbytes = 0; nbytes < CAB_NBYTES; nbytes++)
        judge(cabinet, nbytes);
    for (size_t at = 0; at < CAB_NBYTES; at++)
        for (size_t k = 0; k < sizeof values; k++) {
            memcpy(changed, cabinet, sizeof changed);
            changed[at] = values[k];
            judge(changed, sizeof changed);
        }
}

static void test_many_files(void **state)
{
    struct arena arena;
    struct cab_parts parts;
    uint8_t changed[CAB_NBYTES];
    (void)state;
    arena_init(&arena, NULL);
    memcpy(changed, cabinet, sizeof changed);
    store_u16(changed + 28, 0xFFFF);
    assert_false(find((struct span){changed, sizeof changed}, &arena, &parts));
    memcpy(changed, cabinet, sizeof changed);
    store_u16(changed + 26, 0xFFFF);
    assert_false(find((struct span){changed, sizeof changed}, &arena, &parts));
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_many_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
