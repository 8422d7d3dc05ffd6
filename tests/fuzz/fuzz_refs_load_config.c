/* fuzz_refs_load_config.c - the load configuration, the tables that it names, and thread-local storage.
 * Claims: refs_claims.h; a plain reading finds the same fields. */
#include "mutate.h"
#include "refs_claims.h"

unsigned mutate_family = FAMILY_LOAD_CONFIG;

/* Fields of the load configuration that hold addresses, by their offsets in the structure of 32 and of 64
 * bits (winnt.h). Pointers are as wide as the image's. */
enum form { POINTER, RVA, SECTION_OFFSET, SECTION_NUMBER };
static const struct {
    uint16_t at_32, at_64;
    enum form form;
} config_fields[] = {
    {0x20, 0x28, POINTER},        /* LockPrefixTable */
    {0x38, 0x50, POINTER},        /* EditList */
    {0x3C, 0x58, POINTER},        /* SecurityCookie */
    {0x40, 0x60, POINTER},        /* SEHandlerTable */
    {0x48, 0x70, POINTER},        /* GuardCFCheckFunctionPointer */
    {0x4C, 0x78, POINTER},        /* GuardCFDispatchFunctionPointer */
    {0x50, 0x80, POINTER},        /* GuardCFFunctionTable */
    {0x68, 0xA0, POINTER},        /* GuardAddressTakenIatEntryTable */
    {0x70, 0xB0, POINTER},        /* GuardLongJumpTargetTable */
    {0x78, 0xC0, POINTER},        /* DynamicValueRelocTable */
    {0x7C, 0xC8, POINTER},        /* CHPEMetadataPointer */
    {0x80, 0xD0, POINTER},        /* GuardRFFailureRoutine */
    {0x84, 0xD8, POINTER},        /* GuardRFFailureRoutineFunctionPointer */
    {0x88, 0xE0, SECTION_OFFSET}, /* DynamicValueRelocTableOffset */
    {0x8C, 0xE4, SECTION_NUMBER}, /* DynamicValueRelocTableSection */
    {0x90, 0xE8, POINTER},        /* GuardRFVerifyStackPointerFunctionPointer */
    {0x94, 0xF0, RVA},            /* HotPatchTableOffset */
    {0x9C, 0xF8, POINTER},        /* EnclaveConfigurationPointer */
    {0xA0, 0x100, POINTER},       /* VolatileMetadataPointer */
    {0xA4, 0x108, POINTER},       /* GuardEHContinuationTable */
    {0xAC, 0x118, POINTER},       /* GuardXFGCheckFunctionPointer */
    {0xB0, 0x120, POINTER},       /* GuardXFGDispatchFunctionPointer */
    {0xB4, 0x128, POINTER},       /* GuardXFGTableDispatchFunctionPointer */
    {0xB8, 0x130, POINTER},       /* CastGuardOsDeterminedFailureMode */
    {0xBC, 0x138, POINTER},       /* GuardMemcpyFunctionPointer */
    {0xC0, 0x140, POINTER},       /* UmaFunctionPointers */
};

struct config {
    const uint8_t *bytes;
    uint64_t nbytes, promised_nbytes;
};

/* False when there is none; PLAIN_BROKEN when it has no bytes. */
static bool open_config(struct plain *plain, struct config *config)
{
    const struct directory *directory = &plain->image->directories[10];
    if (directory->rva == 0)
        return false;
    if (!plain_bytes(plain, directory->rva, 4, &config->bytes)) {
        plain_broken(plain, "the load configuration has no bytes");
        return false;
    }
    config->promised_nbytes = load_u32(config->bytes);
    config->nbytes = config->promised_nbytes != 0 ? config->promised_nbytes : directory->nbytes;
    if (config->nbytes > plain_room(plain, directory->rva))
        config->nbytes = plain_room(plain, directory->rva);
    return true;
}

