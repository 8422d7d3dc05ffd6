/* test_code_operands.c - every operand that refers to the image becomes a reference with its exact field.
 * Takes: hand-assembled instructions.  Gives: pass or fail. */
#include "code_case.h"

static void expect_ref(const struct code_case *driver, uint32_t site_rva, enum ref_encoding encoding,
                       uint32_t target_rva, enum ref_access access)
{
    const struct ref *ref = case_ref(driver, site_rva);
    if (!ref) {
        fail_msg("no reference at RVA 0x%X", site_rva);
        return;
    }
    assert_int_equal(ref->encoding, encoding);
    assert_int_equal(ref->target, target_rva);
    assert_int_equal(ref->access, access);
    assert_int_equal(ref->site_foff, made_foff(&driver->made, site_rva));
}

/* RIP-relative fields with 0, 1, 2 and 4 bytes of immediate behind them, in legacy, VEX and EVEX encodings.
 */
static void rip_relative_fields(void **state)
{
    (void)state;
    static const struct {
        const char *opcode;
        uint32_t opcode_nbytes;
        const char *immediate;
        uint32_t immediate_nbytes;
        enum ref_access access;
    } forms[] = {
        {"\x48\x8B\x05", 3, "", 0, ACCESS_READ},                   /* mov rax, [rip+d] */
        {"\x89\x05", 2, "", 0, ACCESS_WRITE},                      /* mov [rip+d], eax */
        {"\x48\x8D\x0D", 3, "", 0, ACCESS_ADDRESS},                /* lea rcx, [rip+d] */
        {"\x83\x3D", 2, "\x07", 1, ACCESS_READ},                   /* cmp dword [rip+d], 7 */
        {"\xC6\x05", 2, "\x07", 1, ACCESS_WRITE},                  /* mov byte [rip+d], 7 */
        {"\x66\xC7\x05", 3, "\x07\x00", 2, ACCESS_WRITE},          /* mov word [rip+d], 7 */
        {"\x81\x05", 2, "\x07\x00\x00\x00", 4, ACCESS_READ_WRITE}, /* add dword [rip+d], 7 */
        {"\x67\x8B\x05", 3, "", 0, ACCESS_READ},                   /* mov eax, [eip+d] */
        {"\xC5\xF8\x29\x05", 4, "", 0, ACCESS_WRITE},              /* vmovaps [rip+d], xmm0 */
        {"\x62\xF1\x7C\x48\x11\x05", 6, "", 0, ACCESS_WRITE},      /* vmovups [rip+d], zmm0 */
        {"\xFF\x15", 2, "", 0, ACCESS_CALL},                       /* call [rip+d] */
    };
    struct code_case driver;
    case_begin(&driver, MACHINE_AMD64);
    uint32_t sites[sizeof forms / sizeof *forms], rva = CASE_TEXT_RVA;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        rva = case_put_rel(&driver, rva, forms[i].opcode, forms[i].opcode_nbytes, CASE_DATA_RVA + 0x40,
                           forms[i].immediate_nbytes);
        sites[i] = rva - 4;
        rva = case_put(&driver, rva, forms[i].immediate, forms[i].immediate_nbytes);
    }
    CASE_PUT(&driver, rva, "\xC3"); /* ret */
    case_read(&driver);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        expect_ref(&driver, sites[i], REF_PCREL, CASE_DATA_RVA + 0x40, forms[i].access);
        assert_int_equal(case_ref(&driver, sites[i])->base_rva, sites[i] + 4 + forms[i].immediate_nbytes);
        assert_int_equal(case_ref(&driver, sites[i])->width_nbytes, 4);
    }
    case_end(&driver);
}

static void branches(void **state)
{
    (void)state;
    struct code_case driver;
    case_begin(&driver, MACHINE_AMD64);
    uint32_t rva = CASE_PUT(&driver, CASE_TEXT_RVA, "\x74\x00"); /* je to the next instruction */
    rva = CASE_PUT_REL(&driver, rva, "\xE8", CASE_INIT_RVA);     /* call INIT */
    uint32_t call_site = rva - 4;
    rva = CASE_PUT_REL(&driver, rva, "\x0F\x84", CASE_TEXT_RVA); /* je, long form */
    uint32_t branch_site = rva - 4;
    CASE_PUT_REL(&driver, rva, "\xE9", CASE_INIT_RVA + 0x10); /* jmp INIT + 10h */
    CASE_PUT(&driver, CASE_INIT_RVA, "\xC3");
    CASE_PUT(&driver, CASE_INIT_RVA + 0x10, "\xC3");
    case_read(&driver);
    assert_null(case_ref(&driver, CASE_TEXT_RVA + 1)); /* a rel8 inside one section cannot change */
    expect_ref(&driver, call_site, REF_PCREL, CASE_INIT_RVA, ACCESS_CALL);
    expect_ref(&driver, branch_site, REF_PCREL, CASE_TEXT_RVA, ACCESS_JUMP);
    expect_ref(&driver, rva + 1, REF_PCREL, CASE_INIT_RVA + 0x10, ACCESS_JUMP);
    assert_true(case_ref(&driver, call_site)->flags & REF_FLAG_CODE_TARGET);
    assert_true(case_is_code(&driver, CASE_INIT_RVA) && case_is_code(&driver, CASE_INIT_RVA + 0x10));
    case_end(&driver);
}

