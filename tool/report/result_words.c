/* result_words.c - result_words.h.
 * Takes: an outcome.  Gives: parts of sentences.  Must not: decide anything. */
#include "report/result_words.h"

const char *result_error_words(const struct outcome *outcome)
{
    for (size_t i = 0; i < outcome->problems.count; i++) {
        if (outcome->problems.items[i].level != LEVEL_ERROR)
            continue;
        switch (outcome->problems.items[i].code) {
        case HVCI9006_CANNOT_READ:
            return outcome->judged
                       ? "not repaired, because a file beside it could not be read; nothing was written"
                       : "could not be read";
        case HVCI9007_CANNOT_WRITE:
            return "could not be written; the file is as it was";
        case HVCI9008_OUT_OF_MEMORY:
            return "not finished, because memory ran out; nothing was written";
        case HVCI9004_MALFORMED_TABLE:
            return "damaged, so it is not called clean; nothing was written";
        case HVCI9050_PACKAGE_DAMAGED:
        case HVCI9051_PACKAGE_ENCRYPTED:
        case HVCI9052_PACKAGE_LIMIT:
            return "not judged, or not wholly";
        case HVCI9054_PACKAGE_NOT_REPAIRED:
            return "is an archive; nothing was written";
        case HVCI9058_SIGNING_FAILED:
            return "not signed, so nothing was written";
        case HVCI9094_UNDO_NOT_LEFT:
            return "not repaired, because no undo file could be left; nothing was written";
        case HVCI9011_LAYOUT_REFUSED:
            return "no image that Windows loads; nothing was written";
        case HVCI9030_REPAIR_REFUTED:
            return "not repaired: the independent verifier refuted the repair, which is a defect of hvcifix; "
                   "nothing was written";
        default:
            return "could not be read";
        }
    }
    return "could not be read";
}

const char *result_enforced_words(const struct outcome *outcome, struct arena *arena)
{
    switch (outcome->enforced) {
    case ENFORCE_PASSED:
        return "passed";
    case ENFORCE_REPAIRED:
        return "passed after its repair";
    case ENFORCE_REJECTED:
        if (outcome->container_path)
            return "rejected, and the package with it";
        if (outcome->rejected_path)
            return arena_printf(arena, "rejected; it is %s now", outcome->rejected_path);
        return outcome->was_removed ? "rejected, and deleted" : "rejected; it is where it was";
    case WOULD_PASS:
        return "would pass (audit: nothing was changed)";
    case WOULD_REPAIR:
        return "would be repaired, and pass (audit: nothing was changed)";
    case WOULD_REJECT:
        return "would be rejected (audit: nothing was changed)";
    case NOT_ENFORCED:
        break;
    }
    return NULL;
}
