/* verify_writes_case.h - drivers whose INIT loses MEM_WRITE, and what the verifier must say of them.
 * Takes: a small driver with one thing added (verify_pairs.h).  Gives: a cmocka failure with the verifier's
 * own words when it says something else.  Must not: look into the verifier's parts. */
#ifndef HVCIFIX_TESTS_VERIFY_WRITES_CASE_H
#define HVCIFIX_TESTS_VERIFY_WRITES_CASE_H

#include "verify_expect.h"
#include "verify_pairs.h"

/* The pair of a driver is refuted at this RVA of the new file. */
static inline void expect_written(struct driver *driver, uint32_t rva, const char *words)
{
    struct verify_files files = driver_repair(driver);
    struct pe_view view = view_of(files.new_bytes, files.new_nbytes);
    struct arena arena;
    arena_init(&arena, NULL);
    struct verify_verdict verdict = judge(&files, &arena);
    if (verdict.result != VERIFY_REFUTED || !strstr(verdict.reason, words))
        fail_msg("result %d, expected \"%s\" in: %s", (int)verdict.result, words,
                 verdict.reason ? verdict.reason : "nothing");
    assert_int_equal(verdict.rva, rva);
    assert_int_equal(verdict.file_offset, view_foff(&view, rva));
    assert_false(verdict.in_old);
    arena_free(&arena);
    pairs_free(&files);
}

static inline void expect_unwritten(struct driver *driver)
{
    struct verify_files files = driver_repair(driver);
    expect_proved(&files);
    pairs_free(&files);
}

static inline void expect_unwritten_but_assumed(struct driver *driver, const char *words)
{
    struct verify_files files = driver_repair(driver);
    struct arena arena;
    arena_init(&arena, NULL);
    struct verify_verdict verdict = judge(&files, &arena);
    assert_int_equal(verdict.result, VERIFY_PROVED_WITH_ASSUMPTIONS);
    bool is_said = false;
    for (size_t i = 0; i < verdict.difference_count; i++)
        is_said |= strstr(verdict.differences[i].why_allowed, words) != NULL;
    if (!is_said)
        fail_msg("%s", verdict.differences[verdict.difference_count - 1].why_allowed);
    arena_free(&arena);
    pairs_free(&files);
}

/* Unwind data for [rva, rva + nbytes), behind the driver's own entry. */
static inline void add_function(struct driver *driver, uint32_t rva, uint32_t nbytes)
{
    uint8_t *function = driver_at(driver, DRIVER_PDATA_RVA) + RUNTIME_FUNCTION_NBYTES;
    store_u32(function + RUNTIME_FUNCTION_BEGIN, rva);
    store_u32(function + RUNTIME_FUNCTION_END, rva + nbytes);
    store_u32(function + RUNTIME_FUNCTION_UNWIND, DRIVER_UNWIND_RVA);
    make_directory(&driver->made, DIR_EXCEPTION, DRIVER_PDATA_RVA, 2 * RUNTIME_FUNCTION_NBYTES);
}

#endif
