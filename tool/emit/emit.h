/* emit.h - the new bytes: a pure function of image, references and plan.
 * Takes: const image, references, plan.  Gives: a new buffer in the arena.
 * Must not: decide anything or change its inputs.
 * Headers are written from the model, contents region by region, and every reference is encoded anew for
 * where its target now lies, so that an unchanged plan gives back the identical file and shows that the
 * model and the inventory lost nothing. */
#ifndef HVCIFIX_EMIT_EMIT_H
#define HVCIFIX_EMIT_EMIT_H

#include "plan/plan.h"

struct output {
    uint8_t *bytes; /* in the arena */
    size_t nbytes;
};

/* plan may be NULL: re-emit unchanged (the stored CheckSum is kept then). Returns false with *error set:
 * HVCI9008, or HVCI9023 when a reference cannot be encoded for its new target. */
bool emit_image(const struct image *image, const struct refset *refs, const struct plan *plan,
                struct arena *arena, struct output *output, struct finding *error);

#endif
