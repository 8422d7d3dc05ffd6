/* verify_inventory.c - exports, resources, debug and TLS data of the old image; imports are next door.
 * Takes: struct verify_moves.  Gives: their fields.  Must not: walk more entries than the budget has.
 * Source: PE format. */
#include "verify/verify_inventory_internal.h"
#include "verify/verify_repairs.h"
#include "verify/verify_tail.h"

static bool collect_exports(struct verify_moves *moves)
{
    struct verify_directory directory = inventory_directory(moves, DIR_EXPORT);
    uint32_t functions_rva, names_rva, ordinals_rva, function_count, name_count;
    if (directory.rva == 0)
        return true;
    if (!inventory_read_u32(moves, directory.rva + EXPORT_ADDRESS_OF_FUNCTIONS, &functions_rva,
                            "The export directory") ||
        !inventory_read_u32(moves, directory.rva + EXPORT_ADDRESS_OF_NAMES, &names_rva,
                            "The export directory") ||
        !inventory_read_u32(moves, directory.rva + EXPORT_ADDRESS_OF_NAME_ORDINALS, &ordinals_rva,
                            "The export directory") ||
        !inventory_read_u32(moves, directory.rva + EXPORT_NUMBER_OF_FUNCTIONS, &function_count,
                            "The export directory") ||
        !inventory_read_u32(moves, directory.rva + EXPORT_NUMBER_OF_NAMES, &name_count,
                            "The export directory"))
        return false;
    const struct verify_piece *first = verify_piece_at(&moves->map, directory.rva);
    if (!first || directory.nbytes == 0 || first->end_rva - directory.rva < directory.nbytes)
        return verify_moves_unproved(moves, directory.rva, "The export directory is not in one piece.");
    if (!verify_moves_rva(moves, directory.rva + EXPORT_NAME, false, "the name of the exporting image") ||
        !inventory_text(moves, directory.rva + EXPORT_NAME, 0) ||
        !verify_moves_rva(moves, directory.rva + EXPORT_ADDRESS_OF_FUNCTIONS, false, "the export table") ||
        !verify_moves_rva(moves, directory.rva + EXPORT_ADDRESS_OF_NAMES, false, "the export name table") ||
        !verify_moves_rva(moves, directory.rva + EXPORT_ADDRESS_OF_NAME_ORDINALS, false,
                          "the export ordinal table") ||
        !verify_moves_inert(moves, directory.rva, directory.nbytes, "exports") ||
        !verify_moves_table(moves, functions_rva, (uint64_t)function_count * 4, "exports") ||
        !verify_moves_table(moves, names_rva, (uint64_t)name_count * 4, "exports") ||
        !verify_moves_table(moves, ordinals_rva, (uint64_t)name_count * 2, "exports"))
        return false;
    for (uint32_t i = 0; i < function_count; i++) {
        uint64_t entry_rva = functions_rva + (uint64_t)i * 4;
        uint32_t stub_rva;
        bool is_wrapped = verify_stub_of_export(moves, entry_rva, &stub_rva);
        if (is_wrapped ? !verify_moves_field(moves, entry_rva, 4, stub_rva, "the exported DllInitialize")
                       : !verify_moves_rva(moves, entry_rva, false, "an exported address"))
            return false;
        uint32_t export_rva;
        bool is_forwarder = inventory_peek_u32(moves, entry_rva, &export_rva) &&
                            export_rva >= directory.rva && export_rva - directory.rva < directory.nbytes;
        if (is_forwarder && !inventory_text(moves, entry_rva, 0))
            return false;
    }
    for (uint32_t i = 0; i < name_count; i++)
        if (!verify_moves_rva(moves, names_rva + (uint64_t)i * 4, false, "the name of an export") ||
            !inventory_text(moves, names_rva + (uint64_t)i * 4, 0))
            return false;
    return true;
}

