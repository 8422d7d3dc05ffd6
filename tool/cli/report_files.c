/* report_files.c - report_files.h.
 * Takes: paths.  Gives: reasons.  Must not: write, or print. */
#include "cli/report_files.h"

#include "base/path_name.h"
#include "base/pe_format.h"
#include "base/text.h"
#include "pdb/pdb.h"
#include "undo/undo.h"

/* Whatever the command line says of it: a file that begins like one of these is not an old report or map.
 * NULL: it may be one. */
static const char *kind_of(const char *path)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct file_content file = {0};
    struct finding error;
    const char *kind = NULL;
    if (!file_is_absent(path) && file_read(path, &arena, &file, &error)) {
        struct span bytes = file.bytes;
        if (bytes.nbytes >= 2 && load_u16(bytes.bytes) == DOS_MAGIC)
            kind = "an image";
        else if (undo_is(bytes))
            kind = "an undo file";
        else if (pdb_is(bytes))
            kind = "a PDB";
    }
    arena_free(&arena);
    return kind;
}

/* Files that are not there yet are the same when their names are, in the same folder. Names that differ in
 * case only are taken for the same: on many systems they are. */
static bool will_be_same(const char *a, const char *b)
{
    const char *a_name = path_last_part(a), *b_name = path_last_part(b);
    if (!text_same_word(a_name, b_name))
        return false;
    struct arena arena;
    arena_init(&arena, NULL);
    const char *a_folder = a_name == a ? "." : arena_printf(&arena, "%.*s", (int)(a_name - a), a);
    const char *b_folder = b_name == b ? "." : arena_printf(&arena, "%.*s", (int)(b_name - b), b);
    bool is_same = arena.exhausted || file_is_same(a_folder, b_folder);
    arena_free(&arena);
    return is_same;
}

static bool is_same_file(const char *a, const char *b)
{
    return a && b && (strcmp(a, b) == 0 || file_is_same(a, b) || will_be_same(a, b));
}

bool report_hits_image(const struct cli_options *options, const char *path)
{
    if (!path)
        return false;
    if (options->output_path &&
        (strcmp(path, options->output_path) == 0 || file_is_same(path, options->output_path)))
        return true;
    if (options->after_path && file_is_same(path, options->after_path))
        return true;
    for (size_t i = 0; i < options->path_count; i++)
        if (file_is_same(path, options->paths[i]))
            return true;
    return kind_of(path) != NULL; /* it may lie in a folder that is judged */
}

/* What neither a report nor a map may lie over. */
static const char *file_refusal(const struct cli_options *options, const struct policy *policy,
                                const char *path)
{
    const char *kind = kind_of(path);
    if (kind)
        return kind;
    if (report_hits_image(options, path) || is_same_file(path, options->output_path))
        return "an image";
    if (is_same_file(path, options->pdb_path))
        return "a PDB";
    if (is_same_file(path, options->policy_path))
        return "the policy file";
    for (size_t i = 0; policy && i < policy->file_count; i++)
        if (is_same_file(path, policy->files[i]))
            return "a policy file";
    if (is_same_file(path, options->baseline_path))
        return "the baseline";
    return NULL;
}

static const char *report_file_refusal(const struct cli_options *options, const struct policy *policy,
                                       const char *path)
{
    const char *refusal = file_refusal(options, policy, path);
    if (refusal)
        return refusal;
    if (is_same_file(path, options->map_path) || is_same_file(path, options->linker_map_path))
        return "the map";
    if (is_same_file(path, options->report_path))
        return "the report of --output";
    return NULL;
}

/* False when an earlier wish names the same file. */
static bool is_first_of_its_name(const struct report_wish *wishes, size_t number)
{
    for (size_t i = 0; i < number; i++)
        if (is_same_file(wishes[i].path, wishes[number].path))
            return false;
    return true;
}

