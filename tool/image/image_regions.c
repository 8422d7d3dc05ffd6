/* image_regions.c - the file as a list of regions without gaps: each byte has one name.
 * Takes: headers and sections.  Gives: regions, and the overlaps among what the headers claim.
 * Must not: read contents beyond the Rich header, the debug directory's 28-byte entries (their data may lie
 * outside every section) and the bytes that nothing claims.
 * How: every header field that names a range of the file makes a claim; sorted by offset, the claims are laid
 * down from left to right, each cut where an earlier one ends; what is left over is padding, unnamed bytes,
 * or the overlay. */
#include "image/image_stages.h"

#include <stdlib.h>

struct claim {
    uint64_t foff, nbytes;
    enum region_kind kind;
    uint32_t section;
};

struct claims {
    struct image *image;
    struct claim *items;
    size_t count, capacity;
};

static bool claim(struct claims *claims, uint64_t foff, uint64_t nbytes, enum region_kind kind,
                  uint32_t section)
{
    if (nbytes == 0)
        return true;
    struct claim *items = arena_grow(claims->image->arena, claims->items, claims->count, &claims->capacity,
                                     claims->count + 1, sizeof *items);
    if (!items)
        return false;
    claims->items = items;
    items[claims->count++] = (struct claim){foff, nbytes, kind, section};
    return true;
}

/* The Rich header ends 8 bytes after "Rich"; its start is "DanS" xored with the key that follows "Rich".
 * It is searched between the DOS header and the PE signature only. */
static bool find_rich_header(const struct image *image, uint64_t *foff, uint64_t *nbytes)
{
    struct span file = image->file;
    for (uint64_t end = DOS_HEADER_NBYTES; end + 8 <= image->pe_foff; end += 4) {
        if (load_u32(file.bytes + end) != RICH_END_MARK)
            continue;
        uint32_t key = load_u32(file.bytes + end + 4);
        for (uint64_t start = DOS_HEADER_NBYTES; start + 16 <= end; start += 4)
            if ((load_u32(file.bytes + start) ^ key) == RICH_START_MARK) {
                *foff = start;
                *nbytes = end + 8 - start;
                return true;
            }
        return false;
    }
    return false;
}

static bool claim_headers(struct claims *claims)
{
    const struct image *image = claims->image;
    uint32_t dos_nbytes = image->pe_foff < DOS_HEADER_NBYTES ? image->pe_foff : DOS_HEADER_NBYTES;
    if (!claim(claims, 0, dos_nbytes, REGION_DOS_HEADER, UINT32_MAX))
        return false;
    if (image->pe_foff > DOS_HEADER_NBYTES) {
        uint64_t rich_foff = image->pe_foff, rich_nbytes = 0;
        if (find_rich_header(image, &rich_foff, &rich_nbytes) &&
            !claim(claims, rich_foff, rich_nbytes, REGION_RICH_HEADER, UINT32_MAX))
            return false;
        if (!claim(claims, DOS_HEADER_NBYTES, rich_foff - DOS_HEADER_NBYTES, REGION_DOS_STUB, UINT32_MAX) ||
            !claim(claims, rich_foff + rich_nbytes, image->pe_foff - rich_foff - rich_nbytes, REGION_DOS_STUB,
                   UINT32_MAX))
            return false;
    }
    uint32_t directories_foff = image->opt_foff + image_pick(image, OPT_DIRECTORIES_32, OPT_DIRECTORIES_64);
    return claim(claims, image->pe_foff, PE_SIGNATURE_NBYTES, REGION_PE_SIGNATURE, UINT32_MAX) &&
           claim(claims, image->coff_foff, COFF_HEADER_NBYTES, REGION_COFF_HEADER, UINT32_MAX) &&
           claim(claims, image->opt_foff, directories_foff - image->opt_foff, REGION_OPTIONAL_HEADER,
                 UINT32_MAX) &&
           claim(claims, directories_foff, image->section_table_foff - directories_foff,
                 REGION_DATA_DIRECTORIES, UINT32_MAX) &&
           claim(claims, image->section_table_foff, image->section_table_end_foff - image->section_table_foff,
                 REGION_SECTION_HEADERS, UINT32_MAX);
}

