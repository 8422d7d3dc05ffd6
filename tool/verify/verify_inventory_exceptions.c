/* verify_inventory_exceptions.c - x64 unwind data, and which language handlers they name.
 * Takes: struct verify_moves.  Gives: their fields.  Must not: look into what a handler reads; see
 * verify_inventory_handlers.c.
 * Source: x64 exception handling documentation; PE format, .pdata. */
#include "verify/verify_inventory_internal.h"

struct unwind_walk {
    struct verify_moves *moves;
    struct handler_use *uses;
    size_t use_count, use_capacity;
};

enum { CHAIN_MAX_COUNT = 32 };

static const struct verify_image *image_of(const struct unwind_walk *walk)
{
    return &walk->moves->judged->old_image;
}

static bool add_use(struct unwind_walk *walk, struct handler_use use)
{
    struct handler_use *grown = arena_grow(walk->moves->judged->arena, walk->uses, walk->use_count,
                                           &walk->use_capacity, walk->use_count + 1, sizeof *walk->uses);
    if (!grown)
        return false;
    walk->uses = grown;
    walk->uses[walk->use_count++] = use;
    return true;
}

static bool function_entry(struct unwind_walk *walk, uint64_t rva)
{
    return verify_moves_rva(walk->moves, rva + RUNTIME_FUNCTION_BEGIN, false, "the begin of unwind data") &&
           verify_moves_rva(walk->moves, rva + RUNTIME_FUNCTION_END, true, "the end of unwind data") &&
           verify_moves_rva(walk->moves, rva + RUNTIME_FUNCTION_UNWIND, false, "the place of unwind data");
}

/* What the unwind codes give back to the stack. Unknown codes end the count: then it is too small. */
static uint32_t frame_nbytes(struct span codes)
{
    enum { PUSH, ALLOC_LARGE, ALLOC_SMALL, SET_FRAME, SAVE, SAVE_FAR, EPILOG, SPARE, SAVE_XMM, SAVE_XMM_FAR };
    uint64_t nbytes = 0;
    for (size_t at = 0; range_fits(codes.nbytes, at, 2);) {
        unsigned operation = codes.bytes[at + 1] & 15u, info = codes.bytes[at + 1] >> 4;
        uint32_t large_nbytes = 0;
        uint16_t small_count = 0;
        at += 2;
        if (operation == PUSH)
            nbytes += 8;
        else if (operation == ALLOC_SMALL)
            nbytes += info * 8 + 8;
        else if (operation == ALLOC_LARGE && info == 0 && span_u16(codes, at, &small_count))
            nbytes += (uint64_t)small_count * 8;
        else if (operation == ALLOC_LARGE && info == 1 && span_u32(codes, at, &large_nbytes))
            nbytes += large_nbytes;
        else if (operation > SAVE_XMM_FAR || operation == ALLOC_LARGE)
            break;
        bool is_far = operation == SAVE_FAR || operation == SAVE_XMM_FAR || operation == SPARE;
        bool is_near = operation == SAVE || operation == SAVE_XMM || operation == EPILOG;
        at += operation == ALLOC_LARGE ? (info == 0 ? 2u : 4u) : is_far ? 4u : is_near ? 2u : 0u;
    }
    return nbytes < INT32_MAX ? (uint32_t)nbytes : 0;
}

