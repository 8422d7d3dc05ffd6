/* codeview.c - the record in an image that names its PDB. See pdb.h.
 * Source: PE format specification, "Debug Type"; the record "RSDS": signature, GUID, age, path with its zero.
 */
#include "pdb/pdb.h"

#include "base/path_name.h"

enum { SIGNATURE_RSDS = 0x53445352, RSDS_GUID = 4, RSDS_AGE = 20, RSDS_PATH = 24 };

/* The bytes of an entry's data in the file: by their place in memory where they have one. */
static bool find_record(const struct image *image, const uint8_t *entry, struct span *record)
{
    uint32_t rva = load_u32(entry + DEBUG_ADDRESS_OF_RAW_DATA), nbytes = load_u32(entry + DEBUG_SIZE_OF_DATA);
    uint32_t signature;
    if (load_u32(entry + DEBUG_TYPE) != DEBUG_TYPE_CODEVIEW)
        return false;
    bool is_there = rva != 0
                        ? image_bytes_at_rva(image, rva, nbytes, record)
                        : span_part(image->file, load_u32(entry + DEBUG_POINTER_TO_RAW_DATA), nbytes, record);
    return is_there && span_u32(*record, 0, &signature) && signature == SIGNATURE_RSDS &&
           record->nbytes >= RSDS_PATH;
}

static const char *last_part(const char *path)
{
    const char *name = path;
    for (; *path; path++)
        if (path_is_separator(*path) || *path == ':')
            name = path + 1;
    return name;
}

bool codeview_read(const struct image *image, struct arena *arena, struct codeview *codeview,
                   const char **why)
{
    const struct directory *directory = image_directory(image, DIR_DEBUG);
    struct span entries, record = {NULL, 0}, found = {NULL, 0};
    size_t count = 0;
    if (why)
        *why = NULL;
    if (!directory)
        return false;
    entries = image_run_at_rva(image, directory->rva);
    if (entries.nbytes > directory->nbytes)
        entries.nbytes = directory->nbytes;
    for (size_t at = 0; range_fits(entries.nbytes, at, DEBUG_ENTRY_NBYTES); at += DEBUG_ENTRY_NBYTES) {
        if (why && load_u32(entries.bytes + at + DEBUG_TYPE) == DEBUG_TYPE_PDB_CHECKSUM)
            *why = "the image holds a checksum of its PDB";
        if (!find_record(image, entries.bytes + at, &record))
            continue;
        found = record;
        count++;
    }
    if (why && count > 1)
        *why = "the image names more than one PDB";
    if (count != 1)
        return false;
    size_t length = 0;
    while (RSDS_PATH + length < found.nbytes && found.bytes[RSDS_PATH + length] != 0)
        length++;
    memcpy(codeview->identity.guid, found.bytes + RSDS_GUID, PDB_GUID_NBYTES);
    codeview->identity.age = load_u32(found.bytes + RSDS_AGE);
    codeview->guid_foff = (uint32_t)(found.bytes + RSDS_GUID - image->file.bytes);
    codeview->path = arena_copy_text(arena, (const char *)found.bytes + RSDS_PATH, length);
    if (!codeview->path)
        return false;
    codeview->file_name = last_part(codeview->path);
    return true;
}
