/* rewrite.h - what the planners of a moving rewrite share while they choose a layout.
 * Private to tool/plan.
 *
 *     plan_layout.c      the story: which findings ask for moves, and in which order the steps run
 *     candidates.c       the layouts that are tried in turn
 *     section_needs.c    the sections with the rights that they need, and which of them are split
 *     atoms.c            the sections of one candidate, cut where data leaves code
 *     runs.c             where data lies between the code of a section
 *     loader_slots.c     what the loader writes
 *     destinations.c     what leads where; this and the next three are found once, for all layouts
 *     datum_bytes.c      which bytes can be data that code forms addresses of
 *     data_pointers.c    pointers in data that lead to code and mean none
 *     ref_order.c        the references by the field that holds them
 *     keep_distances.c   the layout in which all data moves by one distance
 *     place_low.c        low-aligned images: what must not share a page leaves
 *     place_slots.c      where what leaves a section by itself goes
 *     place_append.c     page-aligned images: what leaves goes behind the last section
 *     import_range.c     directory 12
 *     new_sections.c     from placed pieces to the section table and the file
 *     edges.c            near the border of two pieces: which of them does an address mean?
 *     referents.c        the new target of every reference
 *     split_writes.c     does anything write what stays of a section that was split?
 *     enumerate.c        x64: every byte position that could refer to what leaves
 *     base_judge.c       x64: what code does with the image base
 *     position.c         code that computes with its own address; tables of distances
 *
 * Each step returns true to go on. False: the rewrite is refused (rewrite_refuse() has said why), or memory
 * ran out. */
#ifndef HVCIFIX_PLAN_REWRITE_H
#define HVCIFIX_PLAN_REWRITE_H

#include "plan/data_pointers.h"
#include "plan/datum_bytes.h"
#include "plan/destinations.h"
#include "plan/plan_stages.h"
#include "plan/ref_order.h"

struct extent_index;

enum {
    MOST_SECTIONS = 96,   /* what Windows loads */
    MOST_ATOMS = 1024,    /* more runs of data between code are no linker's work */
    MOST_NEW_SECTIONS = 5 /* slots, variables, base relocations; code and flag of straddling relocations */
};

/* Atoms that leave together share a number: this one, or the index of a section and 1. */
enum { KEPT_GROUP = 1 };

/* Empty pages between sections. */
#define HOLE_SECTION ".hvhole"

/* Rights that the bytes of an atom need. */
enum { NEEDS_WRITE = 1, NEEDS_EXECUTE = 2 };

/* A section of the old image, or a run of bytes of one that is split. */
struct atom {
    uint32_t section; /* index */
    uint32_t rva, nbytes;
    uint32_t end_rva; /* the next atom's rva, or the image's end */
    uint8_t needs;
    bool is_relocations; /* nothing but the base relocation table, which is written anew */
    bool is_data_run;    /* data between the code of a section: it leaves with the section's other runs */
    uint32_t group;      /* atoms that leave together share a number; 0: it stays */
    const char *why;
};

/* A range that the loader or start-up code writes, and that may have to leave its atom. */
struct slot_range {
    uint32_t rva, nbytes;
    uint8_t kind;         /* PIECE_IAT, PIECE_SLOTS or PIECE_VARIABLES */
    bool holds_addresses; /* of the image, in other slots than guard slots: not only the loader writes it */
    bool leaves;          /* decided by the placing step, and where it goes: */
    uint32_t new_rva;
    const char *field; /* what it is, for messages */
};

/* Data between the code of an executable section. */
struct data_run {
    uint32_t rva, nbytes;
    bool holds_slots, holds_variables; /* something that the loader, or the loader and code write */
};

/* How a section is split into code that stays and data that leaves. */
enum split {
    SPLIT_NONE,
    SPLIT_SLOTS, /* when the runs leave as a whole: those in which slots lie */
    SPLIT_ALL    /* every run: something writes the section */
};

struct section_split {
    uint8_t kind; /* enum split */
    struct data_run *runs;
    size_t run_count;
};

/* How writable atoms leave executable pages in low-aligned images; tried in this order. */
enum cut {
    CUT_WRITABLE_ALONE, /* each writable atom by itself */
    CUT_WITH_BEFORE,    /* with the data in front, up to code */
    CUT_WITH_BEHIND,    /* with those behind */
    CUT_WITH_BOTH,
    CUT_COUNT
};

