/* judge_image.h - asks all rules about a hand-made image.
 * Takes: a made_image, a target.  Gives: answers and findings of tool/rules, by code.
 * Must not: know what any rule should say. */
#ifndef HVCIFIX_TESTS_JUDGE_IMAGE_H
#define HVCIFIX_TESTS_JUDGE_IMAGE_H

#include "cmocka_all.h"
#include "make_image.h"
#include "rules/rule.h"

enum { JUDGED_MAX_RULES = 32 };

struct judged {
    struct arena arena;
    struct image image;
    struct refset refs;
    struct finding_list findings;
    struct rule_answer answers[JUDGED_MAX_RULES];
};

/* Writes the file, reads it, collects what the rules need, and asks them. Failing to read is a test failure.
 */
static inline void judge_made_for(struct judged *judged, struct made_image *made, enum windows_target target,
                                  const struct demands *demands, const struct signature_facts *signature)
{
    *judged = (struct judged){0};
    arena_init(&judged->arena, NULL);
    struct finding error = {0};
    if (!image_read(make_file(made), &judged->arena, &judged->image, &error))
        fail_msg("image_read: %s", error.message);
    assert_true(refs_collect(&judged->image, &judged->arena, rules_sources(), &judged->refs));
    judged->findings.arena = &judged->arena;
    struct rule_input input = {.image = &judged->image,
                               .refs = &judged->refs,
                               .target = target,
                               .arena = &judged->arena,
                               .findings = &judged->findings,
                               .demands = demands,
                               .signature = signature};
    assert_true(rules_count <= JUDGED_MAX_RULES);
    assert_true(rules_judge(&input, judged->answers));
}

/* Nothing of build policy is asked. */
static inline void judge_made(struct judged *judged, struct made_image *made, enum windows_target target)
{
    judge_made_for(judged, made, target, NULL, NULL);
}

static inline void judged_free(struct judged *judged, struct made_image *made)
{
    arena_free(&judged->arena);
    make_free(made);
}

static inline const struct rule_answer *answer_of(const struct judged *judged, unsigned code)
{
    for (size_t i = 0; i < rules_count; i++)
        if ((unsigned)judged->answers[i].rule->code == code)
            return &judged->answers[i];
    fail_msg("no answer for HVCI%u", code);
    return NULL;
}

static inline size_t finding_count_of(const struct judged *judged, unsigned code)
{
    size_t count = 0;
    for (size_t i = 0; i < judged->findings.count; i++)
        count += (unsigned)judged->findings.items[i].code == code;
    return count;
}

/* The nth finding of a rule. */
static inline const struct finding *finding_of(const struct judged *judged, unsigned code, size_t nth)
{
    for (size_t i = 0; i < judged->findings.count; i++)
        if ((unsigned)judged->findings.items[i].code == code && nth-- == 0)
            return &judged->findings.items[i];
    fail_msg("HVCI%u has too few findings", code);
    return NULL;
}

static inline bool evidence_has(const struct finding *finding, const char *words)
{
    for (size_t i = 0; i < finding->evidence_count; i++)
        if (strstr(finding->evidence[i], words))
            return true;
    return false;
}

#define assert_verdict(judged, code, expected)                                                               \
    do {                                                                                                     \
        const struct rule_answer *checked_answer = answer_of(judged, code);                                  \
        if (checked_answer->verdict != (expected))                                                           \
            fail_msg("HVCI%u answers %d instead of %d: %s", code, (int)checked_answer->verdict,              \
                     (int)(expected), checked_answer->reason);                                               \
    } while (0)

#define assert_words(text, words)                                                                            \
    do {                                                                                                     \
        if (!strstr(text, words))                                                                            \
            fail_msg("\"%s\" lacks \"%s\"", text, words);                                                    \
    } while (0)

#endif