/* A table of an otherwise loadable image that the header places outside the file: said once, not claimed. */
static bool note_outside(struct image *image, uint64_t field_foff, const char *what, uint64_t foff,
                         uint64_t nbytes)
{
    return image_note(image, HVCI9004_MALFORMED_TABLE, field_foff,
                      "%s (0x%llX bytes at file offset 0x%llX) does not lie inside the file.", what,
                      (unsigned long long)nbytes, (unsigned long long)foff);
}

static bool claim_object_tables(struct claims *claims, const struct section *s)
{
    struct image *image = claims->image;
    uint64_t relocations_nbytes = (uint64_t)s->relocation_count * COFF_RELOCATION_NBYTES;
    uint64_t linenumbers_nbytes = (uint64_t)s->linenumber_count * COFF_LINENUMBER_NBYTES;
    if (relocations_nbytes != 0 && s->relocations_foff != 0) {
        bool fits = range_fits(image->file.nbytes, s->relocations_foff, relocations_nbytes);
        if (fits ? !claim(claims, s->relocations_foff, relocations_nbytes, REGION_COFF_RELOCATIONS, s->index)
                 : !note_outside(image, s->header_foff + SECTION_POINTER_TO_RELOCATIONS,
                                 "A table of object relocations", s->relocations_foff, relocations_nbytes))
            return false;
    }
    if (linenumbers_nbytes != 0 && s->linenumbers_foff != 0) {
        bool fits = range_fits(image->file.nbytes, s->linenumbers_foff, linenumbers_nbytes);
        if (fits ? !claim(claims, s->linenumbers_foff, linenumbers_nbytes, REGION_COFF_RELOCATIONS, s->index)
                 : !note_outside(image, s->header_foff + SECTION_POINTER_TO_LINENUMBERS,
                                 "A table of line numbers", s->linenumbers_foff, linenumbers_nbytes))
            return false;
    }
    return true;
}

static bool claim_sections(struct claims *claims)
{
    const struct image *image = claims->image;
    for (uint32_t i = 0; i < image->section_count; i++) {
        const struct section *s = &image->sections[i];
        if (!claim_object_tables(claims, s))
            return false;
        if (s->raw_nbytes == 0 || s->stored_raw_foff == 0)
            continue;
        uint64_t raw_end_foff = (uint64_t)s->stored_raw_foff + s->raw_nbytes;
        uint64_t seen_end_foff = (uint64_t)s->raw_foff + s->file_nbytes;
        if (!claim(claims, s->raw_foff, s->file_nbytes, REGION_SECTION, i) ||
            !claim(claims, seen_end_foff, raw_end_foff - seen_end_foff, REGION_SECTION_TAIL, i))
            return false;
    }
    return true;
}

static bool claim_symbols(struct claims *claims)
{
    const struct image *image = claims->image;
    uint64_t symbols_nbytes = (uint64_t)image->symbol_count * COFF_SYMBOL_NBYTES;
    return (image->symbol_table_foff == 0 ||
            claim(claims, image->symbol_table_foff, symbols_nbytes, REGION_COFF_SYMBOLS, UINT32_MAX)) &&
           claim(claims, image->string_table_foff, image->string_table_nbytes, REGION_STRING_TABLE,
                 UINT32_MAX);
}

static bool claim_certificates(struct claims *claims)
{
    struct image *image = claims->image;
    const struct directory *security = image_directory(image, DIR_SECURITY);
    if (!security)
        return true;
    if (range_fits(image->file.nbytes, security->rva, security->nbytes))
        return claim(claims, security->rva, security->nbytes, REGION_CERTIFICATES, UINT32_MAX);
    return note_outside(image, security->entry_foff, "The certificate table", security->rva,
                        security->nbytes);
}

