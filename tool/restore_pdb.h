/* restore_pdb.h - the PDB of an image that is the original again.
 * Takes: the image's path and bytes.  Gives: the PDB that `fix --in-place` kept aside, under its own name
 * again. Must not: replace anything but a PDB that a repair has written. */
#ifndef HVCIFIX_RESTORE_PDB_H
#define HVCIFIX_RESTORE_PDB_H

#include "restore.h"

/* outcome->pdb_path and outcome->kept_pdb_path say what became of it. False with *error set (HVCI9006 to
 * 9008): the system did not let us read or rename one; the same can be asked again. */
bool restore_pdb(struct restore_outcome *outcome, struct span original, struct finding *error);

#endif
