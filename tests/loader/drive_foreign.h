/* drive_foreign.h - what is done with a driver that nobody here knows. */
#ifndef LOADER_DRIVE_FOREIGN_H
#define LOADER_DRIVE_FOREIGN_H

#include "objects.h"
#include "text.h"

/* Behind the entry point: adds a device, sends a request of every kind, unloads, as far as the driver goes
 * along. */
void drive_foreign(struct driver_object *started, struct text *log);

#endif
