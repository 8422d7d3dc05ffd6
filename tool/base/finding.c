/* finding.c - making and collecting findings.
 * Takes: printf texts.  Gives: findings in an arena.  Must not: print or decide. */
#include "base/finding.h"

bool finding_add(struct finding_list *list, const struct finding *finding)
{
    struct finding *items =
        arena_grow(list->arena, list->items, list->count, &list->capacity, list->count + 1, sizeof *items);
    if (!items)
        return false;
    list->items = items;
    list->items[list->count++] = *finding;
    return true;
}

struct finding finding_make(struct arena *arena, enum finding_code code, enum finding_level level,
                            const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    struct finding finding = {
        .code = code,
        .level = level,
        .rva = NO_RVA,
        .file_offset = NO_FILE_OFFSET,
        .place_count = 1,
        .message = arena_vprintf(arena, format, arguments),
    };
    va_end(arguments);
    return finding;
}

void finding_evidence(struct arena *arena, struct finding *finding, const char *format, ...)
{
    if (finding->evidence_count >= FINDING_MAX_EVIDENCE)
        return;
    const char **lines = arena_array(arena, finding->evidence_count + 1, sizeof *lines);
    if (!lines)
        return;
    for (size_t i = 0; i < finding->evidence_count; i++)
        lines[i] = finding->evidence[i];
    va_list arguments;
    va_start(arguments, format);
    lines[finding->evidence_count] = arena_vprintf(arena, format, arguments);
    va_end(arguments);
    finding->evidence = lines;
    finding->evidence_count++;
}

enum finding_level finding_worst(const struct finding_list *list)
{
    enum finding_level worst = LEVEL_OFF;
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].level > worst)
            worst = list->items[i].level;
    return worst;
}

const char *finding_level_name(enum finding_level level)
{
    switch (level) {
    case LEVEL_NOTE:
        return "note";
    case LEVEL_WARNING:
        return "warning";
    case LEVEL_ERROR:
        return "error";
    case LEVEL_OFF:
        break;
    }
    return "off";
}
