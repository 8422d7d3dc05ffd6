/* code_bounds.c - functions and fragments of functions as unwind data bounds them.
 * Takes: references of SOURCE_EXCEPTION and SOURCE_UNWIND.  Gives: sorted bounds; fragments that are chained
 * to a function share what is known of its registers.  Must not: read .pdata or unwind info; tool/refs has
 * done that. */
#include "code/code_internal.h"

#include <stdlib.h>

/* A fragment's unwind info ends in the record of the function that it belongs to, at most this far behind its
 * begin: header, 255 codes of two bytes, one of padding. */
enum { CHAIN_MAX_NBYTES = UNWIND_INFO_HEADER_NBYTES + 512, CHAIN_MAX_DEPTH = 32 };

struct unwind_place {
    uint32_t unwind_rva;
    uint32_t bound; /* index */
};

static int compare_bounds(const void *a, const void *b)
{
    const struct bound *x = a, *y = b;
    if (x->begin_rva != y->begin_rva)
        return x->begin_rva < y->begin_rva ? -1 : 1;
    return x->end_rva < y->end_rva ? -1 : x->end_rva > y->end_rva;
}

static int compare_places(const void *a, const void *b)
{
    const struct unwind_place *x = a, *y = b;
    return x->unwind_rva < y->unwind_rva ? -1 : x->unwind_rva > y->unwind_rva;
}

/* Linkers write these tables sorted. */
static void sort_unless_sorted(void *array, size_t count, size_t element_nbytes,
                               int (*compare)(const void *a, const void *b))
{
    const uint8_t *elements = array;
    for (size_t i = 1; i < count; i++)
        if (compare(elements + (i - 1) * element_nbytes, elements + i * element_nbytes) > 0) {
            qsort(array, count, element_nbytes, compare);
            return;
        }
}

static bool is_function_begin(const struct ref *ref)
{
    return ref->source == SOURCE_EXCEPTION && ref->detail == DETAIL_FUNCTION_BEGIN;
}

/* .pdata gives begin, end and unwind info as three references in a row. */
static void list_bounds(struct code_reader *reader)
{
    const struct refset *refs = reader->refs;
    for (size_t i = 0; i + 2 < refs->ref_count; i++) {
        const struct ref *begin = &refs->refs[i], *end = begin + 1, *unwind = begin + 2;
        if (!is_function_begin(begin) || end->source != SOURCE_EXCEPTION ||
            end->detail != DETAIL_FUNCTION_END || end->target <= begin->target ||
            !reader_section_at(reader, begin->target))
            continue;
        reader->bounds[reader->bound_count++] = (struct bound){
            .begin_rva = begin->target,
            .end_rva = end->target,
            .unwind_rva = unwind->detail == DETAIL_FUNCTION_UNWIND ? unwind->target : 0,
        };
    }
    sort_unless_sorted(reader->bounds, reader->bound_count, sizeof *reader->bounds, compare_bounds);
    size_t kept = 0;
    for (size_t i = 0; i < reader->bound_count; i++) {
        if (kept != 0 && reader->bounds[kept - 1].begin_rva == reader->bounds[i].begin_rva)
            continue;
        reader->bounds[kept] = reader->bounds[i];
        reader->bounds[kept].parent = (uint32_t)kept;
        kept++;
    }
    reader->bound_count = kept;
}

/* Sets the parent of every bound whose unwind info holds this chained record. Fragments may share one. */
static void chain(struct code_reader *reader, const struct unwind_place *places, const struct ref *record)
{
    uint32_t until_rva;
    const struct bound *parent = reader_bound_at(reader, record->target, &until_rva);
    size_t low = 0, high = reader->bound_count; /* the first place behind the record */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (places[middle].unwind_rva <= record->site_rva)
            low = middle + 1;
        else
            high = middle;
    }
    if (!parent || low == 0)
        return;
    uint32_t unwind_rva = places[low - 1].unwind_rva;
    if (record->site_rva - unwind_rva > CHAIN_MAX_NBYTES)
        return;
    for (size_t i = low; i > 0 && places[i - 1].unwind_rva == unwind_rva; i--)
        reader->bounds[places[i - 1].bound].parent = (uint32_t)(parent - reader->bounds);
}

static bool chain_fragments(struct code_reader *reader)
{
    struct unwind_place *places = arena_array(reader->arena, reader->bound_count, sizeof *places);
    if (!places)
        return false;
    for (size_t i = 0; i < reader->bound_count; i++)
        places[i] = (struct unwind_place){reader->bounds[i].unwind_rva, (uint32_t)i};
    sort_unless_sorted(places, reader->bound_count, sizeof *places, compare_places);
    uint32_t last_site_rva = NO_RVA;
    for (size_t i = 0; i < reader->refs->ref_count; i++) {
        const struct ref *ref = &reader->refs->refs[i];
        if (ref->source != SOURCE_UNWIND || ref->detail != DETAIL_FUNCTION_BEGIN ||
            ref->site_rva == last_site_rva)
            continue;
        last_site_rva = ref->site_rva;
        chain(reader, places, ref);
    }
    return true;
}

bool bounds_collect(struct code_reader *reader)
{
    size_t count = 0;
    if (reader->is_64)
        for (size_t i = 0; i < reader->refs->ref_count; i++)
            count += is_function_begin(&reader->refs->refs[i]);
    reader->bounds = arena_array(reader->arena, count, sizeof *reader->bounds);
    reader->registers = arena_array(reader->arena, count + 1, sizeof *reader->registers);
    if (!reader->bounds || !reader->registers)
        return false;
    if (count != 0)
        list_bounds(reader);
    return chain_fragments(reader);
}

/* How many bounds begin at or before rva. */
static size_t bounds_begun_at(const struct code_reader *reader, uint32_t rva)
{
    size_t low = 0, high = reader->bound_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (reader->bounds[middle].begin_rva <= rva)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct bound *reader_bound_at(struct code_reader *reader, uint32_t rva, uint32_t *until_rva)
{
    const struct bound *bounds = reader->bounds;
    size_t count = reader->near_bound;
    bool is_near = (count == 0 || bounds[count - 1].begin_rva <= rva) &&
                   (count == reader->bound_count || rva < bounds[count].begin_rva);
    if (!is_near)
        reader->near_bound = count = bounds_begun_at(reader, rva);
    *until_rva = count < reader->bound_count ? bounds[count].begin_rva : UINT32_MAX;
    if (count == 0 || rva >= bounds[count - 1].end_rva)
        return NULL;
    if (bounds[count - 1].end_rva < *until_rva)
        *until_rva = bounds[count - 1].end_rva;
    return &bounds[count - 1];
}

struct function_registers *reader_registers(const struct code_reader *reader, const struct bound *bound)
{
    if (!bound)
        return &reader->registers[reader->bound_count];
    size_t index = (size_t)(bound - reader->bounds);
    for (unsigned depth = 0; depth < CHAIN_MAX_DEPTH && reader->bounds[index].parent != index; depth++)
        index = reader->bounds[index].parent;
    return &reader->registers[index];
}
