/* exceptions_x64.c - exceptions by unwind data and scope tables.
 * Takes: an exception in the loaded image.  Gives: what RtlDispatchException, RtlUnwindEx and
 * __C_specific_handler do. Must not: pass frames that are not the driver's. */
#include "exceptions.h"

#if IS_64
#include "failure.h"
#include "load.h"
#include "unwind.h"

#define FRAME_LIMIT 1000

struct dispatcher {
    uintptr_t control_pc, image_base;
    const uint8_t *function;
    uintptr_t establisher, target_ip;
    struct context *context;
    uintptr_t handler;
    const uint8_t *handler_data;
    void *history;
    uint32_t scope_index, fill;
};

typedef STDCALL int handler(struct exception *, uintptr_t, struct context *, struct dispatcher *);
typedef STDCALL int filter(struct exception_pointers *, uintptr_t);
typedef STDCALL void finally(uint8_t is_abnormal, uintptr_t);

/* Makes `context` that of the caller, and says who handles the function that it was in. */
static bool next_frame(struct context *context, struct unwind_frame *frame, struct dispatcher *dispatcher)
{
    if (!is_in_image(context->ip))
        return false;
    *dispatcher = (struct dispatcher){.control_pc = context->ip, .image_base = loaded.base};
    if (!unwind(context, frame)) {
        failure_add("no caller is found from ");
        failure_add_place(dispatcher->control_pc);
        give_up();
    }
    dispatcher->function = frame->function;
    dispatcher->establisher = frame->establisher;
    dispatcher->handler = frame->handler;
    dispatcher->handler_data = frame->handler_data;
    return true;
}

_Noreturn void exception_dispatch(struct exception *exception, struct context *context)
{
    struct context walked = *context;
    struct unwind_frame frame;
    struct dispatcher dispatcher;

    for (int frames = 0; frames < FRAME_LIMIT && next_frame(&walked, &frame, &dispatcher); frames++) {
        if (!(frame.handles & UNWIND_HANDLES_EXCEPTIONS))
            continue;
        dispatcher.context = &walked;
        if (((handler *)frame.handler)(exception, frame.establisher, context, &dispatcher) ==
            CONTINUE_EXECUTION)
            exception_resume(context);
    }
    exception_unhandled(exception);
}

/* Goes on at `target_ip` in the function whose frame is `target`, when all inner functions have cleaned up.
 */
static _Noreturn void unwind_to(uintptr_t target, uintptr_t target_ip, struct exception *exception,
                                const struct context *context)
{
    struct context walked = *context, here;
    struct unwind_frame frame;
    struct dispatcher dispatcher;

    exception->flags |= EXCEPTION_UNWINDING;
    for (int frames = 0; frames < FRAME_LIMIT; frames++) {
        here = walked;
        if (!next_frame(&walked, &frame, &dispatcher))
            break;
        if (frame.establisher == target)
            exception->flags |= EXCEPTION_TARGET_UNWIND;
        dispatcher.target_ip = target_ip;
        dispatcher.context = &here;
        if (frame.handles & UNWIND_HANDLES_UNWINDING)
            ((handler *)frame.handler)(exception, frame.establisher, &here, &dispatcher);
        if (frame.establisher == target) {
            here.ip = target_ip;
            here.registers[RAX] = exception->code;
            exception_resume(&here);
        }
    }
    give_up_saying("unwinding passes the frame that it is to reach");
}

struct scope {
    uint32_t begin, end, handler, target;
};

static struct scope scope_at(const uint8_t *table, uint32_t place)
{
    const uint8_t *at = table + 4 + 16 * (size_t)place;

    return (struct scope){get32(at), get32(at + 4), get32(at + 8), get32(at + 12)};
}

static int search(struct exception *exception, uintptr_t establisher, struct context *context,
                  const struct dispatcher *dispatcher, struct scope scope)
{
    struct exception_pointers pointers = {exception, context};
    int answer = 1;

    if (scope.handler != 1)
        answer = ((filter *)(loaded.base + scope.handler))(&pointers, establisher);
    if (answer > 0)
        unwind_to(dispatcher->establisher, loaded.base + scope.target, exception, context);
    return answer;
}

STDCALL int exception_handler(struct exception *exception, uintptr_t establisher, struct context *context,
                              struct dispatcher *dispatcher)
{
    const uint8_t *table = dispatcher->handler_data;
    const uint32_t rva = (uint32_t)(dispatcher->control_pc - dispatcher->image_base);
    const uint32_t target_rva = (uint32_t)(dispatcher->target_ip - dispatcher->image_base);

    for (uint32_t i = dispatcher->scope_index; i < get32(table); i++) {
        const struct scope scope = scope_at(table, i);

        if (rva < scope.begin || rva >= scope.end)
            continue;
        if (!(exception->flags & EXCEPTION_UNWINDING)) {
            if (scope.target != 0 && search(exception, establisher, context, dispatcher, scope) < 0)
                return CONTINUE_EXECUTION;
            continue;
        }
        if (scope.target != 0)
            continue;
        if ((exception->flags & EXCEPTION_TARGET_UNWIND) && target_rva >= scope.begin &&
            target_rva < scope.end)
            break;
        dispatcher->scope_index = i + 1;
        ((finally *)(loaded.base + scope.handler))(1, establisher);
    }
    return CONTINUE_SEARCH;
}
#endif
