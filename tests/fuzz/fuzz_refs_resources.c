/* fuzz_refs_resources.c - headers, resources, debug data, CLR header, COFF symbols, certificates.
 * Claims: refs_claims.h; a plain reading of each finds the same fields. */
#include "mutate.h"
#include "refs_claims.h"

#include <stdlib.h>

unsigned mutate_family = FAMILY_RESOURCES;

/* The resource tree: tables of entries, entries that lead to tables or leaves. */
struct tree {
    struct plain *plain;
    const uint8_t *bytes; /* of the directory, to the end of its section */
    uint64_t nbytes;
    uint32_t rva;
    uint8_t *is_table, *is_leaf; /* for each byte of the tree */
};

static bool tree_holds(const struct tree *tree, uint64_t offset, uint64_t nbytes)
{
    return range_fits(tree->nbytes, offset, nbytes);
}

static void read_leaf(const struct tree *tree, uint32_t offset)
{
    if (!tree_holds(tree, offset, 16)) {
        plain_broken(tree->plain, "a leaf lies outside");
        return;
    }
    if (tree->is_leaf[offset]++ != 0)
        return;
    uint32_t data_rva = load_u32(tree->bytes + offset);
    plain_field(tree->plain, tree->bytes + offset, data_rva);
    const struct image *image = tree->plain->image;
    if (!image_section_at_rva(image, data_rva) && data_rva >= image->headers_nbytes &&
        load_u32(tree->bytes + offset + 4) != 0)
        plain_broken(tree->plain, "a leaf's data lie in no section");
}

static void read_table(const struct tree *tree, uint32_t offset, unsigned level);

static void read_entry(const struct tree *tree, const uint8_t *entry, unsigned level)
{
    uint32_t name = load_u32(entry), child = load_u32(entry + 4);
    if (plain_is_taken(tree->plain, entry + 4)) {
        plain_broken(tree->plain, "two tables overlap");
        return;
    }
    if (name >> 31 != 0) {
        uint32_t offset = name & 0x7FFFFFFF;
        plain_field(tree->plain, entry, tree->rva + offset);
        if (!tree_holds(tree, offset, 2) ||
            !tree_holds(tree, offset, 2 + 2 * (uint64_t)load_u16(tree->bytes + offset)))
            plain_broken(tree->plain, "a name lies outside");
    }
    plain_field(tree->plain, entry + 4, tree->rva + (child & 0x7FFFFFFF));
    if (child >> 31 != 0)
        read_table(tree, child & 0x7FFFFFFF, level + 1);
    else
        read_leaf(tree, child);
}

static void read_table(const struct tree *tree, uint32_t offset, unsigned level)
{
    /* A cycle ends here, too. */
    if (level > 32 || !tree_holds(tree, offset, 16) || tree->is_table[offset]++ != 0) {
        plain_broken(tree->plain, "a table lies outside, too deep, or where another does");
        return;
    }
    uint32_t entry_count =
        (uint32_t)load_u16(tree->bytes + offset + 12) + load_u16(tree->bytes + offset + 14);
    for (uint32_t i = 0; i < entry_count && tree->plain->state != PLAIN_BROKEN; i++) {
        uint64_t at = (uint64_t)offset + 16 + 8 * (uint64_t)i;
        if (!tree_holds(tree, at, 8)) {
            plain_broken(tree->plain, "a table is longer than the section");
            return;
        }
        read_entry(tree, tree->bytes + at, level);
    }
}

static void read_resources(struct plain *plain)
{
    struct tree tree = {.plain = plain, .rva = plain->image->directories[2].rva};
    tree.nbytes = plain_room(plain, tree.rva);
    if (tree.rva == 0)
        return;
    if (tree.nbytes == 0) {
        plain_broken(plain, "the directory has no bytes");
        return;
    }
    CLAIM(plain_bytes(plain, tree.rva, tree.nbytes, &tree.bytes), "room without bytes");
    tree.is_table = calloc(2, tree.nbytes);
    CLAIM(tree.is_table, "no memory for the claim");
    tree.is_leaf = tree.is_table + tree.nbytes;
    read_table(&tree, 0, 0);
    free(tree.is_table);
}

/* Where the addresses of a payload lie: the first, the distance to the next, and a second one in each
 * record. Types that are not listed hold none, or are not read. */
