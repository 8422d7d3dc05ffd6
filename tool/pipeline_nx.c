/* pipeline_nx.c - calls that are led through stubs: planned with the rest, made when the rest has its place.
 * Takes: an outcome with its image, or with the bytes of all other repairs.  Gives: what is to be redirected,
 * and the new bytes. Must not: write. */
#include "pipeline_parts.h"

#include "emit/emit_nx.h"

/* `enforce` repairs errors, where the policy says so. */
static bool is_enforced(const struct outcome *outcome, const struct pipeline_options *options,
                        enum finding_code code)
{
    for (size_t i = 0; i < outcome->findings.count; i++)
        if (outcome->findings.items[i].code == code && outcome->findings.items[i].level == LEVEL_ERROR &&
            !outcome->findings.items[i].waiver)
            return policy_lets_enforce_repair(options->policy, code);
    return false;
}

static bool wants(const struct outcome *outcome, const struct pipeline_options *options,
                  enum finding_code code)
{
    if (options->enforces)
        return is_enforced(outcome, options, code);
    for (size_t i = 0; i < options->only_count; i++)
        if (options->only[i] == code)
            return true;
    return options->only_count == 0;
}

/* Each import that stays as it is, and why. */
static bool note_left(struct outcome *outcome, const struct nx_plan *plan)
{
    for (size_t i = 0; i < plan->left_count; i++) {
        const struct nx_left *left = &plan->left[i];
        struct finding note =
            finding_make(&outcome->arena, HVCI9024_CALLS_LEFT, LEVEL_NOTE,
                         "Calls of %s are not led through a stub (--nx): %s.", left->api->name, left->reason);
        note.rva = left->rva;
        note.cure =
            "Ask for no-execute memory at the source: \"hvcifix explain\" with the code of the finding "
            "says how.";
        if (!finding_add(&outcome->image.notes, &note))
            return false;
    }
    return true;
}

static bool refuse_target(struct outcome *outcome)
{
    struct finding refusal = finding_make(
        &outcome->arena, HVCI9022_NO_REPAIR, LEVEL_ERROR,
        "Calls cannot be led through stubs (--nx): Windows %s does not know the no-execute flags.",
        target_name(outcome->target));
    refusal.cure =
        "Name Windows 8 or later with --target, if no older one has to load the driver; or leave --nx "
        "out.";
    return outcome_end_with_problem(outcome, &refusal, STATUS_REFUSED, EXIT_FINDINGS);
}

bool pipeline_nx_plan(struct outcome *outcome, const struct pipeline_options *options,
                      struct plan_options *plan_options)
{
    struct arena *arena = &outcome->arena;
    struct nx_plan *plan;
    if (!options->adds_nx)
        return true;
    if (outcome->image.role != ROLE_KERNEL || !outcome->code.decoded) {
        if (!options->enforces)
            outcome->remark =
                outcome->image.role != ROLE_KERNEL
                    ? "No call was led through a stub (--nx): it is no kernel image."
                    : "No call was led through a stub (--nx): the code of its machine is not decoded.";
        return true;
    }
    struct nx_input input = {.image = &outcome->image,
                             .refs = &outcome->refs,
                             .code = &outcome->code,
                             .sites = &outcome->asked.sites,
                             .wants_pool = wants(outcome, options, HVCI2000_EXECUTABLE_POOL),
                             .wants_mdl = wants(outcome, options, HVCI2002_EXECUTABLE_MDL),
                             .given_up = &outcome->nx_given_up};
    plan = arena_alloc(arena, sizeof *plan);
    if (!plan || !nx_plan_make(&input, arena, plan) || !note_left(outcome, plan))
        return outcome_end_out_of_memory(outcome);
    plan_options->nx = plan;
    if (plan->redirect_count != 0 && options->target < TARGET_8)
        return refuse_target(outcome);
    return true;
}

/* Where the verifier stopped, in the old image; NO_RVA when the layout changes, and it is no instruction that
 * leads to a stub. */
static uint32_t old_rva_of_verdict(const struct outcome *outcome, const struct nx_plan *planned)
{
    if (!outcome->plan.layout)
        return outcome->verdict.rva;
    for (size_t i = 0; i < planned->site_count; i++)
        if (layout_map_rva(outcome->plan.layout, planned->sites[i].rva) == outcome->verdict.rva)
            return planned->sites[i].rva;
    return NO_RVA;
}

