/* hvci2301_code_mapped_writable.c - no code maps code to write to it.
 * Takes: the places that were found in code.  Gives: one finding for each.  Must not: judge mappings of data.
 */
#include "rules/integrity_findings.h"

static const struct integrity_rule words = {
    .rule = &hvci2301_code_mapped_writable,
    .proved_level = LEVEL_ERROR,
    .does = "maps code so that it can be written",
    .windows = "With memory integrity pages of code are read-only in the second level of address "
               "translation: a write through any mapping stops the system.",
    .cure = "Do not change code at run time. Register a callback of Windows for what the patch was for.",
};

static bool judge(const struct rule_input *input, struct rule_answer *answer)
{
    return integrity_rule_judge(input, answer, &words);
}

const struct rule hvci2301_code_mapped_writable = {
    .code = HVCI2301_CODE_MAPPED_WRITABLE,
    .name = "CodeMappedWritable",
    .title = "code is mapped so that it can be written",
    .default_level = "error; depends: warning; unknown: note",
    .needs = 0,
    .judge = judge,
    .text =
        {
            .what = "No code may map pages of code, its own or those of Windows, so that it can write to "
                    "them: an MDL over the address of a function (IoAllocateMdl, MmCreateMdl) that is mapped "
                    "(MmMapLockedPages, MmMapLockedPagesSpecifyCache) or made writable "
                    "(MmProtectMdlSystemAddress), or its physical address (MmGetPhysicalAddress) that is "
                    "mapped with MmMapIoSpace. The address is followed from the mapping to where it came "
                    "from; one that is not known to be of code is not counted. x86 and x64.",
            .windows = "With memory integrity no page of code can be written, through whatever mapping: the "
                       "hypervisor refuses the write, and the system stops. Driver Verifier has no check for "
                       "it, and neither has the HLK test \"HyperVisor Code Integrity Readiness\".",
            .cure =
                "Leave code as it is.\n- before: mdl = IoAllocateMdl(function, 16, FALSE, FALSE, NULL); "
                "MmBuildMdlForNonPagedPool(mdl); p = MmMapLockedPages(mdl, KernelMode); memcpy(p, jump, "
                "sizeof jump);\n- after: a callback that Windows offers for the event: ObRegisterCallbacks, "
                "PsSetLoadImageNotifyRoutine, CmRegisterCallbackEx, a minifilter, a WFP callout.\n- own code "
                "that is to behave in two ways: a pointer to a function in a data section.",
            .repair =
                "fix repairs the layout of an image and does not look at what its code does.\nRefused: asked "
                "for by name (--only HVCI2301), since the source alone knows what the code is for.",
        },
};
