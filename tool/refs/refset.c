/* refset.c - filling the inventory: references, extents and problems.
 * Takes: what the collectors and the code reader have found.  Gives: struct refset.
 * Must not: know any table's layout. */
#include "refs/refs_sources.h"

bool refset_reserve(struct refset *refs, size_t more)
{
    if (more > SIZE_MAX / sizeof(struct ref) - refs->ref_count) {
        refs->arena->exhausted = true;
        return false;
    }
    struct ref *grown = arena_grow(refs->arena, refs->refs, refs->ref_count, &refs->ref_capacity,
                                   refs->ref_count + more, sizeof *grown);
    if (!grown)
        return false;
    refs->refs = grown;
    return true;
}

/* Base relocations and instructions name fields that tables name as well; each table names its own. */
static bool claims_site(enum ref_source source)
{
    return source != SOURCE_BASERELOCS && source != SOURCE_RELOCATED && source != SOURCE_CODE;
}

bool refset_put(struct refset *refs, uint64_t site_foff, uint32_t site_rva, uint64_t stored,
                const struct ref_spec *spec)
{
    if (claims_site(spec->source) && !site_set_add(&refs->claimed, site_foff))
        return refset_problem(refs, spec->source, site_rva, site_foff,
                              "The field at file offset 0x%llX is part of two tables.",
                              (unsigned long long)site_foff);
    if (refs->ref_count == refs->ref_capacity && !refset_reserve(refs, 1))
        return false;
    struct ref_target decoded = ref_decode(refs, spec, stored);
    if (spec->is_constant)
        decoded = (struct ref_target){(uint32_t)stored, REF_CONSTANT};
    refs->refs[refs->ref_count++] = (struct ref){
        .site_foff = (uint32_t)site_foff,
        .site_rva = site_rva,
        .target = decoded.target,
        .base_rva = spec->base_rva,
        .encoding = (uint8_t)spec->encoding,
        .source = (uint8_t)spec->source,
        .state = (uint8_t)decoded.state,
        .width_nbytes = (uint8_t)spec->width_nbytes,
        .flags = spec->flags,
        .detail = spec->detail,
    };
    return true;
}

bool window_add(struct refset *refs, const struct window *window, uint64_t offset, struct ref_spec spec)
{
    uint32_t site_rva = window->rva == NO_RVA ? NO_RVA : window->rva + (uint32_t)offset;
    if (!range_fits(window->bytes.nbytes, offset, spec.width_nbytes))
        return refset_problem(refs, spec.source, site_rva, window->foff + offset,
                              "A field of %s runs past the end of its table.", ref_source_name(spec.source));
    uint64_t stored = load_width(window->bytes.bytes + offset, spec.width_nbytes);
    return refset_put(refs, window->foff + offset, site_rva, stored, &spec);
}

bool refset_add(struct refset *refs, uint64_t site_foff, struct ref_spec spec)
{
    if (!range_fits(refs->image->file.nbytes, site_foff, spec.width_nbytes))
        return refset_problem(refs, spec.source, NO_RVA, site_foff,
                              "A field of %s at file offset 0x%llX runs past the end of the file.",
                              ref_source_name(spec.source), (unsigned long long)site_foff);
    uint32_t site_rva;
    if (!image_foff_to_rva(refs->image, site_foff, &site_rva))
        site_rva = NO_RVA;
    uint64_t stored = load_width(refs->image->file.bytes + site_foff, spec.width_nbytes);
    return refset_put(refs, site_foff, site_rva, stored, &spec);
}

bool refset_add_at_rva(struct refset *refs, uint32_t site_rva, struct ref_spec spec)
{
    struct window field;
    if (!window_at_rva(refs->image, site_rva, spec.width_nbytes, &field))
        return refset_problem(refs, spec.source, site_rva, NO_FILE_OFFSET,
                              "A field of %s at RVA 0x%X has no bytes in the file.",
                              ref_source_name(spec.source), site_rva);
    return window_add(refs, &field, 0, spec);
}

uint8_t refset_code_flag(const struct image *image, uint32_t rva)
{
    const struct section *section = image_section_at_rva(image, rva);
    return section && (section->characteristics & SCN_MEM_EXECUTE) ? REF_FLAG_CODE_TARGET : 0;
}

/* Rules count these one by one. */
static bool is_counted_kind(uint8_t kind)
{
    return kind == EXTENT_IAT || kind == EXTENT_DELAY_IAT || kind == EXTENT_GUARD_SLOT ||
           kind == EXTENT_SECURITY_COOKIE;
}

static bool join_to_last(struct refset *refs, const struct extent *extent)
{
    if (refs->extent_count == 0 || is_counted_kind(extent->kind))
        return false;
    struct extent *last = &refs->extents[refs->extent_count - 1];
    uint64_t last_end_rva = (uint64_t)last->rva + last->nbytes;
    uint64_t end_rva = (uint64_t)extent->rva + extent->nbytes;
    if (last->kind != extent->kind || last->source != extent->source || extent->rva < last->rva ||
        extent->rva > last_end_rva)
        return false;
    if (end_rva > last_end_rva)
        last->nbytes = (uint32_t)(end_rva - last->rva);
    return true;
}

bool refset_extent(struct refset *refs, uint32_t rva, uint32_t nbytes, enum extent_kind kind,
                   enum ref_source source)
{
    struct extent extent = {rva, nbytes, (uint8_t)kind, (uint8_t)source};
    if (nbytes == 0 || rva == NO_RVA || nbytes > UINT32_MAX - rva || join_to_last(refs, &extent))
        return true;
    struct extent *grown = arena_grow(refs->arena, refs->extents, refs->extent_count, &refs->extent_capacity,
                                      refs->extent_count + 1, sizeof *grown);
    if (!grown)
        return false;
    refs->extents = grown;
    refs->extents[refs->extent_count++] = extent;
    return true;
}

static bool add_problem(struct refset *refs, struct ref_problem found, const char *format, va_list arguments)
{
    uint32_t number = ++refs->problem_counts[found.source];
    if (number > REFSET_MAX_PROBLEMS)
        return true;
    struct ref_problem *grown = arena_grow(refs->arena, refs->problems, refs->problem_count,
                                           &refs->problem_capacity, refs->problem_count + 1, sizeof *grown);
    if (!grown)
        return false;
    refs->problems = grown;
    found.reason = number < REFSET_MAX_PROBLEMS
                       ? arena_vprintf(refs->arena, format, arguments)
                       : "More of this source could not be read; the rest is not listed.";
    refs->problems[refs->problem_count++] = found;
    return !refs->arena->exhausted;
}

bool refset_problem(struct refset *refs, enum ref_source source, uint32_t rva, uint64_t file_offset,
                    const char *format, ...)
{
    struct ref_problem found = {.source = (uint8_t)source, .rva = rva, .file_offset = file_offset};
    refs->damaged |= SOURCE_BIT(source);
    va_list arguments;
    va_start(arguments, format);
    bool done = add_problem(refs, found, format, arguments);
    va_end(arguments);
    return done;
}

bool refset_limit(struct refset *refs, enum ref_source source, uint32_t rva, uint64_t file_offset,
                  const char *format, ...)
{
    struct ref_problem found = {
        .source = (uint8_t)source, .rva = rva, .file_offset = file_offset, .is_limit = true};
    va_list arguments;
    va_start(arguments, format);
    bool done = add_problem(refs, found, format, arguments);
    va_end(arguments);
    return done;
}