static void read_payload(struct plain *plain, uint32_t type, const uint8_t *payload, uint32_t nbytes)
{
    uint32_t record_nbytes = 0, first = 0, second = 0;
    switch (type) {
    case 1: /* COFF: four addresses */
        for (uint32_t at = 0x10; at < 0x20 && nbytes >= 0x20; at += 4)
            plain_field(plain, payload + at, load_u32(payload + at));
        return;
    case 3: /* FPO */
        record_nbytes = 16;
        break;
    case 6: /* fixups: place and target */
        record_nbytes = 12;
        first = 4;
        second = 8;
        break;
    case 7: /* OMAP to source */
    case 8: /* OMAP from source */
        record_nbytes = 8;
        first = type == 7 ? 0 : 4;
        break;
    case 13: /* POGO: RVA, size, name; ends in zeros */
        for (uint64_t at = 4; at + 9 <= nbytes && load_u32(payload + at) != 0;) {
            const uint8_t *end = memchr(payload + at + 8, 0, nbytes - at - 8);
            if (!end || (uint64_t)(end - payload) - at - 8 >= 256) {
                plain_odd(plain, "a name without end");
                return;
            }
            plain_field(plain, payload + at, load_u32(payload + at));
            at = ((uint64_t)(end - payload) + 1 + 3) / 4 * 4;
        }
        return;
    default:
        return;
    }
    for (uint32_t at = 0; nbytes - at >= record_nbytes; at += record_nbytes) {
        plain_field(plain, payload + at + first, load_u32(payload + at + first));
        if (second != 0)
            plain_field(plain, payload + at + second, load_u32(payload + at + second));
    }
}

static void read_debug(struct plain *plain)
{
    const struct directory *directory = &plain->image->directories[6];
    struct span file = plain->image->file;
    const uint8_t *table, *payload;
    if (directory->rva == 0 || directory->nbytes == 0)
        return;
    if (!plain_bytes(plain, directory->rva, directory->nbytes - directory->nbytes % 28, &table)) {
        plain_broken(plain, "the directory is longer than its bytes");
        return;
    }
    for (uint32_t at = 0; directory->nbytes - at >= 28; at += 28) {
        const uint8_t *entry = table + at;
        uint32_t nbytes = load_u32(entry + 16), rva = load_u32(entry + 20), foff = load_u32(entry + 24);
        plain_field(plain, entry + 20, rva);
        plain_field(plain, entry + 24, foff);
        if (nbytes == 0)
            continue;
        if (foff != 0 ? !range_fits(file.nbytes, foff, nbytes) : !plain_bytes(plain, rva, nbytes, &payload)) {
            plain_broken(plain, "a payload lies outside");
            continue;
        }
        read_payload(plain, load_u32(entry + 12), foff != 0 ? file.bytes + foff : payload, nbytes);
    }
}

/* The eight addresses of the header; an entry point that is a token counts as a constant. */
static void read_clr(struct plain *plain)
{
    static const uint8_t fields[] = {0x08, 0x14, 0x18, 0x20, 0x28, 0x30, 0x38, 0x40};
    uint32_t rva = plain->image->directories[14].rva;
    const uint8_t *header;
    if (rva == 0)
        return;
    if (!plain_bytes(plain, rva, 0x48, &header)) {
        plain_broken(plain, "the CLR header has no bytes");
        return;
    }
    for (size_t i = 0; i < sizeof fields; i++)
        plain_field(plain, header + fields[i], load_u32(header + fields[i]));
}

static void read_symbol(struct plain *plain, const uint8_t *symbol, bool has_auxiliary)
{
    uint32_t value = load_u32(symbol + 8);
    uint16_t number = load_u16(symbol + 12);
    bool is_address = number >= 1 && number <= plain->image->section_count && value <= INT32_MAX;
    plain_field(plain, symbol + 8, is_address ? plain->image->sections[number - 1].rva + value : value);
    plain_field(plain, symbol + 12, number);
    /* The auxiliary record of a function names its line numbers. */
    bool is_function = load_u16(symbol + 14) == 0x20 && symbol[16] == 2;
    if (is_function && has_auxiliary && load_u32(symbol + 18 + 8) != 0)
        plain_field(plain, symbol + 18 + 8, load_u32(symbol + 18 + 8));
}

