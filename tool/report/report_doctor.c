/* report_doctor.c - the doctor's page as text: at most LAYOUT_COLUMNS wide, but for commands, which are never
 * wrapped.
 * Takes: what was examined, and steps.  Gives: lines.  Must not: decide anything. */
#include "report/report_doctor.h"

#include "report/doctor_words.h"
#include "report/layout.h"
#include "report/safe_text.h"

enum { MOST_LINES = 8, HEAD_INDENT = 2, BODY_INDENT = 4, COMMAND_INDENT = 8 };

static void add_heading(struct text *text, const char *words)
{
    text_addz(text, "\n");
    text_addz(text, words);
    text_addz(text, "\n");
}

static void add_paragraph(struct text *text, size_t indent, const char *words)
{
    size_t line_start = text->nbytes;
    if (!words || !*words)
        return;
    text_pad_to_column(text, line_start, indent);
    layout_wrap(text, line_start, indent, words);
}

static void add_item(struct text *text, size_t indent, const char *words)
{
    size_t line_start = text->nbytes;
    text_pad_to_column(text, line_start, indent);
    text_addz(text, "- ");
    layout_wrap(text, line_start, indent + 2, words);
}

static void add_texts(struct text *text, const struct doctor_texts *texts)
{
    for (size_t i = 0; i < texts->count && i < MOST_LINES; i++) {
        const struct doctor_text *one = &texts->items[i];
        add_item(text, BODY_INDENT,
                 one->code ? arena_printf(text->arena, "%s (%s) %s", one->code,
                                          finding_level_name(one->level), one->words)
                           : one->words);
    }
    if (texts->count > MOST_LINES)
        add_item(text, BODY_INDENT,
                 arena_printf(text->arena, "and %zu more; \"hvcifix check\" lists them.",
                              texts->count - MOST_LINES));
}

static void add_image_line(struct text *text, const struct doctor_image *image)
{
    struct text words = {.arena = text->arena};
    text_printf(&words, "%s (%s%s%s%s): %s", image->path, image->machine ? image->machine : "no image",
                image->is_kernel ? ", kernel" : "", image->is_signed ? ", signed" : "",
                image->catalog ? " by a catalog" : "", doctor_state_words(image));
    add_paragraph(text, HEAD_INDENT, words.chars);
}

static void add_wrong(struct text *text, const struct doctor *doctor)
{
    add_heading(text, "WHAT IS WRONG");
    size_t bystander_count = 0;
    for (size_t i = 0; i < doctor->image_count; i++) {
        const struct doctor_image *image = &doctor->images[i];
        if (image->state == DOCTOR_BYSTANDER && doctor->image_count > 1) {
            bystander_count++;
            continue;
        }
        add_image_line(text, image);
        if (image->is_kernel || image->state == DOCTOR_UNREADABLE)
            add_texts(text, image->state == DOCTOR_UNREADABLE ? &image->refusals : &image->findings);
        if (image->is_kernel && image->is_outside)
            add_paragraph(
                text, BODY_INDENT,
                "Memory integrity does not exist for this machine type; what is said is what Driver "
                "Verifier and policies object to.");
    }
    if (bystander_count != 0)
        add_paragraph(text, HEAD_INDENT,
                      arena_printf(text->arena,
                                   "%zu more %s no kernel driver: memory integrity does not judge %s.",
                                   bystander_count, bystander_count == 1 ? "image is" : "images are",
                                   bystander_count == 1 ? "it" : "them"));
}

/* One part of the page: what `of` gives of each driver, under one heading. */
static void add_part(struct text *text, const struct doctor *doctor, const char *heading,
                     const struct doctor_texts *(*of)(const struct doctor_image *image))
{
    bool has_heading = false;
    for (size_t i = 0; i < doctor->image_count; i++) {
        const struct doctor_texts *texts = of(&doctor->images[i]);
        if (!texts || texts->count == 0)
            continue;
        if (!has_heading)
            add_heading(text, heading);
        has_heading = true;
        if (doctor->image_count > 1)
            add_paragraph(text, HEAD_INDENT, doctor->images[i].path);
        add_texts(text, texts);
    }
}

