/* policy_lines.c - the lines of a policy file, read with inih.
 * Takes: a text.  Gives: entries with their places.  Must not: know what a value means.
 * inih hands over names and values without their places, drops what is longer than its own fields, joins
 * lines that are indented to the line before, and says nothing of empty sections. So it gets each line
 * without its indent, a line that is too long for it is a problem, and behind the head of a section it gets
 * one line more, which is ours. */
#include "policy/policy_parts.h"

#include "base/text.h"
#include "base/utf16.h"

#include <ini.h>

enum {
    LONGEST_LINE_NBYTES = INI_MAX_LINE - 3, /* inih wants room for the end of the line and a NUL */
    LONGEST_NAME_NBYTES = 49                /* MAX_SECTION and MAX_NAME of inih, less a NUL */
};
#define SECTION_BEGINS "section begins here"

struct lines {
    struct policy_reader *reader;
    struct entry_list *entries;
    const char *file;
    struct span text;
    size_t next_offset;
    unsigned line;     /* of the line that inih has */
    const char *chars; /* that line, without its end */
    size_t nbytes, indent_nbytes;
    bool owes_section_line; /* the line was a section's head */
    bool failed;            /* memory ran out */
    enum policy_section section;
    const char *waiver;
    bool is_known_section;
    struct policy_origin section_origin;
};

static struct policy_origin place(const struct lines *lines, size_t offset)
{
    return (struct policy_origin){.file = lines->file, .line = lines->line, .column = (unsigned)offset + 1};
}

static void complain_of_line(struct lines *lines, const char *message)
{
    struct policy_origin origin = place(lines, lines->indent_nbytes);
    policy_complain(lines->reader, &origin, HVCI9040_POLICY_INVALID, LEVEL_ERROR, "%s", message);
}

/* Takes the next line of the text; false behind the last. */
static bool take_line(struct lines *lines)
{
    if (lines->next_offset >= lines->text.nbytes)
        return false;
    const char *chars = (const char *)lines->text.bytes + lines->next_offset;
    size_t left_nbytes = lines->text.nbytes - lines->next_offset;
    const char *end = memchr(chars, '\n', left_nbytes);
    size_t nbytes = end ? (size_t)(end - chars) : left_nbytes;
    lines->next_offset += nbytes + (end != NULL);
    lines->line++;
    if (nbytes != 0 && chars[nbytes - 1] == '\r')
        nbytes--;
    lines->chars = chars;
    lines->nbytes = nbytes;
    lines->indent_nbytes = 0;
    while (lines->indent_nbytes < nbytes &&
           (chars[lines->indent_nbytes] == ' ' || chars[lines->indent_nbytes] == '\t'))
        lines->indent_nbytes++;
    return true;
}

/* As inih sees it: a name ends at = or :, unless a comment (; behind a blank) begins before. */
static bool has_assignment(const char *chars, size_t nbytes)
{
    for (size_t i = 0; i < nbytes; i++) {
        if (chars[i] == '=' || chars[i] == ':')
            return true;
        if (chars[i] == ';' && i != 0 && (chars[i - 1] == ' ' || chars[i - 1] == '\t'))
            return false;
    }
    return false;
}

static bool is_blank_or_comment(const char *chars, size_t nbytes)
{
    while (nbytes != 0 && (*chars == ' ' || *chars == '\t')) {
        chars++;
        nbytes--;
    }
    return nbytes == 0 || *chars == ';' || *chars == '#';
}

/* Bytes that are no characters become others on their way to UTF-16. True when memory ran out. */
static bool is_utf8(struct lines *lines, const char *chars, size_t nbytes)
{
    struct arena *arena = lines->reader->arena;
    size_t unit_count = 0, back_nbytes = 0;
    const uint16_t *units = utf16_from_utf8(chars, nbytes, arena, &unit_count);
    const char *back = units ? utf16_to_utf8(units, unit_count, arena, &back_nbytes) : NULL;
    return !back || (back_nbytes == nbytes && memcmp(back, chars, nbytes) == 0);
}

