/* fuzz_zip.c - any bytes as a zip archive with some files changed, and archives made after a recipe.
 * Takes: an archive; or, where no "PK" stands in front, a recipe: what its files are like, in groups of
 * bytes. Which files are replaced or left out is said by the input's last bytes.
 * Claims: with nothing changed the archive is the same; every file that is kept has its bytes, header and
 * directory entry; another reader (libarchive) finds just the files that there have to be; what is well
 * formed is never refused; work and memory are linear. */
#include "fuzz.h"
#include "package/archive.h"
#include "package/parcel_change.h"
#include "package/zip_parts.h"
#include "package/zip_rewrite.h"

#include <stdlib.h>
#include <zlib.h>

enum { MOST_FILES = 40, MOST_ARCHIVE_NBYTES = 1 << 20, RECIPE_NBYTES = 6 };

/* Packing a new content costs more than its bytes: the window of deflate. */
static const struct work_limit rewriting = {
    .steps_per_byte = 2000, .steps_constant = 2000000, .memory_per_byte = 200, .memory_constant = 1 << 20};

static const uint8_t new_content[] = "MZ a new content, MZ a new content, MZ a new content";

static void choose(struct span input, const struct parcel *parcel, struct zip_change *changes,
                   struct parcel_change *wanted)
{
    for (size_t i = 0; i < parcel->count; i++) {
        unsigned choice = i < input.nbytes ? input.bytes[input.nbytes - 1 - i] & 3u : 0;
        const struct parcel_entry *entry = &parcel->entries[i];
        changes[i] = (struct zip_change){.fate = ZIP_KEEP};
        if (choice == 1 && !entry->is_folder) {
            size_t nbytes = input.bytes[0] < sizeof new_content ? input.bytes[0] : sizeof new_content;
            changes[i] = (struct zip_change){ZIP_REPLACE, entry->bytes, {new_content, nbytes}};
            CLAIM(parcel_change_to(&wanted[i], changes[i].new_bytes, true), "no SHA-256");
        } else if (choice == 2) {
            changes[i].fate = ZIP_LEAVE_OUT;
            wanted[i].fate = PARCEL_LEAVE_OUT;
        }
    }
}

/* A kept file: the same bytes in front of it and in it, and in the directory all but its place. */
static void claim_kept(struct span before, const struct zip_record *x, struct span after,
                       const struct zip_record *y)
{
    CLAIM(x->local_nbytes == y->local_nbytes && x->central_nbytes == y->central_nbytes &&
              memcmp(before.bytes + x->local_foff, after.bytes + y->local_foff, x->local_nbytes) == 0 &&
              memcmp(before.bytes + x->central_foff, after.bytes + y->central_foff, CENTRAL_LOCAL_FOFF) ==
                  0 &&
              memcmp(before.bytes + x->central_foff + CENTRAL_HEADER_NBYTES,
                     after.bytes + y->central_foff + CENTRAL_HEADER_NBYTES,
                     x->central_nbytes - CENTRAL_HEADER_NBYTES) == 0,
          "a file that is kept is another");
}

static void claim_parts(struct span before, const struct zip_change *changes, struct span after,
                        struct arena *arena)
{
    struct zip_parts old, new;
    const char *problem;
    size_t k = 0;
    CLAIM(zip_parts_find(before, arena, &old, &problem), "%s", problem);
    CLAIM(zip_parts_find(after, arena, &new, &problem), "the new one %s", problem ? problem : "(memory)");
    for (size_t i = 0; i < old.count; i++) {
        if (changes[i].fate == ZIP_LEAVE_OUT)
            continue;
        CLAIM(k < new.count, "%zu files are left", k);
        if (changes[i].fate == ZIP_KEEP)
            claim_kept(before, old.by_local_foff[i], after, new.by_local_foff[k]);
        k++;
    }
    CLAIM(k == new.count, "%zu files, not %zu", new.count, k);
    CLAIM(before.nbytes - old.end_foff ==
              after.nbytes - new.end_foff &&memcmp(before.bytes + old.end_foff + END_NBYTES,
                                                   after.bytes + new.end_foff + END_NBYTES,
                                                   before.nbytes - old.end_foff - END_NBYTES) ==
              0,
          "the archive's comment is another");
}

