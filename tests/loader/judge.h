/* judge.h - what memory integrity demands of an image's layout, for strict loads. Each function gives up with
 * the place of what is wrong; in a load that is not strict they all do nothing. */
#ifndef LOADER_JUDGE_H
#define LOADER_JUDGE_H

#include "image.h"

/* Sections lie on page boundaries, behind each other without gaps, and none is writable and executable. */
void judge_sections(const struct image *image);

/* A slot that the loader binds lies in the import address table, if the image names one, and lies neither
 * in an executable nor in a discarded section. */
void judge_import_slot(uint32_t rva);

/* Can code write into the import address table when everything is loaded? That of a low-aligned image it
 * always can. */
bool judge_table_is_writable(const struct image *image);

/* What else the loader writes, once: not into executable or discarded sections. `what` names it. */
void judge_written(uint32_t rva, const char *what);

#endif
