/* map_names.h - the names that are known for an image's addresses.
 * Takes: an outcome, of it the image and the PDB that was found.  Gives: names with their RVAs, in ascending
 * order. Must not: judge, or open a file. */
#ifndef HVCIFIX_REPORT_MAP_NAMES_H
#define HVCIFIX_REPORT_MAP_NAMES_H

#include "pipeline.h"

struct map_name {
    const char *text; /* as it is stored; not empty, at most MAP_NAME_MOST_NBYTES */
    uint32_t rva;
    const char *source; /* "export", "pdb" or "symbol" */
};

enum { MAP_NAME_MOST_NBYTES = 2048 };

struct map_names {
    struct map_name *items; /* by RVA, then text; no two are the same */
    size_t count, capacity;
};

/* Of the image before the repair: exports that are no forwarders, COFF symbols that lie in sections and name
 * no section, and what pdb_symbols_read() finds where outcome->pdb is usable. What cannot be read is left
 * out. False when memory ran out. Work: n log n in the size of the files. */
bool map_names_read(const struct outcome *outcome, struct map_names *names);

#endif
