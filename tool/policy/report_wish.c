/* report_wish.c - report_wish.h.
 * Takes: words.  Gives: values.  Must not: open files. */
#include "policy/report_wish.h"

#include "base/path_name.h"
#include "base/text.h"

#include <string.h>

/* The words of --format and of the ends of paths. */
static const struct {
    const char *name;                  /* "sarif" */
    const char *suffix, *other_suffix; /* ".sarif"; the other may be NULL */
} format_names[REPORT_FORMAT_COUNT] = {
    [REPORT_TEXT] = {"text", ".txt", NULL},
    [REPORT_JSON] = {"json", ".json", NULL},
    [REPORT_SARIF] = {"sarif", ".sarif", ".sarif.json"},
    [REPORT_HTML] = {"html", ".html", ".htm"},
};

enum report_format report_format_named(const char *name)
{
    size_t format = 0;
    while (format < REPORT_FORMAT_COUNT && strcmp(format_names[format].name, name) != 0)
        format++;
    return (enum report_format)format;
}

static bool ends_with(const char *path, size_t path_nbytes, const char *suffix)
{
    size_t nbytes = suffix ? strlen(suffix) : 0;
    if (nbytes == 0 || path_nbytes <= nbytes)
        return false;
    for (size_t i = 0; i < nbytes; i++)
        if (text_lower(path[path_nbytes - nbytes + i]) != suffix[i])
            return false;
    return true;
}

enum report_format report_format_of_path(const char *path, bool *is_gzip)
{
    size_t nbytes = strlen(path), longest = 0;
    enum report_format format = REPORT_FORMAT_COUNT;
    *is_gzip = ends_with(path, nbytes, REPORT_GZIP_SUFFIX);
    if (*is_gzip)
        nbytes -= strlen(REPORT_GZIP_SUFFIX);
    for (size_t i = 0; i < REPORT_FORMAT_COUNT; i++) {
        const char *const suffixes[] = {format_names[i].suffix, format_names[i].other_suffix};
        for (size_t k = 0; k < 2; k++)
            if (ends_with(path, nbytes, suffixes[k]) && strlen(suffixes[k]) > longest) {
                longest = strlen(suffixes[k]); /* .sarif.json is no .json */
                format = (enum report_format)i;
            }
    }
    return format;
}

bool report_profile_named(const char *name, enum sarif_profile *profile)
{
    bool is_github = text_same_word(name, "github");
    *profile = is_github ? SARIF_GITHUB : SARIF_SPEC;
    return is_github || text_same_word(name, "spec");
}

/* Is a part of the path ".."? */
static bool leads_up(const char *path, size_t nbytes)
{
    for (size_t i = 0; i + 1 < nbytes; i++) {
        bool begins_part = i == 0 || path_is_separator(path[i - 1]);
        bool ends_part = i + 2 == nbytes || path_is_separator(path[i + 2]);
        if (begins_part && ends_part && path[i] == '.' && path[i + 1] == '.')
            return true;
    }
    return false;
}

bool report_anchor_parse(const char *word, size_t *file_nbytes, uint32_t *line)
{
    enum { MOST_DIGITS = 7 };
    const char *colon = strrchr(word, ':');
    size_t digits = colon ? strspn(colon + 1, "0123456789") : 0;
    if (!colon || colon == word || digits == 0 || digits > MOST_DIGITS || colon[1 + digits] != 0)
        return false;
    *line = 0;
    for (size_t i = 1; i <= digits; i++)
        *line = *line * 10 + (uint32_t)(colon[i] - '0');
    *file_nbytes = (size_t)(colon - word);
    bool is_absolute = path_is_separator(word[0]) || memchr(word, ':', *file_nbytes) != NULL;
    return *line != 0 && !is_absolute && !leads_up(word, *file_nbytes);
}
