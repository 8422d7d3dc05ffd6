/* undo_read.c - reading a side file, which may come from anybody.
 * Takes: bytes.  Gives: records, or why there are none.  Must not: unpack more than the sizes of record and
 * image allow, or give an original that has not the digest that the record states. */
#include "base/text.h"
#include "io/digest.h"
#include "undo/undo.h"
#include "undo/undo_delta.h"
#include "undo/undo_record.h"

#include <zlib.h>

struct undo_reader {
    struct arena *arena;
    const char *path;
    struct finding *error;
};

static bool fail_memory(struct undo_reader *reader)
{
    reader->arena->exhausted = true;
    *reader->error = (struct finding){.code = HVCI9008_OUT_OF_MEMORY,
                                      .level = LEVEL_ERROR,
                                      .rva = NO_RVA,
                                      .file_offset = NO_FILE_OFFSET,
                                      .place_count = 1,
                                      .message = "There was not enough memory for the undo file.",
                                      .cure = "Run on a machine with more free memory."};
    return false;
}

static bool fail_damaged(struct undo_reader *reader, uint64_t file_offset, const char *what)
{
    *reader->error = finding_make(reader->arena, HVCI9091_UNDO_DAMAGED, LEVEL_ERROR,
                                  "The undo file \"%s\" is damaged: %s.", reader->path, what);
    reader->error->file_offset = file_offset;
    reader->error->cure = "Take the original, or this undo file, from a backup. Nothing was changed.";
    return false;
}

bool undo_is(struct span bytes)
{
    return bytes.nbytes >= UNDO_MAGIC_NBYTES && memcmp(bytes.bytes, UNDO_MAGIC, UNDO_MAGIC_NBYTES) == 0;
}

/* A zlib stream of exactly so many bytes as are stated. Deflate makes at most 1032 bytes of one, so what is
 * stated cannot make the reader take more memory than that. */
enum { DEFLATE_MOST_RATIO = 1032 };
static bool unpack(struct undo_reader *reader, struct span packed, uint64_t nbytes, struct span *bytes)
{
    if (nbytes / DEFLATE_MOST_RATIO > packed.nbytes || nbytes > ULONG_MAX / 2)
        return false;
    uint8_t *room = arena_alloc_unset(reader->arena, (size_t)nbytes + 1);
    if (!room)
        return fail_memory(reader);
    uLongf room_nbytes = (uLongf)nbytes + 1; /* one more than may come: what is longer is seen */
    uLong packed_nbytes = (uLong)packed.nbytes;
    int result = uncompress2(room, &room_nbytes, packed.bytes, &packed_nbytes);
    if (result == Z_MEM_ERROR)
        return fail_memory(reader);
    *bytes = (struct span){room, (size_t)nbytes};
    return result == Z_OK && room_nbytes == nbytes && packed_nbytes == packed.nbytes;
}

static bool add_fact(struct undo_reader *reader, struct undo_facts *facts, size_t *capacity, const char *what)
{
    struct undo_fact *items =
        arena_grow(reader->arena, facts->items, facts->count, capacity, facts->count + 1, sizeof *items);
    if (!items)
        return fail_memory(reader);
    facts->items = items;
    facts->items[facts->count++] = (struct undo_fact){.what = what};
    return true;
}

