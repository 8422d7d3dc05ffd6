/* code_bytes.h - what is known of single bytes and of several at once.
 * Takes: a section's arrays with their spare elements.  Gives: quick answers, and the changes of classes.
 * Must not: know what follows from them. Private to tool/code.
 * The reader asks these questions for every instruction and over whole sections; one byte after the other
 * they would cost as much as decoding. */
#ifndef HVCIFIX_CODE_CODE_BYTES_H
#define HVCIFIX_CODE_CODE_BYTES_H

#include "code/code_map.h"

/* The working copy of one executable section. The arrays have nbytes elements, and SPARE_COUNT more that are
 * 0, so that several can be looked at at once. */
struct reader_section {
    uint32_t rva, nbytes, raw_foff;
    bool has_relocations; /* some byte has MARK_FIELD */
    const uint8_t *bytes;
    uint8_t *classes; /* enum class_bit: those of the map, with the functions that begin there */
    uint8_t *marks;   /* enum mark */
};

enum { SPARE_COUNT = 16 };

enum class_bit {
    CLASS_MASK = 0x07, /* enum byte_class */
    /* Not 0: a function begins here. CLASS_STRONGEST stands for the strongest enum function_source, which is
     * 0, and smaller values for weaker ones. */
    CLASS_FUNCTION = 0xF0,
    CLASS_FUNCTION_SHIFT = 4,
    CLASS_STRONGEST = 15
};

/* What is known about a byte beside its class. */
enum mark {
    MARK_FIELD = 0x03,   /* of a relocated field: one of the next three */
    MARK_FIELD_4 = 0x01, /* first byte of one of 4 bytes */
    MARK_FIELD_8 = 0x02, /* first byte of one of 8 bytes */
    MARK_FIELD_TAIL = 0x03,
    MARK_PUSHED = 0x0C, /* the highest trust with which it was pushed as a root; 0: it was not */
    MARK_POINTER = 0x04,
    MARK_CANDIDATE = 0x08,
    MARK_TRUSTED = 0x0C,
    MARK_NOT_CODE = 0x10,     /* the straight line from here does not decode cleanly */
    MARK_NOT_FUNCTION = 0x20, /* the straight line from here is no function that only pointers name */
    MARK_DATA_OPERAND = 0x40  /* an instruction reads or writes this byte */
};

enum { NO_SOURCE = 0xFF };

_Static_assert(BYTE_UNKNOWN == 0, "spare elements are unknown bytes");
_Static_assert((int)BYTE_PADDING <= (int)CLASS_MASK, "classes fit");
_Static_assert((int)FUNCTION_LEA < (int)CLASS_STRONGEST, "every source has a value of its own that is not 0");

static inline enum byte_class byte_class_at(const struct reader_section *section, uint32_t at)
{
    return (enum byte_class)(section->classes[at] & CLASS_MASK);
}

static inline bool byte_is_unknown(const struct reader_section *section, uint32_t at)
{
    return (section->classes[at] & CLASS_MASK) == BYTE_UNKNOWN;
}

/* Gives a byte that is BYTE_UNKNOWN its class. */
static inline void byte_set_class(struct reader_section *section, uint32_t at, enum byte_class byte_class)
{
    section->classes[at] |= (uint8_t)byte_class;
}

static inline bool byte_begins_function(const struct reader_section *section, uint32_t at)
{
    return (section->classes[at] & CLASS_FUNCTION) != 0;
}

/* enum function_source of the function that begins there. */
static inline uint8_t byte_function_source(const struct reader_section *section, uint32_t at)
{
    return (uint8_t)(CLASS_STRONGEST - (section->classes[at] >> CLASS_FUNCTION_SHIFT));
}

/* True when no function of as strong a source is known to begin there. */
static inline bool byte_lacks_source(const struct reader_section *section, uint32_t at, uint8_t source)
{
    return source != NO_SOURCE && CLASS_STRONGEST - source > section->classes[at] >> CLASS_FUNCTION_SHIFT;
}

