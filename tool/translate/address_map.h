/* address_map.h - where each address of an image lies after its repair, and before it.
 * Takes: the JSON map that `fix --map` writes (docs/map.schema.json).  Gives: answers for single RVAs, in
 * both directions.  Must not: trust the file, or know texts that addresses stand in.
 *
 * Side OLD is the image before the repair, side NEW the one after it. */
#ifndef HVCIFIX_TRANSLATE_ADDRESS_MAP_H
#define HVCIFIX_TRANSLATE_ADDRESS_MAP_H

#include "base/arena.h"
#include "base/span.h"

enum address_side { SIDE_OLD, SIDE_NEW, SIDE_COUNT };

static inline enum address_side other_side(enum address_side side)
{
    return side == SIDE_OLD ? SIDE_NEW : SIDE_OLD;
}

/* A run of bytes that is the same on both sides. */
struct address_piece {
    uint32_t rva[SIDE_COUNT];
    uint32_t nbytes;
};

/* An instruction that the new image executes from a copy; the old place holds a jump to it. */
struct address_copy {
    uint32_t old_rva, nbytes, new_rva;
};

/* Code of the new image alone, that stands in for a function of the old one. */
struct address_stub {
    uint32_t new_rva, nbytes, function_old_rva;
};

struct address_name {
    const char *name;
    uint32_t rva[SIDE_COUNT];
};

struct address_map {
    const char *module[2]; /* file names of old and new image, without folder; the second may be NULL */
    uint32_t image_nbytes[SIDE_COUNT]; /* SizeOfImage */
    size_t piece_count, copy_count, stub_count, name_count;
    const struct address_piece **pieces[SIDE_COUNT]; /* ascending by the side's RVA, apart from each other */
    const struct address_copy *copies;               /* ascending by new_rva */
    const struct address_stub *stubs;
    const struct address_name **names[SIDE_COUNT]; /* ascending by the side's RVA */
    const struct address_name **names_by_text;     /* ascending by strcmp() */
};

/* Reads a map. Everything lives in `arena`. False with *message set (a sentence without the period) when the
 * file cannot be used, or, with arena->exhausted, when memory ran out. Work: n log n in its size, which is at
 * most 128 MiB. */
bool address_map_read(struct span file, struct arena *arena, struct address_map *map, const char **message);

enum address_state {
    ADDRESS_MAPPED,  /* *rva is where it lies on the other side */
    ADDRESS_IN_STUB, /* only the new image has it: a start stub; *rva is the old function it stands in for */
    ADDRESS_ADDED,   /* inside the image, but the other side has nothing that belongs to it */
    ADDRESS_OUTSIDE  /* at or beyond SizeOfImage */
};

/* The counterpart of an RVA of side `from`. Fill behind a piece belongs to the piece as long as that holds on
 * both sides. An address in a copy of an instruction is one of that instruction; behind the copy, where a
 * call in it returns to, one of the instruction's end. Logarithmic. */
enum address_state address_map_find(const struct address_map *map, enum address_side from, uint32_t rva,
                                    uint32_t *counterpart);

/* The only name with this text (`nbytes` bytes); NULL when there is none, or more than one place has it. */
const struct address_name *address_map_named(const struct address_map *map, const char *text, size_t nbytes);

/* The last name at or below rva; NULL when there is none. */
const struct address_name *address_map_name_below(const struct address_map *map, enum address_side side,
                                                  uint32_t rva);

#endif
