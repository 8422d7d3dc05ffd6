/* emit_references.c - every stored address, encoded anew for where its target lies in the new layout.
 * Must not: choose a target; the layout has them. Where two sources name one field they must agree, and two
 * fields must not share a byte: what would be patched twice is an error, not a matter of order. */
#include "emit/emit_internal.h"

/* What has been written, by offset in the new file. */
struct written {
    struct site_set starts, bytes;
};

static bool refuse(const struct emitter *emitter, const struct ref *ref, const char *what)
{
    *emitter->error = finding_make(emitter->arena, HVCI9023_UNRESOLVED_REFERENCE, LEVEL_ERROR,
                                   "The reference at file offset 0x%X (%s, %s) %s.", ref->site_foff,
                                   ref_source_name(ref->source), ref_encoding_name(ref->encoding), what);
    emitter->error->file_offset = ref->site_foff;
    emitter->error->rva = ref->site_rva;
    emitter->error->cure = "Start from the linker's own output.";
    return false;
}

/* Fields that the new image has no copy of, because they are written anew or dropped as a whole. */
static bool is_derived(const struct layout *layout, const struct ref *ref)
{
    if (!layout->moves)
        return false;
    if (ref->encoding == REF_SIZE) /* of the layout: the headers have it; of a directory: it stays */
        return true;
    uint32_t foff;
    bool is_symbolic = ref->source == SOURCE_DEBUG || ref->source == SOURCE_COFF_SYMBOLS;
    if (is_symbolic && ref->site_rva == NO_RVA && !layout_map_foff(layout, ref->site_foff, &foff))
        return true; /* symbols of the kinds that are left out */
    return ref->source == SOURCE_BASERELOCS || ref->source == SOURCE_SECTION_HEADERS ||
           ref->source == SOURCE_CERTIFICATES || ref->source == SOURCE_BOUND_IMPORTS ||
           (ref->source == SOURCE_COFF_SYMBOLS && layout->drops_symbols);
}

/* Records the field. False when another one lies across it, or the same one holds another value. */
static bool claim(struct written *written, uint32_t foff, unsigned width_nbytes, bool is_equal)
{
    if (site_set_has(&written->starts, foff))
        return is_equal;
    site_set_add(&written->starts, foff);
    for (unsigned i = 0; i < width_nbytes; i++)
        if (!site_set_add(&written->bytes, (uint64_t)foff + i))
            return false;
    return true;
}

/* The new value of the field whose old one is `stored`. */
static bool encode(const struct emitter *emitter, size_t index, uint64_t stored, uint64_t *value)
{
    const struct layout *layout = emitter->layout;
    const struct ref *ref = &emitter->refs->refs[index];
    uint32_t target = layout->targets ? layout->targets[index] : ref->target;
    uint32_t base_rva = ref->base_rva;
    if (layout->moves && ref->encoding == REF_PCREL)
        base_rva = layout_map_rva(layout, base_rva - 1) + 1; /* the end of an instruction may be a piece's */
    else if (layout->moves && base_rva != 0)
        base_rva = layout_map_rva(layout, base_rva);
    return ref_encode(emitter->image, ref, stored, target, base_rva, value);
}

static bool write_reference(const struct emitter *emitter, size_t index, struct written *written)
{
    const struct layout *layout = emitter->layout;
    const struct ref *ref = &emitter->refs->refs[index];
    uint32_t foff;
    if (is_derived(layout, ref))
        return true;
    if (!layout_map_field(layout, ref->site_foff, ref->width_nbytes, &foff))
        return refuse(emitter, ref, "lies in bytes that do not move as one");
    /* From the old file: another source may have written the field already. */
    uint64_t stored = load_width(emitter->image->file.bytes + ref->site_foff, ref->width_nbytes), value;
    if (!encode(emitter, index, stored, &value))
        return refuse(emitter, ref, "cannot be written for where its target lies now");
    uint8_t *field = emitter->bytes + foff;
    bool is_equal = load_width(field, ref->width_nbytes) == value;
    if (layout->moves && !claim(written, foff, ref->width_nbytes, is_equal))
        return refuse(emitter, ref, "would be changed twice");
    store_width(field, ref->width_nbytes, value);
    return true;
}

bool emit_references(const struct emitter *emitter)
{
    struct written written = {0};
    if (emitter->layout->moves &&
        (!site_set_init(&written.starts, emitter->arena, emitter->layout->file_nbytes) ||
         !site_set_init(&written.bytes, emitter->arena, emitter->layout->file_nbytes)))
        return false;
    for (size_t i = 0; i < emitter->refs->ref_count; i++)
        if (!write_reference(emitter, i, &written))
            return false;
    return true;
}
