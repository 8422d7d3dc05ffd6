/* hvci2303_executes_allocation.c - no code runs what it put into memory at run time.
 * Takes: the places that were found in code.  Gives: one finding for each.  Must not: judge pointers that are
 * kept in such memory. */
#include "rules/integrity_findings.h"

static const struct integrity_rule words = {
    .rule = &hvci2303_executes_allocation,
    .proved_level = LEVEL_ERROR,
    .does = "executes memory from an allocator",
    .windows = "With memory integrity no such memory becomes executable: the call stops the system.",
    .cure = "Ship the code in the image, and do not make it at run time.",
};

static bool judge(const struct rule_input *input, struct rule_answer *answer)
{
    return integrity_rule_judge(input, answer, &words);
}

const struct rule hvci2303_executes_allocation = {
    .code = HVCI2303_ALLOCATION_EXECUTED,
    .name = "AllocationExecuted",
    .title = "memory from an allocator is executed",
    .default_level = "error; depends: warning; unknown: note",
    .needs = 0,
    .judge = judge,
    .text =
        {
            .what = "No code may call or jump into memory that an allocator or a mapping gave it "
                    "(ExAllocatePool and its kin, MmAllocateContiguousMemory, MmMapIoSpace, "
                    "MmMapLockedPages...), or hand it to Windows as a function (PsCreateSystemThread, "
                    "IoQueueWorkItem, KeInitializeDpc...). What the allocator returns is followed through "
                    "registers, variables, functions and offsets to the call. x86 and x64.",
            .windows = "With memory integrity pages of the kernel become executable only when Windows has "
                       "checked their code and nobody can write to them. Pool and mappings never do; the "
                       "call ends in an exception, and the system stops. Driver Verifier has no check for "
                       "it, and neither has the HLK test \"HyperVisor Code Integrity Readiness\".",
            .cure = "Code belongs into the image, where it is signed.\n- before: p = "
                    "ExAllocatePoolWithTag(NonPagedPool, size, TAG); memcpy(p, code, size); ((run_fn "
                    "*)p)();\n- after: write what the code does as functions of the driver, and choose among "
                    "them.\n- generated code (interpreters, filters, copies of hooked functions) has no "
                    "place in the kernel with memory integrity: interpret it instead.",
            .repair =
                "fix repairs the layout of an image and does not look at what its code does.\nRefused: asked "
                "for by name (--only HVCI2303), since the source alone knows what the code is for.",
        },
};
