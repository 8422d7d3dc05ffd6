/* verify_inventory.c - exports, imports, resources, debug and TLS data of the old image.
 * Takes: struct verify_moves.  Gives: their fields.  Must not: walk more entries than the file has bytes.
 * Source: PE format. */
#include "verify/verify_inventory.h"
#include "verify/verify_repairs.h"
#include "verify/verify_tail.h"

#include <stdio.h>

enum { FAR_NBYTES = 0x100000 };

bool verify_moves_unproved(struct verify_moves *moves, uint32_t rva, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *text = arena_vprintf(moves->judged->arena, format, arguments);
    va_end(arguments);
    if (moves->judged->verdict->result != VERIFY_REFUTED)
        moves->judged->verdict->right_not_shown = moves->judged->verdict->meaning_not_shown = true;
    uint64_t foff = UINT64_MAX;
    if (rva != UINT32_MAX)
        verify_rva_to_foff(&moves->judged->old_image, rva, 1, &foff);
    return verify_refute(moves->judged, (struct verify_spot){true, foff, rva}, "%s", text);
}

bool verify_moves_field(struct verify_moves *moves, uint64_t rva, unsigned nbytes, uint64_t expected,
                        const char *what)
{
    struct verify_moved_field *grown =
        arena_grow(moves->judged->arena, moves->fields, moves->field_count, &moves->field_capacity,
                   moves->field_count + 1, sizeof *moves->fields);
    if (!grown)
        return false;
    if (nbytes < 8)
        expected &= (UINT64_C(1) << (8 * nbytes)) - 1;
    moves->fields = grown;
    moves->fields[moves->field_count++] =
        (struct verify_moved_field){(uint32_t)rva, (uint8_t)nbytes, false, expected, what};
    return true;
}

bool verify_moves_inert(struct verify_moves *moves, uint64_t rva, uint64_t nbytes, const char *what)
{
    struct verify_range_list *list = &moves->inert;
    struct verify_range *items = arena_grow(moves->judged->arena, list->items, list->count, &list->capacity,
                                            list->count + 1, sizeof *list->items);
    if (!items)
        return false;
    list->items = items;
    list->items[list->count++] = (struct verify_range){rva, rva + nbytes, what};
    return true;
}

bool verify_inert_join(struct verify_moves *moves)
{
    const struct verify_range_list *typed = &moves->old_tables.typed;
    for (size_t i = 0; i < typed->count; i++)
        if (!verify_moves_inert(moves, typed->items[i].rva, typed->items[i].end_rva - typed->items[i].rva,
                                typed->items[i].what))
            return false;
    verify_ranges_merge(&moves->inert);
    return true;
}

static bool take_budget(struct verify_moves *moves, uint64_t rva)
{
    moves->judged->verdict->step_count++;
    if (moves->budget_count == 0)
        return verify_moves_unproved(moves, (uint32_t)rva, "The tables at RVA 0x%llX have no end.",
                                     (unsigned long long)rva);
    moves->budget_count--;
    return true;
}

static bool read_u32(struct verify_moves *moves, uint64_t rva, uint32_t *value, const char *what)
{
    uint64_t read;
    *value = 0;
    if (!verify_read_at(&moves->judged->old_image, rva, 4, &read))
        return verify_moves_unproved(moves, (uint32_t)rva, "%s at RVA 0x%llX cannot be read.", what,
                                     (unsigned long long)rva);
    *value = (uint32_t)read;
    return true;
}

