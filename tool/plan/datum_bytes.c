/* datum_bytes.c - see datum_bytes.h.
 *
 * No datum of code are: decoded instructions, tables that only the loader and its like read, and what
 * assemblers and linkers fill up with. */
#include "plan/datum_bytes.h"
#include "code/literals.h"

#include <string.h>

enum { MOST_ZERO_FILL_NBYTES = 16, FILL_CODE = 0xCC };

struct finder {
    struct datum_bytes *bytes;
    const struct image *image;
    const struct refset *refs;
    const struct code_map *code;
    struct arena *arena;
};

/* Tables that code does not index: their readers take their addresses from headers. */
static bool is_inert_kind(uint8_t kind)
{
    return kind != EXTENT_JUMP_TABLE && kind != EXTENT_SECURITY_COOKIE && kind != EXTENT_TLS &&
           kind != EXTENT_CLR_HEADER;
}

static void mark_inert(struct finder *finder, uint32_t rva, uint32_t nbytes)
{
    uint32_t foff;
    struct span run = image_run_at_rva(finder->image, rva);
    if (nbytes > run.nbytes)
        nbytes = (uint32_t)run.nbytes;
    if (nbytes == 0 || !image_rva_to_foff(finder->image, rva, nbytes, &foff))
        return;
    for (uint32_t i = 0; i < nbytes; i++)
        site_set_add(&finder->bytes->inert, (uint64_t)foff + i);
}

static void mark_extents(struct finder *finder)
{
    const struct refset *refs = finder->refs;
    for (size_t i = 0; i < refs->extent_count; i++) {
        const struct extent *extent = &refs->extents[i];
        uint32_t foff;
        if (!is_inert_kind(extent->kind))
            continue;
        mark_inert(finder, extent->rva, extent->nbytes);
        /* Code takes the address of an import slot for what it is only in odd cases, so that does not count.
         */
        if (extent->kind != EXTENT_IAT && image_rva_to_foff(finder->image, extent->rva, 1, &foff))
            site_set_add(&finder->bytes->begins, foff);
    }
}

/* File offsets that some address names. */
static bool collect_targets(const struct finder *finder, struct site_set *targets)
{
    uint32_t foff;
    if (!site_set_init(targets, finder->arena, finder->image->file.nbytes))
        return false;
    for (size_t i = 0; i < finder->refs->ref_count; i++) {
        const struct ref *ref = &finder->refs->refs[i];
        if ((ref->source == SOURCE_CODE || ref->source == SOURCE_RELOCATED) && ref->state == REF_RESOLVED &&
            image_rva_to_foff(finder->image, ref->target, 1, &foff))
            site_set_add(targets, foff);
    }
    return true;
}

/* A few zeros that nobody names fill up to the next multiple of 16; longer runs may be variables. */
static bool is_zero_fill(uint32_t nbytes, uint64_t foff, const struct site_set *targets)
{
    for (uint32_t i = 0; nbytes < MOST_ZERO_FILL_NBYTES && i < nbytes; i++)
        if (site_set_has(targets, foff + i))
            return false;
    return nbytes < MOST_ZERO_FILL_NBYTES;
}

/* link.exe /FUNCTIONPADMIN leaves room for a patch in front of every function. Before the first one in a
 * section the linker makes a whole 16 bytes of it, of zeros. */
static bool is_patch_room(const struct code_section *section, uint32_t begin, uint32_t end, uint64_t foff,
                          const struct image *image, const struct site_set *targets)
{
    if (begin != 0 || end != MOST_ZERO_FILL_NBYTES || end >= section->nbytes ||
        section->classes[end] != BYTE_INSTRUCTION)
        return false;
    for (uint32_t i = 0; i < end; i++)
        if (image->file.bytes[foff + i] != 0 || site_set_has(targets, foff + i))
            return false;
    return true;
}

/* How many bytes at the begin of a run of padding are fill: what assemblers fill with, and zeros around it.
 */
