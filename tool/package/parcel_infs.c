/* parcel_infs.c - parcel_read_infs() of parcel.h.
 * Takes: an archive's bytes.  Gives: names, and INF files.  Must not: keep anything else of it. */
#include "base/path_name.h"
#include "package/archive.h"
#include "package/inf.h"
#include "package/parcel.h"

/* The bytes of the member that is next; none when it is larger than an INF may be. False when it cannot be
 * read, or memory ran out. */
static bool read_inf(struct archive_reader *reader, struct arena *arena, struct span *content)
{
    struct archive_content read = {.bytes = NULL};
    enum archive_result result;
    struct span block;
    while ((result = archive_block(reader, &block)) == ARCHIVE_GAVE) {
        if (read.nbytes + block.nbytes > INF_MOST_NBYTES)
            return true;
        if (!archive_content_add(&read, block, arena))
            return false;
    }
    *content = (struct span){read.bytes, read.nbytes};
    return result == ARCHIVE_ENDED;
}

static bool skip(struct archive_reader *reader)
{
    enum archive_result result = ARCHIVE_ENDED;
    struct span block;
    if (archive_unpacks_to_skip(reader))
        while ((result = archive_block(reader, &block)) == ARCHIVE_GAVE)
            ;
    return result == ARCHIVE_ENDED;
}

bool parcel_read_infs(const char *path, struct span archive, struct arena *arena, struct parcel *parcel)
{
    struct archive_reader *reader = archive_open(archive);
    struct archive_file file;
    enum archive_result result = ARCHIVE_NO_MEMORY;
    *parcel = (struct parcel){.kind = parcel_kind_of(archive), .path = path};
    while (reader && (result = archive_next(reader, arena, &file)) == ARCHIVE_GAVE) {
        struct parcel_entry entry = {.name = file.name, .is_folder = !file.is_file};
        struct parcel_entry *entries = arena_grow(arena, parcel->entries, parcel->count, &parcel->capacity,
                                                  parcel->count + 1, sizeof *entries);
        bool is_inf = file.is_file && !file.is_encrypted && path_has_suffix(file.name, ".inf");
        if (!entries || !(is_inf ? read_inf(reader, arena, &entry.bytes) : skip(reader)))
            break;
        if (is_inf)
            entry.path = arena_printf(arena, "%s!%s", path, file.name);
        entry.nbytes = entry.bytes.nbytes;
        parcel->entries = entries;
        entries[parcel->count++] = entry;
    }
    if (reader)
        archive_close(reader);
    return result == ARCHIVE_ENDED && !arena->exhausted;
}
