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
    case RELAYOUT_SOME:
        return "some";
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

bool relayout_may_move(const struct section *section)
{
    return !(section->characteristics & SCN_MEM_EXECUTE);
}

static uint32_t end_of(const struct section *section, uint32_t rva, uint32_t unit_nbytes)
{
    uint32_t nbytes = section->memory_nbytes;
    if (nbytes < section->virtual_size)
        nbytes = section->virtual_size;
    return (rva + nbytes + unit_nbytes - 1) / unit_nbytes * unit_nbytes;
}

/* What moves, by number of the section. */
struct moving {
    uint32_t *indexes;
    uint32_t count;
};

/* Where everything else ends: behind it there is room. */
static uint32_t place_staying(const struct image *image, const struct relayout_wish *wish,
                              uint32_t code_delta, uint32_t *rvas, struct moving *moving)
{
    uint32_t end_rva = 0;
    for (uint32_t i = 0; i < image->section_count; i++) {
        const struct section *section = &image->sections[i];
        rvas[i] = section->rva + code_delta;
        if (relayout_may_move(section) && (wish->kind != RELAYOUT_SOME || wish->moves[i]))
            moving->indexes[moving->count++] = i;
        else if (end_of(section, rvas[i], image->section_alignment) > end_rva)
            end_rva = end_of(section, rvas[i], image->section_alignment);
    }
    return end_rva;
}

static uint32_t place_together(const struct image *image, const struct moving *moving, uint32_t end_rva,
                               uint32_t gap_nbytes, uint32_t *rvas)
{
    uint32_t first_rva = UINT32_MAX, unit_nbytes = image->section_alignment;
    for (uint32_t i = 0; i < moving->count; i++)
        if (image->sections[moving->indexes[i]].rva < first_rva)
            first_rva = image->sections[moving->indexes[i]].rva;
    uint32_t delta = gap_nbytes;
    if (end_rva > first_rva)
        delta += (end_rva - first_rva + unit_nbytes - 1) / unit_nbytes * unit_nbytes;
    for (uint32_t i = 0; i < moving->count; i++) {
        const struct section *section = &image->sections[moving->indexes[i]];
        rvas[moving->indexes[i]] = section->rva + delta;
        if (end_of(section, section->rva + delta, unit_nbytes) > end_rva)
            end_rva = end_of(section, section->rva + delta, unit_nbytes);
    }
    return end_rva;
}

static uint32_t place_apart(const struct image *image, struct moving *moving, uint32_t end_rva,
                            uint64_t *state, uint32_t *rvas)
{
    uint32_t unit_nbytes = image->section_alignment;
    while (moving->count != 0) {
        uint32_t pick = (uint32_t)(next_random(state) % moving->count), index = moving->indexes[pick];
        moving->indexes[pick] = moving->indexes[--moving->count];
        rvas[index] = end_rva + (uint32_t)(next_random(state) % MOST_GAP_UNITS) * unit_nbytes;
        if (rvas[index] == image->sections[index].rva) /* it is to move */
            rvas[index] += unit_nbytes;
        end_rva = end_of(&image->sections[index], rvas[index], unit_nbytes);
    }
    return end_rva;
}

bool relayout_choose(const struct image *image, const struct relayout_wish *wish, struct arena *arena,
                     struct forced_layout *forced)
{
    uint32_t unit_nbytes = image->section_alignment, code_delta = 0;
    uint32_t *rvas = arena_array(arena, image->section_count, sizeof *rvas);
    struct moving moving = {arena_array(arena, image->section_count, sizeof *moving.indexes), 0};
    uint64_t state = wish->seed * 2 + 1;
    if (!rvas || !moving.indexes)
        return false;
    if (wish->kind == RELAYOUT_ALL)
        code_delta = (1 + (uint32_t)(next_random(&state) % MOST_CODE_SHIFT_UNITS)) * unit_nbytes;
    uint32_t end_rva = place_staying(image, wish, code_delta, rvas, &moving);
    if (wish->kind == RELAYOUT_TOGETHER && moving.count != 0) {
        uint32_t gap_nbytes = (1 + (uint32_t)(next_random(&state) % MOST_GAP_UNITS)) * unit_nbytes;
        end_rva = place_together(image, &moving, end_rva, gap_nbytes, rvas);
    } else {
        end_rva = place_apart(image, &moving, end_rva, &state, rvas);
    }
    *forced = (struct forced_layout){.section_rvas = rvas};
    if (!wish->keeps_iat)
        forced->slots_rva = end_rva + (1 + (uint32_t)(next_random(&state) % MOST_GAP_UNITS)) * unit_nbytes;
    return true;
}
