/* report_formats.c - report_formats.h: the table, and the rows of text and JSON.
 * Takes: outcomes and fragments.  Gives: text.  Must not: know how SARIF and HTML look. */
#include "report/report_formats.h"

#include "report/report_html.h"
#include "report/report_policy.h"
#include "report/sarif.h"

static const struct report_style plain_style = {0};

static void text_image(struct text *text, const struct outcome *outcome,
                       const struct report_settings *settings)
{
    (void)settings;
    report_text_image(text, outcome, &plain_style);
}

static void text_whole(struct text *text, const struct report_run *run, const char *fragments,
                       size_t fragments_nbytes)
{
    text_add(text, fragments, fragments_nbytes);
    report_text_summary(text, &run->totals, &plain_style);
    if (run->policy)
        report_text_expired_waivers(text, run->policy, run->verb, &plain_style);
    if (run->policy && run->waiver_uses)
        report_text_unused_waivers(text, run->policy, run->waiver_uses, &plain_style);
}

static void json_image(struct text *text, const struct outcome *outcome,
                       const struct report_settings *settings)
{
    (void)settings;
    report_json_image(text, outcome, true);
}

static void json_whole(struct text *text, const struct report_run *run, const char *fragments,
                       size_t fragments_nbytes)
{
    (void)run;
    report_json_begin(text);
    text_add(text, fragments, fragments_nbytes);
    report_json_end(text);
}

const struct report_format_row report_formats[REPORT_FORMAT_COUNT] = {
    [REPORT_TEXT] = {"", text_image, text_whole},
    [REPORT_JSON] = {",\n", json_image, json_whole},
    [REPORT_SARIF] = {"", sarif_image, sarif_whole},
    [REPORT_HTML] = {"", report_html_image, report_html_whole},
};
