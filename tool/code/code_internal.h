/* code_internal.h - what the files of the code reader share while they read one image.
 * Private to tool/code; nobody else includes it.
 *
 *     code_map.c        the story (code_read) and the queries
 *     code_bounds.c     functions as unwind data bounds them
 *     code_roots.c      where else code begins, as the inventory tells it
 *     code_descent.c    recursive descent from those roots
 *     code_cover.c      what that leaves of functions whose bounds are known
 *     code_speculate.c  may these bytes be code? asked before a candidate is believed
 *     code_evidence.c   does a candidate that only a pointer names look like a function?
 *     code_operands.c   instruction -> references
 *     code_track.c      what registers hold, as far as jump tables and the image base need it
 *     code_tables.c     jump tables
 *     code_classify.c   relocated fields, padding and leftovers
 *     short_branches.c  what branches with one-byte displacements lead to
 *     code_bytes.h      classes and marks of bytes, one or several at once
 *
 * Two kinds of roots: a trusted one (entry point, unwind data, guard tables, branches of trusted code) is
 * followed at once; a candidate (a pointer, an address formed by code, a gap in a function) only when the
 * straight line from it decodes cleanly, and what it leads to is a candidate too. */
#ifndef HVCIFIX_CODE_CODE_INTERNAL_H
#define HVCIFIX_CODE_CODE_INTERNAL_H

#include "code/code_bytes.h"
#include "code/code_decode.h"
#include "refs/site_set.h"

/* How much is believed of a root. */
enum trust {
    TRUST_FULL,     /* followed at once */
    TRUST_IF_CLEAN, /* followed when the straight line from it decodes cleanly */
    TRUST_POINTER   /* so, and it must look like the begin of a function: it may be a pointer to data */
};

/* A function or fragment as unwind data bounds it. */
struct bound {
    uint32_t begin_rva, end_rva;
    uint32_t unwind_rva;
    uint32_t parent; /* index of the bound that it is chained to; its own when it is none's fragment */
};

/* What one bounded function's `lea` instructions load, by register, without regard to order. The last
 * element stands for all code outside bounds. */
struct function_registers {
    uint32_t lea_rva[REGISTER_COUNT];
    uint16_t lea_known;     /* lea_rva is set */
    uint16_t lea_ambiguous; /* more than one address is loaded into it */
    uint16_t image_base;    /* the image base is loaded into it, perhaps among others */
};

struct work_item {
    uint32_t rva;
    uint32_t case_count; /* how many cases a switch that follows has at most; 0: not known */
    uint8_t trust;       /* enum trust */
};

struct work_list {
    struct work_item *items;
    size_t count, capacity;
};

enum table_form { TABLE_RVA, TABLE_LABEL_DIFF, TABLE_VA };

struct jump_table {
    uint32_t rva;
    uint32_t jump_rva;   /* the jump that uses it */
    uint32_t index_rva;  /* of the table that maps cases to entries; 0: none */
    uint32_t case_count; /* 0: not known */
    uint8_t form, entry_nbytes;
    uint8_t index_nbytes; /* 1 or 2 */
    uint8_t trust;        /* of the jump */
};

struct table_list {
    struct jump_table *items;
    size_t count, capacity;
};

/* What a register holds along a straight line of instructions. */
enum value_kind {
    VALUE_UNKNOWN = 0,
    VALUE_ADDRESS, /* the address with that RVA */
    VALUE_ENTRY,   /* an entry of a jump table at that RVA */
    VALUE_INDEX,   /* an element of a byte or word table at that RVA */
    VALUE_BELOW    /* anything below case_count: it was masked */
};

struct register_value {
    uint32_t rva;
    uint32_t index_rva;
    uint32_t case_count; /* how many cases the index can tell apart; 0: not known */
    uint8_t kind, form, entry_nbytes, index_nbytes;
};

struct tracker {
    struct register_value values[REGISTER_COUNT]; /* set where `known` has the register's bit */
    uint16_t known, addresses;                    /* registers with a value; those with VALUE_ADDRESS */
    uint32_t compared;                            /* immediate of the last cmp, or UINT32_MAX */
    uint32_t case_count;
};

struct code_reader {
    const struct image *image;
    struct refset *refs;
    struct arena *arena;
    struct code_map *map;
    struct decoder *decoder;
    struct reader_section *sections; /* by ascending RVA */
    size_t section_count;
    struct reader_section *largest; /* mostly the only one; of no bytes when there is none */
    bool is_64, has_relocations, has_guesses;

    struct bound *bounds; /* by ascending begin, unique */
    size_t bound_count;
    size_t
        near_bound; /* how many begin at or before the last RVA that was asked for: questions come in runs */
    struct function_registers *registers; /* bound_count + 1 */

    struct work_list trusted;    /* a stack */
    struct work_list candidates; /* a queue */
    size_t candidates_done;
    uint64_t instructions_nbytes; /* of all that were decoded */

