/* fix_package_asked.c - what the command line asks of a package, or of a lone image, that it cannot have.
 * Takes: options, and what was named.  Gives: an error that ends it.  Must not: pass over a wish in silence.
 */
#include "cli/fix_package_parts.h"

bool fix_package_end_with(struct package_fix *fix, const struct finding *error, enum exit_code exit_code)
{
    pipeline_end_with(fix->outcome, fix->parcel.path, error, exit_code);
    return false;
}

bool fix_package_is_possible(struct package_fix *fix, const char *path)
{
    struct arena *arena = &fix->outcome->arena;
    const struct cli_options *options = fix->run->options;
    const char *option = options->map_path          ? "--map"
                         : options->linker_map_path ? "--linker-map"
                         : options->pdb_path        ? "--pdb"
                                                    : NULL;
    struct finding error;
    fix->parcel.path = path;
    if (option) {
        error = finding_make(arena, HVCI9010_USAGE, LEVEL_ERROR, "%s takes one image, and this is a package.",
                             option);
        error.cure = "Name the image.";
        return fix_package_end_with(fix, &error, EXIT_USAGE);
    }
    if (options->extract && fix->parcel.kind == PARCEL_FOLDER) {
        error = finding_make(arena, HVCI9010_USAGE, LEVEL_ERROR,
                             "--extract takes a program, and this is a folder.");
        error.cure = "Name the program; without --extract the images in the folder are repaired.";
        return fix_package_end_with(fix, &error, EXIT_USAGE);
    }
    if (!fix->out)
        return true;
    enum folder_at there = folder_look_at(fix->out, arena);
    bool is_archive = fix->parcel.kind == PARCEL_ZIP || fix->parcel.kind == PARCEL_CAB;
    if (is_archive && file_is_same(path, fix->out)) {
        error = finding_make(arena, HVCI9007_CANNOT_WRITE, LEVEL_ERROR,
                             "\"%s\" is the package itself, and a new one over it could not be undone.",
                             fix->out);
        error.cure = "Name another file, and keep the old package.";
        return fix_package_end_with(fix, &error, EXIT_WRITE);
    }
    if (fix->parcel.kind == PARCEL_FOLDER && folder_holds(path, fix->out, arena)) {
        error = finding_make(arena, HVCI9007_CANNOT_WRITE, LEVEL_ERROR, "\"%s\" lies in the package itself.",
                             fix->out);
        error.cure = "Name a folder outside of it.";
        return fix_package_end_with(fix, &error, EXIT_WRITE);
    }
    if (fix->writes_folder && there != FOLDER_AT_NOTHING && there != FOLDER_AT_EMPTY) {
        error = finding_make(arena, HVCI9007_CANNOT_WRITE, LEVEL_ERROR,
                             there == FOLDER_AT_FULL
                                 ? "The folder \"%s\" is there already and is not empty."
                                 : "\"%s\" is there already, and no folder that could be filled.",
                             fix->out);
        if (fix->folder_reason)
            error.message = arena_printf(arena, "%s The new package has to be a folder, because %s.",
                                         error.message, fix->folder_reason);
        error.cure = "Name a new folder, or take the old one away first.";
        return fix_package_end_with(fix, &error, EXIT_WRITE);
    }
    return true;
}

struct finding fix_package_without_image(struct package_fix *fix)
{
    static const char *const messages[] = {
        [PARCEL_FOLDER] = "There is no Windows image in this folder.",
        [PARCEL_ZIP] = "There is no Windows image in this archive.",
        [PARCEL_CAB] = "There is no Windows image in this archive.",
        [PARCEL_CARRIED] = "This program carries no Windows image.",
    };
    static const char *const cures[] = {
        [PARCEL_FOLDER] = "Name the folder that holds the drivers.",
        [PARCEL_ZIP] = "Name the archive that holds the drivers, or the driver itself.",
        [PARCEL_CAB] = "Name the archive that holds the drivers, or the driver itself.",
        [PARCEL_CARRIED] = "Without --extract the program itself is repaired.",
    };
    struct finding error = finding_make(&fix->outcome->arena, HVCI9001_NOT_A_PE_IMAGE, LEVEL_ERROR, "%s",
                                        messages[fix->parcel.kind]);
    error.cure = cures[fix->parcel.kind];
    return error;
}

const char *fix_asks_for_package(const struct cli_options *options, const struct work_item *item)
{
    if (options->verb != VERB_FIX || item->kind != WORK_IMAGE)
        return NULL;
    return options->driver_ver ? "--driver-ver" : options->partial ? "--partial" : NULL;
}

void fix_refuse_lone_image(const struct cli_options *options, const struct work_item *item,
                           struct outcome *outcome)
{
    const char *option = fix_asks_for_package(options, item);
    struct finding error;
    if (!option || !outcome->has_image || outcome->was_stopped)
        return;
    error = finding_make(&outcome->arena, HVCI9010_USAGE, LEVEL_ERROR,
                         "%s takes a package, and this is an image.", option);
    error.cure = "Name the folder, zip or cab that holds it, or leave the option out.";
    outcome->problems.count = outcome->findings.count = 0;
    pipeline_end_with(outcome, outcome->path, &error, EXIT_USAGE);
}
