/* verify_inventory_imports.c - imports and delay imports of the old image.
 * Takes: struct verify_moves.  Gives: their fields.  Must not: walk more entries than the budget has.
 * Source: PE format. */
#include "verify/verify_inventory_internal.h"

const char verify_own_slot[] = "an import slot with a function of the image";

/* An import of an API set that a Windows may not have ("ext-ms-"): until the loader writes the slot, it holds
 * the address of what is called instead. A slot means the function at which it leads, whose code is one of
 * the sections that execute; its lookup entry says something else. */
static const struct verify_piece *own_function(const struct verify_moves *moves, uint64_t name_rva,
                                               uint64_t value)
{
    const struct verify_image *image = &moves->judged->old_image;
    uint64_t name, rva = image->is_64 ? value - image->base_va : (uint32_t)(value - image->base_va);
    const struct verify_piece *piece = rva < image->image_nbytes ? verify_piece_at(&moves->map, rva) : NULL;
    return piece && (piece->section->characteristics & SCN_MEM_EXECUTE) != 0 && !piece->is_slots &&
                   !piece->is_data_run && verify_read_at(image, name_rva, image->is_64 ? 8 : 4, &name) &&
                   name != value
               ? piece
               : NULL;
}

/* Entries by name hold RVAs, in the lookup table and, unless bound, in the IAT. At most *slot_count of them,
 * or up to the zero that ends them; *slot_count becomes the number before that. The IAT has as many as the
 * lookup table at names_rva (0: it is that, or has none), whatever they hold. */
static bool collect_thunks(struct verify_moves *moves, uint64_t rva, uint64_t names_rva, uint64_t *slot_count,
                           const char *what)
{
    const struct verify_image *image = &moves->judged->old_image;
    unsigned width_nbytes = image->is_64 ? 8 : 4;
    uint64_t ordinal_flag = image->is_64 ? IMPORT_ORDINAL_FLAG_64 : IMPORT_ORDINAL_FLAG_32;
    bool is_counted = *slot_count != UINT64_MAX;
    uint64_t value, first_rva = rva;
    for (uint64_t slot = 0;; slot++, rva += width_nbytes) {
        if (!inventory_take(moves, rva))
            return false;
        if (!verify_read_at(image, rva, width_nbytes, &value))
            return verify_moves_unproved(moves, (uint32_t)rva, "%s at RVA 0x%llX cannot be read.", what,
                                         (unsigned long long)rva);
        if (is_counted ? slot == *slot_count : value == 0) {
            *slot_count = slot;
            return verify_moves_inert(moves, first_rva, rva + width_nbytes - first_rva, what);
        }
        const struct verify_piece *own =
            names_rva != 0 ? own_function(moves, names_rva + (rva - first_rva), value) : NULL;
        if (own) {
            moves->own_slot_count++;
            if (!verify_moves_field(moves, rva, width_nbytes, value + (uint64_t)own->delta, verify_own_slot))
                return false;
            continue;
        }
        if (value == 0 || (value & ordinal_flag))
            continue;
        if (value > UINT32_MAX)
            return verify_moves_unproved(moves, (uint32_t)rva, "%s at RVA 0x%llX is bound.", what,
                                         (unsigned long long)rva);
        if (!verify_moves_rva(moves, rva, false, what) || !inventory_text(moves, rva, 2))
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
        if (!inventory_take(moves, names_rva + at))
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

bool inventory_imports(struct verify_moves *moves)
{
    uint64_t at_rva = inventory_directory(moves, DIR_IMPORT).rva;
    if (at_rva == 0)
        return true;
    for (;; at_rva += IMPORT_DESCRIPTOR_NBYTES) {
        uint32_t name_rva, names_rva, slots_rva, stamp;
        uint64_t slot_count = UINT64_MAX;
        if (!inventory_take(moves, at_rva) ||
            !inventory_read_u32(moves, at_rva + IMPORT_NAME, &name_rva, "An import descriptor") ||
            !inventory_read_u32(moves, at_rva + IMPORT_ORIGINAL_FIRST_THUNK, &names_rva,
                                "An import descriptor") ||
            !inventory_read_u32(moves, at_rva + IMPORT_TIME_DATE_STAMP, &stamp, "An import descriptor") ||
            !inventory_read_u32(moves, at_rva + IMPORT_FIRST_THUNK, &slots_rva, "An import descriptor") ||
            !verify_moves_inert(moves, at_rva, IMPORT_DESCRIPTOR_NBYTES, "an import descriptor"))
            return false;
        if (name_rva == 0)
            return true;
        if (!verify_moves_rva(moves, at_rva + IMPORT_ORIGINAL_FIRST_THUNK, false, "an import lookup table") ||
            !verify_moves_rva(moves, at_rva + IMPORT_NAME, false, "the name of an imported image") ||
            !inventory_text(moves, at_rva + IMPORT_NAME, 0) ||
            !verify_moves_rva(moves, at_rva + IMPORT_FIRST_THUNK, false, "an import's thunk array") ||
            (names_rva != 0 && !collect_thunks(moves, names_rva, 0, &slot_count, "an import lookup entry")) ||
            (slots_rva != 0 && stamp == 0 &&
             !collect_thunks(moves, slots_rva, names_rva, &slot_count, "an IAT entry")) ||
            (stamp != 0 && !collect_bound_slots(moves, at_rva, names_rva, slots_rva)))
            return false;
    }
}

bool inventory_delay_imports(struct verify_moves *moves)
{
    static const unsigned fields_at[] = {DELAY_NAME, DELAY_MODULE_HANDLE, DELAY_IAT,
                                         DELAY_INT,  DELAY_BOUND_IAT,     DELAY_UNLOAD_IAT};
    uint64_t at_rva = inventory_directory(moves, DIR_DELAY_IMPORT).rva;
    if (at_rva == 0)
        return true;
    for (;; at_rva += DELAY_DESCRIPTOR_NBYTES) {
        uint32_t name_rva, attributes, names_rva;
        uint64_t slot_count = UINT64_MAX;
        if (!inventory_take(moves, at_rva) ||
            !inventory_read_u32(moves, at_rva + DELAY_NAME, &name_rva, "A delay import descriptor") ||
            !inventory_read_u32(moves, at_rva + DELAY_ATTRIBUTES, &attributes, "A delay import descriptor") ||
            !inventory_read_u32(moves, at_rva + DELAY_INT, &names_rva, "A delay import descriptor") ||
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
        if (!inventory_text(moves, at_rva + DELAY_NAME, 0) ||
            (names_rva != 0 &&
             !collect_thunks(moves, names_rva, 0, &slot_count, "a delay import name entry")))
            return false;
    }
}
