/* fix_package_texts.c - the INF files and catalogs of a package that is repaired.
 * Takes: its files.  Gives: notes, INF files with another DriverVer, and an index of catalogs.
 * Must not: change an INF but for DriverVer, and that on request only. */
#include "cli/fix_package_parts.h"

#include "base/path_name.h"
#include "package/package_infs.h"

enum { CATALOGS_MOST_NBYTES = 32 * 1024 * 1024 };

static bool add_note(struct package_fix *fix, const struct finding *note)
{
    return finding_add(&fix->outcome->problems, note);
}

/* Another DriverVer. False: the outcome has ended. */
static bool set_driver_ver(struct package_fix *fix, size_t number, const struct inf *inf)
{
    struct arena *arena = &fix->outcome->arena;
    const char *problem;
    struct span bytes;
    if (inf_set_driver_ver(inf, fix->run->options->driver_ver, arena, &bytes, &problem) &&
        parcel_change_to(&fix->changes[number], bytes, true))
        return true;
    struct finding error =
        finding_make(arena, HVCI9057_PACKAGE_NOT_WRITTEN, LEVEL_ERROR, "DriverVer of \"%s\" is not set: %s",
                     fix->parcel.entries[number].path, problem ? problem : "There was not enough memory.");
    error.cure = "Set it with an editor, or with stampinf, and leave --driver-ver out.";
    pipeline_end_with(fix->outcome, fix->parcel.path, &error, EXIT_FINDINGS);
    return false;
}

static bool read_inf(struct package_fix *fix, size_t number, const struct package_names *names,
                     size_t *driver_count)
{
    struct arena *arena = &fix->outcome->arena;
    const struct parcel_entry *entry = &fix->parcel.entries[number];
    struct span bytes;
    struct finding error;
    struct inf inf;
    struct inf_facts facts;
    const char *problem;
    if (!parcel_file(&fix->parcel, number, arena, &bytes, &error)) {
        pipeline_end_with(fix->outcome, fix->parcel.path, &error, EXIT_INPUT);
        return false;
    }
    /* What is no INF, or cannot be read as one, is a file like any other. */
    if (!inf_read(bytes, arena, &inf, &problem) || !inf_facts(&inf, arena, &facts) || !facts.is_driver)
        return true;
    ++*driver_count;
    fix->platforms |= facts.platforms;
    for (size_t i = 0; i < facts.source_count; i++) {
        if (facts.sources[i].is_packed || !path_has_suffix(facts.sources[i].name, ".sys") ||
            package_names_hold(names, facts.sources[i].name))
            continue;
        struct finding note = package_lacks_driver(arena, entry->path, &facts.sources[i]);
        if (!add_note(fix, &note))
            return true;
    }
    return !fix->run->options->driver_ver || set_driver_ver(fix, number, &inf);
}

static bool read_catalogs(struct package_fix *fix)
{
    struct arena *arena = &fix->outcome->arena;
    uint64_t nbytes_left = CATALOGS_MOST_NBYTES;
    size_t capacity = 0;
    fix->catalogs.arena = arena;
    for (size_t i = 0; i < fix->parcel.count; i++) {
        const struct parcel_entry *entry = &fix->parcel.entries[i];
        struct span bytes;
        struct finding error;
        if (entry->is_folder || !path_has_suffix(entry->name, ".cat"))
            continue;
        bool is_read = entry->nbytes <= nbytes_left && parcel_file(&fix->parcel, i, arena, &bytes, &error);
        if (!is_read) {
            if (entry->nbytes > nbytes_left)
                error = finding_make(arena, HVCI9052_PACKAGE_LIMIT, LEVEL_ERROR,
                                     "The catalogs of this package have more than 32 MiB.");
            error.cure = "Name one driver package, not a folder of many.";
            pipeline_end_with(fix->outcome, fix->parcel.path, &error, EXIT_INPUT);
            return false;
        }
        nbytes_left -= entry->nbytes;
        size_t *entries = arena_grow(arena, fix->catalog_entries, fix->catalogs.name_count, &capacity,
                                     fix->catalogs.name_count + 1, sizeof *entries);
        if (!entries)
            return true; /* the arena says so */
        fix->catalog_entries = entries;
        entries[fix->catalogs.name_count] = i;
        if (!catalog_index_add(&fix->catalogs, entry->path, bytes))
            return true;
    }
    catalog_index_sort(&fix->catalogs);
    return true;
}

bool fix_package_read_texts(struct package_fix *fix)
{
    struct arena *arena = &fix->outcome->arena;
    struct package_names names;
    size_t driver_count = 0;
    if (!package_names_collect(&fix->parcel, arena, &names))
        return true;
    for (size_t i = 0; i < fix->parcel.count; i++)
        if (!fix->parcel.entries[i].is_folder && path_has_suffix(fix->parcel.entries[i].name, ".inf") &&
            !read_inf(fix, i, &names, &driver_count))
            return false;
    if (fix->run->options->driver_ver && driver_count == 0) {
        struct finding error =
            finding_make(arena, HVCI9057_PACKAGE_NOT_WRITTEN, LEVEL_ERROR,
                         "There is no INF file of a driver in this package, so --driver-ver has "
                         "nothing to set.");
        error.cure = "Leave --driver-ver out, or name the package that has the INF file.";
        pipeline_end_with(fix->outcome, fix->parcel.path, &error, EXIT_FINDINGS);
        return false;
    }
    return read_catalogs(fix);
}

bool fix_package_is_stale(const struct package_fix *fix, size_t number, const char **name)
{
    for (size_t i = 0; i < fix->parcel.count; i++)
        if (fix->files[i].lists && fix->files[i].lists[number]) {
            *name = fix->parcel.entries[i].path;
            return true;
        }
    return false;
}
