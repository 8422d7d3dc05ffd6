/* function_names.c - see function_names.h. */
#include "calls/function_names.h"

#include <stdlib.h>
#include <string.h>

enum { SHORT_NAME_NBYTES = 8, SYMBOL_TYPE_FUNCTION = 0x20 };

static bool add(struct function_names *names, struct arena *arena, uint32_t rva, struct span text)
{
    struct function_name *items =
        arena_grow(arena, names->items, names->count, &names->capacity, names->count + 1, sizeof *items);
    if (!items)
        return false;
    names->items = items;
    const char *name = arena_copy_text(arena, (const char *)text.bytes, text.nbytes);
    items[names->count++] = (struct function_name){rva, name};
    return name != NULL;
}

/* Element `i` of an array of numbers of nbytes each; false when it is not in the file. */
static bool element(const struct image *image, uint32_t array_rva, uint32_t i, unsigned nbytes,
                    uint32_t *number)
{
    struct span bytes;
    uint64_t rva = array_rva + (uint64_t)i * nbytes;
    if (rva > UINT32_MAX || !image_bytes_at_rva(image, (uint32_t)rva, nbytes, &bytes))
        return false;
    *number = nbytes == 2 ? load_u16(bytes.bytes) : load_u32(bytes.bytes);
    return true;
}

static bool read_exports(const struct image *image, struct arena *arena, struct function_names *names)
{
    const struct directory *directory = image_directory(image, DIR_EXPORT);
    struct span header, text;
    if (!directory || !image_bytes_at_rva(image, directory->rva, EXPORT_DIRECTORY_NBYTES, &header))
        return true;
    uint32_t name_count = load_u32(header.bytes + EXPORT_NUMBER_OF_NAMES);
    uint32_t names_rva = load_u32(header.bytes + EXPORT_ADDRESS_OF_NAMES);
    uint32_t numbers_rva = load_u32(header.bytes + EXPORT_ADDRESS_OF_NAME_ORDINALS);
    uint32_t functions_rva = load_u32(header.bytes + EXPORT_ADDRESS_OF_FUNCTIONS);
    uint32_t name_rva, number, function_rva;
    for (uint32_t i = 0; i < name_count && i < image->file.nbytes / 4; i++) {
        if (!element(image, names_rva, i, 4, &name_rva) || !element(image, numbers_rva, i, 2, &number) ||
            !element(image, functions_rva, number, 4, &function_rva))
            return true;
        bool is_forwarder =
            function_rva >= directory->rva && function_rva - directory->rva < directory->nbytes;
        if (!is_forwarder && image_string_at_rva(image, name_rva, FUNCTION_NAME_MOST_NBYTES, &text) &&
            text.nbytes != 0 && !add(names, arena, function_rva, text))
            return false;
    }
    return true;
}

/* A name of up to eight bytes stands in the symbol, a longer one in the string table. */
static bool symbol_name(const struct image *image, const uint8_t *symbol, struct span *name)
{
    struct span strings;
    size_t nbytes = 0;
    if (load_u32(symbol) != 0) {
        while (nbytes < SHORT_NAME_NBYTES && symbol[nbytes] != 0)
            nbytes++;
        *name = (struct span){symbol, nbytes};
        return true;
    }
    uint32_t offset = load_u32(symbol + 4);
    if (!span_part(image->file, image->string_table_foff, image->string_table_nbytes, &strings) ||
        !span_cstr(strings, offset, FUNCTION_NAME_MOST_NBYTES, &nbytes))
        return false;
    return span_part(strings, offset, nbytes, name);
}

static bool read_symbols(const struct image *image, struct arena *arena, struct function_names *names)
{
    struct span table, name;
    uint64_t nbytes = (uint64_t)image->symbol_count * COFF_SYMBOL_NBYTES;
    if (image->symbol_table_foff == 0 || !span_part(image->file, image->symbol_table_foff, nbytes, &table))
        return true;
    for (uint64_t at = 0; at + COFF_SYMBOL_NBYTES <= table.nbytes;) {
        const uint8_t *symbol = table.bytes + at;
        uint32_t number = load_u16(symbol + COFF_SYMBOL_SECTION);
        bool is_function = load_u16(symbol + COFF_SYMBOL_TYPE) == SYMBOL_TYPE_FUNCTION && number >= 1 &&
                           number <= image->section_count;
        if (is_function && symbol_name(image, symbol, &name) && name.nbytes != 0 &&
            !add(names, arena, image->sections[number - 1].rva + load_u32(symbol + COFF_SYMBOL_VALUE), name))
            return false;
        at += (1 + (uint64_t)symbol[COFF_SYMBOL_AUX_COUNT]) * COFF_SYMBOL_NBYTES;
    }
    return true;
}

