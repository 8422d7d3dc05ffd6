/* step_callers_x86.c - whether an x86 instruction still has its callers: nothing describes frames there, so
 * what is looked at is what unwinding needs: the return address of each call in its place, the list of
 * handlers, and returns that lead to where the call came from. Takes: the state before each instruction.
 * Gives: yes or no.  Must not: need frame pointers. */
#include "step_callers.h"

#if !IS_64
#include "exceptions.h"
#include "guard.h"
#include "load.h"
#include "unwind.h"

#define CALL_LIMIT 200
#define REGISTRATION_LIMIT 100

struct made_call {
    uintptr_t place, return_address; /* place: where on the stack it lies */
};

static struct made_call calls[CALL_LIMIT];
static unsigned call_count;
static uintptr_t last_ip, last_sp;
static bool is_fresh; /* the instruction before this one is not known */

void callers_begin(const struct context *entered)
{
    calls[0] = (struct made_call){entered->esp, get32((const void *)entered->esp)};
    call_count = 1;
    is_fresh = true;
}

void callers_resumed(void)
{
    is_fresh = true;
}

static bool was_call(const struct context *context)
{
    const uint8_t *code = (const uint8_t *)last_ip;
    const uintptr_t pushed = get32((const void *)context->esp) - last_ip;

    if (is_fresh || !is_in_image(last_ip) || context->esp != last_sp - 4)
        return false;
    return (code[0] == 0xe8 && pushed == 5) ||
           (code[0] == 0xff && (code[1] & 0x38) == 0x10 && pushed >= 2 && pushed <= 7);
}

static bool was_return(void)
{
    const uint8_t *code = (const uint8_t *)last_ip;

    return !is_fresh && is_in_image(last_ip) && (code[0] == 0xc3 || code[0] == 0xc2);
}

/* Takes the calls off that have returned; false when a return led elsewhere. */
static bool returns_are_right(const struct context *context)
{
    struct made_call last = {0, 0};
    unsigned taken = 0;

    while (call_count > 0 && calls[call_count - 1].place < context->esp) {
        last = calls[--call_count];
        taken++;
    }
    return !was_return() || (taken == 1 && last.return_address == context->ip);
}

static bool handlers_are_right(const struct context *context)
{
    uintptr_t at = thread_block[0], before = context->esp;

    for (int i = 0; i < REGISTRATION_LIMIT; i++) {
        if (at == EXCEPTION_LIST_END)
            return true;
        if (at % 4 != 0 || at < before || at > stack_end - 8 ||
            !guard_knows_handler(get32((const void *)(at + 4))))
            return false;
        before = at + 8;
        at = get32((const void *)at);
    }
    return false;
}

bool callers_are_found(const struct context *entered, const struct context *context)
{
    (void)entered;
    if (!returns_are_right(context) || call_count == 0)
        return false;
    if (was_call(context)) {
        if (call_count == CALL_LIMIT)
            return false;
        calls[call_count++] = (struct made_call){context->esp, get32((const void *)context->esp)};
    }
    const struct made_call top = calls[call_count - 1];
    last_ip = context->ip;
    last_sp = context->esp;
    is_fresh = false;
    return get32((const void *)top.place) == top.return_address && handlers_are_right(context);
}

bool callers_are_kept(const struct context *entered, const struct context *returned)
{
    return entered->ebx == returned->ebx && entered->esi == returned->esi && entered->edi == returned->edi &&
           entered->ebp == returned->ebp;
}
#endif