/* Can inih read this line as it is meant? Complains where it cannot. */
static bool is_readable(struct lines *lines)
{
    const char *chars = lines->chars + lines->indent_nbytes;
    size_t nbytes = lines->nbytes - lines->indent_nbytes;
    if (memchr(chars, 0, nbytes)) {
        complain_of_line(lines, "This line holds a NUL; a policy is a text in UTF-8.");
        return false;
    }
    if (memchr(chars, '\r', nbytes)) { /* what stands behind it would be taken for part of this line */
        complain_of_line(lines, "A carriage return stands inside this line; lines end with LF or CR LF.");
        return false;
    }
    if (is_blank_or_comment(chars, nbytes))
        return true;
    if (nbytes > LONGEST_LINE_NBYTES) {
        complain_of_line(lines, "This line is too long: at most 197 bytes.");
        return false;
    }
    if (!is_utf8(lines, chars, nbytes)) {
        complain_of_line(lines, "This line is not UTF-8: save the file in that encoding.");
        return false;
    }
    if (chars[0] != '[') {
        if (has_assignment(chars, nbytes))
            return true;
        complain_of_line(lines, "This line is no [section], no \"key = value\" and no comment.");
        return false;
    }
    const char *close = memchr(chars, ']', nbytes);
    const char *wrong =
        !close                                    ? "The name of a section ends with ]."
        : close - chars > LONGEST_NAME_NBYTES + 1 ? "The name of this section is too long: at most 49 bytes."
        : !is_blank_or_comment(close + 1, nbytes - (size_t)(close + 1 - chars))
            ? "Behind the ] of a section only a comment may stand: keys have lines of their own."
            : NULL;
    if (wrong)
        complain_of_line(lines, wrong);
    return !wrong;
}

/* fgets() for inih. */
static char *give_line(char *buffer, int size, void *context)
{
    struct lines *lines = context;
    if (lines->owes_section_line) {
        lines->owes_section_line = false;
        snprintf(buffer, (size_t)size, "%s=1\n", SECTION_BEGINS);
        return buffer;
    }
    if (!take_line(lines))
        return NULL;
    const char *chars = lines->chars + lines->indent_nbytes;
    size_t nbytes = lines->nbytes - lines->indent_nbytes;
    bool is_readable_line = is_readable(lines);
    bool is_long_comment = nbytes > LONGEST_LINE_NBYTES;
    if (!is_readable_line || is_long_comment || nbytes + 2 > (size_t)size)
        nbytes = 0; /* an empty line in its place */
    memcpy(buffer, chars, nbytes);
    buffer[nbytes] = '\n';
    buffer[nbytes + 1] = 0;
    lines->owes_section_line = nbytes != 0 && chars[0] == '[' && memchr(chars, ']', nbytes) != NULL;
    return buffer;
}

/* `waiver "name"`: the name in the arena, or NULL when the text is none of a waiver with a name. */
static const char *waiver_name(struct lines *lines, const char *section)
{
    static const char prefix[] = "waiver";
    size_t nbytes = strlen(section);
    const char *at = section + sizeof prefix - 1;
    at += strspn(at, " \t");
    const char *end = section + nbytes;
    if (at + 2 >= end || at[0] != '"' || end[-1] != '"' || memchr(at + 1, '"', (size_t)(end - at) - 2))
        return NULL;
    return arena_copy_text(lines->reader->arena, at + 1, (size_t)(end - at) - 2);
}

static void begin_section(struct lines *lines, const char *section)
{
    struct policy_reader *reader = lines->reader;
    lines->section_origin = place(lines, lines->indent_nbytes);
    lines->is_known_section = false;
    lines->waiver = NULL;
    size_t word_nbytes = strcspn(section, " \t\"");
    const char *word = arena_copy_text(reader->arena, section, word_nbytes);
    if (!word)
        return;
    for (size_t i = 0; i < SECTION_COUNT; i++) {
        if (!text_same_word(word, policy_section_names[i]))
            continue;
        bool is_plain = section[word_nbytes] == 0;
        lines->section = (enum policy_section)i;
        if (i == SECTION_WAIVER) {
            lines->waiver = waiver_name(lines, section);
            lines->is_known_section = lines->waiver != NULL;
            if (!lines->waiver)
                complain_of_line(lines, "A waiver has a name: [waiver \"name\"].");
        } else {
            lines->is_known_section = is_plain;
            if (!is_plain)
                complain_of_line(lines, "Only waivers have names: [waiver \"name\"].");
        }
        return;
    }
    const char *near = policy_near_section(word);
    policy_complain(reader, &lines->section_origin, HVCI9040_POLICY_INVALID, LEVEL_ERROR,
                    near ? "[%s] is no section of a policy; did you mean [%s]?"
                         : "[%s] is no section of a policy%s.",
                    word, near ? near : "");
}

