/* hvci2209_signature_stale.c - a signature covers the file as it is now.
 * Takes: what is known about its signature.  Gives: one finding when its digest is another file's.
 * Must not: verify certificates. */
#include "rules/build_rules.h"

static const struct rule *const self = &hvci2209_signature_stale;

static bool judge(const struct rule_input *input, struct rule_answer *answer)
{
    const struct signature_facts *facts = input->signature;
    static const char windows[] = "Windows refuses the image: its hash is not the one that was signed "
                                  "(STATUS_INVALID_IMAGE_HASH).";
    static const char cure[] = "Sign the image again, as the last step that changes it.";
    if (!facts)
        return answer_not_applicable(input, answer, "The signature was not read.");
    switch (facts->state) {
    case SIGNATURE_NONE:
        return answer_not_applicable(input, answer, "The image has no certificate table.");
    case SIGNATURE_CURRENT:
        return answer_pass(input, answer, "The signed %s digest is that of the file.", facts->algorithm);
    case SIGNATURE_STALE: {
        struct finding finding =
            build_finding(input, self, facts->certificate_foff,
                          "The signature is stale: its %s digest is not that of the file.", facts->algorithm);
        finding_evidence(input->arena, &finding, "Signed: %s.", facts->stored);
        finding_evidence(input->arena, &finding, "Computed from the file: %s.", facts->actual);
        return build_fail(input, answer, &finding, windows, cure);
    }
    case SIGNATURE_UNREADABLE:
        break;
    }
    struct finding finding =
        build_finding(input, self, facts->certificate_foff,
                      "Whether the signature covers the file cannot be told. %s", facts->reason);
    return build_fail(input, answer, &finding, "Windows may refuse the image.", cure);
}

const struct rule hvci2209_signature_stale = {
    .code = HVCI2209_SIGNATURE_STALE,
    .name = "SignatureStale",
    .title = "the signature is not of this file",
    .default_level = "off, error when demanded",
    .demand = DEMAND_STALE_SIGNATURE,
    .needs = 0,
    .judge = judge,
    .text =
        {
            .what = "The digest in the certificate table (Authenticode: SHA-1, SHA-256, SHA-384 or "
                    "SHA-512 over all of the file but CheckSum, the entry of the security directory and "
                    "the table itself) has to be the one computed from the file. Each entry of the table "
                    "is judged, with its outer signature. Demanded by stale-signature = no in [require]. "
                    "It does not apply to an image without a certificate table.",
            .windows = "Windows computes the digest before it loads a driver and refuses one that differs "
                       "(STATUS_INVALID_IMAGE_HASH, code integrity event 3004 or 3033). Whether the "
                       "certificate is trusted is not judged here.",
            .cure = "Something changed the file after it was signed: editbin, a resource editor, strip, a"
                    " repair.\n"
                    "- link.exe: let nothing come between signtool sign and shipping; link, repair, "
                    "sign.\n"
                    "- lld-link: the same, with osslsigncode where there is no signtool.\n"
                    "- GNU ld: no strip or objcopy behind the signature.\n"
                    "- WDK project: Driver Signing runs behind the linker; put steps that change the "
                    "image before it.\n"
                    "- CMake: the command that signs is the last POST_BUILD command.",
            .repair = "fix does nothing about it, and refuses when asked for it by name: nobody but the "
                      "owner of the key can sign. A repair with "
                      "--drop-signature takes the table away.",
        },
};
