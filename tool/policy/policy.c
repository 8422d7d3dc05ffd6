/* policy.c - policy.h: the layers of a policy, one over the other.
 * Takes: a path.  Gives: struct policy.  Must not: know single keys but `preset` and `include`. */
#include "policy/policy_parts.h"

#include "base/path_name.h"
#include "io/file.h"
#include "rules/rule.h"

enum {
    MOST_FILE_NBYTES = 1 << 20,
    MOST_INCLUDED = 64, /* files that are open one inside the other, and all files of a policy */
    DEFAULT_EXPIRY_WARNING_DAYS = 30
};

struct layers {
    struct policy_reader reader;
    struct file_identity open[MOST_INCLUDED]; /* the files that are being read, the outermost first */
    size_t depth, file_count;
    /* For each of policy->files: which file it is, and the file that has included it. */
    struct file_identity read[MOST_INCLUDED];
    const char *read_by[MOST_INCLUDED];
};

void policy_complain(struct policy_reader *reader, const struct policy_origin *origin, enum finding_code code,
                     enum finding_level level, const char *format, ...)
{
    struct policy_problem_list *list = reader->problems;
    va_list arguments;
    va_start(arguments, format);
    const char *message = arena_vprintf(reader->arena, format, arguments);
    va_end(arguments);
    struct policy_problem *items =
        arena_grow(reader->arena, list->items, list->count, &list->capacity, list->count + 1, sizeof *items);
    if (!items)
        return;
    list->items = items;
    items[list->count++] = (struct policy_problem){*origin, code, level, message};
}

static void complain_of_entry(struct layers *layers, const struct policy_entry *entry, const char *format,
                              const char *what)
{
    policy_complain(&layers->reader, &entry->at_value, HVCI9040_POLICY_INVALID, LEVEL_ERROR, format, what);
}

/* "HVCI2003" and "2003". */
static bool is_same_rule(const char *name, const char *other)
{
    enum finding_certainty certainty = FINDING_PROVED, other_certainty = FINDING_PROVED;
    return policy_rule_number(name, &certainty) == policy_rule_number(other, &other_certainty) &&
           certainty == other_certainty;
}

/* A key that stands twice in one section of a file: which of the two is meant? */
static void complain_of_duplicates(struct layers *layers, const struct entry_list *entries)
{
    /* A file has at most 2^20 / 4 lines; the keys of a section are few, those of waivers stand together. */
    for (size_t i = 0; i < entries->count; i++) {
        const struct policy_entry *entry = &entries->items[i];
        if (!entry->key || entry->key->key == KEY_INCLUDE || entry->key->key == KEY_REPORT_FILE)
            continue;
        for (size_t k = i; k > 0; k--) {
            const struct policy_entry *before = &entries->items[k - 1];
            if (before->section == SECTION_WAIVER && entry->section == SECTION_WAIVER && !before->key)
                break; /* this waiver's begin */
            bool is_same = before->key == entry->key && before->section == entry->section &&
                           (entry->key->name || is_same_rule(before->name, entry->name));
            if (!is_same)
                continue;
            policy_complain(&layers->reader, &entry->at_name, HVCI9041_POLICY_DUPLICATE, LEVEL_ERROR,
                            "\"%s\" stands in line %u already.", entry->name, before->at_name.line);
            break;
        }
    }
}

static bool add_text(struct layers *layers, const char *file, struct span text, bool is_preset);

/* The path of an included file, relative to the file that includes it. */
static const char *path_of_included(struct arena *arena, const char *file, const char *path)
{
    bool is_absolute = path_is_separator(path[0]) || (path[0] != 0 && path[1] == ':');
    return is_absolute ? path : path_beside(arena, file, path);
}

/* Reads a file into the policy. `entry` is what includes it, or NULL for the first. */
static bool add_file(struct layers *layers, const char *path, const struct policy_entry *entry)
{
    struct policy_reader *reader = &layers->reader;
    struct file_content content;
    struct file_identity identity = {0};
    struct finding error;
    struct policy_origin whole_file = {.file = path};
    const struct policy_origin *origin = entry ? &entry->at_value : &whole_file;
    /* Each file is read once, however often it is included. */
    bool is_there = file_identify(path, &identity);
    for (size_t i = 0; is_there && i < layers->depth; i++)
        if (file_identity_is_equal(&layers->open[i], &identity)) {
            policy_complain(reader, origin, HVCI9040_POLICY_INVALID, LEVEL_ERROR,
                            "%s includes itself, directly or through others.", path);
            return !reader->arena->exhausted;
        }
    for (size_t i = 0; is_there && i < layers->file_count; i++) {
        if (!file_identity_is_equal(&layers->read[i], &identity))
            continue;
        /* Two files may build on one; one file names it once. */
        if (entry && layers->read_by[i] == origin->file)
            policy_complain(reader, origin, HVCI9041_POLICY_DUPLICATE, LEVEL_ERROR,
                            "%s is included here already.", path);
        return !reader->arena->exhausted;
    }
    if (layers->file_count == MOST_INCLUDED) {
        policy_complain(reader, origin, HVCI9040_POLICY_INVALID, LEVEL_ERROR,
                        "A policy has at most 64 files.");
        return !reader->arena->exhausted;
    }
    layers->read[layers->file_count] = identity;
    layers->read_by[layers->file_count] = entry ? origin->file : NULL;
    reader->policy->files[layers->file_count++] = path;
    reader->policy->file_count = layers->file_count;
    if (!file_read(path, reader->arena, &content, &error)) {
        policy_complain(reader, origin, HVCI9040_POLICY_INVALID, LEVEL_ERROR,
                        "The policy file %s cannot be read: %s", path, error.message);
        return !reader->arena->exhausted;
    }
    if (content.bytes.nbytes > MOST_FILE_NBYTES) {
        policy_complain(reader, origin, HVCI9040_POLICY_INVALID, LEVEL_ERROR,
                        "A policy file has at most 1 MiB.");
        return !reader->arena->exhausted;
    }
    layers->open[layers->depth++] = content.state.identity;
    bool is_done = add_text(layers, path, content.bytes, false);
    layers->depth--;
    return is_done;
}

