/* test_verify_unlisted.c - the verifier on numbers that no table lists: distances, RVAs, link-time addresses.
 * Takes: pairs made by moved_pair.h.  Gives: pass or fail.  Must not: use the rewriter. */
#include "moved_pair.h"

enum {
    VARIABLE_RVA = PAIR_DATA_RVA + 0x180,
    NUMBER_RVA = PAIR_FREE_RVA + 0x40,
    FUNCTION_RVA = PAIR_TEXT_RVA + 0x80,
    TABLE_RVA = PAIR_DATA_RVA + 0x300
};

/* A driver that counts in a variable (x64: inc qword [rip]; x86: inc dword [address]). */
static struct moved_pair begin_pair(uint16_t machine)
{
    struct moved_pair pair = pair_begin(machine);
    uint32_t at = PAIR_TEXT_RVA;
    if (machine == MACHINE_AMD64) {
        at = PAIR_PUT_RELATIVE(&pair, at, "\x48\xFF\x05", VARIABLE_RVA);
        PAIR_PUT(&pair, at, "\x31\xC0\xC3"); /* xor eax, eax; ret */
        PAIR_PUT(&pair, FUNCTION_RVA, "\x31\xC0\x31\xC9\xC3");
        pair_function(&pair, PAIR_TEXT_RVA, at + 3);
        pair_function(&pair, FUNCTION_RVA, FUNCTION_RVA + 5);
    } else {
        at = pair_put_address(&pair, PAIR_PUT(&pair, at, "\xFF\x05"), VARIABLE_RVA);
        PAIR_PUT(&pair, at, "\x31\xC0\xC2\x08\x00"); /* xor eax, eax; ret 8 */
    }
    return pair;
}

static void put_both(struct moved_pair *pair, uint32_t rva, uint32_t value)
{
    pair_put_u32(pair, rva, value, value);
}

static void numbers_in_data_that_lead_to_what_moved(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint16_t machine;
        uint32_t number;
        enum pair_verdict wanted;
        const char *words;
    } numbers[] = {
        {"another number", MACHINE_AMD64, VARIABLE_RVA + 8, PAIR_PROVED, ""},
        {"a distance", MACHINE_AMD64, VARIABLE_RVA - NUMBER_RVA, PAIR_NOT_SHOWN,
         "is the distance from there"},
        {"an RVA", MACHINE_AMD64, VARIABLE_RVA, PAIR_NOT_SHOWN, "is RVA 0x3180, which moved"},
        {"an RVA of what stayed", MACHINE_AMD64, FUNCTION_RVA, PAIR_PROVED, ""},
        {"an RVA on x86", MACHINE_I386, VARIABLE_RVA, PAIR_NOT_SHOWN, "is RVA 0x3180, which moved"},
        {"a distance that nobody names, on x86", MACHINE_I386, VARIABLE_RVA - NUMBER_RVA, PAIR_PROVED, ""},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct moved_pair pair = begin_pair(numbers[i].machine);
        put_both(&pair, NUMBER_RVA, numbers[i].number);
        pair_expect(numbers[i].name, &pair, numbers[i].wanted, NUMBER_RVA, numbers[i].words);
    }
}

static void a_distance_on_x86_that_a_pointer_names(void **state)
{
    (void)state;
    struct moved_pair pair = begin_pair(MACHINE_I386);
    put_both(&pair, NUMBER_RVA, VARIABLE_RVA - NUMBER_RVA);
    pair_put_address(&pair, NUMBER_RVA + 0x10, NUMBER_RVA);
    pair_expect("named", &pair, PAIR_NOT_SHOWN, NUMBER_RVA, "is the distance from there");
}

/* In a table of random numbers it is an accident. */
static void accidents_are_none(void **state)
{
    (void)state;
    struct moved_pair pair = begin_pair(MACHINE_AMD64);
    for (uint32_t at = NUMBER_RVA - 16; at <= NUMBER_RVA + 16; at += 4)
        put_both(&pair, at, at == NUMBER_RVA ? (uint32_t)VARIABLE_RVA : 0x12345678 + at);
    pair_expect("random numbers", &pair, PAIR_PROVED, 0, "");
    put_both(&pair, NUMBER_RVA + 8, 1);
    pair_expect("not all are random", &pair, PAIR_NOT_SHOWN, NUMBER_RVA, "which moved");
}

