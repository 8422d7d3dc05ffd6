/* parcel.h - all files of a driver package, for who makes a new package of them.
 * Takes: a folder; an archive's bytes; or a program that carries images.  Gives: one entry a file or folder,
 * in the order of the package. Must not: write; give a name that leads out of a folder, or that Windows
 * cannot have. */
#ifndef HVCIFIX_PACKAGE_PARCEL_H
#define HVCIFIX_PACKAGE_PARCEL_H

#include "image/image.h"
#include "io/folder.h"

#define PARCEL_MOST_NBYTES (UINT64_C(1024) * 1024 * 1024) /* of an archive's files together, unpacked */

enum parcel_kind {
    PARCEL_FOLDER,
    PARCEL_ZIP,
    PARCEL_CAB,
    PARCEL_CARRIED /* the images inside a program or archive */
};

struct parcel_entry {
    const char *name; /* "/" between folders */
    const char *path; /* in messages and reports; that of a folder's file is where it is read */
    bool is_folder;
    struct file_look look;
    struct span bytes; /* of an archive's file; a folder's are read when they are wanted */
    uint64_t nbytes;
};

struct parcel {
    enum parcel_kind kind;
    const char *path;
    struct parcel_entry *entries;
    size_t count, capacity;
};

/* What the archive at the beginning of these bytes is. */
enum parcel_kind parcel_kind_of(struct span archive);

/* False with *error set: HVCI9006 to 9008, or HVCI9050 to 9052 with what stands in the way of a new package.
 * All lives in the arena; the bytes are borrowed. */
bool parcel_read_folder(const char *path, struct arena *arena, struct parcel *parcel, struct finding *error);
bool parcel_read_archive(const char *path, struct span archive, struct arena *arena, struct parcel *parcel,
                         struct finding *error);

/* What the INF files of an archive are judged by: all names, and of the INF files alone the bytes. Of an
 * archive that was read to its end before: nothing else bounds what is unpacked. */
bool parcel_read_infs(const char *path, struct span archive, struct arena *arena, struct parcel *parcel);

/* The images inside an archive or a program, however deep, as files of their own: "!" becomes "!/". `image`
 * is NULL for an archive. */
bool parcel_read_carried(const char *path, struct span file, const struct image *image, struct arena *arena,
                         struct parcel *parcel, struct finding *error);

/* The bytes of a file, in the arena where they are read now. */
bool parcel_file(const struct parcel *parcel, size_t number, struct arena *arena, struct span *bytes,
                 struct finding *error);

/* May files be written under all these names in one folder, on any system? False with *error set: a name that
 * leads out, one that Windows reserves or does not have, two that differ in case only, a file that is a
 * folder too. */
bool parcel_names_are_safe(const struct parcel *parcel, struct arena *arena, struct finding *error);

#endif
