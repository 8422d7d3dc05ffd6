/* map_only.c - images that are mapped and not run.
 * Takes: paths of pairs.  Gives: the pairs whose repair a loader does not take.  Must not: run anything in
 * them. */
#include "map_only.h"

#include "failure.h"
#include "files.h"
#include "load.h"
#include "runs.h"

static bool is_mapped(const struct image *image, bool is_strict)
{
    char chars[1];
    struct text nothing = TEXT_IN(chars);
    bool is_possible;

    for (unsigned base = 0; base < BASE_COUNT; base++) {
        const struct plan plan = {.image = image,
                                  .base = run_base(image, base),
                                  .is_strict = is_strict,
                                  .is_mapped_only = true,
                                  .log = &nothing};

        if (!run(&plan, &is_possible))
            return false;
    }
    return true;
}

static void complain(const char *path, const char *why)
{
    char chars[1000];
    struct text text = TEXT_IN(chars);

    text_add(&text, path);
    text_add(&text, ": ");
    text_add(&text, why);
    text_add(&text, "\n");
    text_print(&text);
}

bool map_only(char *const *paths)
{
    static struct image images[FILE_COUNT];
    bool is_well = true;
    uint32_t count = 0;

    for (; paths[0] && paths[1]; paths += 2) {
        if (file_read(0, paths[0], &images[0]) || !is_mapped(&images[0], false))
            continue;
        const char *why = file_read(1, paths[1], &images[1]);

        if (!why && !is_mapped(&images[1], true))
            why = failure.chars;
        if (why)
            complain(paths[1], why);
        is_well = is_well && !why;
        count++;
    }
    char chars[100];
    struct text text = TEXT_IN(chars);
    text_add(&text, "mapped ");
    text_add_number(&text, count);
    text_add(&text, "\n");
    text_print(&text);
    return is_well;
}
