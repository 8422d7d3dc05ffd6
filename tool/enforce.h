/* enforce.h - the step behind the linker: one image judged, repaired or rejected as a policy says.
 * Takes: a path and a policy.  Gives: the pipeline's outcome with what was decided.  Must not: print, or
 * decide from anything but the bytes that the file has now. */
#ifndef HVCIFIX_ENFORCE_H
#define HVCIFIX_ENFORCE_H

#include "pipeline.h"

#define ENFORCE_REJECTED_SUFFIX ".rejected"

/* What becomes of a rejected image, so that no later step signs or ships it. */
enum on_fail {
    ON_FAIL_RENAME /* to PATH.rejected, over whatever has that name */,
    ON_FAIL_DELETE,
    ON_FAIL_KEEP
};

struct enforce_options {
    const struct policy *policy;
    enum windows_target target; /* the policy's, or what the command line says */
    enum on_fail on_fail;
    /* Rules whose findings are not repaired here: enforce_prepare() sets them. */
    const enum finding_code *kept;
    size_t kept_count;
};

/* Finds out once what the policy lets `enforce` repair. The list lives in the arena. False: memory ran out.
 */
bool enforce_prepare(struct enforce_options *options, struct arena *arena);

/* Judges the image; in mode `fix` repairs and verifies it in place, when that leaves no finding that the
 * policy forbids; in mode `audit` says what would happen, with exit code 0. Only kernel images are repaired.
 * `stock` as in struct pipeline_options. The outcome is the caller's to release. */
void enforce_run(const char *path, const struct enforce_options *options, struct arena_stock *stock,
                 struct outcome *outcome);

/* Takes a rejected image away as options->on_fail says; nothing for any other outcome. A failure becomes a
 * problem of the outcome, with exit code 4. */
void enforce_reject(const struct enforce_options *options, struct outcome *outcome);

#endif
