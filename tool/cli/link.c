/* link.c - link.h.
 * Takes: a linker and its words.  Gives: the image that it has written.  Must not: change what the linker
 * gets, or let an image pass that was not found. */
#include "cli/link.h"

#include "cli/child.h"
#include "cli/console.h"
#include "cli/linker_output.h"
#include "cli/run_policy.h"
#include "report/safe_text.h"

/* What was at each of the names. */
struct earlier {
    bool was_there;
    struct file_state state;
};

static bool complain(struct arena *arena, int *exit_code, int code, const char *before, const char *word,
                     const char *after)
{
    struct text text = {.arena = arena};
    safe_add(&text, word);
    if (arena->exhausted) {
        console_complain("hvcifix : error HVCI9008: There was not enough memory to run the linker.\n");
        *exit_code = EXIT_INPUT;
    } else {
        console_complain("hvcifix : error HVCI%s: %s\"%s\"%s\n", code == EXIT_USAGE ? "9010" : "9006", before,
                         text.chars ? text.chars : "", after);
        *exit_code = code;
    }
    return false;
}

static void look_before(const struct linker_output *output, struct earlier *earlier)
{
    for (size_t i = 0; i < output->name_count; i++) {
        struct arena arena;
        arena_init(&arena, NULL);
        struct file_content file;
        struct finding error;
        earlier[i].was_there = file_read(output->names[i], &arena, &file, &error);
        if (earlier[i].was_there)
            earlier[i].state = file.state;
        arena_free(&arena);
    }
}

/* The name under which there is a file that was not there before; NULL when there is none. */
static const char *find_written(const struct linker_output *output, const struct earlier *earlier)
{
    for (size_t i = 0; i < output->name_count; i++) {
        struct arena arena;
        arena_init(&arena, NULL);
        struct file_content file;
        struct finding error;
        bool is_there = file_read(output->names[i], &arena, &file, &error);
        bool is_new =
            is_there && (!earlier[i].was_there || !file_state_is_equal(&file.state, &earlier[i].state));
        arena_free(&arena);
        if (is_new)
            return output->names[i];
    }
    return NULL;
}

/* A linker that had nothing to do leaves its image as it was; that one is judged again. */
static const char *find_image(const struct linker_output *output, const struct earlier *earlier)
{
    if (output->is_stated && output->name_count == 1)
        return output->names[0]; /* `enforce` says so when it is not there */
    const char *written = find_written(output, earlier);
    return written || !output->is_stated || file_is_absent(output->names[0]) ? written : output->names[0];
}

/* What an earlier link made and was rejected is not there any more once this one is good. */
static void remove_earlier_rejected(const char *image, struct arena *arena)
{
    struct finding error;
    const char *path = arena_printf(arena, "%s" ENFORCE_REJECTED_SUFFIX, image);
    if (!arena->exhausted && !file_is_absent(path))
        (void)file_remove(path, arena, &error); /* where that fails, later steps see it as before */
}

bool link_run(struct cli_options *options, struct arena *arena, int *exit_code)
{
    struct argument_list command = {.arena = arena};
    struct linker_words words;
    struct linker_output output = {0};
    struct earlier earlier[LINKER_MOST_NAMES];
    bool is_endless = false;
    if (!policy_is_usable(options, arena)) {
        /* `enforce` says why; no linker has run whose image nobody would judge. */
        options->verb = VERB_ENFORCE;
        options->path_count = 0;
        return true;
    }
    if (!child_words(options->paths, options->path_count, &command) ||
        !linker_words_read(&command, &words, &is_endless) || !linker_output_find(&words, &output)) {
        if (is_endless && !arena->exhausted)
            return complain(arena, exit_code, EXIT_USAGE, "The response files of ", command.items[0],
                            " name each other without end.");
        arena->exhausted = true;
        return complain(arena, exit_code, EXIT_INPUT, "", "", "");
    }
    const char *linker = command.items[0];
    for (size_t i = 0; options->report_path && i < output.name_count; i++)
        if (strcmp(options->report_path, output.names[i]) == 0 ||
            (!file_is_absent(output.names[i]) && file_is_same(options->report_path, output.names[i])))
            return complain(arena, exit_code, EXIT_USAGE, "--output names the image ", output.names[i],
                            "; the report would be written over it.");
    if (output.links && output.name_count == 0)
        return complain(arena, exit_code, EXIT_USAGE, "It cannot be seen what ", linker,
                        " would write, so nothing was run. Name its output: /OUT:FILE or -o FILE.");
    if (!output.is_stated || output.name_count > 1)
        look_before(&output, earlier);
    const char *reason = "";
    switch (child_run(&command, false, exit_code, &reason)) {
    case CHILD_NOT_STARTED:
        return complain(arena, exit_code, EXIT_USAGE, "The linker ", linker,
                        arena_printf(arena, " cannot be started: %s.", reason));
    case CHILD_WAS_KILLED:
        *exit_code = child_end_alike(*exit_code);
        return false;
    case CHILD_ENDED:
        break;
    }
    if (*exit_code != 0)
        return false;
    if (!output.links) {
        console_complain("hvcifix: this command links no image; nothing was judged.\n");
        return false;
    }
    const char *image = find_image(&output, earlier);
    if (!image)
        return complain(arena, exit_code, EXIT_INPUT, "The linker has ended well but has not written ",
                        output.names[0], ", so nothing was judged. Name its output: /OUT:FILE or -o FILE.");
    options->verb = VERB_ENFORCE;
    options->path_count = 1;
    options->paths[0] = console_path(image, arena);
    if (options->paths[0]) {
        remove_earlier_rejected(options->paths[0], arena);
        return true;
    }
    return complain(arena, exit_code, EXIT_INPUT, "", "", "");
}
