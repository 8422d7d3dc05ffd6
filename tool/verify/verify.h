/* verify.h - the independent verifier: proves that NEW is OLD but for what it can explain, or refutes it.
 * Takes: the bytes of two files and the target release.  Gives: a verdict with each explained difference, or
 * the first counter-example.  Must not: include anything of image, refs, code, rules, plan or emit, or be
 * told what the rewriter did. It shares only base/ (bytes, arena, format numbers) and the decoder library. */
#ifndef HVCIFIX_VERIFY_VERIFY_H
#define HVCIFIX_VERIFY_VERIFY_H

#include "base/arena.h"
#include "base/pe_format.h"
#include "base/span.h"

enum verify_result {
    VERIFY_PROVED,
    VERIFY_PROVED_WITH_ASSUMPTIONS,
    VERIFY_IDENTICAL,
    VERIFY_REFUTED,
    VERIFY_UNREADABLE
};

struct verify_difference {
    const char *field;    /* e.g. "section INIT Characteristics" */
    uint64_t file_offset; /* in the new file */
    uint64_t old_value, new_value;
    uint32_t width_nbytes;
    const char *why_allowed; /* what was shown, or which assumption it rests on */
    bool assumed;
};

/* nbytes at old_rva of the old image are at new_rva of the new one. */
struct verify_move {
    uint32_t old_rva, nbytes, new_rva;
};

struct verify_verdict {
    enum verify_result result;
    struct verify_difference *differences;
    size_t difference_count;
    /* VERIFY_REFUTED and VERIFY_UNREADABLE: the first counter-example */
    const char *reason;   /* a sentence with its period */
    uint64_t file_offset; /* in the file named by in_old; UINT64_MAX when it has no place */
    uint32_t rva;         /* UINT32_MAX when it has none */
    bool in_old;
    bool right_not_shown;   /* VERIFY_REFUTED, not because bytes differ wrongly, but because it could not be
                             * shown that nothing needs a right that a section lost, or: */
    bool meaning_not_shown; /* with it: what a place means, or where something went, could not be shown */
    uint32_t slot_rva;      /* with it: the import slot whose stub that is about, in the new image; 0: none */
    const char *still_broken; /* proved: rules of loaders that the new image breaks as the old one did, as
                               * part of a sentence; NULL: none */
    /* A new layout that was proved: what is where, ascending by old_rva; and code of which the new image
     * executes copies. Empty: everything is where it was. */
    struct verify_move *moves, *copies;
    size_t move_count, copy_count;
    uint64_t step_count; /* work done, for the tests of linearity */
};

/* False only when memory ran out. */
bool verify_pair(struct span old_file, struct span new_file, struct arena *arena,
                 struct verify_verdict *verdict);

/* The same when the image names the PDB of its new layout: the GUID of its CodeView record may differ, and
 * nothing else may for that reason. */
bool verify_pair_with_new_identity(struct span old_file, struct span new_file, struct arena *arena,
                                   struct verify_verdict *verdict);

#endif
