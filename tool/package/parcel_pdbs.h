/* parcel_pdbs.h - which PDB of a package belongs to which of its images.
 * Takes: the files of a package.  Gives: for each image the PDB that is its own.  Must not: judge an image,
 * or change anything. */
#ifndef HVCIFIX_PACKAGE_PARCEL_PDBS_H
#define HVCIFIX_PACKAGE_PARCEL_PDBS_H

#include "package/parcel.h"

/* What an image has. */
struct parcel_pdb {
    bool has_pdb;  /* `entry` is the PDB of it by GUID and age, or the one that has its name */
    size_t entry;  /* of the parcel */
    bool is_owner; /* the first of the images, all of the same bytes, whose PDB this is */
    bool has_also; /* another PDB of the same GUID and age, which follows no image: */
    size_t also_entry;
    const char *why_not; /* it cannot follow this image alone: a sentence, or NULL */
};

struct parcel_pdbs {
    struct parcel_pdb *of; /* for each entry; NULL: the package holds no PDB */
    bool *is_owned;        /* of each entry: it is a PDB, and an image is its owner */
};

/* Looks at every PDB (by its name) and, where there is one, at every image. The folder does not matter: what
 * belongs together has the same GUID. A file that cannot be read has nothing here. All lives in the arena.
 * False when memory ran out. Work: linear in the package's size, and sorting. */
bool parcel_pdbs_find(const struct parcel *parcel, struct arena *arena, struct parcel_pdbs *pdbs);

#endif
