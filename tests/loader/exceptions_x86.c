/* exceptions_x86.c - exceptions by the list of registrations that fs:[0] begins.
 * Takes: an exception in the loaded image.  Gives: what RtlDispatchException, RtlUnwind and _except_handler3
 * do. Must not: call a handler that the image has not registered. */
#include "exceptions.h"

#if !IS_64
#include "failure.h"
#include "guard.h"

#define REGISTRATION_LIMIT 1000
#define NO_LEVEL 0xffffffffu

/* What a function puts on its stack: the pointers for its filters stand before it, the rest of its frame
 * behind it. */
struct registration {
    struct registration *next;
    uintptr_t handler;
    const uint8_t *scopes;
    uint32_t level;
};

struct scope {
    uint32_t enclosing;
    uintptr_t filter, handler;
};

typedef CDECLARED int handler(struct exception *, struct registration *, struct context *, void *);

uintptr_t thread_block[1024];

static struct registration *first(void)
{
    return (struct registration *)thread_block[0];
}

static bool is_end(const struct registration *registration)
{
    return (uintptr_t)registration == EXCEPTION_LIST_END;
}

static int call_handler(struct exception *exception, struct registration *registration,
                        struct context *context)
{
    void *dispatcher = NULL;

    if (!guard_knows_handler(registration->handler)) {
        failure_add("a handler is not in the table of handlers: ");
        failure_add_place(registration->handler);
        give_up();
    }
    return ((handler *)registration->handler)(exception, registration, context, &dispatcher);
}

_Noreturn void exception_dispatch(struct exception *exception, struct context *context)
{
    struct registration *registration = first();

    for (int i = 0; i < REGISTRATION_LIMIT && !is_end(registration); i++, registration = registration->next) {
        if (call_handler(exception, registration, context) == CONTINUE_EXECUTION)
            exception_resume(context);
    }
    exception_unhandled(exception);
}

/* Lets all functions inside that of `target` clean up, and takes their registrations off the list. */
static void unwind_to(const struct registration *target, struct exception *exception, struct context *context)
{
    exception->flags |= EXCEPTION_UNWINDING;
    while (first() != target && !is_end(first())) {
        call_handler(exception, first(), context);
        thread_block[0] = (uintptr_t)first()->next;
    }
    if (first() != target)
        give_up_saying("unwinding passes the frame that it is to reach");
}

static struct scope scope_at(const struct registration *registration, uint32_t level)
{
    const uint8_t *at = registration->scopes + 12 * (size_t)level;

    return (struct scope){get32(at), get32(at + 4), get32(at + 8)};
}

static uintptr_t frame_of(const struct registration *registration)
{
    return (uintptr_t)(registration + 1);
}

/* Calls a filter or a __finally, which work in the frame of their function. */
static int call_in_frame(uintptr_t function, const struct registration *registration)
{
    int answer = (int)function;

    __asm__ volatile("push %%ebp\n\t"
                     "movl %%ecx, %%ebp\n\t"
                     "call *%%eax\n\t"
                     "pop %%ebp"
                     : "+a"(answer)
                     : "c"(frame_of(registration))
                     : "ebx", "edx", "esi", "edi", "memory", "cc");
    return answer;
}

/* Runs the __finally blocks of the function itself, from its present scope out to `last`. */
static void leave_scopes(struct registration *registration, uint32_t last)
{
    while (registration->level != NO_LEVEL && registration->level != last) {
        const struct scope scope = scope_at(registration, registration->level);

        registration->level = scope.enclosing;
        if (scope.filter == 0)
            call_in_frame(scope.handler, registration);
    }
}

static _Noreturn void go_on_in(struct registration *registration, uint32_t level, struct exception *exception,
                               struct context *context)
{
    const struct scope scope = scope_at(registration, level);

    unwind_to(registration, exception, context);
    leave_scopes(registration, level);
    registration->level = scope.enclosing;
    context->ip = scope.handler;
    context->ebp = frame_of(registration);
    context->esp = ((const uintptr_t *)registration)[-2];
    context->eax = exception->code;
    exception_resume(context);
}

CDECLARED int exception_handler(struct exception *exception, struct registration *registration,
                                struct context *context, void *dispatcher)
{
    struct exception_pointers pointers = {exception, context};
    uint32_t level = registration->level;

    (void)dispatcher;
    if (exception->flags & EXCEPTION_UNWINDING) {
        leave_scopes(registration, NO_LEVEL);
        return CONTINUE_SEARCH;
    }
    ((uintptr_t *)registration)[-1] = (uintptr_t)&pointers;
    while (level != NO_LEVEL) {
        const struct scope scope = scope_at(registration, level);
        const int answer = scope.filter == 0 ? 0 : call_in_frame(scope.filter, registration);

        if (answer < 0)
            return CONTINUE_EXECUTION;
        if (answer > 0)
            go_on_in(registration, level, exception, context);
        level = scope.enclosing;
    }
    return CONTINUE_SEARCH;
}
#endif
