/* test_verify_handed.c - the verifier on pointers in data that lead into x86 code, when data left.
 * Takes: pairs made by moved_pair.h, with one pointer, or two side by side.  Gives: pass or fail.
 * Must not: use the rewriter. */
#include "moved_pair.h"

enum {
    FIRST_RVA = PAIR_TEXT_RVA,         /* a function that calls the third */
    INNER_RVA = FIRST_RVA + 1,         /* an instruction that code falls into */
    RETURN_RVA = FIRST_RVA + 8,        /* where the call returns to */
    MIDDLE_RVA = RETURN_RVA + 1,       /* of an instruction */
    SECOND_RVA = PAIR_TEXT_RVA + 0x20, /* a function that a pointer alone names */
    LABEL_RVA = SECOND_RVA + 0xB,      /* in it, behind a jump; a branch leads there */
    JOINED_RVA = LABEL_RVA + 5,        /* in it, where both ways meet */
    AFTER_RVA = JOINED_RVA + 1,
    PADDED_RVA = PAIR_TEXT_RVA + 0x3D,  /* two nops, and behind them */
    THIRD_RVA = PAIR_TEXT_RVA + 0x40,   /* a function that is called */
    ROUNDED_RVA = PAIR_TEXT_RVA + 0x4A, /* behind nops that code runs through */
    POINTER_RVA = PAIR_FREE_RVA + 0x10
};

struct pointer_case {
    const char *name;
    uint32_t rva, beside_rva; /* 0: no address is beside it */
    bool is_proved;
};

static const struct pointer_case cases[] = {
    {"a function that is called", THIRD_RVA, 0, true},
    {"a function behind a return", SECOND_RVA, 0, true},
    {"the middle of an instruction", MIDDLE_RVA, 0, false},
    {"the middle of an instruction, in a table", MIDDLE_RVA, SECOND_RVA, false},
    {"where a call returns to", RETURN_RVA, 0, false},
    {"where a call returns to, beside a function", RETURN_RVA, THIRD_RVA, false},
    {"an instruction of a function, beside another of it", RETURN_RVA, INNER_RVA, true},
    {"an instruction, beside one of another function", AFTER_RVA, ROUNDED_RVA, false},
    {"a label", LABEL_RVA, 0, false},
    {"a label in a table", LABEL_RVA, THIRD_RVA, true},
    {"fill", PADDED_RVA, 0, false},
    {"fill, beside a function", PADDED_RVA, THIRD_RVA, false},
    {"the middle of fill", PADDED_RVA + 1, 0, false},
    {"behind fill that is run through", ROUNDED_RVA, 0, false},
};

static struct moved_pair make_pair(const struct pointer_case *pointer)
{
    struct moved_pair pair = pair_begin(MACHINE_I386);
    pair.text_nbytes = 0x60;
    uint32_t at = PAIR_PUT(&pair, FIRST_RVA, "\x55\x8B\xEC"); /* push ebp; mov ebp, esp */
    at = PAIR_PUT_RELATIVE(&pair, at, "\xE8", THIRD_RVA);     /* call */
    PAIR_PUT(&pair, at, "\x83\xC4\x04\x5D\xC3");              /* add esp, 4; pop; ret */
    PAIR_PUT(&pair, SECOND_RVA,
             "\x85\xC9\x74\x07\xB8\x01\x00\x00\x00" /* test; je label; mov eax, 1 */
             "\xEB\x05\xB8\x02\x00\x00\x00"         /* jmp joined; label: mov eax, 2 */
             "\x40\x40\xC3");                       /* joined: inc eax; inc eax; ret */
    PAIR_PUT(&pair, PADDED_RVA - 1, "\xC3\x90\x90\x90");
    PAIR_PUT(&pair, THIRD_RVA, "\x8B\x44\x24\x04\xB9\x03\x00\x00\x00\x90\x40\x49\xC3");
    pair_put_address(&pair, POINTER_RVA, pointer->rva);
    if (pointer->beside_rva != 0)
        pair_put_address(&pair, POINTER_RVA + 4, pointer->beside_rva);
    return pair;
}

static void each_pointer_is_judged(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct moved_pair pair = make_pair(&cases[i]);
        pair_expect(cases[i].name, &pair, cases[i].is_proved ? PAIR_PROVED : PAIR_NOT_SHOWN, POINTER_RVA,
                    "it is not shown which of the parts");
    }
}

static void a_function_does_not_move(void **state)
{
    (void)state;
    struct moved_pair pair = make_pair(&cases[0]);
    uint8_t *field = pair_at(&pair.new_side, POINTER_RVA);
    store_u32(field, load_u32(field) + PAIR_DELTA);
    pair_expect("a function that moved", &pair, PAIR_REFUTED, POINTER_RVA, "to lead where it led");
}

/* The pointer leads to a function's begin, and this code loads it. `rest` is what follows the load of ecx. */
static void expect_loaded(uint16_t machine, const char *name, const char *rest, size_t rest_nbytes,
                          bool is_proved)
{
    struct moved_pair pair = make_pair(&cases[1]);
    if (machine == MACHINE_AMD64)
        pair = pair_begin(machine);
    uint32_t at = PAIR_TEXT_RVA + 0x50;
    if (machine == MACHINE_AMD64) {
        PAIR_PUT(&pair, SECOND_RVA, "\x33\xC0\xC3");
        at = PAIR_PUT_RELATIVE(&pair, PAIR_TEXT_RVA, "\x48\x8B\x0D", POINTER_RVA);
        pair_put_address(&pair, POINTER_RVA, SECOND_RVA);
    } else {
        at = PAIR_PUT(&pair, at, "\x8B\x0D");
        at = pair_put_address(&pair, at, POINTER_RVA);
    }
    at = pair_put(&pair, at, rest, rest_nbytes);
    if (machine == MACHINE_AMD64) {
        pair_function(&pair, PAIR_TEXT_RVA, at);
        pair_function(&pair, SECOND_RVA, SECOND_RVA + 3);
    }
    pair_expect(name, &pair, is_proved ? PAIR_PROVED : PAIR_NOT_SHOWN, POINTER_RVA,
                "it is not shown which of the parts");
}
#define EXPECT_LOADED(machine, name, rest, is_proved)                                                        \
    expect_loaded(machine, name, rest, sizeof(rest) - 1, is_proved)

static void nothing_is_accessed_through_a_function(void **state)
{
    (void)state;
    EXPECT_LOADED(MACHINE_I386, "x86: called", "\xFF\xD1\xC3", true);
    EXPECT_LOADED(MACHINE_I386, "x86: accessed", "\x8B\x01\xC3", false);
    EXPECT_LOADED(MACHINE_I386, "x86: indexed", "\x8B\x04\x81\xC3", false);
    EXPECT_LOADED(MACHINE_I386, "x86: accessed behind a copy", "\x8B\xD1\x83\xC2\x04\x8B\x02\xC3", false);
    EXPECT_LOADED(MACHINE_AMD64, "x64: called", "\xFF\xD1\xC3", true);
    EXPECT_LOADED(MACHINE_AMD64, "x64: accessed", "\x8B\x01\xC3", false);
    EXPECT_LOADED(MACHINE_AMD64, "x64: indexed", "\x8B\x04\x81\xC3", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_pointer_is_judged),
        cmocka_unit_test(a_function_does_not_move),
        cmocka_unit_test(nothing_is_accessed_through_a_function),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
