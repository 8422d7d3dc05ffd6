/* glob.h - patterns for the names of images and sections.
 * Takes: a pattern and a name in UTF-8.  Gives: whether they match.  Must not: look at any file. */
#ifndef HVCIFIX_POLICY_GLOB_H
#define HVCIFIX_POLICY_GLOB_H

#include <stdbool.h>

/* `*` stands for any characters of one name, `**` for any characters at all, `?` for one character. ASCII
 * letters match in either case, and `\` is `/`, as on Windows. A pattern of more than
 * 255 bytes, which no policy has, matches nothing. Time: at most pattern times name. */
bool glob_match(const char *pattern, const char *name);

/* The same for a path: a pattern without a separator is one of the path's last name; any other pattern is one
 * of the path's end, which begins at a name. `!`, which leads into a package, is a separator for this. */
bool glob_match_path(const char *pattern, const char *path);

#endif
