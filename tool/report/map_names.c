/* map_names.c - map_names.h.
 * Takes: the export directory, the COFF symbol table, a PDB.  Gives: names.  Must not: trust a count. Source:
 * PE format specification, ".edata" and "COFF Symbol Table". */
#include "report/map_names.h"

#include "pdb/pdb_symbols.h"

#include <stdlib.h>

enum { SYMBOL_EXTERNAL = 2, SYMBOL_STATIC = 3, SHORT_NAME_NBYTES = 8 };

/* Names may overlap in a hostile file: all together take no more than some times the size of the files. */
enum { MOST_SHARES = 4 };

struct collection {
    const struct image *image;
    struct map_names *names;
    uint64_t room_nbytes; /* left for texts */
};

static bool add(struct collection *collection, const uint8_t *text, size_t nbytes, uint32_t rva,
                const char *source)
{
    struct map_names *names = collection->names;
    struct arena *arena = collection->image->arena;
    if (nbytes == 0 || nbytes > MAP_NAME_MOST_NBYTES || nbytes > collection->room_nbytes ||
        rva >= collection->image->image_nbytes)
        return true;
    collection->room_nbytes -= nbytes;
    struct map_name *items =
        arena_grow(arena, names->items, names->count, &names->capacity, names->count + 1, sizeof *items);
    const char *copied = arena_copy_text(arena, (const char *)text, nbytes);
    if (!items || !copied)
        return false;
    names->items = items;
    items[names->count++] = (struct map_name){copied, rva, source};
    return true;
}

static bool add_exports(struct collection *collection)
{
    const struct image *image = collection->image;
    const struct directory *directory = image_directory(image, DIR_EXPORT);
    struct span header;
    if (!directory || !image_bytes_at_rva(image, directory->rva, EXPORT_DIRECTORY_NBYTES, &header))
        return true;
    struct span functions = image_run_at_rva(image, load_u32(header.bytes + EXPORT_ADDRESS_OF_FUNCTIONS));
    struct span texts = image_run_at_rva(image, load_u32(header.bytes + EXPORT_ADDRESS_OF_NAMES));
    struct span ordinals = image_run_at_rva(image, load_u32(header.bytes + EXPORT_ADDRESS_OF_NAME_ORDINALS));
    uint32_t function_count = load_u32(header.bytes + EXPORT_NUMBER_OF_FUNCTIONS);
    uint32_t name_count = load_u32(header.bytes + EXPORT_NUMBER_OF_NAMES);
    for (uint32_t i = 0; i < name_count && 4 * (uint64_t)i + 4 <= texts.nbytes; i++) {
        struct span text;
        uint16_t number;
        uint32_t rva;
        if (!span_u16(ordinals, 2 * (uint64_t)i, &number))
            break;
        bool is_named =
            image_string_at_rva(image, load_u32(texts.bytes + 4 * (size_t)i), MAP_NAME_MOST_NBYTES, &text);
        bool is_forwarder = number >= function_count || !span_u32(functions, 4 * (uint64_t)number, &rva) ||
                            rva - directory->rva < directory->nbytes || rva == 0;
        if (is_named && !is_forwarder && !add(collection, text.bytes, text.nbytes, rva, "export"))
            return false;
    }
    return true;
}

/* The 8 bytes of the record, or what they name in the string table. */
static bool symbol_text(const struct image *image, const uint8_t *symbol, const uint8_t **text,
                        size_t *nbytes)
{
    struct span strings;
    *text = symbol;
    *nbytes = 0;
    if (load_u32(symbol) != 0) {
        while (*nbytes < SHORT_NAME_NBYTES && symbol[*nbytes] != 0)
            ++*nbytes;
        return true;
    }
    uint32_t offset = load_u32(symbol + 4);
    if (!span_part(image->file, image->string_table_foff, image->string_table_nbytes, &strings) ||
        !span_cstr(strings, offset, MAP_NAME_MOST_NBYTES, nbytes))
        return false;
    *text = strings.bytes + offset;
    return true;
}

static bool add_symbols(struct collection *collection)
{
    const struct image *image = collection->image;
    struct span table;
    if (image->symbol_count == 0 || !span_part(image->file, image->symbol_table_foff,
                                               (uint64_t)image->symbol_count * COFF_SYMBOL_NBYTES, &table))
        return true;
    for (uint64_t at = 0; at < table.nbytes;) {
        const uint8_t *symbol = table.bytes + at, *text;
        uint16_t number = load_u16(symbol + COFF_SYMBOL_SECTION);
        uint8_t class = symbol[COFF_SYMBOL_CLASS];
        size_t nbytes;
        at += (1 + (uint64_t)symbol[COFF_SYMBOL_AUX_COUNT]) * COFF_SYMBOL_NBYTES;
        if ((class != SYMBOL_EXTERNAL && class != SYMBOL_STATIC) || number < 1 ||
            number > image->section_count || !symbol_text(image, symbol, &text, &nbytes) || nbytes == 0 ||
            text[0] == '.')
            continue;
        const struct section *section = &image->sections[number - 1];
        uint32_t offset = load_u32(symbol + COFF_SYMBOL_VALUE);
        if (offset < section->memory_nbytes &&
            !add(collection, text, nbytes, section->rva + offset, "symbol"))
            return false;
    }
    return true;
}

static bool add_pdb_symbols(struct collection *collection, const struct pdb *pdb)
{
    struct pdb_symbols symbols;
    struct finding error;
    if (!pdb)
        return true;
    if (!pdb_symbols_read(pdb, collection->image->arena, &symbols, &error))
        return false;
    for (size_t i = 0; i < symbols.count; i++) {
        const struct pdb_symbol *symbol = &symbols.items[i];
        if (!add(collection, (const uint8_t *)symbol->name, strlen(symbol->name), symbol->rva, "pdb"))
            return false;
    }
    return true;
}

static int by_rva(const void *a, const void *b)
{
    const struct map_name *x = a, *y = b;
    if (x->rva != y->rva)
        return x->rva < y->rva ? -1 : 1;
    int order = strcmp(x->text, y->text);
    return order != 0 ? order : strcmp(x->source, y->source);
}

bool map_names_read(const struct outcome *outcome, struct map_names *names)
{
    const struct image *image = &outcome->image;
    const struct pdb *pdb = outcome->pdb.is_usable ? &outcome->pdb.pdb : NULL;
    uint64_t files_nbytes = image->file.nbytes + (pdb ? (uint64_t)pdb->msf.file.nbytes : 0);
    struct collection collection = {
        .image = image, .names = names, .room_nbytes = MOST_SHARES * files_nbytes};
    *names = (struct map_names){.items = NULL};
    if (!add_exports(&collection) || !add_symbols(&collection) || !add_pdb_symbols(&collection, pdb))
        return false;
    if (names->count < 2)
        return true;
    qsort(names->items, names->count, sizeof *names->items, by_rva);
    size_t kept = 1;
    for (size_t i = 1; i < names->count; i++)
        if (names->items[i].rva != names->items[kept - 1].rva ||
            strcmp(names->items[i].text, names->items[kept - 1].text) != 0)
            names->items[kept++] = names->items[i];
    names->count = kept;
    return true;
}
