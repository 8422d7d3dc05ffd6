/* plan.c - from findings to a list of changes, or a refusal.
 * Takes: image, references, code map, findings, options.  Gives: struct plan.  Must not: touch bytes.
 * Each rule that can be repaired has a planner, plan_*.c; a finding of error level without one refuses the
 * whole image unless the caller asked for single rules, so that what comes out is either right or untouched.
 */
#include "plan/plan_stages.h"

bool plan_add_change(struct plan *plan, struct arena *arena, const struct change *change)
{
    struct change *changes = arena_grow(arena, plan->changes, plan->change_count, &plan->change_capacity,
                                        plan->change_count + 1, sizeof *changes);
    if (!changes)
        return false;
    plan->changes = changes;
    plan->changes[plan->change_count++] = *change;
    return true;
}

static bool has_code(const enum finding_code *codes, size_t count, enum finding_code code)
{
    for (size_t i = 0; i < count; i++)
        if (codes[i] == code)
            return true;
    return false;
}

/* What a policy has waived or switched off is not touched. */
static bool is_wanted(const struct plan_options *options, const struct finding *finding)
{
    if (finding->waiver || finding->level == LEVEL_OFF)
        return false;
    if (options->enforced &&
        (!policy_lets_enforce_repair(options->enforced, finding->code) ||
         (finding->level != LEVEL_ERROR && finding->code != HVCI2102_INIT_WRITABLE_EXECUTABLE)))
        return false;
    return !options->only || has_code(options->only, options->only_count, finding->code);
}

/* A finding for which there is no planner. Notes are no reason to refuse. */
static bool refuse_finding(struct plan_context *context, const struct finding *finding)
{
    if (finding->level != LEVEL_ERROR && !context->options->only)
        return true;
    struct finding refusal = finding_make(
        context->arena, HVCI9022_NO_REPAIR, LEVEL_ERROR,
        "HVCI%04u cannot be repaired in the finished image with proof; nothing was changed.", finding->code);
    refusal.section = finding->section;
    refusal.rva = finding->rva;
    refusal.file_offset = finding->file_offset;
    refusal.cure = finding->cure;
    return finding_add(&context->plan->refusals, &refusal);
}

static bool is_asked_for(const struct plan_options *options, const struct finding *finding)
{
    return is_wanted(options, finding) && (finding->level == LEVEL_ERROR || options->only);
}

bool plan_asks_for_layout(const struct plan_options *options, const struct finding *finding)
{
    bool is_moving =
        finding->code == HVCI2004_SECTION_NOT_PAGE_ALIGNED || finding->code == HVCI2005_IAT_EXECUTABLE ||
        finding->code == HVCI2006_LOADER_DATA_EXECUTABLE || finding->code == HVCI2101_RELOCATION_STRADDLES;
    return is_moving && is_asked_for(options, finding);
}

bool plan_loses_write(const struct plan_context *context, uint32_t header_foff)
{
    for (size_t i = 0; i < context->findings->count; i++) {
        const struct finding *finding = &context->findings->items[i];
        if (finding->code == HVCI2003_SECTION_WRITABLE_EXECUTABLE && finding->file_offset == header_foff &&
            is_asked_for(context->options, finding))
            return true;
    }
    return false;
}

/* A section that is written has to be split, so that what is written leaves it. *needs_split: that is what
 * the finding asks for. */
static bool asks_for_split(struct plan_context *context, const struct finding *finding, bool *needs_split)
{
    *needs_split = false;
    if (finding->code != HVCI2003_SECTION_WRITABLE_EXECUTABLE || !is_asked_for(context->options, finding))
        return true;
    return plan_is_written(context, finding, needs_split);
}

static bool plan_moves(struct plan_context *context)
{
    if (context->options->forced)
        return plan_layout(context);
    for (size_t i = 0; i < context->findings->count; i++)
        if (plan_asks_for_layout(context->options, &context->findings->items[i]))
            return plan_layout(context);
    for (size_t i = 0; i < context->findings->count; i++) {
        bool needs_split;
        if (!asks_for_split(context, &context->findings->items[i], &needs_split))
            return false;
        if (needs_split)
            return plan_layout(context);
    }
    return true;
}

static bool plan_finding(struct plan_context *context, const struct finding *finding)
{
    if (!is_wanted(context->options, finding))
        return true;
    if ((context->plan->layout || plan_asks_for_layout(context->options, finding)) &&
        plan_layout_cures(context->image, finding->code))
        return true; /* plan_moves() has dealt with it */
    switch (finding->code) {
    case HVCI2003_SECTION_WRITABLE_EXECUTABLE:
    case HVCI2102_INIT_WRITABLE_EXECUTABLE:
        return plan_write_right(context, finding);
    case HVCI2201_NX_COMPAT:
    case HVCI2202_DYNAMIC_BASE:
    case HVCI2203_HIGH_ENTROPY_VA:
        return plan_header_flag(context, finding);
    case HVCI2207_CHECKSUM:
        context->sets_checksum = true;
        return true;
    default:
        /* What --nx does not reach stays a finding. */
        return (context->options->nx && rule_is_about_calls(finding->code)) ||
               refuse_finding(context, finding);
    }
}

