/* policy_keys.c - every section and key of a policy file, once.
 * Takes: words.  Gives: rows of the table, and the nearest known word.  Must not: hold values. */
#include "policy/policy_parts.h"

#include "rules/rule.h"

#include <stdlib.h>

const char *const policy_section_names[SECTION_COUNT] = {"policy", "rules", "fix", "waiver"};

const struct key_row policy_keys[] = {
    {SECTION_POLICY, "name", KEY_POLICY_NAME, "a text", "What reports call this policy."},
    {SECTION_POLICY, "preset", KEY_PRESET, "windows-11, windows-10-1507, whcp or audit",
     "The values to begin with: windows-11, windows-10-1507, whcp or audit."},
    {SECTION_POLICY, "include", KEY_INCLUDE, "the path of a policy file",
     "Another policy file, whose values hold where this one has none; its waivers hold too. The path is\n"
     "relative to this file. May stand several times."},
    {SECTION_POLICY, "target", KEY_TARGET, "a Windows release, such as 1703, 11 or server-2019",
     "The oldest Windows that must load the images: 7, 8.1, 1607, 1703, 11, server-2019, ..."},
    {SECTION_POLICY, "mode", KEY_MODE, "audit, fix or reject",
     "audit: only report. fix: repair what [fix] allows, reject the rest. reject: repair nothing."},
    {SECTION_POLICY, "drop-signature", KEY_DROP_SIGNATURE, "yes or no",
     "May a signed image be rewritten, which takes its signature away?"},
    {SECTION_POLICY, "expiry-warning-days", KEY_EXPIRY_WARNING_DAYS, "a number of days from 0 to 3650",
     "So many days before a waiver expires, what it waives becomes a warning."},
    {SECTION_RULES, NULL, KEY_RULE_LEVEL, "error, warning, note, off or default",
     "How grave is a finding of each rule in a kernel image? error, warning, note, off, or default\n"
     "(\"hvcifix rules\" lists the rules). In user-mode and firmware images findings are at most notes."},
    {SECTION_FIX, NULL, KEY_RULE_REPAIR, "enforce, fix or never",
     "Who may repair it? enforce: the step behind the linker, by itself. fix: only somebody who calls\n"
     "\"hvcifix fix\". never: nobody."},
    {SECTION_WAIVER, "image", KEY_WAIVER_IMAGE, "a pattern for paths",
     "Which images: * is any part of a name, ** any part of a path, ? one character."},
    {SECTION_WAIVER, "code", KEY_WAIVER_CODE, "the code of a rule", "Which rule."},
    {SECTION_WAIVER, "section", KEY_WAIVER_SECTION, "a pattern for a section's name",
     "Only findings about this section. May be left out."},
    {SECTION_WAIVER, "reason", KEY_WAIVER_REASON, "a text", "Why it is allowed. Reports repeat it."},
    {SECTION_WAIVER, "owner", KEY_WAIVER_OWNER, "a text", "Who answers for it."},
    {SECTION_WAIVER, "expires", KEY_WAIVER_EXPIRES, "a day, YYYY-MM-DD", "The last day on which it holds."},
};
const size_t policy_key_count = sizeof policy_keys / sizeof policy_keys[0];

static char to_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool policy_same_word(const char *a, const char *b)
{
    while (*a && to_lower(*a) == to_lower(*b)) {
        a++;
        b++;
    }
    return to_lower(*a) == to_lower(*b);
}

size_t policy_rule_number(const char *word)
{
    static const char prefix[] = "hvci";
    size_t skipped = 0;
    while (prefix[skipped] && to_lower(word[skipped]) == prefix[skipped])
        skipped++;
    if (skipped == sizeof prefix - 1)
        word += skipped;
    if (strspn(word, "0123456789") != 4 || word[4] != 0)
        return rules_count;
    unsigned long code = strtoul(word, NULL, 10);
    size_t number = 0;
    while (number < rules_count && (unsigned long)rules_all[number]->code != code)
        number++;
    return number;
}

const struct key_row *policy_key_find(enum policy_section section, const char *name)
{
    for (size_t i = 0; i < policy_key_count; i++) {
        const struct key_row *row = &policy_keys[i];
        if (row->section != section)
            continue;
        if (row->name ? policy_same_word(row->name, name) : policy_rule_number(name) != rules_count)
            return row;
    }
    return NULL;
}

enum { LONGEST_WORD_NBYTES = 31, MOST_SLIPS = 2 };

/* Slips between two words (Damerau's distance, letters that are exchanged counting once); more than
 * MOST_SLIPS for words that are long or far apart. */
static unsigned slips_between(const char *a, const char *b)
{
    size_t a_nbytes = strlen(a), b_nbytes = strlen(b);
    unsigned rows[3][LONGEST_WORD_NBYTES + 1];
    if (a_nbytes > LONGEST_WORD_NBYTES || b_nbytes > LONGEST_WORD_NBYTES)
        return MOST_SLIPS + 1;
    for (size_t k = 0; k <= b_nbytes; k++)
        rows[0][k] = (unsigned)k;
    for (size_t i = 1; i <= a_nbytes; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *above = rows[(i + 2) % 3], *above_that = rows[(i + 1) % 3];
        row[0] = (unsigned)i;
        for (size_t k = 1; k <= b_nbytes; k++) {
            bool is_same = to_lower(a[i - 1]) == to_lower(b[k - 1]);
            unsigned least = above[k - 1] + !is_same;
            if (above[k] + 1 < least)
                least = above[k] + 1;
            if (row[k - 1] + 1 < least)
                least = row[k - 1] + 1;
            bool is_exchanged = i > 1 && k > 1 && to_lower(a[i - 1]) == to_lower(b[k - 2]) &&
                                to_lower(a[i - 2]) == to_lower(b[k - 1]);
            if (is_exchanged && above_that[k - 2] + 1 < least)
                least = above_that[k - 2] + 1;
            row[k] = least;
        }
    }
    return rows[a_nbytes % 3][b_nbytes];
}

struct nearest {
    const char *word;
    unsigned slips;
};

static void consider(struct nearest *nearest, const char *known, const char *name)
{
    unsigned slips = slips_between(known, name);
    if (slips < nearest->slips && slips < strlen(known)) {
        nearest->slips = slips;
        nearest->word = known;
    }
}

const char *policy_near_key(enum policy_section section, const char *name)
{
    struct nearest nearest = {NULL, MOST_SLIPS + 1};
    for (size_t i = 0; i < policy_key_count; i++)
        if (policy_keys[i].section == section && policy_keys[i].name)
            consider(&nearest, policy_keys[i].name, name);
    return nearest.word;
}

const char *policy_near_section(const char *name)
{
    struct nearest nearest = {NULL, MOST_SLIPS + 1};
    for (size_t i = 0; i < SECTION_COUNT; i++)
        consider(&nearest, policy_section_names[i], name);
    return nearest.word;
}
