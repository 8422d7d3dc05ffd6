/* plan_init_section.c - the repair of HVCI2102: an INIT section that is executable and no longer writable.
 * Takes: the finding, which names the section's header.  Gives: one change, or the refusal that says what
 * writes. Must not: clear anything but IMAGE_SCN_MEM_WRITE; DISCARDABLE and the others stay as the linker set
 * them. */
#include "code/section_writes.h"
#include "plan/plan_stages.h"

static const struct section *section_of_finding(const struct image *image, const struct finding *finding)
{
    for (uint32_t i = 0; i < image->section_count; i++)
        if (image->sections[i].header_foff == finding->file_offset)
            return &image->sections[i];
    return NULL;
}

bool plan_init_section(struct plan_context *context, const struct finding *finding)
{
    const struct section *section = section_of_finding(context->image, finding);
    if (!section)
        return true;
    enum write_answer answer;
    struct finding why;
    const char *summary;
    if (!section_writes(context->image, context->refs, context->code, section->index, context->arena, &answer,
                        &why, &summary))
        return false;
    if (answer == WRITES_FOUND)
        return finding_add(&context->plan->refusals, &why);

    bool is_proved = answer == WRITES_NONE;
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
            .why = is_proved ? "Executable memory must not be writable, and nothing writes this section "
                               "after it is loaded."
                             : "Executable memory must not be writable; whether anything writes this section "
                               "is not known.",
            .assurance = is_proved ? ASSURANCE_PROVED : ASSURANCE_ASSUMED,
            .proof =
                is_proved
                    ? summary
                    : "Assumed: Windows 10 and later strip W from INIT themselves; the code of this machine "
                      "is not decoded here.",
        });
}