/* Codes hold no RVAs; behind them stands a parent entry, or a handler with its data. */
static bool unwind_info(struct unwind_walk *walk, uint32_t rva, uint32_t begin_rva, uint32_t end_rva,
                        unsigned depth)
{
    struct span info = verify_bytes_at(image_of(walk), rva);
    if (rva % 4 != 0 || info.nbytes < UNWIND_INFO_HEADER_NBYTES || depth > CHAIN_MAX_COUNT)
        return verify_moves_unproved(walk->moves, rva, "The unwind data at RVA 0x%X cannot be read.",
                                     (unsigned)rva);
    unsigned version = info.bytes[0] & 7u, flags = info.bytes[0] >> 3;
    uint32_t tail = UNWIND_INFO_HEADER_NBYTES + 2u * ((info.bytes[2] + 1u) & ~1u);
    if (version != 1 && version != 2)
        return verify_moves_unproved(walk->moves, rva, "Unwind data of version %u at RVA 0x%X are not read.",
                                     version, (unsigned)rva);
    uint32_t behind_nbytes = flags & UNWIND_FLAG_CHAININFO                           ? RUNTIME_FUNCTION_NBYTES
                             : flags & (UNWIND_FLAG_EHANDLER | UNWIND_FLAG_UHANDLER) ? 4
                                                                                     : 0;
    if (!verify_moves_whole(walk->moves, rva, tail + behind_nbytes, "unwind data") ||
        !verify_moves_inert(walk->moves, rva, tail + 12, "unwind data"))
        return false;
    if (flags & UNWIND_FLAG_CHAININFO) {
        uint32_t parent_rva, parent_begin_rva, parent_end_rva;
        uint64_t at_rva = (uint64_t)rva + tail;
        if (!function_entry(walk, at_rva))
            return false;
        inventory_peek_u32(walk->moves, at_rva + RUNTIME_FUNCTION_BEGIN, &parent_begin_rva);
        inventory_peek_u32(walk->moves, at_rva + RUNTIME_FUNCTION_END, &parent_end_rva);
        inventory_peek_u32(walk->moves, at_rva + RUNTIME_FUNCTION_UNWIND, &parent_rva);
        return unwind_info(walk, parent_rva, parent_begin_rva, parent_end_rva, depth + 1);
    }
    if (!(flags & (UNWIND_FLAG_EHANDLER | UNWIND_FLAG_UHANDLER)))
        return true;
    struct span codes = {0};
    span_part(info, UNWIND_INFO_HEADER_NBYTES, UINT64_C(2) * info.bytes[2], &codes);
    struct handler_use use = {0, rva + tail + 4, begin_rva, end_rva, frame_nbytes(codes)};
    return verify_moves_rva(walk->moves, (uint64_t)rva + tail, false, "a language handler") &&
           inventory_peek_u32(walk->moves, (uint64_t)rva + tail, &use.handler_rva) && add_use(walk, use);
}

static bool judge_order(struct unwind_walk *walk, struct verify_directory directory)
{
    int64_t last = INT64_MIN;
    for (uint32_t at = 0; range_fits(directory.nbytes, at, RUNTIME_FUNCTION_NBYTES);
         at += RUNTIME_FUNCTION_NBYTES) {
        uint32_t begin_rva;
        inventory_peek_u32(walk->moves, (uint64_t)directory.rva + at, &begin_rva);
        const struct verify_piece *piece = verify_piece_at(&walk->moves->map, begin_rva);
        int64_t moved = piece ? (int64_t)begin_rva + piece->delta : 0;
        if (piece && moved <= last)
            return verify_moves_unproved(walk->moves, directory.rva + at,
                                         "The unwind data would no longer be sorted.");
        if (piece)
            last = moved;
    }
    return true;
}

bool verify_inventory_exceptions(struct verify_moves *moves)
{
    const struct verify_image *image = &moves->judged->old_image;
    struct verify_directory directory = inventory_directory(moves, DIR_EXCEPTION);
    struct unwind_walk walk = {.moves = moves};
    if (directory.rva == 0)
        return true;
    if (image->machine != MACHINE_AMD64)
        return verify_moves_unproved(moves, directory.rva, "The exception directory is not read here.");
    if (!verify_moves_table(moves, directory.rva, directory.nbytes, "the exception directory"))
        return false;
    for (uint32_t at = 0; range_fits(directory.nbytes, at, RUNTIME_FUNCTION_NBYTES);
         at += RUNTIME_FUNCTION_NBYTES) {
        uint64_t at_rva = (uint64_t)directory.rva + at;
        uint32_t begin_rva, end_rva, info_rva;
        if (!inventory_peek_u32(moves, at_rva, &begin_rva) ||
            !inventory_peek_u32(moves, at_rva + 4, &end_rva) ||
            !inventory_peek_u32(moves, at_rva + 8, &info_rva))
            return verify_moves_unproved(moves, directory.rva, "The exception directory cannot be read.");
        if (begin_rva == 0 && end_rva == 0 && info_rva == 0)
            continue;
        if (info_rva & RUNTIME_FUNCTION_INDIRECT)
            return verify_moves_unproved(moves, (uint32_t)at_rva,
                                         "The indirect unwind data at RVA 0x%llX are not read here.",
                                         (unsigned long long)at_rva);
        if (!function_entry(&walk, at_rva) || !unwind_info(&walk, info_rva, begin_rva, end_rva, 0))
            return false;
    }
    return judge_order(&walk, directory) && inventory_handlers(moves, walk.uses, walk.use_count);
}
