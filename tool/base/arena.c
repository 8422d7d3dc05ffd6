/* arena.c - the arena: a list of blocks with a bump pointer in the newest.
 * Takes: an allocator.  Gives: zeroed memory.  Must not: abort, print, or keep globals. */
#include "base/arena.h"

#include "base/heap.h"

#include <stdio.h>
#include <string.h>

enum {
    FIRST_BLOCK_NBYTES = 16 * 1024,
    LARGEST_BLOCK_NBYTES = 256 * 1024,   /* but for larger allocations */
    KEPT_BLOCK_NBYTES = 2 * 1024 * 1024, /* instead, where a stock keeps it for the next image */
    ALIGNMENT_NBYTES = 16,
    MOST_BLOCKS_SEARCHED = 64,
    MOST_STOCK_BLOCKS = 64,
    MOST_STOCK_NBYTES = 16 * 1024 * 1024
};

struct arena_block {
    struct arena_block *next;
    size_t capacity_nbytes;
    size_t used_nbytes;
    size_t reserved; /* keeps the payload that follows 16-byte aligned */
};

static void *alloc_from_heap(void *context, size_t nbytes)
{
    (void)context;
    return heap_alloc(nbytes);
}

static void release_to_heap(void *context, void *block)
{
    (void)context;
    heap_release(block);
}

void arena_init(struct arena *arena, const struct allocator *allocator)
{
    memset(arena, 0, sizeof *arena);
    if (allocator)
        arena->allocator = *allocator;
    else
        arena->allocator = (struct allocator){alloc_from_heap, release_to_heap, NULL, 0};
}

void arena_use_stock(struct arena *arena, struct arena_stock *stock)
{
    arena->stock = stock;
}

static bool keep_in_stock(struct arena_stock *stock, struct arena_block *block)
{
    if (!stock || stock->block_count >= MOST_STOCK_BLOCKS ||
        block->capacity_nbytes > MOST_STOCK_NBYTES - stock->total_nbytes)
        return false;
    block->next = stock->blocks;
    stock->blocks = block;
    stock->block_count++;
    stock->total_nbytes += block->capacity_nbytes;
    return true;
}

/* The smallest kept block that is large enough; NULL when there is none. */
static struct arena_block *take_from_stock(struct arena_stock *stock, size_t capacity_nbytes)
{
    struct arena_block **best = NULL;
    if (!stock)
        return NULL;
    for (struct arena_block **at = &stock->blocks; *at; at = &(*at)->next)
        if ((*at)->capacity_nbytes >= capacity_nbytes &&
            (!best || (*at)->capacity_nbytes < (*best)->capacity_nbytes))
            best = at;
    if (!best)
        return NULL;
    struct arena_block *block = *best;
    *best = block->next;
    stock->block_count--;
    stock->total_nbytes -= block->capacity_nbytes;
    return block;
}

void arena_stock_free(struct arena_stock *stock)
{
    while (stock->blocks) {
        struct arena_block *next = stock->blocks->next;
        heap_release(stock->blocks);
        stock->blocks = next;
    }
    *stock = (struct arena_stock){0};
}

static void release_block(struct arena *arena, struct arena_block *block)
{
    if (!keep_in_stock(arena->stock, block))
        arena->allocator.release(arena->allocator.context, block);
}

void arena_free(struct arena *arena)
{
    struct arena_block *block = arena->blocks;
    while (block) {
        struct arena_block *next = block->next;
        release_block(arena, block);
        block = next;
    }
    arena->blocks = NULL;
    arena->total_nbytes = 0;
    arena->exhausted = false;
}

/* A block of at least so much, from the stock or the allocator; it is not in the arena's list yet. */
static struct arena_block *take_block(struct arena *arena, size_t capacity_nbytes)
{
    if (capacity_nbytes > SIZE_MAX - sizeof(struct arena_block))
        return NULL;
    struct arena_block *block = take_from_stock(arena->stock, capacity_nbytes);
    if (block) {
        capacity_nbytes = block->capacity_nbytes;
    } else {
        size_t block_nbytes = sizeof *block + capacity_nbytes;
        if (arena->allocator.block_nbytes == 0)
            block_nbytes = heap_good_nbytes(block_nbytes);
        block = arena->allocator.alloc(arena->allocator.context, block_nbytes);
        capacity_nbytes = block_nbytes - sizeof *block;
    }
    if (!block)
        return NULL;
    *block = (struct arena_block){NULL, capacity_nbytes, 0, 0};
    arena->total_nbytes += sizeof *block + capacity_nbytes;
    return block;
}

/* How large the next block should be, of which so much is taken at once. What is large is a file, mostly, and
 * what it is read into will be large too: pages that are touched one by one cost more than a large one. */
