/* test_zip_rewrite.c - cutting a zip archive into records (package/zip_rewrite.h), and damaged ones.
 * The archive is written here by hand; tests/cli/test_fix_packages.py has those of other programs. */
#include "cmocka_all.h"

#include "package/zip_rewrite.h"

#include <zlib.h>

enum { FILE_COUNT = 3, ROOM = 2048 };

struct built {
    uint8_t bytes[ROOM];
    size_t nbytes;
};

static void add(struct built *built, const void *bytes, size_t nbytes)
{
    memcpy(built->bytes + built->nbytes, bytes, nbytes);
    built->nbytes += nbytes;
}

static void add_u16(struct built *built, unsigned value)
{
    uint8_t bytes[2];
    store_u16(bytes, (uint16_t)value);
    add(built, bytes, 2);
}

static void add_u32(struct built *built, size_t value)
{
    uint8_t bytes[4];
    store_u32(bytes, (uint32_t)value);
    add(built, bytes, 4);
}

static const char *const contents[FILE_COUNT] = {"first", "the second file", ""};
static const char *const names[FILE_COUNT] = {"a", "dir/b.sys", "empty"};

static struct span content_of(size_t i)
{
    return (struct span){(const uint8_t *)contents[i], strlen(contents[i])};
}

/* What both headers have from "version needed" to the sizes. */
static void add_common(struct built *built, size_t i)
{
    add_u16(built, 10);
    add_u16(built, 0);
    add_u16(built, 0);
    add_u32(built, 0x21 << 16);
    add_u32(built, crc32(0, (const Bytef *)contents[i], (uInt)strlen(contents[i])));
    add_u32(built, strlen(contents[i]));
    add_u32(built, strlen(contents[i]));
    add_u16(built, (unsigned)strlen(names[i]));
}

/* The directory has the files in another order than they lie in. */
static void build(struct built *built)
{
    size_t foffs[FILE_COUNT];
    *built = (struct built){.nbytes = 0};
    for (size_t i = 0; i < FILE_COUNT; i++) {
        foffs[i] = built->nbytes;
        add(built, "PK\3\4", 4);
        add_common(built, i);
        add_u16(built, 0);
        add(built, names[i], strlen(names[i]));
        add(built, contents[i], strlen(contents[i]));
    }
    size_t directory_foff = built->nbytes;
    for (size_t k = FILE_COUNT; k-- > 0;) {
        add(built, "PK\1\2", 4);
        add_u16(built, 20);
        add_common(built, k);
        add_u16(built, 0);
        add_u16(built, 3);
        add_u16(built, 0);
        add_u16(built, 0);
        add_u32(built, 0);
        add_u32(built, foffs[k]);
        add(built, names[k], strlen(names[k]));
        add(built, "say", 3);
    }
    size_t directory_nbytes = built->nbytes - directory_foff;
    add(built, "PK\5\6\0\0\0\0", 8);
    add_u16(built, FILE_COUNT);
    add_u16(built, FILE_COUNT);
    add_u32(built, directory_nbytes);
    add_u32(built, directory_foff);
    add_u16(built, 4);
    add(built, "note", 4);
}

static void test_unchanged(void **state)
{
    struct built built;
    struct arena arena;
    struct span rewritten;
    const char *problem;
    struct zip_change changes[FILE_COUNT] = {{ZIP_KEEP, {NULL, 0}, {NULL, 0}}};
    (void)state;
    build(&built);
    arena_init(&arena, NULL);
    assert_true(zip_rewrite((struct span){built.bytes, built.nbytes}, changes, FILE_COUNT, &arena, &rewritten,
                            &problem));
    assert_int_equal(rewritten.nbytes, built.nbytes);
    assert_memory_equal(rewritten.bytes, built.bytes, built.nbytes);
    arena_free(&arena);
}

static void test_changed(void **state)
{
    struct built built;
    struct arena arena;
    struct span rewritten, again;
    const char *problem;
    static const char longer[] = "a content that is longer than the one before";
    struct zip_change changes[FILE_COUNT] = {
        {ZIP_LEAVE_OUT, {NULL, 0}, {NULL, 0}},
        {ZIP_REPLACE, content_of(1), {(const uint8_t *)longer, strlen(longer)}},
        {ZIP_KEEP, {NULL, 0}, {NULL, 0}}};
    (void)state;
    build(&built);
    arena_init(&arena, NULL);
    assert_true(zip_rewrite((struct span){built.bytes, built.nbytes}, changes, FILE_COUNT, &arena, &rewritten,
                            &problem));
    /* Back again: what was left out stays so. */
    struct zip_change back[] = {{ZIP_REPLACE, {(const uint8_t *)longer, strlen(longer)}, content_of(1)},
                                {ZIP_KEEP, {NULL, 0}, {NULL, 0}}};
    assert_true(zip_rewrite(rewritten, back, 2, &arena, &again, &problem));
    size_t left_out_nbytes = 30 + strlen(names[0]) + strlen(contents[0]) + 46 + strlen(names[0]) + 3;
    assert_int_equal(again.nbytes, built.nbytes - left_out_nbytes);
    /* The content that is replaced has to be the one that is meant. */
    changes[1].old_bytes = content_of(0);
    assert_false(zip_rewrite((struct span){built.bytes, built.nbytes}, changes, FILE_COUNT, &arena,
                             &rewritten, &problem));
    assert_non_null(problem);
    assert_false(
        zip_rewrite((struct span){built.bytes, built.nbytes}, changes, 2, &arena, &rewritten, &problem));
    arena_free(&arena);
}

/* Any byte may be any other, and the file may end anywhere: it is refused, or rewritten, and nothing is read
 * that is not there (the checked build looks). */
static void test_damaged(void **state)
{
    struct built built;
    static const uint8_t values[] = {0x00, 0x01, 0x08, 0x7F, 0x80, 0xFF};
    struct zip_change changes[FILE_COUNT] = {{ZIP_KEEP, {NULL, 0}, {NULL, 0}},
                                             {ZIP_REPLACE, content_of(1), content_of(0)},
                                             {ZIP_LEAVE_OUT, {NULL, 0}, {NULL, 0}}};
    (void)state;
    build(&built);
    for (size_t at = 0; at < built.nbytes; at++)
        for (size_t i = 0; i <= sizeof values; i++) {
            struct arena arena;
            struct span rewritten;
            const char *problem;
            bool is_cut = i == sizeof values;
            size_t nbytes = is_cut ? at : built.nbytes;
            uint8_t *copy = malloc(nbytes + 1);
            assert_non_null(copy);
            memcpy(copy, built.bytes, nbytes);
            if (!is_cut)
                copy[at] = values[i];
            arena_init(&arena, NULL);
            if (!zip_rewrite((struct span){copy, nbytes}, changes, FILE_COUNT, &arena, &rewritten, &problem))
                assert_non_null(problem);
            arena_free(&arena);
            free(copy);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unchanged),
        cmocka_unit_test(test_changed),
        cmocka_unit_test(test_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
