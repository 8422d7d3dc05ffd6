/* test_verify_writes_far.c - stores through the address of a function, on another way or in a function that
 * gets it. Takes: a small driver that takes the address, and bytes behind.  Gives: pass or fail. */
#include "verify_writes_case.h"

/* Bytes behind `lea rcx, [function]`, or on x86 `push offset function`. */
static void stores_far_from_where_the_address_is_taken(void **state)
{
    (void)state;
    static const struct {
        uint16_t machine;
        uint8_t nbytes;
        const char *bytes;
        bool is_store;
    } ways[] = {
        {MACHINE_AMD64, 7, "\x75\x01\xC3\xC6\x01\x01\xC3", true},         /* jne +1; ret; mov byte [rcx], 1 */
        {MACHINE_AMD64, 9, "\x75\x03\x33\xC9\xC3\xC6\x01\x01\xC3", true}, /* the same over xor ecx, ecx */
        {MACHINE_AMD64, 5, "\xC6\x04\x11\x01\xC3", true},                 /* mov byte [rcx+rdx], 1 */
        {MACHINE_AMD64, 5, "\x48\x91\x89\x10\xC3", true},                 /* xchg rax, rcx; mov [rax], edx */
        {MACHINE_AMD64, 7, "\x48\x0F\x44\xD1\x89\x02\xC3", true},         /* cmove rdx, rcx; mov [rdx], eax */
        {MACHINE_AMD64, 7, "\x48\x8D\x04\x11\x89\x10\xC3", true},    /* lea rax, [rcx+rdx]; mov [rax], edx */
        {MACHINE_AMD64, 9, "\xE8\x01\0\0\0\xC3\x89\x01\xC3", true},  /* call +1; ret; mov [rcx], eax */
        {MACHINE_AMD64, 9, "\xE8\x01\0\0\0\xC3\x8B\x01\xC3", false}, /* mov eax, [rcx] */
        {MACHINE_AMD64, 9, "\xE8\x01\0\0\0\xC3\x89\x02\xC3", false}, /* mov [rdx], eax */
        /* call +1; ret; mov eax, [esp+4]; mov [eax], edx; ret: the argument, and another one */
        {MACHINE_I386, 13, "\xE8\x01\0\0\0\xC3\x8B\x44\x24\x04\x89\x10\xC3", true},
        {MACHINE_I386, 13, "\xE8\x01\0\0\0\xC3\x8B\x44\x24\x08\x89\x10\xC3", false},
        /* push ecx; call +1; ret; push ebp; mov ebp, esp; mov eax, [ebp+12] or [ebp+8]; mov [eax], edx; ret
         */
        {MACHINE_I386, 16, "\x51\xE8\x01\0\0\0\xC3\x55\x8B\xEC\x8B\x45\x0C\x89\x10\xC3", true},
        {MACHINE_I386, 16, "\x51\xE8\x01\0\0\0\xC3\x55\x8B\xEC\x8B\x45\x08\x89\x10\xC3", false},
    };
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct driver driver = driver_make(ways[i].machine);
        uint32_t rva = DRIVER_SPARE_RVA;
        print_message("way %zu\n", i);
        if (ways[i].machine == MACHINE_AMD64) {
            rva = driver_put_relative(&driver, rva, "\x48\x8D\x0D", 3, DRIVER_CALLBACK_RVA, 0);
        } else {
            driver_put(&driver, rva, "\x68", 1);
            driver_put_address(&driver, rva + 1, DRIVER_CALLBACK_RVA);
            rva += 5;
        }
        driver_put(&driver, rva, ways[i].bytes, ways[i].nbytes);
        if (ways[i].is_store)
            expect_written(&driver, DRIVER_SPARE_RVA + (ways[i].machine == MACHINE_AMD64 ? 3 : 1),
                           "takes the address of RVA 0x4040 in it");
        else
            expect_unwritten(&driver);
    }
}

/* mov r, address, or mov r, [pointer to it]; then a number from there is added to it, and stored there.
 * Nothing can be stored at a constant, so something else is meant; of a discardable INIT Windows takes the
 * right away itself. */
