/* judge_item.h - one item of the list of work, from its path to its report.
 * Takes: a run and the number of an item.  Gives: the item's report, handed over.  Must not: print. */
#ifndef HVCIFIX_CLI_JUDGE_ITEM_H
#define HVCIFIX_CLI_JUDGE_ITEM_H

#include "cli/image_run.h"

/* For ordered_jobs.run. */
void judge_item(const struct image_run *run, size_t number, struct ordered *ordered,
                struct arena_stock *stock);

#endif
