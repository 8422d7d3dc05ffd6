/* hvci2005_iat_executable.c - the import address table must not lie in an executable section.
 * Takes: directory 12, or the thunk arrays when it is empty; section headers; debug references for the
 * cause.  Gives: one finding per executable section that holds part of the table.
 * Must not: judge thunk arrays outside a directory 12 that is there (HVCI2006 does), or blame a managed
 * image for the stub that its compiler made. */
#include "rules/clr_stub.h"
#include "rules/merge_evidence.h"
#include "rules/rule_parts.h"

/* The part of the table that lies in one section. */
struct iat_part {
    uint32_t rva, nbytes;
    uint32_t array_count; /* thunk arrays, when directory 12 is empty */
};

static void add_table_evidence(const struct rule_input *input, struct finding *finding,
                               const struct section *section, const struct directory *directory,
                               const struct iat_part *part)
{
    const struct image *image = input->image;
    unsigned slot_nbytes = image_pointer_nbytes(image);
    const char *stop =
        image->role == ROLE_KERNEL ? "Driver Verifier stop 0xC4/0x2005 names IAT directory" : "IAT directory";
    if (directory)
        finding_evidence(input->arena, finding,
                         "%s at RVA 0x%X, 0x%X bytes (%u slots), section name \"%s\"; its entry is at file "
                         "offset 0x%X.",
                         stop, directory->rva, directory->nbytes, directory->nbytes / slot_nbytes,
                         section->name, directory->entry_foff);
    else
        finding_evidence(
            input->arena, finding,
            "The IAT directory is empty; %u thunk array%s of the import descriptors lie%s in %s, "
            "the first at RVA 0x%X.",
            part->array_count, part->array_count == 1 ? "" : "s", part->array_count == 1 ? "s" : "",
            section->name, part->rva);
    finding_evidence(input->arena, finding, "Section %s.", rule_describe_section(input->arena, section));
}

static bool report(const struct rule_input *input, const struct section *section,
                   const struct directory *directory, const struct iat_part *part)
{
    struct finding finding =
        finding_make(input->arena, HVCI2005_IAT_EXECUTABLE, rule_level(input->image, LEVEL_ERROR),
                     "The import address table (RVA 0x%X, 0x%X bytes) lies in executable section %s.",
                     part->rva, part->nbytes, section->name);
    uint32_t foff;
    finding.section = section->name;
    finding.rva = part->rva;
    if (image_rva_to_foff(input->image, part->rva, image_pointer_nbytes(input->image), &foff))
        finding.file_offset = foff;
    add_table_evidence(input, &finding, section, directory, part);
    struct merge_evidence cause = merge_evidence_add(input, section, &finding);
    finding.windows = rule_windows_words(
        input, "The loader writes the import address table, and with memory integrity an executable page can "
               "not be written, so Windows does not load the driver; Driver Verifier stops with bug check "
               "0xC4, code 0x2005.");
    finding.cure = merge_evidence_cure(input, section, cause);
    return finding_add(input->findings, &finding);
}

/* Directory 12 names the table: each executable section that it touches. */
static bool judge_directory(const struct rule_input *input, const struct directory *directory,
                            uint32_t *failing_count)
{
    for (uint32_t i = 0; i < input->image->section_count; i++) {
        const struct section *section = &input->image->sections[i];
        if (!section_is_executable(section) ||
            !section_holds_any(input->image, section, directory->rva, directory->nbytes))
            continue;
        struct iat_part part = {.rva = directory->rva, .nbytes = directory->nbytes};
        if ((*failing_count)++, !report(input, section, directory, &part))
            return false;
    }
    return true;
}

/* Where the descriptors say that their arrays begin; the file need not hold their bytes. */
static void count_arrays(const struct rule_input *input, struct iat_part *parts, uint32_t *array_count)
{
    for (size_t i = 0; i < input->refs->ref_count; i++) {
        const struct ref *ref = &input->refs->refs[i];
        if (ref->source != SOURCE_IMPORTS || ref->detail != DETAIL_IMPORT_IAT_FIELD)
            continue;
        (*array_count)++;
        const struct section *section = image_section_at_rva(input->image, ref->target);
        if (!section || !section_is_executable(section))
            continue;
        struct iat_part *part = &parts[section->index];
        if (part->array_count++ == 0 || ref->target < part->rva)
            part->rva = ref->target;
    }
}

/* How far the arrays reach, as far as they could be read. */
static void measure_parts(const struct rule_input *input, struct iat_part *parts)
{
    for (size_t i = 0; i < input->refs->extent_count; i++) {
        const struct extent *extent = &input->refs->extents[i];
        const struct section *section =
            extent->kind == EXTENT_IAT ? image_section_at_rva(input->image, extent->rva) : NULL;
        if (!section || parts[section->index].array_count == 0 || extent->rva < parts[section->index].rva)
            continue;
        struct iat_part *part = &parts[section->index];
        uint32_t reach_nbytes = extent->rva - part->rva + extent->nbytes;
        if (reach_nbytes > part->nbytes)
            part->nbytes = reach_nbytes;
    }
}

