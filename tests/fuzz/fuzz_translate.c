/* fuzz_translate.c - any bytes as the map of a repair, and any text through it.
 * Takes: a map in JSON; behind the first byte of zero, if there is one, a text.
 * Claims: what the map says is the same both ways, and the same as a search from its begin finds; in a text
 * only the digits or the name of an address change, into the address that the map leads to, every other byte
 * passes through in its order; lines come out alike in whatever pieces they come in; work is linear. */
#include "fuzz.h"
#include "translate/translate.h"

#include <stdio.h>
#include <stdlib.h>

enum { MOST_WORK_STEPS_PER_BYTE = 400, LONGEST_PIECE_NBYTES = ADDRESS_WORD_MOST_NBYTES + 7 };

static const struct work_limit reading = {.steps_per_byte = MOST_WORK_STEPS_PER_BYTE,
                                          .steps_constant = 100000,
                                          .memory_per_byte = 100,
                                          .memory_constant = 1 << 18};

static const uint64_t base_va = UINT64_C(0xFFFFF80112340000);

/* Content by a search from the first piece on; false for what lies behind the pieces. */
static bool content_at(const struct address_map *map, enum address_side from, uint32_t rva, uint32_t *there)
{
    for (size_t i = 0; i < map->piece_count; i++) {
        const struct address_piece *piece = map->pieces[SIDE_OLD][i];
        if (rva >= piece->rva[from] && rva - piece->rva[from] < piece->nbytes) {
            *there = piece->rva[other_side(from)] + (rva - piece->rva[from]);
            return true;
        }
    }
    return false;
}

static void ask(const struct address_map *map, enum address_side from, uint32_t rva)
{
    uint32_t there = 0, back = 0, expected = 0;
    enum address_side to = other_side(from);
    enum address_state state = address_map_find(map, from, rva, &there);
    CLAIM((state == ADDRESS_OUTSIDE) == (rva >= map->image_nbytes[from]), "0x%X: state %d", rva, (int)state);
    if (state == ADDRESS_MAPPED || state == ADDRESS_IN_STUB)
        CLAIM(there <= map->image_nbytes[to], "0x%X lies at 0x%X, outside of the other image", rva, there);
    if (state == ADDRESS_OUTSIDE || !content_at(map, from, rva, &expected))
        return;
    CLAIM(state == (expected < map->image_nbytes[to] ? ADDRESS_MAPPED : ADDRESS_ADDED), "0x%X: state %d", rva,
          (int)state);
    if (state != ADDRESS_MAPPED)
        return;
    CLAIM(there == expected, "0x%X lies at 0x%X, not at 0x%X", rva, there, expected);
    CLAIM(address_map_find(map, to, there, &back) == ADDRESS_MAPPED && back == rva, "0x%X comes back as 0x%X",
          rva, back);
}

static void ask_around(const struct address_map *map, enum address_side side, uint32_t rva)
{
    for (uint32_t i = 0; i < 3; i++)
        ask(map, side, rva + i - 1);
}

static void ask_all(const struct address_map *map)
{
    for (enum address_side side = SIDE_OLD; side < SIDE_COUNT; side++) {
        ask_around(map, side, 0);
        ask_around(map, side, map->image_nbytes[side]);
        for (size_t i = 0; i < map->piece_count && i < 200; i++) {
            const struct address_piece *piece = map->pieces[side][i];
            ask_around(map, side, piece->rva[side]);
            ask_around(map, side, piece->rva[side] + piece->nbytes);
        }
        for (size_t i = 0; i < map->copy_count && i < 200; i++)
            ask_around(map, side, map->copies[i].new_rva);
        for (size_t i = 0; i < map->name_count; i++)
            CLAIM(i == 0 || map->names[side][i - 1]->rva[side] <= map->names[side][i]->rva[side],
                  "names out of order at %zu", i);
    }
}

/* What comes out of the filter. While `line` is set, what lies inside of it has to come in its order. */
struct filtered {
    char *chars;
    size_t nbytes, capacity;
    const char *line, *next, *line_end; /* the input, and the first byte of it that has not come out */
    bool has_inserted;                  /* bytes of our own, since then */
};

static bool is_replaceable(const char *chars, size_t nbytes)
{
    for (size_t i = 0; i < nbytes; i++)
        if (!address_is_word_char(chars[i]) && !strchr("`@$?:.~<>,*&+ ", chars[i]))
            return false;
    return nbytes != 0;
}

static bool collect(void *context, const char *chars, size_t nbytes)
{
    struct filtered *output = context;
    if (output->nbytes + nbytes > output->capacity) {
        output->capacity = 2 * (output->nbytes + nbytes);
        output->chars = realloc(output->chars, output->capacity);
        CLAIM(output->chars, "no memory");
    }
    memcpy(output->chars + output->nbytes, chars, nbytes);
    output->nbytes += nbytes;
    if (!output->line)
        return true;
    bool is_input =
        (uintptr_t)chars >= (uintptr_t)output->line && (uintptr_t)chars < (uintptr_t)output->line_end;
    if (!is_input) {
        output->has_inserted = true;
        return true;
    }
    CLAIM(chars >= output->next, "a byte came out twice");
    if (chars != output->next)
        CLAIM(output->has_inserted && is_replaceable(output->next, (size_t)(chars - output->next)),
              "\"%.*s\" did not come out", (int)(chars - output->next), output->next);
    else
        CLAIM(!output->has_inserted, "something came in between");
    output->next = chars + nbytes;
    output->has_inserted = false;
    return true;
}

