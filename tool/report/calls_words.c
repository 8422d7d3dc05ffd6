/* calls_words.c - calls_words.h. */
#include "report/calls_words.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

const struct call_judgement *calls_of(const struct outcome *outcome)
{
    bool is_repaired = outcome->status == STATUS_FIXED && outcome->has_remaining;
    return is_repaired ? &outcome->asked_after : &outcome->asked;
}

bool calls_are_missing(const struct call_judgement *calls)
{
    return calls->state == CALLS_NOT_READ || (calls->state == CALLS_SWITCHED_OFF && calls->may_ask);
}

const char *calls_count_words(const size_t counts[SITE_VERDICT_COUNT], struct arena *arena)
{
    struct text words = {.arena = arena};
    for (unsigned i = 0; i < SITE_VERDICT_COUNT; i++)
        text_printf(&words, "%s%zu %s", i == 0 ? "" : ", ", counts[i],
                    site_verdict_name((enum site_verdict)i));
    return words.chars ? words.chars : "";
}

const char *calls_words(const struct call_judgement *calls, struct arena *arena)
{
    if (calls->state == CALLS_JUDGED && calls->sites.count != 0)
        return calls_count_words(calls->counts, arena);
    bool is_left = calls->state == CALLS_NOT_ASKED && calls->may_ask;
    return is_left || calls_are_missing(calls) ? arena_printf(arena, "not judged: %s", calls->reason) : NULL;
}

static bool is_gathered(const struct finding *finding)
{
    return finding->call && finding->call->alike && finding->level == LEVEL_NOTE && !finding->waiver &&
           !finding->is_known && finding->certainty == FINDING_UNKNOWN;
}

static int compare(const void *left, const void *right)
{
    const struct finding *const *a = left, *const *b = right;
    int order = strcmp((*a)->call->alike, (*b)->call->alike);
    return order != 0 ? order : *a < *b ? -1 : *a > *b;
}

bool alike_notes_find(const struct outcome *outcome, struct arena *arena, struct alike_notes *notes)
{
    bool is_repaired = outcome->status == STATUS_FIXED && outcome->has_remaining;
    const struct finding_list *findings = is_repaired ? &outcome->remaining : &outcome->findings;
    size_t gathered_count = 0;
    *notes = (struct alike_notes){0};
    for (size_t i = 0; i < findings->count; i++)
        gathered_count += is_gathered(&findings->items[i]);
    if (gathered_count < 2)
        return true;
    const struct finding **gathered = arena_array(arena, gathered_count, sizeof *gathered);
    uint32_t *counts = arena_array(arena, findings->count, sizeof *counts);
    if (!gathered || !counts)
        return false;
    gathered_count = 0;
    for (size_t i = 0; i < findings->count; i++)
        if (is_gathered(&findings->items[i]))
            gathered[gathered_count++] = &findings->items[i];
        else
            counts[i] = 1;
    qsort(gathered, gathered_count, sizeof *gathered, compare);
    const struct finding *first = gathered[0];
    for (size_t i = 0; i < gathered_count; i++) {
        if (strcmp(gathered[i]->call->alike, first->call->alike) != 0)
            first = gathered[i];
        counts[first - findings->items]++;
    }
    *notes = (struct alike_notes){findings, counts};
    return true;
}

uint32_t alike_notes_count(const struct alike_notes *notes, const struct finding *finding)
{
    const struct finding_list *findings = notes->findings;
    if (!findings || finding < findings->items || finding >= findings->items + findings->count)
        return 1;
    return notes->counts[finding - findings->items];
}

const char *alike_notes_places(const struct alike_notes *notes, const struct finding *first,
                               struct arena *arena)
{
    enum { MOST_NAMED = 8 };
    struct text words = {.arena = arena};
    uint32_t named = 0, count = alike_notes_count(notes, first);
    const struct finding *end = notes->findings->items + notes->findings->count;
    for (const struct finding *finding = first; finding < end && named < MOST_NAMED && named < count;
         finding++)
        if (is_gathered(finding) && strcmp(finding->call->alike, first->call->alike) == 0)
            text_printf(&words, "%s0x%X", named++ == 0 ? "RVA " : ", ", (unsigned)finding->rva);
    if (named < count)
        text_printf(&words, " and %u more", (unsigned)(count - named));
    return words.chars ? words.chars : "";
}
