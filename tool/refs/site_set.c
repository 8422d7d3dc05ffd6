/* site_set.c - making a set of file offsets.
 * Takes: the file's size.  Gives: an empty set.  Must not: know what the offsets mean. */
#include "refs/site_set.h"

bool site_set_init(struct site_set *set, struct arena *arena, uint64_t file_nbytes)
{
    if (file_nbytes / 8 > SIZE_MAX - 8) {
        arena->exhausted = true;
        return false;
    }
    *set =
        (struct site_set){arena_alloc(arena, (size_t)(file_nbytes / 8) + 1 + sizeof(uint32_t)), file_nbytes};
    return set->bits != NULL;
}

void site_set_add_all(struct site_set *set, const struct site_set *other)
{
    uint64_t limit_nbytes = set->limit_nbytes < other->limit_nbytes ? set->limit_nbytes : other->limit_nbytes;
    for (uint64_t i = 0; i < (limit_nbytes + 7) / 8; i++)
        set->bits[i] |= other->bits[i];
}
