/* data_pointers.c - see data_pointers.h. */
#include "plan/data_pointers.h"
#include "code/address_uses.h"

enum { STEPS_PER_BYTE = 16 };

static bool is_instruction(const struct code_map *code, uint32_t rva)
{
    enum byte_class byte_class = code_class_at(code, rva);
    return byte_class == BYTE_INSTRUCTION || byte_class == BYTE_INSTRUCTION_TAIL;
}

bool data_pointers_find(struct site_set *found, const struct image *image, const struct refset *refs,
                        const struct code_map *code, struct arena *arena)
{
    uint64_t steps_left = STEPS_PER_BYTE * (uint64_t)image->file.nbytes;
    struct site_set pointers; /* to code, used or not */
    struct decoder *decoder = decoder_new(arena, image->is_64);
    uint32_t foff;
    if (!decoder || !site_set_init(found, arena, image->file.nbytes) ||
        !site_set_init(&pointers, arena, image->file.nbytes))
        return false;
    for (size_t i = 0; i < refs->ref_count; i++) {
        const struct ref *ref = &refs->refs[i];
        if (ref->source == SOURCE_RELOCATED && ref->state == REF_RESOLVED &&
            is_instruction(code, ref->target) && !is_instruction(code, ref->site_rva))
            site_set_add(&pointers, ref->site_foff);
    }
    for (size_t i = 0; i < refs->ref_count; i++) {
        const struct ref *ref = &refs->refs[i];
        if (ref->source == SOURCE_CODE && ref->access == ACCESS_READ && ref->state == REF_RESOLVED &&
            (ref->encoding == REF_VA || ref->encoding == REF_PCREL) &&
            image_rva_to_foff(image, ref->target, 1, &foff) && site_set_has(&pointers, foff) &&
            address_loaded_is_accessed(image, code, decoder, ref->site_rva, &steps_left))
            site_set_add(found, foff);
    }
    return true;
}