static uint32_t fill_nbytes(const uint8_t *bytes, uint32_t nbytes, uint64_t foff,
                            const struct site_set *targets)
{
    uint32_t front = 0, end = nbytes;
    while (end > 0 && bytes[end - 1] == 0)
        end--;
    while (front < end && bytes[front] == 0)
        front++;
    if (!is_zero_fill(front, foff, targets))
        return 0;
    return is_zero_fill(nbytes - end, foff + end, targets) ? nbytes : end;
}

static bool mark_code(struct finder *finder)
{
    const struct code_map *code = finder->code;
    const struct image *image = finder->image;
    struct site_set targets;
    if (!collect_targets(finder, &targets))
        return false;
    for (size_t s = 0; s < code->section_count; s++) {
        const struct code_section *section = &code->sections[s];
        uint32_t raw_foff = image->sections[section->section].raw_foff;
        for (uint32_t i = 0, end; i < section->nbytes; i = end) {
            uint8_t class = section->classes[i];
            for (end = i + 1; end < section->nbytes && section->classes[end] == class; end++)
                ;
            uint64_t foff = (uint64_t)raw_foff + i;
            uint32_t inert_nbytes = 0;
            if (class == BYTE_INSTRUCTION || class == BYTE_INSTRUCTION_TAIL)
                inert_nbytes = end - i;
            else if (class == BYTE_DATA &&
                     span_is_filled((struct span){image->file.bytes + foff, end - i}, FILL_CODE))
                inert_nbytes = end - i; /* fill that an operand names: a folded address */
            else if (class == BYTE_PADDING)
                inert_nbytes = is_patch_room(section, i, end, foff, image, &targets)
                                   ? end
                                   : fill_nbytes(image->file.bytes + foff, end - i, foff, &targets);
            for (uint32_t k = 0; k < inert_nbytes; k++)
                site_set_add(&finder->bytes->inert, foff + k);
        }
    }
    return true;
}

/* The linker's place for code alone: not writable, but for INIT, which older linkers leave so. */
static bool is_code_only(const struct image *image, uint32_t rva)
{
    const struct section *section = image_section_at_rva(image, rva);
    return section && (section->characteristics & SCN_CNT_CODE) &&
           (!(section->characteristics & SCN_MEM_WRITE) || strcmp(section->raw_name, "INIT") == 0);
}

/* Literals that some address names, in code that is not written. */
static void mark_literals(struct finder *finder)
{
    for (size_t i = 0; i < finder->refs->ref_count; i++) {
        const struct ref *ref = &finder->refs->refs[i];
        uint32_t nbytes, foff;
        if ((ref->source != SOURCE_CODE && ref->source != SOURCE_RELOCATED) || ref->state != REF_RESOLVED ||
            !image_rva_to_foff(finder->image, ref->target, 1, &foff) ||
            site_set_has(&finder->bytes->literals, foff) || !is_code_only(finder->image, ref->target) ||
            !code_literal_at(finder->image, finder->code, ref->target, &nbytes))
            continue;
        site_set_add(&finder->bytes->literal_begins, foff);
        for (uint32_t k = 0; k < nbytes; k++)
            site_set_add(&finder->bytes->literals, (uint64_t)foff + k);
    }
}

bool datum_bytes_find(struct datum_bytes *bytes, const struct image *image, const struct refset *refs,
                      const struct code_map *code, struct arena *arena)
{
    struct finder finder = {bytes, image, refs, code, arena};
    struct site_set *sets[] = {&bytes->inert, &bytes->begins, &bytes->literals, &bytes->literal_begins};
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
        if (!site_set_init(sets[i], arena, image->file.nbytes))
            return false;
    mark_extents(&finder);
    mark_literals(&finder);
    return mark_code(&finder) && literal_bytes_find(&bytes->texts, image, arena, &bytes->inert);
}
