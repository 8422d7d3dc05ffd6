/* test_section_writes.c - the proof that nothing needs INIT writable, and each thing that refutes it.
 * Takes: small drivers, each with one thing added.  Gives: pass or fail. */
#include "section_writes_case.h"

static void clean_drivers(void **state)
{
    (void)state;
    struct code_case driver;
    uint32_t rva = begin_driver(&driver, MACHINE_AMD64);
    rva = CASE_PUT_REL(&driver, rva, "\x48\x8B\x05", VARIABLE_RVA);  /* a read */
    rva = CASE_PUT_REL(&driver, rva, "\x48\x8D\x0D", CASE_INIT_RVA); /* a function's address */
    rva = CASE_PUT_REL(&driver, rva, "\x89\x05", CASE_DATA_RVA);     /* a store elsewhere */
    CASE_PUT(&driver, rva, "\xC3");
    expect_unwritten(&driver);

    rva = begin_driver(&driver, MACHINE_I386);
    rva = CASE_PUT_VA(&driver, rva, "\xA1", VARIABLE_RVA);  /* mov eax, [variable] */
    rva = CASE_PUT_VA(&driver, rva, "\x68", CASE_INIT_RVA); /* push offset function */
    rva = CASE_PUT_VA(&driver, rva, "\xA3", CASE_DATA_RVA); /* a store elsewhere */
    CASE_PUT(&driver, rva, "\xC3");
    CASE_PUT_VA(&driver, CASE_RDATA_RVA, "", CASE_INIT_RVA); /* and a pointer to the function */
    expect_unwritten(&driver);
}

static void decoded_stores(void **state)
{
    (void)state;
    static const struct {
        const char *opcode;
        uint32_t opcode_nbytes;
        const char *immediate;
        uint32_t immediate_nbytes;
    } stores[] = {
        {"\x89\x05", 2, "", 0},                 /* mov [rip+d], eax */
        {"\xC6\x05", 2, "\x01", 1},             /* mov byte [rip+d], 1 */
        {"\x66\xC7\x05", 3, "\x01\x00", 2},     /* mov word [rip+d], 1 */
        {"\xC7\x05", 2, "\x01\x00\x00\x00", 4}, /* mov dword [rip+d], 1 */
        {"\xF0\xFF\x05", 3, "", 0},             /* lock inc dword [rip+d] */
        {"\x67\x89\x05", 3, "", 0},             /* mov [eip+d], eax */
        {"\xC5\xF8\x29\x05", 4, "", 0},         /* vmovaps [rip+d], xmm0 */
        {"\x62\xF1\x7C\x48\x11\x05", 6, "", 0}, /* vmovups [rip+d], zmm0 */
    };
    /* Reached by descent, and in bytes that nothing leads to. */
    for (size_t i = 0; i < sizeof stores / sizeof *stores; i++) {
        for (unsigned is_reached = 0; is_reached < 2; is_reached++) {
            struct code_case driver;
            uint32_t rva = begin_driver(&driver, MACHINE_AMD64);
            if (!is_reached) {
                CASE_PUT(&driver, rva, "\xC3");
                rva = SPARE_RVA;
            }
            uint32_t site = rva;
            rva = case_put_rel(&driver, rva, stores[i].opcode, stores[i].opcode_nbytes, VARIABLE_RVA,
                               stores[i].immediate_nbytes);
            rva = case_put(&driver, rva, stores[i].immediate, stores[i].immediate_nbytes);
            CASE_PUT(&driver, rva, "\xC3");
            struct finding why;
            const char *summary;
            assert_int_equal(judge(&driver, &why, &summary), WRITES_FOUND);
            assert_int_equal(case_is_code(&driver, site), is_reached);
            assert_true(strstr(why.message, "stores at RVA 0x420"));
            /* Undecoded bytes are named by the first place at which they decode to a store. */
            assert_in_range(why.rva, site, is_reached ? site : site + stores[i].opcode_nbytes);
            case_end(&driver);
        }
    }
}

