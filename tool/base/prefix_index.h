/* prefix_index.h - numbers for short byte strings of which none begins another one.
 * Takes: strings, from whoever knows where each ends.  Gives: the number of the one that given bytes begin
 * with. Must not: know what the strings are. */
#ifndef HVCIFIX_BASE_PREFIX_INDEX_H
#define HVCIFIX_BASE_PREFIX_INDEX_H

#include "base/arena.h"

/* No such string. */
#define PREFIX_NONE UINT32_MAX

/* Where the upper, and then the lower half of a byte leads: 0: nowhere, a node, or the end of a string. */
struct prefix_node {
    uint16_t to[16];
};

struct prefix_index {
    struct arena *arena;       /* borrowed */
    struct prefix_node *nodes; /* the first one is the root */
    size_t node_count, capacity;
    uint16_t behind_first[256]; /* where each first byte leads: most of the way, for most strings */
    uint32_t count, most;       /* numbers given, and how many there may be */
};

/* An empty index; the arena must outlive it. `most` is at most 2^15. Allocates nothing yet. */
void prefix_index_init(struct prefix_index *index, struct arena *arena, uint32_t most);

/* The number of the string that `bytes` begin with; PREFIX_NONE when none does, or when nbytes end before. */
uint32_t prefix_index_find(const struct prefix_index *index, const uint8_t *bytes, size_t nbytes);

/* Adds a string of at most 15 bytes and gives it the next number (from 0). PREFIX_NONE when it is empty, when
 * there are `most` already, when it is there, begins another one or goes on behind one, or when memory or
 * the room of some 2^15 nodes ran out. */
uint32_t prefix_index_add(struct prefix_index *index, const uint8_t *bytes, size_t nbytes);

#endif
