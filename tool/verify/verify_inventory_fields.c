/* verify_inventory_fields.c - what every part of the inventory adds: fields, ranges without arrays, "not
 * shown". Takes: a place in the old image.  Gives: one more field or range of struct verify_moves. Must not:
 * add a field for an RVA that no part of the map holds. */
#include "verify/verify_inventory_internal.h"

enum { FAR_NBYTES = 0x100000, TEXT_MAX_NBYTES = 4096 };

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

/* Padding of the old image in [rva, end_rva), which belongs to what moved by delta: it has the same bytes
 * there. What no section has reads as zero. */
static bool same_padding(struct verify_moves *moves, uint64_t rva, uint64_t end_rva, int64_t delta)
{
    const struct verify_image *old_image = &moves->judged->old_image, *new_image = &moves->judged->new_image;
    for (; rva < end_rva && rva < old_image->image_nbytes; rva++) {
        uint8_t old_byte = 0, new_byte = 0;
        verify_memory_byte(old_image, rva, &old_byte);
        verify_memory_byte(new_image, (uint64_t)((int64_t)rva + delta), &new_byte);
        if (!inventory_take(moves, rva))
            return false;
        if (old_byte != new_byte)
            return verify_moves_unproved(moves, (uint32_t)rva,
                                         "The padding at RVA 0x%llX, which is read, would become something "
                                         "else.",
                                         (unsigned long long)rva);
    }
    return true;
}

bool verify_moves_whole(struct verify_moves *moves, uint64_t rva, uint64_t nbytes, const char *what)
{
    const struct verify_map *map = &moves->map;
    const struct verify_piece *first = verify_piece_at(map, rva), *last = map->pieces + map->count;
    uint64_t at_rva = rva, end_rva = rva + nbytes;
    if (!first)
        first = verify_piece_behind(map, rva);
    if (!first)
        return true;
    for (const struct verify_piece *piece = first; piece < last && piece->rva < end_rva; piece++) {
        if (!inventory_take(moves, rva))
            return false;
        if (piece->delta != first->delta)
            return verify_moves_unproved(
                moves, (uint32_t)rva,
                "What is read as one at RVA 0x%llX (%s) would be torn apart at RVA 0x%X.",
                (unsigned long long)rva, what, (unsigned)piece->rva);
        if (!same_padding(moves, at_rva, piece->rva, first->delta))
            return false;
        at_rva = piece->end_rva;
    }
    return same_padding(moves, at_rva, end_rva, first->delta);
}

bool verify_moves_inert(struct verify_moves *moves, uint64_t rva, uint64_t nbytes, const char *what)
{
    return verify_range_add(moves->judged->arena, &moves->inert, rva, nbytes, what);
}

bool verify_moves_table(struct verify_moves *moves, uint64_t rva, uint64_t nbytes, const char *what)
{
    return verify_moves_whole(moves, rva, nbytes, what) && verify_moves_inert(moves, rva, nbytes, what);
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

bool inventory_take(struct verify_moves *moves, uint64_t rva)
{
    moves->judged->verdict->step_count++;
    if (moves->budget_count == 0)
        return verify_moves_unproved(moves, (uint32_t)rva, "The tables at RVA 0x%llX have no end.",
                                     (unsigned long long)rva);
    moves->budget_count--;
    return true;
}

bool inventory_read_u32(struct verify_moves *moves, uint64_t rva, uint32_t *value, const char *what)
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
    if (!inventory_take(moves, rva) || !inventory_read_u32(moves, rva, &value, what))
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

struct verify_directory inventory_directory(const struct verify_moves *moves, uint32_t index)
{
    const struct verify_image *image = &moves->judged->old_image;
    return index < image->directory_count ? image->directories[index] : (struct verify_directory){0, 0};
}

/* Bytes of the text at rva with the zero that ends it, which may lie behind its section: what no section has
 * reads as zero. False when it has no end. */
static bool text_nbytes(struct verify_moves *moves, uint64_t rva, uint64_t *nbytes)
{
    const struct verify_image *image = &moves->judged->old_image;
    size_t length;
    if (span_cstr(verify_bytes_at(image, rva), 0, TEXT_MAX_NBYTES, &length)) {
        moves->judged->verdict->step_count += length;
        *nbytes = length + 1;
        return true;
    }
    for (*nbytes = 1; *nbytes <= TEXT_MAX_NBYTES; ++*nbytes) {
        uint8_t byte = 0;
        moves->judged->verdict->step_count++;
        if (!verify_memory_byte(image, rva + *nbytes - 1, &byte) || byte == 0)
            return true;
    }
    return false;
}

bool inventory_text(struct verify_moves *moves, uint64_t field_rva, uint32_t skipped_nbytes)
{
    uint64_t rva, nbytes;
    if (!verify_read_at(&moves->judged->old_image, field_rva, 4, &rva))
        return true;
    if (!text_nbytes(moves, rva + skipped_nbytes, &nbytes))
        return verify_moves_unproved(moves, (uint32_t)rva, "The name at RVA 0x%llX has no end.",
                                     (unsigned long long)rva);
    return verify_moves_table(moves, rva, skipped_nbytes + nbytes, "a name");
}
