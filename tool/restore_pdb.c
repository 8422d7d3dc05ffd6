/* restore_pdb.c - restore_pdb.h. A PDB is known by GUID and age, so the one that was kept is found again
 * whatever has happened since. Ended before its end, `restore` finds the same again: the image is the
 * original then, and the undo file is still there. */
#include "restore_pdb.h"

#include "io/path_list.h"
#include "pdb/pdb.h"
#include "pipeline_pdb.h"

static size_t folder_length(const char *path)
{
    size_t length = 0;
    for (size_t i = 0; path[i]; i++)
        if (path[i] == '/' || path[i] == '\\')
            length = i + 1;
    return length;
}

/* Reads a PDB; false when there is none that is understood. */
static bool open_pdb(const char *path, struct arena *arena, struct pdb *pdb)
{
    struct file_content file;
    struct finding error;
    return !file_is_absent(path) && file_read(path, arena, &file, &error) &&
           pdb_open(file.bytes, arena, pdb, &error);
}

/* True when this was the name of the image's PDB, so that no other is tried. */
static bool put_back(struct restore_outcome *outcome, const struct codeview *codeview, const char *path)
{
    struct arena *arena = &outcome->arena;
    struct pdb kept, there;
    struct finding error;
    const char *kept_path = arena_printf(arena, "%s" PDB_KEPT_SUFFIX, path);
    if (arena->exhausted || !open_pdb(kept_path, arena, &kept) || !pdb_matches(&kept, codeview))
        return false;
    outcome->kept_pdb_path = kept_path;
    bool is_free = file_is_absent(path) || (open_pdb(path, arena, &there) && pdb_is_rewritten(&there));
    if (is_free && file_rename(kept_path, path, arena, &error))
        outcome->pdb_path = path;
    return true;
}

void restore_pdb(struct restore_outcome *outcome, struct span original)
{
    struct arena *arena = &outcome->arena;
    struct image image;
    struct codeview codeview;
    struct finding error;
    const char *path = outcome->path;
    if (!image_read(original, arena, &image, &error) || !codeview_read(&image, arena, &codeview, NULL))
        return;
    /* Where `fix` looks: under the name that the image states, and under the image's own. */
    size_t folder_nbytes = folder_length(path);
    const char *dot = strrchr(path + folder_nbytes, '.');
    const char *names[] = {arena_printf(arena, "%.*s%s", (int)folder_nbytes, path, codeview.file_name),
                           arena_printf(arena, "%.*s.pdb", dot ? (int)(dot - path) : (int)strlen(path), path),
                           arena_printf(arena, "%s.pdb", path)};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!arena->exhausted && path_has_suffix(names[i], ".pdb") && put_back(outcome, &codeview, names[i]))
            return;
}
