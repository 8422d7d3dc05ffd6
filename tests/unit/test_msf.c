/* test_msf.c - the container of a PDB: what is read of one that was laid out by hand, what is refused, and
 * what a change writes. Expected free block maps are counted here, from the numbers in the new directory. */
#include "make_msf.h"

#include "pdb/msf.h"

static const uint8_t letters[1300] = {'a', 'b', 'c'};
static const struct span usual_streams[] = {{letters, 40},      {letters, 1300}, {NULL, 0},
                                            {letters + 1, 512}, {letters, 0},    {letters + 2, 1}};
enum { USUAL_COUNT = sizeof usual_streams / sizeof usual_streams[0] };

static void test_streams_are_read(void **state)
{
    struct made_msf made;
    struct msf msf;
    struct finding error;
    struct span contents;
    make_msf(&made, usual_streams, USUAL_COUNT);
    assert_true(msf_open(made_file(&made), *state, &msf, &error));
    assert_int_equal(msf.stream_count, USUAL_COUNT);
    for (uint32_t i = 0; i < USUAL_COUNT; i++) {
        assert_int_equal(msf.streams[i].is_nil, i == 2);
        assert_true(msf_read(&msf, i, *state, &contents));
        assert_true(span_is_equal(contents, usual_streams[i]));
    }
    assert_true(msf_read(&msf, USUAL_COUNT, *state, &contents));
    assert_int_equal(contents.nbytes, 0);
}

/* The blocks of a stream may stand in any order. */
static void test_scattered_blocks(void **state)
{
    struct made_msf made;
    struct msf msf;
    struct finding error;
    struct span contents;
    uint8_t numbered[1300];
    for (size_t i = 0; i < sizeof numbered; i++)
        numbered[i] = (uint8_t)(i / MADE_BLOCK_NBYTES);
    make_msf(&made, &(struct span){numbered, sizeof numbered}, 1);
    /* The last block, which is not full, becomes the first. */
    store_u32(made.bytes + made.numbers_foff[0], made.first_block[0] + 2);
    store_u32(made.bytes + made.numbers_foff[0] + 8, made.first_block[0]);
    assert_true(msf_open(made_file(&made), *state, &msf, &error));
    assert_true(msf_read(&msf, 0, *state, &contents));
    assert_int_equal(contents.nbytes, sizeof numbered);
    assert_int_equal(contents.bytes[0], 2);
    assert_int_equal(contents.bytes[MADE_BLOCK_NBYTES], 1);
    assert_int_equal(contents.bytes[sizeof numbered - 1], 0);
}

static void expect_refusal(struct arena *arena, struct span file, const char *words)
{
    struct msf msf;
    struct finding error = {0};
    assert_false(msf_open(file, arena, &msf, &error));
    assert_int_equal(error.code, HVCI9080_PDB_UNREADABLE);
    if (!strstr(error.message, words))
        fail_msg("\"%s\" instead of \"%s\"", error.message, words);
}

/* One number of the file is another one. */
static void expect_refused_number(struct arena *arena, uint32_t foff, uint32_t number, const char *words)
{
    struct made_msf made;
    make_msf(&made, usual_streams, USUAL_COUNT);
    store_u32(made.bytes + foff, number);
    expect_refusal(arena, made_file(&made), words);
}

