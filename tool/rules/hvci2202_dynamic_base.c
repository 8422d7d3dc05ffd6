/* hvci2202_dynamic_base.c - the image may be loaded at any address.
 * Takes: DllCharacteristics, base relocations.  Gives: one finding when one of both is missing.
 * Must not: judge single relocations. */
#include "rules/build_rules.h"

static const struct rule *const self = &hvci2202_dynamic_base;
static const struct build_flag dynamic_base = {"DYNAMIC_BASE", DLLCHAR_DYNAMIC_BASE};
static const char windows_words[] = "A driver that cannot be moved is loaded at the address it asks for or "
                                    "not at all, and one that is always "
                                    "there is easier to attack.";

static bool judge(const struct rule_input *input, struct rule_answer *answer)
{
    const struct image *image = input->image;
    bool is_stripped = (image->coff_characteristics & COFF_RELOCS_STRIPPED) != 0;
    bool has_table = image_directory(image, DIR_BASERELOC) != NULL;
    if (is_stripped) {
        struct finding finding = build_finding(input, self, image->coff_foff + COFF_CHARACTERISTICS,
                                               "The base relocations were stripped (RELOCS_STRIPPED), so the "
                                               "image cannot be moved.");
        build_flag_evidence(input, &finding, dynamic_base);
        return build_fail(input, answer, &finding, windows_words,
                          "Link without /FIXED (GNU ld: without --disable-reloc-section and -s).");
    }
    if (!build_has_flag(image, dynamic_base)) {
        struct finding finding =
            build_finding(input, self, build_flags_foff(image), "DYNAMIC_BASE is not set in the header%s.",
                          has_table ? "; base relocations are there" : "");
        build_flag_evidence(input, &finding, dynamic_base);
        return build_fail(input, answer, &finding, windows_words,
                          "Link with /DYNAMICBASE, which is the default of link.exe and lld-link; remove "
                          "/DYNAMICBASE:NO and /FIXED.");
    }
    return answer_pass(input, answer,
                       has_table
                           ? "DYNAMIC_BASE is set, and base relocations are there.%s"
                           : "DYNAMIC_BASE is set; there are no base relocations, and the header does not "
                             "say that they were stripped: nothing needs any.%s",
                       unread_words(input, SOURCE_BIT(SOURCE_BASERELOCS)));
}

const struct rule hvci2202_dynamic_base = {
    .code = HVCI2202_DYNAMIC_BASE,
    .name = "DynamicBase",
    .title = "DYNAMIC_BASE is not set, or relocations are stripped",
    .default_level = "off, error when demanded",
    .demand = DEMAND_DYNAMIC_BASE,
    .needs = SOURCE_BIT(SOURCE_BASERELOCS),
    .judge = judge,
    .text =
        {
            .what = "DYNAMIC_BASE (0x0040) in DllCharacteristics says that the image may be loaded at any"
                    " address; base relocations make it possible. Demanded by dynamic-base = yes in "
                    "[require].",
            .windows = "Windows places drivers at addresses that differ from start to start. It moves an "
                       "image with base relocations also without the flag; one whose relocations were "
                       "stripped stays where it asks to be. Control Flow Guard works only in images with the"
                       " flag. BinSkim asks for it as BA2009.",
            .cure = "Both are defaults of current linkers.\n"
                    "- link.exe: /DYNAMICBASE; no /FIXED. /DRIVER implies /FIXED:NO.\n"
                    "- lld-link: the same options.\n"
                    "- GNU ld: --dynamicbase; no --disable-reloc-section, and no strip that takes .reloc "
                    "away.\n"
                    "- WDK project: Linker, Advanced, Randomized Base Address (RandomizedBaseAddress) and"
                    " Fixed Base Address.\n"
                    "- CMake: target_link_options(driver PRIVATE /DYNAMICBASE), with GNU ld "
                    "LINKER:--dynamicbase.\n"
                    "- An image that is already linked, with relocations: editbin /DYNAMICBASE, then sign"
                    " again.",
            .repair = "fix sets the flag when asked by name (fix --only HVCI2202), and enforce when the "
                      "policy's [fix] says so (HVCI2202 = enforce), in kernel images that have a base "
                      "relocation table without faults: they can be moved already, and the flag only says "
                      "so. Without relocations it refuses, because nobody can find them again in a finished"
                      " image; also for programs, and for a signed image unless --drop-signature is given.",
        },
};
