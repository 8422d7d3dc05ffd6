/* help.h - what `help` prints: the manual pages, and completion for shells, made of the tables that parsing
 * uses. Takes: a word behind `help`.  Gives: text.  Must not: hold a list of verbs, options or keys. */
#ifndef HVCIFIX_CLI_HELP_H
#define HVCIFIX_CLI_HELP_H

#include "base/text.h"

struct help_topic {
    const char *name, *about;
    void (*write)(struct text *text);
};
extern const struct help_topic help_topics[];
extern const size_t help_topic_count;

/* NULL when there is none of that name. */
const struct help_topic *help_topic_find(const char *name);

/* The words that a VALUES column of options.h stands for, each with a blank in front. Returns false for
 * files. */
bool help_words(struct text *text, const char *values);

void help_manual(struct text *text);                /* hvcifix.1 */
void help_completion_bash(struct text *text);       /* to be sourced by bash */
void help_completion_powershell(struct text *text); /* to be run by PowerShell */

#endif
