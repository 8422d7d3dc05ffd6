/* Tests of code_decode: where the fields of hand-assembled instructions lie, what they do, where flow goes.
 * The expected values follow from the encoding tables of the processor manuals, byte by byte as commented. */
#include "cmocka_all.h"
#include "code/code_decode.h"

struct fixture {
    struct arena arena;
    struct decoder *x64, *x86;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    arena_init(&fixture.arena, NULL);
    fixture.x64 = decoder_new(&fixture.arena, true);
    fixture.x86 = decoder_new(&fixture.arena, false);
    *state = &fixture;
    return fixture.x64 && fixture.x86 ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    arena_free(&fixture->arena);
    return 0;
}

struct form {
    const char *text;
    uint8_t bytes[16];
    uint8_t nbytes, disp_offset, imm_offset, imm_nbytes;
    enum ref_access access;
    uint8_t datum_nbytes;
};

/* RIP-relative operands with 0, 1, 2 and 4 bytes of immediate behind the displacement, in every encoding. */
static const struct form rip_relative_forms[] = {
    /* 8B /r: REX.W, opcode, ModRM 00 000 101, disp32 */
    {"mov rax, [rip+d]", {0x48, 0x8B, 0x05, 1, 2, 3, 0}, 7, 3, 0, 0, ACCESS_READ, 8},
    {"mov [rip+d], eax", {0x89, 0x05, 1, 2, 3, 0}, 6, 2, 0, 0, ACCESS_WRITE, 4},
    {"add [rip+d], ecx", {0x01, 0x0D, 1, 2, 3, 0}, 6, 2, 0, 0, ACCESS_READ_WRITE, 4},
    {"lea rdx, [rip+d]", {0x48, 0x8D, 0x15, 1, 2, 3, 0}, 7, 3, 0, 0, ACCESS_ADDRESS, 0},
    /* C6 /0 ib, 66 C7 /0 iw, C7 /0 id, 48 C7 /0 id */
    {"mov byte [rip+d], 7", {0xC6, 0x05, 1, 2, 3, 0, 7}, 7, 2, 6, 1, ACCESS_WRITE, 1},
    {"mov word [rip+d], 7", {0x66, 0xC7, 0x05, 1, 2, 3, 0, 7, 0}, 9, 3, 7, 2, ACCESS_WRITE, 2},
    {"mov dword [rip+d], 7", {0xC7, 0x05, 1, 2, 3, 0, 7, 0, 0, 0}, 10, 2, 6, 4, ACCESS_WRITE, 4},
    {"mov qword [rip+d], 7", {0x48, 0xC7, 0x05, 1, 2, 3, 0, 7, 0, 0, 0}, 11, 3, 7, 4, ACCESS_WRITE, 8},
    /* 83 /7 ib: a comparison only reads */
    {"cmp dword [rip+d], 7", {0x83, 0x3D, 1, 2, 3, 0, 7}, 7, 2, 6, 1, ACCESS_READ, 4},
    /* F0 0F C1 /r */
    {"lock xadd [rip+d], eax", {0xF0, 0x0F, 0xC1, 0x05, 1, 2, 3, 0}, 8, 4, 0, 0, ACCESS_READ_WRITE, 4},
    /* 67h: EIP-relative, the same field */
    {"mov eax, [eip+d]", {0x67, 0x8B, 0x05, 1, 2, 3, 0}, 7, 3, 0, 0, ACCESS_READ, 4},
    /* VEX.128.0F 28 /r and 29 /r: two-byte VEX prefix */
    {"vmovaps xmm0, [rip+d]", {0xC5, 0xF8, 0x28, 0x05, 1, 2, 3, 0}, 8, 4, 0, 0, ACCESS_READ, 16},
    {"vmovaps [rip+d], xmm0", {0xC5, 0xF8, 0x29, 0x05, 1, 2, 3, 0}, 8, 4, 0, 0, ACCESS_WRITE, 16},
    /* EVEX.512.0F.W0 11 /r: 62, three payload bytes, opcode, ModRM */
    {"vmovups [rip+d], zmm0",
     {0x62, 0xF1, 0x7C, 0x48, 0x11, 0x05, 1, 2, 3, 0},
     10,
     6,
     0,
     0,
     ACCESS_WRITE,
     64},
    /* FF /2 and FF /4: through a slot */
    {"call [rip+d]", {0xFF, 0x15, 1, 2, 3, 0}, 6, 2, 0, 0, ACCESS_CALL, 8},
    {"jmp [rip+d]", {0x48, 0xFF, 0x25, 1, 2, 3, 0}, 7, 3, 0, 0, ACCESS_JUMP, 8},
    {"push [rip+d]", {0xFF, 0x35, 1, 2, 3, 0}, 6, 2, 0, 0, ACCESS_READ, 8},
    /* 0F 44 /r */
    {"cmove rax, [rip+d]", {0x48, 0x0F, 0x44, 0x05, 1, 2, 3, 0}, 8, 4, 0, 0, ACCESS_READ, 8},
    /* 0F AE /3: stores the MXCSR */
    {"stmxcsr [rip+d]", {0x0F, 0xAE, 0x1D, 1, 2, 3, 0}, 7, 3, 0, 0, ACCESS_WRITE, 4},
};

