/* plain.c - the list of fields of a second reading.
 * Takes: what plain.h says.  Gives: an abort when two readings differ.  Must not: know any table. */
#include "plain.h"

#include <stdlib.h>

void plain_begin(struct plain *plain, const struct image *image)
{
    *plain = (struct plain){.image = image, .is_taken = calloc(1, image->file.nbytes + 1)};
    CLAIM(plain->is_taken, "no memory for the claim");
}

void plain_end(struct plain *plain)
{
    free(plain->is_taken);
    free(plain->fields);
}

static void worsen(struct plain *plain, enum plain_state state, const char *why)
{
    if (state <= plain->state)
        return;
    plain->state = state;
    plain->why = why;
}

void plain_odd(struct plain *plain, const char *why)
{
    worsen(plain, PLAIN_ODD, why);
}

void plain_broken(struct plain *plain, const char *why)
{
    worsen(plain, PLAIN_BROKEN, why);
}

bool plain_bytes(const struct plain *plain, uint64_t rva, uint64_t nbytes, const uint8_t **bytes)
{
    struct span found;
    uint64_t wanted = nbytes == 0 ? 1 : nbytes;
    if (rva > UINT32_MAX || wanted > UINT32_MAX ||
        !image_bytes_at_rva(plain->image, (uint32_t)rva, (uint32_t)wanted, &found))
        return false;
    *bytes = found.bytes;
    return true;
}

uint64_t plain_room(const struct plain *plain, uint64_t rva)
{
    return rva > UINT32_MAX ? 0 : image_run_at_rva(plain->image, (uint32_t)rva).nbytes;
}

bool plain_is_taken(const struct plain *plain, const uint8_t *at)
{
    return plain->is_taken[at - plain->image->file.bytes] != 0;
}

void plain_field(struct plain *plain, const uint8_t *at, uint32_t target)
{
    if (plain_is_taken(plain, at)) {
        plain_broken(plain, "a field is met twice");
        return;
    }
    if (plain->count == plain->capacity) {
        plain->capacity = 2 * plain->capacity + 64;
        struct plain_field *grown = realloc(plain->fields, plain->capacity * sizeof *plain->fields);
        CLAIM(grown, "no memory for the claim");
        plain->fields = grown;
    }
    uint32_t foff = (uint32_t)(at - plain->image->file.bytes);
    plain->is_taken[foff] = 1;
    plain->fields[plain->count++] = (struct plain_field){foff, target};
}

uint32_t plain_va_target(const struct plain *plain, uint64_t va)
{
    return va == 0 ? 0 : (uint32_t)(va - plain->image->image_base_va);
}

uint32_t plain_va_to_rva(const struct plain *plain, uint64_t va)
{
    uint64_t base_va = plain->image->image_base_va;
    return va == 0 || va < base_va || va - base_va > UINT32_MAX ? 0 : (uint32_t)(va - base_va);
}

static int by_foff(const void *a, const void *b)
{
    uint32_t a_foff = ((const struct plain_field *)a)->foff, b_foff = ((const struct plain_field *)b)->foff;
    return (a_foff > b_foff) - (a_foff < b_foff);
}

/* The inventory's fields of these sources, by place. */
static struct plain_field *listed_fields(const struct refset *alone, uint32_t sources, size_t *count)
{
    struct plain_field *fields = malloc((alone->ref_count + 1) * sizeof *fields);
    CLAIM(fields, "no memory for the claim");
    *count = 0;
    for (size_t i = 0; i < alone->ref_count; i++)
        if ((SOURCE_BIT(alone->refs[i].source) & sources) != 0)
            fields[(*count)++] = (struct plain_field){alone->refs[i].site_foff, alone->refs[i].target};
    qsort(fields, *count, sizeof *fields, by_foff);
    return fields;
}

static void claim_same(struct plain *plain, const struct refset *alone, uint32_t sources, const char *table)
{
    size_t count;
    struct plain_field *listed = listed_fields(alone, sources, &count);
    if (plain->count != 0)
        qsort(plain->fields, plain->count, sizeof *plain->fields, by_foff);
    for (size_t i = 0; i < count && i < plain->count; i++)
        CLAIM(listed[i].foff == plain->fields[i].foff && listed[i].target == plain->fields[i].target,
              "%s: the inventory has a field at 0x%X to 0x%X where a second reading has one at 0x%X to 0x%X",
              table, (unsigned)listed[i].foff, (unsigned)listed[i].target, (unsigned)plain->fields[i].foff,
              (unsigned)plain->fields[i].target);
    CLAIM(count == plain->count, "%s: the inventory has %zu fields, a second reading %zu", table, count,
          plain->count);
    free(listed);
}

void plain_compare(struct plain *plain, uint32_t sources, const char *table)
{
    plain_compare_part(plain, sources, sources, table);
}

void plain_compare_part(struct plain *plain, uint32_t sources, uint32_t listed, const char *table)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct refset alone;
    CLAIM(refs_collect(plain->image, &arena, sources, &alone), "out of memory");
    bool is_damaged = alone.damaged != 0;
    if (plain->state == PLAIN_BROKEN)
        CLAIM(is_damaged, "%s: %s, and the inventory says nothing of it", table, plain->why);
    if (plain->state == PLAIN_SOUND) {
        CLAIM(!is_damaged, "%s: read to its end a second time, and the inventory says \"%s\"", table,
              alone.problem_count != 0 ? alone.problems[0].reason : "(nothing)");
        claim_same(plain, &alone, listed, table);
    }
    arena_free(&arena);
}

void plain_claim(const struct image *image, void (*read)(struct plain *), enum ref_source source)
{
    struct plain plain;
    plain_begin(&plain, image);
    read(&plain);
    plain_compare(&plain, SOURCE_BIT(source), ref_source_name(source));
    plain_end(&plain);
}
