/* fuzz_image.c - the image model of any bytes.
 * Claims: the regions partition the file; every lookup agrees with every other; two readings agree. */
#include "fuzz.h"

static void claim_regions(const struct image *image)
{
    uint64_t foff = 0;
    for (size_t i = 0; i < image->region_count; i++) {
        const struct region *region = &image->regions[i];
        CLAIM(region->foff == foff && region->nbytes != 0, "region %zu begins at 0x%llX, not at 0x%llX", i,
              (unsigned long long)region->foff, (unsigned long long)foff);
        CLAIM(range_fits(image->file.nbytes, foff, region->nbytes), "region %zu leaves the file", i);
        bool is_of_section = region->kind == REGION_SECTION || region->kind == REGION_SECTION_TAIL ||
                             region->kind == REGION_COFF_RELOCATIONS;
        CLAIM(is_of_section ? region->section < image->section_count : region->section == UINT32_MAX,
              "region %zu has section %u", i, (unsigned)region->section);
        if (region->kind == REGION_PADDING)
            CLAIM(span_is_filled((struct span){image->file.bytes + foff, (size_t)region->nbytes}, 0),
                  "padding at 0x%llX is not zero", (unsigned long long)foff);
        foff += region->nbytes;
    }
    CLAIM(foff == image->file.nbytes, "the regions end at 0x%llX", (unsigned long long)foff);
    for (size_t i = 0; i < image->overlap_count; i++)
        CLAIM(range_fits(image->file.nbytes, image->overlaps[i].foff, image->overlaps[i].nbytes),
              "overlap %zu leaves the file", i);
}

static void claim_sections(const struct image *image)
{
    for (uint32_t i = 0; i < image->section_count; i++) {
        const struct section *section = &image->sections[i];
        CLAIM(section->index == i && section->name, "section %u", (unsigned)i);
        CLAIM(range_fits(image->file.nbytes, section->raw_foff, section->file_nbytes) ||
                  section->file_nbytes == 0,
              "section %u shows bytes behind the end of the file", (unsigned)i);
    }
    for (uint32_t i = 1; i < image->mapped_section_count; i++)
        CLAIM(image->sections_by_rva[i - 1]->rva <= image->sections_by_rva[i]->rva,
              "sections_by_rva is not sorted at %u", (unsigned)i);
}

/* What the lookups say of one RVA. */
static void claim_rva(const struct image *image, uint32_t rva)
{
    uint32_t foff = 0, again_foff = 0, again_rva = 0;
    struct span run = image_run_at_rva(image, rva), byte;
    bool is_backed = image_rva_to_foff(image, rva, 1, &foff);
    CLAIM(is_backed == (run.nbytes != 0), "RVA 0x%X: backed %d, run of %zu bytes", (unsigned)rva, is_backed,
          run.nbytes);
    CLAIM(is_backed == image_bytes_at_rva(image, rva, 1, &byte), "RVA 0x%X: bytes differ", (unsigned)rva);
    const struct section *section = image_section_at_rva(image, rva);
    if (section)
        CLAIM(rva >= section->rva, "RVA 0x%X is before its section at 0x%X", (unsigned)rva,
              (unsigned)section->rva);
    if (!is_backed)
        return;
    CLAIM(foff < image->file.nbytes, "RVA 0x%X leads to 0x%X", (unsigned)rva, (unsigned)foff);
    CLAIM(byte.bytes == image->file.bytes + foff && run.bytes == byte.bytes, "RVA 0x%X: two places",
          (unsigned)rva);
    CLAIM(range_fits(image->file.nbytes, foff, run.nbytes), "run at RVA 0x%X leaves the file", (unsigned)rva);
    uint32_t last_rva = rva + (uint32_t)(run.nbytes - 1);
    CLAIM(last_rva >= rva && image_rva_to_foff(image, last_rva, 1, &again_foff) &&
              again_foff == foff + run.nbytes - 1,
          "the run of %zu bytes at RVA 0x%X is not backed to its end", run.nbytes, (unsigned)rva);
    CLAIM(run.nbytes > UINT32_MAX || image_rva_to_foff(image, rva, (uint32_t)run.nbytes, &again_foff),
          "the run at RVA 0x%X is not one range", (unsigned)rva);
    CLAIM(run.nbytes >= UINT32_MAX || !image_rva_to_foff(image, rva, (uint32_t)run.nbytes + 1, &again_foff),
          "the run at RVA 0x%X is longer than it says", (unsigned)rva);
    /* Where headers claim the same bytes twice, the first claim has the byte, and it may be mapped nowhere.
     */
    CLAIM(image->overlap_count != 0 || image_foff_to_rva(image, foff, &again_rva),
          "RVA 0x%X leads to 0x%X, which is mapped nowhere", (unsigned)rva, (unsigned)foff);
}

