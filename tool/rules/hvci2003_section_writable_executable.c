/* hvci2003_section_writable_executable.c - no section may be both writable and executable.
 * Takes: section headers.  Gives: one finding per section.
 * Must not: look at pages that sections share (HVCI2004 does) or at a discardable INIT (HVCI2102 does).
 * The flags count as they are stored, whatever the section's size: that is what the loader, Driver Verifier
 * and the lab test read. Sharing, caching and paging flags do not matter. */
#include "rules/rule_parts.h"

#include <string.h>

/* What in this section's header explains the two rights, or makes them look harmless. */
static void add_circumstances(const struct rule_input *input, struct finding *finding,
                              const struct section *section)
{
    bool is_discardable = (section->characteristics & SCN_MEM_DISCARDABLE) != 0;
    if (section_is_named_init(section))
        finding_evidence(input->arena, finding,
                         "The section is named INIT but not discardable, so Windows does not take its write "
                         "right away.");
    else if (is_discardable)
        finding_evidence(input->arena, finding,
                         "The section is discardable, but Windows is known to take the write right away only "
                         "from a section named INIT.");
    if (strcmp(section->raw_name, ".textbss") == 0)
        finding_evidence(input->arena, finding,
                         "A section named .textbss is what incremental linking reserves for edited code.");
    if (section->memory_nbytes == 0)
        finding_evidence(input->arena, finding,
                         "The section is empty and maps no page; checks that read headers see its flags all "
                         "the same.");
    if (section_holds_any(input->image, section, input->image->entry_rva, 1) && input->image->entry_rva != 0)
        finding_evidence(input->arena, finding, "The entry point lies in it (RVA 0x%X).",
                         input->image->entry_rva);
}

static const char *cure_words(const struct rule_input *input, const struct section *section)
{
    if (strcmp(section->raw_name, ".textbss") == 0)
        return "Link with /INCREMENTAL:NO.";
    return arena_printf(
        input->arena,
        "Find what gives section %s both rights and take one away: a /SECTION:%s,... option or #pragma "
        "comment(linker, ...), #pragma section(\"%s\", ...) with write and execute, a /MERGE of writable "
        "data "
        "into code, or an assembler segment with both. Keep code and variables in sections of their own.",
        section->name, section->name, section->name);
}

static bool report(const struct rule_input *input, const struct section *section)
{
    struct finding finding = finding_make(
        input->arena, HVCI2003_SECTION_WRITABLE_EXECUTABLE, rule_level(input->image, LEVEL_ERROR),
        "Section %s is both writable and executable (characteristics 0x%08X, header at 0x%X).", section->name,
        section->characteristics, section->header_foff);
    finding.section = section->name;
    finding.rva = section->rva;
    finding.file_offset = section->header_foff;
    evidence_section(input, &finding, 0x2003, section);
    add_circumstances(input, &finding, section);
    finding.windows = rule_windows_words(
        input, "With memory integrity no kernel page may be writable and executable at once, so Windows does "
               "not load the driver; Driver Verifier stops with bug check 0xC4, code 0x2003.");
    finding.cure = cure_words(input, section);
    return finding_add(input->findings, &finding);
}

static bool judge(const struct rule_input *input, struct rule_answer *answer)
{
    const struct image *image = input->image;
    uint32_t executable_count = 0, failing_count = 0, left_to_2102_count = 0;
    for (uint32_t i = 0; i < image->section_count; i++) {
        const struct section *section = &image->sections[i];
        executable_count += section_is_executable(section);
        if (!section_is_executable(section) || !section_is_writable(section))
            continue;
        if (section_is_discardable_init(section)) {
            left_to_2102_count++;
            continue;
        }
        failing_count++;
        if (!report(input, section))
            return false;
    }
    if (image->section_count == 0)
        return answer_not_applicable(input, answer, "The image has no sections.");
    if (failing_count > 0)
        return answer_fail(input, answer, "%u of %u sections %s both writable and executable.", failing_count,
                           image->section_count, failing_count == 1 ? "is" : "are");
    if (left_to_2102_count > 0)
        return answer_pass(
            input, answer,
            "Only the discardable section INIT is writable and executable; HVCI2102 judges it.");
    if (executable_count == 0)
        return answer_pass(input, answer, "None of the %u sections is executable.", image->section_count);
    return answer_pass(input, answer, "None of the %u executable sections is writable.", executable_count);
}

const struct rule hvci2003_section_writable_executable = {
    .code = HVCI2003_SECTION_WRITABLE_EXECUTABLE,
    .name = "SectionWritableExecutable",
    .title = "section is writable and executable",
    .default_level = "error",
    .needs = 0,
    .judge = judge,
    .text =
        {
            .what =
                "No section may have the rights to write and to execute together (IMAGE_SCN_MEM_WRITE and "
                "IMAGE_SCN_MEM_EXECUTE in its header). The flags are judged as they are stored. A "
                "discardable "
                "section named INIT is judged by HVCI2102 instead, because Windows treats it differently. "
                "Pages that become writable and executable because small sections share them are judged by "
                "HVCI2004.",
            .windows =
                "With memory integrity the hypervisor keeps every kernel page either writable or executable, "
                "never both, so a driver with such a section is not loaded. Driver Verifier with code "
                "integrity checks stops with bug check 0xC4, code 0x2003, and names the image, the section "
                "header and the section. The HLK test \"HyperVisor Code Integrity Readiness\" counts it "
                "under "
                "\"Execute-Write Section\".",
            .cure =
                "Find what asks for both rights and take one away.\n"
                "- link.exe: look for /SECTION:name,... with both E and W, also in #pragma comment(linker, "
                "...), and write all rights that you want (/SECTION:name,ER for code, /SECTION:name,RW for "
                "data); rights that the option does not name are turned off once it names one. Remove /MERGE "
                "of .data or .bss into a code section. A section .textbss comes from /INCREMENTAL; link with "
                "/INCREMENTAL:NO.\n"
                "- lld-link: the same options; /merge of writable data into code is not reported there.\n"
                "- GNU ld: remove -N (--omagic) and linker scripts that place .data in .text; declare "
                "assembler sections with \"rx\" or \"rw\", not \"rwx\".\n"
                "- CMake: look for /SECTION, /MERGE and /INCREMENTAL in target_link_options, in "
                "CMAKE_*_LINKER_FLAGS and in the toolchain file.\n"
                "- WDK project: Linker, Advanced, Merge Sections, and Linker, Specify Section Attributes "
                "(SpecifySectionAttributes).\n"
                "- Source: #pragma section(\"name\", read, execute) or (\"name\", read, write); put "
                "functions "
                "in a section of their own with #pragma code_seg or alloc_text, and variables in another "
                "with "
                "#pragma data_seg.\n"
                "- An image that is already linked and that nothing writes: editbin /SECTION:name,!w, then "
                "set the checksum again (editbin /RELEASE) and sign again.",
            .repair = "fix takes the write right away where two proofs, which share no code, find nobody who "
                      "writes the "
                      "section. Where code lies among data that is written (x86, x64), it cuts the section: "
                      "the code stays, "
                      "the data leaves together to a writable section, and what only the loader writes goes "
                      "on to a "
                      "read-only one. A section of data to which nothing leads may be found by its name "
                      "and written: it loses the right to execute instead.\n"
                      "Refused: sections whose own code is written (packers, code that changes itself), "
                      "addresses near a cut "
                      "that may mean what lies on either side, and images whose code is not decoded.",
        },
};
