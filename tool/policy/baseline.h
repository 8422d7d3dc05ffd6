/* baseline.h - an earlier report, whose findings do not fail again.
 * Takes: a SARIF log that hvcifix has written, plain or gzip.  Gives: what it knows, and marks on findings.
 * Must not: take a file that is no such log for one that knows nothing, or everything.
 *
 * A finding is known when the baseline has one of the same fingerprint (fingerprint.h) that was not waived,
 * was not less grave, and did not stand for fewer places. */
#ifndef HVCIFIX_POLICY_BASELINE_H
#define HVCIFIX_POLICY_BASELINE_H

#include "policy/fingerprint.h"

struct baseline_entry {
    struct fingerprint fingerprint;
    const char *uri;  /* of the image */
    const char *rule; /* "HVCI2003" */
    const char *message;
    enum finding_level level;
    uint64_t place_count;
    uint32_t byte_offset, byte_count; /* of the place in the file of the image; byte_count 0: not said */
    bool was_waived;
};

struct baseline {
    const char *path;
    struct baseline_entry *entries; /* sorted by fingerprint, then URI */
    size_t count;
};

/* False with *message set (one sentence), or with arena->exhausted. The JSON is bounded in size, depth and
 * number of values. For one thread: the JSON library has a state of its own. */
bool baseline_read(const char *path, struct arena *arena, struct baseline *baseline, const char **message);

/* A baseline as one image sees it. */
struct baseline_view {
    const struct baseline *baseline; /* or NULL */
    bool by_name; /* no other image of this run has its file name: the folder may be another than it was */
};

/* Sets what the baseline has of each finding; with `lowers` those that are known become notes. False: memory
 * ran out. */
bool baseline_mark(const struct baseline_view *view, const char *path, const struct image *image, bool lowers,
                   struct finding_list *findings, struct arena *arena);

#endif
