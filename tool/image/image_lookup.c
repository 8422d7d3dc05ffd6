/* image_lookup.c - from RVA to section and file offset, and back.
 * Takes: a read image.  Gives: places and bytes, or false.  Must not: guess; an address that is not wholly
 * backed by the file gives false, never its input. */
#include "image/image.h"

/* How many of sections_by_rva start at or before rva. */
static uint32_t sections_begun_at(const struct image *image, uint32_t rva)
{
    uint32_t low = 0, high = image->mapped_section_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (image->sections_by_rva[middle]->rva <= rva)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct section *image_section_at_rva(const struct image *image, uint32_t rva)
{
    /* The last section that starts at or before rva: sections do not overlap, so only it can hold rva. */
    uint32_t count = sections_begun_at(image, rva);
    if (count == 0)
        return NULL;
    const struct section *s = image->sections_by_rva[count - 1];
    uint64_t align = image->section_alignment;
    uint64_t span_nbytes = (s->memory_nbytes + align - 1) & ~(align - 1);
    return rva - s->rva < span_nbytes ? s : NULL;
}

static const struct region *region_at(const struct image *image, uint64_t foff)
{
    size_t low = 0, high = image->region_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (image->regions[middle].foff <= foff)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return NULL;
    const struct region *region = &image->regions[low - 1];
    return foff - region->foff < region->nbytes ? region : NULL;
}

const struct section *image_section_at_foff(const struct image *image, uint64_t foff)
{
    const struct region *region = region_at(image, foff);
    return region && region->kind == REGION_SECTION ? &image->sections[region->section] : NULL;
}

struct span image_run_at_rva(const struct image *image, uint32_t rva)
{
    struct span run = {NULL, 0};
    const struct section *s = image_section_at_rva(image, rva);
    if (s) {
        uint32_t offset = rva - s->rva;
        if (offset < s->file_nbytes)
            span_part(image->file, (uint64_t)s->raw_foff + offset, s->file_nbytes - offset, &run);
        return run;
    }
    /* Headers are mapped at RVA 0, and so is everything in an image that is mapped as it is; up to the next
     * section, which may begin before the headers end. */
    uint64_t end_rva = image->is_flat ? image->image_nbytes : image->headers_nbytes;
    uint32_t next = sections_begun_at(image, rva);
    if (next < image->mapped_section_count && image->sections_by_rva[next]->rva < end_rva)
        end_rva = image->sections_by_rva[next]->rva;
    if (end_rva > image->file.nbytes)
        end_rva = image->file.nbytes;
    if (rva < end_rva)
        span_part(image->file, rva, end_rva - rva, &run);
    return run;
}

bool image_bytes_at_rva(const struct image *image, uint32_t rva, uint32_t nbytes, struct span *bytes)
{
    struct span run = image_run_at_rva(image, rva);
    return run.bytes && span_part(run, 0, nbytes, bytes);
}

bool image_rva_to_foff(const struct image *image, uint32_t rva, uint32_t nbytes, uint32_t *foff)
{
    struct span bytes;
    if (!image_bytes_at_rva(image, rva, nbytes, &bytes))
        return false;
    *foff = (uint32_t)(bytes.bytes - image->file.bytes);
    return true;
}

bool image_foff_to_rva(const struct image *image, uint64_t foff, uint32_t *rva)
{
    const struct region *region = region_at(image, foff);
    if (!region)
        return false;
    if (region->kind == REGION_SECTION) {
        const struct section *s = &image->sections[region->section];
        *rva = s->rva + (uint32_t)(foff - s->raw_foff);
        return true;
    }
    /* Outside sections RVA and file offset are equal, where anything is mapped. */
    uint32_t there_foff;
    if (foff > UINT32_MAX || !image_rva_to_foff(image, (uint32_t)foff, 1, &there_foff) || there_foff != foff)
        return false;
    *rva = (uint32_t)foff;
    return true;
}

bool image_string_at_rva(const struct image *image, uint32_t rva, size_t max_nbytes, struct span *text)
{
    struct span run = image_run_at_rva(image, rva);
    size_t length;
    if (!run.bytes || !span_cstr(run, 0, max_nbytes, &length))
        return false;
    *text = (struct span){run.bytes, length};
    return true;
}

bool image_va_to_rva(const struct image *image, uint64_t va, uint32_t *rva)
{
    if (va < image->image_base_va || va - image->image_base_va > UINT32_MAX)
        return false;
    *rva = (uint32_t)(va - image->image_base_va);
    return true;
}

const struct directory *image_directory(const struct image *image, unsigned number)
{
    if (number >= image->directory_count)
        return NULL;
    const struct directory *directory = &image->directories[number];
    bool is_sized = number == DIR_SECURITY || number == DIR_BASERELOC || number == DIR_DEBUG ||
                    number == DIR_EXCEPTION || number == DIR_IAT;
    return directory->rva != 0 && (directory->nbytes != 0 || !is_sized) ? directory : NULL;
}

unsigned image_pointer_nbytes(const struct image *image)
{
    return image->is_64 ? 8 : 4;
}
