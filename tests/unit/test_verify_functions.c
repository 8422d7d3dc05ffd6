/* test_verify_functions.c - where the verifier takes bytes of a driver for instructions, and where for
 * tables: switch tables behind a function's code, instructions that look like data, import tables among code.
 * Takes: small drivers, each with one thing changed.  Gives: pass or fail. */
#include "verify_expect.h"
#include "verify_pairs.h"

enum { FUNCTION_RVA = DRIVER_SPARE_RVA, STORE_RVA = DRIVER_TEXT_RVA + 0x10 };

/* Refuted with these words, or proved when words is NULL. The driver is used up. */
static void expect(struct driver *driver, const char *words)
{
    struct verify_files files = driver_repair(driver);
    struct arena arena;
    arena_init(&arena, NULL);
    struct verify_verdict verdict = judge(&files, &arena);
    bool is_right = words ? verdict.result == VERIFY_REFUTED && strstr(verdict.reason, words) != NULL
                          : verdict.result == VERIFY_PROVED_WITH_ASSUMPTIONS;
    if (!is_right)
        fail_msg("result %d, expected \"%s\": %s", (int)verdict.result, words ? words : "proved",
                 verdict.reason ? verdict.reason : "nothing");
    arena_free(&arena);
    pairs_free(&files);
}

/* Unwind data for [FUNCTION_RVA, end_rva), behind the driver's own entry. */
static void add_function(struct driver *driver, uint32_t end_rva)
{
    uint8_t *function = driver_at(driver, DRIVER_PDATA_RVA) + RUNTIME_FUNCTION_NBYTES;
    store_u32(function + RUNTIME_FUNCTION_BEGIN, FUNCTION_RVA);
    store_u32(function + RUNTIME_FUNCTION_END, end_rva);
    store_u32(function + RUNTIME_FUNCTION_UNWIND, DRIVER_UNWIND_RVA);
    make_directory(&driver->made, DIR_EXCEPTION, DRIVER_PDATA_RVA, 2 * RUNTIME_FUNCTION_NBYTES);
}

/* A store to a field of a structure, at an offset that is an RVA of INIT: harmless when all that becomes of
 * the image base is known. */
static void put_field_store(struct driver *driver)
{
    driver_put(driver, STORE_RVA, "\x89\x83\xF0\x40\x00\x00\xC3", 7); /* mov [rbx + 40F0h], eax; ret */
}

/* switch (ecx): case 0 at +1Ah, case 1 and default at +1Dh, the table at +24h. Ends at +2Ch. */
static struct driver make_switch(void)
{
    static const uint8_t cases[] = {0x33, 0xC0, 0xC3, 0xB8, 1, 0, 0, 0, 0xC3, 0x90};
    struct driver driver = driver_make(MACHINE_AMD64);
    uint32_t at = FUNCTION_RVA;
    put_field_store(&driver);
    driver_put(&driver, at, "\x83\xF9\x01\x77\x18\x8B\xC1", 7);      /* cmp ecx, 1; ja; mov eax */
    driver_put_relative(&driver, at + 7, "\x48\x8D\x15", 3, 0, 0);   /* lea rdx, image base */
    driver_put(&driver, at + 14, "\x8B\x84\x82\x84\x40\x00\x00", 7); /* mov eax, [rdx+rax*4+T] */
    driver_put(&driver, at + 21, "\x48\x03\xC2\xFF\xE0", 5);         /* add rax, rdx; jmp rax */
    driver_put(&driver, at + 26, cases, sizeof cases);
    store_u32(driver_at(&driver, at + 0x24), FUNCTION_RVA + 0x1A);
    store_u32(driver_at(&driver, at + 0x28), FUNCTION_RVA + 0x1D);
    add_function(&driver, at + 0x2C);
    return driver;
}

/* The same with three cases, and bytes at +34h that choose the entry; the table is at +2Ch. Ends at +37h. */
static struct driver make_byte_switch(void)
{
    static const uint8_t cases[] = {0x33, 0xC0, 0xC3, 0xB8, 1, 0, 0, 0, 0xC3, 0x90};
    struct driver driver = driver_make(MACHINE_AMD64);
    uint32_t at = FUNCTION_RVA;
    put_field_store(&driver);
    driver_put(&driver, at, "\x83\xF9\x02\x77\x20\x8B\xC1", 7);          /* cmp ecx, 2; ja; mov eax, ecx */
    driver_put_relative(&driver, at + 7, "\x48\x8D\x15", 3, 0, 0);       /* lea rdx, image base */
    driver_put(&driver, at + 14, "\x0F\xB6\x84\x02\x94\x40\x00\x00", 8); /* movzx eax, byte [rdx+rax+B] */
    driver_put(&driver, at + 22, "\x8B\x84\x82\x8C\x40\x00\x00", 7);     /* mov eax, [rdx+rax*4+T] */
    driver_put(&driver, at + 29, "\x48\x03\xC2\xFF\xE0", 5);             /* add rax, rdx; jmp rax */
    driver_put(&driver, at + 34, cases, sizeof cases);
    store_u32(driver_at(&driver, at + 0x2C), FUNCTION_RVA + 0x22);
    store_u32(driver_at(&driver, at + 0x30), FUNCTION_RVA + 0x25);
    driver_put(&driver, at + 0x34, "\x00\x01\x00", 3);
    add_function(&driver, at + 0x37);
    return driver;
}

