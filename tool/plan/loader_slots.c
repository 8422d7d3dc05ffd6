/* loader_slots.c - the ranges that the loader or start-up code writes.
 * Takes: extents and references of the loader's tables.  Gives: rewrite->slots, ascending and apart.
 * Must not: decide which of them leave.
 *
 * The import address table is one range: directory 12, all thunk arrays, and the guard slots that touch it,
 * with the zeros between them, so that order and spacing of the slots stay. The security cookie and its
 * complement are neighbours and stay so. */
#include "plan/rewrite.h"
#include "refs/extent_index.h"

#include <stdlib.h>

enum {
    IAT_MAX_GAP_NBYTES = 16 /* zeros between two thunk arrays, or a slot and an array, that still join them */
};

static bool add_slot(struct rewrite *rewrite, uint32_t rva, uint32_t nbytes, enum piece_kind kind,
                     const char *field)
{
    struct slot_range *slots = arena_grow(rewrite->arena, rewrite->slots, rewrite->slot_count,
                                          &rewrite->slot_capacity, rewrite->slot_count + 1, sizeof *slots);
    if (!slots)
        return false;
    rewrite->slots = slots;
    rewrite->slots[rewrite->slot_count++] =
        (struct slot_range){.rva = rva, .nbytes = nbytes, .kind = (uint8_t)kind, .field = field};
    return true;
}

/* The cookie's complement is the word beside it, on either side, that holds the inverted value. */
static bool add_cookie(struct rewrite *rewrite, const struct extent *cookie)
{
    unsigned width = image_pointer_nbytes(rewrite->image);
    uint64_t mask = width == 8 ? UINT64_MAX : UINT32_MAX;
    struct span bytes;
    uint32_t begin_rva = cookie->rva, end_rva = cookie->rva + cookie->nbytes;
    if (image_bytes_at_rva(rewrite->image, cookie->rva, width, &bytes)) {
        uint64_t complement = ~load_width(bytes.bytes, width) & mask;
        if (image_bytes_at_rva(rewrite->image, cookie->rva + width, width, &bytes) &&
            load_width(bytes.bytes, width) == complement)
            end_rva += width;
        if (image_bytes_at_rva(rewrite->image, cookie->rva - width, width, &bytes) &&
            load_width(bytes.bytes, width) == complement)
            begin_rva -= width;
    }
    return add_slot(rewrite, begin_rva, end_rva - begin_rva, PIECE_VARIABLES, "the security cookie");
}

static bool add_extents(struct rewrite *rewrite)
{
    const struct directory *iat = image_directory(rewrite->image, DIR_IAT);
    if (iat && !add_slot(rewrite, iat->rva, iat->nbytes, PIECE_IAT, "the import address table"))
        return false;
    for (size_t i = 0; i < rewrite->refs->extent_count; i++) {
        const struct extent *extent = &rewrite->refs->extents[i];
        bool ok = true;
        switch (extent->kind) {
        case EXTENT_IAT:
            ok = add_slot(rewrite, extent->rva, extent->nbytes, PIECE_IAT, "the import address table");
            break;
        case EXTENT_GUARD_SLOT:
            ok = add_slot(rewrite, extent->rva, extent->nbytes, PIECE_SLOTS, "a guard slot");
            break;
        case EXTENT_DELAY_IAT:
            ok = add_slot(rewrite, extent->rva, extent->nbytes, PIECE_VARIABLES, "a delay-load table");
            break;
        case EXTENT_SECURITY_COOKIE:
            ok = add_cookie(rewrite, extent);
            break;
        default:
            break;
        }
        if (!ok)
            return false;
    }
    return true;
}

/* The TLS index and the module handles of delay-load imports, which no extent describes. */
static bool add_named_words(struct rewrite *rewrite)
{
    for (size_t i = 0; i < rewrite->refs->ref_count; i++) {
        const struct ref *ref = &rewrite->refs->refs[i];
        if (!(ref->flags & REF_FLAG_LOADER_WRITES) || ref->state != REF_RESOLVED)
            continue;
        bool is_handle =
            ref->source == SOURCE_DELAY_IMPORTS && ref->detail == (uint16_t)DETAIL_IMPORT_DESCRIPTOR;
        if (ref->source == SOURCE_TLS && !add_slot(rewrite, ref->target, 4, PIECE_VARIABLES, "the TLS index"))
            return false;
        if (is_handle && !add_slot(rewrite, ref->target, image_pointer_nbytes(rewrite->image),
                                   PIECE_VARIABLES, "a delay-load module handle"))
            return false;
    }
    return true;
}

