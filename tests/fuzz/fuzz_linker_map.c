/* fuzz_linker_map.c - any bytes as the map that a linker wrote of an image.
 * Takes: a text; it is read beside an image of two sections, for x64 and for x86.
 * Claims: names lie in the image, each place once and in ascending order; they have characters, and stand in
 * the text; a map that is refused has a reason; work and memory are linear. */
#include "fuzz.h"
#include "pdb/map_publics.h"

enum { MOST_NBYTES = 1 << 18 }; /* work is linear, so larger ones show nothing more */

static const struct work_limit reading = {
    .steps_per_byte = 300, .steps_constant = 20000, .memory_per_byte = 100, .memory_constant = 1 << 18};

static bool stands_in(struct span text, const char *name)
{
    size_t nbytes = strlen(name);
    for (size_t at = 0; range_fits(text.nbytes, at, nbytes); at++)
        if (memcmp(text.bytes + at, name, nbytes) == 0)
            return true;
    return false;
}

static void claim_names(const struct given_names *names, const struct image *image, struct span text)
{
    for (size_t i = 0; i < names->count; i++) {
        const struct given_name *given = &names->items[i];
        CLAIM(given->name && *given->name && strlen(given->name) <= FUNCTION_NAME_MOST_NBYTES,
              "name %zu of %zu", i, names->count);
        CLAIM(given->rva <= image->image_nbytes, "\"%s\" lies at 0x%X", given->name, given->rva);
        CLAIM(i == 0 || names->items[i - 1].rva < given->rva, "\"%s\" is out of order", given->name);
        if (i < 50)
            CLAIM(stands_in(text, given->name), "\"%s\" stands nowhere", given->name);
    }
}

static void read_beside(struct span text, uint16_t machine, uint64_t image_base_va)
{
    struct section sections[] = {{.rva = 0x1000, .memory_nbytes = 0x1000},
                                 {.index = 1, .rva = 0x2000, .memory_nbytes = 0x800}};
    struct arena arena;
    struct image image = {.arena = &arena,
                          .machine = machine,
                          .is_64 = machine == MACHINE_AMD64,
                          .image_base_va = image_base_va,
                          .image_nbytes = 0x3000,
                          .entry_rva = 0x1010,
                          .time_date_stamp = 0x5F000000,
                          .sections = sections,
                          .section_count = 2};
    struct given_names names;
    const char *why;
    arena_init(&arena, NULL);
    struct work work = work_begin(&arena);
    enum map_fit fit = map_publics_read(text, &image, &names, &why);
    work_end(&work, &arena, text.nbytes, &reading, "reading a map");
    CLAIM(fit != MAP_NO_MEMORY && (fit == MAP_FITS) == !why, "fit %d, %s", (int)fit, why ? why : "no reason");
    if (fit == MAP_FITS)
        claim_names(&names, &image, text);
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    struct span text = {data, nbytes};
    if (nbytes > MOST_NBYTES)
        return 0;
    read_beside(text, MACHINE_AMD64, UINT64_C(0x140000000));
    read_beside(text, MACHINE_I386, 0x10000);
    return 0;
}