static void a_switch_table_ends_its_function(void **state)
{
    (void)state;
    struct driver driver = make_switch();
    expect(&driver, NULL);
    driver = make_byte_switch();
    expect(&driver, NULL);
}

static void what_is_not_shown_to_be_a_switch_table_is_none(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t at, end; /* from the function's begin */
        const char *bytes;
        size_t nbytes;
    } changes[] = {
        {"an entry into the middle of an instruction", 0x28, 0x2C, "\x7E", 1},
        {"an entry into the table", 0x28, 0x2C, "\x84", 1},
        {"an entry into another function", 0x28, 0x2C, "\x40", 1},
        {"a comparison that allows more entries", 2, 0x2C, "\x02", 1},
        {"a comparison that allows fewer entries", 2, 0x2C, "\x00", 1},
        {"a comparison that is none", 3, 0x2C, "\x74", 1},
        {"a jump that does not use the sum", 25, 0x2C, "\xE1", 1},
        {"a sum without the base", 23, 0x2C, "\xC1", 1},
        {"a table that other code is behind", 0x2C, 0x30, "\x33\xC0\xC3\x90", 4},
        {"a table that ends with half an entry", 0, 0x2E, "", 0},
        {"a branch into the table", 4, 0x2C, "\x1F", 1},
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct driver driver = make_switch();
        print_message("%s\n", changes[i].name);
        driver_put(&driver, FUNCTION_RVA + changes[i].at, changes[i].bytes, changes[i].nbytes);
        add_function(&driver, FUNCTION_RVA + changes[i].end);
        expect(&driver, "at RVA 0x1010 in section .text stores into it");
    }
}

static void bytes_that_choose_entries_are_as_many_as_cases(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t at, end;
        const char *bytes;
        size_t nbytes;
    } changes[] = {
        {"a byte that chooses no entry", 0x35, 0x37, "\x02", 1},
        {"a byte too few", 0, 0x36, "", 0},
        {"code behind the bytes", 0x37, 0x3A, "\x33\xC0\xC3", 3},
        {"more than fill behind the bytes", 0x37, 0x3B, "\x90\x90\x90\x90", 4},
        {"no comparison", 3, 0x37, "\x74", 1},
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct driver driver = make_byte_switch();
        print_message("%s\n", changes[i].name);
        driver_put(&driver, FUNCTION_RVA + changes[i].at, changes[i].bytes, changes[i].nbytes);
        add_function(&driver, FUNCTION_RVA + changes[i].end);
        expect(&driver, "at RVA 0x1010 in section .text stores into it");
    }
}

/* The first switch with its base in rcx, where case 0 (+1Ah) calls a function; case 1 at +20h, the table at
 * +28h. */
static struct driver make_calling_switch(void)
{
    struct driver driver = driver_make(MACHINE_AMD64);
    uint32_t at = FUNCTION_RVA;
    put_field_store(&driver);
    driver_put(&driver, at, "\x83\xF9\x01\x77\x1B\x8B\xC1", 7);                /* cmp ecx, 1; ja; mov eax */
    driver_put_relative(&driver, at + 7, "\x48\x8D\x0D", 3, 0, 0);             /* lea rcx, image base */
    driver_put(&driver, at + 14, "\x8B\x84\x81\x88\x40\x00\x00", 7);           /* mov eax, [rcx+rax*4+T] */
    driver_put(&driver, at + 21, "\x48\x03\xC1\xFF\xE0", 5);                   /* add rax, rcx; jmp rax */
    driver_put_relative(&driver, at + 0x1A, "\xE8", 1, DRIVER_TEXT_RVA, 0);    /* call */
    driver_put(&driver, at + 0x1F, "\xC3\xB8\x01\x00\x00\x00\xC3\x90\x90", 9); /* ret; mov eax, 1; ret */
    store_u32(driver_at(&driver, at + 0x28), FUNCTION_RVA + 0x1A);
    store_u32(driver_at(&driver, at + 0x2C), FUNCTION_RVA + 0x20);
    add_function(&driver, at + 0x30);
    return driver;
}

