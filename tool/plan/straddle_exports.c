/* straddle_exports.c - can another image import from this one, and does it export DllInitialize?
 * Takes: directory 0.  Gives: struct export_facts.  Must not: judge functions.
 * The kernel looks for DllInitialize by exactly that name. */
#include "plan/straddle_parts.h"

#include <inttypes.h>

enum { LONGEST_OWN_NAME_NBYTES = 16 }; /* with its end */

/* Names that Windows asks for itself, or that nobody imports. */
static const char *const own_names[] = {"DllInitialize", "DllUnload",     "DriverEntry",
                                        "GsDriverEntry", "DriverEntry@8", "GsDriverEntry@8"};

static bool is_named(struct span name, const char *own)
{
    return name.nbytes == strlen(own) && memcmp(name.bytes, own, name.nbytes) == 0;
}

static bool is_own(struct span name)
{
    for (size_t i = 0; i < sizeof own_names / sizeof own_names[0]; i++)
        if (is_named(name, own_names[i]))
            return true;
    return false;
}

static bool refuse_table(struct straddle_plan *plan, uint32_t rva)
{
    return rewrite_refuse(plan->rewrite, rva, NO_FILE_OFFSET, "Link the image again.",
                          "The export tables (RVA 0x%" PRIX32 ") cannot be read whole.", rva);
}

struct tables {
    struct span slots, names, ordinals;
    uint32_t slots_rva, slot_count, name_count;
};

static bool read_tables(const struct image *image, const struct directory *directory, struct tables *tables)
{
    struct span header;
    if (!image_bytes_at_rva(image, directory->rva, EXPORT_DIRECTORY_NBYTES, &header))
        return false;
    tables->slot_count = load_u32(header.bytes + EXPORT_NUMBER_OF_FUNCTIONS);
    tables->name_count = load_u32(header.bytes + EXPORT_NUMBER_OF_NAMES);
    tables->slots_rva = load_u32(header.bytes + EXPORT_ADDRESS_OF_FUNCTIONS);
    if (tables->slot_count > UINT32_MAX / 4 || tables->name_count > UINT32_MAX / 4)
        return false;
    return (tables->slot_count == 0 ||
            image_bytes_at_rva(image, tables->slots_rva, tables->slot_count * 4, &tables->slots)) &&
           (tables->name_count == 0 ||
            (image_bytes_at_rva(image, load_u32(header.bytes + EXPORT_ADDRESS_OF_NAMES),
                                tables->name_count * 4, &tables->names) &&
             image_bytes_at_rva(image, load_u32(header.bytes + EXPORT_ADDRESS_OF_NAME_ORDINALS),
                                tables->name_count * 2, &tables->ordinals)));
}

bool straddle_read_exports(struct straddle_plan *plan, struct export_facts *facts)
{
    const struct image *image = plan->rewrite->image;
    const struct directory *directory = image_directory(image, DIR_EXPORT);
    struct tables tables = {0};
    *facts = (struct export_facts){0};
    if (!directory)
        return true;
    if (!read_tables(image, directory, &tables))
        return refuse_table(plan, directory->rva);
    bool *is_known = arena_array(plan->rewrite->arena, tables.slot_count, sizeof *is_known);
    if (!is_known)
        return false;
    for (uint32_t i = 0; i < tables.name_count; i++) {
        struct span name;
        uint32_t slot = load_u16(tables.ordinals.bytes + 2 * (size_t)i), foff;
        uint32_t name_rva = load_u32(tables.names.bytes + 4 * (size_t)i);
        if (slot >= tables.slot_count)
            return refuse_table(plan, directory->rva);
        if (!image_string_at_rva(image, name_rva, LONGEST_OWN_NAME_NBYTES, &name) || !is_own(name)) {
            facts->has_others = true;
            continue;
        }
        is_known[slot] = true;
        uint32_t rva = load_u32(tables.slots.bytes + 4 * (size_t)slot);
        bool is_forwarder = rva - directory->rva < directory->nbytes;
        if (is_named(name, "DllInitialize") && !is_forwarder && rva != 0) {
            if (!image_rva_to_foff(image, tables.slots_rva + 4 * slot, 4, &foff))
                return refuse_table(plan, directory->rva);
            facts->initialize_rva = rva;
            facts->initialize_foff = foff;
        }
    }
    for (uint32_t i = 0; i < tables.slot_count; i++)
        if (!is_known[i] && load_u32(tables.slots.bytes + 4 * (size_t)i) != 0)
            facts->has_others = true;
    return true;
}
