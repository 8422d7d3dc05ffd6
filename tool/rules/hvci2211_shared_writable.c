/* hvci2211_shared_writable.c - no section is shared and writable.
 * Takes: section headers.  Gives: one finding per such section.
 * Must not: judge what is only shared. */
#include "rules/build_rules.h"

static const struct rule *const self = &hvci2211_shared_writable;

static bool judge(const struct rule_input *input, struct rule_answer *answer)
{
    const struct image *image = input->image;
    uint32_t failing_count = 0;
    for (uint32_t i = 0; i < image->section_count; i++) {
        const struct section *section = &image->sections[i];
        if (!section_is_writable(section) || !(section->characteristics & SCN_MEM_SHARED))
            continue;
        failing_count++;
        struct finding finding = build_finding(input, self, section->header_foff,
                                               "Section %s is shared and writable.", section->name);
        finding.section = section->name;
        finding.rva = section->rva;
        finding_evidence(input->arena, &finding, "Characteristics 0x%08X at file offset 0x%X: %s.",
                         section->characteristics, section->header_foff + SECTION_CHARACTERISTICS,
                         characteristics_words(input->arena, section->characteristics));
        if (!build_fail(
                input, answer, &finding,
                "Everything that has the image loaded, in any process or session, can change the data "
                "of the others.",
                "Take the right S away from the section (/SECTION:NAME,RW), and share memory by a "
                "section object with an access control list."))
            return false;
    }
    if (failing_count != 0)
        return true;
    return answer_pass(input, answer, "No section is both shared and writable.");
}

const struct rule hvci2211_shared_writable = {
    .code = HVCI2211_SHARED_WRITABLE,
    .name = "SharedWritable",
    .title = "section is shared and writable",
    .default_level = "off, error when demanded",
    .demand = DEMAND_SHARED_WRITABLE,
    .needs = 0,
    .judge = judge,
    .text =
        {
            .what = "No section has IMAGE_SCN_MEM_SHARED (0x10000000) together with IMAGE_SCN_MEM_WRITE. "
                    "Demanded by shared-writable = no in [require].",
            .windows = "A shared section of a program or DLL is one piece of memory for all processes that "
                       "load it, whatever their rights; of a driver in session space, one for all sessions. "
                       "BinSkim calls it BA2019.",
            .cure = "Something asked for it by name.\n"
                    "- link.exe: remove S from /SECTION:NAME,RWS, also in #pragma comment(linker, ...), "
                    "and SHARED from SECTIONS of the .def file.\n"
                    "- lld-link: the same.\n"
                    "- GNU ld: remove the attribute section(\"shared\") with shared, and SHARED from the "
                    ".def file.\n"
                    "- WDK project: Linker, Specify Section Attributes (SpecifySectionAttributes).\n"
                    "- CMake: look for /SECTION in target_link_options and in .def files among the "
                    "sources.",
            .repair = "fix does nothing about it, and refuses when asked for it by name: whether something "
                      "relies on the memory being shared is not seen in the "
                      "image.",
        },
};
