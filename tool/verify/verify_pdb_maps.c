/* verify_pdb_maps.c - holds the OMAP tables of a new PDB against the proved moves.
 * Takes: struct verify_pdb_case.  Gives: true, or a reason.  Must not: take one table's word for the other.
 * An entry {from, to} means that addresses from `from` up to the next entry are at `to` and on; to 0:
 * nowhere. */
#include "verify/verify_pdb_parts.h"

enum { ENTRY_NBYTES = 8 };

struct entry {
    uint32_t from, to;
    uint64_t end; /* the next one's from */
};

struct map {
    struct entry *entries;
    uint32_t count;
};

static bool say(struct verify_pdb_case *judged, const char *what, uint32_t rva)
{
    judged->reason = arena_printf(judged->arena, "%s (RVA 0x%X).", what, (unsigned)rva);
    return false;
}

static bool read_map(struct verify_pdb_case *judged, uint32_t stream, struct map *map)
{
    uint32_t nbytes = verify_msf_nbytes(&judged->new_pdb, stream);
    uint8_t bytes[ENTRY_NBYTES];
    map->count = nbytes / ENTRY_NBYTES;
    map->entries = arena_array(judged->arena, (size_t)map->count + 1, sizeof *map->entries);
    if (!map->entries)
        return false;
    if (map->count == 0 || nbytes % ENTRY_NBYTES != 0)
        return say(judged, "The new PDB has no whole OMAP tables", 0);
    for (uint32_t i = 0; i < map->count; i++) {
        if (!verify_msf_copy(&judged->new_pdb, stream, i * ENTRY_NBYTES, bytes, ENTRY_NBYTES))
            return say(judged, "The new PDB has no whole OMAP tables", 0);
        map->entries[i] = (struct entry){load_u32(bytes), load_u32(bytes + 4), (uint64_t)UINT32_MAX + 1};
        if (i != 0 && map->entries[i].from <= map->entries[i - 1].from)
            return say(judged, "An OMAP table does not ascend", map->entries[i].from);
        if (i != 0)
            map->entries[i - 1].end = map->entries[i].from;
    }
    return true;
}

/* Where the map has rva; 0: nowhere. */
static uint32_t lookup(const struct map *map, uint32_t rva)
{
    uint32_t low = 0, high = map->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (map->entries[middle].from > rva)
            high = middle;
        else
            low = middle + 1;
    }
    return low == 0 || map->entries[low - 1].to == 0
               ? 0
               : map->entries[low - 1].to + (rva - map->entries[low - 1].from);
}

/* The table of base relocations is written anew: no symbol means a place in it, wherever it is. */
static bool has_relocations(const struct verify_pdb_case *judged, uint32_t old_rva, uint64_t end_rva)
{
    const struct verify_image *image = &judged->old_image;
    if (image->directory_count <= DIR_BASERELOC)
        return false;
    uint32_t rva = image->directories[DIR_BASERELOC].rva;
    return rva != 0 && rva >= old_rva && rva < end_rva;
}

static bool is_relocations(const struct verify_pdb_case *judged, const struct verify_move *move)
{
    return has_relocations(judged, move->old_rva, (uint64_t)move->old_rva + move->nbytes);
}

/* Every entry of the table from old to new that leads somewhere agrees with each move that it touches. Both
 * ascend: one pass. */
static bool judge_forward(struct verify_pdb_case *judged, const struct map *forward)
{
    const struct verify_verdict *verdict = judged->verdict;
    size_t m = 0;
    for (uint32_t i = 0; i < forward->count; i++) {
        const struct entry *entry = &forward->entries[i];
        bool is_named = entry->to == 0 || has_relocations(judged, entry->from, entry->end);
        while (m < verdict->move_count &&
               (uint64_t)verdict->moves[m].old_rva + verdict->moves[m].nbytes <= entry->from)
            m++;
        for (size_t k = m; k < verdict->move_count && verdict->moves[k].old_rva < entry->end; k++) {
            const struct verify_move *move = &verdict->moves[k];
            uint32_t delta = move->new_rva - move->old_rva;
            is_named = true;
            if (entry->to != 0 && entry->to - entry->from != delta)
                return say(judged, "An OMAP table leads elsewhere than the bytes went", entry->from);
            if (entry->to == 0 && !is_relocations(judged, move))
                return say(judged, "An OMAP table leaves out what is in the new image", entry->from);
        }
        if (!is_named)
            return say(judged, "An OMAP table leads from where nothing was", entry->from);
    }
    for (size_t k = 0; k < verdict->move_count && verdict->moves[k].old_rva < forward->entries[0].from; k++)
        return say(judged, "An OMAP table begins behind what is in the new image", verdict->moves[k].old_rva);
    return true;
}

/* The copy whose place in the new image holds rva; how far behind it a jump back may lie. */
static const struct verify_move *copy_at(const struct verify_verdict *verdict, uint32_t rva)
{
    enum { JUMP_NBYTES = 5 };
    const struct verify_move *found = NULL;
    size_t low = 0, high = verdict->copy_count; /* copies ascend in both images */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (verdict->copies[middle].new_rva > rva)
            high = middle;
        else
            low = middle + 1;
    }
    if (low != 0)
        found = &verdict->copies[low - 1];
    return found && rva - found->new_rva < found->nbytes + (uint32_t)JUMP_NBYTES ? found : NULL;
}

/* An entry from new to old is one of a copy, or the other table leads back from its first and last byte. */
static bool judge_backward(struct verify_pdb_case *judged, const struct map *forward,
                           const struct map *backward)
{
    for (uint32_t i = 0; i < backward->count; i++) {
        const struct entry *entry = &backward->entries[i];
        if (entry->to == 0)
            continue;
        if (entry->end > UINT32_MAX)
            return say(judged, "An OMAP table goes on behind the image", entry->from);
        uint32_t nbytes = (uint32_t)entry->end - entry->from;
        const struct verify_move *copy = copy_at(judged->verdict, entry->from);
        if (copy && copy->new_rva == entry->from && copy->old_rva == entry->to &&
            copy_at(judged->verdict, entry->from + nbytes - 1) == copy)
            continue;
        if (lookup(forward, entry->to) != entry->from ||
            lookup(forward, entry->to + (nbytes - 1)) != entry->from + (nbytes - 1))
            return say(judged, "The two OMAP tables contradict each other", entry->from);
    }
    return true;
}

/* Whatever went somewhere is found from there. */
static bool judge_complete(struct verify_pdb_case *judged, const struct map *backward)
{
    const struct verify_verdict *verdict = judged->verdict;
    for (size_t i = 0; i < verdict->move_count; i++) {
        const struct verify_move *move = &verdict->moves[i];
        uint32_t last = move->nbytes - 1;
        if (move->nbytes != 0 && !is_relocations(judged, move) &&
            (lookup(backward, move->new_rva) != move->old_rva ||
             lookup(backward, move->new_rva + last) != move->old_rva + last))
            return say(judged, "An OMAP table leaves out what is in the new image", move->new_rva);
    }
    for (size_t i = 0; i < verdict->copy_count; i++)
        if (lookup(backward, verdict->copies[i].new_rva) != verdict->copies[i].old_rva)
            return say(judged, "An OMAP table leaves out a copied instruction", verdict->copies[i].new_rva);
    return true;
}

bool verify_pdb_maps(struct verify_pdb_case *judged)
{
    struct map forward, backward;
    return read_map(judged, judged->from_old, &forward) && read_map(judged, judged->to_old, &backward) &&
           judge_forward(judged, &forward) && judge_backward(judged, &forward, &backward) &&
           judge_complete(judged, &backward);
}
