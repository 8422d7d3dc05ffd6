/* doctor_steps.h - what the owner of a driver does next, in order.
 * Takes: what was examined.  Gives: steps with commands.  Must not: tell anybody to switch memory integrity
 * on for a driver that was not shown to bear it, or for a machine that has none. */
#ifndef HVCIFIX_DOCTOR_DOCTOR_STEPS_H
#define HVCIFIX_DOCTOR_DOCTOR_STEPS_H

#include "doctor/doctor.h"
#include "doctor/shell_words.h"

enum doctor_where { DOCTOR_HERE, DOCTOR_ON_WINDOWS, DOCTOR_ON_WINDOWS_ADMIN };

struct doctor_command {
    enum doctor_where where;
    const char *words;
};

struct doctor_step {
    const char *title;
    const char *about; /* sentences, or NULL */
    struct doctor_command commands[6];
    size_t command_count;
    const char *after; /* sentences behind the commands, or NULL */
};

enum { DOCTOR_MOST_STEPS = 12 };

struct doctor_steps {
    struct doctor_step items[DOCTOR_MOST_STEPS];
    size_t count;
};

/* `here`: the shell of the machine that this runs on. Without memory doctor->arena.exhausted is set. */
void doctor_steps_make(struct doctor *doctor, enum shell here, struct doctor_steps *steps);

#endif
