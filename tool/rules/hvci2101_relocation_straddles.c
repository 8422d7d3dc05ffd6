/* hvci2101_relocation_straddles.c - a base relocation should not cross a page boundary.
 * Takes: base relocations, the values under them, the target release.  Gives: one finding for an array of
 * structures or for the rest of a section, one place a relocation.
 * Must not: judge types other than HIGHLOW and DIR64; the others that Windows knows are 16 bits wide, or
 * (ARM, IA64) patch aligned instructions. */
#include "rules/rule_parts.h"
#include "rules/straddlers.h"

enum { MOST_PLACE_LINES = 56 };

static const char *type_name(unsigned type)
{
    return type == BASERELOC_HIGHLOW ? "HIGHLOW" : "DIR64";
}

/* "holds 0x1400020A0, which is RVA 0x20A0 (.rdata+0xA0)" */
static const char *value_words(const struct rule_input *input, const struct straddler *straddler)
{
    const struct ref *value = straddler->value;
    if (!value || !range_fits(input->image->file.nbytes, value->site_foff, value->width_nbytes))
        return "the file holds no value there";
    uint64_t stored = load_width(input->image->file.bytes + value->site_foff, value->width_nbytes);
    switch ((enum ref_state)value->state) {
    case REF_RESOLVED:
    case REF_HEADERS:
        return arena_printf(input->arena, "holds 0x%llX, which is %s", (unsigned long long)stored,
                            rva_words(input->arena, input->image, value->target));
    case REF_SECTION_END:
        return arena_printf(input->arena, "holds 0x%llX, which is RVA 0x%X, one past the end of a section",
                            (unsigned long long)stored, value->target);
    case REF_GAP:
        return arena_printf(input->arena, "holds 0x%llX, which is RVA 0x%X, between sections",
                            (unsigned long long)stored, value->target);
    case REF_OUTSIDE:
    case REF_NULL:
    case REF_CONSTANT:
        break;
    }
    return arena_printf(input->arena, "holds 0x%llX, which lies outside the image",
                        (unsigned long long)stored);
}

static void add_places(const struct rule_input *input, struct finding *finding,
                       const struct straddler *straddlers, size_t count)
{
    for (size_t i = 0; i < count && i < MOST_PLACE_LINES; i++)
        finding_evidence(
            input->arena, finding, "%s relocation at %s, across the page boundary 0x%X: %s.",
            type_name(straddlers[i].type), rva_words(input->arena, input->image, straddlers[i].rva),
            (straddlers[i].rva / PAGE_NBYTES + 1) * PAGE_NBYTES, value_words(input, &straddlers[i]));
    if (count > MOST_PLACE_LINES)
        finding_evidence(input->arena, finding, "%zu more relocations of this group straddle.",
                         count - MOST_PLACE_LINES);
}

static const char *message_words(const struct rule_input *input, const struct straddler_group *group,
                                 const struct straddler *first, const struct section *section)
{
    const char *place = section ? arena_printf(input->arena, "section %s", section->name) : "no section";
    const char *are =
        group->count == 1 ? "A relocation" : arena_printf(input->arena, "%zu relocations", group->count);
    const char *s = group->count == 1 ? "s" : "";
    if (group->stride_nbytes != 0)
        return arena_printf(input->arena,
                            "%s in one array in %s (stride %u bytes, RVA 0x%X to 0x%X) straddle%s a page "
                            "boundary.",
                            are, place, group->stride_nbytes, group->run_begin_rva, group->run_end_rva, s);
    if (group->count == 1)
        return arena_printf(input->arena, "A relocation in %s (RVA 0x%X) straddles a page boundary.", place,
                            first->rva);
    return arena_printf(input->arena,
                        "%zu relocations in %s (the first at RVA 0x%X) straddle page boundaries.",
                        group->count, place, first->rva);
}

static const char *cure_words(const struct straddler_group *group, const struct section *section)
{
    if (group->stride_nbytes != 0)
        return "Give the structure natural packing (no #pragma pack or packed attribute; pointers first), or "
               "split the array into smaller ones that /Gy or /Gw lets the linker place.";
    if (section && section_is_executable(section))
        return "Compile with /Gy so that the linker can shift functions off the boundary; in assembler, "
               "align "
               "tables of addresses (ALIGN 8) and keep them out of the code section.";
    return "Give structures that hold pointers natural packing, split large arrays into smaller ones, "
           "compile "
           "with /Gy and /Gw so that the linker can shift objects, and align data in assembler (ALIGN 8).";
}

