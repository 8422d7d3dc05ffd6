/* verify_repairs.h - how base relocations that straddle a page were repaired: a start-up stub, copies of x86
 * instructions, shifted sections. Takes: struct verify_moves with its map.  Gives: what the new image has
 * beyond the old one (stubs, their table and flag, copies, a longer guard table), or a counter-example. Must
 * not: take the new image's word: each part is held against the old image and the form that is known. */
#ifndef HVCIFIX_VERIFY_VERIFY_REPAIRS_H
#define HVCIFIX_VERIFY_VERIFY_REPAIRS_H

#include "verify/verify_inventory.h"

/* A base relocation that the new table must have. */
struct verify_site {
    uint32_t rva;     /* of the new image */
    uint32_t old_rva; /* UINT32_MAX: the old image has none; it belongs to what the repair added */
    unsigned type;
};

/* 1. Everything in one step, once the map and the old image's code are known, before any field is collected:
 * finds what is there and checks what does not need the fields. False when refuted or out of memory. */
bool verify_repairs_find(struct verify_moves *moves);
bool verify_stubs_find(struct verify_moves *moves);  /* entry points, stubs, flag, table */
bool verify_copies_find(struct verify_moves *moves); /* x86 only */
bool verify_shifts_judge(struct verify_moves *moves);

/* 2. While the fields are collected. The RVA that an export's entry of the new image must hold: the stub for
 * DllInitialize. False when this entry is not wrapped. */
bool verify_stub_of_export(const struct verify_moves *moves, uint64_t entry_rva, uint32_t *stub_rva);

/* The guard function table of `count` records at old_va (old image): when stubs exist, the new one lists them
 * too. Adds the fields of the load configuration that follow; *is_derived says so. */
struct verify_guard_table {
    uint32_t pointer_rva, count_rva; /* the two fields in the load configuration, old image */
    uint64_t va, count;              /* what they hold there */
    unsigned stride_nbytes;
};
bool verify_guard_with_stubs(struct verify_moves *moves, const struct verify_guard_table *table,
                             bool *is_derived);

/* 3. With the mapped relocations, ascending: takes away what the stub applies and adds what the stubs need.
 * The array has room for `capacity` sites, or is replaced. */
bool verify_repairs_sites(struct verify_moves *moves, struct verify_site **sites, size_t *count,
                          size_t capacity);
/* Of what is left none straddles: after a stub or a copy none at all, otherwise none that did not before. */
bool verify_repairs_straddlers(struct verify_moves *moves, const struct verify_site *sites, size_t count);

/* Where the relocated field at old_rva is in the new image, when it went into a copy. */
bool verify_copied_site(const struct verify_moves *moves, uint32_t old_rva, uint32_t *new_rva);

/* The x86 instruction that has the relocated operand at offset field_at of the section, when it is certain:
 * its offset and what is known of it. */
bool verify_copy_instruction(struct verify_moves *moves, const struct verify_code_section *section,
                             size_t field_at, size_t *at, struct verify_instruction *instruction);
/* The copy whose instruction had rva of the old image among its bytes, or NULL. */
const struct verify_copy *verify_copy_of(const struct verify_repairs *repairs, uint64_t rva);

/* A field that the stub applies lies where it can be written, and nobody reads it before. */
bool verify_applied_is_safe(struct verify_moves *moves, uint32_t old_rva, uint32_t new_rva,
                            uint32_t entry_rva);
/* None of them is written by the loader, or a part of exported data, as far as that can be told. */
bool verify_applied_judge(struct verify_moves *moves);

/* Nothing of the old image leads into the middle of an instruction that was replaced. */
bool verify_copies_judge(struct verify_moves *moves);

/* 4. With the bytes. When an instruction that was replaced begins at rva: checks it and its copy, and gives
 * its length; 0 otherwise. The fields are sorted. */
bool verify_copy_check(struct verify_moves *moves, uint64_t rva, uint32_t *nbytes);

/* Ranges of the new image that come from the repair, not from the old image. */
size_t verify_repairs_range_count(const struct verify_moves *moves);
struct verify_range verify_repairs_range(const struct verify_moves *moves, size_t i);

/* Rights of their sections; what lies between them in code is int3. */
bool verify_repairs_rest(struct verify_moves *moves);

/* 5. The verdict's list. False when memory ran out. */
bool verify_repairs_explain(struct verify_moves *moves);

/* 6. The proved map goes into the verdict. False when memory ran out. */
bool verify_tell_moves(struct verify_moves *moves);

/* Adds a range of the new image that comes from the repair. */
bool verify_repairs_add(struct verify_moves *moves, uint32_t rva, uint64_t nbytes, const char *what);
/* Adds a relocation that the repair needs. */
bool verify_repairs_add_site(struct verify_moves *moves, uint32_t rva);
/* True when a part of the old image lies at rva of the new one. */
bool verify_is_from_old(const struct verify_map *map, uint32_t rva);
/* Where rva of the old image went; false when it is in no piece. */
bool verify_mapped_rva(const struct verify_map *map, uint32_t rva, uint32_t *new_rva);

/* Candidates for the distance of a section that may have been shifted: a section of data with a straddling
 * relocation. At most `capacity` of them. */
size_t verify_shift_candidates(const struct verify_case *judged, const struct verify_section *section,
                               int64_t *deltas, size_t capacity);

/* A field of `nbytes` bytes at rva begins in one page and ends in the next. */
static inline bool verify_straddles(uint32_t rva, unsigned nbytes)
{
    return rva % PAGE_NBYTES + nbytes > PAGE_NBYTES;
}

#endif
