/* verify_map.c - the guess where everything went, told from top to bottom, and look-ups in it.
 * Takes: two images.  Gives: struct verify_map.  Must not: look at more than a fixed number of candidates for
 * a section, or at more than a fixed number of bytes for a candidate. */
#include "verify/verify_map_internal.h"

#include <stdlib.h>

/* Questions about one address walk over all of them. */
enum { PIECE_MAX_COUNT = 4096 };

bool verify_memory_byte(const struct verify_image *image, uint64_t rva, uint8_t *byte)
{
    const struct verify_section *section = rva > UINT32_MAX ? NULL : verify_section_at(image, (uint32_t)rva);
    if (!section)
        return false;
    uint32_t at = (uint32_t)rva - section->rva;
    *byte = at < section->bytes.nbytes ? section->bytes.bytes[at] : 0;
    return true;
}

bool map_append(struct map_search *search, struct verify_piece piece)
{
    struct verify_map *map = search->map;
    if (map->count == PIECE_MAX_COUNT) {
        search->judged->verdict->right_not_shown = search->judged->verdict->meaning_not_shown = true;
        return verify_refute(search->judged, (struct verify_spot){true, UINT64_MAX, piece.rva},
                             "The old image falls into more than %d parts.", PIECE_MAX_COUNT);
    }
    struct verify_piece *grown = arena_grow(search->judged->arena, map->pieces, map->count, &map->capacity,
                                            map->count + 1, sizeof *map->pieces);
    if (!grown)
        return false;
    map->pieces = grown;
    map->pieces[map->count++] = piece;
    return true;
}

bool map_not_found(struct map_search *search, uint32_t rva, const char *name)
{
    struct verify_spot spot = {true, UINT64_MAX, rva};
    search->judged->verdict->right_not_shown = search->judged->verdict->meaning_not_shown = true;
    return verify_refute(search->judged, spot, "It could not be found where section %s (RVA 0x%X) went.",
                         name, (unsigned)rva);
}

static int compare_pieces(const void *left, const void *right)
{
    const struct verify_piece *a = left, *b = right;
    return a->rva < b->rva ? -1 : a->rva > b->rva;
}

static bool are_one(const struct verify_piece *a, const struct verify_piece *b)
{
    return a->end_rva == b->rva && a->delta == b->delta && a->section == b->section &&
           a->is_slots == b->is_slots && a->is_data_run == b->is_data_run && a->is_code == b->is_code;
}

void map_sort(struct verify_map *map)
{
    size_t kept = 0;
    for (size_t i = 0; i < map->count; i++)
        if (map->pieces[i].rva < map->pieces[i].end_rva)
            map->pieces[kept++] = map->pieces[i];
    map->count = kept;
    if (kept > 1)
        qsort(map->pieces, map->count, sizeof *map->pieces, compare_pieces);
    kept = 0;
    for (size_t i = 1; i < map->count; i++) {
        if (are_one(&map->pieces[kept], &map->pieces[i]))
            map->pieces[kept].end_rva = map->pieces[i].end_rva;
        else
            map->pieces[++kept] = map->pieces[i];
    }
    map->count = map->count ? kept + 1 : 0;
}

/* The headers of both images say where the IAT went; the import descriptors, from which its place was taken,
 * may name no array in some part of it. */
static bool agrees_with_iat(const struct verify_case *judged, const struct verify_map *map)
{
    const struct verify_image *a = &judged->old_image, *b = &judged->new_image;
    if (a->directory_count <= DIR_IAT || b->directory_count <= DIR_IAT || b->directories[DIR_IAT].rva == 0)
        return true;
    struct verify_directory iat = a->directories[DIR_IAT];
    int64_t delta = (int64_t)b->directories[DIR_IAT].rva - iat.rva;
    for (size_t i = 0; i < map->count && iat.rva != 0; i++)
        if (map->pieces[i].rva < (uint64_t)iat.rva + iat.nbytes && map->pieces[i].end_rva > iat.rva &&
            map->pieces[i].delta != delta)
            return false;
    return true;
}

bool verify_map_find(struct verify_case *judged, const struct verify_tables *old_tables,
                     const struct verify_tables *new_tables, struct verify_map *map)
{
    struct map_search *search = arena_alloc(judged->arena, sizeof *search);
    *map = (struct verify_map){0};
    if (!search)
        return false;
    search->judged = judged;
    search->map = map;
    search->old_tables = old_tables;
    search->new_tables = new_tables;
    search->is_doubtful = arena_array(judged->arena, judged->old_image.section_count, sizeof(bool));
    /* 1. Sections, by their bytes; where those do not decide, by the references to them. */
    if (!search->is_doubtful || !map_read_sites(search) || !map_place_sections(search) ||
        !map_ask_references(search))
        return false;
    bool is_certain = true;
    for (uint32_t i = 0; i < judged->old_image.section_count; i++)
        is_certain = is_certain && !search->is_doubtful[i];
    map->is_certain = is_certain;
    /* 2. What the loader writes, by its tables. 3. Data that left executable sections. */
    if (!map_place_slots(search) || !map_split_code(search))
        return false;
    for (uint32_t i = 0; i < judged->old_image.section_count; i++)
        map->is_certain = map->is_certain && !search->is_doubtful[i];
    map->is_certain = map->is_certain && agrees_with_iat(judged, map);
    map->moves_slots_only = true;
    for (size_t i = 0; i < map->count; i++) {
        map->moves_slots_only =
            map->moves_slots_only && (map->pieces[i].is_slots || map->pieces[i].delta == 0);
        map->moves_apart = map->moves_apart || map->pieces[i].delta != map->pieces[0].delta;
        if (!map->pieces[i].is_slots && !map->pieces[i].is_data_run && map->pieces[i].delta != 0)
            map->moves_headers_distance = true;
        map->moves_code = map->moves_code || (map->pieces[i].is_code && map->pieces[i].delta != 0);
    }
    return true;
}

static size_t pieces_up_to(const struct verify_map *map, uint64_t rva)
{
    size_t low = 0, high = map->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (map->pieces[middle].rva <= rva)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct verify_piece *verify_piece_at(const struct verify_map *map, uint64_t rva)
{
    size_t count = pieces_up_to(map, rva);
    return count > 0 && rva < map->pieces[count - 1].end_rva ? &map->pieces[count - 1] : NULL;
}

const struct verify_piece *verify_piece_before(const struct verify_map *map, uint64_t rva)
{
    size_t count = pieces_up_to(map, rva);
    return count > 0 ? &map->pieces[count - 1] : NULL;
}

const struct verify_piece *verify_piece_behind(const struct verify_map *map, uint64_t rva)
{
    size_t count = pieces_up_to(map, rva);
    return count < map->count ? &map->pieces[count] : NULL;
}
