/* step.c - drivers run instruction by instruction.
 * Takes: the state before each instruction of a call.  Gives: a report of those at which a fault would not
 * find its caller, and of returns with other registers than they have to be.  Must not: change anything. */
#include "step.h"

#include "failure.h"
#include "load.h"
#include "step_callers.h"

uint32_t step_limit, step_count, step_stub_count;

static char report_chars[10000], first_lost_chars[200];
struct text step_report = {report_chars, 0, sizeof(report_chars), false};
struct text step_first_lost = {first_lost_chars, 0, sizeof(first_lost_chars), false};

static bool is_on, is_inside, is_asked;
static uint32_t left, call_number, lost_count;
static struct context entered;

static void set_processor(bool steps)
{
#if IS_64
    if (steps)
        __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq" : : : "memory", "cc");
    else
        __asm__ volatile("pushfq; andl $~0x100, (%%rsp); popfq" : : : "memory", "cc");
#else
    if (steps)
        __asm__ volatile("pushf; orl $0x100, (%%esp); popf" : : : "memory", "cc");
    else
        __asm__ volatile("pushf; andl $~0x100, (%%esp); popf" : : : "memory", "cc");
#endif
}

void step_begin_load(void)
{
    text_clear(&step_report);
    text_clear(&step_first_lost);
    call_number = 0;
    is_asked = false;
    step_end();
}

void step_begin(void)
{
    is_inside = false;
    is_asked = step_limit > 0;
    lost_count = 0;
    call_number++;
    left = step_limit;
    is_on = left > 0;
    if (is_on)
        set_processor(true);
}

void step_end(void)
{
    if (is_on)
        set_processor(false);
    is_on = false;
    if (is_asked && lost_count > 0) {
        text_add(&step_report, "call ");
        text_add_number(&step_report, call_number);
        text_add(&step_report, ": ");
        text_add_number(&step_report, lost_count);
        text_add(&step_report, " times without callers or kept registers\n");
    }
    is_asked = false;
}

void step_resumed(void)
{
    callers_resumed();
}

bool step_is_on(void)
{
    return is_on;
}

bool step_is_inside(void)
{
    return is_inside;
}

static uintptr_t return_address(void)
{
    return get_pointer((const void *)(uintptr_t)CONTEXT_SP(&entered));
}

/* Remembers the first place of a kind. */
static void lose(uintptr_t ip, const char *what)
{
    lost_count++;
    if (step_first_lost.count > 0)
        return;
    text_add(&step_first_lost, "call ");
    text_add_number(&step_first_lost, call_number);
    text_add(&step_first_lost, ", RVA ");
    text_add_hex(&step_first_lost, ip - loaded.base);
    text_add(&step_first_lost, what);
}

static void look_at_instruction(const struct context *context)
{
    const struct section *section = image_section_at(loaded.image, (uint32_t)(context->ip - loaded.base));
    const bool is_stub = section && text_is(section->name, ".hvcode");

    step_count++;
    if (is_stub)
        step_stub_count++;
    else if (--left == 0)
        is_on = false;
    if (!callers_are_found(&entered, context))
        lose(context->ip, ": a fault would not find its caller");
}

bool step_look(const struct context *context)
{
    const bool in_image = is_in_image(context->ip);

    if (in_image && !is_inside) {
        is_inside = true;
        entered = *context;
        callers_begin(context);
    }
    if (in_image) {
        look_at_instruction(context);
    } else if (is_inside && context->ip == return_address() && CONTEXT_SP(context) > CONTEXT_SP(&entered)) {
        if (!callers_are_kept(&entered, context))
            lose(entered.ip, ": the function returns with other values in registers that it has to keep");
        is_on = false;
    }
    return is_on;
}
