/* zip_parts.c - zip_parts.h.
 * Takes: bytes.  Gives: struct zip_parts.  Must not: accept what it does not know. */
#include "package/zip_parts.h"

#include <stdlib.h>

enum { MOST_COMMENT_NBYTES = 65535, ZIP64_EXTRA = 1, EXTRA_HEADER_NBYTES = 4 };

static bool has_mark(struct span bytes, uint64_t at, uint8_t third, uint8_t fourth)
{
    return range_fits(bytes.nbytes, at, 4) && bytes.bytes[at] == 'P' && bytes.bytes[at + 1] == 'K' &&
           bytes.bytes[at + 2] == third && bytes.bytes[at + 3] == fourth;
}

static bool say(const char **problem, const char *words)
{
    *problem = words;
    return false;
}

/* The record at the end: the last of its kind whose comment ends with the file. */
static bool find_end(struct span archive, uint32_t *end_foff, const char **problem)
{
    if (archive.nbytes < END_NBYTES || archive.nbytes > UINT32_MAX)
        return say(problem, "is too short, or larger than 4 GiB");
    size_t last = archive.nbytes - END_NBYTES;
    size_t first = last > MOST_COMMENT_NBYTES ? last - MOST_COMMENT_NBYTES : 0;
    for (size_t at = last + 1; at-- > first;) {
        if (!has_mark(archive, at, 5, 6) ||
            load_u16(archive.bytes + at + END_COMMENT_NBYTES) != archive.nbytes - at - END_NBYTES)
            continue;
        *end_foff = (uint32_t)at;
        return true;
    }
    return say(problem, "has no directory that ends with the file");
}

/* A field of 64 bits in an extra field: sizes that are not those of the header. */
static bool has_zip64(struct span extra)
{
    while (extra.nbytes >= EXTRA_HEADER_NBYTES) {
        size_t nbytes = EXTRA_HEADER_NBYTES + (size_t)load_u16(extra.bytes + 2);
        if (load_u16(extra.bytes) == ZIP64_EXTRA)
            return true;
        if (!span_part(extra, nbytes, extra.nbytes - (nbytes < extra.nbytes ? nbytes : extra.nbytes), &extra))
            return false;
    }
    return false;
}

static bool read_record(struct span archive, struct zip_parts *parts, uint32_t at, struct zip_record *record,
                        const char **problem)
{
    if (!has_mark(archive, at, 1, 2) || !range_fits(parts->end_foff, at, CENTRAL_HEADER_NBYTES))
        return say(problem, "has a directory that is damaged");
    const uint8_t *central = archive.bytes + at;
    uint32_t name_nbytes = load_u16(central + CENTRAL_NAME_NBYTES);
    uint32_t extra_nbytes = load_u16(central + CENTRAL_EXTRA_NBYTES);
    *record = (struct zip_record){.central_foff = at,
                                  .central_nbytes = CENTRAL_HEADER_NBYTES + name_nbytes + extra_nbytes +
                                                    load_u16(central + CENTRAL_COMMENT_NBYTES),
                                  .local_foff = load_u32(central + CENTRAL_LOCAL_FOFF)};
    if (!range_fits(parts->end_foff, at, record->central_nbytes) || load_u16(central + CENTRAL_DISK) != 0)
        return say(problem, "has a directory that is damaged, or goes on in another file");
    struct span central_extra = {central + CENTRAL_HEADER_NBYTES + name_nbytes, extra_nbytes};
    if (!has_mark(archive, record->local_foff, 3, 4) ||
        !range_fits(parts->directory_foff, record->local_foff, LOCAL_HEADER_NBYTES))
        return say(problem, "has a directory that does not fit its files");
    const uint8_t *local = archive.bytes + record->local_foff;
    uint32_t local_extra_nbytes = load_u16(local + LOCAL_EXTRA_NBYTES);
    record->header_nbytes = LOCAL_HEADER_NBYTES + name_nbytes + local_extra_nbytes;
    if (load_u16(local + LOCAL_NAME_NBYTES) != name_nbytes ||
        !range_fits(parts->directory_foff, record->local_foff, record->header_nbytes) ||
        memcmp(local + LOCAL_HEADER_NBYTES, central + CENTRAL_HEADER_NBYTES, name_nbytes) != 0)
        return say(problem, "names a file otherwise in its directory than in front of it");
    struct span local_extra = {local + LOCAL_HEADER_NBYTES + name_nbytes, local_extra_nbytes};
    if (has_zip64(central_extra) || has_zip64(local_extra))
        return say(problem, "has fields of the 64-bit form, which is not written here");
    return true;
}

static int by_local_foff(const void *a, const void *b)
{
    const struct zip_record *x = *(struct zip_record *const *)a, *y = *(struct zip_record *const *)b;
    return x->local_foff < y->local_foff ? -1 : x->local_foff > y->local_foff;
}

/* Each file goes up to the next one, and none into it. */
static bool find_ends(struct span archive, struct zip_parts *parts, const char **problem)
{
    for (size_t i = 0; i < parts->count; i++) {
        struct zip_record *record = parts->by_local_foff[i];
        uint32_t end = i + 1 < parts->count ? parts->by_local_foff[i + 1]->local_foff : parts->directory_foff;
        if (i == 0 && record->local_foff != 0)
            return say(problem, "has bytes in front of its first file");
        record->local_nbytes = end - record->local_foff;
        uint64_t packed_nbytes = load_u32(archive.bytes + record->central_foff + CENTRAL_PACKED_NBYTES);
        if (record->header_nbytes + packed_nbytes > record->local_nbytes)
            return say(problem, "has files that overlap");
    }
    return true;
}

bool zip_parts_find(struct span archive, struct arena *arena, struct zip_parts *parts, const char **problem)
{
    *parts = (struct zip_parts){0};
    *problem = NULL;
    if (!find_end(archive, &parts->end_foff, problem))
        return false;
    const uint8_t *end = archive.bytes + parts->end_foff;
    uint32_t directory_nbytes = load_u32(end + END_DIRECTORY_NBYTES);
    parts->directory_foff = load_u32(end + END_DIRECTORY_FOFF);
    parts->count = load_u16(end + END_COUNT);
    if (load_u16(end + END_DISK) != 0 || load_u16(end + END_DIRECTORY_DISK) != 0 ||
        load_u16(end + END_COUNT_HERE) != parts->count)
        return say(problem, "goes on in other files");
    if (parts->count == UINT16_MAX || (uint64_t)parts->directory_foff + directory_nbytes != parts->end_foff)
        return say(problem, "is of the 64-bit form, or has bytes between its directory and its end");
    parts->records = arena_array(arena, parts->count, sizeof *parts->records);
    parts->by_local_foff = arena_array(arena, parts->count, sizeof *parts->by_local_foff);
    if (!parts->records || !parts->by_local_foff)
        return false;
    uint32_t at = parts->directory_foff;
    for (size_t i = 0; i < parts->count; i++) {
        if (!read_record(archive, parts, at, &parts->records[i], problem))
            return false;
        at += parts->records[i].central_nbytes;
        parts->by_local_foff[i] = &parts->records[i];
    }
    if (at != parts->end_foff)
        return say(problem, "has more in its directory than it counts");
    if (parts->count > 1)
        qsort(parts->by_local_foff, parts->count, sizeof(struct zip_record *), by_local_foff);
    return find_ends(archive, parts, problem);
}
