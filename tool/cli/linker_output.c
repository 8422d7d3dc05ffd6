/* linker_output.c - linker_output.h.
 * Takes: words.  Gives: names.  Must not: write. Where an option is given twice the last counts, as in
 * link.exe, lld-link, ld and clang. */
#include "cli/linker_output.h"

#include "base/path_name.h"
#include "base/text.h"
#include "io/file.h"

#include <string.h>

struct search {
    struct arena *arena;
    const char *name;        /* stated; "" is none */
    const char *first_input; /* or NULL */
    bool makes_dll, makes_driver, links;
};

/* What follows `option` in a word that begins with it, in any case of letters; NULL when it does not. */
static const char *behind(const char *word, const char *option)
{
    while (*option)
        if (text_lower(*word++) != *option++)
            return NULL;
    return word;
}

/* The word of an option of link.exe without its / or -; NULL for an input. A path of a POSIX system begins
 * as an option does. */
static const char *option_of(const char *word)
{
    struct file_identity identity;
    if (word[0] == '-' && word[1] != 0)
        return word + (word[1] == '-' || word[1] == '?' ? 2 : 1);
    if (word[0] != '/' || (strchr(word + 1, '/') && !strchr(word, ':') && file_identify(word, &identity)))
        return NULL;
    return word + (word[1] == '?' && word[2] != 0 ? 2 : 1);
}

static void see_link_option(struct search *search, const char *option)
{
    const char *value;
    if ((value = behind(option, "out:")) != NULL)
        search->name = value;
    else if (text_same_word(option, "dll"))
        search->makes_dll = true;
    else if (text_same_word(option, "driver") || behind(option, "driver:"))
        search->makes_driver = true;
    else if (text_same_word(option, "?") || text_same_word(option, "help") ||
             text_same_word(option, "version"))
        search->links = false;
}

static void search_link(struct search *search, const struct argument_list *words, size_t first)
{
    static const char *const others[] = {"lib", "dump", "edit"}; /* programs of their own behind this name */
    for (size_t i = first; i < words->count; i++) {
        const char *option = option_of(words->items[i]);
        if (!option) {
            if (!search->first_input)
                search->first_input = words->items[i];
            continue;
        }
        for (size_t k = 0; k < sizeof others / sizeof others[0]; k++)
            if (text_same_word(option, others[k]))
                search->links = false;
        see_link_option(search, option);
    }
    search->links = search->links && words->count != 0;
}

static bool is_any(const char *word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(word, words[i]) == 0)
            return true;
    return false;
}

static void search_cl(struct search *search, const struct argument_list *words)
{
    static const char *const compiling[] = {"c", "E", "EP", "P", "Zs", "?", "help"};
    const char *of_driver = NULL;
    for (size_t i = 0; i < words->count; i++) {
        const char *word = words->items[i], *next = i + 1 < words->count ? words->items[i + 1] : NULL;
        const char *option = option_of(word);
        if (!option) {
            if (!search->first_input)
                search->first_input = word;
        } else if (strcmp(option, "link") == 0) {
            struct search behind_link = {.arena = search->arena, .links = true};
            search_link(&behind_link, words, i + 1);
            search->name = behind_link.name;
            search->makes_dll = search->makes_dll || behind_link.makes_dll;
            break;
        } else if (strcmp(option, "Fe:") == 0 || strcmp(option, "o") == 0 || strcmp(option, "Fe") == 0) {
            of_driver = next;
            i++;
        } else if (strncmp(option, "Fe", 2) == 0) {
            of_driver = option + (option[2] == ':' ? 3 : 2);
        } else if (strcmp(option, "LD") == 0 || strcmp(option, "LDd") == 0) {
            search->makes_dll = true;
        } else if (is_any(option, compiling, sizeof compiling / sizeof compiling[0])) {
            search->links = false;
        }
    }
    search->links = search->links && words->count != 0;
    if (!search->name)
        search->name = of_driver;
}

/* What a driver hands on to a linker that may be lld-link. */
static void see_handed_on(struct search *search, const char *list)
{
    for (const char *at = list; at;) {
        const char *comma = strchr(at, ',');
        const char *word = arena_copy_text(search->arena, at, comma ? (size_t)(comma - at) : strlen(at));
        const char *value = word && (*word == '/' || *word == '-') ? behind(word + 1, "out:") : NULL;
        if (value)
            search->name = value;
        at = comma ? comma + 1 : NULL;
    }
}

