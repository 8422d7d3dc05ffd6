/* hvci2004_section_not_page_aligned.c - every section must start on a page of its own.
 * Takes: optional header, section headers.  Gives: one finding for the whole image, one place a section.
 * Must not: judge the rights of single sections; pages that sections share are evidence here and nowhere
 * else. */
#include "rules/rule_parts.h"

enum { MOST_SECTION_LINES = 48 };

static bool is_page_aligned(uint32_t address)
{
    return address % PAGE_NBYTES == 0;
}

/* RVA of the last byte of a section that is not empty. */
static uint32_t last_rva(const struct section *section)
{
    uint64_t last = (uint64_t)section->rva + section->memory_nbytes - 1;
    return last > UINT32_MAX ? UINT32_MAX : (uint32_t)last;
}

/* Pages that hold bytes of a writable section and of an executable one, neither being both itself. Headers
 * list sections by rising RVA, so a shared page is shared by neighbours. */
static uint32_t count_mixed_pages(const struct image *image, uint32_t *first_page_rva,
                                  const struct section **first_section)
{
    uint32_t count = 0, page = 0, rights = 0;
    bool counted = false;
    for (uint32_t i = 0; i < image->section_count; i++) {
        const struct section *section = &image->sections[i];
        if (section->memory_nbytes == 0)
            continue;
        uint32_t own = section->characteristics & (SCN_MEM_WRITE | SCN_MEM_EXECUTE);
        uint32_t first = section->rva / PAGE_NBYTES, last = last_rva(section) / PAGE_NBYTES;
        if (first != page) {
            rights = 0;
            counted = false;
        }
        uint32_t both = rights | own;
        if (both == (SCN_MEM_WRITE | SCN_MEM_EXECUTE) && own != both && rights != both && !counted) {
            if (count++ == 0) {
                *first_page_rva = first * PAGE_NBYTES;
                *first_section = section;
            }
            counted = true;
        }
        if (last != first) {
            both = own;
            counted = false;
        }
        rights = both;
        page = last;
    }
    return count;
}

static void add_mixed_pages(const struct rule_input *input, struct finding *finding)
{
    uint32_t page_rva = 0;
    const struct section *section = NULL;
    uint32_t count = count_mixed_pages(input->image, &page_rva, &section);
    if (count == 0)
        return;
    finding_evidence(input->arena, finding,
                     "%u page%s bytes of a writable section and of an executable one; the first is at RVA "
                     "0x%X, where section %s joins its neighbour.",
                     count, count == 1 ? " holds" : "s hold", page_rva, section->name);
}

static void add_sections(const struct rule_input *input, struct finding *finding, uint32_t misaligned_count)
{
    const struct image *image = input->image;
    const char *stop =
        image->role == ROLE_KERNEL ? "Driver Verifier stop 0xC4/0x2004 names section" : "Section";
    uint32_t shown = 0;
    for (uint32_t i = 0; i < image->section_count && shown < MOST_SECTION_LINES; i++) {
        const struct section *section = &image->sections[i];
        if (is_page_aligned(section->rva))
            continue;
        finding_evidence(
            input->arena, finding,
            "%s header at image base + 0x%X, section name \"%s\": RVA 0x%X lies 0x%X past a page "
            "boundary.",
            stop, section->header_foff, section->name, section->rva, section->rva % PAGE_NBYTES);
        shown++;
    }
    if (misaligned_count > shown)
        finding_evidence(input->arena, finding, "%u more sections are not page aligned.",
                         misaligned_count - shown);
}

