/* layouts.c - random legal layouts of a page-aligned image.
 * Takes: section headers and a seed.  Gives: new RVAs, apart from each other.  Must not: look at anything
 * else.
 *
 * Executable sections keep their distances; what else moves goes behind them, in random order with random
 * gaps. */
#include "layouts.h"

enum { MOST_GAP_UNITS = 9, MOST_CODE_SHIFT_UNITS = 5 };

const char *relayout_kind_name(enum relayout_kind kind)
{
    switch (kind) {
    case RELAYOUT_ALL:
        return "all";
    case RELAYOUT_DATA:
        return "data";
    case RELAYOUT_TOGETHER:
        return "together";
    case RELAYOUT_WRITABLE:
        return "writable";
    case RELAYOUT_TABLES:
        return "tables";
    case RELAYOUT_KIND_COUNT:
        break;
    }
    return "?";
}

/* splitmix64 */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static bool holds_directory(const struct image *image, const struct section *section, unsigned index)
{
    const struct directory *directory = image_directory(image, index);
    return directory && directory->rva - section->rva < section->memory_nbytes;
}

/* Nothing but tables whose readers find them through a directory. */
static bool is_table_section(const struct image *image, const struct section *section)
{
    static const unsigned tables[] = {DIR_RESOURCE, DIR_EXCEPTION, DIR_BASERELOC};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        if (holds_directory(image, section, tables[i]) &&
            image_directory(image, tables[i])->rva == section->rva)
            return !(section->characteristics & SCN_MEM_WRITE);
    return false;
}

static bool moves_in(const struct image *image, const struct section *section, enum relayout_kind kind)
{
    if (section->characteristics & SCN_MEM_EXECUTE)
        return false;
    switch (kind) {
    case RELAYOUT_WRITABLE:
        return (section->characteristics & SCN_MEM_WRITE) || is_table_section(image, section);
    case RELAYOUT_TABLES:
        return is_table_section(image, section);
    default:
        return true;
    }
}

static uint32_t end_of(const struct section *section, uint32_t rva, uint32_t unit_nbytes)
{
    uint32_t nbytes = section->memory_nbytes;
    if (nbytes < section->virtual_size)
        nbytes = section->virtual_size;
    return (rva + nbytes + unit_nbytes - 1) / unit_nbytes * unit_nbytes;
}

bool relayout_choose(const struct image *image, enum relayout_kind kind, uint64_t seed, struct arena *arena,
                     struct forced_layout *forced)
{
    uint32_t unit_nbytes = image->section_alignment, count = image->section_count, end_rva = 0,
             moving_count = 0;
    uint32_t *rvas = arena_array(arena, count, sizeof *rvas),
             *moving = arena_array(arena, count, sizeof *moving);
    if (!rvas || !moving)
        return false;
    uint64_t state = seed * 2 + 1;
    uint32_t code_delta = kind == RELAYOUT_ALL
                              ? (1 + (uint32_t)(next_random(&state) % MOST_CODE_SHIFT_UNITS)) * unit_nbytes
                              : 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct section *section = &image->sections[i];
        rvas[i] = section->rva + code_delta;
        if (moves_in(image, section, kind))
            moving[moving_count++] = i;
        else if (end_of(section, rvas[i], unit_nbytes) > end_rva)
            end_rva = end_of(section, rvas[i], unit_nbytes);
    }
    if (kind == RELAYOUT_TOGETHER && moving_count != 0) {
        /* Behind all old places, so that none of them is taken by code that stays. */
        uint32_t first_rva = image->sections[moving[0]].rva;
        for (uint32_t i = 0; i < moving_count; i++)
            first_rva =
                image->sections[moving[i]].rva < first_rva ? image->sections[moving[i]].rva : first_rva;
        uint32_t delta =
            end_rva > first_rva ? (end_rva - first_rva + unit_nbytes - 1) / unit_nbytes * unit_nbytes : 0;
        delta += (1 + (uint32_t)(next_random(&state) % MOST_GAP_UNITS)) * unit_nbytes;
        for (uint32_t i = 0; i < moving_count; i++) {
            const struct section *section = &image->sections[moving[i]];
            rvas[moving[i]] = section->rva + delta;
            end_rva = end_of(section, rvas[moving[i]], unit_nbytes) > end_rva
                          ? end_of(section, rvas[moving[i]], unit_nbytes)
                          : end_rva;
        }
        moving_count = 0;
    }
    while (moving_count != 0) {
        uint32_t pick = (uint32_t)(next_random(&state) % moving_count), index = moving[pick];
        moving[pick] = moving[--moving_count];
        const struct section *section = &image->sections[index];
        uint32_t gap_nbytes = (uint32_t)(next_random(&state) % MOST_GAP_UNITS) * unit_nbytes;
        rvas[index] = end_rva + gap_nbytes;
        if (rvas[index] == section->rva) /* it is to move */
            rvas[index] += unit_nbytes;
        end_rva = end_of(section, rvas[index], unit_nbytes);
    }
    *forced = (struct forced_layout){
        .section_rvas = rvas,
        .slots_rva = end_rva + (1 + (uint32_t)(next_random(&state) % MOST_GAP_UNITS)) * unit_nbytes};
    return true;
}
