/* sarif_rules.c - the rules, and the tool's own codes, as SARIF describes them.
 * Takes: the tables.  Gives: reporting descriptors.  Must not: hold texts of rules. */
#include "report/own_codes.h"
#include "report/sarif.h"

enum { GITHUB_MOST_CHARS = 1024 };

#define DRIVER_VERIFIER_PAGE                                                                                 \
    "https://learn.microsoft.com/windows-hardware/drivers/devtest/code-integrity-checking"
#define COMPATIBILITY_PAGE                                                                                   \
    "https://learn.microsoft.com/windows-hardware/test/hlk/testref/driver-compatibility-with-device-guard"

bool sarif_is_notification(enum finding_code code)
{
    switch (code) {
    case HVCI9001_NOT_A_PE_IMAGE:
    case HVCI9002_TRUNCATED:
    case HVCI9003_MALFORMED_HEADER:
    case HVCI9006_CANNOT_READ:
    case HVCI9007_CANNOT_WRITE:
    case HVCI9008_OUT_OF_MEMORY:
    case HVCI9010_USAGE:
    case HVCI9030_REPAIR_REFUTED:
    case HVCI9050_PACKAGE_DAMAGED:
    case HVCI9051_PACKAGE_ENCRYPTED:
    case HVCI9052_PACKAGE_LIMIT:
        return true;
    default:
        return false;
    }
}

size_t sarif_descriptor_index(enum finding_code code)
{
    bool is_notification = sarif_is_notification(code);
    size_t index = 0;
    for (size_t i = 0; i < rules_count && !is_notification; i++, index++)
        if (rules_all[i]->code == code)
            return index;
    for (size_t i = 0; i < own_code_count && own_codes[i].code != code; i++)
        index += sarif_is_notification(own_codes[i].code) == is_notification;
    return index;
}

static void add_message(struct json_writer *json, const char *key, const char *text)
{
    json_begin_object(json, key);
    json_text(json, "text", text);
    json_end_object(json);
}

/* At most so much as GitHub keeps, ending with a whole sentence where there is one. */
static const char *shortened(struct arena *arena, const char *text)
{
    size_t nbytes = strlen(text);
    if (nbytes <= GITHUB_MOST_CHARS)
        return text;
    for (nbytes = GITHUB_MOST_CHARS; nbytes > 1 && !(text[nbytes - 1] == '.' && text[nbytes] <= ' ');
         nbytes--)
        ;
    const char *copy = nbytes > 1 ? arena_copy_text(arena, text, nbytes) : NULL;
    return copy ? copy : "";
}

/* "a few words" as a sentence. */
static const char *sentence(struct arena *arena, const char *words)
{
    bool is_lower = words[0] >= 'a' && words[0] <= 'z';
    return arena_printf(arena, "%c%s.", is_lower ? words[0] - 'a' + 'A' : words[0], words + 1);
}

/* "error", "warning", "note", or "none" for a rule that is off: the first word of the table's. */
static const char *level_word(const char *default_level)
{
    static const char *const words[] = {"error", "warning", "note"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strncmp(default_level, words[i], strlen(words[i])) == 0)
            return words[i];
    return "none";
}

static void add_level(struct json_writer *json, const char *level)
{
    json_begin_object(json, "defaultConfiguration");
    json_text(json, "level", level);
    json_end_object(json);
}

/* GitHub sorts by it: 7.0 to 8.9 is high, 4.0 to 6.9 medium, less is low. */
static const char *severity(const char *level)
{
    return strcmp(level, "error") == 0 ? "7.8" : strcmp(level, "warning") == 0 ? "5.0" : "3.0";
}

static void add_properties(struct json_writer *json, const char *level)
{
    json_begin_object(json, "properties");
    json_begin_array(json, "tags");
    json_text(json, NULL, "security");
    json_text(json, NULL, "memory-integrity");
    json_text(json, NULL, "windows-driver");
    json_end_array(json);
    json_text(json, "precision", "very-high");
    json_text(json, "security-severity", severity(level));
    json_end_object(json);
}

static void add_finding_message(struct json_writer *json)
{
    json_begin_object(json, "messageStrings");
    add_message(json, "finding", "{0} Image: '{1}'."); /* a title must be the first sentence */
    json_end_object(json);
}

static const char *help_page(enum finding_code code)
{
    return code < HVCI2101_RELOCATION_STRADDLES ? DRIVER_VERIFIER_PAGE : COMPATIBILITY_PAGE;
}