static void claim_rewrite(struct span archive, struct span input, bool is_well_formed)
{
    struct arena arena;
    struct parcel parcel, again;
    struct finding error;
    struct span same, rewritten;
    const char *problem = NULL;
    arena_init(&arena, NULL);
    if (parcel_read_archive("a", archive, &arena, &parcel, &error) && parcel.kind == PARCEL_ZIP) {
        struct zip_change *changes = arena_array(&arena, parcel.count + 1, sizeof *changes);
        struct parcel_change *wanted = arena_array(&arena, parcel.count + 1, sizeof *wanted);
        CLAIM(changes && wanted, "memory");
        if (zip_rewrite(archive, changes, parcel.count, &arena, &same, &problem))
            CLAIM(span_is_equal(archive, same), "with nothing changed it is another archive");
        choose(input, &parcel, changes, wanted);
        struct work work = work_begin(&arena);
        bool is_done = zip_rewrite(archive, changes, parcel.count, &arena, &rewritten, &problem);
        work_end(&work, &arena, archive.nbytes + parcel.count * sizeof new_content, &rewriting,
                 "a new archive");
        CLAIM(is_done || problem, "memory");
        CLAIM(is_done || !is_well_formed, "an archive that %s", problem);
        if (is_done) {
            claim_parts(archive, changes, rewritten, &arena);
            CLAIM(parcel_read_archive("a", rewritten, &arena, &again, &error) &&
                      parcel_is_changed_so(&parcel, wanted, &again, &arena, &error),
                  "%s", error.message);
        }
    } else {
        CLAIM(!is_well_formed, "%s", error.message);
    }
    arena_free(&arena);
}

/* An archive in the making, by APPNOTE.TXT, sections 4.3.7, 4.3.9, 4.3.12 and 4.3.16. */
struct made {
    uint8_t bytes[MOST_ARCHIVE_NBYTES], directory[MOST_FILES * 1024];
    size_t nbytes, directory_nbytes;
    unsigned count;
};

static void put(uint8_t *to, size_t *at, uint64_t value, unsigned width_nbytes)
{
    store_width(to + *at, width_nbytes, value);
    *at += width_nbytes;
}

static void fill(uint8_t *to, size_t *at, size_t nbytes, uint8_t value)
{
    memset(to + *at, value, nbytes);
    *at += nbytes;
}

/* An extra field of no known kind; `room` is what it takes. */
static void put_extra(uint8_t *to, size_t *at, size_t room_nbytes)
{
    if (room_nbytes == 0)
        return;
    put(to, at, 0xCAFE, 2);
    put(to, at, room_nbytes - 4, 2);
    fill(to, at, room_nbytes - 4, 'x');
}

/* What local header and directory say alike. */
static void put_common(uint8_t *to, size_t *at, unsigned flags, unsigned method, const uint32_t sizes[3])
{
    put(to, at, 20, 2);
    put(to, at, flags, 2);
    put(to, at, method, 2);
    put(to, at, 0x59216000, 4); /* a time and a date */
    for (unsigned i = 0; i < 3; i++)
        put(to, at, sizes[i], 4);
}

