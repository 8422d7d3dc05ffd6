/* verify_map.h - a guess of where each part of the old image went.
 * Takes: both images and the loader's tables of both.  Gives: pieces, ascending, not overlapping, each with
 * one distance, and whether the guess is beyond doubt.
 * Must not: prove anything: every use of the map is checked against the bytes, so that a wrong guess can only
 * fail to prove. */
#ifndef HVCIFIX_VERIFY_VERIFY_MAP_H
#define HVCIFIX_VERIFY_VERIFY_MAP_H

#include "verify/verify_case.h"
#include "verify/verify_tables.h"

/* [rva, end_rva) of the old image is at rva + delta in the new one. */
struct verify_piece {
    uint32_t rva, end_rva;
    int64_t delta; /* a multiple of 0x1000, but for a shifted section (verify_shift.c) */
    const struct verify_section *section; /* of the old image */
    bool is_slots;                        /* a part that the loader writes, cut out of its section */
    bool is_data_run; /* data that left an executable section: at its old place is filling */
    bool is_table; /* its section is nothing but tables that code does not read; set behind the inventory */
    bool is_code;  /* its section is marked as code or executable, and it is neither of these */
};

struct verify_map {
    struct verify_piece *pieces;
    size_t count, capacity;
    bool moves_slots_only;       /* nothing else than what the loader writes lies elsewhere */
    bool moves_headers_distance; /* some piece that is not slots has a distance other than 0 */
    bool moves_code;             /* some piece that is code has */
    bool moves_apart;            /* not all pieces have the same distance */
    bool is_certain;             /* no other map would explain the bytes nearly as well */
};

/* Finds the map. False when refuted (then right_not_shown is set) or out of memory. */
bool verify_map_find(struct verify_case *judged, const struct verify_tables *old_tables,
                     const struct verify_tables *new_tables, struct verify_map *map);

/* The piece that holds rva, or NULL. */
const struct verify_piece *verify_piece_at(const struct verify_map *map, uint64_t rva);

/* The pieces before and behind rva, or NULL: for an RVA that no piece holds. */
const struct verify_piece *verify_piece_before(const struct verify_map *map, uint64_t rva);
const struct verify_piece *verify_piece_behind(const struct verify_map *map, uint64_t rva);

/* One byte of an image's memory: raw data, or 0 behind it. False when no section holds rva. */
bool verify_memory_byte(const struct verify_image *image, uint64_t rva, uint8_t *byte);

#endif
