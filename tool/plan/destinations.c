/* destinations.c - see destinations.h. */
#include "plan/destinations.h"

/* `jcc rel32` around the field at foff. */
static bool is_conditional(const struct image *image, uint32_t foff)
{
    return foff >= 2 && image->file.bytes[foff - 2] == 0x0F && (image->file.bytes[foff - 1] & 0xF0) == 0x80;
}

bool destinations_find(struct destinations *found, const struct image *image, const struct refset *refs,
                       const struct code_map *code, struct arena *arena)
{
    struct site_set *sets[] = {&found->any, &found->labels, &found->inner};
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        if (!site_set_init(sets[i], arena, image->file.nbytes))
            return false;
        site_set_add_all(sets[i], &code->short_targets);
    }
    for (size_t i = 0; i < refs->ref_count; i++) {
        const struct ref *ref = &refs->refs[i];
        bool is_code_target = (ref->flags & REF_FLAG_CODE_TARGET) != 0;
        bool is_taken = ref->source == SOURCE_CODE && ref->access == ACCESS_ADDRESS;
        uint32_t foff;
        if ((!is_code_target && !is_taken && ref->source != SOURCE_RELOCATED) || ref->state != REF_RESOLVED ||
            ref->encoding == REF_FOFF || !image_rva_to_foff(image, ref->target, 1, &foff))
            continue;
        site_set_add(&found->any, foff);
        if (is_code_target && ref->source != SOURCE_RELOCATED)
            site_set_add(&found->labels, foff);
        if (is_code_target && ref->source == SOURCE_CODE && ref->encoding == REF_PCREL &&
            is_conditional(image, ref->site_foff))
            site_set_add(&found->inner, foff);
    }
    return true;
}
