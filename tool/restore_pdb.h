/* restore_pdb.h - the PDB of an image that is the original again.
 * Takes: the image's path and bytes.  Gives: the PDB that `fix --in-place` kept aside, under its own name
 * again. Must not: replace anything but a PDB that a repair has written; fail what was restored. */
#ifndef HVCIFIX_RESTORE_PDB_H
#define HVCIFIX_RESTORE_PDB_H

#include "restore.h"

/* outcome->pdb_path and outcome->kept_pdb_path say what became of it. */
void restore_pdb(struct restore_outcome *outcome, struct span original);

#endif
