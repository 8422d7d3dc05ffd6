/* emit.c - the new bytes from image, references and plan.
 * Takes: const inputs.  Gives: a buffer.  Must not: decide; every value comes from the model, the inventory
 * or the plan, in this order: contents, header fields, references, planned changes, checksum last. */
#include "emit/emit_internal.h"

static bool out_of_memory(struct finding *error)
{
    *error = (struct finding){
        .code = HVCI9008_OUT_OF_MEMORY,
        .level = LEVEL_ERROR,
        .rva = NO_RVA,
        .file_offset = NO_FILE_OFFSET,
        .place_count = 1,
        .message = "There was not enough memory to write this image.",
        .cure = "Run on a machine with more free memory.",
    };
    return false;
}

/* Contents: what is carried over, and what fills the places where nothing of the old image lies. */
static void write_contents(const struct emitter *emitter)
{
    const struct layout *layout = emitter->layout;
    for (size_t i = 0; i < layout->fill_count; i++)
        memset(emitter->bytes + layout->fills[i].new_foff, layout->fills[i].value, layout->fills[i].nbytes);
    for (size_t i = 0; i < layout->copy_count; i++) {
        const struct file_copy *copy = &layout->copies[i];
        memcpy(emitter->bytes + copy->new_foff, emitter->image->file.bytes + copy->old_foff, copy->nbytes);
    }
}

static void apply_changes(const struct image *image, const struct plan *plan, uint8_t *bytes)
{
    for (size_t i = 0; i < plan->change_count; i++) {
        const struct change *change = &plan->changes[i];
        switch (change->kind) {
        case CHANGE_SECTION_CHARACTERISTICS:
        case CHANGE_HEADER_FLAG:
            store_width(bytes + change->file_offset, change->width_nbytes, change->new_value);
            break;
        case CHANGE_DROP_SIGNATURE:
            memset(bytes + image->directories[DIR_SECURITY].entry_foff, 0, DIRECTORY_ENTRY_NBYTES);
            break; /* the end of the file is cut by its new length */
        case CHANGE_NX:
        case CHANGE_LAYOUT:
        case CHANGE_CHECKSUM:
            break; /* emit_nx.c, on what comes out here; above; below, when all other bytes are final */
        }
    }
}

bool emit_image(const struct image *image, const struct refset *refs, const struct plan *plan,
                struct arena *arena, struct output *output, struct finding *error)
{
    struct layout identity;
    struct emitter emitter = {image, refs, plan ? plan->layout : NULL, arena, NULL, error};
    if (!emitter.layout) {
        if (!layout_identity(image, arena, &identity))
            return out_of_memory(error);
        emitter.layout = &identity;
    }
    emitter.bytes = arena_alloc(arena, (size_t)emitter.layout->file_nbytes);
    if (!emitter.bytes)
        return out_of_memory(error);
    write_contents(&emitter);
    emit_headers(&emitter);
    /* Where a plan moves nothing, every reference says what it said. Without a plan all are encoded all the
     * same: that shows that they were read rightly. */
    if (((!plan || plan->layout) && !emit_references(&emitter)) ||
        (emitter.layout->moves &&
         (!emit_binding(&emitter) || !emit_straddles(&emitter) || !emit_derived(&emitter))))
        return arena->exhausted ? out_of_memory(error) : false;
    *output = (struct output){emitter.bytes, (size_t)emitter.layout->file_nbytes};
    if (!plan || plan->verdict != PLAN_CHANGE)
        return true;

    apply_changes(image, plan, emitter.bytes);
    output->nbytes = (size_t)plan->new_file_nbytes;
    /* From here on only the checksum changes. */
    uint32_t checksum_foff = image->opt_foff + OPT_CHECK_SUM;
    struct span emitted = {emitter.bytes, output->nbytes};
    store_u32(emitter.bytes + checksum_foff, pe_checksum(emitted, checksum_foff));
    return true;
}