/* A file byte that is seen at some RVA is found again from there. */
static void claim_foff(const struct image *image, uint64_t foff)
{
    uint32_t rva = 0, again_foff = 0;
    if (!image_foff_to_rva(image, foff, &rva))
        return;
    CLAIM(image_rva_to_foff(image, rva, 1, &again_foff) && again_foff == foff,
          "file offset 0x%llX is at RVA 0x%X, which leads to 0x%X", (unsigned long long)foff, (unsigned)rva,
          (unsigned)again_foff);
}

/* Around every border that the headers name. */
static void claim_lookups(const struct image *image)
{
    static const uint32_t fixed[] = {0, 1, 0xFFF, 0x1000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF};
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        claim_rva(image, fixed[i]);
        claim_foff(image, fixed[i]);
    }
    for (uint32_t d = 0; d < 3; d++) {
        claim_rva(image, image->headers_nbytes + d - 1);
        claim_rva(image, image->image_nbytes + d - 1);
        claim_foff(image, image->file.nbytes + d - 1);
        for (uint32_t i = 0; i < image->section_count && i < 512; i++) {
            const struct section *section = &image->sections[i];
            claim_rva(image, section->rva + d - 1);
            claim_rva(image, section->rva + section->memory_nbytes + d - 1);
            claim_rva(image, section->rva + section->file_nbytes + d - 1);
            claim_foff(image, (uint64_t)section->raw_foff + d);
            claim_foff(image, (uint64_t)section->raw_foff + section->file_nbytes + d - 1);
        }
        for (size_t i = 0; i < image->region_count && i < 512; i++)
            claim_foff(image, image->regions[i].foff + d - 1);
        for (uint32_t i = 0; i < image->directory_count; i++)
            claim_rva(image, image->directories[i].rva + d - 1);
    }
}

static void claim_same_reading(const struct image *image, struct arena *arena)
{
    struct image again;
    CLAIM(read_input(image->file, arena, &again), "the second reading refuses");
    CLAIM(again.region_count == image->region_count && again.section_count == image->section_count &&
              again.overlap_count == image->overlap_count && again.notes.count == image->notes.count &&
              again.role == image->role,
          "the second reading differs");
    for (size_t i = 0; i < image->region_count; i++)
        CLAIM(again.regions[i].foff == image->regions[i].foff &&
                  again.regions[i].kind == image->regions[i].kind,
              "region %zu differs in the second reading", i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct image image;
    if (read_input((struct span){data, nbytes}, &arena, &image)) {
        claim_regions(&image);
        claim_sections(&image);
        claim_lookups(&image);
        claim_same_reading(&image, &arena);
        for (size_t i = 0; i < image.notes.count; i++)
            CLAIM(is_sentence(image.notes.items[i].message), "note %zu", i);
        CLAIM(is_sentence(arena_printf(&arena, "%s.", image.role_reason)), "no reason for the role");
        CLAIM(image_machine_name(&image)[0] && image_subsystem_name(&image)[0], "no name");
    }
    arena_free(&arena);
    return 0;
}
