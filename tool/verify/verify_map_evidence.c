/* verify_map_evidence.c - what bytes and base relocations say about one distance.
 * Takes: a part of the old image and a distance.  Gives: counts of samples.
 * Must not: take more than a fixed number of samples, but for finding filling. */
#include "verify/verify_map_internal.h"
#include "verify/verify_relocations.h"

enum { SAMPLE_COUNT = 4096, FILL = 0xCC };

/* One bit for each byte of each section. */
static uint8_t **new_bits(struct verify_case *judged, const struct verify_image *image)
{
    uint8_t **bits = arena_array(judged->arena, image->section_count, sizeof *bits);
    for (uint32_t i = 0; bits && i < image->section_count; i++) {
        bits[i] = arena_alloc(judged->arena, image->sections[i].bytes.nbytes / 8 + 1);
        if (!bits[i])
            return NULL;
    }
    return bits;
}

static void set_bit(const struct verify_image *image, uint8_t **bits, uint32_t rva)
{
    const struct verify_section *section = verify_section_at(image, rva);
    if (section && rva - section->rva < section->bytes.nbytes) {
        uint32_t at = rva - section->rva;
        uint8_t *byte = &bits[section->index][at / 8];
        *byte = (uint8_t)(*byte | 1u << (at % 8));
    }
}

static bool read_sites(struct verify_case *judged, const struct verify_image *image, uint8_t ***sites)
{
    struct verify_relocation_reader reader = verify_relocations_begin(image);
    struct verify_relocation relocation;
    *sites = new_bits(judged, image);
    if (!*sites)
        return false;
    while (verify_relocations_next(&reader, &relocation)) {
        judged->verdict->step_count++;
        set_bit(image, *sites, relocation.rva);
    }
    return true;
}

static bool read_written(struct map_search *search)
{
    const struct verify_image *image = &search->judged->old_image;
    const struct verify_range_list *written = &search->old_tables->written;
    search->old_written = new_bits(search->judged, image);
    if (!search->old_written)
        return false;
    for (size_t i = 0; i < written->count; i++)
        for (uint64_t rva = written->items[i].rva;
             rva < written->items[i].end_rva && rva < image->image_nbytes; rva++) {
            search->judged->verdict->step_count++;
            set_bit(image, search->old_written, (uint32_t)rva);
        }
    return true;
}

bool map_read_sites(struct map_search *search)
{
    return read_written(search) &&
           read_sites(search->judged, &search->judged->old_image, &search->old_sites) &&
           read_sites(search->judged, &search->judged->new_image, &search->new_sites);
}

bool map_has_site(const struct verify_image *image, uint8_t *const *sites, uint64_t rva)
{
    const struct verify_section *section = rva > UINT32_MAX ? NULL : verify_section_at(image, (uint32_t)rva);
    uint32_t at = section ? (uint32_t)rva - section->rva : 0;
    return section && at < section->bytes.nbytes && (sites[section->index][at / 8] >> (at % 8) & 1);
}

/* The begin of the relocated field that holds rva of the old image, in the raw data of a section; UINT64_MAX
 * when none does. */
static uint64_t site_around(const struct map_search *search, const struct verify_section *section,
                            uint64_t rva)
{
    const struct verify_image *image = &search->judged->old_image;
    unsigned width_nbytes = image->is_64 ? 8 : 4;
    uint32_t at = (uint32_t)rva - section->rva;
    if (image->is_ordered && at >= 7) {
        /* Mostly there is none among eight bytes, which have their bits in one byte or two. */
        const uint8_t *bits = search->old_sites[section->index];
        if ((bits[at / 8] | bits[(at - 7) / 8]) == 0)
            return UINT64_MAX;
    }
    for (unsigned i = 0; i < width_nbytes && i <= rva; i++)
        if (map_has_site(image, search->old_sites, rva - i))
            return rva - i;
    return UINT64_MAX;
}

/* The base relocations are written anew: their bytes say nothing. */
static bool is_rebuilt(const struct verify_image *image, uint64_t rva)
{
    return image->directory_count > DIR_BASERELOC && rva >= image->directories[DIR_BASERELOC].rva &&
           rva - image->directories[DIR_BASERELOC].rva < image->directories[DIR_BASERELOC].nbytes;
}

static bool is_padding(const struct verify_section *section, uint32_t at)
{
    if (at >= section->bytes.nbytes || section->bytes.bytes[at] == 0)
        return true;
    return section->bytes.bytes[at] == FILL && (section->characteristics & SCN_MEM_EXECUTE);
}

uint32_t map_content_nbytes(const struct verify_section *section)
{
    uint32_t nbytes = section->memory_nbytes;
    if (section->virtual_nbytes == 0)
        return nbytes;
    while (nbytes > section->virtual_nbytes && is_padding(section, nbytes - 1))
        nbytes--;
    return nbytes;
}

