/* fuzz_refs_modules.c - imports, exports, delay-load and bound imports: what joins modules.
 * Claims: refs_claims.h; a plain reading of each table finds the same fields. */
#include "mutate.h"
#include "refs_claims.h"

unsigned mutate_family = FAMILY_MODULES;

static unsigned slot_nbytes_of(const struct plain *plain)
{
    return plain->image->is_64 ? 8 : 4;
}

/* Slots from rva on up to a zero one, in one section. False when the table is not read to its end. */
static bool count_slots(struct plain *plain, uint64_t rva, uint64_t *count)
{
    const uint8_t *slot;
    unsigned slot_nbytes = slot_nbytes_of(plain);
    for (*count = 0; (*count + 1) * slot_nbytes <= plain_room(plain, rva); (*count)++) {
        CLAIM(plain_bytes(plain, rva + *count * slot_nbytes, slot_nbytes, &slot), "room without bytes");
        if (load_width(slot, slot_nbytes) == 0)
            return true;
        if (plain_is_taken(plain, slot)) {
            plain_broken(plain, "slots run into another table");
            return false;
        }
    }
    /* Zeros may follow in memory: the inventory judges that, this reading does not. */
    plain_odd(plain, "slots run to the end of the bytes");
    return false;
}

/* The bytes of `count` slots; NULL when there are none, or not so many in the section, which is broken. */
static const uint8_t *import_slots(struct plain *plain, uint64_t rva, uint64_t count)
{
    const uint8_t *slots = NULL;
    if (count != 0 && !plain_bytes(plain, rva, count * slot_nbytes_of(plain), &slots)) {
        plain_broken(plain, "thunks run past their section");
        return NULL;
    }
    return slots;
}

/* Slots that hold hint/name RVAs or ordinals: their low 32 bits either way. */
static void add_import_slots(struct plain *plain, uint64_t rva, uint64_t count)
{
    const uint8_t *slots = import_slots(plain, rva, count);
    unsigned slot_nbytes = slot_nbytes_of(plain);
    for (uint64_t i = 0; slots && i < count; i++)
        plain_field(plain, slots + i * slot_nbytes,
                    (uint32_t)load_width(slots + i * slot_nbytes, slot_nbytes));
}

/* Is it the address of code in this image? */
static bool is_own_function(const struct plain *plain, uint64_t va)
{
    uint64_t rva = va - plain->image->image_base_va;
    for (uint32_t i = 0; va >= plain->image->image_base_va && i < plain->image->section_count; i++) {
        const struct section *section = &plain->image->sections[i];
        if (rva >= section->rva && rva - section->rva < section->memory_nbytes)
            return (section->characteristics & SCN_MEM_EXECUTE) != 0;
    }
    return false;
}

/* The slots beside a lookup table, which both have bytes: the same as there, or a function of this image that
 * is called while nothing is imported, unless the descriptor is bound. */
static void add_slots_beside(struct plain *plain, uint64_t rva, uint64_t lookup_rva, uint64_t count,
                             bool is_bound)
{
    const uint8_t *slots = import_slots(plain, rva, count), *names;
    unsigned slot_nbytes = slot_nbytes_of(plain);
    if (!slots)
        return;
    CLAIM(plain_bytes(plain, lookup_rva, count * slot_nbytes, &names), "counted, and not there");
    for (uint64_t i = 0; i < count; i++) {
        uint64_t slot = load_width(slots + i * slot_nbytes, slot_nbytes);
        bool is_own = !is_bound && slot != load_width(names + i * slot_nbytes, slot_nbytes) &&
                      is_own_function(plain, slot);
        plain_field(plain, slots + i * slot_nbytes, is_own ? plain_va_target(plain, slot) : (uint32_t)slot);
    }
}

/* What the slots name must be there, unless they are ordinals or too large for RVAs. */
static void want_names(struct plain *plain, uint64_t rva, uint64_t count)
{
    const uint8_t *slots;
    unsigned slot_nbytes = slot_nbytes_of(plain);
    if (count == 0 || !plain_bytes(plain, rva, count * slot_nbytes, &slots))
        return;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t value = load_width(slots + i * slot_nbytes, slot_nbytes);
        if (value <= INT32_MAX && plain_room(plain, value) == 0)
            plain_broken(plain, "a name has no bytes");
    }
}

