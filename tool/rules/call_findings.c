/* call_findings.c - call_findings.h. */
#include "rules/call_findings.h"

#include "base/text.h"

#include <string.h>

static enum finding_certainty certainty_of(enum site_verdict verdict)
{
    return verdict == SITE_EXECUTABLE ? FINDING_PROVED
           : verdict == SITE_DEPENDS  ? FINDING_DEPENDS
                                      : FINDING_UNKNOWN;
}

static enum finding_level level_of(enum finding_certainty certainty)
{
    static const enum finding_level levels[FINDING_CERTAINTY_COUNT] = {
        [FINDING_PROVED] = LEVEL_ERROR, [FINDING_DEPENDS] = LEVEL_WARNING, [FINDING_UNKNOWN] = LEVEL_NOTE};
    return levels[certainty];
}

/* "RVA 0x1417 (.text+0x417) in DriverEntry" */
static const char *place_words(const struct rule_input *input, const struct call_site *site)
{
    const char *rva = rva_words(input->arena, input->image, site->rva);
    return site->function_name
               ? arena_printf(input->arena, "%s in %s", rva, site->function_name)
               : arena_printf(input->arena, "%s in the function at RVA 0x%X", rva, site->function_rva);
}

static const char *tag_words(struct arena *arena, const struct call_site *site)
{
    return site->tag ? arena_printf(arena, ", tag '%s'", site->tag) : "";
}

/* Is something known of the value? */
static bool is_known(const struct call_site *site)
{
    return site->values && strcmp(site->values, "something") != 0;
}

/* "PoolType is NonPagedPool or PagedPool, tag 'Abcd'" */
static const char *value_words(struct arena *arena, const struct call_site *site)
{
    if (!site->values)
        return "";
    return arena_printf(arena, "%s is %s%s", site->api->argument_name,
                        is_known(site) ? site->values : "not known", tag_words(arena, site));
}

static const char *message_of(const struct rule_input *input, const struct call_rule *words,
                              const struct call_site *site)
{
    struct arena *arena = input->arena;
    const char *api = site->api->name, *place = place_words(input, site), *value = value_words(arena, site);
    const char *reason = site->reason ? site->reason : "";
    switch (site->verdict) {
    case SITE_EXECUTABLE:
        return arena_printf(arena, "%s at %s asks for %s: %s.", api, place, words->asks_for, value);
    case SITE_DEPENDS:
        return arena_printf(arena, "%s at %s may ask for %s: %s; %s.", api, place, words->asks_for, value,
                            reason);
    case SITE_UNKNOWN:
    case SITE_NO_EXECUTE:
        break;
    }
    return arena_printf(arena, "Whether %s at %s asks for %s is not known: %s%s%s.", api, place,
                        words->asks_for, value, *value ? "; " : "", reason);
}

static const struct finding_call *call_of(struct arena *arena, const struct call_rule *words,
                                          const struct call_site *site)
{
    struct finding_call *call = arena_alloc(arena, sizeof *call);
    if (!call)
        return NULL;
    *call = (struct finding_call){
        .verdict = site_verdict_name(site->verdict),
        .api = site->api->name,
        .function = site->function_name,
        .own_name = site->own_name,
        .function_rva = site->function_rva,
        .argument = site->api->argument_name,
        .values = site->values,
        .reason = site->reason,
        .tag = site->tag,
        .alike = arena_printf(arena, "calls of %s may ask for %s, which is not known: %s", site->api->name,
                              words->asks_for, site->reason ? site->reason : "nothing decides it"),
    };
    return arena->exhausted ? NULL : call;
}

/* What Driver Verifier prints, with the parameters that its page names. The sub-code has the digits of ours.
 */
