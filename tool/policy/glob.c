/* glob.c - glob.h with two places to come back to: the last `*` and the last `**`.
 * Takes: pattern and name.  Gives: yes or no.  Must not: recurse; a pattern comes from a file. */
#include "policy/glob.h"

#include <stddef.h>

static char plain(char c)
{
    if (c == '\\')
        return '/';
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Behind the character of UTF-8 that begins here. */
static const char *next_character(const char *at)
{
    at++;
    while (((unsigned char)*at & 0xC0) == 0x80)
        at++;
    return at;
}

/* Where matching goes on when it has failed: the pattern behind the star, the name from `name` on. */
struct star {
    const char *pattern, *name;
};

/* A `*` that takes in one more character; false when it cannot. */
static bool take_in(struct star *star, bool over_separators)
{
    if (!star->pattern || *star->name == 0 || (!over_separators && plain(*star->name) == '/'))
        return false;
    star->name = next_character(star->name);
    return true;
}

bool glob_match(const char *pattern, const char *name)
{
    struct star within = {NULL, NULL}, across = {NULL, NULL};
    for (;;) {
        if (pattern[0] == '*') {
            bool is_double = pattern[1] == '*';
            pattern += is_double ? 2 : 1;
            if (is_double) {
                across = (struct star){pattern, name};
                within = (struct star){NULL, NULL};
            } else {
                within = (struct star){pattern, name};
            }
        } else if (*pattern == 0 && *name == 0) {
            return true;
        } else if (*pattern == '?' && *name != 0 && plain(*name) != '/') {
            pattern++;
            name = next_character(name);
        } else if (*pattern != 0 && *pattern != '?' && plain(*pattern) == plain(*name)) {
            pattern++;
            name++;
        } else if (take_in(&within, false)) {
            pattern = within.pattern;
            name = within.name;
        } else if (take_in(&across, true)) {
            pattern = across.pattern;
            name = across.name;
            within = (struct star){NULL, NULL};
        } else {
            return false;
        }
    }
}

bool glob_match_path(const char *pattern, const char *path)
{
    bool is_name = true;
    for (const char *at = pattern; *at; at++)
        is_name = is_name && plain(*at) != '/';
    const char *last = path;
    for (const char *at = path; *at; at++)
        if (plain(*at) == '/')
            last = at + 1;
    if (is_name)
        return glob_match(pattern, last);
    if (glob_match(pattern, path))
        return true;
    for (const char *at = path; *at; at++)
        if (plain(*at) == '/' && glob_match(pattern, at + 1))
            return true;
    return false;
}