static bool collect_resource_data(struct verify_moves *moves, uint64_t leaf_rva)
{
    uint32_t data_rva, nbytes;
    return inventory_read_u32(moves, leaf_rva + RESOURCE_DATA_RVA, &data_rva, "A resource") &&
           inventory_read_u32(moves, leaf_rva + RESOURCE_DATA_SIZE, &nbytes, "A resource") &&
           verify_moves_rva(moves, leaf_rva + RESOURCE_DATA_RVA, false, "a resource") &&
           verify_moves_whole(moves, data_rva, nbytes, "a resource");
}

/* Places in resources are counted from their root: what lies there moves as that does. */
static bool collect_resource_part(struct verify_moves *moves, uint64_t root_rva, uint64_t at, uint64_t nbytes)
{
    const struct verify_piece *root = verify_piece_at(&moves->map, root_rva);
    const struct verify_piece *part = verify_piece_at(&moves->map, root_rva + at);
    if (root && part && root->delta != part->delta)
        return verify_moves_unproved(moves, (uint32_t)(root_rva + at),
                                     "The resources at RVA 0x%llX would be torn apart at RVA 0x%llX.",
                                     (unsigned long long)root_rva, (unsigned long long)(root_rva + at));
    return verify_moves_whole(moves, root_rva + at, nbytes, "resources");
}

/* The name, in 16-bit units behind their number, when the entry has one. */
static bool collect_resource_name(struct verify_moves *moves, uint64_t root_rva, uint32_t name)
{
    uint64_t at = name & ~RESOURCE_HIGH_BIT, unit_count;
    return !(name & RESOURCE_HIGH_BIT) ||
           !verify_read_at(&moves->judged->old_image, root_rva + at, 2, &unit_count) ||
           collect_resource_part(moves, root_rva, at, 2 + 2 * unit_count);
}

/* Directories are walked depth first; three levels are what exists, more are not read. */
static bool collect_resource_level(struct verify_moves *moves, uint32_t root_rva, uint32_t at, unsigned depth)
{
    struct span directory = verify_bytes_at(&moves->judged->old_image, (uint64_t)root_rva + at);
    if (directory.nbytes < RESOURCE_DIRECTORY_NBYTES || depth > 8)
        return verify_moves_unproved(moves, root_rva, "The resources cannot be read.");
    uint32_t count = (uint32_t)load_u16(directory.bytes + RESOURCE_NUMBER_OF_NAMED) +
                     load_u16(directory.bytes + RESOURCE_NUMBER_OF_IDS);
    if (!range_fits(directory.nbytes, RESOURCE_DIRECTORY_NBYTES, (uint64_t)count * RESOURCE_ENTRY_NBYTES))
        return verify_moves_unproved(moves, root_rva, "The resources run past their section.");
    if (!collect_resource_part(moves, root_rva, at,
                               RESOURCE_DIRECTORY_NBYTES + (uint64_t)count * RESOURCE_ENTRY_NBYTES))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *entry =
            directory.bytes + RESOURCE_DIRECTORY_NBYTES + (size_t)i * RESOURCE_ENTRY_NBYTES;
        uint32_t offset = load_u32(entry + RESOURCE_ENTRY_OFFSET);
        if (!inventory_take(moves, root_rva) ||
            !collect_resource_name(moves, root_rva, load_u32(entry + RESOURCE_ENTRY_NAME)))
            return false;
        if (offset & RESOURCE_HIGH_BIT) {
            if (!collect_resource_level(moves, root_rva, offset & ~RESOURCE_HIGH_BIT, depth + 1))
                return false;
        } else if (!collect_resource_part(moves, root_rva, offset, RESOURCE_DATA_ENTRY_NBYTES) ||
                   !collect_resource_data(moves, (uint64_t)root_rva + offset))
            return false;
    }
    return true;
}

static bool collect_resources(struct verify_moves *moves)
{
    struct verify_directory directory = inventory_directory(moves, DIR_RESOURCE);
    return directory.rva == 0 || (verify_moves_inert(moves, directory.rva, directory.nbytes, "resources") &&
                                  collect_resource_level(moves, directory.rva, 0, 0));
}

