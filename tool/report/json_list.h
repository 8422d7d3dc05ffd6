/* json_list.h - the elements of long lists in JSON, a line each.
 * Takes: values.  Gives: text.  Must not: use printf, or hold state: the caller writes the commas.
 * A listing of references has a million elements; json_writer.h is for the rest. */
#ifndef HVCIFIX_REPORT_JSON_LIST_H
#define HVCIFIX_REPORT_JSON_LIST_H

#include "base/text.h"

/* Starts the object that is element number `index` of a list, on its own line. The caller closes it. */
void json_list_element(struct text *text, size_t index);

/* Members of such an object; keys are string constants of our own. */
void json_list_number(struct text *text, const char *key, uint64_t value);
/* null when value equals `none`. */
void json_list_number_or_null(struct text *text, const char *key, uint64_t value, uint64_t none);
/* For words of our own, which need no escaping. */
void json_list_word(struct text *text, const char *key, const char *word);
/* A name from a file, escaped; NULL gives null. */
void json_list_name_or_null(struct text *text, const char *key, const char *name);

#endif