    struct table_list tables;           /* with a known number of cases, waiting to be read */
    struct table_list unchecked_tables; /* without */
    struct site_set table_starts;       /* file offsets of the jump tables that were read */
    struct site_set table_sites;        /* file offsets of all their entries */
    size_t table_entries_budget;        /* entries that may still be read: keeps hostile tables linear */

    uint32_t *image_relative; /* instructions that may add a displacement to the image base */
    size_t image_relative_count, image_relative_capacity, image_relative_done;

    uint32_t *chain; /* scratch of code_speculate.c: offsets of the straight line's instructions */
    size_t chain_capacity;
};

/* code_map.c */
struct reader_section *reader_other_section_at(const struct code_reader *reader, uint32_t rva);

/* The section that holds rva, or NULL. */
static inline struct reader_section *reader_section_at(const struct code_reader *reader, uint32_t rva)
{
    struct reader_section *largest = reader->largest;
    return rva - largest->rva < largest->nbytes ? largest : reader_other_section_at(reader, rva);
}

/* code_bounds.c */
bool bounds_collect(struct code_reader *reader);

/* The bound that holds rva, or NULL; *until_rva is where that answer ends. */
const struct bound *reader_bound_at(struct code_reader *reader, uint32_t rva, uint32_t *until_rva);
struct function_registers *reader_registers(const struct code_reader *reader, const struct bound *bound);

/* code_roots.c: each false only when memory ran out */
bool roots_mark_evidence(struct code_reader *reader);
bool roots_push_trusted(struct code_reader *reader);
bool roots_push_candidates(struct code_reader *reader);
bool roots_push_inner_pointers(struct code_reader *reader);
bool roots_push_import_thunks(struct code_reader *reader);
bool roots_push_cookie_check(struct code_reader *reader);

/* code_descent.c */
bool descent_push(struct code_reader *reader, uint32_t rva, uint8_t source, enum trust trust,
                  uint32_t case_count);
bool descent_drain_trusted(struct code_reader *reader);
bool descent_drain_candidates(struct code_reader *reader);
bool descent_retry_pointers(struct code_reader *reader);

/* Decodes the straight line from the item's RVA, which lies in `section`, until it ends, joins what is
 * decoded, or makes no sense. False only when memory ran out. */
bool descent_follow(struct code_reader *reader, struct reader_section *section, struct work_item item);

/* True when every relocated field in the instruction's bytes is an operand of it. */
bool descent_fits_fields(const struct reader_section *section, const struct instruction *instruction);

/* True when the instruction's bytes are free and every relocated field in them is an operand of it. */
static inline bool descent_fits(const struct reader_section *section, const struct instruction *instruction)
{
    return bytes_are_unknown(section, instruction->rva - section->rva, instruction->nbytes) &&
           (!section->has_relocations || descent_fits_fields(section, instruction));
}

/* code_cover.c, when the trusted roots are drained. False only when memory ran out. */
bool cover_functions(struct code_reader *reader);

/* code_speculate.c */
/* *is_code: the straight line from rva decodes cleanly. False only when memory ran out. */
bool speculate(struct code_reader *reader, struct reader_section *section, uint32_t rva, enum trust trust,
               bool *is_code);
bool speculate_sees_table(const struct code_reader *reader, const struct reader_section *section,
                          uint32_t at);

/* code_operands.c */
/* False for most instructions: they hold no field that could refer to anything. */
static inline bool operands_want(const struct instruction *instruction)
{
    return instruction->rel_nbytes != 0 || instruction->disp_nbytes >= 4 || instruction->imm_nbytes[0] >= 4 ||
           instruction->imm_nbytes[1] >= 4;
}
bool operands_add(struct code_reader *reader, struct reader_section *section,
                  const struct instruction *instruction, const struct bound *bound);
bool operands_resolve_image_relative(struct code_reader *reader);
bool operands_add_ref(struct code_reader *reader, uint32_t site_rva, const struct ref_spec *spec,
                      enum ref_access access, unsigned detail);

/* code_track.c */
void track_begin(struct tracker *tracker, uint32_t case_count);

/* False for instructions that do nothing that tracking follows. */
static inline bool track_wants(const struct instruction *instruction)
{
    enum {
        TRACKED = 1 << OP_LEA | 1 << OP_MOV | 1 << OP_MOVSXD | 1 << OP_MOVZX | 1 << OP_ADD | 1 << OP_AND |
                  1 << OP_CMP
    };
    return instruction->flow != FLOW_NEXT || (TRACKED >> instruction->operation & 1) != 0;
}
bool track_instruction(struct code_reader *reader, struct tracker *tracker,
                       const struct instruction *instruction, const struct bound *bound, enum trust trust);

/* code_tables.c */
bool tables_want(struct code_reader *reader, const struct jump_table *table);
bool tables_waiting(const struct code_reader *reader);
bool tables_read_waiting(struct code_reader *reader);

/* code_classify.c */
void classify_leftovers(struct code_reader *reader);

/* short_branches.c, when all classes are known */
bool short_branches_collect(struct code_reader *reader);

#endif
