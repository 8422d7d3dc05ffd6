/* version.h - the version of this program, in its only place: the Makefile, the resource of the Windows
 * program and the packages read it here. Takes nothing.  Gives: the version as text, and as the four numbers
 * that Windows wants. Must not: include anything; a resource compiler reads it too. */
#ifndef HVCIFIX_VERSION_H
#define HVCIFIX_VERSION_H

#define HVCIFIX_VERSION "0.1.0"
#define HVCIFIX_RELEASED "2026-11-22" /* what manual pages say */
#define HVCIFIX_VERSION_NUMBERS 0, 1, 0, 0

#endif
