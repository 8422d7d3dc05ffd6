/* pipeline_pdb_files.c - where a PDB is looked for, and where the new one goes. See pipeline_pdb.h and
 * docs/DEBUGGING.md. */
#include "pipeline.h"

#include "io/path_list.h"

/* Length of the folder in front of a file's name, with its separator. */
static size_t folder_length(const char *path)
{
    size_t length = 0;
    for (size_t i = 0; path[i]; i++)
        if (path[i] == '/' || path[i] == '\\')
            length = i + 1;
    return length;
}

static const char *beside(struct arena *arena, const char *path, const char *file_name)
{
    return arena_printf(arena, "%.*s%s", (int)folder_length(path), path, file_name);
}

/* The path with ".pdb" in the place of what follows the last dot of the name. */
static const char *with_suffix(struct arena *arena, const char *path)
{
    const char *dot = strrchr(path + folder_length(path), '.');
    return arena_printf(arena, "%.*s.pdb", dot ? (int)(dot - path) : (int)strlen(path), path);
}

/* Other names that an image states are not followed: it would be read and replaced. */
static bool is_pdb_name(const char *name)
{
    return strlen(name) > strlen(".pdb") && path_has_suffix(name, ".pdb");
}

/* True when the file is the PDB of the image. Otherwise why_not may be set: the first reason stays. */
static bool try_file(struct outcome *outcome, const char *path)
{
    struct outcome_pdb *pdb = &outcome->pdb;
    struct arena *arena = &outcome->arena;
    struct finding error = {0};
    const char *why = NULL;
    if (file_is_absent(path))
        return false;
    if (!file_read(path, arena, &pdb->file, &error) || !pdb_open(pdb->file.bytes, arena, &pdb->pdb, &error))
        why = arena_printf(arena, "%s", error.message);
    else if (!pdb_matches(&pdb->pdb, &pdb->codeview))
        why = "It belongs to another image: GUID or age differ.";
    else if (!pdb_has_sections_of(&pdb->pdb, &outcome->image))
        why = "Its section headers are not those of the image.";
    if (!why) {
        pdb->path = path;
        pdb->is_usable = true;
        return true;
    }
    if (!pdb->why_not) {
        pdb->path = path;
        pdb->why_not = why;
        pdb->error = error.code != 0 ? error
                                     : finding_make(arena, HVCI9081_PDB_OTHER_IMAGE, LEVEL_ERROR,
                                                    "\"%s\" is not the PDB of this image. %s", path, why);
        if (error.code == 0)
            pdb->error.cure = "Name the PDB of this very link, or repair without it (--no-pdb).";
    }
    return false;
}

void pipeline_pdb_search(struct outcome *outcome, const char *named_path)
{
    struct arena *arena = &outcome->arena;
    const char *names[2];
    if (named_path) {
        (void)try_file(outcome, named_path);
        return;
    }
    names[0] = beside(arena, outcome->path, outcome->pdb.codeview.file_name);
    names[1] = with_suffix(arena, outcome->path);
    for (size_t i = 0; i < 2; i++) {
        if (!is_pdb_name(names[i]) || (i == 1 && strcmp(names[0], names[1]) == 0))
            continue;
        /* What was kept: a run was ended between the PDB and the image. */
        if (try_file(outcome, names[i]) ||
            try_file(outcome, arena_printf(arena, "%s" PDB_KEPT_SUFFIX, names[i])))
            return;
    }
}

/* Is it there, and something else than a PDB? Then it is not overwritten: nobody named it. */
static bool is_foreign(struct arena *arena, const char *path)
{
    static const char magic[] = "Microsoft C/C++ ";
    struct file_content content;
    struct finding error;
    if (file_is_absent(path))
        return false;
    return !file_read(path, arena, &content, &error) || content.bytes.nbytes < sizeof magic - 1 ||
           memcmp(content.bytes.bytes, magic, sizeof magic - 1) != 0;
}

bool pipeline_pdb_name(struct outcome *outcome, const struct pipeline_options *options)
{
    struct outcome_pdb *pdb = &outcome->pdb;
    struct arena *arena = &outcome->arena;
    const char *image_path = options->output_path ? options->output_path : outcome->path;
    bool in_place = !options->output_path || file_is_same(options->output_path, outcome->path);
    const char *as_stated = beside(arena, image_path, pdb->codeview.file_name);
    const char *choices[3] = {is_pdb_name(pdb->codeview.file_name) ? as_stated
                                                                   : with_suffix(arena, image_path),
                              with_suffix(arena, image_path), arena_printf(arena, "%s.pdb", image_path)};
    size_t chosen = 0;
    /* With its image in place, the old PDB serves nobody any more. Otherwise it is not touched. */
    while (!in_place && chosen < 2 && file_is_same(choices[chosen], pdb->path))
        chosen++;
    pdb->new_path = choices[chosen];
    pdb->replaces = !file_is_absent(pdb->new_path) && file_is_same(pdb->new_path, pdb->path);
    pdb->kept_path = arena_printf(arena, "%s" PDB_KEPT_SUFFIX, pdb->new_path);
    if (arena->exhausted)
        return false;
    if (!is_foreign(arena, pdb->new_path))
        return !arena->exhausted;
    pdb->has_error = true;
    pdb->error = finding_make(arena, HVCI9007_CANNOT_WRITE, LEVEL_ERROR,
                              "The new PDB would be \"%s\", which is there and is no PDB that can be read.",
                              pdb->new_path);
    pdb->error.cure =
        "Move that file away, write the image to another folder, or repair without a PDB (--no-pdb).";
    return false;
}
