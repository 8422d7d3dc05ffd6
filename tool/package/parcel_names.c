/* parcel_names.c - parcel_names_are_safe().
 * Takes: names from outside.  Gives: an answer with its reason.  Must not: repair a name. */
#include "package/parcel.h"

#include "base/path_name.h"
#include "base/text.h"

#include <stdlib.h>

/* Names of devices, whatever suffix stands behind them (Windows documentation, "Naming Files, Paths, and
 * Namespaces"). */
static bool is_device(const char *name, size_t nbytes)
{
    static const char *const devices[] = {"con", "prn", "aux", "nul", "conin$", "conout$"};
    size_t stem = 0;
    while (stem < nbytes && name[stem] != '.' && name[stem] != ':')
        stem++;
    while (stem != 0 && name[stem - 1] == ' ')
        stem--;
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++) {
        size_t k = 0;
        while (k < stem && devices[i][k] && text_lower(name[k]) == devices[i][k])
            k++;
        if (k == stem && devices[i][k] == 0)
            return true;
    }
    bool is_port =
        stem >= 4 &&
        ((text_lower(name[0]) == 'c' && text_lower(name[1]) == 'o' && text_lower(name[2]) == 'm') ||
         (text_lower(name[0]) == 'l' && text_lower(name[1]) == 'p' && text_lower(name[2]) == 't'));
    bool has_digit = stem == 4 && name[3] >= '1' && name[3] <= '9';
    bool has_superscript = stem == 5 && (unsigned char)name[3] == 0xC2 &&
                           ((unsigned char)name[4] == 0xB2 || (unsigned char)name[4] == 0xB3 ||
                            (unsigned char)name[4] == 0xB9); /* COM and a superscript 2, 3 or 1 */
    return is_port && (has_digit || has_superscript);
}

/* One name between separators; NULL when it is fine. */
static const char *part_problem(const char *name, size_t nbytes)
{
    if (nbytes == 0)
        return "has an empty name, or begins at the root";
    if (name[nbytes - 1] == '.' || name[nbytes - 1] == ' ')
        return name[0] == '.' && nbytes <= 2
                   ? "has a name that leads elsewhere"
                   : "has a name that ends with a dot or a blank, which Windows drops";
    for (size_t i = 0; i < nbytes; i++)
        if ((unsigned char)name[i] < ' ' || name[i] == 0x7F || strchr("<>:\"|?*", name[i]))
            return "has a name with a character that Windows does not have in names";
    if (is_device(name, nbytes))
        return "has a name that is a device's on Windows";
    return NULL;
}

static const char *name_problem(const char *name)
{
    if (strstr(name, "\xEF\xBF\xBD"))
        return "has a name that is no valid text";
    for (;;) {
        size_t nbytes = strcspn(name, "/\\");
        const char *problem = part_problem(name, nbytes);
        if (problem)
            return problem;
        name += nbytes;
        if (*name == 0 || name[1] == 0) /* a folder may end with a separator */
            return NULL;
        name++;
    }
}

/* Without case, and with "/" before all other characters, so that a folder comes right before what is in it.
 */
static int rank(char c)
{
    return c == 0 ? 0 : path_is_separator(c) ? 1 : 1 + (unsigned char)text_lower(c);
}

static int by_name(const void *a, const void *b)
{
    const char *x = (*(const struct parcel_entry *const *)a)->name,
               *y = (*(const struct parcel_entry *const *)b)->name;
    while (*x && rank(*x) == rank(*y)) {
        x++;
        y++;
    }
    if (rank(*x) != rank(*y))
        return rank(*x) - rank(*y);
    /* Names of one rank as the package has them, so that every system names the same one. */
    const struct parcel_entry *first = *(const struct parcel_entry *const *)a;
    const struct parcel_entry *second = *(const struct parcel_entry *const *)b;
    return first < second ? -1 : first > second;
}

/* Are they one name, or is the first a file and the second below it? Both without a separator at the end. */
static bool collide(const struct parcel_entry *first, const struct parcel_entry *second)
{
    const char *x = first->name, *y = second->name;
    while (*x && rank(*x) == rank(*y)) {
        x++;
        y++;
    }
    bool x_ended = *x == 0 || (rank(*x) == 1 && x[1] == 0);
    bool y_ended = *y == 0 || (rank(*y) == 1 && y[1] == 0);
    return x_ended && (y_ended || (rank(*y) == 1 && !first->is_folder));
}

static bool refuse(struct arena *arena, struct finding *error, const char *path, const char *why)
{
    *error = finding_make(arena, HVCI9050_PACKAGE_DAMAGED, LEVEL_ERROR,
                          "\"%s\" %s, so no new package is made.", path, why);
    error->cure = "Ask who made the package; a driver package has no such names.";
    return false;
}

bool parcel_names_are_safe(const struct parcel *parcel, struct arena *arena, struct finding *error)
{
    const struct parcel_entry **sorted = arena_array(arena, parcel->count + 1, sizeof *sorted);
    if (!sorted) {
        *error = finding_make(arena, HVCI9008_OUT_OF_MEMORY, LEVEL_ERROR,
                              "There was not enough memory for this package.");
        return false;
    }
    for (size_t i = 0; i < parcel->count; i++) {
        const char *problem = name_problem(parcel->entries[i].name);
        if (problem)
            return refuse(arena, error, parcel->entries[i].path, problem);
        sorted[i] = &parcel->entries[i];
    }
    if (parcel->count > 1)
        qsort(sorted, parcel->count, sizeof *sorted, by_name);
    for (size_t i = 1; i < parcel->count; i++)
        if (collide(sorted[i - 1], sorted[i]))
            return refuse(arena, error, sorted[i]->path,
                          "has a name that another file of the package has too, but for its case");
    return true;
}
