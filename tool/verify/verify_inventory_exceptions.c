/* verify_inventory_exceptions.c - x64 unwind data and what language handlers read.
 * Takes: struct verify_moves.  Gives: their fields.  Must not: guess what a handler's data mean unless every
 * user of the handler has data of exactly one known shape.
 * Source: x64 exception handling documentation; PE format, .pdata. */
#include "verify/verify_inventory.h"

#include <stdlib.h>

struct handler_use {
    uint32_t handler_rva, data_rva, begin_rva, end_rva;
    uint32_t frame_nbytes; /* of stack that the prologue takes, as the unwind codes say */
};

struct unwind_walk {
    struct verify_moves *moves;
    struct handler_use *uses;
    size_t use_count, use_capacity;
};

enum { CHAIN_MAX_COUNT = 32, SCOPE_MAX_COUNT = 4096, CXX_MAX_COUNT = 65536 };

static const struct verify_image *image_of(const struct unwind_walk *walk)
{
    return &walk->moves->judged->old_image;
}

static bool read_u32_at(const struct unwind_walk *walk, uint64_t rva, uint32_t *value)
{
    uint64_t read = 0;
    bool is_there = verify_read_at(image_of(walk), rva, 4, &read);
    *value = (uint32_t)read;
    return is_there;
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
    if (!verify_moves_inert(walk->moves, rva, tail + 12, "unwind data"))
        return false;
    if (flags & UNWIND_FLAG_CHAININFO) {
        uint32_t parent_rva, parent_begin_rva, parent_end_rva;
        uint64_t at_rva = (uint64_t)rva + tail;
        if (!function_entry(walk, at_rva))
            return false;
        read_u32_at(walk, at_rva + RUNTIME_FUNCTION_BEGIN, &parent_begin_rva);
        read_u32_at(walk, at_rva + RUNTIME_FUNCTION_END, &parent_end_rva);
        read_u32_at(walk, at_rva + RUNTIME_FUNCTION_UNWIND, &parent_rva);
        return unwind_info(walk, parent_rva, parent_begin_rva, parent_end_rva, depth + 1);
    }
    if (!(flags & (UNWIND_FLAG_EHANDLER | UNWIND_FLAG_UHANDLER)))
        return true;
    struct span codes = {0};
    span_part(info, UNWIND_INFO_HEADER_NBYTES, 2u * info.bytes[2], &codes);
    struct handler_use use = {0, rva + tail + 4, begin_rva, end_rva, frame_nbytes(codes)};
    return verify_moves_rva(walk->moves, (uint64_t)rva + tail, false, "a language handler") &&
           read_u32_at(walk, (uint64_t)rva + tail, &use.handler_rva) && add_use(walk, use);
}

/* {count; {begin, end, handler or 1, target or 0}...} inside the function. */
static bool is_scope_table(const struct unwind_walk *walk, const struct handler_use *use)
{
    uint32_t count, words[4];
    if (!read_u32_at(walk, use->data_rva, &count) || count == 0 || count > SCOPE_MAX_COUNT)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t at_rva = (uint64_t)use->data_rva + 4 + (uint64_t)i * SCOPE_ENTRY_NBYTES;
        walk->moves->judged->verdict->step_count++;
        for (unsigned k = 0; k < 4; k++)
            if (!read_u32_at(walk, at_rva + 4 * k, &words[k]))
                return false;
        if (words[0] >= words[1] || words[0] < use->begin_rva || words[1] > use->end_rva + 1 ||
            !verify_code_at(&walk->moves->code, words[0]))
            return false;
        if (words[2] > 1 && !verify_code_at(&walk->moves->code, words[2]))
            return false;
        if (words[3] != 0 && !verify_code_at(&walk->moves->code, words[3]))
            return false;
    }
    return true;
}

