/* completion_bash.c - completion for bash.
 * Takes: the tables of verbs and options.  Gives: a script.  Must not: hold a list of its own. */
#include "cli/help.h"
#include "cli/options.h"

static const char head[] =
    "# hvcifix.bash - completion for bash, made by \"hvcifix help bash\".\n"
    "_hvcifix_offer() { # the words that $1 lists, or files when it is \"files\"\n"
    "    local line\n"
    "    COMPREPLY=()\n"
    "    if [[ $1 == files ]]; then\n"
    "        compopt -o filenames 2>/dev/null\n"
    "        while IFS= read -r line; do COMPREPLY+=(\"$line\"); done < <(compgen -f -- \"$2\")\n"
    "    else\n"
    "        while IFS= read -r line; do COMPREPLY+=(\"$line\"); done < <(compgen -W \"$1\" -- \"$2\")\n"
    "    fi\n"
    "}\n"
    "_hvcifix() {\n"
    "    local current=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]} options= arguments= "
    "number\n"
    "    # --format=json is three words to bash.\n"
    "    if [[ $current == \"=\" ]]; then\n"
    "        current=\n"
    "    elif [[ $option == \"=\" ]]; then\n"
    "        option=${COMP_WORDS[COMP_CWORD - 2]}\n"
    "    fi\n";

static const char middle[] = "    for ((number = 2; number < COMP_CWORD; number++)); do\n"
                             "        if [[ ${COMP_WORDS[number]} == \"--\" ]]; then\n"
                             "            _hvcifix_offer files \"$current\"\n"
                             "            return\n"
                             "        fi\n"
                             "    done\n"
                             "    if ((COMP_CWORD > 1)); then\n"
                             "        case $option in\n";

static const char tail[] = "    if [[ $current == -* ]]; then\n"
                           "        _hvcifix_offer \"$options\" \"$current\"\n"
                           "    else\n"
                           "        _hvcifix_offer \"$arguments\" \"$current\"\n"
                           "    fi\n"
                           "}\n"
                           "complete -F _hvcifix hvcifix hvcifix.exe\n";

/* Words of our tables hold no character that a shell minds. */
static void add_words(struct text *text, const char *values)
{
    struct text words = {.arena = text->arena};
    if (!help_words(&words, values))
        text_addz(text, "files");
    else if (words.chars)
        text_addz(text, words.chars + 1);
}

static void add_value_case(struct text *text, const struct option_row *option)
{
    if (!option->value_name)
        return;
    text_printf(text, "        %s%s%s) _hvcifix_offer \"", option->name, option->short_name ? " | " : "",
                option->short_name ? option->short_name : "");
    add_words(text, option->values);
    text_addz(text, "\" \"$current\"; return ;;\n");
}

static void add_verb_case(struct text *text, const struct verb_row *verb)
{
    text_printf(text, "    %s)\n        options=\"", verb->name);
    for (size_t i = 0; i < option_row_count; i++)
        if (option_rows[i].verbs & VERB_BIT(verb->verb))
            text_printf(text, "%s%s%s ", option_rows[i].short_name ? option_rows[i].short_name : "",
                        option_rows[i].short_name ? " " : "", option_rows[i].name);
    text_addz(text, "\"\n        arguments=\"");
    add_words(text, verb->words);
    text_addz(text, "\"\n        ;;\n");
}

void help_completion_bash(struct text *text)
{
    text_addz(text, head);
    text_addz(text, middle);
    for (size_t i = 0; i < option_row_count; i++)
        add_value_case(text, &option_rows[i]);
    text_addz(text, "        esac\n    fi\n    if ((COMP_CWORD == 1)); then\n        arguments=\"");
    for (size_t i = 0; i < VERB_COUNT; i++)
        text_printf(text, "%s ", verb_rows[i].name);
    text_addz(text, "\"\n        options=\"--help --version\"\n    else\n    case ${COMP_WORDS[1]} in\n");
    for (size_t i = 0; i < VERB_COUNT; i++)
        add_verb_case(text, &verb_rows[i]);
    text_addz(text,
              "    esac\n    fi\n    # policy check FILE\n"
              "    if [[ ${COMP_WORDS[1]} == policy && ${COMP_WORDS[2]} == check && $COMP_CWORD -gt 2 ]]; "
              "then arguments=files; fi\n");
    text_addz(text, tail);
}
