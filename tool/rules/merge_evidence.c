/* merge_evidence.c - how read-only data came into an executable section.
 * Takes: image, debug references, the section.  Gives: evidence lines and the option to remove.
 * Must not: judge.
 * Three things tell. Microsoft's linker leaves a list of section contributions in the image (debug type
 * POGO), with the names that the pieces had before sections were merged. Directories that linkers place in
 * read-only data (exports, debug, load configuration, TLS) lie in the executable section. And .rdata, which
 * every common linker makes, is missing. */
#include "rules/merge_evidence.h"

#include "base/text.h"

enum { LONGEST_SHOWN_NAME_NBYTES = 40 };

/* Contributions of one original section that lie in the section in question. */
struct contributions {
    const char *prefix;
    uint32_t count;
    uint32_t first_rva;
    char first_name[LONGEST_SHOWN_NAME_NBYTES + 1];
};

/* The name of the POGO entry whose RVA field is at foff, cut at the first byte that is no plain character. */
static void contribution_name(const struct image *image, uint64_t rva_foff,
                              char name[LONGEST_SHOWN_NAME_NBYTES + 1])
{
    size_t length = 0;
    uint8_t byte;
    while (length < LONGEST_SHOWN_NAME_NBYTES &&
           span_u8(image->file, rva_foff + POGO_ENTRY_HEADER_NBYTES + length, &byte) && byte > ' ' &&
           byte < 0x7F && byte != ':')
        name[length++] = (char)byte;
    name[length] = 0;
}

static bool has_prefix(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* True for the RVA fields of POGO records; those of the debug directory carry DETAIL_DEBUG_ENTRY. */
static bool is_contribution(const struct ref *ref)
{
    return ref->source == SOURCE_DEBUG && ref->encoding == REF_RVA && ref->detail == DEBUG_TYPE_POGO;
}

static void count_contributions(const struct rule_input *input, const struct section *section,
                                struct contributions *kinds, size_t kind_count)
{
    for (size_t i = 0; i < input->refs->ref_count; i++) {
        const struct ref *ref = &input->refs->refs[i];
        if (!is_contribution(ref) || !section_holds_any(input->image, section, ref->target, 1))
            continue;
        char name[LONGEST_SHOWN_NAME_NBYTES + 1];
        contribution_name(input->image, ref->site_foff, name);
        for (size_t k = 0; k < kind_count; k++) {
            if (!has_prefix(name, kinds[k].prefix))
                continue;
            if (kinds[k].count++ == 0) {
                kinds[k].first_rva = ref->target;
                memcpy(kinds[k].first_name, name, sizeof name);
            }
        }
    }
}

/* Directories that belong into read-only data and lie in the section, as a list of words; NULL for none. */
static const char *read_only_directories(const struct rule_input *input, const struct section *section)
{
    static const struct {
        unsigned number;
        const char *word;
    } read_only[] = {
        {DIR_EXPORT, "exports"},
        {DIR_DEBUG, "debug directory"},
        {DIR_LOAD_CONFIG, "load configuration"},
        {DIR_TLS, "TLS directory"},
        {DIR_EXCEPTION, "exception table"},
    };
    struct text words = {.arena = input->arena};
    for (size_t i = 0; i < sizeof read_only / sizeof *read_only; i++) {
        const struct directory *directory = image_directory(input->image, read_only[i].number);
        if (directory && section_holds_any(input->image, section, directory->rva, 1))
            text_printf(&words, "%s%s (RVA 0x%X)", words.nbytes ? ", " : "", read_only[i].word,
                        directory->rva);
    }
    return words.chars;
}

static void add_contributions(const struct rule_input *input, const struct section *section,
                              struct finding *finding, const struct contributions *kind)
{
    if (kind->count == 0)
        return;
    finding_evidence(
        input->arena, finding,
        "The linker's own record (POGO debug entry) lists %u contribution%s of %s inside %s; the "
        "first is %s at RVA 0x%X.",
        kind->count, kind->count == 1 ? "" : "s", kind->prefix, section->name, kind->first_name,
        kind->first_rva);
}

struct merge_evidence merge_evidence_add(const struct rule_input *input, const struct section *section,
                                         struct finding *finding)
{
    struct contributions kinds[] = {{.prefix = ".rdata"}, {.prefix = ".idata"}};
    count_contributions(input, section, kinds, 2);
    add_contributions(input, section, finding, &kinds[0]);
    add_contributions(input, section, finding, &kinds[1]);

    const char *directories = read_only_directories(input, section);
    if (directories)
        finding_evidence(input->arena, finding, "Read-only tables lie in %s as well: %s.", section->name,
                         directories);
    bool has_rdata = image_has_section(input->image, ".rdata");
    if (!has_rdata)
        finding_evidence(input->arena, finding, "The image has no section .rdata.");

    if (kinds[0].count > 0)
        return (struct merge_evidence){".rdata", true};
    if (kinds[1].count > 0)
        return (struct merge_evidence){".idata", true};
    if (directories || !has_rdata)
        return (struct merge_evidence){".rdata", false};
    finding_evidence(
        input->arena, finding,
        "Nothing shows a merge of sections: .rdata exists and no other read-only table lies in %s.",
        section->name);
    return (struct merge_evidence){NULL, false};
}

const char *merge_evidence_cure(const struct rule_input *input, const struct section *section,
                                struct merge_evidence evidence)
{
    if (!evidence.from)
        return arena_printf(
            input->arena,
            "The linker or an assembler source places the table in %s: declare import data in a readable "
            "section of its own, keep .idata out of %s in the linker script, or link with the default "
            "sections "
            "of link.exe or lld-link.",
            section->name, section->name);
    return arena_printf(
        input->arena,
        "Remove %s/MERGE:%s=%s%s from the link command, from #pragma comment(linker, ...) in the sources and "
        "from Merge Sections in the project's Linker settings.",
        evidence.is_recorded ? "" : "what merged the sections, most likely ", evidence.from, section->name,
        evidence.is_recorded ? "" : ",");
}
