/* moved_pair.h - a small driver and a rewrite of it whose .data lies behind everything else.
 * Takes: bytes, addresses and operands, put at RVAs of the old image.  Gives: both files, the new one as it
 * has to be unless the test spoils it.  Must not: use anything of tool/ but the format's numbers and readers.
 *
 *     .text   0x1000  RX   filled with CC; the entry point is its first byte
 *     .rdata  0x2000  R    functions and unwind data at its begin (x64), the rest is free
 *     .data   0x3000  RW   in the new image at 0x5000; a hole without rights to write takes its place
 *     .reloc  0x4000  R
 *
 * With pair_split() .data is executable as well, and only a part of it leaves; fill takes its place. */
#ifndef HVCIFIX_TESTS_MOVED_PAIR_H
#define HVCIFIX_TESTS_MOVED_PAIR_H

#include "verify_expect.h"
#include "verify_pairs.h"

enum {
    PAIR_TEXT_RVA = 0x1000,
    PAIR_RDATA_RVA = 0x2000,
    PAIR_UNWIND_RVA = 0x20F0,
    PAIR_FREE_RVA = 0x2100,    /* of .rdata */
    PAIR_POINTER_RVA = 0x20E0, /* leads to the entry point */
    PAIR_DATA_RVA = 0x3000,
    PAIR_RELOC_RVA = 0x4000,
    PAIR_NEW_DATA_RVA = 0x5000,
    PAIR_DELTA = PAIR_NEW_DATA_RVA - PAIR_DATA_RVA,
    PAIR_SECTION_NBYTES = 0x400
};

/* One of the two images: .text, .rdata, .data, by the RVAs of the old one. */
struct pair_side {
    uint8_t bytes[3][PAIR_SECTION_NBYTES];
    struct {
        uint32_t rva, nbytes;
    } directories[DIR_COUNT];
};

struct moved_pair {
    uint16_t machine;
    struct pair_side old_side, new_side;
    uint32_t sites[64]; /* relocated fields, old RVAs */
    size_t site_count;
    uint32_t function_count;
    uint32_t text_nbytes, rdata_nbytes;
    uint32_t moved_rva, moved_end_rva;
    bool is_split;
    uint32_t tail_nbytes;  /* zeros behind the raw data of .data */
    uint32_t moved_rights; /* of the section at the new place */
};

static inline uint32_t pair_moved_rva(const struct moved_pair *pair, uint32_t rva)
{
    return rva >= pair->moved_rva && rva < pair->moved_end_rva ? rva + PAIR_DELTA : rva;
}

static inline uint8_t *pair_at(struct pair_side *side, uint32_t rva)
{
    uint32_t section = rva / PAGE_NBYTES - 1, at = rva % PAGE_NBYTES;
    assert_true(section < 3 && at < PAIR_SECTION_NBYTES);
    return &side->bytes[section][at];
}

static inline bool pair_is_64(const struct moved_pair *pair)
{
    return pair->machine == MACHINE_AMD64;
}

static inline uint64_t pair_base_va(const struct moved_pair *pair)
{
    return pair_is_64(pair) ? UINT64_C(0x140000000) : 0x10000;
}

/* The same bytes in both. Returns the RVA behind them. */
static inline uint32_t pair_put(struct moved_pair *pair, uint32_t rva, const char *bytes, size_t nbytes)
{
    memcpy(pair_at(&pair->old_side, rva), bytes, nbytes);
    memcpy(pair_at(&pair->new_side, rva), bytes, nbytes);
    return rva + (uint32_t)nbytes;
}
#define PAIR_PUT(pair, rva, literal) pair_put(pair, rva, literal, sizeof(literal) - 1)

/* Four bytes: one number in the old image, another in the new one. */
static inline uint32_t pair_put_u32(struct moved_pair *pair, uint32_t rva, uint32_t old_value,
                                    uint32_t new_value)
{
    store_u32(pair_at(&pair->old_side, rva), old_value);
    store_u32(pair_at(&pair->new_side, rva), new_value);
    return rva + 4;
}

/* Four bytes that hold the RVA of target_rva in both. */
static inline uint32_t pair_put_rva(struct moved_pair *pair, uint32_t rva, uint32_t target_rva)
{
    return pair_put_u32(pair, rva, target_rva, pair_moved_rva(pair, target_rva));
}

/* Opcode bytes and a distance from the end of the instruction, trailing_nbytes behind the field. The site
 * stays. Returns the RVA behind the field. */