static void addresses_of_data(void **state)
{
    (void)state;
    struct code_case driver;
    uint32_t rva = begin_driver(&driver, MACHINE_AMD64);
    CASE_PUT(&driver, CASE_PUT_REL(&driver, rva, "\x48\x8D\x0D", VARIABLE_RVA), "\xC3"); /* lea rcx */
    expect_written(&driver, rva, "takes the address of data");

    rva = begin_driver(&driver, MACHINE_AMD64); /* the same where nothing leads to it */
    CASE_PUT(&driver, rva, "\xC3");
    CASE_PUT_REL(&driver, SPARE_RVA, "\x48\x8D\x0D", VARIABLE_RVA);
    expect_written(&driver, SPARE_RVA + 1, "takes the address of data");

    rva = begin_driver(&driver, MACHINE_AMD64); /* the address of an array's element -1 */
    CASE_PUT(&driver, CASE_PUT_REL(&driver, rva, "\x48\x8D\x0D", CASE_INIT_RVA - 8), "\xC3");
    expect_written(&driver, rva, "takes the address of data");

    rva = begin_driver(&driver, MACHINE_AMD64); /* lea rdx, [rip->base]; lea rax, [rdx+RVA] */
    rva = CASE_PUT_REL(&driver, rva, "\x48\x8D\x15", 0);
    CASE_PUT(&driver, CASE_PUT(&driver, rva, "\x48\x8D\x82\x00\x42\x00\x00"), "\xC3");
    expect_written(&driver, rva, "takes the address of data");

    rva = begin_driver(&driver, MACHINE_AMD64);
    CASE_PUT(&driver, rva, "\xC3");
    CASE_PUT_VA(&driver, CASE_DATA_RVA, "", VARIABLE_RVA); /* a pointer to it, with a base relocation */
    expect_written(&driver, CASE_DATA_RVA, "holds the address of data");

    rva = begin_driver(&driver, MACHINE_AMD64);
    CASE_PUT(&driver, rva, "\xC3");
    store_u64(case_at(&driver, CASE_DATA_RVA + 3),
              driver.made.image_base_va + VARIABLE_RVA); /* and without */
    expect_written(&driver, CASE_DATA_RVA + 3, "holds the address of data");
}

/* Nothing lies between the section's last byte and the next section, so an address there is made from one of
 * the section: of the end of an array in it, or of a variable that the file does not store. */
static void addresses_behind_the_section(void **state)
{
    (void)state;
    enum { BEHIND_RVA = CASE_INIT_RVA + CASE_SECTION_NBYTES, LAST_RVA = CASE_PDATA_RVA - 1 };
    static const uint32_t places[] = {BEHIND_RVA, LAST_RVA};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct code_case driver;
        uint32_t rva = begin_driver(&driver, MACHINE_AMD64);
        CASE_PUT(&driver, CASE_PUT_REL(&driver, rva, "\x48\x8D\x0D", places[i]), "\xC3"); /* lea rcx */
        expect_written(&driver, rva, "takes the address of data");

        rva = begin_driver(&driver, MACHINE_AMD64);
        CASE_PUT(&driver, CASE_PUT_REL(&driver, rva, "\x89\x05", places[i]), "\xC3"); /* mov [there], eax */
        expect_written(&driver, rva, "stores");

        begin_driver(&driver, MACHINE_AMD64); /* a pointer */
        CASE_PUT(&driver, CASE_TEXT_RVA + 5, "\xC3");
        CASE_PUT_VA(&driver, CASE_DATA_RVA, "", places[i]);
        expect_written(&driver, CASE_DATA_RVA, "holds the address of data");
    }
    struct code_case driver; /* the next section's first byte is its own */
    uint32_t rva = begin_driver(&driver, MACHINE_AMD64);
    case_function(&driver, CASE_TEXT_RVA, CASE_TEXT_RVA + 0x10);
    CASE_PUT(&driver, CASE_PUT_REL(&driver, rva, "\x48\x8D\x0D", CASE_PDATA_RVA), "\xC3");
    expect_unwritten(&driver);
}

