/* inf.c - inf_read(): characters to entries, in one pass.
 * Takes: bytes.  Gives: struct inf.  Must not: know what an entry means. */
#include "package/inf_tokens.h"

#include "base/utf16.h"

enum { END = -1 };

struct reader {
    struct inf *inf;
    struct arena *arena;
    size_t count; /* of characters */
    size_t at;
    unsigned line;
    const char *section;
    size_t entry_capacity;
};

static int unit_at(const struct reader *reader, size_t at)
{
    const struct inf *inf = reader->inf;
    if (at >= reader->count)
        return END;
    const uint8_t *p = inf->bytes.bytes + inf->mark_nbytes + at * inf->width_nbytes;
    if (inf->width_nbytes == 1)
        return p[0];
    return inf->is_big_endian ? p[0] << 8 | p[1] : p[1] << 8 | p[0];
}

static bool is_blank(int unit)
{
    return unit == ' ' || unit == '\t';
}

static bool is_line_end(int unit)
{
    return unit == END || unit == '\n' || unit == '\r';
}

static void skip_blanks(struct reader *reader)
{
    while (is_blank(unit_at(reader, reader->at)))
        reader->at++;
}

static void skip_line_end(struct reader *reader)
{
    if (unit_at(reader, reader->at) == '\r' && unit_at(reader, reader->at + 1) == '\n')
        reader->at++;
    if (reader->at < reader->count)
        reader->at++;
    reader->line++;
}

static void skip_line(struct reader *reader)
{
    while (!is_line_end(unit_at(reader, reader->at)))
        reader->at++;
    skip_line_end(reader);
}

/* A backslash with nothing but blanks, or a comment, between it and the line's end. */
static bool is_continued(const struct reader *reader, size_t at)
{
    if (unit_at(reader, at) != '\\')
        return false;
    do
        at++;
    while (is_blank(unit_at(reader, at)));
    return (is_line_end(unit_at(reader, at)) && at < reader->count) || unit_at(reader, at) == ';';
}

/* Characters on their way to UTF-8. */
struct collected {
    uint16_t *units;
    size_t count, capacity, kept_count; /* kept: up to the last that is no blank outside quotation marks */
};

static bool collect(struct reader *reader, struct collected *collected, int unit, bool is_kept)
{
    uint16_t *units = arena_grow(reader->arena, collected->units, collected->count, &collected->capacity,
                                 collected->count + 1, sizeof *units);
    if (!units)
        return false;
    collected->units = units;
    units[collected->count++] = (uint16_t)unit;
    if (is_kept)
        collected->kept_count = collected->count;
    return true;
}

static const char *text_of(struct reader *reader, const struct collected *collected)
{
    size_t nbytes;
    if (reader->inf->width_nbytes == 2)
        return utf16_to_utf8(collected->units, collected->kept_count, reader->arena, &nbytes);
    char *text = arena_alloc(reader->arena, collected->kept_count + 1);
    for (size_t i = 0; text && i < collected->kept_count; i++)
        text[i] = (char)collected->units[i];
    return text;
}

struct word {
    struct inf_value value;
    int end; /* the character that ends it: = , or END for the end of the entry */
};

/* The next word of an entry; `stops` at "=" when that may still separate a key. */
static bool read_word(struct reader *reader, bool stops_at_equals, struct word *word)
{
    struct collected collected = {0};
    bool is_quoted = false;
    skip_blanks(reader);
    word->value = (struct inf_value){.first = reader->at, .end = reader->at, .is_literal = true};
    for (;;) {
        int unit = unit_at(reader, reader->at);
        if (is_line_end(unit) || (unit == ';' && !is_quoted)) {
            word->end = END;
            break;
        }
        if (!is_quoted && (unit == ',' || (unit == '=' && stops_at_equals))) {
            word->end = unit;
            reader->at++;
            break;
        }
        if (!is_quoted && is_continued(reader, reader->at)) {
            skip_line(reader);
            skip_blanks(reader);
            word->value.is_literal = word->value.is_literal && collected.kept_count == 0;
            if (collected.kept_count == 0) {
                collected.count = 0;
                word->value.first = word->value.end = reader->at;
            }
            continue;
        }
        if (unit == '"') {
            word->value.is_literal = false;
            bool is_doubled = is_quoted && unit_at(reader, reader->at + 1) == '"';
            reader->at += is_doubled ? 2 : 1;
            word->value.end = reader->at;
            if (!is_doubled) {
                is_quoted = !is_quoted;
                collected.kept_count = collected.count;
                continue;
            }
        } else {
            reader->at++;
            if (is_quoted || !is_blank(unit))
                word->value.end = reader->at;
            if (unit == '%')
                word->value.is_literal = false;
        }
        if (!collect(reader, &collected, unit, is_quoted || !is_blank(unit)))
            return false;
    }
    word->value.text = text_of(reader, &collected);
    return word->value.text != NULL;
}

