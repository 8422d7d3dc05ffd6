/* sign_with.c - sign_with.h.
 * Takes: proved bytes.  Gives: the same, signed.  Must not: trust the signer. */
#include "cli/sign_with.h"

#include "base/path_name.h"
#include "base/text.h"
#include "cli/child.h"
#include "cli/console.h"
#include "cli/interrupt.h"
#include "io/folder.h"
#include "io/signed_form.h"

#include <string.h>

static const char in_mark[] = "{}", out_mark[] = "{out}";

static bool has_mark(const struct signer *signer, const char *mark)
{
    for (size_t i = 1; i < signer->word_count; i++)
        if (strstr(signer->words[i], mark))
            return true;
    return false;
}

bool signer_parse(const char *command, struct arena *arena, struct signer *signer, const char **message)
{
    struct argument_list list = {.arena = arena};
    char *text = arena_copy_text(arena, command, strlen(command));
    *message = NULL;
    if (!text)
        return false;
    /* On Windows no argument of ours can hold a quotation mark (split.h). */
    for (char *at = strchr(text, '"') ? NULL : strchr(text, '\''); at; at = strchr(at, '\''))
        *at = '"';
    enum split_result result = split_arguments(&list, text, strlen(text), console_names_hold_quotes());
    *signer = (struct signer){.words = list.items, .word_count = list.count};
    if (result == SPLIT_NO_MEMORY)
        return false;
    if (result == SPLIT_OPEN_QUOTE)
        *message = "--sign-with has a quotation that nothing closes: %s";
    else if (!has_mark(signer, in_mark))
        *message = "--sign-with needs a program, and {} where the file to sign is to stand, not \"%s\".";
    return *message == NULL;
}

/* The word with both marks replaced. NULL when memory ran out. */
static char *filled(struct arena *arena, const char *word, const char *in_path, const char *out_path)
{
    struct text text = {.arena = arena};
    text_addz(&text, "");
    while (*word) {
        bool is_in = strncmp(word, in_mark, sizeof in_mark - 1) == 0;
        bool is_out = strncmp(word, out_mark, sizeof out_mark - 1) == 0;
        if (is_in || is_out)
            text_addz(&text, is_in ? in_path : out_path);
        else
            text_add(&text, word, 1);
        word += is_in ? sizeof in_mark - 1 : is_out ? sizeof out_mark - 1 : 1;
    }
    return arena->exhausted ? NULL : text.chars;
}

/* What signers print, and look at the suffix of: the image's own name where that is plain. */
static const char *plain_name(const char *path)
{
    const char *name = path;
    for (const char *at = path; *at; at++)
        if (strchr("/\\!:", *at))
            name = at + 1;
    size_t nbytes = strlen(name);
    bool is_plain =
        nbytes != 0 && nbytes < 100 && path_is_image_name(name) && name[0] != '-' && name[0] != '.';
    for (const char *at = name; *at && is_plain; at++)
        is_plain = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9') ||
                   strchr("._-+ ", *at) != NULL;
    return is_plain ? name : "image.sys";
}

static struct finding make_error(struct arena *arena, const char *message)
{
    struct finding error = finding_make(arena, HVCI9058_SIGNING_FAILED, LEVEL_ERROR, "%s", message);
    error.cure =
        "Look at what the signer has printed, and at the command of --sign-with; or repair without it and "
        "sign the result (docs/SIGNING.md has commands).";
    return error;
}

/* Runs the signer on in_path. False with *error set. */
static bool run_child(const struct signer *signer, const char *in_path, const char *out_path,
                      struct arena *arena, struct finding *error)
{
    struct argument_list list = {.arena = arena};
    for (size_t i = 0; i < signer->word_count; i++) {
        char *word = filled(arena, signer->words[i], in_path, out_path);
        if (!word || !argument_add(&list, word)) {
            *error = make_error(arena, "There was not enough memory to run the signer.");
            return false;
        }
    }
    int exit_code = 0;
    const char *reason = "";
    enum child_end end = child_run(&list, true, &exit_code, &reason);
    if (end == CHILD_ENDED && exit_code == 0)
        return true;
    interrupt_take_over(end == CHILD_WAS_KILLED, exit_code);
    *error = make_error(
        arena, end == CHILD_NOT_STARTED
                   ? arena_printf(arena, "The signer \"%s\" cannot be started: %s.", list.items[0], reason)
               : end == CHILD_WAS_KILLED
                   ? arena_printf(arena, "The signer \"%s\" was ended by signal %d; nothing was written.",
                                  list.items[0], exit_code)
                   : arena_printf(arena, "The signer \"%s\" ended with code %d; nothing was written.",
                                  list.items[0], exit_code));
    return false;
}

static bool sign_in_folder(const struct signer *signer, const char *folder, const struct outcome *outcome,
                           struct span proved, struct arena *arena, struct span *sealed,
                           struct finding *error)
{
    const char *in_path = arena_printf(arena, "%s/%s", folder, plain_name(outcome->path));
    const char *out_path = arena_printf(arena, "%s/signed-%s", folder, plain_name(outcome->path));
    struct file_content written;
    uint64_t foff;
    const char *problem;
    if (!folder_put(in_path, proved, NULL, arena, error) ||
        !run_child(signer, in_path, out_path, arena, error))
        return false;
    if (!file_read(has_mark(signer, out_mark) ? out_path : in_path, arena, &written, error)) {
        *error = make_error(
            arena, arena_printf(arena, "What the signer has written cannot be read: %s", error->message));
        return false;
    }
    if (!signed_form_is_right(proved, written.bytes, arena, &foff, &problem)) {
        *error =
            make_error(arena, arena_printf(arena, "%s Nothing was written.",
                                           problem ? problem : "There was not enough memory to check it."));
        error->file_offset = foff;
        return false;
    }
    *sealed = written.bytes;
    return true;
}

bool signer_run(void *context, struct outcome *outcome, struct span proved, struct span *sealed,
                struct finding *error)
{
    const struct signer *signer = context;
    struct arena *arena = &outcome->arena;
    const char *folder =
        folder_create_temporary(signer->beside ? signer->beside : outcome->path, arena, error);
    if (!folder)
        return false;
    bool done = sign_in_folder(signer, folder, outcome, proved, arena, sealed, error);
    folder_remove(folder, arena);
    if (done)
        outcome->remark =
            "It was signed by the program of --sign-with; digest and checksum are right, and nothing "
            "else has changed since it was proved.";
    return done;
}