static void search_gnu(struct search *search, const struct argument_list *words)
{
    static const char *const other[] = {"-c", "-S",          "-E",     "-M",           "-MM",
                                        "-r", "--version",   "--help", "-dumpversion", "-fsyntax-only",
                                        "-V", "-dumpmachine"};
    size_t input_count = 0;
    const char *handed_on = NULL;
    for (size_t i = 0; i < words->count; i++) {
        const char *word = words->items[i], *next = i + 1 < words->count ? words->items[i + 1] : NULL;
        if (word[0] != '-' || word[1] == 0) {
            input_count++;
        } else if (strcmp(word, "-o") == 0 || strcmp(word, "--output") == 0) {
            search->name = next ? next : "";
            i++;
        } else if (strcmp(word, "-Xlinker") == 0) {
            handed_on = next && (*next == '/' || *next == '-') ? behind(next + 1, "out:") : NULL;
            i++;
        } else if (strncmp(word, "--output=", 9) == 0) {
            search->name = word + 9;
        } else if (strncmp(word, "-o", 2) == 0) {
            search->name = word + 2;
        } else if (strncmp(word, "-Wl,", 4) == 0) {
            struct search inside = {.arena = search->arena};
            see_handed_on(&inside, word + 4);
            handed_on = inside.name ? inside.name : handed_on;
        } else if (is_any(word, other, sizeof other / sizeof other[0]) || strncmp(word, "-print-", 7) == 0) {
            search->links = false;
        }
    }
    if (handed_on)
        search->name = handed_on;
    search->links = search->links && input_count != 0;
}

/* The last that looks like either form. -oFILE is not looked for: -opt:ref begins like it. */
static void search_unknown(struct search *search, const struct argument_list *words)
{
    for (size_t i = 0; i < words->count; i++) {
        const char *word = words->items[i];
        const char *value = word[0] == '/' || word[0] == '-' ? behind(word + 1, "out:") : NULL;
        if (value)
            search->name = value;
        else if (strcmp(word, "-o") == 0 && i + 1 < words->count)
            search->name = words->items[++i];
        else if (strncmp(word, "--output=", 9) == 0)
            search->name = word + 9;
    }
}

static void add_name(struct linker_output *output, struct arena *arena, const char *stem, size_t stem_nbytes,
                     const char *ending)
{
    output->names[output->name_count++] = arena_printf(arena, "%.*s%s", (int)stem_nbytes, stem, ending);
}

/* Linkers that are not given a name take that of the first input. */
static void add_default_names(const struct search *search, enum linker_kind kind,
                              struct linker_output *output)
{
    if (kind == LINKER_GNU) {
        add_name(output, search->arena, "a", 1, ".exe");
        add_name(output, search->arena, "a", 1, ".out");
    } else if (kind != LINKER_UNKNOWN && search->first_input) {
        const char *name = path_last_part(search->first_input), *dot = strrchr(name, '.');
        size_t nbytes = dot ? (size_t)(dot - name) : strlen(name);
        add_name(output, search->arena, name, nbytes,
                 search->makes_dll      ? ".dll"
                 : search->makes_driver ? ".sys"
                                        : ".exe");
    }
}

bool linker_output_find(const struct linker_words *words, struct linker_output *output)
{
    static const char *const endings[] = {"", ".exe", ".dll", ".sys"};
    struct search search = {.arena = words->arguments.arena, .links = true};
    *output = (struct linker_output){0};
    if (words->kind == LINKER_LINK)
        search_link(&search, &words->arguments, 0);
    else if (words->kind == LINKER_CL)
        search_cl(&search, &words->arguments);
    else if (words->kind == LINKER_GNU)
        search_gnu(&search, &words->arguments);
    else
        search_unknown(&search, &words->arguments);
    output->links = search.links;
    output->is_stated = search.name && *search.name;
    if (!output->is_stated) {
        add_default_names(&search, words->kind, output);
    } else {
        /* A name without an ending may get one from the linker. */
        bool has_ending = strchr(path_last_part(search.name), '.') != NULL;
        size_t count = has_ending ? 1 : sizeof endings / sizeof endings[0];
        for (size_t i = 0; i < count; i++)
            add_name(output, search.arena, search.name, strlen(search.name), endings[i]);
    }
    return !search.arena->exhausted;
}
