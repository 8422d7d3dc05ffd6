/* verify_switch.h - the tables of switch statements that x64 compilers put at the end of a function.
 * Takes: the instructions of one function, one after the other.  Gives: tables that its code jumps through,
 * and whether they are all that its last bytes hold.
 * Must not: take bytes for a table that no code reads as one.
 *
 * The form: lea b, [image base]; perhaps movzx i, byte [b + i + bytes]; mov v, [b + i*4 + table]; add v, b;
 * jmp v. Each entry of the table is the RVA of an instruction. */
#ifndef HVCIFIX_VERIFY_VERIFY_SWITCH_H
#define HVCIFIX_VERIFY_VERIFY_SWITCH_H

#include "verify/verify_registers.h"

enum { SWITCH_MAX_COUNT = 64, SWITCH_REGISTER_COUNT = 16 };

struct verify_switch {
    uint32_t rva;        /* of the table: four bytes an entry */
    uint32_t bytes_rva;  /* of the bytes that choose the entry; 0: none */
    uint32_t case_count; /* what the comparison in front allows; 0: not seen */
};

/* A register's content, as far as it is a part of the form. */
struct verify_switch_value {
    enum { SWITCH_OTHER, SWITCH_BASE, SWITCH_BYTE, SWITCH_ENTRY, SWITCH_TARGET } kind;
    struct verify_switch found; /* what is known of the table so far */
};

struct verify_switches {
    struct verify_switch items[SWITCH_MAX_COUNT]; /* in the order of their jumps */
    size_t count;
    bool is_full; /* more than that: what was left out is not known */
    struct verify_switch_value values[SWITCH_REGISTER_COUNT];
    uint32_t compared, case_count;
    bool is_compared;
};

/* The next instruction in ascending order. Begin with a zeroed struct. */
void verify_switch_step(struct verify_switches *switches, const struct verify_full *full, uint32_t rva);

/* The lowest RVA in [rva, end_rva) at which a table or its bytes begin; end_rva without one. */
uint32_t verify_switch_lowest(const struct verify_switches *switches, uint32_t rva, uint32_t end_rva);

/* True when [tail_rva, end_rva) is nothing but the function's tables: every entry is a start between
 * begin_rva and tail_rva, every byte chooses an entry, and there are as many as the comparison allows. */
bool verify_switch_tail(const struct verify_code_section *section, const struct verify_switches *switches,
                        uint32_t begin_rva, uint32_t tail_rva, uint32_t end_rva, uint64_t *step_count);

#endif
