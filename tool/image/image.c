/* image.c - from bytes to the model, step by step.
 * Takes: the bytes of one file.  Gives: struct image, or the finding that refuses it.
 * Must not: follow tables below the data directories, or judge. */
#include "image/image_stages.h"

bool image_refuse(struct image *image, struct finding *error, enum finding_code code, uint64_t foff,
                  const char *cure, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    *error = finding_make(image->arena, code, LEVEL_ERROR, "%s", "");
    error->message = arena_vprintf(image->arena, format, arguments);
    va_end(arguments);
    error->file_offset = foff;
    error->cure = cure;
    return image->arena->exhausted ? image_out_of_memory(image, error) : false;
}

bool image_out_of_memory(struct image *image, struct finding *error)
{
    (void)image;
    *error = (struct finding){
        .code = HVCI9008_OUT_OF_MEMORY,
        .level = LEVEL_ERROR,
        .rva = NO_RVA,
        .file_offset = NO_FILE_OFFSET,
        .place_count = 1,
        .message = "There was not enough memory to read this image.",
        .cure = "Run on a machine with more free memory, or judge fewer images at a time.",
    };
    return false;
}

bool image_note(struct image *image, enum finding_code code, uint64_t foff, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    struct finding note = finding_make(image->arena, code, LEVEL_NOTE, "%s", "");
    note.message = arena_vprintf(image->arena, format, arguments);
    va_end(arguments);
    note.file_offset = foff;
    return finding_add(&image->notes, &note);
}

const char *image_printable(struct arena *arena, const uint8_t *bytes, size_t nbytes)
{
    static const char hex[] = "0123456789ABCDEF";
    char *text = arena_array(arena, nbytes + 1, 4); /* \xNN is the longest form of a byte */
    if (!text)
        return NULL;
    char *end = text;
    for (size_t i = 0; i < nbytes; i++) {
        uint8_t byte = bytes[i];
        if (byte >= 0x20 && byte < 0x7F && byte != '\\') {
            *end++ = (char)byte;
        } else {
            *end++ = '\\';
            *end++ = 'x';
            *end++ = hex[byte >> 4];
            *end++ = hex[byte & 15];
        }
    }
    *end = 0;
    return text;
}

bool image_read(struct span file, struct arena *arena, struct image *image, struct finding *error)
{
    *image = (struct image){.file = file, .arena = arena, .notes = {.arena = arena}};

    if (!image_read_headers(image, error))
        return false;
    /* From here on every fixed header field is known and the section table lies inside the file. */
    if (!image_read_sections(image, error))
        return false;
    /* From here on RVAs and file offsets can be converted. */
    if (!image_read_regions(image, error))
        return false;
    /* From here on every byte of the file belongs to one region. */
    if (!image_decide_role(image, error))
        return false;
    return arena->exhausted ? image_out_of_memory(image, error) : true;
}