static void add_rule(struct json_writer *json, const struct rule *rule)
{
    struct arena *arena = json->text->arena;
    const struct rule_text *texts = &rule->text;
    json_begin_object(json, NULL);
    json_code(json, "id", (unsigned)rule->code);
    json_text(json, "name", rule->name);
    add_message(json, "shortDescription", sentence(arena, rule->title));
    add_message(json, "fullDescription", shortened(arena, texts->what));
    json_begin_object(json, "help");
    json_text(json, "text",
              arena_printf(arena,
                           "What it means:\n%s\n\nWhat Windows does:\n%s\n\nCure at the source:\n%s\n\nWhat "
                           "hvcifix fix does:\n%s",
                           texts->what, texts->windows, texts->cure, texts->repair));
    json_text(json, "markdown",
              arena_printf(arena,
                           "**What it means**\n\n%s\n\n**What Windows does**\n\n%s\n\n**Cure at the "
                           "source**\n\n%s\n\n**What `hvcifix fix` does**\n\n%s\n",
                           texts->what, texts->windows, texts->cure, texts->repair));
    json_end_object(json);
    json_text(json, "helpUri", help_page(rule->code));
    add_level(json, level_word(rule->default_level));
    add_finding_message(json);
    add_properties(json, level_word(rule->default_level));
    json_end_object(json);
}

static bool is_article(const char *word, size_t nbytes)
{
    static const char *const articles[] = {"a", "an", "the"};
    for (size_t i = 0; i < sizeof articles / sizeof articles[0]; i++)
        if (strlen(articles[i]) == nbytes && strncmp(articles[i], word, nbytes) == 0)
            return true;
    return false;
}

/* "a reference is not understood" as ReferenceIsNotUnderstood. */
static const char *pascal_case(struct arena *arena, const char *title)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    struct text name = {.arena = arena};
    while (*title) {
        size_t nbytes = strspn(title, letters);
        for (size_t i = 0; i < nbytes && !is_article(title, nbytes); i++) {
            char lower = text_lower(title[i]);
            char shown = i == 0 ? (char)(lower - 'a' + 'A') : lower;
            text_add(&name, &shown, 1);
        }
        title += nbytes + (title[nbytes] != 0);
    }
    return name.chars ? name.chars : "";
}

static void add_own_code(struct json_writer *json, const struct own_code *own)
{
    struct arena *arena = json->text->arena;
    json_begin_object(json, NULL);
    json_code(json, "id", (unsigned)own->code);
    json_text(json, "name", pascal_case(arena, own->title));
    add_message(json, "shortDescription", sentence(arena, own->title));
    add_message(json, "fullDescription", shortened(arena, own->what));
    json_begin_object(json, "help");
    json_text(json, "text", arena_printf(arena, "%s\n\nWhat to do:\n%s", own->what, own->cure));
    json_text(json, "markdown", arena_printf(arena, "%s\n\n**What to do**\n\n%s\n", own->what, own->cure));
    json_end_object(json);
    json_text(json, "helpUri", COMPATIBILITY_PAGE);
    add_level(json, "error");
    add_finding_message(json);
    if (!sarif_is_notification(own->code))
        add_properties(json, "warning"); /* no weakness of the image by itself */
    json_end_object(json);
}

void sarif_descriptors(struct json_writer *json)
{
    json_begin_array(json, "rules");
    for (size_t i = 0; i < rules_count; i++)
        add_rule(json, rules_all[i]);
    for (size_t i = 0; i < own_code_count; i++)
        if (!sarif_is_notification(own_codes[i].code))
            add_own_code(json, &own_codes[i]);
    json_end_array(json);
    json_begin_array(json, "notifications");
    for (size_t i = 0; i < own_code_count; i++)
        if (sarif_is_notification(own_codes[i].code))
            add_own_code(json, &own_codes[i]);
    json_end_array(json);
}

void sarif_overrides(struct json_writer *json, const struct policy *policy)
{
    bool has_any = false;
    for (size_t i = 0; policy && i < rules_count; i++) {
        enum rule_level level = policy->rules[i].level;
        if (level == RULE_LEVEL_DEFAULT)
            continue;
        if (!has_any)
            json_begin_array(json, "ruleConfigurationOverrides");
        has_any = true;
        json_begin_object(json, NULL);
        json_begin_object(json, "descriptor");
        json_code(json, "id", (unsigned)rules_all[i]->code);
        json_number(json, "index", i);
        json_end_object(json);
        json_begin_object(json, "configuration");
        if (level == RULE_LEVEL_OFF)
            json_bool(json, "enabled", false);
        else
            json_text(json, "level", rule_level_name(level));
        json_end_object(json);
        json_end_object(json);
    }
    if (has_any)
        json_end_array(json);
}
