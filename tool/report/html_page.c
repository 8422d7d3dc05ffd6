/* html_page.c - the page: head, summary, tables of images, details.
 * Takes: the fragments of the images, what is known of the run.  Gives: a whole page.  Must not: judge. */
#include "report/html_parts.h"
#include "report/html_text.h"
#include "version.h"

static bool read_length(const char *digits, size_t *value)
{
    *value = 0;
    for (unsigned i = 0; i < 8; i++) {
        char c = digits[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'F')))
            return false;
        *value = *value << 4 | (size_t)(c <= '9' ? c - '0' : c - 'A' + 10);
    }
    return true;
}

struct fragment {
    enum html_group group;
    const char *path, *cells, *details;
    size_t path_nbytes, cells_nbytes, details_nbytes;
};

/* Reads the fragment at *at and goes on behind it; false at the end, and when what is there is none. */
static bool next_fragment(const char *fragments, size_t nbytes, size_t *at, struct fragment *fragment)
{
    if (*at >= nbytes || nbytes - *at < HTML_FRAGMENT_HEAD_NBYTES)
        return false;
    const char *head = fragments + *at;
    size_t left = nbytes - *at - HTML_FRAGMENT_HEAD_NBYTES;
    *fragment = (struct fragment){.group = (enum html_group)(head[0] - '0')};
    if (head[0] < '0' || head[0] >= '0' + HTML_GROUP_COUNT ||
        !read_length(head + 1, &fragment->path_nbytes) || !read_length(head + 9, &fragment->cells_nbytes) ||
        !read_length(head + 17, &fragment->details_nbytes) || fragment->path_nbytes > left ||
        fragment->cells_nbytes > left - fragment->path_nbytes ||
        fragment->details_nbytes > left - fragment->path_nbytes - fragment->cells_nbytes)
        return false;
    fragment->path = head + HTML_FRAGMENT_HEAD_NBYTES;
    fragment->cells = fragment->path + fragment->path_nbytes;
    fragment->details = fragment->cells + fragment->cells_nbytes;
    *at = (size_t)(fragment->details + fragment->details_nbytes - fragments);
    return true;
}

struct page {
    struct text *text;
    const char *fragments;
    size_t nbytes;
    size_t counts[HTML_GROUP_COUNT];
    size_t most_details_nbytes;
    bool *has_details; /* of each image; details are given out by group while there is room */
};

/* How the images divide into groups, and which of them get their details. False: memory ran out. */
static bool divide(struct page *page)
{
    size_t count = 0, at = 0, room = page->most_details_nbytes;
    struct fragment fragment;
    while (next_fragment(page->fragments, page->nbytes, &at, &fragment)) {
        page->counts[fragment.group]++;
        count++;
    }
    page->has_details = arena_array(page->text->arena, count + 1, sizeof *page->has_details);
    if (!page->has_details)
        return false;
    for (unsigned group = 0; group < HTML_CLEAN; group++) {
        at = 0;
        for (size_t i = 0; next_fragment(page->fragments, page->nbytes, &at, &fragment); i++) {
            if (fragment.group != group || fragment.details_nbytes > room)
                continue;
            page->has_details[i] = true;
            room -= fragment.details_nbytes;
        }
    }
    return true;
}

static void add_row(struct page *page, size_t number, const struct fragment *fragment)
{
    struct text *text = page->text;
    text_addz(text, "<tr><td>");
    if (page->has_details[number])
        text_printf(text, "<a href=\"#image-%zu\">", number + 1);
    text_add(text, fragment->path, fragment->path_nbytes);
    text_addz(text, page->has_details[number] ? "</a></td>" : "</td>");
    text_add(text, fragment->cells, fragment->cells_nbytes);
    text_addz(text, "</tr>\n");
}

static void add_table(struct page *page, enum html_group group)
{
    static const char *const headings[HTML_GROUP_COUNT] = {"Images that need attention", "Repaired images",
                                                           "Images with remarks", "Clean images"};
    struct text *text = page->text;
    struct fragment fragment;
    size_t at = 0;
    if (page->counts[group] == 0)
        return;
    text_printf(text, "<h2 id=\"group-%d\">%s <span class=\"of\">", (int)group, headings[group]);
    html_number(text, page->counts[group]);
    text_printf(text,
                "</span></h2>\n<div class=\"scroll\" role=\"group\" aria-label=\"%s\" tabindex=\"0\"><table "
                "class=\"images%s\"><thead><tr><th>Image</th>"
                "<th>Result</th><th>Kind</th>%s</tr></thead><tbody>\n",
                headings[group], group == HTML_CLEAN ? " clean" : "",
                group == HTML_CLEAN ? "" : "<th>Findings</th><th>Codes</th>");
    for (size_t i = 0; next_fragment(page->fragments, page->nbytes, &at, &fragment); i++)
        if (fragment.group == group)
            add_row(page, i, &fragment);
    text_addz(text, "</tbody></table></div>\n");
}

