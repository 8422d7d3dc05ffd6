/* address_map.c - questions to an address map.
 * Takes: an RVA of one side.  Gives: the RVA of the other, or why there is none.  Must not: allocate. */
#include "translate/address_map.h"

enum { JUMP_BACK_NBYTES = 5 /* behind the copy of an instruction (docs/REWRITING.md, section 5) */ };

/* The last piece that begins at or below rva, or NULL. */
static const struct address_piece *piece_below(const struct address_map *map, enum address_side side,
                                               uint32_t rva)
{
    size_t low = 0, high = map->piece_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (map->pieces[side][middle]->rva[side] <= rva)
            low = middle + 1;
        else
            high = middle;
    }
    return low != 0 ? map->pieces[side][low - 1] : NULL;
}

static bool find_in_copies(const struct address_map *map, uint32_t new_rva, uint32_t *old_rva)
{
    size_t low = 0, high = map->copy_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (map->copies[middle].new_rva <= new_rva)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return false;
    const struct address_copy *copy = &map->copies[low - 1];
    uint32_t offset = new_rva - copy->new_rva;
    if (offset >= copy->nbytes + JUMP_BACK_NBYTES)
        return false;
    *old_rva = copy->old_rva + (offset < copy->nbytes ? offset : copy->nbytes);
    return true;
}

static const struct address_stub *stub_at(const struct address_map *map, uint32_t new_rva)
{
    for (size_t i = 0; i < map->stub_count; i++)
        if (new_rva >= map->stubs[i].new_rva && new_rva - map->stubs[i].new_rva < map->stubs[i].nbytes)
            return &map->stubs[i];
    return NULL;
}

enum address_state address_map_find(const struct address_map *map, enum address_side from, uint32_t rva,
                                    uint32_t *counterpart)
{
    enum address_side to = other_side(from);
    if (rva >= map->image_nbytes[from])
        return ADDRESS_OUTSIDE;
    const struct address_piece *piece = piece_below(map, from, rva);
    bool is_content = piece && rva - piece->rva[from] < piece->nbytes;
    if (from == SIDE_NEW && !is_content) {
        const struct address_stub *stub = stub_at(map, rva);
        if (stub) {
            *counterpart = stub->function_old_rva;
            return ADDRESS_IN_STUB;
        }
        if (find_in_copies(map, rva, counterpart))
            return ADDRESS_MAPPED;
    }
    if (!piece)
        return ADDRESS_ADDED;
    uint64_t there = (uint64_t)piece->rva[to] + (rva - piece->rva[from]);
    if (there >= map->image_nbytes[to] || (!is_content && piece_below(map, to, (uint32_t)there) != piece))
        return ADDRESS_ADDED;
    *counterpart = (uint32_t)there;
    return ADDRESS_MAPPED;
}

/* As strcmp() of the name and a text that has no NUL behind it. */
static int compare_text(const char *name, const char *text, size_t nbytes)
{
    int order = strncmp(name, text, nbytes);
    return order != 0 ? order : name[nbytes] != 0;
}

const struct address_name *address_map_named(const struct address_map *map, const char *text, size_t nbytes)
{
    size_t low = 0, high = map->name_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_text(map->names_by_text[middle]->name, text, nbytes) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == map->name_count || compare_text(map->names_by_text[low]->name, text, nbytes) != 0)
        return NULL;
    bool is_only =
        low + 1 == map->name_count || compare_text(map->names_by_text[low + 1]->name, text, nbytes) != 0;
    return is_only ? map->names_by_text[low] : NULL;
}

const struct address_name *address_map_name_below(const struct address_map *map, enum address_side side,
                                                  uint32_t rva)
{
    size_t low = 0, high = map->name_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (map->names[side][middle]->rva[side] <= rva)
            low = middle + 1;
        else
            high = middle;
    }
    return low != 0 ? map->names[side][low - 1] : NULL;
}
