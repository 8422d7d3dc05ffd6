/* target.h - the oldest Windows that must load the image.
 * Takes: a word from the command line.  Gives: an ordered value.  Must not: guess at unknown words. */
#ifndef HVCIFIX_RULES_TARGET_H
#define HVCIFIX_RULES_TARGET_H

#include <stdbool.h>

/* In order of release; only the order and the borders matter to rules. */
enum windows_target {
    TARGET_7,
    TARGET_8,
    TARGET_8_1,
    TARGET_1507,
    TARGET_1511,
    TARGET_1607,
    TARGET_1703,
    TARGET_1709,
    TARGET_1803,
    TARGET_1809,
    TARGET_1903,
    TARGET_1909,
    TARGET_2004,
    TARGET_20H2,
    TARGET_21H1,
    TARGET_21H2,
    TARGET_22H2,
    TARGET_11,
    TARGET_11_22H2,
    TARGET_11_23H2,
    TARGET_11_24H2,
    TARGET_11_25H2
};
#define TARGET_DEFAULT TARGET_1703

/* Words: 7 8 8.1 1507 ... 22H2 11 11-22H2 11-23H2 11-24H2 11-25H2 and server-2008-r2 server-2012
 * server-2012-r2 server-2016 server-2019 server-2022 server-2025 (mapped to the client release with the
 * same kernel), in any case. False, with *target untouched, for any other word. */
bool target_parse(const char *word, enum windows_target *target);

/* The client release's word, e.g. "1703". */
const char *target_name(enum windows_target target);

/* All accepted words, space separated, for messages. */
const char *target_words(void);

#endif
