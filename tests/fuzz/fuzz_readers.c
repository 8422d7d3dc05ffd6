/* fuzz_readers.c - two readers of one file: the image model with its inventory, and the verifier's own.
 * Claims: what both read is the same: header fields, directories, section headers; where the layout is sound,
 * also which bytes lie at which address; and what the inventory takes for written by the loader, the verifier
 * does, too. */
#include "fuzz.h"
#include "verify/verify_structure.h"
#include "verify/verify_tables.h"

/* One file, read twice. */
struct readings {
    const struct image *image;
    const struct verify_image *other;
};

static void claim_headers(const struct readings *two)
{
    const struct image *a = two->image;
    const struct verify_image *b = two->other;
    CLAIM(a->is_64 == b->is_64 && a->machine == b->machine &&
              a->coff_characteristics == b->coff_characteristics,
          "machines differ");
    CLAIM(a->pe_foff == b->pe_foff && a->coff_foff == b->coff_foff && a->opt_foff == b->opt_foff &&
              a->section_table_foff == b->section_table_foff &&
              a->section_table_end_foff == b->section_table_end_foff,
          "places of the headers differ");
    CLAIM(a->image_base_va == b->base_va && a->entry_rva == b->entry_rva &&
              a->section_alignment == b->section_alignment && a->file_alignment == b->file_alignment &&
              a->image_nbytes == b->image_nbytes && a->headers_nbytes == b->headers_nbytes &&
              a->stored_checksum == b->stored_checksum,
          "fields of the optional header differ");
    CLAIM(a->directory_count == b->directory_count, "%u and %u directories", (unsigned)a->directory_count,
          (unsigned)b->directory_count);
    for (uint32_t i = 0; i < a->directory_count; i++)
        CLAIM(a->directories[i].rva == b->directories[i].rva &&
                  a->directories[i].nbytes == b->directories[i].nbytes,
              "directory %u differs", (unsigned)i);
}

static void claim_sections(const struct readings *two)
{
    CLAIM(two->image->section_count == two->other->section_count, "numbers of sections differ");
    for (uint32_t i = 0; i < two->image->section_count; i++) {
        const struct section *a = &two->image->sections[i];
        const struct verify_section *b = &two->other->sections[i];
        CLAIM(a->header_foff == b->header_foff && a->rva == b->rva && a->virtual_size == b->virtual_nbytes &&
                  a->raw_nbytes == b->raw_nbytes && a->stored_raw_foff == b->raw_foff &&
                  a->characteristics == b->characteristics,
              "section %u differs", (unsigned)i);
    }
}

/* Is raw data where the headers say? Loaders round its offset down, take 0 for none, and refuse images below
 * page alignment where it is not the RVA; the verifier does not follow them there, and proves nothing. */
static bool is_raw_data_in_place(const struct image *image)
{
    for (uint32_t i = 0; i < image->section_count; i++) {
        const struct section *section = &image->sections[i];
        if (section->raw_nbytes != 0 &&
            (section->stored_raw_foff != section->raw_foff || section->stored_raw_foff == 0 ||
             (image->is_flat && section->stored_raw_foff != section->rva)))
            return false;
    }
    return true;
}

/* The verifier also looks at raw data behind its section's last page, which no memory shows. */
static void claim_bytes_at(const struct readings *two, uint32_t rva)
{
    struct span a = image_run_at_rva(two->image, rva), b = verify_bytes_at(two->other, rva);
    const struct section *section = image_section_at_rva(two->image, rva);
    CLAIM(a.nbytes == 0 || b.nbytes != 0, "RVA 0x%X has bytes for the inventory only", (unsigned)rva);
    if (a.nbytes != 0)
        CLAIM(a.bytes == b.bytes, "RVA 0x%X is at 0x%zX and at 0x%zX", (unsigned)rva,
              (size_t)(a.bytes - two->image->file.bytes), (size_t)(b.bytes - two->image->file.bytes));
    bool is_shown_whole = section && section->file_nbytes == section->raw_nbytes;
    if (is_shown_whole || rva < two->image->headers_nbytes)
        CLAIM(a.nbytes == b.nbytes, "%zu and %zu bytes at RVA 0x%X", a.nbytes, b.nbytes, (unsigned)rva);
}