static size_t next_block_nbytes(const struct arena *arena, size_t payload_nbytes)
{
    bool is_large = payload_nbytes > LARGEST_BLOCK_NBYTES / 8;
    if (arena->allocator.block_nbytes != 0)
        return arena->allocator.block_nbytes;
    size_t last_nbytes = arena->blocks ? arena->blocks->capacity_nbytes : 0;
    if (arena->stock && (is_large || last_nbytes > LARGEST_BLOCK_NBYTES / 4))
        return KEPT_BLOCK_NBYTES - sizeof(struct arena_block);
    if (last_nbytes < FIRST_BLOCK_NBYTES)
        return FIRST_BLOCK_NBYTES;
    return last_nbytes < LARGEST_BLOCK_NBYTES / 2 ? last_nbytes * 2 : (size_t)LARGEST_BLOCK_NBYTES;
}

static struct arena_block *new_block(struct arena *arena, size_t payload_nbytes)
{
    size_t capacity_nbytes = next_block_nbytes(arena, payload_nbytes);
    struct arena_block *block =
        take_block(arena, capacity_nbytes < payload_nbytes ? payload_nbytes : capacity_nbytes);
    if (!block && capacity_nbytes > LARGEST_BLOCK_NBYTES && payload_nbytes < capacity_nbytes) /* scarce */
        block =
            take_block(arena, payload_nbytes > LARGEST_BLOCK_NBYTES ? payload_nbytes : LARGEST_BLOCK_NBYTES);
    if (!block)
        return NULL;
    block->next = arena->blocks;
    arena->blocks = block;
    return block;
}

static size_t rounded_up(size_t nbytes)
{
    return (nbytes + ALIGNMENT_NBYTES - 1) & ~(size_t)(ALIGNMENT_NBYTES - 1);
}

void *arena_alloc_unset(struct arena *arena, size_t nbytes)
{
    if (nbytes > SIZE_MAX - ALIGNMENT_NBYTES) {
        arena->exhausted = true;
        return NULL;
    }
    size_t rounded_nbytes = rounded_up(nbytes);
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

/* Makes the array larger where it is: it is the last thing in the newest block, and there is room behind it.
 */
static bool extend(struct arena *arena, const void *array, size_t old_nbytes, size_t new_nbytes)
{
    struct arena_block *block = arena->blocks;
    if (!block || old_nbytes > block->used_nbytes ||
        (const uint8_t *)array != (uint8_t *)(block + 1) + (block->used_nbytes - old_nbytes) ||
        new_nbytes > block->capacity_nbytes - (block->used_nbytes - old_nbytes))
        return false;
    block->used_nbytes += new_nbytes - old_nbytes;
    return true;
}

/* Room for *count elements or more in a block of their own, behind the newest block, which serves on. */
static void *alloc_apart(struct arena *arena, size_t *count, size_t element_nbytes)
{
    struct arena_block *block = take_block(arena, rounded_up(*count * element_nbytes));
    if (!block) {
        arena->exhausted = true;
        return NULL;
    }
    struct arena_block **place = arena->blocks ? &arena->blocks->next : &arena->blocks;
    block->next = *place;
    *place = block;
    if (block->capacity_nbytes / element_nbytes > *count) /* a capacity is a multiple of the alignment */
        *count = block->capacity_nbytes / element_nbytes;
    block->used_nbytes = rounded_up(*count * element_nbytes);
    return block + 1;
}

/* Gives up the array's block when nothing else is in it. */
static void release_array(struct arena *arena, const void *array, size_t nbytes)
{
    int tries = MOST_BLOCKS_SEARCHED;
    for (struct arena_block **at = &arena->blocks; *at && tries-- > 0; at = &(*at)->next) {
        struct arena_block *block = *at;
        if ((const void *)(block + 1) != array || block->used_nbytes != nbytes)
            continue;
        *at = block->next;
        arena->total_nbytes -= sizeof *block + block->capacity_nbytes;
        release_block(arena, block);
        return;
    }
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
    if (element_nbytes != 0 && larger > (SIZE_MAX - ALIGNMENT_NBYTES) / element_nbytes) {
        arena->exhausted = true;
        return NULL;
    }
    size_t old_nbytes = rounded_up(*capacity * element_nbytes);
    size_t new_nbytes = rounded_up(larger * element_nbytes);
    if (array && extend(arena, array, old_nbytes, new_nbytes)) {
        *capacity = larger;
        return array;
    }
    void *copy = new_nbytes >= LARGEST_BLOCK_NBYTES ? alloc_apart(arena, &larger, element_nbytes)
                                                    : arena_alloc_unset(arena, new_nbytes);
    if (!copy)
        return NULL;
    if (array && count != 0)
        memcpy(copy, array, count * element_nbytes);
    if (array)
        release_array(arena, array, old_nbytes);
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
