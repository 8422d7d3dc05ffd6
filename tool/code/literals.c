/* literals.c - reading text between code.
 * Takes and gives: see literals.h. */
#include "code/literals.h"

#include "code/code_bytes.h"

enum {
    LEAST_CHARACTERS = 2,
    MOST_CHARACTERS = 1024,
    MOST_FILL_NBYTES = 15 /* zeros up to what is aligned behind it; more of them are room in a buffer */
};

/* The reader's own classes have more bits. */
static bool is_code_byte(uint8_t byte_class)
{
    uint8_t bare = byte_class & CLASS_MASK;
    return bare == BYTE_INSTRUCTION || bare == BYTE_INSTRUCTION_TAIL;
}

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

/* The last letter of a text of single bytes and its zero look like one wide letter. Two letters side by side
 * in front of them show what they are. */
static bool ends_narrow_text(struct span bytes, const uint8_t *classes, size_t at)
{
    for (size_t back = 2; back <= 4; back++)
        if (at < back || is_code_byte(classes[at - back]) || !is_printable(bytes.bytes[at - back]))
            return false;
    return bytes.bytes[at - 1] == 0;
}

/* The address leads into a text, not to its begin. */
static bool continues_text(struct span bytes, const uint8_t *classes, size_t at, unsigned width)
{
    if (at < width || is_code_byte(classes[at - 1]) || (width == 2 && ends_narrow_text(bytes, classes, at)))
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

uint32_t literal_nbytes(struct span bytes, const uint8_t *classes, size_t at)
{
    for (unsigned width = 1; width <= 2; width++) {
        uint32_t length = text_length(bytes, at, width);
        size_t end = at + ((size_t)length + 1) * width;
        if (length < LEAST_CHARACTERS || continues_text(bytes, classes, at, width) || !is_full(bytes, end))
            continue;
        bool is_data = true;
        for (size_t i = at; i < end; i++)
            is_data &= !is_code_byte(classes[i]);
        if (is_data)
            return (uint32_t)(end - at);
    }
    return 0;
}

bool code_literal_at(const struct image *image, const struct code_map *code, uint32_t rva, uint32_t *nbytes)
{
    const struct code_section *place = code_section_at(code, rva);
    struct span bytes;
    if (!place || !image_bytes_at_rva(image, place->rva, place->nbytes, &bytes))
        return false;
    /* The file's padding behind the section is no content. */
    const struct section *section = &image->sections[place->section];
    if (section->virtual_size != 0 && section->virtual_size < bytes.nbytes)
        bytes.nbytes = section->virtual_size;
    *nbytes = literal_nbytes(bytes, place->classes, rva - place->rva);
    return *nbytes != 0;
}

void literals_classify(const struct image *image, const struct refset *refs, struct code_map *code)
{
    for (size_t i = 0; i < refs->ref_count; i++) {
        const struct ref *ref = &refs->refs[i];
        uint32_t nbytes;
        bool is_address =
            ref->source == SOURCE_RELOCATED || (ref->source == SOURCE_CODE && ref->access == ACCESS_ADDRESS);
        if (!is_address || ref->state != REF_RESOLVED || code_class_at(code, ref->target) != BYTE_UNKNOWN ||
            !code_literal_at(image, code, ref->target, &nbytes) || nbytes < LEAST_NAMED_LITERAL_NBYTES)
            continue;
        const struct code_section *section = code_section_at(code, ref->target);
        uint8_t *classes = section->classes + (ref->target - section->rva);
        for (uint32_t k = 0; k < nbytes; k++) {
            code->class_counts[classes[k]]--;
            code->class_counts[BYTE_DATA]++;
            classes[k] = BYTE_DATA;
        }
    }
}
