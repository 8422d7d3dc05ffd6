/* exceptions.h - a fault of the driver, handed to the driver's own handlers as Windows does. */
#ifndef LOADER_EXCEPTIONS_H
#define LOADER_EXCEPTIONS_H

#include "machine.h"

/* Finds the handler that takes the exception, unwinds to it, and goes on there. Gives up when nobody takes
 * it. Runs on the driver's stack, below the frame of the fault. */
_Noreturn void exception_dispatch(struct exception *exception, struct context *context);

/* Makes a copy of a context the state of the processor. */
_Noreturn void exception_resume(const struct context *context);

/* Gives up: nobody took the exception. */
_Noreturn void exception_unhandled(const struct exception *exception);

/* The handler that compilers use, which the kernel exports. */
#if IS_64
#define EXCEPTION_HANDLER_NAME "__C_specific_handler"
struct dispatcher;
STDCALL int exception_handler(struct exception *exception, uintptr_t establisher, struct context *context,
                              struct dispatcher *dispatcher);
#else
#define EXCEPTION_HANDLER_NAME "_except_handler3"
struct registration;
CDECLARED int exception_handler(struct exception *exception, struct registration *registration,
                                struct context *context, void *dispatcher);

/* The first registration of the thread's list of handlers; EXCEPTION_LIST_END ends it. */
extern uintptr_t thread_block[1024];
#define EXCEPTION_LIST_END 0xffffffffu
#endif

enum disposition { CONTINUE_EXECUTION, CONTINUE_SEARCH };

#endif