static inline void byte_set_source(struct reader_section *section, uint32_t at, uint8_t source)
{
    unsigned strength = CLASS_STRONGEST - (unsigned)source;
    section->classes[at] =
        (uint8_t)((section->classes[at] & CLASS_MASK) | (strength << CLASS_FUNCTION_SHIFT));
}

static inline bool mark_begins_field(uint8_t mark)
{
    return (mark & MARK_FIELD) == MARK_FIELD_4 || (mark & MARK_FIELD) == MARK_FIELD_8;
}

/* Eight bytes, or the same value in each of them: whatever order the machine keeps them in. */
static inline uint64_t load_word(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

static inline uint64_t word_of(uint8_t value)
{
    return value * UINT64_C(0x0101010101010101);
}

/* The first of [at, end) with one of the bits of `mask`, or `end`. Here and below at is at most end. */
static inline uint32_t bytes_find(const uint8_t *array, uint32_t at, uint32_t end, uint8_t mask)
{
    uint64_t all = word_of(mask);
    while (end - at >= sizeof all && !(load_word(array + at) & all))
        at += (uint32_t)sizeof all;
    while (at < end && !(array[at] & mask))
        at++;
    return at;
}

/* The first byte of [at, end) that is BYTE_UNKNOWN, or `end`. */
static inline uint32_t bytes_find_unknown(const struct reader_section *section, uint32_t at, uint32_t end)
{
    uint64_t all = word_of(CLASS_MASK), ones = word_of(0x01), tops = word_of(0x80);
    for (; end - at >= sizeof all; at += (uint32_t)sizeof all)
        if ((((load_word(section->classes + at) & all) - ones) & tops) !=
            0) /* one of them borrowed: it is 0 */
            break;
    while (at < end && !byte_is_unknown(section, at))
        at++;
    return at;
}

/* The first byte of [at, end) that is not BYTE_UNKNOWN, or `end`. */
static inline uint32_t bytes_find_known(const struct reader_section *section, uint32_t at, uint32_t end)
{
    return bytes_find(section->classes, at, end, CLASS_MASK);
}

/* 1 to SPARE_COUNT elements at once, as two words. */
struct word_pair {
    uint64_t low, high;
};

static inline struct word_pair load_pair(const uint8_t *at)
{
    return (struct word_pair){load_word(at), load_word(at + sizeof(uint64_t))};
}

/* All of nbytes (1 to SPARE_COUNT) bytes from `at` are BYTE_UNKNOWN. */
static inline bool bytes_are_unknown(const struct reader_section *section, uint32_t at, unsigned nbytes)
{
    enum { M = CLASS_MASK };
    static const uint8_t masks[2 * SPARE_COUNT] = {M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M};
    struct word_pair mask = load_pair(masks + SPARE_COUNT - nbytes);
    struct word_pair classes = load_pair(section->classes + at);
    return ((classes.low & mask.low) | (classes.high & mask.high)) == 0;
}

/* Makes nbytes (1 to SPARE_COUNT) bytes from `at`, all of them BYTE_UNKNOWN, one instruction. */
static inline void bytes_set_instruction(struct reader_section *section, uint32_t at, unsigned nbytes)
{
    enum { T = BYTE_INSTRUCTION_TAIL };
    static const uint8_t tails[2 * SPARE_COUNT] = {T, T, T, T, T, T, T, T, T, T, T, T, T, T, T};
    struct word_pair tail = load_pair(tails + SPARE_COUNT - nbytes);
    uint8_t *behind = section->classes + at + 1;
    struct word_pair changed = load_pair(behind); /* what lies behind the instruction stays as it is */
    changed.low |= tail.low;
    changed.high |= tail.high;
    memcpy(behind, &changed.low, sizeof changed.low);
    memcpy(behind + sizeof changed.low, &changed.high, sizeof changed.high);
    byte_set_class(section, at, BYTE_INSTRUCTION);
}

#endif
