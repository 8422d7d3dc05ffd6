/* verify.c - the story of one verdict, from two files to proved or refuted.
 * Takes: the bytes of OLD and NEW.  Gives: struct verify_verdict.  Must not: be told what the rewriter did;
 * every step looks at the two files only. */
#include "verify/verify.h"
#include "verify/verify_checksum.h"
#include "verify/verify_differences.h"
#include "verify/verify_flags.h"
#include "verify/verify_moves.h"
#include "verify/verify_nx.h"
#include "verify/verify_structure.h"

enum { MOST_NX_STEPS = 4 };

static bool read_image(struct verify_case *judged, struct span file, struct verify_image *image, bool in_old)
{
    struct verify_verdict *verdict = judged->verdict;
    const char *reason;
    uint64_t foff;
    if (verify_image_read(file, judged->arena, image, &reason, &foff))
        return true;
    verdict->result = VERIFY_UNREADABLE;
    if (reason)
        verdict->reason = reason;
    verdict->file_offset = foff;
    verdict->in_old = in_old;
    return false;
}

static bool files_are_identical(const struct verify_case *judged)
{
    struct span old_file = judged->old_image.file, new_file = judged->new_image.file;
    return old_file.nbytes == new_file.nbytes && memcmp(old_file.bytes, new_file.bytes, old_file.nbytes) == 0;
}

/* Each step ends the story with a counter-example when it has one. */
static bool judge_differences(struct verify_case *judged)
{
    enum verify_certificates_fate fate;
    struct verify_changed_fields changed;

    /* 1. The two files have the same length, or exactly the certificate table went. */
    return verify_certificates(judged, &fate)
           /* 2. Every byte that differs lies in a field that may differ. */
           && verify_differences(judged, fate, &changed)
           /* 3. A signature that is still there is not made stale. */
           && verify_signature_not_stale(judged, fate, changed.signed_field)
           /* 4. The new image breaks no structural rule that the old one kept. */
           && verify_structure(judged)
           /* 5. Every field that differs is explained. */
           && verify_checksum(judged) && verify_flags(judged) && verify_explain_certificates(judged, fate) &&
           verify_sections(judged, changed.section_indices, changed.section_count);
}

/* Never "proved" alone of an image that systems may not load: what is shown is that it says what it said. */
static void set_proved(struct verify_case *judged)
{
    struct verify_verdict *verdict = judged->verdict;
    verdict->still_broken = verify_structure_still_broken(judged);
    verdict->result = verdict->still_broken ? VERIFY_PROVED_WITH_ASSUMPTIONS : VERIFY_PROVED;
    for (size_t i = 0; i < verdict->difference_count; i++)
        if (verdict->differences[i].assumed)
            verdict->result = VERIFY_PROVED_WITH_ASSUMPTIONS;
}

/* What was explained of CheckSum was about an image that is in no file. */
static void forget_checksum(struct verify_case *judged)
{
    struct verify_verdict *verdict = judged->verdict;
    size_t kept = 0;
    for (size_t i = 0; i < verdict->difference_count; i++)
        if (verdict->differences[i].file_offset != judged->new_image.checksum_foff)
            verdict->differences[kept++] = verdict->differences[i];
    verdict->difference_count = kept;
}

/* Calls that are led through stubs are taken back first: what is left is a pair like any other. More than one
 * such step is there where somebody asked for one rule first and for the other later. */
static bool judge(struct verify_case *judged, unsigned more_steps)
{
    struct verify_nx nx = {.is_there = false};
    if (more_steps != 0 && !verify_nx_undo(judged, &nx))
        return false;
    if (!nx.is_there)
        return files_are_identical(judged) ||
               (verify_is_moved(judged) ? verify_moved(judged) : judge_differences(judged));
    if (!verify_nx_judge(judged, &nx) || !judge(judged, more_steps - 1))
        return false;
    judged->new_image = nx.image;
    forget_checksum(judged);
    return verify_nx_explain(judged, &nx) && verify_checksum(judged);
}

bool verify_pair(struct span old_file, struct span new_file, struct arena *arena,
                 struct verify_verdict *verdict)
{
    struct verify_case judged = {.arena = arena, .verdict = verdict};
    /* Nothing counts as proved until the last step has been taken. */
    *verdict =
        (struct verify_verdict){.result = VERIFY_UNREADABLE, .file_offset = UINT64_MAX, .rva = UINT32_MAX};
    if (!read_image(&judged, old_file, &judged.old_image, true) ||
        !read_image(&judged, new_file, &judged.new_image, false))
        return !arena->exhausted;
    if (files_are_identical(&judged))
        verdict->result = VERIFY_IDENTICAL;
    else if (judge(&judged, MOST_NX_STEPS))
        set_proved(&judged);
    return !arena->exhausted;
}
