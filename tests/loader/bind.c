/* bind.c - the imports of the loaded image.
 * Takes: its import descriptors.  Gives: filled slots.  Must not: write into executable pages of a strict
 * load. */
#include "bind.h"

#include "failure.h"
#include "judge.h"
#include "kernel.h"
#include "load.h"
#include "text.h"

#define UNKNOWN_LIMIT 3800u
#define UNKNOWN_STEP 16u
#define SLOT_NBYTES sizeof(uintptr_t)
#define BY_NUMBER ((uintptr_t)1 << (8 * sizeof(uintptr_t) - 1))

static const char what[] = "an import";
static const char by_number[] = "an import by number";
static uint8_t unknown_room[UNKNOWN_LIMIT][UNKNOWN_STEP] __attribute__((aligned(4096))); /* not executable */
static const char *unknown_names[UNKNOWN_LIMIT]; /* copies: the image's own are mostly in INIT */
static char name_chars[0x20000];
static struct text names;
static unsigned unknown_count;

const char *bind_unknown_name(uintptr_t address)
{
    const uintptr_t place = (address - (uintptr_t)unknown_room) / UNKNOWN_STEP;

    return address >= (uintptr_t)unknown_room && place < unknown_count ? unknown_names[place] : NULL;
}

static uintptr_t unknown(const char *name)
{
    if (unknown_count == UNKNOWN_LIMIT)
        give_up_saying("too many imports");
    unknown_names[unknown_count] = names.chars + names.count;
    text_add(&names, name);
    text_add_some(&names, "", 1);
    if (names.is_cut)
        give_up_saying("the names of the imports are too long");
    return (uintptr_t)unknown_room[unknown_count++];
}

static uintptr_t imported(uintptr_t lookup)
{
    if (lookup & BY_NUMBER)
        return unknown(by_number);
    const char *name = (const char *)load_at((uint64_t)lookup + 2, 1, what);
    const uintptr_t address = kernel_address(name);
    return address ? address : unknown(name);
}

void bind_imports(void)
{
    const struct directory directory = loaded.image->directories[DIRECTORY_IMPORT];

    unknown_count = 0;
    names = TEXT_IN(name_chars);
    memset(unknown_room, 0, sizeof(unknown_room));
    for (uint64_t rva = directory.rva; directory.nbytes > 0; rva += 20) {
        const uint8_t *descriptor = load_at(rva, 20, what);
        const uint32_t slots_rva = get32(descriptor + 16);
        const uint32_t lookup_rva = get32(descriptor) ? get32(descriptor) : slots_rva;

        if (get32(descriptor + 12) == 0 || slots_rva == 0)
            return;
        for (uint32_t at = 0;; at += SLOT_NBYTES) {
            const uintptr_t lookup = get_pointer(load_at((uint64_t)lookup_rva + at, SLOT_NBYTES, what));

            if (lookup == 0)
                break;
            judge_import_slot(slots_rva + at);
            put_pointer(load_at((uint64_t)slots_rva + at, SLOT_NBYTES, what), imported(lookup));
        }
    }
}
