/* test_verify_map_split.c - the verifier on data that left an executable section in part.
 * Takes: pairs made by moved_pair.h; .data is executable, holds code, and the run behind it left.  Gives:
 * pass or fail.  Must not: use the rewriter. */
#include "moved_pair.h"

enum {
    CODE_RVA = PAIR_DATA_RVA, /* a function in .data */
    RUN_RVA = PAIR_DATA_RVA + 0x200,
    RUN_END_RVA = PAIR_DATA_RVA + PAIR_SECTION_NBYTES,
    TAIL_NBYTES = 0x800,
    TAIL_RVA = RUN_END_RVA + 0x40,
    STORE_RVA = PAIR_TEXT_RVA + 2, /* the operand of a store to the run */
    TAIL_STORE_RVA = PAIR_TEXT_RVA + 8
};

/* x64: mov [run], eax; mov [tail], eax; jmp to the function, which returns. */
static struct moved_pair make_pair(uint32_t rva)
{
    struct moved_pair pair = pair_begin(MACHINE_AMD64);
    pair_split(&pair, rva, RUN_END_RVA + TAIL_NBYTES, TAIL_NBYTES);
    uint32_t at = PAIR_PUT_RELATIVE(&pair, PAIR_TEXT_RVA, "\x89\x05", RUN_RVA + 0x10);
    at = PAIR_PUT_RELATIVE(&pair, at, "\x89\x05", TAIL_RVA);
    at = PAIR_PUT_RELATIVE(&pair, at, "\xE9", CODE_RVA);
    pair_function(&pair, PAIR_TEXT_RVA, at);
    PAIR_PUT(&pair, CODE_RVA, "\x33\xC0\xC3"); /* xor eax, eax; ret */
    memset(pair_at(&pair.old_side, CODE_RVA + 3), 0xCC, RUN_RVA - CODE_RVA - 3);
    memset(pair_at(&pair.new_side, CODE_RVA + 3), 0xCC, RUN_RVA - CODE_RVA - 3);
    pair_function(&pair, CODE_RVA, CODE_RVA + 3);
    for (uint32_t i = 0; i < RUN_END_RVA - RUN_RVA; i++) {
        uint8_t byte = (uint8_t)(i * 37 + i / 256);
        *pair_at(&pair.old_side, RUN_RVA + i) = *pair_at(&pair.new_side, RUN_RVA + i) = byte;
    }
    return pair;
}

static void a_run_and_the_zeros_behind_it_left(void **state)
{
    (void)state;
    struct moved_pair pair = make_pair(RUN_RVA);
    pair_expect("right", &pair, PAIR_PROVED, 0, "");
}

static void int3_bytes_of_a_run_went_with_it(void **state)
{
    (void)state;
    struct moved_pair pair = make_pair(RUN_RVA);
    memset(pair_at(&pair.old_side, RUN_RVA + 0x20), 0xCC, 8);
    memset(pair_at(&pair.new_side, RUN_RVA + 0x20), 0xCC, 8);
    memset(pair_at(&pair.old_side, RUN_RVA), 0xCC, 4);
    memset(pair_at(&pair.new_side, RUN_RVA), 0xCC, 4);
    pair_expect("int3 among the data", &pair, PAIR_PROVED, 0, "");
}

static void a_byte_of_the_run_does_not_change(void **state)
{
    (void)state;
    struct moved_pair pair = make_pair(RUN_RVA);
    ++*pair_at(&pair.new_side, RUN_RVA + 0x81);
    pair_expect("a changed byte", &pair, PAIR_REFUTED, RUN_RVA + 0x81 + PAIR_DELTA,
                "no known field explains");
}

static void references_follow_the_run(void **state)
{
    (void)state;
    struct moved_pair pair = make_pair(RUN_RVA);
    memcpy(pair_at(&pair.new_side, STORE_RVA), pair_at(&pair.old_side, STORE_RVA), 4);
    pair_expect("an old operand", &pair, PAIR_REFUTED, STORE_RVA, "to lead where it led");
}

/* Zeros say nothing: where the store goes they are taken to be, and there they cannot be written. */
static void references_say_where_zeros_are(void **state)
{
    (void)state;
    struct moved_pair pair = make_pair(RUN_RVA);
    memcpy(pair_at(&pair.new_side, TAIL_STORE_RVA), pair_at(&pair.old_side, TAIL_STORE_RVA), 4);
    pair_expect("zeros that stayed", &pair, PAIR_REFUTED, TAIL_STORE_RVA - 2, "stores to RVA");
}

static void code_does_not_leave(void **state)
{
    (void)state;
    struct moved_pair pair = make_pair(CODE_RVA);
    pair_expect("code that left", &pair, PAIR_REFUTED, CODE_RVA, "no longer in executable memory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_and_the_zeros_behind_it_left),
        cmocka_unit_test(int3_bytes_of_a_run_went_with_it),
        cmocka_unit_test(a_byte_of_the_run_does_not_change),
        cmocka_unit_test(references_follow_the_run),
        cmocka_unit_test(references_say_where_zeros_are),
        cmocka_unit_test(code_does_not_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