static unsigned pointer_nbytes_of(const struct plain *plain)
{
    return plain->image->is_64 ? 8 : 4;
}

/* 0 when the structure is too short for the field. */
static uint64_t config_word(const struct config *config, unsigned at, unsigned nbytes)
{
    return at + nbytes <= config->nbytes ? load_width(config->bytes + at, nbytes) : 0;
}

/* Where a field leads; an address that is not in the image is damage. */
static uint32_t config_rva(struct plain *plain, const struct config *config, unsigned at)
{
    uint64_t va = config_word(config, at, pointer_nbytes_of(plain));
    if (va != 0 && plain_va_to_rva(plain, va) == 0)
        plain_broken(plain, "a table lies outside the image");
    return plain_va_to_rva(plain, va);
}

/* A section number may be that of no section; then the offset in it is no address. */
static uint32_t section_offset_target(const struct plain *plain, const struct config *config, uint32_t offset)
{
    uint64_t number = config_word(config, plain->image->is_64 ? 0xE4 : 0x8C, 2);
    if (number == 0 || number > plain->image->section_count || plain->image->sections[number - 1].rva == 0)
        return offset;
    return plain->image->sections[number - 1].rva + (offset & 0x7FFFFFFF);
}

static void read_config(struct plain *plain)
{
    struct config config;
    if (!open_config(plain, &config))
        return;
    if (config.promised_nbytes > plain_room(plain, plain->image->directories[10].rva))
        plain_broken(plain, "the load configuration is longer than its bytes");
    for (size_t i = 0; i < sizeof config_fields / sizeof config_fields[0]; i++) {
        unsigned at = plain->image->is_64 ? config_fields[i].at_64 : config_fields[i].at_32;
        unsigned nbytes = config_fields[i].form == POINTER          ? pointer_nbytes_of(plain)
                          : config_fields[i].form == SECTION_NUMBER ? 2
                                                                    : 4;
        if (at + nbytes > config.nbytes)
            continue;
        uint64_t value = load_width(config.bytes + at, nbytes);
        uint32_t target = (uint32_t)value;
        if (config_fields[i].form == POINTER)
            target = plain_va_target(plain, value);
        else if (config_fields[i].form == SECTION_OFFSET)
            target = section_offset_target(plain, &config, (uint32_t)value);
        plain_field(plain, config.bytes + at, target);
    }
}

/* `count` records of which the first word is an RVA. */
static void read_records(struct plain *plain, uint32_t rva, uint64_t count, unsigned record_nbytes)
{
    const uint8_t *table;
    if (count == 0)
        return;
    if (count > plain_room(plain, rva) / record_nbytes ||
        !plain_bytes(plain, rva, count * record_nbytes, &table)) {
        plain_broken(plain, "a table is longer than its bytes");
        return;
    }
    for (uint64_t i = 0; i < count; i++)
        plain_field(plain, table + i * record_nbytes, load_u32(table + i * record_nbytes));
}

/* Addresses up to a zero. */
static void read_list(struct plain *plain, uint32_t rva)
{
    const uint8_t *at;
    unsigned pointer_nbytes = pointer_nbytes_of(plain);
    uint64_t room_nbytes = plain_room(plain, rva);
    for (uint64_t i = 0;; i++) {
        if ((i + 1) * pointer_nbytes > room_nbytes ||
            !plain_bytes(plain, rva + i * pointer_nbytes, pointer_nbytes, &at)) {
            plain_broken(plain, "a list does not end");
            return;
        }
        uint64_t va = load_width(at, pointer_nbytes);
        if (va == 0)
            return;
        if (plain_is_taken(plain, at)) {
            plain_broken(plain, "a list runs into another table");
            return;
        }
        plain_field(plain, at, plain_va_target(plain, va));
    }
}

