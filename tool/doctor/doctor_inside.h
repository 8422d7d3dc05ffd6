/* doctor_inside.h - what is packed inside a file of a package: a cabinet in a folder, a program that carries
 * drivers. `fix` judges it and repairs nothing there, so the page says to unpack it first.
 * Takes: the file's bytes.  Gives: images in struct doctor.  Must not: write. */
#ifndef HVCIFIX_DOCTOR_DOCTOR_INSIDE_H
#define HVCIFIX_DOCTOR_DOCTOR_INSIDE_H

#include "doctor/doctor_image.h"

/* Adds the images inside the file at `path`, however deep, and what cannot be read there. A file that holds
 * nothing adds nothing. False when memory ran out. */
bool doctor_look_inside(struct doctor *doctor, const char *path, struct span bytes,
                        const struct doctor_options *options);

/* Adds one image to the page, and makes the exit code what it asks for (doctor.c). False when memory ran out:
 * the doctor has ended then. */
bool doctor_add_image(struct doctor *doctor, const struct doctor_image *image);

#endif
