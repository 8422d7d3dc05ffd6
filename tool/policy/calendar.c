/* calendar.c - calendar.h by counting days of whole years.
 * Takes: texts and day numbers.  Gives: the other form.  Must not: know time zones. */
#include "policy/calendar.h"

#include <stdio.h>
#include <string.h>

enum { FIRST_YEAR = 1970, LAST_YEAR = 9999, MONTH_COUNT = 12 };

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* month: 0 to 11. */
static int days_in_month(int year, int month)
{
    static const int days[MONTH_COUNT] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month] + (month == 1 && is_leap(year));
}

/* Days from 1970-01-01 to January 1st of the year. */
static day_number days_before_year(int year)
{
    int whole = year - 1, base = FIRST_YEAR - 1;
    int leap_days = (whole / 4 - whole / 100 + whole / 400) - (base / 4 - base / 100 + base / 400);
    return (day_number)((year - FIRST_YEAR) * 365 + leap_days);
}

static int number(const char *digits, int count)
{
    int value = 0;
    for (int i = 0; i < count; i++)
        value = value * 10 + (digits[i] - '0');
    return value;
}

static bool has_shape(const char *word)
{
    static const char shape[] = "0000-00-00";
    if (strlen(word) != sizeof shape - 1)
        return false;
    for (int i = 0; shape[i]; i++)
        if (shape[i] == '-' ? word[i] != '-' : word[i] < '0' || word[i] > '9')
            return false;
    return true;
}

bool calendar_parse(const char *word, day_number *day)
{
    if (!has_shape(word))
        return false;
    int year = number(word, 4), month = number(word + 5, 2) - 1, day_of_month = number(word + 8, 2);
    if (year < FIRST_YEAR || month < 0 || month >= MONTH_COUNT || day_of_month < 1 ||
        day_of_month > days_in_month(year, month))
        return false;
    *day = days_before_year(year) + day_of_month - 1;
    for (int i = 0; i < month; i++)
        *day += days_in_month(year, i);
    return true;
}

void calendar_name(day_number day, char name[CALENDAR_DAY_NBYTES])
{
    int year = FIRST_YEAR, month = 0;
    while (year < LAST_YEAR && days_before_year(year + 1) <= day)
        year++;
    day -= days_before_year(year);
    while (month < MONTH_COUNT - 1 && day >= days_in_month(year, month))
        day -= days_in_month(year, month++);
    snprintf(name, CALENDAR_DAY_NBYTES, "%04d-%02d-%02d", year % 10000, month + 1, (int)(day % 100) + 1);
}
