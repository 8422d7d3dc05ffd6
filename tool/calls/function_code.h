/* function_code.h - the instructions of one function, cut into blocks.
 * Takes: the code map and where the function begins.  Gives: operations in order of address and the blocks
 * they make, with what follows each.  Must not: follow values, or leave the function by a tail call. */
#ifndef HVCIFIX_CALLS_FUNCTION_CODE_H
#define HVCIFIX_CALLS_FUNCTION_CODE_H

#include "calls/function_list.h"
#include "calls/operation.h"

#define NO_BLOCK UINT32_MAX

struct block {
    uint32_t first, count;  /* operations */
    uint32_t successors[2]; /* blocks, or NO_BLOCK */
    bool is_entry;          /* the function begins here */
    bool is_orphan;         /* no known way leads here; perhaps a case of a switch */
    bool ends_in_switch;    /* a jump that is not followed, to no other function */
    bool ends_in_tail;      /* goes on in another function: by a jump, or by running into it */
    uint32_t tail_rva;      /* that function, when it is known; else 0 */
};

struct function_code {
    uint32_t begin_rva;
    struct operation *operations; /* ascending */
    size_t operation_count;
    struct block *blocks; /* ascending */
    size_t block_count;
    bool is_too_large;      /* nothing else is filled */
    bool has_unknown_bytes; /* within its bounds: perhaps code that only a switch leads to */
};

enum { FUNCTION_MOST_OPERATIONS = 32 * 1024 };

/* Reads the function that begins at begin_rva. False when memory ran out. Work: linear in its size. */
bool function_code_read(const struct image *image, const struct code_map *map,
                        const struct function_list *list, struct operation_reader *reader, uint32_t begin_rva,
                        struct arena *arena, struct function_code *code);

#endif
