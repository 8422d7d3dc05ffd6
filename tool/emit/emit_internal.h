/* emit_internal.h - the steps of emission, one file each. Private to tool/emit. */
#ifndef HVCIFIX_EMIT_EMIT_INTERNAL_H
#define HVCIFIX_EMIT_EMIT_INTERNAL_H

#include "emit/emit.h"

struct emitter {
    const struct image *image;
    const struct refset *refs;
    const struct layout *layout;
    struct arena *arena;
    uint8_t *bytes; /* layout->file_nbytes of them */
    struct finding *error;
};

/* Header fields and the section table, from model and layout. */
void emit_headers(const struct emitter *emitter);

/* Every reference that is carried over, encoded anew. False with *error set, or when memory ran out. */
bool emit_references(const struct emitter *emitter);

/* What follows from the rest in a layout that moves: relocation table, directories, sizes. */
bool emit_derived(const struct emitter *emitter);

/* Takes bindings of imports back, after the references. False with *error set. */
bool emit_binding(const struct emitter *emitter);

/* Copies of instructions, and the stub that relocates at start, when the layout has them; after the
 * references. False when the plan does not fit the image. */
bool emit_straddles(const struct emitter *emitter);

#endif
