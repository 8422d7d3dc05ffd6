/* test_refs_data_tables.c - headers, resources, debug data, TLS, CLR header, certificates, COFF symbols.
 * Tables are written out by hand into one section; expected targets follow from where they lie. */
enum { DATA_NBYTES = 0x400 };
#include "refs_tables.h"

enum { TREE_RVA = DATA_RVA, PAYLOAD_RVA = DATA_RVA + 0x200 };

static void test_headers_and_directories(void **state)
{
    (void)state;
    struct tables tables = {{0}};
    struct made_image made = with_tables(MACHINE_I386, &tables);
    struct collected c;
    made.entry_rva = TEXT_RVA;
    make_directory(&made, DIR_DEBUG, PAYLOAD_RVA, 28);
    make_directory(&made, DIR_SECURITY, 0x123400, 16);
    make_directory(&made, DIR_RESERVED, PAYLOAD_RVA, 16);
    collect(&c, &made,
            SOURCE_BIT(SOURCE_HEADERS) | SOURCE_BIT(SOURCE_DIRECTORIES) | SOURCE_BIT(SOURCE_SECTION_HEADERS));
    uint32_t opt_foff = made_opt_foff();
    assert_ref(&c, SOURCE_HEADERS, DOS_E_LFANEW, REF_FOFF, MADE_PE_FOFF, REF_RESOLVED);
    assert_ref(&c, SOURCE_HEADERS, opt_foff + OPT_ADDRESS_OF_ENTRY_POINT, REF_RVA, TEXT_RVA, REF_RESOLVED);
    assert_ref(&c, SOURCE_HEADERS, opt_foff + OPT_IMAGE_BASE_32, REF_VA, 0, REF_HEADERS);
    assert_ref(&c, SOURCE_HEADERS, opt_foff + OPT_BASE_OF_DATA_32, REF_RVA, 0, REF_NULL);
    assert_int_equal(find_ref(&c, SOURCE_HEADERS, opt_foff + OPT_IMAGE_BASE_32)->width_nbytes, 4);
    uint32_t debug_foff = made_directory_foff(&made, DIR_DEBUG);
    assert_ref(&c, SOURCE_DIRECTORIES, debug_foff, REF_RVA, PAYLOAD_RVA, REF_RESOLVED);
    assert_ref(&c, SOURCE_DIRECTORIES, debug_foff + 4, REF_SIZE, PAYLOAD_RVA, REF_RESOLVED);
    assert_ref(&c, SOURCE_DIRECTORIES, made_directory_foff(&made, DIR_SECURITY), REF_FOFF, 0x123400,
               REF_OUTSIDE);
    assert_problem(&c, SOURCE_DIRECTORIES, "directory 15 is reserved");
    uint32_t header_foff = made_section_header_foff(&made, 1);
    assert_ref(&c, SOURCE_SECTION_HEADERS, header_foff + SECTION_VIRTUAL_ADDRESS, REF_RVA, DATA_RVA,
               REF_RESOLVED);
    assert_ref(&c, SOURCE_SECTION_HEADERS, header_foff + SECTION_POINTER_TO_RAW_DATA, REF_FOFF,
               made_foff(&made, DATA_RVA), REF_RESOLVED);
    assert_int_equal(find_ref(&c, SOURCE_SECTION_HEADERS, header_foff + SECTION_VIRTUAL_SIZE)->detail, 1);
    assert_int_equal(count_refs(&c, SOURCE_HEADERS), 11);
    assert_int_equal(count_refs(&c, SOURCE_DIRECTORIES), 2 * DIR_COUNT);
    assert_int_equal(count_refs(&c, SOURCE_SECTION_HEADERS), 2 * 6);
    collected_free(&c, &made);
}

static void put_entry(struct tables *tables, uint32_t table_offset, uint32_t index, uint32_t name,
                      uint32_t offset)
{
    uint32_t rva = TREE_RVA + table_offset + RESOURCE_DIRECTORY_NBYTES + index * RESOURCE_ENTRY_NBYTES;
    put(tables, rva + RESOURCE_ENTRY_NAME, name);
    put(tables, rva + RESOURCE_ENTRY_OFFSET, offset);
}

