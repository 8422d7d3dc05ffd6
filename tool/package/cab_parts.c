/* cab_parts.c - cab_parts.h.
 * Takes: bytes.  Gives: struct cab_parts.  Must not: accept what it does not know. */
#include "package/cab_parts.h"

enum cab_header {
    CAB_NBYTES = 8,
    CAB_FILES_FOFF = 16,
    CAB_FOLDER_COUNT = 26,
    CAB_FILE_COUNT = 28,
    CAB_FLAGS = 30,
    CAB_HEADER_NBYTES = 36,
    CAB_RESERVE_NBYTES = 36, /* of the header; behind it those of each folder and of each block */
    CAB_RESERVES_END = 40
};
enum { HAS_PREVIOUS = 1, HAS_NEXT = 2, HAS_RESERVE = 4 }; /* of flags */

enum { FOLDER_PACKING = 6, FOLDER_HEADER_NBYTES = 8, PACKING_MASK = 0xF };

enum cab_file_header {
    FILE_NBYTES = 0,
    FILE_DATE = 10,
    FILE_TIME = 12,
    FILE_ATTRIBUTES = 14,
    FILE_HEADER_NBYTES = 16,
    FILE_MOST_NAME_NBYTES = 256
};

/* What signtool and osslsigncode write into the header's reserved area: a mark, then where the signature
 * lies, its size, and zeros. */
enum { SIGNATURE_MARK = 0x100000, SIGNATURE_FOFF = 4, SIGNATURE_NBYTES = 8, SIGNATURE_AREA_NBYTES = 20 };

static bool say(const char **problem, const char *words)
{
    *problem = words;
    return false;
}

static bool read_reserves(struct span archive, uint32_t cab_nbytes, struct cab_parts *parts,
                          uint64_t *folders_foff, uint64_t *folder_nbytes)
{
    *folders_foff = CAB_HEADER_NBYTES;
    *folder_nbytes = FOLDER_HEADER_NBYTES;
    uint64_t signature_end = cab_nbytes;
    if (load_u16(archive.bytes + CAB_FLAGS) & HAS_RESERVE) {
        struct span area;
        if (!range_fits(cab_nbytes, CAB_RESERVE_NBYTES, CAB_RESERVES_END - CAB_RESERVE_NBYTES) ||
            !span_part(archive, CAB_RESERVES_END, load_u16(archive.bytes + CAB_RESERVE_NBYTES), &area))
            return false;
        uint8_t of_folder = archive.bytes[CAB_RESERVE_NBYTES + 2],
                of_block = archive.bytes[CAB_RESERVE_NBYTES + 3];
        parts->is_signed = area.nbytes == SIGNATURE_AREA_NBYTES && load_u32(area.bytes) == SIGNATURE_MARK;
        parts->has_reserve = of_folder != 0 || of_block != 0 || (area.nbytes != 0 && !parts->is_signed);
        if (parts->is_signed)
            signature_end =
                (uint64_t)load_u32(area.bytes + SIGNATURE_FOFF) + load_u32(area.bytes + SIGNATURE_NBYTES);
        *folders_foff = CAB_RESERVES_END + area.nbytes;
        *folder_nbytes += of_folder;
    }
    parts->has_more = archive.nbytes > signature_end;
    return true;
}

static bool read_files(struct span archive, uint64_t at, struct cab_parts *parts)
{
    for (size_t i = 0; i < parts->count; i++) {
        struct span header;
        size_t name_nbytes;
        if (!span_part(archive, at, FILE_HEADER_NBYTES, &header) ||
            !span_cstr(archive, at + FILE_HEADER_NBYTES, FILE_MOST_NAME_NBYTES, &name_nbytes))
            return false;
        parts->files[i] = (struct cab_file){.name = (const char *)header.bytes + FILE_HEADER_NBYTES,
                                            .nbytes = load_u32(header.bytes + FILE_NBYTES),
                                            .date = load_u16(header.bytes + FILE_DATE),
                                            .time = load_u16(header.bytes + FILE_TIME),
                                            .attributes = load_u16(header.bytes + FILE_ATTRIBUTES)};
        at += FILE_HEADER_NBYTES + name_nbytes + 1;
    }
    return true;
}

bool cab_parts_find(struct span archive, struct arena *arena, struct cab_parts *parts, const char **problem)
{
    static const char damaged[] = "has a directory that is damaged";
    uint64_t folders_foff, folder_nbytes;
    *parts = (struct cab_parts){0};
    *problem = NULL;
    if (archive.nbytes < CAB_HEADER_NBYTES)
        return say(problem, damaged);
    uint32_t cab_nbytes = load_u32(archive.bytes + CAB_NBYTES);
    if (cab_nbytes < CAB_HEADER_NBYTES || cab_nbytes > archive.nbytes)
        return say(problem, damaged);
    unsigned flags = load_u16(archive.bytes + CAB_FLAGS);
    parts->is_one_of_many = (flags & (HAS_PREVIOUS | HAS_NEXT)) != 0;
    parts->count = load_u16(archive.bytes + CAB_FILE_COUNT);
    if (!read_reserves(archive, cab_nbytes, parts, &folders_foff, &folder_nbytes))
        return say(problem, damaged);
    if (parts->is_one_of_many)
        return true; /* names of other cabinets stand before its folders; nobody asks for these */
    struct span folders;
    struct span cabinet = {archive.bytes, cab_nbytes};
    uint16_t folder_count = load_u16(archive.bytes + CAB_FOLDER_COUNT);
    if (!span_part(cabinet, folders_foff, folder_count * folder_nbytes, &folders))
        return say(problem, damaged);
    for (uint16_t i = 0; i < folder_count; i++)
        parts->packings |=
            1u << (load_u16(folders.bytes + i * folder_nbytes + FOLDER_PACKING) & PACKING_MASK);
    parts->files = arena_array(arena, parts->count + 1, sizeof *parts->files);
    if (!parts->files)
        return false;
    return read_files(cabinet, load_u32(archive.bytes + CAB_FILES_FOFF), parts) || say(problem, damaged);
}
