/* image_list.h - the images that the test run offers: one path per line in the file that HVCIFIX_IMAGES
 * names. Takes: the environment.  Gives: each path in turn with its bytes in a malloc block of exactly its
 * size. */
#ifndef HVCIFIX_TESTS_IMAGE_LIST_H
#define HVCIFIX_TESTS_IMAGE_LIST_H

#include "base/span.h"

#include <stdio.h>
#include <stdlib.h>

struct image_list {
    FILE *list; /* NULL when HVCIFIX_IMAGES is not set or cannot be opened */
    char path[4096];
    uint8_t *bytes;
    size_t nbytes;
    size_t step, number; /* every how many of the images is taken, and the number of the next */
};

static inline bool image_list_open(struct image_list *images)
{
    const char *name = getenv("HVCIFIX_IMAGES");
    memset(images, 0, sizeof *images);
    images->list = name && *name ? fopen(name, "r") : NULL;
    images->step = 1;
    return images->list != NULL;
}

/* With sanitizers, which are slow, only every step-th image: the plain run has tried them all. */
static inline void image_list_thin(struct image_list *images, size_t step)
{
    const char *variant = getenv("HVCIFIX_VARIANT");
    if (variant && strcmp(variant, "checked") == 0)
        images->step = step;
}

/* The next image that can be read; false at the end. */
static inline bool image_list_next(struct image_list *images)
{
    while (fgets(images->path, sizeof images->path, images->list)) {
        images->path[strcspn(images->path, "\r\n")] = 0;
        if (images->number++ % images->step != 0)
            continue;
        FILE *file = fopen(images->path, "rb");
        if (!file)
            continue;
        fseek(file, 0, SEEK_END);
        long end = ftell(file);
        rewind(file);
        free(images->bytes);
        images->nbytes = end > 0 ? (size_t)end : 0;
        images->bytes = malloc(images->nbytes ? images->nbytes : 1);
        bool done = images->bytes && fread(images->bytes, 1, images->nbytes, file) == images->nbytes;
        fclose(file);
        if (done)
            return true;
    }
    return false;
}

static inline void image_list_close(struct image_list *images)
{
    free(images->bytes);
    if (images->list)
        fclose(images->list);
}

#endif
