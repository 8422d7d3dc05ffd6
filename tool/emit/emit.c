/* emit.c - the new bytes from image, references and plan.
 * Takes: const inputs.  Gives: a buffer.  Must not: decide; every value comes from the model, the inventory
 * or the plan, in this order: contents, header fields, references, planned changes, checksum last. */
#include "emit/emit.h"

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

static void copy_regions(const struct image *image, uint8_t *bytes)
{
    for (size_t i = 0; i < image->region_count; i++) {
        const struct region *region = &image->regions[i];
        memcpy(bytes + region->foff, image->file.bytes + region->foff, (size_t)region->nbytes);
    }
}

/* Header fields from the model, so that a field that the model misread does not survive unnoticed. */
static void write_headers(const struct image *image, uint8_t *bytes)
{
    uint8_t *coff = bytes + image->coff_foff;
    store_u16(coff + COFF_MACHINE, image->machine);
    store_u16(coff + COFF_NUMBER_OF_SECTIONS, (uint16_t)image->section_count);
    store_u32(coff + COFF_TIME_DATE_STAMP, image->time_date_stamp);
    store_u16(coff + COFF_SIZE_OF_OPTIONAL_HEADER, (uint16_t)image->opt_nbytes);
    store_u16(coff + COFF_CHARACTERISTICS, image->coff_characteristics);

    uint8_t *opt = bytes + image->opt_foff;
    opt[OPT_MAJOR_LINKER_VERSION] = image->linker_major;
    opt[OPT_MINOR_LINKER_VERSION] = image->linker_minor;
    store_u32(opt + OPT_ADDRESS_OF_ENTRY_POINT, image->entry_rva);
    store_u32(opt + OPT_BASE_OF_CODE, image->base_of_code_rva);
    if (image->is_64)
        store_u64(opt + OPT_IMAGE_BASE_64, image->image_base_va);
    else
        store_u32(opt + OPT_IMAGE_BASE_32, (uint32_t)image->image_base_va);
    store_u32(opt + OPT_SECTION_ALIGNMENT, image->section_alignment);
    store_u32(opt + OPT_FILE_ALIGNMENT, image->file_alignment);
    store_u16(opt + OPT_MAJOR_OS_VERSION, image->os_major);
    store_u16(opt + OPT_MINOR_OS_VERSION, image->os_minor);
    store_u16(opt + OPT_MAJOR_SUBSYSTEM_VERSION, image->subsystem_major);
    store_u16(opt + OPT_MINOR_SUBSYSTEM_VERSION, image->subsystem_minor);
    store_u32(opt + OPT_SIZE_OF_IMAGE, image->image_nbytes);
    store_u32(opt + OPT_SIZE_OF_HEADERS, image->headers_nbytes);
    store_u32(opt + OPT_CHECK_SUM, image->stored_checksum);
    store_u16(opt + OPT_SUBSYSTEM, image->subsystem);
    store_u16(opt + OPT_DLL_CHARACTERISTICS, image->dll_characteristics);

    for (uint32_t i = 0; i < image->directory_count; i++) {
        uint8_t *entry = bytes + image->directories[i].entry_foff;
        store_u32(entry + DIRECTORY_RVA, image->directories[i].rva);
        store_u32(entry + DIRECTORY_SIZE, image->directories[i].nbytes);
    }
    for (uint32_t i = 0; i < image->section_count; i++) {
        const struct section *s = &image->sections[i];
        uint8_t *header = bytes + s->header_foff;
        memcpy(header + SECTION_NAME, s->raw_name, SECTION_NAME_NBYTES);
        store_u32(header + SECTION_VIRTUAL_SIZE, s->virtual_size);
        store_u32(header + SECTION_VIRTUAL_ADDRESS, s->rva);
        store_u32(header + SECTION_SIZE_OF_RAW_DATA, s->raw_nbytes);
        store_u32(header + SECTION_POINTER_TO_RAW_DATA, s->stored_raw_foff);
        store_u32(header + SECTION_POINTER_TO_RELOCATIONS, s->relocations_foff);
        store_u32(header + SECTION_POINTER_TO_LINENUMBERS, s->linenumbers_foff);
        store_u16(header + SECTION_NUMBER_OF_RELOCATIONS, s->relocation_count);
        store_u16(header + SECTION_NUMBER_OF_LINENUMBERS, s->linenumber_count);
        store_u32(header + SECTION_CHARACTERISTICS, s->characteristics);
    }
}

/* Every stored address, encoded anew for where its target lies in the new layout. */
static bool write_references(const struct image *image, const struct refset *refs, const struct plan *plan,
                             struct arena *arena, uint8_t *bytes, struct finding *error)
{
    for (size_t i = 0; i < refs->ref_count; i++) {
        const struct ref *ref = &refs->refs[i];
        uint64_t stored = load_width(bytes + ref->site_foff, ref->width_nbytes);
        bool is_rva = ref->encoding != REF_FOFF && ref->encoding != REF_SECTION_INDEX;
        uint32_t target = plan && is_rva ? plan_map_rva(plan, ref->target) : ref->target;
        uint32_t base_rva = plan ? plan_map_rva(plan, ref->base_rva) : ref->base_rva;
        uint64_t value;
        if (!ref_encode(image, ref, stored, target, base_rva, &value)) {
            *error = finding_make(
                arena, HVCI9023_UNRESOLVED_REFERENCE, LEVEL_ERROR,
                "The reference at file offset 0x%X (%s, %s) cannot be written for its new target "
                "0x%X.",
                ref->site_foff, ref_source_name(ref->source), ref_encoding_name(ref->encoding), target);
            error->file_offset = ref->site_foff;
            error->rva = ref->site_rva;
            return false;
        }
        store_width(bytes + ref->site_foff, ref->width_nbytes, value);
    }
    return true;
}

static void apply_changes(const struct image *image, const struct plan *plan, uint8_t *bytes)
{
    for (size_t i = 0; i < plan->change_count; i++) {
        const struct change *change = &plan->changes[i];
        switch (change->kind) {
        case CHANGE_SECTION_CHARACTERISTICS:
            store_width(bytes + change->file_offset, change->width_nbytes, change->new_value);
            break;
        case CHANGE_DROP_SIGNATURE:
            memset(bytes + image->directories[DIR_SECURITY].entry_foff, 0, DIRECTORY_ENTRY_NBYTES);
            break; /* the end of the file is cut by its new length */
        case CHANGE_CHECKSUM:
            break; /* below, when all other bytes are final */
        }
    }
}

bool emit_image(const struct image *image, const struct refset *refs, const struct plan *plan,
                struct arena *arena, struct output *output, struct finding *error)
{
    uint8_t *bytes = arena_alloc(arena, image->file.nbytes);
    if (!bytes)
        return out_of_memory(error);
    copy_regions(image, bytes);
    write_headers(image, bytes);
    if (!write_references(image, refs, plan, arena, bytes, error))
        return arena->exhausted ? out_of_memory(error) : false;
    *output = (struct output){bytes, image->file.nbytes};
    if (!plan || plan->verdict != PLAN_CHANGE)
        return true;

    apply_changes(image, plan, bytes);
    output->nbytes = (size_t)plan->new_file_nbytes;
    /* From here on only the checksum changes. */
    uint32_t checksum_foff = image->opt_foff + OPT_CHECK_SUM;
    struct span emitted = {bytes, output->nbytes};
    store_u32(bytes + checksum_foff, pe_checksum(emitted, checksum_foff));
    return true;
}
