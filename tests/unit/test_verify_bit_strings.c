/* test_verify_bit_strings.c - the verifier on bt, bts, btr and btc, whose operand may be a string of bits.
 * Takes: pairs made by moved_pair.h, with one such instruction.  Gives: pass or fail.
 * Must not: use the rewriter.
 *
 * With a constant they access the bytes that they name. With a register they access whatever byte it counts
 * to from there, like an index: near an array of another distance it is open which array is meant. */
#include "moved_pair.h"

enum { VARIABLE_RVA = PAIR_DATA_RVA + 0x10 };

struct bit_case {
    const char *name;
    const char *opcode;
    size_t opcode_nbytes;
    bool has_constant, is_proved;
};
#define CODE(literal) literal, sizeof(literal) - 1

static const struct bit_case cases[] = {
    {"mov ecx, [v]", CODE("\x8B\x0D"), false, true},
    {"bt [v], 3", CODE("\x0F\xBA\x25"), true, true},
    {"bts [v], 3", CODE("\x0F\xBA\x2D"), true, true},
    {"bt [v], ecx", CODE("\x0F\xA3\x0D"), false, false},
    {"bts [v], ecx", CODE("\x0F\xAB\x0D"), false, false},
    {"btr [v], ecx", CODE("\x0F\xB3\x0D"), false, false},
    {"btc [v], ecx", CODE("\x0F\xBB\x0D"), false, false},
    {"lock bts [v], ecx", CODE("\xF0\x0F\xAB\x0D"), false, false},
};

static void judge_case(uint16_t machine, const struct bit_case *tested)
{
    struct moved_pair pair = pair_begin(machine);
    uint32_t field_rva = PAIR_TEXT_RVA + (uint32_t)tested->opcode_nbytes, at;
    if (pair_is_64(&pair)) {
        at = pair_put_relative(&pair, PAIR_TEXT_RVA, tested->opcode, tested->opcode_nbytes, VARIABLE_RVA,
                               tested->has_constant);
    } else {
        at = pair_put(&pair, PAIR_TEXT_RVA, tested->opcode, tested->opcode_nbytes);
        at = pair_put_address(&pair, at, VARIABLE_RVA);
    }
    if (tested->has_constant)
        at = PAIR_PUT(&pair, at, "\x03");
    at = PAIR_PUT(&pair, at, "\xC3");
    if (pair_is_64(&pair))
        pair_function(&pair, PAIR_TEXT_RVA, at);
    pair_expect(tested->name, &pair, tested->is_proved ? PAIR_PROVED : PAIR_NOT_SHOWN, field_rva,
                "it is not shown which of the parts");
}

static void each_instruction_is_judged(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        judge_case(MACHINE_AMD64, &cases[i]);
        judge_case(MACHINE_I386, &cases[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_instruction_is_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
