/* exports.c - what an image exports.
 * Takes: the loaded image.  Gives: addresses by name.  Must not: follow forwarders. */
#include "failure.h"
#include "load.h"

#define EXPORT_COUNT_LIMIT 0x10000u

static const char what[] = "the export table";

static void *address_of(const uint8_t *table, uint32_t place)
{
    const struct directory *directory = &loaded.image->directories[DIRECTORY_EXPORT];

    if (place >= get32(table + 20))
        give_up_saying("an exported name has no address");
    const uint32_t rva = get32(load_at((uint64_t)get32(table + 28) + 4 * (uint64_t)place, 4, what));
    const bool is_forwarder = rva - directory->rva < directory->nbytes;
    return is_forwarder ? NULL : load_at(rva, 1, what);
}

void load_each_export(void (*each)(const char *name, void *address))
{
    const struct directory *directory = &loaded.image->directories[DIRECTORY_EXPORT];

    if (directory->nbytes == 0)
        return;
    const uint8_t *table = load_at(directory->rva, 40, what);
    const uint32_t name_count = get32(table + 24);
    if (name_count > EXPORT_COUNT_LIMIT)
        give_up_saying("too many exports");
    for (uint32_t i = 0; i < name_count; i++) {
        const char *name = (const char *)load_at(
            get32(load_at((uint64_t)get32(table + 32) + 4 * (uint64_t)i, 4, what)), 1, what);
        void *address =
            address_of(table, get16(load_at((uint64_t)get32(table + 36) + 2 * (uint64_t)i, 2, what)));

        if (address)
            each(name, address);
    }
}

static const char *wanted;
static void *found;

static void take_wanted(const char *name, void *address)
{
    if (text_is(name, wanted))
        found = address;
}

void *load_exported(const char *name)
{
    wanted = name;
    found = NULL;
    load_each_export(take_wanted);
    return found;
}
