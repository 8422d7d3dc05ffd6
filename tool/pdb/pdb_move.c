/* pdb_move.c - see pdb_move.h. */
#include "pdb/pdb_move.h"
#include "pdb/pdb_format.h"

#include <stdlib.h>

struct moving {
    const struct pdb *pdb;
    const struct pdb_move *move;
    struct arena *arena;
    struct finding *error;
};

static bool refuse(struct moving *moving, const char *what)
{
    *moving->error = finding_make(moving->arena, HVCI9082_PDB_CANNOT_FOLLOW, LEVEL_ERROR,
                                  "The PDB cannot follow the repair: %s.", what);
    moving->error->cure = "Repair without it (--no-pdb), and use the map that --map writes.";
    return false;
}

static bool out_of_memory(struct moving *moving)
{
    *moving->error = finding_make(moving->arena, HVCI9008_OUT_OF_MEMORY, LEVEL_ERROR,
                                  "There was not enough memory for the PDB.");
    return false;
}

/* A range of one OMAP table: [from, end) is at `to`. */
struct range {
    uint32_t from, to;
    uint64_t end;
};

static int compare(const void *left, const void *right)
{
    const struct range *a = left, *b = right;
    return (a->from > b->from) - (a->from < b->from);
}

/* Ranges as entries: what lies between two of them is nowhere. */
static bool write_omap(struct moving *moving, struct range *ranges, size_t count, struct span *stream)
{
    uint8_t *bytes = arena_array(moving->arena, 2 * count + 1, OMAP_ENTRY_NBYTES);
    size_t used = 0;
    if (!bytes)
        return out_of_memory(moving);
    if (count != 0)
        qsort(ranges, count, sizeof *ranges, compare);
    for (size_t i = 0; i < count; i++) {
        uint8_t *entry = bytes + used++ * OMAP_ENTRY_NBYTES;
        store_u32(entry + OMAP_FROM, ranges[i].from);
        store_u32(entry + OMAP_TO, ranges[i].to);
        if (i + 1 < count && ranges[i + 1].from < ranges[i].end)
            return refuse(moving, "two of its parts lie at one place");
        if (ranges[i].end <= UINT32_MAX && (i + 1 == count || ranges[i + 1].from != ranges[i].end))
            store_u32(bytes + used++ * OMAP_ENTRY_NBYTES + OMAP_FROM, (uint32_t)ranges[i].end);
    }
    *stream = (struct span){bytes, used * OMAP_ENTRY_NBYTES};
    return true;
}

/* Where a piece ends in the old layout: the next one begins, or behind its bytes. */
static uint64_t old_end(const struct pdb_move *move, size_t i)
{
    if (i + 1 < move->piece_count)
        return move->pieces[i + 1].old_rva;
    return (uint64_t)move->pieces[i].old_rva + move->pieces[i].nbytes;
}

/* The headers stay at RVA 0, which the format cannot tell from nowhere; no symbol lies there. */
static bool write_from_source(struct moving *moving, struct span *stream)
{
    const struct pdb_move *move = moving->move;
    struct range *ranges = arena_array(moving->arena, move->piece_count + 1, sizeof *ranges);
    if (!ranges)
        return out_of_memory(moving);
    for (size_t i = 0; i < move->piece_count; i++)
        ranges[i] = (struct range){move->pieces[i].old_rva, move->pieces[i].new_rva, old_end(move, i)};
    return write_omap(moving, ranges, move->piece_count, stream);
}

static bool write_to_source(struct moving *moving, struct span *stream)
{
    const struct pdb_move *move = moving->move;
    size_t count = 0;
    struct range *ranges =
        arena_array(moving->arena, move->piece_count + move->copy_count + 1, sizeof *ranges);
    if (!ranges)
        return out_of_memory(moving);
    for (size_t i = 0; i < move->piece_count; i++)
        if (move->pieces[i].nbytes != 0 && move->pieces[i].new_rva != 0)
            ranges[count++] = (struct range){move->pieces[i].new_rva, move->pieces[i].old_rva,
                                             (uint64_t)move->pieces[i].new_rva + move->pieces[i].nbytes};
    for (size_t i = 0; i < move->copy_count; i++)
        ranges[count++] = (struct range){move->copies[i].new_rva, move->copies[i].old_rva,
                                         (uint64_t)move->copies[i].new_rva + move->copies[i].nbytes};
    return write_omap(moving, ranges, count, stream);
}

/* The DBI stream with numbers in all slots that are needed; first_new: of the three new streams. */
static bool write_dbi(struct moving *moving, uint32_t first_new, struct span *stream)
{
    const struct pdb *pdb = moving->pdb;
    uint32_t slot_count = pdb->slot_count < SLOT_COUNT ? (uint32_t)SLOT_COUNT : pdb->slot_count;
    size_t nbytes = pdb->slots_at + 2 * (size_t)slot_count;
    uint8_t *bytes = arena_alloc_unset(moving->arena, nbytes);
    if (!bytes)
        return out_of_memory(moving);
    memset(bytes, 0xFF, nbytes); /* no stream */
    memcpy(bytes, pdb->dbi.bytes, pdb->dbi.nbytes);
    store_u32(bytes + DBI_DEBUG_STREAMS_NBYTES, 2 * slot_count);
    uint8_t *slots = bytes + pdb->slots_at;
    store_u16(slots + (size_t)2 * SLOT_SECTION_HEADERS, (uint16_t)first_new);
    store_u16(slots + (size_t)2 * SLOT_OMAP_TO_SRC, (uint16_t)(first_new + 1));
    store_u16(slots + (size_t)2 * SLOT_OMAP_FROM_SRC, (uint16_t)(first_new + 2));
    store_u16(slots + (size_t)2 * SLOT_OLD_SECTION_HEADERS, (uint16_t)pdb->section_headers_stream);
    *stream = (struct span){bytes, nbytes};
    return true;
}

bool pdb_move(const struct pdb *pdb, const struct pdb_move *move, struct arena *arena, struct span *file,
              struct finding *error)
{
    struct moving moving = {pdb, move, arena, error};
    uint32_t first_new = pdb->msf.stream_count;
    if (pdb_debug_stream(pdb, SLOT_OMAP_TO_SRC) != PDB_NO_STREAM ||
        pdb_debug_stream(pdb, SLOT_OMAP_FROM_SRC) != PDB_NO_STREAM ||
        pdb_debug_stream(pdb, SLOT_OLD_SECTION_HEADERS) != PDB_NO_STREAM)
        return refuse(&moving, "another tool has moved parts of the image before (it has OMAP tables)");
    if (pdb->section_headers_stream >= pdb->msf.stream_count)
        return refuse(&moving, "it does not hold the section headers of the image");
    uint8_t *info = arena_alloc_unset(arena, pdb->info.nbytes);
    struct msf_change changes[5] = {{STREAM_INFO, {info, pdb->info.nbytes}},
                                    {STREAM_DBI, {NULL, 0}},
                                    {first_new, move->section_table},
                                    {first_new + 1, {NULL, 0}},
                                    {first_new + 2, {NULL, 0}}};
    if (!info)
        return out_of_memory(&moving);
    memcpy(info, pdb->info.bytes, pdb->info.nbytes);
    memcpy(info + INFO_GUID, move->guid, PDB_GUID_NBYTES);
    return write_dbi(&moving, first_new, &changes[1].contents) &&
           write_to_source(&moving, &changes[3].contents) &&
           write_from_source(&moving, &changes[4].contents) &&
           msf_change(&pdb->msf, changes, sizeof changes / sizeof changes[0], arena, file, error);
}
