/* hvci2001_executable_protection.c - no code asks for pages with an executable protection.
 * Takes: the judged calls.  Gives: one finding per call that asks, or may ask, for it.
 * Must not: judge pools and MDLs (HVCI2000, HVCI2002). */
#include "rules/call_findings.h"

static const struct call_rule words = {
    .rule = &hvci2001_executable_protection,
    .asks_for = "pages that can be executed",
    .stop = "page protection ",
    .windows =
        "Driver Verifier stops when this line runs, and the HLK test counts it. With memory integrity such "
        "pages of the kernel cannot be executed, or the call fails.",
};

static bool judge(const struct rule_input *input, struct rule_answer *answer)
{
    return call_rule_judge(input, answer, &words);
}

const struct rule hvci2001_executable_protection = {
    .code = HVCI2001_EXECUTABLE_PROTECTION,
    .name = "ExecutableProtection",
    .title = "a call asks for an executable page protection",
    .default_level = "error; depends: warning; unknown: note",
    .needs = 0,
    .judge = judge,
    .text =
        {
            .what = "No call may ask for pages with PAGE_EXECUTE, PAGE_EXECUTE_READ, "
                    "PAGE_EXECUTE_READWRITE or PAGE_EXECUTE_WRITECOPY. Each call is judged from the image "
                    "alone, by the values that can reach the argument: executable, no-execute, depends or "
                    "unknown. Functions without such an argument, such as MmMapIoSpace, are unknown: "
                    "Windows decides, and its versions differ. x86 and x64; code for other machines is said "
                    "to be not judged.",
            .windows = "Driver Verifier with code integrity checks stops with bug check 0xC4, code 0x2001, "
                       "when the line runs, and names an address in the driver and the protection. The HLK "
                       "test \"HyperVisor Code Integrity Readiness\" counts it under \"Execute Page "
                       "Protection\". With memory integrity pages become executable only after their code "
                       "was checked, and are never writable then.",
            .cure = "Ask for a protection without PAGE_EXECUTE*.\n"
                    "- before: ZwCreateSection(&section, access, NULL, &size, PAGE_EXECUTE_READWRITE, "
                    "SEC_COMMIT, NULL);\n"
                    "- after: ZwCreateSection(&section, access, NULL, &size, PAGE_READWRITE, SEC_COMMIT, "
                    "NULL);\n"
                    "- before: MmProtectMdlSystemAddress(mdl, PAGE_EXECUTE_READWRITE);\n"
                    "- after: MmProtectMdlSystemAddress(mdl, PAGE_READWRITE);\n"
                    "- before: p = MmMapIoSpace(address, size, MmNonCached);\n"
                    "- after, Windows 10 and later: p = MmMapIoSpaceEx(address, size, PAGE_READWRITE | "
                    "PAGE_NOCACHE);\n"
                    "- before: p = MmAllocateContiguousMemory(size, highest);\n"
                    "- after, Windows 8 and later: p = MmAllocateContiguousNodeMemory(size, lowest, highest, "
                    "boundary, PAGE_READWRITE, MM_ANY_NODE_OK);",
            .repair = "fix repairs the layout of an image and does not look at its calls.\n"
                      "Refused: asked for by name (--only HVCI2001); what the pages are for is known to "
                      "the source alone.",
        },
};