static void add_evidence(const struct rule_input *input, const struct call_rule *words,
                         const struct call_site *site, struct finding *finding)
{
    struct arena *arena = input->arena;
    if (site->by_name)
        finding_evidence(arena, finding, "%s is looked up by its name with MmGetSystemRoutineAddress.",
                         site->api->name);
    if (site->api->is_unverified) {
        finding_evidence(arena, finding,
                         "%s is an export of the kernel for old drivers, and not on the list of those that "
                         "Driver Verifier looks at.",
                         site->api->name);
        return;
    }
    finding_evidence(arena, finding,
                     "Driver Verifier, %s: DRIVER_VERIFIER_DETECTED_VIOLATION (C4), 0x%u, address image base "
                     "+ 0x%X%s%s%s%s.",
                     site->verdict == SITE_EXECUTABLE ? "when it runs" : "when it runs and is executable",
                     (unsigned)words->rule->code, site->rva, is_known(site) ? ", " : "",
                     is_known(site) ? words->stop : "", is_known(site) ? site->values : "",
                     tag_words(arena, site));
}

static bool add_finding(const struct rule_input *input, const struct call_rule *words,
                        const struct call_site *site)
{
    struct arena *arena = input->arena;
    const struct section *section = image_section_at_rva(input->image, site->rva);
    enum finding_certainty certainty = certainty_of(site->verdict);
    struct finding finding =
        finding_make(arena, words->rule->code, level_of(certainty), "%s", message_of(input, words, site));
    finding.certainty = certainty;
    finding.call = call_of(arena, words, site);
    finding.section = section ? section->name : NULL;
    finding.rva = site->rva;
    uint32_t foff;
    if (image_rva_to_foff(input->image, site->rva, 1, &foff))
        finding.file_offset = foff;
    add_evidence(input, words, site, &finding);
    finding.windows =
        rule_windows_words(input, site->api->is_unverified ? words->windows_itself : words->windows);
    const char *since = site->api->since ? arena_printf(arena, " (%s and later)", site->api->since) : "";
    finding.cure = arena_printf(arena, "Use %s%s.%s%s", site->api->no_execute, since,
                                words->cure_at_all ? " " : "", words->cure_at_all ? words->cure_at_all : "");
    return !arena->exhausted && finding_add(input->findings, &finding);
}

/* "2 executable, 1 depends, 3 unknown, 34 no-execute" */
static const char *count_words(struct arena *arena, const size_t counts[SITE_VERDICT_COUNT])
{
    return arena_printf(arena, "%zu executable, %zu depends, %zu unknown, %zu no-execute",
                        counts[SITE_EXECUTABLE], counts[SITE_DEPENDS], counts[SITE_UNKNOWN],
                        counts[SITE_NO_EXECUTE]);
}

static bool judge_sites(const struct rule_input *input, struct rule_answer *answer,
                        const struct call_rule *words)
{
    const struct call_site_list *sites = &input->calls->sites;
    size_t counts[SITE_VERDICT_COUNT] = {0}, all = 0;
    for (size_t i = 0; i < sites->count; i++) {
        const struct call_site *site = &sites->items[i];
        if (site->api->code != words->rule->code)
            continue;
        all++;
        counts[site->verdict]++;
        if (site->verdict != SITE_NO_EXECUTE && !add_finding(input, words, site))
            return false;
    }
    if (all == 0)
        return answer_pass(input, answer, "No call of a function that may give %s was found.",
                           words->asks_for);
    if (counts[SITE_NO_EXECUTE] == all)
        return answer_pass(input, answer, "%zu of %zu calls that may ask for %s are proved not to.", all, all,
                           words->asks_for);
    return answer_fail(input, answer, "Calls that may ask for %s: %s.", words->asks_for,
                       count_words(input->arena, counts));
}

bool call_rule_judge(const struct rule_input *input, struct rule_answer *answer,
                     const struct call_rule *words)
{
    enum calls_state state = input->calls ? input->calls->state : CALLS_NOT_ASKED;
    switch (state) {
    case CALLS_NOT_KERNEL:
        return answer_not_applicable(input, answer,
                                     "Only kernel images can ask the kernel for executable memory.");
    case CALLS_NONE:
        return answer_pass(input, answer,
                           "It imports no function that may give %s, and none that leads to one.",
                           words->asks_for);
    case CALLS_JUDGED:
        return judge_sites(input, answer, words);
    case CALLS_NOT_ASKED:
    case CALLS_SWITCHED_OFF:
    case CALLS_NOT_READ:
        break;
    }
    return answer_not_applicable(input, answer, "What its code asks for was not judged: %s.",
                                 input->calls && input->calls->reason ? input->calls->reason
                                                                      : "nobody asked");
}