/* Root with a named entry and a numbered one; both lead to one table with two leaves, one of them shared. */
static struct tables resource_tables(void)
{
    struct tables tables = {{0}};
    store_u16(at(&tables, TREE_RVA + RESOURCE_NUMBER_OF_NAMED), 1);
    store_u16(at(&tables, TREE_RVA + RESOURCE_NUMBER_OF_IDS), 1);
    put_entry(&tables, 0, 0, RESOURCE_HIGH_BIT | 0xA0, RESOURCE_HIGH_BIT | 0x40);
    put_entry(&tables, 0, 1, 16, 0x80);
    store_u16(at(&tables, TREE_RVA + 0x40 + RESOURCE_NUMBER_OF_IDS), 2);
    put_entry(&tables, 0x40, 0, 1, 0x80);
    put_entry(&tables, 0x40, 1, 2, 0x90);
    put(&tables, TREE_RVA + 0x80 + RESOURCE_DATA_RVA, PAYLOAD_RVA);
    put(&tables, TREE_RVA + 0x80 + RESOURCE_DATA_SIZE, 0x30);
    put(&tables, TREE_RVA + 0x90 + RESOURCE_DATA_RVA, PAYLOAD_RVA + 0x40);
    put(&tables, TREE_RVA + 0x90 + RESOURCE_DATA_SIZE, 0x10);
    store_u16(at(&tables, TREE_RVA + 0xA0), 3); /* a name of three characters */
    return tables;
}

static void test_resources(void **state)
{
    (void)state;
    struct tables tables = resource_tables();
    struct made_image made = with_tables(MACHINE_AMD64, &tables);
    struct collected c;
    make_directory(&made, DIR_RESOURCE, TREE_RVA, 0x200);
    collect(&c, &made, SOURCE_BIT(SOURCE_RESOURCES));
    assert_int_equal(c.refs.problem_count, 0);
    assert_int_equal(c.refs.ref_count, 1 + 4 + 2); /* a name, four entries, two leaves */
    assert_ref(&c, SOURCE_RESOURCES, TREE_RVA + 0x10, REF_OFFSET, TREE_RVA + 0xA0, REF_RESOLVED);
    assert_ref(&c, SOURCE_RESOURCES, TREE_RVA + 0x14, REF_OFFSET, TREE_RVA + 0x40, REF_RESOLVED);
    assert_null(find_ref(&c, SOURCE_RESOURCES, TREE_RVA + 0x18)); /* a number */
    assert_ref(&c, SOURCE_RESOURCES, TREE_RVA + 0x80, REF_RVA, PAYLOAD_RVA, REF_RESOLVED);
    assert_extent(&c, EXTENT_RESOURCE_DATA, PAYLOAD_RVA + 0x40, 0x10);
    assert_extent(&c, EXTENT_RESOURCE_TREE, TREE_RVA + 0xA0, 8);
    collected_free(&c, &made);
}

