/* completion_powershell.c - completion for PowerShell.
 * Takes: the tables of verbs and options.  Gives: a script.  Must not: hold a list of its own. */
#include "cli/help.h"
#include "cli/options.h"

static const char head[] =
    "# hvcifix.ps1 - completion for PowerShell, made by \"hvcifix help powershell\". To have it in every "
    "session:\n"
    "#   hvcifix help powershell | Out-String | Invoke-Expression\n"
    "# in the file that $PROFILE names.\n"
    "Register-ArgumentCompleter -Native -CommandName 'hvcifix', 'hvcifix.exe' -ScriptBlock {\n"
    "    param($wordToComplete, $commandAst, $cursorPosition)\n";

static const char tail[] =
    "    $words = @($commandAst.CommandElements | Where-Object { $_.Extent.EndOffset -lt $cursorPosition } "
    "|\n"
    "        ForEach-Object { $_.Extent.Text })\n"
    "    if ($words -contains '--') { return }\n"
    "    $current = \"$wordToComplete\"\n"
    "    $prefix = ''\n"
    "    $verb = if ($words.Count -gt 1) { $words[1] } else { '' }\n"
    "    $option = if ($words.Count -gt 2) { $words[-1] } else { '' }\n"
    "    if ($current -match '^(--[^=]+)=(.*)$') {\n"
    "        $option = $Matches[1]\n"
    "        $prefix = $option + '='\n"
    "        $current = $Matches[2]\n"
    "    }\n"
    "    if ($words.Count -le 1) { $offered = $verbs.Keys }\n"
    "    elseif ($values.ContainsKey($option)) { $offered = $values[$option] }\n"
    "    elseif ($current.StartsWith('-')) { $offered = $options[$verb] }\n"
    "    else { $offered = $arguments[$verb] }\n"
    "    # Nothing offered: PowerShell offers files by itself.\n"
    "    $offered | Where-Object { $_ -and $_.StartsWith($current, [StringComparison]::OrdinalIgnoreCase) } "
    "| "
    "ForEach-Object {\n"
    "        $tip = if ($help.ContainsKey($_)) { $help[$_] } elseif ($verbs.Contains($_)) { $verbs[$_] } "
    "else { $_ }\n"
    "        [System.Management.Automation.CompletionResult]::new($prefix + $_, $_, 'ParameterValue', $tip)\n"
    "    }\n"
    "}\n";

/* 'words', in which a quote stands twice. */
static void add_quoted(struct text *text, const char *words)
{
    text_addz(text, "'");
    for (; *words; words++)
        if (*words == '\'')
            text_addz(text, "''");
        else
            text_add(text, *words == '\n' ? " " : words, 1);
    text_addz(text, "'");
}

/* @('a', 'b') of words with a blank in front of each. */
static void add_list(struct text *text, const char *words)
{
    text_addz(text, "@(");
    for (size_t nbytes; words && *words; words += nbytes) {
        bool is_first = text->chars[text->nbytes - 1] == '(';
        words += strspn(words, " ");
        nbytes = strcspn(words, " ");
        if (nbytes != 0)
            text_printf(text, "%s'%.*s'", is_first ? "" : ", ", (int)nbytes, words);
    }
    text_addz(text, ")");
}

static void add_entry(struct text *text, const char *name, const char *values)
{
    struct text words = {.arena = text->arena};
    help_words(&words, values);
    text_addz(text, "        ");
    add_quoted(text, name);
    text_addz(text, " = ");
    add_list(text, words.chars);
    text_addz(text, "\n");
}

static void add_options(struct text *text, const struct verb_row *verb)
{
    struct text words = {.arena = text->arena};
    for (size_t i = 0; i < option_row_count; i++)
        if (option_rows[i].verbs & VERB_BIT(verb->verb))
            text_printf(&words, "%s%s %s", option_rows[i].short_name ? " " : "",
                        option_rows[i].short_name ? option_rows[i].short_name : "", option_rows[i].name);
    text_addz(text, "        ");
    add_quoted(text, verb->name);
    text_addz(text, " = ");
    add_list(text, words.chars);
    text_addz(text, "\n");
}

static void add_help(struct text *text, const char *name, const char *help)
{
    text_addz(text, "        ");
    add_quoted(text, name);
    text_addz(text, " = ");
    add_quoted(text, help);
    text_addz(text, "\n");
}

void help_completion_powershell(struct text *text)
{
    text_addz(text, head);
    text_addz(text, "    $verbs = [ordered]@{\n");
    for (size_t i = 0; i < VERB_COUNT; i++)
        add_help(text, verb_rows[i].name, verb_rows[i].summary);
    text_addz(text, "    }\n    $options = @{\n");
    for (size_t i = 0; i < VERB_COUNT; i++)
        add_options(text, &verb_rows[i]);
    text_addz(text, "    }\n    $arguments = @{\n");
    for (size_t i = 0; i < VERB_COUNT; i++)
        add_entry(text, verb_rows[i].name, verb_rows[i].words);
    text_addz(text, "    }\n    $values = @{\n");
    for (size_t i = 0; i < option_row_count; i++) {
        if (!option_rows[i].value_name)
            continue;
        add_entry(text, option_rows[i].name, option_rows[i].values);
        if (option_rows[i].short_name)
            add_entry(text, option_rows[i].short_name, option_rows[i].values);
    }
    text_addz(text, "    }\n    $help = @{\n");
    for (size_t i = 0; i < option_row_count; i++)
        add_help(text, option_rows[i].name, option_rows[i].help);
    text_addz(text, "    }\n");
    text_addz(text, tail);
}
