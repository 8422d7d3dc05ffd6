/* loader_relocations.c - loader_relocations.h.
 * Takes: an image and its references.  Gives: findings HVCI9011.  Must not: read the table again. */
#include "rules/loader_relocations.h"

#include "image/loader_rules.h"

enum { LAST_OFFSET = 0xFFE /* of an entry, from the begin of the page that its block begins in */ };

/* The first place of each kind. */
struct doubt {
    const struct ref *first;
    uint32_t count;
};

struct judge {
    const struct image *image;
    const struct ref *block;        /* the page field of the block that is looked at */
    const struct ref *filled_block; /* of the last one before it that names a place */
    bool is_filled;                 /* does the block name a place? */
    struct doubt type, page_twice, over_page, headers, beyond;
};

static void note(struct doubt *doubt, const struct ref *ref)
{
    if (doubt->count++ == 0)
        doubt->first = ref;
}

/* At the first entry of a block that names a place. */
static void judge_block(struct judge *judge, const struct ref *entry)
{
    const struct image *image = judge->image;
    uint64_t image_end_rva = ((uint64_t)image->image_nbytes + PAGE_NBYTES - 1) / PAGE_NBYTES * PAGE_NBYTES;
    /* Below page alignment sections share pages, and lld writes a block for each; what Windows does with
     * those is not known. */
    if (judge->filled_block && !image->is_flat &&
        entry->base_rva / PAGE_NBYTES == judge->filled_block->target / PAGE_NBYTES)
        note(&judge->page_twice, judge->block);
    if ((uint64_t)entry->base_rva + PAGE_NBYTES > image_end_rva)
        note(&judge->beyond, judge->block);
    judge->is_filled = true;
}

static void judge_entry(struct judge *judge, const struct ref *entry)
{
    unsigned type = entry->detail;
    if (!judge->is_filled)
        judge_block(judge, entry);
    if (type == BASERELOC_HIGH || type == BASERELOC_LOW || type == BASERELOC_HIGHADJ)
        note(&judge->type, entry);
    uint32_t in_page = entry->base_rva % PAGE_NBYTES;
    if (in_page != 0 && in_page + (entry->target - entry->base_rva) > LAST_OFFSET)
        note(&judge->over_page, entry);
    if (entry->target < judge->image->headers_nbytes)
        note(&judge->headers, entry);
}

static void begin_block(struct judge *judge, const struct ref *page)
{
    if (judge->is_filled)
        judge->filled_block = judge->block;
    judge->block = page;
    judge->is_filled = false;
}

static const char *type_name(unsigned type)
{
    return type == BASERELOC_HIGH ? "HIGH" : type == BASERELOC_LOW ? "LOW" : "HIGHADJ";
}

/* `reason` says what is wrong, without a period; NULL when memory ran out. */
static bool add(const struct judge *judge, const struct ref *at, const char *reason,
                struct finding_list *doubts)
{
    struct finding finding = finding_make(doubts->arena, HVCI9011_LAYOUT_REFUSED, LEVEL_NOTE,
                                          "Not every Windows loads this image: %s.", reason ? reason : "");
    const struct section *section = image_section_at_rva(judge->image, at->target);
    finding.section = section ? section->name : NULL;
    finding.rva = at->target;
    finding.file_offset = at->site_foff;
    finding.windows = "The table is checked when the image is moved from its preferred address, as drivers "
                      "always are; the answer is STATUS_ILLEGAL_DLL_RELOCATION (0xC0000269) or "
                      "STATUS_INVALID_IMAGE_FORMAT (0xC000007B). Older versions apply it as it is.";
    finding.cure = "Link the image again; if a tool has edited or packed it, take the file from before that.";
    return !doubts->arena->exhausted && finding_add(doubts, &finding);
}

static bool report(const struct judge *judge, struct finding_list *doubts)
{
    struct arena *arena = doubts->arena;
    const struct ref *at = judge->type.first;
    if (at &&
        !add(judge, at,
             arena_printf(arena,
                          "%u of its base relocations are of types HIGH, LOW or HIGHADJ (the first, for "
                          "RVA 0x%X, %s), of which current Windows takes none",
                          judge->type.count, at->target, type_name(at->detail)),
             doubts))
        return false;
    at = judge->page_twice.first;
    if (at && !add(judge, at,
                   arena_printf(arena, "two blocks of its base relocations are for the page at RVA 0x%X",
                                at->target / PAGE_NBYTES * PAGE_NBYTES),
                   doubts))
        return false;
    at = judge->over_page.first;
    if (at && !add(judge, at,
                   arena_printf(arena,
                                "the base relocation for RVA 0x%X ends behind the page in which its block "
                                "begins (RVA 0x%X)",
                                at->target, at->base_rva),
                   doubts))
        return false;
    at = judge->headers.first;
    if (at &&
        !add(judge, at,
             arena_printf(arena, "the base relocation for RVA 0x%X lies in the headers", at->target), doubts))
        return false;
    at = judge->beyond.first;
    return !at || add(judge, at,
                      arena_printf(arena,
                                   "a block of its base relocations is for the page at RVA 0x%X, which ends "
                                   "behind the image",
                                   at->target),
                      doubts);
}

bool loader_relocations_judge(const struct image *image, const struct refset *refs,
                              struct finding_list *doubts)
{
    struct judge judge = {.image = image};
    if (!loader_rules_apply(image))
        return true;
    for (size_t i = 0; i < refs->ref_count; i++) {
        const struct ref *ref = &refs->refs[i];
        if (ref->source != SOURCE_BASERELOCS)
            continue;
        if (ref->detail == DETAIL_BASERELOC_PAGE)
            begin_block(&judge, ref);
        else if (ref->encoding == REF_PAGE_12 && judge.block)
            judge_entry(&judge, ref);
    }
    return report(&judge, doubts);
}
