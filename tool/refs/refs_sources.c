/* refs_sources.c - the table of all sources, and the collection from top to bottom.
 * Takes: an image and a mask of sources.  Gives: the inventory.  Must not: know any table's layout. */
#include "refs/refs_sources.h"

struct source_group {
    uint32_t sources;
    refs_collect_fn *collect;
};

static const struct source_group source_groups[] = {
    {SOURCE_BIT(SOURCE_HEADERS), refs_collect_headers},
    {SOURCE_BIT(SOURCE_DIRECTORIES), refs_collect_directories},
    {SOURCE_BIT(SOURCE_SECTION_HEADERS), refs_collect_section_headers},
    {SOURCE_BIT(SOURCE_EXPORTS), refs_collect_exports},
    {SOURCE_BIT(SOURCE_IMPORTS), refs_collect_imports},
    {SOURCE_BIT(SOURCE_RESOURCES), refs_collect_resources},
    {SOURCE_BIT(SOURCE_EXCEPTION) | SOURCE_BIT(SOURCE_UNWIND) | SOURCE_BIT(SOURCE_HANDLER_DATA),
     refs_collect_exception},
    {SOURCE_BIT(SOURCE_CERTIFICATES), refs_collect_certificates},
    {SOURCE_BIT(SOURCE_BASERELOCS) | SOURCE_BIT(SOURCE_RELOCATED), refs_collect_baserelocs},
    {SOURCE_BIT(SOURCE_DEBUG), refs_collect_debug},
    {SOURCE_BIT(SOURCE_TLS), refs_collect_tls},
    {SOURCE_BIT(SOURCE_LOAD_CONFIG), refs_collect_load_config},
    {SOURCE_BIT(SOURCE_GUARD_TABLES), refs_collect_guard_tables},
    {SOURCE_BIT(SOURCE_DVRT), refs_collect_dvrt},
    {SOURCE_BIT(SOURCE_BOUND_IMPORTS), refs_collect_bound_imports},
    {SOURCE_BIT(SOURCE_DELAY_IMPORTS), refs_collect_delay_imports},
    {SOURCE_BIT(SOURCE_CLR), refs_collect_clr},
    {SOURCE_BIT(SOURCE_COFF_SYMBOLS), refs_collect_coff_symbols},
};

/* A field that a base relocation covers is in the inventory twice: as its table says and as SOURCE_RELOCATED.
 * The mark keeps a later stage from moving it twice. */
static bool mark_relocated(struct refset *refs)
{
    bool has_memory = true;
    if (refs->reloc_sites.limit_nbytes == 0)
        return true;
    for (size_t i = 0; i < refs->ref_count && has_memory; i++) {
        struct ref *ref = &refs->refs[i];
        if (ref->source == SOURCE_BASERELOCS || ref->source == SOURCE_RELOCATED)
            continue;
        uint64_t reloc_foff = refset_relocation_in(refs, ref->site_foff, ref->width_nbytes);
        if (reloc_foff == UINT64_MAX)
            continue;
        ref->flags |= REF_FLAG_RELOCATED;
        unsigned reloc_nbytes = site_set_has(&refs->wide_reloc_sites, reloc_foff) ? 8 : 4;
        if (reloc_foff != ref->site_foff || reloc_nbytes != ref->width_nbytes || ref->encoding != REF_VA)
            has_memory =
                refset_problem(refs, SOURCE_BASERELOCS, ref->site_rva, reloc_foff,
                               "A base relocation at file offset 0x%llX changes a field of %s that "
                               "does not hold an absolute address there.",
                               (unsigned long long)reloc_foff, ref_source_name((enum ref_source)ref->source));
    }
    return has_memory;
}

bool refs_collect(const struct image *image, struct arena *arena, uint32_t sources, struct refset *refs)
{
    *refs = (struct refset){
        .image = image, .arena = arena, .collected = sources & SOURCE_ALL & ~SOURCE_BIT(SOURCE_CODE)};
    if (!site_set_init(&refs->claimed, arena, image->file.nbytes))
        return false;
    for (size_t i = 0; i < sizeof source_groups / sizeof source_groups[0]; i++)
        if ((refs->collected & source_groups[i].sources) != 0 && !source_groups[i].collect(refs))
            return false;
    if (refset_wants(refs, SOURCE_BASERELOCS) && !mark_relocated(refs))
        return false;
    return !arena->exhausted;
}
