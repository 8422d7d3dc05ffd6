/* test_code_descent.c - which bytes become code, which never do, and that hostile images cost no more than
 * others. Takes: hand-assembled and random images.  Gives: pass or fail. */
#include "code_case.h"

static enum function_source source_at(const struct code_case *driver, uint32_t rva)
{
    const struct code_function *function = code_function_at(&driver->map, rva);
    if (function)
        return (enum function_source)function->source;
    fail_msg("no function at RVA 0x%X", rva);
    return FUNCTION_ENTRY;
}

static void entry_calls_and_padding(void **state)
{
    (void)state;
    struct code_case driver;
    case_begin(&driver, MACHINE_AMD64);
    uint32_t rva = CASE_PUT_REL(&driver, CASE_TEXT_RVA, "\xE8", CASE_TEXT_RVA + 0x20); /* call */
    CASE_PUT(&driver, rva, "\xC3");                                                    /* ret */
    CASE_PUT(&driver, rva + 1, "\x66\x0F\x1F\x44\x00\x00");                            /* a NOP of 6 bytes */
    CASE_PUT(&driver, CASE_TEXT_RVA + 0x20, "\x33\xC0\xC3");
    CASE_PUT(&driver, CASE_TEXT_RVA + 0x40, "\x12\x34\x56\x78\x9A"); /* nothing names these */
    case_read(&driver);
    assert_true(driver.map.decoded);
    assert_int_equal(source_at(&driver, CASE_TEXT_RVA), FUNCTION_ENTRY);
    assert_int_equal(source_at(&driver, CASE_TEXT_RVA + 0x20), FUNCTION_CALL_TARGET);
    assert_int_equal(code_class_at(&driver.map, CASE_TEXT_RVA), BYTE_INSTRUCTION);
    assert_int_equal(code_class_at(&driver.map, CASE_TEXT_RVA + 1), BYTE_INSTRUCTION_TAIL);
    assert_int_equal(code_class_at(&driver.map, rva + 1), BYTE_PADDING);
    assert_int_equal(code_class_at(&driver.map, CASE_TEXT_RVA + 0x1F), BYTE_PADDING);
    assert_int_equal(code_class_at(&driver.map, CASE_TEXT_RVA + 0x40), BYTE_UNKNOWN);
    assert_int_equal(code_class_at(&driver.map, CASE_DATA_RVA), BYTE_UNKNOWN);
    assert_int_equal(driver.map.instruction_count, 4);
    assert_int_equal(driver.map.class_counts[BYTE_INSTRUCTION], 4);
    assert_int_equal(driver.map.class_counts[BYTE_INSTRUCTION_TAIL], 5);
    case_end(&driver);
}

/* What unwind data bounds is covered: the block behind a call, though nothing else leads to it. */
static void gap_in_a_bounded_function(void **state)
{
    (void)state;
    struct code_case driver;
    case_begin(&driver, MACHINE_AMD64);
    uint32_t rva = CASE_PUT(&driver, CASE_TEXT_RVA, "\xEB\x10"); /* jmp to the ret */
    CASE_PUT(&driver, rva + 0x10, "\xC3");
    rva = CASE_PUT(&driver, rva + 2, "\x8B\xC1"); /* mov eax, ecx: unreached, as an exception's block is */
    rva = CASE_PUT(&driver, rva, "\xFF\xC0\xC3"); /* inc eax; ret */
    case_function(&driver, CASE_TEXT_RVA, CASE_TEXT_RVA + 0x13);
    case_read(&driver);
    assert_true(case_is_code(&driver, rva - 5));
    assert_true(case_is_code(&driver, rva - 1));
    assert_int_equal(code_function_at(&driver.map, CASE_TEXT_RVA)->end_rva, CASE_TEXT_RVA + 0x13);
    case_end(&driver);
}

/* __report_gsfailure ends with a call that never returns and one int3; text may follow at once. Where code
 * follows, an int3 of the driver's own stands between its instructions. */
