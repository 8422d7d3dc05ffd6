/* fix_package_write.c - the new package: written under another name, read back, compared, given its name.
 * Takes: a package whose files are all decided.  Gives: the new one, or nothing.  Must not: leave half of it.
 */
#include "cli/fix_package_parts.h"

#include "base/path_name.h"
#include "package/cab_rewrite.h"
#include "package/catalog_request.h"
#include "package/zip_rewrite.h"

#include <string.h>

bool fix_package_stage(struct package_fix *fix, size_t number, struct span bytes, struct arena *arena,
                       struct finding *error)
{
    const struct parcel_entry *entry = &fix->parcel.entries[number];
    struct file_look look = entry->look;
    if (fix->changes[number].fate == PARCEL_REPLACE || fix->parcel.kind == PARCEL_CARRIED)
        look.written_s = FOLDER_TIME_NOW;
    if (fix->parcel.kind != PARCEL_FOLDER)
        look.mode = 0; /* as new files are */
    return folder_put(arena_printf(arena, "%s/%s", fix->temporary, entry->name), bytes, &look, arena, error);
}

/* All folders that lead to the name. */
static bool create_folders(struct package_fix *fix, const char *name, bool is_folder, struct finding *error)
{
    struct arena *arena = &fix->outcome->arena;
    size_t nbytes = strlen(name);
    for (size_t i = 1; i < nbytes; i++)
        if (name[i] == '/' &&
            !folder_create(arena_printf(arena, "%s/%.*s", fix->temporary, (int)i, name), arena, error))
            return false;
    return !is_folder || name[nbytes - 1] == '/' ||
           folder_create(arena_printf(arena, "%s/%s", fix->temporary, name), arena, error);
}

/* Room for the path of any entry below the temporary folder. */
static bool make_path_room(struct package_fix *fix)
{
    size_t longest_nbytes = 0;
    for (size_t i = 0; i < fix->parcel.count; i++) {
        size_t nbytes = strlen(fix->parcel.entries[i].name);
        longest_nbytes = nbytes > longest_nbytes ? nbytes : longest_nbytes;
    }
    fix->path_room = arena_alloc(&fix->outcome->arena, strlen(fix->temporary) + longest_nbytes + 2);
    return fix->path_room != NULL;
}

bool fix_package_begin_output(struct package_fix *fix, struct finding *error)
{
    if (!fix->out || !fix->writes_folder)
        return true;
    const char *temporary = folder_create_temporary(fix->out, &fix->outcome->arena, error);
    const char *last = "";
    fix->temporary = temporary;
    if (temporary && !make_path_room(fix)) {
        folder_take_away(temporary, true, &fix->outcome->arena);
        fix->temporary = NULL;
        return true; /* the arena says so */
    }
    for (size_t i = 0; fix->temporary && i < fix->parcel.count; i++) {
        const char *name = fix->parcel.entries[i].name;
        const char *slash = strrchr(name, '/');
        size_t nbytes = slash ? (size_t)(slash - name) + 1 : 0;
        bool is_known = strncmp(last, name, nbytes) == 0; /* the folder of the entry before */
        if ((fix->parcel.entries[i].is_folder || !is_known) &&
            !create_folders(fix, name, fix->parcel.entries[i].is_folder, error))
            return false;
        last = name;
    }
    return fix->temporary != NULL;
}

void fix_package_give_up_output(struct package_fix *fix)
{
    size_t base_nbytes = strlen(fix->temporary);
    memcpy(fix->path_room, fix->temporary, base_nbytes);
    char *name = fix->path_room + base_nbytes + 1;
    name[-1] = '/';
    for (size_t i = 0; i < fix->parcel.count; i++) {
        strcpy(name, fix->parcel.entries[i].name);
        if (!fix->parcel.entries[i].is_folder)
            folder_take_away(fix->path_room, false, &fix->outcome->arena);
    }
    /* All folders on the way, from the deepest up; one that still holds another goes with that one. */
    for (size_t i = fix->parcel.count; i-- > 0;) {
        strcpy(name, fix->parcel.entries[i].name);
        if (fix->parcel.entries[i].is_folder)
            folder_take_away(fix->path_room, true, &fix->outcome->arena);
        for (char *slash; (slash = strrchr(name, '/'));) {
            *slash = 0;
            folder_take_away(fix->path_room, true, &fix->outcome->arena);
        }
    }
    folder_take_away(fix->temporary, true, &fix->outcome->arena);
}

/* Catalogs that do not match any more, and in a folder that holds only repaired images nothing else. */
static bool leave_out(struct package_fix *fix, struct finding *error)
{
    struct arena *arena = &fix->outcome->arena;
    const char *name;
    for (size_t i = 0; i < fix->catalogs.name_count; i++) {
        size_t number = fix->catalog_entries[i];
        if (!fix_package_is_stale(fix, i, &name))
            continue;
        fix->changes[number].fate = PARCEL_LEAVE_OUT;
        if (fix->temporary &&
            !file_remove(arena_printf(arena, "%s/%s", fix->temporary, fix->parcel.entries[number].name),
                         arena, error))
            return false;
    }
    return true;
}

/* Folders get their times when nothing is put into them any more; the one that is written to last first. */
static bool finish_folders(struct package_fix *fix, struct finding *error)
{
    struct arena *arena = &fix->outcome->arena;
    for (size_t i = fix->parcel.count; fix->parcel.kind == PARCEL_FOLDER && i-- > 0;) {
        const struct parcel_entry *entry = &fix->parcel.entries[i];
        if (entry->is_folder && !folder_set_look(arena_printf(arena, "%s/%s", fix->temporary, entry->name),
                                                 &entry->look, arena, error))
            return false;
    }
    return true;
}

