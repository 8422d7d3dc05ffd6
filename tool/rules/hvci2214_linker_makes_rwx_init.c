/* hvci2214_linker_makes_rwx_init.c - not linked by a link.exe that makes INIT writable and executable.
 * Takes: linker version, Rich header.  Gives: one finding for versions that do.
 * Must not: judge the section itself (HVCI2102, HVCI2003). */
#include "rules/build_rules.h"

static const struct rule *const self = &hvci2214_linker_makes_rwx_init;

/* link.exe 3 to 12; GNU ld puts its own 2 there, lld 14. The compiler's Rich header tells link.exe too. */
enum { FIRST_OLD_LINKER = 3, FIRST_GOOD_LINKER = 14 };

static bool has_rich_header(const struct image *image)
{
    for (size_t i = 0; i < image->region_count; i++)
        if (image->regions[i].kind == REGION_RICH_HEADER)
            return true;
    return false;
}

static bool judge(const struct rule_input *input, struct rule_answer *answer)
{
    const struct image *image = input->image;
    unsigned major = image->linker_major, minor = image->linker_minor;
    bool is_rich = has_rich_header(image);
    if (image->role != ROLE_KERNEL)
        return answer_not_applicable(input, answer, "It is no driver: linkers make INIT for drivers only.");
    if (major < FIRST_OLD_LINKER)
        return answer_not_applicable(input, answer, "Linker version %u.%u is none of link.exe's.", major,
                                     minor);
    if (major >= FIRST_GOOD_LINKER)
        return answer_pass(input, answer, "Linker version %u.%u leaves INIT readable and executable only.",
                           major, minor);
    struct finding finding = build_finding(
        input, self, (uint64_t)image->opt_foff + OPT_MAJOR_LINKER_VERSION,
        "Linker version %u.%u is one that makes INIT of drivers writable and executable.", major, minor);
    finding_evidence(input->arena, &finding, "The file has %s Rich header%s.", is_rich ? "a" : "no",
                     is_rich ? ": Microsoft's linker wrote it" : "");
    finding_evidence(input->arena, &finding, "%s",
                     image_has_section(image, "INIT")
                         ? "There is a section INIT; HVCI2102 and HVCI2003 judge it."
                         : "There is no section INIT in this image.");
    return build_fail(
        input, answer, &finding,
        "Windows 10 and later strip the write right from INIT; checkers that read flags reject it.",
        "Link with Visual Studio 2015 or later.");
}

const struct rule hvci2214_linker_makes_rwx_init = {
    .code = HVCI2214_LINKER_MAKES_RWX_INIT,
    .name = "LinkerMakesRwxInit",
    .title = "linked by a linker that makes INIT writable and executable",
    .default_level = "off, error when demanded",
    .demand = DEMAND_LINKER,
    .needs = 0,
    .judge = judge,
    .text =
        {
            .what = "The linker version in the header is not one of link.exe before 14.0 (Visual Studio "
                    "2015). Under /DRIVER those put the import directory into INIT and leave its write "
                    "right there. GNU ld writes its own version (2) and lld 14; neither makes such an "
                    "INIT. Demanded by rwx-init-linker = no in [require]. It does not apply to programs.",
            .windows = "Of public drivers, every INIT by linker 8 to 11 is readable, writable and "
                       "executable, by 12 some, by 14 none. Windows 10 and later take the write right from "
                       "it (HVCI2102), so memory integrity loads such drivers; Microsoft's advice is to "
                       "build with current tools.",
            .cure = "Use current tools, or name the rights of INIT.\n"
                    "- link.exe: Visual Studio 2015 or later; before that /SECTION:INIT,ERD cures the "
                    "section but not this finding.\n"
                    "- lld-link: any version.\n"
                    "- GNU ld: any version.\n"
                    "- WDK project: a current WDK; General, Platform Toolset.\n"
                    "- CMake: a current generator or toolset (-T).",
            .repair = "fix does nothing about it, and refuses when asked for it by name: the version is a "
                      "fact about how the image was made. The section itself "
                      "is repaired by HVCI2102 and HVCI2003.",
        },
};
