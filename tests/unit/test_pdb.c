/* test_pdb.c - the streams of a PDB that was laid out by hand: identity, section headers and OMAP tables
 * read, damage refused, and the PDB of an image whose parts have moved, entry by entry. */
#include "make_msf.h"

#include "pdb/pdb_move.h"

enum {
    INFO_STREAM = 1,
    DBI_STREAM = 3,
    HEADERS_STREAM = 5,
    OMAP_STREAM = 6,
    OLD_HEADERS_STREAM = 7,
    STREAM_COUNT = 8,

    DBI_HEADER_NBYTES = 64,
    MODULES_NBYTES = 12, /* of the parts of the DBI stream; what is in them does not matter here */
    SECTION_MAP_NBYTES = 8,
    SLOTS_AT = DBI_HEADER_NBYTES + MODULES_NBYTES + SECTION_MAP_NBYTES,
    SLOT_COUNT_MADE = 11,
    SLOT_OMAP_FROM = 4, /* LLVM, docs/PDB/DbiStream, "Optional Debug Header Stream" */
    SLOT_OMAP_TO = 3,
    SLOT_HEADERS = 5,
    SLOT_OLD_HEADERS = 10,
    NONE = 0xFFFF
};

static const uint8_t guid[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

/* The contents of the streams, before they are put into a file. */
struct made_pdb {
    uint8_t info[32], dbi[SLOTS_AT + 2 * SLOT_COUNT_MADE], headers[80], omap[32];
    size_t info_nbytes, dbi_nbytes, headers_nbytes, omap_nbytes;
    struct made_msf msf;
};

static void put_slot(struct made_pdb *made, uint32_t slot, uint16_t stream)
{
    store_u16(made->dbi + SLOTS_AT + 2 * (size_t)slot, stream);
}

/* Two sections: at 0x1000 with 0x800 bytes, at 0x3000 with 0x10. */
static void make_pdb(struct made_pdb *made)
{
    memset(made, 0, sizeof *made);
    made->info_nbytes = 28;
    made->dbi_nbytes = sizeof made->dbi;
    made->headers_nbytes = sizeof made->headers;
    store_u32(made->info, 20000404);
    store_u32(made->info + 8, 77); /* the age that debuggers do not compare */
    memcpy(made->info + 12, guid, sizeof guid);
    store_u32(made->dbi, 0xFFFFFFFF);
    store_u32(made->dbi + 4, 19990903);
    store_u32(made->dbi + 8, 5); /* the age */
    store_u32(made->dbi + 24, MODULES_NBYTES);
    store_u32(made->dbi + 32, SECTION_MAP_NBYTES);
    store_u32(made->dbi + 48, 2 * SLOT_COUNT_MADE);
    store_u16(made->dbi + 58, 0x8664);
    for (uint32_t slot = 0; slot < SLOT_COUNT_MADE; slot++)
        put_slot(made, slot, NONE);
    put_slot(made, SLOT_HEADERS, HEADERS_STREAM);
    store_u32(made->headers + 8, 0x800);
    store_u32(made->headers + 12, 0x1000);
    store_u32(made->headers + 48, 0x10);
    store_u32(made->headers + 52, 0x3000);
}

static bool open_made(struct made_pdb *made, struct arena *arena, struct pdb *pdb, struct finding *error)
{
    const struct span streams[STREAM_COUNT] = {[0] = {guid, 0},
                                               [INFO_STREAM] = {made->info, made->info_nbytes},
                                               [2] = {guid, 3},
                                               [DBI_STREAM] = {made->dbi, made->dbi_nbytes},
                                               [HEADERS_STREAM] = {made->headers, made->headers_nbytes},
                                               [OMAP_STREAM] = {made->omap, made->omap_nbytes},
                                               [OLD_HEADERS_STREAM] = {made->headers, 40}};
    *error = (struct finding){0};
    make_msf(&made->msf, streams, STREAM_COUNT);
    return pdb_open(made_file(&made->msf), arena, pdb, error);
}

static void test_reading(void **state)
{
    struct made_pdb made;
    struct pdb pdb;
    struct finding error;
    uint32_t rva;
    make_pdb(&made);
    assert_true(open_made(&made, *state, &pdb, &error));
    assert_memory_equal(pdb.identity.guid, guid, sizeof guid);
    assert_int_equal(pdb.identity.age, 5);
    assert_int_equal(pdb.machine, 0x8664);
    assert_int_equal(pdb.section_headers_stream, HEADERS_STREAM);
    assert_int_equal(pdb_debug_stream(&pdb, SLOT_HEADERS), HEADERS_STREAM);
    assert_int_equal(pdb_debug_stream(&pdb, SLOT_COUNT_MADE), NONE);
    assert_false(pdb_is_rewritten(&pdb));
    assert_true(pdb_rva(&pdb, 1, 0x7FF, &rva) && rva == 0x17FF);
    assert_true(pdb_rva(&pdb, 2, 0xFFFFCFFF, &rva) && rva == 0xFFFFFFFF);
    assert_false(pdb_rva(&pdb, 2, 0xFFFFD000, &rva)); /* behind all addresses */
    assert_false(pdb_rva(&pdb, 0, 0, &rva));
    assert_false(pdb_rva(&pdb, 3, 0, &rva));
    assert_false(pdb_rva(&pdb, 0xFFFF, 0, &rva));
}

/* Symbols mean the original sections, and OMAP leads on from there. */
static void test_reading_what_was_moved(void **state)
{
    static const uint32_t entries[] = {0x1000, 0x5000, 0x1400, 0, 0x1600, 0x9000};
    struct made_pdb made;
    struct pdb pdb;
    struct finding error;
    uint32_t rva;
    make_pdb(&made);
    put_slot(&made, SLOT_OMAP_FROM, OMAP_STREAM);
    put_slot(&made, SLOT_OLD_HEADERS, OLD_HEADERS_STREAM);
    made.omap_nbytes = sizeof entries;
    for (size_t i = 0; i < 6; i++)
        store_u32(made.omap + 4 * i, entries[i]);
    assert_true(open_made(&made, *state, &pdb, &error));
    assert_int_equal(pdb.symbol_section_headers.nbytes, 40);
    assert_int_equal(pdb.section_headers.nbytes, 80);
    assert_true(pdb_rva(&pdb, 1, 0x3FF, &rva) && rva == 0x53FF);
    assert_false(pdb_rva(&pdb, 1, 0x400, &rva)); /* nowhere */
    assert_true(pdb_rva(&pdb, 1, 0x601, &rva) && rva == 0x9001);
    assert_false(pdb_rva(&pdb, 2, 0, &rva)); /* the original image had one section */
    assert_false(omap_lookup(&pdb.from_source, 0xFFF, &rva));
    assert_false(pdb_is_rewritten(&pdb)); /* its GUID is not one of a repair */
    store_u32(made.omap + 8, 0xFFF);
    assert_false(open_made(&made, *state, &pdb, &error));
    assert_non_null(strstr(error.message, "OMAP"));
    store_u32(made.omap + 8, 0x1400);
    made.omap_nbytes -= 1;
    assert_false(open_made(&made, *state, &pdb, &error));
}

static void test_damaged_streams(void **state)
{
    static const struct {
        size_t at; /* of the DBI stream */
        uint32_t number;
        const char *words;
    } cases[] = {
        {0, 0, "DBI stream"},
        {4, 19970606, "DBI stream"},
        {24, MODULES_NBYTES + 1, "parts of its DBI"},
        {24, 0xFFFFFFFF, "parts of its DBI"},
        {28, 0xFFFFFFF0, "parts of its DBI"},
        {36, 0x80000000, "parts of its DBI"},
        {40, 4, "parts of its DBI"},
        {52, 1, "parts of its DBI"},
        {48, 2 * SLOT_COUNT_MADE + 2, "parts of its DBI"},
        {48, 2 * SLOT_COUNT_MADE - 2, "parts of its DBI"},
        {48, 0xFFFFFFFE, "parts of its DBI"},
    };
    struct made_pdb made;
    struct pdb pdb;
    struct finding error;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        make_pdb(&made);
        store_u32(made.dbi + cases[i].at, cases[i].number);
        assert_false(open_made(&made, *state, &pdb, &error));
        assert_int_equal(error.code, HVCI9080_PDB_UNREADABLE);
        assert_non_null(strstr(error.message, cases[i].words));
    }
    /* An odd number of bytes of slots, though the sum is right. */
    make_pdb(&made);
    made.dbi_nbytes -= 1;
    store_u32(made.dbi + 48, 2 * SLOT_COUNT_MADE - 1);
    assert_false(open_made(&made, *state, &pdb, &error));
    for (size_t nbytes = 0; nbytes < sizeof made.dbi; nbytes++) {
        make_pdb(&made);
        made.dbi_nbytes = nbytes;
        assert_false(open_made(&made, *state, &pdb, &error));
    }
    for (size_t nbytes = 0; nbytes < 28; nbytes++) {
        make_pdb(&made);
        made.info_nbytes = nbytes;
        assert_false(open_made(&made, *state, &pdb, &error));
    }
    make_pdb(&made);
    made.headers_nbytes = 79;
    assert_false(open_made(&made, *state, &pdb, &error));
    assert_non_null(strstr(error.message, "section headers"));
}