/* {signature; {RVA, size, name padded to 4}...} */
static bool collect_pogo(struct verify_moves *moves, uint32_t rva, uint32_t nbytes)
{
    struct span bytes = verify_bytes_at(&moves->judged->old_image, rva);
    if (bytes.nbytes > nbytes)
        bytes.nbytes = nbytes;
    for (size_t at = POGO_SIGNATURE_NBYTES; range_fits(bytes.nbytes, at, POGO_ENTRY_HEADER_NBYTES);) {
        uint32_t begin = load_u32(bytes.bytes + at), size = load_u32(bytes.bytes + at + 4);
        size_t length;
        if (begin == 0 && size == 0)
            break;
        if (!span_cstr(bytes, at + POGO_ENTRY_HEADER_NBYTES, bytes.nbytes, &length))
            return verify_moves_unproved(moves, rva, "The debug data (POGO) at RVA 0x%X cannot be read.",
                                         (unsigned)rva);
        bool is_end = verify_piece_at(&moves->map, begin) == NULL;
        if (!verify_moves_rva(moves, (uint64_t)rva + at, is_end, "a range in debug data (POGO)"))
            return false;
        at += (POGO_ENTRY_HEADER_NBYTES + length + 1 + 3) / 4 * 4;
    }
    return true;
}

/* The bytes at rva lie in the file one behind the other, though sections may have been cut between them. */
static bool is_whole_in_file(const struct verify_image *image, uint64_t rva, uint32_t nbytes, uint64_t *foff)
{
    if (!verify_rva_to_foff(image, rva, 1, foff) && nbytes != 0)
        return false;
    for (uint64_t at = 0; at < nbytes;) {
        struct span bytes = verify_bytes_at(image, rva + at);
        if (bytes.nbytes == 0 || (uint64_t)(bytes.bytes - image->file.bytes) != *foff + at)
            return false;
        at += bytes.nbytes;
    }
    return true;
}

static bool collect_debug_entry(struct verify_moves *moves, uint64_t at_rva)
{
    const struct verify_image *old_image = &moves->judged->old_image, *new_image = &moves->judged->new_image;
    uint32_t type, nbytes, rva, foff;
    if (!inventory_read_u32(moves, at_rva + DEBUG_TYPE, &type, "A debug entry") ||
        !inventory_read_u32(moves, at_rva + DEBUG_SIZE_OF_DATA, &nbytes, "A debug entry") ||
        !inventory_read_u32(moves, at_rva + DEBUG_ADDRESS_OF_RAW_DATA, &rva, "A debug entry") ||
        !inventory_read_u32(moves, at_rva + DEBUG_POINTER_TO_RAW_DATA, &foff, "A debug entry") ||
        !verify_moves_rva(moves, at_rva + DEBUG_ADDRESS_OF_RAW_DATA, false, "the place of debug data"))
        return false;
    uint32_t data_rva = rva != 0 || foff == 0 ? rva : verify_foff_to_rva(old_image, foff);
    if (data_rva == UINT32_MAX)
        return verify_unmapped_debug(moves, at_rva, foff, nbytes);
    const struct verify_piece *piece = verify_piece_at(&moves->map, data_rva);
    uint64_t new_foff = 0;
    if (foff != 0 && (!piece || !is_whole_in_file(new_image, (uint64_t)((int64_t)data_rva + piece->delta),
                                                  nbytes, &new_foff)))
        return verify_moves_unproved(moves, (uint32_t)at_rva,
                                     "The data of the debug entry at RVA 0x%llX cannot be found.",
                                     (unsigned long long)at_rva);
    if (!verify_moves_field(moves, at_rva + DEBUG_POINTER_TO_RAW_DATA, 4, new_foff,
                            "the file offset of debug data") ||
        !verify_moves_table(moves, data_rva, nbytes, "debug data"))
        return false;
    if (type == DEBUG_TYPE_POGO)
        return collect_pogo(moves, data_rva, nbytes);
    if (type == DEBUG_TYPE_FPO) {
        for (uint32_t at = 0; range_fits(nbytes, at, FPO_ENTRY_NBYTES); at += FPO_ENTRY_NBYTES)
            if (!verify_moves_rva(moves, (uint64_t)data_rva + at, false, "debug data (FPO)"))
                return false;
        return true;
    }
    bool holds_rvas = type == DEBUG_TYPE_COFF || type == DEBUG_TYPE_EXCEPTION || type == DEBUG_TYPE_FIXUP ||
                      type == DEBUG_TYPE_OMAP_TO_SRC || type == DEBUG_TYPE_OMAP_FROM_SRC ||
                      type == DEBUG_TYPE_BORLAND || type == 10;
    return !holds_rvas || nbytes == 0 ||
           verify_moves_unproved(moves, (uint32_t)at_rva, "Debug data of type %u are not read here.",
                                 (unsigned)type);
}