static int by_rva(const void *a, const void *b)
{
    const struct slot_range *x = a, *y = b;
    if (x->rva != y->rva)
        return x->rva < y->rva ? -1 : 1;
    return x->nbytes < y->nbytes ? -1 : x->nbytes > y->nbytes;
}

/* Two ranges that must not be parted: they overlap, or they belong to the import address table and nothing
 * but a few zeros lies between them. */
static bool are_one(const struct rewrite *rewrite, const struct slot_range *a, const struct slot_range *b)
{
    uint32_t end_rva = a->rva + a->nbytes;
    struct span gap;
    if (b->rva < end_rva)
        return true;
    if (b->rva - end_rva > IAT_MAX_GAP_NBYTES || a->kind == PIECE_VARIABLES || b->kind == PIECE_VARIABLES ||
        image_section_at_rva(rewrite->image, a->rva) != image_section_at_rva(rewrite->image, b->rva))
        return false;
    return b->rva == end_rva ||
           (image_bytes_at_rva(rewrite->image, end_rva, b->rva - end_rva, &gap) && span_is_filled(gap, 0));
}

static enum piece_kind joined_kind(uint8_t a, uint8_t b)
{
    if (a == PIECE_VARIABLES || b == PIECE_VARIABLES)
        return PIECE_VARIABLES;
    return a == PIECE_IAT || b == PIECE_IAT ? PIECE_IAT : PIECE_SLOTS;
}

static struct slot_range *slot_at(const struct rewrite *rewrite, uint32_t rva)
{
    size_t low = 0, high = rewrite->slot_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (rewrite->slots[middle].rva <= rva)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && rva - rewrite->slots[low - 1].rva < rewrite->slots[low - 1].nbytes
               ? &rewrite->slots[low - 1]
               : NULL;
}

/* GNU ld sorts the slots of delay-load imports among the others, without a directory that names them. They
 * hold the addresses of functions that fill them, later. */
static bool mark_addresses(struct rewrite *rewrite)
{
    struct extent_index guard_slots;
    if (!extent_index_init(&guard_slots, rewrite->refs, UINT64_C(1) << EXTENT_GUARD_SLOT, rewrite->arena))
        return false;
    for (size_t i = 0; i < rewrite->refs->ref_count; i++) {
        const struct ref *ref = &rewrite->refs->refs[i];
        if (ref->source != SOURCE_BASERELOCS || ref->encoding != REF_PAGE_12)
            continue;
        struct slot_range *slot = slot_at(rewrite, ref->target);
        if (slot && slot->kind != PIECE_VARIABLES && !extent_index_at(&guard_slots, ref->target))
            slot->holds_addresses = true;
    }
    return true;
}

bool slots_collect(struct rewrite *rewrite)
{
    if (!add_extents(rewrite) || !add_named_words(rewrite))
        return false;
    if (rewrite->slot_count > 1)
        qsort(rewrite->slots, rewrite->slot_count, sizeof *rewrite->slots, by_rva);
    size_t kept = 0;
    for (size_t i = 0; i < rewrite->slot_count; i++) {
        struct slot_range *slot = &rewrite->slots[i], *last = &rewrite->slots[kept == 0 ? 0 : kept - 1];
        if (kept == 0 || !are_one(rewrite, last, slot)) {
            rewrite->slots[kept++] = *slot;
            continue;
        }
        uint32_t end_rva = slot->rva + slot->nbytes;
        if (end_rva > last->rva + last->nbytes)
            last->nbytes = end_rva - last->rva;
        enum piece_kind kind = joined_kind(last->kind, slot->kind);
        if (kind != last->kind)
            last->field = slot->field;
        last->kind = (uint8_t)kind;
    }
    rewrite->slot_count = kept;
    return mark_addresses(rewrite);
}
