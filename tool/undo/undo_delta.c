/* undo_delta.c - undo_delta.h.
 * Takes: two files.  Gives: ranges and differences.  Must not: take more than a bounded time for each byte.
 */
#include "undo/undo_delta.h"

enum {
    BLOCK_NBYTES = DELTA_SMALLEST_RANGE_NBYTES, /* what is looked up, and the least that a range has */
    SMALLEST_STEP_NBYTES = 8,                   /* from one block of the new file that is kept to the next */
    MOST_BLOCKS = 1 << 22,                      /* in larger files the step grows */
    WINDOW_NBYTES = 64,                         /* by so many bytes two sources are compared */
    LEAST_GAIN = 8,                             /* a range has to win so many of them */
    NO_SOURCE_SCORE = 16 /* zeros are better than a source that has fewer equal bytes */
};

/* Where blocks of the new file lie: the first of each hash. */
struct block_index {
    struct span file;
    uint32_t *places; /* offset + 1; 0: none */
    unsigned shift;
};

static uint64_t hash_block(const uint8_t *block, unsigned shift)
{
    uint64_t mixed = load_u64(block) * UINT64_C(0x9E3779B97F4A7C15);
    mixed ^= (mixed >> 29) ^ (load_u64(block + 8) * UINT64_C(0xC2B2AE3D27D4EB4F));
    return (mixed * UINT64_C(0x165667B19E3779F9)) >> shift;
}

/* Fill bytes say nothing about where a block comes from. */
static bool is_uniform(const uint8_t *block)
{
    uint64_t first = load_u64(block);
    return first == load_u64(block + 8) && first == block[0] * UINT64_C(0x0101010101010101);
}

static bool index_make(struct span file, struct arena *arena, struct block_index *index)
{
    size_t step_nbytes = SMALLEST_STEP_NBYTES, place_count = 1024;
    *index = (struct block_index){.file = file, .shift = 54};
    while (file.nbytes / step_nbytes > MOST_BLOCKS)
        step_nbytes *= 2;
    for (; place_count < file.nbytes / step_nbytes; place_count *= 2)
        index->shift--;
    index->places = arena_array(arena, place_count, sizeof *index->places);
    if (!index->places)
        return false;
    for (size_t at = 0; range_fits(file.nbytes, at, BLOCK_NBYTES); at += step_nbytes) {
        uint32_t *place = &index->places[hash_block(file.bytes + at, index->shift)];
        if (*place == 0 && !is_uniform(file.bytes + at))
            *place = (uint32_t)at + 1;
    }
    return true;
}

/* The place of a block that is equal to the one at `block`; DELTA_NO_SOURCE when none is known. */
static uint32_t index_find(const struct block_index *index, const uint8_t *block)
{
    uint32_t place = index->places[hash_block(block, index->shift)];
    if (place == 0 || memcmp(index->file.bytes + place - 1, block, BLOCK_NBYTES) != 0)
        return DELTA_NO_SOURCE;
    return place - 1;
}

/* A range in the making: old bytes from `begin` on are found at `source`. */
struct range {
    uint32_t begin, source;
};

/* Where the byte at `at` is found by that range; DELTA_NO_SOURCE when nowhere. */
static uint32_t source_of(const struct range *range, size_t at)
{
    uint64_t source = (uint64_t)range->source + (at - range->begin);
    return range->source == DELTA_NO_SOURCE || source >= DELTA_NO_SOURCE ? DELTA_NO_SOURCE : (uint32_t)source;
}

static uint8_t source_byte(struct span file, uint64_t source)
{
    return source < file.nbytes ? file.bytes[source] : 0;
}

/* How many of the next bytes are equal where `source` says. */
static unsigned score(struct span old_file, size_t at, struct span new_file, uint32_t source)
{
    unsigned equal_count = 0;
    if (source == DELTA_NO_SOURCE)
        return NO_SOURCE_SCORE;
    for (size_t i = 0; i < WINDOW_NBYTES && at + i < old_file.nbytes; i++)
        equal_count +=
            (uint64_t)source + i < new_file.nbytes && old_file.bytes[at + i] == new_file.bytes[source + i];
    return equal_count;
}

struct delta_maker {
    struct arena *arena;
    struct span old_file;
    struct block_index index;
    struct range *ranges;
    size_t range_count, range_capacity;
    struct range last_sourced; /* the last that had a source: patched code is found again by it */
};

static bool add_range(struct delta_maker *maker, size_t begin, uint32_t source)
{
    struct range *ranges = arena_grow(maker->arena, maker->ranges, maker->range_count, &maker->range_capacity,
                                      maker->range_count + 1, sizeof *ranges);
    if (!ranges)
        return false;
    maker->ranges = ranges;
    ranges[maker->range_count] = (struct range){(uint32_t)begin, source};
    if (source != DELTA_NO_SOURCE)
        maker->last_sourced = ranges[maker->range_count];
    maker->range_count++;
    return true;
}