/* Size, version, RVA and size of the accesses, RVA and size of the ranges. */
static void read_volatile_metadata(struct plain *plain, uint32_t rva)
{
    const uint8_t *header;
    if (rva == 0)
        return;
    if (!plain_bytes(plain, rva, 24, &header)) {
        plain_broken(plain, "the volatile metadata have no bytes");
        return;
    }
    plain_field(plain, header + 8, load_u32(header + 8));
    plain_field(plain, header + 16, load_u32(header + 16));
    read_records(plain, load_u32(header + 8), load_u32(header + 12) / 4, 4);
    read_records(plain, load_u32(header + 16), load_u32(header + 20) / 8, 8);
}

static void read_guard_tables(struct plain *plain)
{
    static const uint16_t tables_32[] = {0x50, 0x68, 0x70, 0xA4}, tables_64[] = {0x80, 0xA0, 0xB0, 0x108};
    struct config config;
    if (!open_config(plain, &config))
        return;
    bool is_64 = plain->image->is_64;
    unsigned pointer_nbytes = pointer_nbytes_of(plain);
    unsigned record_nbytes = 4 + (unsigned)(config_word(&config, is_64 ? 0x90 : 0x58, 4) >> 28);
    for (unsigned i = 0; i < 4; i++) { /* functions, IAT entries, long jumps, EH continuations */
        unsigned at = is_64 ? tables_64[i] : tables_32[i];
        uint64_t count = config_word(&config, at + pointer_nbytes, pointer_nbytes);
        uint32_t rva = count != 0 ? config_rva(plain, &config, at) : 0;
        if (rva != 0)
            read_records(plain, rva, count, record_nbytes);
    }
    uint64_t handler_count = config_word(&config, is_64 ? 0x68 : 0x44, pointer_nbytes);
    if (plain->image->machine == 0x14C && handler_count != 0) { /* SafeSEH is of x86 only */
        uint32_t handlers_rva = config_rva(plain, &config, is_64 ? 0x60 : 0x40);
        if (handlers_rva != 0)
            read_records(plain, handlers_rva, handler_count, 4);
    }
    uint32_t prefixes_rva = config_rva(plain, &config, is_64 ? 0x28 : 0x20);
    if (prefixes_rva != 0)
        read_list(plain, prefixes_rva);
    read_volatile_metadata(plain, config_rva(plain, &config, is_64 ? 0x100 : 0xA0));
}

/* Four addresses; the fourth leads to the callbacks. */
static void read_tls(struct plain *plain)
{
    uint32_t rva = plain->image->directories[9].rva;
    unsigned pointer_nbytes = pointer_nbytes_of(plain);
    const uint8_t *directory;
    if (rva == 0)
        return;
    if (!plain_bytes(plain, rva, 4 * pointer_nbytes + 8, &directory)) {
        plain_broken(plain, "the TLS directory has no bytes");
        return;
    }
    uint64_t va = 0;
    for (unsigned i = 0; i < 4; i++) {
        va = load_width(directory + (size_t)i * pointer_nbytes, pointer_nbytes);
        plain_field(plain, directory + (size_t)i * pointer_nbytes, plain_va_target(plain, va));
    }
    if (va == 0)
        return;
    if (va < plain->image->image_base_va || va - plain->image->image_base_va > UINT32_MAX)
        plain_broken(plain, "the callbacks lie outside the image");
    else
        read_list(plain, (uint32_t)(va - plain->image->image_base_va));
}

static void claim_load_config(const struct image *image)
{
    plain_claim(image, read_config, SOURCE_LOAD_CONFIG);
    plain_claim(image, read_guard_tables, SOURCE_GUARD_TABLES);
    plain_claim(image, read_tls, SOURCE_TLS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    uint32_t sources =
        SOURCE_BIT(SOURCE_LOAD_CONFIG) | SOURCE_BIT(SOURCE_GUARD_TABLES) | SOURCE_BIT(SOURCE_TLS);
    return refs_claims(data, nbytes, sources, claim_load_config);
}
