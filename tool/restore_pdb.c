/* restore_pdb.c - restore_pdb.h. A PDB is known by GUID and age, so the one that was kept is found again
 * whatever has happened since. Ended before its end, `restore` finds the same again: the image is the
 * original then, and the undo file is still there. */
#include "restore_pdb.h"

#include "base/path_name.h"
#include "io/folder.h"
#include "pdb/pdb.h"
#include "pipeline_pdb.h"

/* What is at the path. */
struct found {
    bool is_there, is_pdb; /* is_pdb: one that is understood */
    struct span bytes;
    struct pdb pdb;
};

/* False with *error set when the system does not tell. */
static bool look(const char *path, struct arena *arena, struct found *found, struct finding *error)
{
    struct file_content file;
    *found = (struct found){.is_there = true};
    if (!file_read(path, arena, &file, error)) {
        found->is_there = !file_is_absent(path);
        if (!found->is_there)
            return true;
        enum folder_at at = folder_look_at(path, arena);
        return at == FOLDER_AT_EMPTY || at == FOLDER_AT_FULL;
    }
    found->bytes = file.bytes;
    found->is_pdb = pdb_open(file.bytes, arena, &found->pdb, error);
    return !arena->exhausted; /* what *error says then */
}

/* *is_named: this was the name of the image's PDB, so that no other is tried. */
static bool put_back(struct restore_outcome *outcome, const struct codeview *codeview, const char *path,
                     bool *is_named, struct finding *error)
{
    struct arena *arena = &outcome->arena;
    struct found kept, there;
    const char *kept_path = arena_printf(arena, "%s" PDB_KEPT_SUFFIX, path);
    if (!look(kept_path, arena, &kept, error))
        return false;
    *is_named = kept.is_pdb && pdb_matches(&kept.pdb, codeview);
    if (!*is_named)
        return true;
    if (!look(path, arena, &there, error))
        return false;
    /* The same in both places: the repair was ended before it replaced the one. */
    bool is_free = !there.is_there ||
                   (there.is_pdb && (pdb_is_rewritten(&there.pdb) || span_is_equal(there.bytes, kept.bytes)));
    if (is_free && !file_rename(kept_path, path, arena, error))
        return false;
    outcome->kept_pdb_path = kept_path;
    if (is_free)
        outcome->pdb_path = path;
    return true;
}

bool restore_pdb(struct restore_outcome *outcome, struct span original, struct finding *error)
{
    struct arena *arena = &outcome->arena;
    struct image image;
    struct codeview codeview;
    const char *path = outcome->path;
    bool is_named = false;
    if (!image_read(original, arena, &image, error) || !codeview_read(&image, arena, &codeview, NULL))
        return !arena->exhausted; /* the report says so */
    /* Where `fix` looks: under the name that the image states, and under the image's own. */
    const char *names[] = {path_beside(arena, path, codeview.file_name),
                           path_with_suffix(arena, path, ".pdb"), arena_printf(arena, "%s.pdb", path)};
    for (size_t i = 0; !arena->exhausted && !is_named && i < sizeof names / sizeof names[0]; i++)
        if (path_has_suffix(names[i], ".pdb") && !put_back(outcome, &codeview, names[i], &is_named, error))
            return false;
    return !arena->exhausted;
}
