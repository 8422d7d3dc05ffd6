/* policy_lines.c - a policy file line by line, as inih can read it.
 * Takes: a text.  Gives: lines for inih, and a problem for each that it would misread.
 * Must not: know what a section, a name or a value means.
 * inih hands over names and values without their places, drops what is longer than its own fields, joins
 * lines that are indented to the line before, and says nothing of empty sections. So it gets each line
 * without its indent, a line that is too long for it is a problem, and behind the head of a section it gets
 * one line more, which is ours. */
#include "policy/policy_lines.h"

#include "base/utf16.h"

#include <ini.h>

enum {
    LONGEST_LINE_NBYTES = INI_MAX_LINE - 3, /* inih wants room for the end of the line and a NUL */
    LONGEST_NAME_NBYTES = 49                /* MAX_SECTION and MAX_NAME of inih, less a NUL */
};

struct policy_origin policy_line_place(const struct policy_lines *lines, size_t offset)
{
    return (struct policy_origin){.file = lines->file, .line = lines->line, .column = (unsigned)offset + 1};
}

void policy_complain_of_line(struct policy_lines *lines, const char *message)
{
    struct policy_origin origin = policy_line_place(lines, lines->indent_nbytes);
    policy_complain(lines->reader, &origin, HVCI9040_POLICY_INVALID, LEVEL_ERROR, "%s", message);
}

/* Takes the next line of the text; false behind the last. */
static bool take_line(struct policy_lines *lines)
{
    if (lines->next_offset >= lines->text.nbytes)
        return false;
    const char *chars = (const char *)lines->text.bytes + lines->next_offset;
    size_t left_nbytes = lines->text.nbytes - lines->next_offset;
    const char *end = memchr(chars, '\n', left_nbytes);
    size_t nbytes = end ? (size_t)(end - chars) : left_nbytes;
    lines->next_offset += nbytes + (end != NULL);
    lines->line++;
    if (nbytes != 0 && chars[nbytes - 1] == '\r')
        nbytes--;
    lines->chars = chars;
    lines->nbytes = nbytes;
    lines->indent_nbytes = 0;
    while (lines->indent_nbytes < nbytes &&
           (chars[lines->indent_nbytes] == ' ' || chars[lines->indent_nbytes] == '\t'))
        lines->indent_nbytes++;
    return true;
}

/* As inih sees it: a name ends at = or :, unless a comment (; behind a blank) begins before. */
static bool has_assignment(const char *chars, size_t nbytes)
{
    for (size_t i = 0; i < nbytes; i++) {
        if (chars[i] == '=' || chars[i] == ':')
            return true;
        if (chars[i] == ';' && i != 0 && (chars[i - 1] == ' ' || chars[i - 1] == '\t'))
            return false;
    }
    return false;
}

static bool is_blank_or_comment(const char *chars, size_t nbytes)
{
    while (nbytes != 0 && (*chars == ' ' || *chars == '\t')) {
        chars++;
        nbytes--;
    }
    return nbytes == 0 || *chars == ';' || *chars == '#';
}

/* Bytes that are no characters become others on their way to UTF-16. True when memory ran out. */
static bool is_utf8(struct policy_lines *lines, const char *chars, size_t nbytes)
{
    struct arena *arena = lines->reader->arena;
    size_t unit_count = 0, back_nbytes = 0;
    const uint16_t *units = utf16_from_utf8(chars, nbytes, arena, &unit_count);
    const char *back = units ? utf16_to_utf8(units, unit_count, arena, &back_nbytes) : NULL;
    return !back || (back_nbytes == nbytes && memcmp(back, chars, nbytes) == 0);
}

/* Can inih read this line as it is meant? Complains where it cannot. */
static bool is_readable(struct policy_lines *lines)
{
    const char *chars = lines->chars + lines->indent_nbytes;
    size_t nbytes = lines->nbytes - lines->indent_nbytes;
    if (memchr(chars, 0, nbytes)) {
        policy_complain_of_line(lines, "This line holds a NUL; a policy is a text in UTF-8.");
        return false;
    }
    if (memchr(chars, '\r', nbytes)) { /* what stands behind it would be taken for part of this line */
        policy_complain_of_line(lines,
                                "A carriage return stands inside this line; lines end with LF or CR LF.");
        return false;
    }
    if (is_blank_or_comment(chars, nbytes))
        return true;
    if (nbytes > LONGEST_LINE_NBYTES) {
        policy_complain_of_line(lines, "This line is too long: at most 197 bytes.");
        return false;
    }
    if (!is_utf8(lines, chars, nbytes)) {
        policy_complain_of_line(lines, "This line is not UTF-8: save the file in that encoding.");
        return false;
    }
    if (chars[0] != '[') {
        if (has_assignment(chars, nbytes))
            return true;
        policy_complain_of_line(lines, "This line is no [section], no \"key = value\" and no comment.");
        return false;
    }
    const char *close = memchr(chars, ']', nbytes);
    const char *wrong =
        !close                                    ? "The name of a section ends with ]."
        : close - chars > LONGEST_NAME_NBYTES + 1 ? "The name of this section is too long: at most 49 bytes."
        : !is_blank_or_comment(close + 1, nbytes - (size_t)(close + 1 - chars))
            ? "Behind the ] of a section only a comment may stand: keys have lines of their own."
            : NULL;
    if (wrong)
        policy_complain_of_line(lines, wrong);
    return !wrong;
}

char *policy_give_line(char *buffer, int size, void *context)
{
    struct policy_lines *lines = context;
    if (lines->owes_section_line) {
        lines->owes_section_line = false;
        snprintf(buffer, (size_t)size, "%s=1\n", POLICY_SECTION_BEGINS);
        return buffer;
    }
    if (!take_line(lines))
        return NULL;
    const char *chars = lines->chars + lines->indent_nbytes;
    size_t nbytes = lines->nbytes - lines->indent_nbytes;
    bool is_readable_line = is_readable(lines);
    bool is_long_comment = nbytes > LONGEST_LINE_NBYTES;
    if (!is_readable_line || is_long_comment || nbytes + 2 > (size_t)size)
        nbytes = 0; /* an empty line in its place */
    memcpy(buffer, chars, nbytes);
    buffer[nbytes] = '\n';
    buffer[nbytes + 1] = 0;
    lines->owes_section_line = nbytes != 0 && chars[0] == '[' && memchr(chars, ']', nbytes) != NULL;
    return buffer;
}
