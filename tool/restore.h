/* restore.h - the original in the place of a repaired image.
 * Takes: the path of an image with its side file (undo/undo.h).  Gives: the original, written as every file
 * is: whole or not at all.  Must not: print, or write what has not the digest of the original. */
#ifndef HVCIFIX_RESTORE_H
#define HVCIFIX_RESTORE_H

#include "pipeline.h"
#include "undo/undo.h"

struct restore_options {
    bool dry_run;            /* look, and write nothing */
    const char *output_path; /* the original goes there, and image and side file stay; NULL: in place */
    const atomic_bool *stop; /* as in struct pipeline_options */
};

enum restore_result {
    RESTORE_DONE,
    RESTORE_POSSIBLE, /* a dry run */
    RESTORE_NEEDLESS, /* the image is the original; a side file is taken away, but not in a dry run */
    RESTORE_REFUSED,  /* no side file, or not for this image: nothing was touched */
    RESTORE_FAILED    /* the system would not */
};

struct restore_outcome {
    struct arena arena; /* owns everything below */
    const char *path;
    const char *undo_path; /* or NULL when it did not come to that */
    enum restore_result result;
    enum exit_code exit_code;
    bool was_stopped;
    bool was_signed;           /* the image was signed after the repair; the signature goes with it */
    bool undo_removed;         /* the side file has done its work */
    const char *kept_pdb_path; /* the PDB of the original lies, or lay, there; or NULL */
    const char *pdb_path;      /* and is under this name again; NULL: it could not be put back */
    size_t step_count;         /* repairs that are undone */
    struct undo_image image, original;
    struct finding_list problems;
};

/* `path` may name the side file too. restore_release() frees the outcome. */
void restore_run(const char *path, const struct restore_options *options, struct restore_outcome *outcome);
void restore_release(struct restore_outcome *outcome);

#endif
