/* test_verify_writes.c - MEM_WRITE may leave a section only when nothing writes it: each way to write it is
 * refused with its place, and what merely looks like one is accepted.
 * Takes: small drivers, each with one thing added.  Gives: pass or fail. */
#include "verify_expect.h"
#include "verify_pairs.h"

/* The pair of a driver is refuted at this RVA of the new file. */
static void expect_written(struct driver *driver, uint32_t rva, const char *words)
{
    struct verify_files files = driver_repair(driver);
    struct pe_view view = view_of(files.new_bytes, files.new_nbytes);
    struct arena arena;
    arena_init(&arena, NULL);
    struct verify_verdict verdict = judge(&files, &arena);
    if (verdict.result != VERIFY_REFUTED || !strstr(verdict.reason, words))
        fail_msg("result %d, expected \"%s\" in: %s", (int)verdict.result, words,
                 verdict.reason ? verdict.reason : "nothing");
    assert_int_equal(verdict.rva, rva);
    assert_int_equal(verdict.file_offset, view_foff(&view, rva));
    assert_false(verdict.in_old);
    arena_free(&arena);
    pairs_free(&files);
}

static void expect_unwritten(struct driver *driver)
{
    struct verify_files files = driver_repair(driver);
    expect_proved(&files);
    pairs_free(&files);
}

static void expect_unwritten_but_assumed(struct driver *driver, const char *words)
{
    struct verify_files files = driver_repair(driver);
    struct arena arena;
    arena_init(&arena, NULL);
    struct verify_verdict verdict = judge(&files, &arena);
    assert_int_equal(verdict.result, VERIFY_PROVED_WITH_ASSUMPTIONS);
    bool is_said = false;
    for (size_t i = 0; i < verdict.difference_count; i++)
        is_said |= strstr(verdict.differences[i].why_allowed, words) != NULL;
    if (!is_said)
        fail_msg("%s", verdict.differences[verdict.difference_count - 1].why_allowed);
    arena_free(&arena);
    pairs_free(&files);
}

/* Unwind data for [rva, rva + nbytes), behind the driver's own entry. */
static void add_function(struct driver *driver, uint32_t rva, uint32_t nbytes)
{
    uint8_t *function = driver_at(driver, DRIVER_PDATA_RVA) + RUNTIME_FUNCTION_NBYTES;
    store_u32(function + RUNTIME_FUNCTION_BEGIN, rva);
    store_u32(function + RUNTIME_FUNCTION_END, rva + nbytes);
    store_u32(function + RUNTIME_FUNCTION_UNWIND, DRIVER_UNWIND_RVA);
    make_directory(&driver->made, DIR_EXCEPTION, DRIVER_PDATA_RVA, 2 * RUNTIME_FUNCTION_NBYTES);
}

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

