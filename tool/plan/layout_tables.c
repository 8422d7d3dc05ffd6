/* layout_tables.c - can the tables of the image follow a new layout?
 * Takes: image and references.  Gives: true, or the refusal that names the table.
 * Must not: judge damage that every reader sees; plan_damage.c does that. */
#include "plan/binding.h"
#include "plan/debug_data.h"
#include "plan/rewrite.h"

/* New sections lie behind the old image; nothing that the headers name may reach there. */
static bool check_directories(struct rewrite *rewrite)
{
    const struct image *image = rewrite->image;
    for (unsigned i = 0; i < image->directory_count; i++) {
        const struct directory *directory = &image->directories[i];
        if (i != DIR_SECURITY && !range_fits(image->image_nbytes, directory->rva, directory->nbytes))
            return rewrite_refuse(rewrite, directory->rva, directory->entry_foff, "Link the image again.",
                                  "Data directory %u reaches out of the image, which would grow.", i);
    }
    return true;
}

/* What lies behind the bytes that a section says to have may be mapped, but goes nowhere. */
static bool relocations_have_bytes(struct rewrite *rewrite)
{
    for (size_t i = 0; i < rewrite->refs->ref_count; i++) {
        const struct ref *ref = &rewrite->refs->refs[i];
        if (ref->source != SOURCE_BASERELOCS || ref->encoding != REF_PAGE_12)
            continue;
        const struct piece *piece = layout_piece_at(rewrite->layout, ref->target);
        if (ref->target >= piece_end_rva(piece))
            return rewrite_refuse(rewrite, ref->target, ref->site_foff, "Link the image again.",
                                  "The base relocation of RVA 0x%X lies behind the bytes of its section.",
                                  ref->target);
    }
    return true;
}

/* A directory keeps its size, and may state more than its table has. */
static bool directories_fit(struct rewrite *rewrite)
{
    const struct image *image = rewrite->image;
    for (unsigned i = 0; i < image->directory_count; i++) {
        const struct directory *directory = &image->directories[i];
        if (i == DIR_SECURITY || i == DIR_IAT || i == DIR_BASERELOC || directory->rva == 0 ||
            range_fits(rewrite->layout->image_nbytes, layout_map_rva(rewrite->layout, directory->rva),
                       directory->nbytes))
            continue;
        return rewrite_refuse(rewrite, directory->rva, directory->entry_foff, "Link the image again.",
                              "Data directory %u would reach out of the new image.", i);
    }
    return true;
}

/* Tables that are read from their begin to their end have all of it in one piece. */
bool layout_tables_are_whole(struct rewrite *rewrite)
{
    static const unsigned numbers[] = {DIR_EXPORT, DIR_RESOURCE, DIR_EXCEPTION, DIR_DEBUG};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        const struct directory *directory = image_directory(rewrite->image, numbers[i]);
        uint32_t last_rva = directory ? directory->rva + directory->nbytes - 1 : 0;
        if (directory && directory->nbytes != 0 && last_rva >= directory->rva &&
            piece_delta(layout_piece_at(rewrite->layout, directory->rva)) !=
                piece_delta(layout_piece_at(rewrite->layout, last_rva)))
            return rewrite_refuse(rewrite, directory->rva, directory->entry_foff, "Link the image again.",
                                  "Data directory %u reaches over a border where the image has to be cut.",
                                  numbers[i]);
    }
    return directories_fit(rewrite) && relocations_have_bytes(rewrite);
}

/* The address of code of the image: what is called where the import is missing (refs_imports.c). */
static bool is_function_of_its_own(const struct image *image, uint64_t value)
{
    uint32_t rva;
    const struct section *section =
        image_va_to_rva(image, value, &rva) ? image_section_at_rva(image, rva) : NULL;
    return section && (section->characteristics & SCN_MEM_EXECUTE) != 0;
}

/* The slots hold what the lookup table does, or a function of the image. *budget_count: how many may still be
 * looked at. */
static bool slots_agree(const struct image *image, const struct binding *binding, uint64_t *budget_count)
{
    struct span lookup = image_run_at_rva(image, binding->lookup_rva);
    struct span slots = image_run_at_rva(image, binding->iat_rva);
    unsigned width_nbytes = image->is_64 ? 8 : 4;
    for (size_t at = 0; range_fits(lookup.nbytes, at, width_nbytes); at += width_nbytes) {
        uint64_t name = load_width(lookup.bytes + at, width_nbytes);
        if (name == 0)
            return true;
        if (*budget_count == 0 || !range_fits(slots.nbytes, at, width_nbytes))
            return false;
        uint64_t slot = load_width(slots.bytes + at, width_nbytes);
        if (slot != name && !is_function_of_its_own(image, slot))
            return false;
        --*budget_count;
    }
    return true;
}

