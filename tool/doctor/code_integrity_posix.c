/* code_integrity_posix.c - code_integrity.h where there is no Windows.
 * Takes nothing.  Gives: that.  Must not: guess. */
#include "doctor/code_integrity.h"

enum code_integrity code_integrity_here(void)
{
    return INTEGRITY_ELSEWHERE;
}
