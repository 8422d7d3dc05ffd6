/* code_evidence.h - does a straight line of instructions look like a function? Private to tool/code.
 * Takes: the line, instruction by instruction.  Gives: whether it convinces.
 * Must not: decode the line, or say whether it is code at all; code_speculate.c does.
 *
 * Random bytes decode: of the tables of a cipher every fifth reaches a `ret`. So what only a pointer names
 * has to show one of: a field that base relocations or the image's range confirm, a branch to known code, the
 * frame prologue, or a balanced stack with fill bytes or known code behind it. */
#ifndef HVCIFIX_CODE_CODE_EVIDENCE_H
#define HVCIFIX_CODE_CODE_EVIDENCE_H

#include "code/code_internal.h"

/* What the line has shown so far. */
struct evidence {
    bool convinces;      /* by itself */
    bool stack_is_known; /* no call so far, and ESP or RSP was only pushed, popped and moved by constants */
    bool returns_balanced;
    bool breaks_leaf_rule;
    bool undoes_frame;        /* returns, or jumps to a function, with all that it pushed taken back */
    uint32_t confirmed_count; /* instructions with a confirmed field */
    int64_t stack_nbytes, deepest_nbytes;
};

struct line {
    struct code_reader *reader;
    struct reader_section *section;
    const struct bound *bound; /* that holds the line's begin, or NULL */
    enum trust trust;
    uint32_t begin, at; /* offsets in the section */
    uint32_t reach;     /* the farthest offset that a branch of the line leads on to */
    size_t length;      /* instructions on reader->chain */
    bool after_call;
    struct evidence evidence;
};

bool evidence_is_call(const struct instruction *instruction);

/* As compilers begin functions. */
bool evidence_begins_like_function(const struct instruction *instruction);

/* The line begins with `mov edi, edi` or `push ebp; mov ebp, esp`, as x86 functions with a frame do. */
bool evidence_is_frame_prologue(const struct line *line);

/* Takes the instruction at line->at into account. */
void evidence_take(struct line *line, const struct instruction *instruction);

/* The line ends at line->at. */
void evidence_take_end(struct line *line);

/* So much that what only a pointer names is a function. */
bool evidence_is_enough(const struct line *line);

#endif
