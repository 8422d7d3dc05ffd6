/* verify_expect.h - runs the verifier on a pair and says what its verdict must be.
 * Takes: struct verify_files.  Gives: a cmocka failure with the verifier's own words when it differs.
 * Must not: look into the verifier's parts. */
#ifndef HVCIFIX_TESTS_VERIFY_EXPECT_H
#define HVCIFIX_TESTS_VERIFY_EXPECT_H

#include "cmocka_all.h"

#include "verify/verify.h"
#include "verify_pairs.h"

static inline struct verify_verdict judge(const struct verify_files *files, struct arena *arena)
{
    struct verify_verdict verdict;
    /* Exact blocks, so that a sanitizer sees a read past the end of the shorter file too. */
    uint8_t *new_bytes = malloc(files->new_nbytes + 1);
    assert_non_null(new_bytes);
    memcpy(new_bytes, files->new_bytes, files->new_nbytes);
    assert_true(verify_pair((struct span){files->old_bytes, files->old_nbytes},
                            (struct span){new_bytes, files->new_nbytes}, arena, &verdict));
    free(new_bytes);
    return verdict;
}

static inline void expect_proved(const struct verify_files *files)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct verify_verdict verdict = judge(files, &arena);
    if (verdict.result != VERIFY_PROVED && verdict.result != VERIFY_PROVED_WITH_ASSUMPTIONS)
        fail_msg("not proved: %s", verdict.reason);
    arena_free(&arena);
}

/* Refuted at this file offset, with these words in the reason. */
static inline void expect_refuted(const struct verify_files *files, uint64_t foff, const char *words)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct verify_verdict verdict = judge(files, &arena);
    assert_int_equal(verdict.result, VERIFY_REFUTED);
    assert_int_equal(verdict.file_offset, foff);
    if (!strstr(verdict.reason, words))
        fail_msg("expected \"%s\" in: %s", words, verdict.reason);
    arena_free(&arena);
}

#endif
