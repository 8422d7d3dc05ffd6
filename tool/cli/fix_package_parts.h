/* fix_package_parts.h - what the files that repair packages share.
 * Takes: a package that is being repaired.  Gives: its parts.  Must not: be included outside fix_package*.c.
 */
#ifndef HVCIFIX_CLI_FIX_PACKAGE_PARTS_H
#define HVCIFIX_CLI_FIX_PACKAGE_PARTS_H

#include "cli/fix_package.h"
#include "io/catalog_index.h"
#include "package/inf.h"
#include "package/parcel_change.h"
#include "package/parcel_pdbs.h"

#include <stdatomic.h>

/* What is known of one file when its turn is over. */
struct package_file {
    bool is_reported;
    struct image_report written, not_written; /* its report, should the package be written or not; malloc() */
    bool stands_in_the_way;                   /* it needed a repair, and has none */
    bool is_image, is_fixed;
    bool has_image_inside; /* it is an archive with an image in it */
    bool is_followed;      /* a PDB that follows the repair of its image */
    enum exit_code exit_code;
    /* malloc(): for each catalog, whether it lists the file as it was; NULL: the file is unchanged */
    bool *lists;
    uint8_t *kept; /* malloc(): what it is to hold, until an archive is written; NULL elsewhere */
};

struct package_fix {
    const struct image_run *run;
    struct outcome *outcome; /* of the package; its arena has what lives as long */
    const char *out;         /* NULL: a dry run */
    struct parcel parcel;
    struct parcel_change *changes; /* of each entry */
    struct package_file *files;
    struct parcel_pdbs pdbs;
    struct catalog_index catalogs;
    size_t *catalog_entries; /* of the parcel, for each catalog */
    unsigned platforms;      /* of all INF files */
    bool writes_folder;
    const char *folder_reason; /* why a cabinet becomes a folder; NULL where it does not, or was asked to */
    const char *temporary;     /* the new folder, until it has its name */
    char *path_room;           /* for the longest path in it: taking it away must not need memory */
    struct pipeline_options pipeline;
};

/* Ends the outcome of the package with an error. Returns false. */
bool fix_package_end_with(struct package_fix *fix, const struct finding *error, enum exit_code exit_code);

/* Can the package at `path` have what the command line asks? False: the outcome has ended. */
bool fix_package_is_possible(struct package_fix *fix, const char *path);

/* What is said of a package in which nothing was judged: whoever named it meant another. */
struct finding fix_package_without_image(struct package_fix *fix);

/* Sets writes_folder and folder_reason, when the kind of the parcel is known; `archive` is the package's
 * file. / What is to be said of the form when the new package is there: more words of a sentence, or "". */
void fix_package_choose_form(struct package_fix *fix, struct span archive);
const char *fix_package_form_words(const struct package_fix *fix, struct span archive);

/* INF files and catalogs, before the images. False: the outcome has ended. */
bool fix_package_read_texts(struct package_fix *fix);

/* Whose PDB is which. False when memory ran out. */
bool fix_package_find_pdbs(struct package_fix *fix);

/* What is said of so many PDBs that follow: behind "images were repaired". */
const char *fix_package_pdb_words(struct arena *arena, size_t pdb_count);

/* The PDB of image `number`, read into the arena: true when it has one. An error is the image's. / When the
 * image is done: the PDB whose owner it is goes into the new package, as it is to be there; `given` is what
 * the first gave. False with *error set. */
bool fix_package_read_pdb(const struct package_fix *fix, size_t number, struct arena *arena,
                          struct pdb_given *given, struct finding *error);
bool fix_package_put_pdb(struct package_fix *fix, size_t number, const struct pdb_given *given,
                         struct outcome *outcome, struct finding *error);

/* Writes down that a file is changed, and what depends on it. False when memory ran out. */
bool fix_package_note_change(struct package_fix *fix, size_t number, struct span before, struct span after,
                             struct outcome *outcome);

/* All files: judged, repaired, and where a folder is written, put there. */
void fix_package_run_files(struct package_fix *fix);

/* A file in its state to be, below the temporary folder. */
bool fix_package_stage(struct package_fix *fix, size_t number, struct span bytes, struct arena *arena,
                       struct finding *error);

/* The folder that files are staged in, with all folders. / The new package, read back, compared, and given
 * its name. / Beside it the requests for catalogs. Each false with *error set. */
bool fix_package_begin_output(struct package_fix *fix, struct finding *error);
bool fix_package_write(struct package_fix *fix, struct span archive, struct finding *error);
bool fix_package_request_catalogs(struct package_fix *fix, struct finding *error);

/* Takes the staged folder away, by the names that were put into it. */
void fix_package_give_up_output(struct package_fix *fix);

/* Does catalog `number` list a file that was changed? *name is the first such file. */
bool fix_package_is_stale(const struct package_fix *fix, size_t number, const char **name);

/* Images in a package inside the package: none is repaired there, and one that needs a repair is said; *found
 * is whether there is any. False when memory ran out. */
bool fix_package_judge_inside(const struct image_run *run, struct outcome *outcome, const char *path,
                              struct span file, const struct image *image, bool *found);

#endif
