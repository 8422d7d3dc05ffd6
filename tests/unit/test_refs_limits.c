/* test_refs_limits.c - what hostile tables can cost: each field goes in once however many tables share it, so
 * the inventory stays in proportion to the file; and memory that runs out at any moment is said, not crashed
 * on. */
#include "refs_by_hand.h"

enum { TEXT_RVA = 0x1000, DATA_RVA = 0x2000, DATA_NBYTES = 0x10000, POINTER_NBYTES = 8 };

static struct made_image with_data(const uint8_t *data)
{
    static const uint8_t code[64] = {0xC3};
    struct made_image made = make_image(MACHINE_AMD64);
    make_section(&made, ".text", TEXT_RVA, MADE_TEXT, code, sizeof code);
    make_section(&made, ".rdata", DATA_RVA, MADE_RDATA, data, DATA_NBYTES);
    return made;
}

static uint8_t *new_data(void)
{
    uint8_t *data = calloc(1, DATA_NBYTES);
    assert_non_null(data);
    return data;
}

static void test_directories_without_bytes(void **state)
{
    (void)state;
    static const struct {
        unsigned directory;
        enum ref_source source;
    } cases[] = {
        {DIR_EXPORT, SOURCE_EXPORTS},
        {DIR_IMPORT, SOURCE_IMPORTS},
        {DIR_RESOURCE, SOURCE_RESOURCES},
        {DIR_EXCEPTION, SOURCE_EXCEPTION},
        {DIR_SECURITY, SOURCE_CERTIFICATES},
        {DIR_BASERELOC, SOURCE_BASERELOCS},
        {DIR_DEBUG, SOURCE_DEBUG},
        {DIR_TLS, SOURCE_TLS},
        {DIR_LOAD_CONFIG, SOURCE_LOAD_CONFIG},
        {DIR_LOAD_CONFIG, SOURCE_GUARD_TABLES},
        {DIR_LOAD_CONFIG, SOURCE_DVRT},
        {DIR_BOUND_IMPORT, SOURCE_BOUND_IMPORTS},
        {DIR_DELAY_IMPORT, SOURCE_DELAY_IMPORTS},
        {DIR_CLR, SOURCE_CLR},
    };
    uint8_t *data = new_data();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct made_image made = with_data(data);
        struct collected c;
        make_directory(&made, cases[i].directory, 0x90000, 0x100);
        collect(&c, &made, SOURCE_BIT(cases[i].source));
        assert_int_equal(c.refs.ref_count, 0);
        assert_int_equal(c.refs.damaged, SOURCE_BIT(cases[i].source));
        assert_int_equal(c.refs.problem_count, 1);
        collected_free(&c, &made);
    }
    free(data);
}

/* 1,000 import descriptors begin one slot apart in one lookup table of 2,000 slots. */
static void test_overlapping_lookup_tables(void **state)
{
    (void)state;
    enum { DESCRIPTORS = 1000, SLOTS = 2000, LOOKUP_AT = 0x6000, IAT_AT = 0xB000 };
    uint8_t *data = new_data();
    for (uint32_t i = 0; i < DESCRIPTORS; i++) {
        uint8_t *descriptor = data + i * IMPORT_DESCRIPTOR_NBYTES;
        store_u32(descriptor + IMPORT_ORIGINAL_FIRST_THUNK, DATA_RVA + LOOKUP_AT + i * POINTER_NBYTES);
        store_u32(descriptor + IMPORT_NAME, DATA_RVA);
        store_u32(descriptor + IMPORT_FIRST_THUNK, DATA_RVA + IAT_AT + i * POINTER_NBYTES);
    }
    for (uint32_t i = 0; i < SLOTS; i++) {
        store_u64(data + LOOKUP_AT + i * POINTER_NBYTES, IMPORT_ORDINAL_FLAG_64 | i);
        store_u64(data + IAT_AT + i * POINTER_NBYTES, IMPORT_ORDINAL_FLAG_64 | i);
    }
    struct made_image made = with_data(data);
    struct collected c;
    make_directory(&made, DIR_IMPORT, DATA_RVA, 40);
    collect(&c, &made, SOURCE_BIT(SOURCE_IMPORTS));
    assert_int_equal(count_refs(&c, SOURCE_IMPORTS), 3 * DESCRIPTORS + 2 * SLOTS);
    assert_true(c.refs.extent_count < 4 * DESCRIPTORS);
    collected_free(&c, &made);
    free(data);
}

/* 1,000 debug entries name one payload of 32 KiB. */
static void test_shared_debug_payload(void **state)
{
    (void)state;
    enum { ENTRIES = 1000, PAYLOAD_AT = 0x8000, PAYLOAD_NBYTES = 0x8000 };
    uint8_t *data = new_data();
    struct made_image made = with_data(data);
    make_directory(&made, DIR_DEBUG, DATA_RVA, ENTRIES * DEBUG_ENTRY_NBYTES);
    make_file(&made);
    uint32_t data_foff = made_foff(&made, DATA_RVA);
    for (uint32_t i = 0; i < ENTRIES; i++) {
        uint8_t *entry = made.file + data_foff + i * DEBUG_ENTRY_NBYTES;
        store_u32(entry + DEBUG_TYPE, DEBUG_TYPE_OMAP_TO_SRC);
        store_u32(entry + DEBUG_SIZE_OF_DATA, PAYLOAD_NBYTES);
        store_u32(entry + DEBUG_POINTER_TO_RAW_DATA, data_foff + PAYLOAD_AT);
    }
    struct collected c;
    collect(&c, &made, SOURCE_BIT(SOURCE_DEBUG));
    assert_int_equal(count_refs(&c, SOURCE_DEBUG), 2 * ENTRIES + PAYLOAD_NBYTES / OMAP_ENTRY_NBYTES);
    assert_int_equal(count_problems(&c, SOURCE_DEBUG), REFSET_MAX_PROBLEMS);
    collected_free(&c, &made);
    free(data);
}