/* What begins behind data that left it: most of it is still executable. */
static bool is_mostly_code(const struct verify_image *image, uint32_t first_rva, uint32_t last_rva)
{
    uint64_t code_nbytes = 0;
    for (uint32_t i = 0; i < image->section_count; i++) {
        const struct verify_section *section = &image->sections[i];
        uint64_t rva = section->rva > first_rva ? section->rva : first_rva;
        uint64_t end_rva = (uint64_t)section->rva + section->memory_nbytes;
        end_rva = end_rva <= last_rva ? end_rva : (uint64_t)last_rva + 1;
        if ((section->characteristics & SCN_MEM_EXECUTE) && rva < end_rva)
            code_nbytes += end_rva - rva;
    }
    return code_nbytes > ((uint64_t)last_rva - first_rva) / 2;
}

/* It stays, and gave up executing for writing. */
static bool is_now_data(const struct verify_section *section, const struct verify_section *now)
{
    return now->rva == section->rva && verify_gave_up_execute(section, now);
}

/* Code stays executable; what is only written is not written elsewhere. An executable section may have left
 * its data elsewhere, and begin later or end earlier. */
static bool rights_fit(const struct map_search *search, const struct verify_section *section, int64_t first,
                       int64_t last)
{
    const struct verify_image *image = &search->judged->new_image;
    uint32_t needed = section->characteristics & (SCN_MEM_EXECUTE | SCN_MEM_WRITE);
    if (first < 0 || last > UINT32_MAX)
        return false;
    const struct verify_section *at_first = verify_section_at(image, (uint32_t)first);
    if (needed & SCN_MEM_EXECUTE)
        return at_first && ((at_first->characteristics & SCN_MEM_EXECUTE) || is_now_data(section, at_first) ||
                            is_mostly_code(image, (uint32_t)first, (uint32_t)last));
    return at_first && verify_section_at(image, (uint32_t)last) &&
           (needed != SCN_MEM_WRITE || (at_first->characteristics & SCN_MEM_WRITE));
}

uint64_t map_cost(const struct evidence *found)
{
    return found->fits ? (uint64_t)found->mismatch_count * 4 + (uint64_t)found->gone_count * 3 : UINT64_MAX;
}

/* One byte of the new image; *at is the section of the byte before, which mostly has this one too. */
static bool new_byte_at(const struct verify_image *image, uint64_t rva, const struct verify_section **at,
                        uint8_t *byte)
{
    if (!*at || rva < (*at)->rva || rva - (*at)->rva >= (*at)->memory_nbytes)
        *at = rva > UINT32_MAX ? NULL : verify_section_at(image, (uint32_t)rva);
    if (!*at)
        return false;
    uint64_t offset = rva - (*at)->rva;
    *byte = offset < (*at)->bytes.nbytes ? (*at)->bytes.bytes[offset] : 0;
    return true;
}

struct evidence map_evidence(const struct map_search *search, const struct verify_section *section,
                             uint64_t rva, uint64_t end_rva, int64_t delta, uint64_t limit_cost)
{
    struct evidence found = {0}, slots = {0};
    const struct verify_image *old_image = &search->judged->old_image,
                              *new_image = &search->judged->new_image;
    uint64_t raw_end_rva = (uint64_t)section->rva + section->bytes.nbytes;
    if (!rights_fit(search, section, (int64_t)rva + delta, (int64_t)end_rva - 1 + delta))
        return found;
    found.fits = true;
    end_rva = end_rva < raw_end_rva ? end_rva : raw_end_rva;
    uint64_t step = rva < end_rva ? (end_rva - rva) / SAMPLE_COUNT + 1 : 1;
    const struct verify_section *new_section = NULL;
    for (; rva < end_rva && map_cost(&found) <= limit_cost; rva += step) {
        uint8_t old_byte = section->bytes.bytes[rva - section->rva], new_byte = 0;
        bool is_alike = new_byte_at(new_image, (uint64_t)((int64_t)rva + delta), &new_section, &new_byte) &&
                        new_byte == old_byte;
        /* What left an executable section is not looked for in its place. */
        bool is_elsewhere = new_section && !is_now_data(section, new_section) &&
                            (section->characteristics & ~new_section->characteristics & SCN_MEM_EXECUTE);
        search->judged->verdict->step_count++;
        if ((is_alike && old_byte == 0) || is_rebuilt(old_image, rva))
            continue;
        /* What the loader writes has a place of its own (map_place_slots); where its section went, the rest
         * of it says. */
        uint32_t at = (uint32_t)rva - section->rva;
        bool is_slot = (search->old_written[section->index][at / 8] >> (at % 8) & 1) != 0;
        struct evidence *counts = is_slot ? &slots : &found;
        if (is_elsewhere) {
            counts->mismatch_count++;
            continue;
        }
        uint64_t site_rva = site_around(search, section, rva);
        bool is_site = site_rva != UINT64_MAX &&
                       map_has_site(new_image, search->new_sites, (uint64_t)((int64_t)site_rva + delta));
        if (is_site || (is_alike && site_rva == UINT64_MAX))
            counts->match_count += is_site || (old_byte != 0 && old_byte != FILL);
        else if (new_byte == FILL && (section->characteristics & SCN_MEM_EXECUTE))
            counts->gone_count++;
        else
            counts->mismatch_count++;
    }
    if (found.match_count == 0 && found.mismatch_count == 0 && found.gone_count == 0) {
        slots.fits = true;
        return slots; /* nothing else is in it */
    }
    return found;
}
