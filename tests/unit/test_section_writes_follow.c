/* test_section_writes_follow.c - what code does with the address of a function of INIT that it has taken.
 * Takes: a small driver that takes the address, and bytes behind.  Gives: pass or fail. */
#include "section_writes_case.h"

/* Bytes behind `lea rcx, [function]` or `mov ecx, offset function`. */
struct sequence {
    const char *text;
    uint8_t nbytes;
    const char *bytes;
    int harm_offset; /* of the instruction that is named; -1: harmless */
};
#define BYTES(literal) sizeof(literal) - 1, literal

static const struct sequence on_both[] = {
    {"mov byte [rcx], 1; ret", BYTES("\xC6\x01\x01\xC3"), 0},
    {"mov byte [rdx+rcx], 1; ret", BYTES("\xC6\x04\x0A\x01\xC3"), 0},
    {"mov byte [rcx+80h], 1; ret", BYTES("\xC6\x81\x80\x00\x00\x00\x01\xC3"), 0},
    {"movups [rcx], xmm0; ret", BYTES("\x0F\x11\x01\xC3"), 0},
    {"lock dec dword [rcx]; ret", BYTES("\xF0\xFF\x09\xC3"), 0},
    {"je +0; mov byte [rcx], 1; ret", BYTES("\x74\x00\xC6\x01\x01\xC3"), 2},
    {"jmp +1; int3; mov byte [rcx], 1; ret", BYTES("\xEB\x01\xCC\xC6\x01\x01\xC3"), 3},
    {"mov cl, 8; mov [rcx], eax; ret: another place near it", BYTES("\xB1\x08\x89\x01\xC3"), 2},
    {"mov eax, [rcx]; ret", BYTES("\x8B\x01\xC3"), -1},
    {"cmp byte [rcx], 1; ret", BYTES("\x80\x39\x01\xC3"), -1},
    {"push rcx; pop rcx; mov byte [rcx], 1; ret", BYTES("\x51\x59\xC6\x01\x01\xC3"), 2},
    {"push rcx; call rax; pop rdx; mov [rdx], eax; ret", BYTES("\x51\xFF\xD0\x5A\x89\x02\xC3"), 4},
    {"push rax; pop rcx; mov [rcx], eax; ret", BYTES("\x50\x59\x89\x01\xC3"), -1},
    {"call rcx; mov [rcx], eax; ret: a callee may change it", BYTES("\xFF\xD1\x89\x01\xC3"), -1},
    {"jmp rcx", BYTES("\xFF\xE1"), -1},
    {"mov ecx, 1; mov [rcx], eax; ret", BYTES("\xB9\x01\x00\x00\x00\x89\x01\xC3"), -1},
    {"xor ecx, ecx; mov [rcx], eax; ret", BYTES("\x31\xC9\x89\x01\xC3"), -1},
    {"nop [rcx]; ret", BYTES("\x0F\x1F\x01\xC3"), -1},
    {"mov [rdx], eax; ret", BYTES("\x89\x02\xC3"), -1},
    {"jne +1; ret; mov byte [rcx], 1; ret: the other way", BYTES("\x75\x01\xC3\xC6\x01\x01\xC3"), 3},
    {"call +1; ret; mov [rcx], eax; ret: by what gets it", BYTES("\xE8\x01\0\0\0\xC3\x89\x01\xC3"), 0},
    {"call +1; ret; mov eax, [rcx]; ret", BYTES("\xE8\x01\0\0\0\xC3\x8B\x01\xC3"), -1},
    {"call +1; ret; inc ecx; sub edx, ecx; ret: no more than a number there",
     BYTES("\xE8\x01\0\0\0\xC3\xFF\xC1\x29\xCA\xC3"), -1},
};

