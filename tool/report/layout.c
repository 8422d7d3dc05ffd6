/* layout.c - colours, labels, wrapped paragraphs.
 * Takes: words.  Gives: lines.  Must not: decide what is said. */
#include "report/layout.h"

#include "report/safe_text.h"

#include <inttypes.h>
#include <string.h>

void layout_paint(struct text *text, const struct report_style *style, enum paint paint, const char *words)
{
    static const char *const codes[] = {
        [PAINT_ERROR] = "1;31", [PAINT_WARNING] = "1;33", [PAINT_NOTE] = "1;36",
        [PAINT_GOOD] = "1;32",  [PAINT_BAD] = "1;31",
    };
    if (style->color)
        text_printf(text, "\033[%sm%s\033[0m", codes[paint], words);
    else
        text_addz(text, words);
}

enum paint layout_level_paint(enum finding_level level)
{
    return level == LEVEL_ERROR ? PAINT_ERROR : level == LEVEL_WARNING ? PAINT_WARNING : PAINT_NOTE;
}

/* Characters, not bytes: continuation bytes of UTF-8 take no column, nor do our own colours (ESC to "m"). */
static size_t columns_of(const char *chars, size_t nbytes)
{
    size_t columns = 0;
    bool in_colour = false;
    for (size_t i = 0; i < nbytes; i++) {
        in_colour = in_colour || chars[i] == '\033';
        columns += !in_colour && ((unsigned char)chars[i] & 0xC0) != 0x80;
        in_colour = in_colour && chars[i] != 'm';
    }
    return columns;
}

void layout_wrap(struct text *text, size_t line_start, size_t indent, const char *words)
{
    struct text safe = {.arena = text->arena};
    safe_add(&safe, words);
    const char *at = safe.chars ? safe.chars : "";
    size_t column = text->chars ? columns_of(text->chars + line_start, text->nbytes - line_start) : 0;
    bool is_first_word = true;
    while (*at != 0) {
        size_t blank_count = strspn(at, " ");
        size_t word_nbytes = strcspn(at + blank_count, " ");
        size_t word_columns = columns_of(at + blank_count, word_nbytes);
        if (word_nbytes == 0)
            break;
        if (!is_first_word && column + blank_count + word_columns > LAYOUT_COLUMNS) {
            safe_end_line(text, line_start);
            line_start = text->nbytes;
            text_pad_to_column(text, line_start, indent);
            column = indent;
            blank_count = 0;
            at += strspn(at, " ");
        }
        if (is_first_word) {
            at += blank_count;
            blank_count = 0;
        }
        text_add(text, at, blank_count + word_nbytes);
        at += blank_count + word_nbytes;
        column += blank_count + word_columns;
        is_first_word = false;
    }
    safe_end_line(text, line_start);
}

void layout_labelled(struct text *text, const char *label, const char *words)
{
    if (!words || words[0] == 0)
        return;
    size_t line_start = text->nbytes;
    text_pad_to_column(text, line_start, LAYOUT_LABEL_INDENT);
    text_addz(text, label);
    text_pad_to_column(text, line_start, LAYOUT_LABEL_COLUMN);
    layout_wrap(text, line_start, LAYOUT_LABEL_COLUMN, words);
}

void layout_prose(struct text *text, size_t indent, const char *prose)
{
    while (*prose != 0) {
        size_t nbytes = strcspn(prose, "\n");
        char *line = arena_copy_text(text->arena, prose, nbytes);
        size_t line_start = text->nbytes;
        text_pad_to_column(text, line_start, indent);
        size_t hang = strncmp(prose, "- ", 2) == 0 ? 2 : 0;
        layout_wrap(text, line_start, indent + hang, line ? line : "");
        prose += nbytes + (prose[nbytes] == '\n');
    }
}

void layout_count(struct text *text, uint64_t count, const char *one, const char *many)
{
    text_printf(text, "%" PRIu64 " %s", count, count == 1 ? one : many);
}