/* Spaces decode as `and [rax], ah`, and " %X\n" with the zeros behind it as `and [rip + 0xA58], ah`. */
static void x64_text_between_functions_is_not_run(void **state)
{
    (void)state;
    static const char text[16] = "         %X\n";
    enum { TAKEN = 1, BOUNDED = 2 };
    static const struct {
        unsigned how;
        bool is_accepted;
    } cases[] = {{TAKEN, true}, {0, false}, {BOUNDED, false}, {TAKEN | BOUNDED, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct driver driver = driver_make(MACHINE_AMD64);
        driver_put(&driver, DRIVER_VARIABLE_RVA, text, sizeof text);
        if (cases[i].how & TAKEN) /* lea rcx, text */
            driver_put_relative(&driver, DRIVER_SPARE_RVA, "\x48\x8D\x0D", 3, DRIVER_VARIABLE_RVA, 0);
        else
            driver_put(&driver, DRIVER_SPARE_RVA, "\x90\x90\x90\x90\x90\x90\x90", 7);
        driver_put(&driver, DRIVER_SPARE_RVA + 7, "\xC3", 1);
        if (cases[i].how & BOUNDED) /* unwind data says that it is a function */
            add_function(&driver, DRIVER_VARIABLE_RVA, sizeof text);
        else
            add_function(&driver, DRIVER_SPARE_RVA, 8);
        if (cases[i].is_accepted)
            expect_unwritten_but_assumed(&driver, "text between functions, with 1 such fields");
        else
            expect_written(&driver, DRIVER_VARIABLE_RVA + 8, "stores into it, at RVA 0x4B56");
    }
}

/* The zero that ends one text and the begin of the next, L"%\n", decode as `add [rip + 0xA00], ah`: both have
 * to be text. */
static void x64_text_behind_text_is_not_run(void **state)
{
    (void)state;
    for (int takes_first = 0; takes_first <= 1; takes_first++) {
        struct driver driver = driver_make(MACHINE_AMD64);
        driver_put(&driver, DRIVER_VARIABLE_RVA, "ZZZZZZZ\0%\0\n\0\0\0\0\0", 16);
        driver_put_relative(&driver, DRIVER_SPARE_RVA, "\x48\x8D\x0D", 3, DRIVER_VARIABLE_RVA + 8, 0);
        if (takes_first)
            driver_put_relative(&driver, DRIVER_SPARE_RVA + 7, "\x48\x8D\x15", 3, DRIVER_VARIABLE_RVA, 0);
        else
            driver_put(&driver, DRIVER_SPARE_RVA + 7, "\x90\x90\x90\x90\x90\x90\x90", 7);
        driver_put(&driver, DRIVER_SPARE_RVA + 14, "\xC3", 1);
        add_function(&driver, DRIVER_SPARE_RVA, 15);
        if (takes_first)
            expect_unwritten_but_assumed(&driver, "text between functions, with 1 such fields");
        else
            expect_written(&driver, DRIVER_VARIABLE_RVA + 7, "stores into it");
    }
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

/* An import lookup entry and the middle of a function's instruction decode, but no code begins there. */
static void x64_addresses_must_be_where_code_begins(void **state)
{
    (void)state;
    struct driver driver = driver_make(MACHINE_AMD64);
    driver_put_relative(&driver, DRIVER_SPARE_RVA, "\x48\x8D\x0D", 3, DRIVER_INIT_RVA + 1, 0);
    driver_put(&driver, DRIVER_SPARE_RVA + 7, "\xC3", 1);
    expect_written(&driver, DRIVER_SPARE_RVA, "takes the address of RVA 0x4001");

    driver = driver_make(MACHINE_AMD64);
    driver_put(&driver, DRIVER_LOOKUP_RVA + 0x10, "\x33\xC0\xC3", 3); /* looks like code, behind the table */
    driver_put_relative(&driver, DRIVER_SPARE_RVA, "\x48\x8D\x0D", 3, DRIVER_LOOKUP_RVA, 0);
    driver_put(&driver, DRIVER_SPARE_RVA + 7, "\xC3", 1);
    expect_written(&driver, DRIVER_SPARE_RVA, "takes the address of RVA 0x4140");

    /* An instruction inside a function that unwind data bounds is code. */
    driver = driver_make(MACHINE_AMD64);
    driver_put_relative(&driver, DRIVER_SPARE_RVA, "\x48\x8D\x0D", 3, DRIVER_INIT_RVA + 4, 0);
    driver_put(&driver, DRIVER_SPARE_RVA + 7, "\xC3", 1);
    expect_unwritten(&driver);
}

/* mov rax, imm64 whose bytes hold "mov [rip + d], eax" with d leading into INIT. */
static void x64_false_hits_inside_other_instructions_are_accepted(void **state)
{
    (void)state;
    for (unsigned has_unwind_data = 0; has_unwind_data < 2; has_unwind_data++) {
        struct driver driver = driver_make(MACHINE_AMD64);
        uint32_t rva = DRIVER_SPARE_RVA + 0x40;
        driver_put(&driver, rva, "\x48\xB8", 2);
        driver_put_relative(&driver, rva + 2, "\x89\x05", 2, DRIVER_VARIABLE_RVA, 0);
        driver_put(&driver, rva + 8, "\x12\x34\xC3", 3);
        if (has_unwind_data)
            add_function(&driver, rva, 11);
        expect_unwritten(&driver);
    }
}

/* The same bytes where a start that nothing shows to be one, a 16-byte boundary, lies inside the instruction:
 * ignored while code plainly runs through, decided by unwind data, and counted when neither helps. */
static void x64_doubtful_starts_count_only_without_better_evidence(void **state)
{
    (void)state;
    static const struct {
        bool has_zeros_before, has_unwind_data, is_accepted;
    } cases[] = {{false, false, true}, {true, true, true}, {true, false, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct driver driver = driver_make(MACHINE_AMD64);
        uint32_t rva = DRIVER_SPARE_RVA + 0x5E;
        if (cases[i].has_zeros_before)
            memset(driver_at(&driver, rva - 8), 0, 8);
        driver_put(&driver, rva, "\x48\xB8", 2);
        driver_put_relative(&driver, rva + 2, "\x89\x05", 2, DRIVER_VARIABLE_RVA, 0);
        driver_put(&driver, rva + 8, "\x12\x34\xC3", 3);
        if (cases[i].has_unwind_data)
            add_function(&driver, rva, 11);
        if (cases[i].is_accepted)
            expect_unwritten(&driver);
        else
            expect_written(&driver, rva + 2, "stores into it");
    }
}

/* jmp over the first two bytes of "mov rax, imm64", into a store that its immediate holds. */
static void x64_stores_hidden_in_other_instructions_are_found(void **state)
{
    (void)state;
    for (unsigned has_unwind_data = 0; has_unwind_data < 2; has_unwind_data++) {
        struct driver driver = driver_make(MACHINE_AMD64);
        uint32_t rva = DRIVER_SPARE_RVA + 0x40;
        driver_put(&driver, rva, "\xEB\x02\x48\xB8", 4);
        driver_put_relative(&driver, rva + 4, "\x89\x05", 2, DRIVER_VARIABLE_RVA, 0);
        driver_put(&driver, rva + 10, "\x90\x90\xC3", 3);
        if (has_unwind_data)
            add_function(&driver, rva, 13);
        expect_written(&driver, rva + 4, "stores into it");
    }
}

/* Unwind data bounds the bytes, but they are not one instruction after the other: a table lies between, or a
 * branch from behind leads into an immediate. Then the store that they may hold counts. */
static void x64_functions_that_do_not_decode_cleanly_prove_nothing(void **state)
{
    (void)state;
    uint32_t store_rva = DRIVER_SPARE_RVA + 0x50;
    struct driver driver = driver_make(MACHINE_AMD64);
    driver_put(&driver, store_rva - 3, "\xC3\x00\x81", 3); /* ret; two bytes that swallow what follows */
    driver_put_relative(&driver, store_rva, "\x89\x05", 2, DRIVER_VARIABLE_RVA, 0);
    driver_put(&driver, store_rva + 6, "\xC3", 1);
    add_function(&driver, store_rva - 3, 10);
    expect_written(&driver, store_rva, "stores into it");

    driver = driver_make(MACHINE_AMD64);
    driver_put(&driver, store_rva - 3, "\x48\xB8\x90", 3);
    driver_put_relative(&driver, store_rva, "\x89\x05", 2, DRIVER_VARIABLE_RVA, 0);
    driver_put(&driver, store_rva + 6, "\x90\xEB\xF7\xC3", 4); /* jmp to the store */
    add_function(&driver, store_rva - 3, 13);
    expect_written(&driver, store_rva, "stores into it");
}

/* Each would be taken for code but for one part of the criterion. */
static void data_that_decodes_is_not_taken_for_code(void **state)
{
    (void)state;
    uint32_t rva = DRIVER_SPARE_RVA + 0x50;

    /* "AB" in UTF-16, then a byte that is a return: aligned, valid, but not what compilers emit. */
    struct driver driver = driver_make(MACHINE_AMD64);
    driver_put(&driver, rva, "A\0B\0\xC3", 5);
    driver_put_address(&driver, DRIVER_DATA_RVA, rva);
    expect_written(&driver, DRIVER_DATA_RVA, "which is not code");

    /* Plain instructions where nothing marks a beginning. */
    driver = driver_make(MACHINE_AMD64);
    driver_put(&driver, rva, "\x41\x41\x41\x41\x41\x33\xC0\xC3", 8);
    driver_put_address(&driver, DRIVER_DATA_RVA, rva + 5);
    expect_written(&driver, DRIVER_DATA_RVA, "which is not code");

    /* Plain instructions in a typed table. */
    driver = driver_make(MACHINE_AMD64);
    driver_put(&driver, rva, "\x33\xC0\xC3", 3);
    driver_put_address(&driver, DRIVER_DATA_RVA, rva);
    make_directory(&driver.made, DIR_RESOURCE, rva, 0x10);
    expect_written(&driver, DRIVER_DATA_RVA, "which is not code");

    /* A relocated field that no instruction has as its operand. */
    driver = driver_make(MACHINE_I386);
    driver.made.image_base_va = 0x90000000;
    memset(&driver.init, 0xCC, 0x40);
    driver.site_count = 0;
    driver_put(&driver, rva, "\xB8\x11", 2);
    driver_put_address(&driver, rva + 2, DRIVER_DATA_RVA);
    driver_put(&driver, rva + 6, "\xC3", 1);
    driver_put_address(&driver, DRIVER_DATA_RVA, rva);
    uint32_t later_rva = driver.sites[0];
    driver.sites[0] = driver.sites[1];
    driver.sites[1] = later_rva;
    expect_written(&driver, DRIVER_DATA_RVA, "which is not code");
}

static void pointers_among_code_must_lead_to_code(void **state)
{
    (void)state;
    struct driver driver = driver_make(MACHINE_I386);
    driver_put_address(&driver, DRIVER_SPARE_RVA + 0x20, DRIVER_VARIABLE_RVA);
    expect_written(&driver, DRIVER_SPARE_RVA + 0x20, "the pointer at RVA 0x4080 in section INIT leads to");
}

static void sections_out_of_order_are_refused(void **state)
{
    (void)state;
    struct driver driver = driver_make(MACHINE_AMD64);
    struct verify_files files = driver_repair(&driver);
    struct pe_view view = view_of(files.new_bytes, files.new_nbytes);
    uint32_t first_foff = view_section_foff(&view, 0), second_foff = view_section_foff(&view, 1);
    uint8_t header[SECTION_HEADER_NBYTES];
    uint8_t *const both[] = {files.old_bytes, files.new_bytes};
    for (size_t i = 0; i < 2; i++) {
        memcpy(header, both[i] + first_foff, sizeof header);
        memcpy(both[i] + first_foff, both[i] + second_foff, sizeof header);
        memcpy(both[i] + second_foff, header, sizeof header);
    }
    pairs_set_checksum(files.new_bytes, files.new_nbytes);
    expect_refuted(&files, first_foff, "not in ascending order");
    pairs_free(&files);
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

/* Without relocations nothing lists the addresses; they are looked for at every byte. */
static void images_without_relocations_are_searched_byte_by_byte(void **state)
{
    (void)state;
    struct driver driver = driver_make(MACHINE_AMD64);
    driver.site_count = 0;
    expect_unwritten(&driver);
    driver = driver_make(MACHINE_AMD64);
    driver_put_address(&driver, DRIVER_DATA_RVA + 0x11, DRIVER_VARIABLE_RVA);
    driver.site_count = 0;
    driver.made.coff_characteristics |= COFF_RELOCS_STRIPPED;
    expect_written(&driver, DRIVER_DATA_RVA + 0x11, "leads to RVA 0x40F0");
    /* A kernel image that may be moved is never where it wants to be when that is below 4 GiB. */
    for (unsigned i = 0; i < 3; i++) {
        driver = driver_make(MACHINE_AMD64);
        driver.made.image_base_va = i == 2 ? 0x100000000 : 0x10000;
        driver_put_address(&driver, DRIVER_DATA_RVA + 0x11, DRIVER_VARIABLE_RVA);
        driver.site_count = 0;
        driver.made.coff_characteristics |= i == 1 ? COFF_RELOCS_STRIPPED : 0;
        if (i == 0)
            expect_unwritten(&driver);
        else
            expect_written(&driver, DRIVER_DATA_RVA + 0x11, "leads to RVA 0x40F0");
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

static void the_iat_in_the_section_is_refused(void **state)
{
    (void)state;
    struct driver driver = driver_make(MACHINE_AMD64);
    driver.made.directories[DIR_IAT].rva = DRIVER_VARIABLE_RVA;
    expect_written(&driver, DRIVER_VARIABLE_RVA, "the IAT (data directory 12) lies in it");

    /* A thunk array outside directory 12. */
    driver = driver_make(MACHINE_AMD64);
    driver_put(&driver, DRIVER_VARIABLE_RVA, driver_at(&driver, DRIVER_IAT_RVA), 16);
    store_u32(driver_at(&driver, DRIVER_DESCRIPTORS_RVA) + IMPORT_FIRST_THUNK, DRIVER_VARIABLE_RVA);
    expect_written(&driver, DRIVER_VARIABLE_RVA, "FirstThunk");
}

/* A load configuration at 2040h of .rdata that has one address in it. */
static void put_load_config(struct driver *driver, uint32_t at, uint32_t target_rva)
{
    uint32_t rva = DRIVER_RDATA_RVA + 0x40;
    memset(driver_at(driver, rva), 0, 0x40);
    driver->site_count = 0;
    make_directory(&driver->made, DIR_RESOURCE, 0, 0);
    make_directory(&driver->made, DIR_DEBUG, 0, 0);
    make_directory(&driver->made, DIR_LOAD_CONFIG, rva, 0x40);
    store_u32(driver_at(driver, rva), at + 8);
    store_width(driver_at(driver, rva + at), made_is_64(&driver->made) ? 8 : 4,
                driver->made.image_base_va + target_rva);
}

static void what_the_load_configuration_names_is_refused(void **state)
{
    (void)state;
    static const struct {
        uint16_t machine;
        uint32_t at;
        const char *words;
    } fields[] = {
        {MACHINE_AMD64, LC_SECURITY_COOKIE_64, "the security cookie"},
        {MACHINE_I386, LC_SECURITY_COOKIE_32, "the security cookie"},
        {MACHINE_AMD64, LC_GUARD_CF_CHECK_POINTER_64, "the guard check pointer"},
        {MACHINE_AMD64, LC_GUARD_CF_DISPATCH_POINTER_64, "the guard dispatch pointer"},
        {MACHINE_AMD64, LC_GUARD_XFG_DISPATCH_POINTER_64, "the XFG dispatch pointer"},
        {MACHINE_AMD64, LC_GUARD_MEMCPY_POINTER_64, "the guard memcpy pointer"},
        {MACHINE_AMD64, LC_UMA_FUNCTION_POINTERS_64, "the UMA function pointers"},
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        struct driver driver = driver_make(fields[i].machine);
        /* The structure needs the room of the other tables in .rdata. */
        make_directory(&driver.made, DIR_EXCEPTION, 0, 0);
        put_load_config(&driver, fields[i].at, DRIVER_VARIABLE_RVA);
        expect_written(&driver, DRIVER_VARIABLE_RVA, fields[i].words);
    }
}

static void other_loader_written_places_are_refused(void **state)
{
    (void)state;
    struct driver driver = driver_make(MACHINE_AMD64);
    uint32_t tls_rva = DRIVER_RDATA_RVA + 0x1A0;
    store_u64(driver_at(&driver, tls_rva) + TLS_INDEX_64, driver.made.image_base_va + DRIVER_VARIABLE_RVA);
    make_directory(&driver.made, DIR_TLS, tls_rva, TLS_DIRECTORY_NBYTES_64);
    expect_written(&driver, DRIVER_VARIABLE_RVA, "the TLS index");

    driver = driver_make(MACHINE_AMD64);
    uint32_t delay_rva = DRIVER_RDATA_RVA + 0x1A0;
    uint8_t *delay = driver_at(&driver, delay_rva);
    store_u32(delay + DELAY_ATTRIBUTES, DELAY_ATTRIBUTE_RVA);
    store_u32(delay + DELAY_NAME, DRIVER_NAMES_RVA);
    store_u32(delay + DELAY_INT, DRIVER_LOOKUP_RVA);
    store_u32(delay + DELAY_IAT, DRIVER_VARIABLE_RVA);
    make_directory(&driver.made, DIR_DELAY_IMPORT, delay_rva, 2 * DELAY_DESCRIPTOR_NBYTES);
    expect_written(&driver, DRIVER_VARIABLE_RVA, "a delay import's IAT");
}

static void exported_data_is_refused_and_exported_code_is_not(void **state)
{
    (void)state;
    static const struct {
        uint32_t rva;
        bool is_code;
    } exports[] = {{DRIVER_CALLBACK_RVA, true}, {DRIVER_VARIABLE_RVA, false}};
    for (size_t i = 0; i < 2; i++) {
        struct driver driver = driver_make(MACHINE_AMD64);
        uint32_t export_rva = DRIVER_RDATA_RVA + 0x1A0, functions_rva = export_rva + EXPORT_DIRECTORY_NBYTES;
        store_u32(driver_at(&driver, export_rva) + EXPORT_NUMBER_OF_FUNCTIONS, 1);
        store_u32(driver_at(&driver, export_rva) + EXPORT_ADDRESS_OF_FUNCTIONS, functions_rva);
        store_u32(driver_at(&driver, functions_rva), exports[i].rva);
        make_directory(&driver.made, DIR_EXPORT, export_rva, EXPORT_DIRECTORY_NBYTES);
        if (exports[i].is_code)
            expect_unwritten(&driver);
        else
            expect_written(&driver, functions_rva, "the export");
    }
}

/* What cannot be read cannot be shown to write nothing. */
static void damaged_tables_are_refused(void **state)
{
    (void)state;
    struct driver driver = driver_make(MACHINE_AMD64);
    store_u32(driver_at(&driver, DRIVER_DESCRIPTORS_RVA) + IMPORT_ORIGINAL_FIRST_THUNK, 0x9000);
    struct verify_files files = driver_repair(&driver);
    struct pe_view view = view_of(files.new_bytes, files.new_nbytes);
    expect_refuted(&files, view_foff(&view, DRIVER_DESCRIPTORS_RVA), "a thunk array in no section");
    pairs_free(&files);

    driver = driver_make(MACHINE_AMD64);
    make_directory(&driver.made, DIR_TLS, 0x9000, 0x28);
    files = driver_repair(&driver);
    expect_refuted(&files, UINT64_MAX, "the TLS directory cannot be read");
    pairs_free(&files);

    driver = driver_make(MACHINE_AMD64);
    files = driver_repair(&driver);
    view = view_of(files.new_bytes, files.new_nbytes);
    uint32_t block_foff = view_foff(&view, DRIVER_RELOC_RVA);
    store_u32(files.old_bytes + block_foff + BASERELOC_BLOCK_SIZE, 7);
    store_u32(files.new_bytes + block_foff + BASERELOC_BLOCK_SIZE, 7);
    pairs_set_checksum(files.new_bytes, files.new_nbytes);
    expect_refuted(&files, block_foff, "impossible size");

    store_u32(files.old_bytes + block_foff + BASERELOC_BLOCK_SIZE, 12);
    store_u32(files.new_bytes + block_foff + BASERELOC_BLOCK_SIZE, 12);
    files.old_bytes[block_foff + 9] = files.new_bytes[block_foff + 9] = BASERELOC_HIGHADJ << 4;
    pairs_set_checksum(files.new_bytes, files.new_nbytes);
    expect_refuted(&files, block_foff + 8, "a type that this machine's images do not use");
    pairs_free(&files);
}

static void images_of_another_kind_are_refused(void **state)
{
    (void)state;
    struct driver driver = driver_make(MACHINE_AMD64);
    make_directory(&driver.made, DIR_CLR, DRIVER_RDATA_RVA + 0x1A0, 0x48);
    expect_written(&driver, DRIVER_RDATA_RVA + 0x1A0, "managed");

    driver = driver_make(MACHINE_AMD64);
    make_directory(&driver.made, DIR_EXCEPTION, 0, 0);
    put_load_config(&driver, LC_CHPE_METADATA_64, DRIVER_RDATA_RVA);
    expect_written(&driver, DRIVER_RDATA_RVA + 0x40 + LC_CHPE_METADATA_64, "hybrid");
}

/* Four times the code is about four times the work. */
static void work_is_linear_in_the_size(void **state)
{
    (void)state;
    uint64_t steps[2];
    for (unsigned i = 0; i < 2; i++) {
        size_t nbytes = i == 0 ? 0x10000 : 0x40000;
        struct driver driver = driver_make(MACHINE_AMD64);
        uint8_t *code = malloc(nbytes);
        assert_non_null(code);
        /* Every eight bytes a field that leads into INIT, as an address of code and as a call. */
        for (size_t at = 0; at + 16 <= nbytes; at += 16) {
            uint32_t rva = 0x6000 + (uint32_t)at;
            memcpy(code + at, "\x48\x8D\x0D", 3);
            store_u32(code + at + 3, DRIVER_CALLBACK_RVA - (rva + 7));
            memcpy(code + at + 7, "\x90\x90\x90\xE8", 4);
            store_u32(code + at + 11, DRIVER_CALLBACK_RVA - (rva + 15));
            code[at + 15] = 0xC3;
        }
        make_section(&driver.made, ".text", DRIVER_TEXT_RVA, MADE_TEXT, driver.text, sizeof driver.text);
        make_section(&driver.made, ".rdata", DRIVER_RDATA_RVA, MADE_RDATA, driver.rdata, sizeof driver.rdata);
        make_section(&driver.made, ".data", DRIVER_DATA_RVA, MADE_DATA, driver.data, sizeof driver.data);
        make_section(&driver.made, "INIT", DRIVER_INIT_RVA, MADE_INIT, driver.init, sizeof driver.init);
        make_relocations(&driver.made, DRIVER_RELOC_RVA, driver.sites, driver.site_count);
        make_section(&driver.made, "PAGE", 0x6000, MADE_TEXT, code, nbytes);
        struct verify_files files = pairs_repair(make_file(&driver.made));
        struct arena arena;
        arena_init(&arena, NULL);
        struct verify_verdict verdict = judge(&files, &arena);
        assert_int_equal(verdict.result, VERIFY_PROVED_WITH_ASSUMPTIONS);
        steps[i] = verdict.step_count;
        arena_free(&arena);
        pairs_free(&files);
        make_free(&driver.made);
        free(code);
    }
    assert_true(steps[0] > 0x10000);
    assert_true(steps[1] < steps[0] * 9 / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(x64_stores_of_every_shape),
        cmocka_unit_test(x64_stores_from_another_section),
        cmocka_unit_test(x64_stores_through_addresses_of_code),
        cmocka_unit_test(x64_reads_and_branches_are_harmless),
        cmocka_unit_test(x64_text_between_functions_is_not_run),
        cmocka_unit_test(x64_text_behind_text_is_not_run),
        cmocka_unit_test(pointers_to_literals),
        cmocka_unit_test(x64_addresses_of_data_are_refused),
        cmocka_unit_test(x64_addresses_must_be_where_code_begins),
        cmocka_unit_test(x64_false_hits_inside_other_instructions_are_accepted),
        cmocka_unit_test(x64_doubtful_starts_count_only_without_better_evidence),
        cmocka_unit_test(x64_stores_hidden_in_other_instructions_are_found),
        cmocka_unit_test(x64_functions_that_do_not_decode_cleanly_prove_nothing),
        cmocka_unit_test(data_that_decodes_is_not_taken_for_code),
        cmocka_unit_test(pointers_among_code_must_lead_to_code),
        cmocka_unit_test(sections_out_of_order_are_refused),
        cmocka_unit_test(x64_image_base_arithmetic),
        cmocka_unit_test(x86_fields_are_judged_by_their_instructions),
        cmocka_unit_test(x86_jump_tables_are_code),
        cmocka_unit_test(jump_tables_in_data_are_code),
        cmocka_unit_test(pointers_in_data_must_lead_to_code),
        cmocka_unit_test(images_without_relocations_are_searched_byte_by_byte),
        cmocka_unit_test(code_that_learns_its_own_address_is_refused),
        cmocka_unit_test(the_iat_in_the_section_is_refused),
        cmocka_unit_test(what_the_load_configuration_names_is_refused),
        cmocka_unit_test(other_loader_written_places_are_refused),
        cmocka_unit_test(exported_data_is_refused_and_exported_code_is_not),
        cmocka_unit_test(damaged_tables_are_refused),
        cmocka_unit_test(images_of_another_kind_are_refused),
        cmocka_unit_test(work_is_linear_in_the_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
