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
    }
}

/* Takes the closing brace off the object at the end of the text, so that members can follow. */
static void reopen_object(struct text *text)
{
    while (text->nbytes != 0 && text->chars[text->nbytes - 1] != '}')
        text->nbytes--;
    if (text->nbytes != 0)
        text->chars[--text->nbytes] = 0;
}

void report_json_show(struct text *text, const struct outcome *outcome, enum show_what what, bool is_first)
{
    if (!outcome->has_image) {
        report_json_image(text, outcome, is_first);
        return;
    }
    struct json_tree tree = {.arena = text->arena};
    cJSON *image = json_root(&tree);
    json_image_head(&tree, image, outcome);
    json_all_findings(&tree, json_array(&tree, image, "findings"), outcome);
    if (!is_first)
        text_addz(text, ",\n");
    json_print(&tree, text);
    if (text->arena->exhausted)
        return;
    reopen_object(text);
    text_addz(text, ",\n");
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
    }
    text_addz(text, "}");
}