struct rewrite {
    struct plan_context *context;
    const struct image *image;
    const struct refset *refs;
    const struct code_map *code;
    struct arena *arena;

    struct atom *wholes; /* the sections as atoms, by ascending RVA */
    uint32_t whole_count;
    struct section_split *splits; /* by index of the section */

    /* What every candidate asks, and none changes: */
    struct destinations destinations;
    struct datum_bytes datum_bytes;
    struct site_set data_pointers;
    const uint32_t *ref_order;

    /* One candidate: */
    bool keeps_distances;  /* all data moves by one distance */
    bool takes_all_runs;   /* so does what lies between the code of any section */
    bool runs_leave_whole; /* slots leave with the run of data that they lie in, not by themselves */
    enum cut cut;
    struct atom *atoms; /* by ascending RVA */
    uint32_t atom_count;
    struct slot_range *slots; /* by ascending RVA, apart from each other */
    size_t slot_count, slot_capacity;

    bool takes_slots_out;   /* what the loader writes leaves executable sections */
    bool takes_off_borders; /* relocations that straddle a page boundary are repaired */

    bool assumes_constants; /* a section loses the write right, and addresses of constants in it escape */

    struct site_set base_displacements; /* file offsets of displacements that are added to the image base */
    bool base_is_followed;              /* they are all of them: the base never went out of sight */

    const struct extent_index *tables; /* those that code does not read, or NULL: not asked for */
    bool has_number;                   /* number_rva of rva_numbers_find() was asked for */
    uint32_t number_rva;

    struct layout *layout;     /* being built */
    const struct edges *edges; /* of the layout, once its pieces are placed */
    struct finding refusal;
    bool is_refused;
};

/* Says why the image cannot be rewritten; returns false, so that a step can end with it. rva and foff may be
 * NO_RVA and NO_FILE_OFFSET. The first reason stays. */
bool rewrite_refuse(struct rewrite *rewrite, uint32_t rva, uint64_t foff, const char *cure,
                    const char *format, ...) HVCIFIX_PRINTF(5, 6);

/* layout_tables.c: false when a table of the image cannot follow, or memory ran out. */
bool layout_tables_can_follow(struct rewrite *rewrite);
bool layout_tables_are_whole(struct rewrite *rewrite); /* of the pieces of one candidate */

/* section_needs.c: the sections, and how they have to be split, for all candidates. */
bool section_needs_collect(struct rewrite *rewrite);

/* atoms.c: the atoms of one candidate. */
bool atoms_make(struct rewrite *rewrite);

/* The atom, or the section as an atom, that rva belongs to, with the fill behind it; NULL: none. */
struct atom *atom_at(const struct rewrite *rewrite, uint32_t rva);
struct atom *whole_at(const struct rewrite *rewrite, uint32_t rva);

/* runs.c: the runs of data of an executable section that hold something that anything refers to, ascending,
 * in the arena. A run reaches from the first byte behind code that is not fill to the next code. */
bool runs_find(struct rewrite *rewrite, const struct section *section, struct data_run **runs, size_t *count);

/* candidates.c: the first layout from context->options->first_layout on that no reference refuses. */
bool candidates_try(struct rewrite *rewrite);

/* split_writes.c: nothing writes what stays executable of the sections that were split. */
bool split_writes_judge(struct rewrite *rewrite);

/* keep_distances.c: the section that begins at rva is one of the linker's own, and holds nothing but exports,
 * resources, unwind data or base relocations: the loader and its like read it, code does not refer to it. */
bool table_fills_section_at(const struct image *image, uint32_t rva);
/* All data of the candidate's atoms becomes one group. */
void keep_distances(struct rewrite *rewrite);
/* Something on the slot's page is written, and moves with it. */
bool keep_is_written_page(const struct rewrite *rewrite, const struct slot_range *slot);

/* loader_slots.c */
bool slots_collect(struct rewrite *rewrite);

/* place_low.c, place_append.c: fill layout->pieces with their new places. */
bool place_low(struct rewrite *rewrite);
bool place_append(struct rewrite *rewrite);

/* place_forced.c: the same, for the layout that the caller asks for. */
bool place_forced(struct rewrite *rewrite);

