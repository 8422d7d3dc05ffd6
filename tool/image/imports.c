/* imports.c - see imports.h. Source: PE format specification, ".idata". */
#include "image/imports.h"

#include <stdlib.h>

enum { NAME_MAX_NBYTES = 512 };

static bool name_at(const struct image *image, uint32_t rva, struct arena *arena, const char **name)
{
    struct span text;
    if (!image_string_at_rva(image, rva, NAME_MAX_NBYTES, &text) || text.nbytes == 0) {
        *name = NULL;
        return true;
    }
    *name = arena_copy_text(arena, (const char *)text.bytes, text.nbytes);
    return *name != NULL;
}

static bool add(struct import_list *list, struct arena *arena, const struct import *import)
{
    struct import *items =
        arena_grow(arena, list->items, list->count, &list->capacity, list->count + 1, sizeof *items);
    if (!items)
        return false;
    list->items = items;
    items[list->count++] = *import;
    return true;
}

/* One array of thunks. All arrays together have no more slots than the file has room for. */
static bool read_thunks(const struct image *image, struct arena *arena, const char *module,
                        uint32_t lookup_rva, uint32_t slot_rva, struct import_list *list)
{
    unsigned nbytes = image_pointer_nbytes(image);
    uint64_t by_number = image->is_64 ? IMPORT_ORDINAL_FLAG_64 : IMPORT_ORDINAL_FLAG_32;
    struct span bytes;
    for (; list->count < image->file.nbytes / nbytes; lookup_rva += nbytes, slot_rva += nbytes) {
        if (!image_bytes_at_rva(image, lookup_rva, nbytes, &bytes))
            return true;
        uint64_t thunk = nbytes == 8 ? load_u64(bytes.bytes) : load_u32(bytes.bytes);
        struct import import = {.slot_rva = slot_rva, .module = module};
        if (thunk == 0)
            return true;
        if (thunk & by_number)
            import.number = (uint16_t)thunk;
        else if (thunk <= INT32_MAX && !name_at(image, (uint32_t)thunk + 2, arena, &import.name))
            return false;
        if (!add(list, arena, &import))
            return false;
    }
    return true;
}

static int compare(const void *left, const void *right)
{
    const struct import *a = left, *b = right;
    return a->slot_rva < b->slot_rva ? -1 : a->slot_rva > b->slot_rva;
}

bool imports_read(const struct image *image, struct arena *arena, struct import_list *list)
{
    *list = (struct import_list){.count = 0};
    const struct directory *directory = image_directory(image, DIR_IMPORT);
    struct span bytes;
    uint32_t most = (uint32_t)(image->file.nbytes / IMPORT_DESCRIPTOR_NBYTES);
    for (uint32_t i = 0; directory && i < most; i++) {
        const char *module;
        uint32_t rva = directory->rva + i * IMPORT_DESCRIPTOR_NBYTES;
        if (!image_bytes_at_rva(image, rva, IMPORT_DESCRIPTOR_NBYTES, &bytes))
            break;
        uint32_t lookup_rva = load_u32(bytes.bytes + IMPORT_ORIGINAL_FIRST_THUNK);
        uint32_t slot_rva = load_u32(bytes.bytes + IMPORT_FIRST_THUNK);
        uint32_t name_rva = load_u32(bytes.bytes + IMPORT_NAME);
        if (slot_rva == 0 || name_rva == 0)
            break;
        if (!name_at(image, name_rva, arena, &module) ||
            !read_thunks(image, arena, module, lookup_rva ? lookup_rva : slot_rva, slot_rva, list))
            return false;
    }
    if (list->count > 1)
        qsort(list->items, list->count, sizeof *list->items, compare);
    return true;
}

const struct import *import_at(const struct import_list *list, uint32_t slot_rva)
{
    struct import key = {.slot_rva = slot_rva};
    return list->count ? bsearch(&key, list->items, list->count, sizeof key, compare) : NULL;
}
