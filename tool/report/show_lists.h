/* show_lists.h - the listings of `show`: regions, code and references, as text and as JSON.
 * Takes: an outcome with an image.  Gives: text.  Must not: judge.
 * The JSON functions append members ("name": value, ...) to an object that the caller opens and closes. */
#ifndef HVCIFIX_REPORT_SHOW_LISTS_H
#define HVCIFIX_REPORT_SHOW_LISTS_H

#include "report/json_writer.h"
#include "report/page_map.h"
#include "report/report.h"

void show_regions(struct text *text, const struct outcome *outcome, const struct report_style *style);
void show_references(struct text *text, const struct outcome *outcome, const struct report_style *style);

void show_calls(struct text *text, const struct outcome *outcome, const struct report_style *style);

void show_pages_json(struct text *text, const struct outcome *outcome);
void show_regions_json(struct text *text, const struct outcome *outcome);
void show_references_json(struct text *text, const struct outcome *outcome);
void show_calls_json(struct json_writer *json, const struct outcome *outcome);

/* A run of bytes of one class in an executable section. */
struct class_run {
    uint32_t rva, nbytes;
};

/* The next run of `byte_class` at or after *at (an offset into the section, 0 to start with), which moves
 * behind the run. False after the last. */
bool class_run_next(const struct code_section *section, enum byte_class byte_class, uint32_t *at,
                    struct class_run *run);

/* Bytes per enum byte_class of one section. */
void class_counts_of(const struct code_section *section, uint64_t counts[5]);

/* Where a reference points: the section (NULL when it is in none) and the distance from its start. */
const struct section *reference_section(const struct image *image, const struct ref *ref, uint32_t *offset);

/* Sources whose tables could not be read, or not wholly, each with the reason. */
void show_unread(struct text *text, const struct refset *refs);

#endif
