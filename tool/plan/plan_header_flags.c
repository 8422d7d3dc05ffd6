/* plan_header_flags.c - flags of DllCharacteristics that a policy asks for: HVCI2201, HVCI2202, HVCI2203.
 * Takes: the finding.  Gives: one change that sets a bit, or the refusal that says why the bit would be
 * untrue. Must not: clear a bit, or set one that is about more than what the image shows.
 *
 * The kernel goes by the rights of sections and by base relocations, not by these flags, so that setting them
 * in a kernel image changes what it says of itself, not what becomes of it. In a program they change the
 * whole process; nothing is set there. */
#include "plan/plan_stages.h"

static bool refuse(struct plan_context *context, const struct finding *finding, const char *why)
{
    struct finding refusal =
        finding_make(context->arena, HVCI9022_NO_REPAIR, LEVEL_ERROR,
                     "HVCI%04u is not repaired in the finished image: %s", finding->code, why);
    refusal.file_offset = finding->file_offset;
    refusal.cure = finding->cure;
    return finding_add(&context->plan->refusals, &refusal);
}

static bool is_executable(const struct section *section)
{
    return section && (section->characteristics & SCN_MEM_EXECUTE);
}

/* Evidence that something that is not executable by its rights is meant to run; NULL when there is none. */
static const char *executed_data(const struct plan_context *context)
{
    const struct image *image = context->image;
    for (uint32_t i = 0; i < image->section_count; i++) {
        const struct section *section = &image->sections[i];
        if ((section->characteristics & SCN_CNT_CODE) && !is_executable(section))
            return arena_printf(context->arena, "section %s is declared as code, but not executable.",
                                section->name);
    }
    if (image->entry_rva != 0 && !is_executable(image_section_at_rva(image, image->entry_rva)))
        return "the entry point does not lie in an executable section.";
    for (size_t i = 0; i < context->refs->ref_count; i++) {
        const struct ref *ref = &context->refs->refs[i];
        bool is_null = ref->state == REF_NULL || ref->state == REF_CONSTANT;
        if (!(ref->flags & REF_FLAG_CODE_TARGET) || is_null ||
            (ref->state == REF_RESOLVED && is_executable(image_section_at_rva(image, ref->target))))
            continue;
        return arena_printf(context->arena,
                            "the address at file offset 0x%X leads to code at RVA 0x%X, which is not in an "
                            "executable section.",
                            ref->site_foff, ref->target);
    }
    return NULL;
}

static bool has_relocations(const struct plan_context *context)
{
    const struct image *image = context->image;
    if ((image->coff_characteristics & COFF_RELOCS_STRIPPED) || !image_directory(image, DIR_BASERELOC) ||
        (context->refs->damaged & SOURCE_BIT(SOURCE_BASERELOCS)))
        return false;
    for (size_t i = 0; i < context->refs->ref_count; i++)
        if (context->refs->refs[i].source == SOURCE_BASERELOCS)
            return true;
    return false;
}

/* The field as the changes that are planned so far leave it. */
static uint64_t planned_flags(const struct plan_context *context)
{
    uint64_t flags = context->image->dll_characteristics;
    for (size_t i = 0; i < context->plan->change_count; i++)
        if (context->plan->changes[i].kind == CHANGE_HEADER_FLAG)
            flags = context->plan->changes[i].new_value;
    return flags;
}

static bool add(struct plan_context *context, const struct finding *finding, uint16_t bit, const char *why,
                const char *proof)
{
    uint64_t flags = planned_flags(context);
    return plan_add_change(context->plan, context->arena,
                           &(struct change){
                               .kind = CHANGE_HEADER_FLAG,
                               .rule = finding->code,
                               .file_offset = context->image->opt_foff + OPT_DLL_CHARACTERISTICS,
                               .width_nbytes = 2,
                               .old_value = flags,
                               .new_value = flags | bit,
                               .field = "DllCharacteristics",
                               .why = why,
                               .assurance = ASSURANCE_ASSUMED,
                               .proof = proof,
                           });
}

bool plan_header_flag(struct plan_context *context, const struct finding *finding)
{
    const struct image *image = context->image;
    const char *executed;
    if (image->role != ROLE_KERNEL || image->subsystem != SUBSYSTEM_NATIVE)
        return refuse(context, finding,
                      "in anything but a driver the flag changes the whole process, which this file does not "
                      "show.");
    switch (finding->code) {
    case HVCI2201_NX_COMPAT:
        executed = executed_data(context);
        if (executed)
            return refuse(context, finding, executed);
        return add(context, finding, DLLCHAR_NX_COMPAT, "Nothing shows that data of the image is executed.",
                   "Entry point, functions with unwind data and guard targets lie in executable sections. "
                   "Assumed: the kernel goes by the rights of sections, whatever the flag says.");
    case HVCI2202_DYNAMIC_BASE:
        if (!has_relocations(context))
            return refuse(context, finding,
                          "the image has no base relocations that can be read, so it cannot be moved.");
        return add(
            context, finding, DLLCHAR_DYNAMIC_BASE, "The image can be moved: it has base relocations.",
            "The base relocations were read without a fault. Assumed: the kernel moves every image that "
            "has them, whatever the flag says.");
    default:
        if (!image->is_64 || image->machine == MACHINE_IA64)
            return refuse(context, finding, "the flag exists for x64 and ARM64 only.");
        if (!(planned_flags(context) & DLLCHAR_DYNAMIC_BASE))
            return refuse(context, finding,
                          "the flag means something only with DYNAMIC_BASE, which is not set (HVCI2202).");
        return add(
            context, finding, DLLCHAR_HIGH_ENTROPY_VA,
            "The image may be loaded anywhere, and is 64-bit code.",
            "DYNAMIC_BASE is set. Assumed: the kernel loads 64-bit images far above 4 GiB, whatever the "
            "flag says.");
    }
}
