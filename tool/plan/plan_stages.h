/* plan_stages.h - the planners that plan.c calls, one per file.
 * Private to tool/plan. Each adds changes or refusals to context->plan; false only when memory ran out. */
#ifndef HVCIFIX_PLAN_PLAN_STAGES_H
#define HVCIFIX_PLAN_PLAN_STAGES_H

#include "code/section_writes.h"
#include "plan/plan.h"

struct plan_context {
    const struct image *image;
    const struct refset *refs;
    const struct code_map *code;
    const struct finding_list *findings;
    const struct plan_options *options;
    struct arena *arena;
    struct plan *plan;
    bool sets_checksum; /* HVCI2207: also when nothing else changes */
};

/* HVCI2102, and HVCI2003 in page-aligned images: takes W from the section that `finding` names, when nothing
 * needs it. */
bool plan_write_right(struct plan_context *context, const struct finding *finding);

/* HVCI2201, HVCI2202, HVCI2203: sets a flag of DllCharacteristics that the image lives up to. */
bool plan_header_flag(struct plan_context *context, const struct finding *finding);

/* The finding is to be repaired by a new layout: its rule is one of those, it is wanted, and Windows refuses
 * it or the caller asked for it by name. */
bool plan_asks_for_layout(const struct plan_options *options, const struct finding *finding);

/* HVCI2004, HVCI2005, HVCI2006, HVCI2101: moves pieces of the image; called once, with the first of these
 * findings. */
bool plan_layout(struct plan_context *context);

/* Does anything write the section that `finding` names, as it is? */
bool plan_is_written(struct plan_context *context, const struct finding *finding, bool *is_written);

/* split_writes.c: section_writes() for what stays of the section in the layout (NULL: all of it). */
bool split_writes_ask(const struct plan_context *context, const struct layout *layout, uint32_t section,
                      enum write_answer *answer, struct finding *why, const char **summary);

/* HVCI2003 is to be repaired in the section whose header lies at header_foff: it has to lose W. */
bool plan_loses_write(const struct plan_context *context, uint32_t header_foff);

/* A moving rewrite of this image cures findings of that code. */
bool plan_layout_cures(const struct image *image, enum finding_code code);

/* Called when something is to change: drops the signature, leaves a signed image alone, or refuses. */
bool plan_signature(struct plan_context *context);

/* Called when something is to change: refuses an image whose tables are damaged or contradict each other. */
bool plan_damage(struct plan_context *context);

/* plan_damage.c: an image without base relocations that nothing runs in, and nobody is led into. */
bool plan_is_inert(const struct image *image, const struct refset *refs);

bool plan_add_change(struct plan *plan, struct arena *arena, const struct change *change);

#endif
