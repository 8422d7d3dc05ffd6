/* switched_off.h - a rewrite with one kind of fix-up left out, for test_switched_off.c.
 * Takes: a rewritten image (rewrite_image.h).  Gives: its bytes as they would be without that fix-up, with a
 * right checksum, and the ranges that differ.  Must not: be linked into the product. */
#ifndef HVCIFIX_TESTS_SWITCHED_OFF_H
#define HVCIFIX_TESTS_SWITCHED_OFF_H

#include "cmocka_all.h"

#include "rewrite_image.h"
#include "verify/verify.h"

#include <stdlib.h>

enum { NEAR_NBYTES = 16 }; /* an instruction's first byte lies at most so far before its field */

/* Bytes that are not as the rewriter wants them; old_* are where they came from, or NO_RVA. */
struct off_range {
    uint32_t new_foff, nbytes, new_rva, old_rva;
    uint64_t old_foff;
};

struct trial {
    const struct rewritten *done;
    uint8_t *bytes; /* a block of exactly nbytes: the file */
    size_t nbytes;
    struct off_range *ranges;
    size_t range_count, range_capacity;
};

static inline void trial_begin(struct trial *trial, const struct rewritten *done)
{
    *trial =
        (struct trial){.done = done, .bytes = malloc(done->output.nbytes), .nbytes = done->output.nbytes};
    assert_non_null(trial->bytes);
    memcpy(trial->bytes, done->output.bytes, done->output.nbytes);
}

static inline void trial_end(struct trial *trial)
{
    free(trial->bytes);
    free(trial->ranges);
}

/* The RVA of a byte of the new file; NO_RVA when it is in no section. Headers lie at their file offset. */
static inline uint32_t new_rva_of(const struct layout *layout, uint32_t new_foff)
{
    for (uint32_t i = 0; i < layout->section_count; i++) {
        const struct new_section *section = &layout->sections[i];
        if (new_foff >= section->raw_foff && new_foff - section->raw_foff < section->raw_nbytes)
            return section->rva + (new_foff - section->raw_foff);
    }
    return new_foff < layout->headers_nbytes ? new_foff : NO_RVA;
}

/* The file offset of a new RVA; 0 when the file does not have it. */
static inline uint32_t new_foff_of(const struct layout *layout, uint32_t new_rva)
{
    const struct new_section *section = layout_section_at(layout, new_rva);
    if (!section || new_rva - section->rva >= section->raw_nbytes)
        return 0;
    return section->raw_foff + (new_rva - section->rva);
}

/* Puts other bytes where the rewriter wrote its own. What is outside the file or the same is left out. */
static inline void put(struct trial *trial, uint32_t new_foff, const uint8_t *bytes, uint32_t nbytes,
                       uint32_t old_rva, uint64_t old_foff)
{
    if (!range_fits(trial->done->output.nbytes, new_foff, nbytes) ||
        memcmp(trial->bytes + new_foff, bytes, nbytes) == 0)
        return;
    if (trial->range_count == trial->range_capacity) {
        trial->range_capacity = trial->range_capacity ? 2 * trial->range_capacity : 64;
        trial->ranges = realloc(trial->ranges, trial->range_capacity * sizeof *trial->ranges);
        assert_non_null(trial->ranges);
    }
    memcpy(trial->bytes + new_foff, bytes, nbytes);
    trial->ranges[trial->range_count++] = (struct off_range){
        new_foff, nbytes, new_rva_of(trial->done->plan.layout, new_foff), old_rva, old_foff};
}

static inline void put_u32(struct trial *trial, uint32_t new_foff, uint32_t value)
{
    uint8_t bytes[4];
    store_u32(bytes, value);
    put(trial, new_foff, bytes, sizeof bytes, NO_RVA, NO_FILE_OFFSET);
}

static inline void put_fill(struct trial *trial, uint32_t new_foff, uint32_t nbytes, uint8_t value)
{
    uint8_t *bytes = malloc(nbytes + 1);
    assert_non_null(bytes);
    memset(bytes, value, nbytes);
    put(trial, new_foff, bytes, nbytes, NO_RVA, NO_FILE_OFFSET);
    free(bytes);
}

/* The old bytes of a field, where that field is now: in a copy of its instruction, or where its piece went.
 */
static inline void put_old(struct trial *trial, const struct ref *ref)
{
    const struct rewritten *done = trial->done;
    const struct layout *layout = done->plan.layout;
    const uint8_t *old_bytes = done->image.file.bytes + ref->site_foff;
    const struct code_copy *copy = layout->straddles && ref->site_rva != NO_RVA
                                       ? straddle_copy_at(layout->straddles, ref->site_rva)
                                       : NULL;
    uint32_t new_foff;
    if (copy)
        new_foff =
            new_foff_of(layout, layout->straddles->code_rva + copy->at + (ref->site_rva - copy->old_rva));
    else if (!layout_map_foff(layout, ref->site_foff, &new_foff))
        return;
    put(trial, new_foff, old_bytes, ref->width_nbytes, ref->site_rva, ref->site_foff);
}

/* Is a place of the new file, or of the old, in or near what was left out? */
static inline bool trial_has_place(const struct trial *trial, const struct verify_verdict *verdict)
{
    for (size_t i = 0; i < trial->range_count; i++) {
        const struct off_range *range = &trial->ranges[i];
        uint64_t foff = verdict->in_old ? range->old_foff : range->new_foff;
        uint32_t rva = verdict->in_old ? range->old_rva : range->new_rva;
        if (verdict->file_offset != UINT64_MAX && foff != NO_FILE_OFFSET &&
            verdict->file_offset + NEAR_NBYTES > foff &&
            verdict->file_offset < foff + range->nbytes + NEAR_NBYTES)
            return true;
        if (verdict->rva != UINT32_MAX && rva != NO_RVA && (uint64_t)verdict->rva + NEAR_NBYTES > rva &&
            verdict->rva < (uint64_t)rva + range->nbytes + NEAR_NBYTES)
            return true;
    }
    return false;
}

static inline void trial_set_checksum(struct trial *trial)
{
    uint32_t foff = trial->done->image.opt_foff + OPT_CHECK_SUM;
    store_u32(trial->bytes + foff, pe_checksum((struct span){trial->bytes, trial->nbytes}, foff));
}

#endif
