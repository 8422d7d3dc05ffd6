/* cab_parts.h - the directory of a cabinet: its files as they stand there.
 * Takes: bytes.  Gives: names, times and attributes, as numbers of the file.  Must not: unpack; be included
 * outside tool/package. Structures are those of the Microsoft Cabinet Format ([MS-CAB] 2.1 to 2.4). */
#ifndef HVCIFIX_PACKAGE_CAB_PARTS_H
#define HVCIFIX_PACKAGE_CAB_PARTS_H

#include "base/arena.h"
#include "base/span.h"

enum cab_packing { CAB_STORED = 0, CAB_MSZIP = 1, CAB_QUANTUM = 2, CAB_LZX = 3 }; /* of typeCompress */

enum { CAB_NAME_IS_UTF8 = 0x80 }; /* of a file's attributes */

struct cab_file {
    const char *name; /* as it stands there, in the cabinet's bytes */
    uint32_t nbytes;  /* unpacked */
    uint16_t date, time, attributes;
};

struct cab_parts {
    struct cab_file *files; /* in the order of the directory */
    size_t count;
    unsigned packings;   /* a bit for each cab_packing that a folder has */
    bool is_one_of_many; /* goes on in another cabinet, or comes from one */
    bool is_signed;      /* the reserved area of the header says where a signature is */
    bool has_reserve;    /* other reserved areas, whose meaning only their maker knows */
    bool has_more;       /* bytes behind the cabinet's end that are no signature */
};

/* False with *problem, which goes on "The archive ...", or NULL when memory ran out. */
bool cab_parts_find(struct span archive, struct arena *arena, struct cab_parts *parts, const char **problem);

#endif
