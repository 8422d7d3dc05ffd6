/* fuzz_refs.c - the inventory of references of any image.
 * Claims: every reference lies in the file and encodes to what is stored; none of a table is listed twice;
 * targets are what their state says; work and memory are
 * linear. */
#include "fuzz.h"

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

static size_t count_of(const struct refset *refs, unsigned source)
{
    size_t count = 0;
    for (size_t i = 0; i < refs->ref_count; i++)
        count += refs->refs[i].source == source;
    return count;
}

/* A source that is asked alone gives its own references only. */
static void claim_sources(const struct refset *all, struct arena *arena)
{
    for (unsigned source = 0; source < SOURCE_CODE; source++) {
        struct refset alone;
        CLAIM(refs_collect(all->image, arena, SOURCE_BIT(source), &alone), "out of memory");
        CLAIM(count_of(&alone, source) == alone.ref_count, "%s gives references of other sources",
              ref_source_name((enum ref_source)source));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct image image;
    if (read_input((struct span){data, nbytes}, &arena, &image)) {
        struct refset refs;
        struct work work = work_begin(&arena);
        CLAIM(refs_collect(&image, &arena, SOURCE_ALL, &refs), "out of memory");
        work_end(&work, &arena, nbytes, &collecting, "refs_collect");
        for (size_t i = 0; i < refs.ref_count; i++)
            claim_reference(&image, &refs.refs[i], i);
        claim_listed_once(&refs);
        claim_extents_and_problems(&refs);
        claim_sources(&refs, &arena);
    }
    arena_free(&arena);
    return 0;
}