/* Records of run-time type information name themselves; nothing in the kernel reads them. */
static void type_information_is_not_read(void **state)
{
    (void)state;
    struct moved_pair pair = begin_pair(MACHINE_AMD64);
    put_both(&pair, NUMBER_RVA - 12, 1);
    put_both(&pair, NUMBER_RVA, VARIABLE_RVA); /* the type descriptor */
    put_both(&pair, NUMBER_RVA + 8, NUMBER_RVA - 12);
    pair_expect("a complete object locator", &pair, PAIR_PROVED, 0, "");
    put_both(&pair, NUMBER_RVA + 8, NUMBER_RVA - 16);
    pair_expect("none", &pair, PAIR_NOT_SHOWN, NUMBER_RVA, "which moved");
}

static void numbers_in_code(void **state)
{
    (void)state;
    static const struct {
        const char *code;
        size_t nbytes;
    } forms[] = {
        {"\x48\xFF\x80", 3}, /* inc qword [rax + disp32] */
        {"\x48\x05", 2},     /* add rax, imm32 */
        {"\x81\xC1", 2},     /* add ecx, imm32 */
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        for (uint32_t off = 0; off <= 8; off += 8) {
            struct moved_pair pair = begin_pair(MACHINE_AMD64);
            uint32_t at = pair_put(&pair, PAIR_TEXT_RVA + 0x100, forms[i].code, forms[i].nbytes);
            put_both(&pair, at, VARIABLE_RVA + off);
            PAIR_PUT(&pair, at + 4, "\xC3");
            pair_function(&pair, PAIR_TEXT_RVA + 0x100, at + 5);
            pair_expect(forms[i].code, &pair, off == 0 ? PAIR_NOT_SHOWN : PAIR_PROVED, at, "in code");
        }
}

static void link_time_addresses(void **state)
{
    (void)state;
    struct moved_pair pair = begin_pair(MACHINE_AMD64);
    uint64_t va = pair_base_va(&pair) + VARIABLE_RVA;
    put_both(&pair, NUMBER_RVA + 1, (uint32_t)va);
    put_both(&pair, NUMBER_RVA + 5, (uint32_t)(va >> 32));
    pair_expect("without a relocation", &pair, PAIR_NOT_SHOWN, NUMBER_RVA + 1,
                "no base relocation names them");
}

/* A table that left with the data holds distances to code; only a pointer leads to it. */
static void tables_that_a_pointer_names(void **state)
{
    (void)state;
    for (size_t m = 0; m < 2; m++) {
        struct moved_pair pair = begin_pair(m == 0 ? MACHINE_AMD64 : MACHINE_I386);
        uint32_t labels[] = {PAIR_TEXT_RVA, PAIR_TEXT_RVA + (m == 0 ? 7 : 6)};
        put_both(&pair, TABLE_RVA, labels[0] - TABLE_RVA);
        put_both(&pair, TABLE_RVA + 4, labels[1] - TABLE_RVA);
        if (m == 1) /* on x64 it is a distance to a function, too */
            pair_expect("without a name", &pair, PAIR_PROVED, 0, "");
        put_both(&pair, TABLE_RVA, labels[1] - TABLE_RVA);
        pair_put_address(&pair, NUMBER_RVA, TABLE_RVA);
        pair_expect("named", &pair, PAIR_NOT_SHOWN, TABLE_RVA, "distances to code begin");
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_in_data_that_lead_to_what_moved),
        cmocka_unit_test(a_distance_on_x86_that_a_pointer_names),
        cmocka_unit_test(accidents_are_none),
        cmocka_unit_test(type_information_is_not_read),
        cmocka_unit_test(numbers_in_code),
        cmocka_unit_test(link_time_addresses),
        cmocka_unit_test(tables_that_a_pointer_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
