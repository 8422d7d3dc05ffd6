/* build_rules.h - what the rules of build policy (HVCI22xx) share.
 * Takes: what is asked of the image.  Gives: findings at the level that was asked, and answers about single
 * bits.  Must not: judge memory integrity.  Only files of tool/rules include this. */
#ifndef HVCIFIX_RULES_BUILD_RULES_H
#define HVCIFIX_RULES_BUILD_RULES_H

#include "rules/rule_parts.h"

/* A finding of `rule` at the level that is asked, about the byte at file offset `foff`. */
struct finding build_finding(const struct rule_input *input, const struct rule *rule, uint64_t foff,
                             const char *format, ...) HVCIFIX_PRINTF(4, 5);

/* Adds the finding and answers "fail" with its message. False when memory ran out. */
bool build_fail(const struct rule_input *input, struct rule_answer *answer, struct finding *finding,
                const char *windows, const char *cure);

/* A flag of DllCharacteristics. */
struct build_flag {
    const char *name;
    uint16_t bit;
};

static inline bool build_has_flag(const struct image *image, struct build_flag flag)
{
    return (image->dll_characteristics & flag.bit) != 0;
}

static inline uint64_t build_flags_foff(const struct image *image)
{
    return (uint64_t)image->opt_foff + OPT_DLL_CHARACTERISTICS;
}

/* "DllCharacteristics 0x0140 at file offset 0x96: NX_COMPAT (0x0100) is set." as evidence. */
void build_flag_evidence(const struct rule_input *input, struct finding *finding, struct build_flag flag);

/* Fails, with a finding, when the flag is not set; passes when it is. */
bool build_judge_flag(const struct rule_input *input, struct rule_answer *answer, const struct rule *rule,
                      struct build_flag flag, const char *windows, const char *cure);

#endif
