/* plan_damage.c - what must be whole before anything about a repair can be proved.
 * Takes: image and references.  Gives: a refusal that names the first thing that is damaged or contradictory.
 * Must not: judge the repair itself. */
#include "plan/debug_data.h"
#include "plan/plan_stages.h"

enum { IMAGE_BASE_ALIGN_NBYTES = 0x10000 };

static bool refuse_damage(struct plan_context *context, uint32_t rva, uint64_t foff, const char *what)
{
    struct finding refusal = finding_make(context->arena, HVCI9023_UNRESOLVED_REFERENCE, LEVEL_ERROR,
                                          "Nothing about a repair of this image can be proved: %s", what);
    refusal.rva = rva;
    refusal.file_offset = foff;
    refusal.cure = "Link the image again; a repair needs an image that reads the same way for everyone.";
    return finding_add(&context->plan->refusals, &refusal);
}

static bool is_symbols(enum region_kind kind)
{
    return kind == REGION_DEBUG_DATA || kind == REGION_COFF_SYMBOLS || kind == REGION_STRING_TABLE ||
           kind == REGION_COFF_RELOCATIONS;
}

/* COFF debug data are a header in front of the very symbols that the COFF header names: both say the same
 * thing. Nothing loads either, and a new layout takes neither along. */
static bool is_symbols_twice(const struct image *image, const struct region_overlap *overlap)
{
    return is_symbols(overlap->winner) && is_symbols(overlap->loser) &&
           debug_data_is_dropped(image, overlap->foff) &&
           debug_data_is_dropped(image, overlap->foff + overlap->nbytes - 1);
}

/* Nothing in the image runs, and nobody else is led into it: no entry point, imports, or thread-local
 * storage, and exports that are all forwarded. What looks like an address in it is read by nobody. */
bool plan_is_inert(const struct image *image, const struct refset *refs)
{
    static const unsigned used[] = {DIR_IMPORT,      DIR_EXCEPTION,    DIR_BASERELOC, DIR_TLS,
                                    DIR_LOAD_CONFIG, DIR_DELAY_IMPORT, DIR_CLR};
    const struct directory *exports = image_directory(image, DIR_EXPORT);
    for (size_t i = 0; i < sizeof used / sizeof used[0]; i++)
        if (image_directory(image, used[i]))
            return false;
    for (size_t i = 0; exports && i < refs->ref_count; i++)
        if (refs->refs[i].source == SOURCE_EXPORTS && refs->refs[i].target - exports->rva >= exports->nbytes)
            return false;
    return image->entry_rva == 0 && !(image->coff_characteristics & COFF_RELOCS_STRIPPED);
}

/* Bytes in the file that no page of the section shows: somebody keeps them there for a reader of the file. */
static bool has_hidden_bytes(const struct image *image, const struct section *section)
{
    struct span tail;
    return image->section_alignment >= PAGE_NBYTES && section->raw_nbytes > section->file_nbytes &&
           span_part(image->file, (uint64_t)section->raw_foff + section->file_nbytes,
                     section->raw_nbytes - section->file_nbytes, &tail) &&
           !span_is_filled(tail, 0);
}

/* What is damaged or contradictory may mean something else to Windows than to this reader: no repair builds
 * on it. */
bool plan_damage(struct plan_context *context)
{
    const struct image *image = context->image;
    if (image->is_managed)
        return refuse_damage(context, image->directories[DIR_CLR].rva, image->directories[DIR_CLR].entry_foff,
                             "it has a CLR header, so it is managed, and its code is not machine code.");
    if ((image->coff_characteristics & COFF_RELOCS_STRIPPED) && image_directory(image, DIR_BASERELOC))
        return refuse_damage(context, NO_RVA, image->coff_foff + COFF_CHARACTERISTICS,
                             "its base relocations are said to be stripped, but they are there.");
    if (image->machine == MACHINE_I386 && !image_directory(image, DIR_BASERELOC) &&
        !plan_is_inert(image, context->refs))
        return refuse_damage(context, NO_RVA, NO_FILE_OFFSET,
                             "it has no base relocations, so it is not known which constants are addresses.");
    if (image->image_base_va == 0 || image->image_base_va % IMAGE_BASE_ALIGN_NBYTES != 0)
        return refuse_damage(context, NO_RVA,
                             image->opt_foff + image_pick(image, OPT_IMAGE_BASE_32, OPT_IMAGE_BASE_64),
                             "its ImageBase is not a multiple of 64 KiB above 0, as Windows demands.");
    for (uint32_t i = 0; i < image->directory_count; i++) {
        const struct directory *directory = &image->directories[i];
        bool has_rva = directory->rva != 0, has_size = directory->nbytes != 0;
        if (has_rva != has_size && i != DIR_GLOBALPTR)
            return refuse_damage(context, directory->rva, directory->entry_foff,
                                 arena_printf(context->arena, "data directory %u has %s.", i,
                                              has_rva ? "an address but no size" : "a size but no address"));
    }
    for (uint32_t i = 0; i < image->section_count; i++) {
        const struct section *section = &image->sections[i];
        if (section->raw_nbytes != 0 && section->stored_raw_foff == 0)
            return refuse_damage(context, section->rva, section->header_foff + SECTION_POINTER_TO_RAW_DATA,
                                 arena_printf(context->arena,
                                              "section %s has raw data, but they lie nowhere in the file.",
                                              section->name));
        if (section->file_nbytes != 0 && section->raw_foff != section->stored_raw_foff)
            return refuse_damage(
                context, section->rva, section->header_foff + SECTION_POINTER_TO_RAW_DATA,
                arena_printf(context->arena,
                             "section %s lies at file offset 0x%X, which Windows rounds down.", section->name,
                             section->stored_raw_foff));
        if (has_hidden_bytes(image, section))
            return refuse_damage(
                context, section->rva, section->header_foff + SECTION_SIZE_OF_RAW_DATA,
                arena_printf(context->arena,
                             "section %s has bytes in the file that are in none of its pages.",
                             section->name));
    }
    for (size_t i = 0; i < image->overlap_count; i++) {
        const struct region_overlap *overlap = &image->overlaps[i];
        if (is_symbols_twice(image, overlap))
            continue;
        return refuse_damage(
            context, NO_RVA, overlap->foff,
            arena_printf(context->arena, "the headers say twice what lies at file offset 0x%llX: %s and %s.",
                         (unsigned long long)overlap->foff, region_kind_name(overlap->winner),
                         region_kind_name(overlap->loser)));
    }
    for (size_t i = 0; i < image->notes.count; i++)
        if (image->notes.items[i].code == HVCI9004_MALFORMED_TABLE)
            return refuse_damage(context, image->notes.items[i].rva, image->notes.items[i].file_offset,
                                 image->notes.items[i].message);
    for (size_t i = 0; i < context->refs->problem_count; i++) {
        const struct ref_problem *problem = &context->refs->problems[i];
        bool is_about_relocations =
            problem->source == SOURCE_RELOCATED || problem->source == SOURCE_BASERELOCS;
        if (!problem->is_limit || (is_about_relocations && context->code->decoded))
            return refuse_damage(context, problem->rva, problem->file_offset, problem->reason);
    }
    return true;
}
