/* verify_operand.h - what a field in code may be used for.
 * Takes: a field in a code section that would lead to a certain RVA.  Gives: all uses that any decoding
 * allows, and all that the surrounding code leaves possible.
 * Must not: drop a use that it cannot exclude. */
#ifndef HVCIFIX_VERIFY_VERIFY_OPERAND_H
#define HVCIFIX_VERIFY_VERIFY_OPERAND_H

#include "verify/verify_code.h"

enum verify_field_kind {
    FIELD_RIP_RELATIVE,  /* disp32 of [rip + disp32] with `trailing_nbytes` of the instruction behind it */
    FIELD_BASE_RELATIVE, /* disp32 added to a register */
    FIELD_ABSOLUTE,      /* a displacement or an immediate that is an address */
    FIELD_CALL,          /* the rel32 of E8 */
    FIELD_BRANCH         /* the distance of any direct branch or call */
};

struct verify_field_in_code {
    const struct verify_code_section *section;
    size_t at; /* offset of the field in the section's bytes */
    unsigned nbytes;
    enum verify_field_kind kind;
    unsigned trailing_nbytes; /* FIELD_RIP_RELATIVE only */
};

struct verify_uses {
    unsigned uses;     /* bits of enum verify_use */
    bool is_operand;   /* some instruction has the field as its operand */
    bool is_unanimous; /* code that runs through here gives the field to that one instruction only */
    size_t operand_at; /* offset of the first such instruction; SIZE_MAX without one */
    size_t write_at;   /* offset of the first that writes; SIZE_MAX without one */
};

/* Bytes before a field at which an instruction that has it may begin: 1 to this many. */
enum { VERIFY_OPERAND_DEEPEST_NBYTES = 11 };

/* The uses of the instruction at `at`; is_operand is false when it is none that has the field. */
struct verify_uses verify_uses_at(struct verify_code *code, const struct verify_field_in_code *field,
                                  size_t at);

/* Every instruction that could end with or around this field, wherever it would have to start. */
struct verify_uses verify_uses_possible(struct verify_code *code, const struct verify_field_in_code *field);

/* The uses that remain. Inside a clean function: only what its instruction there does. Elsewhere: what is met
 * by decoding from all of the 16 bytes that lie 64 to 49 bytes before the field (one of them begins an
 * instruction if code runs through), from every `named` address in between, and from every `near` or
 * 16-aligned one unless the first 16 ways agree on what holds the field and meet nothing unlikely in the last
 * 32 bytes. */
struct verify_uses verify_uses_resolved(struct verify_code *code, const struct verify_field_in_code *field);

#endif
