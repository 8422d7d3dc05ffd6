/* code_integrity.h - is memory integrity on, on this machine?
 * Takes nothing.  Gives: what the system says.  Must not: guess.
 * code_integrity_posix.c and code_integrity_windows.c implement it. */
#ifndef HVCIFIX_DOCTOR_CODE_INTEGRITY_H
#define HVCIFIX_DOCTOR_CODE_INTEGRITY_H

enum code_integrity {
    INTEGRITY_ELSEWHERE, /* this is no Windows */
    INTEGRITY_NOT_TOLD,  /* Windows does not say */
    INTEGRITY_OFF,
    INTEGRITY_ON
};

enum code_integrity code_integrity_here(void);

#endif
