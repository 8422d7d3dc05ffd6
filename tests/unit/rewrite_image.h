/* rewrite_image.h - plan and emission of one image without the verifier, for tests only.
 * Takes: the bytes of an image.  Gives: the plan, and the new bytes when there is one.
 * Must not: be linked into the product; there nothing is written that is not proved. */
#ifndef HVCIFIX_TESTS_REWRITE_IMAGE_H
#define HVCIFIX_TESTS_REWRITE_IMAGE_H

#include "code/code_map.h"
#include "emit/emit.h"
#include "plan/plan.h"

struct rewritten {
    struct arena arena;
    struct image image;
    struct refset refs;
    struct code_map code;
    struct finding_list findings;
    struct plan plan;
    struct output output; /* when plan.verdict is PLAN_CHANGE and `emitted` */
    bool emitted;
    struct finding error;
};

/* False when the image cannot be read; *error says why. rewritten_free() in any case. */
static inline bool rewrite_image_for(struct rewritten *done, struct span file, enum windows_target target,
                                     const enum finding_code *only, size_t only_count)
{
    memset(done, 0, sizeof *done);
    arena_init(&done->arena, NULL);
    struct rule_answer *answers = arena_array(&done->arena, rules_count, sizeof *answers);
    done->findings.arena = &done->arena;
    if (!answers || !image_read(file, &done->arena, &done->image, &done->error) ||
        !refs_collect(&done->image, &done->arena, SOURCE_ALL, &done->refs) ||
        !code_read(&done->image, &done->refs, &done->arena, &done->code))
        return false;
    struct refset rule_refs;
    if (!refs_collect(&done->image, &done->arena, rules_sources(), &rule_refs))
        return false;
    struct rule_input input = {&done->image, &rule_refs, target, &done->arena, &done->findings};
    struct plan_options options = {
        .drop_signature = true, .only = only, .only_count = only_count, .target = target};
    if (!rules_judge(&input, answers) || !plan_make(&done->image, &done->refs, &done->code, &done->findings,
                                                    &options, &done->arena, &done->plan))
        return false;
    if (done->plan.verdict == PLAN_CHANGE)
        done->emitted =
            emit_image(&done->image, &done->refs, &done->plan, &done->arena, &done->output, &done->error);
    return true;
}

/* The same for the default target. */
static inline bool rewrite_image(struct rewritten *done, struct span file, const enum finding_code *only,
                                 size_t only_count)
{
    return rewrite_image_for(done, file, TARGET_DEFAULT, only, only_count);
}

static inline void rewritten_free(struct rewritten *done)
{
    arena_free(&done->arena);
}

#endif
