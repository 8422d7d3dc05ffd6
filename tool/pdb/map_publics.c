/* map_publics.c - map_publics.h.
 * Takes: lines of text from outside.  Gives: names.  Must not: read past a line's end. */
#include "pdb/map_publics.h"

#include "base/text.h"

#include <string.h>

struct reader {
    const struct image *image;
    struct given_names *names;
    size_t capacity;
    bool has_base, is_in_names; /* what was met so far */
    const char *why;
};

/* The next word of the line: nbytes is 0 behind the last. */
static struct span next_word(struct span *line)
{
    size_t at = 0, begin;
    while (at < line->nbytes &&
           (line->bytes[at] == ' ' || line->bytes[at] == '\t' || line->bytes[at] == '\r'))
        at++;
    begin = at;
    while (at < line->nbytes && line->bytes[at] != ' ' && line->bytes[at] != '\t' && line->bytes[at] != '\r')
        at++;
    struct span word = {line->bytes + begin, at - begin};
    line->bytes += at;
    line->nbytes -= at;
    return word;
}

/* All of the word is a hexadecimal number of at most 16 digits. */
static bool hex(struct span word, uint64_t *number)
{
    *number = 0;
    for (size_t i = 0; i < word.nbytes; i++) {
        char c = text_lower((char)word.bytes[i]);
        unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a') + 10;
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
        *number = *number << 4 | digit;
    }
    return word.nbytes >= 1 && word.nbytes <= 16;
}

/* "0001:00000010" */
static bool place(struct span word, uint64_t *section, uint64_t *offset)
{
    const uint8_t *colon = word.nbytes ? memchr(word.bytes, ':', word.nbytes) : NULL;
    if (!colon)
        return false;
    size_t before = (size_t)(colon - word.bytes);
    return hex((struct span){word.bytes, before}, section) &&
           hex((struct span){colon + 1, word.nbytes - before - 1}, offset);
}

/* The RVA of a place; false when the image has no such section, or it would lie outside of the image. */
static bool place_rva(const struct image *image, uint64_t section, uint64_t offset, uint32_t *rva)
{
    if (section < 1 || section > image->section_count || offset > UINT32_MAX)
        return false;
    uint64_t sum = image->sections[section - 1].rva + offset;
    *rva = (uint32_t)sum;
    return sum <= image->image_nbytes;
}

/* Does the line begin with these words? Then it stands behind them. */
static bool begins(struct span *line, const char *words)
{
    struct span rest = *line, expected = {(const uint8_t *)words, strlen(words)};
    for (;;) {
        struct span word = next_word(&expected);
        if (word.nbytes == 0)
            break;
        if (!span_is_equal(word, next_word(&rest)))
            return false;
    }
    *line = rest;
    return true;
}

static bool add(struct reader *reader, uint32_t rva, struct span word)
{
    struct given_names *names = reader->names;
    struct arena *arena = reader->image->arena;
    word = name_undecorated(reader->image, word);
    /* ".text" is a section, ".text+1A30" a place of the map that hvcifix writes: no names of functions. */
    if (word.bytes[0] == '.' || word.nbytes > FUNCTION_NAME_MOST_NBYTES || memchr(word.bytes, 0, word.nbytes))
        return true;
    struct given_name *items =
        arena_grow(arena, names->items, names->count, &reader->capacity, names->count + 1, sizeof *items);
    const char *name = arena_copy_text(arena, (const char *)word.bytes, word.nbytes);
    if (!items || !name)
        return false;
    names->items = items;
    items[names->count++] = (struct given_name){.rva = rva, .name = name};
    return true;
}

/* " 0001:00000010       name       0000000140001010 f   object": false when memory ran out, or the map does
 * not fit. Section 0 is what has no place in the image. */
static bool read_name(struct reader *reader, struct span line)
{
    const struct image *image = reader->image;
    uint64_t section, offset, va;
    uint32_t rva;
    struct span where = next_word(&line), name = next_word(&line);
    if (!place(where, &section, &offset) || name.nbytes == 0 || !hex(next_word(&line), &va) || section == 0)
        return true;
    if (!place_rva(image, section, offset, &rva) || va != image->image_base_va + rva) {
        reader->why = "it names places that the image does not have";
        return false;
    }
    return add(reader, rva, name);
}

static bool read_line(struct reader *reader, struct span line)
{
    const struct image *image = reader->image;
    uint64_t number, section, offset;
    uint32_t rva;
    if (begins(&line, "Timestamp is")) { /* in words where the link can be repeated */
        if (hex(next_word(&line), &number) && number != image->time_date_stamp)
            reader->why = "its time stamp is not that of the image";
    } else if (begins(&line, "Preferred load address is")) {
        reader->has_base = hex(next_word(&line), &number);
        if (reader->has_base && number != image->image_base_va)
            reader->why = "its preferred load address is not that of the image";
    } else if (begins(&line, "entry point at")) {
        if (place(next_word(&line), &section, &offset) && section != 0 &&
            (!place_rva(image, section, offset, &rva) || rva != image->entry_rva))
            reader->why = "its entry point is not that of the image";
    } else if (begins(&line, "Address Publics by Value")) {
        reader->is_in_names = true;
    } else if (reader->is_in_names) {
        return read_name(reader, line);
    }
    return !reader->why;
}

enum map_fit map_publics_read(struct span file, const struct image *image, struct given_names *names,
                              const char **why)
{
    struct reader reader = {.image = image, .names = names};
    *names = (struct given_names){.items = NULL};
    *why = NULL;
    while (file.nbytes != 0) {
        const uint8_t *end = memchr(file.bytes, '\n', file.nbytes);
        size_t nbytes = end ? (size_t)(end - file.bytes) : file.nbytes, used = nbytes + (end != NULL);
        if (!read_line(&reader, (struct span){file.bytes, nbytes})) {
            *why = reader.why;
            return reader.why ? MAP_OF_ANOTHER : MAP_NO_MEMORY;
        }
        file.bytes += used;
        file.nbytes -= used;
    }
    if (!reader.has_base || !reader.is_in_names) {
        *why = "it has no preferred load address, or no list of public names by value";
        return MAP_UNREADABLE;
    }
    given_names_order(names);
    return MAP_FITS;
}