static inline uint32_t pair_put_relative(struct moved_pair *pair, uint32_t rva, const char *opcode,
                                         size_t nbytes, uint32_t target_rva, uint32_t trailing_nbytes)
{
    uint32_t field_rva = pair_put(pair, rva, opcode, nbytes), end_rva = field_rva + 4 + trailing_nbytes;
    return pair_put_u32(pair, field_rva, target_rva - end_rva, pair_moved_rva(pair, target_rva) - end_rva);
}
#define PAIR_PUT_RELATIVE(pair, rva, literal, target_rva)                                                    \
    pair_put_relative(pair, rva, literal, sizeof(literal) - 1, target_rva, 0)

/* The address of target_rva, with a base relocation. */
static inline uint32_t pair_put_address(struct moved_pair *pair, uint32_t rva, uint32_t target_rva)
{
    unsigned nbytes = pair_is_64(pair) ? 8 : 4;
    store_width(pair_at(&pair->old_side, rva), nbytes, pair_base_va(pair) + target_rva);
    store_width(pair_at(&pair->new_side, rva), nbytes, pair_base_va(pair) + pair_moved_rva(pair, target_rva));
    pair->sites[pair->site_count++] = rva;
    return rva + nbytes;
}

static inline struct moved_pair pair_begin(uint16_t machine)
{
    struct moved_pair pair = {.machine = machine,
                              .text_nbytes = PAIR_SECTION_NBYTES,
                              .rdata_nbytes = PAIR_SECTION_NBYTES,
                              .moved_rights = MADE_DATA,
                              .moved_rva = PAIR_DATA_RVA,
                              .moved_end_rva = PAIR_RELOC_RVA};
    memset(pair.old_side.bytes[0], 0xCC, PAIR_SECTION_NBYTES);
    memset(pair.new_side.bytes[0], 0xCC, PAIR_SECTION_NBYTES);
    memcpy(pair_at(&pair.old_side, PAIR_UNWIND_RVA), "\x01\x00\x00\x00", 4);
    memcpy(pair_at(&pair.new_side, PAIR_UNWIND_RVA), "\x01\x00\x00\x00", 4);
    pair_put_address(&pair, PAIR_POINTER_RVA, PAIR_TEXT_RVA);
    return pair;
}

/* Only [rva, end_rva) of .data leaves, before anything that leads there is put. Behind its raw data lie
 * tail_nbytes zeros, which leave too when end_rva is behind them. */
static inline void pair_split(struct moved_pair *pair, uint32_t rva, uint32_t end_rva, uint32_t tail_nbytes)
{
    pair->is_split = true;
    pair->moved_rva = rva;
    pair->moved_end_rva = end_rva;
    pair->tail_nbytes = tail_nbytes;
}

/* Unwind data for [rva, end_rva), ascending. */
static inline void pair_function(struct moved_pair *pair, uint32_t rva, uint32_t end_rva)
{
    uint32_t at = PAIR_RDATA_RVA + pair->function_count++ * RUNTIME_FUNCTION_NBYTES;
    pair_put_rva(pair, at + RUNTIME_FUNCTION_BEGIN, rva);
    pair_put_u32(pair, at + RUNTIME_FUNCTION_END, end_rva, pair_moved_rva(pair, end_rva - 1) + 1);
    pair_put_u32(pair, at + RUNTIME_FUNCTION_UNWIND, PAIR_UNWIND_RVA, PAIR_UNWIND_RVA);
}

static inline void pair_directory(struct moved_pair *pair, unsigned number, uint32_t rva, uint32_t nbytes)
{
    pair->old_side.directories[number].rva = rva;
    pair->new_side.directories[number].rva = pair_moved_rva(pair, rva);
    pair->old_side.directories[number].nbytes = pair->new_side.directories[number].nbytes = nbytes;
}

static inline int pair_compare_sites(const void *left, const void *right)
{
    const uint32_t *a = left, *b = right;
    return *a < *b ? -1 : *a > *b;
}

/* What is at the old place of .data. */
static inline void pair_put_data(const struct moved_pair *pair, const struct pair_side *side,
                                 struct made_image *made, bool is_new)
{
    uint32_t rights = is_new ? MADE_RDATA : MADE_DATA;
    uint8_t bytes[PAIR_SECTION_NBYTES];
    memcpy(bytes, side->bytes[2], sizeof bytes);
    for (uint32_t at = 0; is_new && at < sizeof bytes; at++)
        if (pair_moved_rva(pair, PAIR_DATA_RVA + at) != PAIR_DATA_RVA + at)
            bytes[at] = 0xCC;
    if (is_new && !pair->is_split)
        make_section(made, ".hvhole", PAIR_DATA_RVA, rights, "", 0)->virtual_size = PAIR_SECTION_NBYTES;
    else
        make_section(made, ".data", PAIR_DATA_RVA, rights | (pair->is_split ? SCN_MEM_EXECUTE : 0), bytes,
                     sizeof bytes)
            ->virtual_size += pair->tail_nbytes;
}