static void say_what_is_left_out(struct page *page)
{
    size_t left_out_count = 0, at = 0;
    struct fragment fragment;
    for (size_t i = 0; next_fragment(page->fragments, page->nbytes, &at, &fragment); i++)
        left_out_count += fragment.group != HTML_CLEAN && !page->has_details[i];
    if (left_out_count == 0)
        return;
    text_addz(page->text,
              "<p class=\"left-out\">To keep this page at a size that browsers manage, the details of ");
    html_count(page->text, left_out_count, "image", "images");
    text_addz(page->text,
              " are left out. The JSON and SARIF reports have them all, and so has an HTML report "
              "on fewer images.</p>\n");
}

static void add_images(struct page *page)
{
    struct text *text = page->text;
    for (unsigned group = 0; group < HTML_CLEAN; group++) {
        struct fragment fragment;
        size_t at = 0;
        for (size_t i = 0; next_fragment(page->fragments, page->nbytes, &at, &fragment); i++) {
            if (fragment.group != group || !page->has_details[i])
                continue;
            text_printf(text, "<section class=\"image\" id=\"image-%zu\"><h2>", i + 1);
            text_add(text, fragment.path, fragment.path_nbytes);
            text_addz(text, "</h2>\n");
            text_add(text, fragment.details, fragment.details_nbytes);
            text_printf(text, "<p class=\"back\"><a href=\"#group-%u\">Back to the table</a></p></section>\n",
                        group);
        }
    }
}

static void add_head(struct page *page, const struct report_run *run)
{
    struct text *text = page->text;
    text_addz(text,
              "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
              /* Nothing may be fetched or run, whatever an image or a policy calls itself. */
              "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
              "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
              "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
              "<meta name=\"color-scheme\" content=\"light dark\">\n"
              "<meta name=\"referrer\" content=\"no-referrer\">\n"
              "<link rel=\"icon\" href=\"data:,\">\n<title>hvcifix: ");
    if (page->counts[HTML_ATTENTION] != 0) {
        html_number(text, page->counts[HTML_ATTENTION]);
        text_addz(text, " of ");
    }
    html_count(text, run->totals.images, "image", "images");
    text_addz(text, page->counts[HTML_ATTENTION] == 0   ? ", none needs attention"
                    : page->counts[HTML_ATTENTION] == 1 ? " needs attention"
                                                        : " need attention");
    text_addz(text, "</title>\n<style>\n");
    for (const char *const *line = html_style; *line; line++)
        text_addz(text, *line);
    text_addz(text, "</style>\n</head>\n<body>\n");
}

void report_html_whole_within(struct text *text, const struct report_run *run, const char *fragments,
                              size_t fragments_nbytes, size_t most_details_nbytes)
{
    struct page page = {
        .text = text,
        .fragments = fragments,
        .nbytes = fragments_nbytes,
        .most_details_nbytes = most_details_nbytes,
    };
    size_t start_nbytes = text->nbytes;
    if (!divide(&page))
        return;
    add_head(&page, run);
    html_summary(text, run, page.counts[HTML_ATTENTION]);
    say_what_is_left_out(&page);
    for (unsigned group = 0; group < HTML_GROUP_COUNT; group++)
        add_table(&page, (enum html_group)group);
    text_addz(text, "</nav>\n");
    add_images(&page);
    text_addz(text, "</main>\n<footer><p>Made by hvcifix " HVCIFIX_VERSION
                    ". “hvcifix explain” with a code tells all about it.</p></footer>\n</body>\n</html>\n");
    text_cut_if_exhausted(text, start_nbytes);
}

void report_html_whole(struct text *text, const struct report_run *run, const char *fragments,
                       size_t fragments_nbytes)
{
    report_html_whole_within(text, run, fragments, fragments_nbytes, REPORT_HTML_DETAILS_NBYTES);
}
