/* plan_signature.c - what happens to the signature of an image that is to change.
 * Takes: the planned changes.  Gives: a change that drops the certificate table, no change at all, or a
 * refusal. Must not: sign. Any change breaks an Authenticode signature and the hash in a catalog, so a signed
 * image is rewritten only when the caller says so (PE format specification, attribute certificate table). */
#include "plan/plan_stages.h"

static bool refuse(struct plan_context *context, uint64_t foff, const char *message, const char *cure)
{
    struct finding refusal = finding_make(context->arena, HVCI9020_SIGNED, LEVEL_ERROR, "%s", message);
    refusal.file_offset = foff;
    refusal.cure = cure;
    return finding_add(&context->plan->refusals, &refusal);
}

static bool drop_certificates(struct plan_context *context)
{
    const struct image *image = context->image;
    const struct directory *security = image_directory(image, DIR_SECURITY);
    uint64_t end_foff = (uint64_t)security->rva + security->nbytes;
    struct span after;
    if (security->rva < image->section_table_end_foff || security->rva < image->headers_nbytes ||
        end_foff > image->file.nbytes ||
        !span_part(image->file, end_foff, image->file.nbytes - end_foff, &after) ||
        after.nbytes >= CERTIFICATE_ALIGN_NBYTES || !span_is_filled(after, 0))
        return refuse(
            context, security->entry_foff,
            "The certificate table is not the last thing in the file, so it cannot be cut off cleanly.",
            "Start from the linker's own output, before it was signed.");
    for (uint32_t i = 0; i < image->section_count; i++) {
        const struct section *s = &image->sections[i];
        if (ranges_overlap(security->rva, image->file.nbytes - security->rva, s->stored_raw_foff,
                           s->stored_raw_foff == 0 ? 0 : s->raw_nbytes))
            return refuse(context, security->entry_foff,
                          "The certificate table lies inside the data of a section, so it cannot be cut off.",
                          "Start from the linker's own output, before it was signed.");
    }
    if (!context->plan->layout) /* a layout leaves the table out itself */
        context->plan->new_file_nbytes = security->rva;
    return plan_add_change(
        context->plan, context->arena,
        &(struct change){
            .kind = CHANGE_DROP_SIGNATURE,
            .file_offset = security->rva,
            .width_nbytes = (uint32_t)(image->file.nbytes - security->rva),
            .old_value = security->nbytes,
            .field = "certificate table",
            .why = "A changed image needs a new signature; the old one would be stale.",
            .assurance = ASSURANCE_PROVED,
            .proof =
                "The table is the last thing in the file; its directory entry is cleared and the file ends "
                "where the table began.",
        });
}

bool plan_signature(struct plan_context *context)
{
    const struct image *image = context->image;
    const char *catalog = context->options->catalog;
    if (!image->is_signed && !catalog)
        return true;
    if (!context->options->drop_signature) {
        if (finding_worst(context->findings) < LEVEL_WARNING) {
            /* Windows loads the image as it is: a note is not worth a signature. */
            context->plan->change_count = 0;
            context->plan->remark = image->is_signed
                                        ? "It is signed and its findings are only notes, so it was left "
                                          "alone (fix --drop-signature IMAGE rewrites it)."
                                        : arena_printf(context->arena,
                                                       "The catalog %s lists its hash and its findings are "
                                                       "only notes, so it was left alone "
                                                       "(fix --drop-signature IMAGE rewrites it).",
                                                       catalog);
            return true;
        }
        const struct directory *security = image_directory(image, DIR_SECURITY);
        return refuse(context, security ? security->entry_foff : NO_FILE_OFFSET,
                      image->is_signed
                          ? "The image is signed; a repair would break the signature."
                          : arena_printf(context->arena,
                                         "The catalog %s lists the image's hash; a repair would break it.",
                                         catalog),
                      "Repair before signing, or pass --drop-signature and sign the result again (with a new "
                      "catalog).");
    }
    return !image->is_signed || drop_certificates(context);
}
