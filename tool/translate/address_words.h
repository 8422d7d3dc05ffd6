/* address_words.h - addresses of one module as they stand in logs and on command lines.
 * Takes: characters.  Gives: what of them is an address, and its value.  Must not: take for an address what
 * could be something else, or read beyond what it is given.
 *
 * Forms of an RVA, behind the module's name, with or without the extension of its file (letters in any case,
 * a character that is no letter, digit or _ may stand as _, as the debuggers of Windows write it):
 *     driver+0x1234  driver+1234  driver.sys + 0x1234  driver (+0x1234)   WinDbg, minidump_stackwalk, Wine,
 * glibc driver.sys||||0x1234  <driver.sys:1234                              minidump_stackwalk -m, ReactOS
 *     driver!Name+0x12                                                    where the map knows the name
 * Forms of a virtual address, which needs the module's base:
 *     fffff801`12341234  fffff80112341234  0xfffff80112341234  f8a41234 */
#ifndef HVCIFIX_TRANSLATE_ADDRESS_WORDS_H
#define HVCIFIX_TRANSLATE_ADDRESS_WORDS_H

#include "translate/address_map.h"

enum { ADDRESS_WORD_MOST_NBYTES = 1024 }; /* longer ones are none */

/* What is looked for. */
struct address_words {
    const struct address_map *map;
    enum address_side from;
    const char *modules[2]; /* names of the module's file; the second may be NULL */
    bool has_base;
    uint64_t base_va; /* where the module was loaded */
};

enum address_word_kind { WORD_RVA, WORD_VA, WORD_NAME };

struct address_word {
    size_t nbytes; /* of all of it */
    size_t value_at,
        value_nbytes; /* the digits, which another number may replace; WORD_NAME: name and offset */
    enum address_word_kind kind;
    uint32_t rva;                    /* of side `from`; may lie outside the image */
    const struct address_name *name; /* WORD_NAME: the one that stands there, */
    size_t offset_digits_nbytes;     /* and how many digits its offset has */
};

/* What stands in front of a place in a text. */
struct address_before {
    char last, last_solid; /* the last character, and the last that is no blank; a line end: nothing */
};

/* Does an address begin here? `nbytes` are all there is up to the end of the line, or at least
 * ADDRESS_WORD_MOST_NBYTES. */
bool address_word_match(const struct address_words *words, const char *chars, size_t nbytes,
                        struct address_before before, struct address_word *word);

/* A whole word that is a hexadecimal number: 0x in front is optional, a ` may stand before the last 8
 * digits. */
bool address_parse(const char *word, uint64_t *value);

/* Letters, digits and _: an address never begins inside of them. */
bool address_is_word_char(char c);

#endif