static bool check_wish(const struct cli_options *options, const struct policy *policy,
                       const struct report_wish *wishes, size_t number, struct arena *arena,
                       const char **message)
{
    const char *path = wishes[number].path;
    const char *refusal = report_file_refusal(options, policy, path);
    if (!refusal && !is_first_of_its_name(wishes, number))
        refusal = "another report";
    if (refusal)
        *message = arena_printf(arena, "The report %s would be written over %s.", path, refusal);
    return !refusal;
}

/* The maps are written behind the image, its undo file and its PDB, which may not be there yet: these are
 * known by their names. */
static bool check_map(const struct cli_options *options, const struct policy *policy, const char *path,
                      struct arena *arena, const char **message)
{
    const char *refusal = path ? file_refusal(options, policy, path) : NULL;
    if (path && !refusal && path_has_suffix(path, UNDO_SUFFIX))
        refusal = "an undo file";
    if (path && !refusal && path_has_suffix(path, ".pdb"))
        refusal = "a PDB";
    if (path && !refusal && path == options->linker_map_path && is_same_file(path, options->map_path))
        refusal = "the other map";
    if (refusal)
        *message = arena_printf(arena, "The map %s would be written over %s.", path, refusal);
    return !refusal;
}

/* What the command line says holds before what the policy says. */
static struct report_settings merged_settings(const struct cli_options *options, const struct policy *policy)
{
    struct report_settings settings = options->report_settings;
    settings.has_baseline = options->baseline_path != NULL;
    if (policy && !options->has_sarif_profile && !options->has_sarif_anchor)
        settings.sarif_profile = policy->report_settings.sarif_profile;
    else if (!options->has_sarif_profile && options->has_sarif_anchor)
        settings.sarif_profile = SARIF_GITHUB; /* an anchor is of no use elsewhere */
    if (policy && !options->has_sarif_anchor) {
        settings.anchor_file = policy->report_settings.anchor_file;
        settings.anchor_line = policy->report_settings.anchor_line;
    }
    if (policy && !settings.category)
        settings.category = policy->report_settings.category;
    if (policy && policy->report_settings.with_passes)
        settings.with_passes = true;
    return settings;
}

bool report_files_plan(const struct cli_options *options, const struct policy *policy, struct arena *arena,
                       struct report_wish **wishes, size_t *wish_count, struct report_settings *settings,
                       const char **message)
{
    *settings = merged_settings(options, policy);
    *wish_count = 0;
    *wishes = NULL;
    if (!check_map(options, policy, options->map_path, arena, message) ||
        !check_map(options, policy, options->linker_map_path, arena, message))
        return false;
    bool is_on_stream = options->format == FORMAT_SARIF || options->format == FORMAT_HTML;
    if (options->report_count == 0 && (!policy || policy->report_count == 0) && !is_on_stream)
        return true;
    *wishes = arena_array(arena, REPORT_SINKS_MOST + 1, sizeof **wishes);
    if (!*wishes) {
        *message = NULL;
        return false;
    }
    for (size_t i = 0; i < options->report_count; i++) {
        (*wishes)[*wish_count] = options->reports[i];
        if (!check_wish(options, policy, *wishes, *wish_count, arena, message))
            return false;
        (*wish_count)++;
    }
    for (size_t i = 0; policy && i < policy->report_count; i++) {
        (*wishes)[*wish_count] = policy->reports[i];
        if (!is_first_of_its_name(*wishes, *wish_count))
            continue; /* the command line, or another layer of the policy, asks for it too */
        if (*wish_count == REPORTS_MOST) {
            *message = "There are more than 16 reports, on the command line and in the policy.";
            return false;
        }
        if (!check_wish(options, policy, *wishes, *wish_count, arena, message))
            return false;
        (*wish_count)++;
    }
    if (is_on_stream)
        (*wishes)[(*wish_count)++] = (struct report_wish){NULL, (enum report_format)options->format, false};
    return true;
}
