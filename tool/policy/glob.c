/* glob.c - glob.h: all the places of the pattern that the name may have reached, character by character.
 * Takes: pattern and name.  Gives: yes or no.  Must not: go back in the name; names inside packages are long
 * and anybody's. */
#include "policy/glob.h"

#include "base/text.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { LONGEST_PATTERN_NBYTES = 255 }; /* a line of a policy is shorter */

struct places {
    size_t count;
    size_t at[LONGEST_PATTERN_NBYTES + 1];
};

struct matcher {
    const char *pattern;
    uint32_t step;                             /* one more for each character of the name */
    uint32_t seen[LONGEST_PATTERN_NBYTES + 1]; /* for each place: the last step in which it was reached */
};

enum starts { AT_BEGIN, BEHIND_CONTAINERS, BEHIND_NAMES };

static char plain(char c)
{
    if (c == '\\')
        return '/';
    return text_lower(c);
}

/* Bytes of the character of UTF-8 that begins here. */
static size_t character_nbytes(const char *at)
{
    size_t nbytes = 1;
    while (((unsigned char)at[nbytes] & 0xC0) == 0x80)
        nbytes++;
    return nbytes;
}

static size_t star_nbytes(const char *pattern)
{
    return pattern[0] != '*' ? 0 : pattern[1] == '*' ? 2 : 1;
}

/* The place is reached, and what follows if it is a star, which may stand for nothing. */
static void reach(struct matcher *matcher, struct places *places, size_t place)
{
    size_t nbytes = 1;
    while (nbytes != 0 && matcher->seen[place] != matcher->step) {
        matcher->seen[place] = matcher->step;
        places->at[places->count++] = place;
        nbytes = star_nbytes(matcher->pattern + place);
        place += nbytes;
    }
}

static bool is_same(const char *pattern, const char *name, size_t nbytes)
{
    for (size_t i = 0; i < nbytes; i++)
        if (plain(pattern[i]) != plain(name[i]))
            return false;
    return true;
}

/* What is reached from a place by one character. */
static void advance(struct matcher *matcher, size_t place, const char *name, size_t nbytes,
                    struct places *next)
{
    const char *pattern = matcher->pattern + place;
    bool is_separator = plain(*name) == '/';
    size_t star = star_nbytes(pattern);
    if (star != 0 && (star == 2 || !is_separator))
        reach(matcher, next, place);
    else if (star == 0 && *pattern == '?' && !is_separator)
        reach(matcher, next, place + 1);
    else if (star == 0 && *pattern != '?' && is_same(pattern, name, nbytes))
        reach(matcher, next, place + nbytes);
}

static bool match(const char *pattern, const char *name, enum starts starts)
{
    size_t pattern_nbytes = strlen(pattern);
    struct matcher matcher = {.pattern = pattern, .step = 1};
    struct places places[2];
    if (pattern_nbytes > LONGEST_PATTERN_NBYTES)
        return false;
    places[0].count = 0;
    reach(&matcher, &places[0], 0);
    for (unsigned turn = 0; *name; turn ^= 1) {
        struct places *next = &places[turn ^ 1];
        size_t nbytes = character_nbytes(name);
        next->count = 0;
        matcher.step++;
        for (size_t i = 0; i < places[turn].count; i++)
            advance(&matcher, places[turn].at[i], name, nbytes, next);
        if ((starts != AT_BEGIN && *name == '!') || (starts == BEHIND_NAMES && plain(*name) == '/'))
            reach(&matcher, next, 0);
        name += nbytes;
    }
    return matcher.seen[pattern_nbytes] == matcher.step;
}

bool glob_match(const char *pattern, const char *name)
{
    return match(pattern, name, AT_BEGIN);
}

bool glob_match_path(const char *pattern, const char *path)
{
    bool is_name = true;
    while (pattern[0] == '.' && plain(pattern[1]) == '/')
        pattern += 2; /* from here, as any path is */
    for (const char *at = pattern; *at; at++)
        is_name = is_name && plain(*at) != '/' && *at != '!';
    const char *last = path;
    for (const char *at = path; *at; at++)
        if (plain(*at) == '/')
            last = at + 1;
    return is_name ? match(pattern, last, BEHIND_CONTAINERS) : match(pattern, path, BEHIND_NAMES);
}
