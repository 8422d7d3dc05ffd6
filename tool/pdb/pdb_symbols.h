/* pdb_symbols.h - names of an image's functions and variables, from its PDB.
 * Takes: a PDB.  Gives: symbols by ascending RVA.  Must not: read types or lines.
 * Public symbols are what linkers see (decorated on x86: _name@8); functions of modules, static ones too,
 * have their plain names and sizes. */
#ifndef HVCIFIX_PDB_PDB_SYMBOLS_H
#define HVCIFIX_PDB_PDB_SYMBOLS_H

#include "pdb/pdb.h"

struct pdb_symbol {
    uint32_t rva;     /* in the image that the PDB belongs to */
    uint32_t nbytes;  /* of a function of a module; 0: not known */
    uint16_t section; /* counted from 1, */
    uint32_t offset;  /* and the place in it, in the layout that symbols mean */
    const char *name; /* NUL-terminated, bytes as stored; never empty; in the arena */
    bool is_function;
    bool is_public;
};

struct pdb_symbols {
    struct pdb_symbol *items; /* by RVA; public ones first where RVAs are equal, then by name */
    size_t count;
};

/* All public symbols and functions that have an RVA. False with *error set: HVCI9080, HVCI9008. Work: linear
 * in the size of the streams, and sorting. */
bool pdb_symbols_read(const struct pdb *pdb, struct arena *arena, struct pdb_symbols *symbols,
                      struct finding *error);

#endif
