/* test_verify_dvrt.c - the verifier on the dynamic value relocation table of an image whose data left.
 * Takes: pairs made by moved_pair.h; the table moved with the data.  Gives: pass or fail.
 * Must not: use the rewriter. */
#include "moved_pair.h"

enum {
    CONFIG_RVA = PAIR_FREE_RVA,
    CONFIG_NBYTES = 0x140,
    OFFSET_RVA = CONFIG_RVA + LC_DVRT_OFFSET_64,
    NUMBER_RVA = CONFIG_RVA + LC_DVRT_SECTION_64,
    TABLE_AT = 0x100, /* in .data */
    TABLE_RVA = PAIR_DATA_RVA + TABLE_AT,
    FIRST_RVA = TABLE_RVA + DVRT_HEADER_NBYTES, /* the first record */
    FIRST_BLOCK_RVA = FIRST_RVA + 12,
    SECOND_RVA = FIRST_BLOCK_RVA + 12, /* function overrides */
    OVERRIDE_RVA = SECOND_RVA + 12 + 4,
    FUNCTION_RVA = OVERRIDE_RVA + 16, /* the one that stands in */
    PLACES_RVA = FUNCTION_RVA + 4,
    TREE_RVA = PLACES_RVA + 12,
    END_RVA = TREE_RVA + 8,
    NUMBER_OF_SECTION = 3,
    NEW_NUMBER_OF_SECTION = 5,
    IAT_RVA = PAIR_RDATA_RVA + PAIR_SECTION_NBYTES - 0x48
};

/* A 4-byte number of both images that is another one, or of the new image alone. */
struct dvrt_case {
    const char *name;
    uint32_t rva, value;
    bool is_new_alone;
    uint32_t iat_rva, new_iat_rva, iat_nbytes; /* data directory 12 */
    enum pair_verdict wanted;
    uint32_t place_rva;
    const char *words;
};

static const struct dvrt_case cases[] = {
    {.name = "right"},
    {.name = "right, with import slots", .iat_rva = IAT_RVA, .new_iat_rva = IAT_RVA, .iat_nbytes = 0x20},
    {"the old offset", OFFSET_RVA, TABLE_AT + 4, true, 0, 0, 0, PAIR_REFUTED, OFFSET_RVA,
     "DynamicValueRelocTableOffset"},
    {"the old section", NUMBER_RVA, NUMBER_OF_SECTION, true, 0, 0, 0, PAIR_REFUTED, NUMBER_RVA,
     "DynamicValueRelocTableSection"},
    {"a changed entry", FIRST_BLOCK_RVA + 8, 0x11, true, 0, 0, 0, PAIR_REFUTED,
     FIRST_BLOCK_RVA + 8 + PAIR_DELTA, "no known field explains"},
    {"no section", NUMBER_RVA, 9, false, 0, 0, 0, PAIR_NOT_SHOWN, CONFIG_RVA, "lies in no section"},
    {"a newer version", TABLE_RVA, 2, false, 0, 0, 0, PAIR_NOT_SHOWN, TABLE_RVA, "cannot be read"},
    {"longer than its section", TABLE_RVA + DVRT_SIZE, PAGE_NBYTES, false, 0, 0, 0, PAIR_NOT_SHOWN, TABLE_RVA,
     "cannot be read"},
    {"an unknown symbol", FIRST_RVA, DVRT_SYMBOL_RF_PROLOGUE, false, 0, 0, 0, PAIR_NOT_SHOWN, FIRST_BLOCK_RVA,
     "a symbol that is not read"},
    {"a record longer than the table", FIRST_RVA + 8, 0x100, false, 0, 0, 0, PAIR_NOT_SHOWN, FIRST_BLOCK_RVA,
     "a record whose size"},
    {"a block longer than its record", FIRST_BLOCK_RVA + BASERELOC_BLOCK_SIZE, 16, false, 0, 0, 0,
     PAIR_NOT_SHOWN, FIRST_BLOCK_RVA, "a block whose size"},
    {"a block without an end", FIRST_BLOCK_RVA + BASERELOC_BLOCK_SIZE, 0, false, 0, 0, 0, PAIR_NOT_SHOWN,
     FIRST_BLOCK_RVA, "a block whose size"},
    {"a place in what moved", FIRST_BLOCK_RVA, PAIR_DATA_RVA, false, 0, 0, 0, PAIR_NOT_SHOWN,
     FIRST_BLOCK_RVA + 8, "names a place that moved"},
    {"overrides longer than their record", SECOND_RVA + 12, 0x100, false, 0, 0, 0, PAIR_NOT_SHOWN,
     SECOND_RVA + 12, "function overrides whose size"},
    {"a function that moved", OVERRIDE_RVA, PAIR_DATA_RVA, false, 0, 0, 0, PAIR_NOT_SHOWN, FUNCTION_RVA,
     "names a function that moved"},
    {"one that stands in for it moved", FUNCTION_RVA, PAIR_DATA_RVA, false, 0, 0, 0, PAIR_NOT_SHOWN,
     FUNCTION_RVA, "names a function that moved"},
    {"an override longer than all of them", OVERRIDE_RVA + 12, 0x100, false, 0, 0, 0, PAIR_NOT_SHOWN,
     FUNCTION_RVA, "a function override whose size"},
    {"a place of an override in what moved", PLACES_RVA, PAIR_DATA_RVA, false, 0, 0, 0, PAIR_NOT_SHOWN,
     PLACES_RVA + 8, "names a place that moved"},
    {"slots counted from elsewhere", 0, 0, false, IAT_RVA, IAT_RVA + 8, 0x20, PAIR_NOT_SHOWN, TABLE_RVA,
     "counts slots from"},
    {"slots counted from a new directory", 0, 0, false, 0, IAT_RVA, 0x20, PAIR_NOT_SHOWN, TABLE_RVA,
     "counts slots from"},
    {"slots that are not in one part", 0, 0, false, IAT_RVA, IAT_RVA, 0x100, PAIR_NOT_SHOWN, TABLE_RVA,
     "counts slots from"},
};

