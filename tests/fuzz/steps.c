/* steps.c - counts the edges that the tool's code passes.
 * Takes: the calls that -fsanitize-coverage=trace-pc-guard puts on every edge of tool/ in the fuzz build
 * only. Gives: their number so far.  Must not: be built with that flag itself. libFuzzer has functions of
 * these names that it does not use any more, so the linker sends the calls here
 * (--wrap, scripts/fuzz.mk). */
#include "fuzz.h"

void __wrap___sanitizer_cov_trace_pc_guard_init(const uint32_t *begin, const uint32_t *end);
void __wrap___sanitizer_cov_trace_pc_guard(const uint32_t *guard);

static uint64_t step_count;

void __wrap___sanitizer_cov_trace_pc_guard_init(const uint32_t *begin, const uint32_t *end)
{
    (void)begin; /* the guards could tell the edges apart; only their number is wanted */
    (void)end;
}

void __wrap___sanitizer_cov_trace_pc_guard(const uint32_t *guard)
{
    (void)guard;
    step_count++;
}

uint64_t steps_taken(void)
{
    return step_count;
}