static const struct sequence on_x64[] = {
    {"mov rdx, rcx; mov [rdx+4], eax; ret", BYTES("\x48\x89\xCA\x89\x42\x04\xC3"), 3},
    {"mov r9, rcx; mov [r9], eax; ret", BYTES("\x49\x89\xC9\x41\x89\x01\xC3"), 3},
    {"mov rdi, rcx; stosb; ret", BYTES("\x48\x89\xCF\xAA\xC3"), 3},
    {"mov rdi, rcx; rep movsb; ret", BYTES("\x48\x89\xCF\xF3\xA4\xC3"), 3},
    {"xchg rax, rcx; mov [rax], edx; ret", BYTES("\x48\x91\x89\x10\xC3"), 2},
    {"cmove rdx, rcx; mov [rdx], eax; ret", BYTES("\x48\x0F\x44\xD1\x89\x02\xC3"), 4},
    {"cmove rcx, rdx; mov [rcx], eax; ret", BYTES("\x48\x0F\x44\xCA\x89\x01\xC3"), 4},
    {"mov rbx, rcx; call rax; mov [rbx], eax; ret", BYTES("\x48\x89\xCB\xFF\xD0\x89\x03\xC3"), 5},
    {"add rcx, 8; ret", BYTES("\x48\x83\xC1\x08\xC3"), 0},
    {"add rdx, rcx; ret", BYTES("\x48\x01\xCA\xC3"), 0},
    {"lea rdx, [rcx+8]; ret", BYTES("\x48\x8D\x51\x08\xC3"), 0},
    {"and rcx, -16; ret", BYTES("\x48\x83\xE1\xF0\xC3"), 0},
    {"inc rcx; ret", BYTES("\x48\xFF\xC1\xC3"), 0},
    {"cmp rcx, rax; ret", BYTES("\x48\x39\xC1\xC3"), -1},
    {"xchg [rdx], rcx; mov [rcx], eax; ret: stored, and the old value taken",
     BYTES("\x48\x87\x0A\x89\x01\xC3"), -1},
    {"mov [rsp+8], rcx; mov rdx, [rsp+8]; mov [rdx], eax; ret: by way of the stack",
     BYTES("\x48\x89\x4C\x24\x08\x48\x8B\x54\x24\x08\x89\x02\xC3"), 10},
    {"mov [rsp+8], rcx; mov [rsp+8], rax; mov rdx, [rsp+8]; mov [rdx], eax; ret: something else",
     BYTES("\x48\x89\x4C\x24\x08\x48\x89\x44\x24\x08\x48\x8B\x54\x24\x08\x89\x02\xC3"), -1},
    {"call +1; ret; lea rax, [rcx+rdx]; mov [rax], r8d; ret",
     BYTES("\xE8\x01\0\0\0\xC3\x48\x8D\x04\x11\x44\x89\x00\xC3"), 0},
    {"movq xmm0, rcx; ret", BYTES("\x66\x48\x0F\x6E\xC1\xC3"), -1},
    {"mov edx, ecx; mov [rdx], eax; ret: half of it", BYTES("\x89\xCA\x89\x02\xC3"), -1},
    {"or ecx, edx; ret: 32 bits are no address", BYTES("\x09\xD1\xC3"), -1},
};

static const struct sequence on_x86[] = {
    {"mov edx, ecx; mov [edx+4], eax; ret", BYTES("\x89\xCA\x89\x42\x04\xC3"), 2},
    {"inc ecx; ret", BYTES("\x41\xC3"), 0},
    {"add ecx, edx; ret", BYTES("\x01\xD1\xC3"), 0},
    {"sub edx, ecx; ret", BYTES("\x29\xCA\xC3"), 0},
    {"or ecx, 1; ret", BYTES("\x83\xC9\x01\xC3"), 0},
    {"xchg [edx], ecx; mov [ecx], eax; ret", BYTES("\x87\x0A\x89\x01\xC3"), -1},
    {"push ecx; push eax; call +1; ret; mov eax, [esp+8]; mov [eax], edx; ret",
     BYTES("\x51\x50\xE8\x01\0\0\0\xC3\x8B\x44\x24\x08\x89\x10\xC3"), 2},
    {"push ecx; push eax; call +1; ret; mov eax, [esp+4]; mov [eax], edx; ret: the other argument",
     BYTES("\x51\x50\xE8\x01\0\0\0\xC3\x8B\x44\x24\x04\x89\x10\xC3"), -1},
    {"push ecx; call +1; ret; push ebp; mov ebp, esp; mov eax, [ebp+8]; mov [eax], edx; pop ebp; ret",
     BYTES("\x51\xE8\x01\0\0\0\xC3\x55\x89\xE5\x8B\x45\x08\x89\x10\x5D\xC3"), 1},
};