static void put_table(struct moved_pair *pair)
{
    pair_put_u32(pair, TABLE_RVA + DVRT_VERSION, 1, 1);
    pair_put_u32(pair, TABLE_RVA + DVRT_SIZE, END_RVA - FIRST_RVA, END_RVA - FIRST_RVA);
    /* One call through an import slot, at 0x1010. */
    pair_put_u32(pair, FIRST_RVA, DVRT_SYMBOL_IMPORT_CONTROL_TRANSFER, DVRT_SYMBOL_IMPORT_CONTROL_TRANSFER);
    pair_put_u32(pair, FIRST_RVA + 8, 12, 12);
    pair_put_u32(pair, FIRST_BLOCK_RVA, PAIR_TEXT_RVA, PAIR_TEXT_RVA);
    pair_put_u32(pair, FIRST_BLOCK_RVA + BASERELOC_BLOCK_SIZE, 12, 12);
    pair_put_u32(pair, FIRST_BLOCK_RVA + 8, 0x3010, 0x3010); /* slot 1, indirect */
    /* One function with one that may stand in for it, two places, and the tree. */
    pair_put_u32(pair, SECOND_RVA, DVRT_SYMBOL_FUNCTION_OVERRIDE, DVRT_SYMBOL_FUNCTION_OVERRIDE);
    pair_put_u32(pair, SECOND_RVA + 8, END_RVA - SECOND_RVA - 12, END_RVA - SECOND_RVA - 12);
    pair_put_u32(pair, SECOND_RVA + 12, TREE_RVA - OVERRIDE_RVA, TREE_RVA - OVERRIDE_RVA);
    pair_put_u32(pair, OVERRIDE_RVA, PAIR_TEXT_RVA, PAIR_TEXT_RVA);
    pair_put_u32(pair, OVERRIDE_RVA + 8, 4, 4);
    pair_put_u32(pair, OVERRIDE_RVA + 12, 12, 12);
    pair_put_u32(pair, FUNCTION_RVA, PAIR_TEXT_RVA + 0x20, PAIR_TEXT_RVA + 0x20);
    pair_put_u32(pair, PLACES_RVA, PAIR_TEXT_RVA, PAIR_TEXT_RVA);
    pair_put_u32(pair, PLACES_RVA + BASERELOC_BLOCK_SIZE, 12, 12);
    pair_put_u32(pair, PLACES_RVA + 8, 0x10301020, 0x10301020);
}

static struct moved_pair make_pair(const struct dvrt_case *dvrt)
{
    struct moved_pair pair = pair_begin(MACHINE_AMD64);
    PAIR_PUT(&pair, PAIR_TEXT_RVA, "\x33\xC0\xC3");
    pair_put_u32(&pair, CONFIG_RVA, CONFIG_NBYTES, CONFIG_NBYTES);
    pair_put_u32(&pair, OFFSET_RVA, TABLE_AT, TABLE_AT);
    pair_put_u32(&pair, NUMBER_RVA, NUMBER_OF_SECTION, NEW_NUMBER_OF_SECTION);
    pair_directory(&pair, DIR_LOAD_CONFIG, CONFIG_RVA, CONFIG_NBYTES);
    put_table(&pair);
    if (dvrt->rva != 0)
        store_u32(pair_at(&pair.new_side, dvrt->rva), dvrt->value);
    if (dvrt->rva != 0 && !dvrt->is_new_alone)
        store_u32(pair_at(&pair.old_side, dvrt->rva), dvrt->value);
    pair.old_side.directories[DIR_IAT].rva = dvrt->iat_rva;
    pair.old_side.directories[DIR_IAT].nbytes = dvrt->iat_rva ? dvrt->iat_nbytes : 0;
    pair.new_side.directories[DIR_IAT].rva = dvrt->new_iat_rva;
    pair.new_side.directories[DIR_IAT].nbytes = dvrt->iat_nbytes;
    return pair;
}

static void each_table_is_judged(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct moved_pair pair = make_pair(&cases[i]);
        pair_expect(cases[i].name, &pair, cases[i].wanted, cases[i].place_rva, cases[i].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_table_is_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
