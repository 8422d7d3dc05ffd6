/* test_refs_handlers.c - what language handlers are, and the references in their data. A handler is known by
 * name (import thunk, export, COFF symbol) or by the shape that the data of all its users share; one user
 * that does not fit makes it unknown, and none of its data is read. */
#include "refs_unwind_by_hand.h"

/* An address inside function number i. */
static uint32_t code(uint32_t index, uint32_t offset)
{
    return function_rva(index) + offset;
}

static void test_scope_table_by_import_name(void **state)
{
    (void)state;
    struct unwind_image *u = unwind_image(MACHINE_AMD64);
    put_thunk(u, "__C_specific_handler");
    uint32_t data_rva = ADD_HANDLED(u, THUNK_RVA, 2, code(0, 0), code(0, 8), 1, code(0, 0x10), code(0, 8),
                                    code(0, 0x10), HANDLER_RVA, 0);
    collect_unwind(u, UNWIND_SOURCES);
    assert_int_equal(u->c.refs.problem_count, 0);
    assert_int_equal(count_refs(&u->c, SOURCE_HANDLER_DATA), 8);
    assert_ref(&u->c, SOURCE_HANDLER_DATA, data_rva + 4, REF_RVA, code(0, 0), REF_RESOLVED);
    assert_ref(&u->c, SOURCE_HANDLER_DATA, data_rva + 12, REF_RVA, 1, REF_CONSTANT); /* "always handle" */
    assert_ref(&u->c, SOURCE_HANDLER_DATA, data_rva + 16, REF_RVA, code(0, 0x10), REF_RESOLVED);
    assert_ref(&u->c, SOURCE_HANDLER_DATA, data_rva + 28, REF_RVA, HANDLER_RVA, REF_RESOLVED);
    assert_ref(&u->c, SOURCE_HANDLER_DATA, data_rva + 32, REF_RVA, 0, REF_NULL); /* __finally */
    assert_int_equal(find_ref(&u->c, SOURCE_HANDLER_DATA, data_rva + 28)->detail, DETAIL_SCOPE_HANDLER);
    assert_extent(&u->c, EXTENT_HANDLER_DATA, data_rva, 4 + 2 * SCOPE_ENTRY_NBYTES);
    free_unwind(u);
}

/* A jump may stand before the import thunk. */
static void test_name_behind_a_jump(void **state)
{
    (void)state;
    struct unwind_image *u = unwind_image(MACHINE_AMD64);
    put_thunk(u, "__C_specific_handler");
    at(u, HANDLER_RVA)[0] = 0xE9;
    put(u, HANDLER_RVA + 1, THUNK_RVA - (HANDLER_RVA + 5));
    uint32_t data_rva = ADD_HANDLED(u, HANDLER_RVA, 0); /* no scope at all: only a name can tell */
    collect_unwind(u, UNWIND_SOURCES);
    assert_int_equal(u->c.refs.problem_count, 0);
    assert_extent(&u->c, EXTENT_HANDLER_DATA, data_rva, 4);
    free_unwind(u);
}

static void test_arm64_import_thunk(void **state)
{
    (void)state;
    struct unwind_image *u = unwind_image(MACHINE_ARM64);
    put_thunk(u, "__C_specific_handler");
    put(u, HANDLER_RVA, 0x14000000 | (THUNK_RVA - HANDLER_RVA) / 4); /* b thunk */
    add_function(u, UNWIND_RVA);
    PUT_WORDS(u, UNWIND_RVA, 1u << 27 | 1u << 20 | 8, 0, HANDLER_RVA, 0);
    collect_unwind(u, UNWIND_SOURCES);
    assert_int_equal(u->c.refs.problem_count, 0);
    assert_extent(&u->c, EXTENT_HANDLER_DATA, UNWIND_RVA + 12, 4);
    free_unwind(u);
}

