/* binding.c - see binding.h. Source: PE format specification, ".idata"; public winnt.h. */
#include "plan/binding.h"

bool binding_at(const struct image *image, uint32_t index, struct binding *binding)
{
    const struct directory *directory = image_directory(image, DIR_IMPORT);
    if (!directory)
        return false;
    struct span table = image_run_at_rva(image, directory->rva), descriptor;
    if (!span_part(table, (uint64_t)index * IMPORT_DESCRIPTOR_NBYTES, IMPORT_DESCRIPTOR_NBYTES, &descriptor))
        return false;
    *binding = (struct binding){
        .descriptor_foff = (uint32_t)(descriptor.bytes - image->file.bytes),
        .lookup_rva = load_u32(descriptor.bytes + IMPORT_ORIGINAL_FIRST_THUNK),
        .iat_rva = load_u32(descriptor.bytes + IMPORT_FIRST_THUNK),
        .is_bound = load_u32(descriptor.bytes + IMPORT_TIME_DATE_STAMP) != 0,
    };
    return load_u32(descriptor.bytes + IMPORT_NAME) != 0 && binding->iat_rva != 0;
}

bool binding_is_final(const struct binding *binding)
{
    return binding->is_bound && (binding->lookup_rva == 0 || binding->lookup_rva == binding->iat_rva);
}

bool binding_header_range(const struct image *image, uint32_t *foff, uint32_t *nbytes)
{
    const struct directory *directory = image_directory(image, DIR_BOUND_IMPORT);
    if (!directory || directory->rva < image->section_table_end_foff ||
        !image_rva_to_foff(image, directory->rva, directory->nbytes, foff) || *foff != directory->rva)
        return false;
    *nbytes = directory->nbytes;
    return true;
}
