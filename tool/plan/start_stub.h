/* start_stub.h - the machine code that relocates, once a load, what has left the base relocation table.
 * Takes: addresses.  Gives: bytes.  Must not: decide what is relocated so.
 *
 * The stub stands in front of a function F that Windows calls when it starts the image. The first call (an
 * exchange on the flag decides) adds the distance between the real and the link-time address to each field of
 * a table; every call goes on to F with its arguments, its stack and the registers that a callee keeps. The
 * distance is the address of the stub's first byte less the same as a constant: the header cannot give it,
 * since Windows writes the real base there. */
#ifndef HVCIFIX_PLAN_START_STUB_H
#define HVCIFIX_PLAN_START_STUB_H

#include <stdbool.h>
#include <stdint.h>

enum {
    START_STUB_NBYTES_64 = 0x43,
    START_STUB_NBYTES_32 = 0x33,
    START_STUB_RELOCATION_COUNT = 3, /* of a 32-bit stub */
    START_TABLE_ENTRY_NBYTES = 4
};

/* Offsets of the absolute addresses in a 32-bit stub; a 64-bit stub has none. */
extern const uint8_t start_stub_relocations[START_STUB_RELOCATION_COUNT];

static inline uint32_t start_stub_nbytes(bool is_64)
{
    return is_64 ? START_STUB_NBYTES_64 : START_STUB_NBYTES_32;
}

struct start_stub_addresses {
    uint64_t image_base_va; /* the link-time one */
    uint32_t stub_rva;
    uint32_t flag_rva;     /* 4 bytes, 0 before the first call */
    uint32_t table_rva;    /* entries: field's RVA less the entry's own, signed; 0 ends them */
    uint32_t function_rva; /* F */
};

/* Writes start_stub_nbytes(is_64) bytes. */
void start_stub_write(bool is_64, const struct start_stub_addresses *addresses, uint8_t *bytes);

#endif