/* import_range.c: directory 12, when the table leaves. */
bool import_range_choose(struct rewrite *rewrite);

/* new_sections_*.c: section table, copies and fills of the file. */
bool new_sections_low(struct rewrite *rewrite);
bool new_sections_append(struct rewrite *rewrite);

/* place_slots.c. Gives the slots that leave their places: from first_rva on (a page), congruent to the old
 * ones modulo a page, packed where they do not collide. Returns the end of the last one; first_rva when none
 * leaves. */
uint32_t place_slots(struct rewrite *rewrite, bool is_writable, uint32_t first_rva);

/* Of those that leave, none is written by others than the loader. */
bool slots_check(struct rewrite *rewrite);

/* The slot does not leave the atom in which it lies: the atom is writable or leaves as a whole. */
bool slot_stays_in(const struct rewrite *rewrite, const struct slot_range *slot, const struct atom *atom);

/* Adds the pieces of an atom: itself at new_rva, and apart from it the slots that leave it. */
bool place_atom(struct rewrite *rewrite, const struct atom *atom, uint32_t new_rva);

/* edges.c */
struct edges;
/* For rewrite->layout; NULL when memory ran out. */
const struct edges *edges_new(const struct rewrite *rewrite);
/* Does the piece hold anything but code, fill, literals and tables that code does not read? */
bool edges_has_data(const struct edges *edges, const struct piece *piece);
/* What is done with an address. */
enum address_use {
    USE_COMPUTED,     /* something is added to it, or that is not known */
    USE_INDEXED_WIDE, /* an index times 4 or 8 is added to it: text is not meant */
    USE_COMPARED,     /* only compared, besides the next */
    USE_AS_IS         /* passed, stored, or memory is accessed right there */
};

/* An address of what lies near t was taken, or t is indexed: which piece is meant? NULL when more than one
 * may be. */
const struct piece *edges_decide(const struct edges *edges, uint32_t t, enum address_use use);
/* False when every piece near t moves by the same distance: then it does not matter which is meant. */
bool edges_matter(const struct edges *edges, uint32_t t);

/* The field holds the address behind the last byte of what it names. */
bool ref_names_end(const struct image *image, const struct ref *ref);

/* rva_numbers.c: *rva is the place of a number that may be the RVA of data that leaves, where the image base
 * stays true; NO_RVA: there is none, or the base does not stay. All bytes are looked at when it is first
 * asked of a layout. False when memory ran out. */
bool rva_numbers_find(struct rewrite *rewrite, uint32_t *rva);
/* Type information of C++ is not torn. */
bool rva_types_judge(struct rewrite *rewrite);

/* referents.c: layout->targets. */
bool referents_choose(struct rewrite *rewrite);

/* straddle_plan.c, when all pieces but base relocations have their places: layout->straddles, if asked for.
 */
bool straddle_plan(struct rewrite *rewrite);

/* straddle_shift.c. Appends a section for each one that is shifted. */
bool straddle_add_shifted(struct rewrite *rewrite);

/* straddle_layout.c. Appends the sections of layout->straddles behind the last one. */
void straddle_add_sections(struct layout *layout);

/* straddle_describe.c. What the change says about the repair. */
void straddle_describe(struct rewrite *rewrite, struct change *change);

/* straddle_layout.c. Who led to a function leads to the stub in front of it. */
void straddle_retarget(struct rewrite *rewrite);

/* enumerate.c */
bool enumerate_direct(struct rewrite *rewrite);

/* base_judge.c */
bool base_judge(struct rewrite *rewrite);

/* position.c */
bool position_judge(struct rewrite *rewrite);

/* RVAs that code adds to the image base, as it forms it, keep their distance to it: their new targets are
 * given as code uses them, less the uniform delta. */
static inline bool ref_is_used_with_base(const struct ref *ref)
{
    return ref->source == SOURCE_CODE && (ref->encoding == REF_IMAGE_REL || ref->encoding == REF_RVA);
}

static inline bool layout_is_low(const struct image *image)
{
    return image->section_alignment < PAGE_NBYTES;
}

static inline uint32_t page_of(uint32_t rva)
{
    return rva & ~(uint32_t)(PAGE_NBYTES - 1);
}

#endif
