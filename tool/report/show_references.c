/* show_references.c - every place that holds an address, one line each.
 * Takes: an outcome.  Gives: text.  Must not: judge, or use printf once a reference (there may be 10^6). */
#include "report/digits.h"
#include "report/layout.h"
#include "report/safe_text.h"
#include "report/show_lists.h"

enum {
    SITE_COLUMN = 2,
    SOURCE_COLUMN = 22,
    ENCODING_COLUMN = 42,
    WIDTH_COLUMN = 63,
    TARGET_COLUMN = 67,
    WHERE_COLUMN = 77
};

const struct section *reference_section(const struct image *image, const struct ref *ref, uint32_t *offset)
{
    const struct section *section = NULL;
    *offset = 0;
    if (ref->encoding == REF_SECTION_INDEX)
        return ref->target != 0 && ref->target <= image->section_count ? &image->sections[ref->target - 1]
                                                                       : NULL;
    if (ref->encoding == REF_FOFF) {
        section = image_section_at_foff(image, ref->target);
        *offset = section ? ref->target - section->raw_foff : 0;
        return section;
    }
    if (ref->state == REF_RESOLVED)
        section = image_section_at_rva(image, ref->target);
    *offset = section ? ref->target - section->rva : 0;
    return section;
}

static void add_where(struct text *text, const struct image *image, const struct ref *ref)
{
    uint32_t offset;
    const struct section *section = reference_section(image, ref, &offset);
    if (!section) {
        text_addz(text, ref_state_name((enum ref_state)ref->state));
        return;
    }
    safe_add(text, section->name);
    text_addz(text, "+0x");
    digits_hex(text, offset, 1);
    if (ref->state != REF_RESOLVED) {
        text_addz(text, ", ");
        text_addz(text, ref_state_name((enum ref_state)ref->state));
    }
}

static void add_reference(struct text *text, const struct image *image, const struct ref *ref)
{
    size_t line_start = text->nbytes;
    text_addz(text, "  ");
    if (ref->site_rva == NO_RVA)
        text_addz(text, "-       ");
    else
        digits_hex(text, ref->site_rva, 8);
    text_addz(text, "  ");
    digits_hex(text, ref->site_foff, 8);
    text_pad_to_column(text, line_start, SOURCE_COLUMN);
    text_addz(text, ref_source_name((enum ref_source)ref->source));
    text_pad_to_column(text, line_start, ENCODING_COLUMN);
    text_addz(text, ref_encoding_name((enum ref_encoding)ref->encoding));
    text_pad_to_column(text, line_start, WIDTH_COLUMN);
    digits_decimal(text, ref->width_nbytes);
    text_pad_to_column(text, line_start, TARGET_COLUMN);
    digits_hex(text, ref->target, 8);
    text_pad_to_column(text, line_start, WHERE_COLUMN);
    add_where(text, image, ref);
    if (ref->source == SOURCE_CODE) {
        text_addz(text, ", ");
        text_addz(text, ref_access_name((enum ref_access)ref->access));
    }
    safe_end_line(text, line_start);
}

void show_references(struct text *text, const struct outcome *outcome, const struct report_style *style)
{
    const struct refset *refs = &outcome->refs;
    size_t line_start = text->nbytes;
    safe_add_path(text, outcome->path);
    text_addz(text, ": ");
    layout_count(text, refs->ref_count, "reference", "references");
    safe_end_line(text, line_start);
    line_start = text->nbytes;
    static const struct {
        size_t column;
        const char *title;
    } titles[] = {
        {SITE_COLUMN, "at RVA    at offset"},
        {SOURCE_COLUMN, "source"},
        {ENCODING_COLUMN, "encoding"},
        {WIDTH_COLUMN, "nb"},
        {TARGET_COLUMN, "target"},
        {WHERE_COLUMN, "which is"},
    };
    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++) {
        text_pad_to_column(text, line_start, titles[i].column);
        text_addz(text, titles[i].title);
    }
    safe_end_line(text, line_start);
    for (size_t i = 0; i < refs->ref_count; i++)
        add_reference(text, &outcome->image, &refs->refs[i]);
    if (!style->quiet)
        show_unread(text, refs);
}