static void try_sequences(const struct sequence *sequences, size_t count, uint16_t machine)
{
    for (size_t i = 0; i < count; i++) {
        const struct sequence *sequence = &sequences[i];
        struct code_case driver;
        print_message("%s\n", sequence->text);
        uint32_t rva = begin_driver(&driver, machine);
        rva = machine == MACHINE_AMD64 ? CASE_PUT_REL(&driver, rva, "\x48\x8D\x0D", CASE_INIT_RVA)
                                       : CASE_PUT_VA(&driver, rva, "\xB9", CASE_INIT_RVA);
        case_put(&driver, rva, sequence->bytes, sequence->nbytes);
        if (sequence->harm_offset < 0)
            expect_unwritten(&driver);
        else
            expect_written(&driver, rva + (uint32_t)sequence->harm_offset, "writes or computes with it");
    }
}

static void on_either_machine(void **state)
{
    (void)state;
    try_sequences(on_both, sizeof on_both / sizeof *on_both, MACHINE_AMD64);
    try_sequences(on_both, sizeof on_both / sizeof *on_both, MACHINE_I386);
}

static void with_64_bits(void **state)
{
    (void)state;
    try_sequences(on_x64, sizeof on_x64 / sizeof *on_x64, MACHINE_AMD64);
}

static void with_32_bits(void **state)
{
    (void)state;
    try_sequences(on_x86, sizeof on_x86 / sizeof *on_x86, MACHINE_I386);
}

/* The instruction that takes the address may compute with it itself. */
static void taken_by_arithmetic(void **state)
{
    (void)state;
    struct code_case driver;
    uint32_t rva = begin_driver(&driver, MACHINE_I386);
    CASE_PUT(&driver, CASE_PUT_VA(&driver, rva, "\x81\xC1", CASE_INIT_RVA), "\xC3"); /* add ecx, offset */
    expect_written(&driver, rva, "writes or computes with it");

    rva = begin_driver(&driver, MACHINE_I386);
    CASE_PUT(&driver, CASE_PUT_VA(&driver, rva, "\x81\xF9", CASE_INIT_RVA), "\xC3"); /* cmp ecx, offset */
    expect_unwritten(&driver);

    rva = begin_driver(&driver, MACHINE_I386);
    CASE_PUT(&driver, CASE_PUT_VA(&driver, rva, "\xC7\x01", CASE_INIT_RVA), "\xC3"); /* mov [ecx], offset */
    expect_unwritten(&driver);
}

/* A store behind so many instructions is out of sight; one before is not. */
static void followed_so_far(void **state)
{
    (void)state;
    enum { FOLLOWED_INSTRUCTIONS = 64 };
    for (unsigned between = FOLLOWED_INSTRUCTIONS - 1; between <= FOLLOWED_INSTRUCTIONS; between++) {
        struct code_case driver;
        uint32_t rva = begin_driver(&driver, MACHINE_AMD64);
        rva = CASE_PUT_REL(&driver, rva, "\x48\x8D\x0D", CASE_INIT_RVA);
        for (unsigned i = 0; i < between; i++)
            rva = CASE_PUT(&driver, rva, "\x33\xC0"); /* xor eax, eax */
        CASE_PUT(&driver, rva, "\x89\x01\xC3");
        if (between < FOLLOWED_INSTRUCTIONS)
            expect_written(&driver, rva, "writes or computes with it");
        else
            expect_unwritten(&driver);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_either_machine), cmocka_unit_test(with_64_bits),
        cmocka_unit_test(with_32_bits),      cmocka_unit_test(taken_by_arithmetic),
        cmocka_unit_test(followed_so_far),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
