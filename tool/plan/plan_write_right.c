/* plan_write_right.c - the repair of HVCI2102 and HVCI2003 in page-aligned images: an executable section that
 * is no longer writable, or one of data that is no longer executable. Takes: the finding, which names the
 * section's header.  Gives: one change, or the refusal that says what writes. Must not: clear anything but
 * IMAGE_SCN_MEM_WRITE or IMAGE_SCN_MEM_EXECUTE; DISCARDABLE and the others stay as the linker set them. */
#include "code/data_section.h"
#include "plan/plan_stages.h"

static const struct section *section_of_finding(const struct image *image, const struct finding *finding)
{
    for (uint32_t i = 0; i < image->section_count; i++)
        if (image->sections[i].header_foff == finding->file_offset)
            return &image->sections[i];
    return NULL;
}

static bool refuse_undecoded(struct plan_context *context, const struct finding *finding, const char *summary)
{
    struct finding refusal =
        finding_make(context->arena, HVCI9021_SECTION_IS_WRITTEN, LEVEL_ERROR,
                     "Whether section %s has to stay writable is not known. %s", finding->section, summary);
    refusal.section = finding->section;
    refusal.rva = finding->rva;
    refusal.file_offset = finding->file_offset;
    refusal.cure = finding->cure;
    return finding_add(&context->plan->refusals, &refusal);
}

/* The layout may have been refused for the same place and reason; that is said once. */
static bool refuse_once(struct plan_context *context, const struct finding *why)
{
    struct finding_list *refusals = &context->plan->refusals;
    for (size_t i = 0; i < refusals->count; i++) {
        struct finding *before = &refusals->items[i];
        if (before->code != why->code || before->rva != why->rva ||
            strcmp(before->message, why->message) != 0)
            continue;
        before->cure = before->cure ? before->cure : why->cure;
        return true;
    }
    return finding_add(refusals, why);
}

bool plan_is_written(struct plan_context *context, const struct finding *finding, bool *is_written)
{
    const struct section *section = section_of_finding(context->image, finding);
    enum write_answer answer;
    struct finding why;
    const char *summary;
    *is_written = false;
    if (!section)
        return true;
    if (!split_writes_ask(context, NULL, section->index, &answer, &why, &summary))
        return false;
    *is_written = answer == WRITES_FOUND;
    return true;
}

/* Who finds it by its name may write there. */
static bool take_execute_right(struct plan_context *context, const struct finding *finding,
                               const struct section *section)
{
    return plan_add_change(
        context->plan, context->arena,
        &(struct change){
            .kind = CHANGE_SECTION_CHARACTERISTICS,
            .rule = finding->code,
            .file_offset = section->header_foff + SECTION_CHARACTERISTICS,
            .width_nbytes = 4,
            .old_value = section->characteristics,
            .new_value = section->characteristics & ~SCN_MEM_EXECUTE,
            .section = section->name,
            .field = "Characteristics",
            .why = "Writable memory must not be executable. Nothing leads to this section, so it is found by "
                   "its name and may be written; nothing executes there.",
            .assurance = ASSURANCE_ASSUMED,
            .proof =
                "No reference leads into it, it is not marked as code, and none of its bytes begins what "
                "decodes as a routine. Assumed: no code is made there at run time.",
        });
}

bool plan_write_right(struct plan_context *context, const struct finding *finding)
{
    const struct section *section = section_of_finding(context->image, finding);
    if (!section)
        return true;
    enum write_answer answer;
    struct finding why;
    const char *summary;
    if (!split_writes_ask(context, context->plan->layout, section->index, &answer, &why, &summary))
        return false;
    if (answer == WRITES_FOUND)
        return refuse_once(context, &why);
    /* Windows takes the right away itself only from a discardable INIT; what it does with hybrid drivers is
     * not known, as there are none. */
    if (answer == WRITES_ASSUMED &&
        (finding->code != HVCI2102_INIT_WRITABLE_EXECUTABLE || image_is_hybrid(context->image)))
        return refuse_undecoded(context, finding, summary);

    bool is_unnamed_data = false;
    if (answer == WRITES_NONE && finding->code == HVCI2003_SECTION_WRITABLE_EXECUTABLE &&
        !section_is_unnamed_data(context->image, context->refs, context->code, section, context->arena,
                                 &is_unnamed_data))
        return false;
    if (is_unnamed_data)
        return take_execute_right(context, finding, section);

    bool is_examined = answer == WRITES_NONE || answer == WRITES_CONSTANTS;
    return plan_add_change(
        context->plan, context->arena,
        &(struct change){
            .kind = CHANGE_SECTION_CHARACTERISTICS,
            .rule = finding->code,
            .file_offset = section->header_foff + SECTION_CHARACTERISTICS,
            .width_nbytes = 4,
            .old_value = section->characteristics,
            .new_value = section->characteristics & ~SCN_MEM_WRITE,
            .section = section->name,
            .field = "Characteristics",
            .why = is_examined
                       ? "Executable memory must not be writable, and nothing writes this section "
                         "after it is loaded."
                       : "Executable memory must not be writable; whether anything writes this section "
                         "is not known.",
            .assurance = answer == WRITES_NONE ? ASSURANCE_PROVED : ASSURANCE_ASSUMED,
            .proof =
                is_examined
                    ? summary
                    : "Assumed: Windows 10 and later strip W from INIT themselves; the code of this machine "
                      "is not decoded here.",
        });
}
