/* inf_driver_ver.c - another DriverVer in an INF file, and nothing else.
 * Takes: an INF that was read.  Gives: new bytes.  Must not: choose between two entries, or write the rest
 * anew. */
#include "package/inf.h"

#include "base/text.h"

/* Digits up to `most_count` of them; their value, or -1 for none. */
static int number(const char **at, unsigned most_count)
{
    int value = -1;
    for (unsigned i = 0; i < most_count && **at >= '0' && **at <= '9'; i++, (*at)++)
        value = (value < 0 ? 0 : value) * 10 + (**at - '0');
    return value;
}

static bool is_date(const char **at)
{
    int month = number(at, 2);
    if (*(*at)++ != '/')
        return false;
    int day = number(at, 2);
    if (*(*at)++ != '/')
        return false;
    int year = number(at, 4);
    static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1] &&
           (month != 2 || day < 29 || is_leap) && year >= 1980 && year <= 9999;
}

bool inf_is_driver_ver(const char *text)
{
    if (strlen(text) > 64 || !is_date(&text) || *text++ != ',')
        return false;
    for (unsigned part = 1;; part++) {
        int value = number(&text, 5);
        if (value < 0 || value > 65535)
            return false;
        if (*text == 0)
            return true;
        if (*text++ != '.' || part == 4)
            return false;
    }
}

/* The one entry of that name in the whole file, which is in [Version]. */
static const struct inf_entry *find_entry(const struct inf *inf, const char **problem)
{
    const struct inf_entry *found = NULL;
    *problem = "It has no DriverVer in [Version].";
    for (size_t i = 0; i < inf->entry_count; i++) {
        const struct inf_entry *entry = &inf->entries[i];
        if (!entry->key || !text_same_word(entry->key, "DriverVer"))
            continue;
        if (found || !text_same_word(entry->section, "Version")) {
            *problem = "It has DriverVer in more places than [Version], so it is not known which is meant.";
            return NULL;
        }
        found = entry;
    }
    return found;
}

bool inf_set_driver_ver(const struct inf *inf, const char *driver_ver, struct arena *arena,
                        struct span *bytes, const char **problem)
{
    const struct inf_entry *entry = find_entry(inf, problem);
    if (!entry)
        return false;
    if (entry->value_count == 0 || entry->value_count > 2 || !entry->values[0].is_literal ||
        !entry->values[entry->value_count - 1].is_literal) {
        *problem = "Its DriverVer is not written as one plain date and version, so it is not changed here.";
        return false;
    }
    size_t width = inf->width_nbytes, count = strlen(driver_ver);
    size_t first = inf->mark_nbytes + entry->values[0].first * width;
    size_t end = inf->mark_nbytes + entry->values[entry->value_count - 1].end * width;
    size_t nbytes = first + count * width + (inf->bytes.nbytes - end);
    uint8_t *copy = arena_alloc(arena, nbytes);
    *problem = NULL;
    if (!copy)
        return false;
    memcpy(copy, inf->bytes.bytes, first);
    for (size_t i = 0; i < count; i++)
        copy[first + i * width + (inf->is_big_endian ? width - 1 : 0)] = (uint8_t)driver_ver[i];
    memcpy(copy + first + count * width, inf->bytes.bytes + end, inf->bytes.nbytes - end);
    *bytes = (struct span){copy, nbytes};
    return true;
}
