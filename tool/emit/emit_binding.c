/* emit_binding.c - import slots as they were before the image was bound, in a layout that moves.
 * Takes: emitted references.  Gives: descriptors without stamps, slots that repeat their lookup table.
 * Must not: be reached for an import without a lookup table: the plan refuses it. */
#include "emit/emit_internal.h"

#include "plan/binding.h"

/* The new place of nbytes at an old RVA that move as one. */
static uint8_t *new_place(const struct emitter *emitter, uint32_t rva, uint32_t nbytes)
{
    uint32_t old_foff, foff, last_foff;
    if (!image_rva_to_foff(emitter->image, rva, nbytes, &old_foff) ||
        !layout_map_foff(emitter->layout, old_foff, &foff) ||
        !layout_map_foff(emitter->layout, old_foff + nbytes - 1, &last_foff) ||
        last_foff - foff != nbytes - 1)
        return NULL;
    return emitter->bytes + foff;
}

static bool restore_slots(const struct emitter *emitter, const struct binding *binding)
{
    unsigned width_nbytes = image_pointer_nbytes(emitter->image);
    for (uint32_t at = 0;; at += width_nbytes) {
        const uint8_t *entry = new_place(emitter, binding->lookup_rva + at, width_nbytes);
        if (entry && load_width(entry, width_nbytes) == 0)
            return true;
        uint8_t *slot = new_place(emitter, binding->iat_rva + at, width_nbytes);
        if (!entry || !slot)
            return false;
        store_width(slot, width_nbytes, load_width(entry, width_nbytes));
    }
}

bool emit_binding(const struct emitter *emitter)
{
    struct binding binding;
    for (uint32_t i = 0; binding_at(emitter->image, i, &binding); i++) {
        uint32_t foff;
        if (!binding.is_bound)
            continue;
        if (!layout_map_foff(emitter->layout, binding.descriptor_foff, &foff) ||
            !restore_slots(emitter, &binding)) {
            *emitter->error =
                finding_make(emitter->arena, HVCI9023_UNRESOLVED_REFERENCE, LEVEL_ERROR,
                             "The bound imports at RVA 0x%X cannot be restored.", binding.iat_rva);
            emitter->error->rva = binding.iat_rva;
            return false;
        }
        store_u32(emitter->bytes + foff + IMPORT_TIME_DATE_STAMP, 0);
        store_u32(emitter->bytes + foff + IMPORT_FORWARDER_CHAIN, 0);
    }
    return true;
}