static bool check_imports(struct rewrite *rewrite)
{
    struct binding binding;
    uint64_t budget_count = rewrite->image->file.nbytes;
    for (uint32_t i = 0; binding_at(rewrite->image, i, &binding); i++) {
        if (binding_is_final(&binding))
            return rewrite_refuse(
                rewrite, binding.iat_rva, binding.descriptor_foff, "Link the image without binding it.",
                "The imports at RVA 0x%X are bound, and no lookup table says what they were.",
                binding.iat_rva);
        if (!binding.is_bound && binding.lookup_rva != 0 &&
            !slots_agree(rewrite->image, &binding, &budget_count))
            return rewrite_refuse(
                rewrite, binding.iat_rva, binding.descriptor_foff, "Link the image again.",
                "The import slots at RVA 0x%X hold something else than their lookup table, and no stamp says "
                "that they are bound.",
                binding.iat_rva);
    }
    for (size_t i = 0; i < rewrite->refs->ref_count; i++) {
        const struct ref *ref = &rewrite->refs->refs[i];
        if (ref->source == SOURCE_IMPORTS && ref->detail == DETAIL_IMPORT_IAT && ref->encoding == REF_VA &&
            !(ref->flags & REF_FLAG_RELOCATED))
            return rewrite_refuse(rewrite, ref->site_rva, ref->site_foff, "Link the image again.",
                                  "The import slot at RVA 0x%X holds the address of a function of the image, "
                                  "and no base relocation names it.",
                                  ref->site_rva);
    }
    return true;
}

/* Headers stay as they are: of what lies there, only what the header itself says is derived anew. */
static bool check_tables_in_headers(struct rewrite *rewrite)
{
    enum {
        OF_HEADERS = SOURCE_BIT(SOURCE_HEADERS) | SOURCE_BIT(SOURCE_DIRECTORIES) |
                     SOURCE_BIT(SOURCE_SECTION_HEADERS) | SOURCE_BIT(SOURCE_BOUND_IMPORTS)
    };
    const struct image *image = rewrite->image;
    for (size_t i = 0; i < rewrite->refs->ref_count; i++) {
        const struct ref *ref = &rewrite->refs->refs[i];
        bool is_import = ref->source == SOURCE_IMPORTS || ref->source == SOURCE_DELAY_IMPORTS;
        if (is_import && ref->state == REF_HEADERS)
            return rewrite_refuse(rewrite, ref->site_rva, ref->site_foff, "Link the image again.",
                                  "The import tables name something in the headers, at RVA 0x%X.",
                                  ref->target);
        if (ref->site_rva < image->headers_nbytes && ref->state != REF_NULL && ref->state != REF_CONSTANT &&
            !(SOURCE_BIT(ref->source) & OF_HEADERS) && !image_section_at_rva(image, ref->site_rva))
            return rewrite_refuse(rewrite, ref->site_rva, ref->site_foff, "Link the image again.",
                                  "The headers hold a field of a table (%s) at RVA 0x%X.",
                                  ref_source_name(ref->source), ref->site_rva);
    }
    return true;
}

/* Debug data that are mapped lie where both of their places say. */
static bool check_debug_data(struct rewrite *rewrite)
{
    const struct image *image = rewrite->image;
    uint32_t entry_foff = 0, count = debug_entry_count(image, &entry_foff);
    for (uint32_t i = 0; i < count; i++, entry_foff += DEBUG_ENTRY_NBYTES) {
        const uint8_t *entry = image->file.bytes + entry_foff;
        uint32_t rva = load_u32(entry + DEBUG_ADDRESS_OF_RAW_DATA);
        uint32_t foff = load_u32(entry + DEBUG_POINTER_TO_RAW_DATA), mapped_foff;
        if (rva != 0 && foff != 0 && image_rva_to_foff(image, rva, 1, &mapped_foff) && mapped_foff != foff)
            return rewrite_refuse(rewrite, rva, foff, "Link the image again.",
                                  "The debug directory gives the same data two places: RVA 0x%X and file "
                                  "offset 0x%X, which is another.",
                                  rva, foff);
    }
    return true;
}

/* Windows finds functions by bisection: those of x64 ascend and do not overlap, or it cannot be told where
 * the instructions begin. */
static bool check_functions(struct rewrite *rewrite)
{
    const struct image *image = rewrite->image;
    const struct directory *directory = image_directory(image, DIR_EXCEPTION);
    struct span table = directory ? image_run_at_rva(image, directory->rva) : (struct span){NULL, 0};
    uint32_t free_rva = 0;
    if (image->machine != MACHINE_AMD64)
        return true;
    for (size_t at = 0; directory && range_fits(directory->nbytes, at, RUNTIME_FUNCTION_NBYTES) &&
                        range_fits(table.nbytes, at, RUNTIME_FUNCTION_NBYTES);
         at += RUNTIME_FUNCTION_NBYTES) {
        uint32_t begin_rva = load_u32(table.bytes + at + RUNTIME_FUNCTION_BEGIN);
        uint32_t end_rva = load_u32(table.bytes + at + RUNTIME_FUNCTION_END);
        if (begin_rva == 0 && end_rva == 0)
            continue;
        if (begin_rva < free_rva)
            return rewrite_refuse(
                rewrite, begin_rva, NO_FILE_OFFSET, "Link the image again.",
                "The exception table says that a function begins at RVA 0x%X, before the end "
                "of the one that it names before (RVA 0x%X).",
                begin_rva, free_rva);
        free_rva = end_rva;
    }
    return true;
}

bool layout_tables_can_follow(struct rewrite *rewrite)
{
    return check_directories(rewrite) && check_imports(rewrite) && check_tables_in_headers(rewrite) &&
           check_debug_data(rewrite) && check_functions(rewrite);
}
