/* zip_parts.h - where the parts of a zip archive lie.
 * Takes: bytes.  Gives: places of records, checked against each other.  Must not: unpack; be included outside
 * tool/package. Numbers are those of APPNOTE.TXT, sections 4.3.7, 4.3.12 and 4.3.16. */
#ifndef HVCIFIX_PACKAGE_ZIP_PARTS_H
#define HVCIFIX_PACKAGE_ZIP_PARTS_H

#include "base/arena.h"
#include "base/span.h"

enum zip_local {
    LOCAL_VERSION = 4,
    LOCAL_FLAGS = 6,
    LOCAL_METHOD = 8,
    LOCAL_CRC = 14,
    LOCAL_PACKED_NBYTES = 18,
    LOCAL_NBYTES = 22,
    LOCAL_NAME_NBYTES = 26,
    LOCAL_EXTRA_NBYTES = 28,
    LOCAL_HEADER_NBYTES = 30
};

enum zip_central {
    CENTRAL_VERSION = 6,
    CENTRAL_FLAGS = 8,
    CENTRAL_METHOD = 10,
    CENTRAL_CRC = 16,
    CENTRAL_PACKED_NBYTES = 20,
    CENTRAL_NBYTES = 24,
    CENTRAL_NAME_NBYTES = 28,
    CENTRAL_EXTRA_NBYTES = 30,
    CENTRAL_COMMENT_NBYTES = 32,
    CENTRAL_DISK = 34,
    CENTRAL_LOCAL_FOFF = 42,
    CENTRAL_HEADER_NBYTES = 46
};

enum zip_end {
    END_DISK = 4,
    END_DIRECTORY_DISK = 6,
    END_COUNT_HERE = 8,
    END_COUNT = 10,
    END_DIRECTORY_NBYTES = 12,
    END_DIRECTORY_FOFF = 16,
    END_COMMENT_NBYTES = 20,
    END_NBYTES = 22
};

enum { ZIP_IS_ENCRYPTED = 1, ZIP_LEVEL_BITS = 6, ZIP_HAS_DESCRIPTOR = 8 }; /* of flags */
enum { ZIP_STORED = 0, ZIP_DEFLATED = 8 };                                 /* methods */

struct zip_record {
    uint32_t central_foff, central_nbytes; /* in the directory */
    uint32_t local_foff, local_nbytes;     /* up to the next file, or to the directory */
    uint32_t header_nbytes;                /* of the local header with name and extra field */
};

struct zip_parts {
    struct zip_record *records; /* in the order of the directory */
    struct zip_record **by_local_foff;
    size_t count;
    uint32_t directory_foff, end_foff;
};

/* False with *problem as zip_rewrite() gives it. */
bool zip_parts_find(struct span archive, struct arena *arena, struct zip_parts *parts, const char **problem);

#endif