static void the_base_that_a_switch_leaves_is_no_argument(void **state)
{
    (void)state;
    struct driver driver = make_calling_switch();
    expect(&driver, NULL);
    /* Taken before the comparison, it reaches more than the jump. */
    driver = make_calling_switch();
    driver_put_relative(&driver, FUNCTION_RVA, "\x48\x8D\x0D", 3, 0, 0);
    driver_put(&driver, FUNCTION_RVA + 7, "\x83\xF8\x01\x77\x14\x8B\xC0", 7); /* cmp eax, 1; ja */
    expect(&driver, "at RVA 0x1010 in section .text stores into it");
    /* Also taken for the call: lea rcx, image base; call; ret, in another function. */
    driver = make_calling_switch();
    uint32_t rva = driver_put_relative(&driver, FUNCTION_RVA + 0x30, "\x48\x8D\x0D", 3, 0, 0);
    rva = driver_put_relative(&driver, rva, "\xE8", 1, DRIVER_TEXT_RVA, 0);
    driver_put(&driver, rva, "\xC3", 1);
    expect(&driver, "at RVA 0x1010 in section .text stores into it");
    /* The case passes another register that has it, or has a number: mov rdx, rcx or rax behind the jump. */
    for (unsigned i = 0; i < 2; i++) {
        driver = make_calling_switch();
        driver_put(&driver, FUNCTION_RVA + 0x1A, i == 0 ? "\x48\x8B\xD1" : "\x48\x8B\xD0", 3);
        driver_put_relative(&driver, FUNCTION_RVA + 0x1D, "\xE8", 1, DRIVER_TEXT_RVA, 0);
        driver_put(&driver, FUNCTION_RVA + 0x22, "\xC3\x33\xC0\xC3\x90\x90", 6);
        driver_put(&driver, FUNCTION_RVA + 4, "\x1E", 1);
        store_u32(driver_at(&driver, FUNCTION_RVA + 0x2C), FUNCTION_RVA + 0x23);
        expect(&driver, i == 0 ? "at RVA 0x1010 in section .text stores into it" : NULL);
    }
}

/* A constant that holds the bytes of a store, on a 16-byte boundary; `loop` comes before it. */
static struct driver make_constant(const char *loop)
{
    struct driver driver = driver_make(MACHINE_AMD64);
    driver_put(&driver, FUNCTION_RVA, loop, 14);
    driver_put_relative(&driver, FUNCTION_RVA + 14, "\x48\xB8\x89\x05", 4, DRIVER_VARIABLE_RVA, 0);
    driver_put(&driver, FUNCTION_RVA + 22, "\x00\x00\xC3", 3);
    add_function(&driver, FUNCTION_RVA + 25);
    return driver;
}

static void what_looks_like_data_is_code_where_the_function_goes_through_it(void **state)
{
    (void)state;
    /* jmp +9; L: add [rsi + 90h], bpl; shr dword [rdi + 28h], 1; jne L */
    struct driver driver = make_constant("\xEB\x07\x40\x00\xAE\x90\x00\x00\x00\xD1\x6F\x28\x75\xF4");
    expect(&driver, NULL);
    /* The jump back does not lead there. */
    driver = make_constant("\xEB\x07\x40\x00\xAE\x90\x00\x00\x00\xD1\x6F\x28\x75\xFB");
    expect(&driver, "at RVA 0x4070 in section INIT stores into it");
    /* Nothing in front of it leads behind it, but all that follows is run into, up to a return. */
    static const char straight[] = "\x33\xC0\x40\x00\xAE\x90\x00\x00\x00\xD1\x6F\x28\x75\xF4";
    driver = make_constant(straight);
    expect(&driver, NULL);
    /* The return is followed by more, which nothing leads to; by fill. */
    driver = make_constant(straight);
    add_function(&driver, FUNCTION_RVA + 27);
    driver_put(&driver, FUNCTION_RVA + 25, "\x33\xC0", 2);
    expect(&driver, "at RVA 0x4070 in section INIT stores into it");
    driver = make_constant(straight);
    add_function(&driver, FUNCTION_RVA + 27);
    driver_put(&driver, FUNCTION_RVA + 25, "\x90\x90", 2);
    expect(&driver, NULL);
    /* What follows ends without a return, or with a trap. */
    driver = make_constant(straight);
    add_function(&driver, FUNCTION_RVA + 24);
    expect(&driver, "at RVA 0x4070 in section INIT stores into it");
    driver = make_constant(straight);
    driver_put(&driver, FUNCTION_RVA + 24, "\xCC", 1);
    expect(&driver, "at RVA 0x4070 in section INIT stores into it");
}

