/* image_run.c - image_run.h.
 * Takes: outcomes.  Gives: tallies, joined without a lock.  Must not: print, or judge. */
#include "cli/image_run.h"

#include "cli/workers.h"

unsigned image_run_worker_count(const struct image_run *run, size_t item_count)
{
    if (item_count < 2 || run->options->signer) /* signers are run one at a time */
        return 1;
    unsigned count = run->options->jobs != 0 ? run->options->jobs : workers_core_count();
    if (count > CLI_MOST_JOBS)
        count = CLI_MOST_JOBS;
    return count < item_count ? count : (unsigned)item_count;
}

/* What the image has made of each waiver, joined to what others have. */
static void note_waivers(const struct image_run *run, const struct outcome *outcome)
{
    for (size_t i = 0; run->policy && outcome->waiver_uses && i < run->policy->waiver_count; i++) {
        unsigned char use = (unsigned char)outcome->waiver_uses[i];
        unsigned char before = atomic_load(&run->waiver_uses[i]);
        while (before < use && !atomic_compare_exchange_weak(&run->waiver_uses[i], &before, use))
            ;
    }
}

/* Which entries of the baseline the image still has. */
static void note_baseline(const struct image_run *run, const struct outcome *outcome)
{
    const struct finding_list *lists[] = {&outcome->problems, &outcome->findings, &outcome->remaining,
                                          outcome->has_image ? &outcome->image.notes : NULL};
    for (size_t k = 0; run->baseline && k < sizeof lists / sizeof lists[0]; k++)
        for (size_t i = 0; lists[k] && i < lists[k]->count; i++)
            if (lists[k]->items[i].baseline_entry != 0)
                atomic_store(&run->baseline_seen[lists[k]->items[i].baseline_entry - 1], true);
}

void image_run_note(const struct image_run *run, const struct outcome *outcome)
{
    note_waivers(run, outcome);
    note_baseline(run, outcome);
}

const enum waiver_use *image_run_waiver_uses(const struct image_run *run, struct arena *arena)
{
    size_t count = run->policy ? run->policy->waiver_count : 0;
    enum waiver_use *uses = arena_array(arena, count, sizeof *uses);
    for (size_t i = 0; uses && i < count; i++)
        uses[i] = (enum waiver_use)atomic_load(&run->waiver_uses[i]);
    return uses;
}

const bool *image_run_baseline_seen(const struct image_run *run, struct arena *arena)
{
    size_t count = run->baseline ? run->baseline->count : 0;
    bool *seen = arena_array(arena, count, sizeof *seen);
    for (size_t i = 0; seen && i < count; i++)
        seen[i] = atomic_load(&run->baseline_seen[i]);
    return seen;
}
