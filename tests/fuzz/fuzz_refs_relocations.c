/* fuzz_refs_relocations.c - base relocations, the values they change, and dynamic relocations.
 * Claims: refs_claims.h; a plain reading of both tables finds the same fields, and so does the verifier's
 * reader. */
#include "mutate.h"
#include "refs_claims.h"
#include "verify/verify_relocations.h"

unsigned mutate_family = FAMILY_RELOCATIONS;

/* The places that are changed: each byte once. */
static void change_bytes(struct plain *plain, struct plain *values, uint8_t *is_changed, uint64_t rva,
                         unsigned width_nbytes)
{
    const uint8_t *at;
    if (!plain_bytes(plain, rva, width_nbytes, &at)) {
        plain_broken(plain, "a relocation names a place without bytes");
        return;
    }
    uint8_t *changed = is_changed + (at - plain->image->file.bytes);
    for (unsigned i = 0; i < width_nbytes; i++) {
        if (changed[i] != 0)
            plain_broken(plain, "two relocations change the same byte");
        changed[i] = 1;
    }
    uint64_t value = load_width(at, width_nbytes) - plain->image->image_base_va;
    plain_field(values, at, (uint32_t)value);
}

static void read_block(struct plain *plain, struct plain *values, uint8_t *is_changed, const uint8_t *block,
                       uint32_t block_nbytes)
{
    uint32_t page_rva = load_u32(block);
    plain_field(plain, block, page_rva);
    for (uint32_t at = 8; at + 2 <= block_nbytes; at += 2) {
        unsigned entry = load_u16(block + at), type = entry >> 12;
        if (type == 0) /* IMAGE_REL_BASED_ABSOLUTE: padding */
            continue;
        uint64_t rva = (uint64_t)page_rva + (entry & 0xFFF);
        plain_field(plain, block + at, (uint32_t)rva);
        const uint8_t *half;
        if (type == 6 || type == 8 || type > 10)
            plain_broken(plain, "a type that no machine of Windows has");
        else if (!plain_bytes(plain, rva, 2, &half))
            plain_broken(plain, "a relocation names a place without bytes");
        if (type == 3 || type == 10) /* HIGHLOW, DIR64 */
            change_bytes(plain, values, is_changed, rva, type == 3 ? 4 : 8);
        if (type == 4) /* HIGHADJ takes two slots */
            at += 2;
    }
}

static void read_base_relocations(struct plain *plain, struct plain *values, uint8_t *is_changed)
{
    const struct directory *directory = &plain->image->directories[5];
    const uint8_t *table;
    if (directory->rva == 0 || directory->nbytes == 0)
        return;
    if (!plain_bytes(plain, directory->rva, directory->nbytes, &table)) {
        plain_broken(plain, "the directory is not in the file");
        return;
    }
    uint32_t at = 0, previous_rva = 0;
    while (directory->nbytes - at >= 8) {
        uint32_t left_nbytes = directory->nbytes - at;
        uint32_t block_nbytes = load_u32(table + at + 4);
        if (block_nbytes < 8 || block_nbytes > left_nbytes) {
            if (!span_is_filled((struct span){table + at, left_nbytes}, 0))
                plain_broken(plain, "a block has an impossible size");
            return;
        }
        if (block_nbytes % 2 != 0)
            plain_broken(plain, "a block has an odd size");
        if (load_u32(table + at) < previous_rva)
            plain_broken(plain, "the pages do not ascend");
        previous_rva = load_u32(table + at);
        read_block(plain, values, is_changed, table + at, block_nbytes);
        at += block_nbytes;
    }
}

static void claim_base_relocations(const struct image *image)
{
    struct plain plain, values, changes;
    plain_begin(&plain, image);
    plain_begin(&values, image);
    plain_begin(&changes, image); /* for its array of bytes */
    read_base_relocations(&plain, &values, changes.is_taken);
    values.state = plain.state;
    values.why = plain.why;
    /* Places without bytes are told of the values, everything else of the entries: both are asked at once,
     * and the lists are compared one after the other. */
    plain_compare_part(&plain, SOURCE_BIT(SOURCE_BASERELOCS) | SOURCE_BIT(SOURCE_RELOCATED),
                       SOURCE_BIT(SOURCE_BASERELOCS), "base relocations");
    plain_compare_part(&values, SOURCE_BIT(SOURCE_BASERELOCS) | SOURCE_BIT(SOURCE_RELOCATED),
                       SOURCE_BIT(SOURCE_RELOCATED), "relocated values");
    plain_end(&changes);
    plain_end(&values);
    plain_end(&plain);
}