bool pipeline_nx_doubt(const struct outcome *outcome, const struct nx_plan *planned, struct nx_left *doubt)
{
    if (outcome->verdict.slot_rva == 0)
        return false;
    for (size_t i = 0; i < outcome->nx.redirect_count; i++)
        if (outcome->nx.redirects[i].slot_rva == outcome->verdict.slot_rva) {
            *doubt = (struct nx_left){outcome->nx.redirects[i].api, old_rva_of_verdict(outcome, planned),
                                      "it could not be proved that nothing but instructions that use the "
                                      "import slot would change, and that all of them would"};
            return true;
        }
    return false; /* a stub of an earlier run */
}

bool pipeline_nx_give_up(struct outcome *outcome, const struct nx_left *doubt)
{
    struct nx_given_up *given_up = &outcome->nx_given_up;
    if (given_up->count == NX_MOST_GIVEN_UP)
        return false;
    given_up->items[given_up->count++] = *doubt;
    outcome->has_plan = outcome->has_verdict = false;
    outcome->output = (struct output){0};
    outcome->nx = (struct nx_plan){0};
    return true;
}

/* The first planned import that is not led through a stub in the new layout by as many instructions, or NULL.
 */
static const struct nx_redirect *lost(const struct nx_plan *planned, const struct nx_plan *made)
{
    for (size_t i = 0; i < planned->redirect_count; i++)
        if (i >= made->redirect_count || planned->redirects[i].api != made->redirects[i].api ||
            planned->redirects[i].site_count != made->redirects[i].site_count)
            return &planned->redirects[i];
    return NULL;
}

bool pipeline_nx_lost(const struct outcome *outcome, const struct nx_plan *planned, struct nx_left *doubt)
{
    const struct nx_redirect *redirect = lost(planned, &outcome->nx);
    if (redirect)
        *doubt = (struct nx_left){redirect->api, NO_RVA,
                                  "where the layout has to change, not all that uses the import slot is seen "
                                  "as before"};
    return redirect != NULL;
}

bool pipeline_nx_emit(struct outcome *outcome, const struct pipeline_options *options,
                      const struct nx_plan *planned, struct finding *error)
{
    struct arena *arena = &outcome->arena;
    struct image image;
    struct refset refs;
    struct code_map code;
    struct call_site_list sites;
    struct nx_input input = {.image = &image,
                             .refs = &refs,
                             .code = &code,
                             .sites = &sites,
                             .wants_pool = wants(outcome, options, HVCI2000_EXECUTABLE_POOL),
                             .wants_mdl = wants(outcome, options, HVCI2002_EXECUTABLE_MDL),
                             .given_up = &outcome->nx_given_up};
    struct span bytes = {outcome->output.bytes, outcome->output.nbytes};
    if (planned->redirect_count == 0)
        return true;
    if (!image_read(bytes, arena, &image, error))
        return false;
    if (!refs_collect(&image, arena, SOURCE_ALL, &refs) || !code_read(&image, &refs, arena, &code) ||
        !call_sites_find(&image, &refs, &code, NULL, arena, &sites) ||
        !nx_plan_make(&input, arena, &outcome->nx)) {
        *error = finding_make(arena, HVCI9008_OUT_OF_MEMORY, LEVEL_ERROR, "There was not enough memory.");
        return false;
    }
    if (lost(planned, &outcome->nx) || outcome->nx.redirect_count != planned->redirect_count) {
        *error = finding_make(
            arena, HVCI9022_NO_REPAIR, LEVEL_ERROR,
            "Calls cannot be led through stubs (--nx) together with the other repairs: in the new "
            "layout they are not seen as before.");
        error->cure = "Repair the layout first, and then run \"hvcifix fix --nx\" on the result.";
        return false;
    }
    if (!nx_plan_place(&input, arena, &outcome->nx, error))
        return false;
    if (emit_nx(&image, &outcome->nx, arena, &outcome->output))
        return true;
    *error = finding_make(arena, HVCI9008_OUT_OF_MEMORY, LEVEL_ERROR, "There was not enough memory.");
    return false;
}