/* Directory 12 is empty: the thunk arrays are the table, put together section by section. */
static bool judge_thunk_arrays(const struct rule_input *input, uint32_t *array_count, uint32_t *failing_count)
{
    const struct image *image = input->image;
    struct iat_part *parts = arena_array(input->arena, image->section_count, sizeof *parts);
    if (!parts)
        return false;
    count_arrays(input, parts, array_count);
    measure_parts(input, parts);
    for (uint32_t i = 0; i < image->section_count; i++) {
        if (parts[i].array_count == 0)
            continue;
        if ((*failing_count)++, !report(input, &image->sections[i], NULL, &parts[i]))
            return false;
    }
    return true;
}

static bool judge(const struct rule_input *input, struct rule_answer *answer)
{
    const struct image *image = input->image;
    const char *import_name;
    if (image_has_clr_stub(input, &import_name))
        return answer_not_applicable(
            input, answer,
            "The image is managed: its only import is %s of mscoree.dll, the CLR's own "
            "stub, which compilers place in the code section.",
            import_name);

    uint32_t failing_count = 0, array_count = 0;
    const struct directory *directory = image_directory(image, DIR_IAT);
    if (directory ? !judge_directory(input, directory, &failing_count)
                  : !judge_thunk_arrays(input, &array_count, &failing_count))
        return false;
    if (failing_count > 0)
        return answer_fail(input, answer, "The import address table lies in %u executable section%s.",
                           failing_count, failing_count == 1 ? "" : "s");
    if (directory)
        return answer_pass(input, answer, "The import address table starts at %s, which is not executable.",
                           rva_words(input->arena, image, directory->rva));
    if (array_count > 0)
        return answer_pass(input, answer,
                           "The IAT directory is empty; none of the %u thunk arrays lies in an executable "
                           "section.%s",
                           array_count, unread_words(input, SOURCE_BIT(SOURCE_IMPORTS)));
    return answer_not_applicable(input, answer, "The image has no import address table.%s",
                                 unread_words(input, SOURCE_BIT(SOURCE_IMPORTS)));
}

const struct rule hvci2005_iat_executable = {
    .code = HVCI2005_IAT_EXECUTABLE,
    .name = "IatExecutable",
    .title = "import address table is in an executable section",
    .default_level = "error",
    .needs = SOURCE_BIT(SOURCE_IMPORTS),
    .cites = SOURCE_BIT(SOURCE_DEBUG),
    .judge = judge,
    .text =
        {
            .what = "The import address table must not lie in an executable section. The table is what data "
                    "directory 12 names; when that directory is empty, the thunk arrays of the import "
                    "descriptors. "
                    "A managed image whose only import is the CLR's own start-up stub is not judged: its "
                    "compiler "
                    "makes that stub, and the kernel never loads it.",
            .windows =
                "The loader writes the addresses of imported functions into the table. With memory integrity "
                "an "
                "executable page cannot be written, so the driver is not loaded. Driver Verifier with code "
                "integrity checks stops with bug check 0xC4, code 0x2005, and names the image, the IAT "
                "directory and the section. The HLK test \"HyperVisor Code Integrity Readiness\" counts it "
                "under \"IAT in Executable Section\".",
            .cure =
                "The usual cause is a merge of read-only data into code.\n"
                "- link.exe and lld-link: remove /MERGE:.rdata=.text (or /MERGE:.idata=.text, or whichever "
                "code section they name). lld-link does it without a word; link.exe reports LNK4254 when the "
                "rights differ.\n"
                "- CMake: remove /MERGE from target_link_options, CMAKE_*_LINKER_FLAGS and the toolchain "
                "file.\n"
                "- WDK project: Linker, Advanced, Merge Sections.\n"
                "- Source: remove #pragma comment(linker, \"/MERGE:.rdata=.text\").\n"
                "- GNU ld: use the default linker script, which keeps .idata apart; remove -N (--omagic) and "
                "scripts that place .idata in .text.\n"
                "- Assemblers that write images themselves: declare import data in a section that is "
                "readable "
                "and not executable.",
            .repair = "fix moves the table to a read-only section of its own (x86, x64), in its order and "
                      "spacing, with the "
                      "guard slots beside it; directory 12 and every instruction and pointer that names a "
                      "slot follow. "
                      "Where the table lies too near to other data, all data around it leaves with it.\n"
                      "Refused: bytes that may be an instruction that reads a slot, or may be something "
                      "else; bound "
                      "imports; a table that lies in more than one place. docs/REWRITING.md tells how.",
        },
};
