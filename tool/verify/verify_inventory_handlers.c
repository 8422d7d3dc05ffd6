/* verify_inventory_handlers.c - what language handlers read behind unwind data.
 * Takes: each handler with the places of its data.  Gives: the fields that hold addresses.
 * Must not: guess what a handler's data mean unless every user of the handler has data of exactly one known
 * shape.
 * Source: x64 exception handling documentation; the public layouts of the C++ run-time's exception data. */
#include "verify/verify_inventory_internal.h"

#include <stdlib.h>

enum { SCOPE_MAX_COUNT = 4096, CXX_MAX_COUNT = 65536 };

bool inventory_peek_u32(const struct verify_moves *moves, uint64_t rva, uint32_t *value)
{
    uint64_t read = 0;
    bool is_there = verify_read_at(&moves->judged->old_image, rva, 4, &read);
    *value = (uint32_t)read;
    return is_there;
}

/* {count; {begin, end, handler or 1, target or 0}...} inside the function. */
static bool is_scope_table(const struct verify_moves *moves, const struct handler_use *use)
{
    uint32_t count, words[4];
    if (!inventory_peek_u32(moves, use->data_rva, &count) || count == 0 || count > SCOPE_MAX_COUNT)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t at_rva = (uint64_t)use->data_rva + 4 + (uint64_t)i * SCOPE_ENTRY_NBYTES;
        moves->judged->verdict->step_count++;
        for (unsigned k = 0; k < 4; k++)
            if (!inventory_peek_u32(moves, at_rva + UINT64_C(4) * k, &words[k]))
                return false;
        if (words[0] >= words[1] || words[0] < use->begin_rva || words[1] > use->end_rva + 1 ||
            !verify_code_at(&moves->code, words[0]))
            return false;
        if (words[2] > 1 && !verify_code_at(&moves->code, words[2]))
            return false;
        if (words[3] != 0 && !verify_code_at(&moves->code, words[3]))
            return false;
    }
    return true;
}

static bool scope_fields(struct verify_moves *moves, const struct handler_use *use)
{
    uint32_t count = 0, handler_rva;
    inventory_peek_u32(moves, use->data_rva, &count);
    if (!verify_moves_table(moves, use->data_rva, 4 + (uint64_t)count * SCOPE_ENTRY_NBYTES, "a scope table"))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t at_rva = (uint64_t)use->data_rva + 4 + (uint64_t)i * SCOPE_ENTRY_NBYTES;
        inventory_peek_u32(moves, at_rva + 8, &handler_rva);
        if (!verify_moves_rva(moves, at_rva, false, "the begin of a scope") ||
            !verify_moves_rva(moves, at_rva + 4, true, "the end of a scope") ||
            (handler_rva != 1 && !verify_moves_rva(moves, at_rva + 8, false, "a scope's handler")) ||
            !verify_moves_rva(moves, at_rva + 12, false, "a scope's target"))
            return false;
    }
    return true;
}

static bool is_cxx_info(const struct verify_moves *moves, const struct handler_use *use)
{
    uint32_t info_rva, magic;
    return inventory_peek_u32(moves, use->data_rva, &info_rva) && info_rva % 4 == 0 &&
           inventory_peek_u32(moves, info_rva, &magic) && (magic & 0x1FFFFFFF) >= CXX_FUNC_INFO_MAGIC_FIRST &&
           (magic & 0x1FFFFFFF) <= CXX_FUNC_INFO_MAGIC_LAST;
}

static bool type_descriptor(struct verify_moves *moves, uint64_t at_rva)
{
    return verify_moves_rva(moves, at_rva, false, "a type descriptor");
}

static bool try_blocks(struct verify_moves *moves, uint32_t rva, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t at_rva = (uint64_t)rva + (uint64_t)i * 20;
        uint32_t catch_count, handlers_rva;
        if (!verify_moves_rva(moves, at_rva + 16, false, "the handlers of a try block") ||
            !inventory_peek_u32(moves, at_rva + 12, &catch_count) ||
            !inventory_peek_u32(moves, at_rva + 16, &handlers_rva))
            return false;
        if (catch_count > CXX_MAX_COUNT)
            return verify_moves_unproved(moves, rva, "C++ handler data cannot be read.");
        for (uint32_t k = 0; k < catch_count; k++) {
            uint64_t catch_rva = (uint64_t)handlers_rva + (uint64_t)k * 20;
            if (!type_descriptor(moves, catch_rva + 4) ||
                !verify_moves_rva(moves, catch_rva + 12, false, "a catch block"))
                return false;
        }
    }
    return true;
}