/* Raw data at an offset that the loader rounds down: the two readers' bytes differ. */
static bool has_aligned_raw_data(const struct image *image)
{
    for (uint32_t i = 0; i < image->section_count; i++)
        if (image->sections[i].raw_foff != image->sections[i].stored_raw_foff)
            return false;
    return true;
}

/* Where both read the table to its end, the verifier's walk and the inventory list the same places. */
static void claim_verifier_agrees(const struct image *image)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct verify_image other;
    struct refset refs;
    const char *reason;
    uint64_t foff;
    CLAIM(refs_collect(image, &arena, SOURCE_BIT(SOURCE_BASERELOCS), &refs), "out of memory");
    if (refs.damaged == 0 && verify_image_read(image->file, &arena, &other, &reason, &foff) &&
        other.is_ordered && has_aligned_raw_data(image) && verify_has_relocations(&other)) {
        struct verify_relocation_reader reader = verify_relocations_begin(&other);
        struct verify_relocation relocation;
        size_t at = 0;
        while (verify_relocations_next(&reader, &relocation)) {
            while (at < refs.ref_count && refs.refs[at].detail == DETAIL_BASERELOC_PAGE)
                at++;
            CLAIM(at < refs.ref_count, "the verifier reads a relocation more, at RVA 0x%X",
                  (unsigned)relocation.rva);
            const struct ref *ref = &refs.refs[at++];
            CLAIM(ref->site_foff == relocation.entry_foff && ref->target == relocation.rva &&
                      ref->detail == relocation.type,
                  "the verifier reads RVA 0x%X, type %u, where the inventory has RVA 0x%X, type %u",
                  (unsigned)relocation.rva, relocation.type, (unsigned)ref->target, ref->detail);
        }
        while (at < refs.ref_count && refs.refs[at].detail == DETAIL_BASERELOC_PAGE)
            at++;
        CLAIM(reader.problem || at == refs.ref_count, "the verifier reads %zu relocations less",
              refs.ref_count - at);
    }
    arena_free(&arena);
}

/* Dynamic relocations: how wide a block's entries are, by symbol; 0: they are not read. */
static unsigned entry_nbytes_of(uint64_t symbol)
{
    switch (symbol) {
    case 3: /* import control transfers */
    case 8: /* ARM64 kernel import calls */
        return 4;
    case 4: /* indirect control transfers */
    case 5: /* switch branches */
    case UINT64_C(0x7FFE0000):
    case UINT64_C(0xFFFFF78000000000):
        return 2;
    default:
        return 0;
    }
}

/* Blocks of page, size and entries. A zero entry behind the first is padding. */
static void read_dynamic_blocks(struct plain *plain, const uint8_t *blocks, uint32_t nbytes,
                                unsigned entry_nbytes, bool is_arm64)
{
    for (uint32_t at = 0; nbytes - at >= 8;) {
        uint32_t page_rva = load_u32(blocks + at), block_nbytes = load_u32(blocks + at + 4);
        if (block_nbytes < 8 || block_nbytes > nbytes - at) {
            plain_broken(plain, "a block of dynamic relocations has an impossible size");
            return;
        }
        plain_field(plain, blocks + at, page_rva);
        for (uint32_t i = 8; block_nbytes - i >= entry_nbytes; i += entry_nbytes) {
            uint64_t entry = load_width(blocks + at + i, entry_nbytes);
            uint32_t offset = is_arm64 ? 4 * ((uint32_t)entry & 0x3FF) : (uint32_t)entry & 0xFFF;
            if (entry != 0 || i == 8)
                plain_field(plain, blocks + at + i, page_rva + offset);
        }
        at += block_nbytes;
    }
}

/* Size, then for each function: its RVA, where its decision tree lies, and the sizes of its replacements and
 * of the blocks of its callers, which follow. */
