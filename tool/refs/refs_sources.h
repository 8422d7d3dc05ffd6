/* refs_sources.h - the collectors, one for each source or group of sources, and what two of them share.
 * Private to tool/refs. A collector adds what refs->collected asks of its sources; false: memory ran out. */
#ifndef HVCIFIX_REFS_REFS_SOURCES_H
#define HVCIFIX_REFS_REFS_SOURCES_H

#include "refs/ref_window.h"

refs_collect_fn refs_collect_headers;
refs_collect_fn refs_collect_directories;
refs_collect_fn refs_collect_section_headers;
refs_collect_fn refs_collect_exports;
refs_collect_fn refs_collect_imports;
refs_collect_fn refs_collect_resources;
refs_collect_fn refs_collect_exception; /* .pdata, unwind info and handler data */
refs_collect_fn refs_collect_certificates;
refs_collect_fn refs_collect_baserelocs; /* entries and relocated values */
refs_collect_fn refs_collect_debug;
refs_collect_fn refs_collect_tls;
refs_collect_fn refs_collect_load_config;
refs_collect_fn refs_collect_guard_tables;
refs_collect_fn refs_collect_dvrt;
refs_collect_fn refs_collect_bound_imports;
refs_collect_fn refs_collect_delay_imports;
refs_collect_fn refs_collect_clr;
refs_collect_fn refs_collect_coff_symbols;

static inline bool refset_wants(const struct refset *refs, enum ref_source source)
{
    return (refs->collected & SOURCE_BIT(source)) != 0;
}

/* What a stored value means under an encoding: the target (modulo 2^32) and its state. */
struct ref_target {
    uint32_t target;
    enum ref_state state;
};
struct ref_target ref_decode(struct refset *refs, const struct ref_spec *spec, uint64_t stored);

/* refset_add() for a field whose place and value are known. */
bool refset_put(struct refset *refs, uint64_t site_foff, uint32_t site_rva, uint64_t stored,
                const struct ref_spec *spec);

/* CODE_TARGET when rva lies in an executable section, else 0: for fields that may name code or data. */
uint8_t refset_code_flag(const struct image *image, uint32_t rva);

/* The first recorded base relocation that changes a byte of [foff, foff + nbytes), or UINT64_MAX: it may
 * begin up to seven bytes before. nbytes is at most 8. */
uint64_t refset_relocation_in(const struct refset *refs, uint64_t foff, unsigned nbytes);

#endif
