/* trouble.h - why the system would not do something with a file.
 * Takes: what was being done, and the system's reason.  Gives: a finding with its cure, in the same words on
 * every system for the reasons that users meet.  Must not: ask the system anything. */
#ifndef HVCIFIX_IO_TROUBLE_H
#define HVCIFIX_IO_TROUBLE_H

#include "base/finding.h"

enum trouble {
    TROUBLE_MISSING,   /* no file or folder of this name */
    TROUBLE_DENIED,    /* this user may not */
    TROUBLE_PROTECTED, /* nobody may: the disk is read-only */
    TROUBLE_NAME,      /* the name is too long, or not one that the system allows */
    TROUBLE_HELD,      /* another program has the file */
    TROUBLE_FULL,      /* no space on the disk, or none for this user */
    TROUBLE_MEMORY,
    TROUBLE_OTHER
};

/* "DOING "PATH" failed: REASON." The last two are the system's own words, without a full stop, and number of
 * its reason; only TROUBLE_OTHER uses them. */
struct finding trouble_finding(struct arena *arena, enum finding_code code, const char *doing,
                               const char *path, enum trouble trouble, const char *system_words,
                               unsigned long system_code);

/* The target of a repair is not what was read. */
struct finding trouble_changed_finding(struct arena *arena, const char *path);

#endif
