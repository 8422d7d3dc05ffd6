/* nx_place.c - where stubs and the new base relocation table lie.
 * Takes: the redirects.  Gives: places and sizes, or why this image has no room for them.
 * Must not: move anything that is there. */
#include "plan/nx_plan.h"
#include "plan/reloc_table.h"

enum { MOST_SECTIONS = 96, RAW_ALIGNMENT_NBYTES = 0x200 };

static bool refuse(struct arena *arena, struct finding *error, uint64_t foff, const char *why,
                   const char *cure)
{
    *error = finding_make(arena, HVCI9022_NO_REPAIR, LEVEL_ERROR,
                          "Calls cannot be led through stubs (--nx) in this image: %s.", why);
    error->file_offset = foff;
    error->cure = cure;
    return false;
}

static bool out_of_memory(struct arena *arena, struct finding *error)
{
    *error = finding_make(arena, HVCI9008_OUT_OF_MEMORY, LEVEL_ERROR, "There was not enough memory.");
    error->cure = "Run on a machine with more free memory.";
    return false;
}

static bool up(uint64_t value, uint32_t align, uint32_t *rounded)
{
    return round_up_u32(value, align, rounded);
}

/* Windows wants no gap between sections, and a new one begins where the image ends. */
static bool ends_with_sections(const struct image *image)
{
    uint64_t end_rva = 0;
    for (uint32_t i = 0; i < image->section_count; i++) {
        uint64_t section_end_rva = (uint64_t)image->sections[i].rva + image->sections[i].memory_nbytes;
        end_rva = section_end_rva > end_rva ? section_end_rva : end_rva;
    }
    uint32_t sections_nbytes, image_nbytes;
    return up(end_rva, image->section_alignment, &sections_nbytes) &&
           up(image->image_nbytes, image->section_alignment, &image_nbytes) &&
           sections_nbytes == image_nbytes;
}

/* What the file has behind its sections must have a name: a program may look for other bytes at the file's
 * end. */
static bool check_kind(const struct nx_input *input, struct arena *arena, struct finding *error)
{
    static const char relink[] = "Ask for no-execute memory at the source, and link the image again.";
    const struct image *image = input->image;
    if ((image->machine != MACHINE_AMD64 && image->machine != MACHINE_I386) || !input->code->decoded)
        return refuse(arena, error, NO_FILE_OFFSET, "the code of this machine is not decoded here", relink);
    if (image->section_alignment < PAGE_NBYTES)
        return refuse(arena, error, NO_FILE_OFFSET, "its sections are not page-aligned",
                      "Repair HVCI2004 as well (no --only, or --only HVCI2004 too).");
    if (image->is_managed)
        return refuse(arena, error, NO_FILE_OFFSET, "it is managed", relink);
    if (!ends_with_sections(image))
        return refuse(arena, error, (uint64_t)image->opt_foff + OPT_SIZE_OF_IMAGE,
                      "its size in memory (SizeOfImage) is not where its sections end", relink);
    if (!image->is_64 &&
        ((image->coff_characteristics & COFF_RELOCS_STRIPPED) || !image_directory(image, DIR_BASERELOC)))
        return refuse(arena, error, NO_FILE_OFFSET, "it has no base relocations", relink);
    for (size_t i = 0; i < input->refs->problem_count; i++) {
        uint32_t source = SOURCE_BIT(input->refs->problems[i].source);
        if (source & (SOURCE_BIT(SOURCE_LOAD_CONFIG) | SOURCE_BIT(SOURCE_DVRT) |
                      SOURCE_BIT(SOURCE_BASERELOCS) | SOURCE_BIT(SOURCE_IMPORTS)))
            return refuse(
                arena, error, input->refs->problems[i].file_offset,
                arena_printf(arena, "a table of it is not understood (%s)", input->refs->problems[i].reason),
                relink);
    }
    for (size_t i = 0; i < input->refs->ref_count; i++)
        if (input->refs->refs[i].source == SOURCE_DVRT)
            return refuse(arena, error, NO_FILE_OFFSET,
                          "it has dynamic relocations, by which the kernel rewrites calls of imports",
                          relink);
    for (size_t i = 0; i < image->region_count; i++)
        if (image->regions[i].kind == REGION_OVERLAY || image->regions[i].kind == REGION_CERTIFICATES)
            return refuse(arena, error, image->regions[i].foff, "bytes lie behind its sections", relink);
    return true;
}

