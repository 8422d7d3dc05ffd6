/* function_parts.c - see function_parts.h. */
#include "calls/function_parts.h"

#include <stdlib.h>

enum { MOST_LINKS = 32 };

/* The entry that the unwind information of an entry chains to. */
static bool chained_to(const struct image *image, uint32_t unwind_rva, struct span *entry)
{
    struct span bytes;
    if (!image_bytes_at_rva(image, unwind_rva, 4, &bytes) || !(bytes.bytes[0] >> 3 & UNWIND_FLAG_CHAININFO))
        return false;
    uint32_t codes_nbytes = (bytes.bytes[2] + 1u) / 2 * 4;
    return image_bytes_at_rva(image, unwind_rva + 4 + codes_nbytes, RUNTIME_FUNCTION_NBYTES, entry);
}

static int compare(const void *left, const void *right)
{
    const struct function_part *a = left, *b = right;
    return a->begin_rva < b->begin_rva ? -1 : a->begin_rva > b->begin_rva;
}

bool function_parts_read(const struct image *image, struct arena *arena, struct function_parts *parts)
{
    *parts = (struct function_parts){.count = 0};
    const struct directory *directory = image_directory(image, DIR_EXCEPTION);
    struct span table;
    if (!directory || image->machine != MACHINE_AMD64)
        return true;
    table = image_run_at_rva(image, directory->rva);
    size_t count =
        (table.nbytes < directory->nbytes ? table.nbytes : directory->nbytes) / RUNTIME_FUNCTION_NBYTES;
    parts->items = arena_array(arena, count, sizeof *parts->items);
    if (!parts->items)
        return false;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *bytes = table.bytes + i * RUNTIME_FUNCTION_NBYTES;
        struct span entry;
        uint32_t function_rva = load_u32(bytes), unwind_rva = load_u32(bytes + RUNTIME_FUNCTION_UNWIND);
        for (int link = 0; link < MOST_LINKS && chained_to(image, unwind_rva, &entry); link++) {
            function_rva = load_u32(entry.bytes);
            unwind_rva = load_u32(entry.bytes + RUNTIME_FUNCTION_UNWIND);
        }
        if (function_rva != load_u32(bytes))
            parts->items[parts->count++] =
                (struct function_part){load_u32(bytes), load_u32(bytes + RUNTIME_FUNCTION_END), function_rva};
    }
    if (parts->count > 1)
        qsort(parts->items, parts->count, sizeof *parts->items, compare);
    return true;
}

uint32_t function_parts_owner(const struct function_parts *parts, uint32_t begin_rva)
{
    struct function_part key = {.begin_rva = begin_rva};
    const struct function_part *part =
        parts->count ? bsearch(&key, parts->items, parts->count, sizeof key, compare) : NULL;
    return part ? part->function_rva : begin_rva;
}
