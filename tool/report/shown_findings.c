/* shown_findings.c - the order in which findings are shown.
 * Takes: struct outcome.  Gives: one finding at a time.  Must not: judge. */
#include "report/shown_findings.h"

enum { LIST_PROBLEMS, LIST_IMAGE_NOTES, LIST_CURED, LIST_FINDINGS, LIST_COUNT };

/* The list of the given number, or NULL when this outcome does not show it. */
static const struct finding_list *shown_list(const struct outcome *outcome, unsigned list)
{
    bool is_repaired = outcome->status == STATUS_FIXED && outcome->has_remaining;
    switch (list) {
    case LIST_PROBLEMS:
        return &outcome->problems;
    case LIST_IMAGE_NOTES:
        return outcome->has_image ? &outcome->image.notes : NULL;
    case LIST_CURED:
        return is_repaired ? &outcome->findings : NULL;
    default:
        return is_repaired ? &outcome->remaining : &outcome->findings;
    }
}

static bool code_remains(const struct outcome *outcome, struct shown_cursor *cursor, enum finding_code code)
{
    if (cursor->last_code != code) {
        cursor->last_code = code;
        cursor->code_remains = false;
        for (size_t i = 0; i < outcome->remaining.count && !cursor->code_remains; i++)
            cursor->code_remains = outcome->remaining.items[i].code == code;
    }
    return cursor->code_remains;
}

bool shown_next(const struct outcome *outcome, struct shown_cursor *cursor, struct shown_finding *shown)
{
    for (; cursor->list < LIST_COUNT; cursor->list++, cursor->index = 0) {
        const struct finding_list *list = shown_list(outcome, cursor->list);
        while (list && cursor->index < list->count) {
            const struct finding *finding = &list->items[cursor->index++];
            bool is_cured = cursor->list == LIST_CURED;
            if (finding->level == LEVEL_OFF || (is_cured && code_remains(outcome, cursor, finding->code)))
                continue;
            enum finding_level level = is_cured ? LEVEL_NOTE : finding->level;
            /* An audit stops nothing, and MSBuild fails a task that prints an error. */
            if (level == LEVEL_ERROR && outcome->enforced >= WOULD_PASS)
                level = LEVEL_WARNING;
            *shown = (struct shown_finding){finding, level, is_cured, cursor->list == LIST_PROBLEMS};
            return true;
        }
    }
    return false;
}
