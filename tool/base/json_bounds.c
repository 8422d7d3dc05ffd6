/* json_bounds.c - json_bounds.h.
 * Takes: bytes.  Gives: one of three answers.  Must not: allocate. */
#include "base/json_bounds.h"

enum json_bounds json_bounds_of(struct span text, size_t most_depth, size_t most_values)
{
    size_t depth = 0, values = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.nbytes; i++) {
        uint8_t c = text.bytes[i];
        if (in_string) {
            i += c == '\\';
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            values++;
            if (++depth > most_depth)
                return JSON_TOO_DEEP;
        } else if (c == '}' || c == ']') {
            depth -= depth != 0;
        } else if (c == ',' && ++values > most_values) {
            return JSON_TOO_MANY_VALUES;
        }
    }
    return JSON_IN_BOUNDS;
}
