/* fix_package_pdbs.c - the PDBs of the images in a package that is repaired.
 * Takes: images and what became of them.  Gives: their PDBs in the new package.  Must not: touch a PDB whose
 * image has not moved. */
#include "cli/fix_package_parts.h"

/* Nobody asks where the images keep their identity. */
bool fix_package_find_pdbs(struct package_fix *fix)
{
    enum pdb_wish wish = fix->run->options->pdb_wish;
    return wish == PDB_NONE || wish == PDB_KEEP_ID ||
           parcel_pdbs_find(&fix->parcel, &fix->outcome->arena, &fix->pdbs);
}

const char *fix_package_pdb_words(struct arena *arena, size_t pdb_count)
{
    if (pdb_count == 0)
        return "";
    return pdb_count == 1 ? ", and one PDB with its image"
                          : arena_printf(arena, ", and %zu PDBs with their images", pdb_count);
}

bool fix_package_read_pdb(const struct package_fix *fix, size_t number, struct arena *arena,
                          struct pdb_given *given, struct finding *error)
{
    const struct parcel_pdb *own = fix->pdbs.of ? &fix->pdbs.of[number] : NULL;
    *given = (struct pdb_given){0};
    if (!own || !own->has_pdb)
        return false;
    given->path = fix->parcel.entries[own->entry].path;
    given->why_not = own->why_not;
    given->other_path = own->has_also ? fix->parcel.entries[own->also_entry].path : NULL;
    return parcel_file(&fix->parcel, own->entry, arena, &given->bytes, error);
}

bool fix_package_put_pdb(struct package_fix *fix, size_t number, const struct pdb_given *given,
                         struct outcome *outcome, struct finding *error)
{
    const struct parcel_pdb *own = &fix->pdbs.of[number];
    bool follows = fix->files[number].is_fixed && outcome->pdb.renews;
    bool is_written = follows && !fix->pipeline.dry_run;
    if (!own->is_owner)
        return true;
    fix->files[own->entry].is_followed = follows;
    if (follows && !fix_package_note_change(fix, own->entry, given->bytes, outcome->pdb.new_file, outcome)) {
        *error = finding_make(&outcome->arena, HVCI9008_OUT_OF_MEMORY, LEVEL_ERROR,
                              "There was not enough memory for the PDB of this file.");
        return false;
    }
    return !fix->temporary ||
           fix_package_stage(fix, own->entry, is_written ? outcome->pdb.new_file : given->bytes,
                             &outcome->arena, error);
}
