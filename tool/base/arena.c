/* arena.c - the arena: a list of blocks with a bump pointer in the newest.
 * Takes: an allocator.  Gives: zeroed memory.  Must not: abort, print, or keep globals. */
#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BLOCK_NBYTES = 16 * 1024, LARGEST_BLOCK_NBYTES = 1024 * 1024, ALIGNMENT_NBYTES = 16 };

struct arena_block {
    struct arena_block *next;
    size_t capacity_nbytes;
    size_t used_nbytes;
    size_t reserved; /* keeps the payload that follows 16-byte aligned */
};

static void *heap_alloc(void *context, size_t nbytes)
{
    (void)context;
    return malloc(nbytes);
}

static void heap_release(void *context, void *block)
{
    (void)context;
    free(block);
}

void arena_init(struct arena *arena, const struct allocator *allocator)
{
    memset(arena, 0, sizeof *arena);
    if (allocator)
        arena->allocator = *allocator;
    else
        arena->allocator = (struct allocator){heap_alloc, heap_release, NULL, 0};
}

void arena_free(struct arena *arena)
{
    struct arena_block *block = arena->blocks;
    while (block) {
        struct arena_block *next = block->next;
        arena->allocator.release(arena->allocator.context, block);
        block = next;
    }
    arena->blocks = NULL;
    arena->total_nbytes = 0;
    arena->exhausted = false;
}

static struct arena_block *new_block(struct arena *arena, size_t payload_nbytes)
{
    size_t capacity_nbytes = FIRST_BLOCK_NBYTES;
    if (arena->blocks && arena->blocks->capacity_nbytes >= FIRST_BLOCK_NBYTES)
        capacity_nbytes = arena->blocks->capacity_nbytes * 2;
    if (capacity_nbytes > LARGEST_BLOCK_NBYTES)
        capacity_nbytes = LARGEST_BLOCK_NBYTES;
    if (arena->allocator.block_nbytes != 0)
        capacity_nbytes = arena->allocator.block_nbytes;
    if (capacity_nbytes < payload_nbytes)
        capacity_nbytes = payload_nbytes;
    if (capacity_nbytes > SIZE_MAX - sizeof(struct arena_block))
        return NULL;
    struct arena_block *block =
        arena->allocator.alloc(arena->allocator.context, sizeof *block + capacity_nbytes);
    if (!block)
        return NULL;
    *block = (struct arena_block){arena->blocks, capacity_nbytes, 0, 0};
    arena->total_nbytes += sizeof *block + capacity_nbytes;
    arena->blocks = block;
    return block;
}

void *arena_alloc_unset(struct arena *arena, size_t nbytes)
{
    if (nbytes > SIZE_MAX - ALIGNMENT_NBYTES) {
        arena->exhausted = true;
        return NULL;
    }
    size_t rounded_nbytes = (nbytes + ALIGNMENT_NBYTES - 1) & ~(size_t)(ALIGNMENT_NBYTES - 1);
    struct arena_block *block = arena->blocks;
    if (!block || block->capacity_nbytes - block->used_nbytes < rounded_nbytes)
        block = new_block(arena, rounded_nbytes);
    if (!block) {
        arena->exhausted = true;
        return NULL;
    }
    uint8_t *payload = (uint8_t *)(block + 1) + block->used_nbytes;
    block->used_nbytes += rounded_nbytes;
    return payload;
}

void *arena_alloc(struct arena *arena, size_t nbytes)
{
    void *payload = arena_alloc_unset(arena, nbytes);
    if (payload)
        memset(payload, 0, nbytes);
    return payload;
}

void *arena_array(struct arena *arena, size_t count, size_t element_nbytes)
{
    if (element_nbytes != 0 && count > SIZE_MAX / element_nbytes) {
        arena->exhausted = true;
        return NULL;
    }
    return arena_alloc(arena, count * element_nbytes);
}

void *arena_grow(struct arena *arena, void *array, size_t count, size_t *capacity, size_t needed,
                 size_t element_nbytes)
{
    if (array && needed <= *capacity)
        return array;
    size_t larger = *capacity > SIZE_MAX / 2 ? needed : *capacity * 2;
    if (larger < needed)
        larger = needed;
    if (larger < 16)
        larger = 16;
    void *copy = arena_array(arena, larger, element_nbytes);
    if (!copy)
        return NULL;
    if (array && count != 0)
        memcpy(copy, array, count * element_nbytes);
    *capacity = larger;
    return copy;
}

char *arena_copy_text(struct arena *arena, const char *text, size_t nbytes)
{
    if (nbytes == SIZE_MAX) {
        arena->exhausted = true;
        return NULL;
    }
    char *copy = arena_alloc(arena, nbytes + 1);
    if (copy && nbytes != 0)
        memcpy(copy, text, nbytes);
    return copy;
}

const char *arena_vprintf(struct arena *arena, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    char *text = length < 0 ? NULL : arena_alloc(arena, (size_t)length + 1);
    if (text)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text ? text : "";
}

const char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *text = arena_vprintf(arena, format, arguments);
    va_end(arguments);
    return text;
}
