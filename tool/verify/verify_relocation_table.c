/* verify_relocation_table.c - the base relocation table of the new image.
 * Takes: the relocations that it must have.  Gives: nothing, or a counter-example.
 * Must not: accept a duplicate, two blocks for one page, or bytes that relocate nothing. */
#include "verify/verify_relocated.h"

/* A block header that loaders judge by itself, whatever is in the block. */
static bool block_is_plain(struct verify_case *judged, uint32_t rva, uint32_t page_rva, int64_t last_page_rva,
                           bool has_relocation)
{
    return (page_rva % PAGE_NBYTES == 0 && (int64_t)page_rva > last_page_rva && has_relocation &&
            page_rva < judged->new_image.image_nbytes) ||
           verify_refute(
               judged, verify_spot_rva(judged, rva),
               "The new image's relocation block for RVA 0x%X is empty, out of order or outside the "
               "image.",
               (unsigned)page_rva);
}

/* Padding in the new table: one zero entry at the end of a block, for alignment. */
bool verify_relocations_are_plain(struct verify_case *judged)
{
    const struct verify_image *image = &judged->new_image;
    if (!verify_has_relocations(image))
        return true;
    struct verify_directory directory = image->directories[DIR_BASERELOC];
    struct span table = verify_bytes_at(image, directory.rva);
    uint64_t at = 0;
    uint32_t block_nbytes;
    int64_t last_page_rva = -1;
    if (table.nbytes > directory.nbytes)
        table.nbytes = directory.nbytes;
    while (span_u32(table, at + BASERELOC_BLOCK_SIZE, &block_nbytes) &&
           block_nbytes >= BASERELOC_BLOCK_HEADER_NBYTES && range_fits(table.nbytes, at, block_nbytes)) {
        uint32_t page_rva = load_u32(table.bytes + at + BASERELOC_PAGE_RVA);
        bool has_relocation = at == 0 && block_nbytes == directory.nbytes; /* nothing to relocate */
        for (uint64_t k = BASERELOC_BLOCK_HEADER_NBYTES; k + 2 <= block_nbytes; k += BASERELOC_ENTRY_NBYTES) {
            uint16_t entry = load_u16(table.bytes + at + k);
            has_relocation = has_relocation || entry >> 12 != BASERELOC_ABSOLUTE;
            judged->verdict->step_count++;
            if (entry >> 12 == BASERELOC_ABSOLUTE && (entry != 0 || k + 2 != block_nbytes))
                return verify_refute(
                    judged, verify_spot_rva(judged, (uint32_t)(directory.rva + at + k)),
                    "The new base relocations have an entry 0x%04X of type 0 that pads nothing.", entry);
        }
        if (!block_is_plain(judged, (uint32_t)(directory.rva + at), page_rva, last_page_rva, has_relocation))
            return false;
        last_page_rva = page_rva;
        at += block_nbytes;
    }
    /* The loader takes blocks until the size is used up: what is left over would be one of size 0. */
    return at == directory.nbytes ||
           verify_refute(judged, verify_spot_rva(judged, (uint32_t)(directory.rva + at)),
                         "The new base relocations end at RVA 0x%llX, but their directory goes on.",
                         (unsigned long long)directory.rva + at);
}

bool verify_relocations_are(struct verify_moves *moves, const struct verify_site *sites, size_t count)
{
    struct verify_case *judged = moves->judged;
    struct verify_relocation_reader reader = verify_relocations_begin(&judged->new_image);
    struct verify_relocation relocation;
    size_t i = 0;
    int64_t page_rva = -1;
    uint64_t block_foff = UINT64_MAX;
    while (verify_relocations_next(&reader, &relocation)) {
        struct verify_spot spot = {false, relocation.entry_foff, relocation.rva};
        judged->verdict->step_count++;
        if (reader.table_foff != block_foff) {
            if ((int64_t)reader.page_rva <= page_rva || reader.page_rva % PAGE_NBYTES != 0 ||
                reader.block_nbytes % 4 != 0)
                return verify_refute(
                    judged, spot,
                    "The new image's relocation block for RVA 0x%X is not the only one of its "
                    "page, out of order or not aligned.",
                    (unsigned)reader.page_rva);
            page_rva = reader.page_rva;
            block_foff = reader.table_foff;
        }
        if (i < count && sites[i].rva == relocation.rva && sites[i].type == relocation.type) {
            i++;
            continue;
        }
        if (i < count && sites[i].rva <= relocation.rva)
            break;
        return verify_refute(
            judged, spot,
            "The new image has a base relocation of type %u at RVA 0x%X that the old one does "
            "not have there.",
            relocation.type, (unsigned)relocation.rva);
    }
    if (reader.problem)
        return verify_refute(judged, verify_spot_foff(judged, reader.problem_foff), "In the new image %s.",
                             reader.problem);
    if (i < count && sites[i].old_rva == UINT32_MAX)
        return verify_refute(judged, verify_spot_rva(judged, sites[i].rva),
                             "The address at RVA 0x%X, in a start-up stub of the new image, has no base "
                             "relocation.",
                             (unsigned)sites[i].rva);
    if (i < count)
        return verify_refute(
            judged, (struct verify_spot){true, UINT64_MAX, sites[i].old_rva},
            "The base relocation of type %u at RVA 0x%X of the old image is missing in the new "
            "one, at RVA 0x%X.",
            sites[i].type, (unsigned)sites[i].old_rva, (unsigned)sites[i].rva);
    return true;
}
