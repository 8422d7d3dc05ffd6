/* layout.h - the layout of a rewritten image: which piece goes where, and what the new sections are.
 * Takes: nothing by itself; tool/plan fills it.  Gives: the map from old to new addresses, for memory and
 * file. Must not: hold bytes or decide.
 *
 * The old image is cut into pieces; each keeps its bytes together and moves as one, by a multiple of a page.
 * A place between two pieces belongs to the one before it. Most pieces of an image move by the same distance,
 * the layout's `uniform_delta`: then code reaches everything as before, and only what moves otherwise has to
 * be found in it. */
#ifndef HVCIFIX_PLAN_LAYOUT_H
#define HVCIFIX_PLAN_LAYOUT_H

#include "plan/straddle.h"
#include "refs/refset.h"

enum piece_kind {
    PIECE_HEADERS,
    PIECE_SECTION,    /* a section, or what is left of it around the pieces that leave */
    PIECE_IAT,        /* the import address table with the guard slots that touch it */
    PIECE_SLOTS,      /* other data that the loader writes and code only reads */
    PIECE_SHIFTED,    /* a section of constants that moves inside its pages */
    PIECE_VARIABLES,  /* data that the loader or start-up code and code write */
    PIECE_DATA,       /* a run of data that lay between the code of a section */
    PIECE_RELOCATIONS /* the base relocation section: written anew */
};

#define NO_SECTION UINT32_MAX

struct piece {
    uint32_t old_rva;
    uint32_t nbytes; /* of content; what follows up to the next piece is fill */
    uint32_t new_rva;
    uint32_t section; /* old index; NO_SECTION for headers */
    uint8_t kind;     /* enum piece_kind */
    bool is_table;    /* resources or unwind data, and nothing else: readers find them through a directory */
    const char *why;  /* it goes there; a sentence */
};

/* A section of the new image. */
struct new_section {
    char name[SECTION_NAME_NBYTES + 1];
    uint32_t rva, virtual_size, raw_foff, raw_nbytes, characteristics;
    uint32_t old_section; /* index of the section whose header this was; NO_SECTION when it is new */
};

/* Bytes of the old file that come into the new one as they are, but for the references in them. */
struct file_copy {
    uint32_t old_foff, new_foff, nbytes;
};

/* Bytes of the new file that come from nowhere. Those that no copy and no fill names are zero. */
struct file_fill {
    uint32_t new_foff, nbytes;
    uint8_t value;
};

struct layout {
    struct piece *pieces; /* by ascending old_rva; the first is the headers at RVA 0 */
    size_t piece_count, piece_capacity;
    struct new_section *sections; /* by ascending rva */
    uint32_t section_count;
    struct file_copy *copies; /* by ascending old_foff, apart from each other */
    size_t copy_count, copy_capacity;
    struct file_fill *fills;
    size_t fill_count, fill_capacity;

    bool moves;             /* false: everything stays, and what follows repeats the old headers */
    bool keeps_distances;   /* all data moves by one distance */
    uint32_t uniform_delta; /* of all pieces but headers and those that leave */
    uint32_t section_alignment, file_alignment, headers_nbytes, image_nbytes;
    uint64_t file_nbytes;

    /* Where the target of each reference of the inventory lies now, by index; NULL: where it was. An RVA that
     * code adds to the image base is given as code will use it. */
    uint32_t *targets;

    uint32_t relocations_rva, relocations_nbytes; /* directory 5, new; 0 bytes: there is none */
    uint32_t relocations_room_nbytes;             /* bytes from relocations_rva that may be overwritten */
    uint32_t iat_rva, iat_nbytes;                 /* directory 12, when iat_nbytes is not 0 */
    bool drops_symbols;                           /* the COFF symbol table is not carried over */

    struct straddle_repair *straddles; /* what crosses page boundaries is taken off them; NULL: it stays */
};

/* A layout in which everything stays where it is. False when memory ran out. */
bool layout_identity(const struct image *image, struct arena *arena, struct layout *layout);

/* The same pieces at the same places. */
bool layout_is_same(const struct layout *a, const struct layout *b);

/* The piece that old_rva belongs to. Every RVA belongs to one; those past the last piece to the last. */
const struct piece *layout_piece_at(const struct layout *layout, uint32_t old_rva);

/* How far the piece moves; arithmetic on RVAs wraps. */
static inline uint32_t piece_delta(const struct piece *piece)
{
    return piece->new_rva - piece->old_rva;
}

static inline uint32_t piece_end_rva(const struct piece *piece)
{
    return piece->old_rva + piece->nbytes;
}

/* Old RVA to new RVA by the piece that holds it. A reference's target may mean a neighbour: layout->targets.
 */
uint32_t layout_map_rva(const struct layout *layout, uint32_t old_rva);

/* Old file offset to new one; false when the byte is not carried over. */
bool layout_map_foff(const struct layout *layout, uint32_t old_foff, uint32_t *new_foff);
/* The same for a field of at least one byte; false as well when its bytes do not stay side by side. */
bool layout_map_field(const struct layout *layout, uint32_t old_foff, uint32_t nbytes, uint32_t *new_foff);

/* The new section that holds new_rva, or NULL. */
const struct new_section *layout_section_at(const struct layout *layout, uint32_t new_rva);

/* Data that is more than what the loader writes moves otherwise than code does. */
bool layout_data_leaves(const struct layout *layout);

/* "section", "import address table"...: stable words for tables and JSON. */
const char *piece_kind_name(enum piece_kind kind);

/* For the planners. False when memory ran out. */
bool layout_add_piece(struct layout *layout, struct arena *arena, const struct piece *piece);
bool layout_add_copy(struct layout *layout, struct arena *arena, uint64_t old_foff, uint64_t new_foff,
                     uint64_t nbytes);
bool layout_add_fill(struct layout *layout, struct arena *arena, uint64_t new_foff, uint64_t nbytes,
                     uint8_t value);
void layout_sort_copies(struct layout *layout);

#endif
