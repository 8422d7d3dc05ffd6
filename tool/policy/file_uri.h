/* file_uri.h - paths as URIs (RFC 3986), as SARIF has them.
 * Takes: paths of either system.  Gives: text.  Must not: look at the file system. */
#ifndef HVCIFIX_POLICY_FILE_URI_H
#define HVCIFIX_POLICY_FILE_URI_H

#include "base/text.h"

/* Is it a path from a root, a drive or a server? */
bool file_uri_is_absolute(const char *path);

/* The path as an absolute file: URI, or as a relative one. Both separators become slashes; all that may not
 * stand in a URI is written as %NN, so that nothing in it needs an escape in JSON. */
void file_uri_add(struct text *text, const char *path);

#endif
