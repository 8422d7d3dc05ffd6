/* test_verify_rva_numbers.c - the verifier on x64 images that hand out their base, when data left.
 * Takes: pairs made by moved_pair.h, with a number that may be the RVA of data.  Gives: pass or fail.
 * Must not: use the rewriter. */
#include "moved_pair.h"

enum {
    LEA_RVA = PAIR_TEXT_RVA,        /* lea rcx, [base] */
    CODE_NUMBER_RVA = LEA_RVA + 8,  /* behind `mov eax,` */
    CALL_RVA = CODE_NUMBER_RVA + 4, /* call CALLEE_RVA: the base is handed on */
    END_RVA = CALL_RVA + 6,
    CALLEE_RVA = PAIR_TEXT_RVA + 0x20,
    NUMBER_RVA = PAIR_FREE_RVA + 0x10, /* in data */
    BASE_POINTER_RVA = NUMBER_RVA + 0x20,
    VARIABLE_RVA = PAIR_DATA_RVA + 0x10
};

struct number_case {
    const char *name;
    uint32_t in_code, in_data; /* numbers, the same in both images */
    const char *before;        /* four bytes in front of the one in data */
    bool is_found;             /* then what becomes of the base is asked, and is not known */
};

static const struct number_case cases[] = {
    {.name = "no number", .in_code = 1, .in_data = 1},
    {.name = "RVAs of what stays", .in_code = PAIR_FREE_RVA, .in_data = PAIR_FREE_RVA},
    {.name = "an immediate", .in_code = VARIABLE_RVA, .is_found = true},
    {.name = "an immediate before the data", .in_code = PAIR_DATA_RVA - 0x80, .is_found = true},
    {.name = "an immediate behind the data",
     .in_code = PAIR_DATA_RVA + PAIR_SECTION_NBYTES + 0x80,
     .is_found = true},
    {.name = "an immediate far from the data", .in_code = PAIR_DATA_RVA - 0x180},
    {.name = "a word of data", .in_data = VARIABLE_RVA, .is_found = true},
    {.name = "the end of a text", .in_data = '0', .before = "abcd"},
    {.name = "the end of a text that is an RVA", .in_data = 0x3030, .before = "abcd"},
    {.name = "a word behind letters", .in_data = VARIABLE_RVA, .before = "Tag1", .is_found = true},
};

static struct moved_pair make_pair(const struct number_case *number)
{
    struct moved_pair pair = pair_begin(MACHINE_AMD64);
    uint32_t at = PAIR_PUT_RELATIVE(&pair, LEA_RVA, "\x48\x8D\x0D", 0);
    at = PAIR_PUT(&pair, at, "\xB8"); /* mov eax, number */
    at = pair_put_u32(&pair, at, number->in_code, number->in_code);
    at = PAIR_PUT_RELATIVE(&pair, at, "\xE8", CALLEE_RVA);
    PAIR_PUT(&pair, at, "\xC3");
    PAIR_PUT(&pair, CALLEE_RVA, "\x33\xC0\xC3"); /* xor eax, eax; ret */
    pair_function(&pair, LEA_RVA, END_RVA);
    pair_function(&pair, CALLEE_RVA, CALLEE_RVA + 3);
    if (number->before)
        pair_put(&pair, NUMBER_RVA - 4, number->before, 4);
    pair_put_u32(&pair, NUMBER_RVA, number->in_data, number->in_data);
    return pair;
}

static void numbers_are_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct moved_pair pair = make_pair(&cases[i]);
        pair_expect(cases[i].name, &pair, cases[i].is_found ? PAIR_NOT_SHOWN : PAIR_PROVED, CALL_RVA,
                    "which may pass it on");
    }
}

/* A pointer in data to the headers is the base, too. */
static void pointers_to_the_headers_are_bases(void **state)
{
    (void)state;
    static const uint16_t machines[] = {MACHINE_AMD64, MACHINE_I386};
    for (size_t i = 0; i < 4; i++) {
        struct moved_pair pair = pair_begin(machines[i % 2]);
        bool has_number = i >= 2;
        PAIR_PUT(&pair, PAIR_TEXT_RVA, "\x33\xC0\xC3");
        pair_put_address(&pair, BASE_POINTER_RVA, 0);
        pair_put_u32(&pair, NUMBER_RVA, has_number ? VARIABLE_RVA : 1, has_number ? VARIABLE_RVA : 1);
        pair_expect("a pointer to the headers", &pair, has_number ? PAIR_NOT_SHOWN : PAIR_PROVED,
                    BASE_POINTER_RVA, "leads to the headers");
    }
}

/* Reading the headers in place takes no base. */
static void an_access_to_the_headers_is_no_base(void **state)
{
    (void)state;
    struct moved_pair pair = pair_begin(MACHINE_I386);
    uint32_t at = PAIR_PUT(&pair, PAIR_TEXT_RVA, "\xA1"); /* mov eax, [base + 3Ch] */
    at = pair_put_address(&pair, at, 0x3C);
    PAIR_PUT(&pair, at, "\xC3");
    pair_put_u32(&pair, NUMBER_RVA, VARIABLE_RVA, VARIABLE_RVA);
    pair_expect("an access", &pair, PAIR_PROVED, 0, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_found),
        cmocka_unit_test(pointers_to_the_headers_are_bases),
        cmocka_unit_test(an_access_to_the_headers_is_no_base),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
