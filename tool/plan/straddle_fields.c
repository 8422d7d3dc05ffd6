/* straddle_fields.c - fields that may not be relocated by the stub, because somebody reads them before.
 * Takes: the fields that would be, the typed tables of the image.  Gives: true, or the refusal.
 * Must not: look at code; before the entry point none of this image runs.
 *
 * Before that, Windows reads its own tables, and importers are bound to exports. The data that an importer
 * reads through an export are relocated by then, since the kernel calls DllInitialize first; a pointer that
 * is exported itself is refused all the same. */
#include "plan/straddle_parts.h"

#include <inttypes.h>

/* The first of the fields that ends behind rva; repair->applied_count when none does. */
static size_t first_field(const struct straddle_repair *repair, uint32_t rva, unsigned field_nbytes)
{
    size_t low = 0, high = repair->applied_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((uint64_t)repair->applied_rvas[middle] + field_nbytes <= rva)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Refuses the first field that has a byte in [rva, rva + nbytes). */
static bool check_range(struct straddle_plan *plan, uint32_t rva, uint32_t nbytes, const char *what)
{
    const struct straddle_repair *repair = plan->repair;
    unsigned field_nbytes = image_pointer_nbytes(plan->rewrite->image);
    size_t i = first_field(repair, rva, field_nbytes);
    if (i == repair->applied_count || !ranges_overlap(repair->applied_rvas[i], field_nbytes, rva, nbytes))
        return true;
    return rewrite_refuse(plan->rewrite, repair->applied_rvas[i], NO_FILE_OFFSET,
                          "Move the data off the page boundary at the source: natural packing, or another "
                          "place in its section.",
                          "The base relocation at RVA 0x%" PRIX32
                          " crosses a page boundary, and it lies in what is read before code of this image "
                          "could relocate it (%s).",
                          repair->applied_rvas[i], what);
}

/* What TLS copies for each thread. */
static bool check_tls(struct straddle_plan *plan)
{
    const struct refset *refs = plan->rewrite->refs;
    const struct image *image = plan->rewrite->image;
    uint32_t begin_rva = 0, end_rva = 0;
    for (size_t i = 0; i < refs->ref_count; i++) {
        const struct ref *ref = &refs->refs[i];
        if (ref->source != SOURCE_TLS || ref->state == REF_NULL)
            continue;
        if (ref->detail == image_pick(image, TLS_START_32, TLS_START_64))
            begin_rva = ref->target;
        else if (ref->detail == image_pick(image, TLS_END_32, TLS_END_64))
            end_rva = ref->target;
        else if (ref->detail == image_pick(image, TLS_INDEX_32, TLS_INDEX_64) &&
                 !check_range(plan, ref->target, 4, "the TLS index"))
            return false;
    }
    return end_rva <= begin_rva || check_range(plan, begin_rva, end_rva - begin_rva, "the TLS data");
}

bool straddle_check_fields(struct straddle_plan *plan)
{
    const struct refset *refs = plan->rewrite->refs;
    const struct image *image = plan->rewrite->image;
    for (unsigned i = 0; i < image->directory_count; i++)
        if (i != DIR_SECURITY && !check_range(plan, image->directories[i].rva, image->directories[i].nbytes,
                                              "a data directory covers it"))
            return false;
    for (size_t i = 0; i < refs->extent_count; i++) {
        const struct extent *extent = &refs->extents[i];
        if (extent->kind != EXTENT_JUMP_TABLE &&
            !check_range(plan, extent->rva, extent->nbytes, extent_kind_name((enum extent_kind)extent->kind)))
            return false;
    }
    for (size_t i = 0; i < refs->ref_count; i++) {
        const struct ref *ref = &refs->refs[i];
        bool is_exported = ref->source == SOURCE_EXPORTS && ref->detail == DETAIL_EXPORT_ADDRESS;
        bool is_written = (ref->flags & REF_FLAG_LOADER_WRITES) != 0 && ref->encoding == REF_VA;
        if (ref->state != REF_RESOLVED || !(is_exported || is_written))
            continue;
        if (!check_range(plan, ref->target, is_exported ? 1 : 4,
                         is_exported ? "exported data" : "what the loader writes"))
            return false;
    }
    return check_tls(plan);
}
