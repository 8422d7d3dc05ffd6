/* section_writes_literal.c - is there a string literal at an address of the section?
 * Takes: the address.  Gives: yes, or no.  Must not: take a variable that holds text for a literal where the
 * bytes tell them apart.
 *
 * Compilers for drivers put the literals of a function beside its code (the driver kits' -cbstring), and so
 * into INIT. The C language forbids to write to them, and the decoded code that takes the address is followed
 * as far as it can be seen; that nobody writes to one behind it is assumed (docs/ASSUMPTIONS.md). A variable
 * is mostly larger than its text, or is written by a decoded store. */
#include "code/section_writes_internal.h"

#include <string.h>

enum {
    LEAST_CHARACTERS = 2,
    MOST_CHARACTERS = 4096,
    MOST_FILL_NBYTES = 15 /* zeros up to what is aligned behind it; more of them are room in a buffer */
};

static bool is_printable(unsigned character)
{
    return (character >= 0x20 && character < 0x7F) || character == '\t' || character == '\r' ||
           character == '\n';
}

/* The characters of `width` bytes from `at` on; 0 when they do not end with a zero. */
static uint32_t text_length(struct span bytes, size_t at, unsigned width)
{
    for (uint32_t length = 0; length < MOST_CHARACTERS; length++) {
        size_t place = at + (size_t)length * width;
        if (!range_fits(bytes.nbytes, place, width))
            return 0;
        unsigned character = width == 1 ? bytes.bytes[place] : load_u16(bytes.bytes + place);
        if (character == 0)
            return length;
        if (!is_printable(character))
            return 0;
    }
    return 0;
}

/* The address leads into a text, not to its begin. */
static bool continues_text(struct span bytes, const uint8_t *classes, size_t at, unsigned width)
{
    if (at < width || classes[at - 1] == BYTE_INSTRUCTION || classes[at - 1] == BYTE_INSTRUCTION_TAIL)
        return false;
    return is_printable(width == 1 ? bytes.bytes[at - 1] : load_u16(bytes.bytes + at - 2));
}

/* Behind the literal lies something else, after no more zeros than an alignment needs. */
static bool is_full(struct span bytes, size_t end)
{
    for (uint32_t i = 0; i <= MOST_FILL_NBYTES; i++)
        if (end + i >= bytes.nbytes || bytes.bytes[end + i] != 0)
            return true;
    return false;
}

/* Other sections that are writable and executable hold variables too, by some /MERGE. */
static bool holds_start_code(const struct section *section)
{
    return strcmp(section->raw_name, "INIT") == 0 && (section->characteristics & SCN_MEM_DISCARDABLE) &&
           (section->characteristics & SCN_CNT_CODE);
}

bool judge_is_literal(const struct judge *judge, uint32_t rva)
{
    const struct section *section = judge->section;
    const struct code_section *code = code_section_at(judge->code, rva);
    struct span bytes;
    if (!code || code->rva != section->rva || !holds_start_code(section) ||
        !image_bytes_at_rva(judge->image, code->rva, code->nbytes, &bytes))
        return false;
    /* The file's padding behind the section is no content. */
    if (section->virtual_size != 0 && section->virtual_size < bytes.nbytes)
        bytes.nbytes = section->virtual_size;
    size_t at = rva - code->rva;
    for (unsigned width = 1; width <= 2; width++) {
        uint32_t length = text_length(bytes, at, width);
        size_t end = at + ((size_t)length + 1) * width;
        if (length < LEAST_CHARACTERS || continues_text(bytes, code->classes, at, width) ||
            !is_full(bytes, end))
            continue;
        bool is_data = true;
        for (size_t i = at; i < end; i++)
            is_data &= code->classes[i] != BYTE_INSTRUCTION && code->classes[i] != BYTE_INSTRUCTION_TAIL;
        if (is_data)
            return true;
    }
    return false;
}