static void read_overrides(struct plain *plain, const uint8_t *bytes, uint32_t nbytes)
{
    if (nbytes < 4 || load_u32(bytes) > nbytes - 4) {
        plain_broken(plain, "function overrides have an impossible size");
        return;
    }
    uint32_t end = 4 + load_u32(bytes);
    for (uint32_t at = 4; end - at >= 16;) {
        uint64_t rvas_nbytes = load_u32(bytes + at + 8) & ~UINT32_C(3),
                 places_nbytes = load_u32(bytes + at + 12);
        if (rvas_nbytes + places_nbytes > end - at - 16) {
            plain_broken(plain, "a function override has an impossible size");
            return;
        }
        plain_field(plain, bytes + at, load_u32(bytes + at));
        for (uint32_t i = 0; i < rvas_nbytes; i += 4)
            plain_field(plain, bytes + at + 16 + i, load_u32(bytes + at + 16 + i));
        at += 16 + (uint32_t)rvas_nbytes;
        read_dynamic_blocks(plain, bytes + at, (uint32_t)places_nbytes, 2, false);
        at += (uint32_t)places_nbytes;
    }
}

static uint32_t dynamic_table_rva(const struct plain *plain)
{
    const struct image *image = plain->image;
    const uint8_t *config;
    uint32_t rva = image->directories[10].rva;
    uint32_t pointer_at = image->is_64 ? 0xC0 : 0x78, offset_at = image->is_64 ? 0xE0 : 0x88;
    if (rva == 0 || !plain_bytes(plain, rva, 4, &config))
        return 0;
    uint64_t nbytes = load_u32(config) != 0 ? load_u32(config) : image->directories[10].nbytes;
    if (nbytes > plain_room(plain, rva))
        nbytes = plain_room(plain, rva);
    unsigned pointer_nbytes = image->is_64 ? 8 : 4;
    uint32_t table_rva = 0;
    if (nbytes >= pointer_at + pointer_nbytes)
        table_rva = plain_va_to_rva(plain, load_width(config + pointer_at, pointer_nbytes));
    if (table_rva != 0 || nbytes < offset_at + 6)
        return table_rva;
    unsigned number = load_u16(config + offset_at + 4);
    if (number == 0 || number > image->section_count)
        return 0;
    uint64_t sum = (uint64_t)image->sections[number - 1].rva + load_u32(config + offset_at);
    return sum > UINT32_MAX ? 0 : (uint32_t)sum;
}

static void read_dynamic_relocations(struct plain *plain)
{
    const uint8_t *table;
    uint32_t rva = dynamic_table_rva(plain);
    unsigned symbol_nbytes = plain->image->is_64 ? 8 : 4;
    if (plain->image->directories[10].rva != 0 && plain_room(plain, plain->image->directories[10].rva) < 4)
        plain_broken(plain, "the load configuration has no bytes");
    if (rva == 0 || !plain_bytes(plain, rva, 8, &table))
        return;
    uint32_t nbytes = load_u32(table + 4);
    if (nbytes > plain_room(plain, rva) - 8 || load_u32(table) != 1) {
        plain_broken(plain, "the dynamic relocations are of another version, or too long");
        return;
    }
    const uint8_t *records = table + 8;
    for (uint32_t at = 0; nbytes - at >= symbol_nbytes + 4;) {
        uint64_t symbol = load_width(records + at, symbol_nbytes);
        uint32_t fixups_nbytes = load_u32(records + at + symbol_nbytes);
        at += symbol_nbytes + 4;
        if (fixups_nbytes > nbytes - at) {
            plain_broken(plain, "a dynamic relocation record is too long");
            return;
        }
        if (symbol == 7)
            read_overrides(plain, records + at, fixups_nbytes);
        else if (symbol == 1 || symbol == 2 || symbol == 6)
            plain_broken(plain, "dynamic relocations of a kind that is not read");
        else if (entry_nbytes_of(symbol) != 0)
            read_dynamic_blocks(plain, records + at, fixups_nbytes, entry_nbytes_of(symbol), symbol == 8);
        at += fixups_nbytes;
    }
}

static void claim_relocations(const struct image *image)
{
    claim_base_relocations(image);
    claim_verifier_agrees(image);
    plain_claim(image, read_dynamic_relocations, SOURCE_DVRT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    uint32_t sources = SOURCE_BIT(SOURCE_BASERELOCS) | SOURCE_BIT(SOURCE_RELOCATED) | SOURCE_BIT(SOURCE_DVRT);
    return refs_claims(data, nbytes, sources, claim_relocations);
}
