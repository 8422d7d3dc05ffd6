/* rewrite_image.h - plan and emission of one image without the verifier, for tests only.
 * Takes: the bytes of an image.  Gives: the plan, and the new bytes when there is one.
 * Must not: be linked into the product; there nothing is written that is not proved. */
#ifndef HVCIFIX_TESTS_REWRITE_IMAGE_H
#define HVCIFIX_TESTS_REWRITE_IMAGE_H

#include "code/code_map.h"
#include "emit/emit.h"
#include "emit/emit_nx.h"
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

/* Image and inventory, of these sources and code. False when the image cannot be read; *error says why. */
static inline bool rewrite_read(struct rewritten *done, struct span file, uint32_t sources)
{
    memset(done, 0, sizeof *done);
    arena_init(&done->arena, NULL);
    done->findings.arena = &done->arena;
    return image_read(file, &done->arena, &done->image, &done->error) &&
           refs_collect(&done->image, &done->arena, sources, &done->refs) &&
           code_read(&done->image, &done->refs, &done->arena, &done->code);
}

/* Plan and bytes, when there are any. */
static inline bool rewrite_plan_and_emit(struct rewritten *done, const struct plan_options *options)
{
    if (!plan_make(&done->image, &done->refs, &done->code, &done->findings, options, &done->arena,
                   &done->plan))
        return false;
    if (done->plan.verdict == PLAN_CHANGE)
        done->emitted =
            emit_image(&done->image, &done->refs, &done->plan, &done->arena, &done->output, &done->error);
    return true;
}

/* The image with its calls led through stubs, those of pools, of mappings or both, as done->output. False
 * when there is none. */
static inline bool rewrite_nx_of(struct rewritten *done, struct nx_plan *plan, bool pool, bool mdl)
{
    struct call_site_list sites;
    struct nx_input input = {.image = &done->image,
                             .refs = &done->refs,
                             .code = &done->code,
                             .sites = &sites,
                             .wants_pool = pool,
                             .wants_mdl = mdl};
    done->emitted = call_sites_find(&done->image, &done->refs, &done->code, NULL, &done->arena, &sites) &&
                    nx_plan_make(&input, &done->arena, plan) && plan->redirect_count != 0 &&
                    nx_plan_place(&input, &done->arena, plan, &done->error) &&
                    emit_nx(&done->image, plan, &done->arena, &done->output);
    return done->emitted;
}

static inline bool rewrite_nx(struct rewritten *done, struct nx_plan *plan)
{
    return rewrite_nx_of(done, plan, true, true);
}

/* What the rules find, then a plan with the inventory of these sources. rewritten_free() in any case. */
static inline bool rewrite_image_of_sources(struct rewritten *done, struct span file,
                                            enum windows_target target, uint32_t sources,
                                            const enum finding_code *only, size_t only_count)
{
    if (!rewrite_read(done, file, sources))
        return false;
    struct rule_answer *answers = arena_array(&done->arena, rules_count, sizeof *answers);
    struct refset rule_refs;
    if (!answers || !refs_collect(&done->image, &done->arena, rules_sources(), &rule_refs))
        return false;
    struct rule_input input = {.image = &done->image,
                               .refs = &rule_refs,
                               .target = target,
                               .arena = &done->arena,
                               .findings = &done->findings};
    struct plan_options options = {
        .drop_signature = true, .only = only, .only_count = only_count, .target = target};
    return rules_judge(&input, answers) && rewrite_plan_and_emit(done, &options);
}

/* The same with all sources. */
static inline bool rewrite_image_for(struct rewritten *done, struct span file, enum windows_target target,
                                     const enum finding_code *only, size_t only_count)
{
    return rewrite_image_of_sources(done, file, target, SOURCE_ALL, only, only_count);
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