bool verify_moves_rva(struct verify_moves *moves, uint64_t rva, bool is_end, const char *what)
{
    uint32_t value;
    if (!take_budget(moves, rva) || !read_u32(moves, rva, &value, what))
        return false;
    if (value == 0)
        return verify_moves_field(moves, rva, 4, 0, what);
    const struct verify_piece *piece = verify_piece_at(&moves->map, is_end ? value - 1u : value);
    if (!piece && is_end) /* padding behind the last content */
        piece = verify_piece_before(&moves->map, value - 1u);
    /* What lies far behind both images, such as an absolute symbol, is no address in either. */
    const struct verify_image *a = &moves->judged->old_image, *b = &moves->judged->new_image;
    uint64_t end_rva = a->image_nbytes > b->image_nbytes ? a->image_nbytes : b->image_nbytes;
    if (!piece && !is_end && value >= end_rva + FAR_NBYTES)
        return verify_moves_field(moves, rva, 4, value, what);
    if (!piece)
        return verify_moves_unproved(moves, (uint32_t)rva,
                                     "%s at RVA 0x%llX leads to RVA 0x%X, which no section holds.", what,
                                     (unsigned long long)rva, (unsigned)value);
    return verify_moves_field(moves, rva, 4, (uint64_t)((int64_t)value + piece->delta), what);
}

static struct verify_directory directory_of(const struct verify_moves *moves, uint32_t index)
{
    const struct verify_image *image = &moves->judged->old_image;
    return index < image->directory_count ? image->directories[index] : (struct verify_directory){0, 0};
}

/* A text at the place that the RVA at field_rva leads to. */
static bool text_is_inert(struct verify_moves *moves, uint64_t field_rva, uint32_t skipped_nbytes)
{
    uint64_t rva;
    size_t length;
    if (!verify_read_at(&moves->judged->old_image, field_rva, 4, &rva))
        return true;
    struct span bytes = verify_bytes_at(&moves->judged->old_image, rva);
    if (!span_cstr(bytes, skipped_nbytes, 4096, &length))
        return true;
    moves->judged->verdict->step_count += length;
    return verify_moves_inert(moves, rva, skipped_nbytes + length + 1, "a name");
}

static bool collect_exports(struct verify_moves *moves)
{
    struct verify_directory directory = directory_of(moves, DIR_EXPORT);
    uint32_t functions_rva, names_rva, ordinals_rva, function_count, name_count;
    if (directory.rva == 0)
        return true;
    if (!read_u32(moves, directory.rva + EXPORT_ADDRESS_OF_FUNCTIONS, &functions_rva,
                  "The export directory") ||
        !read_u32(moves, directory.rva + EXPORT_ADDRESS_OF_NAMES, &names_rva, "The export directory") ||
        !read_u32(moves, directory.rva + EXPORT_ADDRESS_OF_NAME_ORDINALS, &ordinals_rva,
                  "The export directory") ||
        !read_u32(moves, directory.rva + EXPORT_NUMBER_OF_FUNCTIONS, &function_count,
                  "The export directory") ||
        !read_u32(moves, directory.rva + EXPORT_NUMBER_OF_NAMES, &name_count, "The export directory"))
        return false;
    const struct verify_piece *first = verify_piece_at(&moves->map, directory.rva);
    if (!first || directory.nbytes == 0 || first->end_rva - directory.rva < directory.nbytes)
        return verify_moves_unproved(moves, directory.rva, "The export directory is not in one piece.");
    if (!verify_moves_rva(moves, directory.rva + EXPORT_NAME, false, "the name of the exporting image") ||
        !verify_moves_rva(moves, directory.rva + EXPORT_ADDRESS_OF_FUNCTIONS, false, "the export table") ||
        !verify_moves_rva(moves, directory.rva + EXPORT_ADDRESS_OF_NAMES, false, "the export name table") ||
        !verify_moves_rva(moves, directory.rva + EXPORT_ADDRESS_OF_NAME_ORDINALS, false,
                          "the export ordinal table") ||
        !verify_moves_inert(moves, directory.rva, directory.nbytes, "exports") ||
        !verify_moves_inert(moves, functions_rva, (uint64_t)function_count * 4, "exports") ||
        !verify_moves_inert(moves, names_rva, (uint64_t)name_count * 4, "exports") ||
        !verify_moves_inert(moves, ordinals_rva, (uint64_t)name_count * 2, "exports"))
        return false;
    for (uint32_t i = 0; i < function_count; i++) {
        uint64_t entry_rva = functions_rva + (uint64_t)i * 4;
        uint32_t stub_rva;
        bool is_wrapped = verify_stub_of_export(moves, entry_rva, &stub_rva);
        if (is_wrapped ? !verify_moves_field(moves, entry_rva, 4, stub_rva, "the exported DllInitialize")
                       : !verify_moves_rva(moves, entry_rva, false, "an exported address"))
            return false;
    }
    for (uint32_t i = 0; i < name_count; i++)
        if (!verify_moves_rva(moves, names_rva + (uint64_t)i * 4, false, "the name of an export") ||
            !text_is_inert(moves, names_rva + (uint64_t)i * 4, 0))
            return false;
    return true;
}

