/* test_verify_writes.c - MEM_WRITE may leave a section only when nothing writes it: each way in which code
 * can write it is refused with its place, and what merely looks like one is accepted. Takes: small drivers,
 * each with one thing added.  Gives: pass or fail. */
#include "verify_writes_case.h"

static void x64_stores_of_every_shape(void **state)
{
    (void)state;
    static const struct {
        const char *opcode;
        size_t nbytes;
        const char *trailing;
        uint32_t trailing_nbytes;
    } stores[] = {
        {"\x89\x05", 2, "", 0},                 /* mov [rip+d], eax */
        {"\x4C\x89\x3D", 3, "", 0},             /* mov [rip+d], r15 */
        {"\xC6\x05", 2, "\x01", 1},             /* mov byte [rip+d], 1 */
        {"\x66\xC7\x05", 3, "\x01\x00", 2},     /* mov word [rip+d], 1 */
        {"\xC7\x05", 2, "\x01\x00\x00\x00", 4}, /* mov dword [rip+d], 1 */
        {"\xF0\x0F\xC1\x0D", 4, "", 0},         /* lock xadd [rip+d], ecx */
        {"\x0F\x11\x05", 3, "", 0},             /* movups [rip+d], xmm0 */
        {"\x0F\x94\x05", 3, "", 0},             /* sete [rip+d] */
        {"\xFF\x05", 2, "", 0},                 /* inc dword [rip+d] */
        {"\x8F\x05", 2, "", 0},                 /* pop [rip+d] */
        {"\xC5\xF8\x11\x05", 4, "", 0},         /* vmovups [rip+d], xmm0 */
        {"\x62\xF1\x7C\x48\x11\x05", 6, "", 0}, /* vmovups [rip+d], zmm0 */
        {"\x67\x89\x05", 3, "", 0},             /* mov [eip+d], eax */
    };
    for (size_t i = 0; i < sizeof stores / sizeof stores[0]; i++) {
        for (unsigned has_unwind_data = 0; has_unwind_data < 2; has_unwind_data++) {
            struct driver driver = driver_make(MACHINE_AMD64);
            uint32_t rva = driver_put_relative(&driver, DRIVER_SPARE_RVA, stores[i].opcode, stores[i].nbytes,
                                               DRIVER_VARIABLE_RVA, stores[i].trailing_nbytes);
            driver_put(&driver, rva, stores[i].trailing, stores[i].trailing_nbytes);
            rva += stores[i].trailing_nbytes;
            driver_put(&driver, rva, "\xC3", 1);
            if (has_unwind_data)
                add_function(&driver, DRIVER_SPARE_RVA, rva + 1 - DRIVER_SPARE_RVA);
            expect_written(&driver, DRIVER_SPARE_RVA, "stores into it, at RVA 0x40F0");
        }
    }
}

static void x64_stores_from_another_section(void **state)
{
    (void)state;
    struct driver driver = driver_make(MACHINE_AMD64);
    driver_put_relative(&driver, DRIVER_TEXT_RVA + 0x10, "\x48\x89\x05", 3, DRIVER_INIT_RVA, 0);
    driver_put(&driver, DRIVER_TEXT_RVA + 0x17, "\xC3", 1);
    expect_written(&driver, DRIVER_TEXT_RVA + 0x10, "in section .text stores into it");
}

/* lea rax, [code], or mov rax, [pointer to code]; mov byte [rax], nop */
static void x64_stores_through_addresses_of_code(void **state)
{
    (void)state;
    for (unsigned is_pointer = 0; is_pointer < 2; is_pointer++) {
        struct driver driver = driver_make(MACHINE_AMD64);
        store_u64(driver_at(&driver, DRIVER_POINTER_RVA), driver.made.image_base_va + DRIVER_CALLBACK_RVA);
        uint32_t rva =
            driver_put_relative(&driver, DRIVER_SPARE_RVA, is_pointer ? "\x48\x8B\x05" : "\x48\x8D\x05", 3,
                                is_pointer ? DRIVER_POINTER_RVA : DRIVER_CALLBACK_RVA, 0);
        driver_put(&driver, rva, "\xC6\x00\x90\xC3", 4);
        expect_written(&driver, DRIVER_SPARE_RVA + 3,
                       "takes the address of RVA 0x4040 in it, at RVA 0x4063, stores");
    }
}