/* Bytes that only look like a reference: inside another instruction, in a typed table, a read. */
static void look_alikes(void **state)
{
    (void)state;
    struct code_case driver;
    /* mov rax, imm64, whose immediate holds `mov [rip+d], eax` */
    uint32_t rva = begin_driver(&driver, MACHINE_AMD64);
    rva = CASE_PUT(&driver, rva, "\x48\xB8");
    rva = CASE_PUT(&driver, CASE_PUT_REL(&driver, rva, "\x89\x05", VARIABLE_RVA), "\x00\x00");
    CASE_PUT(&driver, rva, "\xC3");
    expect_unwritten(&driver);

    /* the same bytes in a table that is typed: two debug directory entries among the code */
    rva = begin_driver(&driver, MACHINE_AMD64);
    CASE_PUT(&driver, rva, "\xC3");
    CASE_PUT_REL(&driver, SPARE_RVA + 0x1C, "\x89\x05", VARIABLE_RVA);
    memset(case_at(&driver, SPARE_RVA), 0, 0x1C);
    make_directory(&driver.made, DIR_DEBUG, SPARE_RVA, DEBUG_ENTRY_NBYTES * 2);
    expect_unwritten(&driver);

    /* a read, a comparison, a call through a slot and a jump in bytes that nothing leads to */
    rva = begin_driver(&driver, MACHINE_AMD64);
    CASE_PUT(&driver, rva, "\xC3");
    rva = CASE_PUT_REL(&driver, SPARE_RVA, "\x48\x8B\x05", VARIABLE_RVA);
    rva = case_put_rel(&driver, rva, "\x83\x3D", 2, VARIABLE_RVA, 1);
    rva = CASE_PUT(&driver, rva, "\x00");
    rva = CASE_PUT_REL(&driver, rva, "\xFF\x15", VARIABLE_RVA);
    CASE_PUT_REL(&driver, rva, "\x0F\x85", CASE_INIT_RVA);
    expect_unwritten(&driver);
}

static void x86_forms(void **state)
{
    (void)state;
    struct code_case driver;
    uint32_t rva = begin_driver(&driver, MACHINE_I386);
    CASE_PUT(&driver, CASE_PUT_VA(&driver, rva, "\xA3", VARIABLE_RVA), "\xC3"); /* mov [variable], eax */
    expect_written(&driver, rva, "stores");

    rva = begin_driver(&driver, MACHINE_I386);
    CASE_PUT(&driver, CASE_PUT_VA(&driver, rva, "\x89\x0C\x85", VARIABLE_RVA),
             "\xC3"); /* mov [eax*4+v], ecx */
    expect_written(&driver, rva, "stores");

    rva = begin_driver(&driver, MACHINE_I386);
    CASE_PUT(&driver, CASE_PUT_VA(&driver, rva, "\x68", VARIABLE_RVA), "\xC3"); /* push offset variable */
    expect_written(&driver, rva, "takes the address of data");

    rva = begin_driver(&driver, MACHINE_I386); /* a relocated field in bytes that nothing leads to */
    CASE_PUT(&driver, rva, "\xC3");
    CASE_PUT_VA(&driver, SPARE_RVA, "\xA1", VARIABLE_RVA);
    expect_written(&driver, SPARE_RVA + 1, "holds the address of data");

    rva = begin_driver(&driver, MACHINE_I386); /* no relocations at all: a store known by its value */
    rva = CASE_PUT(&driver, rva, "\xA3\x00\x42\x01\x00"); /* mov [14200h], eax; the base is 10000h */
    CASE_PUT(&driver, rva, "\xC3");
    expect_written(&driver, rva - 5, "stores");

    rva = begin_driver(&driver, MACHINE_I386); /* and an address in data */
    CASE_PUT(&driver, rva, "\xC3");
    case_put_u32(&driver, CASE_DATA_RVA + 6, 0x14200);
    expect_written(&driver, CASE_DATA_RVA + 6, "holds the address of data");
}

/* hits[code - 0x222003]++: the lower bound of the index is folded, and the address leads out of the image. */
static void folded_out_of_the_image(void **state)
{
    (void)state;
    static const uint32_t folds[] = {0x222003, 0x9000};
    for (size_t i = 0; i < sizeof folds / sizeof folds[0]; i++) {
        struct code_case driver;
        uint32_t folded = (uint32_t)VARIABLE_RVA - 4 * folds[i];
        uint32_t rva = begin_driver(&driver, MACHINE_I386);
        CASE_PUT(&driver, CASE_PUT_VA(&driver, rva, "\xFF\x04\x85", folded), "\xC3"); /* inc [eax*4+f] */
        expect_written(&driver, rva, "adds an index without known bounds to an address");

        rva = begin_driver(&driver, MACHINE_I386);
        CASE_PUT(&driver, CASE_PUT_VA(&driver, rva, "\x8D\x04\x85", folded), "\xFF\x00\xC3"); /* lea; inc */
        expect_written(&driver, rva, "adds an index without known bounds to an address");

        rva = begin_driver(&driver, MACHINE_I386); /* mov eax, [eax*4+f] only reads */
        CASE_PUT(&driver, CASE_PUT_VA(&driver, rva, "\x8B\x04\x85", folded), "\xC3");
        expect_unwritten(&driver);
    }
    /* Known bounds tell that the array lies in .data. */
    struct code_case driver;
    uint32_t at = begin_driver(&driver, MACHINE_I386);
    at = CASE_PUT(&driver, at, "\x83\xE0\x07\x05\x00\x90\x00\x00"); /* and eax, 7; add eax, 0x9000 */
    CASE_PUT(&driver, CASE_PUT_VA(&driver, at, "\xFF\x04\x85", (uint32_t)CASE_DATA_RVA - 4U * 0x9000U),
             "\xC3");
    expect_unwritten(&driver);
}

