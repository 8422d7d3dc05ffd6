/* policy_keys.c - every section and key of a policy file, once.
 * Takes: words.  Gives: rows of the table, and the nearest known word.  Must not: hold values. */
#include "policy/policy_parts.h"

#include "base/text.h"
#include "rules/rule.h"

#include <stdlib.h>

const char *const policy_section_names[SECTION_COUNT] = {"policy",  "rules",  "fix",
                                                         "require", "report", "waiver"};

const char *const policy_section_about[SECTION_COUNT] = {
    [SECTION_POLICY] = "What the policy is called, what it begins with, and what it does with images.",
    [SECTION_RULES] = "One line for each rule whose findings are to weigh more or less than by default.",
    [SECTION_FIX] = "One line for each rule whose findings enforce shall not repair, or, of HVCI22xx, shall.",
    [SECTION_REQUIRE] = "What an image has to be beyond what memory integrity asks. What is demanded is an "
                        "error, unless [rules]\n"
                        "says otherwise; what is not demanded is not judged. \"any\" takes back what a "
                        "preset or an included\n"
                        "file demands.",
    [SECTION_REPORT] = "Reports that check and enforce write besides what they print (docs/REPORTS.md).",
    [SECTION_WAIVER] =
        ("A finding that is known and allowed until a day. Each waiver has a section and a name "
         "of its own.\nWaived findings stay in every report, marked."),
};

const struct key_row policy_keys[] = {
    {SECTION_POLICY, "name", KEY_POLICY_NAME, "a text", "What reports call this policy.", "Contoso drivers"},
    {SECTION_POLICY, "preset", KEY_PRESET, "windows-11, windows-10-1507, whcp or audit",
     "The values to begin with: windows-11, windows-10-1507, whcp or audit.", "windows-11"},
    {SECTION_POLICY, "include", KEY_INCLUDE, "the path of a policy file",
     "Another policy file, whose values hold where this one has none; its waivers hold too. The path is\n"
     "relative to this file. May stand several times.",
     "../organisation.ini"},
    {SECTION_POLICY, "target", KEY_TARGET, "a Windows release, such as 1703, 11 or server-2019",
     "The oldest Windows that must load the images: 7, 8.1, 1607, 1703, 11, server-2019, ...", "1703"},
    {SECTION_POLICY, "mode", KEY_MODE, "audit, fix or reject",
     "audit: only report. fix: repair what [fix] allows, reject the rest. reject: repair nothing.", "fix"},
    {SECTION_POLICY, "drop-signature", KEY_DROP_SIGNATURE, "yes or no",
     "May a signed image be rewritten, which takes its signature away?", "no"},
    {SECTION_POLICY, "expiry-warning-days", KEY_EXPIRY_WARNING_DAYS, "a number of days from 0 to 3650",
     "So many days before a waiver expires, what it waives becomes a warning.", "30"},
    {SECTION_RULES, NULL, KEY_RULE_LEVEL, "error, warning, note, off or default",
     "How grave is a finding of each rule in a kernel image? error, warning, note, off, or default\n"
     "(\"hvcifix rules\" lists the rules). In user-mode and firmware images findings are at most notes.\n"
     "HVCI2000.depends and HVCI2000.unknown (2001, 2002) are the levels of calls that are not proved.",
     "default"},
    {SECTION_FIX, NULL, KEY_RULE_REPAIR, "enforce, fix or never",
     "Who may repair it? enforce: the step behind the linker, by itself, where it is an error. fix: only\n"
     "somebody who calls \"hvcifix fix\". never: nobody. Without a line it is enforce,\n"
     "but fix for HVCI22xx and for calls. HVCI2000 = enforce, or HVCI2002, is what\n"
     "\"hvcifix fix --nx\" does: it changes what drivers do.",
     "enforce"},
    {SECTION_REQUIRE, "nx-compat", KEY_REQUIRE, "yes or any",
     "The header says that data is not executed (NX_COMPAT).", "yes"},
    {SECTION_REQUIRE, "dynamic-base", KEY_REQUIRE, "yes or any",
     "The image may be loaded anywhere: DYNAMIC_BASE, and base relocations are there.", "yes"},
    {SECTION_REQUIRE, "high-entropy-va", KEY_REQUIRE, "yes or any",
     "Anywhere in 64 bits: HIGH_ENTROPY_VA (x64 and ARM64).", "yes"},
    {SECTION_REQUIRE, "guard-cf", KEY_REQUIRE, "yes or any",
     "Control Flow Guard: GUARD_CF, and a load configuration that carries it.", "yes"},
    {SECTION_REQUIRE, "cet-compat", KEY_REQUIRE, "yes or any",
     "Ready for hardware shadow stacks: CETCOMPAT (x64).", "yes"},
    {SECTION_REQUIRE, "force-integrity", KEY_REQUIRE, "yes or any",
     "Windows has to check the signature (FORCE_INTEGRITY, /INTEGRITYCHECK).", "yes"},
    {SECTION_REQUIRE, "checksum", KEY_REQUIRE, "right or any", "CheckSum in the header is that of the file.",
     "right"},
    {SECTION_REQUIRE, "signature", KEY_REQUIRE, "present, absent or any",
     "Is the image signed, by itself or by a catalog beside it? Behind the linker it should\n"
     "not be yet (absent); before it is shipped it has to be (present).",
     "absent"},
    {SECTION_REQUIRE, "stale-signature", KEY_REQUIRE, "no or any",
     "no: a signature that is there covers the file as it is now.", "no"},
    {SECTION_REQUIRE, "init-discardable", KEY_REQUIRE, "yes or any",
     "A section INIT is discardable, so that its memory is given back.", "yes"},
    {SECTION_REQUIRE, "shared-writable", KEY_REQUIRE, "no or any",
     "no: no section is shared between processes or sessions and writable.", "no"},
    {SECTION_REQUIRE, "writable-loader-data", KEY_REQUIRE, "no or any",
     "no: imports and load configuration lie in sections that are only read.", "no"},
    {SECTION_REQUIRE, "versions-fit-target", KEY_REQUIRE, "yes or any",
     "The header's subsystem and system versions are not above the target's.", "yes"},
    {SECTION_REQUIRE, "rwx-init-linker", KEY_REQUIRE, "no or any",
     "no: not linked with a link.exe that makes INIT writable and executable (before 14.0).", "no"},
    {SECTION_REPORT, "file", KEY_REPORT_FILE,
     "the name of a file that ends with .txt, .json, .sarif or .html, and .gz behind it where it shall be "
     "compressed",
     "A report to write, like --report. The path is relative to the folder that hvcifix runs in. May stand\n"
     "several times. .txt, .json, .sarif or .html, and .gz behind it, say its format.",
     "hvcifix.sarif"},
    {SECTION_REPORT, "sarif-profile", KEY_SARIF_PROFILE, "spec or github",
     "SARIF: spec names places in the binary; github is for GitHub's code scanning.", "spec"},
    {SECTION_REPORT, "sarif-anchor", KEY_SARIF_ANCHOR,
     "FILE:LINE, the file relative to the root of the repository",
     "SARIF for GitHub: the line of a file of the repository that findings are shown at.",
     "src/driver.vcxproj:1"},
    {SECTION_REPORT, "sarif-category", KEY_SARIF_CATEGORY, "a text",
     "SARIF: what tells this run from others of one commit, such as driver, configuration and platform.",
     "driver/Release/x64"},
    {SECTION_REPORT, "sarif-passes", KEY_SARIF_PASSES, "yes or no",
     "SARIF: also the rules that an image passes, and those that do not apply.", "no"},
    {SECTION_WAIVER, "image", KEY_WAIVER_IMAGE, "a pattern for paths",
     "Which images: * is any part of a name, ** any part of a path, ? one character.", "legacy*.sys"},
    {SECTION_WAIVER, "code", KEY_WAIVER_CODE, "the code of a rule", "Which rule.", "HVCI2003"},
    {SECTION_WAIVER, "section", KEY_WAIVER_SECTION, "a pattern for a section's name",
     "Only findings about this section. May be left out.", "INIT"},
    {SECTION_WAIVER, "reason", KEY_WAIVER_REASON, "a text", "Why it is allowed. Reports repeat it.",
     "The vendor will deliver a new driver in March."},
    {SECTION_WAIVER, "owner", KEY_WAIVER_OWNER, "a text", "Who answers for it.", "driver-team@example.com"},
    {SECTION_WAIVER, "expires", KEY_WAIVER_EXPIRES, "a day, YYYY-MM-DD", "The last day on which it holds.",
     "2027-03-31"},
};
const size_t policy_key_count = sizeof policy_keys / sizeof policy_keys[0];

