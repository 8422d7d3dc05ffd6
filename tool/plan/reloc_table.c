/* reloc_table.c - building the base relocation table anew.
 * Source: PE format specification, ".reloc"; Windows wants blocks ascending, one for a page, of whole 4
 * bytes. */
#include "plan/reloc_table.h"

#include <stdlib.h>

struct places {
    struct reloc_place *items;
    size_t count;
};

static int by_rva(const void *a, const void *b)
{
    const struct reloc_place *x = a, *y = b;
    return x->rva < y->rva ? -1 : x->rva > y->rva;
}

static bool is_entry(const struct ref *ref)
{
    return ref->source == SOURCE_BASERELOCS && ref->encoding == REF_PAGE_12;
}

/* Writes one block for the places of one page; returns its size. */
static uint32_t write_block(const struct reloc_place *places, size_t count, uint8_t *block)
{
    uint32_t page_rva = places[0].rva & ~(uint32_t)(PAGE_NBYTES - 1);
    uint32_t nbytes = BASERELOC_BLOCK_HEADER_NBYTES;
    for (size_t i = 0; i < count; i++, nbytes += BASERELOC_ENTRY_NBYTES)
        store_u16(block + nbytes,
                  (uint16_t)((uint32_t)places[i].type << 12 | (places[i].rva & (PAGE_NBYTES - 1))));
    if (nbytes % 4 != 0) { /* an entry of type 0 fills up */
        store_u16(block + nbytes, 0);
        nbytes += BASERELOC_ENTRY_NBYTES;
    }
    store_u32(block + BASERELOC_PAGE_RVA, page_rva);
    store_u32(block + BASERELOC_BLOCK_SIZE, nbytes);
    return nbytes;
}

bool reloc_table_write(struct reloc_place *places, size_t count, struct arena *arena, struct span *table)
{
    /* At worst every entry has a block of its own. */
    uint8_t *bytes =
        arena_array(arena, count + 1, BASERELOC_BLOCK_HEADER_NBYTES + 2 * BASERELOC_ENTRY_NBYTES);
    if (!bytes)
        return false;
    if (count > 1)
        qsort(places, count, sizeof *places, by_rva);

    uint32_t nbytes = 0;
    for (size_t first = 0, end; first < count; first = end) {
        for (end = first + 1; end < count; end++)
            if ((places[end].rva ^ places[first].rva) >= PAGE_NBYTES)
                break;
        nbytes += write_block(places + first, end - first, bytes + nbytes);
    }
    /* Linkers write one block without entries when there is nothing to relocate: the image may be loaded
     * anywhere, and its section of relocations must not be empty. */
    if (nbytes == 0) {
        store_u32(bytes + BASERELOC_PAGE_RVA, 0);
        store_u32(bytes + BASERELOC_BLOCK_SIZE, BASERELOC_BLOCK_HEADER_NBYTES);
        nbytes = BASERELOC_BLOCK_HEADER_NBYTES;
    }
    *table = (struct span){bytes, nbytes};
    return true;
}

/* Where the entry applies now; false when it has left the table. */
static bool new_place(const struct layout *layout, uint32_t old_rva, uint32_t *rva)
{
    const struct straddle_repair *repair = layout->straddles;
    const struct code_copy *copy = repair ? straddle_copy_at(repair, old_rva) : NULL;
    *rva = copy ? repair->code_rva + copy->at + (old_rva - copy->old_rva) : layout_map_rva(layout, old_rva);
    return !repair || !straddle_is_applied(repair, old_rva);
}

static void add_own(void *context, uint32_t new_rva)
{
    struct places *places = context;
    places->items[places->count++] = (struct reloc_place){new_rva, BASERELOC_HIGHLOW};
}

bool reloc_table_build(const struct refset *refs, const struct layout *layout, struct arena *arena,
                       struct span *table)
{
    size_t count = layout->straddles ? MOST_START_STUBS * START_STUB_RELOCATION_COUNT : 0;
    for (size_t i = 0; i < refs->ref_count; i++)
        count += is_entry(&refs->refs[i]);
    struct places all = {arena_array(arena, count, sizeof *all.items), 0};
    if (!all.items)
        return false;
    for (size_t i = 0; i < refs->ref_count; i++) {
        uint32_t rva;
        if (is_entry(&refs->refs[i]) && new_place(layout, refs->refs[i].target, &rva))
            all.items[all.count++] = (struct reloc_place){rva, refs->refs[i].detail};
    }
    if (layout->straddles)
        straddle_own_relocations(layout->straddles, refs->image->is_64, add_own, &all);
    return reloc_table_write(all.items, all.count, arena, table);
}

void reloc_table_stays(struct layout *layout, const struct directory *directory, uint32_t nbytes)
{
    layout->relocations_rva = layout_map_rva(layout, directory->rva);
    layout->relocations_nbytes = nbytes;
    layout->relocations_room_nbytes = directory->nbytes;
}
