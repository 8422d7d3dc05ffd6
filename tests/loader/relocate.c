/* relocate.c - base relocations.
 * Takes: the loaded image, still writable.  Gives: fields as they are at this base.  Must not: touch anything
 * else. */
#include "relocate.h"

#include "failure.h"
#include "load.h"

enum relocation_type { ABSOLUTE = 0, HIGHLOW = 3, DIR64 = 10 };

static const char what[] = "a relocation";

static void apply(uint32_t rva, unsigned type)
{
    const uint64_t distance = loaded.base - loaded.image->own_base;
    const size_t nbytes = type == DIR64 ? 8 : 4;

    if (type != HIGHLOW && type != DIR64) {
        failure_add("a relocation of unknown type at ");
        failure_add_rva(rva);
        give_up();
    }
    uint8_t *field = load_at(rva, nbytes, what);
    if (loaded.is_whole_pages && rva % PAGE_NBYTES > PAGE_NBYTES - nbytes) {
        failure_add("a relocation straddles a page boundary at ");
        failure_add_rva(rva);
        give_up();
    }
    if (type == DIR64) {
        const uint64_t value = get64(field) + distance;

        memcpy(field, &value, sizeof(value));
    } else {
        const uint32_t value = get32(field) + (uint32_t)distance;

        memcpy(field, &value, sizeof(value));
    }
}

void relocate(void)
{
    const struct directory directory = loaded.image->directories[DIRECTORY_RELOCATIONS];
    uint32_t at = 0;

    if (loaded.base == loaded.image->own_base)
        return;
    if (loaded.image->is_fixed)
        give_up_saying("the image cannot be relocated");
    while (directory.nbytes - at >= 8) {
        const uint8_t *block = load_at((uint64_t)directory.rva + at, 8, what);
        const uint32_t page = get32(block), nbytes = get32(block + 4);

        if (nbytes < 8 || nbytes > directory.nbytes - at)
            give_up_saying("a block of relocations has no possible size");
        for (uint32_t i = 8; i + 2 <= nbytes; i += 2) {
            const uint16_t entry = get16(block + i);

            if (entry >> 12 != ABSOLUTE)
                apply(page + (entry & 0xfffu), entry >> 12);
        }
        at += nbytes;
    }
}
