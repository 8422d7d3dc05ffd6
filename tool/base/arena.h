/* arena.h - memory for one image: many allocations, one release.
 * Takes: an allocator (malloc unless a test gives another).  Gives: zeroed memory that lives until
 * arena_free().  Must not: abort; a failed allocation gives NULL and sets `exhausted`, which every
 * stage looks at before it hands its value on. */
#ifndef HVCIFIX_BASE_ARENA_H
#define HVCIFIX_BASE_ARENA_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the arena takes its blocks from. `alloc` returns NULL on failure; `release` takes what
 * `alloc` gave. Both get `context`. */
struct allocator {
    void *(*alloc)(void *context, size_t nbytes);
    void (*release)(void *context, void *block);
    void *context;
    size_t block_nbytes; /* smallest block to ask for; 0 lets the arena choose. With 1 each allocation of the
                          * arena is one of the allocator, so that a test can make any of them fail. */
};

struct arena_block;

/* Blocks of released arenas, kept for the next arena: a run over many images asks the system for memory only
 * until it has met a large one. For one thread at a time. Zeroed it is empty. */
struct arena_stock {
    struct arena_block *blocks; /* owned */
    size_t block_count, total_nbytes;
};

struct arena {
    struct allocator allocator;
    struct arena_block *blocks; /* owned; newest first */
    struct arena_stock *stock;  /* borrowed, or NULL */
    size_t total_nbytes;        /* taken from the allocator so far */
    bool exhausted;             /* an allocation has failed since arena_init() */
};

/* allocator may be NULL: malloc and free. Allocates nothing yet. */
void arena_init(struct arena *arena, const struct allocator *allocator);

/* From now on the arena, new and of the default allocator, takes blocks from the stock (borrowed) first, and
 * arena_free() leaves them there. */
void arena_use_stock(struct arena *arena, struct arena_stock *stock);

/* Gives the blocks back to the system; the stock may be used again. */
void arena_stock_free(struct arena_stock *stock);

/* Releases everything, or leaves it to the stock; the arena may be used again. A zeroed arena is allowed. */
void arena_free(struct arena *arena);

/* nbytes of zeroed memory aligned for any type; NULL when exhausted. nbytes 0 gives a valid pointer. */
void *arena_alloc(struct arena *arena, size_t nbytes);

/* The same, but the bytes are not set: for buffers that are filled at once. */
void *arena_alloc_unset(struct arena *arena, size_t nbytes);

/* count elements of element_nbytes each, zeroed; NULL when exhausted or when the product overflows. */
void *arena_array(struct arena *arena, size_t count, size_t element_nbytes);

/* Room for at least `needed` elements in an array of *capacity: returns the array itself, perhaps larger, or
 * a copy of its first `count` elements, and the new *capacity; what lies behind the first `count` elements is
 * not set. NULL, with the old array still valid, when exhausted. After a copy the old array must not be used:
 * its memory may be released, so that a growing array needs little more than twice its size. `array` is NULL
 * or comes from here. */
void *arena_grow(struct arena *arena, void *array, size_t count, size_t *capacity, size_t needed,
                 size_t element_nbytes);

/* A NUL-terminated copy of nbytes bytes. NULL when exhausted. */
char *arena_copy_text(struct arena *arena, const char *text, size_t nbytes);

/* printf into the arena. Never NULL: when exhausted it returns "", so that a message can always be
 * printed; the caller looks at arena->exhausted. */
#if defined(__MINGW32__)
#define HVCIFIX_PRINTF(format_at, first_at) __attribute__((format(gnu_printf, format_at, first_at)))
#else
#define HVCIFIX_PRINTF(format_at, first_at) __attribute__((format(printf, format_at, first_at)))
#endif
const char *arena_printf(struct arena *arena, const char *format, ...) HVCIFIX_PRINTF(2, 3);
const char *arena_vprintf(struct arena *arena, const char *format, va_list arguments) HVCIFIX_PRINTF(2, 0);

#endif
