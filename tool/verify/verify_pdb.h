/* verify_pdb.h - does a new PDB say of the new image what the old one said of the old image?
 * Takes: both PDBs, both images, the proved verdict about the images.  Gives: true, or the first reason why
 * not. Must not: be told what the writer did, or include anything of tool/pdb: it reads both files anew. */
#ifndef HVCIFIX_VERIFY_VERIFY_PDB_H
#define HVCIFIX_VERIFY_VERIFY_PDB_H

#include "verify/verify.h"

struct verify_pdb_pair {
    struct span old_pdb, new_pdb, old_image, new_image;
    const struct verify_verdict *verdict; /* about the images */
};

/* Holds when all of this does; else *reason is a sentence, or NULL when memory ran out:
 * 1. Each PDB has the GUID and age of its image.
 * 2. Every stream but info and DBI is the same bytes; those two differ in the GUID and in the numbers of the
 * debug streams alone.
 * 3. The section headers are those of the new image, the original ones those of the old one.
 * 4. The OMAP tables ascend, lead only to where the verdict says, leave out nothing that the verdict names
 * (but the headers and the base relocations), and each is the other's inverse there.
 * 5. No block has two owners, and the free block map says so. */
bool verify_pdb(const struct verify_pdb_pair *pair, struct arena *arena, const char **reason);

#endif