static void read_imports(struct plain *plain)
{
    uint64_t at_rva = plain->image->directories[1].rva, end_rva = at_rva + plain_room(plain, at_rva);
    const uint8_t *descriptor;
    if (at_rva == 0)
        return;
    if (plain_room(plain, at_rva) == 0)
        plain_broken(plain, "the descriptors have no bytes");
    for (; plain->state == PLAIN_SOUND; at_rva += 20) {
        if (at_rva + 20 > end_rva || !plain_bytes(plain, at_rva, 20, &descriptor)) {
            plain_odd(plain, "the descriptors run to the end of the bytes");
            return;
        }
        uint32_t lookup_rva = load_u32(descriptor), name_rva = load_u32(descriptor + 12);
        uint32_t iat_rva = load_u32(descriptor + 16);
        if (name_rva != 0 && iat_rva == 0)
            plain_broken(plain, "a module without an IAT");
        if (name_rva == 0 || iat_rva == 0)
            return;
        plain_field(plain, descriptor, lookup_rva);
        plain_field(plain, descriptor + 12, name_rva);
        plain_field(plain, descriptor + 16, iat_rva);
        bool has_lookup = lookup_rva != 0 && lookup_rva != iat_rva;
        uint64_t count = 0;
        if (plain_room(plain, iat_rva) == 0 || (has_lookup && plain_room(plain, lookup_rva) == 0)) {
            plain_broken(plain, "thunks without bytes");
            return;
        }
        if (!count_slots(plain, has_lookup ? lookup_rva : iat_rva, &count))
            return;
        if (plain_room(plain, name_rva) == 0)
            plain_broken(plain, "a module's name has no bytes");
        want_names(plain, has_lookup ? lookup_rva : iat_rva, count);
        if (has_lookup) {
            add_import_slots(plain, lookup_rva, count);
            add_slots_beside(plain, iat_rva, lookup_rva, count, load_u32(descriptor + 4) != 0);
        } else
            add_import_slots(plain, iat_rva, count);
    }
}

