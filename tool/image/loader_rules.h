/* loader_rules.h - would Windows load an image of this layout?
 * Takes: a read image.  Gives: findings HVCI9011.  Must not: look below the headers (refs and rules do), or
 * judge images that other loaders load (firmware, Windows CE, consoles).
 *
 * What Windows demands is written down nowhere in one place. The rules are what these say, each in its own
 * words: the PE format specification; the loader tests of Wine, which run on Windows itself; the public
 * models of the loaders of Windows 7 to 11 in RetDec and LIEF, which were compared with Windows on samples;
 * and the loader of ReactOS. Where a model of Windows or Windows itself refuses, and no other Windows is
 * known to load, the finding is an error; where only some versions refuse, or one source stands alone, it is
 * a note. */
#ifndef HVCIFIX_IMAGE_LOADER_RULES_H
#define HVCIFIX_IMAGE_LOADER_RULES_H

#include "image/image.h"

/* Is the image one for Windows? Firmware, Windows CE, Windows 9x and consoles have loaders of their own. */
bool loader_rules_apply(const struct image *image);

/* Adds what every Windows refuses to `refusals` (LEVEL_ERROR), and what some refuse to `doubts` (LEVEL_NOTE).
 * Each rule gives one finding at most, at its first place. Both lists have the same arena.
 * False when memory ran out. Work: linear in the number of sections. */
bool loader_rules_judge(const struct image *image, struct finding_list *refusals,
                        struct finding_list *doubts);

#endif
