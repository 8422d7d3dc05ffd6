/* help_manual.c - the manual page hvcifix.1.
 * Takes: the tables of verbs, options, exit codes and topics.  Gives: roff.  Must not: hold a list of its
 * own. */
#include "base/roff.h"
#include "cli/help.h"
#include "cli/options.h"
#include "version.h"

static void add_heading(struct text *text, const char *macro, const char *words)
{
    text_printf(text, "%s ", macro);
    roff_add(text, words);
    text_addz(text, "\n");
}

static void add_synopsis(struct text *text, const struct verb_row *verb)
{
    text_addz(text, ".HP\n\\fBhvcifix ");
    roff_add(text, verb->name);
    text_addz(text, "\\fR [\\fIOPTION\\fR]...");
    if (verb->arguments[0])
        text_addz(text, " ");
    roff_add(text, verb->arguments);
    text_addz(text, "\n");
}

static void add_verb(struct text *text, const struct verb_row *verb)
{
    add_heading(text, ".SS", verb->name);
    roff_prose(text, verb->about);
    text_addz(text, ".PP\nOptions:\n");
    const char *before = "";
    for (size_t i = 0; i < option_row_count; i++) {
        if (!(option_rows[i].verbs & VERB_BIT(verb->verb)))
            continue;
        text_printf(text, "%s\\fB", before);
        roff_add(text, option_rows[i].name);
        text_addz(text, "\\fR");
        before = ",\n";
    }
    text_addz(text, ".\n.PP\n.EX\n");
    text_addz(text, "  ");
    roff_lines(text, verb->example);
    text_addz(text, ".EE\n");
}

static void add_option(struct text *text, const struct option_row *option)
{
    text_addz(text, ".TP\n");
    if (option->short_name) {
        text_addz(text, "\\fB");
        roff_add(text, option->short_name);
        text_addz(text, "\\fR, ");
    }
    text_addz(text, "\\fB");
    roff_add(text, option->name);
    text_addz(text, "\\fR");
    if (option->value_name) {
        text_addz(text, " \\fI");
        roff_add(text, option->value_name);
        text_addz(text, "\\fR");
    }
    text_addz(text, "\n");
    roff_prose(text, option->help);
    struct text words = {.arena = text->arena};
    if (option->values && option->values[0] == '@' && help_words(&words, option->values)) {
        text_addz(text, ".IP\nThere are:\n");
        roff_prose(text, words.chars ? words.chars : "");
    }
}

static const struct {
    const char *name, *about;
} variables[] =
    {
        {"NO_COLOR",
         "When it is set and not empty, reports on a terminal have no colours; --color wins over it."},
        {"SOURCE_DATE_EPOCH",
         "The number of seconds since 1970 that counts as now when waivers are asked whether they "
         "have expired, for builds that can be repeated."},
},
  files[] = {
      {"IMAGE.rejected",
       "An image that enforce has taken away from its name. Folders are searched without them."},
      {".hvcifix-*.tmp",
       "What is written before it replaces a file, in the same folder. Only the kill of a run "
       "leaves one; it may be deleted."},
};

void help_manual(struct text *text)
{
    text_addz(text, ".\\\" Made by \"hvcifix help manual\" from the tables that the program itself uses.\n"
                    ".TH HVCIFIX 1 " HVCIFIX_RELEASED " \"hvcifix " HVCIFIX_VERSION "\" \"User Commands\"\n"
                    ".nh\n"
                    ".SH NAME\n"
                    "hvcifix \\- make Windows driver images compatible with memory integrity\n"
                    ".SH SYNOPSIS\n");
    for (size_t i = 0; i < VERB_COUNT; i++)
        add_synopsis(text, &verb_rows[i]);
    text_addz(text, ".SH DESCRIPTION\n");
    roff_prose(
        text,
        "hvcifix runs behind the linker. It proves a Windows driver image compatible with memory "
        "integrity (HVCI), repairs it when it is not, and rejects it, with the reason, when no repair "
        "can be proved safe. An argument @FILE stands for the arguments in that file. What stands behind "
        "-- is no option. The value of an option follows it, or stands behind = (--jobs 2, --jobs=2, "
        "-j2).");
    text_addz(text, ".SH VERBS\n");
    for (size_t i = 0; i < VERB_COUNT; i++)
        add_verb(text, &verb_rows[i]);
    text_addz(text, ".SH OPTIONS\n");
    for (size_t i = 0; i < option_row_count; i++)
        add_option(text, &option_rows[i]);
    text_addz(text, ".SH EXIT STATUS\n");
    for (size_t i = 0; i < exit_row_count; i++) {
        text_printf(text, ".TP\n.B %s\n", exit_rows[i].code);
        roff_prose(text, exit_rows[i].meaning);
    }
    text_addz(text, ".PP\n");
    roff_prose(text, EXIT_SEVERAL);
    text_addz(text, ".PP\n");
    roff_prose(text, EXIT_INTERRUPTED);
    text_addz(text, ".SH ENVIRONMENT\n");
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        text_printf(text, ".TP\n.B %s\n", variables[i].name);
        roff_prose(text, variables[i].about);
    }
    text_addz(text, ".SH FILES\n");
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        text_addz(text, ".TP\n\\fB");
        roff_add(text, files[i].name);
        text_addz(text, "\\fR\n");
        roff_prose(text, files[i].about);
    }
    text_addz(text, ".SH SEE ALSO\n.BR hvcifix\\-policy (5)\n");
}
