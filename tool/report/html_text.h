/* html_text.h - words and numbers into HTML.
 * Takes: any bytes.  Gives: text that is nothing but text to a browser, also inside an attribute or SVG.
 * Must not: let data become markup, or let it turn the direction of what stands around it. */
#ifndef HVCIFIX_REPORT_HTML_TEXT_H
#define HVCIFIX_REPORT_HTML_TEXT_H

#include "base/text.h"

/* Appends `chars`, harmless as safe_add() makes them, with & < > " ' as references. What HTML does not allow
 * becomes \xNN as well, and so do characters that nobody sees. */
void html_add(struct text *text, const char *chars);

/* At most `columns` columns of them; what is left out shows as an ellipsis. */
void html_add_short(struct text *text, const char *chars, size_t columns);

/* <tag class="...">words</tag>; nothing when words is NULL or empty. Tag and class are our own constants,
 * class may be NULL. */
void html_element(struct text *text, const char *tag, const char *class_name, const char *words);

/* A path, with its folders apart from its name, so that a long one is read from its end. */
void html_path(struct text *text, const char *path);

/* "0x1F8" */
void html_hex(struct text *text, uint64_t value);

/* "00001000–00001FFF": the first and the last RVA. */
void html_range(struct text *text, uint64_t rva, uint64_t nbytes);

/* "12,345" */
void html_number(struct text *text, uint64_t value);

/* "1 page", "12,345 pages". */
void html_count(struct text *text, uint64_t count, const char *one, const char *many);

#endif