/* A stream that is not there is empty, however its number came about. */
static void test_numbers_of_streams_that_are_not_there(void **state)
{
    struct made_pdb made;
    struct pdb pdb;
    struct finding error;
    uint32_t rva;
    make_pdb(&made);
    put_slot(&made, SLOT_HEADERS, STREAM_COUNT);
    put_slot(&made, SLOT_OMAP_FROM, 0xFFFE);
    put_slot(&made, SLOT_OLD_HEADERS, 0x7FFF);
    assert_true(open_made(&made, *state, &pdb, &error));
    assert_int_equal(pdb.section_headers.nbytes, 0);
    assert_int_equal(pdb.from_source.count, 0);
    assert_false(pdb_rva(&pdb, 1, 0, &rva));
}

static const struct pdb_moved_range pieces[] = {
    {0, 0x400, 0}, {0x1000, 0x100, 0x5000}, {0x1100, 0x700, 0x1000}, {0x3000, 0x10, 0x3000}};
static const struct pdb_moved_range copies[] = {{0x1140, 6, 0x7000}};

static struct pdb_move usual_move(void)
{
    static const uint8_t table[40] = "new";
    return (struct pdb_move){.pieces = pieces,
                             .piece_count = 4,
                             .copies = copies,
                             .copy_count = 1,
                             .section_table = {table, sizeof table},
                             .guid = {9, 8, 7, 6, 5, 4, 3, 0x82, 0x91}};
}

