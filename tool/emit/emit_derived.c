/* emit_derived.c - what follows from the rest in a layout that moves: the base relocation table, the
 * directories that name it and the import address table, and the sizes in the optional header. Must not: be
 * reached for a layout in which everything stays. */
#include "emit/emit_internal.h"

#include "plan/debug_data.h"
#include "plan/reloc_table.h"

static void write_directory(const struct emitter *emitter, unsigned number, uint32_t rva, uint32_t nbytes)
{
    if (number >= emitter->image->directory_count)
        return;
    uint8_t *entry = emitter->bytes + emitter->image->directories[number].entry_foff;
    store_u32(entry + DIRECTORY_RVA, rva);
    store_u32(entry + DIRECTORY_SIZE, nbytes);
}

/* SizeOfCode and its siblings count the raw data of sections by what they contain, as linkers do. */
static void write_sizes(const struct emitter *emitter)
{
    uint32_t code_nbytes = 0, initialized_nbytes = 0, uninitialized_nbytes = 0;
    for (uint32_t i = 0; i < emitter->layout->section_count; i++) {
        const struct new_section *section = &emitter->layout->sections[i];
        if (section->characteristics & SCN_CNT_CODE)
            code_nbytes += section->raw_nbytes;
        if (section->characteristics & SCN_CNT_INITIALIZED_DATA)
            initialized_nbytes += section->raw_nbytes;
        if (section->characteristics & SCN_CNT_UNINITIALIZED_DATA)
            uninitialized_nbytes += section->virtual_size;
    }
    uint8_t *opt = emitter->bytes + emitter->image->opt_foff;
    store_u32(opt + OPT_SIZE_OF_CODE, code_nbytes);
    store_u32(opt + OPT_SIZE_OF_INITIALIZED_DATA, initialized_nbytes);
    store_u32(opt + OPT_SIZE_OF_UNINITIALIZED_DATA, uninitialized_nbytes);
}

/* A table that had no room to grow has left its place; nothing of it stays there. */
static void clear_old_relocations(const struct emitter *emitter)
{
    const struct directory *directory = image_directory(emitter->image, DIR_BASERELOC);
    uint32_t foff, last_foff, old_foff;
    if (directory && directory->rva != emitter->layout->relocations_rva &&
        image_rva_to_foff(emitter->image, directory->rva, directory->nbytes, &old_foff) &&
        layout_map_foff(emitter->layout, old_foff, &foff) &&
        layout_map_foff(emitter->layout, old_foff + directory->nbytes - 1, &last_foff) &&
        last_foff - foff == directory->nbytes - 1)
        memset(emitter->bytes + foff, 0, directory->nbytes);
}

static bool write_relocations(const struct emitter *emitter)
{
    const struct layout *layout = emitter->layout;
    if (layout->relocations_nbytes == 0)
        return true;
    struct span table;
    if (!reloc_table_build(emitter->refs, layout, emitter->arena, &table))
        return false;
    clear_old_relocations(emitter);
    const struct new_section *section = layout_section_at(layout, layout->relocations_rva);
    uint8_t *place = emitter->bytes + section->raw_foff + (layout->relocations_rva - section->rva);
    memset(place, 0, layout->relocations_room_nbytes);
    memcpy(place, table.bytes, table.nbytes); /* as many bytes as the plan has counted */
    return true;
}

/* Debug data that are left out: their entries say that there are none. */
static void write_debug_entries(const struct emitter *emitter)
{
    uint32_t foff, entry_foff = 0, count = debug_entry_count(emitter->image, &entry_foff);
    for (uint32_t i = 0; i < count; i++, entry_foff += DEBUG_ENTRY_NBYTES)
        if (debug_entry_is_dropped(emitter->image, entry_foff) &&
            layout_map_foff(emitter->layout, entry_foff + DEBUG_SIZE_OF_DATA, &foff))
            store_u32(emitter->bytes + foff, 0);
}

bool emit_derived(const struct emitter *emitter)
{
    const struct layout *layout = emitter->layout;
    if (!write_relocations(emitter))
        return false;
    if (layout->relocations_nbytes != 0)
        write_directory(emitter, DIR_BASERELOC, layout->relocations_rva, layout->relocations_nbytes);
    if (layout->iat_nbytes != 0)
        write_directory(emitter, DIR_IAT, layout->iat_rva, layout->iat_nbytes);
    if (image_directory(emitter->image, DIR_BOUND_IMPORT))
        write_directory(emitter, DIR_BOUND_IMPORT, 0, 0);
    if (layout->drops_symbols) {
        uint8_t *coff = emitter->bytes + emitter->image->coff_foff;
        store_u32(coff + COFF_POINTER_TO_SYMBOL_TABLE, 0);
        store_u32(coff + COFF_NUMBER_OF_SYMBOLS, 0);
    }
    write_debug_entries(emitter);
    write_sizes(emitter);
    return true;
}
