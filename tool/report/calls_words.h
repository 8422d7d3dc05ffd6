/* calls_words.h - what a report says of the calls of an image as a whole, and of many calls that are alike.
 * Takes: outcomes.  Gives: words.  Must not: judge. */
#ifndef HVCIFIX_REPORT_CALLS_WORDS_H
#define HVCIFIX_REPORT_CALLS_WORDS_H

#include "pipeline.h"

/* The judgement that counts: of the new bytes after a repair, else of the old ones. */
const struct call_judgement *calls_of(const struct outcome *outcome);

/* Calls that should have been judged and were not. */
bool calls_are_missing(const struct call_judgement *calls);

/* "1 executable, 12 no-execute, 0 depends, 2 unknown" */
const char *calls_count_words(const size_t counts[SITE_VERDICT_COUNT], struct arena *arena);

/* The same, or "not judged: " and why; NULL when there is nothing to say. */
const char *calls_words(const struct call_judgement *calls, struct arena *arena);

/* Of notes about calls with the same words a text shows the first, with their number. */
struct alike_notes {
    const struct finding_list *findings; /* NULL: none */
    uint32_t *counts; /* one for each finding: how many it stands for; 0: another one does */
};

/* False when memory ran out; then all stand for themselves. */
bool alike_notes_find(const struct outcome *outcome, struct arena *arena, struct alike_notes *notes);

/* How many findings this one stands for in a text. */
uint32_t alike_notes_count(const struct alike_notes *notes, const struct finding *finding);

/* "RVA 0x1010, 0x2020, 0x3030 and 4 more" of those that `first` stands for. */
const char *alike_notes_places(const struct alike_notes *notes, const struct finding *first,
                               struct arena *arena);

#endif