/* Debug data of unmapped entries (address 0) lies outside the sections. */
static bool claim_debug_data(struct claims *claims)
{
    const struct image *image = claims->image;
    const struct directory *debug = image_directory(image, DIR_DEBUG);
    if (!debug)
        return true;
    struct span entries = image_run_at_rva(image, debug->rva);
    if (entries.nbytes > debug->nbytes)
        entries.nbytes = debug->nbytes;
    for (size_t at = 0; at + DEBUG_ENTRY_NBYTES <= entries.nbytes; at += DEBUG_ENTRY_NBYTES) {
        const uint8_t *entry = entries.bytes + at;
        uint32_t nbytes = load_u32(entry + DEBUG_SIZE_OF_DATA);
        uint32_t foff = load_u32(entry + DEBUG_POINTER_TO_RAW_DATA);
        if (load_u32(entry + DEBUG_ADDRESS_OF_RAW_DATA) == 0 && foff != 0 &&
            range_fits(image->file.nbytes, foff, nbytes) &&
            !claim(claims, foff, nbytes, REGION_DEBUG_DATA, UINT32_MAX))
            return false;
    }
    return true;
}

static int by_foff(const void *a, const void *b)
{
    const struct claim *left = a, *right = b;
    if (left->foff != right->foff)
        return left->foff < right->foff ? -1 : 1;
    if (left->kind != right->kind)
        return left->kind < right->kind ? -1 : 1;
    if (left->section != right->section)
        return left->section < right->section ? -1 : 1;
    return left->nbytes < right->nbytes ? -1 : left->nbytes > right->nbytes;
}

/* One region for [*end, upto) that no claim covers, named by what it holds. */
static void add_gap(struct image *image, uint64_t *end, uint64_t upto, bool is_last)
{
    if (upto <= *end)
        return;
    struct span bytes = {image->file.bytes + *end, (size_t)(upto - *end)};
    enum region_kind kind = span_is_filled(bytes, 0) ? REGION_PADDING : REGION_UNNAMED;
    if (*end == image->section_table_end_foff)
        kind = REGION_HEADER_SLACK;
    else if (is_last)
        kind = REGION_OVERLAY;
    image->regions[image->region_count++] = (struct region){*end, bytes.nbytes, kind, UINT32_MAX};
    *end = upto;
}

static bool lay_down(struct claims *claims)
{
    struct image *image = claims->image;
    /* Each claim gives at most one region and one gap before it; one gap may follow the last. */
    image->regions = arena_array(image->arena, 2 * claims->count + 1, sizeof *image->regions);
    image->overlaps = arena_array(image->arena, claims->count, sizeof *image->overlaps);
    if (!image->regions || !image->overlaps)
        return false;
    uint64_t end = 0;
    enum region_kind end_kind = REGION_DOS_HEADER; /* of the claim that reaches to `end` */
    for (size_t i = 0; i < claims->count; i++) {
        const struct claim *c = &claims->items[i];
        uint64_t claim_end = c->foff + c->nbytes;
        if (c->foff < end)
            image->overlaps[image->overlap_count++] = (struct region_overlap){
                c->foff, (claim_end < end ? claim_end : end) - c->foff, end_kind, c->kind};
        if (claim_end <= end)
            continue;
        add_gap(image, &end, c->foff, false);
        image->regions[image->region_count++] = (struct region){end, claim_end - end, c->kind, c->section};
        end = claim_end;
        end_kind = c->kind;
    }
    add_gap(image, &end, image->file.nbytes, true);
    return true;
}

bool image_read_regions(struct image *image, struct finding *error)
{
    struct claims claims = {.image = image};
    if (!claim_headers(&claims) || !claim_sections(&claims) || !claim_symbols(&claims) ||
        !claim_certificates(&claims) || !claim_debug_data(&claims))
        return image_out_of_memory(image, error);
    qsort(claims.items, claims.count, sizeof *claims.items, by_foff);
    if (!lay_down(&claims))
        return image_out_of_memory(image, error);
    return true;
}
