/* test_verify_called.c - the verifier on data that code calls: it must stay executable.
 * Takes: small low-aligned drivers, laid out anew by the rewriter, which does not look at calls of data.
 * Gives: pass or fail.  Must not: expect anything of the rewriter but that it moves the data. */
#include "layout_case.h"
#include "verify/verify.h"

/* The verdict on what the rewriter made of the code that was put at the begin of .text. */
static struct verify_verdict judge_driver(struct low_case *driver, struct arena *arena)
{
    struct verify_verdict verdict;
    low_rewrite(driver);
    low_expect_moved(driver);
    assert_true(verify_pair(driver->done.image.file,
                            (struct span){driver->done.output.bytes, driver->done.output.nbytes}, arena,
                            &verdict));
    return verdict;
}

/* The address of the middle of .data into eax or rax. */
static uint32_t take_address(struct low_case *driver, uint16_t machine)
{
    if (machine == MACHINE_I386)
        return low_put_va(driver, LOW_PUT(driver, LOW_TEXT_RVA, "\xB8"), LOW_DATA_RVA + 0x80);
    return low_put_rel(driver, LOW_PUT(driver, LOW_TEXT_RVA, "\x48\x8D\x05"), LOW_DATA_RVA + 0x80, 0);
}

static const uint16_t machines[] = {MACHINE_AMD64, MACHINE_I386};

static void what_is_called_must_stay_executable(void **state)
{
    (void)state;
    static const struct {
        const char *use;
        size_t nbytes;
        bool is_called;
    } uses[] = {
        {"\xC6\x00\xC3\xC3", 4, false},        /* mov byte [eax], C3h; ret: a buffer */
        {"\xC6\x00\xC3\xFF\xD0\xC3", 6, true}, /* the same; call eax; ret */
        {"\xC6\x00\xC3\xFF\xE0", 5, true},     /* the same; jmp eax */
    };
    for (size_t m = 0; m < 2; m++)
        for (size_t i = 0; i < sizeof uses / sizeof uses[0]; i++) {
            struct low_case driver;
            struct arena arena;
            arena_init(&arena, NULL);
            low_begin(&driver, machines[m]);
            low_put(&driver, take_address(&driver, machines[m]), uses[i].use, uses[i].nbytes);
            struct verify_verdict verdict = judge_driver(&driver, &arena);
            if (!uses[i].is_called && verdict.result != VERIFY_PROVED_WITH_ASSUMPTIONS)
                fail_msg("not proved: %s", verdict.reason);
            if (uses[i].is_called) {
                assert_int_equal(verdict.result, VERIFY_REFUTED);
                assert_true(verdict.right_not_shown);
                if (!strstr(verdict.reason, "no longer in executable memory"))
                    fail_msg("for another reason: %s", verdict.reason);
            }
            arena_free(&arena);
            low_end(&driver);
        }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_called_must_stay_executable)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
