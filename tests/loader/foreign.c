/* foreign.c - drivers other than the fixtures.
 * Takes: a table of sizes.  Gives: calls that end where the driver cannot go on.  Must not: forgive a fault
 * that a rule of the loader is about: those end the load as they do for the fixtures. */
#include "foreign.h"

#include "exceptions.h"
#include "failure.h"
#include "kernel.h"
#include "step.h"

bool foreign_is_on;

static const char *sizes;
static bool is_own_fault;
static unsigned answer_count;

#define SUCCESS_COUNT 200u
#define ANSWER_COUNT 400u
#define STATUS_UNSUCCESSFUL 0xc0000001u

void foreign_begin(const char *all_sizes)
{
    foreign_is_on = true;
    sizes = all_sizes;
}

uint32_t foreign_stack_nbytes(const char *name)
{
    for (const char *line = sizes; *line;) {
        const char *at = line;
        uint32_t nbytes = 0;

        for (const char *of_name = name; *of_name && *at == *of_name; of_name++)
            at++;
        const bool is_found = *at == ' ' && name[at - line] == '\0';
        while (*at && *at != ' ' && *at != '\n')
            at++;
        for (at += *at == ' ' ? 1 : 0; *at >= '0' && *at <= '9'; at++)
            nbytes = nbytes * 10 + (uint32_t)(*at - '0');
        if (is_found)
            return nbytes;
        while (*at && *at != '\n')
            at++;
        line = at + (*at ? 1 : 0);
    }
    return 0;
}

uint32_t foreign_answer(void)
{
    if (++answer_count > ANSWER_COUNT)
        foreign_end_call("calls without end", 0);
    return answer_count > SUCCESS_COUNT ? STATUS_UNSUCCESSFUL : STATUS_SUCCESS;
}

void foreign_end_call(const char *what, uint32_t code)
{
    if (!foreign_is_on)
        return;
    text_add(kernel_log, "ends: ");
    text_add(kernel_log, what);
    text_add(kernel_log, " ");
    text_add_hex(kernel_log, code);
    text_add(kernel_log, "\n");
    is_own_fault = true;
    give_up();
}

void foreign_attempt(void (*function)(void))
{
    if (!foreign_is_on) {
        function();
        return;
    }
    is_own_fault = false;
    answer_count = 0;
    if (comes_to_end(function))
        return;
    step_end();
#if !IS_64
    thread_block[0] = EXCEPTION_LIST_END;
#endif
    if (!is_own_fault)
        give_up();
}