static bool write_folder(struct package_fix *fix, struct finding *error)
{
    struct arena *arena = &fix->outcome->arena;
    struct parcel written;
    return finish_folders(fix, error) && parcel_read_folder(fix->temporary, arena, &written, error) &&
           parcel_is_changed_so(&fix->parcel, fix->changes, &written, arena, error) &&
           folder_rename(fix->temporary, fix->out, arena, error);
}

struct acceptance {
    struct package_fix *fix;
    struct span archive; /* the old one */
    struct finding *error;
    bool is_refused;
};

/* What came back from the disk, read by libarchive, which has not written it. */
static bool accept_archive(void *context, struct span written)
{
    struct acceptance *acceptance = context;
    struct package_fix *fix = acceptance->fix;
    struct arena *arena = &fix->outcome->arena;
    struct parcel parcel;
    bool is_accepted =
        parcel_read_archive(fix->parcel.path, written, arena, &parcel, acceptance->error) &&
        parcel_is_changed_so(&fix->parcel, fix->changes, &parcel, arena, acceptance->error) &&
        (fix->parcel.kind != PARCEL_CAB ||
         cab_is_rewritten_so(acceptance->archive, fix->changes, written, arena, acceptance->error));
    acceptance->is_refused = !is_accepted;
    return is_accepted;
}

static bool rewrite_zip(struct package_fix *fix, struct span archive, struct span *rewritten,
                        const char **problem)
{
    struct zip_change *changes = arena_array(&fix->outcome->arena, fix->parcel.count, sizeof *changes);
    static const enum zip_fate fates[] = {
        [PARCEL_KEEP] = ZIP_KEEP, [PARCEL_REPLACE] = ZIP_REPLACE, [PARCEL_LEAVE_OUT] = ZIP_LEAVE_OUT};
    for (size_t i = 0; changes && i < fix->parcel.count; i++)
        changes[i] = (struct zip_change){fates[fix->changes[i].fate], fix->parcel.entries[i].bytes,
                                         fix->changes[i].bytes};
    *problem = NULL;
    return changes &&
           zip_rewrite(archive, changes, fix->parcel.count, &fix->outcome->arena, rewritten, problem);
}

static bool write_archive(struct package_fix *fix, struct span archive, struct finding *error)
{
    struct arena *arena = &fix->outcome->arena;
    struct span rewritten = {0};
    const char *problem;
    bool is_rewritten = fix->parcel.kind == PARCEL_CAB
                            ? cab_rewrite(archive, &fix->parcel, fix->changes, arena, &rewritten, &problem)
                            : rewrite_zip(fix, archive, &rewritten, &problem);
    if (!is_rewritten) {
        *error = problem ? finding_make(arena, HVCI9050_PACKAGE_DAMAGED, LEVEL_ERROR,
                                        "The archive %s, so no new one is made.", problem)
                         : finding_make(arena, HVCI9008_OUT_OF_MEMORY, LEVEL_ERROR,
                                        "There was not enough memory for the new archive.");
        error->cure = "Unpack it, name the folder, and pack the new folder.";
        return false;
    }
    struct acceptance acceptance = {.fix = fix, .archive = archive, .error = error};
    struct file_replacement replacement = {.path = fix->out,
                                           .bytes = rewritten,
                                           .mode = fix->outcome->file.mode,
                                           .accept = accept_archive,
                                           .context = &acceptance,
                                           .stop = fix->pipeline.stop};
    return file_replace(&replacement, arena, error) == FILE_WRITTEN;
}

bool fix_package_write(struct package_fix *fix, struct span archive, struct finding *error)
{
    *error = finding_make(&fix->outcome->arena, HVCI9007_CANNOT_WRITE, LEVEL_ERROR,
                          "The package was not written.");
    if (!leave_out(fix, error))
        return false;
    return fix->writes_folder ? write_folder(fix, error) : write_archive(fix, archive, error);
}

/* OUT without a separator at its end, and without ".zip" or ".cab". */
static const char *stem_of(const char *path, bool is_archive, struct arena *arena)
{
    size_t nbytes = strlen(path);
    while (nbytes > 1 && path_is_separator(path[nbytes - 1]))
        nbytes--;
    const char *stem = arena_printf(arena, "%.*s", (int)nbytes, path);
    if (is_archive && (path_has_suffix(stem, ".zip") || path_has_suffix(stem, ".cab")))
        stem = arena_printf(arena, "%.*s", (int)nbytes - 4, path);
    return stem;
}

bool fix_package_request_catalogs(struct package_fix *fix, struct finding *error)
{
    struct arena *arena = &fix->outcome->arena;
    const char *name;
    const char *stem = stem_of(fix->out, !fix->writes_folder, arena);
    const char *folder = path_last_part(stem);
    for (size_t i = 0; i < fix->catalogs.name_count; i++) {
        size_t number = fix->catalog_entries[i];
        struct text text = {.arena = arena};
        if (!fix_package_is_stale(fix, i, &name))
            continue;
        catalog_request(&fix->parcel, fix->changes, number, folder, &text);
        char *beside = arena_copy_text(arena, fix->parcel.entries[number].name,
                                       strlen(fix->parcel.entries[number].name));
        for (char *at = beside; at && *at; at++)
            if (path_is_separator(*at))
                *at = '_';
        struct file_replacement replacement = {
            .path = arena_printf(arena, "%s.%s.cdf", stem, beside ? beside : ""),
            .bytes = {(const uint8_t *)text.chars, text.nbytes},
            .mode = 0644};
        if (arena->exhausted || file_replace(&replacement, arena, error) != FILE_WRITTEN)
            return false;
    }
    return true;
}