static bool scope_fields(struct unwind_walk *walk, const struct handler_use *use)
{
    uint32_t count = 0, handler_rva;
    read_u32_at(walk, use->data_rva, &count);
    if (!verify_moves_inert(walk->moves, use->data_rva, 4 + (uint64_t)count * SCOPE_ENTRY_NBYTES,
                            "a scope table"))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t at_rva = (uint64_t)use->data_rva + 4 + (uint64_t)i * SCOPE_ENTRY_NBYTES;
        read_u32_at(walk, at_rva + 8, &handler_rva);
        if (!verify_moves_rva(walk->moves, at_rva, false, "the begin of a scope") ||
            !verify_moves_rva(walk->moves, at_rva + 4, true, "the end of a scope") ||
            (handler_rva != 1 && !verify_moves_rva(walk->moves, at_rva + 8, false, "a scope's handler")) ||
            !verify_moves_rva(walk->moves, at_rva + 12, false, "a scope's target"))
            return false;
    }
    return true;
}

static bool is_cxx_info(const struct unwind_walk *walk, const struct handler_use *use)
{
    uint32_t info_rva, magic;
    return read_u32_at(walk, use->data_rva, &info_rva) && info_rva % 4 == 0 &&
           read_u32_at(walk, info_rva, &magic) && (magic & 0x1FFFFFFF) >= CXX_FUNC_INFO_MAGIC_FIRST &&
           (magic & 0x1FFFFFFF) <= CXX_FUNC_INFO_MAGIC_LAST;
}

static bool type_descriptor(struct unwind_walk *walk, uint64_t at_rva)
{
    return verify_moves_rva(walk->moves, at_rva, false, "a type descriptor");
}

static bool try_blocks(struct unwind_walk *walk, uint32_t rva, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t at_rva = (uint64_t)rva + (uint64_t)i * 20;
        uint32_t catch_count, handlers_rva;
        if (!verify_moves_rva(walk->moves, at_rva + 16, false, "the handlers of a try block") ||
            !read_u32_at(walk, at_rva + 12, &catch_count) || !read_u32_at(walk, at_rva + 16, &handlers_rva))
            return false;
        if (catch_count > CXX_MAX_COUNT)
            return verify_moves_unproved(walk->moves, rva, "C++ handler data cannot be read.");
        for (uint32_t k = 0; k < catch_count; k++) {
            uint64_t catch_rva = (uint64_t)handlers_rva + (uint64_t)k * 20;
            if (!type_descriptor(walk, catch_rva + 4) ||
                !verify_moves_rva(walk->moves, catch_rva + 12, false, "a catch block"))
                return false;
        }
    }
    return true;
}

/* {magic, states, unwind map, try count, try map, ip count, ip map, help, types, flags} */
static bool cxx_fields(struct unwind_walk *walk, const struct handler_use *use)
{
    uint32_t info_rva, words[10];
    if (!verify_moves_rva(walk->moves, use->data_rva, false, "C++ handler data"))
        return false;
    read_u32_at(walk, use->data_rva, &info_rva);
    for (unsigned i = 0; i < 10; i++)
        if (!read_u32_at(walk, (uint64_t)info_rva + 4 * i, &words[i]))
            return verify_moves_unproved(walk->moves, info_rva, "C++ handler data cannot be read.");
    if (words[1] > CXX_MAX_COUNT || words[3] > CXX_MAX_COUNT || words[5] > CXX_MAX_COUNT || words[8] != 0)
        return verify_moves_unproved(
            walk->moves, info_rva, "The C++ handler data at RVA 0x%X are not read here.", (unsigned)info_rva);
    if (!verify_moves_rva(walk->moves, (uint64_t)info_rva + 8, false, "a C++ unwind map") ||
        !verify_moves_rva(walk->moves, (uint64_t)info_rva + 16, false, "a C++ try map") ||
        !verify_moves_rva(walk->moves, (uint64_t)info_rva + 24, false, "a C++ state map"))
        return false;
    for (uint32_t i = 0; i < words[1]; i++)
        if (!verify_moves_rva(walk->moves, (uint64_t)words[2] + (uint64_t)i * 8 + 4, false, "a C++ action"))
            return false;
    for (uint32_t i = 0; i < words[5]; i++)
        if (!verify_moves_rva(walk->moves, (uint64_t)words[6] + (uint64_t)i * 8, false, "a C++ state"))
            return false;
    return try_blocks(walk, words[4], words[3]);
}

