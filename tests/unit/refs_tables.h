/* refs_tables.h - one section of tables that a test writes by hand, beside a section of code.
 * Takes: DATA_NBYTES, defined before it is included.  Gives: places in the section by RVA, and the image
 * around it. */
#ifndef HVCIFIX_TESTS_REFS_TABLES_H
#define HVCIFIX_TESTS_REFS_TABLES_H

#include "refs_by_hand.h"

enum { TEXT_RVA = 0x1000, DATA_RVA = 0x2000 };

struct tables {
    uint8_t bytes[DATA_NBYTES];
};

static inline uint8_t *at(struct tables *tables, uint32_t rva)
{
    assert_in_range(rva, DATA_RVA, DATA_RVA + DATA_NBYTES - 1);
    return tables->bytes + (rva - DATA_RVA);
}

static inline void put(struct tables *tables, uint32_t rva, uint32_t value)
{
    store_u32(at(tables, rva), value);
}

static inline struct made_image with_tables(uint16_t machine, const struct tables *tables)
{
    static const uint8_t code[64] = {0xC3};
    struct made_image made = make_image(machine);
    make_section(&made, ".text", TEXT_RVA, MADE_TEXT, code, sizeof code);
    make_section(&made, ".rdata", DATA_RVA, MADE_RDATA, tables->bytes, DATA_NBYTES);
    return made;
}

#endif