/* Two sections next to each other at low alignment: a short jump from one into the other is recorded. */
static void short_branch_into_another_section(void **state)
{
    (void)state;
    uint8_t first[0x80], second[0x80];
    memset(first, 0xCC, sizeof first);
    memset(second, 0xCC, sizeof second);
    memcpy(first, "\xEB\x7C", 2);        /* 400: jmp 47E */
    memcpy(first + 0x7E, "\xEB\x02", 2); /* 47E: jmp 482, in the next section */
    second[2] = 0xC3;
    struct made_image made = make_image(MACHINE_I386);
    made.section_alignment = made.file_alignment = 0x80;
    made.entry_rva = 0x400;
    make_section(&made, ".text", 0x400, MADE_TEXT, first, sizeof first);
    make_section(&made, "PAGE", 0x480, MADE_TEXT, second, sizeof second);
    struct code_case driver = {.made = made};
    arena_init(&driver.arena, NULL);
    struct finding error;
    assert_true(image_read(make_file(&driver.made), &driver.arena, &driver.image, &error));
    assert_true(refs_collect(&driver.image, &driver.arena, SOURCE_ALL, &driver.refs));
    assert_true(code_read(&driver.image, &driver.refs, &driver.arena, &driver.map));
    assert_null(case_ref(&driver, 0x401));
    expect_ref(&driver, 0x47F, REF_PCREL, 0x482, ACCESS_JUMP);
    assert_int_equal(case_ref(&driver, 0x47F)->width_nbytes, 1);
    case_end(&driver);
}

static void x86_relocated_fields(void **state)
{
    (void)state;
    struct code_case driver;
    case_begin(&driver, MACHINE_I386);
    uint32_t rva = CASE_PUT_VA(&driver, CASE_TEXT_RVA, "\xA1", CASE_DATA_RVA); /* mov eax, [d] */
    uint32_t read_site = rva - 4;
    rva = CASE_PUT_VA(&driver, rva, "\xC7\x05", CASE_DATA_RVA + 4); /* mov dword [d], offset .rdata */
    uint32_t write_site = rva - 4;
    rva = CASE_PUT_VA(&driver, rva, "", CASE_RDATA_RVA);
    uint32_t immediate_site = rva - 4;
    rva = CASE_PUT_VA(&driver, rva, "\x68", CASE_TEXT_RVA + 0x80); /* push offset function */
    uint32_t push_site = rva - 4;
    rva = CASE_PUT(&driver, rva, "\x68\x00\x30\x01\x00"); /* push 13000h, a constant: no relocation */
    uint32_t constant_site = rva - 4;
    rva = CASE_PUT_VA(&driver, rva, "\x8B\x04\x8D", CASE_RDATA_RVA + 8); /* mov eax, [ecx*4+d] */
    uint32_t indexed_site = rva - 4;
    CASE_PUT(&driver, rva, "\xC3");
    CASE_PUT(&driver, CASE_TEXT_RVA + 0x80, "\x33\xC0\xC3"); /* xor eax, eax; ret */
    case_read(&driver);
    expect_ref(&driver, read_site, REF_VA, CASE_DATA_RVA, ACCESS_READ);
    expect_ref(&driver, write_site, REF_VA, CASE_DATA_RVA + 4, ACCESS_WRITE);
    expect_ref(&driver, immediate_site, REF_VA, CASE_RDATA_RVA, ACCESS_ADDRESS);
    expect_ref(&driver, push_site, REF_VA, CASE_TEXT_RVA + 0x80, ACCESS_ADDRESS);
    expect_ref(&driver, indexed_site, REF_VA, CASE_RDATA_RVA + 8, ACCESS_READ);
    assert_true(case_ref(&driver, read_site)->flags & REF_FLAG_RELOCATED);
    assert_null(case_ref(&driver, constant_site));
    assert_non_null(code_function_at(&driver.map, CASE_TEXT_RVA + 0x80));
    case_end(&driver);
}

static void x86_without_relocations_is_a_guess(void **state)
{
    (void)state;
    struct code_case driver;
    case_begin(&driver, MACHINE_I386);
    uint32_t rva =
        CASE_PUT(&driver, CASE_TEXT_RVA, "\xA1\x00\x30\x01\x00"); /* mov eax, [13000h]: base 10000h */
    rva = CASE_PUT(&driver, rva, "\x68\x34\x12\x00\x80");         /* push 80001234h: outside */
    CASE_PUT(&driver, rva, "\xC3");
    case_read(&driver);
    expect_ref(&driver, CASE_TEXT_RVA + 1, REF_VA, CASE_DATA_RVA, ACCESS_READ);
    assert_int_equal(case_ref(&driver, CASE_TEXT_RVA + 1)->detail & CODE_REF_CERTAINTY_MASK,
                     CODE_REF_GUESSED_VA);
    assert_null(case_ref(&driver, rva - 4));
    bool is_told = false;
    for (size_t i = 0; i < driver.refs.problem_count; i++)
        is_told |= driver.refs.problems[i].source == SOURCE_CODE;
    assert_true(is_told);
    case_end(&driver);
}

