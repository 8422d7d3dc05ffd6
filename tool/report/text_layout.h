/* text_layout.h - a new layout as a table for people. */
#ifndef HVCIFIX_REPORT_TEXT_LAYOUT_H
#define HVCIFIX_REPORT_TEXT_LAYOUT_H

#include "base/text.h"
#include "plan/plan.h"

/* The plan must have a layout. Each piece with its old and new range and why, then the new sections. */
void text_layout_table(struct text *text, const struct image *image, const struct plan *plan);

#endif
