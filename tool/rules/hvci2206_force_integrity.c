/* hvci2206_force_integrity.c - Windows has to check the signature.
 * Takes: DllCharacteristics.  Gives: one finding when FORCE_INTEGRITY is not set.
 * Must not: judge signatures. */
#include "rules/build_rules.h"

static const struct rule *const self = &hvci2206_force_integrity;

static bool judge(const struct rule_input *input, struct rule_answer *answer)
{
    return build_judge_flag(
        input, answer, self, (struct build_flag){"FORCE_INTEGRITY", DLLCHAR_FORCE_INTEGRITY},
        "64-bit Windows checks the signature of every driver; with the flag every Windows does, and routines "
        "such as ObRegisterCallbacks accept callbacks only from images that have it.",
        "Link with /INTEGRITYCHECK, and sign with a certificate that Windows accepts for it.");
}

const struct rule hvci2206_force_integrity = {
    .code = HVCI2206_FORCE_INTEGRITY,
    .name = "ForceIntegrity",
    .title = "FORCE_INTEGRITY is not set",
    .default_level = "off, error when demanded",
    .demand = DEMAND_FORCE_INTEGRITY,
    .needs = 0,
    .judge = judge,
    .text =
        {
            .what = "FORCE_INTEGRITY (0x0080) in DllCharacteristics: Windows refuses the image unless its"
                    " signature is right. Demanded by force-integrity = yes in [require].",
            .windows = "64-bit Windows checks drivers anyhow. With the flag 32-bit Windows does too, a "
                       "program or DLL is checked page by page, and PsSetCreateProcessNotifyRoutineEx and "
                       "ObRegisterCallbacks, which refuse images without it, accept the driver. BinSkim asks"
                       " for it as BA2029.",
            .cure = "The image has to be signed by Microsoft, or with a certificate that chains to a root"
                    " that Windows accepts for this; else it is not loaded at all.\n"
                    "- link.exe: /INTEGRITYCHECK.\n"
                    "- lld-link: /integritycheck.\n"
                    "- GNU ld: --forceinteg.\n"
                    "- WDK project: Linker, Command Line, Additional Options: /INTEGRITYCHECK.\n"
                    "- CMake: target_link_options(driver PRIVATE /INTEGRITYCHECK), with GNU ld "
                    "LINKER:--forceinteg.",
            .repair = "fix does nothing about it, and refuses when asked for it by name: with the flag, an "
                      "image without the right signature is no longer "
                      "loaded; that is for its owner to decide.",
        },
};