static bool read_section(struct reader *reader)
{
    struct collected collected = {0};
    reader->at++;
    for (;; reader->at++) {
        int unit = unit_at(reader, reader->at);
        if (unit == ']' || is_line_end(unit))
            break;
        if (!collect(reader, &collected, unit, !is_blank(unit)))
            return false;
    }
    reader->section = text_of(reader, &collected);
    skip_line(reader);
    return reader->section != NULL;
}

static bool add_entry(struct reader *reader, const struct inf_entry *entry)
{
    struct inf *inf = reader->inf;
    struct inf_entry *entries = arena_grow(reader->arena, (void *)(uintptr_t)inf->entries, inf->entry_count,
                                           &reader->entry_capacity, inf->entry_count + 1, sizeof *entries);
    if (!entries)
        return false;
    entries[inf->entry_count++] = *entry;
    inf->entries = entries;
    return true;
}

static bool read_entry(struct reader *reader)
{
    struct inf_entry entry = {.section = reader->section, .line = reader->line};
    struct inf_value *values = NULL;
    size_t capacity = 0;
    for (bool may_be_key = true;; may_be_key = false) {
        struct word word;
        if (!read_word(reader, may_be_key, &word))
            return false;
        if (may_be_key && word.end == '=') {
            entry.key = word.value.text;
            continue;
        }
        values = arena_grow(reader->arena, values, entry.value_count, &capacity, entry.value_count + 1,
                            sizeof *values);
        if (!values)
            return false;
        values[entry.value_count++] = word.value;
        if (word.end == END)
            break;
    }
    entry.values = values;
    skip_line(reader);
    return add_entry(reader, &entry);
}

static bool read_lines(struct reader *reader)
{
    while (reader->at < reader->count) {
        skip_blanks(reader);
        int unit = unit_at(reader, reader->at);
        if (is_line_end(unit) || unit == ';')
            skip_line(reader);
        else if (unit == '[' ? !read_section(reader) : !read_entry(reader))
            return false;
    }
    return true;
}

bool inf_read(struct span bytes, struct arena *arena, struct inf *inf, const char **problem)
{
    const uint8_t *p = bytes.bytes;
    *inf = (struct inf){.bytes = bytes, .width_nbytes = 1};
    *problem = NULL;
    if (bytes.nbytes > INF_MOST_NBYTES) {
        *problem = "The INF file has more than 16 MiB.";
        return false;
    }
    if (bytes.nbytes >= 2 && ((p[0] == 0xFF && p[1] == 0xFE) || (p[0] == 0xFE && p[1] == 0xFF))) {
        inf->width_nbytes = 2;
        inf->is_big_endian = p[0] == 0xFE;
        inf->mark_nbytes = 2;
    } else if (bytes.nbytes >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0) {
        inf->mark_nbytes = 3;
    }
    struct reader reader = {.inf = inf,
                            .arena = arena,
                            .count = (bytes.nbytes - inf->mark_nbytes) / inf->width_nbytes,
                            .line = 1,
                            .section = ""};
    if (inf->width_nbytes == 1 && bytes.nbytes != 0 && memchr(p, 0, bytes.nbytes)) {
        *problem = "The INF file is no text: it holds bytes of zero and no byte-order mark.";
        return false;
    }
    return read_lines(&reader) && inf_expand_tokens(inf, arena, problem);
}
