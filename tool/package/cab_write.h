/* cab_write.h - a cabinet of files in memory, packed by the system's own library.
 * Takes: names, times, attributes and contents.  Gives: the cabinet's bytes.  Must not: write to a disk; be
 * trusted: who calls it reads again what it gives. cab_write_posix.c (libgcab) and cab_write_windows.c
 * (cabinet.dll) implement it. Both are loaded when a cabinet is to be written, and not before: GLib, which
 * libgcab needs, takes longer to load than an image to judge. */
#ifndef HVCIFIX_PACKAGE_CAB_WRITE_H
#define HVCIFIX_PACKAGE_CAB_WRITE_H

#include "package/cab_parts.h"

struct cab_member {
    struct cab_file file; /* as it has to stand in the directory; its size is that of the content */
    struct span content;
};

enum { CAB_MOST_MEMBERS = 65535 };
#define CAB_MOST_NBYTES (UINT64_C(65535) * 32768) /* of a folder's content: blocks, and bytes of each */

struct cab_writer;

/* NULL with *absent, words that say what is missing. Close it when it is not needed any more. */
struct cab_writer *cab_writer_open(const char **absent);
void cab_writer_close(struct cab_writer *writer);

/* Why a file cannot stand in a cabinet of this writer as it stands in another: words behind "a file ...";
 * NULL when it can. */
const char *cab_writer_objects(const struct cab_file *file);

/* One cabinet with one folder, stored or packed with MSZIP, with all members in their order. The same input
 * gives the same bytes. False with *problem, a clause, or NULL when memory ran out. */
bool cab_write(struct cab_writer *writer, const struct cab_member *members, size_t count,
               enum cab_packing packing, struct arena *arena, struct span *cabinet, const char **problem);

#endif
