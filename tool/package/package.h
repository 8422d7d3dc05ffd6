/* package.h - the images inside an archive or a program, however deep, one after the other.
 * Takes: bytes of an archive, or an image that may carry others.  Gives: each image with its path inside, and
 * what cannot be read. Must not: write files, judge, or unpack without bound.
 *
 * A path inside names one container after the other: "pkg.zip!amd64/x.sys", "setup.exe!rsrc/102!x.sys". What
 * an image carries comes before the image. The order depends on the bytes only. */
#ifndef HVCIFIX_PACKAGE_PACKAGE_H
#define HVCIFIX_PACKAGE_PACKAGE_H

#include "image/image.h"

enum {
    PACKAGE_DEEPEST = 8,                       /* containers inside each other, the outermost counted */
    PACKAGE_MOST_MEMBERS = 100000,             /* in all containers together */
    PACKAGE_MEMBER_NBYTES = 512 * 1024 * 1024, /* of one image or container inside */
    PACKAGE_FREE_NBYTES = 64 * 1024 * 1024,    /* may come out of any package */
    PACKAGE_MOST_RATIO = 250                   /* and so many times its own size */
};
#define PACKAGE_MOST_NBYTES (UINT64_C(16) * 1024 * 1024 * 1024) /* and never more in all */

struct package;

/* Are the bytes those of an archive that can be opened? */
bool package_is_archive(struct span bytes);

/* Do they begin like an image? */
bool package_is_image(struct span bytes);

/* Opens an archive. The bytes and the path are borrowed until package_close(). NULL when memory ran out. */
struct package *package_open_archive(const char *path, struct span bytes);

/* Opens what an image carries; *package is NULL when it carries nothing. False when memory ran out. */
bool package_open_image(const char *path, const struct image *image, struct package **package);

void package_close(struct package *package);

enum package_step {
    PACKAGE_IMAGE,   /* `bytes` are, or are called like, an image */
    PACKAGE_PROBLEM, /* `problem`: something at `path` cannot be read; what follows may */
    PACKAGE_END,
    PACKAGE_NO_MEMORY, /* and so nothing follows */
    PACKAGE_GOES_ON    /* never given: package.c has no item yet */
};

struct package_item {
    const char *path;
    struct span bytes;
    const char *remark; /* a word about the name; or NULL */
    struct finding problem;
};

/* The next item; what it points at lives in the arena. May be called on another thread each time, never on
 * two at once. */
enum package_step package_next(struct package *package, struct arena *arena, struct package_item *item);

#endif
