/* drive.h - what is done with a loaded driver: started, asked, stopped. */
#ifndef LOADER_DRIVE_H
#define LOADER_DRIVE_H

#include "text.h"

enum way {
    WAY_ENTRY,    /* started as a service: DriverEntry alone */
    WAY_BOTH,     /* loaded for another driver, then started: DllInitialize, then DriverEntry */
    WAY_IMPORTED, /* only loaded for another driver: DllInitialize, where there is one, and what is exported
                   */
    WAY_COUNT
};

/* Can the loaded image be used in this way? */
bool drive_is_possible(enum way way);

/* Does it, and writes down what the driver answers. Gives up when something is wrong. */
void drive(enum way way, struct text *log);

#endif
