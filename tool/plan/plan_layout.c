/* plan_layout.c - the repairs that move things: sections off page boundaries, and what the loader writes out
 * of executable sections. Takes: image, inventory, code map.  Gives: plan->layout and changes, or the refusal
 * that names what stops it. Must not: emit, or choose between layouts; candidates.c does. */
#include "plan/debug_data.h"
#include "plan/rewrite.h"

#include <stdarg.h>

bool rewrite_refuse(struct rewrite *rewrite, uint32_t rva, uint64_t foff, const char *cure,
                    const char *format, ...)
{
    if (rewrite->is_refused)
        return false;
    rewrite->is_refused = true;
    va_list arguments;
    va_start(arguments, format);
    const char *message = arena_vprintf(rewrite->arena, format, arguments);
    va_end(arguments);
    rewrite->refusal =
        finding_make(rewrite->arena, HVCI9023_UNRESOLVED_REFERENCE, LEVEL_ERROR, "%s", message);
    const struct section *section = rva != NO_RVA ? image_section_at_rva(rewrite->image, rva) : NULL;
    rewrite->refusal.section = section ? section->name : NULL;
    rewrite->refusal.rva = rva;
    rewrite->refusal.file_offset = foff;
    rewrite->refusal.cure = cure;
    return false;
}

static bool refuse_kind(struct rewrite *rewrite, const char *what, const char *cure)
{
    return rewrite_refuse(rewrite, NO_RVA, NO_FILE_OFFSET, cure,
                          "Nothing in this image can be moved with proof: %s.", what);
}

/* Parts of the inventory that may be read in part only: what is not read cannot refer to the few pieces that
 * leave when all else stays, but it would have to follow when everything moves. */
static bool limit_is_harmless(const struct rewrite *rewrite, const struct ref_problem *problem)
{
    switch (problem->source) {
    case SOURCE_BASERELOCS: /* zeros behind the table */
    case SOURCE_IMPORTS:    /* slots that are constants */
        return true;
    case SOURCE_DEBUG:
        return !layout_is_low(rewrite->image) ||
               debug_data_is_dropped(rewrite->image, problem->file_offset) ||
               debug_entry_is_dropped_at(rewrite->image, problem->file_offset);
    case SOURCE_UNWIND:
    case SOURCE_HANDLER_DATA:
    case SOURCE_COFF_SYMBOLS:
        return !layout_is_low(rewrite->image);
    default:
        return false;
    }
}

static bool check_image(struct rewrite *rewrite)
{
    const struct image *image = rewrite->image;
    if (image->machine != MACHINE_AMD64 && image->machine != MACHINE_I386)
        return refuse_kind(
            rewrite,
            arena_printf(rewrite->arena, "the code of %s is not decoded here", image_machine_name(image)),
            "Link the image again without the options that cause the finding.");
    if (!rewrite->code->decoded)
        return refuse_kind(rewrite, rewrite->code->not_decoded_reason, "Link the image again.");
    if (image->is_managed)
        return refuse_kind(rewrite, "it is managed", "Change the project that compiles it.");
    for (size_t i = 0; i < rewrite->refs->problem_count; i++) {
        const struct ref_problem *problem = &rewrite->refs->problems[i];
        if (!limit_is_harmless(rewrite, problem))
            return rewrite_refuse(rewrite, problem->rva, problem->file_offset,
                                  "Link the image again without what cannot be read.",
                                  "Nothing in this image can be moved with proof: %s", problem->reason);
    }
    for (size_t i = 0; layout_is_low(image) && i < rewrite->refs->ref_count; i++)
        if (rewrite->refs->refs[i].source == SOURCE_DVRT)
            return refuse_kind(rewrite, "its sections are low-aligned and it has dynamic relocations",
                               "Link the image again with page-aligned sections.");
    if (layout_is_low(image) && !rewrite->takes_slots_out)
        return refuse_kind(rewrite, "its sections are low-aligned, and HVCI2004 was not asked for",
                           "Repair HVCI2004 as well (no --only, or --only HVCI2004 too).");
    if (image->section_count + MOST_NEW_SECTIONS > MOST_SECTIONS)
        return refuse_kind(rewrite, "it has so many sections that Windows would not load more",
                           "Link the image again with fewer sections.");
    for (uint32_t i = 0; i < image->section_count; i++) {
        const struct section *section = &image->sections[i];
        if (strcmp(section->raw_name, STRADDLE_CODE_SECTION) == 0)
            return rewrite_refuse(rewrite, section->rva, section->header_foff,
                                  "Start from the linker's own output, and repair all of it at once.",
                                  "Section %s says that base relocations were taken out of the table before; "
                                  "what it holds cannot be moved again.",
                                  section->name);
        if (section->characteristics & SCN_MEM_SHARED)
            return rewrite_refuse(rewrite, section->rva, section->header_foff, "Do not share sections.",
                                  "Section %s is shared between processes.", section->name);
    }
    return layout_tables_can_follow(rewrite);
}