static bool collect_debug(struct verify_moves *moves)
{
    struct verify_directory directory = inventory_directory(moves, DIR_DEBUG);
    if (directory.rva == 0)
        return true;
    if (!verify_moves_table(moves, directory.rva, directory.nbytes, "the debug directory"))
        return false;
    for (uint32_t at = 0; range_fits(directory.nbytes, at, DEBUG_ENTRY_NBYTES); at += DEBUG_ENTRY_NBYTES)
        if (!inventory_take(moves, directory.rva) ||
            !collect_debug_entry(moves, (uint64_t)directory.rva + at))
            return false;
    return true;
}

/* The fields of the TLS directory are addresses; start and end bound a range. */
static bool collect_tls(struct verify_moves *moves)
{
    const struct verify_image *image = &moves->judged->old_image;
    struct verify_directory directory = inventory_directory(moves, DIR_TLS);
    unsigned width_nbytes = image->is_64 ? 8 : 4;
    uint64_t start_va, end_va;
    if (directory.rva == 0)
        return true;
    if (!verify_read_at(image, directory.rva, width_nbytes, &start_va) ||
        !verify_read_at(image, (uint64_t)directory.rva + width_nbytes, width_nbytes, &end_va))
        return verify_moves_unproved(moves, directory.rva, "The TLS directory cannot be read.");
    if (!verify_moves_table(moves, directory.rva, width_nbytes * 4 + 8, "the TLS directory"))
        return false;
    if (end_va <= start_va || end_va == 0)
        return true;
    const struct verify_piece *first = verify_piece_at(&moves->map, start_va - image->base_va);
    const struct verify_piece *last = verify_piece_at(&moves->map, end_va - image->base_va - 1);
    if (!first || first != last)
        return verify_moves_unproved(moves, directory.rva, "The TLS template is not in one piece.");
    return verify_moves_field(moves, directory.rva, width_nbytes, start_va + (uint64_t)first->delta,
                              "the start of the TLS template") &&
           verify_moves_field(moves, (uint64_t)directory.rva + width_nbytes, width_nbytes,
                              end_va + (uint64_t)first->delta, "the end of the TLS template");
}

bool verify_inventory_tables(struct verify_moves *moves)
{
    if (inventory_directory(moves, DIR_CLR).rva != 0 ||
        inventory_directory(moves, DIR_ARCHITECTURE).rva != 0 ||
        inventory_directory(moves, DIR_GLOBALPTR).rva != 0 ||
        inventory_directory(moves, DIR_RESERVED).rva != 0)
        return verify_moves_unproved(moves, UINT32_MAX,
                                     "The old image is managed or has a directory that is not read here.");
    return collect_exports(moves) && inventory_imports(moves) && inventory_delay_imports(moves) &&
           collect_resources(moves) && collect_debug(moves) && collect_tls(moves);
}