static void test_name_from_export(void **state)
{
    (void)state;
    struct unwind_image *u = unwind_image(MACHINE_AMD64);
    uint32_t data_rva = ADD_HANDLED(u, HANDLER_RVA, 0);
    uint32_t eat_rva = LANGUAGE_RVA + 0x30, names_rva = eat_rva + 8, ordinals_rva = names_rva + 4;
    put(u, LANGUAGE_RVA + EXPORT_NUMBER_OF_FUNCTIONS, 2);
    put(u, LANGUAGE_RVA + EXPORT_NUMBER_OF_NAMES, 1);
    put(u, LANGUAGE_RVA + EXPORT_ADDRESS_OF_FUNCTIONS, eat_rva);
    put(u, LANGUAGE_RVA + EXPORT_ADDRESS_OF_NAMES, names_rva);
    put(u, LANGUAGE_RVA + EXPORT_ADDRESS_OF_NAME_ORDINALS, ordinals_rva);
    PUT_WORDS(u, eat_rva, 0, HANDLER_RVA, NAMES_RVA, 1);
    memcpy(at(u, NAMES_RVA), "__C_specific_handler", 21);
    u->made = make_image(u->machine);
    collect_unwind(u, 0);
    arena_free(&u->c.arena);
    uint8_t *entry = u->made.file + made_directory_foff(&u->made, DIR_EXPORT);
    store_u32(entry, LANGUAGE_RVA);
    store_u32(entry + DIRECTORY_SIZE, 0x28);
    collect(&u->c, &u->made, UNWIND_SOURCES);
    assert_int_equal(u->c.refs.problem_count, 0);
    assert_extent(&u->c, EXTENT_HANDLER_DATA, data_rva, 4);
    free_unwind(u);
}

static void test_name_from_coff_symbol(void **state)
{
    (void)state;
    static const char name[] = "__C_specific_handler";
    struct unwind_image *u = unwind_image(MACHINE_AMD64);
    uint32_t data_rva = ADD_HANDLED(u, HANDLER_RVA, 0);
    uint8_t *symbol = at(u, NAMES_RVA);
    store_u32(symbol + 4, 4); /* four zero bytes, then the name's place in the string table */
    store_u32(symbol + COFF_SYMBOL_VALUE, HANDLER_RVA - TEXT_RVA);
    store_u16(symbol + COFF_SYMBOL_SECTION, 1);
    store_u16(symbol + COFF_SYMBOL_TYPE, 0x20);
    put(u, NAMES_RVA + COFF_SYMBOL_NBYTES, 4 + sizeof name);
    memcpy(symbol + COFF_SYMBOL_NBYTES + 4, name, sizeof name);
    collect_unwind(u, 0);
    arena_free(&u->c.arena);
    store_u32(u->made.file + made_coff_foff() + COFF_POINTER_TO_SYMBOL_TABLE, made_foff(&u->made, NAMES_RVA));
    store_u32(u->made.file + made_coff_foff() + COFF_NUMBER_OF_SYMBOLS, 1);
    collect(&u->c, &u->made, UNWIND_SOURCES);
    assert_int_equal(u->c.refs.problem_count, 0);
    assert_extent(&u->c, EXTENT_HANDLER_DATA, data_rva, 4);
    free_unwind(u);
}

/* The same handler, without a name, used by three functions. */
static struct unwind_image *three_users(uint32_t begin, uint32_t end, uint32_t handler, uint32_t target)
{
    struct unwind_image *u = unwind_image(MACHINE_AMD64);
    at(u, HANDLER_RVA)[0] = 0xC3;
    ADD_HANDLED(u, HANDLER_RVA, 1, code(0, 0), code(0, 8), 1, code(0, 0x10));
    ADD_HANDLED(u, HANDLER_RVA, 1, begin, end, handler, target);
    ADD_HANDLED(u, HANDLER_RVA, 1, code(2, 0), code(2, 8), HANDLER_RVA, 0);
    return u;
}

static void test_scope_tables_without_a_name(void **state)
{
    (void)state;
    struct unwind_image *u = three_users(code(1, 4), code(1, 8), 1, code(1, 0x10));
    collect_unwind(u, UNWIND_SOURCES);
    assert_int_equal(u->c.refs.problem_count, 0);
    assert_int_equal(count_refs(&u->c, SOURCE_HANDLER_DATA), 12);
    free_unwind(u);
}

