/* integrity_findings.c - integrity_findings.h. */
#include "rules/integrity_findings.h"

static bool add_finding(const struct rule_input *input, const struct integrity_rule *words,
                        const struct integrity_site *site)
{
    struct arena *arena = input->arena;
    const struct section *section = image_section_at_rva(input->image, site->rva);
    enum finding_level levels[SITE_VERDICT_COUNT] = {[SITE_EXECUTABLE] = words->proved_level,
                                                     [SITE_NO_EXECUTE] = LEVEL_NOTE,
                                                     [SITE_DEPENDS] = LEVEL_WARNING,
                                                     [SITE_UNKNOWN] = LEVEL_NOTE};
    const char *in = site->function_name
                         ? site->function_name
                         : arena_printf(arena, "the function at RVA 0x%X", site->function_rva);
    struct finding finding =
        finding_make(arena, words->rule->code, levels[site->verdict], "The code at %s in %s %s%s%s.",
                     rva_words(arena, input->image, site->rva), in, site->what, site->reason ? "; " : "",
                     site->reason ? site->reason : "");
    finding.certainty = site->verdict == SITE_EXECUTABLE ? FINDING_PROVED
                        : site->verdict == SITE_DEPENDS  ? FINDING_DEPENDS
                                                         : FINDING_UNKNOWN;
    finding.section = section ? section->name : NULL;
    finding.rva = site->rva;
    uint32_t foff;
    if (image_rva_to_foff(input->image, site->rva, 1, &foff))
        finding.file_offset = foff;
    finding_evidence(arena, &finding, "It is about %s.", site->api);
    finding.windows = rule_windows_words(input, words->windows);
    finding.cure = words->cure;
    return !arena->exhausted && finding_add(input->findings, &finding);
}

bool integrity_rule_judge(const struct rule_input *input, struct rule_answer *answer,
                          const struct integrity_rule *words)
{
    enum calls_state state = input->calls ? input->calls->state : CALLS_NOT_ASKED;
    if (state == CALLS_NOT_KERNEL)
        return answer_not_applicable(input, answer, "Memory integrity looks at kernel images only.");
    if (state == CALLS_NONE)
        return answer_pass(input, answer, "It has nothing that it could do this with.");
    if (state != CALLS_JUDGED)
        return answer_not_applicable(input, answer, "What its code does was not judged: %s.",
                                     input->calls && input->calls->reason ? input->calls->reason
                                                                          : "nobody asked");
    const struct integrity_list *list = &input->calls->sites.integrity;
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].code != words->rule->code)
            continue;
        count++;
        if (!add_finding(input, words, &list->items[i]))
            return false;
    }
    if (count == 0)
        return answer_pass(input, answer, "No code was found that %s.", words->does);
    return answer_fail(input, answer, "Places with code that %s, or may: %zu.", words->does, count);
}
