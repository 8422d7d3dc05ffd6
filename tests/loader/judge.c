/* judge.c - what memory integrity demands of an image's layout.
 * Takes: the image that is about to be loaded.  Gives: the first thing that is wrong with it, by giving up.
 * Must not: trust that the image was repaired. */
#include "judge.h"

#include "failure.h"
#include "load.h"

static _Noreturn void wrong(const struct section *section, const char *words)
{
    failure_add("section ");
    failure_add(section->name);
    give_up_saying(words);
}

/* Headers and sections take whole units of SectionAlignment, a power of two that may be larger than a page.
 */
static uint64_t aligned_up(const struct image *image, uint64_t value)
{
    return (value + image->alignment - 1) & ~((uint64_t)image->alignment - 1);
}

void judge_sections(const struct image *image)
{
    if (image->is_low_aligned || (image->alignment & (image->alignment - 1)) != 0)
        give_up_saying("sections are not aligned to pages");
    uint64_t end = aligned_up(image, image->headers_nbytes);

    for (unsigned i = 0; i < image->section_count; i++) {
        const struct section *section = &image->sections[i];

        if (section->rva % image->alignment != 0)
            wrong(section, " does not begin at a multiple of SectionAlignment");
        if (section->rva != end)
            wrong(section, i == 0 ? " does not begin behind the headers"
                                  : " does not begin where the one before it ends");
        if ((section->flags & SECTION_WRITE) && (section->flags & SECTION_EXECUTE))
            wrong(section, " is writable and executable");
        if ((section->flags & SECTION_EXECUTE) && page_up(section->raw_nbytes) < section->nbytes)
            wrong(section, " is executable and has pages that the file does not fill");
        end += aligned_up(image, section->nbytes);
    }
    if (end != aligned_up(image, image->nbytes))
        give_up_saying("SizeOfImage is not where the last section ends");
}

void judge_written(uint32_t rva, const char *what)
{
    const struct section *section = image_section_at(loaded.image, rva);

    if (!loaded.is_strict || (section && !(section->flags & (SECTION_EXECUTE | SECTION_DISCARDABLE))))
        return;
    failure_add(what);
    failure_add(" is in an executable or discarded section: ");
    failure_add_rva(rva);
    give_up();
}

void judge_import_slot(uint32_t rva)
{
    const struct directory table = loaded.image->directories[DIRECTORY_IAT];

    judge_written(rva, "an import slot");
    if (!loaded.is_strict || table.nbytes == 0 || (rva >= table.rva && rva - table.rva < table.nbytes))
        return;
    failure_add("an import slot is outside the import address table: ");
    failure_add_rva(rva);
    give_up();
}

bool judge_table_is_writable(const struct image *image)
{
    const struct section *section = image_section_at(image, image->directories[DIRECTORY_IAT].rva);

    return image->is_low_aligned || (section && (section->flags & SECTION_WRITE));
}
