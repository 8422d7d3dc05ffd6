/* pdb_symbols.c - see pdb_symbols.h. */
#include "pdb/pdb_symbols.h"
#include "pdb/pdb_format.h"

#include <stdlib.h>

struct collecting {
    const struct pdb *pdb;
    struct arena *arena;
    struct pdb_symbols *symbols;
    size_t capacity;
};

static bool add(struct collecting *collecting, struct pdb_symbol symbol, struct span name)
{
    struct pdb_symbols *symbols = collecting->symbols;
    size_t length;
    if (!pdb_rva(collecting->pdb, symbol.section, symbol.offset, &symbol.rva))
        return true;
    if (!span_cstr(name, 0, name.nbytes, &length) || length == 0)
        return true;
    symbol.name = (const char *)name.bytes;
    struct pdb_symbol *grown = arena_grow(collecting->arena, symbols->items, symbols->count,
                                          &collecting->capacity, symbols->count + 1, sizeof *grown);
    if (!grown)
        return false;
    symbols->items = grown;
    grown[symbols->count++] = symbol;
    return true;
}

static bool add_public(struct collecting *collecting, struct span record)
{
    const uint8_t *at = record.bytes;
    if (record.nbytes <= PUBLIC_NAME)
        return true;
    struct pdb_symbol symbol = {.section = load_u16(at + PUBLIC_SECTION),
                                .offset = load_u32(at + PUBLIC_OFFSET),
                                .is_function = (load_u32(at + PUBLIC_FLAGS) & PUBLIC_IS_FUNCTION) != 0,
                                .is_public = true};
    return add(collecting, symbol, (struct span){at + PUBLIC_NAME, record.nbytes - PUBLIC_NAME});
}

static bool add_procedure(struct collecting *collecting, struct span record)
{
    const uint8_t *at = record.bytes;
    if (record.nbytes <= PROCEDURE_NAME)
        return true;
    struct pdb_symbol symbol = {.section = load_u16(at + PROCEDURE_SECTION),
                                .offset = load_u32(at + PROCEDURE_OFFSET),
                                .nbytes = load_u32(at + PROCEDURE_NBYTES),
                                .is_function = true};
    return add(collecting, symbol, (struct span){at + PROCEDURE_NAME, record.nbytes - PROCEDURE_NAME});
}

/* Records follow one another. What is cut short ends the list: the names before it are good. */
static bool walk(struct collecting *collecting, struct span records)
{
    uint64_t at = 0;
    uint16_t nbytes;
    while (span_u16(records, at, &nbytes) && nbytes >= 2) {
        struct span record;
        if (!span_part(records, at, 2u + nbytes, &record))
            break;
        bool is_added = true;
        switch (load_u16(record.bytes + SYMBOL_KIND)) {
        case SYMBOL_PUBLIC:
            is_added = add_public(collecting, record);
            break;
        case SYMBOL_LOCAL_PROCEDURE:
        case SYMBOL_GLOBAL_PROCEDURE:
        case SYMBOL_LOCAL_PROCEDURE_ID:
        case SYMBOL_GLOBAL_PROCEDURE_ID:
            is_added = add_procedure(collecting, record);
            break;
        default:
            break;
        }
        if (!is_added)
            return false;
        at += record.nbytes;
    }
    return true;
}

static bool walk_module(struct collecting *collecting, uint32_t stream, uint32_t symbols_nbytes,
                        uint8_t *seen)
{
    struct span contents;
    if (stream >= collecting->pdb->msf.stream_count || seen[stream]++)
        return true; /* a module without symbols; none has those of another */
    if (!msf_read(&collecting->pdb->msf, stream, collecting->arena, &contents))
        return false;
    struct span symbols;
    if (symbols_nbytes < MODULE_SYMBOLS_SIGNATURE || !span_part(contents, 0, symbols_nbytes, &symbols))
        return true;
    symbols.bytes += MODULE_SYMBOLS_SIGNATURE;
    symbols.nbytes -= MODULE_SYMBOLS_SIGNATURE;
    return walk(collecting, symbols);
}

static bool walk_modules(struct collecting *collecting)
{
    struct span modules;
    const struct span dbi = collecting->pdb->dbi;
    uint8_t *seen = arena_alloc(collecting->arena, (size_t)collecting->pdb->msf.stream_count + 1);
    if (!seen)
        return false;
    if (!span_part(dbi, DBI_NBYTES, load_u32(dbi.bytes + DBI_MODULES_NBYTES), &modules))
        return true;
    for (uint64_t at = 0; range_fits(modules.nbytes, at, MODULE_NAMES);) {
        const uint8_t *module = modules.bytes + at;
        size_t length;
        if (!walk_module(collecting, load_u16(module + MODULE_STREAM),
                         load_u32(module + MODULE_SYMBOLS_NBYTES), seen))
            return false;
        at += MODULE_NAMES;
        for (unsigned name = 0; name < 2; name++) {
            if (!span_cstr(modules, at, modules.nbytes, &length))
                return true;
            at += length + 1;
        }
        at = (at + 3) & ~(uint64_t)3;
    }
    return true;
}

static int compare(const void *left, const void *right)
{
    const struct pdb_symbol *a = left, *b = right;
    if (a->rva != b->rva)
        return a->rva < b->rva ? -1 : 1;
    if (a->is_public != b->is_public)
        return a->is_public ? -1 : 1;
    int order = strcmp(a->name, b->name);
    return order != 0 ? order : (a->nbytes > b->nbytes) - (a->nbytes < b->nbytes);
}

bool pdb_symbols_read(const struct pdb *pdb, struct arena *arena, struct pdb_symbols *symbols,
                      struct finding *error)
{
    struct collecting collecting = {pdb, arena, symbols, 0};
    struct span records;
    *symbols = (struct pdb_symbols){NULL, 0};
    if (!msf_read(&pdb->msf, load_u16(pdb->dbi.bytes + DBI_SYMBOL_RECORDS), arena, &records) ||
        !walk(&collecting, records) || !walk_modules(&collecting)) {
        *error = finding_make(arena, HVCI9008_OUT_OF_MEMORY, LEVEL_ERROR,
                              "There was not enough memory for the names in the PDB.");
        return false;
    }
    if (symbols->count != 0)
        qsort(symbols->items, symbols->count, sizeof *symbols->items, compare);
    return true;
}
