/* linker_words.c - linker_words.h.
 * Takes: words and the files that they name.  Gives: words.  Must not: write. */
#include "cli/linker_words.h"

#include "base/path_name.h"
#include "base/text.h"
#include "cli/child.h"
#include "cli/console.h"
#include "cli/response_file.h"
#include "io/file.h"

#include <string.h>

enum {
    MOST_FILES_INSIDE = 32, /* one response file in another */
    MOST_FILES = 4096       /* in one command line */
};

/* Is `name` this word, perhaps with a version or .exe behind it? */
static bool is_tool(const char *name, const char *word)
{
    while (*word)
        if (text_lower(*name++) != *word++)
            return false;
    return *name == 0 || text_same_word(name, ".exe") || (*name == '-' && name[1] >= '0' && name[1] <= '9');
}

/* Is it such a word behind the last hyphen, as in x86_64-w64-mingw32-gcc? */
static bool is_cross_tool(const char *name, const char *word)
{
    if (is_tool(name, word))
        return true;
    for (const char *at = strchr(name, '-'); at; at = strchr(at + 1, '-'))
        if (is_tool(at + 1, word))
            return true;
    return false;
}

static bool find_kind(const char *word, enum linker_kind *kind)
{
    static const char *const of_link[] = {"link", "lld-link"};
    static const char *const of_cl[] = {"cl", "clang-cl"};
    static const char *const of_gnu[] = {"gcc", "g++",    "cc",      "c++",    "clang",     "clang++",
                                         "ld",  "ld.lld", "ld.mold", "ld.bfd", "gcc-win32", "gcc-posix"};
    const char *name = path_last_part(word);
    for (size_t i = 0; i < sizeof of_link / sizeof of_link[0]; i++)
        if (is_tool(name, of_link[i])) {
            *kind = LINKER_LINK;
            return true;
        }
    for (size_t i = 0; i < sizeof of_cl / sizeof of_cl[0]; i++)
        if (is_tool(name, of_cl[i])) {
            *kind = LINKER_CL;
            return true;
        }
    for (size_t i = 0; i < sizeof of_gnu / sizeof of_gnu[0]; i++)
        if (is_cross_tool(name, of_gnu[i])) {
            *kind = LINKER_GNU;
            return true;
        }
    return false;
}

/* Which linker the command runs, perhaps by way of a cache or a build system's own wrapper. Returns the
 * number of the first of its arguments. */
static size_t find_linker(const struct argument_list *command, enum linker_kind *kind)
{
    for (size_t i = 0; i < command->count; i++)
        if (find_kind(command->items[i], kind))
            return i + 1;
    /* lld -flavor link ... */
    for (size_t i = 1; i + 1 < command->count; i++)
        if (strcmp(command->items[i], "-flavor") == 0) {
            *kind = strcmp(command->items[i + 1], "link") == 0 ? LINKER_LINK : LINKER_GNU;
            return i + 2;
        }
    *kind = LINKER_UNKNOWN;
    return 1;
}

struct reading {
    struct linker_words *words;
    bool quotes_as_gnu;
    unsigned file_count;
    bool is_endless;
};

static bool read_words(struct reading *reading, char *const *items, size_t count, unsigned depth);

/* True also when there is no such file: then *is_word. */
static bool read_file(struct reading *reading, const char *path, unsigned depth, bool *is_word)
{
    struct arena *arena = reading->words->arguments.arena;
    struct file_content file;
    struct finding error;
    *is_word = false;
    if (depth == MOST_FILES_INSIDE || reading->file_count++ == MOST_FILES) {
        reading->is_endless = true;
        return false;
    }
    if (!file_read(path, arena, &file, &error)) {
        *is_word = !arena->exhausted;
        return *is_word;
    }
    size_t nbytes;
    char *text = response_file_text(file.bytes, arena, &nbytes);
    struct argument_list inside = {.arena = arena};
    enum split_result result = !text                    ? SPLIT_NO_MEMORY
                               : reading->quotes_as_gnu ? split_arguments_gnu(&inside, text, nbytes)
                                                        : split_arguments(&inside, text, nbytes, true);
    return result != SPLIT_NO_MEMORY && read_words(reading, inside.items, inside.count, depth + 1);
}

static bool read_words(struct reading *reading, char *const *items, size_t count, unsigned depth)
{
    for (size_t i = 0; i < count; i++) {
        bool is_word = items[i][0] != '@' || items[i][1] == 0;
        if (!is_word && !read_file(reading, items[i] + 1, depth, &is_word))
            return false;
        if (is_word && !argument_add(&reading->words->arguments, items[i]))
            return false;
    }
    return true;
}

/* The words of LINK, which stand before those of the command line, or of _LINK_, which stand behind them;
 * lld-link puts both before. */
static bool read_variable(struct reading *reading, const char *name)
{
    struct argument_list list = {.arena = reading->words->arguments.arena};
    const char *value = child_environment(name, list.arena);
    if (!value)
        return !list.arena->exhausted;
    return split_arguments(&list, value, strlen(value), true) != SPLIT_NO_MEMORY &&
           read_words(reading, list.items, list.count, 0);
}

bool linker_words_read(const struct argument_list *command, struct linker_words *words, bool *is_endless)
{
    *words = (struct linker_words){.arguments = {.arena = command->arena}};
    size_t first = find_linker(command, &words->kind);
    bool is_windows = !console_names_hold_quotes();
    const char *linker = path_last_part(command->items[first - 1]);
    bool is_lld =
        text_lower(linker[0]) == 'l' && text_lower(linker[1]) == 'l' && text_lower(linker[2]) == 'd';
    bool is_lld_gnu = strstr(linker, "ld.lld") != NULL;
    struct reading reading = {.words = words};
    reading.quotes_as_gnu = (words->kind == LINKER_GNU && !(is_windows && is_lld_gnu)) ||
                            (words->kind == LINKER_UNKNOWN && !is_windows);
    bool reads_variables = words->kind == LINKER_LINK;
    for (size_t i = first; i < command->count; i++) {
        const char *word = command->items[i];
        if (strcmp(word, "--rsp-quoting=posix") == 0 || strcmp(word, "--rsp-quoting=windows") == 0)
            reading.quotes_as_gnu = word[14] == 'p';
        if (text_same_word(word, "/lldignoreenv") || text_same_word(word, "-lldignoreenv"))
            reads_variables = false;
    }
    bool done = (!reads_variables || !is_lld || read_variable(&reading, "_LINK_")) &&
                (!reads_variables || read_variable(&reading, "LINK")) &&
                read_words(&reading, command->items + first, command->count - first, 0) &&
                (!reads_variables || is_lld || read_variable(&reading, "_LINK_"));
    *is_endless = reading.is_endless;
    return done;
}
