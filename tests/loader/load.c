/* load.c - maps an image at a base that is not its own.
 * Takes: an image that image.c has read.  Gives: memory in which each section has its own rights, everything
 * beside the sections has none, and the headers are read-only. Must not: use any code of tool/. */
#include "load.h"

#include "bind.h"
#include "failure.h"
#include "guard.h"
#include "judge.h"
#include "relocate.h"
#include "system.h"

struct load loaded;

bool is_in_image(uintptr_t address)
{
    return loaded.memory && address >= loaded.base && address - loaded.base < loaded.image->nbytes;
}

uint8_t *load_at(uint64_t rva, size_t nbytes, const char *what)
{
    if (rva <= loaded.image->nbytes && nbytes <= loaded.image->nbytes - rva)
        return loaded.memory + rva;
    failure_add(what);
    give_up_saying(" leads out of the image");
}

static void copy_contents(const struct image *image)
{
    if (image->is_low_aligned) {
        memcpy(loaded.memory, image->file,
               image->file_nbytes < image->nbytes ? image->file_nbytes : image->nbytes);
        return;
    }
    memcpy(loaded.memory, image->file, image->headers_nbytes);
    for (unsigned i = 0; i < image->section_count; i++) {
        const struct section *section = &image->sections[i];

        if (section->raw_nbytes > 0)
            memcpy(load_at(section->rva, section->raw_nbytes, "a section"), image->file + section->raw_foff,
                   section->raw_nbytes);
    }
}

static void allow(uint32_t rva, uint32_t nbytes, unsigned rights)
{
    const uintptr_t begin = (loaded.base + rva) & ~(uintptr_t)(PAGE_NBYTES - 1);

    if (nbytes > 0 && !system_allow(begin, page_up(loaded.base + rva + nbytes) - begin, rights))
        give_up_saying("Linux does not give a section its rights");
}

static unsigned rights_of(const struct section *section)
{
    unsigned rights = 0;

    if (section->flags & SECTION_READ)
        rights |= MAY_READ;
    if (section->flags & SECTION_WRITE)
        rights |= MAY_WRITE;
    if (section->flags & SECTION_EXECUTE)
        rights |= MAY_EXECUTE;
    return rights;
}

static void give_rights(const struct image *image)
{
    if (image->is_low_aligned) { /* as the kernel does */
        allow(0, image->nbytes, MAY_READ | MAY_WRITE | MAY_EXECUTE);
        return;
    }
    allow(0, (uint32_t)page_up(image->nbytes), 0);
    allow(0, image->headers_nbytes, MAY_READ);
    for (unsigned i = 0; i < image->section_count; i++)
        allow(image->sections[i].rva, image->sections[i].nbytes, rights_of(&image->sections[i]));
}

void load_image(const struct image *image, uintptr_t base, bool is_strict, bool is_whole_pages)
{
    loaded =
        (struct load){.image = image, .base = base, .is_strict = is_strict, .is_whole_pages = is_whole_pages};
    if (is_strict)
        judge_sections(image);
    if (!system_reserve(base, page_up(image->nbytes)))
        give_up_saying("the base is not free");
    loaded.memory = (uint8_t *)base;
    allow(0, (uint32_t)page_up(image->nbytes), MAY_READ | MAY_WRITE);

    copy_contents(image);
    relocate();
    put_pointer(loaded.memory + image->base_field_rva, base);
    bind_imports();
    guard_fill_slots();
    give_rights(image);
}

void load_discard(void)
{
    const struct image *image = loaded.image;

    if (!loaded.is_strict) /* an original keeps what it asks for: what is compared is what it does */
        return;
    for (unsigned i = 0; i < image->section_count; i++) {
        const struct section *section = &image->sections[i];

        if ((section->flags & SECTION_DISCARDABLE) || text_is(section->name, "INIT"))
            allow(section->rva, section->nbytes, 0);
    }
}

void load_remove(void)
{
    if (loaded.memory)
        system_release(loaded.base, page_up(loaded.image->nbytes));
    loaded.memory = NULL;
}
