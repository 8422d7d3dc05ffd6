/* calls_markdown.h - the functions of Windows that the rules about calls know, as tables for docs/RULES.md.
 * Takes: the table of tool/calls/kernel_api.h.  Gives: text.  Must not: hold facts about single functions. */
#ifndef HVCIFIX_RULES_CALLS_MARKDOWN_H
#define HVCIFIX_RULES_CALLS_MARKDOWN_H

#include "base/text.h"

void calls_markdown(struct text *text);

#endif
