/* word_order.c - word_order.h.
 * Takes: two words.  Gives: their order.  Must not: depend on the system's language. */
#include "package/word_order.h"

#include "base/text.h"

int word_order(const char *a, const char *b)
{
    while (*a && text_lower(*a) == text_lower(*b)) {
        a++;
        b++;
    }
    return (unsigned char)text_lower(*a) - (unsigned char)text_lower(*b);
}