/* Every word of the section looks like the start of an unwind info with a handler whose scope table covers
 * all that follows: a walk that read each table anew would take (2^14)^2 / 2 steps. */
static void test_overlapping_scope_tables(void **state)
{
    (void)state;
    enum { FUNCTIONS = 1000, INFO_AT = 0x4000, NAME_AT = 0xFF00, SLOT_AT = 0xFF40 };
    static const char name[] = "__C_specific_handler";
    uint8_t *data = new_data();
    for (uint32_t i = 0; i < FUNCTIONS; i++) {
        store_u32(data + 12 * i, TEXT_RVA);
        store_u32(data + 12 * i + 4, TEXT_RVA + 4);
        store_u32(data + 12 * i + 8, DATA_RVA + INFO_AT + 4 * i);
    }
    for (uint32_t i = 0; i < 2 * FUNCTIONS; i++)
        store_u32(data + INFO_AT + 4 * i,
                  1 | UNWIND_FLAG_EHANDLER << 3 | 1 << 12); /* RVA 0x1009, count 4105 */
    store_u64(data + SLOT_AT, DATA_RVA + NAME_AT);
    memcpy(data + NAME_AT + 2, name, sizeof name);
    struct made_image made = with_data(data);
    uint8_t *thunk = made.sections[0].bytes + 9; /* RVA 0x1009 */
    thunk[0] = 0xFF;
    thunk[1] = 0x25;
    store_u32(thunk + 2, DATA_RVA + SLOT_AT - (TEXT_RVA + 9 + 6));
    struct collected c;
    make_directory(&made, DIR_EXCEPTION, DATA_RVA, 12 * FUNCTIONS);
    collect(&c, &made, SOURCE_BIT(SOURCE_UNWIND) | SOURCE_BIT(SOURCE_HANDLER_DATA));
    assert_int_equal(count_refs(&c, SOURCE_UNWIND), FUNCTIONS);
    assert_true(count_refs(&c, SOURCE_HANDLER_DATA) < DATA_NBYTES);
    collected_free(&c, &made);
    free(data);
}

/* An allocator whose `left`-th allocation fails, and all after it. */
struct failing {
    size_t left;
};

static void *failing_alloc(void *context, size_t nbytes)
{
    struct failing *failing = context;
    if (failing->left == 0)
        return NULL;
    failing->left--;
    return malloc(nbytes);
}

static void failing_release(void *context, void *block)
{
    (void)context;
    free(block);
}

/* Relocations, resources with many tables, and unwind data with handlers: enough for many allocations. */
static void put_many_tables(uint8_t *data)
{
    enum { TREE_AT = 0x1000, INFO_AT = 0x4000, RELOC_AT = 0x8000, RESOURCES = 1000, FUNCTIONS = 300 };
    store_u16(data + TREE_AT + RESOURCE_NUMBER_OF_IDS, RESOURCES);
    for (uint32_t i = 0; i < RESOURCES; i++)
        store_u32(data + TREE_AT + RESOURCE_DIRECTORY_NBYTES + 8 * i + 4,
                  RESOURCE_HIGH_BIT | (0x2800 + 16 * i));
    for (uint32_t i = 0; i < FUNCTIONS; i++) {
        store_u32(data + 12 * i, TEXT_RVA);
        store_u32(data + 12 * i + 8, DATA_RVA + INFO_AT + 16 * i);
        data[INFO_AT + 16 * i] = 1 | UNWIND_FLAG_EHANDLER << 3;
        store_u32(data + INFO_AT + 16 * i + 4, TEXT_RVA + i % 50);
        store_u32(data + INFO_AT + 16 * i + 8, UINT32_MAX);
    }
    store_u32(data + RELOC_AT, DATA_RVA);
    store_u32(data + RELOC_AT + 4, 0x4000);
    for (uint32_t i = 0; i < 0x1FF; i++)
        store_u16(data + RELOC_AT + 8 + 2 * i, (uint16_t)(0xA000 | 8 * i));
}

static void test_memory_that_runs_out(void **state)
{
    (void)state;
    uint8_t *data = new_data();
    put_many_tables(data);
    struct made_image made = with_data(data);
    make_directory(&made, DIR_EXCEPTION, DATA_RVA, 12 * 300);
    make_directory(&made, DIR_RESOURCE, DATA_RVA + 0x1000, 0x3000);
    make_directory(&made, DIR_BASERELOC, DATA_RVA + 0x8000, 0x4000);
    struct span file = make_file(&made);
    bool done = false;
    size_t failure_count = 0;
    for (size_t left = 0; !done; left++) {
        struct arena image_arena, arena;
        struct failing failing = {left};
        struct allocator allocator = {
            .alloc = failing_alloc, .release = failing_release, .context = &failing, .block_nbytes = 1};
        struct image image;
        struct refset refs;
        struct finding error;
        arena_init(&image_arena, NULL);
        arena_init(&arena, &allocator);
        assert_true(image_read(file, &image_arena, &image, &error));
        done = refs_collect(&image, &arena, SOURCE_ALL, &refs);
        assert_int_equal(done, !arena.exhausted);
        failure_count += !done;
        arena_free(&arena);
        arena_free(&image_arena);
    }
    assert_true(failure_count > 100); /* each allocation by itself */
    make_free(&made);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_directories_without_bytes), cmocka_unit_test(test_overlapping_lookup_tables),
        cmocka_unit_test(test_shared_debug_payload),      cmocka_unit_test(test_overlapping_scope_tables),
        cmocka_unit_test(test_memory_that_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
