/* build_rules.c - build_rules.h.
 * Takes: what is asked.  Gives: findings and answers.  Must not: know single rules. */
#include "rules/build_rules.h"

struct finding build_finding(const struct rule_input *input, const struct rule *rule, uint64_t foff,
                             const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *message = arena_vprintf(input->arena, format, arguments);
    va_end(arguments);
    struct finding finding =
        finding_make(input->arena, rule->code,
                     rule_level(input->image, input->demands->items[rule->demand].level), "%s", message);
    finding.file_offset = foff;
    return finding;
}

bool build_fail(const struct rule_input *input, struct rule_answer *answer, struct finding *finding,
                const char *windows, const char *cure)
{
    finding->windows = input->image->role == ROLE_KERNEL ? windows : rule_windows_words(input, windows);
    finding->cure = cure;
    return finding_add(input->findings, finding) && answer_fail(input, answer, "%s", finding->message);
}

void build_flag_evidence(const struct rule_input *input, struct finding *finding, struct build_flag flag)
{
    finding_evidence(input->arena, finding,
                     "DllCharacteristics 0x%04X at file offset 0x%X: %s (0x%04X) is %s.",
                     input->image->dll_characteristics, (unsigned)build_flags_foff(input->image), flag.name,
                     flag.bit, build_has_flag(input->image, flag) ? "set" : "not set");
}

bool build_judge_flag(const struct rule_input *input, struct rule_answer *answer, const struct rule *rule,
                      struct build_flag flag, const char *windows, const char *cure)
{
    if (build_has_flag(input->image, flag))
        return answer_pass(input, answer, "%s is set.", flag.name);
    struct finding finding =
        build_finding(input, rule, build_flags_foff(input->image), "%s is not set in the header.", flag.name);
    build_flag_evidence(input, &finding, flag);
    return build_fail(input, answer, &finding, windows, cure);
}