static bool add_preset(struct layers *layers, const struct policy_entry *entry)
{
    const char *preset = policy_preset_text(entry->value);
    if (!preset) {
        complain_of_entry(layers, entry, "There is no preset \"%s\".", entry->value);
        return !layers->reader.arena->exhausted;
    }
    struct span text = {(const uint8_t *)preset, strlen(preset)};
    return add_text(layers, arena_printf(layers->reader.arena, "preset %s", entry->value), text, true);
}

/* One text with all that it builds upon: presets first, then other files, then its own values. */
static bool add_text(struct layers *layers, const char *file, struct span text, bool is_preset)
{
    struct entry_list entries = {0};
    if (!policy_entries(&layers->reader, file, text, &entries))
        return false;
    complain_of_duplicates(layers, &entries);
    static const enum policy_key layer_keys[] = {KEY_PRESET, KEY_INCLUDE};
    for (size_t layer = 0; layer < 2; layer++)
        for (size_t i = 0; i < entries.count; i++) {
            const struct policy_entry *entry = &entries.items[i];
            if (!entry->key || entry->key->key != layer_keys[layer])
                continue;
            if (layer == 0
                    ? !add_preset(layers, entry)
                    : !add_file(layers, path_of_included(layers->reader.arena, file, entry->value), entry))
                return false;
        }
    for (size_t i = 0; i < entries.count; i++) {
        entries.items[i].at_name.is_preset = entries.items[i].at_value.is_preset = is_preset;
        policy_set(&layers->reader, &entries.items[i]);
    }
    return !layers->reader.arena->exhausted;
}

static bool is_trusted(const struct policy_problem_list *problems)
{
    for (size_t i = 0; i < problems->count; i++)
        if (problems->items[i].code == HVCI9040_POLICY_INVALID ||
            problems->items[i].code == HVCI9041_POLICY_DUPLICATE)
            return false;
    return true;
}

/* What a policy begins with: a file, or a preset that is named instead of one, or nothing. */
static bool add_first(struct layers *layers, const char *path)
{
    struct policy_reader *reader = &layers->reader;
    size_t prefix_nbytes = strlen(POLICY_PRESET_PREFIX);
    if (!path)
        return true;
    if (strncmp(path, POLICY_PRESET_PREFIX, prefix_nbytes) != 0)
        return add_file(layers, path, NULL);
    const char *preset = policy_preset_text(path + prefix_nbytes);
    const char *words = arena_printf(reader->arena, "preset %s", path + prefix_nbytes);
    if (!preset) {
        struct policy_origin whole = {.file = words};
        policy_complain(reader, &whole, HVCI9040_POLICY_INVALID, LEVEL_ERROR, "There is no preset \"%s\".",
                        path + prefix_nbytes);
        return !reader->arena->exhausted;
    }
    struct span text = {(const uint8_t *)preset, strlen(preset)};
    return add_text(layers, words, text, true);
}

bool policy_read(const char *path, day_number today, struct arena *arena, struct policy *policy,
                 struct policy_problem_list *problems)
{
    *policy = (struct policy){.path = path,
                              .name = "",
                              .target = TARGET_DEFAULT,
                              .mode = MODE_FIX,
                              .expiry_warning_days = DEFAULT_EXPIRY_WARNING_DAYS,
                              .today = today};
    *problems = (struct policy_problem_list){.arena = arena};
    policy->rules = arena_array(arena, rules_count, sizeof *policy->rules);
    struct layers *layers = arena_alloc(arena, sizeof *layers);
    policy->files = arena_array(arena, MOST_INCLUDED, sizeof *policy->files);
    if (!policy->rules || !layers || !policy->files)
        return false;
    for (size_t i = 0; i < rules_count; i++)
        if (rule_is_repaired_on_request(rules_all[i]))
            policy->rules[i].repair = REPAIR_BY_FIX;
    layers->reader = (struct policy_reader){arena, policy, problems};
    if (!add_first(layers, path))
        return false;
    policy_finish_demands(&layers->reader);
    policy_finish_waivers(&layers->reader);
    return !arena->exhausted && is_trusted(problems);
}
