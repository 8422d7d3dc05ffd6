/* fuzz_undo.c - undo files from anywhere, and the way there and back between any two files.
 * Claims: what is read lies inside the file and its stated sizes inside their bounds; a record whose digests
 * are right (they are made right here, since no fuzzer finds them) leads to an original of the size and
 * digest that it names, or to a sentence; a record that is made of two files leads back; work and memory are
 * linear. */
#include "fuzz.h"
#include "io/digest.h"
#include "undo/undo.h"
#include "undo/undo_record.h"

#include <stdlib.h>

enum { IMAGE_NBYTES = 4096 };

static const struct work_limit reading = {400, 2000000, 20, 80 * 1024 * 1024};
static const struct work_limit making = {2000, 2000000, 60, 8 * 1024 * 1024};

static void claim_error(const struct finding *error)
{
    CLAIM(error->code == HVCI9091_UNDO_DAMAGED || error->code == HVCI9092_UNDO_NEWER, "code %u",
          (unsigned)error->code);
    CLAIM(is_sentence(error->message) && is_sentence(error->cure), "an error without words");
}

static void claim_facts(const struct undo_facts *facts)
{
    for (size_t i = 0; i < facts->count; i++)
        CLAIM(facts->items[i].what, "a fact without words");
}

static void claim_file(struct span bytes, const struct undo_file *file)
{
    size_t end = 0;
    CLAIM(file->record_count >= 1 && file->record_count <= UNDO_MOST_RECORDS, "%zu records",
          file->record_count);
    for (size_t i = 0; i < file->record_count; i++) {
        const struct undo_record *record = &file->records[i];
        CLAIM(record->bytes.bytes == bytes.bytes + end, "a record is not behind the one before it");
        end += record->bytes.nbytes;
        CLAIM(undo_fits(record->original.nbytes, record->repaired.nbytes), "sizes %u and %u",
              (unsigned)record->original.nbytes, (unsigned)record->repaired.nbytes);
        claim_facts(&record->description.cured);
        claim_facts(&record->description.changes);
    }
    CLAIM(end == bytes.nbytes, "%zu of %zu bytes are records", end, bytes.nbytes);
}

static void read_and_apply(struct span bytes)
{
    uint8_t image_bytes[IMAGE_NBYTES];
    struct span image = {image_bytes, sizeof image_bytes}, original;
    struct undo_file file;
    struct undo_image found;
    struct finding error;
    struct arena arena;
    arena_init(&arena, NULL);
    for (size_t i = 0; i < sizeof image_bytes; i++)
        image_bytes[i] = (uint8_t)(i * 7 + i / 256);
    struct work work = work_begin(&arena);
    if (!undo_read(bytes, "x", &arena, &file, &error)) {
        claim_error(&error);
    } else {
        claim_file(bytes, &file);
        size_t last = file.record_count - 1;
        if (!undo_apply(&file, last, image, "x", &arena, &original, &error)) {
            claim_error(&error);
        } else {
            CLAIM(undo_image_of(original, &found) && undo_image_is_equal(&found, &file.records[0].original),
                  "%zu bytes are not the original that is named", original.nbytes);
        }
    }
    work_end(&work, &arena, bytes.nbytes, &reading, "reading an undo file");
    arena_free(&arena);
}

/* The first record with a right digest. */
static void sign(uint8_t *bytes, size_t nbytes)
{
    uint32_t record_nbytes = nbytes < UNDO_HEADER_NBYTES ? 0 : load_u32(bytes + UNDO_RECORD_NBYTES_AT);
    if (record_nbytes < UNDO_HEADER_NBYTES || record_nbytes > nbytes)
        return;
    const struct span parts[] = {{bytes, UNDO_RECORD_SHA256_AT},
                                 {bytes + UNDO_HEADER_NBYTES, record_nbytes - UNDO_HEADER_NBYTES}};
    CLAIM(digest_parts(DIGEST_SHA256, parts, 2, bytes + UNDO_RECORD_SHA256_AT), "no SHA-256");
}

static void there_and_back(struct span old_file, struct span new_file)
{
    struct undo_fact facts[] = {{"HVCI2102: words", "why"}, {"more", NULL}};
    struct undo_description description = {
        .tool_version = "1", .image_name = "x.sys", .cured = {facts, 2}, .changes = {facts, 1}};
    struct undo_file file;
    struct finding error;
    struct span record, original;
    struct arena arena;
    if (!undo_fits(old_file.nbytes, new_file.nbytes))
        return;
    arena_init(&arena, NULL);
    struct work work = work_begin(&arena);
    CLAIM(undo_record_make(old_file, new_file, &description, &arena, &record),
          "no record of %zu and %zu bytes", old_file.nbytes, new_file.nbytes);
    work_end(&work, &arena, old_file.nbytes + new_file.nbytes, &making, "making a record");
    CLAIM(undo_read(record, "x", &arena, &file, &error), "%s", error.message);
    CLAIM(file.records[0].description.cured.count == 2 && file.records[0].description.changes.count == 1,
          "the description is not what was written");
    CLAIM(undo_apply(&file, 0, new_file, "x", &arena, &original, &error), "%s", error.message);
    CLAIM(original.nbytes == old_file.nbytes &&
              (original.nbytes == 0 || memcmp(original.bytes, old_file.bytes, original.nbytes) == 0),
          "%zu bytes do not come back", old_file.nbytes);
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    struct span input = {data, nbytes}, first, second;
    read_and_apply(input);
    if (undo_is(input)) {
        uint8_t *copy = malloc(nbytes);
        CLAIM(copy, "no memory");
        memcpy(copy, data, nbytes);
        sign(copy, nbytes);
        read_and_apply((struct span){copy, nbytes});
        free(copy);
        return 0;
    }
    /* The file, and the same without a piece of it: what lies behind has moved. */
    (void)span_part(input, 0, nbytes / 3, &first);
    (void)span_part(input, nbytes / 2, nbytes - nbytes / 2, &second);
    uint8_t *joined = malloc(first.nbytes + second.nbytes + 1);
    CLAIM(joined, "no memory");
    if (first.nbytes != 0)
        memcpy(joined, first.bytes, first.nbytes);
    if (second.nbytes != 0)
        memcpy(joined + first.nbytes, second.bytes, second.nbytes);
    struct span moved = {joined, first.nbytes + second.nbytes};
    there_and_back(input, moved);
    there_and_back(moved, input);
    there_and_back(first, second);
    free(joined);
    return 0;
}