static void test_one_contradiction_makes_a_handler_unknown(void **state)
{
    (void)state;
    const struct {
        uint32_t begin, end, handler, target;
    } cases[] = {
        {code(1, 8), code(1, 8), 1, code(1, 16)},                  /* empty */
        {code(1, 8), TEXT_RVA + 0x2000, 1, code(1, 16)},           /* beyond the section */
        {DATA_RVA + 4, DATA_RVA + 8, 1, code(1, 16)},              /* in another section */
        {code(1, 4), code(1, 8), 2, code(1, 16)},                  /* neither a filter nor the constant 1 */
        {code(1, 4), code(1, 8), 1, DATA_RVA},                     /* target is not code */
        {code(1, 4), code(1, 8), 1, 0},                            /* a __finally without its function */
        {code(1, 4), code(1, 8), DATA_RVA + DATA_NBYTES - 4, 0x9}, /* both wrong */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct unwind_image *u = three_users(cases[i].begin, cases[i].end, cases[i].handler, cases[i].target);
        collect_unwind(u, UNWIND_SOURCES);
        assert_int_equal(count_refs(&u->c, SOURCE_HANDLER_DATA), 0);
        assert_int_equal(count_problems(&u->c, SOURCE_HANDLER_DATA), 1);
        free_unwind(u);
    }
}

static void test_unknown_handler_is_told_once(void **state)
{
    (void)state;
    struct unwind_image *u = unwind_image(MACHINE_AMD64);
    for (int i = 0; i < 4; i++)
        ADD_HANDLED(u, HANDLER_RVA, 0x12345678, 0x9ABCDEF0);
    collect_unwind(u, UNWIND_SOURCES);
    assert_int_equal(count_problems(&u->c, SOURCE_HANDLER_DATA), 1);
    assert_problem(&u->c, SOURCE_HANDLER_DATA,
                   "handler at RVA 0x1200 is not known; the data that 4 functions");
    assert_int_equal(count_refs(&u->c, SOURCE_HANDLER_DATA), 0);
    free_unwind(u);
}

/* A name that is none of the known ones is not overruled by data that look like something. */
static void test_other_names_are_unknown(void **state)
{
    (void)state;
    struct unwind_image *u = unwind_image(MACHINE_AMD64);
    put_thunk(u, "__gxx_personality_seh0");
    ADD_HANDLED(u, THUNK_RVA, 1, code(0, 0), code(0, 8), 1, code(0, 0x10));
    collect_unwind(u, UNWIND_SOURCES);
    assert_problem(&u->c, SOURCE_HANDLER_DATA, "named __gxx_personality_seh0 is not known");
    assert_int_equal(count_refs(&u->c, SOURCE_HANDLER_DATA), 0);
    free_unwind(u);
}

