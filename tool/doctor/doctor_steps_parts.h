/* doctor_steps_parts.h - what the steps of the doctor's page share (doctor_steps.c), those that sign
 * (doctor_steps_sign.c), and those about the test machine (doctor_steps_machine.c).
 * Takes: struct doctor.  Gives: steps.  Must not: print. */
#ifndef HVCIFIX_DOCTOR_DOCTOR_STEPS_PARTS_H
#define HVCIFIX_DOCTOR_DOCTOR_STEPS_PARTS_H

#include "doctor/doctor_steps.h"

struct step_maker {
    struct doctor *doctor;
    enum shell here;
    struct doctor_steps *steps;
    const char *repaired; /* the path of what is signed: the driver in place, or the new package */
    const struct doctor_image *driver; /* that the test is about */
    size_t repaired_count;
};

struct doctor_step *doctor_step_begin(struct step_maker *maker, const char *title, const char *about);

/* Adds a command; each "@" in it stands for the next word, quoted for the shell where it is run. One that the
 * shell would not take is told in words instead. */
void doctor_step_command(struct step_maker *maker, struct doctor_step *step, enum doctor_where where,
                         const char *format, ...);

/* The new catalog, where an INF names one; the signature. */
void doctor_step_catalog(struct step_maker *maker);
void doctor_step_sign(struct step_maker *maker);

/* Test-signing mode; memory integrity; the test; Microsoft's signature; the way back. */
void doctor_step_trust(struct step_maker *maker);
void doctor_step_integrity(struct step_maker *maker);
void doctor_step_load(struct step_maker *maker);
void doctor_step_release(struct step_maker *maker);
void doctor_step_go_back(struct step_maker *maker);

#endif
