/* hvci2000_executable_pool.c - no code asks for pool that can be executed.
 * Takes: the judged calls.  Gives: one finding per call that asks, or may ask, for it.
 * Must not: judge protections and mappings (HVCI2001, HVCI2002). */
#include "rules/call_findings.h"

static const struct call_rule words = {
    .rule = &hvci2000_executable_pool,
    .asks_for = "executable pool",
    .stop = "pool type ",
    .windows =
        "Driver Verifier stops when this line runs, and the HLK test counts it. With memory integrity no "
        "memory from a pool can be executed, whatever the call asks for.",
    .windows_itself =
        "With memory integrity no memory from a pool can be executed, whatever the call asks for.",
    .cure_at_all = "Or opt in for all pool of the driver: compile with POOL_NX_OPTIN=1 and call "
                   "ExInitializeDriverRuntime(DrvRtPoolNxOptIn) first in DriverEntry.",
};

static bool judge(const struct rule_input *input, struct rule_answer *answer)
{
    return call_rule_judge(input, answer, &words);
}

const struct rule hvci2000_executable_pool = {
    .code = HVCI2000_EXECUTABLE_POOL,
    .name = "ExecutablePool",
    .title = "a call asks for executable pool",
    .default_level = "error; depends: warning; unknown: note",
    .needs = 0,
    .judge = judge,
    .text =
        {
            .what =
                "No call may ask a pool for memory that can be executed: NonPagedPool and its kin without "
                "POOL_NX_ALLOCATION (0x200), or POOL_FLAG_NON_PAGED_EXECUTE. Each call is judged from "
                "the image alone, by the values that can reach the argument: executable, no-execute, "
                "depends (on the way, the caller or a variable) or unknown. Drivers that opt in with "
                "POOL_NX_OPTIN are understood. x86 and x64; code for other machines is said to be not "
                "judged.",
            .windows = "Driver Verifier with code integrity checks stops with bug check 0xC4, code 0x2000, "
                       "when the line runs, and names an address in the driver, the pool type and the tag. "
                       "The HLK test \"HyperVisor Code Integrity Readiness\" counts it under \"Execute Pool "
                       "Type\". With memory integrity memory becomes executable only after its code was "
                       "checked, so no pool ever does, and a driver that runs code there stops the system.",
            .cure = "Ask for memory that cannot be executed (Windows 8 and later).\n"
                    "- before: p = ExAllocatePoolWithTag(NonPagedPool, size, TAG);\n"
                    "- after: p = ExAllocatePoolWithTag(NonPagedPoolNx, size, TAG);\n"
                    "- after, Windows 10 2004 and later, memory set to zero: p = "
                    "ExAllocatePool2(POOL_FLAG_NON_PAGED, size, TAG);\n"
                    "- all calls at once, also for Windows before 8: compile with POOL_NX_OPTIN=1 "
                    "(C_DEFINES, /D or target_compile_definitions) and begin DriverEntry with "
                    "ExInitializeDriverRuntime(DrvRtPoolNxOptIn); with POOL_NX_OPTIN_AUTO=1 a library "
                    "opts in by itself.\n"
                    "- lookaside lists, before: ExInitializeNPagedLookasideList(&list, NULL, NULL, 0, size, "
                    "TAG, 0);\n"
                    "- after: ExInitializeNPagedLookasideList(&list, NULL, NULL, POOL_NX_ALLOCATION, size, "
                    "TAG, 0);\n"
                    "- KMDF, before: WdfMemoryCreate(&attributes, NonPagedPool, TAG, size, &memory, &p);\n"
                    "- after: WdfMemoryCreate(&attributes, NonPagedPoolNx, TAG, size, &memory, &p);\n"
                    "- code that is made at run time and executed has no cure: it cannot run with memory "
                    "integrity.",
            .repair = "fix --nx leads calls of functions whose no-execute form is the same call with a flag "
                      "through a stub that adds it, where "
                      "the oldest target is Windows 8 or later. This changes what the driver does: what it "
                      "executes there stops the system. Without --nx fix repairs the layout and does not "
                      "look at calls.\n"
                      "Refused: asked for by name without --nx (--only HVCI2000).",
        },
};
