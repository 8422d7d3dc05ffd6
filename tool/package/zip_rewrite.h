/* zip_rewrite.h - a zip archive with the content of some files changed, or some files left out.
 * Takes: the archive's bytes and what becomes of each file.  Gives: the new archive.
 * Must not: pack anew what does not change: local headers, packed bytes, times, extra fields and comments of
 * all other files are the same bytes as before, in the same order.
 *
 * The format is that of PKWARE's APPNOTE.TXT. Archives in more than one part, of the 64-bit form, with bytes
 * before, or unknown structures between, its parts are refused. */
#ifndef HVCIFIX_PACKAGE_ZIP_REWRITE_H
#define HVCIFIX_PACKAGE_ZIP_REWRITE_H

#include "base/arena.h"
#include "base/span.h"

enum zip_fate { ZIP_KEEP, ZIP_REPLACE, ZIP_LEAVE_OUT };

struct zip_change {
    enum zip_fate fate;
    struct span
        old_bytes; /* ZIP_REPLACE: what the file holds now, to be sure that it is the one that is meant */
    struct span new_bytes; /* ZIP_REPLACE */
};

/* `changes` has one element for each file and folder of the archive, in the order of their local headers. The
 * same input gives the same output. False with *problem, which goes on "The archive ...", or NULL when memory
 * ran out. */
bool zip_rewrite(struct span archive, const struct zip_change *changes, size_t count, struct arena *arena,
                 struct span *rewritten, const char **problem);

#endif