static void x64_reads_and_branches_are_harmless(void **state)
{
    (void)state;
    struct driver driver = driver_make(MACHINE_AMD64);
    uint32_t rva = DRIVER_SPARE_RVA;
    rva = driver_put_relative(&driver, rva, "\x8B\x05", 2, DRIVER_VARIABLE_RVA, 0);     /* mov eax, [x] */
    rva = driver_put_relative(&driver, rva, "\x3B\x0D", 2, DRIVER_VARIABLE_RVA, 0);     /* cmp ecx, [x] */
    rva = driver_put_relative(&driver, rva, "\xFF\x15", 2, DRIVER_VARIABLE_RVA, 0);     /* call [x] */
    rva = driver_put_relative(&driver, rva, "\xE8", 1, DRIVER_CALLBACK_RVA, 0);         /* call callback */
    rva = driver_put_relative(&driver, rva, "\x0F\x10\x05", 3, DRIVER_VARIABLE_RVA, 0); /* movups xmm0, [x] */
    driver_put(&driver, rva, "\xC3", 1);
    expect_unwritten(&driver);
}

static void x64_addresses_of_data_are_refused(void **state)
{
    (void)state;
    struct driver driver = driver_make(MACHINE_AMD64);
    driver_put_relative(&driver, DRIVER_SPARE_RVA, "\x48\x8D\x0D", 3, DRIVER_VARIABLE_RVA,
                        0); /* lea rcx, x */
    driver_put(&driver, DRIVER_SPARE_RVA + 7, "\xC3", 1);
    expect_written(&driver, DRIVER_SPARE_RVA, "takes the address of RVA 0x40F0");

    /* Text is not code, even when it is aligned like a function. */
    static const uint8_t text[] = {'\\', 0, 'D', 0, 'e', 0, 'v', 0, 'i', 0, 'c', 0, 'e', 0, '\\', 0};
    driver = driver_make(MACHINE_AMD64);
    driver_put(&driver, DRIVER_VARIABLE_RVA, text, sizeof text);
    driver_put_relative(&driver, DRIVER_SPARE_RVA, "\x48\x8D\x0D", 3, DRIVER_VARIABLE_RVA, 0);
    driver_put(&driver, DRIVER_SPARE_RVA + 7, "\xC3", 1);
    expect_written(&driver, DRIVER_SPARE_RVA, "takes the address of RVA 0x40F0");

    /* The padding in front of the section: an address there is not one of the section before. */
    driver = driver_make(MACHINE_AMD64);
    driver_put_relative(&driver, DRIVER_SPARE_RVA, "\x48\x8D\x0D", 3, DRIVER_INIT_RVA - 8, 0);
    driver_put(&driver, DRIVER_SPARE_RVA + 7, "\xC3", 1);
    expect_written(&driver, DRIVER_SPARE_RVA, "takes the address of RVA 0x3FF8");

    /* One past the end of the section before is its own. */
    driver = driver_make(MACHINE_AMD64);
    driver_put_relative(&driver, DRIVER_SPARE_RVA, "\x48\x8D\x0D", 3, DRIVER_DATA_RVA + 0x40, 0);
    driver_put(&driver, DRIVER_SPARE_RVA + 7, "\xC3", 1);
    expect_unwritten(&driver);
}

/* A table of names in constants: nobody writes to a string literal. */
static void pointers_to_literals(void **state)
{
    (void)state;
    struct driver driver = driver_make(MACHINE_AMD64);
    driver_put(&driver, DRIVER_VARIABLE_RVA, "WinHvGetId\0\xCC\xCC\xCC\xCC\xCC", 16);
    driver_put_address(&driver, DRIVER_POINTER_RVA, DRIVER_VARIABLE_RVA);
    expect_unwritten_but_assumed(&driver, "addresses of string literals");

    driver = driver_make(MACHINE_AMD64);
    driver_put(&driver, DRIVER_VARIABLE_RVA, "\x06Win\x07Id\0\xCC\xCC\xCC\xCC\xCC\xCC\xCC\xCC",
               16); /* no text */
    driver_put_address(&driver, DRIVER_POINTER_RVA, DRIVER_VARIABLE_RVA);
    expect_written(&driver, DRIVER_POINTER_RVA, "which is not code");
}

static void pointers_among_code_must_lead_to_code(void **state)
{
    (void)state;
    struct driver driver = driver_make(MACHINE_I386);
    driver_put_address(&driver, DRIVER_SPARE_RVA + 0x20, DRIVER_VARIABLE_RVA);
    expect_written(&driver, DRIVER_SPARE_RVA + 0x20, "the pointer at RVA 0x4080 in section INIT leads to");
}