static void test_damaged_superblock(void **state)
{
    static const struct {
        uint32_t foff, number;
        const char *words;
    } cases[] = {
        {0, 0, "does not begin like"},
        {28, 0x01000000, "does not begin like"},
        {MADE_AT_BLOCK_NBYTES, 0, "size of its blocks"},
        {MADE_AT_BLOCK_NBYTES, 256, "size of its blocks"},
        {MADE_AT_BLOCK_NBYTES, 1000, "size of its blocks"},
        {MADE_AT_BLOCK_NBYTES, 65536, "size of its blocks"},
        {MADE_AT_BLOCK_NBYTES, 0x80000000, "size of its blocks"},
        {MADE_AT_BLOCK_NBYTES, 1024, "longer or shorter"},
        {MADE_AT_FREE_MAP, 0, "free block map"},
        {MADE_AT_FREE_MAP, 3, "free block map"},
        {MADE_AT_BLOCK_COUNT, 0, "longer or shorter"},
        {MADE_AT_BLOCK_COUNT, 0xFFFFFFFF, "longer or shorter"},
        {MADE_AT_BLOCK_COUNT, 0x00800009, "longer or shorter"}, /* times 512 it is right in 32 bits */
        {MADE_AT_DIRECTORY_NBYTES, 0, "directory is longer"},
        {MADE_AT_DIRECTORY_NBYTES, 3, "directory is longer"},
        {MADE_AT_DIRECTORY_NBYTES, 0xFFFFFFFF, "directory is longer"},
        {MADE_AT_BLOCK_MAP, 0, "the same block"}, /* the superblock itself */
        {MADE_AT_BLOCK_MAP, 1, "the same block"}, /* a free block map */
        {MADE_AT_BLOCK_MAP, 2, "the same block"},
        {MADE_AT_BLOCK_MAP, MADE_MOST_BLOCKS, "behind its end"},
        {MADE_AT_BLOCK_MAP, 0xFFFFFFFF, "behind its end"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_refused_number(*state, cases[i].foff, cases[i].number, cases[i].words);
}

static void test_damaged_directory(void **state)
{
    struct made_msf made;
    make_msf(&made, usual_streams, USUAL_COUNT);
    uint32_t count = made.directory_foff, sizes = count + 4, own = made.directory_foff / MADE_BLOCK_NBYTES;
    uint32_t map = (own + 1) * MADE_BLOCK_NBYTES;
    const struct {
        uint32_t foff, number;
        const char *words;
    } cases[] = {
        {map, own + 1, "the same block"}, /* the block that names the directory's names itself */
        {map, 0, "the same block"},
        {map, made.block_count, "behind its end"},
        {count, 0, "longer than its streams"},
        {count, USUAL_COUNT - 1, "longer than its streams"},
        {count, USUAL_COUNT + 1, "cut short"},
        {count, 65536, "cut short"},
        {count, 0x40000001, "cut short"}, /* times 4 it is small in 32 bits */
        {count, 0xFFFFFFFF, "cut short"},
        {sizes + 4, 0, "longer than its streams"},
        {sizes + 4, 1537, "cut short"},
        {sizes + 4, 0xFFFFFFFE, "cut short"}, /* 0xFFFFFFFF would mean that there is none */
        {sizes + 4, 0xFFFFFFFF, "longer than its streams"},
        {sizes + 16, 1, "cut short"},
        {made.numbers_foff[1], 0, "the same block"},
        {made.numbers_foff[1], 2, "the same block"},
        {made.numbers_foff[1], own, "the same block"},     /* the directory */
        {made.numbers_foff[1], own + 1, "the same block"}, /* its block map */
        {made.numbers_foff[1] + 4, made.first_block[1], "the same block"},
        {made.numbers_foff[3], made.first_block[1], "the same block"}, /* of another stream */
        {made.numbers_foff[3], made.block_count, "behind its end"},
        {made.numbers_foff[3], 0xFFFFFFFF, "behind its end"},
        {made.numbers_foff[0], made.block_count, "behind its end"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_refused_number(*state, cases[i].foff, cases[i].number, cases[i].words);
}

/* Stream 0 is what the directory once was; its blocks may have been given to others. */
static void test_the_old_directory_may_share(void **state)
{
    struct made_msf made;
    struct msf msf;
    struct finding error;
    make_msf(&made, usual_streams, USUAL_COUNT);
    store_u32(made.bytes + made.numbers_foff[0], made.first_block[1]);
    assert_true(msf_open(made_file(&made), *state, &msf, &error));
}

static void test_every_prefix_is_refused(void **state)
{
    struct made_msf made;
    make_msf(&made, usual_streams, USUAL_COUNT);
    struct span file = made_file(&made);
    for (size_t nbytes = 0; nbytes < file.nbytes; nbytes += nbytes < 70 ? 1 : 61) {
        uint8_t *exact = malloc(nbytes + 1); /* so that reading behind it is found */
        memcpy(exact, file.bytes, nbytes);
        expect_refusal(*state, (struct span){exact, nbytes},
                       nbytes < 52 ? "begin like" : "longer or shorter");
        free(exact);
    }
}

/* Which blocks are in use, by the superblock and directory of a written file. */
static uint8_t *count_used(struct arena *arena, struct span file)
{
    uint32_t block_nbytes = load_u32(file.bytes + MADE_AT_BLOCK_NBYTES);
    uint32_t directory_nbytes = load_u32(file.bytes + MADE_AT_DIRECTORY_NBYTES);
    uint32_t directory_blocks = (directory_nbytes + block_nbytes - 1) / block_nbytes;
    uint32_t map = load_u32(file.bytes + MADE_AT_BLOCK_MAP);
    uint32_t block_count = (uint32_t)(file.nbytes / block_nbytes);
    uint8_t *used = arena_alloc(arena, block_count), *directory = arena_alloc(arena, file.nbytes);
    assert_true(directory_blocks * 4 <= block_nbytes); /* one block map is enough here */
    used[0] = used[map] = 1;
    for (uint32_t i = 0; i < block_count; i++)
        used[i] |= i % block_nbytes == 1 || i % block_nbytes == 2;
    for (uint32_t i = 0; i < directory_blocks; i++) {
        uint32_t block = load_u32(file.bytes + (size_t)map * block_nbytes + 4 * (size_t)i);
        memcpy(directory + (size_t)i * block_nbytes, file.bytes + (size_t)block * block_nbytes, block_nbytes);
        used[block]++;
    }
    uint32_t stream_count = load_u32(directory), at = 4 + 4 * stream_count;
    for (uint32_t i = 0; i < stream_count; i++) {
        uint32_t nbytes = load_u32(directory + 4 + 4 * (size_t)i);
        for (uint64_t done = 0; nbytes != MADE_NIL && done < nbytes; done += block_nbytes, at += 4)
            used[load_u32(directory + at)]++;
    }
    assert_int_equal(at, directory_nbytes);
    return used;
}

static void expect_free_map(struct arena *arena, struct span file, uint32_t free_map)
{
    const uint8_t *used = count_used(arena, file);
    uint32_t block_nbytes = load_u32(file.bytes + MADE_AT_BLOCK_NBYTES);
    assert_int_equal(load_u32(file.bytes + MADE_AT_FREE_MAP), free_map);
    /* The bits of all blocks stand in the map's block of the first interval, then in that of the second. */
    for (size_t block = 0; block < file.nbytes / block_nbytes; block++) {
        size_t foff =
            (block / 8 / block_nbytes * block_nbytes + free_map) * block_nbytes + block / 8 % block_nbytes;
        assert_int_equal(file.bytes[foff] >> (block % 8) & 1, used[block] == 0);
        assert_true(used[block] <= 1); /* none belongs to two */
    }
}

static void change_and_compare(struct arena *arena, uint32_t free_map, struct span replaced,
                               struct span added)
{
    struct made_msf made;
    struct msf msf, changed;
    struct finding error;
    struct span file, contents;
    make_msf(&made, usual_streams, USUAL_COUNT);
    store_u32(made.bytes + MADE_AT_FREE_MAP, free_map);
    assert_true(msf_open(made_file(&made), arena, &msf, &error));
    const struct msf_change changes[] = {{1, replaced}, {USUAL_COUNT, added}, {USUAL_COUNT + 1, {NULL, 0}}};
    assert_true(msf_change(&msf, changes, 3, arena, &file, &error));
    expect_free_map(arena, file, free_map);
    assert_true(msf_open(file, arena, &changed, &error));
    assert_int_equal(changed.stream_count, USUAL_COUNT + 2);
    for (uint32_t i = 0; i < changed.stream_count; i++) {
        struct span expected = i == 1             ? replaced
                               : i == USUAL_COUNT ? added
                               : i < USUAL_COUNT  ? usual_streams[i]
                                                  : (struct span){NULL, 0};
        assert_true(msf_read(&changed, i, arena, &contents));
        assert_true(span_is_equal(contents, expected));
        assert_int_equal(changed.streams[i].is_nil, i == 2);
    }
    /* What is there stays there: old readers of the same file find what they have read. */
    for (size_t foff = 3 * MADE_BLOCK_NBYTES; foff < made_file(&made).nbytes; foff++)
        assert_int_equal(file.bytes[foff], made.bytes[foff]);
}

static void test_changes(void **state)
{
    struct span small = {letters, 9}, none = {letters, 0};
    for (uint32_t free_map = 1; free_map <= 2; free_map++) {
        change_and_compare(*state, free_map, small, small);
        change_and_compare(*state, free_map, none, none);
        change_and_compare(*state, free_map, usual_streams[1], usual_streams[3]);
    }
}

/* Into the second and third interval of 512 blocks, whose second and third block hold no stream. */
static void test_changes_beyond_an_interval(void **state)
{
    struct arena *arena = *state;
    for (uint32_t nbytes = 495 * 512; nbytes <= 1040 * 512; nbytes += nbytes < 505 * 512 ? 512 : 61 * 512)
        change_and_compare(arena, 1 + nbytes / 512 % 2, (struct span){arena_alloc(arena, nbytes), nbytes},
                           (struct span){letters, 600});
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_arena, end_arena)
    const struct CMUnitTest tests[] = {
        TEST(test_streams_are_read),
        TEST(test_scattered_blocks),
        TEST(test_damaged_superblock),
        TEST(test_damaged_directory),
        TEST(test_the_old_directory_may_share),
        TEST(test_every_prefix_is_refused),
        TEST(test_changes),
        TEST(test_changes_beyond_an_interval),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
