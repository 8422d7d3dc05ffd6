/* pdb_move.h - the PDB of an image whose parts have moved.
 * Takes: the old PDB, where everything went, the new section table and GUID.  Gives: the bytes of the new
 * PDB. Must not: know how a layout came about, or change a byte of any stream but the info and DBI streams.
 *
 * Symbols and lines keep naming places of the old layout. The old section headers become the original ones,
 * the new ones take their place, and two OMAP tables lead from the one to the other. */
#ifndef HVCIFIX_PDB_PDB_MOVE_H
#define HVCIFIX_PDB_PDB_MOVE_H

#include "pdb/pdb.h"

/* nbytes at old_rva are at new_rva; 0: nowhere. */
struct pdb_moved_range {
    uint32_t old_rva, nbytes, new_rva;
};

struct pdb_move {
    const struct pdb_moved_range
        *pieces; /* by ascending old_rva, apart; an RVA between two belongs to the first */
    size_t piece_count;
    const struct pdb_moved_range *copies; /* code that is executed from new_rva; what is at old_rva led there.
                                           * Any order */
    size_t copy_count;
    struct span section_table;     /* of the new image */
    uint8_t guid[PDB_GUID_NBYTES]; /* the new one */
};

/* The new file, in the arena. False with *error set: HVCI9080, HVCI9082 (it has OMAP tables or no section
 * headers), HVCI9008. The same input gives the same bytes. */
bool pdb_move(const struct pdb *pdb, const struct pdb_move *move, struct arena *arena, struct span *file,
              struct finding *error);

#endif
