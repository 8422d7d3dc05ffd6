/* test_section_writes_literal.c - string literals in INIT, and what must not be taken for one.
 * Takes: a small driver that takes the address of text in INIT.  Gives: pass or fail. */
#include "section_writes_case.h"

static void expect_constants(struct code_case *driver)
{
    struct finding why;
    const char *summary;
    enum write_answer answer = judge(driver, &why, &summary);
    if (answer != WRITES_CONSTANTS)
        fail_msg("answer %d: %s", (int)answer, why.message ? why.message : "");
    assert_non_null(strstr(summary, "1 addresses of string literals"));
    assert_non_null(strstr(summary, "is assumed"));
    case_end(driver);
}

/* The driver takes the address of VARIABLE_RVA + offset; bytes behind that instruction follow. Returns the
 * place of the instruction. */
static uint32_t take_address(struct code_case *driver, uint16_t machine, uint32_t offset, const char *bytes,
                             size_t nbytes)
{
    uint32_t rva = begin_driver(driver, machine);
    uint32_t behind = machine == MACHINE_AMD64
                          ? CASE_PUT_REL(driver, rva, "\x48\x8D\x0D", VARIABLE_RVA + offset)
                          : CASE_PUT_VA(driver, rva, "\xB9", VARIABLE_RVA + offset);
    case_put(driver, behind, bytes, nbytes);
    return rva;
}

static const uint16_t machines[] = {MACHINE_AMD64, MACHINE_I386};

static void literals(void **state)
{
    (void)state;
    struct code_case driver;
    for (size_t i = 0; i < 2; i++) {
        take_address(&driver, machines[i], 0, "\xFF\xD0\xC3", 3); /* call rax; ret */
        CASE_PUT(&driver, VARIABLE_RVA, "driver: %s\n\0\xCC");
        expect_constants(&driver);

        take_address(&driver, machines[i], 0, "\xFF\xD0\xC3", 3);
        CASE_PUT(&driver, VARIABLE_RVA, "\\\0D\0e\0v\0\0\0\xCC");
        expect_constants(&driver);

        take_address(&driver, machines[i], 4, "\xFF\xD0\xC3", 3); /* behind another one, aligned */
        CASE_PUT(&driver, VARIABLE_RVA, "ab\0\0cd\0\0\0\0\0\0\0\0\0\0\0\0\xCC");
        expect_constants(&driver);

        take_address(&driver, machines[i], 6, "\xFF\xD0\xC3", 3); /* wide, behind a narrow one */
        CASE_PUT(&driver, VARIABLE_RVA, "text\n\0\\\0D\0\0\0\xCC");
        expect_constants(&driver);

        take_address(&driver, machines[i], 0, "\x8A\x01\xC3", 3); /* mov al, [rcx]; ret */
        CASE_PUT(&driver, VARIABLE_RVA, "text\0\xCC");
        expect_constants(&driver);
    }
    begin_driver(&driver, MACHINE_AMD64); /* a pointer to it */
    CASE_PUT(&driver, CASE_TEXT_RVA + 5, "\xC3");
    CASE_PUT_VA(&driver, CASE_DATA_RVA, "", VARIABLE_RVA);
    CASE_PUT(&driver, VARIABLE_RVA, "text\0\xCC");
    expect_constants(&driver);
}