/* The text line by line. In pieces of at most piece_nbytes, as a reader of standard input with a small
 * buffer. */
static struct filtered filter(const struct address_map *map, enum address_side from, const char *text,
                              size_t nbytes, size_t piece_nbytes)
{
    struct filtered output = {.nbytes = 0};
    struct translation translation = {.words = {.map = map,
                                                .from = from,
                                                .modules = {map->module[0], map->module[1]},
                                                .has_base = true,
                                                .base_va = base_va},
                                      .put = collect,
                                      .context = &output};
    for (size_t at = 0; at < nbytes;) {
        const char *end = memchr(text + at, '\n', nbytes - at);
        size_t left_nbytes = end ? (size_t)(end - text) + 1 - at : nbytes - at;
        size_t line_nbytes = left_nbytes < piece_nbytes ? left_nbytes : piece_nbytes;
        bool is_whole = left_nbytes == line_nbytes && (end || line_nbytes < piece_nbytes);
        output.line = output.next = text + at;
        output.line_end = text + at + line_nbytes;
        size_t done_nbytes = translate_bytes(&translation, text + at, line_nbytes, is_whole);
        CLAIM(is_whole ? done_nbytes == line_nbytes : done_nbytes + ADDRESS_WORD_MOST_NBYTES > line_nbytes,
              "%zu of %zu bytes came out", done_nbytes, line_nbytes);
        if (output.next != text + at + done_nbytes)
            CLAIM(output.has_inserted &&
                      is_replaceable(output.next, (size_t)(text + at + done_nbytes - output.next)),
                  "the end of a line did not come out");
        output.has_inserted = false;
        at += done_nbytes;
        if (done_nbytes == 0) /* the last, which has no line end, was exactly as long as a piece */
            piece_nbytes++;
    }
    return output;
}

/* Numbers one by one: a line with the module in front of an address, and the same as a virtual address. */
static void translate_one(const struct address_map *map, enum address_side from, uint32_t rva)
{
    static const char simple[] = "abcdefghijklmnopqrstuvwxyz0123456789_.";
    char line[300], expected[300], va[64];
    uint32_t there = rva;
    const char *module = map->module[0];
    if (*module < 'g' || *module > 'z' || strlen(module) > 100 || strspn(module, simple) != strlen(module) ||
        rva >= map->image_nbytes[from])
        return;
    bool is_mapped = address_map_find(map, from, rva, &there) == ADDRESS_MAPPED;
    if (!is_mapped)
        there = rva;
    snprintf(va, sizeof va, "%016llx", (unsigned long long)(base_va + there));
    int nbytes =
        snprintf(line, sizeof line, "x %016llx=%s+0x%x;\n", (unsigned long long)(base_va + rva), module, rva);
    snprintf(expected, sizeof expected, "x %s=%s+0x%x;\n", va, module, there);
    struct filtered output = filter(map, from, line, (size_t)nbytes, sizeof line);
    CLAIM(output.nbytes == strlen(expected) && memcmp(output.chars, expected, output.nbytes) == 0,
          "%.*s is not %s", (int)output.nbytes, output.chars, expected);
    free(output.chars);
}

static void filter_both_ways(const struct address_map *map, struct arena *arena, const char *text,
                             size_t nbytes)
{
    for (enum address_side side = SIDE_OLD; side < SIDE_COUNT; side++) {
        struct work work = work_begin(arena);
        struct filtered whole = filter(map, side, text, nbytes, SIZE_MAX / 2);
        struct work_limit limit = {.steps_per_byte = 40000, .steps_constant = 10000};
        work_end(&work, arena, nbytes, &limit, "the filter");
        struct filtered pieces = filter(map, side, text, nbytes, LONGEST_PIECE_NBYTES);
        CLAIM(whole.nbytes == pieces.nbytes &&
                  (whole.nbytes == 0 || memcmp(whole.chars, pieces.chars, whole.nbytes) == 0),
              "in pieces it is another text");
        free(whole.chars);
        free(pieces.chars);
        for (size_t i = 0; i < map->piece_count && i < 20; i++)
            translate_one(map, side, map->pieces[side][i]->rva[side]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    struct arena arena;
    struct address_map map;
    const char *message;
    const uint8_t *zero = nbytes != 0 ? memchr(data, 0, nbytes) : NULL;
    size_t map_nbytes = zero ? (size_t)(zero - data) : nbytes;
    arena_init(&arena, NULL);
    struct work work = work_begin(&arena);
    bool is_read = address_map_read((struct span){data, map_nbytes}, &arena, &map, &message);
    work_end(&work, &arena, map_nbytes, &reading, "reading a map");
    if (is_read) {
        ask_all(&map);
        if (zero)
            filter_both_ways(&map, &arena, (const char *)zero + 1, nbytes - map_nbytes - 1);
    } else {
        CLAIM(message && *message && !is_sentence(message), "refused with \"%s\"", message ? message : "");
    }
    arena_free(&arena);
    return 0;
}