static void test_damaged_resources(void **state)
{
    (void)state;
    static const struct {
        uint32_t rva, value;
        const char *problem;
        size_t ref_count;
    } cases[] = {
        {TREE_RVA + 0x14, RESOURCE_HIGH_BIT, "lead to the same table",
         1 + 2 + 1}, /* the root is its own child */
        {TREE_RVA + 0x14, RESOURCE_HIGH_BIT | 0x3F8, "lies outside the resource section", 1 + 2 + 1},
        {TREE_RVA + 0x1C, 0x7FFFFFF0, "lies outside the resource section", 1 + 4 + 2},
        {TREE_RVA + 0x10, RESOURCE_HIGH_BIT | 0x3FF, "name at offset 0x3FF", 1 + 4 + 2},
        {TREE_RVA + 0x40 + RESOURCE_NUMBER_OF_NAMED, 0xFFFFFFFF, "only 118 fit the section", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tables tables = resource_tables();
        put(&tables, cases[i].rva, cases[i].value);
        struct made_image made = with_tables(MACHINE_AMD64, &tables);
        struct collected c;
        make_directory(&made, DIR_RESOURCE, TREE_RVA, 0x200);
        collect(&c, &made, SOURCE_BIT(SOURCE_RESOURCES));
        assert_problem(&c, SOURCE_RESOURCES, cases[i].problem);
        if (cases[i].ref_count != 0)
            assert_int_equal(c.refs.ref_count, cases[i].ref_count);
        collected_free(&c, &made);
    }
}

/* A chain of tables, each the only child of the one before. */
static void test_deep_resources(void **state)
{
    (void)state;
    enum { TABLE_NBYTES = RESOURCE_DIRECTORY_NBYTES + RESOURCE_ENTRY_NBYTES, TABLES = 40 };
    struct tables tables = {{0}};
    for (uint32_t i = 0; i < TABLES; i++) {
        store_u16(at(&tables, TREE_RVA + i * TABLE_NBYTES + RESOURCE_NUMBER_OF_IDS), 1);
        put_entry(&tables, i * TABLE_NBYTES, 0, 1, RESOURCE_HIGH_BIT | ((i + 1) * TABLE_NBYTES));
    }
    struct made_image made = with_tables(MACHINE_AMD64, &tables);
    struct collected c;
    make_directory(&made, DIR_RESOURCE, TREE_RVA, 0x400);
    collect(&c, &made, SOURCE_BIT(SOURCE_RESOURCES));
    assert_problem(&c, SOURCE_RESOURCES, "more than 32 levels deep");
    assert_int_equal(c.refs.ref_count, 33);
    collected_free(&c, &made);
}

static void put_debug_entry(struct tables *tables, uint32_t index, uint32_t type, uint32_t nbytes,
                            uint32_t foff)
{
    uint32_t rva = DATA_RVA + index * DEBUG_ENTRY_NBYTES;
    put(tables, rva + DEBUG_TYPE, type);
    put(tables, rva + DEBUG_SIZE_OF_DATA, nbytes);
    put(tables, rva + DEBUG_ADDRESS_OF_RAW_DATA, PAYLOAD_RVA);
    put(tables, rva + DEBUG_POINTER_TO_RAW_DATA, foff);
}

/* Collects one debug entry of that type whose payload is `words`. */
static void collect_debug(struct collected *c, struct made_image *made, uint32_t type, const uint32_t *words,
                          size_t word_count)
{
    struct tables tables = {{0}};
    uint32_t payload_foff = 0x200 + 0x200 + (PAYLOAD_RVA - DATA_RVA); /* headers, .text, .rdata */
    put_debug_entry(&tables, 0, type, (uint32_t)(4 * word_count), payload_foff);
    for (size_t i = 0; i < word_count; i++)
        put(&tables, PAYLOAD_RVA + 4 * (uint32_t)i, words[i]);
    *made = with_tables(MACHINE_I386, &tables);
    make_directory(made, DIR_DEBUG, DATA_RVA, DEBUG_ENTRY_NBYTES);
    make_file(made);
    assert_int_equal(made_foff(made, PAYLOAD_RVA), payload_foff);
    collect(c, made, SOURCE_BIT(SOURCE_DEBUG));
    assert_ref(c, SOURCE_DEBUG, DATA_RVA + DEBUG_ADDRESS_OF_RAW_DATA, REF_RVA, PAYLOAD_RVA, REF_RESOLVED);
    assert_ref(c, SOURCE_DEBUG, DATA_RVA + DEBUG_POINTER_TO_RAW_DATA, REF_FOFF, payload_foff, REF_RESOLVED);
}

static void test_debug_payloads(void **state)
{
    (void)state;
    /* Which words of the payload hold RVAs of this image; 0 ends the list of places (word index + 1). */
    static const struct {
        uint32_t type;
        uint32_t words[10];
        size_t word_count;
        size_t places[4];
    } cases[] = {
        {DEBUG_TYPE_FPO, {0x1000, 8, 0, 0, 0x1010, 8, 0, 0}, 8, {1, 5}},
        {DEBUG_TYPE_OMAP_TO_SRC, {0x1000, 0x5000, 0x1008, 0x6000}, 4, {1, 3}},
        {DEBUG_TYPE_OMAP_FROM_SRC, {0x5000, 0x1000, 0x6000, 0x1008}, 4, {2, 4}},
        {DEBUG_TYPE_FIXUP, {0, 0x1000, 0x2000}, 3, {2, 3}},
        {DEBUG_TYPE_COFF, {1, 2, 3, 4, 0x1000, 0x1040, 0x2000, 0x2400}, 8, {5, 6, 7, 8}},
        {DEBUG_TYPE_POGO, {0x4C544347, 0x1000, 0x10, 0x7865742E, 0x74, 0x2000, 8, 0x3063, 0, 0}, 10, {2, 6}},
        {DEBUG_TYPE_CODEVIEW, {0x53445352, 0x1000, 0x1000}, 3, {0}},
        {DEBUG_TYPE_VC_FEATURE, {1, 2, 3, 4, 5}, 5, {0}},
        {DEBUG_TYPE_REPRO, {0x1000}, 1, {0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct made_image made;
        struct collected c;
        size_t place_count = 0;
        collect_debug(&c, &made, cases[i].type, cases[i].words, cases[i].word_count);
        for (; place_count < 4 && cases[i].places[place_count] != 0; place_count++) {
            size_t word = cases[i].places[place_count] - 1;
            const struct ref *ref = find_ref(&c, SOURCE_DEBUG, PAYLOAD_RVA + 4 * (uint32_t)word);
            assert_non_null(ref);
            assert_int_equal(ref->target, cases[i].words[word]);
            assert_int_equal(ref->detail, cases[i].type);
        }
        assert_int_equal(count_refs(&c, SOURCE_DEBUG), 2 + place_count);
        assert_int_equal(c.refs.problem_count, 0);
        assert_extent(&c, EXTENT_DEBUG_DATA, PAYLOAD_RVA, 4 * (uint32_t)cases[i].word_count);
        collected_free(&c, &made);
    }
}

static void test_debug_data_that_are_not_read(void **state)
{
    (void)state;
    static const uint32_t words[] = {0x3930424E, 0, 0, 0}; /* NB09: symbols inside the image */
    struct made_image made;
    struct collected c;
    collect_debug(&c, &made, DEBUG_TYPE_CODEVIEW, words, 4);
    assert_problem(&c, SOURCE_DEBUG, "not a reference to a PDB file");
    collected_free(&c, &made);
    collect_debug(&c, &made, 0x12345678, words, 4);
    assert_problem(&c, SOURCE_DEBUG, "which is not read");
    collected_free(&c, &made);
}

/* Two entries with one payload; a payload past the end; more entries than the file holds. */
static void test_damaged_debug_directory(void **state)
{
    (void)state;
    struct tables tables = {{0}};
    uint32_t foff = 0x200 + 0x200 + (PAYLOAD_RVA - DATA_RVA);
    put_debug_entry(&tables, 0, DEBUG_TYPE_FPO, FPO_ENTRY_NBYTES, foff);
    put_debug_entry(&tables, 1, DEBUG_TYPE_FPO, FPO_ENTRY_NBYTES, foff);
    put_debug_entry(&tables, 2, DEBUG_TYPE_FPO, FPO_ENTRY_NBYTES, 0xFFFFFFF0);
    put(&tables, PAYLOAD_RVA, TEXT_RVA);
    struct made_image made = with_tables(MACHINE_I386, &tables);
    struct collected c;
    make_directory(&made, DIR_DEBUG, DATA_RVA, UINT32_MAX);
    collect(&c, &made, SOURCE_BIT(SOURCE_DEBUG));
    assert_problem(&c, SOURCE_DEBUG, "named by two entries");
    assert_problem(&c, SOURCE_DEBUG, "lies outside the file");
    assert_problem(&c, SOURCE_DEBUG, "but the file holds only 36 of them");
    collected_free(&c, &made);
}

static void test_tls(void **state)
{
    (void)state;
    enum { CALLBACKS_RVA = DATA_RVA + 0x100, INDEX_RVA = DATA_RVA + 0x180 };
    const uint64_t base_va = 0x140000000;
    struct tables tables = {{0}};
    store_u64(at(&tables, DATA_RVA + TLS_START_64), base_va + DATA_RVA);
    store_u64(at(&tables, DATA_RVA + TLS_END_64), base_va + 0x3000); /* one past the section */
    store_u64(at(&tables, DATA_RVA + TLS_INDEX_64), base_va + INDEX_RVA);
    store_u64(at(&tables, DATA_RVA + TLS_CALLBACKS_64), base_va + CALLBACKS_RVA);
    store_u64(at(&tables, CALLBACKS_RVA), base_va + TEXT_RVA);
    struct made_image made = with_tables(MACHINE_AMD64, &tables);
    struct collected c;
    make_directory(&made, DIR_TLS, DATA_RVA, TLS_DIRECTORY_NBYTES_64);
    collect(&c, &made, SOURCE_BIT(SOURCE_TLS));
    assert_int_equal(c.refs.ref_count, 5);
    assert_int_equal(c.refs.problem_count, 0);
    assert_ref(&c, SOURCE_TLS, DATA_RVA + TLS_END_64, REF_VA, 0x3000, REF_SECTION_END);
    assert_ref(&c, SOURCE_TLS, CALLBACKS_RVA, REF_VA, TEXT_RVA, REF_RESOLVED);
    assert_int_equal(find_ref(&c, SOURCE_TLS, CALLBACKS_RVA)->flags, REF_FLAG_CODE_TARGET);
    assert_int_equal(find_ref(&c, SOURCE_TLS, DATA_RVA + TLS_INDEX_64)->flags, REF_FLAG_LOADER_WRITES);
    assert_extent(&c, EXTENT_TLS, CALLBACKS_RVA, 16);
    arena_free(&c.arena);
    /* The array runs into the directory that names it. */
    store_u64(made.file + made_foff(&made, DATA_RVA + TLS_CALLBACKS_64), base_va + DATA_RVA);
    collect(&c, &made, SOURCE_BIT(SOURCE_TLS));
    assert_int_equal(c.refs.ref_count, 4);
    assert_problem(&c, SOURCE_TLS, "does not end with a zero entry");
    collected_free(&c, &made);
}

static void test_clr_header(void **state)
{
    (void)state;
    enum { METADATA = 8, FLAGS = 0x10, ENTRY_POINT = 0x14, HEADER_NBYTES = 0x48 };
    struct tables tables = {{0}};
    put(&tables, DATA_RVA + METADATA, PAYLOAD_RVA);
    put(&tables, DATA_RVA + ENTRY_POINT, 0x06000001);
    struct made_image made = with_tables(MACHINE_I386, &tables);
    struct collected c;
    make_directory(&made, DIR_CLR, DATA_RVA, HEADER_NBYTES);
    collect(&c, &made, SOURCE_BIT(SOURCE_CLR));
    assert_int_equal(c.refs.ref_count, 8);
    assert_ref(&c, SOURCE_CLR, DATA_RVA + METADATA, REF_RVA, PAYLOAD_RVA, REF_RESOLVED);
    assert_ref(&c, SOURCE_CLR, DATA_RVA + ENTRY_POINT, REF_RVA, 0x06000001, REF_CONSTANT); /* a token */
    assert_problem(&c, SOURCE_CLR, "managed");
    arena_free(&c.arena);
    store_u32(made.file + made_foff(&made, DATA_RVA + FLAGS), 0x10); /* a native entry point */
    store_u32(made.file + made_foff(&made, DATA_RVA + ENTRY_POINT), TEXT_RVA);
    collect(&c, &made, SOURCE_BIT(SOURCE_CLR));
    assert_ref(&c, SOURCE_CLR, DATA_RVA + ENTRY_POINT, REF_RVA, TEXT_RVA, REF_RESOLVED);
    collected_free(&c, &made);
}

static void test_certificates_hold_no_references(void **state)
{
    (void)state;
    static const struct {
        uint32_t certificate_nbytes;
        size_t problem_count;
    } cases[] = {{0x10, 0}, {0x20, 0}, {4, 1}, {0x21, 1}, {UINT32_MAX, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tables tables = {{0}};
        struct made_image made = with_tables(MACHINE_AMD64, &tables);
        struct collected c;
        make_file(&made);
        /* The last 0x20 bytes of the file; the rest of the table after a short certificate is one more. */
        uint32_t foff = (uint32_t)made.file_nbytes - 0x20;
        store_u32(made.file + foff, cases[i].certificate_nbytes);
        store_u32(made.file + foff + 0x10, 0x10);
        store_u32(made.file + made_directory_foff(&made, DIR_SECURITY), foff);
        store_u32(made.file + made_directory_foff(&made, DIR_SECURITY) + DIRECTORY_SIZE, 0x20);
        collect(&c, &made, SOURCE_BIT(SOURCE_CERTIFICATES));
        assert_int_equal(c.refs.ref_count, 0);
        assert_int_equal(c.refs.problem_count, cases[i].problem_count);
        collected_free(&c, &made);
    }
}

/* A function with an auxiliary record, an absolute symbol, and one in a section that does not exist. */
static void test_coff_symbols(void **state)
{
    (void)state;
    enum { SYMBOLS = 4, FUNCTION_TYPE = 0x20, EXTERNAL = 2 };
    struct tables tables = {{0}};
    uint8_t *symbols = at(&tables, PAYLOAD_RVA);
    static const uint16_t sections[SYMBOLS] = {2, 0, 0xFFFF, 9};
    for (size_t i = 0; i < SYMBOLS; i++) {
        store_u32(symbols + i * COFF_SYMBOL_NBYTES + COFF_SYMBOL_VALUE, 0x24);
        store_u16(symbols + i * COFF_SYMBOL_NBYTES + COFF_SYMBOL_SECTION, sections[i]);
        symbols[i * COFF_SYMBOL_NBYTES + COFF_SYMBOL_CLASS] = EXTERNAL;
    }
    store_u16(symbols + COFF_SYMBOL_TYPE, FUNCTION_TYPE);
    symbols[COFF_SYMBOL_AUX_COUNT] = 1; /* the second record belongs to the first symbol */
    store_u32(symbols + COFF_SYMBOL_NBYTES + 8, 0x600);
    struct made_image made = with_tables(MACHINE_AMD64, &tables);
    struct collected c;
    make_file(&made);
    uint32_t symbols_foff = made_foff(&made, PAYLOAD_RVA);
    store_u32(made.file + made_coff_foff() + COFF_POINTER_TO_SYMBOL_TABLE, symbols_foff);
    store_u32(made.file + made_coff_foff() + COFF_NUMBER_OF_SYMBOLS, SYMBOLS);
    collect(&c, &made, SOURCE_BIT(SOURCE_COFF_SYMBOLS));
    assert_int_equal(c.refs.ref_count, 3 * 2 + 1);
    uint32_t third_rva = PAYLOAD_RVA + 2 * COFF_SYMBOL_NBYTES, fourth_rva = third_rva + COFF_SYMBOL_NBYTES;
    assert_ref(&c, SOURCE_COFF_SYMBOLS, PAYLOAD_RVA + COFF_SYMBOL_VALUE, REF_OFFSET, DATA_RVA + 0x24,
               REF_RESOLVED);
    assert_ref(&c, SOURCE_COFF_SYMBOLS, PAYLOAD_RVA + COFF_SYMBOL_SECTION, REF_SECTION_INDEX, 2,
               REF_RESOLVED);
    assert_ref(&c, SOURCE_COFF_SYMBOLS, PAYLOAD_RVA + COFF_SYMBOL_NBYTES + 8, REF_FOFF, 0x600, REF_RESOLVED);
    assert_ref(&c, SOURCE_COFF_SYMBOLS, third_rva + COFF_SYMBOL_VALUE, REF_OFFSET, 0x24, REF_CONSTANT);
    assert_ref(&c, SOURCE_COFF_SYMBOLS, third_rva + COFF_SYMBOL_SECTION, REF_SECTION_INDEX, 0xFFFF,
               REF_CONSTANT);
    assert_ref(&c, SOURCE_COFF_SYMBOLS, fourth_rva + COFF_SYMBOL_SECTION, REF_SECTION_INDEX, 9, REF_OUTSIDE);
    collected_free(&c, &made);
}

static void test_linenumbers(void **state)
{
    (void)state;
    struct tables tables = {{0}};
    put(&tables, PAYLOAD_RVA, 5); /* number 0: the index of a symbol */
    put(&tables, PAYLOAD_RVA + 6, TEXT_RVA + 8);
    store_u16(at(&tables, PAYLOAD_RVA + 10), 1);
    struct made_image made = with_tables(MACHINE_I386, &tables);
    struct collected c;
    make_file(&made);
    for (uint32_t i = 0; i < 2; i++) { /* both sections name the same records */
        uint8_t *header = made.file + made_section_header_foff(&made, i);
        store_u32(header + SECTION_POINTER_TO_LINENUMBERS, made_foff(&made, PAYLOAD_RVA));
        store_u16(header + SECTION_NUMBER_OF_LINENUMBERS, 2);
    }
    collect(&c, &made, SOURCE_BIT(SOURCE_COFF_SYMBOLS));
    assert_int_equal(c.refs.ref_count, 1);
    assert_ref(&c, SOURCE_COFF_SYMBOLS, PAYLOAD_RVA + 6, REF_RVA, TEXT_RVA + 8, REF_RESOLVED);
    assert_problem(&c, SOURCE_COFF_SYMBOLS, "run into another table");
    collected_free(&c, &made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers_and_directories),
        cmocka_unit_test(test_resources),
        cmocka_unit_test(test_damaged_resources),
        cmocka_unit_test(test_deep_resources),
        cmocka_unit_test(test_debug_payloads),
        cmocka_unit_test(test_debug_data_that_are_not_read),
        cmocka_unit_test(test_damaged_debug_directory),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_clr_header),
        cmocka_unit_test(test_certificates_hold_no_references),
        cmocka_unit_test(test_coff_symbols),
        cmocka_unit_test(test_linenumbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
