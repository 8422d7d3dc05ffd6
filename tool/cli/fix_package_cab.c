/* fix_package_cab.c - what a cabinet becomes: a cabinet, or a folder and why.
 * Takes: the old cabinet and OUT.  Gives: the form of the new package, and words about it.
 * Must not: write; change the form once files are staged. */
#include "cli/fix_package_parts.h"

#include "base/path_name.h"
#include "package/cab_rewrite.h"

#include <string.h>

/* A folder is asked for by a separator behind OUT, or by one that is there. */
static bool wants_folder(const char *out, struct arena *arena)
{
    size_t nbytes = strlen(out);
    enum folder_at there = folder_look_at(out, arena);
    return (nbytes != 0 && path_is_separator(out[nbytes - 1])) || there == FOLDER_AT_EMPTY ||
           there == FOLDER_AT_FULL;
}

void fix_package_choose_form(struct package_fix *fix, struct span archive)
{
    struct arena *arena = &fix->outcome->arena;
    fix->writes_folder = fix->parcel.kind != PARCEL_ZIP;
    fix->folder_reason = NULL;
    if (fix->parcel.kind != PARCEL_CAB || !fix->out || wants_folder(fix->out, arena))
        return;
    fix->folder_reason = cab_rewrite_obstacle(archive, fix->run->options->drop_signature, arena);
    fix->writes_folder = fix->folder_reason != NULL;
}

const char *fix_package_form_words(const struct package_fix *fix, struct span archive)
{
    struct arena *arena = &fix->outcome->arena;
    bool is_changed = false;
    if (fix->parcel.kind != PARCEL_CAB)
        return "";
    if (fix->writes_folder)
        return fix->folder_reason
                   ? arena_printf(arena, ". The new package is a folder, because %s", fix->folder_reason)
                   : ". The new package is a folder";
    for (size_t i = 0; i < fix->parcel.count; i++)
        is_changed = is_changed || fix->changes[i].fate != PARCEL_KEEP;
    const char *loss = is_changed ? cab_rewrite_loss(archive, arena) : NULL;
    return loss ? arena_printf(arena, ". Of the new cabinet: %s", loss) : "";
}
