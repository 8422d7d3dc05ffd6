/* hvci2002_executable_mdl.c - no code maps the pages of an MDL so that they can be executed.
 * Takes: the judged calls.  Gives: one finding per call that asks, or may ask, for it.
 * Must not: judge pools and protections (HVCI2000, HVCI2001). */
#include "rules/call_findings.h"

static const struct call_rule words = {
    .rule = &hvci2002_executable_mdl,
    .asks_for = "an executable mapping",
    .stop = "page priority ",
    .windows =
        "Driver Verifier stops when this line runs, and the HLK test counts it. With memory integrity such "
        "a mapping cannot be executed, whatever the call asks for.",
    .cure_at_all =
        "MmGetSystemAddressForMdlSafe is this call, inlined: add MdlMappingNoExecute to its priority, or "
        "opt in with POOL_NX_OPTIN=1.",
};

static bool judge(const struct rule_input *input, struct rule_answer *answer)
{
    return call_rule_judge(input, answer, &words);
}

const struct rule hvci2002_executable_mdl = {
    .code = HVCI2002_EXECUTABLE_MDL,
    .name = "ExecutableMdlMapping",
    .title = "a call maps an MDL executable",
    .default_level = "error; depends: warning; unknown: note",
    .needs = 0,
    .judge = judge,
    .text =
        {
            .what = "A mapping of an MDL into the kernel has to say MdlMappingNoExecute (0x40000000) in its "
                    "priority; without it the pages are mapped executable. MmGetSystemAddressForMdlSafe is "
                    "inlined by the headers and seen as the call that it makes. Mappings for user mode are "
                    "not judged. Each call is judged from the image alone: executable, no-execute, depends "
                    "or unknown. x86 and x64; code for other machines is said to be not judged.",
            .windows = "Driver Verifier with code integrity checks stops with bug check 0xC4, code 0x2002, "
                       "when the line runs, and names an address in the driver and the priority. The HLK "
                       "test \"HyperVisor Code Integrity Readiness\" counts it under \"Execute Page "
                       "Mapping\". With memory integrity such a mapping cannot be executed.",
            .cure = "Say that the mapping is not for code (Windows 8 and later).\n"
                    "- before: p = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);\n"
                    "- after: p = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority | "
                    "MdlMappingNoExecute);\n"
                    "- before: p = MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmCached, NULL, FALSE, "
                    "NormalPagePriority);\n"
                    "- after: p = MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmCached, NULL, FALSE, "
                    "NormalPagePriority | MdlMappingNoExecute);\n"
                    "- before: p = MmMapLockedPages(mdl, KernelMode);\n"
                    "- after: the call above, which can fail: test p.\n"
                    "- all calls of MmGetSystemAddressForMdlSafe at once, also for Windows before 8: compile "
                    "with POOL_NX_OPTIN=1 and begin DriverEntry with "
                    "ExInitializeDriverRuntime(DrvRtPoolNxOptIn).",
            .repair = "fix --nx leads calls of MmMapLockedPagesSpecifyCache through a stub that adds "
                      "MdlMappingNoExecute, where "
                      "the oldest target is Windows 8 or later. This changes what the driver does: what it "
                      "executes there stops the system. Without --nx fix repairs the layout and does not "
                      "look at calls.\n"
                      "Refused: asked for by name without --nx (--only HVCI2002).",
        },
};
