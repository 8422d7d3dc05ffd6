/* refs_claims.c - what holds of every inventory of references.
 * Takes: what refs_claims.h says.  Gives: an abort on a broken claim.  Must not: know any table. */
#include "refs_claims.h"

#include <stdlib.h>

static const struct work_limit collecting = {150, 50000, 600, 300000};

static bool holds_rva(enum ref_encoding encoding)
{
    return encoding != REF_FOFF && encoding != REF_SECTION_INDEX && encoding != REF_SIZE;
}

static void claim_state(const struct image *image, const struct ref *ref, size_t i)
{
    if (!holds_rva((enum ref_encoding)ref->encoding))
        return;
    const struct section *section = image_section_at_rva(image, ref->target);
    if (ref->state == REF_RESOLVED)
        CLAIM(section, "reference %zu to RVA 0x%X is resolved to no section", i, (unsigned)ref->target);
    if (ref->state == REF_GAP || ref->state == REF_SECTION_END || ref->state == REF_HEADERS)
        CLAIM(!section, "reference %zu to RVA 0x%X, state %s, leads into a section", i, (unsigned)ref->target,
              ref_state_name((enum ref_state)ref->state));
}

static void claim_reference(const struct image *image, const struct ref *ref, size_t i)
{
    CLAIM(ref->source < SOURCE_COUNT && ref->encoding <= REF_ARM64_INSTRUCTION &&
              ref->state <= REF_CONSTANT && ref->access <= ACCESS_JUMP,
          "reference %zu holds impossible words", i);
    CLAIM(ref->width_nbytes == 1 || ref->width_nbytes == 2 || ref->width_nbytes == 4 ||
              ref->width_nbytes == 8,
          "reference %zu is %u bytes wide", i, ref->width_nbytes);
    CLAIM(range_fits(image->file.nbytes, ref->site_foff, ref->width_nbytes),
          "reference %zu at 0x%X leaves the file", i, (unsigned)ref->site_foff);
    uint32_t rva;
    if (ref->site_rva != NO_RVA)
        CLAIM(image_rva_to_foff(image, ref->site_rva, 1, &rva) && rva == ref->site_foff,
              "reference %zu at 0x%X is not at RVA 0x%X", i, (unsigned)ref->site_foff,
              (unsigned)ref->site_rva);
    uint64_t stored = load_width(image->file.bytes + ref->site_foff, ref->width_nbytes), value = 0;
    CLAIM(ref_encode(image, ref, stored, ref->target, ref->base_rva, &value) && value == stored,
          "reference %zu at 0x%X (%s, %s, %s) holds 0x%llX and encodes to 0x%llX", i,
          (unsigned)ref->site_foff, ref_source_name((enum ref_source)ref->source),
          ref_encoding_name((enum ref_encoding)ref->encoding), ref_state_name((enum ref_state)ref->state),
          (unsigned long long)stored, (unsigned long long)value);
    claim_state(image, ref, i);
}

/* Base relocations name fields that tables have named; everything else is listed once a byte. */
static void claim_listed_once(const struct refset *refs)
{
    size_t file_nbytes = refs->image->file.nbytes;
    uint8_t *is_listed = calloc(1, file_nbytes + 1);
    CLAIM(is_listed, "no memory for the claim");
    for (size_t i = 0; i < refs->ref_count; i++) {
        const struct ref *ref = &refs->refs[i];
        if (ref->source == SOURCE_RELOCATED || ref->source == SOURCE_BASERELOCS)
            continue;
        CLAIM(!is_listed[ref->site_foff], "the field at 0x%X is listed twice, the second time by %s",
              (unsigned)ref->site_foff, ref_source_name((enum ref_source)ref->source));
        is_listed[ref->site_foff] = 1;
    }
    free(is_listed);
}

/* A base relocation that changes a field of a table marks it; unless it changes exactly an absolute address,
 * that is damage. */
