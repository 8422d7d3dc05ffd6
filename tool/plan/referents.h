/* referents.h - what referents.c and its questions about operands share.
 * Takes: pieces with their new places.  Gives: answers about one reference.  Must not: place anything.
 * Private to tool/plan: referents.c has the story, referents_address.c that of one address, referents_uses.c,
 * _indexed.c and _labels.c its questions.
 */
#ifndef HVCIFIX_PLAN_REFERENTS_H
#define HVCIFIX_PLAN_REFERENTS_H

#include "code/address_uses.h"
#include "plan/rewrite.h"
#include "refs/extent_index.h"

struct referents {
    struct rewrite *rewrite;
    const struct edges *edges;
    struct decoder *decoder;
    uint64_t steps_left;  /* for following uses */
    bool parts_move;      /* not all pieces move alike */
    bool operands_change; /* x64: some piece moves otherwise than code, so code has other bytes */
    struct extent_index jump_tables;
};

/* referents.c */
extern const char referents_cure_border[];
/* Refuses for the field that holds the reference; false. */
bool referents_refuse(struct rewrite *rewrite, const struct ref *ref, const char *cure, const char *what);
/* The new target of a reference of state REF_HEADERS, or the refusal. */
bool referents_choose_in_headers(struct referents *choice, const struct ref *ref, uint32_t *target);

/* referents_address.c: the same for an address in code, or one that is relocated. */
bool referents_choose_address(struct referents *choice, const struct ref *ref, uint32_t *target);

/* referents_uses.c */
/* An operand that reads, writes or calls through a fixed address: it means the datum there. */
bool referents_is_direct(struct referents *choice, const struct ref *ref);
/* What is done with an address that is taken, or stored in data. */
struct address_uses referents_uses_of(struct referents *choice, const struct ref *ref);

/* referents_indexed.c */
/* An operand [index * scale + t] whose index is known: every element lies in one piece. NULL when that does
 * not hold. */
const struct piece *referents_indexed_piece(struct referents *choice, const struct ref *ref);
/* Memory is accessed through the address, before anything is computed with it or with an index of known
 * bounds: the piece in which all of those bytes lie. NULL when nothing shows it. */
const struct piece *referents_accessed_piece(struct referents *choice, const struct ref *ref);
/* The operand has an index that is scaled by more than the width of a character. */
bool referents_index_is_wide(struct referents *choice, const struct ref *ref);
/* A piece that holds data, when all that do (code with data between it counts too) move by one distance. */
const struct piece *referents_only_data(const struct referents *choice);
/* x86 folds the first index into the address, element for element (table[code - 0x803] of pointers is stored
 * as an address 0x200C before the table). Without known bounds the array may lie in any data so far away. An
 * address that is taken and compared, or computed with, may be less by the place of a member in its structure
 * (CONTAINING_RECORD). */
bool referents_may_mean_far_data(struct referents *choice, const struct ref *ref);

/* referents_labels.c */
/* An address among instructions at which no label is, or with an index, was folded, however far its array
 * lies. When all moves alike, that does not matter. */
bool referents_is_folded_into_code(struct referents *choice, const struct ref *ref);
/* It may be a place inside a function all the same: nothing is done with it but to pass it on. */
bool referents_may_be_place_in_code(struct referents *choice, const struct ref *ref);
/* A pointer in data leads among instructions, but to no label: compilers make no such pointers to code, so it
 * was folded (`static T *p = array - 16`), however far its array lies. */
bool referents_is_pointer_to_no_label(struct referents *choice, const struct ref *ref);

#endif