/* Entries by name hold RVAs, in the lookup table and, unless bound, in the IAT. At most *slot_count of them,
 * or up to the zero that ends them; *slot_count becomes the number before that. The IAT has as many as the
 * lookup table, whatever they hold. */
static bool collect_thunks(struct verify_moves *moves, uint64_t rva, uint64_t *slot_count, const char *what)
{
    const struct verify_image *image = &moves->judged->old_image;
    unsigned width_nbytes = image->is_64 ? 8 : 4;
    uint64_t ordinal_flag = image->is_64 ? IMPORT_ORDINAL_FLAG_64 : IMPORT_ORDINAL_FLAG_32;
    bool is_counted = *slot_count != UINT64_MAX;
    uint64_t value, first_rva = rva;
    for (uint64_t slot = 0;; slot++, rva += width_nbytes) {
        if (!take_budget(moves, rva))
            return false;
        if (!verify_read_at(image, rva, width_nbytes, &value))
            return verify_moves_unproved(moves, (uint32_t)rva, "%s at RVA 0x%llX cannot be read.", what,
                                         (unsigned long long)rva);
        if (is_counted ? slot == *slot_count : value == 0) {
            *slot_count = slot;
            return verify_moves_inert(moves, first_rva, rva + width_nbytes - first_rva, what);
        }
        if (value == 0 || (value & ordinal_flag))
            continue;
        if (value > UINT32_MAX)
            return verify_moves_unproved(moves, (uint32_t)rva, "%s at RVA 0x%llX is bound.", what,
                                         (unsigned long long)rva);
        if (!verify_moves_rva(moves, rva, false, what) || !text_is_inert(moves, rva, 2))
            return false;
    }
}

/* Slots that hold addresses in other images, as once found: in the new image they repeat the lookup table,
 * and the descriptor says that nothing is bound. */
static bool collect_bound_slots(struct verify_moves *moves, uint64_t at_rva, uint32_t names_rva,
                                uint32_t slots_rva)
{
    const struct verify_image *image = &moves->judged->old_image;
    unsigned width_nbytes = image->is_64 ? 8 : 4;
    uint64_t ordinal_flag = image->is_64 ? IMPORT_ORDINAL_FLAG_64 : IMPORT_ORDINAL_FLAG_32;
    if (names_rva == 0 || names_rva == slots_rva)
        return verify_moves_unproved(
            moves, (uint32_t)at_rva,
            "The import descriptor at RVA 0x%llX is bound and names no lookup table.",
            (unsigned long long)at_rva);
    for (uint64_t at = 0;; at += width_nbytes) {
        uint64_t value, slot;
        if (!take_budget(moves, names_rva + at))
            return false;
        if (!verify_read_at(image, names_rva + at, width_nbytes, &value) ||
            !verify_read_at(image, slots_rva + at, width_nbytes, &slot))
            return verify_moves_unproved(moves, slots_rva, "The bound imports at RVA 0x%X cannot be read.",
                                         (unsigned)slots_rva);
        if (value == 0)
            return verify_moves_inert(moves, slots_rva, at + width_nbytes, "import slots") &&
                   verify_moves_field(moves, at_rva + IMPORT_TIME_DATE_STAMP, 4, 0,
                                      "the stamp of a binding") &&
                   verify_moves_field(moves, at_rva + IMPORT_FORWARDER_CHAIN, 4, 0,
                                      "the forwarders of a binding");
        const struct verify_piece *piece = verify_piece_at(&moves->map, value);
        if (!(value & ordinal_flag) && (value > UINT32_MAX || !piece))
            return verify_moves_unproved(moves, (uint32_t)(names_rva + at),
                                         "The import lookup entry at RVA 0x%llX cannot be read.",
                                         (unsigned long long)names_rva + at);
        uint64_t expected = value & ordinal_flag ? value : (uint64_t)((int64_t)value + piece->delta);
        if (!verify_moves_field(moves, slots_rva + at, width_nbytes, expected, "a slot that was bound"))
            return false;
    }
}