size_t policy_rule_number(const char *word, enum finding_certainty *certainty)
{
    static const char *const suffixes[FINDING_CERTAINTY_COUNT] = {
        [FINDING_PROVED] = "", [FINDING_DEPENDS] = ".depends", [FINDING_UNKNOWN] = ".unknown"};
    unsigned suffix = 0;
    static const char prefix[] = "hvci";
    size_t skipped = 0;
    while (prefix[skipped] && text_lower(word[skipped]) == prefix[skipped])
        skipped++;
    if (skipped == sizeof prefix - 1)
        word += skipped;
    if (strspn(word, "0123456789") != 4)
        return rules_count;
    unsigned long code = strtoul(word, NULL, 10);
    while (suffix < FINDING_CERTAINTY_COUNT && !text_same_word(word + 4, suffixes[suffix]))
        suffix++;
    if (suffix == FINDING_CERTAINTY_COUNT ||
        (suffix != FINDING_PROVED && (!certainty || !rule_is_about_calls((unsigned)code))))
        return rules_count;
    if (certainty)
        *certainty = (enum finding_certainty)suffix;
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
        enum finding_certainty certainty;
        if (row->name ? text_same_word(row->name, name)
                      : policy_rule_number(name, section == SECTION_RULES ? &certainty : NULL) != rules_count)
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
            bool is_same = text_lower(a[i - 1]) == text_lower(b[k - 1]);
            unsigned least = above[k - 1] + !is_same;
            if (above[k] + 1 < least)
                least = above[k] + 1;
            if (row[k - 1] + 1 < least)
                least = row[k - 1] + 1;
            bool is_exchanged = i > 1 && k > 1 && text_lower(a[i - 1]) == text_lower(b[k - 2]) &&
                                text_lower(a[i - 2]) == text_lower(b[k - 1]);
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