static void rip_relative_operands(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof rip_relative_forms / sizeof *rip_relative_forms; i++) {
        const struct form *form = &rip_relative_forms[i];
        struct instruction instruction;
        struct memory_operand memory;
        print_message("%s\n", form->text);
        assert_true(decode(fixture->x64, form->bytes, sizeof form->bytes, 0x1000, &instruction));
        assert_int_equal(instruction.nbytes, form->nbytes);
        assert_true(instruction.is_rip_relative);
        assert_int_equal(instruction.disp_nbytes, 4);
        assert_int_equal(instruction.disp_offset, form->disp_offset);
        assert_int_equal(instruction.disp, 0x030201);
        assert_int_equal(instruction.imm_nbytes[0], form->imm_nbytes);
        if (form->imm_nbytes != 0)
            assert_int_equal(instruction.imm_offset[0], form->imm_offset);
        assert_true(decode_memory(fixture->x64, &memory));
        assert_int_equal(memory.access, form->access);
        assert_int_equal(memory.nbytes, form->datum_nbytes);
    }
}

/* The same bytes on x86 are an absolute displacement; A1 and A3 have one without a ModRM byte. */
static const struct form absolute_forms[] = {
    {"mov eax, [d]", {0x8B, 0x05, 1, 2, 3, 0}, 6, 2, 0, 0, ACCESS_READ, 4},
    {"mov eax, [d] short form", {0xA1, 1, 2, 3, 0}, 5, 1, 0, 0, ACCESS_READ, 4},
    {"mov [d], eax short form", {0xA3, 1, 2, 3, 0}, 5, 1, 0, 0, ACCESS_WRITE, 4},
    {"mov dword [d], imm32", {0xC7, 0x05, 1, 2, 3, 0, 9, 9, 9, 9}, 10, 2, 6, 4, ACCESS_WRITE, 4},
    {"mov eax, [eax*4+d]", {0x8B, 0x04, 0x85, 1, 2, 3, 0}, 7, 3, 0, 0, ACCESS_READ, 4},
    {"inc dword [ecx+d]", {0xFF, 0x81, 1, 2, 3, 0}, 6, 2, 0, 0, ACCESS_READ_WRITE, 4},
    {"jmp [eax*4+d]", {0xFF, 0x24, 0x85, 1, 2, 3, 0}, 7, 3, 0, 0, ACCESS_JUMP, 4},
    {"lea eax, [ecx+d]", {0x8D, 0x81, 1, 2, 3, 0}, 6, 2, 0, 0, ACCESS_ADDRESS, 0},
};