/* One change for each import. Where the stub lies is known only when all else has its place. */
static bool add_redirects(struct plan_context *context)
{
    const struct nx_plan *nx = context->options->nx;
    for (size_t i = 0; nx && i < nx->redirect_count; i++) {
        const struct nx_redirect *redirect = &nx->redirects[i];
        struct change change = {
            .kind = CHANGE_NX,
            .rule = redirect->api->rule,
            .file_offset = NO_FILE_OFFSET,
            .field = arena_printf(context->arena, "%zu %s of %s (calls: %s)", redirect->site_count,
                                  redirect->site_count == 1 ? "use" : "uses", redirect->api->name,
                                  nx_redirect_words(redirect, context->arena)),
            .why = nx_flag_words(redirect->api),
            .assurance = ASSURANCE_ASSUMED,
            .proof = "This changes what the driver does. The verifier shows that nothing but this argument "
                     "changes, "
                     "and that each of these instructions led to this import. Assumed: the driver does not "
                     "execute "
                     "what it gets from these calls; try it under Driver Verifier.",
        };
        for (size_t k = nx->site_count; k-- > 0;)
            if (nx->sites[k].redirect == i)
                change.file_offset = nx->sites[k].foff;
        if (!plan_add_change(context->plan, context->arena, &change))
            return false;
    }
    return true;
}

/* What is asked of each section looks at all references: bounded, it stays linear. */
static bool has_too_many_sections(struct plan_context *context)
{
    enum { MOST_SECTIONS = 96 }; /* what Windows loads as a driver */
    if (context->image->section_count <= MOST_SECTIONS)
        return false;
    for (size_t i = 0; i < context->findings->count; i++)
        if (is_wanted(context->options, &context->findings->items[i]))
            return true;
    return false;
}

static bool refuse_many_sections(struct plan_context *context)
{
    struct finding refusal = finding_make(context->arena, HVCI9022_NO_REPAIR, LEVEL_ERROR,
                                          "It has %u sections; images with so many are not repaired.",
                                          context->image->section_count);
    refusal.cure = "Link the image again with fewer sections; Windows loads drivers with at most 96.";
    context->plan->verdict = PLAN_REFUSED;
    return finding_add(&context->plan->refusals, &refusal);
}

bool plan_make(const struct image *image, const struct refset *refs, const struct code_map *code,
               const struct finding_list *findings, const struct plan_options *options, struct arena *arena,
               struct plan *plan)
{
    *plan = (struct plan){.refusals = {.arena = arena}, .new_file_nbytes = image->file.nbytes};
    struct plan_context context = {image, refs, code, findings, options, arena, plan, false};
    if (has_too_many_sections(&context))
        return refuse_many_sections(&context);
    if (!plan_moves(&context))
        return false;
    for (size_t i = 0; !options->forced && i < findings->count; i++)
        if (!plan_finding(&context, &findings->items[i]))
            return false;
    if (!add_redirects(&context))
        return false;

    if (plan->refusals.count == 0 && plan->change_count != 0 && !plan_signature(&context))
        return false;
    if (plan->refusals.count == 0 && plan->change_count != 0 && !plan_damage(&context))
        return false;
    if (plan->refusals.count != 0) {
        plan->verdict = PLAN_REFUSED;
        plan->change_count = 0;
        plan->layout = NULL;
        return true;
    }
    /* A signature does not cover the checksum: alone it is set in signed images too. */
    if (plan->change_count == 0 && (!context.sets_checksum || plan->remark)) {
        plan->verdict = PLAN_NO_CHANGE;
        return true;
    }
    plan->verdict = PLAN_CHANGE;
    return plan_add_change(
        plan, arena,
        &(struct change){
            .kind = CHANGE_CHECKSUM,
            .rule = context.sets_checksum ? HVCI2207_CHECKSUM : (enum finding_code)0,
            .file_offset = image->opt_foff + OPT_CHECK_SUM,
            .width_nbytes = 4,
            .old_value = image->stored_checksum,
            .field = "CheckSum",
            .why = "Windows verifies the checksum of a driver, so it follows every other change.",
            .assurance = ASSURANCE_PROVED,
            .proof = "It is computed from the new bytes and computed again by the verifier.",
        });
}