static void text_behind_a_call_that_does_not_return(void **state)
{
    (void)state;
    struct code_case driver;
    case_begin(&driver, MACHINE_I386);
    uint32_t text = CASE_PUT_REL(&driver, CASE_TEXT_RVA, "\xE8", CASE_TEXT_RVA + 0x80); /* call */
    CASE_PUT(&driver, CASE_TEXT_RVA + 0x80, "\xC3");
    text = CASE_PUT(&driver, text, "\xCC");
    uint32_t end = CASE_PUT(&driver, text, "\\\0D\0o\0s\0D\0e\0v\0\0\0"); /* decodes to its end */
    CASE_PUT(&driver, end, "\xC3");
    case_read(&driver);
    assert_true(case_is_code(&driver, text - 1));
    for (uint32_t rva = text; rva < end; rva++)
        assert_false(case_is_code(&driver, rva));
    case_end(&driver);

    case_begin(&driver, MACHINE_I386);
    uint32_t more = CASE_PUT_REL(&driver, CASE_TEXT_RVA, "\xE8", CASE_TEXT_RVA + 0x80);
    CASE_PUT(&driver, CASE_TEXT_RVA + 0x80, "\xC3");
    more = CASE_PUT(&driver, more, "\xCC");
    CASE_PUT(&driver, more, "\x8B\x45\x08\x5D\xC3"); /* mov eax, [ebp + 8]; pop ebp; ret */
    case_read(&driver);
    assert_true(case_is_code(&driver, more));
    assert_true(case_is_code(&driver, more + 4));
    case_end(&driver);
}

