/* rules_markdown.h - the page docs/RULES.md, made from the table of rules.
 * Takes: the table.  Gives: the whole page as text.  Must not: hold texts about single rules. */
#ifndef HVCIFIX_RULES_RULES_MARKDOWN_H
#define HVCIFIX_RULES_RULES_MARKDOWN_H

#include "base/text.h"

/* Appends the page. When memory runs out the text is incomplete and text->arena->exhausted is set. */
void rules_markdown(struct text *text);

#endif
