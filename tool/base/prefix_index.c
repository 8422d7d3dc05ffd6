/* prefix_index.c - prefix_index.h, as a tree with two steps for each byte.
 * Takes: byte strings.  Gives: numbers.  Must not: look at more bytes than a string has. */
#include "base/prefix_index.h"

enum { LONGEST_NBYTES = 15, FIRST_NODES = 256, MOST_NODES = 0x8000 };

/* With this bit the rest is the number of the string that ends here. */
#define IS_END 0x8000u

void prefix_index_init(struct prefix_index *index, struct arena *arena, uint32_t most)
{
    *index = (struct prefix_index){.arena = arena, .most = most};
}

uint32_t prefix_index_find(const struct prefix_index *index, const uint8_t *bytes, size_t nbytes)
{
    const struct prefix_node *nodes = index->nodes;
    uint32_t at = nbytes == 0 ? 0 : index->behind_first[bytes[0]];
    for (size_t i = 1; at != 0; i++) {
        if (at & IS_END)
            return at & ~IS_END;
        if (i == nbytes)
            break;
        at = nodes[at].to[bytes[i] >> 4];
        if (at != 0)
            at = nodes[at].to[bytes[i] & 15];
    }
    return PREFIX_NONE;
}

/* Room for the root and all nodes of one more string. */
static bool make_room(struct prefix_index *index)
{
    size_t needed = index->node_count + 2 * (size_t)LONGEST_NBYTES + 1;
    if (needed > MOST_NODES)
        return false;
    struct prefix_node *nodes =
        arena_grow(index->arena, index->nodes, index->node_count, &index->capacity,
                   needed < FIRST_NODES ? (size_t)FIRST_NODES : needed, sizeof *nodes);
    if (!nodes)
        return false;
    index->nodes = nodes;
    if (index->node_count == 0)
        nodes[index->node_count++] = (struct prefix_node){{0}};
    return true;
}

/* The node that half a byte leads to from another one, perhaps a new one; 0 when a string ends there. */
static uint32_t next_node(struct prefix_index *index, uint32_t node, unsigned half)
{
    uint32_t to = index->nodes[node].to[half];
    if (to == 0) {
        to = (uint32_t)index->node_count;
        index->nodes[index->node_count++] = (struct prefix_node){{0}};
        index->nodes[node].to[half] = (uint16_t)to;
    }
    return to & IS_END ? 0 : to;
}

uint32_t prefix_index_add(struct prefix_index *index, const uint8_t *bytes, size_t nbytes)
{
    if (nbytes == 0 || nbytes > LONGEST_NBYTES || index->count >= index->most || !make_room(index))
        return PREFIX_NONE;
    uint32_t node = 0;
    for (size_t i = 0; i < nbytes; i++) {
        uint32_t middle = next_node(index, node, bytes[i] >> 4); /* strings end with whole bytes */
        if (i + 1 == nbytes) {
            uint16_t *end = &index->nodes[middle].to[bytes[i] & 15];
            if (*end != 0)
                break;
            *end = (uint16_t)(IS_END | index->count);
            index->behind_first[bytes[0]] = index->nodes[index->nodes[0].to[bytes[0] >> 4]].to[bytes[0] & 15];
            return index->count++;
        }
        node = next_node(index, middle, bytes[i] & 15);
        if (node == 0)
            break;
    }
    return PREFIX_NONE;
}
