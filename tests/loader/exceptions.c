/* exceptions.c - what both machines do alike with an exception.
 * Takes: exceptions and contexts.  Gives: the way on.  Must not: know how a machine finds its handlers. */
#include "exceptions.h"

#include "failure.h"
#include "foreign.h"
#include "traps.h"

_Noreturn void exception_resume(const struct context *context)
{
    __asm__ volatile("jmp trap_resume" : : "c"(context) : "memory");
    __builtin_unreachable();
}

_Noreturn void exception_unhandled(const struct exception *exception)
{
    foreign_end_call("exception", exception->code);
    failure_add("exception ");
    text_add_hex(&failure, exception->code);
    failure_add(" at ");
    failure_add_place(exception->address);
    give_up_saying(" finds no handler");
}