static void other_data(void **state)
{
    (void)state;
    static const struct {
        const char *text, *bytes;
        uint32_t nbytes, offset;
    } cases[] = {
        {"a buffer with room", "text\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xCC", 22, 0},
        {"inside of a text", "text\0\xCC", 6, 1},
        {"inside of a wide text", "t\0e\0x\0t\0\0\0\xCC", 11, 2},
        {"the second byte of a wide text", "t\0e\0x\0t\0\0\0\xCC", 11, 1},
        {"the second letter of a wide text behind a narrow one", "text\n\0\\\0D\0e\0\0\0\xCC", 15, 8},
        {"one character: a number", "A\0\0\0\xCC", 5, 0},
        {"no text", "te\x01t\0\xCC", 6, 0},
        {"without an end", "te\xCC", 3, 0},
        {"empty", "\0\0\xCC", 3, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct code_case driver;
        print_message("%s\n", cases[i].text);
        uint32_t rva = take_address(&driver, MACHINE_AMD64, cases[i].offset, "\xFF\xD0\xC3", 3);
        case_put(&driver, VARIABLE_RVA, cases[i].bytes, cases[i].nbytes);
        expect_written(&driver, rva, "takes the address of data");
    }
}

static void written_text(void **state)
{
    (void)state;
    struct code_case driver;
    uint32_t rva = take_address(&driver, MACHINE_AMD64, 0, "\xC6\x01\x30\xC3", 4); /* mov byte [rcx], '0' */
    CASE_PUT(&driver, VARIABLE_RVA, "text\0\xCC");
    expect_written(&driver, rva + 7, "writes or computes with it");

    rva = begin_driver(&driver, MACHINE_AMD64); /* mov byte [rip->text+1], '0' */
    CASE_PUT(&driver, case_put_rel(&driver, rva, "\xC6\x05", 2, VARIABLE_RVA + 1, 1), "\x30\xC3");
    CASE_PUT(&driver, VARIABLE_RVA, "text\0\xCC");
    expect_written(&driver, rva, "stores");
}

/* Behind `lea rcx, [text]` or `mov ecx, offset text`: strlen() and its like, inlined, walk through it. */
static void walked_text(void **state)
{
    (void)state;
    static const struct {
        const char *text, *bytes;
        uint8_t nbytes, machines; /* 1: x64, 2: x86 */
        int harm_offset;          /* of the instruction that is named; -1: harmless */
    } walks[] = {
        {"cmp word [rcx], 0; je +6; add rcx, 2; jmp back; ret",
         "\x66\x83\x39\x00\x74\x06\x48\x83\xC1\x02\xEB\xF4\xC3", 13, 1, -1},
        {"mov al, [ecx]; inc ecx; test al, al; jne back; ret", "\x8A\x01\x41\x84\xC0\x75\xF9\xC3", 8, 2, -1},
        {"mov edi, ecx; repne scasb; sub edi, ecx; ret", "\x89\xCF\xF2\xAE\x29\xCF\xC3", 7, 2, -1},
        {"lea rdx, [rcx+2]; mov [rdx], al; ret", "\x48\x8D\x51\x02\x88\x02\xC3", 7, 1, 4},
        {"lea edx, [ecx+2]; mov [edx], al; ret", "\x8D\x51\x02\x88\x02\xC3", 6, 2, 3},
        {"mov rdx, rax; add rdx, rcx; mov [rdx], al; ret", "\x48\x89\xC2\x48\x01\xCA\x88\x02\xC3", 9, 1, 6},
        {"inc rcx; mov [rcx], al; ret", "\x48\xFF\xC1\x88\x01\xC3", 6, 1, 3},
        {"inc ecx; mov [ecx], al; ret", "\x41\x88\x01\xC3", 4, 2, 1},
        {"mov edi, ecx; repne scasb; dec edi; stosb; ret", "\x89\xCF\xF2\xAE\x4F\xAA\xC3", 7, 2, 5},
    };
    for (size_t i = 0; i < sizeof walks / sizeof *walks; i++)
        for (size_t m = 0; m < 2; m++) {
            struct code_case driver;
            if (!(walks[i].machines >> m & 1))
                continue;
            print_message("%s\n", walks[i].text);
            uint32_t rva = take_address(&driver, machines[m], 0, walks[i].bytes, walks[i].nbytes);
            CASE_PUT(&driver, VARIABLE_RVA, "text\0\xCC");
            if (walks[i].harm_offset < 0)
                expect_constants(&driver);
            else
                expect_written(&driver, rva + (m == 0 ? 7 : 5) + (uint32_t)walks[i].harm_offset,
                               "writes or computes with it");
        }
}

/* The bytes of L"a%0" hold `add [rip+3000h], ah`; they are text once an address names it. */
static void text_that_reads_as_a_store(void **state)
{
    (void)state;
    for (unsigned is_named = 0; is_named < 2; is_named++) {
        struct code_case driver;
        uint32_t rva = begin_driver(&driver, MACHINE_AMD64);
        if (is_named)
            rva = CASE_PUT_REL(&driver, rva, "\x48\x8D\x0D", SPARE_RVA); /* lea rcx */
        CASE_PUT(&driver, rva, "\xC3");
        CASE_PUT(&driver, SPARE_RVA, "a\0%\0000\0\0\0\xCC");
        if (is_named)
            expect_unwritten(&driver);
        else
            expect_written(&driver, SPARE_RVA + 1, "stores at RVA 0x4207");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literals),
        cmocka_unit_test(other_data),
        cmocka_unit_test(written_text),
        cmocka_unit_test(walked_text),
        cmocka_unit_test(text_that_reads_as_a_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