static bool report(const struct rule_input *input, const struct straddlers *straddlers,
                   const struct straddler_group *group)
{
    const struct straddler *first = &straddlers->items[group->first];
    const struct section *section = first->section_index < input->image->section_count
                                        ? &input->image->sections[first->section_index]
                                        : NULL;
    bool before_1703 = input->target < TARGET_1703;
    struct finding finding = finding_make(input->arena, HVCI2101_RELOCATION_STRADDLES,
                                          rule_level(input->image, before_1703 ? LEVEL_ERROR : LEVEL_NOTE),
                                          "%s", message_words(input, group, first, section));
    uint32_t foff;
    finding.section = section ? section->name : NULL;
    finding.rva = first->rva;
    if (image_rva_to_foff(input->image, first->rva, 1, &foff))
        finding.file_offset = foff;
    finding.place_count = group->count;
    if (group->stride_nbytes != 0)
        finding_evidence(input->arena, &finding,
                         "%zu relocated fields from RVA 0x%X to 0x%X repeat every %u bytes; %zu of them "
                         "straddle%s.",
                         group->run_count, group->run_begin_rva, group->run_end_rva, group->stride_nbytes,
                         group->count, group->count == 1 ? "s" : "");
    add_places(input, &finding, first, group->count);
    finding.windows = rule_windows_words_or(
        input,
        before_1703 ? arena_printf(input->arena,
                                   "The target is %s: with memory integrity, Windows 10 before version 1703 "
                                   "does not support relocations that straddle a page boundary.",
                                   target_name(input->target))
                    : "Windows 10 version 1703 and later support it; with memory integrity, versions 1507 to "
                      "1607 do not.",
        "The lab test's name for it is \"Unsupported Relocs\"");
    finding.cure = cure_words(group, section);
    return finding_add(input->findings, &finding);
}

static bool judge(const struct rule_input *input, struct rule_answer *answer)
{
    struct straddlers straddlers;
    if (!straddlers_find(input, &straddlers))
        return false;
    for (size_t i = 0; i < straddlers.group_count; i++)
        if (!report(input, &straddlers, &straddlers.groups[i]))
            return false;
    const char *unread = unread_words(input, SOURCE_BIT(SOURCE_BASERELOCS));
    if (straddlers.count > 0)
        return answer_fail(input, answer, "%zu of %zu relocations straddle a page boundary.%s",
                           straddlers.count, straddlers.relocation_count, unread);
    if (straddlers.relocation_count == 0)
        return answer_not_applicable(input, answer, "The image has no base relocations.%s", unread);
    return answer_pass(input, answer, "None of %zu relocations straddles a page boundary.%s",
                       straddlers.relocation_count, unread);
}

const struct rule hvci2101_relocation_straddles = {
    .code = HVCI2101_RELOCATION_STRADDLES,
    .name = "RelocationStraddles",
    .title = "base relocation straddles a page boundary",
    .default_level = "error before 1703, else note",
    .needs = SOURCE_BIT(SOURCE_BASERELOCS) | SOURCE_BIT(SOURCE_RELOCATED),
    .judge = judge,
    .text =
        {
            .what = "A field that the loader relocates should lie within one page: a 4-byte field (HIGHLOW) "
                    "not at "
                    "page offset 0xFFD to 0xFFF, an 8-byte field (DIR64) not at 0xFF9 to 0xFFF. Fields that "
                    "repeat "
                    "at a constant stride are reported as one array.",
            .windows =
                "With memory integrity, Windows 10 versions 1507 to 1607 do not support a relocated field "
                "that "
                "needs two pages; version 1703 and later do. The level follows --target, the oldest Windows "
                "that must load the image. The HLK test \"HyperVisor Code Integrity Readiness\" counts it "
                "under \"Unsupported Relocs\"; Driver Verifier has no code for it.",
            .cure =
                "Packed structures with pointers, in arrays longer than a page, are the usual cause.\n"
                "- cl.exe and link.exe: compile with /Gy (functions) and /Gw (data), so that the linker can "
                "shift each one off the boundary; it cannot shift parts of one large object.\n"
                "- Source: use natural packing for structures that hold pointers (no #pragma pack, no "
                "__attribute__((packed)); pointers first), or split a large array into smaller arrays.\n"
                "- clang and lld-link, gcc and GNU ld: these linkers do not shift anything; use natural "
                "packing.\n"
                "- Assembler: align data that holds addresses (ALIGN 8, or ALIGN 4 on x86).\n"
                "- CMake: target_compile_options(driver PRIVATE /Gy /Gw); no /Zp1 or -fpack-struct there.\n"
                "- WDK project: C/C++, Code Generation, Enable Function-Level Linking.",
            .repair =
                "fix repairs it in kernel images, x86 and x64, when the target makes it an error, or with "
                "--only HVCI2101. An x86 instruction is replaced by a jump to a copy whose operand crosses "
                "no "
                "page boundary. A read-only section of data is shifted inside its pages, when one shift "
                "cures "
                "all of it. Fields in writable data leave the base relocation table; a stub in front of the "
                "entry point, and of DllInitialize if it is exported, relocates them once a load.\n"
                "Refused: user-mode images; images with TLS callbacks; images that others import from "
                "without "
                "an exported DllInitialize; fields that Windows or an importer reads before the stub runs "
                "(load configuration, TLS, tables of the data directories, exported pointers); fields in x64 "
                "code, and in constants that no shift cures.",
        },
};
