/* test_verify_around_head.c - the verifier on addresses of functions that data of another distance lie
 * behind. Takes: x86 pairs made by moved_pair.h, whose .data holds a function and, behind it, variables that
 * left. Gives: pass or fail.  Must not: use the rewriter. */
#include "moved_pair.h"

enum {
    TAKER_RVA = PAIR_TEXT_RVA,        /* takes the address */
    LOCAL_RVA = PAIR_TEXT_RVA + 0x60, /* is called with it */
    FUNCTION_RVA = PAIR_DATA_RVA + 0x10,
    VARIABLES_RVA = PAIR_DATA_RVA + 0x200,
    VARIABLES_END_RVA = VARIABLES_RVA + 0x40
};

struct use {
    const char *name;
    const char *bytes; /* in front of the address, and behind it */
    const char *behind;
    uint32_t behind_nbytes;
    bool is_called, is_in_table, calls_local, is_proved;
};

static const struct use uses[] = {
    {"passed to a function of the image", "\x68", "", 0, true, false, true, false},
    {"the same, in a table but not called", "\x68", "", 0, false, true, true, false},
    {"the same, but nobody calls what is taken", "\x68", "", 0, false, false, true, true},
    {"passed through a pointer to a function", "\x68", "\xFF\xD1", 2, true, false, false, true},
    {"stored into an object", "\xC7\x41\x34", "", 0, true, false, true, true},
    {"compared", "\x81\xF9", "", 0, true, false, true, false},
};

static struct moved_pair make_pair(const struct use *use, uint32_t *field_rva)
{
    struct moved_pair pair = pair_begin(MACHINE_I386);
    pair_split(&pair, VARIABLES_RVA, VARIABLES_END_RVA, 0);
    uint32_t at = PAIR_PUT(&pair, TAKER_RVA, "\x55\x8B\xEC"); /* push ebp; mov ebp, esp */
    if (use->is_in_table)
        pair_put_address(&pair, PAIR_FREE_RVA + 0x20, FUNCTION_RVA);
    if (use->is_called)
        at = PAIR_PUT_RELATIVE(&pair, at, "\xE8", FUNCTION_RVA);
    at = pair_put(&pair, at, use->bytes, strlen(use->bytes));
    *field_rva = at;
    at = pair_put_address(&pair, at, FUNCTION_RVA);
    at = pair_put(&pair, at, use->behind, use->behind_nbytes);
    if (use->calls_local)
        at = PAIR_PUT_RELATIVE(&pair, at, "\xE8", LOCAL_RVA);
    PAIR_PUT(&pair, at, "\xC9\xC3");                           /* leave; ret */
    PAIR_PUT(&pair, LOCAL_RVA, "\x8B\x44\x24\x04\x40\xC3");    /* mov eax, [esp + 4]; inc eax; ret */
    PAIR_PUT(&pair, FUNCTION_RVA, "\x8B\x44\x24\x08\x48\xC3"); /* mov eax, [esp + 8]; dec eax; ret */
    for (uint32_t rva = VARIABLES_RVA; rva < VARIABLES_END_RVA; rva += 8)
        PAIR_PUT(&pair, rva, "\x01\x02\x03\x04\x05\x06\x07\x08");
    return pair;
}

static void each_use_is_judged(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof uses / sizeof uses[0]; i++) {
        uint32_t field_rva;
        struct moved_pair pair = make_pair(&uses[i], &field_rva);
        pair_expect(uses[i].name, &pair, uses[i].is_proved ? PAIR_PROVED : PAIR_NOT_SHOWN, field_rva,
                    "it is not shown which of the parts");
    }
}

/* The same among constants that stay. */
static void a_place_among_constants_is_judged(void **state)
{
    static const struct {
        const char *name, *bytes;
        bool is_proved;
    } places[] = {{"no text", "\x01\x02\x03\x04\x05\x06", false}, {"text", "%s: started\n", true}};
    enum { CONSTANT_RVA = PAIR_FREE_RVA + 0x100 };
    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct moved_pair pair = pair_begin(MACHINE_I386);
        uint32_t field_rva = PAIR_PUT(&pair, TAKER_RVA, "\x55\x8B\xEC\x68");
        uint32_t at = pair_put_address(&pair, field_rva, CONSTANT_RVA);
        at = PAIR_PUT_RELATIVE(&pair, at, "\xE8", LOCAL_RVA);
        PAIR_PUT(&pair, at, "\xC9\xC3");
        PAIR_PUT(&pair, LOCAL_RVA, "\x8B\x44\x24\x04\x40\xC3");
        pair_put(&pair, CONSTANT_RVA, places[i].bytes, strlen(places[i].bytes));
        pair_expect(places[i].name, &pair, places[i].is_proved ? PAIR_PROVED : PAIR_NOT_SHOWN, field_rva,
                    "it is not shown which of the parts");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_use_is_judged),
        cmocka_unit_test(a_place_among_constants_is_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