/* False, with *error set only when memory ran out, when the texts do not fill the description. */
static bool read_description(struct undo_reader *reader, struct span bytes,
                             struct undo_description *description)
{
    size_t cured_capacity = 0, change_capacity = 0;
    struct undo_facts *before_why = NULL;
    for (size_t at = 0; at < bytes.nbytes;) {
        uint16_t tag;
        uint32_t nbytes;
        struct span part;
        if (!span_u16(bytes, at, &tag) || !span_u32(bytes, at + 2, &nbytes) ||
            !span_part(bytes, at + UNDO_TEXT_HEAD_NBYTES, nbytes, &part) ||
            memchr(part.bytes, 0, part.nbytes))
            return false;
        at += UNDO_TEXT_HEAD_NBYTES + (size_t)nbytes;
        const char *words = arena_copy_text(reader->arena, (const char *)part.bytes, part.nbytes);
        if (!words)
            return fail_memory(reader);
        if (tag == UNDO_TEXT_TOOL)
            description->tool_version = words;
        else if (tag == UNDO_TEXT_IMAGE)
            description->image_name = words;
        else if (tag == UNDO_TEXT_WHY && before_why)
            before_why->items[before_why->count - 1].why = words;
        else if (tag == UNDO_TEXT_CURED || tag == UNDO_TEXT_CHANGE) {
            bool is_cured = tag == UNDO_TEXT_CURED;
            before_why = is_cured ? &description->cured : &description->changes;
            if (!add_fact(reader, before_why, is_cured ? &cured_capacity : &change_capacity, words))
                return false;
        }
    }
    return true;
}

static void read_images(const uint8_t *header, struct undo_record *record)
{
    record->original.nbytes = load_u32(header + UNDO_ORIGINAL_NBYTES_AT);
    record->repaired.nbytes = load_u32(header + UNDO_REPAIRED_NBYTES_AT);
    memcpy(record->original.sha256, header + UNDO_ORIGINAL_SHA256_AT, UNDO_DIGEST_NBYTES);
    memcpy(record->repaired.sha256, header + UNDO_REPAIRED_SHA256_AT, UNDO_DIGEST_NBYTES);
}

/* Is the record's own digest right? */
static bool is_signed_right(struct span record, bool *is_right)
{
    uint8_t digest[DIGEST_SHA256_NBYTES];
    const struct span parts[] = {{record.bytes, UNDO_RECORD_SHA256_AT},
                                 {record.bytes + UNDO_HEADER_NBYTES, record.nbytes - UNDO_HEADER_NBYTES}};
    if (!digest_parts(DIGEST_SHA256, parts, 2, digest))
        return false;
    *is_right = memcmp(digest, record.bytes + UNDO_RECORD_SHA256_AT, sizeof digest) == 0;
    return true;
}

/* The record at `at`. */
static bool read_record(struct undo_reader *reader, struct span bytes, size_t at, struct undo_record *record)
{
    struct span rest, packed_description, description;
    bool is_right;
    *record = (struct undo_record){0};
    if (!span_part(bytes, at, bytes.nbytes - at, &rest) || !undo_is(rest))
        return fail_damaged(reader, at, "a record does not begin here as it should");
    if (rest.nbytes < UNDO_HEADER_NBYTES)
        return fail_damaged(reader, at, "it ends within the head of a record");
    const uint8_t *header = rest.bytes;
    unsigned version = load_u16(header + UNDO_VERSION_AT);
    if (version > UNDO_FORMAT_VERSION) {
        *reader->error = finding_make(reader->arena, HVCI9092_UNDO_NEWER, LEVEL_ERROR,
                                      "The undo file \"%s\" has format %u, and this program reads format %u.",
                                      reader->path, version, (unsigned)UNDO_FORMAT_VERSION);
        reader->error->cure = "Restore with the hvcifix that made the repair, or a later one.";
        return false;
    }
    uint32_t nbytes = load_u32(header + UNDO_RECORD_NBYTES_AT);
    uint32_t packed_nbytes = load_u32(header + UNDO_DESCRIPTION_PACKED_NBYTES_AT);
    uint64_t stated_nbytes =
        (uint64_t)UNDO_HEADER_NBYTES + packed_nbytes + load_u32(header + UNDO_DELTA_PACKED_NBYTES_AT);
    if (version == 0 || load_u16(header + UNDO_HEADER_NBYTES_AT) != UNDO_HEADER_NBYTES ||
        stated_nbytes != nbytes || !span_part(rest, 0, nbytes, &record->bytes))
        return fail_damaged(reader, at, "the sizes in the head of a record do not fit the file");
    if (!is_signed_right(record->bytes, &is_right))
        return fail_memory(reader);
    if (!is_right)
        return fail_damaged(reader, at, "the checksum of a record is wrong");
    read_images(header, record);
    record->range_count = load_u32(header + UNDO_RANGE_COUNT_AT);
    uint32_t description_nbytes = load_u32(header + UNDO_DESCRIPTION_NBYTES_AT);
    if (!undo_fits(record->original.nbytes, record->repaired.nbytes) ||
        record->range_count > delta_most_ranges(record->original.nbytes) ||
        description_nbytes > UNDO_DESCRIPTION_NBYTES)
        return fail_damaged(reader, at, "a record states sizes that no repair has");
    (void)span_part(record->bytes, UNDO_HEADER_NBYTES, packed_nbytes, &packed_description);
    (void)span_part(record->bytes, (uint64_t)UNDO_HEADER_NBYTES + packed_nbytes,
                    nbytes - UNDO_HEADER_NBYTES - packed_nbytes, &record->packed_delta);
    if (unpack(reader, packed_description, description_nbytes, &description) &&
        read_description(reader, description, &record->description))
        return true;
    return !reader->arena->exhausted &&
           fail_damaged(reader, at + UNDO_HEADER_NBYTES, "the description of a record cannot be read");
}

