/* verify_pdb_parts.h - what verify_pdb.c and verify_pdb_maps.c share.
 * Takes: verify_pdb().  Gives: the case.  Must not: decide. */
#ifndef HVCIFIX_VERIFY_VERIFY_PDB_PARTS_H
#define HVCIFIX_VERIFY_VERIFY_PDB_PARTS_H

#include "verify/verify.h"
#include "verify/verify_image.h"
#include "verify/verify_msf.h"

struct verify_pdb_case {
    struct arena *arena;
    const struct verify_verdict *verdict;
    struct verify_msf old_pdb, new_pdb;
    struct verify_image old_image, new_image;
    uint32_t to_old, from_old, headers; /* streams of the new PDB */
    const char *reason;                 /* the first one */
};

/* The two OMAP tables say what the verdict says. */
bool verify_pdb_maps(struct verify_pdb_case *judged);

#endif
