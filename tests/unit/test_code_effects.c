/* Tests of code_effects: what hand-assembled instructions do with an address in a register.
 * Takes: bytes, each with what the processor manuals say of the instruction.  Gives: pass or fail. */
#include "cmocka_all.h"
#include "code/code_decode.h"

enum { A = 1, C = 2, D = 4, SP = 16, SI = 64, DI = 128, R8 = 256 };

struct form {
    const char *text;
    uint8_t bytes[12];
    uint32_t stores_through, computes_with, overwritten;
    uint32_t moved_from, moved_to; /* the first move */
};

static const struct form x64_forms[] = {
    /* moves */
    {"mov rcx, rax", {0x48, 0x89, 0xC1}, 0, 0, C, A, C},
    {"mov rcx, rax, other form", {0x48, 0x8B, 0xC8}, 0, 0, C, A, C},
    {"mov r8, rax", {0x49, 0x89, 0xC0}, 0, 0, R8, A, R8},
    {"mov ecx, eax: half an address", {0x89, 0xC1}, 0, 0, C, 0, 0},
    {"cmove rcx, rax: may keep its own", {0x48, 0x0F, 0x44, 0xC8}, 0, 0, 0, A, C},
    {"mov ecx, 1", {0xB9, 1, 0, 0, 0}, 0, 0, C, 0, 0},
    {"mov r8d, 1", {0x41, 0xB8, 1, 0, 0, 0}, 0, 0, R8, 0, 0},
    {"mov cl, 1: a part", {0xB1, 1}, 0, 0, 0, 0, 0},
    {"mov rcx, [rax]", {0x48, 0x8B, 0x08}, 0, 0, C, 0, 0},
    {"mov [rax], rcx", {0x48, 0x89, 0x08}, A, 0, 0, 0, 0},
    {"xchg rcx, rax: its first half", {0x48, 0x87, 0xC8}, 0, 0, A | C, C, A},
    {"xchg [rdx], rax", {0x48, 0x87, 0x02}, D, 0, A, 0, 0},
    {"lea rcx, [rip+8]", {0x48, 0x8D, 0x0D, 8, 0, 0, 0}, 0, 0, C, 0, 0},
    /* addresses made of others */
    {"lea rcx, [rax+rdx+8]", {0x48, 0x8D, 0x4C, 0x10, 8}, 0, A | D, C, 0, 0},
    {"add rax, 8", {0x48, 0x83, 0xC0, 8}, 0, A, 0, 0, 0},
    {"add rcx, rax", {0x48, 0x01, 0xC1}, 0, A | C, 0, 0, 0},
    {"or rax, 1", {0x48, 0x83, 0xC8, 1}, 0, A, 0, 0, 0},
    {"shl rax, 4", {0x48, 0xC1, 0xE0, 4}, 0, A, 0, 0, 0},
    {"neg rax", {0x48, 0xF7, 0xD8}, 0, A, 0, 0, 0},
    {"imul rcx, rax, 3", {0x48, 0x6B, 0xC8, 3}, 0, A, C, 0, 0},
    {"add al, 1: in place", {0x04, 1}, 0, A, 0, 0, 0},
    {"add eax, 1: 32 bits are no address", {0x83, 0xC0, 1}, 0, 0, A, 0, 0},
    {"inc rax", {0x48, 0xFF, 0xC0}, 0, A, 0, 0, 0},
    /* neither */
    {"cmp rax, rcx", {0x48, 0x39, 0xC8}, 0, 0, 0, 0, 0},
    {"test rax, rax", {0x48, 0x85, 0xC0}, 0, 0, 0, 0, 0},
    {"xor eax, eax", {0x31, 0xC0}, 0, 0, A, 0, 0},
    {"xor rax, rax", {0x48, 0x31, 0xC0}, 0, 0, A, 0, 0},
    {"sbb rax, rax", {0x48, 0x19, 0xC0}, 0, 0, A, 0, 0},
    {"sete al", {0x0F, 0x94, 0xC0}, 0, 0, 0, 0, 0},
    {"push rax", {0x50}, SP, 0, 0, 0, 0},
    {"pop rax", {0x58}, 0, 0, A, 0, 0},
    {"movq xmm0, rax", {0x66, 0x48, 0x0F, 0x6E, 0xC0}, 0, 0, 0, 0, 0},
    {"cmp [rax], ecx", {0x39, 0x08}, 0, 0, 0, 0, 0},
    {"nop [rax]", {0x0F, 0x1F, 0x00}, 0, 0, 0, 0, 0},
    {"prefetcht0 [rax]", {0x0F, 0x18, 0x08}, 0, 0, 0, 0, 0},
    {"call [rax]", {0xFF, 0x10}, 0, 0, 0, 0, 0},
    {"mul rcx: rdx:rax", {0x48, 0xF7, 0xE1}, 0, 0, D, 0, 0}, /* what it reads itself counts as kept */
    {"lodsb", {0xAC}, 0, 0, 0, 0, 0},
    {"rep lodsq", {0xF3, 0x48, 0xAD}, 0, 0, 0, 0, 0},
    /* stores */
    {"mov byte [rax+rdx], 0", {0xC6, 0x04, 0x10, 0}, A | D, 0, 0, 0, 0},
    {"lock inc dword [rax]", {0xF0, 0xFF, 0x00}, A, 0, 0, 0, 0},
    {"cmpxchg [rdx], rcx", {0x48, 0x0F, 0xB1, 0x0A}, D, 0, 0, 0, 0},
    {"movaps [rax], xmm0", {0x0F, 0x29, 0x00}, A, 0, 0, 0, 0},
    {"vmovups [rax], zmm0", {0x62, 0xF1, 0x7C, 0x48, 0x11, 0x00}, A, 0, 0, 0, 0},
    {"setne [rcx]", {0x0F, 0x95, 0x01}, C, 0, 0, 0, 0},
    {"fxsave [rax]", {0x0F, 0xAE, 0x00}, A, 0, 0, 0, 0},
    {"pop qword [rax]", {0x8F, 0x00}, A, 0, 0, 0, 0},
};

