/* split_writes.c - does anything write what stays of a section when pieces leave it?
 * Takes: the layout with what each reference means.  Gives: the answer of code/section_writes.h for the rest.
 * Must not: take an address for the section's because it lies in it; near a border it may mean what leaves.
 */
#include "plan/rewrite.h"

struct split_case {
    const struct refset *refs;
    const struct layout *layout;
};

static bool leaves(const struct layout *layout, const struct piece *piece)
{
    return piece->kind != PIECE_HEADERS && piece->kind != PIECE_RELOCATIONS &&
           piece_delta(piece) != layout->uniform_delta;
}

static bool means_elsewhere(const void *context, size_t ref_index)
{
    const struct split_case *split = context;
    const struct ref *ref = &split->refs->refs[ref_index];
    uint32_t delta = split->layout->targets[ref_index] - ref->target;
    if (ref_is_used_with_base(ref)) /* given as code uses it */
        delta += split->layout->uniform_delta;
    return delta != split->layout->uniform_delta;
}

bool split_writes_ask(const struct plan_context *context, const struct layout *layout, uint32_t section,
                      enum write_answer *answer, struct finding *why, const char **summary)
{
    struct split_case split = {context->refs, layout};
    size_t count = 0;
    struct write_exception *leaving =
        arena_array(context->arena, layout ? layout->piece_count : 0, sizeof *leaving);
    if (!leaving)
        return false;
    for (size_t i = 0; layout && i < layout->piece_count; i++)
        if (leaves(layout, &layout->pieces[i]))
            leaving[count++] = (struct write_exception){layout->pieces[i].old_rva, layout->pieces[i].nbytes};
    struct write_question question = {.image = context->image,
                                      .refs = context->refs,
                                      .code = context->code,
                                      .section = section,
                                      .exceptions = leaving,
                                      .exception_count = count,
                                      .means_elsewhere = layout && layout->targets ? means_elsewhere : NULL,
                                      .context = &split};
    return section_writes(&question, context->arena, answer, why, summary);
}

bool split_writes_judge(struct rewrite *rewrite)
{
    for (uint32_t i = 0; i < rewrite->image->section_count; i++) {
        enum write_answer answer;
        struct finding why;
        const char *summary;
        if (rewrite->splits[i].kind != SPLIT_ALL)
            continue;
        if (!split_writes_ask(rewrite->context, rewrite->layout, i, &answer, &why, &summary))
            return false;
        if (answer == WRITES_NONE)
            continue;
        if (!rewrite->is_refused)
            rewrite->refusal = why;
        rewrite->is_refused = true;
        return false;
    }
    return true;
}
