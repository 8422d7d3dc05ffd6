/* report_undo.h - side files of repairs in place, and restored images.
 * Takes: what was read and done.  Gives: text and JSON.  Must not: decide anything. */
#ifndef HVCIFIX_REPORT_REPORT_UNDO_H
#define HVCIFIX_REPORT_REPORT_UNDO_H

#include "report/report.h"
#include "restore.h"

/* `show` on a side file of file_nbytes bytes: where it leads and what was repaired. */
void report_text_undo(struct text *text, const char *path, const struct undo_file *file, size_t file_nbytes);
/* The same as an element of {"images": [...]}. */
void report_json_undo(struct text *text, const char *path, const struct undo_file *file, size_t file_nbytes);

/* One image of `restore`. */
void report_text_restore(struct text *text, const struct restore_outcome *outcome,
                         const struct restore_options *options, const struct report_style *style);

/* {"restores": [...]} is built of begin, one call an image, end. */
void report_json_restores_begin(struct text *text);
void report_json_restore(struct text *text, const struct restore_outcome *outcome,
                         const struct restore_options *options, bool is_first);
void report_json_restores_end(struct text *text, bool was_interrupted);

#endif
