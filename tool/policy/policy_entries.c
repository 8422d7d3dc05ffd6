/* policy_entries.c - the entries of a policy file: what its lines say of which section and key.
 * Takes: a text.  Gives: entries with their places, and a problem for each section or key that there is not.
 * Must not: know what a value means. */
#include "policy/policy_lines.h"

#include "base/text.h"

#include <ini.h>

struct taking {
    struct policy_lines lines;
    struct entry_list *entries;
    bool failed; /* memory ran out */
    enum policy_section section;
    const char *waiver; /* the name of the section, where it is a waiver's */
    bool is_known_section;
    struct policy_origin section_origin;
};

/* `waiver "name"`: the name in the arena, or NULL when the text is none of a waiver with a name. */
static const char *waiver_name(struct policy_lines *lines, const char *section)
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

static void begin_section(struct taking *taking, const char *section)
{
    struct policy_lines *lines = &taking->lines;
    struct policy_reader *reader = lines->reader;
    taking->section_origin = policy_line_place(lines, lines->indent_nbytes);
    taking->is_known_section = false;
    taking->waiver = NULL;
    size_t word_nbytes = strcspn(section, " \t\"");
    const char *word = arena_copy_text(reader->arena, section, word_nbytes);
    if (!word)
        return;
    for (size_t i = 0; i < SECTION_COUNT; i++) {
        if (!text_same_word(word, policy_section_names[i]))
            continue;
        bool is_plain = section[word_nbytes] == 0;
        taking->section = (enum policy_section)i;
        if (i == SECTION_WAIVER) {
            taking->waiver = waiver_name(lines, section);
            taking->is_known_section = taking->waiver != NULL;
            if (!taking->waiver)
                policy_complain_of_line(lines, "A waiver has a name: [waiver \"name\"].");
        } else {
            taking->is_known_section = is_plain;
            if (!is_plain)
                policy_complain_of_line(lines, "Only waivers have names: [waiver \"name\"].");
        }
        return;
    }
    const char *near = policy_near_section(word);
    policy_complain(reader, &taking->section_origin, HVCI9040_POLICY_INVALID, LEVEL_ERROR,
                    near ? "[%s] is no section of a policy; did you mean [%s]?"
                         : "[%s] is no section of a policy%s.",
                    word, near ? near : "");
}

/* Where the value begins in the line; the line's begin when it is empty. */
static size_t value_offset(const struct policy_lines *lines)
{
    size_t at = lines->indent_nbytes;
    while (at < lines->nbytes && lines->chars[at] != '=' && lines->chars[at] != ':')
        at++;
    size_t value = at + 1;
    while (value < lines->nbytes && (lines->chars[value] == ' ' || lines->chars[value] == '\t'))
        value++;
    return value < lines->nbytes ? value : lines->indent_nbytes;
}

static bool add_entry(struct taking *taking, const struct policy_entry *entry)
{
    struct entry_list *list = taking->entries;
    struct policy_entry *items = arena_grow(taking->lines.reader->arena, list->items, list->count,
                                            &list->capacity, list->count + 1, sizeof *items);
    if (!items)
        return false;
    list->items = items;
    items[list->count++] = *entry;
    return true;
}

static void complain_of_key(struct taking *taking, const struct policy_entry *entry)
{
    const char *near = policy_near_key(entry->section, entry->name);
    const char *section = policy_section_names[entry->section];
    if (entry->section == SECTION_RULES || entry->section == SECTION_FIX)
        policy_complain(taking->lines.reader, &entry->at_name, HVCI9040_POLICY_INVALID, LEVEL_ERROR,
                        "\"%s\" is no rule; \"hvcifix rules\" lists them.", entry->name);
    else if (near)
        policy_complain(taking->lines.reader, &entry->at_name, HVCI9040_POLICY_INVALID, LEVEL_ERROR,
                        "\"%s\" is no key of [%s]; did you mean \"%s\"?", entry->name, section, near);
    else
        policy_complain(taking->lines.reader, &entry->at_name, HVCI9040_POLICY_INVALID, LEVEL_ERROR,
                        "\"%s\" is no key of [%s].", entry->name, section);
}

/* inih's handler: one line that was understood. */
static int take_entry(void *context, const char *section, const char *name, const char *value)
{
    struct taking *taking = context;
    struct policy_lines *lines = &taking->lines;
    struct arena *arena = lines->reader->arena;
    bool begins_section = strcmp(name, POLICY_SECTION_BEGINS) == 0;
    if (begins_section)
        begin_section(taking, section);
    else if (section[0] == 0)
        policy_complain_of_line(lines, "This line stands before the first section, such as [policy].");
    if (!taking->is_known_section || section[0] == 0)
        return 1; /* the section was complained of already */

    struct policy_entry entry = {.section = taking->section, .waiver = taking->waiver};
    entry.at_name = begins_section ? taking->section_origin : policy_line_place(lines, lines->indent_nbytes);
    entry.at_value = policy_line_place(lines, value_offset(lines));
    if (!begins_section) {
        entry.name = arena_copy_text(arena, name, strlen(name));
        entry.value = arena_copy_text(arena, value, strlen(value));
        if (!entry.name || !entry.value) {
            taking->failed = true;
            return 1;
        }
        entry.key = policy_key_find(entry.section, name);
        if (!entry.key) {
            complain_of_key(taking, &entry);
            return 1;
        }
        if (entry.value[0] == 0) {
            policy_complain(lines->reader, &entry.at_name, HVCI9040_POLICY_INVALID, LEVEL_ERROR,
                            "\"%s\" has no value; it takes %s.", entry.name, entry.key->values);
            return 1;
        }
    }
    taking->failed = !add_entry(taking, &entry) || taking->failed;
    return 1;
}

bool policy_entries(struct policy_reader *reader, const char *file, struct span text,
                    struct entry_list *entries)
{
    struct taking taking = {.lines = {.reader = reader, .file = file, .text = text}, .entries = entries};
    static const uint8_t byte_order_mark[] = {0xEF, 0xBB, 0xBF};
    if (text.nbytes >= sizeof byte_order_mark &&
        memcmp(text.bytes, byte_order_mark, sizeof byte_order_mark) == 0)
        taking.lines.next_offset = sizeof byte_order_mark;
    int bad_line = ini_parse_stream(policy_give_line, &taking.lines, take_entry, &taking);
    if (bad_line < 0)
        reader->arena->exhausted = true; /* inih's own memory */
    struct policy_origin whole_file = {.file = file};
    if (bad_line > 0) /* every line was looked at before; this is only for what inih may learn to refuse */
        policy_complain(reader, &whole_file, HVCI9040_POLICY_INVALID, LEVEL_ERROR,
                        "A line of this file cannot be read.");
    return !taking.failed && !reader->arena->exhausted;
}
