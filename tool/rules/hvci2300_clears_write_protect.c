/* hvci2300_clears_write_protect.c - no code switches off the protection of read-only pages.
 * Takes: the places that were found in code.  Gives: one finding for each.  Must not: judge other control
 * registers. */
#include "rules/integrity_findings.h"

static const struct integrity_rule words = {
    .rule = &hvci2300_clears_write_protect,
    .proved_level = LEVEL_ERROR,
    .does = "clears the write-protect bit of CR0",
    .windows = "With memory integrity the hypervisor keeps CR0.WP set: the write raises an exception, and "
               "the system stops.",
    .cure = "Do not write to read-only pages. Register a callback of Windows for what the patch was for.",
};

static bool judge(const struct rule_input *input, struct rule_answer *answer)
{
    return integrity_rule_judge(input, answer, &words);
}

const struct rule hvci2300_clears_write_protect = {
    .code = HVCI2300_WRITE_PROTECT_CLEARED,
    .name = "WriteProtectCleared",
    .title = "code clears the write-protect bit of CR0",
    .default_level = "error; depends: warning; unknown: note",
    .needs = 0,
    .judge = judge,
    .text =
        {
            .what = "No code may clear bit 16 (WP) of CR0, without which the kernel writes to read-only "
                    "pages. Each move into CR0 is judged by the values that can reach it: what CR0 held, "
                    "with the bit taken away, is proved; a value that is not known is a note; what CR0 held "
                    "as it was is nothing. x86 and x64.",
            .windows =
                "With memory integrity the hypervisor intercepts the write of CR0 and raises an exception; a "
                "driver that does not expect it stops the system. Even where the bit is cleared, pages of "
                "code stay read-only in the second level of address translation. Driver Verifier has no "
                "check for it, and neither has the HLK test \"HyperVisor Code Integrity Readiness\".",
            .cure = "Leave code and read-only data of the kernel as they are.\n- before: "
                    "__writecr0(__readcr0() & ~0x10000); patch(target); __writecr0(saved);\n- after: "
                    "ObRegisterCallbacks, PsSetCreateProcessNotifyRoutineEx, CmRegisterCallbackEx, a "
                    "minifilter or a WFP callout, whichever tells of the event that the patch was to "
                    "catch.\n- own read-only data that has to change: keep it in a writable section.",
            .repair =
                "fix repairs the layout of an image and does not look at what its code does.\nRefused: asked "
                "for by name (--only HVCI2300), since the source alone knows what the code is for.",
        },
};
