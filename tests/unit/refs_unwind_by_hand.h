/* refs_unwind_by_hand.h - images with unwind data, written out by hand for the tests of tool/refs.
 * .text lies at 0x1000, everything else in .rdata at 0x2000: function records from its start, unwind info
 * from UNWIND_RVA, language data from LANGUAGE_RVA, import names from NAMES_RVA. Must not: use anything of
 * tool/refs. */
#ifndef HVCIFIX_TESTS_REFS_UNWIND_BY_HAND_H
#define HVCIFIX_TESTS_REFS_UNWIND_BY_HAND_H

#include "refs_by_hand.h"

enum {
    TEXT_RVA = 0x1000,
    TEXT_NBYTES = 0x400,
    DATA_RVA = 0x2000,
    DATA_NBYTES = 0x1000,
    UNWIND_RVA = 0x2200,
    LANGUAGE_RVA = 0x2800,
    NAMES_RVA = 0x2C00,
    SLOT_RVA = 0x2D00,
    THUNK_RVA = TEXT_RVA + 0x300,   /* an import thunk */
    HANDLER_RVA = TEXT_RVA + 0x200, /* a handler without a name */
    UNWIND_SOURCES =
        SOURCE_BIT(SOURCE_EXCEPTION) | SOURCE_BIT(SOURCE_UNWIND) | SOURCE_BIT(SOURCE_HANDLER_DATA)
};

struct unwind_image {
    uint16_t machine;
    uint8_t text[TEXT_NBYTES];
    uint8_t data[DATA_NBYTES];
    uint32_t function_count;
    uint32_t next_unwind_rva;
    struct made_image made;
    struct collected c;
};

static inline struct unwind_image *unwind_image(uint16_t machine)
{
    struct unwind_image *u = calloc(1, sizeof *u);
    assert_non_null(u);
    u->machine = machine;
    u->next_unwind_rva = UNWIND_RVA;
    return u;
}

static inline uint8_t *at(struct unwind_image *u, uint32_t rva)
{
    if (rva < DATA_RVA)
        return u->text + (rva - TEXT_RVA);
    assert_in_range(rva, DATA_RVA, DATA_RVA + DATA_NBYTES - 1);
    return u->data + (rva - DATA_RVA);
}

static inline void put(struct unwind_image *u, uint32_t rva, uint32_t value)
{
    store_u32(at(u, rva), value);
}

static inline void put_words(struct unwind_image *u, uint32_t rva, const uint32_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        put(u, rva + 4 * (uint32_t)i, words[i]);
}

#define PUT_WORDS(u, rva, ...)                                                                               \
    put_words(u, rva, (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / 4)

/* Function number i occupies 0x20 bytes of .text. */
static inline uint32_t function_rva(uint32_t index)
{
    return TEXT_RVA + 0x20 * index;
}

/* Appends a function record; returns its RVA. */
static inline uint32_t add_function(struct unwind_image *u, uint32_t unwind)
{
    uint32_t index = u->function_count++;
    uint32_t begin_rva = function_rva(index), record_rva = DATA_RVA + 12 * index;
    if (u->machine == MACHINE_ARM64) {
        record_rva = DATA_RVA + 8 * index;
        PUT_WORDS(u, record_rva, begin_rva, unwind);
    } else {
        PUT_WORDS(u, record_rva, begin_rva, begin_rva + 0x20, unwind);
    }
    return record_rva;
}

/* x64: unwind info of a function with a frame of 0x48 bytes (`sub rsp, 48h`) and `flags`; returns its RVA.
 * The tail (chained record, or handler and its data) comes at + 8. */
static inline uint32_t add_unwind(struct unwind_image *u, unsigned flags, uint32_t tail_nbytes)
{
    uint32_t rva = u->next_unwind_rva;
    uint8_t *info = at(u, rva);
    info[0] = (uint8_t)(1 | flags << 3);
    info[1] = 4; /* bytes of the prologue */
    info[2] = 1; /* codes */
    info[4] = 4;
    info[5] = 8 << 4 | 2; /* allocate 8 * 8 + 8 bytes */
    u->next_unwind_rva += 8 + tail_nbytes;
    return rva;
}

/* x64: a function whose unwind info names `handler_rva`, with `words` as data; returns the data's RVA. */
static inline uint32_t add_handled(struct unwind_image *u, uint32_t handler_rva, const uint32_t *words,
                                   size_t count)
{
    uint32_t info_rva = add_unwind(u, UNWIND_FLAG_EHANDLER | UNWIND_FLAG_UHANDLER, 4 + 4 * (uint32_t)count);
    put(u, info_rva + 8, handler_rva);
    put_words(u, info_rva + 12, words, count);
    add_function(u, info_rva);
    return info_rva + 12;
}

#define ADD_HANDLED(u, handler, ...)                                                                         \
    add_handled(u, handler, (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / 4)

/* An import thunk at THUNK_RVA through a slot that imports `name`. */
static inline void put_thunk(struct unwind_image *u, const char *name)
{
    store_u64(at(u, SLOT_RVA), NAMES_RVA);
    memcpy(at(u, NAMES_RVA + 2), name, strlen(name) + 1);
    if (u->machine == MACHINE_ARM64) {
        /* adrp x16, +1 page; ldr x16, [x16, #0xD00]; br x16 */
        PUT_WORDS(u, THUNK_RVA, 0xB0000010, 0xF9400210 | (0xD00 / 8) << 10, 0xD61F0200);
        return;
    }
    at(u, THUNK_RVA)[0] = 0xFF; /* jmp [rip + distance] */
    at(u, THUNK_RVA)[1] = 0x25;
    put(u, THUNK_RVA + 2, SLOT_RVA - (THUNK_RVA + 6));
}

static inline void collect_unwind(struct unwind_image *u, uint32_t sources)
{
    uint32_t record_nbytes = u->machine == MACHINE_ARM64 ? (uint32_t)ARM64_RUNTIME_FUNCTION_NBYTES
                                                         : (uint32_t)RUNTIME_FUNCTION_NBYTES;
    u->made = make_image(u->machine);
    make_section(&u->made, ".text", TEXT_RVA, MADE_TEXT, u->text, TEXT_NBYTES);
    make_section(&u->made, ".rdata", DATA_RVA, MADE_RDATA, u->data, DATA_NBYTES);
    make_directory(&u->made, DIR_EXCEPTION, DATA_RVA, u->function_count * record_nbytes);
    collect(&u->c, &u->made, sources);
}

static inline void free_unwind(struct unwind_image *u)
{
    collected_free(&u->c, &u->made);
    free(u);
}

#endif
