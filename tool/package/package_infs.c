/* package_infs.c - package_infs.h.
 * Takes: names.  Gives: answers.  Must not: look at files. */
#include "package/package_infs.h"

#include "base/path_name.h"
#include "package/word_order.h"

#include <stdlib.h>

static int by_name(const void *a, const void *b)
{
    return word_order(*(const char *const *)a, *(const char *const *)b);
}

bool package_names_collect(const struct parcel *parcel, struct arena *arena, struct package_names *names)
{
    *names = (struct package_names){.items = arena_array(arena, parcel->count + 1, sizeof *names->items)};
    if (!names->items)
        return false;
    for (size_t i = 0; i < parcel->count; i++)
        if (!parcel->entries[i].is_folder)
            names->items[names->count++] = path_last_named_part(parcel->entries[i].name);
    if (names->count > 1)
        qsort(names->items, names->count, sizeof *names->items, by_name);
    return true;
}

static bool is_there(const struct package_names *names, const char *name)
{
    return names->count != 0 && bsearch(&name, names->items, names->count, sizeof *names->items, by_name);
}

bool package_names_hold(const struct package_names *names, const char *name)
{
    enum { LONGEST_NBYTES = 256 };
    char packed[LONGEST_NBYTES];
    size_t nbytes = strlen(name);
    if (is_there(names, name))
        return true;
    if (nbytes == 0 || nbytes >= sizeof packed)
        return false;
    memcpy(packed, name, nbytes + 1);
    packed[nbytes - 1] = '_';
    return is_there(names, packed);
}

struct finding package_lacks_driver(struct arena *arena, const char *inf_path,
                                    const struct inf_source *source)
{
    struct finding note = finding_make(
        arena, HVCI9055_PACKAGE_LACKS_DRIVER, LEVEL_NOTE,
        "Line %u of \"%s\" says that \"%s\" is in the package, and it is not, so it was not judged.",
        source->line, inf_path, source->name);
    note.cure = "Name the whole package. Where the INF serves several platforms that are shipped apart, "
                "nothing needs "
                "to be done.";
    return note;
}
