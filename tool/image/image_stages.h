/* image_stages.h - the steps of image_read(), in the order in which image.c calls them.
 * Private to tool/image. Each step takes the image with the earlier steps' fields filled and fills its own;
 * false means *error is set and the image is refused. */
#ifndef HVCIFIX_IMAGE_IMAGE_STAGES_H
#define HVCIFIX_IMAGE_IMAGE_STAGES_H

#include "image/image.h"

bool image_read_headers(struct image *image, struct finding *error);
bool image_read_sections(struct image *image, struct finding *error);
bool image_read_regions(struct image *image, struct finding *error);
bool image_decide_role(struct image *image, struct finding *error);

/* Sets *error to a finding with a file offset, and returns false, so that a step can end with it. */
bool image_refuse(struct image *image, struct finding *error, enum finding_code code, uint64_t foff,
                  const char *cure, const char *format, ...) HVCIFIX_PRINTF(6, 7);

/* Sets *error to HVCI9008 and returns false. */
bool image_out_of_memory(struct image *image, struct finding *error);

/* Records something odd that does not stop the reading: HVCI9004 or HVCI9005, level note. */
bool image_note(struct image *image, enum finding_code code, uint64_t foff, const char *format, ...)
    HVCIFIX_PRINTF(4, 5);

/* Header bytes as printable ASCII: other bytes and the backslash become \xNN. NULL when exhausted. */
const char *image_printable(struct arena *arena, const uint8_t *bytes, size_t nbytes);

#endif
