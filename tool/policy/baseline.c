/* baseline.c - findings compared with a baseline.
 * Takes: a baseline that was read.  Gives: marks.  Must not: read files (baseline_read.c). */
#include "policy/baseline.h"

#include "base/text.h"
#include "policy/file_uri.h"

#include <string.h>

/* The first entry of the fingerprint; count when there is none. */
static size_t first_entry(const struct baseline *baseline, const char *fingerprint)
{
    size_t low = 0, high = baseline->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(baseline->entries[middle].fingerprint.chars, fingerprint) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool excuses(const struct baseline_entry *entry, const struct finding *finding)
{
    return !entry->was_waived && entry->level >= finding->level && entry->place_count >= finding->place_count;
}

/* The entry that says most for the finding, or NULL. */
static const struct baseline_entry *find_entry(const struct baseline_view *view, const char *fingerprint,
                                               const char *uri, const struct finding *finding)
{
    const struct baseline *baseline = view->baseline;
    const struct baseline_entry *found = NULL;
    for (size_t i = first_entry(baseline, fingerprint);
         i < baseline->count && strcmp(baseline->entries[i].fingerprint.chars, fingerprint) == 0; i++) {
        const struct baseline_entry *entry = &baseline->entries[i];
        if (!view->by_name && strcmp(entry->uri, uri) != 0)
            continue;
        if (!found || (!excuses(found, finding) && excuses(entry, finding)))
            found = entry;
    }
    return found;
}

static void mark(const struct baseline_entry *entry, bool lowers, struct finding *finding)
{
    /* The message of a result has the name of the image behind the finding's own. */
    bool is_same = entry && strncmp(entry->message, finding->message, strlen(finding->message)) == 0;
    bool is_known = entry && excuses(entry, finding);
    finding->baseline = !entry ? BASELINE_NEW : is_same && is_known ? BASELINE_UNCHANGED : BASELINE_UPDATED;
    if (!is_known || !lowers || finding->waiver)
        return;
    finding->is_known = true;
    finding->level_before = finding->level;
    if (finding->level > LEVEL_NOTE)
        finding->level = LEVEL_NOTE;
}

bool baseline_mark(const struct baseline_view *view, const char *path, const struct image *image, bool lowers,
                   struct finding_list *findings, struct arena *arena)
{
    if (!view->baseline || findings->count == 0)
        return true;
    struct text uri = {.arena = arena};
    file_uri_add(&uri, path);
    const struct fingerprint *fingerprints = fingerprints_of(findings, path, image, arena);
    if (!fingerprints || arena->exhausted)
        return false;
    for (size_t i = 0; i < findings->count; i++) {
        struct finding *finding = &findings->items[i];
        const struct baseline_entry *entry =
            find_entry(view, fingerprints[i].chars, uri.chars ? uri.chars : "", finding);
        mark(entry, lowers, finding);
        finding->baseline_entry = entry ? (uint32_t)(entry - view->baseline->entries) + 1 : 0;
    }
    return true;
}