/* Displacements that are added to the image base, which one function forms and the other does not. */
static void image_relative_displacements(void **state)
{
    (void)state;
    struct code_case driver;
    case_begin(&driver, MACHINE_AMD64);
    uint32_t rva = CASE_PUT_REL(&driver, CASE_TEXT_RVA, "\x48\x8D\x15", 0); /* lea rdx, [rip->base] */
    rva = CASE_PUT(&driver, rva, "\x8B\x84\x8A\x00\x30\x00\x00");           /* mov eax, [rdx+rcx*4+3000h] */
    rva = CASE_PUT(&driver, rva, "\x89\x84\x11\x10\x30\x00\x00");           /* mov [rcx+rdx+3010h], eax */
    rva = CASE_PUT(&driver, rva, "\x48\x8D\x82\x20\x30\x00\x00");           /* lea rax, [rdx+3020h] */
    rva = CASE_PUT(&driver, rva, "\x8B\x83\x30\x30\x00\x00");               /* mov eax, [rbx+3030h] */
    CASE_PUT(&driver, rva, "\xC3");
    uint32_t other = CASE_TEXT_RVA + 0x80;
    CASE_PUT(&driver, other, "\x8B\x82\x00\x30\x00\x00\xC3"); /* mov eax, [rdx+3000h]; ret */
    case_function(&driver, CASE_TEXT_RVA, rva + 1);
    case_function(&driver, other, other + 7);
    case_read(&driver);
    expect_ref(&driver, CASE_TEXT_RVA + 3, REF_PCREL, 0, ACCESS_ADDRESS);
    expect_ref(&driver, CASE_TEXT_RVA + 10, REF_IMAGE_REL, 0x3000, ACCESS_READ);
    expect_ref(&driver, CASE_TEXT_RVA + 17, REF_IMAGE_REL, 0x3010, ACCESS_WRITE);
    expect_ref(&driver, CASE_TEXT_RVA + 24, REF_IMAGE_REL, 0x3020, ACCESS_ADDRESS);
    assert_null(case_ref(&driver, CASE_TEXT_RVA + 30)); /* rbx never holds the base */
    assert_null(case_ref(&driver, other + 2));
    case_end(&driver);
}

/* A fragment inherits the registers of the function that it is chained to, though it never forms the base. */
static void image_relative_in_a_chained_fragment(void **state)
{
    (void)state;
    struct code_case driver;
    case_begin(&driver, MACHINE_AMD64);
    uint32_t fragment = CASE_TEXT_RVA + 0x80, other = CASE_TEXT_RVA + 0x90;
    uint32_t rva = CASE_PUT_REL(&driver, CASE_TEXT_RVA, "\x48\x8D\x15", 0); /* lea rdx, [rip->base] */
    rva = CASE_PUT_REL(&driver, rva, "\xE9", fragment);                     /* jmp fragment */
    CASE_PUT(&driver, fragment, "\x8B\x82\x00\x30\x00\x00\xC3");            /* mov eax, [rdx+3000h]; ret */
    CASE_PUT(&driver, other, "\x8B\x82\x00\x30\x00\x00\xC3");
    case_function(&driver, CASE_TEXT_RVA, rva);
    case_fragment(&driver, fragment, fragment + 7, 0);
    case_function(&driver, other, other + 7);
    case_read(&driver);
    expect_ref(&driver, fragment + 2, REF_IMAGE_REL, 0x3000, ACCESS_READ);
    assert_null(case_ref(&driver, other + 2));
    case_end(&driver);
}

static void x64_absolute_immediate(void **state)
{
    (void)state;
    struct code_case driver;
    case_begin(&driver, MACHINE_AMD64);
    uint32_t rva = CASE_PUT_VA(&driver, CASE_TEXT_RVA, "\x48\xB8", CASE_DATA_RVA); /* mov rax, imm64 */
    CASE_PUT(&driver, rva, "\xC3");
    case_read(&driver);
    expect_ref(&driver, CASE_TEXT_RVA + 2, REF_VA, CASE_DATA_RVA, ACCESS_ADDRESS);
    assert_int_equal(case_ref(&driver, CASE_TEXT_RVA + 2)->width_nbytes, 8);
    case_end(&driver);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rip_relative_fields),
        cmocka_unit_test(branches),
        cmocka_unit_test(short_branch_into_another_section),
        cmocka_unit_test(x86_relocated_fields),
        cmocka_unit_test(x86_without_relocations_is_a_guess),
        cmocka_unit_test(image_relative_displacements),
        cmocka_unit_test(image_relative_in_a_chained_fragment),
        cmocka_unit_test(x64_absolute_immediate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
