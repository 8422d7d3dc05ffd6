/* pipeline_symbols.c - names for the functions of an image, from a PDB or a map of its linker.
 * Takes: an image, and what was named for it.  Gives: names, when they belong to this image.  Must not: look
 * for a file that nobody named; take names on trust; change what is judged. */
#include "pipeline_parts.h"

#include "base/path_name.h"
#include "io/folder.h"
#include "pdb/map_publics.h"
#include "pdb/pdb_symbols.h"

#include <string.h>

static const char cure[] = "Name the PDB or the map that the linker wrote together with this image.";

/* One file that is tried. */
struct attempt {
    struct outcome *outcome;
    const char *path;
    struct finding note; /* why it gives no names */
};

static bool fail(struct attempt *attempt, enum finding_code code, const char *why)
{
    attempt->note = finding_make(&attempt->outcome->arena, code, LEVEL_NOTE,
                                 "No names were taken from \"%s\". %s", attempt->path, why);
    attempt->note.cure = cure;
    return false;
}

/* Public names are those that the linker has; those of modules are as in the source. */
static bool take_pdb_symbols(struct attempt *attempt, const struct pdb_symbols *symbols)
{
    struct outcome *outcome = attempt->outcome;
    struct arena *arena = &outcome->arena;
    struct given_names *names = &outcome->names;
    names->items = arena_array(arena, symbols->count, sizeof *names->items);
    for (size_t i = 0; names->items && i < symbols->count; i++) {
        const struct pdb_symbol *symbol = &symbols->items[i];
        struct span text = {(const uint8_t *)symbol->name, strlen(symbol->name)};
        if (!symbol->is_function || text.nbytes > FUNCTION_NAME_MOST_NBYTES)
            continue;
        if (symbol->is_public)
            text = name_undecorated(&outcome->image, text);
        names->items[names->count++] = (struct given_name){
            symbol->rva, symbol->nbytes, arena_copy_text(arena, (const char *)text.bytes, text.nbytes)};
    }
    if (arena->exhausted)
        return false;
    given_names_order(names);
    return true;
}

static bool read_pdb(struct attempt *attempt, struct span file)
{
    struct outcome *outcome = attempt->outcome;
    struct codeview codeview;
    struct pdb_symbols symbols;
    struct finding error;
    struct pdb pdb;
    const char *why;
    if (!pdb_open(file, &outcome->arena, &pdb, &error))
        return fail(attempt, error.code, error.message);
    if (!codeview_read(&outcome->image, &outcome->arena, &codeview, NULL))
        return fail(attempt, HVCI9081_PDB_OTHER_IMAGE,
                    "The image names no PDB that it could be compared with.");
    why = pdb_why_other(&pdb, &codeview, &outcome->image);
    if (why)
        return fail(attempt, HVCI9081_PDB_OTHER_IMAGE, why);
    if (!pdb_symbols_read(&pdb, &outcome->arena, &symbols, &error))
        return fail(attempt, error.code, error.message);
    return take_pdb_symbols(attempt, &symbols);
}

static bool read_map(struct attempt *attempt, struct span file)
{
    struct outcome *outcome = attempt->outcome;
    const char *why;
    switch (map_publics_read(file, &outcome->image, &outcome->names, &why)) {
    case MAP_FITS:
        return true;
    case MAP_UNREADABLE:
        return fail(attempt, HVCI9080_PDB_UNREADABLE,
                    arena_printf(&outcome->arena, "It is neither a PDB nor a map of a linker: %s.", why));
    case MAP_OF_ANOTHER:
        return fail(attempt, HVCI9081_PDB_OTHER_IMAGE,
                    arena_printf(&outcome->arena, "The map belongs to another image: %s.", why));
    case MAP_NO_MEMORY:
        break;
    }
    return false;
}

/* True when the names were taken. */
static bool try_file(struct attempt *attempt)
{
    struct outcome *outcome = attempt->outcome;
    struct file_content content;
    struct finding error;
    if (!file_read(attempt->path, &outcome->arena, &content, &error))
        return fail(attempt, error.code, error.message);
    bool is_pdb = path_has_suffix(attempt->path, ".pdb") || pdb_is(content.bytes);
    bool is_taken = is_pdb ? read_pdb(attempt, content.bytes) : read_map(attempt, content.bytes);
    if (!is_taken)
        outcome->names = (struct given_names){.items = NULL};
    return is_taken;
}

/* Says why there are none. False when memory ran out. */
static bool note(struct outcome *outcome, const struct attempt *attempt)
{
    outcome->names_refused = attempt->note.code;
    return !outcome->arena.exhausted && finding_add(&outcome->image.notes, &attempt->note);
}

/* The names under which a folder may have it: as the image states, and by the image's own name. */
static bool try_folder(struct outcome *outcome, const char *folder)
{
    struct arena *arena = &outcome->arena;
    struct codeview codeview;
    const char *name = path_file_name(outcome->path), *dot = strrchr(name, '.'), *paths[3] = {NULL};
    int stem = (int)(dot && dot != name ? (size_t)(dot - name) : strlen(name));
    struct attempt first = {.outcome = NULL};
    /* What an image states is read, not trusted: its file name leads to this folder or nowhere. */
    if (codeview_read(&outcome->image, arena, &codeview, NULL) && path_has_suffix(codeview.file_name, ".pdb"))
        paths[0] = arena_printf(arena, "%s/%s", folder, codeview.file_name);
    paths[1] = arena_printf(arena, "%s/%.*s.pdb", folder, stem, name);
    paths[2] = arena_printf(arena, "%s/%.*s.map", folder, stem, name);
    for (size_t i = 0; i < 3 && !arena->exhausted; i++) {
        struct attempt attempt = {.outcome = outcome, .path = paths[i]};
        if (!paths[i] || (i == 1 && paths[0] && strcmp(paths[0], paths[1]) == 0) || file_is_absent(paths[i]))
            continue;
        if (try_file(&attempt))
            return true;
        if (!first.outcome)
            first = attempt;
    }
    return !first.outcome ? !arena->exhausted : note(outcome, &first);
}

bool pipeline_symbols_read(struct outcome *outcome, const struct pipeline_options *options)
{
    struct attempt attempt = {.outcome = outcome, .path = options->symbols_path};
    if (options->no_code || (outcome->image.role != ROLE_KERNEL && !options->lists_calls))
        return true; /* no call will be looked at */
    enum folder_at at = folder_look_at(options->symbols_path, &outcome->arena);
    if (at == FOLDER_AT_EMPTY || at == FOLDER_AT_FULL)
        return try_folder(outcome, options->symbols_path);
    return try_file(&attempt) || note(outcome, &attempt);
}

const struct given_names *pipeline_symbols_moved(struct outcome *outcome)
{
    const struct layout *layout = outcome->plan.layout;
    const struct given_names *old = &outcome->names;
    if (!layout || !layout->moves || old->count == 0)
        return old;
    struct given_names *moved = arena_alloc(&outcome->arena, sizeof *moved);
    struct given_name *items = arena_array(&outcome->arena, old->count, sizeof *items);
    if (!moved || !items)
        return NULL;
    for (size_t i = 0; i < old->count; i++) {
        items[i] = old->items[i];
        items[i].rva = layout_map_rva(layout, items[i].rva);
    }
    *moved = (struct given_names){items, old->count};
    given_names_order(moved);
    return moved;
}
