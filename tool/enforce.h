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
    struct baseline_view baseline; /* as in struct pipeline_options */
    const char *symbols_path;      /* as there */
    const atomic_bool *stop; /* as in struct pipeline_options: an image that is given up is not rejected */
};

/* Judges the image; in mode `fix` repairs and verifies it in place, when that leaves no finding that the
 * policy forbids; in mode `audit` says what would happen, with exit code 0. Only kernel images are repaired.
 * `stock` as in struct pipeline_options. The outcome is the caller's to release. */
void enforce_run(const char *path, const struct enforce_options *options, struct arena_stock *stock,
                 struct outcome *outcome);

/* Takes a rejected image away as options->on_fail says; nothing for any other outcome. A failure becomes a
 * problem of the outcome, with exit code 4. */
void enforce_reject(const struct enforce_options *options, struct outcome *outcome);

/* The same for an image inside a package, which is judged only: `outcome` is begun (pipeline_begin()). What
 * is rejected there stays where it is; the package is what goes. */
void enforce_run_content(const char *path, const char *container_path, struct span bytes,
                         const struct enforce_options *options, struct arena_stock *stock,
                         struct outcome *outcome);

/* What the policy makes of an outcome that the pipeline alone has given. */
void enforce_settle(const struct enforce_options *options, struct outcome *outcome);

/* The package whose own outcome this is holds so many images, or parts that could not be read, that are
 * rejected: so is the package. */
void enforce_reject_package(const struct enforce_options *options, size_t rejected_count,
                            struct outcome *outcome);

#endif