/* {magic, states, unwind map, try count, try map, ip count, ip map, help, types, flags} */
static bool cxx_fields(struct verify_moves *moves, const struct handler_use *use)
{
    uint32_t info_rva, words[10];
    if (!verify_moves_rva(moves, use->data_rva, false, "C++ handler data"))
        return false;
    inventory_peek_u32(moves, use->data_rva, &info_rva);
    for (unsigned i = 0; i < 10; i++)
        if (!inventory_peek_u32(moves, info_rva + UINT64_C(4) * i, &words[i]))
            return verify_moves_unproved(moves, info_rva, "C++ handler data cannot be read.");
    if (words[1] > CXX_MAX_COUNT || words[3] > CXX_MAX_COUNT || words[5] > CXX_MAX_COUNT || words[8] != 0)
        return verify_moves_unproved(moves, info_rva, "The C++ handler data at RVA 0x%X are not read here.",
                                     (unsigned)info_rva);
    if (!verify_moves_rva(moves, (uint64_t)info_rva + 8, false, "a C++ unwind map") ||
        !verify_moves_rva(moves, (uint64_t)info_rva + 16, false, "a C++ try map") ||
        !verify_moves_rva(moves, (uint64_t)info_rva + 24, false, "a C++ state map"))
        return false;
    for (uint32_t i = 0; i < words[1]; i++)
        if (!verify_moves_rva(moves, (uint64_t)words[2] + (uint64_t)i * 8 + 4, false, "a C++ action"))
            return false;
    for (uint32_t i = 0; i < words[5]; i++)
        if (!verify_moves_rva(moves, (uint64_t)words[6] + (uint64_t)i * 8, false, "a C++ state"))
            return false;
    return try_blocks(moves, words[4], words[3]);
}

/* One number below the first content, or inside the function's own frame: a frame offset with flags, no RVA.
 */
static bool is_cookie_offset(const struct verify_moves *moves, const struct handler_use *use)
{
    uint32_t value, first_rva = moves->map.pieces[0].rva;
    return inventory_peek_u32(moves, use->data_rva, &value) &&
           (value < first_rva || (value & ~7u) < use->frame_nbytes);
}

static int compare_uses(const void *left, const void *right)
{
    const struct handler_use *a = left, *b = right;
    if (a->handler_rva != b->handler_rva)
        return a->handler_rva < b->handler_rva ? -1 : 1;
    return a->data_rva < b->data_rva ? -1 : a->data_rva > b->data_rva;
}

static bool all_have(const struct verify_moves *moves, const struct handler_use *uses, size_t count,
                     bool (*has_shape)(const struct verify_moves *, const struct handler_use *))
{
    for (size_t i = 0; i < count; i++)
        if (!has_shape(moves, &uses[i]))
            return false;
    return true;
}

/* One handler with all its users. */
static bool handler_group(struct verify_moves *moves, const struct handler_use *uses, size_t count)
{
    bool (*add)(struct verify_moves *, const struct handler_use *) = NULL;
    if (all_have(moves, uses, count, is_scope_table))
        add = scope_fields;
    else if (all_have(moves, uses, count, is_cxx_info))
        add = cxx_fields;
    else if (all_have(moves, uses, count, is_cookie_offset))
        return true;
    /* No handler's data lead to what the loader writes. */
    if (!add && moves->map.moves_slots_only)
        return true;
    if (!add)
        return verify_moves_unproved(
            moves, uses[0].handler_rva,
            "The data of the language handler at RVA 0x%X (first at RVA 0x%X) have no "
            "known shape.",
            (unsigned)uses[0].handler_rva, (unsigned)uses[0].data_rva);
    for (size_t i = 0; i < count; i++)
        if ((i == 0 || uses[i].data_rva != uses[i - 1].data_rva) && !add(moves, &uses[i]))
            return false;
    return true;
}

bool inventory_handlers(struct verify_moves *moves, struct handler_use *uses, size_t count)
{
    if (count > 1)
        qsort(uses, count, sizeof *uses, compare_uses);
    for (size_t first = 0, end; first < count; first = end) {
        for (end = first + 1; end < count && uses[end].handler_rva == uses[first].handler_rva;)
            end++;
        if (!handler_group(moves, uses + first, end - first))
            return false;
    }
    return true;
}