static inline void pair_put_moved(const struct moved_pair *pair, const struct pair_side *side,
                                  struct made_image *made)
{
    uint8_t bytes[PAIR_SECTION_NBYTES] = {0};
    for (uint32_t at = 0; at < sizeof bytes; at++)
        if (pair_moved_rva(pair, PAIR_DATA_RVA + at) != PAIR_DATA_RVA + at)
            bytes[at] = side->bytes[2][at];
    make_section(made, pair->is_split ? ".hvdata" : ".data", PAIR_NEW_DATA_RVA, pair->moved_rights, bytes,
                 sizeof bytes)
        ->virtual_size += pair->tail_nbytes;
}

static inline struct span pair_file(const struct moved_pair *pair, const struct pair_side *side,
                                    struct made_image *made)
{
    bool is_new = side == &pair->new_side;
    uint32_t sites[64];
    size_t count = 0;
    *made = make_image(pair->machine);
    made->entry_rva = PAIR_TEXT_RVA;
    for (; count < pair->site_count; count++)
        sites[count] = is_new ? pair_moved_rva(pair, pair->sites[count]) : pair->sites[count];
    qsort(sites, count, sizeof sites[0], pair_compare_sites);
    for (unsigned i = 0; i < DIR_COUNT; i++)
        make_directory(made, i, side->directories[i].rva, side->directories[i].nbytes);
    if (pair->function_count != 0)
        make_directory(made, DIR_EXCEPTION, PAIR_RDATA_RVA, pair->function_count * RUNTIME_FUNCTION_NBYTES);
    make_section(made, ".text", PAIR_TEXT_RVA, MADE_TEXT, side->bytes[0], pair->text_nbytes);
    make_section(made, ".rdata", PAIR_RDATA_RVA, MADE_RDATA, side->bytes[1], pair->rdata_nbytes);
    pair_put_data(pair, side, made, is_new);
    make_relocations(made, PAIR_RELOC_RVA, sites, count);
    if (is_new)
        pair_put_moved(pair, side, made);
    return make_file(made);
}

/* Both files. Freed with pairs_free(). */
static inline struct verify_files pair_files(const struct moved_pair *pair)
{
    struct made_image old_made, new_made;
    struct verify_files files = pairs_repair(pair_file(pair, &pair->old_side, &old_made));
    struct span file = pair_file(pair, &pair->new_side, &new_made);
    free(files.new_bytes);
    files.new_bytes = malloc(file.nbytes);
    assert_non_null(files.new_bytes);
    memcpy(files.new_bytes, file.bytes, file.nbytes);
    files.new_nbytes = file.nbytes;
    pairs_set_checksum(files.new_bytes, files.new_nbytes);
    make_free(&old_made);
    make_free(&new_made);
    return files;
}

enum pair_verdict { PAIR_PROVED, PAIR_NOT_SHOWN, PAIR_REFUTED };

/* Judges the pair; unless it has to be proved, at this place (UINT32_MAX: any) and with these words in the
 * reason. */
static inline void pair_expect(const char *name, const struct moved_pair *pair, enum pair_verdict wanted,
                               uint32_t place_rva, const char *words)
{
    struct verify_files files = pair_files(pair);
    struct arena arena;
    arena_init(&arena, NULL);
    struct verify_verdict verdict = judge(&files, &arena);
    bool is_refuted = verdict.result == VERIFY_REFUTED;
    enum pair_verdict found = !is_refuted               ? PAIR_PROVED
                              : verdict.right_not_shown ? PAIR_NOT_SHOWN
                                                        : PAIR_REFUTED;
    if (found != wanted)
        fail_msg("%s: %s", name, is_refuted ? verdict.reason : "proved");
    if (is_refuted && !strstr(verdict.reason, words))
        fail_msg("%s: expected \"%s\" in: %s", name, words, verdict.reason);
    if (is_refuted && place_rva != UINT32_MAX && verdict.rva != place_rva)
        fail_msg("%s: at RVA 0x%X: %s", name, (unsigned)verdict.rva, verdict.reason);
    arena_free(&arena);
    pairs_free(&files);
}

#endif
