/* faults.h - what happens when the processor stops the driver. */
#ifndef LOADER_FAULTS_H
#define LOADER_FAULTS_H

#define LONGEST_LOAD_SECONDS 20u

/* From now on a fault inside the image's range ends the load, with the place; a fault elsewhere is the
 * driver's own, which its handlers get; and the traps of traps.h do what they are for. */
void faults_begin(void);

#endif