static void expect_table(const struct pdb *pdb, struct arena *arena, uint32_t slot, const uint32_t *expected,
                         size_t nbytes)
{
    struct span table;
    assert_true(msf_read(&pdb->msf, pdb_debug_stream(pdb, slot), arena, &table));
    assert_int_equal(table.nbytes, nbytes);
    for (size_t i = 0; i < nbytes / 4; i++)
        assert_int_equal(load_u32(table.bytes + 4 * i), expected[i]);
}

static void test_moving(void **state)
{
    /* An address between two pieces belongs to the first; behind the last one nothing is. */
    static const uint32_t from_source[] = {0, 0, 0x1000, 0x5000, 0x1100, 0x1000, 0x3000, 0x3000, 0x3010, 0};
    static const uint32_t to_source[] = {0x1000, 0x1100, 0x1700, 0, 0x3000, 0x3000, 0x3010, 0,
                                         0x5000, 0x1000, 0x5100, 0, 0x7000, 0x1140, 0x7006, 0};
    struct made_pdb made;
    struct pdb pdb, moved;
    struct finding error;
    struct span file, old_stream, new_stream;
    struct pdb_move move = usual_move();
    make_pdb(&made);
    assert_true(open_made(&made, *state, &pdb, &error));
    assert_true(pdb_move(&pdb, &move, *state, &file, &error));
    assert_true(pdb_open(file, *state, &moved, &error));
    assert_memory_equal(moved.identity.guid, move.guid, sizeof move.guid);
    assert_int_equal(moved.identity.age, 5);
    assert_true(pdb_is_rewritten(&moved));
    assert_true(span_is_equal(moved.section_headers, move.section_table));
    assert_true(span_is_equal(moved.symbol_section_headers, pdb.section_headers));
    expect_table(&moved, *state, SLOT_OMAP_FROM, from_source, sizeof from_source);
    expect_table(&moved, *state, SLOT_OMAP_TO, to_source, sizeof to_source);
    for (uint32_t i = 0; i < STREAM_COUNT; i++) {
        assert_true(msf_read(&pdb.msf, i, *state, &old_stream));
        assert_true(msf_read(&moved.msf, i, *state, &new_stream));
        assert_int_equal(span_is_equal(old_stream, new_stream), i != INFO_STREAM && i != DBI_STREAM);
    }
}

