/* verify_called.h - addresses that code calls: in the register that takes them, on the stack, in variables.
 * Takes: decoded code.  Gives: what the straight line behind an instruction does, and the variables that are
 * called. Must not: follow branches, or what a structure holds that a register leads to. */
#ifndef HVCIFIX_VERIFY_VERIFY_CALLED_H
#define HVCIFIX_VERIFY_VERIFY_CALLED_H

#include "verify/verify_inventory.h"

struct verify_call_use {
    bool is_called;
    int64_t stored_rva; /* of the variable that it was stored to last; or negative: none is known */
};

/* What the instruction at `at` puts into a register, or stores as an immediate, is called or jumped to in the
 * straight line behind it, or stored to a variable. */
struct verify_call_use verify_call_use(struct verify_code *code, const struct verify_code_section *section,
                                       size_t at);

/* A variable that code calls, and the operand that says so. RVAs. */
struct verify_called_variable {
    uint32_t rva, field_rva;
};

struct verify_called_variables {
    struct verify_called_variable *items; /* ascending rva */
    size_t count, capacity;
};

/* All variables that are called through, or loaded and then called; those that the loader writes are not
 * among them. False when memory ran out. */
bool verify_called_variables_find(struct verify_moves *moves, struct verify_called_variables *found);

bool verify_is_called_variable(const struct verify_called_variables *variables, int64_t rva);

#endif