bool undo_read(struct span bytes, const char *path, struct arena *arena, struct undo_file *file,
               struct finding *error)
{
    struct undo_reader reader = {arena, path, error};
    *file = (struct undo_file){.records = arena_array(arena, UNDO_MOST_RECORDS, sizeof *file->records)};
    if (!file->records)
        return fail_memory(&reader);
    if (!undo_is(bytes))
        return fail_damaged(&reader, 0, "it does not begin like one");
    for (size_t at = 0; at < bytes.nbytes;) {
        struct undo_record *record = &file->records[file->record_count];
        if (file->record_count == UNDO_MOST_RECORDS)
            return fail_damaged(&reader, at, "it has more records than are ever written");
        if (!read_record(&reader, bytes, at, record))
            return false;
        if (file->record_count != 0 && !undo_image_is_equal(&record->original, &record[-1].repaired))
            return fail_damaged(&reader, at, "a record does not follow from the one before it");
        file->record_count++;
        at += record->bytes.nbytes;
    }
    return true;
}

size_t undo_find(const struct undo_file *file, const struct undo_image *image)
{
    for (size_t i = file->record_count; i-- > 0;)
        if (undo_image_is_equal(&file->records[i].repaired, image))
            return i;
    return file->record_count;
}

bool undo_apply(const struct undo_file *file, size_t number, struct span repaired, const char *path,
                struct arena *arena, struct span *original, struct finding *error)
{
    struct undo_reader reader = {arena, path, error};
    struct span image = repaired;
    for (size_t i = number + 1; i-- > 0;) {
        const struct undo_record *record = &file->records[i];
        uint64_t at = (uint64_t)(record->packed_delta.bytes - file->records[0].bytes.bytes);
        uint64_t delta_nbytes = (uint64_t)record->range_count * DELTA_RANGE_NBYTES + record->original.nbytes;
        struct span delta;
        struct undo_image found;
        /* By the size of the image that is there, not by what other records state. */
        if (!undo_fits(record->original.nbytes, repaired.nbytes))
            return fail_damaged(&reader, at, "a record states sizes that no repair has");
        if (!unpack(&reader, record->packed_delta, delta_nbytes, &delta) ||
            !delta_apply(delta, record->range_count, record->original.nbytes, image, arena, &image))
            return arena->exhausted ? fail_memory(&reader)
                                    : fail_damaged(&reader, at, "the differences cannot be read");
        if (!undo_image_of(image, &found))
            return fail_memory(&reader);
        if (!undo_image_is_equal(&found, &record->original))
            return fail_damaged(&reader, at, "what it leads to is not the original that it names");
    }
    *original = image;
    return true;
}
