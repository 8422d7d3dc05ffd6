/* report_show.c - `show IMAGE`: which picture or listing is printed.
 * Takes: an outcome with an image.  Gives: text or JSON.  Must not: judge. */
#include "report/json_parts.h"
#include "report/report.h"
#include "report/show_lists.h"
#include "report/show_pages.h"

void report_text_show(struct text *text, const struct outcome *outcome, enum show_what what,
                      const struct report_style *style)
{
    if (!outcome->has_image) {
        report_text_image(text, outcome, style);
        return;
    }
    switch (what) {
    case SHOW_PAGES:
        show_pages(text, outcome, style);
        break;
    case SHOW_REGIONS:
        show_regions(text, outcome, style);
        break;
    case SHOW_REFERENCES:
        show_references(text, outcome, style);
        break;
    case SHOW_CALLS:
        show_calls(text, outcome, style);
        break;
    }
}

void report_json_show(struct text *text, const struct outcome *outcome, enum show_what what, bool is_first)
{
    if (!outcome->has_image) {
        report_json_image(text, outcome, is_first);
        return;
    }
    size_t start_nbytes = text->nbytes;
    struct json_writer json;
    if (!is_first)
        text_addz(text, ",\n");
    json_begin_root(&json, text);
    json_image_head(&json, outcome);
    json_begin_array(&json, "findings");
    json_all_findings(&json, outcome);
    json_end_array(&json);
    if (what == SHOW_CALLS) {
        show_calls_json(&json, outcome);
        json_end_object(&json);
        text_cut_if_exhausted(text, start_nbytes);
        return;
    }
    json_begin_members(&json);
    switch (what) {
    case SHOW_PAGES:
        show_pages_json(text, outcome);
        break;
    case SHOW_REGIONS:
        show_regions_json(text, outcome);
        break;
    case SHOW_REFERENCES:
        show_references_json(text, outcome);
        break;
    case SHOW_CALLS: /* above */
        break;
    }
    json_end_object(&json);
    text_cut_if_exhausted(text, start_nbytes);
}