static void read_symbols(struct plain *plain)
{
    const struct image *image = plain->image;
    uint32_t foff = load_u32(image->file.bytes + image->coff_foff + 8);
    uint64_t count = load_u32(image->file.bytes + image->coff_foff + 12);
    if (foff != 0 && range_fits(image->file.nbytes, foff, 18 * count))
        for (uint64_t i = 0; i < count;) {
            const uint8_t *symbol = image->file.bytes + foff + 18 * i;
            unsigned auxiliary_count = symbol[17];
            read_symbol(plain, symbol, auxiliary_count != 0 && i + auxiliary_count < count);
            i += 1 + auxiliary_count;
        }
    for (uint32_t i = 0; i < image->section_count; i++) {
        const uint8_t *header = image->file.bytes + image->section_table_foff + 40 * (size_t)i;
        uint32_t lines_foff = load_u32(header + 28), line_count = load_u16(header + 34);
        if (lines_foff == 0 || line_count == 0)
            continue;
        if (!range_fits(image->file.nbytes, lines_foff, 6 * (uint64_t)line_count)) {
            plain_broken(plain, "line numbers run past the end");
            continue;
        }
        for (uint32_t k = 0; k < line_count; k++) { /* number 0: an index instead of an address */
            const uint8_t *line = image->file.bytes + lines_foff + 6 * (size_t)k;
            if (plain_is_taken(plain, line))
                plain_broken(plain, "line numbers overlap another table");
            else if (load_u16(line + 4) != 0)
                plain_field(plain, line, load_u32(line));
            plain->is_taken[line - image->file.bytes] = 1;
        }
    }
}

static void read_certificates(struct plain *plain)
{
    const struct directory *directory = &plain->image->directories[4];
    if (directory->rva == 0 || directory->nbytes == 0)
        return;
    if (!range_fits(plain->image->file.nbytes, directory->rva, directory->nbytes)) {
        plain_broken(plain, "the table runs past the end");
        return;
    }
    const uint8_t *table = plain->image->file.bytes + directory->rva;
    for (uint64_t at = 0; at + 8 <= directory->nbytes;) {
        uint32_t nbytes = load_u32(table + at);
        if (nbytes < 8 || nbytes > directory->nbytes - at) {
            plain_broken(plain, "a certificate has an impossible length");
            return;
        }
        at += ((uint64_t)nbytes + 7) / 8 * 8;
    }
}

/* Sizes have the RVA of what they measure as target: 0 for those that measure everything. */
static void read_section_headers(struct plain *plain)
{
    const struct image *image = plain->image;
    for (uint32_t i = 0; i < image->section_count; i++) {
        const uint8_t *header = image->file.bytes + image->section_table_foff + 40 * (size_t)i;
        plain_field(plain, header + 8, load_u32(header + 12));
        plain_field(plain, header + 12, load_u32(header + 12));
        plain_field(plain, header + 16, load_u32(header + 12));
        for (unsigned at = 20; at <= 28; at += 4)
            plain_field(plain, header + at, load_u32(header + at));
    }
}

static void claim_resources(const struct image *image)
{
    plain_claim(image, read_resources, SOURCE_RESOURCES);
    plain_claim(image, read_debug, SOURCE_DEBUG);
    plain_claim(image, read_clr, SOURCE_CLR);
    plain_claim(image, read_symbols, SOURCE_COFF_SYMBOLS);
    plain_claim(image, read_certificates, SOURCE_CERTIFICATES);
    plain_claim(image, read_section_headers, SOURCE_SECTION_HEADERS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    uint32_t sources = SOURCE_BIT(SOURCE_HEADERS) | SOURCE_BIT(SOURCE_DIRECTORIES) |
                       SOURCE_BIT(SOURCE_SECTION_HEADERS) | SOURCE_BIT(SOURCE_RESOURCES) |
                       SOURCE_BIT(SOURCE_DEBUG) | SOURCE_BIT(SOURCE_CLR) | SOURCE_BIT(SOURCE_COFF_SYMBOLS) |
                       SOURCE_BIT(SOURCE_CERTIFICATES);
    return refs_claims(data, nbytes, sources, claim_resources);
}
