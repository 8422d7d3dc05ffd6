/* test_verify_slot_stores.c - the verifier on stores to import slots that can be written no longer.
 * Takes: pairs made by moved_pair.h; .data is executable and writable, its slots left and are read-only.
 * Gives: pass or fail.  Must not: use the rewriter. */
#include "moved_pair.h"

enum {
    SLOTS_RVA = PAIR_DATA_RVA + 0x200, /* one import, and the end of them */
    DESCRIPTOR_RVA = PAIR_FREE_RVA,
    LOOKUP_RVA = PAIR_FREE_RVA + 0x40,
    MODULE_RVA = PAIR_FREE_RVA + 0x60,
    NAME_RVA = PAIR_FREE_RVA + 0x80
};

static void put_imports(struct moved_pair *pair)
{
    uint32_t width_nbytes = pair_is_64(pair) ? 8 : 4;
    pair_put_rva(pair, DESCRIPTOR_RVA + IMPORT_ORIGINAL_FIRST_THUNK, LOOKUP_RVA);
    pair_put_rva(pair, DESCRIPTOR_RVA + IMPORT_NAME, MODULE_RVA);
    pair_put_rva(pair, DESCRIPTOR_RVA + IMPORT_FIRST_THUNK, SLOTS_RVA);
    pair_put_rva(pair, LOOKUP_RVA, NAME_RVA);
    pair_put_rva(pair, SLOTS_RVA, NAME_RVA);
    PAIR_PUT(pair, MODULE_RVA, "ntoskrnl.exe");
    PAIR_PUT(pair, NAME_RVA, "\0\0IoDeleteDevice");
    pair_directory(pair, DIR_IMPORT, DESCRIPTOR_RVA, 2 * IMPORT_DESCRIPTOR_NBYTES);
    pair_directory(pair, DIR_IAT, SLOTS_RVA, 2 * width_nbytes);
}

/* `opcode` and the slot's address or distance, then `rest`, at the entry point. */
struct slot_case {
    const char *name;
    const char *opcode, *rest;
    size_t opcode_nbytes, rest_nbytes;
    enum pair_verdict wanted;
    const char *words;
};
#define CODE(one, two) one, two, sizeof(one) - 1, sizeof(two) - 1

static const struct slot_case cases_64[] = {
    {"a call", CODE("\xFF\x15", "\xC3"), PAIR_PROVED, ""},
    {"a load", CODE("\x48\x8B\x05", "\xC3"), PAIR_PROVED, ""},
    {"a load through the address", CODE("\x48\x8D\x0D", "\x48\x8B\x01\xC3"), PAIR_PROVED, ""},
    {"a store", CODE("\x48\x89\x05", "\xC3"), PAIR_REFUTED, "stores to RVA 0x3200"},
    {"a store through the address", CODE("\x48\x8D\x0D", "\x48\x89\x01\xC3"), PAIR_NOT_SHOWN,
     "may be a store"},
    {"a store through a copy of it", CODE("\x48\x8D\x0D", "\x48\x89\xCA\x48\x89\x02\xC3"), PAIR_NOT_SHOWN,
     "may be a store"},
};

static const struct slot_case cases_32[] = {
    {"a call", CODE("\xFF\x15", "\xC3"), PAIR_PROVED, ""},
    {"a load through the address", CODE("\xB9", "\x8B\x01\xC3"), PAIR_PROVED, ""},
    {"a store", CODE("\xA3", "\xC3"), PAIR_REFUTED, "stores to RVA 0x3200"},
    {"a store through the address", CODE("\xB9", "\x89\x01\xC3"), PAIR_NOT_SHOWN, "may be a store"},
};

static void judge_case(uint16_t machine, const struct slot_case *tested)
{
    struct moved_pair pair = pair_begin(machine);
    uint32_t width_nbytes = pair_is_64(&pair) ? 8 : 4;
    pair.moved_rights = MADE_RDATA;
    pair_split(&pair, SLOTS_RVA, SLOTS_RVA + 2 * width_nbytes, 0);
    put_imports(&pair);
    uint32_t at = pair_put(&pair, PAIR_TEXT_RVA, tested->opcode, tested->opcode_nbytes);
    if (pair_is_64(&pair))
        at = pair_put_relative(&pair, PAIR_TEXT_RVA, tested->opcode, tested->opcode_nbytes, SLOTS_RVA, 0);
    else
        at = pair_put_address(&pair, at, SLOTS_RVA);
    at = pair_put(&pair, at, tested->rest, tested->rest_nbytes);
    if (pair_is_64(&pair))
        pair_function(&pair, PAIR_TEXT_RVA, at);
    pair_expect(tested->name, &pair, tested->wanted, PAIR_TEXT_RVA, tested->words);
}

static void each_store_is_judged(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases_64 / sizeof cases_64[0]; i++)
        judge_case(MACHINE_AMD64, &cases_64[i]);
    for (size_t i = 0; i < sizeof cases_32 / sizeof cases_32[0]; i++)
        judge_case(MACHINE_I386, &cases_32[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_store_is_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
