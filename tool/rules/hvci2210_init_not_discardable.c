/* hvci2210_init_not_discardable.c - INIT is given back after start-up.
 * Takes: section headers.  Gives: one finding per section INIT that stays.
 * Must not: judge its other rights (HVCI2003, HVCI2102). */
#include "rules/build_rules.h"

static const struct rule *const self = &hvci2210_init_not_discardable;

static bool judge(const struct rule_input *input, struct rule_answer *answer)
{
    const struct image *image = input->image;
    uint32_t init_count = 0, failing_count = 0;
    for (uint32_t i = 0; i < image->section_count; i++) {
        const struct section *section = &image->sections[i];
        if (!section_is_named_init(section))
            continue;
        init_count++;
        if (section_is_discardable_init(section))
            continue;
        failing_count++;
        struct finding finding =
            build_finding(input, self, section->header_foff,
                          "Section INIT is not discardable (characteristics 0x%08X, header "
                          "at 0x%X).",
                          section->characteristics, section->header_foff);
        finding.section = section->name;
        finding.rva = section->rva;
        finding_evidence(input->arena, &finding, "Characteristics 0x%08X at file offset 0x%X: %s.",
                         section->characteristics, section->header_foff + SECTION_CHARACTERISTICS,
                         characteristics_words(input->arena, section->characteristics));
        if (!build_fail(
                input, answer, &finding,
                "Its memory, which holds code that runs once, stays loaded as long as the driver.",
                "Link with /SECTION:INIT,ERD, when nothing in INIT runs or is read after DriverEntry."))
            return false;
    }
    if (init_count == 0)
        return answer_not_applicable(input, answer, "The image has no section named INIT.");
    return failing_count != 0 || answer_pass(input, answer, "Section INIT is discardable.");
}

const struct rule hvci2210_init_not_discardable = {
    .code = HVCI2210_INIT_NOT_DISCARDABLE,
    .name = "InitNotDiscardable",
    .title = "section INIT is not discardable",
    .default_level = "off, error when demanded",
    .demand = DEMAND_INIT_DISCARDABLE,
    .needs = 0,
    .judge = judge,
    .text =
        {
            .what = "A section named INIT holds what runs once, in DriverEntry; IMAGE_SCN_MEM_DISCARDABLE"
                    " (0x02000000) lets Windows give its memory back. Demanded by init-discardable = yes "
                    "in [require]. It does not apply to an image without INIT.",
            .windows = "Windows frees discardable sections when DriverEntry has returned. Start-up code that"
                       " stays is memory lost, and code for an attacker to use.",
            .cure = "Name every right that INIT shall have.\n"
                    "- link.exe: /SECTION:INIT,ERD; the WDK passes INIT,d, which adds the flag.\n"
                    "- lld-link: /section:INIT,erd.\n"
                    "- GNU ld: it has no way to mark a section discardable; link with lld-link.\n"
                    "- WDK project: Linker, Specify Section Attributes (SpecifySectionAttributes): "
                    "INIT,ERD.\n"
                    "- CMake: target_link_options(driver PRIVATE /SECTION:INIT,ERD).",
            .repair = "fix does nothing about it, and refuses when asked for it by name: what of INIT is "
                      "used after DriverEntry cannot be known, and a driver "
                      "that touches freed memory stops the system.",
        },
};