static size_t deflated(struct span content, uint8_t *room, size_t room_nbytes)
{
    z_stream stream = {0};
    CLAIM(deflateInit2(&stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK, "zlib");
    stream.next_in = (Bytef *)(uintptr_t)content.bytes;
    stream.avail_in = (uInt)content.nbytes;
    stream.next_out = room;
    stream.avail_out = (uInt)room_nbytes;
    CLAIM(deflate(&stream, Z_FINISH) == Z_STREAM_END, "zlib");
    size_t nbytes = room_nbytes - stream.avail_out;
    deflateEnd(&stream);
    return nbytes;
}

/* recipe: flags of the kind, sizes of the extra fields and the comment, of the name, and of the content. */
static void put_file(struct made *made, const uint8_t *recipe, struct span content)
{
    static uint8_t room[1 << 17];
    bool is_deflated = recipe[0] & 1, has_descriptor = recipe[0] & 2;
    size_t extra_nbytes = recipe[1] < 4 ? 0 : recipe[1],
           directory_extra_nbytes = recipe[2] < 4 ? 0 : recipe[2];
    size_t comment_nbytes = recipe[3], name_nbytes = 4 + recipe[4] % 100, foff = made->nbytes;
    struct span packed = content;
    if (is_deflated)
        packed = (struct span){room, deflated(content, room, sizeof room)};
    uint32_t crc = (uint32_t)crc32(crc32(0, NULL, 0), content.bytes, (uInt)content.nbytes);
    const uint32_t sizes[] = {crc, (uint32_t)packed.nbytes, (uint32_t)content.nbytes}, none[3] = {0};
    unsigned flags = has_descriptor ? ZIP_HAS_DESCRIPTOR : 0,
             method = is_deflated ? ZIP_DEFLATED : ZIP_STORED;
    uint8_t name[104];
    memset(name, 'n', sizeof name);
    memcpy(name, (const uint8_t[]){(uint8_t)('a' + made->count % 26), (uint8_t)('a' + made->count / 26)}, 2);
    put(made->bytes, &made->nbytes, 0x04034B50, 4);
    put_common(made->bytes, &made->nbytes, flags, method, has_descriptor ? none : sizes);
    put(made->bytes, &made->nbytes, name_nbytes, 2);
    put(made->bytes, &made->nbytes, extra_nbytes, 2);
    memcpy(made->bytes + made->nbytes, name, name_nbytes);
    made->nbytes += name_nbytes;
    put_extra(made->bytes, &made->nbytes, extra_nbytes);
    if (packed.nbytes != 0)
        memcpy(made->bytes + made->nbytes, packed.bytes, packed.nbytes);
    made->nbytes += packed.nbytes;
    if (has_descriptor) {
        put(made->bytes, &made->nbytes, 0x08074B50, 4);
        for (unsigned i = 0; i < 3; i++)
            put(made->bytes, &made->nbytes, sizes[i], 4);
    }
    uint8_t *to = made->directory;
    size_t *at = &made->directory_nbytes;
    put(to, at, 0x02014B50, 4);
    put(to, at, recipe[0] & 4 ? 20 | 3 << 8 : 20, 2); /* made on Unix */
    put_common(to, at, flags, method, sizes);
    put(to, at, name_nbytes, 2);
    put(to, at, directory_extra_nbytes, 2);
    put(to, at, comment_nbytes, 2);
    put(to, at, 0, 4);
    put(to, at, recipe[0] & 4 ? UINT32_C(0100644) << 16 : 0x20, 4);
    put(to, at, foff, 4);
    memcpy(to + *at, name, name_nbytes);
    *at += name_nbytes;
    put_extra(to, at, directory_extra_nbytes);
    fill(to, at, comment_nbytes, 'c');
    made->count++;
}

static void claim_made(struct span input)
{
    static struct made made;
    size_t at = 1, comment_nbytes = input.bytes[0];
    made.nbytes = made.directory_nbytes = made.count = 0;
    while (made.count < MOST_FILES && input.nbytes - at >= RECIPE_NBYTES) {
        const uint8_t *recipe = input.bytes + at;
        size_t content_nbytes = (size_t)recipe[5] * (recipe[0] & 8 ? 64 : 1);
        at += RECIPE_NBYTES;
        if (content_nbytes > input.nbytes - at)
            content_nbytes = input.nbytes - at;
        put_file(&made, recipe, (struct span){input.bytes + at, content_nbytes});
        at += content_nbytes;
    }
    size_t directory_foff = made.nbytes;
    memcpy(made.bytes + made.nbytes, made.directory, made.directory_nbytes);
    made.nbytes += made.directory_nbytes;
    put(made.bytes, &made.nbytes, 0x06054B50, 4);
    put(made.bytes, &made.nbytes, 0, 4);
    put(made.bytes, &made.nbytes, made.count * UINT32_C(0x10001), 4);
    put(made.bytes, &made.nbytes, made.directory_nbytes, 4);
    put(made.bytes, &made.nbytes, directory_foff, 4);
    put(made.bytes, &made.nbytes, comment_nbytes, 2);
    fill(made.bytes, &made.nbytes, comment_nbytes, 'z');
    if (made.count != 0)
        claim_rewrite((struct span){made.bytes, made.nbytes}, input, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    struct span input = {data, nbytes};
    if (archive_is_known(input))
        claim_rewrite(input, input, false);
    else if (nbytes > RECIPE_NBYTES && nbytes < MOST_ARCHIVE_NBYTES / 8)
        claim_made(input);
    return 0;
}
