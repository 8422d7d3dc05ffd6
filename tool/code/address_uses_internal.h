/* address_uses_internal.h - what the parts of following an address share. Private to tool/code.
 *
 *     address_uses.c          the ways on which it goes
 *     address_uses_step.c     one instruction on them
 *     address_uses_origin.c   the instruction that takes it */
#ifndef HVCIFIX_CODE_ADDRESS_USES_INTERNAL_H
#define HVCIFIX_CODE_ADDRESS_USES_INTERNAL_H

#include "code/address_uses.h"

enum { MOST_INSTRUCTIONS = 1024, HASH_COUNT = 4096 };

struct visit {
    uint32_t rva, held; /* registers, one bit each */
    bool is_waiting;
};

struct follower {
    const struct image *image;
    const struct code_map *code;
    struct decoder *decoder;
    uint64_t *steps_left;
    struct address_uses uses;
    bool is_given_up, has_access;
    bool is_lost;                 /* out of sight: passed, stored or returned */
    bool is_kept;                 /* in some register when the function returns: most likely stale */
    const struct site_set *joins; /* not NULL: paths end at the first access, which may have an index */
    bool spreads, is_read; /* what is computed from the address is followed too, up to a read through it */
    bool is_loaded;        /* the address is the one that is loaded from the field's; stores are reads, too */
    uint32_t origin_rva;   /* of the instruction that takes the address */
    int64_t origin_low, origin_high; /* what that adds to it: an index of known bounds, scaled */
    struct visit visits[MOST_INSTRUCTIONS];
    uint16_t hash[HASH_COUNT]; /* 1 + index */
    uint32_t visit_count, waiting[MOST_INSTRUCTIONS], waiting_count;
};

/* Nothing is known of what becomes of the address. */
void follower_give_up(struct follower *follower);

/* The instruction of decoded code at rva; false when none begins there. */
bool follower_decode(const struct follower *follower, uint32_t rva, struct instruction *instruction);

/* Notes an access of nbytes (0: one at least) at `first` from the address, with what the origin adds. */
void follower_access(struct follower *follower, int64_t first, unsigned nbytes);

/* What the instruction does with the registers `held` that hold the address. Returns those that do behind it;
 * 0 when it was given up. */
uint32_t follower_step(struct follower *follower, const struct instruction *instruction, uint32_t held);

/* The same for what is computed from the address as well. */
uint32_t follower_spread(struct follower *follower, const struct instruction *instruction, uint32_t held);

/* What the instruction that has the field at site_rva makes of the address: the registers that hold it then.
 */
uint32_t follower_take_origin(struct follower *follower, const struct instruction *instruction,
                              uint32_t site_rva);

/* Constants that are added from rva on, right behind the origin, belong to what it adds. Returns where it
 * goes on. */
uint32_t follower_add_constants(struct follower *follower, uint32_t rva, uint32_t held);

#endif