/* Is the next block of the old file where the range says? */
static bool goes_on(const struct delta_maker *maker, size_t at, uint32_t source)
{
    struct span new_file = maker->index.file;
    return source != DELTA_NO_SOURCE && range_fits(maker->old_file.nbytes, at, BLOCK_NBYTES) &&
           range_fits(new_file.nbytes, source, BLOCK_NBYTES) &&
           memcmp(maker->old_file.bytes + at, new_file.bytes + source, BLOCK_NBYTES) == 0;
}

/* The best source for what begins at `at`, where the range's own does not fit. */
static uint32_t best_source(const struct delta_maker *maker, size_t at, uint32_t own)
{
    struct span new_file = maker->index.file;
    uint32_t others[] = {DELTA_NO_SOURCE, source_of(&maker->last_sourced, at), DELTA_NO_SOURCE};
    if (range_fits(maker->old_file.nbytes, at, BLOCK_NBYTES))
        others[2] = index_find(&maker->index, maker->old_file.bytes + at);
    uint32_t best = own;
    unsigned best_score = score(maker->old_file, at, new_file, own) + LEAST_GAIN - 1;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        unsigned other_score = others[i] == own ? 0 : score(maker->old_file, at, new_file, others[i]);
        if (other_score > best_score) {
            best = others[i];
            best_score = other_score;
        }
    }
    return best;
}

/* Divides the old file into ranges. */
static bool find_ranges(struct delta_maker *maker)
{
    struct span old_file = maker->old_file, new_file = maker->index.file;
    size_t at = 0, fits_up_to = 0; /* what lies before that is well where it is */
    if (!add_range(maker, 0, 0))
        return false;
    while (at < old_file.nbytes) {
        uint32_t own = source_of(&maker->ranges[maker->range_count - 1], at);
        if (goes_on(maker, at, own)) {
            at += BLOCK_NBYTES;
            fits_up_to = at;
            continue;
        }
        uint32_t source = best_source(maker, at, own);
        if (source == own) {
            at++;
            continue;
        }
        size_t begin = at;
        while (source != DELTA_NO_SOURCE && begin > fits_up_to && source > 0 &&
               old_file.bytes[begin - 1] == new_file.bytes[source - 1]) {
            begin--;
            source--;
        }
        if (!add_range(maker, begin, source))
            return false;
        at += BLOCK_NBYTES; /* so ranges are not many, whatever the files are */
        fits_up_to = at;
    }
    return true;
}

bool delta_make(struct span old_file, struct span new_file, struct arena *arena, struct span *delta,
                uint32_t *range_count)
{
    struct delta_maker maker = {.arena = arena, .old_file = old_file, .last_sourced = {0, DELTA_NO_SOURCE}};
    if (!index_make(new_file, arena, &maker.index) || !find_ranges(&maker))
        return false;
    size_t ranges_nbytes = maker.range_count * DELTA_RANGE_NBYTES;
    uint8_t *bytes = arena_alloc_unset(arena, ranges_nbytes + old_file.nbytes);
    if (!bytes)
        return false;
    uint8_t *differences = bytes + ranges_nbytes;
    for (size_t i = 0; i < maker.range_count; i++) {
        const struct range *range = &maker.ranges[i];
        size_t end = i + 1 < maker.range_count ? maker.ranges[i + 1].begin : old_file.nbytes;
        store_u32(bytes + i * DELTA_RANGE_NBYTES, (uint32_t)(end - range->begin));
        store_u32(bytes + i * DELTA_RANGE_NBYTES + 4, range->source);
        for (size_t at = range->begin; at < end; at++)
            differences[at] = (uint8_t)(old_file.bytes[at] - source_byte(new_file, source_of(range, at)));
    }
    *range_count = (uint32_t)maker.range_count;
    *delta = (struct span){bytes, ranges_nbytes + old_file.nbytes};
    return true;
}

bool delta_apply(struct span delta, uint32_t range_count, uint64_t old_nbytes, struct span new_file,
                 struct arena *arena, struct span *old_file)
{
    uint64_t ranges_nbytes = (uint64_t)range_count * DELTA_RANGE_NBYTES, at = 0;
    *old_file = (struct span){0};
    if (range_count > delta_most_ranges(old_nbytes) || delta.nbytes != ranges_nbytes + old_nbytes)
        return false;
    uint8_t *bytes = arena_alloc_unset(arena, (size_t)old_nbytes);
    if (!bytes)
        return false;
    const uint8_t *differences = delta.bytes + ranges_nbytes;
    for (uint32_t i = 0; i < range_count; i++) {
        uint32_t length = load_u32(delta.bytes + (size_t)i * DELTA_RANGE_NBYTES);
        uint32_t source = load_u32(delta.bytes + (size_t)i * DELTA_RANGE_NBYTES + 4);
        if (length > old_nbytes - at)
            return false;
        for (uint32_t k = 0; k < length; k++, at++)
            bytes[at] =
                (uint8_t)(differences[at] +
                          (source == DELTA_NO_SOURCE ? 0 : source_byte(new_file, (uint64_t)source + k)));
    }
    if (at != old_nbytes)
        return false;
    *old_file = (struct span){bytes, (size_t)old_nbytes};
    return true;
}
