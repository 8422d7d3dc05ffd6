/* pipeline_pdb.h - the PDB of an image that gets a new layout.
 * Takes: the image, its path, a wish.  Gives: a new PDB beside the new image, and one new GUID in both.
 * Must not: fail a repair because of a PDB that nobody named; leave a PDB and an image that do not belong
 * together without a word.
 *
 * Where nothing but headers changes, names stay where they are: the old PDB stays valid and is left alone. */
#ifndef HVCIFIX_PIPELINE_PDB_H
#define HVCIFIX_PIPELINE_PDB_H

#include "pdb/pdb_move.h"

#include "io/file.h"

struct outcome;
struct pipeline_options;

/* A PDB that is replaced is kept under this name until its image is, too. The linker's, or one of something
 * else, stays there for good; not where a build makes it again. */
#define PDB_KEPT_SUFFIX ".hvcifix-old"

enum pdb_wish {
    PDB_BESIDE, /* the one beside the image, if there is one */
    PDB_NAMED,  /* this one, or nothing is repaired */
    PDB_NONE,   /* none: the image keeps its identity */
    PDB_KEEP_ID /* the identity must not change: a layout in which something moves is refused */
};

/* The PDB of an image whose file is written elsewhere. */
struct pdb_given {
    const char *path; /* in messages */
    struct span bytes;
    const char *why_not;    /* it cannot follow this image: a sentence, or NULL */
    const char *other_path; /* another PDB of the same identity, which stays as it is, or NULL */
};

struct outcome_pdb {
    bool was_looked_for;
    bool is_usable;    /* read, and it belongs to the image */
    bool has_codeview; /* the image names a PDB */
    bool renews;       /* the layout at hand gives the image a new GUID */
    bool moves;        /* the layout at hand puts something elsewhere */
    bool replaces;     /* `path` and `new_path` are one file */
    bool was_kept;     /* `path` and `kept_path` are: a run was ended between the PDB and the image */
    struct codeview codeview;
    const char *path; /* what was read */
    struct file_content file;
    struct pdb pdb;
    const char *why_not;                  /* the PDB beside the image cannot be used; a sentence, or NULL */
    const char *new_path;                 /* what is, or would be, written */
    const char *kept_path;                /* where a PDB that is replaced is kept */
    bool has_before, before_is_rewritten; /* there is a PDB at new_path; a repair has written it */
    struct file_content before;
    bool wrote, wrote_kept;
    struct span new_file;
    bool has_error; /* `error` ends the repair */
    struct finding error;
};

/* Looks for the PDB, once, when the plan at hand needs one. False when the repair ends: the outcome says
 * why. */
bool pipeline_pdb_find(struct outcome *outcome, const struct pipeline_options *options);

/* Behind emit: gives the new image a new GUID when its parts have moved, and makes the PDB. False with
 * outcome->pdb.error set. */
bool pipeline_pdb_renew(struct outcome *outcome, const struct pipeline_options *options);

/* When the image is proved: is the new PDB that of the new image? False with outcome->pdb.error set. */
bool pipeline_pdb_prove(struct outcome *outcome, const struct pipeline_options *options,
                        struct span new_image);

/* Before the image is replaced, and when nothing else is left to do: writes the PDB. False, with
 * outcome->pdb.error set unless it was stopped; the files are as they were. */
bool pipeline_pdb_write(struct outcome *outcome, const struct pipeline_options *options);

/* The image was not replaced: what pipeline_pdb_write() did is undone. */
void pipeline_pdb_take_back(struct outcome *outcome);

/* All is well: says what became of the PDB, and removes what was kept for a moment. */
void pipeline_pdb_end(struct outcome *outcome, const struct pipeline_options *options);

/* Where the parts of that are (pipeline_pdb_files.c). The PDB beside an image: outcome->pdb is filled, or
 * says why not. */
void pipeline_pdb_search(struct outcome *outcome, const char *named_path);
void pipeline_pdb_take_given(struct outcome *outcome, const struct pdb_given *given);
/* new_path and kept_path, and what is there. False when memory ran out, or with outcome->pdb.error set when
 * it must not be replaced. */
bool pipeline_pdb_name(struct outcome *outcome, const struct pipeline_options *options);

#endif
