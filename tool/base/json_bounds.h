/* json_bounds.h - how large the tree of a JSON text can become, before a library makes it.
 * Takes: bytes that claim to be JSON.  Gives: whether depth and number of values stay below a limit.
 * Must not: judge whether it is JSON; whoever parses it does. */
#ifndef HVCIFIX_BASE_JSON_BOUNDS_H
#define HVCIFIX_BASE_JSON_BOUNDS_H

#include "base/span.h"

enum json_bounds { JSON_IN_BOUNDS, JSON_TOO_DEEP, JSON_TOO_MANY_VALUES };

/* Brackets and commas outside of strings say how deep the JSON is and how many values the library will
 * allocate. Linear. */
enum json_bounds json_bounds_of(struct span text, size_t most_depth, size_t most_values);

#endif
