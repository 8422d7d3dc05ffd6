/* range_hits.c - the linear pass over all bytes of executable sections.
 * Must not: decode. */
#include "code/range_hits.h"

enum { MODRM_MOD_RM_MASK = 0xC7, MODRM_DISP32_ONLY = 0x05, MOST_IMMEDIATE_NBYTES = 4 };

bool rva_in_ranges(const struct rva_range *ranges, size_t range_count, uint64_t rva)
{
    size_t low = 0, high = range_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ranges[middle].begin_rva <= rva)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && rva < ranges[low - 1].end_rva;
}

/* The instruction ends 0, 1, 2 or 4 bytes behind the field, so the target is one of a few next to each other.
 */
static bool may_reach(const struct rva_range *ranges, size_t range_count, int64_t first)
{
    static const uint8_t immediates[] = {0, 1, 2, MOST_IMMEDIATE_NBYTES};
    for (size_t i = 0; i < sizeof immediates; i++)
        if (first + immediates[i] >= 0 &&
            rva_in_ranges(ranges, range_count, (uint64_t)(first + immediates[i])))
            return true;
    return false;
}

bool range_hits(const struct image *image, const struct code_map *code, const struct rva_range *ranges,
                size_t range_count, bool with_image_relative, range_hit_fn *take, void *context)
{
    for (size_t s = 0; s < code->section_count && range_count != 0; s++) {
        const struct code_section *section = &code->sections[s];
        const uint8_t *bytes = image->file.bytes + image->sections[section->section].raw_foff;
        for (uint32_t at = 1; section->nbytes >= 4 && at <= section->nbytes - 4; at++) {
            uint32_t stored = load_u32(bytes + at);
            struct range_hit hit = {section, at, HIT_RIP_RELATIVE};
            if ((bytes[at - 1] & MODRM_MOD_RM_MASK) == MODRM_DISP32_ONLY &&
                may_reach(ranges, range_count, (int64_t)section->rva + at + 4 + (int32_t)stored) &&
                !take(context, &hit))
                return false;
            hit.form = HIT_IMAGE_RELATIVE;
            if (with_image_relative && rva_in_ranges(ranges, range_count, stored) && !take(context, &hit))
                return false;
        }
    }
    return true;
}
