/* verify_inventory.h - every field of the old image that holds an address, as far as tables name them.
 * Takes: the old image and the map.  Gives: fields with what each must hold in the new image.
 * Must not: pass over a table it cannot read: then nothing is proved. */
#ifndef HVCIFIX_VERIFY_VERIFY_INVENTORY_H
#define HVCIFIX_VERIFY_VERIFY_INVENTORY_H

#include "verify/verify_base_walk.h"
#include "verify/verify_code.h"
#include "verify/verify_map.h"
#include "verify/verify_repairs_state.h"

/* nbytes bytes at rva of the old image; in the new one they hold `expected`. */
struct verify_moved_field {
    uint32_t rva;
    uint8_t nbytes;
    bool is_inferred; /* `expected` follows from where an array can be: another value is not wrong, but
                       * unproved */
    uint64_t expected;
    const char *what;
};

/* A relocated address that leads to an instruction, see verify_accessed.h. */
struct verify_pointer {
    uint32_t rva; /* of the field; first, for sorting */
    bool is_accessed;
};

struct verify_moves {
    struct verify_case *judged;
    struct verify_map map;
    struct verify_tables old_tables, new_tables;
    struct verify_code code; /* of the old image */
    struct verify_moved_field *fields;
    size_t field_count, field_capacity, table_field_count; /* the tables' fields come first, ascending */
    /* typed parts of the old image: they hold no arrays that code indexes; sorted and merged, and those of
     * verify_tables among them, behind verify_inert_join() */
    struct verify_range_list inert;
    /* known bytes behind the sections, by file offset, see verify_tail.h */
    struct verify_range_list old_tail, new_tail;
    uint8_t *inert_sides; /* one for each piece, see verify_sides.h */
    uint8_t *rooms;       /* one for each piece: what verify_far.c found in code */
    uint32_t *bases;      /* addresses near edges that code indexes, ascending */
    size_t base_count, base_capacity;
    struct verify_pointer *pointers; /* ascending RVA; once has_pointers is set */
    size_t pointer_count;
    bool has_pointers;
    bool stored_sections[96]; /* by index: an instruction may store there, though it is not marked writable */
    const struct verify_section *unwritten_section;  /* the last that was shown to be written by nothing, */
    const struct verify_section *unexecuted_section; /* or to hold nothing that executes */
    uint64_t budget_count;                           /* table entries that may still be walked */
    size_t own_slot_count; /* import slots that hold a function of the image, see verify_own_slot */
    /* Counted for the verdict's texts */
    uint64_t reference_count, relocation_count, looked_at_count;
    uint32_t text_budget_count;  /* searches for what takes the address of text among code */
    uint32_t field_search_count; /* searches for a relocated field where a routine seems to begin */
    struct verify_base_sites base_sites;
    uint32_t header_pointer_rva;   /* of a relocated address that leads to the headers and is taken, or 0 */
    struct verify_repairs repairs; /* of straddling relocations */
};

/* Refutes with right_not_shown: cannot be proved. Always false. */
bool verify_moves_unproved(struct verify_moves *moves, uint32_t rva, const char *format, ...)
    HVCIFIX_PRINTF(3, 4);

/* Adds a field. False when memory ran out. */
bool verify_moves_field(struct verify_moves *moves, uint64_t rva, unsigned nbytes, uint64_t expected,
                        const char *what);

/* Says of the field added last that its value is inferred. */
static inline void verify_moves_inferred(struct verify_moves *moves)
{
    moves->fields[moves->field_count - 1].is_inferred = true;
}

/* Adds the RVA (4 bytes) that is stored at rva; 0 is none. With `is_end` it is the end of a range and follows
 * the byte before it. */
bool verify_moves_rva(struct verify_moves *moves, uint64_t rva, bool is_end, const char *what);

/* What the field of an import slot that holds a function of the image itself is called:
 * verify_moved_relocations() sees to it that each of them has a base relocation. */
extern const char verify_own_slot[];

/* Everything in the range moves by one distance: who reads it as one finds behind its begin what was there.
 * What no piece holds is padding, and has to be the same there. */
bool verify_moves_whole(struct verify_moves *moves, uint64_t rva, uint64_t nbytes, const char *what);

/* Both: a table, or what one bounds, that is exactly so long. */
bool verify_moves_table(struct verify_moves *moves, uint64_t rva, uint64_t nbytes, const char *what);

/* Adds a range without arrays; it may be longer than what is read there. */
bool verify_moves_inert(struct verify_moves *moves, uint64_t rva, uint64_t nbytes, const char *what);

/* Adds the typed tables to these, sorts and joins them. Behind the inventory. False when memory ran out. */
bool verify_inert_join(struct verify_moves *moves);

/* Each collects one family of tables. False when refuted or out of memory. */
bool verify_inventory_tables(struct verify_moves *moves);     /* exports, imports, resources, debug */
bool verify_inventory_exceptions(struct verify_moves *moves); /* x64 unwind data, handler data */
bool verify_inventory_load_config(struct verify_moves *moves);

#endif
