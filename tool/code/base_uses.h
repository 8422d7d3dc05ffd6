/* base_uses.h - what x64 code does with the address of the image base.
 * Takes: image, references with code, code map.  Gives: every displacement that is added to the base, or the
 * place where the base goes out of sight. Must not: judge where the displacements lead.
 *
 * Followed along all paths from each `lea r, [rip + image base]`. Understood: copies between registers;
 * memory operands [base + index * scale + RVA]; `lea r, [base + RVA]`; an entry of a known jump table added
 * to the base and jumped through. Everything else is an escape: storing, passing, comparing, subtracting,
 * reading at a displacement that lies in the headers, adding to or with something else. Assumed: a register
 * that has been used so is not also meant as argument or result of the next call or return unless it is
 * copied or loaded anew for that; compilers leave stale values in argument registers all the time. */
#ifndef HVCIFIX_CODE_BASE_USES_H
#define HVCIFIX_CODE_BASE_USES_H

#include "code/code_map.h"

/* A displacement that is added to the base: `site_rva` is the 4-byte field in the instruction at rva.
 * is_certain: the register holds the base on all paths that were followed. False ends the search. */
struct base_use {
    uint32_t rva, site_rva, displacement;
    bool is_certain;
};
typedef bool base_use_fn(void *context, const struct base_use *use);

struct base_escape {
    uint32_t rva;       /* of the instruction; NO_RVA when nothing escapes */
    const char *what;   /* "stores the image base in memory", ... */
    bool reads_headers; /* all that escapes is what headers hold: RVAs that are true in a new image as well */
};

/* Follows the base everywhere; the first escape is told (one that does more than read headers, if any), and
 * the search goes on. A use may be told more than once, and becomes uncertain when another path says so.
 * False when `take` returned false or memory ran out; then *escape means nothing. */
bool base_uses_follow(const struct image *image, const struct refset *refs, const struct code_map *code,
                      struct arena *arena, base_use_fn *take, void *context, struct base_escape *escape);

#endif