/* Where the value begins in the line; the line's begin when it is empty. */
static size_t value_offset(const struct lines *lines)
{
    size_t at = lines->indent_nbytes;
    while (at < lines->nbytes && lines->chars[at] != '=' && lines->chars[at] != ':')
        at++;
    size_t value = at + 1;
    while (value < lines->nbytes && (lines->chars[value] == ' ' || lines->chars[value] == '\t'))
        value++;
    return value < lines->nbytes ? value : lines->indent_nbytes;
}

static bool add_entry(struct lines *lines, const struct policy_entry *entry)
{
    struct entry_list *list = lines->entries;
    struct policy_entry *items = arena_grow(lines->reader->arena, list->items, list->count, &list->capacity,
                                            list->count + 1, sizeof *items);
    if (!items)
        return false;
    list->items = items;
    items[list->count++] = *entry;
    return true;
}

static void complain_of_key(struct lines *lines, const struct policy_entry *entry)
{
    const char *near = policy_near_key(entry->section, entry->name);
    const char *section = policy_section_names[entry->section];
    if (entry->section == SECTION_RULES || entry->section == SECTION_FIX)
        policy_complain(lines->reader, &entry->at_name, HVCI9040_POLICY_INVALID, LEVEL_ERROR,
                        "\"%s\" is no rule; \"hvcifix rules\" lists them.", entry->name);
    else if (near)
        policy_complain(lines->reader, &entry->at_name, HVCI9040_POLICY_INVALID, LEVEL_ERROR,
                        "\"%s\" is no key of [%s]; did you mean \"%s\"?", entry->name, section, near);
    else
        policy_complain(lines->reader, &entry->at_name, HVCI9040_POLICY_INVALID, LEVEL_ERROR,
                        "\"%s\" is no key of [%s].", entry->name, section);
}

/* inih's handler: one line that was understood. */
static int take_entry(void *context, const char *section, const char *name, const char *value)
{
    struct lines *lines = context;
    struct arena *arena = lines->reader->arena;
    bool begins_section = strcmp(name, SECTION_BEGINS) == 0;
    if (begins_section)
        begin_section(lines, section);
    else if (section[0] == 0)
        complain_of_line(lines, "This line stands before the first section, such as [policy].");
    if (!lines->is_known_section || section[0] == 0)
        return 1; /* the section was complained of already */

    struct policy_entry entry = {.section = lines->section, .waiver = lines->waiver};
    entry.at_name = begins_section ? lines->section_origin : place(lines, lines->indent_nbytes);
    entry.at_value = place(lines, value_offset(lines));
    if (!begins_section) {
        entry.name = arena_copy_text(arena, name, strlen(name));
        entry.value = arena_copy_text(arena, value, strlen(value));
        if (!entry.name || !entry.value) {
            lines->failed = true;
            return 1;
        }
        entry.key = policy_key_find(entry.section, name);
        if (!entry.key) {
            complain_of_key(lines, &entry);
            return 1;
        }
        if (entry.value[0] == 0) {
            policy_complain(lines->reader, &entry.at_name, HVCI9040_POLICY_INVALID, LEVEL_ERROR,
                            "\"%s\" has no value; it takes %s.", entry.name, entry.key->values);
            return 1;
        }
    }
    lines->failed = !add_entry(lines, &entry) || lines->failed;
    return 1;
}

bool policy_entries(struct policy_reader *reader, const char *file, struct span text,
                    struct entry_list *entries)
{
    struct lines lines = {.reader = reader, .entries = entries, .file = file, .text = text};
    static const uint8_t byte_order_mark[] = {0xEF, 0xBB, 0xBF};
    if (text.nbytes >= sizeof byte_order_mark &&
        memcmp(text.bytes, byte_order_mark, sizeof byte_order_mark) == 0)
        lines.next_offset = sizeof byte_order_mark;
    int bad_line = ini_parse_stream(give_line, &lines, take_entry, &lines);
    if (bad_line < 0)
        reader->arena->exhausted = true; /* inih's own memory */
    struct policy_origin whole_file = {.file = file};
    if (bad_line > 0) /* every line was looked at before; this is only for what inih may learn to refuse */
        policy_complain(reader, &whole_file, HVCI9040_POLICY_INVALID, LEVEL_ERROR,
                        "A line of this file cannot be read.");
    return !lines.failed && !reader->arena->exhausted;
}
