/* verify_relocations.c - walks the base relocation directory for the verifier.
 * Takes: an image.  Gives: relocations in the order of the table.  Must not: accept a block whose size does
 * not fit.  Source: PE format, section .reloc. */
#include "verify/verify_relocations.h"

bool verify_has_relocations(const struct verify_image *image)
{
    return !(image->coff_characteristics & COFF_RELOCS_STRIPPED) && image->directory_count > DIR_BASERELOC &&
           image->directories[DIR_BASERELOC].rva != 0 && image->directories[DIR_BASERELOC].nbytes != 0;
}

unsigned verify_relocation_width(unsigned type)
{
    return type == BASERELOC_HIGHLOW ? 4 : type == BASERELOC_DIR64 ? 8 : 0;
}

struct verify_relocation_reader verify_relocations_begin(const struct verify_image *image)
{
    struct verify_relocation_reader reader = {.image = image};
    if (!verify_has_relocations(image))
        return reader;
    struct verify_directory directory = image->directories[DIR_BASERELOC];
    struct span bytes = verify_bytes_at(image, directory.rva);
    if (!span_part(bytes, 0, directory.nbytes, &reader.table)) {
        reader.problem = "the base relocation directory runs past its section";
        reader.problem_foff = image->directories_foff + (uint64_t)DIR_BASERELOC * DIRECTORY_ENTRY_NBYTES;
        return reader;
    }
    reader.table_foff = (uint64_t)(bytes.bytes - image->file.bytes);
    return reader;
}

static bool open_block(struct verify_relocation_reader *reader)
{
    /* Up to eight bytes of zeros are tolerated as padding behind the last block. */
    if (reader->table.nbytes <= BASERELOC_BLOCK_HEADER_NBYTES && span_is_filled(reader->table, 0))
        return false;
    uint32_t page_rva, block_nbytes;
    if (!span_u32(reader->table, BASERELOC_PAGE_RVA, &page_rva) ||
        !span_u32(reader->table, BASERELOC_BLOCK_SIZE, &block_nbytes) ||
        block_nbytes < BASERELOC_BLOCK_HEADER_NBYTES || block_nbytes % BASERELOC_ENTRY_NBYTES != 0 ||
        block_nbytes > reader->table.nbytes) {
        reader->problem = "a base relocation block has an impossible size";
        reader->problem_foff = reader->table_foff;
        return false;
    }
    reader->page_rva = page_rva;
    reader->block_nbytes = block_nbytes;
    reader->at_nbytes = BASERELOC_BLOCK_HEADER_NBYTES;
    return true;
}

bool verify_relocations_next(struct verify_relocation_reader *reader, struct verify_relocation *relocation)
{
    while (!reader->problem) {
        if (reader->block_nbytes == 0) {
            if (reader->table.nbytes == 0 || !open_block(reader))
                return false;
        }
        if (reader->at_nbytes >= reader->block_nbytes) {
            reader->table_foff += reader->block_nbytes;
            span_part(reader->table, reader->block_nbytes, reader->table.nbytes - reader->block_nbytes,
                      &reader->table);
            reader->block_nbytes = 0;
            continue;
        }
        uint16_t entry = load_u16(reader->table.bytes + reader->at_nbytes);
        relocation->entry_foff = reader->table_foff + reader->at_nbytes;
        reader->at_nbytes += BASERELOC_ENTRY_NBYTES;
        relocation->type = entry >> 12;
        relocation->rva = reader->page_rva + (entry & 0xFFFu);
        if (relocation->type == BASERELOC_HIGHADJ)
            reader->at_nbytes += BASERELOC_ENTRY_NBYTES; /* the next slot is its parameter */
        if (relocation->type != BASERELOC_ABSOLUTE)
            return true;
    }
    return false;
}

bool verify_is_always_elsewhere(const struct verify_image *image)
{
    return image->is_64 && image->base_va <= UINT32_MAX &&
           load_u16(image->file.bytes + image->opt_foff + OPT_SUBSYSTEM) == SUBSYSTEM_NATIVE &&
           !(image->coff_characteristics & COFF_RELOCS_STRIPPED);
}
