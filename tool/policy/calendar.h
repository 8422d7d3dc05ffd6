/* calendar.h - days of the Gregorian calendar.
 * Takes: "2027-03-31".  Gives: a day number that can be compared and subtracted.  Must not: ask for today. */
#ifndef HVCIFIX_POLICY_CALENDAR_H
#define HVCIFIX_POLICY_CALENDAR_H

#include <stdbool.h>
#include <stdint.h>

/* Days since 1970-01-01; negative before it. */
typedef int32_t day_number;
#define NO_DAY INT32_MIN

/* Exactly YYYY-MM-DD, a day that exists, years 1970 to 9999. False, with *day untouched, for anything else.
 */
bool calendar_parse(const char *word, day_number *day);

/* Writes "YYYY-MM-DD". Takes days of the years 1970 to 9999. */
enum { CALENDAR_DAY_NBYTES = 16 };
void calendar_name(day_number day, char name[CALENDAR_DAY_NBYTES]);

#endif
