/* rule.h - one rule of memory integrity and the table that lists them all.
 * Takes: image, references, target.  Gives: one answer per rule and its findings.
 * Must not: change anything. A rule lives in one file, hvciNNNN_*.c; rules.c is the table. */
#ifndef HVCIFIX_RULES_RULE_H
#define HVCIFIX_RULES_RULE_H

#include "calls/call_judgement.h"
#include "refs/refset.h"
#include "rules/demands.h"
#include "rules/signature.h"
#include "rules/target.h"

/* RULE_NOT_ASKED: a rule of build policy that nobody asks for. It was not judged, and reports leave it out.
 */
enum rule_verdict { RULE_PASS, RULE_FAIL, RULE_NOT_APPLICABLE, RULE_NOT_ASKED };

struct rule_answer {
    const struct rule *rule;
    enum rule_verdict verdict;
    const char *reason; /* one sentence with its period, for every verdict */
};

struct rule_input {
    const struct image *image;
    const struct refset *refs; /* holds at least the rule's `needs` */
    enum windows_target target;
    struct arena *arena;
    struct finding_list *findings;           /* the rule appends here when it fails */
    const struct demands *demands;           /* of build policy; NULL: none */
    const struct signature_facts *signature; /* NULL: not looked at; then HVCI2208 and 2209 cannot answer */
    const struct call_judgement *calls;      /* NULL: not looked at; then HVCI2000 to 2002 cannot answer */
};

/* Texts that `explain` prints and the docs are generated from; each a short paragraph, plain words. */
struct rule_text {
    const char *what; /* what the rule demands and what breaks it */
    const char
        *windows; /* what Windows, Driver Verifier and the lab test do about it, with their names for it */
    const char *cure;   /* per tool chain: link.exe, lld-link, GNU ld, WDK property, source pragma */
    const char *repair; /* what `fix` does, and what it refuses */
};

/* Holds for every rule of build policy, which no checker of Microsoft's has as a whole. */
#define RULE_POLICY_CHECKERS                                                                                 \
    "Driver Verifier's code integrity checks and the HLK test \"HyperVisor Code Integrity Readiness\" do "   \
    "not "                                                                                                   \
    "look at this; it is asked for by policy."

struct rule {
    enum finding_code code;
    const char *name;          /* PascalCase, e.g. "SectionWritableExecutable" */
    const char *title;         /* a few words, e.g. "section is writable and executable" */
    const char *default_level; /* "error", "note", or e.g. "error before 1703, else note" */
    enum demand_id demand;     /* DEMAND_NONE: the rule always judges; else only when the demand is asked */
    uint32_t needs; /* SOURCE_BIT sum of the references it looks at; headers and sections need none */
    uint32_t cites; /* the same of those that only its evidence names: without them it judges no worse */
    bool (*judge)(const struct rule_input *input, struct rule_answer *answer); /* false: memory ran out */
    struct rule_text text;
};

extern const struct rule *const rules_all[];
extern const size_t rules_count;

/* Union of `needs` and `cites` over all rules. */
uint32_t rules_sources(void);

/* Union of `needs` alone: what must be whole before an answer can be trusted. */
uint32_t rules_deciding_sources(void);

/* Asks every rule in table order; answers has rules_count elements. False: memory ran out. */
bool rules_judge(const struct rule_input *input, struct rule_answer *answers);

/* The rule with that code, or NULL. */
const struct rule *rule_find(unsigned code);

/* One of the rules that judge code (rule_input.calls): HVCI2000 to 2002, 2300 to 2303. */
bool rule_is_about_calls(unsigned code);

/* Of these the ones that `fix --nx` cures: pools and MDL mappings. */
bool rule_is_cured_by_stubs(unsigned code);

/* Its findings are never repaired unless somebody asks for it by name: build policy, and calls. */
bool rule_is_repaired_on_request(const struct rule *rule);

/* The level of a layout finding for this image: as given for kernel images, LEVEL_NOTE for user-mode and
 * firmware images (memory integrity judges kernel images only; docs/DESIGN.md, section 4). */
enum finding_level rule_level(const struct image *image, enum finding_level kernel_level);

/* A sentence that is true for this image on why Windows minds: `memory_integrity` for kernel images of
 * 64-bit Windows (x64, ARM64); for x86 and IA64 "This fails Driver Verifier and policy; memory integrity does
 * not exist on <machine>."; for user-mode images that memory integrity judges kernel images only. */
const char *rule_windows_words(const struct rule_input *input, const char *memory_integrity);

/* "INIT at header 0x1F8 (RVA 0x5000, characteristics 0xE2000020)" style helpers used by several rules. */
const char *rule_describe_section(struct arena *arena, const struct section *section);

#endif
