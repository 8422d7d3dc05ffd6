/* check_infs.c - check_infs.h.
 * Takes: a folder, or an archive.  Gives: notes of HVCI9055.  Must not: complain of what cannot be read: the
 * images say so.
 */
#include "cli/check_infs.h"

#include "base/path_name.h"
#include "package/package_infs.h"

static bool note_missing(const char *path, const struct inf_facts *facts, const struct package_names *names,
                         struct outcome *outcome)
{
    for (size_t i = 0; i < facts->source_count; i++) {
        if (facts->sources[i].is_packed || !path_has_suffix(facts->sources[i].name, ".sys") ||
            package_names_hold(names, facts->sources[i].name))
            continue;
        struct finding note = package_lacks_driver(&outcome->arena, path, &facts->sources[i]);
        if (!finding_add(&outcome->problems, &note))
            return false;
    }
    return true;
}

static bool check_parcel(const struct parcel *parcel, struct outcome *outcome)
{
    struct arena *arena = &outcome->arena;
    struct package_names names;
    struct finding error;
    if (!package_names_collect(parcel, arena, &names))
        return false;
    for (size_t i = 0; i < parcel->count; i++) {
        const struct parcel_entry *entry = &parcel->entries[i];
        struct span bytes;
        struct inf inf;
        struct inf_facts facts;
        const char *problem;
        if (entry->is_folder || !path_has_suffix(entry->name, ".inf") || entry->nbytes > INF_MOST_NBYTES ||
            !parcel_file(parcel, i, arena, &bytes, &error) || !inf_read(bytes, arena, &inf, &problem) ||
            !inf_facts(&inf, arena, &facts) || !facts.is_driver)
            continue;
        if (!note_missing(entry->path, &facts, &names, outcome))
            return false;
    }
    outcome->is_package = true;
    outcome->status = STATUS_FINDINGS;
    return outcome->problems.count != 0 && !arena->exhausted;
}

bool check_infs(const char *folder, struct outcome *outcome)
{
    struct parcel parcel;
    struct finding error;
    outcome->path = folder;
    return parcel_read_folder(folder, &outcome->arena, &parcel, &error) && check_parcel(&parcel, outcome);
}

bool check_infs_of_archive(struct outcome *outcome)
{
    struct parcel parcel;
    return parcel_read_infs(outcome->path, outcome->file.bytes, &outcome->arena, &parcel) &&
           check_parcel(&parcel, outcome);
}
