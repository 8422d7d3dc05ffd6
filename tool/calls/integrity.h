/* integrity.h - places where code fights memory integrity: it changes or makes code at run time.
 * Takes: a search that has read what it needs.  Gives: places with a verdict and words, by RVA.
 * Must not: take an odd habit for a fault: what is not proved says so.
 * Source: Windows driver documentation, "Driver compatibility with memory integrity and VBS". */
#ifndef HVCIFIX_CALLS_INTEGRITY_H
#define HVCIFIX_CALLS_INTEGRITY_H

#include "calls/call_sites.h"

struct call_search;

/* The detectors. Each adds what it finds to search->sites->integrity. False when memory ran out. */
bool integrity_write_protect(struct call_search *search); /* integrity_write_protect.c: HVCI2300 */
bool integrity_code_mapping(struct call_search *search);  /* integrity_code_mapping.c: HVCI2301 */
bool integrity_file_code(struct call_search *search);     /* integrity_file_code.c: HVCI2302 */
bool integrity_called_pool(struct call_search *search);   /* integrity_called_pool.c: HVCI2303 */

/* May the image hold a move into a control register, by its bytes? A cheap look that misses none. */
bool integrity_may_write_control(const struct image *image);

/* All four, in order of address, each place once for each code. */
bool integrity_find(struct call_search *search);

/* Adds one place; its function's name is found here. False when memory ran out. */
bool integrity_add(struct call_search *search, struct integrity_site site);

#endif
