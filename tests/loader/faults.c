/* faults.c - what happens when the processor stops the driver.
 * Takes: signals.  Gives: the end of the load, an exception for the driver, or what a trap asks for.
 * Must not: let a store into read-only memory, or the use of what is gone, pass as the driver's own fault. */
#include "faults.h"

#include "bind.h"
#include "exceptions.h"
#include "failure.h"
#include "foreign.h"
#include "guard.h"
#include "kernel.h"
#include "load.h"
#include "step.h"
#include "system.h"
#include "traps.h"
#include "unwind.h"

#define DIRECTION_FLAG 0x400u
#define STACK_ROOM 0x400u

__asm__(".globl trap_guard_check, trap_guard_dispatch, trap_raise_status, trap_resume, trap_returned\n"
        "trap_guard_check: ud2\n"
        "trap_guard_dispatch: ud2\n"
        "trap_raise_status: ud2\n"
        "trap_resume: ud2\n"
        "trap_returned: ud2");

extern const char __executable_start[], etext[]; /* of the loader itself; the linker's names */
uintptr_t stack_end;

static uintptr_t real_return_address, last_step_ip;

struct fault { /* what an exception needs, on the driver's stack */
    struct context context;
    struct exception exception;
};

static bool is_own_code(uintptr_t address)
{
    return address >= (uintptr_t)__executable_start && address < (uintptr_t)etext;
}

static uintptr_t top_of_stack(const struct context *context)
{
    const uintptr_t sp = CONTEXT_SP(context);

    if (sp < stack_end && sp > stack_end - 0x700000)
        return get_pointer((const void *)sp);
    failure_add("the stack pointer leads elsewhere at ");
    failure_add_place(context->ip);
    give_up();
}

static bool is_trap(uintptr_t address)
{
    return address >= (uintptr_t)trap_guard_check && address <= (uintptr_t)trap_returned;
}

static void return_to_caller(struct context *context)
{
    context->ip = top_of_stack(context);
    CONTEXT_SP(context) += sizeof(uintptr_t);
}

/* Makes the driver's next instruction the first of exception_dispatch. */
static void hand_over(struct context *context, uint32_t code, uintptr_t address)
{
    top_of_stack(context); /* there is a stack */
    struct fault *fault =
        (struct fault *)((CONTEXT_SP(context) - STACK_ROOM - sizeof(*fault)) & ~(uintptr_t)63);
    fault->context = *context;
    fault->exception = (struct exception){.code = code, .address = context->ip};
    if (code == STATUS_ACCESS_VIOLATION) {
        fault->exception.parameter_count = 2;
        fault->exception.parameters[1] = address;
    }
    uintptr_t *stack = (uintptr_t *)fault - 8;
#if IS_64
    context->registers[RDI] = (uintptr_t)&fault->exception;
    context->registers[RSI] = (uintptr_t)&fault->context;
    context->registers[RSP] = (uintptr_t)(stack - 1);
#else
    stack[1] = (uintptr_t)&fault->exception;
    stack[2] = (uintptr_t)&fault->context;
    context->esp = (uintptr_t)stack;
#endif
    context->flags &= ~(PROCESSOR_STEPS | DIRECTION_FLAG);
    context->ip = (uintptr_t)exception_dispatch;
}

static _Noreturn void violation(const char *what, uintptr_t address, uintptr_t ip)
{
    failure_add(what);
    failure_add_place(address);
    if (ip != address) {
        failure_add(", by code at ");
        failure_add_place(ip);
    }
    give_up();
}

/* A call of what this kernel does not have: a foreign driver gets an answer. */
static void call_unknown(struct context *context, const char *name)
{
    if (!foreign_is_on) {
        failure_add("the driver calls ");
        failure_add(name);
        give_up_saying(", which this kernel does not have");
    }
    text_add(kernel_log, "call unknown ");
    text_add(kernel_log, name);
    text_add(kernel_log, "\n");
    return_to_caller(context);
#if IS_64
    context->registers[RAX] = foreign_answer();
#else
    context->edx = 0;
    context->eax = foreign_answer();
    context->esp += foreign_stack_nbytes(name);
#endif
}

