/* refs_load_config.h - the load configuration, opened once for each source that reads part of it.
 * Takes: directory 10.  Gives: its bytes as far as it has fields, and field values.
 * Must not: follow its pointers. Private to tool/refs. */
#ifndef HVCIFIX_REFS_REFS_LOAD_CONFIG_H
#define HVCIFIX_REFS_REFS_LOAD_CONFIG_H

#include "refs/ref_window.h"

/* A field's offset in 32-bit and in 64-bit images, e.g. LC_FIELD(LC_SECURITY_COOKIE). */
struct lc_field {
    uint16_t offset_32, offset_64;
};
#define LC_FIELD(name) {name##_32, name##_64}

/* Opens the load configuration: *window ends where its own Size field or the file's bytes end, whichever
 * comes first. False when there is none. When it cannot be read, *problem says why. */
bool load_config_open(const struct image *image, struct window *window, const char **problem);

/* The field's offset in this image. */
static inline uint16_t load_config_offset(const struct image *image, struct lc_field field)
{
    return image->is_64 ? field.offset_64 : field.offset_32;
}

/* The value of a field of width_nbytes; 0 when the load configuration is too short to have it. */
uint64_t load_config_value(const struct image *image, const struct window *window, struct lc_field field,
                           unsigned width_nbytes);

/* The RVA that a field of pointer width names; 0 when it is absent, zero, or below the image base. */
uint32_t load_config_pointer(const struct image *image, const struct window *window, struct lc_field field);

#endif
