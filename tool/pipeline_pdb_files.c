/* pipeline_pdb_files.c - where a PDB is looked for, and where the new one goes. See pipeline_pdb.h and
 * docs/DEBUGGING.md. */
#include "pipeline.h"

#include "base/path_name.h"
#include "io/folder.h"

/* Other names that an image states are not followed: it would be read and replaced. */
static bool is_pdb_name(const char *name)
{
    return strlen(name) > strlen(".pdb") && path_has_suffix(name, ".pdb");
}

/* Is what outcome->pdb.file holds the PDB of the image? `why`: it cannot be, a sentence, or NULL. Otherwise
 * why_not may be set: the first reason stays. */
static bool try_content(struct outcome *outcome, const char *path, const char *why, struct finding *error)
{
    struct outcome_pdb *pdb = &outcome->pdb;
    struct arena *arena = &outcome->arena;
    if (!why && !pdb_open(pdb->file.bytes, arena, &pdb->pdb, error))
        why = arena_printf(arena, "%s", error->message);
    else if (!why)
        why = pdb_why_other(&pdb->pdb, &pdb->codeview, &outcome->image);
    if (!why) {
        pdb->path = path;
        pdb->is_usable = true;
        return true;
    }
    if (!pdb->why_not) {
        pdb->path = path;
        pdb->why_not = why;
        pdb->error = error->code != 0 ? *error
                                      : finding_make(arena, HVCI9081_PDB_OTHER_IMAGE, LEVEL_ERROR,
                                                     "\"%s\" is not the PDB of this image. %s", path, why);
        if (error->code == 0)
            pdb->error.cure = "Name the PDB of this very link, or repair without it (--no-pdb).";
    }
    return false;
}

/* A file that is there and that the system does not let us read ends the repair: it may be the PDB, and the
 * image must not leave it behind without being asked to. */
static bool try_file(struct outcome *outcome, const char *path)
{
    struct outcome_pdb *pdb = &outcome->pdb;
    struct finding error = {0};
    if (pdb->has_error)
        return false;
    if (file_read(path, &outcome->arena, &pdb->file, &error))
        return try_content(outcome, path, NULL, &error);
    if (file_is_absent(path))
        return false;
    enum folder_at at = folder_look_at(path, &outcome->arena);
    if (at == FOLDER_AT_EMPTY || at == FOLDER_AT_FULL)
        return false; /* a symbol store has folders of this name */
    pdb->has_error = true;
    pdb->error = error;
    pdb->error.cure =
        "Close the program that holds it (a debugger, say), or repair without the PDB (--no-pdb).";
    return false;
}

void pipeline_pdb_take_given(struct outcome *outcome, const struct pdb_given *given)
{
    struct finding error = {0};
    outcome->pdb.file = (struct file_content){.bytes = given->bytes};
    (void)try_content(outcome, given->path, given->why_not, &error);
}

void pipeline_pdb_search(struct outcome *outcome, const char *named_path)
{
    struct arena *arena = &outcome->arena;
    const char *names[2];
    if (named_path) {
        (void)try_file(outcome, named_path);
        return;
    }
    names[0] = path_beside(arena, outcome->path, outcome->pdb.codeview.file_name);
    names[1] = path_with_suffix(arena, outcome->path, ".pdb");
    for (size_t i = 0; i < 2; i++) {
        if (!is_pdb_name(names[i]) || (i == 1 && strcmp(names[0], names[1]) == 0))
            continue;
        /* What was kept: a run was ended between the PDB and the image. */
        if (try_file(outcome, names[i]) ||
            try_file(outcome, arena_printf(arena, "%s" PDB_KEPT_SUFFIX, names[i])))
            return;
    }
}

/* Something stands where the new PDB would be, and nobody named it. */
static bool refuse_place(struct outcome *outcome, const char *what)
{
    struct outcome_pdb *pdb = &outcome->pdb;
    pdb->has_error = true;
    pdb->error = finding_make(&outcome->arena, HVCI9007_CANNOT_WRITE, LEVEL_ERROR,
                              "The new PDB would be \"%s\", which is there and %s.", pdb->new_path, what);
    pdb->error.cure =
        "Move that file away, write the image to another folder, or repair without a PDB (--no-pdb).";
    return false;
}

/* What has the name now. Only a PDB is replaced, and none is lost. */
static bool look_at_place(struct outcome *outcome)
{
    struct outcome_pdb *pdb = &outcome->pdb;
    struct arena *arena = &outcome->arena;
    struct pdb before;
    struct finding error;
    bool is_same_path = strcmp(pdb->new_path, pdb->path) == 0;
    pdb->before = pdb->file;
    pdb->has_before = is_same_path || file_read(pdb->new_path, arena, &pdb->before, &error);
    if (!pdb->has_before && !file_is_absent(pdb->new_path))
        return refuse_place(outcome, "is no PDB that can be read");
    pdb->replaces = is_same_path || (pdb->has_before && file_is_same(pdb->new_path, pdb->path));
    pdb->was_kept = !file_is_absent(pdb->kept_path) && file_is_same(pdb->kept_path, pdb->path);
    pdb->before_is_rewritten = false;
    if (!pdb->has_before)
        return true;
    if (!pdb_is(pdb->before.bytes))
        return refuse_place(outcome, "is no PDB that can be read");
    pdb->before_is_rewritten =
        pdb_open(pdb->before.bytes, arena, &before, &error) && pdb_is_rewritten(&before);
    /* The name for what is kept is taken by the PDB of this image. */
    if (pdb->was_kept && !pdb->before_is_rewritten)
        return refuse_place(outcome, "is the PDB of another link");
    return !arena->exhausted;
}

bool pipeline_pdb_name(struct outcome *outcome, const struct pipeline_options *options)
{
    struct outcome_pdb *pdb = &outcome->pdb;
    struct arena *arena = &outcome->arena;
    const char *image_path = options->output_path ? options->output_path : outcome->path;
    bool in_place = !options->output_path || file_is_same(options->output_path, outcome->path);
    const char *as_stated = path_beside(arena, image_path, pdb->codeview.file_name);
    const char *choices[3] = {
        is_pdb_name(pdb->codeview.file_name) ? as_stated : path_with_suffix(arena, image_path, ".pdb"),
        path_with_suffix(arena, image_path, ".pdb"), arena_printf(arena, "%s.pdb", image_path)};
    size_t chosen = 0;
    /* With its image in place, the old PDB serves nobody any more. Otherwise it is not touched. */
    while (!in_place && chosen < 2 && file_is_same(choices[chosen], pdb->path))
        chosen++;
    pdb->new_path = choices[chosen];
    pdb->kept_path = arena_printf(arena, "%s" PDB_KEPT_SUFFIX, pdb->new_path);
    return !arena->exhausted && look_at_place(outcome);
}
