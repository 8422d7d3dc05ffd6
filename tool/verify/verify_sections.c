/* verify_sections.c - judges changed section characteristics.
 * Takes: section indices.  Gives: explained differences.  Must not: call an assumption a proof. */
#include "verify/verify_sections.h"
#include "verify/verify_unexecuted.h"
#include "verify/verify_writes.h"

struct flag_name {
    uint32_t flag;
    const char *name;
};

static const struct flag_name flag_names[] = {
    {SCN_MEM_WRITE, "MEM_WRITE"},
    {SCN_MEM_READ, "MEM_READ"},
    {SCN_MEM_EXECUTE, "MEM_EXECUTE"},
    {SCN_MEM_SHARED, "MEM_SHARED"},
    {SCN_MEM_NOT_PAGED, "MEM_NOT_PAGED"},
    {SCN_MEM_NOT_CACHED, "MEM_NOT_CACHED"},
    {SCN_MEM_DISCARDABLE, "MEM_DISCARDABLE"},
    {SCN_CNT_CODE, "CNT_CODE"},
    {SCN_CNT_INITIALIZED_DATA, "CNT_INITIALIZED_DATA"},
    {SCN_CNT_UNINITIALIZED_DATA, "CNT_UNINITIALIZED_DATA"},
};

static const char *name_of_flag(struct arena *arena, uint32_t flags)
{
    for (size_t i = 0; i < sizeof flag_names / sizeof flag_names[0]; i++)
        if (flags & flag_names[i].flag)
            return flag_names[i].name;
    return arena_printf(arena, "bits 0x%X", (unsigned)flags);
}

static bool only_a_right_goes(struct verify_case *judged, const struct verify_section *old_section,
                              const struct verify_section *new_section)
{
    uint32_t gained = new_section->characteristics & ~old_section->characteristics;
    uint32_t lost = old_section->characteristics & ~new_section->characteristics & ~SCN_MEM_WRITE;
    if (verify_gave_up_execute(old_section, new_section))
        return true;
    struct verify_spot spot = verify_spot_foff(judged, new_section->header_foff + SECTION_CHARACTERISTICS);
    spot.rva = new_section->rva;
    if (gained != 0)
        return verify_refute(judged, spot, "Section %s Characteristics gains %s.", new_section->name,
                             name_of_flag(judged->arena, gained));
    if (lost != 0)
        return verify_refute(judged, spot, "Section %s Characteristics loses %s.", new_section->name,
                             name_of_flag(judged->arena, lost));
    if (!(new_section->characteristics & SCN_MEM_EXECUTE))
        return verify_refute(
            judged, spot,
            "Section %s Characteristics loses MEM_WRITE, but the section is not executable: nothing "
            "asks for this.",
            new_section->name);
    return true;
}

static bool may_be_assumed(struct verify_case *judged, const struct verify_section *section)
{
    struct verify_spot spot = verify_spot_foff(judged, section->header_foff + SECTION_CHARACTERISTICS);
    spot.rva = section->rva;
    return verify_is_discardable_init(section) ||
           verify_refute(judged, spot,
                         "Section %s Characteristics loses MEM_WRITE, but code of machine 0x%X is not "
                         "decoded and the section is not a discardable INIT.",
                         section->name, (unsigned)judged->new_image.machine);
}

/* Always assumed: what no operand and no address in sight shows may reach the section all the same. */
static bool explain_section(struct verify_case *judged, uint32_t index, const char *why)
{
    const struct verify_section *section = &judged->new_image.sections[index];
    return why && verify_explain(judged, &(struct verify_difference){
                                             .field = arena_printf(
                                                 judged->arena, "section %s Characteristics", section->name),
                                             .file_offset = section->header_foff + SECTION_CHARACTERISTICS,
                                             .old_value = judged->old_image.sections[index].characteristics,
                                             .new_value = section->characteristics,
                                             .width_nbytes = 4,
                                             .why_allowed = why,
                                             .assumed = true,
                                         });
}

static const char *why_unwritten(struct verify_case *judged, bool is_assumed,
                                 const struct verify_unwritten *found)
{
    if (is_assumed)
        return arena_printf(
            judged->arena,
            "%s; its code is not decoded: assumed, because Windows 10 and later strip MEM_WRITE from "
            "INIT themselves",
            found->summary);
    return arena_printf(judged->arena,
                        "%s; assumed: the code in the file is what runs, and reaches the section through no "
                        "number or return address",
                        found->summary);
}

/* Takes those that lose MEM_EXECUTE out of the list. */
static bool judge_unexecuted(struct verify_case *judged, uint32_t *section_indices, size_t *count)
{
    size_t kept_count = 0;
    for (size_t i = 0; i < *count; i++) {
        uint32_t index = section_indices[i];
        const struct verify_section *section = &judged->new_image.sections[index];
        const char *summary;
        if (!verify_gave_up_execute(&judged->old_image.sections[index], section))
            section_indices[kept_count++] = index;
        else if (!verify_nothing_executes(judged, section, &summary) ||
                 !explain_section(judged, index, summary)) {
            judged->verdict->right_not_shown = true;
            return false;
        }
    }
    *count = kept_count;
    return true;
}

bool verify_sections(struct verify_case *judged, const uint32_t *section_indices, size_t count)
{
    bool is_assumed = !verify_decodes_machine(&judged->new_image);
    uint32_t losing_write[VERIFY_MAX_CHANGED_SECTIONS];
    struct verify_unwritten found;
    for (size_t i = 0; i < count; i++) {
        uint32_t index = section_indices[i];
        losing_write[i] = index;
        if (!only_a_right_goes(judged, &judged->old_image.sections[index],
                               &judged->new_image.sections[index]) ||
            (is_assumed &&
             !verify_gave_up_execute(&judged->old_image.sections[index],
                                     &judged->new_image.sections[index]) &&
             !may_be_assumed(judged, &judged->new_image.sections[index])))
            return false;
    }
    if (!judge_unexecuted(judged, losing_write, &count))
        return false;
    if (count == 0)
        return true;
    if (!verify_nothing_writes(judged, losing_write, count, is_assumed, NULL, &found)) {
        judged->verdict->right_not_shown =
            true; /* the bytes are as explained; a right could not be shown useless */
        return false;
    }
    for (size_t i = 0; i < count; i++)
        if (!explain_section(judged, losing_write[i], why_unwritten(judged, is_assumed, &found)))
            return false;
    return true;
}
