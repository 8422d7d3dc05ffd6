/* test_verify_jumps.c - a jump at an address that somebody holds: code, or the form of one that is still to
 * be written. Takes: small drivers, each with such bytes and a pointer to them.  Gives: pass or fail. Must
 * not: ask what writes them: a function that gets the pointer may. */
#include "verify_writes_case.h"

static void a_jump_is_code_where_it_leads_to_code(void **state)
{
    (void)state;
    static const uint16_t machines[] = {MACHINE_AMD64, MACHINE_I386};
    static const struct {
        const char *bytes;
        size_t nbytes;
        bool is_code;
    } jumps[] = {
        {"\xE9\x01\0\0\0\xCC\x33\xC0\xC3", 9, true}, /* over one byte, to xor eax, eax; ret */
        {"\xE9\0\0\0\0\xCC\xCC", 7, false},          /* to the fill behind itself */
        {"\xE9\0\0\0\0\0\0\0\0", 9, false},          /* to the zeros behind itself */
        {"\x8B\xFF\x55\x8B\xEC\xE9\0\0\0\0\0\0\0", 13,
         false},                           /* a begin that was copied, and the jump back */
        {"\xE9\xFB\xFF\xFF\xFF", 5, true}, /* to itself */
    };
    uint32_t rva = DRIVER_SPARE_RVA + 0x50;
    for (size_t m = 0; m < 2; m++)
        for (size_t i = 0; i < sizeof jumps / sizeof jumps[0]; i++) {
            struct driver driver = driver_make(machines[m]);
            driver_put(&driver, rva, jumps[i].bytes, jumps[i].nbytes);
            driver_put_address(&driver, DRIVER_DATA_RVA, rva);
            if (jumps[i].is_code)
                expect_unwritten(&driver);
            else
                expect_written(&driver, DRIVER_DATA_RVA, "which is not code");
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_jump_is_code_where_it_leads_to_code)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