/* A second entry of the lookup table, whose bytes are those of a store to what follows it. */
static struct driver make_lookup(uint64_t entry)
{
    struct driver driver = driver_make(MACHINE_AMD64);
    store_u64(driver_at(&driver, DRIVER_LOOKUP_RVA + 8), entry);
    make_directory(&driver.made, DIR_IAT, DRIVER_IAT_RVA, 24);
    return driver;
}

static void import_tables_are_no_code(void **state)
{
    (void)state;
    struct driver driver = make_lookup(0x8000000000000589); /* ordinal 1417: mov [rip + 0], eax */
    expect(&driver, NULL);
    driver = make_lookup(0x8000000001000589); /* no ordinal */
    expect(&driver, "at RVA 0x4148 in section INIT stores into it");
    driver = make_lookup(0x8000000000000589);
    driver_put(&driver, DRIVER_NAMES_RVA + 0x12, "\x01\x02", 2); /* the first entry leads to no name */
    expect(&driver, "at RVA 0x4148 in section INIT stores into it");

    /* The time stamp and forwarder chain of a descriptor may hold anything. */
    driver = driver_make(MACHINE_AMD64);
    driver_put(&driver, DRIVER_DESCRIPTORS_RVA + 4, "\x89\x05\x00\x00\x00\x00", 6);
    expect(&driver, NULL);
    driver = driver_make(MACHINE_AMD64);
    driver_put(&driver, DRIVER_DESCRIPTORS_RVA + 4, "\x89\x05\x00\x00\x00\x00", 6);
    driver_put(&driver, DRIVER_NAMES_RVA, "\x01", 1); /* the module has no name */
    expect(&driver, "at RVA 0x4104 in section INIT stores into it");
    /* Behind the tables there may be code. */
    driver = driver_make(MACHINE_AMD64);
    driver_put(&driver, DRIVER_DESCRIPTORS_RVA + 2 * IMPORT_DESCRIPTOR_NBYTES, "\x89\x05\x00\x00\x00\x00\xC3",
               7);
    expect(&driver, "at RVA 0x4128 in section INIT stores into it");
}

/* From the address of a variable a store reaches INIT: with a displacement, or with what is added to it. */
static void stores_far_from_the_address_are_seen(void **state)
{
    (void)state;
    enum { DISTANCE = DRIVER_VARIABLE_RVA - DRIVER_DATA_RVA, HALF = DISTANCE / 2, BACK = -HALF };
    static const struct {
        const char *code;
        unsigned distance_at[2], nbytes; /* the same place twice: one distance */
        int32_t distance;
        const char *words;
    } stores[] = {
        {"\xFF\x80\0\0\0\0\xC3", {2, 2}, 7, DISTANCE, "stores there"}, /* inc dword [rax + distance] */
        {"\xFF\x80\0\0\0\0\xC3", {2, 2}, 7, 8, NULL},
        /* add rax, distance; inc [rax] */
        {"\x48\x05\0\0\0\0\xFF\x00\xC3", {2, 2}, 9, DISTANCE, "stores there"},
        {"\x8B\x80\0\0\0\0\xC3", {2, 2}, 7, DISTANCE, NULL}, /* a read */
        /* add rax, half; inc [rax + half] */
        {"\x48\x05\0\0\0\0\xFF\x80\0\0\0\0\xC3", {2, 8}, 13, HALF, "stores there"},
        /* lea rcx, [rax + half]; inc [rcx + half] */
        {"\x48\x8D\x88\0\0\0\0\xFF\x81\0\0\0\0\xC3", {3, 9}, 14, HALF, "stores there"},
        /* sub rax, -half, twice; inc [rax] */
        {"\x48\x2D\0\0\0\0\x48\x2D\0\0\0\0\xFF\x00\xC3", {2, 8}, 15, BACK, "stores there"},
    };
    for (size_t i = 0; i < sizeof stores / sizeof stores[0]; i++) {
        struct driver driver = driver_make(MACHINE_AMD64);
        uint32_t at = driver_put_relative(&driver, FUNCTION_RVA, "\x48\x8D\x05", 3, DRIVER_DATA_RVA, 0);
        driver_put(&driver, at, stores[i].code, stores[i].nbytes);
        for (unsigned k = 0; k < 2; k++)
            store_u32(driver_at(&driver, at + stores[i].distance_at[k]), (uint32_t)stores[i].distance);
        add_function(&driver, at + stores[i].nbytes);
        expect(&driver, stores[i].words);
    }
}