/* The frame has 0x48 bytes. */
static void test_cookie_data(void **state)
{
    (void)state;
    const struct {
        uint32_t words[3];
        uint32_t nbytes; /* 0: not cookie data */
    } cases[] = {
        {{0x30, 0, 0}, 4},        {{0x40, 0, 0}, 4},       /* the last place */
        {{0x48, 0, 0}, 0},                                 /* outside the frame */
        {{0x42, 0, 0}, 0},                                 /* a flag that belongs behind a scope table */
        {{0x34, 0x10, 0x40}, 12}, {{0x34, 0x10, 0x30}, 0}, /* alignment is no power of two */
        {{0xFFFFFFF0, 0, 0}, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct unwind_image *u = unwind_image(MACHINE_AMD64);
        uint32_t data_rva = add_handled(u, HANDLER_RVA, cases[i].words, 3);
        collect_unwind(u, UNWIND_SOURCES);
        assert_int_equal(count_refs(&u->c, SOURCE_HANDLER_DATA), 0);
        assert_int_equal(count_problems(&u->c, SOURCE_HANDLER_DATA), cases[i].nbytes == 0);
        if (cases[i].nbytes != 0)
            assert_extent(&u->c, EXTENT_HANDLER_DATA, data_rva, cases[i].nbytes);
        free_unwind(u);
    }
}

/* A number below the frame's size says nothing unless the data end behind it, where the next unwind info
 * begins: here a scope table of eight entries follows, one of them damaged. */
static void test_cookie_data_must_end_before_the_next_info(void **state)
{
    (void)state;
    struct unwind_image *u = unwind_image(MACHINE_AMD64);
    uint32_t words[1 + 8 * 4] = {8};
    for (size_t i = 0; i < 8; i++) {
        words[1 + 4 * i] = code(0, 0);
        words[2 + 4 * i] = code(0, 8);
        words[3 + 4 * i] = i == 3 ? 0 : 1;
        words[4 + 4 * i] = i == 3 ? 0 : code(0, 0x10);
    }
    add_handled(u, HANDLER_RVA, words, 1 + 8 * 4);
    ADD_HANDLED(u, HANDLER_RVA, 8);
    collect_unwind(u, UNWIND_SOURCES);
    assert_int_equal(count_refs(&u->c, SOURCE_HANDLER_DATA), 0);
    assert_int_equal(count_problems(&u->c, SOURCE_HANDLER_DATA), 1);
    free_unwind(u);
}

/* On ARM64 the cookie's place counts down from the frame's upper end. */
static void test_arm64_cookie_data(void **state)
{
    (void)state;
    static const struct {
        uint32_t word;
        size_t problem_count;
    } cases[] = {{0xFFFFFFC8, 0}, {0xFFFFFFB0, 0}, {0xFFFFFFA8, 1}, {0x10, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct unwind_image *u = unwind_image(MACHINE_ARM64);
        add_function(u, UNWIND_RVA);
        /* One word of codes: set_fp, save_fplr_x of 48 bytes, alloc_s of 16, end: a frame of 0x40 bytes. */
        PUT_WORDS(u, UNWIND_RVA, 1u << 27 | 1u << 20 | 8, 0xE40185E1, HANDLER_RVA, cases[i].word);
        collect_unwind(u, UNWIND_SOURCES);
        assert_int_equal(u->c.refs.problem_count, cases[i].problem_count);
        free_unwind(u);
    }
}

/* Unwind codes that take stack, each alone in a prologue: the cookie may lie in the frame or in the 16 bytes
 * pushed below it, not further down. */
static void test_arm64_frame_sizes(void **state)
{
    (void)state;
    static const struct {
        uint32_t codes[2];
        uint32_t frame_nbytes;
    } cases[] = {
        {{0x0000E402, 0}, 32},      /* alloc_s */
        {{0x0000E424, 0}, 32},      /* save_r19r20_x */
        {{0x0000E485, 0}, 48},      /* save_fplr_x */
        {{0x00E410C0, 0}, 256},     /* alloc_m */
        {{0x00E405CC, 0}, 48},      /* save_regp_x */
        {{0x00E403D4, 0}, 32},      /* save_reg_x */
        {{0x00E403DA, 0}, 32},      /* save_fregp_x */
        {{0x00E403DE, 0}, 32},      /* save_freg_x */
        {{0x000100E0, 0xE4}, 4096}, /* alloc_l */
        {{0x00E405C8, 0}, 0},       /* save_regp takes none */
        {{0xE485E4E2, 0}, 48},      /* add_fp, whose operand is no `end`, then save_fplr_x */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (uint32_t beyond = 16; beyond <= 24; beyond += 8) {
            struct unwind_image *u = unwind_image(MACHINE_ARM64);
            add_function(u, UNWIND_RVA);
            PUT_WORDS(u, UNWIND_RVA, 2u << 27 | 1u << 20 | 8, cases[i].codes[0], cases[i].codes[1],
                      HANDLER_RVA, 0 - (cases[i].frame_nbytes + beyond));
            collect_unwind(u, UNWIND_SOURCES);
            assert_int_equal(u->c.refs.problem_count, beyond > 16);
            free_unwind(u);
        }
}

/* Zero bytes up to the next unwind info. */
static void test_handler_without_data(void **state)
{
    (void)state;
    struct unwind_image *u = unwind_image(MACHINE_ARM64);
    add_function(u, UNWIND_RVA);
    add_function(u, UNWIND_RVA + 16);
    PUT_WORDS(u, UNWIND_RVA, 1u << 27 | 1u << 20 | 8, 0xE4, HANDLER_RVA, 0, 1u << 27 | 8, 0xE4);
    collect_unwind(u, UNWIND_SOURCES);
    assert_int_equal(u->c.refs.problem_count, 0);
    free_unwind(u);
}

/* FuncInfo, version 22, with one of everything. */
static void test_cxx_frame_handler_3(void **state)
{
    (void)state;
    enum {
        INFO = LANGUAGE_RVA,
        UNWIND_MAP = LANGUAGE_RVA + 0x40,
        TRY_MAP = LANGUAGE_RVA + 0x60,
        CATCHES = LANGUAGE_RVA + 0x80,
        IP_MAP = LANGUAGE_RVA + 0xA0,
        TYPE = LANGUAGE_RVA + 0xC0
    };
    struct unwind_image *u = unwind_image(MACHINE_AMD64);
    uint32_t first_rva = ADD_HANDLED(u, HANDLER_RVA, INFO);
    uint32_t second_rva = ADD_HANDLED(u, HANDLER_RVA, INFO);
    PUT_WORDS(u, INFO, CXX_FUNC_INFO_MAGIC_LAST, 2, UNWIND_MAP, 1, TRY_MAP, 2, IP_MAP, 0x28, 0, 1);
    PUT_WORDS(u, UNWIND_MAP, 0xFFFFFFFF, 0, 0, code(0, 4));
    PUT_WORDS(u, TRY_MAP, 0, 0, 1, 1, CATCHES);
    PUT_WORDS(u, CATCHES, 0, TYPE, 0x20, code(0, 8), 0x38);
    PUT_WORDS(u, IP_MAP, code(0, 0), 0xFFFFFFFF, code(0, 0xC), 0);
    collect_unwind(u, UNWIND_SOURCES);
    assert_int_equal(u->c.refs.problem_count, 0);
    assert_ref(&u->c, SOURCE_HANDLER_DATA, first_rva, REF_RVA, INFO, REF_RESOLVED);
    assert_ref(&u->c, SOURCE_HANDLER_DATA, second_rva, REF_RVA, INFO, REF_RESOLVED);
    assert_ref(&u->c, SOURCE_HANDLER_DATA, INFO + 8, REF_RVA, UNWIND_MAP, REF_RESOLVED);
    assert_ref(&u->c, SOURCE_HANDLER_DATA, INFO + 0x20, REF_RVA, 0, REF_NULL);
    assert_ref(&u->c, SOURCE_HANDLER_DATA, UNWIND_MAP + 4, REF_RVA, 0, REF_NULL);
    assert_ref(&u->c, SOURCE_HANDLER_DATA, UNWIND_MAP + 12, REF_RVA, code(0, 4), REF_RESOLVED);
    assert_ref(&u->c, SOURCE_HANDLER_DATA, TRY_MAP + 16, REF_RVA, CATCHES, REF_RESOLVED);
    assert_ref(&u->c, SOURCE_HANDLER_DATA, CATCHES + 4, REF_RVA, TYPE, REF_RESOLVED);
    assert_ref(&u->c, SOURCE_HANDLER_DATA, CATCHES + 12, REF_RVA, code(0, 8), REF_RESOLVED);
    assert_ref(&u->c, SOURCE_HANDLER_DATA, IP_MAP + 8, REF_RVA, code(0, 0xC), REF_RESOLVED);
    assert_null(find_ref(&u->c, SOURCE_HANDLER_DATA, INFO + 0x1C)); /* a place in the frame */
    assert_int_equal(count_refs(&u->c, SOURCE_HANDLER_DATA), 2 + 4 + 2 + 1 + 2 + 2);
    free_unwind(u);
}

static void test_cxx_tables_beyond_the_file(void **state)
{
    (void)state;
    struct unwind_image *u = unwind_image(MACHINE_AMD64);
    ADD_HANDLED(u, HANDLER_RVA, LANGUAGE_RVA);
    PUT_WORDS(u, LANGUAGE_RVA, CXX_FUNC_INFO_MAGIC_FIRST, 0xFFFFFFFF, DATA_RVA, 1, 0x9000, 0, 0, 0);
    collect_unwind(u, UNWIND_SOURCES);
    assert_problem(&u->c, SOURCE_HANDLER_DATA, "RVA 0x2000 (4294967295 entries) runs past the end");
    assert_problem(&u->c, SOURCE_HANDLER_DATA, "RVA 0x9000 (1 entries) runs past the end");
    assert_int_equal(count_refs(&u->c, SOURCE_HANDLER_DATA), 1 + 3);
    free_unwind(u);
}

/* Compressed tables: a byte with bit 0 clear holds its value in the upper seven bits. */
static void put_cxx4(struct unwind_image *u)
{
    enum {
        INFO = LANGUAGE_RVA,
        MAP = INFO + 0x20,
        TRIES = INFO + 0x40,
        CATCHES = INFO + 0x60,
        IPS = INFO + 0x80
    };
    uint8_t *info = at(u, INFO), *map = at(u, MAP), *tries = at(u, TRIES), *catches = at(u, CATCHES);
    info[0] = 0x18; /* an unwind map and a try map */
    put(u, INFO + 1, MAP);
    put(u, INFO + 5, TRIES);
    put(u, INFO + 9, IPS);
    map[0] = 3 << 1;       /* three states */
    map[1] = (4 | 3) << 1; /* a function is called */
    put(u, MAP + 2, code(0, 4));
    map[6] = (4 | 0) << 1; /* nothing to do */
    map[7] = (8 | 1) << 1; /* an object is destroyed */
    put(u, MAP + 8, code(0, 8));
    map[12] = 0x20 << 1;
    tries[0] = 1 << 1;
    tries[3] = 1 << 1; /* states 0, 0, 1 */
    put(u, TRIES + 4, CATCHES);
    catches[0] = 1 << 1;
    catches[1] = 0x13; /* adjectives, type, one continuation address */
    catches[2] = 0x40 << 1;
    put(u, CATCHES + 3, NAMES_RVA);
    put(u, CATCHES + 7, code(0, 0xC));
    store_u16(catches + 11, 0x123 << 2 | 1); /* in two bytes */
    static const uint8_t ips[] = {2 << 1, 4 << 1, 0, 0x0F, 0x00, 0x01, 0x00, 0x00, 1 << 1};
    memcpy(at(u, IPS), ips, sizeof ips);
}

static void check_cxx4(struct unwind_image *u, uint32_t data_rva)
{
    assert_ref(&u->c, SOURCE_HANDLER_DATA, data_rva, REF_RVA, LANGUAGE_RVA, REF_RESOLVED);
    assert_ref(&u->c, SOURCE_HANDLER_DATA, LANGUAGE_RVA + 5, REF_RVA, LANGUAGE_RVA + 0x40, REF_RESOLVED);
    assert_ref(&u->c, SOURCE_HANDLER_DATA, LANGUAGE_RVA + 0x22, REF_RVA, code(0, 4), REF_RESOLVED);
    assert_ref(&u->c, SOURCE_HANDLER_DATA, LANGUAGE_RVA + 0x28, REF_RVA, code(0, 8), REF_RESOLVED);
    assert_ref(&u->c, SOURCE_HANDLER_DATA, LANGUAGE_RVA + 0x44, REF_RVA, LANGUAGE_RVA + 0x60, REF_RESOLVED);
    assert_ref(&u->c, SOURCE_HANDLER_DATA, LANGUAGE_RVA + 0x63, REF_RVA, NAMES_RVA, REF_RESOLVED);
    assert_ref(&u->c, SOURCE_HANDLER_DATA, LANGUAGE_RVA + 0x67, REF_RVA, code(0, 0xC), REF_RESOLVED);
    assert_int_equal(count_refs(&u->c, SOURCE_HANDLER_DATA), 1 + 3 + 2 + 1 + 2);
    assert_extent(&u->c, EXTENT_HANDLER_DATA, LANGUAGE_RVA, 13);
    assert_extent(&u->c, EXTENT_HANDLER_DATA, LANGUAGE_RVA + 0x20, 13);
    assert_extent(&u->c, EXTENT_HANDLER_DATA, LANGUAGE_RVA + 0x60, 13);
    assert_extent(&u->c, EXTENT_HANDLER_DATA, LANGUAGE_RVA + 0x80, 9);
}

static void test_cxx_frame_handler_4(void **state)
{
    (void)state;
    static const uint32_t handlers[] = {THUNK_RVA, HANDLER_RVA}; /* by name, and by what its data are */
    for (size_t i = 0; i < 2; i++) {
        struct unwind_image *u = unwind_image(MACHINE_AMD64);
        if (i == 0)
            put_thunk(u, "__CxxFrameHandler4");
        put_cxx4(u);
        if (i == 0)
            memset(at(u, NAMES_RVA), 0, 2);
        uint32_t data_rva = ADD_HANDLED(u, handlers[i], LANGUAGE_RVA);
        collect_unwind(u, UNWIND_SOURCES);
        assert_int_equal(u->c.refs.problem_count, 0);
        check_cxx4(u, data_rva);
        free_unwind(u);
    }
}

/* Without a name, one wrong RVA or flag anywhere says that the data are something else. */
static void test_cxx4_tables_that_contradict(void **state)
{
    (void)state;
    static const struct {
        uint32_t offset, value;
    } cases[] = {
        {0x00, 0x80},         /* a reserved flag */
        {0x05, 0x7000},       /* no such table */
        {0x22, DATA_RVA + 4}, /* an action that is no code */
        {0x61, 0xC3},         /* reserved flags of a catch */
        {0x67, DATA_RVA},     /* a handler that is no code */
        {0x09, 0},            /* no IP map */
        {0x80, 0x0000000F},   /* more IPs than any function has */
        {0x20, 0xFFFFFF0F},   /* more states than bytes */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct unwind_image *u = unwind_image(MACHINE_AMD64);
        put_cxx4(u);
        if (cases[i].offset == 0x00 || cases[i].offset == 0x61)
            *at(u, LANGUAGE_RVA + cases[i].offset) = (uint8_t)cases[i].value;
        else
            put(u, LANGUAGE_RVA + cases[i].offset, cases[i].value);
        if (cases[i].offset == 0x80)
            put(u, LANGUAGE_RVA + 0x81, 0x7FFFFFFF);
        ADD_HANDLED(u, HANDLER_RVA, LANGUAGE_RVA);
        collect_unwind(u, UNWIND_SOURCES);
        assert_int_equal(count_refs(&u->c, SOURCE_HANDLER_DATA), 0);
        assert_int_equal(count_problems(&u->c, SOURCE_HANDLER_DATA), 1);
        free_unwind(u);
    }
}

/* Several pieces: a segment map instead of an IP map. */
static void test_cxx4_segments(void **state)
{
    (void)state;
    enum { INFO = LANGUAGE_RVA, SEGMENTS = INFO + 0x20, IPS = INFO + 0x40 };
    struct unwind_image *u = unwind_image(MACHINE_AMD64);
    put_thunk(u, "__GSHandlerCheck_EH4");
    *at(u, INFO) = 0x02;
    put(u, INFO + 1, SEGMENTS);
    *at(u, SEGMENTS) = 1 << 1;
    put(u, SEGMENTS + 1, code(0, 0));
    put(u, SEGMENTS + 5, IPS);
    *at(u, IPS) = 1 << 1;
    ADD_HANDLED(u, THUNK_RVA, INFO, 0x20);
    collect_unwind(u, UNWIND_SOURCES);
    assert_int_equal(u->c.refs.problem_count, 0);
    assert_ref(&u->c, SOURCE_HANDLER_DATA, SEGMENTS + 1, REF_RVA, code(0, 0), REF_RESOLVED);
    assert_ref(&u->c, SOURCE_HANDLER_DATA, SEGMENTS + 5, REF_RVA, IPS, REF_RESOLVED);
    assert_int_equal(count_refs(&u->c, SOURCE_HANDLER_DATA), 1 + 1 + 2);
    free_unwind(u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scope_table_by_import_name),
        cmocka_unit_test(test_name_behind_a_jump),
        cmocka_unit_test(test_arm64_import_thunk),
        cmocka_unit_test(test_name_from_export),
        cmocka_unit_test(test_name_from_coff_symbol),
        cmocka_unit_test(test_scope_tables_without_a_name),
        cmocka_unit_test(test_one_contradiction_makes_a_handler_unknown),
        cmocka_unit_test(test_unknown_handler_is_told_once),
        cmocka_unit_test(test_other_names_are_unknown),
        cmocka_unit_test(test_cookie_data),
        cmocka_unit_test(test_cookie_data_must_end_before_the_next_info),
        cmocka_unit_test(test_arm64_cookie_data),
        cmocka_unit_test(test_arm64_frame_sizes),
        cmocka_unit_test(test_handler_without_data),
        cmocka_unit_test(test_cxx_frame_handler_3),
        cmocka_unit_test(test_cxx_tables_beyond_the_file),
        cmocka_unit_test(test_cxx_frame_handler_4),
        cmocka_unit_test(test_cxx4_tables_that_contradict),
        cmocka_unit_test(test_cxx4_segments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
