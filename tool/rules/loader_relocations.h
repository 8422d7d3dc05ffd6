/* loader_relocations.h - would Windows apply these base relocations?
 * Takes: a read image and references that hold SOURCE_BASERELOCS.  Gives: findings HVCI9011, all notes.
 * Must not: judge images that other loaders load, or what makes the table damaged (refs does).
 *
 * What is demanded is written down nowhere: it is what current Windows was seen to check before it moves an
 * image. Older versions, and the loader of ReactOS, apply a table as it is. So all of it is a note. */
#ifndef HVCIFIX_RULES_LOADER_RELOCATIONS_H
#define HVCIFIX_RULES_LOADER_RELOCATIONS_H

#include "refs/refset.h"

/* Adds at most one finding of each kind to `doubts`, at its first place. False when memory ran out. Work:
 * linear in the number of references. */
bool loader_relocations_judge(const struct image *image, const struct refset *refs,
                              struct finding_list *doubts);

#endif