/* A __finally block that the scope table names at an instruction before the one that its function calls. */
static void handlers_of_scope_tables(void **state)
{
    (void)state;
    enum { BLOCK_RVA = CASE_TEXT_RVA + 0x40, TEXT_RVA = CASE_TEXT_RVA + 0x60 };
    static const struct {
        const char *record; /* level and filter */
        uint32_t first, handler_rva;
        bool is_code;
    } cases[] = {
        {"\xFF\xFF\xFF\xFF\0\0\0\0", 0, BLOCK_RVA, true},  {"\xFE\xFF\xFF\xFF\0\0\0\0", 0, BLOCK_RVA, true},
        {"\xFD\xFF\xFF\xFF\0\0\0\0", 0, BLOCK_RVA, false}, {"\0\0\0\0\0\0\0\0", 12, BLOCK_RVA, true},
        {"\0\0\0\0\0\0\0\0", 0, BLOCK_RVA, false},         {"\xFF\xFF\xFF\xFF\1\0\0\0", 0, BLOCK_RVA, false},
        {"\xFF\xFF\xFF\xFF\0\0\0\0", 0, TEXT_RVA, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct code_case driver;
        uint32_t at_rva = CASE_DATA_RVA + 0x40;
        case_begin(&driver, MACHINE_I386);
        CASE_PUT(&driver, CASE_PUT_REL(&driver, CASE_TEXT_RVA, "\xE8", BLOCK_RVA + 3), "\xC3");
        CASE_PUT(&driver, BLOCK_RVA, "\x8B\x45\x08\x85\xC0\xC3"); /* mov eax, [ebp + 8]; test eax, eax; ret */
        CASE_PUT(&driver, TEXT_RVA, "PATH\\ABC\0\xC3");
        if (cases[i].first != 0) /* a record before */
            CASE_PUT_VA(&driver, CASE_PUT(&driver, at_rva, "\xFF\xFF\xFF\xFF\0\0\0\0"), "", CASE_TEXT_RVA);
        at_rva = case_put(&driver, at_rva + cases[i].first, cases[i].record, 8);
        CASE_PUT_VA(&driver, at_rva, "", cases[i].handler_rva);
        case_read(&driver);
        if (case_is_code(&driver, cases[i].handler_rva) != cases[i].is_code)
            fail_msg("case %zu", i);
        case_end(&driver);
    }
}

/* Addresses that code takes: of a function, of text, of numbers, of bytes that happen to decode to a ret. */
static void addresses_of_functions_and_of_data(void **state)
{
    (void)state;
    struct code_case driver;
    case_begin(&driver, MACHINE_AMD64);
    uint32_t function = CASE_TEXT_RVA + 0x80, text = CASE_TEXT_RVA + 0xA0, numbers = CASE_TEXT_RVA + 0xC0,
             noise = CASE_TEXT_RVA + 0xE0, rva = CASE_TEXT_RVA;
    rva = CASE_PUT_REL(&driver, rva, "\x48\x8D\x0D", function);
    rva = CASE_PUT_REL(&driver, rva, "\x48\x8D\x0D", text);
    rva = CASE_PUT_REL(&driver, rva, "\x48\x8D\x0D", numbers);
    rva = CASE_PUT_REL(&driver, rva, "\x48\x8D\x0D", noise);
    CASE_PUT(&driver, rva, "\xC3");
    CASE_PUT(&driver, function, "\x8B\x41\x08\xC3"); /* mov eax, [rcx+8]; ret */
    CASE_PUT(&driver, text, "Hello, world\0\xC3");
    CASE_PUT(&driver, numbers, "\x01\x00\x00\x00\x02\x00\x00\x00\xC3");
    CASE_PUT(&driver, noise, "\x56\x23\xC1\x4E\x0B\xD1\xC3\x99\x9F"); /* push rsi; and; or; ret, then more */
    case_read(&driver);
    assert_int_equal(source_at(&driver, function), FUNCTION_LEA);
    assert_false(case_is_code(&driver, text));
    assert_false(case_is_code(&driver, numbers));
    assert_false(case_is_code(&driver, noise));
    case_end(&driver);
}

/* Pointers with base relocations, from a table in .rdata. */
static void relocated_pointers(void **state)
{
    (void)state;
    struct code_case driver;
    case_begin(&driver, MACHINE_I386);
    CASE_PUT(&driver, CASE_TEXT_RVA, "\xC3");
    uint32_t framed = CASE_TEXT_RVA + 0x80, text = CASE_TEXT_RVA + 0xA0;
    CASE_PUT(&driver, framed, "\x55\x8B\xEC\x5D\xC2\x08\x00"); /* push ebp; mov ebp, esp; pop ebp; ret 8 */
    CASE_PUT(&driver, text, "k\0e\0y\0\0\0");
    CASE_PUT_VA(&driver, CASE_RDATA_RVA, "", framed);
    CASE_PUT_VA(&driver, CASE_RDATA_RVA + 4, "", text);
    case_read(&driver);
    assert_int_equal(source_at(&driver, framed), FUNCTION_RELOCATED_POINTER);
    assert_false(case_is_code(&driver, text));
    case_end(&driver);
}

/* Functions of one return at the end of the section: what the file has behind it fills up. */
static void short_function_at_the_end(void **state)
{
    (void)state;
    for (int is_last = 0; is_last < 2; is_last++) {
        struct code_case driver;
        uint32_t last = CASE_TEXT_RVA + 0x80;
        case_begin(&driver, MACHINE_I386);
        CASE_PUT(&driver, CASE_TEXT_RVA, "\xC3");
        CASE_PUT(&driver, last, "\xC2\x04\x00\0\0\0\0"); /* ret 4 */
        CASE_PUT_VA(&driver, CASE_RDATA_RVA, "", last);
        driver.text_virtual_nbytes = is_last ? 0x83 : 0x85;
        case_read(&driver);
        assert_int_equal(case_is_code(&driver, last), is_last);
        case_end(&driver);
    }
}

/* A base relocation that lies across an instruction's fields shows that it is none. */
static void relocations_refute_a_decode(void **state)
{
    (void)state;
    struct code_case driver;
    case_begin(&driver, MACHINE_I386);
    /* call; then an address that would decode as one more instruction of the line */
    uint32_t pointer = CASE_PUT_REL(&driver, CASE_TEXT_RVA, "\xE8", CASE_TEXT_RVA + 0x80);
    CASE_PUT(&driver, CASE_TEXT_RVA + 0x80, "\xEB\xFE");
    CASE_PUT_VA(&driver, pointer, "", CASE_DATA_RVA + 0x40);
    /* B8, then a relocated field that begins one byte later than the immediate of `mov eax, imm32` */
    CASE_PUT_VA(&driver, CASE_TEXT_RVA + 0x40, "\xB8\x90", CASE_DATA_RVA);
    CASE_PUT_REL(&driver, CASE_TEXT_RVA + 0x82, "\xE9", CASE_TEXT_RVA + 0x40);
    case_read(&driver);
    assert_int_equal(code_class_at(&driver.map, pointer), BYTE_DATA);
    assert_false(case_is_code(&driver, CASE_TEXT_RVA + 0x40));
    case_end(&driver);
}

static void branches_that_lead_nowhere(void **state)
{
    (void)state;
    struct code_case driver;
    case_begin(&driver, MACHINE_AMD64);
    uint32_t rva = CASE_PUT(&driver, CASE_TEXT_RVA, "\xB8\x33\xC0\xC3\x90"); /* mov eax, 90C3C033h */
    rva = CASE_PUT(&driver, rva, "\x74\xFA");                                /* je into that immediate */
    rva = CASE_PUT_REL(&driver, rva, "\x0F\x84", 0x800000);                  /* je outside of the image */
    rva = CASE_PUT_REL(&driver, rva, "\x0F\x84", CASE_DATA_RVA);             /* je into data */
    CASE_PUT(&driver, rva, "\xC3");
    case_read(&driver);
    assert_int_equal(driver.map.bad_target_count, 3);
    assert_int_equal(code_class_at(&driver.map, CASE_TEXT_RVA + 1), BYTE_INSTRUCTION_TAIL);
    case_end(&driver);
}

static void other_machines_are_not_decoded(void **state)
{
    (void)state;
    static const uint16_t machines[] = {MACHINE_ARM64, MACHINE_IA64, MACHINE_ARMNT};
    for (size_t i = 0; i < sizeof machines / sizeof *machines; i++) {
        struct code_case driver;
        case_begin(&driver, machines[i]);
        case_read(&driver);
        assert_false(driver.map.decoded);
        assert_non_null(driver.map.not_decoded_reason);
        assert_int_equal(driver.map.section_count, 0);
        case_end(&driver);
    }
}

/* ARM64EC drivers say x64, CHPE ones x86: the load configuration tells, as far as its size reaches. */
static void hybrid_images_are_not_decoded(void **state)
{
    (void)state;
    static const struct {
        uint16_t machine;
        uint32_t at, width_nbytes;
    } kinds[] = {{MACHINE_AMD64, LC_CHPE_METADATA_64, 8}, {MACHINE_I386, LC_CHPE_METADATA_32, 4}};
    enum { CONFIG_RVA = CASE_RDATA_RVA + 0x40, AS_DIRECTORY, SET, CUT, ZERO, CASE_COUNT };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        for (int kind = AS_DIRECTORY; kind < CASE_COUNT; kind++) {
            struct code_case driver;
            uint32_t end = kinds[i].at + kinds[i].width_nbytes;
            case_begin(&driver, kinds[i].machine);
            CASE_PUT(&driver, CASE_TEXT_RVA, "\xC3");
            case_put_u32(&driver, CONFIG_RVA + LC_SIZE,
                         kind == AS_DIRECTORY ? 0
                         : kind == CUT        ? end - 1
                                              : end);
            case_put_u32(&driver, CONFIG_RVA + kinds[i].at, kind == ZERO ? 0 : CASE_RDATA_RVA);
            make_directory(&driver.made, DIR_LOAD_CONFIG, CONFIG_RVA, end);
            case_read(&driver);
            assert_int_equal(driver.map.decoded, kind == CUT || kind == ZERO);
            assert_int_equal(driver.map.not_decoded_reason == NULL, driver.map.decoded);
            assert_int_equal(image_is_hybrid(&driver.image), !driver.map.decoded);
            case_end(&driver);
        }
    }
}