static void on_memory(const void *information, const void *state, struct context *context)
{
    const uintptr_t address = system_fault_address(information);
    const char *unknown_name = bind_unknown_name(context->ip);
    const bool is_page_fault = system_fault_trap(state) == TRAP_PAGE_FAULT;

    if (unknown_name) {
        call_unknown(context, unknown_name);
        return;
    }
    if (is_page_fault && is_in_image(address))
        violation(address == context->ip         ? "executes what is not executable: "
                  : system_fault_is_store(state) ? "writes to what is not writable: "
                                                 : "reads what is not there: ",
                  address, context->ip);
    if (!is_in_image(context->ip))
        foreign_end_call("fault outside the driver", 0);
    if (is_own_code(context->ip))
        violation("a function of the kernel was given a wrong address: ", address, context->ip);
    if (!is_in_image(context->ip))
        violation("goes to where no code is: ", context->ip, top_of_stack(context));
    hand_over(context, STATUS_ACCESS_VIOLATION, address);
}

static void on_trap(struct context *context)
{
    const uintptr_t ip = context->ip;

    if (ip == (uintptr_t)trap_guard_check) {
#if IS_64
        guard_judge_call(context->registers[RCX], top_of_stack(context));
#else
        guard_judge_call(context->ecx, top_of_stack(context));
#endif
        return_to_caller(context);
    } else if (ip == (uintptr_t)trap_guard_dispatch) {
#if IS_64
        guard_judge_call(context->registers[RAX], top_of_stack(context));
        context->ip = context->registers[RAX];
#endif
    } else if (ip == (uintptr_t)trap_raise_status) {
#if IS_64
        const uint32_t code = (uint32_t)context->registers[RCX];
#else
        const uint32_t code = get32((const void *)(context->esp + 4));
#endif
        return_to_caller(context);
        hand_over(context, code, 0);
    } else if (ip == (uintptr_t)trap_resume) {
#if IS_64
        *context = *(const struct context *)context->registers[RCX];
#else
        *context = *(const struct context *)context->ecx;
#endif
        context->flags &= ~PROCESSOR_STEPS;
        if (step_is_on())
            context->flags |= PROCESSOR_STEPS;
        step_resumed();
    } else if (ip == (uintptr_t)trap_returned) {
        context->ip = real_return_address;
        context->flags |= step_is_on() ? PROCESSOR_STEPS : 0;
    } else if (is_in_image(ip)) {
        hand_over(context, STATUS_ILLEGAL_INSTRUCTION, 0);
    } else {
        violation("executes what is no instruction: ", ip, ip);
    }
}

static void on_step(struct context *context)
{
    if (!step_is_on())
        violation("stops in the debugger: ", context->ip, context->ip);
    const bool goes_on = step_look(context);
    const bool is_called = step_is_inside() && is_in_image(last_step_ip) && is_own_code(context->ip) &&
                           !is_trap(context->ip) && is_in_image(top_of_stack(context));

    last_step_ip = context->ip;
    if (goes_on && is_called) {
        real_return_address = top_of_stack(context);
        put_pointer((void *)(uintptr_t)CONTEXT_SP(context), (uintptr_t)trap_returned);
    }
    if (!goes_on || is_called)
        context->flags &= ~PROCESSOR_STEPS;
}

static void on_signal(int number, void *information, void *state)
{
    struct context context;

    system_context(state, &context);
    switch (number) {
    case SIGNAL_TRAP:
        on_step(&context);
        break;
    case SIGNAL_ILLEGAL:
        on_trap(&context);
        break;
    case SIGNAL_DIVISION:
        if (!is_in_image(context.ip))
            violation("divides by zero: ", context.ip, context.ip);
        hand_over(&context, STATUS_DIVIDED_BY_ZERO, 0);
        break;
    case SIGNAL_ALARM:
        violation("takes too long; stopped at ", context.ip, context.ip);
    default:
        on_memory(information, state, &context);
        break;
    }
    system_set_context(state, &context);
}

void faults_begin(void)
{
    static const int numbers[] = {SIGNAL_ILLEGAL,  SIGNAL_TRAP,   SIGNAL_BUS,
                                  SIGNAL_DIVISION, SIGNAL_MEMORY, SIGNAL_ALARM};

    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        system_on_signal(numbers[i], on_signal);
}
