/* doctor_image.h - one image for the doctor: a dry run of the repair, and what is to be said of it.
 * Takes: bytes.  Gives: texts.  Must not: write. */
#ifndef HVCIFIX_DOCTOR_DOCTOR_IMAGE_H
#define HVCIFIX_DOCTOR_DOCTOR_IMAGE_H

#include "doctor/doctor.h"

struct doctor_case {
    const char *path;
    const char *container_path;           /* NULL: a file of its own, whose catalogs lie beside it */
    const struct catalog_index *catalogs; /* of its package, or NULL */
    struct span bytes;
    bool has_nx; /* the repair is one with --nx, for this image or another of its package */
    const struct doctor_options *options;
};

/* False when memory ran out. */
bool doctor_image_examine(const struct doctor_case *one, struct arena *arena, struct doctor_image *image);

#endif