static void a_store_through_the_address_of_a_constant_means_something_else(void **state)
{
    (void)state;
    static const char load_64[] =
        "\x48\x63\x08\xC6\x04\x01\x66\xC3"; /* movsxd rcx, [rax]; mov byte [rcx+rax], 66h */
    static const char load_32[] =
        "\x8B\x08\xC6\x04\x01\x66\xC3"; /* mov ecx, [eax]; mov byte [ecx+eax], 66h */
    static const char read_64[] = "\x48\x63\x08\x8A\x04\x01\xC3"; /* movsxd rcx, [rax]; mov al, [rcx+rax] */
    enum { CONSTANT_RVA = DRIVER_RDATA_RVA + 0x1C0 };
    static const struct {
        uint16_t machine;
        uint32_t to_rva; /* 0: the headers, by a pointer */
        const char *bytes;
        bool is_init, is_refused;
    } stores[] = {
        {MACHINE_AMD64, CONSTANT_RVA, load_64, false, true},
        {MACHINE_AMD64, 0, load_64, false, true},
        {MACHINE_AMD64, CONSTANT_RVA, load_64, true, false},
        {MACHINE_AMD64, CONSTANT_RVA, read_64, false, false},
        {MACHINE_AMD64, DRIVER_DATA_RVA, load_64, false, false},
        {MACHINE_I386, CONSTANT_RVA, load_32, false, true},
        {MACHINE_I386, 0, load_32, false, true},
        {MACHINE_I386, CONSTANT_RVA, load_32, true, false},
    };
    for (size_t i = 0; i < sizeof stores / sizeof stores[0]; i++) {
        struct driver driver = driver_make(stores[i].machine);
        bool is_64 = stores[i].machine == MACHINE_AMD64, has_pointer = stores[i].to_rva == 0;
        uint32_t rva = DRIVER_SPARE_RVA, from_rva = has_pointer ? DRIVER_POINTER_RVA : stores[i].to_rva;
        if (has_pointer) /* it has its base relocation */
            store_width(driver_at(&driver, DRIVER_POINTER_RVA), is_64 ? 8 : 4, driver.made.image_base_va);
        if (is_64) {
            rva = driver_put_relative(&driver, rva, has_pointer ? "\x48\x8B\x05" : "\x48\x8D\x05", 3,
                                      from_rva, 0);
        } else {
            driver_put(&driver, rva, has_pointer ? "\xA1" : "\xB8", 1);
            driver_put_address(&driver, rva + 1, from_rva);
            rva += 5;
        }
        driver_put(&driver, rva, stores[i].bytes, strlen(stores[i].bytes));
        if (is_64)
            add_function(&driver, DRIVER_SPARE_RVA,
                         rva - DRIVER_SPARE_RVA + (uint32_t)strlen(stores[i].bytes));
        struct verify_files files = driver_repair(&driver);
        struct pe_view view = view_of(files.new_bytes, files.new_nbytes);
        uint32_t name_foff = view_section_foff(&view, view_find_section(&view, "INIT", 0));
        if (!stores[i].is_init) {
            files.old_bytes[name_foff] = files.new_bytes[name_foff] = 'X';
            pairs_set_checksum(files.new_bytes, files.new_nbytes);
        }
        struct arena arena;
        arena_init(&arena, NULL);
        struct verify_verdict verdict = judge(&files, &arena);
        if ((verdict.result == VERIFY_REFUTED) != stores[i].is_refused ||
            (stores[i].is_refused && !strstr(verdict.reason, "which cannot be written")))
            fail_msg("%zu: %s", i, verdict.reason ? verdict.reason : "proved");
        arena_free(&arena);
        pairs_free(&files);
    }
}

/* push 0; mov eax, offset function; mov byte [eax+1], 1; ret: from the zero on the bytes read as a store,
 * too. */
static void an_address_behind_a_zero_is_followed(void **state)
{
    (void)state;
    struct driver driver = driver_make(MACHINE_I386);
    driver_put(&driver, DRIVER_SPARE_RVA, "\x6A\0\xB8\0\0\0\0\xC6\x40\x01\x01\xC3", 12);
    driver_put_address(&driver, DRIVER_SPARE_RVA + 3, DRIVER_CALLBACK_RVA);
    driver_put(&driver, DRIVER_SPARE_RVA - 1, "\xCC", 1);
    struct verify_files files = driver_repair(&driver);
    struct arena arena;
    arena_init(&arena, NULL);
    struct verify_verdict verdict = judge(&files, &arena);
    assert_int_equal(verdict.result, VERIFY_REFUTED);
    arena_free(&arena);
    pairs_free(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stores_far_from_where_the_address_is_taken),
        cmocka_unit_test(a_store_through_the_address_of_a_constant_means_something_else),
        cmocka_unit_test(an_address_behind_a_zero_is_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
