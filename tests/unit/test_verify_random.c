/* test_verify_random.c - random changes of small pairs: refuted wherever they are, and never a crash.
 * Takes: drivers made in memory.  Gives: pass or fail.  Must not: depend on the clock: the seed is fixed.
 * Wrong rewrites of chosen kinds are in test_mutations.c. */
#include "verify_expect.h"
#include "verify_pairs.h"

/* A driver with a certificate table. */
static struct verify_files signed_driver(uint16_t machine)
{
    enum { TABLE_NBYTES = 0x40 };
    struct driver driver = driver_make(machine);
    if (driver.site_count % 2 == 0)
        driver_put_address(&driver, DRIVER_DATA_RVA, DRIVER_TEXT_RVA);
    struct verify_files files = driver_repair(&driver);
    files.old_bytes = realloc(files.old_bytes, files.old_nbytes + TABLE_NBYTES);
    assert_non_null(files.old_bytes);
    struct pe_view view = view_of(files.old_bytes, files.old_nbytes);
    uint8_t *table = files.old_bytes + files.old_nbytes;
    memset(table, 0x30, TABLE_NBYTES);
    store_u32(table + CERTIFICATE_LENGTH, TABLE_NBYTES);
    store_u32(files.old_bytes + view_directory_foff(DIR_SECURITY, &view) + DIRECTORY_RVA,
              (uint32_t)files.old_nbytes);
    store_u32(files.old_bytes + view_directory_foff(DIR_SECURITY, &view) + DIRECTORY_SIZE, TABLE_NBYTES);
    files.old_nbytes += TABLE_NBYTES;
    return files;
}

/* A small generator with a fixed seed: the same changes in every run. */
static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Random bytes in the new file are refuted wherever they are; in both files they must not crash anything, and
 * no verdict may come without its sentence. */
static void random_changes_are_refuted_and_never_crash(void **state)
{
    (void)state;
    uint32_t seed = 20240229;
    for (unsigned round = 0; round < 6000; round++) {
        struct verify_files files = signed_driver(round % 2 ? MACHINE_I386 : MACHINE_AMD64);
        struct verify_files pair = pairs_repair((struct span){files.old_bytes, files.old_nbytes});
        bool in_both = round % 3 != 0;
        unsigned count = 1 + next_random(&seed) % 4;
        for (unsigned i = 0; i < count; i++) {
            /* Half of the changes go to the headers, where they do most. */
            size_t limit = next_random(&seed) % 2 ? 0x200 : pair.new_nbytes;
            size_t foff = next_random(&seed) % limit;
            uint8_t bits = (uint8_t)(1 + next_random(&seed) % 255);
            pair.new_bytes[foff] ^= bits;
            if (in_both)
                pair.old_bytes[foff] ^= bits;
        }
        struct pe_view view = view_of(files.old_bytes, files.old_nbytes);
        uint32_t checksum_foff = view.opt_foff + OPT_CHECK_SUM;
        store_u32(pair.new_bytes + checksum_foff,
                  pairs_checksum(pair.new_bytes, pair.new_nbytes, checksum_foff));
        struct arena arena;
        arena_init(&arena, NULL);
        struct verify_verdict verdict = judge(&pair, &arena);
        if (!in_both && memcmp(pair.new_bytes, files.new_bytes, files.new_nbytes) != 0)
            assert_true(verdict.result == VERIFY_REFUTED || verdict.result == VERIFY_UNREADABLE);
        if (verdict.result == VERIFY_REFUTED || verdict.result == VERIFY_UNREADABLE)
            assert_non_null(verdict.reason);
        arena_free(&arena);
        pairs_free(&pair);
        pairs_free(&files);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_changes_are_refuted_and_never_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