static const struct form x86_forms[] = {
    {"mov ecx, eax", {0x89, 0xC1}, 0, 0, C, A, C},
    {"inc eax, one byte", {0x40}, 0, A, 0, 0, 0},
    {"add eax, imm32", {0x05, 0, 0, 0, 1}, 0, A, 0, 0, 0},
    {"push imm32", {0x68, 0, 0, 0, 1}, SP, 0, 0, 0, 0},
    {"mov [ecx], imm32", {0xC7, 0x01, 0, 0, 0, 1}, C, 0, 0, 0, 0},
    {"movzx ecx, al", {0x0F, 0xB6, 0xC8}, 0, 0, C, 0, 0},
};

/* String instructions name no operand in their bytes: [edi] is written, [esi] is read. */
static const struct form string_forms[] = {
    {"stosb", {0xAA}, DI, 0, 0, 0, 0}, {"rep stosd", {0xF3, 0xAB}, DI, 0, 0, 0, 0},
    {"movsb", {0xA4}, DI, 0, 0, 0, 0}, {"insb", {0x6C}, DI, 0, 0, 0, 0},
    {"scasb", {0xAE}, 0, 0, 0, 0, 0},  {"cmpsb", {0xA6}, 0, 0, 0, 0, 0},
};

static void try_forms(const struct form *forms, size_t count, bool is_64)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct decoder *decoder = decoder_new(&arena, is_64);
    assert_non_null(decoder);
    for (size_t i = 0; i < count; i++) {
        const struct form *form = &forms[i];
        struct instruction instruction;
        struct instruction_effects effects;
        print_message("%s\n", form->text);
        assert_true(decode(decoder, form->bytes, sizeof form->bytes, 0x1000, &instruction));
        assert_true(decode_effects(decoder, &effects));
        assert_int_equal(effects.stores_through, form->stores_through);
        assert_int_equal(effects.computes_with, form->computes_with);
        assert_int_equal(effects.overwritten, form->overwritten);
        assert_int_equal(effects.moved_from[0], form->moved_from);
        assert_int_equal(effects.moved_to[0], form->moved_to);
    }
    arena_free(&arena);
}

static void forms_of_x64(void **state)
{
    (void)state;
    try_forms(x64_forms, sizeof x64_forms / sizeof *x64_forms, true);
}

static void forms_of_x86(void **state)
{
    (void)state;
    try_forms(x86_forms, sizeof x86_forms / sizeof *x86_forms, false);
}

static void string_instructions(void **state)
{
    (void)state;
    try_forms(string_forms, sizeof string_forms / sizeof *string_forms, true);
    try_forms(string_forms, sizeof string_forms / sizeof *string_forms, false);
}

/* What the tables above have no column for. */
static void exchanges_and_the_stack(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[4];
        uint32_t moved_from, moved_to, pushed, popped;
    } others[] = {
        {{0x48, 0x87, 0xC8}, A, C, 0, 0}, /* xchg rax, rcx: its second half */
        {{0x50}, 0, 0, A, 0},             /* push rax */
        {{0x41, 0x50}, 0, 0, R8, 0},      /* push r8 */
        {{0x58}, 0, 0, 0, A},             /* pop rax */
        {{0x66, 0x50}, 0, 0, 0, 0},       /* push ax */
        {{0xFF, 0x30}, 0, 0, 0, 0},       /* push [rax] */
    };
    struct arena arena;
    struct instruction instruction;
    struct instruction_effects effects;
    arena_init(&arena, NULL);
    struct decoder *decoder = decoder_new(&arena, true);
    assert_non_null(decoder);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_true(decode(decoder, others[i].bytes, sizeof others[i].bytes, 0x1000, &instruction));
        assert_true(decode_effects(decoder, &effects));
        assert_int_equal(effects.moved_from[1], others[i].moved_from);
        assert_int_equal(effects.moved_to[1], others[i].moved_to);
        assert_int_equal(effects.pushed, others[i].pushed);
        assert_int_equal(effects.popped, others[i].popped);
    }
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_of_x64),
        cmocka_unit_test(forms_of_x86),
        cmocka_unit_test(string_instructions),
        cmocka_unit_test(exchanges_and_the_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
