/* literal_bytes.c - string literals in sections that are not written.
 * Takes: bytes.  Gives: which of them are text that ends with a zero.  Must not: judge who refers to it.
 *
 * Nobody forms a pointer in front of a literal or far behind it to pass it on; an index may be folded into
 * its address like into any other. */
#include "plan/literal_bytes.h"

enum {
    LEAST_CHARACTERS = 4,
    LEAST_WIDE_CHARACTERS = 2,
    FILL_ALIGNMENT = 16 /* fill up to a multiple of this belongs to the literal before it */
};

static bool is_printable(unsigned character)
{
    return (character >= 0x20 && character < 0x7F) || character == '\t' || character == '\r' ||
           character == '\n';
}

/* The offset behind the last character of `width` bytes from `at` on. */
static size_t text_end(struct span bytes, size_t at, unsigned width)
{
    while (range_fits(bytes.nbytes, at, width) &&
           is_printable(width == 1 ? bytes.bytes[at] : load_u16(bytes.bytes + at)))
        at += width;
    return at;
}

static bool ends_with_zero(struct span bytes, size_t end, unsigned width)
{
    return range_fits(bytes.nbytes, end, width) && bytes.bytes[end] == 0 &&
           (width == 1 || bytes.bytes[end + 1] == 0);
}

/* Zeros, then what assemblers fill code sections with. */
static size_t skip_fill(struct span bytes, size_t at)
{
    while (at < bytes.nbytes && at % FILL_ALIGNMENT != 0 && bytes.bytes[at] == 0)
        at++;
    while (at < bytes.nbytes && at % FILL_ALIGNMENT != 0 && bytes.bytes[at] == 0xCC)
        at++;
    return at;
}

/* The literal that begins at `at`, without its fill; its end, or `at` when there is none. *tried_end: nothing
 * that begins before this place is one either. */
static size_t literal_end(struct span bytes, size_t at, size_t *tried_end)
{
    *tried_end = at + 1;
    for (unsigned width = 2; width >= 1; width--) {
        size_t end = text_end(bytes, at, width);
        size_t least = width == 1 ? LEAST_CHARACTERS : LEAST_WIDE_CHARACTERS;
        if (end > *tried_end)
            *tried_end = end;
        if (end - at >= least * width && ends_with_zero(bytes, end, width))
            return end + width;
    }
    return at;
}

static void mark_section(struct literal_bytes *all, const struct image *image, const struct section *section,
                         const struct site_set *excluded)
{
    struct span bytes;
    if (!span_part(image->file, section->raw_foff, section->file_nbytes, &bytes))
        return;
    for (size_t at = 0, tried_end; at < bytes.nbytes;) {
        if (site_set_has(excluded, (uint64_t)section->raw_foff + at)) {
            at++;
            continue;
        }
        size_t end = literal_end(bytes, at, &tried_end);
        for (size_t i = at; i < end; i++)
            if (site_set_has(excluded, (uint64_t)section->raw_foff + i))
                end = at; /* it runs into code, or into a table */
        if (end == at) {
            at = tried_end;
            continue;
        }
        site_set_add(&all->begins, (uint64_t)section->raw_foff + at);
        end = skip_fill(bytes, end);
        for (; at < end; at++)
            site_set_add(&all->bytes, (uint64_t)section->raw_foff + at);
    }
}

bool literal_bytes_find(struct literal_bytes *all, const struct image *image, struct arena *arena,
                        const struct site_set *excluded)
{
    if (!site_set_init(&all->bytes, arena, image->file.nbytes) ||
        !site_set_init(&all->begins, arena, image->file.nbytes))
        return false;
    for (uint32_t i = 0; i < image->section_count; i++)
        if (!(image->sections[i].characteristics & SCN_MEM_WRITE))
            mark_section(all, image, &image->sections[i], excluded);
    return true;
}