/* Header entries need room behind the section table that nothing uses. */
static bool check_room(const struct image *image, uint32_t more_count, struct arena *arena,
                       struct finding *error)
{
    uint32_t end_foff = image->section_table_end_foff + more_count * SECTION_HEADER_NBYTES;
    struct span room;
    uint32_t limit_foff = image->headers_nbytes;
    for (uint32_t i = 0; i < image->section_count; i++)
        if (image->sections[i].raw_nbytes != 0 && image->sections[i].raw_foff < limit_foff)
            limit_foff = image->sections[i].raw_foff;
    if (image->section_count + more_count > MOST_SECTIONS)
        return refuse(arena, error, NO_FILE_OFFSET,
                      "it has so many sections that Windows would not load more",
                      "Link the image again with fewer sections.");
    /* The import slots need not be bound: with another layout the binding goes. */
    const struct directory *bound = image_directory(image, DIR_BOUND_IMPORT);
    if (bound && bound->rva < end_foff && end_foff <= limit_foff)
        return refuse(arena, error, bound->rva,
                      "its bound imports lie behind the section table, where the header of another section "
                      "would go",
                      "Take the image from before it was bound, or repair its layout as well.");
    if (end_foff > limit_foff ||
        !span_part(image->file, image->section_table_end_foff, end_foff - image->section_table_end_foff,
                   &room) ||
        !span_is_filled(room, 0))
        return refuse(
            arena, error, image->section_table_end_foff, "its headers have no room for another section",
            "If it was repaired before, run \"hvcifix fix --nx\" on the image from before that: one run "
            "makes room for both. Else link it again with fewer sections, or without what lies behind "
            "the section table.");
    return true;
}

/* Is the relocated place an operand that becomes a distance? */
static bool becomes_distance(const struct nx_plan *plan, uint32_t rva)
{
    size_t low = 0, high = plan->site_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (plan->sites[middle].rva <= rva)
            low = middle + 1;
        else
            high = middle;
    }
    const struct nx_site *site = low > 0 ? &plan->sites[low - 1] : NULL;
    return site && site->kind != NX_SITE_LOAD && rva == site->rva + site->field_at;
}

static bool build_relocations(const struct nx_input *input, struct arena *arena, struct nx_plan *plan)
{
    size_t count = plan->redirect_count, kept = 0;
    for (size_t i = 0; i < input->refs->ref_count; i++)
        count += input->refs->refs[i].source == SOURCE_BASERELOCS;
    struct reloc_place *places = arena_array(arena, count, sizeof *places);
    if (!places)
        return false;
    for (size_t i = 0; i < input->refs->ref_count; i++) {
        const struct ref *ref = &input->refs->refs[i];
        if (ref->source == SOURCE_BASERELOCS && ref->encoding == REF_PAGE_12 &&
            !becomes_distance(plan, ref->target))
            places[kept++] = (struct reloc_place){ref->target, ref->detail};
    }
    for (size_t i = 0; i < plan->redirect_count; i++)
        places[kept++] = (struct reloc_place){
            plan->redirects[i].stub_rva + plan->redirects[i].jump_at + NX_JUMP_FIELD_AT, BASERELOC_HIGHLOW};
    if (!reloc_table_write(places, kept, arena, &plan->relocation_table))
        return false;
    plan->relocation_nbytes = (uint32_t)plan->relocation_table.nbytes;
    return true;
}

bool nx_plan_place(const struct nx_input *input, struct arena *arena, struct nx_plan *plan,
                   struct finding *error)
{
    const struct image *image = input->image;
    uint32_t align =
        image->file_alignment > RAW_ALIGNMENT_NBYTES ? image->file_alignment : (uint32_t)RAW_ALIGNMENT_NBYTES;
    uint32_t code_raw_nbytes, end_rva = image->image_nbytes, end_foff;
    uint8_t code[NX_STUB_MAX_NBYTES];
    if (!check_kind(input, arena, error) || !check_room(image, image->is_64 ? 1 : 2, arena, error))
        return false;
    bool fits = up(end_rva, image->section_alignment, &plan->code_rva) &&
                up(image->file.nbytes, align, &plan->code_foff);
    for (size_t i = 0; fits && i < plan->redirect_count; i++) {
        struct nx_redirect *redirect = &plan->redirects[i];
        redirect->stub_rva = plan->code_rva + (uint32_t)i * NX_STUB_STRIDE_NBYTES;
        redirect->jump_at =
            (uint32_t)nx_stub_code(redirect->api, image->is_64, code) - (uint32_t)NX_JUMP_NBYTES;
    }
    plan->code_nbytes = (uint32_t)plan->redirect_count * NX_STUB_STRIDE_NBYTES;
    fits = fits && up(plan->code_nbytes, align, &code_raw_nbytes) &&
           up((uint64_t)plan->code_foff + code_raw_nbytes, align, &end_foff) &&
           up((uint64_t)plan->code_rva + plan->code_nbytes, image->section_alignment, &end_rva);
    if (fits && !image->is_64) {
        uint32_t nbytes;
        if (!build_relocations(input, arena, plan))
            return out_of_memory(arena, error);
        nbytes = plan->relocation_nbytes + (uint32_t)NX_RELOCATION_TRAILER_NBYTES;
        plan->relocation_rva = end_rva;
        plan->relocation_foff = end_foff;
        fits = up((uint64_t)end_foff + nbytes, align, &end_foff) &&
               up((uint64_t)end_rva + nbytes, image->section_alignment, &end_rva);
    }
    if (!fits)
        return refuse(arena, error, NO_FILE_OFFSET, "it is too large", "Link a smaller image.");
    plan->image_nbytes = end_rva;
    plan->file_nbytes = end_foff;
    return true;
}