static bool collect_imports(struct verify_moves *moves)
{
    uint64_t at_rva = directory_of(moves, DIR_IMPORT).rva;
    if (at_rva == 0)
        return true;
    for (;; at_rva += IMPORT_DESCRIPTOR_NBYTES) {
        uint32_t name_rva, names_rva, slots_rva, stamp;
        uint64_t slot_count = UINT64_MAX;
        if (!take_budget(moves, at_rva) ||
            !read_u32(moves, at_rva + IMPORT_NAME, &name_rva, "An import descriptor") ||
            !read_u32(moves, at_rva + IMPORT_ORIGINAL_FIRST_THUNK, &names_rva, "An import descriptor") ||
            !read_u32(moves, at_rva + IMPORT_TIME_DATE_STAMP, &stamp, "An import descriptor") ||
            !read_u32(moves, at_rva + IMPORT_FIRST_THUNK, &slots_rva, "An import descriptor") ||
            !verify_moves_inert(moves, at_rva, IMPORT_DESCRIPTOR_NBYTES, "an import descriptor"))
            return false;
        if (name_rva == 0)
            return true;
        if (!verify_moves_rva(moves, at_rva + IMPORT_ORIGINAL_FIRST_THUNK, false, "an import lookup table") ||
            !verify_moves_rva(moves, at_rva + IMPORT_NAME, false, "the name of an imported image") ||
            !text_is_inert(moves, at_rva + IMPORT_NAME, 0) ||
            !verify_moves_rva(moves, at_rva + IMPORT_FIRST_THUNK, false, "an import's thunk array") ||
            (names_rva != 0 && !collect_thunks(moves, names_rva, &slot_count, "an import lookup entry")) ||
            (slots_rva != 0 && stamp == 0 &&
             !collect_thunks(moves, slots_rva, &slot_count, "an IAT entry")) ||
            (stamp != 0 && !collect_bound_slots(moves, at_rva, names_rva, slots_rva)))
            return false;
    }
}

