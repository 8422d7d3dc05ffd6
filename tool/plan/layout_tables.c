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

/* The slots hold what the lookup table does. *budget_count: how many may still be looked at. */
static bool slots_agree(const struct image *image, const struct binding *binding, uint64_t *budget_count)
{
    struct span lookup = image_run_at_rva(image, binding->lookup_rva);
    struct span slots = image_run_at_rva(image, binding->iat_rva);
    unsigned width_nbytes = image->is_64 ? 8 : 4;
    for (size_t at = 0; range_fits(lookup.nbytes, at, width_nbytes); at += width_nbytes) {
        uint64_t name = load_width(lookup.bytes + at, width_nbytes);
        if (name == 0)
            return true;
        if (*budget_count == 0 || !range_fits(slots.nbytes, at, width_nbytes) ||
            load_width(slots.bytes + at, width_nbytes) != name)
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
        if (ref->site_rva < image->headers_nbytes && ref->state == REF_RESOLVED &&
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

bool layout_tables_can_follow(struct rewrite *rewrite)
{
    return check_directories(rewrite) && check_imports(rewrite) && check_tables_in_headers(rewrite) &&
           check_debug_data(rewrite);
}