static void absolute_operands_of_x86(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof absolute_forms / sizeof *absolute_forms; i++) {
        const struct form *form = &absolute_forms[i];
        struct instruction instruction;
        struct memory_operand memory;
        print_message("%s\n", form->text);
        assert_true(decode(fixture->x86, form->bytes, sizeof form->bytes, 0x1000, &instruction));
        assert_int_equal(instruction.nbytes, form->nbytes);
        assert_false(instruction.is_rip_relative);
        assert_int_equal(instruction.disp_nbytes, 4);
        assert_int_equal(instruction.disp_offset, form->disp_offset);
        assert_int_equal(instruction.imm_nbytes[0], form->imm_nbytes);
        assert_true(decode_memory(fixture->x86, &memory));
        assert_int_equal(memory.access, form->access);
        assert_int_equal(memory.nbytes, form->datum_nbytes);
    }
}

struct flow_form {
    const char *text;
    uint8_t bytes[8];
    enum flow flow;
    uint8_t rel_offset, rel_nbytes;
    uint32_t target_rva; /* of the instruction at RVA 0x1000 */
};

static const struct flow_form flow_forms[] = {
    {"call rel32", {0xE8, 0x10, 0, 0, 0}, FLOW_CALL, 1, 4, 0x1015},
    {"jmp rel32, back", {0xE9, 0xFB, 0xFE, 0xFF, 0xFF}, FLOW_JUMP, 1, 4, 0xF00},
    {"jmp rel8", {0xEB, 0xFE}, FLOW_JUMP, 1, 1, 0x1000},
    {"je rel8", {0x74, 0x10}, FLOW_BRANCH, 1, 1, 0x1012},
    {"jne rel32", {0x0F, 0x85, 0, 1, 0, 0}, FLOW_BRANCH, 2, 4, 0x1106},
    {"loop rel8", {0xE2, 0x02}, FLOW_BRANCH, 1, 1, 0x1004},
    {"xbegin rel32", {0xC7, 0xF8, 0x0A, 0, 0, 0}, FLOW_BRANCH, 2, 4, 0x1010},
    {"call [rip]", {0xFF, 0x15, 0, 0, 0, 0}, FLOW_CALL_INDIRECT, 0, 0, 0},
    {"call rax", {0xFF, 0xD0}, FLOW_CALL_INDIRECT, 0, 0, 0},
    {"jmp rcx", {0xFF, 0xE1}, FLOW_JUMP_INDIRECT, 0, 0, 0},
    {"ret", {0xC3}, FLOW_RETURN, 0, 0, 0},
    {"ret 8", {0xC2, 8, 0}, FLOW_RETURN, 0, 0, 0},
    {"iretq", {0x48, 0xCF}, FLOW_RETURN, 0, 0, 0},
    {"int3", {0xCC}, FLOW_BREAK, 0, 0, 0},
    {"int 29h", {0xCD, 0x29}, FLOW_STOP, 0, 0, 0},
    {"int 2Ch", {0xCD, 0x2C}, FLOW_NEXT, 0, 0, 0},
    {"ud2", {0x0F, 0x0B}, FLOW_STOP, 0, 0, 0},
    {"hlt", {0xF4}, FLOW_NEXT, 0, 0, 0},
    {"xend", {0x0F, 0x01, 0xD5}, FLOW_NEXT, 0, 0, 0},
    {"xabort 1", {0xC6, 0xF8, 1}, FLOW_NEXT, 0, 0, 0},
};

static void flow_of_instructions(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof flow_forms / sizeof *flow_forms; i++) {
        const struct flow_form *form = &flow_forms[i];
        struct instruction instruction;
        print_message("%s\n", form->text);
        assert_true(decode(fixture->x64, form->bytes, sizeof form->bytes, 0x1000, &instruction));
        assert_int_equal(instruction.flow, form->flow);
        assert_int_equal(instruction.rel_nbytes, form->rel_nbytes);
        if (form->rel_nbytes != 0) {
            assert_int_equal(instruction.rel_offset, form->rel_offset);
            assert_true(instruction.target_fits);
            assert_int_equal(instruction.target_rva, form->target_rva);
        }
    }
}