/* A table of `count` RVAs. */
static void add_rvas(struct plain *plain, uint32_t rva, uint32_t count)
{
    const uint8_t *table;
    if (count == 0)
        return;
    if (!plain_bytes(plain, rva, 4 * (uint64_t)count, &table)) {
        plain_broken(plain, "a table is longer than its bytes");
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        plain_field(plain, table + 4 * (size_t)i, load_u32(table + 4 * (size_t)i));
}

static void read_exports(struct plain *plain)
{
    const struct directory *directory = &plain->image->directories[0];
    const uint8_t *header, *ordinals;
    if (directory->rva == 0)
        return;
    if (!plain_bytes(plain, directory->rva, 40, &header)) {
        plain_broken(plain, "the export directory has no bytes");
        return;
    }
    uint32_t function_count = load_u32(header + 20), name_count = load_u32(header + 24);
    plain_field(plain, header + 12, load_u32(header + 12)); /* Name */
    for (unsigned at = 28; at <= 36; at += 4) /* AddressOfFunctions, AddressOfNames, AddressOfNameOrdinals */
        plain_field(plain, header + at, load_u32(header + at));
    add_rvas(plain, load_u32(header + 28), function_count);
    add_rvas(plain, load_u32(header + 32), name_count);
    for (uint32_t i = 0; i < name_count && plain->state == PLAIN_SOUND; i++) {
        const uint8_t *name;
        CLAIM(plain_bytes(plain, load_u32(header + 32) + 4 * (uint64_t)i, 4, &name), "read, and not there");
        if (plain_room(plain, load_u32(name)) == 0)
            plain_broken(plain, "an export's name has no bytes");
    }
    if (name_count != 0 && !plain_bytes(plain, load_u32(header + 36), 2 * (uint64_t)name_count, &ordinals))
        plain_broken(plain, "the ordinals are longer than their bytes");
}

/* Slots that hold addresses in this image. */
static void add_addresses(struct plain *plain, uint64_t rva, uint64_t count)
{
    const uint8_t *slots;
    unsigned slot_nbytes = slot_nbytes_of(plain);
    if (rva == 0 || count == 0)
        return;
    if (!plain_bytes(plain, rva, count * slot_nbytes, &slots)) {
        plain_broken(plain, "a delay-load table is longer than its bytes");
        return;
    }
    for (uint64_t i = 0; i < count; i++)
        plain_field(plain, slots + i * slot_nbytes,
                    plain_va_target(plain, load_width(slots + i * slot_nbytes, slot_nbytes)));
}

/* Old compilers stored addresses instead of RVAs in the descriptor and the name table. */
static void read_delay_descriptor(struct plain *plain, const uint8_t *descriptor)
{
    bool holds_rvas = (load_u32(descriptor) & 1) != 0;
    unsigned slot_nbytes = slot_nbytes_of(plain);
    uint32_t rvas[8] = {0};
    for (unsigned i = 1; i < 7; i++) {
        uint32_t value = load_u32(descriptor + 4 * (size_t)i);
        plain_field(plain, descriptor + 4 * (size_t)i, holds_rvas ? value : plain_va_target(plain, value));
        rvas[i] = holds_rvas ? value : plain_va_to_rva(plain, value);
    }
    uint64_t count = 0, ordinal_flag = UINT64_C(1) << (8 * slot_nbytes - 1);
    if (plain_room(plain, rvas[4]) == 0 || rvas[4] == 0) {
        plain_broken(plain, "a delay-load name table without bytes");
        return;
    }
    if (plain_room(plain, rvas[1]) == 0)
        plain_broken(plain, "a module's name has no bytes");
    if (!count_slots(plain, rvas[4], &count))
        return;
    if (holds_rvas)
        want_names(plain, rvas[4], count);
    for (uint64_t i = 0; i < count; i++) {
        const uint8_t *slot;
        CLAIM(plain_bytes(plain, rvas[4] + i * slot_nbytes, slot_nbytes, &slot), "counted, and not there");
        uint64_t value = load_width(slot, slot_nbytes);
        bool is_address = !holds_rvas && (value & ordinal_flag) == 0;
        plain_field(plain, slot, is_address ? plain_va_target(plain, value) : (uint32_t)value);
    }
    add_addresses(plain, rvas[3], count); /* the IAT */
    add_addresses(plain, rvas[6], count); /* its copy for unloading */
}

static void read_delay_imports(struct plain *plain)
{
    uint64_t at_rva = plain->image->directories[13].rva, end_rva = at_rva + plain_room(plain, at_rva);
    const uint8_t *descriptor;
    if (at_rva == 0)
        return;
    for (; plain->state == PLAIN_SOUND; at_rva += 32) {
        if (at_rva + 32 > end_rva || !plain_bytes(plain, at_rva, 32, &descriptor)) {
            plain_broken(plain, "the descriptors do not end");
            return;
        }
        if (load_u32(descriptor + 4) == 0)
            return;
        read_delay_descriptor(plain, descriptor);
    }
}

static void read_bound_imports(struct plain *plain)
{
    const struct directory *directory = &plain->image->directories[11];
    const uint8_t *table;
    unsigned forwarder_count = 0;
    if (directory->rva == 0)
        return;
    if (!plain_bytes(plain, directory->rva, directory->nbytes, &table)) {
        plain_broken(plain, "the directory is not in the file");
        return;
    }
    for (uint32_t at = 0; directory->nbytes - at >= 8; at += 8) {
        uint16_t name = load_u16(table + at + 4);
        if (forwarder_count == 0 && name == 0)
            return;
        forwarder_count = forwarder_count != 0 ? forwarder_count - 1 : load_u16(table + at + 6);
        plain_field(plain, table + at + 4, directory->rva + name);
    }
    if (forwarder_count != 0)
        plain_broken(plain, "forwarders are missing");
}

static void claim_modules(const struct image *image)
{
    plain_claim(image, read_imports, SOURCE_IMPORTS);
    plain_claim(image, read_exports, SOURCE_EXPORTS);
    plain_claim(image, read_delay_imports, SOURCE_DELAY_IMPORTS);
    plain_claim(image, read_bound_imports, SOURCE_BOUND_IMPORTS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    uint32_t sources = SOURCE_BIT(SOURCE_IMPORTS) | SOURCE_BIT(SOURCE_EXPORTS) |
                       SOURCE_BIT(SOURCE_DELAY_IMPORTS) | SOURCE_BIT(SOURCE_BOUND_IMPORTS);
    return refs_claims(data, nbytes, sources, claim_modules);
}
