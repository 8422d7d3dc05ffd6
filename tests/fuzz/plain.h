/* plain.h - a second reading of a table, to be compared with the inventory's.
 * Takes: an image, and what a target's own loops over the same table find.  Gives: the list of fields, and a
 * claim that the inventory holds the same ones, or says that the table is damaged.
 * Must not: use tool/refs. Places are asked of the image model, whose lookups fuzz_image checks; what a table
 * looks like is written down in each target again, from the format's specification. */
#ifndef HVCIFIX_TESTS_FUZZ_PLAIN_H
#define HVCIFIX_TESTS_FUZZ_PLAIN_H

#include "fuzz.h"

/* What the second reading says of the table. The worst word stands. */
enum plain_state {
    PLAIN_SOUND, /* read to its end: the inventory holds these fields and no damage */
    PLAIN_ODD,   /* no claim */
    PLAIN_BROKEN /* the inventory must record damage */
};

struct plain_field {
    uint32_t foff, target;
};

struct plain {
    const struct image *image; /* borrowed */
    struct plain_field *fields;
    size_t count, capacity;
    uint8_t *is_taken; /* for each byte of the file: does a field begin there? */
    enum plain_state state;
    const char *why; /* the state is not PLAIN_SOUND */
};

/* plain_end() gives the memory back. */
void plain_begin(struct plain *plain, const struct image *image);
void plain_end(struct plain *plain);

void plain_odd(struct plain *plain, const char *why);
void plain_broken(struct plain *plain, const char *why);

/* True when [rva, rva + nbytes) is in the file, in one piece; *bytes points there. nbytes may be 0: then one
 * byte must be there. */
bool plain_bytes(const struct plain *plain, uint64_t rva, uint64_t nbytes, const uint8_t **bytes);

/* Bytes of the file from rva on, in one piece. */
uint64_t plain_room(const struct plain *plain, uint64_t rva);

/* One field. Two fields at one place are damage, and the second is not listed. */
void plain_field(struct plain *plain, const uint8_t *at, uint32_t target);

/* Is there a field that begins here? */
bool plain_is_taken(const struct plain *plain, const uint8_t *at);

/* The target of an absolute address: 0 for 0. */
uint32_t plain_va_target(const struct plain *plain, uint64_t va);

/* RVA of an absolute address; 0 when it is 0 or no RVA. */
uint32_t plain_va_to_rva(const struct plain *plain, uint64_t va);

/* Asks the inventory for `sources` alone, and makes the claims. `table` names it in messages. */
void plain_compare(struct plain *plain, uint32_t sources, const char *table);

/* The same for a list of the fields of `listed` only, which are some of those asked. */
void plain_compare_part(struct plain *plain, uint32_t sources, uint32_t listed, const char *table);

/* Reads a table with `read` and compares it with the inventory of its one source. */
void plain_claim(const struct image *image, void (*read)(struct plain *), enum ref_source source);

#endif
