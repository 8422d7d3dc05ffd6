/* doctor_steps.c - doctor_steps.h.
 * Takes: struct doctor.  Gives: steps.  Must not: print.
 * The steps themselves: here the repair; doctor_steps_sign.c and doctor_steps_machine.c have the others. */
#include "doctor/doctor_steps_parts.h"

#include "base/path_name.h"

#include <stdarg.h>

struct doctor_step *doctor_step_begin(struct step_maker *maker, const char *title, const char *about)
{
    struct doctor_step *step = &maker->steps->items[maker->steps->count++];
    *step = (struct doctor_step){.title = title, .about = about};
    return step;
}

void doctor_step_command(struct step_maker *maker, struct doctor_step *step, enum doctor_where where,
                         const char *format, ...)
{
    enum shell shell = where == DOCTOR_HERE ? maker->here : SHELL_WINDOWS;
    struct text text = {.arena = &maker->doctor->arena};
    va_list words;
    va_start(words, format);
    bool is_taken = true;
    for (const char *at = format; *at; at++) {
        if (*at != '@') {
            text_add(&text, at, 1);
            continue;
        }
        const char *word = va_arg(words, const char *);
        is_taken = is_taken && shell_takes(shell, word, text.arena);
        shell_add(&text, shell, word);
    }
    va_end(words);
    if (is_taken)
        step->commands[step->command_count++] = (struct doctor_command){where, text.chars ? text.chars : ""};
    else
        step->after =
            "A name here has characters that cannot be pasted into a shell: give the file a plain name "
            "first, and run doctor again.";
}

static bool needs_repair(const struct doctor *doctor)
{
    return doctor_count(doctor, DOCTOR_FIXABLE) + doctor_count(doctor, DOCTOR_PARTLY) != 0;
}

static bool any_nx(const struct doctor *doctor)
{
    for (size_t i = 0; i < doctor->image_count; i++)
        if (doctor->images[i].needs_nx && doctor->images[i].nx_helps)
            return true;
    return false;
}

static bool any_signed_to_repair(const struct doctor *doctor)
{
    for (size_t i = 0; i < doctor->image_count; i++)
        if (doctor->images[i].is_signed &&
            (doctor->images[i].state == DOCTOR_FIXABLE || doctor->images[i].state == DOCTOR_PARTLY))
            return true;
    return false;
}

/* Is there an image that `fix` leaves as it is, though it needs a repair or a look? The package is then
 * written with --partial alone. */
static bool is_partial(const struct doctor *doctor)
{
    return doctor_count(doctor, DOCTOR_PARTLY) + doctor_count(doctor, DOCTOR_REFUSED) +
               doctor_count(doctor, DOCTOR_PACKED) + doctor_count(doctor, DOCTOR_UNREADABLE) !=
           0;
}

/* "setup.exe" -> "setup-repaired", "drv.zip" -> "drv-repaired.zip", "folder" -> "folder-repaired" */
static const char *new_path(struct doctor *doctor)
{
    const char *path = doctor->path;
    size_t length = strlen(path);
    while (length > 1 && path_is_separator(path[length - 1]))
        length--;
    const char *dot = NULL;
    for (size_t i = 0; i < length; i++)
        dot = path[i] == '.' ? path + i : path_is_separator(path[i]) ? NULL : dot;
    if (doctor->kind == DOCTOR_FOLDER || !dot || dot == path)
        dot = path + length;
    const char *end = doctor->kind == DOCTOR_PROGRAM ? "" : dot;
    bool is_here = length == 1 && path[0] == '.';
    return is_here ? "../repaired"
                   : arena_printf(&doctor->arena, "%.*s-repaired%.*s", (int)(dot - path), path,
                                  (int)(*end ? length - (size_t)(dot - path) : 0), end);
}

