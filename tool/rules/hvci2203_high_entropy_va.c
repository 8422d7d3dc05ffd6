/* hvci2203_high_entropy_va.c - the image may be loaded anywhere in 64 bits.
 * Takes: DllCharacteristics.  Gives: one finding when HIGH_ENTROPY_VA is not set.
 * Must not: judge 32-bit images. */
#include "rules/build_rules.h"

static const struct rule *const self = &hvci2203_high_entropy_va;

static bool judge(const struct rule_input *input, struct rule_answer *answer)
{
    const struct image *image = input->image;
    if (!image->is_64 || image->machine == MACHINE_IA64)
        return answer_not_applicable(input, answer, "HIGH_ENTROPY_VA exists for x64 and ARM64; this is %s.",
                                     image_machine_name(image));
    return build_judge_flag(
        input, answer, self, (struct build_flag){"HIGH_ENTROPY_VA", DLLCHAR_HIGH_ENTROPY_VA},
        "Kernel addresses need 64 bits with or without the flag; checks of a build that look at the header "
        "reject an image that does not promise to live with them.",
        "Link with /HIGHENTROPYVA, the default of link.exe and lld-link for 64-bit images; remove "
        "/HIGHENTROPYVA:NO.");
}

const struct rule hvci2203_high_entropy_va = {
    .code = HVCI2203_HIGH_ENTROPY_VA,
    .name = "HighEntropyVa",
    .title = "HIGH_ENTROPY_VA is not set",
    .default_level = "off, error when demanded",
    .demand = DEMAND_HIGH_ENTROPY_VA,
    .needs = 0,
    .judge = judge,
    .text =
        {
            .what = "HIGH_ENTROPY_VA (0x0020) in DllCharacteristics says that a 64-bit image works at any"
                    " 64-bit address. It does not apply to 32-bit images and IA64. Demanded by "
                    "high-entropy-va = yes in [require].",
            .windows = "For programs the flag widens the range in which addresses are chosen. Drivers are "
                       "always loaded far above 4 GiB, so for them it is a promise that they keep anyhow. "
                       "BinSkim asks for it as BA2015.",
            .cure = "The flag is a default of current linkers for 64-bit images.\n"
                    "- link.exe: /HIGHENTROPYVA; remove /HIGHENTROPYVA:NO.\n"
                    "- lld-link: the same options.\n"
                    "- GNU ld: --high-entropy-va; a default since binutils 2.36.\n"
                    "- WDK project: Linker, Command Line, Additional Options: /HIGHENTROPYVA.\n"
                    "- CMake: target_link_options(driver PRIVATE /HIGHENTROPYVA), with GNU ld "
                    "LINKER:--high-entropy-va.\n"
                    "- An image that is already linked: editbin /HIGHENTROPYVA, then sign again.",
            .repair = "fix sets the flag when asked by name (fix --only HVCI2203), and enforce when the "
                      "policy's [fix] says so (HVCI2203 = enforce), in 64-bit kernel images for x64 and "
                      "ARM64 that have DYNAMIC_BASE, or get it in the same repair. Otherwise it refuses; "
                      "also for programs, and for a signed image unless --drop-signature is given.",
        },
};
