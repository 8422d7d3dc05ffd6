/* options_help.c - the text of --help, from the tables.
 * Takes: a verb, or none.  Gives: text.  Must not: print or exit. */
#include "cli/help.h"
#include "cli/options.h"

void options_help(struct text *text, const enum verb *verb)
{
    if (!verb) {
        text_addz(text, "hvcifix makes Windows driver images compatible with memory integrity (HVCI), or "
                        "says why not.\n\n"
                        "Usage: hvcifix VERB [OPTION]... ARGUMENT...\n\n");
        for (size_t i = 0; i < VERB_COUNT; i++)
            text_printf(text, "  %-9s %-32s %s\n", verb_rows[i].name, verb_rows[i].arguments,
                        verb_rows[i].summary);
        text_addz(text, "\nhvcifix VERB --help says more and gives an example. @FILE reads arguments from "
                        "FILE.\nhvcifix help TOPIC prints manual pages and completion for shells: ");
        for (size_t i = 0; i < help_topic_count; i++)
            text_printf(text, "%s%s", i == 0 ? "" : ", ", help_topics[i].name);
        text_addz(text, ".\n\nExit codes:\n");
        for (size_t i = 0; i < exit_row_count; i++)
            text_printf(text, "  %s  %s\n", exit_rows[i].code, exit_rows[i].meaning);
        return;
    }
    const struct verb_row *row = &verb_rows[*verb];
    text_printf(text, "Usage: hvcifix %s [OPTION]... %s\n\n%s\n\nOptions:\n", row->name, row->arguments,
                row->about);
    for (size_t i = 0; i < option_row_count; i++) {
        const struct option_row *option = &option_rows[i];
        if (!(option->verbs & VERB_BIT(*verb)))
            continue;
        size_t line_start = text->nbytes;
        text_printf(text, "  %s%s%s%s%s", option->short_name ? option->short_name : "",
                    option->short_name ? ", " : "", option->name, option->value_name ? " " : "",
                    option->value_name ? option->value_name : "");
        text_pad_to_column(text, line_start, 26);
        text_printf(text, " %s\n", option->help);
    }
    text_printf(text, "\nExample:\n  %s\n", row->example);
}
