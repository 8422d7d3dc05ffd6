/* verify_scan.h - the searches for fields that lead into the sections under judgement.
 * Takes: struct verify_write_search.  Gives: true, or false with the counter-example set.
 * Must not: judge by itself; each found field goes to verify_targets. */
#ifndef HVCIFIX_VERIFY_VERIFY_SCAN_H
#define HVCIFIX_VERIFY_VERIFY_SCAN_H

#include "verify/verify_targets.h"

/* Absolute addresses: every relocated field; at every byte position when the image has no relocations. */
bool verify_scan_absolute(struct verify_write_search *search);

/* RIP-relative fields of x64 code, at every byte position. Sets forms_image_base. */
bool verify_scan_rip_relative(struct verify_write_search *search);

/* RVAs added to the image base, asked when forms_image_base: in the functions that take it, when each of
 * their uses of it is understood and none lets it out of sight; else at every byte position. */
bool verify_scan_base(struct verify_write_search *search);

/* Numbers in code and data that are RVAs of the sections, for when the base is out of sight. */
bool verify_scan_numbers(struct verify_write_search *search);

/* Calls in the sections themselves that give code its own address. */
bool verify_scan_own_address(struct verify_write_search *search);

/* Exported addresses. */
bool verify_scan_exports(struct verify_write_search *search);

#endif
