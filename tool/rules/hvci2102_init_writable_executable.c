/* hvci2102_init_writable_executable.c - a discardable section INIT that is writable and executable.
 * Takes: section headers.  Gives: one finding per such section, a note.
 * Must not: judge an INIT that is not discardable, or any other section (HVCI2003 does). */
#include "rules/rule_parts.h"

static bool is_writable_executable(const struct section *section)
{
    return section_is_executable(section) && section_is_writable(section);
}

static bool report(const struct rule_input *input, const struct section *section)
{
    struct finding finding = finding_make(
        input->arena, HVCI2102_INIT_WRITABLE_EXECUTABLE, rule_level(input->image, LEVEL_NOTE),
        "Section INIT is discardable, writable and executable (characteristics 0x%08X, header at 0x%X); "
        "Windows 10 and later take the write right away themselves.",
        section->characteristics, section->header_foff);
    finding.section = section->name;
    finding.rva = section->rva;
    finding.file_offset = section->header_foff;
    finding_evidence(input->arena, &finding, "Section header at image base + 0x%X, section name \"%s\".",
                     section->header_foff, section->name);
    finding_evidence(input->arena, &finding, "Characteristics 0x%08X at file offset 0x%X: %s.",
                     section->characteristics, section->header_foff + SECTION_CHARACTERISTICS,
                     characteristics_words(input->arena, section->characteristics));
    if (input->image->linker_major < 14 && input->image->linker_major != 0)
        finding_evidence(input->arena, &finding,
                         "The header names linker version %u.%u; link.exe before 14.0 (Visual Studio 2015) "
                         "leaves INIT writable.",
                         input->image->linker_major, input->image->linker_minor);
    finding.windows = rule_windows_words_or(
        input,
        "Windows 10 and later load the driver and strip the write right from INIT, so memory integrity does "
        "not refuse it; a checker that reads the flags alone reports a writable and executable section.",
        "A checker that reads the flags alone reports a writable and executable section");
    finding.cure =
        "Relink with Visual Studio 2015 or later, or with /SECTION:INIT,ERD in place of "
        "/SECTION:INIT,D (WDK project: Linker, Specify Section Attributes), and keep writable data "
        "out of INIT.";
    return finding_add(input->findings, &finding);
}

static bool judge(const struct rule_input *input, struct rule_answer *answer)
{
    const struct image *image = input->image;
    uint32_t init_count = 0, failing_count = 0, resident_count = 0;
    for (uint32_t i = 0; i < image->section_count; i++) {
        const struct section *section = &image->sections[i];
        if (!section_is_named_init(section))
            continue;
        init_count++;
        if (!is_writable_executable(section))
            continue;
        if (!section_is_discardable_init(section)) {
            resident_count++;
            continue;
        }
        failing_count++;
        if (!report(input, section))
            return false;
    }
    if (init_count == 0)
        return answer_not_applicable(input, answer, "The image has no section named INIT.");
    if (failing_count > 0)
        return answer_fail(input, answer, "Section INIT is discardable, writable and executable.");
    if (resident_count > 0)
        return answer_not_applicable(input, answer,
                                     "Section INIT is writable and executable but not discardable; HVCI2003 "
                                     "judges it.");
    return answer_pass(input, answer, "Section INIT is not both writable and executable.");
}

const struct rule hvci2102_init_writable_executable = {
    .code = HVCI2102_INIT_WRITABLE_EXECUTABLE,
    .name = "InitWritableExecutable",
    .title = "discardable section INIT is writable and executable",
    .default_level = "note",
    .needs = 0,
    .judge = judge,
    .text =
        {
            .what = "A section named INIT holds what a driver needs only while it starts; it is discardable. "
                    "Older "
                    "linkers also leave it writable, together with executable. Any other section with both "
                    "rights, "
                    "and an INIT that is not discardable, is judged by HVCI2003.",
            .windows =
                "Windows 10 and later strip the write right from such an INIT when they load the driver, so "
                "memory integrity accepts it; that is the difference from HVCI2003, where the driver is "
                "refused. Tools that only read the flags may still report it: Driver Verifier's code 0x2003, "
                "and \"Execute-Write Section\" of the HLK test \"HyperVisor Code Integrity Readiness\", "
                "describe "
                "the same pair of flags.",
            .cure =
                "link.exe under /DRIVER puts the import directory into INIT, and before Visual Studio 2015 "
                "the "
                "write right of that data survived: /SECTION:INIT,d only adds the discardable flag.\n"
                "- link.exe: relink with Visual Studio 2015 or later, or use /SECTION:INIT,ERD; name every "
                "right that you want, because the ones not named are turned off.\n"
                "- lld-link: /section:INIT,erd; /section:INIT,d alone would take read and execute away. "
                "Without any option lld-link makes INIT readable and executable.\n"
                "- GNU ld: a section gets the rights of its contents; put functions only into INIT, no "
                "variables.\n"
                "- CMake: target_link_options(driver PRIVATE /SECTION:INIT,ERD) in the place of INIT,d.\n"
                "- WDK project: replace the value INIT,d in Linker, Specify Section Attributes "
                "(SpecifySectionAttributes); a second option beside it does not help.\n"
                "- Source: #pragma alloc_text(INIT, DriverEntry) for functions; no #pragma "
                "data_seg(\"INIT\").\n"
                "- An image that is already linked: editbin /SECTION:INIT,!w, then editbin /RELEASE, and "
                "sign "
                "again.",
            .repair =
                "fix takes the write right away when it can prove that nothing writes the section: no table "
                "that the loader fills, no decoded store, no address taken into it that is not a code "
                "target, a branch or a read. The address of a string literal may be handed out; that nobody "
                "writes to a literal is assumed, and the report says so. It keeps all other flags and sets "
                "the "
                "checksum again. Where the code "
                "cannot be decoded (ARM64, IA64) it says that this is assumed, since Windows 10 and later "
                "take "
                "the right away themselves. A signed image is left alone unless --drop-signature is given.\n"
                "Refused: a section that something writes; the message names what.",
        },
};