/* Old linkers have fewer slots than the OMAP tables need. */
static void test_moving_with_few_slots(void **state)
{
    struct made_pdb made;
    struct pdb pdb, moved;
    struct finding error;
    struct span file;
    struct pdb_move move = usual_move();
    make_pdb(&made);
    made.dbi_nbytes = SLOTS_AT + 2 * (SLOT_HEADERS + 1);
    store_u32(made.dbi + 48, 2 * (SLOT_HEADERS + 1));
    assert_true(open_made(&made, *state, &pdb, &error));
    assert_true(pdb_move(&pdb, &move, *state, &file, &error) && pdb_open(file, *state, &moved, &error));
    assert_int_equal(moved.slot_count, SLOT_COUNT_MADE);
    for (uint32_t slot = SLOT_HEADERS + 1; slot < SLOT_OLD_HEADERS; slot++)
        assert_int_equal(pdb_debug_stream(&moved, slot), NONE);
    assert_int_equal(pdb_debug_stream(&moved, SLOT_OLD_HEADERS), HEADERS_STREAM);
}

static void test_what_cannot_follow(void **state)
{
    static const uint32_t taken[] = {SLOT_OMAP_TO, SLOT_OMAP_FROM, SLOT_OLD_HEADERS};
    struct made_pdb made;
    struct pdb pdb;
    struct finding error;
    struct span file;
    struct pdb_move move = usual_move();
    for (size_t i = 0; i < 3; i++) {
        make_pdb(&made);
        put_slot(&made, taken[i], OMAP_STREAM);
        assert_true(open_made(&made, *state, &pdb, &error));
        assert_false(pdb_move(&pdb, &move, *state, &file, &error));
        assert_int_equal(error.code, HVCI9082_PDB_CANNOT_FOLLOW);
    }
    make_pdb(&made);
    put_slot(&made, SLOT_HEADERS, NONE);
    assert_true(open_made(&made, *state, &pdb, &error));
    assert_false(pdb_move(&pdb, &move, *state, &file, &error));
    assert_int_equal(error.code, HVCI9082_PDB_CANNOT_FOLLOW);
    /* Two pieces at one new place. */
    struct pdb_moved_range overlapping[] = {{0x1000, 0x100, 0x5000}, {0x1100, 0x700, 0x50FF}};
    make_pdb(&made);
    assert_true(open_made(&made, *state, &pdb, &error));
    move.pieces = overlapping;
    move.piece_count = 2;
    assert_false(pdb_move(&pdb, &move, *state, &file, &error));
    assert_int_equal(error.code, HVCI9082_PDB_CANNOT_FOLLOW);
    /* The last address there is: no entry can stand behind it. */
    overlapping[1].new_rva = 0xFFFFF900;
    assert_true(pdb_move(&pdb, &move, *state, &file, &error));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_arena, end_arena)
    const struct CMUnitTest tests[] = {
        TEST(test_reading),
        TEST(test_reading_what_was_moved),
        TEST(test_damaged_streams),
        TEST(test_numbers_of_streams_that_are_not_there),
        TEST(test_moving),
        TEST(test_moving_with_few_slots),
        TEST(test_what_cannot_follow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
