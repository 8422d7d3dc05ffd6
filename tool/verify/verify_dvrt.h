/* verify_dvrt.h - the dynamic value relocation table of a moved image.
 * Takes: where the load configuration says that it is.  Gives: fields, or "not shown".
 * Must not: accept a table that names what moved. */
#ifndef HVCIFIX_VERIFY_VERIFY_DVRT_H
#define HVCIFIX_VERIFY_VERIFY_DVRT_H

#include "verify/verify_inventory.h"

/* config_rva: of the load configuration; offset and number (of a section, from 1): what it says. False when
 * not shown or out of memory. */
bool verify_inventory_dvrt(struct verify_moves *moves, uint64_t config_rva, uint64_t offset, uint64_t number);

#endif
