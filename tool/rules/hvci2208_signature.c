/* hvci2208_signature.c - the image is signed, or is not, as demanded.
 * Takes: what is known about its signature.  Gives: one finding when it is otherwise.
 * Must not: verify certificates. */
#include "rules/build_rules.h"

static const struct rule *const self = &hvci2208_signature;

/* "It has a certificate table at file offset 0x4000." */
static const char *state_words(const struct rule_input *input)
{
    const struct directory *table = image_directory(input->image, DIR_SECURITY);
    const char *catalog = input->signature ? input->signature->catalog : NULL;
    if (input->image->is_signed && table)
        return arena_printf(input->arena, "It is signed (certificate table at file offset 0x%X).",
                            table->rva);
    if (catalog)
        return arena_printf(input->arena, "The catalog %s beside it lists its hash.", catalog);
    return "It is not signed, and no catalog beside it lists its hash.";
}

static bool judge(const struct rule_input *input, struct rule_answer *answer)
{
    const struct image *image = input->image;
    enum demand_value value = input->demands->items[DEMAND_SIGNATURE].value;
    const char *unknown = input->signature ? input->signature->catalog_problem : "No catalog was looked for.";
    bool is_signed = image->is_signed || (input->signature && input->signature->catalog);
    if (value == DEMAND_ANY)
        return answer_not_applicable(input, answer, "Nothing says whether it has to be signed. %s",
                                     state_words(input));
    uint64_t foff = image->directories[DIR_SECURITY].entry_foff;
    if (foff == 0)
        foff = NO_FILE_OFFSET;
    if (!is_signed && unknown) {
        struct finding finding =
            build_finding(input, self, foff, "Whether a catalog lists the image is not known: %s", unknown);
        return build_fail(input, answer, &finding, "A catalog counts as a signature.",
                          "Make the folder of the image and the catalogs in it readable.");
    }
    if (is_signed == (value == DEMAND_HOLDS))
        return answer_pass(input, answer, "%s", state_words(input));
    struct finding finding =
        build_finding(input, self, foff,
                      is_signed ? "The image is signed, and must not be yet." : "The image is not signed.");
    finding_evidence(input->arena, &finding, "%s", state_words(input));
    return build_fail(input, answer, &finding,
                      is_signed
                          ? "A repair after signing breaks the signature; the order is link, repair, sign."
                          : "64-bit Windows loads no driver without a signature.",
                      is_signed ? "Run this step before the one that signs (WDK project: Driver Signing)."
                                : "Sign the image, or put the catalog that lists it beside it.");
}

const struct rule hvci2208_signature = {
    .code = HVCI2208_SIGNATURE,
    .name = "Signature",
    .title = "signed or not signed against the policy",
    .default_level = "off, error when demanded",
    .demand = DEMAND_SIGNATURE,
    .needs = 0,
    .judge = judge,
    .text =
        {
            .what = "With signature = present in [require] the image has to have a certificate table, or "
                    "a catalog beside it (*.cat in the same folder) has to list its hash. With signature "
                    "= absent it must have neither: the step behind the linker comes before signing.",
            .windows = "64-bit Windows loads no driver without a signature that it trusts. Whether it trusts"
                       " this one is not judged here: signtool verify /kp does that.",
            .cure = "Link, repair, then sign; whoever signs last sets the checksum.\n"
                    "- link.exe: does not sign; signtool sign /fd sha256, and inf2cat for the catalog of "
                    "a driver package.\n"
                    "- lld-link: the same; where there is no signtool, osslsigncode sign.\n"
                    "- GNU ld: the same.\n"
                    "- WDK project: Driver Signing, Sign Mode (SignMode); it runs behind the linker.\n"
                    "- CMake: add_custom_command(TARGET driver POST_BUILD COMMAND signtool sign ...), "
                    "behind the one that repairs.",
            .repair = "fix does nothing about it, and refuses when asked for it by name: it does not sign. A "
                      "signature that must not be there goes only with "
                      "--drop-signature and a repair.",
        },
};