static void x64_image_base_arithmetic(void **state)
{
    (void)state;
    /* mov [rcx + 40F0h], eax is a field of a structure unless the image's base is known to code. */
    struct driver driver = driver_make(MACHINE_AMD64);
    driver_put(&driver, DRIVER_SPARE_RVA, "\x89\x81\xF0\x40\x00\x00\xC3", 7);
    expect_unwritten(&driver);

    driver = driver_make(MACHINE_AMD64);
    driver_put_relative(&driver, DRIVER_SPARE_RVA, "\x48\x8D\x0D", 3, 0, 0); /* lea rcx, image base */
    driver_put(&driver, DRIVER_SPARE_RVA + 7, "\x89\x81\xF0\x40\x00\x00\xC3", 7);
    expect_written(&driver, DRIVER_SPARE_RVA + 7, "stores into it, at RVA 0x40F0");

    /* The same through an index register, and a read, which is harmless. */
    driver = driver_make(MACHINE_AMD64);
    driver_put_relative(&driver, DRIVER_SPARE_RVA, "\x48\x8D\x0D", 3, 0, 0);
    driver_put(&driver, DRIVER_SPARE_RVA + 7, "\x89\x84\x91\xF0\x40\x00\x00\xC3",
               8); /* mov [rcx+rdx*4+x], eax */
    expect_written(&driver, DRIVER_SPARE_RVA + 7, "stores into it");
    driver = driver_make(MACHINE_AMD64);
    driver_put_relative(&driver, DRIVER_SPARE_RVA, "\x48\x8D\x0D", 3, 0, 0);
    driver_put(&driver, DRIVER_SPARE_RVA + 7, "\x8B\x84\x91\xF0\x40\x00\x00\xC3", 8); /* mov eax, [...] */
    expect_unwritten(&driver);
}

static void x86_fields_are_judged_by_their_instructions(void **state)
{
    (void)state;
    static const struct {
        const char *opcode;
        size_t nbytes;
        const char *trailing;
        size_t trailing_nbytes;
        const char *words; /* NULL: harmless */
    } fields[] = {
        {"\xA3", 1, "", 0, "stores into it"},                     /* mov [x], eax */
        {"\x89\x0D", 2, "", 0, "stores into it"},                 /* mov [x], ecx */
        {"\xC7\x05", 2, "\x05\x00\x00\x00", 4, "stores into it"}, /* mov dword [x], 5 */
        {"\x89\x04\x8D", 3, "", 0, "stores into it"},             /* mov [ecx*4 + x], eax */
        {"\xF0\x0F\xB1\x0D", 4, "", 0, "stores into it"},         /* lock cmpxchg [x], ecx */
        {"\x68", 1, "", 0, "which is not code"},                  /* push offset x */
        {"\xB8", 1, "", 0, "which is not code"},                  /* mov eax, offset x */
        {"\x8D\x80", 2, "", 0, "which is not code"},              /* lea eax, [eax + x] */
        {"\xA1", 1, "", 0, NULL},                                 /* mov eax, [x] */
        {"\x8B\x0D", 2, "", 0, NULL},                             /* mov ecx, [x] */
        {"\xFF\x24\x85", 3, "", 0, NULL},                         /* jmp [eax*4 + x] */
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        struct driver driver = driver_make(MACHINE_I386);
        uint32_t rva = DRIVER_SPARE_RVA + 0x40;
        uint32_t field_rva = rva + (uint32_t)fields[i].nbytes;
        /* 64 bytes of plain code lead up to it. */
        memset(driver_at(&driver, DRIVER_SPARE_RVA), 0x40, 0x40); /* inc eax */
        driver_put(&driver, rva, fields[i].opcode, fields[i].nbytes);
        driver_put_address(&driver, field_rva, DRIVER_VARIABLE_RVA);
        driver_put(&driver, field_rva + 4, fields[i].trailing, fields[i].trailing_nbytes);
        driver_put(&driver, field_rva + 4 + (uint32_t)fields[i].trailing_nbytes, "\xC3", 1);
        if (fields[i].words)
            expect_written(&driver, rva, fields[i].words);
        else
            expect_unwritten(&driver);
    }
}

