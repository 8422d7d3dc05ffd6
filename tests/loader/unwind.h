/* unwind.h - from a function's state to that of its caller, by the unwind data of an x64 image. */
#ifndef LOADER_UNWIND_H
#define LOADER_UNWIND_H

#include "machine.h"

#if IS_64
#define UNWIND_HANDLES_EXCEPTIONS 1u
#define UNWIND_HANDLES_UNWINDING 2u

struct unwind_frame {
    const uint8_t *function; /* the entry in the table of functions; NULL for a leaf */
    uintptr_t establisher;
    unsigned handles;  /* UNWIND_HANDLES_..., 0 in a prologue or epilogue */
    uintptr_t handler; /* its address, if `handles` */
    const uint8_t *handler_data;
};

/* Makes the context that of the caller. False when the data leave the image or the stack, or are of an
 * unknown kind. */
bool unwind(struct context *context, struct unwind_frame *frame);
#endif

/* The stack that drivers run on ends here. */
extern uintptr_t stack_end;

#endif