/* One number below the first content, or inside the function's own frame: a frame offset with flags, no RVA.
 */
static bool is_cookie_offset(const struct unwind_walk *walk, const struct handler_use *use)
{
    uint32_t value, first_rva = walk->moves->map.pieces[0].rva;
    return read_u32_at(walk, use->data_rva, &value) &&
           (value < first_rva || (value & ~7u) < use->frame_nbytes);
}

static int compare_uses(const void *left, const void *right)
{
    const struct handler_use *a = left, *b = right;
    if (a->handler_rva != b->handler_rva)
        return a->handler_rva < b->handler_rva ? -1 : 1;
    return a->data_rva < b->data_rva ? -1 : a->data_rva > b->data_rva;
}

static bool all_have(const struct unwind_walk *walk, size_t first, size_t end,
                     bool (*has_shape)(const struct unwind_walk *, const struct handler_use *))
{
    for (size_t i = first; i < end; i++)
        if (!has_shape(walk, &walk->uses[i]))
            return false;
    return true;
}

static bool handler_group(struct unwind_walk *walk, size_t first, size_t end)
{
    bool (*add)(struct unwind_walk *, const struct handler_use *) = NULL;
    if (all_have(walk, first, end, is_scope_table))
        add = scope_fields;
    else if (all_have(walk, first, end, is_cxx_info))
        add = cxx_fields;
    else if (all_have(walk, first, end, is_cookie_offset))
        return true;
    /* No handler's data lead to what the loader writes. */
    if (!add && walk->moves->map.moves_slots_only)
        return true;
    if (!add)
        return verify_moves_unproved(
            walk->moves, walk->uses[first].handler_rva,
            "The data of the language handler at RVA 0x%X (first at RVA 0x%X) have no "
            "known shape.",
            (unsigned)walk->uses[first].handler_rva, (unsigned)walk->uses[first].data_rva);
    for (size_t i = first; i < end; i++)
        if ((i == first || walk->uses[i].data_rva != walk->uses[i - 1].data_rva) &&
            !add(walk, &walk->uses[i]))
            return false;
    return true;
}

static bool judge_order(struct unwind_walk *walk, struct verify_directory directory)
{
    int64_t last = INT64_MIN;
    for (uint32_t at = 0; range_fits(directory.nbytes, at, RUNTIME_FUNCTION_NBYTES);
         at += RUNTIME_FUNCTION_NBYTES) {
        uint32_t begin_rva;
        read_u32_at(walk, (uint64_t)directory.rva + at, &begin_rva);
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
    struct verify_directory directory = image->directory_count > DIR_EXCEPTION
                                            ? image->directories[DIR_EXCEPTION]
                                            : (struct verify_directory){0, 0};
    struct unwind_walk walk = {.moves = moves};
    if (directory.rva == 0)
        return true;
    if (image->machine != MACHINE_AMD64)
        return verify_moves_unproved(moves, directory.rva, "The exception directory is not read here.");
    if (!verify_moves_inert(moves, directory.rva, directory.nbytes, "the exception directory"))
        return false;
    for (uint32_t at = 0; range_fits(directory.nbytes, at, RUNTIME_FUNCTION_NBYTES);
         at += RUNTIME_FUNCTION_NBYTES) {
        uint64_t at_rva = (uint64_t)directory.rva + at;
        uint32_t begin_rva, end_rva, info_rva;
        if (!read_u32_at(&walk, at_rva, &begin_rva) || !read_u32_at(&walk, at_rva + 4, &end_rva) ||
            !read_u32_at(&walk, at_rva + 8, &info_rva))
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
    if (!judge_order(&walk, directory))
        return false;
    if (walk.use_count > 1)
        qsort(walk.uses, walk.use_count, sizeof *walk.uses, compare_uses);
    for (size_t first = 0, end; first < walk.use_count; first = end) {
        for (end = first + 1;
             end < walk.use_count && walk.uses[end].handler_rva == walk.uses[first].handler_rva;)
            end++;
        if (!handler_group(&walk, first, end))
            return false;
    }
    return true;
}
