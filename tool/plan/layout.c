/* layout.c - filling a layout and asking it.
 * Takes: pieces and copies.  Gives: the maps.  Must not: choose any address. */
#include "plan/layout.h"

#include <stdlib.h>

const char *piece_kind_name(enum piece_kind kind)
{
    switch (kind) {
    case PIECE_HEADERS:
        return "headers";
    case PIECE_IAT:
        return "import address table";
    case PIECE_SLOTS:
        return "loader-written slots";
    case PIECE_VARIABLES:
        return "loader-written variables";
    case PIECE_SHIFTED:
        return "shifted section";
    case PIECE_DATA:
        return "data of a code section";
    case PIECE_RELOCATIONS:
        return "base relocations";
    case PIECE_SECTION:
        break;
    }
    return "section";
}

bool layout_add_piece(struct layout *layout, struct arena *arena, const struct piece *piece)
{
    struct piece *pieces = arena_grow(arena, layout->pieces, layout->piece_count, &layout->piece_capacity,
                                      layout->piece_count + 1, sizeof *pieces);
    if (!pieces)
        return false;
    layout->pieces = pieces;
    layout->pieces[layout->piece_count++] = *piece;
    return true;
}

bool layout_add_copy(struct layout *layout, struct arena *arena, uint64_t old_foff, uint64_t new_foff,
                     uint64_t nbytes)
{
    if (nbytes == 0)
        return true;
    struct file_copy *copies = arena_grow(arena, layout->copies, layout->copy_count, &layout->copy_capacity,
                                          layout->copy_count + 1, sizeof *copies);
    if (!copies)
        return false;
    layout->copies = copies;
    layout->copies[layout->copy_count++] =
        (struct file_copy){(uint32_t)old_foff, (uint32_t)new_foff, (uint32_t)nbytes};
    return true;
}

bool layout_add_fill(struct layout *layout, struct arena *arena, uint64_t new_foff, uint64_t nbytes,
                     uint8_t value)
{
    if (nbytes == 0 || value == 0)
        return true;
    struct file_fill *fills = arena_grow(arena, layout->fills, layout->fill_count, &layout->fill_capacity,
                                         layout->fill_count + 1, sizeof *fills);
    if (!fills)
        return false;
    layout->fills = fills;
    layout->fills[layout->fill_count++] = (struct file_fill){(uint32_t)new_foff, (uint32_t)nbytes, value};
    return true;
}

static int by_old_foff(const void *a, const void *b)
{
    const struct file_copy *x = a, *y = b;
    return x->old_foff < y->old_foff ? -1 : x->old_foff > y->old_foff;
}

void layout_sort_copies(struct layout *layout)
{
    if (layout->copy_count > 1)
        qsort(layout->copies, layout->copy_count, sizeof *layout->copies, by_old_foff);
}

bool layout_identity(const struct image *image, struct arena *arena, struct layout *layout)
{
    *layout = (struct layout){
        .section_count = image->section_count,
        .section_alignment = image->section_alignment,
        .file_alignment = image->file_alignment,
        .headers_nbytes = image->headers_nbytes,
        .image_nbytes = image->image_nbytes,
        .file_nbytes = image->file.nbytes,
    };
    layout->sections = arena_array(arena, image->section_count, sizeof *layout->sections);
    if (!layout->sections)
        return false;
    for (uint32_t i = 0; i < image->section_count; i++) {
        const struct section *section = &image->sections[i];
        struct new_section *shown = &layout->sections[i];
        *shown = (struct new_section){.rva = section->rva,
                                      .virtual_size = section->virtual_size,
                                      .raw_foff = section->stored_raw_foff,
                                      .raw_nbytes = section->raw_nbytes,
                                      .characteristics = section->characteristics,
                                      .old_section = i};
        memcpy(shown->name, section->raw_name, SECTION_NAME_NBYTES);
    }
    struct piece all = {.nbytes = image->image_nbytes, .section = NO_SECTION, .kind = PIECE_HEADERS};
    if (!layout_add_piece(layout, arena, &all))
        return false;
    /* Region by region: a byte that the model has lost is missing in the output. */
    for (size_t i = 0; i < image->region_count; i++)
        if (!layout_add_copy(layout, arena, image->regions[i].foff, image->regions[i].foff,
                             image->regions[i].nbytes))
            return false;
    return true;
}

bool layout_is_same(const struct layout *a, const struct layout *b)
{
    if (a->piece_count != b->piece_count)
        return false;
    for (size_t i = 0; i < a->piece_count; i++) {
        const struct piece *x = &a->pieces[i], *y = &b->pieces[i];
        if (x->old_rva != y->old_rva || x->nbytes != y->nbytes || x->new_rva != y->new_rva ||
            x->kind != y->kind)
            return false;
    }
    return true;
}

const struct piece *layout_piece_at(const struct layout *layout, uint32_t old_rva)
{
    size_t low = 0, high = layout->piece_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (layout->pieces[middle].old_rva <= old_rva)
            low = middle + 1;
        else
            high = middle;
    }
    return &layout->pieces[low == 0 ? 0 : low - 1];
}

uint32_t layout_map_rva(const struct layout *layout, uint32_t old_rva)
{
    return old_rva + piece_delta(layout_piece_at(layout, old_rva));
}

/* The copy that holds the byte, or NULL. */
static const struct file_copy *copy_at(const struct layout *layout, uint32_t old_foff)
{
    size_t low = 0, high = layout->copy_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (layout->copies[middle].old_foff <= old_foff)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0 || old_foff - layout->copies[low - 1].old_foff >= layout->copies[low - 1].nbytes)
        return NULL;
    return &layout->copies[low - 1];
}

bool layout_map_foff(const struct layout *layout, uint32_t old_foff, uint32_t *new_foff)
{
    const struct file_copy *copy = copy_at(layout, old_foff);
    if (copy)
        *new_foff = copy->new_foff + (old_foff - copy->old_foff);
    return copy != NULL;
}

bool layout_map_field(const struct layout *layout, uint32_t old_foff, uint32_t nbytes, uint32_t *new_foff)
{
    const struct file_copy *copy = copy_at(layout, old_foff);
    uint32_t last_foff;
    if (!copy)
        return false;
    *new_foff = copy->new_foff + (old_foff - copy->old_foff);
    return nbytes <= copy->nbytes - (old_foff - copy->old_foff) ||
           (layout_map_foff(layout, old_foff + nbytes - 1, &last_foff) &&
            last_foff == *new_foff + nbytes - 1);
}

const struct new_section *layout_section_at(const struct layout *layout, uint32_t new_rva)
{
    const struct new_section *found = NULL;
    for (uint32_t i = 0; i < layout->section_count; i++)
        if (layout->sections[i].rva <= new_rva && (!found || layout->sections[i].rva >= found->rva))
            found = &layout->sections[i];
    return found;
}

bool layout_data_leaves(const struct layout *layout)
{
    for (size_t i = 1; i < layout->piece_count; i++)
        if (piece_delta(&layout->pieces[i]) != layout->uniform_delta && !layout->pieces[i].is_table &&
            (layout->pieces[i].kind == PIECE_SECTION || layout->pieces[i].kind == PIECE_DATA ||
             layout->pieces[i].kind == PIECE_SHIFTED))
            return true;
    return false;
}
