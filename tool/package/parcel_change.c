/* parcel_change.c - parcel_change.h.
 * Takes: two packages.  Gives: the first difference.  Must not: pass over a file. */
#include "package/parcel_change.h"

#include "base/path_name.h"

#include <stdlib.h>

bool parcel_change_to(struct parcel_change *change, struct span bytes, bool keeps_bytes)
{
    change->fate = PARCEL_REPLACE;
    change->bytes = keeps_bytes ? bytes : (struct span){0};
    change->nbytes = bytes.nbytes;
    return digest_parts(DIGEST_SHA256, &bytes, 1, change->digest);
}

static bool differs(struct arena *arena, struct finding *error, const char *name, const char *how)
{
    *error = finding_make(arena, HVCI9007_CANNOT_WRITE, LEVEL_ERROR,
                          "The new package is not what it has to be: \"%s\" %s. It was not given its name.",
                          name, how);
    error->cure =
        "Check the disk, and that no other program writes to either package. If it happens again, please "
        "report it: it is a defect of hvcifix.";
    return false;
}

static const char *without_separator(const char *name, size_t *nbytes)
{
    *nbytes = strlen(name);
    while (*nbytes != 0 && path_is_separator(name[*nbytes - 1]))
        --*nbytes;
    return name;
}

static bool has_same_name(const struct parcel_entry *a, const struct parcel_entry *b)
{
    size_t a_nbytes, b_nbytes;
    const char *x = without_separator(a->name, &a_nbytes), *y = without_separator(b->name, &b_nbytes);
    return a_nbytes == b_nbytes && memcmp(x, y, a_nbytes) == 0;
}

/* One file of each. The contents live in an arena of their own, so that the packages may be larger than
 * memory. */
static bool is_file_so(const struct parcel *old, size_t i, const struct parcel_change *change,
                       const struct parcel *new, size_t k, struct arena *arena, struct finding *error)
{
    struct arena scratch;
    struct span before, after;
    struct finding why;
    const char *name = old->entries[i].path;
    arena_init(&scratch, NULL);
    uint8_t digest[DIGEST_SHA256_NBYTES];
    bool is_read = parcel_file(new, k, &scratch, &after, &why) &&
                   (change->fate == PARCEL_REPLACE || parcel_file(old, i, &scratch, &before, &why));
    bool is_so = false;
    if (!is_read)
        (void)differs(arena, error, name, arena_printf(arena, "cannot be read again: %s", why.message));
    else if (change->fate == PARCEL_REPLACE)
        is_so = after.nbytes == change->nbytes && digest_parts(DIGEST_SHA256, &after, 1, digest) &&
                memcmp(digest, change->digest, sizeof digest) == 0;
    else
        is_so = span_is_equal(before, after);
    if (is_read && !is_so)
        (void)differs(arena, error, name, "has other bytes in it");
    arena_free(&scratch);
    return is_so;
}

static bool has_same_look(const struct parcel *old, size_t i, const struct parcel_change *change,
                          const struct parcel *new, size_t k)
{
    const struct file_look *a = &old->entries[i].look, *b = &new->entries[k].look;
    if (old->kind == new->kind && (a->mode != b->mode || a->attributes != b->attributes))
        return false;
    if (new->kind == PARCEL_FOLDER && change->fate == PARCEL_REPLACE)
        return true; /* it has the time at which it was written */
    if (old->kind == PARCEL_CARRIED)
        return true; /* there are no times inside a program */
    return a->written_s == b->written_s && (old->kind != new->kind || a->written_ns == b->written_ns);
}

static bool is_entry_so(const struct parcel *old, size_t i, const struct parcel_change *change,
                        const struct parcel *new, size_t k, struct arena *arena, struct finding *error)
{
    const struct parcel_entry *a = &old->entries[i], *b = &new->entries[k];
    if (a->is_folder != b->is_folder || !has_same_name(a, b))
        return differs(arena, error, a->path, "is missing, or stands in another place");
    if (!has_same_look(old, i, change, new, k))
        return differs(arena, error, a->path, "has another time, or other permissions or attributes");
    return a->is_folder || is_file_so(old, i, change, new, k, arena, error);
}

/* The same kind: one after the other. */
static bool is_same_sequence(const struct parcel *old, const struct parcel_change *changes,
                             const struct parcel *new, struct arena *arena, struct finding *error)
{
    size_t k = 0;
    for (size_t i = 0; i < old->count; i++) {
        if (changes[i].fate == PARCEL_LEAVE_OUT)
            continue;
        if (k == new->count)
            return differs(arena, error, old->entries[i].path, "is missing");
        if (!is_entry_so(old, i, &changes[i], new, k++, arena, error))
            return false;
    }
    return k == new->count || differs(arena, error, new->entries[k].path, "is in it too");
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct parcel_entry *)a)->name, ((const struct parcel_entry *)b)->name);
}

/* A folder that was made of an archive: the files by their names. */
static bool is_same_set(const struct parcel *old, const struct parcel_change *changes,
                        const struct parcel *new, struct arena *arena, struct finding *error)
{
    size_t file_count = 0;
    for (size_t k = 0; k < new->count; k++)
        file_count += !new->entries[k].is_folder;
    for (size_t i = 0; i < old->count; i++) {
        if (changes[i].fate == PARCEL_LEAVE_OUT || old->entries[i].is_folder)
            continue;
        const struct parcel_entry *found =
            new->count == 0
                ? NULL
                : bsearch(&old->entries[i], new->entries, new->count, sizeof *new->entries, by_name);
        if (!found)
            return differs(arena, error, old->entries[i].path, "is missing");
        if (!is_entry_so(old, i, &changes[i], new, (size_t)(found - new->entries), arena, error))
            return false;
        file_count--;
    }
    return file_count == 0 || differs(arena, error, new->path, "has more files than it has to");
}

bool parcel_is_changed_so(const struct parcel *old, const struct parcel_change *changes,
                          const struct parcel *new, struct arena *arena, struct finding *error)
{
    return old->kind == new->kind ? is_same_sequence(old, changes, new, arena, error)
                                  : is_same_set(old, changes, new, arena, error);
}