static void claim_places(const struct readings *two)
{
    uint64_t foff[STRUCTURE_RULE_COUNT];
    uint32_t layout_rules = 1U << STRUCTURE_ALIGNMENT | 1U << STRUCTURE_FILE_ALIGNMENT |
                            1U << STRUCTURE_HEADERS_SIZE | 1U << STRUCTURE_SECTION_ADJACENT |
                            1U << STRUCTURE_RAW_IN_FILE | 1U << STRUCTURE_FLAT_OFFSETS;
    if ((verify_structure_broken(two->other, foff) & layout_rules) != 0 || two->image->is_flat ||
        !is_raw_data_in_place(two->image))
        return;
    claim_bytes_at(two, 0);
    for (uint32_t i = 0; i < two->image->section_count; i++) {
        const struct section *section = &two->image->sections[i];
        uint32_t ends[] = {section->memory_nbytes, section->file_nbytes, section->raw_nbytes};
        claim_bytes_at(two, section->rva);
        for (unsigned k = 0; k < 3; k++)
            for (uint32_t beside = 0; beside < 3; beside++)
                claim_bytes_at(two, section->rva + ends[k] + beside - 1);
    }
    for (uint32_t i = 0; i < two->image->directory_count; i++)
        claim_bytes_at(two, two->image->directories[i].rva);
}

static bool is_written_kind(uint8_t kind)
{
    return kind == EXTENT_IAT || kind == EXTENT_DELAY_IAT || kind == EXTENT_GUARD_SLOT ||
           kind == EXTENT_SECURITY_COOKIE;
}

/* Every slot that the loader writes, as the inventory has it, is one that the verifier watches. */
static void claim_written(const struct readings *two, struct arena *arena)
{
    struct refset refs;
    struct verify_tables tables;
    CLAIM(refs_collect(two->image, arena, SOURCE_ALL, &refs), "out of memory");
    CLAIM(verify_tables_read(two->other, arena, &tables), "out of memory");
    uint32_t writers =
        SOURCE_BIT(SOURCE_IMPORTS) | SOURCE_BIT(SOURCE_DELAY_IMPORTS) | SOURCE_BIT(SOURCE_LOAD_CONFIG);
    if (tables.problem || (refs.damaged & writers) != 0) /* then no write right goes */
        return;
    unsigned slot_nbytes = image_pointer_nbytes(two->image);
    for (size_t i = 0; i < refs.extent_count; i++) {
        const struct extent *extent = &refs.extents[i];
        if (!is_written_kind(extent->kind))
            continue;
        for (uint32_t at = 0; extent->nbytes - at >= slot_nbytes; at += slot_nbytes) {
            uint64_t rva = (uint64_t)extent->rva + at;
            CLAIM(verify_written_in(&tables, rva, rva + slot_nbytes),
                  "RVA 0x%llX is written (%s), and the verifier does not know it", (unsigned long long)rva,
                  extent_kind_name((enum extent_kind)extent->kind));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct image image;
    struct verify_image other;
    const char *reason;
    uint64_t foff;
    if (read_input((struct span){data, nbytes}, &arena, &image)) {
        CLAIM(verify_image_read(image.file, &arena, &other, &reason, &foff),
              "the image model reads what the verifier refuses: %s", reason ? reason : "out of memory");
        struct readings two = {&image, &other};
        claim_headers(&two);
        claim_sections(&two);
        claim_places(&two);
        if (other.is_ordered && is_raw_data_in_place(&image))
            claim_written(&two, &arena);
    }
    arena_free(&arena);
    return 0;
}