/* xorshift: the same images on every machine. */
static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* Whatever the bytes are: every tail belongs to an instruction, every count adds up, every reference of an
 * instruction lies in one, functions are sorted instruction starts. */
static void expect_consistent(const struct code_case *driver)
{
    const struct code_map *map = &driver->map;
    uint64_t counts[5] = {0};
    for (size_t s = 0; s < map->section_count; s++) {
        const struct code_section *section = &map->sections[s];
        for (uint32_t i = 0; i < section->nbytes; i++) {
            assert_in_range(section->classes[i], BYTE_UNKNOWN, BYTE_PADDING);
            counts[section->classes[i]]++;
            if (section->classes[i] == BYTE_INSTRUCTION_TAIL)
                assert_true(i > 0 && (section->classes[i - 1] == BYTE_INSTRUCTION ||
                                      section->classes[i - 1] == BYTE_INSTRUCTION_TAIL));
        }
    }
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(counts[i], map->class_counts[i]);
    assert_int_equal(counts[BYTE_INSTRUCTION], map->instruction_count);
    for (size_t i = 0; i < map->function_count; i++) {
        assert_int_equal(code_class_at(map, map->functions[i].begin_rva), BYTE_INSTRUCTION);
        assert_true(i == 0 || map->functions[i - 1].begin_rva < map->functions[i].begin_rva);
    }
    for (size_t i = 0; i < driver->refs.ref_count; i++) {
        const struct ref *ref = &driver->refs.refs[i];
        if (ref->source == SOURCE_CODE && ref->encoding == REF_PCREL)
            assert_int_equal(code_class_at(map, ref->site_rva), BYTE_INSTRUCTION_TAIL);
    }
}

