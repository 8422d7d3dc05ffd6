/* runs.c - one load of one image, from mapping to unmapping.
 * Takes: a plan.  Gives: a log of what the driver did, or what is wrong in `failure`.
 * Must not: leave anything mapped. */
#include "runs.h"

#include "exceptions.h"
#include "failure.h"
#include "faults.h"
#include "guard.h"
#include "load.h"
#include "step.h"
#include "system.h"

static const struct plan *plan;
static bool was_possible;

static void carry_out_plan(void)
{
    load_image(plan->image, plan->base, plan->is_strict, plan->is_whole_pages);
    if (plan->is_mapped_only)
        return;
    was_possible = drive_is_possible(plan->way);
    if (was_possible)
        drive(plan->way, plan->log);
}

bool run(const struct plan *planned, bool *is_possible)
{
    plan = planned;
    was_possible = true;
    text_clear(&failure);
    text_clear(&guard_refused);
    text_clear(plan->log);
    step_begin_load();
#if !IS_64
    thread_block[0] = EXCEPTION_LIST_END;
#endif
    system_alarm(LONGEST_LOAD_SECONDS);
    const bool is_well = comes_to_end(carry_out_plan);
    system_alarm(0);
    step_end();
    load_remove();
    *is_possible = was_possible;
    return is_well && !plan->log->is_cut;
}

uintptr_t run_base(const struct image *image, unsigned number)
{
    if (image->is_fixed)
        return (uintptr_t)image->own_base;
    if (number > 0)
        return (uintptr_t)image->own_base + 0x7000;
    return IS_64 ? (uintptr_t)0x5a1234567000u : 0x8a5c7000u;
}
