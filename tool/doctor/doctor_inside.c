/* doctor_inside.c - doctor_inside.h.
 * Takes: bytes.  Gives: images of the page.  Must not: call anything repairable that `fix` leaves alone. */
#include "doctor/doctor_inside.h"

#include "package/package.h"

/* False when memory ran out. */
static bool add_problem(struct doctor *doctor, const struct package_item *item)
{
    struct arena *arena = &doctor->arena;
    struct doctor_text *text = arena_alloc(arena, sizeof *text);
    struct doctor_image image = {.path = arena_printf(arena, "%s", item->path), .state = DOCTOR_UNREADABLE};
    if (!text)
        return false;
    *text = (struct doctor_text){arena_printf(arena, "HVCI%04u", (unsigned)item->problem.code),
                                 arena_printf(arena, "%s", item->problem.message), LEVEL_ERROR};
    image.name = image.path;
    image.refusals = (struct doctor_texts){.items = text, .count = 1, .capacity = 1};
    return !arena->exhausted && doctor_add_image(doctor, &image);
}

static bool add_packed(struct doctor *doctor, const char *path, const struct package_item *item,
                       const struct doctor_options *options)
{
    struct arena *arena = &doctor->arena;
    struct doctor_case one = {
        .path = item->path, .container_path = path, .bytes = item->bytes, .options = options};
    struct doctor_image image;
    if (!doctor_image_examine(&one, arena, &image))
        return false;
    if (image.state == DOCTOR_FIXABLE || image.state == DOCTOR_PARTLY) {
        struct doctor_text *text = arena_alloc(arena, sizeof *text);
        if (!text)
            return false;
        *text = (struct doctor_text){
            NULL,
            arena_printf(
                arena,
                strcmp(path, doctor->path) == 0
                    ? "It is packed inside \"%s\", and nothing is repaired there. \"hvcifix fix "
                      "--extract\" writes it to a folder, repaired; who builds the driver can put it "
                      "back."
                    : "It is packed inside \"%s\", and nothing is repaired there. Unpack the package "
                      "as far as that file, and run doctor on that file alone.",
                path),
            LEVEL_ERROR};
        image.state = DOCTOR_PACKED;
        image.needs_nx = image.nx_helps = false; /* of the package's repair */
        image.refusals = (struct doctor_texts){.items = text, .count = 1, .capacity = 1};
    }
    return !arena->exhausted && doctor_add_image(doctor, &image);
}

static bool open_file(const char *path, struct span bytes, struct arena *arena, struct package **package)
{
    struct image image;
    struct finding error;
    *package = NULL;
    if (package_is_archive(bytes))
        return (*package = package_open_archive(path, bytes)) != NULL;
    if (!package_is_image(bytes) || !image_read(bytes, arena, &image, &error))
        return !arena->exhausted;
    return package_open_image(path, &image, package);
}

bool doctor_look_inside(struct doctor *doctor, const char *path, struct span bytes,
                        const struct doctor_options *options)
{
    struct package *package;
    struct arena head;
    arena_init(&head, NULL);
    bool goes_on = open_file(path, bytes, &head, &package), is_at_end = !package;
    while (goes_on && !is_at_end && !(options->stop && atomic_load(options->stop))) {
        struct package_item item;
        struct arena arena;
        arena_init(&arena, NULL);
        enum package_step step = package_next(package, &arena, &item);
        is_at_end = step == PACKAGE_END;
        if (step == PACKAGE_IMAGE)
            goes_on = add_packed(doctor, path, &item, options);
        else if (step == PACKAGE_PROBLEM)
            goes_on = add_problem(doctor, &item);
        else
            goes_on = step != PACKAGE_NO_MEMORY;
        arena_free(&arena);
    }
    if (package)
        package_close(package);
    arena_free(&head);
    return goes_on;
}