/* The image base is stored, and so out of sight: an RVA in data may be added to it. INIT is another matter.
 */
static void numbers_are_seen_once_the_base_is_out_of_sight(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 16; i++) {
        bool is_init = i & 1, is_lost = i & 2, is_code = i & 4, is_immediate = i & 8;
        uint32_t number = is_code ? FUNCTION_RVA : DRIVER_VARIABLE_RVA;
        struct driver driver = driver_make(MACHINE_AMD64);
        uint32_t at =
            driver_put_relative(&driver, FUNCTION_RVA, "\x48\x8D\x05", 3, is_lost ? 0 : DRIVER_DATA_RVA, 0);
        if (is_lost)
            at = driver_put_relative(&driver, at, "\x48\x89\x05", 3, DRIVER_DATA_RVA + 8, 0);
        driver_put(&driver, at, "\xB9\0\0\0\0\xC3", 6); /* mov ecx, number; ret */
        store_u32(driver_at(&driver, is_immediate ? at + 1 : DRIVER_DATA_RVA + 0x20), number);
        add_function(&driver, at + 6);
        struct verify_files files = driver_repair(&driver);
        struct pe_view view = view_of(files.new_bytes, files.new_nbytes);
        uint32_t name_foff = view_section_foff(&view, view_find_section(&view, "INIT", 0));
        if (!is_init) { /* under another name Windows leaves the right alone */
            files.old_bytes[name_foff] = files.new_bytes[name_foff] = 'X';
            pairs_set_checksum(files.new_bytes, files.new_nbytes);
        }
        struct arena arena;
        arena_init(&arena, NULL);
        struct verify_verdict verdict = judge(&files, &arena);
        bool is_refused = !is_init && is_lost && !is_code;
        if ((verdict.result == VERIFY_REFUTED) != is_refused ||
            (is_refused && !strstr(verdict.reason, is_immediate ? "is RVA 0x40F0"
                                                                : "the number at RVA 0x3020 is RVA 0x40F0")))
            fail_msg("%u: %s", i, verdict.reason ? verdict.reason : "proved");
        arena_free(&arena);
        pairs_free(&files);
    }
}

/* What may write a variable of INIT, though it is no store that the decoder knows, or no address of 64 bits.
 */
static void unusual_ways_to_a_variable_are_seen(void **state)
{
    (void)state;
    static const struct {
        const char *code;
        unsigned nbytes;
        const char *variable; /* four bytes of it */
        const char *words;
    } ways[] = {
        {"\x0F\x38\xFC\x05", 4, "\x01\0\0\0", "that is not decoded"},     /* aadd [rip + x], eax */
        {"\xC4\xE2\x79\xE6\x05", 5, "\x01\0\0\0", "that is not decoded"}, /* cmpbexadd [rip + x], eax, eax */
        {"\x8D\x05", 2, "\x01\0\0\0", "takes the address"},               /* lea eax, [rip + x] */
        {"\x48\x8D\x0D", 3, "\xC3\0\0\0", "takes the address"},           /* lea rcx, [rip + x]: C3h */
        {"\x48\x8D\x0D", 3, "\xC3\xCC\xCC\xCC", NULL},                    /* a function that returns */
    };
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct driver driver = driver_make(MACHINE_AMD64);
        driver_put(&driver, DRIVER_VARIABLE_RVA, ways[i].variable, 4);
        uint32_t at =
            driver_put_relative(&driver, FUNCTION_RVA, ways[i].code, ways[i].nbytes, DRIVER_VARIABLE_RVA, 0);
        driver_put(&driver, at, "\xC3", 1);
        add_function(&driver, at + 1);
        expect(&driver, ways[i].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_switch_table_ends_its_function),
        cmocka_unit_test(what_is_not_shown_to_be_a_switch_table_is_none),
        cmocka_unit_test(bytes_that_choose_entries_are_as_many_as_cases),
        cmocka_unit_test(the_base_that_a_switch_leaves_is_no_argument),
        cmocka_unit_test(what_looks_like_data_is_code_where_the_function_goes_through_it),
        cmocka_unit_test(import_tables_are_no_code),
        cmocka_unit_test(unusual_ways_to_a_variable_are_seen),
        cmocka_unit_test(stores_far_from_the_address_are_seen),
        cmocka_unit_test(numbers_are_seen_once_the_base_is_out_of_sight),
    };
    return cmocka_run_group_tests_name("verify_functions", tests, NULL, NULL);
}
