/* word_order.h - words of an INF file, and names of files, in an order without case.
 * Takes: two words.  Gives: their order.  Must not: know other letters than those of ASCII. */
#ifndef HVCIFIX_PACKAGE_WORD_ORDER_H
#define HVCIFIX_PACKAGE_WORD_ORDER_H

/* As strcmp(), by the bytes of both words with small letters: 0 where text_same_word() says that they are the
 * same. */
int word_order(const char *a, const char *b);

#endif
