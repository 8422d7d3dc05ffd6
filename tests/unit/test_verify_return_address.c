/* test_verify_return_address.c - the verifier on code that computes with the address behind its call.
 * Takes: pairs made by moved_pair.h, and drivers whose INIT loses a right.  Gives: pass or fail.
 * Must not: use the rewriter. */
#include "moved_pair.h"

enum { VARIABLE_RVA = PAIR_DATA_RVA + 0x180, CALLEE_RVA = PAIR_TEXT_RVA + 0x40 };

struct callee {
    const char *name, *bytes; /* of x64 and x86: 48 in front of it on x64 only */
    size_t nbytes;
    bool is_used, is_returned;
};

#define CALLEE(name, bytes, is_used, is_returned) {name, bytes, sizeof(bytes) - 1, is_used, is_returned}

static const struct callee callees_64[] = {
    CALLEE("passed on", "\x48\x8B\x04\x24\x50\xC3", false, false), /* mov rax,[rsp]; push rax; ret */
    CALLEE("an argument", "\x53\x48\x8B\x44\x24\x10\xFE\x80\0\x20\0\0\x5B\xC3", false, false),
    CALLEE("returned", "\x48\x8B\x04\x24\xC3", true, true),
    CALLEE("written through", "\x48\x8B\x04\x24\xC6\x00\x90\xC3", true, false),
    CALLEE("far from it", "\x53\x48\x8B\x44\x24\x08\x8B\x88\0\x20\0\0\x5B\xC3", true, false),
    CALLEE("popped and added to", "\x58\x48\x8D\x88\0\x20\0\0\xFF\xE0", true, false),
};

static const struct callee callees_32[] = {
    CALLEE("passed on", "\x8B\x04\x24\x50\xC3", false, false),
    CALLEE("written through", "\x8B\x04\x24\xC6\x00\x90\xC3", true, false),
    CALLEE("popped and added to", "\x58\x05\0\x20\0\0\xFF\xE0", true, false),
    CALLEE("from the coprocessor", "\xD9\x74\x24\xF4\x58\xC3", true, false), /* fnstenv [esp-12]; pop eax */
};

/* The driver counts in a variable, and calls the callee. */
static struct moved_pair make_pair(uint16_t machine, const struct callee *callee)
{
    struct moved_pair pair = pair_begin(machine);
    uint32_t at = PAIR_TEXT_RVA;
    if (machine == MACHINE_AMD64)
        at = PAIR_PUT_RELATIVE(&pair, at, "\x48\xFF\x05", VARIABLE_RVA);
    else
        at = pair_put_address(&pair, PAIR_PUT(&pair, at, "\xFF\x05"), VARIABLE_RVA);
    at = PAIR_PUT(&pair, PAIR_PUT_RELATIVE(&pair, at, "\xE8", CALLEE_RVA), "\x31\xC0\xC3");
    uint32_t end_rva = pair_put(&pair, CALLEE_RVA, callee->bytes, callee->nbytes);
    if (machine == MACHINE_AMD64) {
        pair_function(&pair, PAIR_TEXT_RVA, at);
        pair_function(&pair, CALLEE_RVA, end_rva);
    }
    return pair;
}

static void where_parts_moved_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof callees_64 / sizeof callees_64[0]; i++) {
        struct moved_pair pair = make_pair(MACHINE_AMD64, &callees_64[i]);
        pair_expect(callees_64[i].name, &pair, callees_64[i].is_used ? PAIR_NOT_SHOWN : PAIR_PROVED,
                    UINT32_MAX, "computes with a return address");
    }
    for (size_t i = 0; i < sizeof callees_32 / sizeof callees_32[0]; i++) {
        struct moved_pair pair = make_pair(MACHINE_I386, &callees_32[i]);
        pair_expect(callees_32[i].name, &pair, callees_32[i].is_used ? PAIR_NOT_SHOWN : PAIR_PROVED,
                    UINT32_MAX, "computes with a return address");
    }
}

/* INIT alone loses a right: what is only returned from elsewhere does not reach it. */
static void where_a_right_was_taken_away(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof callees_64 / sizeof callees_64[0]; i++) {
        const struct callee *callee = &callees_64[i];
        struct driver driver = driver_make(MACHINE_AMD64);
        driver_put(&driver, DRIVER_TEXT_RVA + 0x10, "\xE8\x0B\0\0\0\xC3", 6);
        driver_put(&driver, DRIVER_TEXT_RVA + 0x20, callee->bytes, callee->nbytes);
        struct verify_files files = driver_repair(&driver);
        struct arena arena;
        arena_init(&arena, NULL);
        struct verify_verdict verdict = judge(&files, &arena);
        bool is_refused = callee->is_used && !callee->is_returned;
        if ((verdict.result == VERIFY_REFUTED) != is_refused ||
            (is_refused && !strstr(verdict.reason, "stores through a return address")))
            fail_msg("%s: %s", callee->name, verdict.reason ? verdict.reason : "proved");
        arena_free(&arena);
        pairs_free(&files);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(where_parts_moved_apart),
                                              cmocka_unit_test(where_a_right_was_taken_away)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