static void x86_jump_tables_are_code(void **state)
{
    (void)state;
    struct driver driver = driver_make(MACHINE_I386);
    uint32_t rva = DRIVER_SPARE_RVA;
    memset(driver_at(&driver, rva), 0x40, 0x40);
    driver_put(&driver, rva + 0x40, "\xFF\x24\x85", 3); /* jmp [eax*4 + table] */
    driver_put_address(&driver, rva + 0x43, rva + 0x60);
    driver_put(&driver, rva + 0x47, "\x33\xC0\xC3\x41\x41\xC3", 6); /* two labels, the second at 4Ah */
    driver_put_address(&driver, rva + 0x60, rva + 0x47);
    driver_put_address(&driver, rva + 0x64,
                       rva + 0x4B); /* behind no end and not aligned: the table marks it */
    expect_unwritten(&driver);
}

/* The labels lie where nothing but the table in data marks a beginning; alone, such a pointer is refused. */
static void jump_tables_in_data_are_code(void **state)
{
    (void)state;
    for (unsigned is_table = 0; is_table < 2; is_table++) {
        struct driver driver = driver_make(MACHINE_I386);
        memset(driver_at(&driver, DRIVER_SPARE_RVA), 0x40, 0x20); /* inc eax */
        driver_put(&driver, DRIVER_SPARE_RVA + 0x20, "\xC3", 1);
        driver_put_address(&driver, DRIVER_DATA_RVA + 8, DRIVER_SPARE_RVA + 3);
        if (is_table)
            driver_put_address(&driver, DRIVER_DATA_RVA + 12, DRIVER_SPARE_RVA + 7);
        if (is_table)
            expect_unwritten(&driver);
        else
            expect_written(&driver, DRIVER_DATA_RVA + 8, "the pointer at RVA 0x3008 leads to RVA 0x4063");
    }
}

static void pointers_in_data_must_lead_to_code(void **state)
{
    (void)state;
    static const uint16_t machines[] = {MACHINE_AMD64, MACHINE_I386};
    for (size_t i = 0; i < 2; i++) {
        struct driver driver = driver_make(machines[i]);
        driver_put_address(&driver, DRIVER_DATA_RVA + 0x10, DRIVER_CALLBACK_RVA);
        expect_unwritten(&driver);
        driver = driver_make(machines[i]);
        driver_put_address(&driver, DRIVER_DATA_RVA + 0x10, DRIVER_VARIABLE_RVA);
        expect_written(&driver, DRIVER_DATA_RVA + 0x10, "the pointer at RVA 0x3010 leads to RVA 0x40F0");
    }
}

static void code_that_learns_its_own_address_is_refused(void **state)
{
    (void)state;
    static const uint16_t machines[] = {MACHINE_AMD64, MACHINE_I386};
    for (size_t i = 0; i < 2; i++) {
        struct driver driver = driver_make(machines[i]);
        driver_put(&driver, DRIVER_SPARE_RVA, "\xE8\x00\x00\x00\x00\x58\xC3", 7); /* call next; pop eax */
        expect_written(&driver, DRIVER_SPARE_RVA, "calls the next instruction");
    }
    struct driver driver = driver_make(MACHINE_I386);
    driver_put(&driver, DRIVER_TEXT_RVA + 0x20, "\x8B\x1C\x24\xC3", 4); /* mov ebx, [esp]; ret */
    driver_put_relative(&driver, DRIVER_SPARE_RVA, "\xE8", 1, DRIVER_TEXT_RVA + 0x20, 0);
    driver_put(&driver, DRIVER_SPARE_RVA + 5, "\xC3", 1);
    expect_written(&driver, DRIVER_SPARE_RVA, "learns its own address");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(x64_stores_of_every_shape),
        cmocka_unit_test(x64_stores_from_another_section),
        cmocka_unit_test(x64_stores_through_addresses_of_code),
        cmocka_unit_test(x64_reads_and_branches_are_harmless),
        cmocka_unit_test(pointers_to_literals),
        cmocka_unit_test(x64_addresses_of_data_are_refused),
        cmocka_unit_test(pointers_among_code_must_lead_to_code),
        cmocka_unit_test(x64_image_base_arithmetic),
        cmocka_unit_test(x86_fields_are_judged_by_their_instructions),
        cmocka_unit_test(x86_jump_tables_are_code),
        cmocka_unit_test(jump_tables_in_data_are_code),
        cmocka_unit_test(pointers_in_data_must_lead_to_code),
        cmocka_unit_test(code_that_learns_its_own_address_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