static void random_images(void **state)
{
    (void)state;
    uint32_t seed = 2463534242U;
    for (unsigned round = 0; round < 400; round++) {
        struct code_case driver;
        case_begin(&driver, round % 2 ? MACHINE_AMD64 : MACHINE_I386);
        /* Short branches and calls are frequent, so that lines cross each other. */
        static const uint8_t common[] = {0xE8, 0xEB, 0x74, 0x75, 0xFF, 0x8D, 0x8B, 0xC3, 0x00, 0x90};
        for (unsigned section = 0; section < 4; section++)
            for (uint32_t i = 0; i < CASE_SECTION_NBYTES; i++) {
                uint32_t value = next_random(&seed);
                driver.bytes[section][i] =
                    value & 0x300 ? (uint8_t)value : common[(value >> 10) % sizeof common];
            }
        uint32_t begin = CASE_TEXT_RVA;
        for (unsigned i = 0; i < 8; i++) { /* bounds that overlap and that leave their section */
            begin += next_random(&seed) % 0x60;
            case_function(&driver, begin, begin + 1 + next_random(&seed) % 0x800);
        }
        for (uint32_t at = 0; at + 16 <= CASE_SECTION_NBYTES; at += 16 + next_random(&seed) % 64)
            if (driver.relocated_count < 60)
                CASE_PUT_VA(&driver, (1 + next_random(&seed) % 4) * PAGE_NBYTES + at, "",
                            next_random(&seed) % 0x7000);
        case_read(&driver);
        expect_consistent(&driver);
        case_end(&driver);
    }
}

/* 64 KiB of code in which everything leads everywhere. Work is seen through memory: lists and references grow
 * with every root that is followed. */
