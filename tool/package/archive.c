/* archive.c - archive.h by libarchive.
 * Takes: bytes.  Gives: members.  Must not: let libarchive look for anything but zip and cab. */
#include "package/archive.h"

#include "base/path_name.h"
#include "base/utf16.h"
#include "package/text_locale.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>

struct archive_reader {
    struct span bytes;
    struct archive *archive; /* NULL: could not be opened */
    void *locale;
    bool is_sequential; /* members are reached by unpacking what stands before */
    bool is_open;
};

static const char zip_begin[] = {'P', 'K', 3, 4};
static const char zip_empty[] = {'P', 'K', 5, 6};
static const char cab_begin[] = {'M', 'S', 'C', 'F', 0, 0, 0, 0};

static bool begins_with(struct span bytes, const char *begin, size_t nbytes)
{
    return bytes.nbytes >= nbytes && memcmp(bytes.bytes, begin, nbytes) == 0;
}

static bool is_cab(struct span bytes)
{
    return begins_with(bytes, cab_begin, sizeof cab_begin);
}

/* A directory of nothing: Windows and other tools write that for a folder without files. libarchive takes it
 * for none. */
static bool is_empty_zip(struct span bytes)
{
    enum { END_NBYTES = 22, COUNTS = 4, COUNTS_NBYTES = 16, COMMENT_NBYTES = 20 };
    static const uint8_t none[COUNTS_NBYTES];
    return begins_with(bytes, zip_empty, sizeof zip_empty) && bytes.nbytes >= END_NBYTES &&
           memcmp(bytes.bytes + COUNTS, none, COUNTS_NBYTES) == 0 &&
           bytes.nbytes == END_NBYTES + (size_t)load_u16(bytes.bytes + COMMENT_NBYTES);
}

bool archive_is_known(struct span bytes)
{
    return begins_with(bytes, zip_begin, sizeof zip_begin) ||
           begins_with(bytes, zip_empty, sizeof zip_empty) || is_cab(bytes);
}

static struct archive *open_as(int (*support)(struct archive *), struct span bytes)
{
    struct archive *archive = archive_read_new();
    if (!archive)
        return NULL;
    if (support(archive) != ARCHIVE_OK ||
        archive_read_open_memory(archive, bytes.bytes, bytes.nbytes) != ARCHIVE_OK) {
        archive_read_free(archive);
        return NULL;
    }
    return archive;
}

/* A zip is read by its directory, as Windows reads it. One that has lost its directory is read from its
 * begin, so that what is left of it is judged. */
static void open_archive(struct archive_reader *reader)
{
    reader->is_open = true;
    reader->is_sequential = is_cab(reader->bytes);
    if (reader->is_sequential) {
        reader->archive = open_as(archive_read_support_format_cab, reader->bytes);
        return;
    }
    reader->archive = open_as(archive_read_support_format_zip_seekable, reader->bytes);
    if (reader->archive)
        return;
    reader->is_sequential = true;
    reader->archive = open_as(archive_read_support_format_zip_streamable, reader->bytes);
}

struct archive_reader *archive_open(struct span bytes)
{
    struct archive_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return NULL;
    reader->bytes = bytes;
    reader->locale = text_locale_open();
    return reader;
}

void archive_close(struct archive_reader *reader)
{
    void *before = text_locale_enter(reader->locale);
    if (reader->archive)
        archive_read_free(reader->archive);
    text_locale_leave(before);
    text_locale_close(reader->locale);
    free(reader);
}

static enum archive_result result_of(const struct archive_reader *reader, int result)
{
    if (result == ARCHIVE_OK)
        return ARCHIVE_GAVE;
    if (result == ARCHIVE_EOF)
        return ARCHIVE_ENDED;
    if (archive_errno(reader->archive) == ENOMEM)
        return ARCHIVE_NO_MEMORY;
    return result == ARCHIVE_FATAL ? ARCHIVE_BROKEN : ARCHIVE_BAD;
}

/* Would the name lead elsewhere than below the folder into which somebody unpacks? */
static bool leads_out(const char *name)
{
    bool has_drive = name[0] != 0 && name[1] == ':';
    if (path_is_separator(name[0]) || has_drive)
        return true;
    for (const char *at = name; *at;) {
        size_t nbytes = strcspn(at, "/\\");
        if (nbytes == 2 && at[0] == '.' && at[1] == '.')
            return true;
        at += nbytes;
        at += *at != 0;
    }
    return false;
}