static void registers_of_memory_operands(void **state)
{
    struct fixture *fixture = *state;
    struct instruction instruction;
    /* 42 8B 8C BA disp32: mov ecx, [rdx+r15*4+disp32]; REX.X extends the index */
    static const uint8_t indexed[] = {0x42, 0x8B, 0x8C, 0xBA, 0, 0x20, 0, 0};
    assert_true(decode(fixture->x64, indexed, sizeof indexed, 0, &instruction));
    assert_int_equal(instruction.base, 2);
    assert_int_equal(instruction.index, 15);
    assert_int_equal(instruction.scale, 4);
    assert_int_equal(instruction.reg, 1);
    /* 41 8B 45 10: mov eax, [r13+10h]; r/m 101 with mod 01 is a base, not RIP */
    static const uint8_t based[] = {0x41, 0x8B, 0x45, 0x10};
    assert_true(decode(fixture->x64, based, sizeof based, 0, &instruction));
    assert_int_equal(instruction.base, 13);
    assert_int_equal(instruction.index, NO_REGISTER);
    assert_false(instruction.is_rip_relative);
    /* 8B 04 25 disp32: mov eax, [disp32]; the SIB form without registers is absolute in 64-bit mode too */
    static const uint8_t plain[] = {0x8B, 0x04, 0x25, 0, 0x20, 0, 0};
    assert_true(decode(fixture->x64, plain, sizeof plain, 0, &instruction));
    assert_int_equal(instruction.base, NO_REGISTER);
    assert_int_equal(instruction.index, NO_REGISTER);
    assert_false(instruction.is_rip_relative);
    /* 48 8B 04 24: mov rax, [rsp]; index 100 means none */
    static const uint8_t stack[] = {0x48, 0x8B, 0x04, 0x24};
    assert_true(decode(fixture->x64, stack, sizeof stack, 0, &instruction));
    assert_int_equal(instruction.base, STACK_REGISTER);
    assert_int_equal(instruction.index, NO_REGISTER);
}

/* Every cut of an instruction is refused without a look behind its end. */
static void truncated_bytes(void **state)
{
    struct fixture *fixture = *state;
    static const uint8_t bytes[] = {0x48, 0xC7, 0x05, 1, 2, 3, 0, 7, 0, 0, 0};
    struct instruction instruction;
    for (size_t nbytes = 0; nbytes < sizeof bytes; nbytes++)
        assert_false(decode(fixture->x64, bytes, nbytes, 0, &instruction));
    assert_true(decode(fixture->x64, bytes, sizeof bytes, 0, &instruction));
    /* 06 (push es) does not exist in 64-bit mode. */
    static const uint8_t push_es[] = {0x06};
    assert_false(decode(fixture->x64, push_es, sizeof push_es, 0, &instruction));
    assert_true(decode(fixture->x86, push_es, sizeof push_es, 0, &instruction));
}

static void targets_outside_of_any_image(void **state)
{
    struct fixture *fixture = *state;
    static const uint8_t back[] = {0xE9, 0, 0, 0, 0x80}; /* jmp -2^31 */
    struct instruction instruction;
    assert_true(decode(fixture->x64, back, sizeof back, 0x1000, &instruction));
    assert_false(instruction.target_fits);
    assert_true(decode(fixture->x86, back, sizeof back, 0x1000, &instruction));
    assert_true(instruction.target_fits); /* EIP wraps */
    assert_int_equal(instruction.target_rva, UINT32_C(0x80001005));
    static const uint8_t narrow[] = {0x66, 0xE9, 0, 0}; /* jmp rel16 cuts EIP to 16 bits */
    assert_true(decode(fixture->x86, narrow, sizeof narrow, 0x1000, &instruction));
    assert_false(instruction.target_fits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rip_relative_operands), cmocka_unit_test(absolute_operands_of_x86),
        cmocka_unit_test(flow_of_instructions),  cmocka_unit_test(registers_of_memory_operands),
        cmocka_unit_test(truncated_bytes),       cmocka_unit_test(targets_outside_of_any_image),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