/* A jump table in INIT, its entries relocated, is read and nothing more. */
static void jump_table_in_the_section(void **state)
{
    (void)state;
    struct code_case driver;
    uint32_t table = CASE_INIT_RVA + 0x40;
    begin_driver(&driver, MACHINE_I386);
    CASE_PUT(&driver, CASE_TEXT_RVA + 5, "\xC3");
    uint32_t rva = CASE_PUT(&driver, CASE_INIT_RVA, "\x83\xF8\x01\x77\x07"); /* cmp eax, 1; ja */
    rva = CASE_PUT_VA(&driver, rva, "\xFF\x24\x85", table);                  /* jmp [eax*4+table] */
    CASE_PUT(&driver, rva, "\xC3");
    CASE_PUT(&driver, CASE_INIT_RVA + 0x20, "\x33\xC0\xC3");
    CASE_PUT(&driver, CASE_INIT_RVA + 0x30, "\x33\xC0\xC3");
    CASE_PUT_VA(&driver, table, "", CASE_INIT_RVA + 0x20);
    CASE_PUT_VA(&driver, table + 4, "", CASE_INIT_RVA + 0x30);
    expect_unwritten(&driver);
}

/* Import tables in INIT: descriptors, lookup table and names are only read, the IAT is written. */
static void import_tables(void **state)
{
    (void)state;
    for (unsigned iat_is_inside = 0; iat_is_inside < 2; iat_is_inside++) {
        struct code_case driver;
        uint32_t rva = begin_driver(&driver, MACHINE_AMD64);
        CASE_PUT(&driver, rva, "\xC3");
        uint32_t descriptors = CASE_INIT_RVA + 0x300, lookup = descriptors + 0x40, names = lookup + 0x20,
                 iat = iat_is_inside ? CASE_INIT_RVA + 0x3C0 : CASE_RDATA_RVA;
        memset(case_at(&driver, descriptors), 0, 0x100);
        case_put_u32(&driver, descriptors + IMPORT_ORIGINAL_FIRST_THUNK, lookup);
        case_put_u32(&driver, descriptors + IMPORT_NAME, names);
        case_put_u32(&driver, descriptors + IMPORT_FIRST_THUNK, iat);
        case_put_u32(&driver, lookup, names + 0x10);
        case_put_u32(&driver, iat, names + 0x10);
        CASE_PUT(&driver, names, "ntoskrnl.exe");
        CASE_PUT(&driver, names + 0x12, "DbgPrint");
        make_directory(&driver.made, DIR_IMPORT, descriptors, 2 * IMPORT_DESCRIPTOR_NBYTES);
        if (iat_is_inside)
            expect_written(&driver, iat, "the loader writes its IAT");
        else
            expect_unwritten(&driver);
    }
}

static void undecoded_machines_are_assumed(void **state)
{
    (void)state;
    struct code_case driver;
    struct finding why;
    const char *summary;
    case_begin(&driver, MACHINE_ARM64);
    assert_int_equal(judge(&driver, &why, &summary), WRITES_ASSUMED);
    assert_non_null(strstr(summary, "ARM64"));
    case_end(&driver);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clean_drivers),
        cmocka_unit_test(decoded_stores),
        cmocka_unit_test(addresses_of_data),
        cmocka_unit_test(addresses_behind_the_section),
        cmocka_unit_test(look_alikes),
        cmocka_unit_test(x86_forms),
        cmocka_unit_test(folded_out_of_the_image),
        cmocka_unit_test(jump_table_in_the_section),
        cmocka_unit_test(import_tables),
        cmocka_unit_test(undecoded_machines_are_assumed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
