/* verify_code.h - the executable bytes of one image, and what is known about them from outside.
 * Takes: an image that the decoder knows.  Gives: code sections with one bit a byte for relocated fields, for
 * addresses that something names, and for instruction starts of functions that decode cleanly.
 * Must not: descend along control flow: that is the rewriter's way, and this one is to be different. */
#ifndef HVCIFIX_VERIFY_VERIFY_CODE_H
#define HVCIFIX_VERIFY_VERIFY_CODE_H

#include "verify/verify_decode.h"
#include "verify/verify_tables.h"

struct verify_code_section {
    const struct verify_section *section;
    uint32_t rva;
    struct span bytes;
    bool is_plain; /* no relocated field and no import table lies in it */
    /* one bit a byte of `bytes` */
    uint8_t *relocated; /* a relocated field begins here */
    uint8_t *named;     /* a rel32 branch at any byte, a pointer, a table or a lea may lead here */
    uint8_t *near;      /* a rel8 branch at any byte may lead here */
    uint8_t *called;    /* an E8 or E9 at any byte has exactly this target */
    uint8_t *pointed;   /* a relocated pointer, an export or the entry point leads here */
    uint8_t *starts;    /* an instruction of a clean function begins here */
    uint8_t *reached;   /* and the function's begin leads to it; only where that was asked */
};

enum verify_function_state {
    FUNCTION_UNSEEN,
    FUNCTION_CLEAN,
    FUNCTION_UNCLEAN, /* its bytes are not one instruction after the other */
    FUNCTION_TANGLED  /* they are, but a branch leads into the middle of one */
};

/* A range that x64 unwind data gives. */
struct verify_function {
    uint32_t rva, end_rva;
    uint8_t state;
    bool is_gap; /* not from unwind data: clean code between functions, perhaps several leaf functions */
    uint8_t plain_heads;   /* what verify_return_address.c has not to look at again */
    uint32_t reach_nbytes; /* of verify_function_reach(); 0: not asked for yet */
};

/* A direct branch or call of clean code. RVAs. */
struct verify_branch {
    uint32_t to_rva, from_rva;
    bool is_call;
};

/* A relocated field in code that may be the displacement of an access to a table in code. RVAs. */
struct verify_table_operand {
    uint32_t table_rva, field_rva;
};

struct verify_code {
    const struct verify_image *image;
    const struct verify_tables *tables;
    struct verify_decoder decoder;
    struct verify_code_section *sections; /* ascending RVA */
    uint32_t section_count;
    struct verify_function *functions;      /* ascending, not overlapping; x64 only */
    size_t function_count, recent_function; /* where verify_function_at() found the last one */
    struct verify_branch *branches;         /* ascending to_rva; after verify_branches_find() */
    size_t branch_count;
    bool has_branches;
    struct verify_table_operand *table_operands; /* ascending table_rva; filled and used by verify_room.c */
    size_t table_operand_count;
    bool has_table_operands;
    uint64_t step_count;
};

/* Collects all that is listed above. False when memory ran out, or with *problem set when a table that is
 * needed cannot be read. */
bool verify_code_read(const struct verify_image *image, const struct verify_tables *tables,
                      struct arena *arena, struct verify_code *code, const char **problem,
                      uint64_t *problem_foff);

/* The code section whose file bytes hold rva, or NULL. */
const struct verify_code_section *verify_code_at(const struct verify_code *code, uint64_t rva);

/* An instruction begins at rva in a function that was found to decode cleanly: where
 * verify_function_is_clean() was not asked yet, none does. */
bool verify_begins_instruction(const struct verify_code *code, uint64_t rva);

/* Reads and sets one bit of a section's maps. */
static inline bool verify_bit(const uint8_t *bits, size_t index)
{
    return bits[index / 8] >> (index % 8) & 1;
}

static inline void verify_set_bit(uint8_t *bits, size_t index)
{
    bits[index / 8] = (uint8_t)(bits[index / 8] | 1u << (index % 8));
}

/* Decodes at an offset of a code section, counts the step, and refuses what reaches into import tables, and
 * an instruction that a relocated field overlaps without being wholly its displacement or immediate: the
 * loader changes exactly those bytes. */
bool verify_code_decode(struct verify_code *code, const struct verify_code_section *section, size_t at,
                        struct verify_instruction *instruction);

/* The function that unwind data gives for rva, or NULL. */
struct verify_function *verify_function_at(struct verify_code *code, uint32_t rva);

/* Decodes the function from its begin, once: clean when instructions fill it exactly, but for tables behind
 * them that its own code jumps through (verify_switch.h), each is one that compilers emit or is reached from
 * the begin (verify_function_flow.h), and each direct branch inside it leads to the begin of one of them. The
 * tables' bytes are no starts. */
bool verify_function_is_clean(struct verify_code *code, struct verify_function *function);

/* An instruction of a function that decodes cleanly begins at rva. */
bool verify_is_instruction(struct verify_code *code, uint64_t rva);

#endif
