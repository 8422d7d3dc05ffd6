/* hvci2212_loader_data_writable.c - what the loader uses lies in sections that are only read.
 * Takes: directories, section headers.  Gives: one finding per writable section.
 * Must not: judge executable sections (HVCI2005 and HVCI2006 do), or the delay-load table, which is written
 * while the driver runs. */
#include "base/text.h"
#include "rules/build_rules.h"

static const struct rule *const self = &hvci2212_loader_data_writable;

static const struct {
    unsigned number;
    const char *name;
} judged_directories[] = {{DIR_IMPORT, "import directory"},
                          {DIR_IAT, "import address table"},
                          {DIR_LOAD_CONFIG, "load configuration"}};
enum { JUDGED_COUNT = sizeof judged_directories / sizeof judged_directories[0] };

/* The directory is there and lies in this section. */
static bool lies_in(const struct image *image, unsigned number, const struct section *section)
{
    const struct directory *directory = image_directory(image, number);
    return directory && image_section_at_rva(image, directory->rva) == section;
}

static bool report(const struct rule_input *input, struct rule_answer *answer, const struct section *section,
                   const char *names)
{
    struct finding finding = build_finding(input, self, section->header_foff,
                                           "Section %s is writable and holds the %s.", section->name, names);
    finding.section = section->name;
    finding.rva = section->rva;
    finding_evidence(input->arena, &finding, "Characteristics 0x%08X at file offset 0x%X: %s.",
                     section->characteristics, section->header_foff + SECTION_CHARACTERISTICS,
                     characteristics_words(input->arena, section->characteristics));
    for (size_t i = 0; i < JUDGED_COUNT; i++)
        if (lies_in(input->image, judged_directories[i].number, section))
            finding_evidence(input->arena, &finding, "The %s begins at %s.", judged_directories[i].name,
                             rva_words(input->arena, input->image,
                                       input->image->directories[judged_directories[i].number].rva));
    return build_fail(
        input, answer, &finding,
        "Pointers through which the driver calls can be overwritten while it runs; in a section "
        "that is only read Windows protects them once they are filled.",
        "Keep imports and constants apart from variables: no /MERGE of .idata or .rdata into a "
        "writable section, no W in /SECTION:.rdata.");
}

static bool judge(const struct rule_input *input, struct rule_answer *answer)
{
    const struct image *image = input->image;
    uint32_t present_count = 0, failing_count = 0;
    for (size_t i = 0; i < JUDGED_COUNT; i++)
        present_count += image_directory(image, judged_directories[i].number) != NULL;
    if (present_count == 0)
        return answer_not_applicable(input, answer, "The image has no imports and no load configuration.");
    for (uint32_t i = 0; i < image->section_count; i++) {
        const struct section *section = &image->sections[i];
        struct text names = {.arena = input->arena};
        if (!section_is_writable(section))
            continue;
        for (size_t k = 0; k < JUDGED_COUNT; k++)
            if (lies_in(image, judged_directories[k].number, section))
                text_printf(&names, "%s%s", names.nbytes ? ", " : "", judged_directories[k].name);
        if (names.nbytes == 0)
            continue;
        failing_count++;
        if (!report(input, answer, section, names.chars))
            return false;
    }
    if (failing_count != 0)
        return true;
    return answer_pass(input, answer, "Imports and load configuration lie in sections that are only read.");
}

const struct rule hvci2212_loader_data_writable = {
    .code = HVCI2212_LOADER_DATA_WRITABLE,
    .name = "LoaderDataWritable",
    .title = "imports or load configuration are writable",
    .default_level = "off, error when demanded",
    .demand = DEMAND_LOADER_DATA,
    .needs = 0,
    .judge = judge,
    .text =
        {
            .what = "Import directory, import address table and load configuration lie in sections "
                    "without IMAGE_SCN_MEM_WRITE: Windows fills the table while it loads the image and "
                    "protects it then. The table for delay-loaded imports is written later and is not "
                    "judged. Demanded by writable-loader-data = no in [require].",
            .windows = "Memory integrity does not mind. But a pointer to a function of the kernel that stays"
                       " writable is what an attacker overwrites, and the check function's pointer of "
                       "Control Flow Guard lies beside it.",
            .cure = "Only old or unusual linking puts them there.\n"
                    "- link.exe: it places them in .rdata, and under /DRIVER the import directory in "
                    "INIT; old versions leave INIT writable (see HVCI2214). Remove /MERGE:.rdata=.data, "
                    "/MERGE:.idata=.data and W from /SECTION:.rdata.\n"
                    "- lld-link: it places them in .rdata; the same options move them.\n"
                    "- GNU ld: it makes .idata writable, and no option changes that; link with "
                    "lld-link.\n"
                    "- WDK project: Linker, Merge Sections (MergeSections) and Specify Section "
                    "Attributes.\n"
                    "- CMake: look for /MERGE and /SECTION in target_link_options.",
            .repair = "fix does nothing about it, and refuses when asked for it by name: what else in the "
                      "section is written would have to be proved for data as"
                      " it is for code. INIT that is executable too loses its write right by the repair of "
                      "HVCI2102.",
        },
};
