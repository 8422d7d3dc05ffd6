/* package_parts.h - what the files that look into packages share: the stack of open containers.
 * Takes: a package.  Gives: its limits, and problems in words.  Must not: be included outside tool/package.
 */
#ifndef HVCIFIX_PACKAGE_PACKAGE_PARTS_H
#define HVCIFIX_PACKAGE_PACKAGE_PARTS_H

#include "package/archive.h"
#include "package/package.h"
#include "package/pieces.h"

/* One open container. */
struct package_frame {
    struct arena arena; /* owns what follows, but for the bytes of the outermost and of pieces */
    const char *path;
    struct span bytes;
    struct archive_reader *reader; /* of an archive; else the container is an image */
    struct piece_list pieces;
    size_t next_piece;
    bool gives_itself; /* the image is an item too, when all that it carries has been */
    const char *remark;
};

struct package {
    struct package_frame frames[PACKAGE_DEEPEST];
    unsigned depth;
    uint64_t nbytes_left, members_left;
};

/* Closes the innermost container. */
void package_pop(struct package *package);

/* Counts bytes that were unpacked; false when there are too many. */
bool package_charge(struct package *package, uint64_t nbytes);

/* A problem as the item. package_end_at() ends everything: nothing more can be read, or may be. */
enum package_step package_problem_at(struct package_item *item, const char *path, struct finding problem);
enum package_step package_end_at(struct package *package, struct package_item *item, const char *path,
                                 struct finding problem);
enum package_step package_too_much(struct package *package, struct arena *arena, struct package_item *item,
                                   const char *path);

/* Problems: what cannot be read, and what is not looked at any more. */
struct finding package_damaged(struct arena *arena, const char *what, const char *reason);
struct finding package_limit(struct arena *arena, const char *message);

/* What lies at `path`: an archive is opened, all else is taken for an image. Its bytes are copied where the
 * package needs them longer than the call, unless they belong to the container below. */
enum package_step package_take(struct package *package, struct arena *arena, const char *path,
                               struct span bytes, bool is_copied, const char *remark,
                               struct package_item *item);

/* The next of the archive that is innermost. */
enum package_step package_next_member(struct package *package, struct arena *arena,
                                      struct package_item *item);

#endif
