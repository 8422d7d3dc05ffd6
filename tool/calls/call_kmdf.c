/* call_kmdf.c - where the functions of the Kernel-Mode Driver Framework are called through.
 * Takes: pointers in data.  Gives: the bind information of the driver.  Must not: trust its numbers.
 * A driver hands WdfVersionBind a structure: size, pointer to the text "KmdfLibrary", version (three
 * numbers), number of functions, pointer to the variable that becomes the table. Source: fxldr.h of the
 * framework. */
#include "calls/calls_internal.h"

enum { KMDF_MOST_FUNCTIONS = 4096 };

static bool is_library_name(const struct image *image, uint32_t rva)
{
    static const char name[] = "KmdfLibrary";
    struct span bytes;
    if (!image_bytes_at_rva(image, rva, sizeof name * 2, &bytes))
        return false;
    for (size_t i = 0; i < sizeof name; i++)
        if (load_u16(bytes.bytes + i * 2) != (uint8_t)name[i])
            return false;
    return true;
}

void search_kmdf(struct call_search *search)
{
    const struct image *image = search->image;
    uint32_t pointer_nbytes = image_pointer_nbytes(image);
    for (size_t i = 0; i < search->refs->ref_count; i++) {
        const struct ref *ref = &search->refs->refs[i];
        struct span bytes;
        uint32_t table_rva;
        if (ref->source != SOURCE_RELOCATED || ref->state != REF_RESOLVED || ref->site_rva == NO_RVA ||
            ref->site_rva < pointer_nbytes || !is_library_name(image, ref->target))
            continue;
        /* version, number of functions, table */
        if (!image_bytes_at_rva(image, ref->site_rva + pointer_nbytes, 16 + pointer_nbytes, &bytes))
            continue;
        uint64_t table_va = pointer_nbytes == 8 ? load_u64(bytes.bytes + 16) : load_u32(bytes.bytes + 16);
        uint32_t function_count = load_u32(bytes.bytes + 12);
        if (!image_va_to_rva(image, table_va, &table_rva) || function_count > KMDF_MOST_FUNCTIONS)
            continue;
        uint32_t major = load_u32(bytes.bytes), minor = load_u32(bytes.bytes + 4);
        search->kmdf = (struct kmdf_binding){.is_bound = true,
                                             .table_rva = table_rva,
                                             .is_pointer = major > 1 || minor >= 11,
                                             .function_count = function_count};
        return;
    }
}