static int compare(const void *left, const void *right)
{
    const struct function_name *a = left, *b = right;
    if (a->rva != b->rva)
        return a->rva < b->rva ? -1 : 1;
    return strcmp(a->name, b->name);
}

bool function_names_read(const struct image *image, struct arena *arena, struct function_names *names)
{
    *names = (struct function_names){.count = 0};
    if (!read_exports(image, arena, names) || !read_symbols(image, arena, names))
        return false;
    size_t kept = 0;
    if (names->count > 1)
        qsort(names->items, names->count, sizeof *names->items, compare);
    for (size_t i = 0; i < names->count; i++)
        if (kept == 0 || names->items[kept - 1].rva != names->items[i].rva)
            names->items[kept++] = names->items[i];
    names->count = kept;
    return true;
}

static int compare_rva(const void *key, const void *item)
{
    const struct function_name *a = key, *b = item;
    return a->rva < b->rva ? -1 : a->rva > b->rva;
}

const char *function_own_name(const struct function_names *names, uint32_t function_rva)
{
    struct function_name key = {.rva = function_rva};
    const struct function_name *found =
        names->count ? bsearch(&key, names->items, names->count, sizeof key, compare_rva) : NULL;
    return found ? found->name : NULL;
}

struct span name_undecorated(const struct image *image, struct span name)
{
    struct span plain = name;
    if (image->machine != MACHINE_I386 || name.nbytes < 2 || (name.bytes[0] != '_' && name.bytes[0] != '@'))
        return name;
    while (plain.nbytes > 0 && plain.bytes[plain.nbytes - 1] >= '0' && plain.bytes[plain.nbytes - 1] <= '9')
        plain.nbytes--;
    bool has_size = plain.nbytes > 2 && plain.nbytes < name.nbytes && plain.bytes[plain.nbytes - 1] == '@';
    plain.nbytes = has_size ? plain.nbytes - 1 : name.nbytes;
    if (name.bytes[0] == '@' && !has_size)
        return name;
    return (struct span){plain.bytes + 1, plain.nbytes - 1};
}

static int compare_given(const void *left, const void *right)
{
    const struct given_name *a = left, *b = right;
    if (a->rva != b->rva)
        return a->rva < b->rva ? -1 : 1;
    return strcmp(a->name, b->name);
}

void given_names_order(struct given_names *names)
{
    size_t kept = 0;
    if (names->count > 1)
        qsort(names->items, names->count, sizeof *names->items, compare_given);
    for (size_t i = 0; i < names->count; i++) {
        const struct given_name *name = &names->items[i];
        if (kept == 0 || names->items[kept - 1].rva != name->rva)
            names->items[kept++] = *name;
        else if (names->items[kept - 1].nbytes < name->nbytes)
            names->items[kept - 1].nbytes = name->nbytes;
    }
    names->count = kept;
}

/* The given name of the function that holds rva, as far as its size is known; NULL: none. */
static const struct given_name *given_name_at(const struct given_names *given, uint32_t rva)
{
    size_t low = 0, high = given ? given->count : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (given->items[middle].rva <= rva)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return NULL;
    const struct given_name *name = &given->items[low - 1];
    return name->rva == rva || rva - name->rva < name->nbytes ? name : NULL;
}

const char *function_name_of(const struct function_names *names, uint32_t function_rva, uint32_t site_rva,
                             struct arena *arena)
{
    const char *name = function_own_name(names, function_rva);
    const struct given_name *given = name ? NULL : given_name_at(names->given, function_rva);
    uint32_t begin_rva = given ? given->rva : function_rva;
    if (given)
        name = given->name;
    return name && site_rva > begin_rva ? arena_printf(arena, "%s+0x%X", name, site_rva - begin_rva) : name;
}