/* The name as UTF-8; what is none becomes U+FFFD. Where the archive does not say in which code its names are,
 * they come as they stand, or on Windows by the system's code page. NULL when memory ran out. */
static const char *name_of(struct archive_entry *entry, struct arena *arena, bool *is_odd)
{
    const char *name = text_locale_name(entry, arena);
    *is_odd = !name || !*name;
    if (*is_odd)
        return arena->exhausted ? NULL : "(no name)";
    size_t unit_count, nbytes, name_nbytes = strlen(name);
    const uint16_t *units = utf16_from_utf8(name, name_nbytes, arena, &unit_count);
    const char *tidy = units ? utf16_to_utf8(units, unit_count, arena, &nbytes) : NULL;
    *is_odd = tidy && (strcmp(tidy, name) != 0 || strstr(tidy, "\xEF\xBF\xBD") || leads_out(tidy));
    return tidy;
}

static bool describe(struct archive_entry *entry, struct arena *arena, struct archive_file *file)
{
    file->is_link = archive_entry_filetype(entry) == AE_IFLNK || archive_entry_hardlink(entry) != NULL;
    file->is_file = !file->is_link && archive_entry_filetype(entry) == AE_IFREG;
    la_int64_t stated = archive_entry_size_is_set(entry) ? archive_entry_size(entry) : 0;
    file->nbytes = stated > 0 ? (uint64_t)stated : 0;
    file->is_encrypted = archive_entry_is_encrypted(entry) != 0;
    file->written_s = archive_entry_mtime_is_set(entry) ? (int64_t)archive_entry_mtime(entry) : 0;
    file->mode = (uint32_t)archive_entry_perm(entry) & 0777u;
    file->name = name_of(entry, arena, &file->has_odd_name);
    return file->name != NULL;
}

enum archive_result archive_next(struct archive_reader *reader, struct arena *arena,
                                 struct archive_file *file)
{
    struct archive_entry *entry = NULL;
    if (is_empty_zip(reader->bytes))
        return ARCHIVE_ENDED;
    void *before = text_locale_enter(reader->locale);
    if (!reader->is_open)
        open_archive(reader);
    enum archive_result result = ARCHIVE_BROKEN;
    if (reader->archive) {
        int got = archive_read_next_header(reader->archive, &entry);
        result = result_of(reader, got);
        /* A warning comes with a member, whose name could not be converted. */
        if (got == ARCHIVE_WARN && result == ARCHIVE_BAD)
            result = ARCHIVE_GAVE;
        else if (result == ARCHIVE_BAD) /* there is no member to go on from */
            result = ARCHIVE_BROKEN;
        if (result == ARCHIVE_GAVE && !describe(entry, arena, file))
            result = ARCHIVE_NO_MEMORY;
    }
    text_locale_leave(before);
    return result;
}

enum archive_result archive_block(struct archive_reader *reader, struct span *block)
{
    const void *bytes = NULL;
    size_t nbytes = 0;
    la_int64_t offset;
    void *before = text_locale_enter(reader->locale);
    int got = archive_read_data_block(reader->archive, &bytes, &nbytes, &offset);
    text_locale_leave(before);
    *block = (struct span){nbytes != 0 ? bytes : NULL, nbytes};
    return result_of(reader, got);
}

bool archive_content_add(struct archive_content *content, struct span block, struct arena *arena)
{
    uint8_t *grown = arena_grow(arena, content->bytes, content->nbytes, &content->capacity,
                                content->nbytes + block.nbytes + 1, 1);
    if (!grown)
        return false;
    content->bytes = grown;
    if (block.nbytes != 0)
        memcpy(grown + content->nbytes, block.bytes, block.nbytes);
    content->nbytes += block.nbytes;
    return true;
}

bool archive_unpacks_to_skip(const struct archive_reader *reader)
{
    return reader->is_sequential;
}

bool archive_lacks_directory(const struct archive_reader *reader)
{
    return reader->is_sequential && !is_cab(reader->bytes);
}

const char *archive_trouble(struct archive_reader *reader, struct arena *arena)
{
    const char *words = reader->archive ? archive_error_string(reader->archive) : NULL;
    if (!words || !*words)
        return "no archive that can be read begins here";
    size_t nbytes = strlen(words);
    while (nbytes != 0 && (words[nbytes - 1] == '\n' || words[nbytes - 1] == '.'))
        nbytes--;
    return arena_printf(arena, "%.*s", (int)nbytes, words);
}