static bool collect_delay_imports(struct verify_moves *moves)
{
    static const unsigned fields_at[] = {DELAY_NAME, DELAY_MODULE_HANDLE, DELAY_IAT,
                                         DELAY_INT,  DELAY_BOUND_IAT,     DELAY_UNLOAD_IAT};
    uint64_t at_rva = directory_of(moves, DIR_DELAY_IMPORT).rva;
    if (at_rva == 0)
        return true;
    for (;; at_rva += DELAY_DESCRIPTOR_NBYTES) {
        uint32_t name_rva, attributes, names_rva;
        uint64_t slot_count = UINT64_MAX;
        if (!take_budget(moves, at_rva) ||
            !read_u32(moves, at_rva + DELAY_NAME, &name_rva, "A delay import descriptor") ||
            !read_u32(moves, at_rva + DELAY_ATTRIBUTES, &attributes, "A delay import descriptor") ||
            !read_u32(moves, at_rva + DELAY_INT, &names_rva, "A delay import descriptor") ||
            !verify_moves_inert(moves, at_rva, DELAY_DESCRIPTOR_NBYTES, "a delay import descriptor"))
            return false;
        if (name_rva == 0)
            return true;
        if (!(attributes & DELAY_ATTRIBUTE_RVA))
            return verify_moves_unproved(moves, (uint32_t)at_rva,
                                         "The delay import descriptor at RVA 0x%llX holds addresses.",
                                         (unsigned long long)at_rva);
        for (size_t i = 0; i < sizeof fields_at / sizeof fields_at[0]; i++)
            if (!verify_moves_rva(moves, at_rva + fields_at[i], false, "a delay import field"))
                return false;
        if (!text_is_inert(moves, at_rva + DELAY_NAME, 0) ||
            (names_rva != 0 && !collect_thunks(moves, names_rva, &slot_count, "a delay import name entry")))
            return false;
    }
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
    for (uint32_t i = 0; i < count; i++) {
        uint32_t offset = load_u32(directory.bytes + RESOURCE_DIRECTORY_NBYTES +
                                   (size_t)i * RESOURCE_ENTRY_NBYTES + RESOURCE_ENTRY_OFFSET);
        if (!take_budget(moves, root_rva))
            return false;
        if (offset & RESOURCE_HIGH_BIT) {
            if (!collect_resource_level(moves, root_rva, offset & ~RESOURCE_HIGH_BIT, depth + 1))
                return false;
        } else if (!verify_moves_rva(moves, (uint64_t)root_rva + offset + RESOURCE_DATA_RVA, false,
                                     "a resource"))
            return false;
    }
    return true;
}

static bool collect_resources(struct verify_moves *moves)
{
    struct verify_directory directory = directory_of(moves, DIR_RESOURCE);
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
    if (!read_u32(moves, at_rva + DEBUG_TYPE, &type, "A debug entry") ||
        !read_u32(moves, at_rva + DEBUG_SIZE_OF_DATA, &nbytes, "A debug entry") ||
        !read_u32(moves, at_rva + DEBUG_ADDRESS_OF_RAW_DATA, &rva, "A debug entry") ||
        !read_u32(moves, at_rva + DEBUG_POINTER_TO_RAW_DATA, &foff, "A debug entry") ||
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
        !verify_moves_inert(moves, data_rva, nbytes, "debug data"))
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
    struct verify_directory directory = directory_of(moves, DIR_DEBUG);
    if (directory.rva == 0)
        return true;
    if (!verify_moves_inert(moves, directory.rva, directory.nbytes, "the debug directory"))
        return false;
    for (uint32_t at = 0; range_fits(directory.nbytes, at, DEBUG_ENTRY_NBYTES); at += DEBUG_ENTRY_NBYTES)
        if (!take_budget(moves, directory.rva) || !collect_debug_entry(moves, (uint64_t)directory.rva + at))
            return false;
    return true;
}

/* The fields of the TLS directory are addresses; start and end bound a range. */
static bool collect_tls(struct verify_moves *moves)
{
    const struct verify_image *image = &moves->judged->old_image;
    struct verify_directory directory = directory_of(moves, DIR_TLS);
    unsigned width_nbytes = image->is_64 ? 8 : 4;
    uint64_t start_va, end_va;
    if (directory.rva == 0)
        return true;
    if (!verify_read_at(image, directory.rva, width_nbytes, &start_va) ||
        !verify_read_at(image, (uint64_t)directory.rva + width_nbytes, width_nbytes, &end_va))
        return verify_moves_unproved(moves, directory.rva, "The TLS directory cannot be read.");
    if (!verify_moves_inert(moves, directory.rva, width_nbytes * 4 + 8, "the TLS directory"))
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
    if (directory_of(moves, DIR_CLR).rva != 0 || directory_of(moves, DIR_ARCHITECTURE).rva != 0 ||
        directory_of(moves, DIR_GLOBALPTR).rva != 0 || directory_of(moves, DIR_RESERVED).rva != 0)
        return verify_moves_unproved(moves, UINT32_MAX,
                                     "The old image is managed or has a directory that is not read here.");
    return collect_exports(moves) && collect_imports(moves) && collect_delay_imports(moves) &&
           collect_resources(moves) && collect_debug(moves) && collect_tls(moves);
}