static bool is_repaired(const struct doctor_image *image)
{
    return image->state == DOCTOR_FIXABLE || image->state == DOCTOR_PARTLY;
}

static const struct doctor_texts *changes_of(const struct doctor_image *image)
{
    return is_repaired(image) ? &image->changes : NULL;
}

static const struct doctor_texts *remaining_of(const struct doctor_image *image)
{
    return is_repaired(image) ? &image->remaining : NULL;
}

static const struct doctor_texts *refusals_of(const struct doctor_image *image)
{
    bool has_some =
        image->state == DOCTOR_REFUSED || image->state == DOCTOR_PARTLY || image->state == DOCTOR_PACKED;
    return has_some ? &image->refusals : NULL;
}

static const char *where_words(enum doctor_where where)
{
    return where == DOCTOR_HERE         ? "here:"
           : where == DOCTOR_ON_WINDOWS ? "on Windows:"
                                        : "on Windows, as administrator:";
}

static void add_steps(struct text *text, const struct doctor_steps *steps)
{
    if (steps->count == 0)
        return;
    add_heading(text, "NEXT");
    for (size_t i = 0; i < steps->count; i++) {
        const struct doctor_step *step = &steps->items[i];
        add_paragraph(text, HEAD_INDENT, arena_printf(text->arena, "%zu. %s", i + 1, step->title));
        add_paragraph(text, BODY_INDENT, step->about);
        for (size_t k = 0; k < step->command_count; k++) {
            const struct doctor_command *command = &step->commands[k];
            if (k == 0 || command->where != step->commands[k - 1].where)
                add_paragraph(text, BODY_INDENT + 1, where_words(command->where));
            text_pad_to_column(text, text->nbytes, COMMAND_INDENT);
            text_addz(text, command->words);
            text_addz(text, "\n");
        }
        add_paragraph(text, BODY_INDENT, step->after);
    }
}

void report_text_doctor(struct text *text, const struct doctor *doctor, const struct doctor_steps *steps,
                        enum code_integrity integrity, const struct report_style *style)
{
    size_t start_nbytes = text->nbytes, line_start = start_nbytes;
    (void)style;
    safe_add_path(text, doctor->path);
    text_printf(text, ": %s", doctor_kind_words(doctor->kind));
    for (size_t i = 0; i < doctor->inf_count; i++)
        text_printf(text, "%s %s", i == 0 ? " with" : ",", doctor->infs[i].name);
    safe_end_line(text, line_start);
    add_paragraph(text, HEAD_INDENT, doctor_summary(doctor));
    bool has_kernel = doctor_concerns_memory_integrity(doctor);
    if (has_kernel)
        add_paragraph(text, HEAD_INDENT, doctor_integrity_words(integrity));
    if (doctor_needs_signature(doctor)) {
        add_heading(text, "FIRST: WHO MAY SIGN, AND WHAT MUST NOT BE REPAIRED");
        for (size_t i = 0; i < doctor_first_count; i++)
            add_item(text, HEAD_INDENT, doctor_first[i]);
    }
    add_wrong(text, doctor);
    add_part(text, doctor, "WHAT A REPAIR CHANGES (a dry run has just shown it)", changes_of);
    add_part(text, doctor, "WHAT STAYS, AND HAS TO BE CURED AT THE SOURCE", remaining_of);
    add_part(text, doctor, "WHAT STANDS IN THE WAY OF A REPAIR", refusals_of);
    if (doctor_count(doctor, DOCTOR_FIXABLE) + doctor_count(doctor, DOCTOR_PARTLY) != 0) {
        add_heading(text, "WHAT IT LEAVES ALONE");
        for (size_t i = 0; i < doctor_untouched_count; i++)
            add_item(text, HEAD_INDENT, doctor_untouched[i]);
    }
    add_steps(text, steps);
    text_cut_if_exhausted(text, start_nbytes);
}
