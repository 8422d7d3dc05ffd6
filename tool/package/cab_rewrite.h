/* cab_rewrite.h - a cabinet with the content of some files changed, or some files left out.
 * Takes: the cabinet, its files as they were read, and what becomes of each.  Gives: the new cabinet.
 * Must not: change a name, time, attribute or the order of a file; pass a cabinet of which that is not so.
 *
 * A cabinet is packed as a whole, so all of it is packed anew, as one folder: stored where all of the old one
 * was, else with MSZIP. LZX and Quantum are read, and not written. */
#ifndef HVCIFIX_PACKAGE_CAB_REWRITE_H
#define HVCIFIX_PACKAGE_CAB_REWRITE_H

#include "package/parcel_change.h"

/* Why no cabinet can be made of this one: words behind "because "; NULL when one can. `drops_signature`: the
 * signature of the cabinet may be lost. */
const char *cab_rewrite_obstacle(struct span cabinet, bool drops_signature, struct arena *arena);

/* What the new cabinet has not that the old one has: a clause, or NULL. */
const char *cab_rewrite_loss(struct span cabinet, struct arena *arena);

/* `parcel` is the cabinet, read. When nothing changes it is the old cabinet's bytes. The same input gives the
 * same output. False with *problem, which goes on "The archive ...", or NULL when memory ran out. */
bool cab_rewrite(struct span cabinet, const struct parcel *parcel, const struct parcel_change *changes,
                 struct arena *arena, struct span *rewritten, const char **problem);

/* Does the new cabinet's directory have the same names, times and attributes as the old one's, in the same
 * order, without those that are left out? The contents are compared by parcel_is_changed_so(). False with
 * *error set. */
bool cab_is_rewritten_so(struct span cabinet, const struct parcel_change *changes, struct span rewritten,
                         struct arena *arena, struct finding *error);

#endif