static void claim_relocated_marks(const struct refset *refs)
{
    enum { UNCHANGED, CHANGED, BEGINS_NARROW, BEGINS_WIDE };
    uint8_t *changes = calloc(1, refs->image->file.nbytes + 8);
    CLAIM(changes, "no memory for the claim");
    for (size_t i = 0; i < refs->ref_count; i++) {
        const struct ref *ref = &refs->refs[i];
        if (ref->source != SOURCE_RELOCATED)
            continue;
        memset(changes + ref->site_foff, CHANGED, ref->width_nbytes);
        changes[ref->site_foff] = ref->width_nbytes == 8 ? BEGINS_WIDE : BEGINS_NARROW;
    }
    for (size_t i = 0; i < refs->ref_count; i++) {
        const struct ref *ref = &refs->refs[i];
        if (ref->source == SOURCE_RELOCATED || ref->source == SOURCE_BASERELOCS)
            continue;
        bool is_changed = false, is_exact = false;
        for (unsigned byte = 0; byte < ref->width_nbytes; byte++)
            is_changed = is_changed || changes[ref->site_foff + byte] != UNCHANGED;
        is_exact = ref->encoding == REF_VA &&
                   changes[ref->site_foff] == (ref->width_nbytes == 8 ? BEGINS_WIDE : BEGINS_NARROW);
        CLAIM(is_changed == ((ref->flags & REF_FLAG_RELOCATED) != 0),
              "reference %zu at 0x%X: changed by a base relocation %d, marked %d", i,
              (unsigned)ref->site_foff, is_changed, !is_changed);
        CLAIM(!is_changed || is_exact || (refs->damaged & SOURCE_BIT(SOURCE_BASERELOCS)) != 0,
              "a base relocation changes reference %zu at 0x%X in part, and nothing is said", i,
              (unsigned)ref->site_foff);
    }
    free(changes);
}

static void claim_extents_and_problems(const struct refset *refs)
{
    for (size_t i = 0; i < refs->extent_count; i++) {
        const struct extent *extent = &refs->extents[i];
        CLAIM(extent->kind < EXTENT_KIND_COUNT && extent->source < SOURCE_COUNT && extent->nbytes != 0,
              "extent %zu", i);
        CLAIM((uint64_t)extent->rva + extent->nbytes <= UINT64_C(0x100000000), "extent %zu wraps", i);
    }
    for (size_t i = 0; i < refs->problem_count; i++) {
        const struct ref_problem *problem = &refs->problems[i];
        CLAIM(problem->source < SOURCE_COUNT && is_sentence(problem->reason), "problem %zu: \"%s\"", i,
              problem->reason ? problem->reason : "(nothing)");
    }
}

static void claim_all(const struct refset *refs)
{
    for (size_t i = 0; i < refs->ref_count; i++)
        claim_reference(refs->image, &refs->refs[i], i);
    claim_listed_once(refs);
    if ((refs->collected & SOURCE_BIT(SOURCE_BASERELOCS)) != 0)
        claim_relocated_marks(refs);
    claim_extents_and_problems(refs);
}

/* A family that is asked alone gives its own references only; and where nobody met a field twice, the same
 * ones, in the same order, as when all are asked. */
static void claim_family(const struct refset *all, const struct refset *family, uint32_t sources)
{
    size_t at = 0;
    for (size_t i = 0; i < family->ref_count; i++)
        CLAIM((SOURCE_BIT(family->refs[i].source) & sources) != 0, "%s is listed and was not asked for",
              ref_source_name((enum ref_source)family->refs[i].source));
    if (all->damaged != 0)
        return;
    for (size_t i = 0; i < all->ref_count; i++) {
        const struct ref *ref = &all->refs[i];
        if ((SOURCE_BIT(ref->source) & sources) == 0)
            continue;
        CLAIM(at < family->ref_count, "reference %zu (%s) is not listed when its family is asked alone", i,
              ref_source_name((enum ref_source)ref->source));
        const struct ref *alone = &family->refs[at++];
        CLAIM(alone->site_foff == ref->site_foff && alone->target == ref->target &&
                  alone->source == ref->source && alone->state == ref->state,
              "reference %zu at 0x%X is another one when its family is asked alone", i,
              (unsigned)ref->site_foff);
    }
    CLAIM(at == family->ref_count, "a family asked alone has %zu references more", family->ref_count - at);
}

int refs_claims(const uint8_t *data, size_t nbytes, uint32_t sources, refs_family_claims_fn *claims)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct image image;
    if (read_input((struct span){data, nbytes}, &arena, &image)) {
        struct refset all, family;
        struct work work = work_begin(&arena);
        CLAIM(refs_collect(&image, &arena, SOURCE_ALL, &all), "out of memory");
        work_end(&work, &arena, nbytes, &collecting, "refs_collect");
        claim_all(&all);
        work = work_begin(&arena);
        CLAIM(refs_collect(&image, &arena, sources, &family), "out of memory");
        work_end(&work, &arena, nbytes, &collecting, "refs_collect of a family");
        claim_all(&family);
        claim_family(&all, &family, sources);
        claims(&image);
    }
    arena_free(&arena);
    return 0;
}
