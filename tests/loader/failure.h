/* failure.h - the end of a load: the first thing that is wrong, said with its place. */
#ifndef LOADER_FAILURE_H
#define LOADER_FAILURE_H

#include "image.h"
#include "text.h"

/* What went wrong; empty while nothing has. */
extern struct text failure;

/* Parts of the sentence. An address in the image is given as its RVA and section. */
void failure_add(const char *words);
void failure_add_place(uintptr_t address);
void failure_add_rva(uint32_t rva);

/* Leaves the load; also from inside the driver and from a signal handler. */
_Noreturn void give_up(void);
_Noreturn void give_up_saying(const char *words);

/* Calls a function that may give up; whether it came to its end. One may be inside another. */
bool comes_to_end(void (*function)(void));

#endif
