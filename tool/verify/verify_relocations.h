/* verify_relocations.h - walks the base relocation directory.
 * Takes: an image.  Gives: one relocation after the other, and at the end whether the table was sound.
 * Must not: store the list, or go past the directory. */
#ifndef HVCIFIX_VERIFY_VERIFY_RELOCATIONS_H
#define HVCIFIX_VERIFY_VERIFY_RELOCATIONS_H

#include "verify/verify_image.h"

struct verify_relocation {
    uint32_t rva;  /* of the field */
    unsigned type; /* BASERELOC_...; padding entries (type 0) are passed over */
    uint64_t entry_foff;
};

struct verify_relocation_reader {
    const struct verify_image *image;
    struct span table;                          /* what is left, from the current block on */
    uint64_t table_foff;                        /* of the first byte of `table` */
    uint32_t page_rva, block_nbytes, at_nbytes; /* block_nbytes 0: no block is open */
    const char *problem;                        /* set when the table is damaged; the walk has ended */
    uint64_t problem_foff;
};

struct verify_relocation_reader verify_relocations_begin(const struct verify_image *image);

/* False at the end; then reader->problem says whether the table is damaged (NULL: it is not). */
bool verify_relocations_next(struct verify_relocation_reader *reader, struct verify_relocation *relocation);

/* True when the image states that it can be moved: it has a relocation directory and is not stripped. */
bool verify_has_relocations(const struct verify_image *image);

/* A kernel image is never loaded below 4 GiB: one that wants to be there and has no relocations is moved all
 * the same, so an address in it would be wrong in either image. */
bool verify_is_always_elsewhere(const struct verify_image *image);

/* Bytes of the field that a relocation of this type changes: 4, 8, or 0 for types that are not absolute
 * addresses in one piece. */
unsigned verify_relocation_width(unsigned type);

#endif