static bool report(const struct rule_input *input, uint32_t misaligned_count, const struct section *first)
{
    const struct image *image = input->image;
    bool low = !is_page_aligned(image->section_alignment) || image->section_alignment == 0;
    struct finding finding =
        low ? finding_make(
                  input->arena, HVCI2004_SECTION_NOT_PAGE_ALIGNED, rule_level(image, LEVEL_ERROR),
                  "SectionAlignment is 0x%X instead of a multiple of 0x1000; %u of %u sections %s not "
                  "page aligned.",
                  image->section_alignment, misaligned_count, image->section_count,
                  misaligned_count == 1 ? "is" : "are")
            : finding_make(input->arena, HVCI2004_SECTION_NOT_PAGE_ALIGNED, rule_level(image, LEVEL_ERROR),
                           "%u of %u sections %s not page aligned, although SectionAlignment is 0x%X.",
                           misaligned_count, image->section_count, misaligned_count == 1 ? "is" : "are",
                           image->section_alignment);
    finding.file_offset = image->opt_foff + OPT_SECTION_ALIGNMENT;
    if (misaligned_count > 0) {
        finding.section = misaligned_count == 1 ? first->name : NULL;
        finding.rva = first->rva;
        finding.file_offset = first->header_foff;
        finding.place_count = misaligned_count;
    }
    finding_evidence(input->arena, &finding, "SectionAlignment 0x%X at file offset 0x%X; FileAlignment 0x%X.",
                     image->section_alignment, image->opt_foff + OPT_SECTION_ALIGNMENT,
                     image->file_alignment);
    add_mixed_pages(input, &finding);
    add_sections(input, &finding, misaligned_count);
    finding.windows = rule_windows_words(
        input, "Memory integrity gives rights page by page, so Windows does not load a driver whose sections "
               "share pages; Driver Verifier stops with bug check 0xC4, code 0x2004.");
    finding.cure = low ? "Remove DRIVER_ALIGNMENT from the project or set DRIVER_ALIGNMENT=0x1000, and "
                         "remove /ALIGN from "
                         "the link command or use /ALIGN:0x1000 (GNU ld: --section-alignment=0x1000)."
                       : "Find the step after linking that moved the sections, and link again with "
                         "/ALIGN:0x1000 (with a "
                         "WDK sources file: DRIVER_ALIGNMENT=0x1000).";
    return finding_add(input->findings, &finding);
}

static bool judge(const struct rule_input *input, struct rule_answer *answer)
{
    const struct image *image = input->image;
    uint32_t misaligned_count = 0;
    const struct section *first = NULL;
    for (uint32_t i = 0; i < image->section_count; i++) {
        if (is_page_aligned(image->sections[i].rva))
            continue;
        if (misaligned_count++ == 0)
            first = &image->sections[i];
    }
    bool low = image->section_alignment == 0 || !is_page_aligned(image->section_alignment);
    if (!low && misaligned_count == 0) {
        if (image->section_count == 0)
            return answer_not_applicable(input, answer, "The image has no sections.");
        return answer_pass(input, answer, "SectionAlignment is 0x%X and all %u sections start on a page.",
                           image->section_alignment, image->section_count);
    }
    if (!report(input, misaligned_count, first))
        return false;
    return answer_fail(input, answer, "SectionAlignment is 0x%X; %u of %u sections do not start on a page.",
                       image->section_alignment, misaligned_count, image->section_count);
}

const struct rule hvci2004_section_not_page_aligned = {
    .code = HVCI2004_SECTION_NOT_PAGE_ALIGNED,
    .name = "SectionNotPageAligned",
    .title = "section is not page aligned",
    .default_level = "error",
    .needs = 0,
    .judge = judge,
    .text =
        {
            .what =
                "SectionAlignment in the optional header must be a multiple of 0x1000 (a page), and each "
                "section must start at an RVA that is one. With a smaller alignment, code and writable data "
                "share pages, and such a page has the rights of both. FileAlignment, which lays out the file "
                "only, does not matter.",
            .windows =
                "Memory integrity protects whole pages, so a driver whose sections share pages is not "
                "loaded. "
                "Driver Verifier with code integrity checks stops with bug check 0xC4, code 0x2004, and "
                "names "
                "the image, the section header and the section. The HLK test \"HyperVisor Code Integrity "
                "Readiness\" counts it under \"Section Alignment Failures\", once a section.",
            .cure =
                "Small alignment was once used to save space; 0x1000 is the linker's own default.\n"
                "- WDK: remove DRIVER_ALIGNMENT from the sources file or the project, or set "
                "DRIVER_ALIGNMENT=0x1000.\n"
                "- link.exe: remove /ALIGN, or use /ALIGN:0x1000 (4096). /FILEALIGN may stay.\n"
                "- lld-link: remove /align, or use /align:4096.\n"
                "- GNU ld: -Wl,--section-alignment=0x1000; --file-alignment may stay. Remove -N (--omagic).\n"
                "- CMake: remove /ALIGN from target_link_options, CMAKE_*_LINKER_FLAGS and the toolchain "
                "file.\n"
                "- Source: #pragma comment(linker, \"/ALIGN:...\") counts as the option and has to go too.\n"
                "Afterwards sections named PAGE really become pageable and INIT is really discarded; small "
                "sections that shared a page with resident code had hidden that.",
            .repair = "fix lays the image out anew (x86, x64): all sections move by one distance, so that "
                      "code reaches them "
                      "as before, and what must not share a page with code leaves to pages of its own. Every "
                      "table that "
                      "names an address follows. Sections that shared pages were neither paged nor "
                      "discarded, and stay so.\n"
                      "Refused: code that stores, passes, compares or reads through the image base (x64), "
                      "addresses that "
                      "may mean either side of a border that opens, and images with data that nothing says "
                      "how to move. "
                      "docs/REWRITING.md tells how.",
        },
};
