/* verify_map_internal.h - shared by the files that guess the map; nobody else includes it.
 * Takes: two images.  Gives: evidence for distances, and ways to add and to cut pieces.
 * Must not: be part of the verifier's other parts. */
#ifndef HVCIFIX_VERIFY_VERIFY_MAP_INTERNAL_H
#define HVCIFIX_VERIFY_VERIFY_MAP_INTERNAL_H

#include "verify/verify_map.h"

enum { CANDIDATE_MAX_COUNT = 400 };

struct candidates {
    int64_t deltas[CANDIDATE_MAX_COUNT];
    size_t count;
};

/* What the bytes of a section say for one distance, by samples. */
struct evidence {
    bool fits;               /* the section's content lies in sections of the new image with fitting rights */
    uint32_t mismatch_count; /* bytes that differ; a relocated field differs when no relocation is there */
    uint32_t match_count;    /* bytes that are alike and are no filling */
    uint32_t gone_count;     /* of an executable section: bytes in whose place the new image has filling */
};

struct map_search {
    struct verify_case *judged;
    struct verify_map *map;
    struct candidates candidates;
    uint8_t **old_sites, **new_sites; /* by section index: one bit for each byte where a relocation begins */
    uint8_t **old_written;            /* the same for each byte that the loader writes */
    const struct verify_tables *old_tables, *new_tables;
    bool *is_doubtful; /* by section index of the old image */
};

/* True when the search's image has a base relocation at rva. */
bool map_has_site(const struct verify_image *image, uint8_t *const *sites, uint64_t rva);

/* Fills old_sites and new_sites. False when memory ran out. */
bool map_read_sites(struct map_search *search);

/* What speaks against a distance; UINT64_MAX when the section does not fit there. */
uint64_t map_cost(const struct evidence *found);

/* The evidence for [rva, end_rva) of the section at a distance. Ends early once the cost is above the limit.
 */
struct evidence map_evidence(const struct map_search *search, const struct verify_section *section,
                             uint64_t rva, uint64_t end_rva, int64_t delta, uint64_t limit_cost);

/* Bytes of the section that have content: raw bytes behind VirtualSize that are zero, or int3 in code, are
 * the linker's padding. */
uint32_t map_content_nbytes(const struct verify_section *section);

/* Appends a piece. False when there are too many (then right_not_shown is set) or memory ran out. */
bool map_append(struct map_search *search, struct verify_piece piece);

/* "It could not be found where ... went": not shown. Always false. */
bool map_not_found(struct map_search *search, uint32_t rva, const char *name);

/* The steps of verify_map_find(). Each is false when refuted or out of memory. */
bool map_place_sections(struct map_search *search);
bool map_place_slots(struct map_search *search);
bool map_split_code(struct map_search *search);

/* Lets the references to a section say where it went when its bytes do not. False when memory ran out. */
bool map_ask_references(struct map_search *search);

/* How many references of the old image into [rva, end_rva) say that it moved by each candidate. `map` says
 * where the references went. */
void map_count_references(const struct map_search *search, const struct verify_map *map, uint64_t rva,
                          uint64_t end_rva, uint32_t counts[CANDIDATE_MAX_COUNT]);

/* Ascending, without empty pieces. */
void map_sort(struct verify_map *map);

#endif