/* What was read-only by its header, and shares pages with what is written now. */
static bool has_writable_constants(struct rewrite *rewrite)
{
    const struct layout *layout = rewrite->layout;
    for (size_t i = 1; i < layout->piece_count; i++) {
        const struct piece *piece = &layout->pieces[i];
        const struct new_section *there = layout_section_at(layout, piece->new_rva);
        bool is_kept = piece->kind == PIECE_SECTION || piece->kind == PIECE_DATA;
        if (is_kept && there && (there->characteristics & SCN_MEM_WRITE) &&
            !(rewrite->image->sections[piece->section].characteristics & SCN_MEM_WRITE))
            return true;
    }
    return false;
}

static const char *describe_moves(struct rewrite *rewrite)
{
    const struct layout *layout = rewrite->layout;
    const char *kept = "";
    size_t leaving_count = 0;
    for (size_t i = 1; i < layout->piece_count; i++)
        leaving_count += piece_delta(&layout->pieces[i]) != layout->uniform_delta;
    if (layout->keeps_distances)
        kept =
            has_writable_constants(rewrite)
                ? " All data keeps its distances; constants that share a page with variables can be written."
                : " All data keeps its distances.";
    return arena_printf(
        rewrite->arena,
        "%zu references were followed; %zu of %zu pieces leave their neighbours, and every place that "
        "could refer to them is explained.%s Assumed: an address is folded no farther than "
        "docs/ASSUMPTIONS.md says%s.",
        rewrite->refs->ref_count, leaving_count, layout->piece_count - 1, kept,
        rewrite->assumes_constants ? ", and nobody writes to string literals" : "");
}

/* A page-aligned section that is written was split; it loses W as a change of its own. */
static bool is_split_by(const struct rewrite *rewrite, const struct finding *finding)
{
    for (uint32_t i = 0; i < rewrite->image->section_count; i++)
        if (rewrite->splits[i].kind == SPLIT_ALL && finding->code == HVCI2003_SECTION_WRITABLE_EXECUTABLE &&
            rewrite->image->sections[i].header_foff == finding->file_offset)
            return true;
    return false;
}

/* One change for each finding that the layout cures. */
static bool add_changes(struct rewrite *rewrite)
{
    struct plan_context *context = rewrite->context;
    const char *proof = describe_moves(rewrite);
    if (context->options->forced)
        return plan_add_change(context->plan, context->arena,
                               &(struct change){.kind = CHANGE_LAYOUT,
                                                .field = "layout",
                                                .why = "The caller asked for it.",
                                                .assurance = ASSURANCE_ASSUMED,
                                                .proof = proof});
    for (size_t i = 0; i < context->findings->count; i++) {
        const struct finding *finding = &context->findings->items[i];
        bool is_straddling = finding->code == HVCI2101_RELOCATION_STRADDLES;
        if ((!plan_layout_cures(rewrite->image, finding->code) && !is_split_by(rewrite, finding)) ||
            (is_straddling && !rewrite->layout->straddles))
            continue;
        struct change change = {
            .kind = CHANGE_LAYOUT,
            .rule = finding->code,
            .file_offset = finding->file_offset,
            .section = finding->section,
            .field = "layout",
            .why = finding->code == HVCI2004_SECTION_NOT_PAGE_ALIGNED
                       ? "Memory has one set of rights a page, so code, data and constants need pages of "
                         "their own."
                       : "Executable memory must not be written.",
            .assurance = ASSURANCE_ASSUMED,
            .proof = proof,
        };
        if (is_straddling)
            straddle_describe(rewrite, &change);
        if (!plan_add_change(context->plan, context->arena, &change))
            return false;
    }
    return true;
}

bool plan_layout(struct plan_context *context)
{
    struct rewrite rewrite = {.context = context,
                              .image = context->image,
                              .refs = context->refs,
                              .code = context->code,
                              .arena = context->arena,
                              .takes_slots_out = context->options->forced != NULL};
    for (size_t i = 0; i < context->findings->count; i++) {
        const struct finding *finding = &context->findings->items[i];
        if (plan_loses_write(context, (uint32_t)finding->file_offset))
            rewrite.takes_slots_out = true;
        if (!plan_asks_for_layout(context->options, finding))
            continue;
        if (finding->code == HVCI2101_RELOCATION_STRADDLES)
            rewrite.takes_off_borders = true;
        else
            rewrite.takes_slots_out = true;
    }
    if (!plan_damage(context))
        return false;
    if (context->plan->refusals.count != 0)
        return true;
    if (check_image(&rewrite) && slots_collect(&rewrite) && section_needs_collect(&rewrite) &&
        candidates_try(&rewrite)) {
        context->plan->layout = rewrite.layout;
        context->plan->new_file_nbytes = rewrite.layout->file_nbytes;
        return add_changes(&rewrite);
    }
    return rewrite.is_refused && finding_add(&context->plan->refusals, &rewrite.refusal);
}

bool plan_layout_cures(const struct image *image, enum finding_code code)
{
    switch (code) {
    case HVCI2004_SECTION_NOT_PAGE_ALIGNED:
    case HVCI2005_IAT_EXECUTABLE:
    case HVCI2006_LOADER_DATA_EXECUTABLE:
    case HVCI2101_RELOCATION_STRADDLES:
        return true;
    case HVCI2003_SECTION_WRITABLE_EXECUTABLE: /* sections of a low-aligned image get new headers */
    case HVCI2102_INIT_WRITABLE_EXECUTABLE:
        return layout_is_low(image);
    default:
        return false;
    }
}
