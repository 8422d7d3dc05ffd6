/* base_judge.c - x64: may the image base that code forms stay at its distance from code?
 * Takes: the layout, what code does with the base.  Gives: true, or the refusal that names the instruction.
 * Must not: change a reference; referents.c has given those their targets.
 *
 * When everything moves by one distance D and headers stay, `lea r, [rip + image base]` yields base + D. With
 * RVAs of the old image that leads to what moved by D, and to nothing else: headers, what leaves, and RVAs
 * that loader tables hold, which are new ones, must not come together with it. */
#include "code/base_uses.h"
#include "plan/rewrite.h"
#include "refs/extent_index.h"

#include <inttypes.h>

struct base_case {
    struct rewrite *rewrite;
    struct extent_index
        new_rvas; /* tables whose RVAs the layout changes: code must not add them to the base */
};

static const char cure_base[] =
    "Link the driver with page-aligned sections (/ALIGN:0x1000), or do not use __ImageBase in "
    "the source.";
static const char cure_leaving[] =
    "Undo what puts the import address table, or variables, among code (/MERGE, attributes of sections), so "
    "that nothing has to leave; or do not use __ImageBase in the source.";

static bool take_use(void *context, const struct base_use *use)
{
    struct base_case *base = context;
    const struct layout *layout = base->rewrite->layout;
    const struct piece *piece = layout_piece_at(layout, use->displacement);
    uint32_t foff;
    if (edges_matter(base->rewrite->edges, use->displacement))
        piece = edges_decide(base->rewrite->edges, use->displacement, USE_COMPUTED);
    const char *what = NULL;
    if (!piece || piece->kind == PIECE_HEADERS)
        what = "it is not known what is meant there";
    else if (layout->uniform_delta != 0 && extent_index_at(&base->new_rvas, use->displacement))
        what = "a table lies there whose RVAs change";
    else if (piece_delta(piece) != layout->uniform_delta && !use->is_certain)
        what = "what lies there leaves, but the register holds other things as well";
    if (what)
        return rewrite_refuse(base->rewrite, use->rva, NO_FILE_OFFSET, cure_base,
                              "The code at RVA 0x%" PRIX32 " adds 0x%" PRIX32 " to the image base, and %s.",
                              use->rva, use->displacement, what);
    if (image_rva_to_foff(base->rewrite->image, use->site_rva, 4, &foff))
        site_set_add(&base->rewrite->base_displacements, foff);
    return true;
}

bool base_judge(struct rewrite *rewrite)
{
    struct base_case base = {.rewrite = rewrite};
    uint64_t kinds = ~(UINT64_C(1) << EXTENT_JUMP_TABLE | UINT64_C(1) << EXTENT_SECURITY_COOKIE);
    struct base_escape escape;
    if (!rewrite->image->is_64)
        return true;
    if (!extent_index_init(&base.new_rvas, rewrite->refs, kinds, rewrite->arena) ||
        !site_set_init(&rewrite->base_displacements, rewrite->arena, rewrite->image->file.nbytes) ||
        !base_uses_follow(rewrite->image, rewrite->refs, rewrite->code, rewrite->arena, take_use, &base,
                          &escape))
        return false;
    rewrite->base_is_followed = escape.rva == NO_RVA;
    if (escape.rva == NO_RVA)
        return true;
    /* Where the headers keep their distance, nobody who reads them minds; but who has the base may know RVAs
     * of what leaves, if there are any. */
    bool keeps_distance = rewrite->layout->uniform_delta == 0;
    uint32_t number_rva = NO_RVA;
    if (keeps_distance && !escape.reads_headers && !rva_numbers_find(rewrite, &number_rva))
        return false;
    if (keeps_distance && number_rva == NO_RVA)
        return true;
    if (keeps_distance)
        return rewrite_refuse(rewrite, escape.rva, NO_FILE_OFFSET, cure_leaving,
                              "The code at RVA 0x%" PRIX32 " %s, and the number at RVA 0x%" PRIX32
                              " may be meant as the RVA of what has to leave.",
                              escape.rva, escape.what, number_rva);
    return rewrite_refuse(rewrite, escape.rva, NO_FILE_OFFSET, cure_base,
                          "The code at RVA 0x%" PRIX32
                          " %s; the distance of the headers to the rest changes.",
                          escape.rva, escape.what);
}