static void hostile_images_stay_linear(void **state)
{
    (void)state;
    enum { NBYTES = 0x10000 };
    static const struct {
        const char *bytes;
        size_t nbytes;
    } patterns[] = {
        {"\xEB\xFF", 2},                     /* jumps into their own second byte */
        {"\x74\x7F", 2},                     /* a branch at every other byte */
        {"\x0F\x84\x00\x01\x00\x00", 6},     /* and the long form */
        {"\xE8\x01\x00\x00\x00", 5},         /* calls into the next call */
        {"\x48\x8D\x05\x00\x00\x00\x00", 7}, /* addresses of the next instruction */
        {"\xFF\x24\xC5\x00\x10\x00\x00", 7}, /* jumps through overlapping tables */
        {"\x00", 1},
        {"\x90", 1},
    };
    uint8_t *text = malloc(NBYTES);
    assert_non_null(text);
    for (size_t p = 0; p < sizeof patterns / sizeof *patterns; p++) {
        for (unsigned is_64 = 0; is_64 < 2; is_64++) {
            for (size_t i = 0; i < NBYTES; i++)
                text[i] = (uint8_t)patterns[p].bytes[i % patterns[p].nbytes];
            struct code_case driver;
            case_begin(&driver, is_64 ? MACHINE_AMD64 : MACHINE_I386);
            make_section(&driver.made, ".text", 0x1000, MADE_TEXT, text, NBYTES);
            arena_init(&driver.arena, NULL);
            struct finding error;
            assert_true(image_read(make_file(&driver.made), &driver.arena, &driver.image, &error));
            assert_true(refs_collect(&driver.image, &driver.arena, SOURCE_ALL, &driver.refs));
            size_t before_nbytes = driver.arena.total_nbytes;
            assert_true(code_read(&driver.image, &driver.refs, &driver.arena, &driver.map));
            /* Six bytes of map for each byte of code, and less than two references for each instruction. */
            assert_in_range(driver.arena.total_nbytes - before_nbytes, 1, NBYTES * UINT64_C(200));
            expect_consistent(&driver);
            case_end(&driver);
        }
    }
    free(text);
}

/* An allocator whose n-th and later calls fail. */
static void *failing_alloc(void *context, size_t nbytes)
{
    unsigned *left = context;
    return *left == 0 ? NULL : ((*left)--, malloc(nbytes));
}

static void failing_release(void *context, void *block)
{
    (void)context;
    free(block);
}

static void memory_running_out_is_told(void **state)
{
    (void)state;
    struct code_case driver;
    case_begin(&driver, MACHINE_AMD64);
    uint32_t rva = CASE_TEXT_RVA;
    for (unsigned i = 0; i < 100; i++) /* enough references to need more than one block */
        rva = CASE_PUT_REL(&driver, rva, "\x48\x8D\x05", CASE_DATA_RVA + i);
    CASE_PUT(&driver, rva, "\xC3");
    case_read(&driver);
    unsigned told = 0, allowed = 0;
    for (;; allowed++) {
        unsigned left = allowed;
        struct allocator allocator = {
            .alloc = failing_alloc, .release = failing_release, .context = &left, .block_nbytes = 1};
        struct arena arena;
        struct finding error;
        struct image image;
        struct refset refs;
        struct code_map map;
        arena_init(&arena, &allocator);
        struct span file = {driver.made.file, driver.made.file_nbytes};
        bool is_read =
            image_read(file, &arena, &image, &error) && refs_collect(&image, &arena, SOURCE_ALL, &refs);
        bool is_done = is_read && code_read(&image, &refs, &arena, &map);
        told += is_read && !is_done;
        if (is_read && !is_done)
            assert_true(arena.exhausted);
        arena_free(&arena);
        if (is_done)
            break;
    }
    assert_in_range(told, 1, allowed);
    case_end(&driver);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entry_calls_and_padding),
        cmocka_unit_test(text_behind_a_call_that_does_not_return),
        cmocka_unit_test(handlers_of_scope_tables),
        cmocka_unit_test(gap_in_a_bounded_function),
        cmocka_unit_test(addresses_of_functions_and_of_data),
        cmocka_unit_test(relocated_pointers),
        cmocka_unit_test(short_function_at_the_end),
        cmocka_unit_test(relocations_refute_a_decode),
        cmocka_unit_test(branches_that_lead_nowhere),
        cmocka_unit_test(other_machines_are_not_decoded),
        cmocka_unit_test(hybrid_images_are_not_decoded),
        cmocka_unit_test(random_images),
        cmocka_unit_test(hostile_images_stay_linear),
        cmocka_unit_test(memory_running_out_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