static void repair(struct step_maker *maker)
{
    struct doctor *doctor = maker->doctor;
    const char *signed_option = any_signed_to_repair(doctor) ? " --drop-signature" : "";
    bool has_nx = any_nx(doctor);
    const char *nx = has_nx ? " --nx" : "";
    bool in_place = doctor->kind == DOCTOR_DRIVER;
    maker->repaired = in_place ? doctor->path : new_path(doctor);
    struct doctor_step *step = doctor_step_begin(
        maker, "Repair",
        in_place
            ? "Nothing is written that is not proved. The original comes back with the last step, byte for "
              "byte, also after signing; keep a copy of it all the same."
        : doctor->kind == DOCTOR_PROGRAM ? "Nothing is written that is not proved. The program stays as it "
                                           "is; the drivers that it carries are "
                                           "written to a folder, repaired."
                                         : "Nothing is written that is not proved. The package stays as it "
                                           "is; a new one is written beside "
                                           "it, in which only the images differ.");
    bool has_rest = !in_place && is_partial(doctor);
    const char *partial = has_rest ? " --partial" : "";
    const char *options = arena_printf(&doctor->arena, "%s%s%s", partial, signed_option, nx);
    if (in_place)
        doctor_step_command(maker, step, DOCTOR_HERE,
                            arena_printf(&doctor->arena, "hvcifix fix --in-place%s @", options),
                            doctor->path);
    else
        doctor_step_command(maker, step, DOCTOR_HERE,
                            arena_printf(&doctor->arena, "hvcifix fix%s%s @ -o @",
                                         doctor->kind == DOCTOR_PROGRAM ? " --extract" : "", options),
                            doctor->path, maker->repaired);
    doctor_step_command(maker, step, DOCTOR_HERE, "hvcifix check @", maker->repaired);
    struct text after = {.arena = &doctor->arena};
    if (has_rest)
        text_addz(&after,
                  "--partial writes the package although what is said above stays in it, or a part of that; "
                  "both commands end with an exit code that is not 0. ");
    if (has_nx)
        text_addz(&after, "--nx changes what the driver does: memory that it asked for as executable is no "
                          "longer. A driver that runs code from there stops working; test for that. ");
    if (doctor->kind == DOCTOR_PROGRAM)
        text_addz(&after,
                  "Build the installer anew from these images; what is packed in it cannot be replaced "
                  "with proof. ");
    if (after.nbytes != 0 && !step->after)
        step->after = arena_printf(&doctor->arena, "%.*s", (int)after.nbytes - 1, after.chars);
}

/* Is there a driver that memory integrity would refuse, or that nobody has judged? Then nobody is told to
 * turn it on. */
static bool any_unfit(const struct doctor *doctor)
{
    for (size_t i = 0; i < doctor->image_count; i++) {
        const struct doctor_image *image = &doctor->images[i];
        if (image->state == DOCTOR_UNREADABLE ||
            (!image->is_outside && (image->state == DOCTOR_PARTLY || image->state == DOCTOR_REFUSED ||
                                    image->state == DOCTOR_PACKED)))
            return true;
    }
    return false;
}

/* The test is about a driver that was repaired rather than one that is well, and about one that memory
 * integrity judges rather than one for machines without it; or else about the first. 0: no test. */
static int worth_testing(const struct doctor_image *image)
{
    if (!image->is_kernel || image->state > DOCTOR_FIXABLE)
        return 0;
    return 1 + (image->state == DOCTOR_FIXABLE ? 4 : 0) + (!image->is_outside ? 2 : 0) +
           (image->state == DOCTOR_LEFT ? 1 : 0);
}

void doctor_steps_make(struct doctor *doctor, enum shell here, struct doctor_steps *steps)
{
    struct step_maker maker = {.doctor = doctor, .here = here, .steps = steps, .repaired = doctor->path};
    *steps = (struct doctor_steps){0};
    bool can_bear = false, is_changed = needs_repair(doctor);
    int best = 0;
    for (size_t i = 0; i < doctor->image_count; i++) {
        const struct doctor_image *image = &doctor->images[i];
        int worth = worth_testing(image);
        can_bear |= worth != 0 && !image->is_outside;
        maker.repaired_count += image->state == DOCTOR_FIXABLE;
        if (worth > best) {
            maker.driver = image;
            best = worth;
        }
    }
    bool has_unfit = any_unfit(doctor);
    if (!maker.driver || (has_unfit && !is_changed))
        return; /* what is wrong is in the way of every step */
    can_bear = can_bear && !has_unfit;
    if (is_changed) {
        repair(&maker);
        doctor_step_catalog(&maker);
        doctor_step_sign(&maker);
        doctor_step_trust(&maker);
    }
    if (can_bear)
        doctor_step_integrity(&maker);
    doctor_step_load(&maker);
    if (is_changed && can_bear)
        doctor_step_release(&maker);
    if (is_changed)
        doctor_step_go_back(&maker);
}
