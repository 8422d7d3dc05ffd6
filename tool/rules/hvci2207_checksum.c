/* hvci2207_checksum.c - CheckSum in the header is that of the file.
 * Takes: all bytes.  Gives: one finding when it is not.
 * Must not: take 0 for right. */
#include "rules/build_rules.h"

static const struct rule *const self = &hvci2207_checksum;

static bool judge(const struct rule_input *input, struct rule_answer *answer)
{
    const struct image *image = input->image;
    uint64_t foff = (uint64_t)image->opt_foff + OPT_CHECK_SUM;
    uint32_t right = pe_checksum(image->file, foff);
    if (image->stored_checksum == right)
        return answer_pass(input, answer, "CheckSum 0x%08X is right.", right);
    struct finding finding =
        build_finding(input, self, foff, "CheckSum is 0x%08X%s; that of the file is 0x%08X.",
                      image->stored_checksum, image->stored_checksum == 0 ? " (never set)" : "", right);
    finding_evidence(input->arena, &finding, "CheckSum lies at file offset 0x%X.", (unsigned)foff);
    return build_fail(input, answer, &finding,
                      "Windows may refuse a driver with a wrong checksum (STATUS_IMAGE_CHECKSUM_MISMATCH).",
                      "Link with /RELEASE; after any change of the file set it again (editbin /RELEASE).");
}

const struct rule hvci2207_checksum = {
    .code = HVCI2207_CHECKSUM,
    .name = "Checksum",
    .title = "wrong checksum",
    .default_level = "off, error when demanded",
    .demand = DEMAND_CHECKSUM,
    .needs = 0,
    .judge = judge,
    .text =
        {
            .what = "CheckSum in the optional header has to be that of the whole file, the signature "
                    "included. Demanded by checksum = right in [require].",
            .windows = "The format demands it of all drivers, of DLLs loaded at boot and of those that "
                       "critical processes load; kernels that look refuse the image with "
                       "STATUS_IMAGE_CHECKSUM_MISMATCH. It also shows that something changed the file after "
                       "it was linked.",
            .cure = "The linker sets it, and every later step that changes the file has to set it again; "
                    "signtool does.\n"
                    "- link.exe: /RELEASE, a default with /SUBSYSTEM:NATIVE.\n"
                    "- lld-link: /release; LLVM 14 does not know it, so that a later step has to set it.\n"
                    "- GNU ld: always sets it.\n"
                    "- WDK project: Linker, Advanced, Set Checksum (SetChecksum).\n"
                    "- CMake: target_link_options(driver PRIVATE /RELEASE).\n"
                    "- An image that is already linked: editbin /RELEASE.",
            .repair = "fix sets it when asked by name (fix --only HVCI2207), and enforce when the policy's "
                      "[fix] says so (HVCI2207 = enforce); every other repair sets it as well. Signatures "
                      "and catalogs do not cover the checksum, so a signed image keeps its signature. It "
                      "refuses nothing but images that it cannot read.",
        },
};
