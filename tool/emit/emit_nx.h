/* emit_nx.h - the bytes of an image whose calls are led through stubs that add the no-execute flag.
 * Takes: const image, placed plan.  Gives: a new buffer in the arena.  Must not: decide anything. */
#ifndef HVCIFIX_EMIT_EMIT_NX_H
#define HVCIFIX_EMIT_EMIT_NX_H

#include "emit/emit.h"
#include "plan/nx_plan.h"

/* False when memory ran out. The check sum is right. */
bool emit_nx(const struct image *image, const struct nx_plan *plan, struct arena *arena,
             struct output *output);

#endif
