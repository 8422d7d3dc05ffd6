/* relayout.c - gives each image on its command line another layout, and has it proved.
 * Takes: paths and a seed.  Gives: one line for each: path, machine, result, kind of layout, reason,
 * separated by tabs.  Must not: change an input, or know anything of an image that the tool's own stages do
 * not.
 *
 *     relayout [-s SEED] [-k KIND] [-o FOLDER] IMAGE...
 *
 * Inventory, references, encoding and proof are the tool's own; only the plan of what goes where is forced
 * (layouts.h). Results: "verified"; "refused" with the reason of the boldest layout; "wrong": the verifier
 * refutes what the rewriter made, which is always a defect; "not_native", "unreadable": not asked. -o writes
 * what was proved to FOLDER; -k tries only that kind of layout. Exit code 1 when one is wrong. */
#include "layouts.h"

#include "code/code_map.h"
#include "emit/emit.h"
#include "io/file.h"
#include "verify/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct job {
    uint64_t seed;
    const char *folder; /* NULL: nothing is written */
    enum relayout_kind first, last;
    struct arena arena;
    struct image image;
    struct refset refs;
    struct code_map code;
};

enum result { RESULT_VERIFIED, RESULT_REFUSED, RESULT_WRONG, RESULT_NO_MEMORY };

static const char *machine_name(const struct image *image)
{
    return image->machine == MACHINE_AMD64 ? "x64" : image->machine == MACHINE_I386 ? "x86" : "other";
}

/* What any reader of lines can take. */
static void print_line(const char *path, const char *machine, const char *result, const char *kind,
                       const char *reason)
{
    printf("%s\t%s\t%s\t%s\t%s\n", path, machine, result, kind, reason ? reason : "");
    (void)fflush(stdout);
}

static bool write_proved(struct job *job, const char *path, const struct output *output)
{
    const char *name = strrchr(path, '/');
    struct finding error;
    struct file_replacement replacement = {
        .path = arena_printf(&job->arena, "%s/%s", job->folder, name ? name + 1 : path),
        .bytes = {output->bytes, output->nbytes},
        .mode = 0644};
    return file_replace(&replacement, &job->arena, &error) == FILE_WRITTEN;
}

/* One layout, from plan to verdict. *reason is set unless it was proved. */
static enum result try_layout(struct job *job, const char *path, const struct forced_layout *forced,
                              uint32_t first_layout, bool *has_more, const char **reason)
{
    struct finding_list none = {.arena = &job->arena};
    struct plan_options options = {
        .drop_signature = true, .target = TARGET_DEFAULT, .forced = forced, .first_layout = first_layout};
    struct plan plan;
    struct output output;
    struct finding error;
    struct verify_verdict verdict;
    *has_more = false;
    if (!plan_make(&job->image, &job->refs, &job->code, &none, &options, &job->arena, &plan))
        return RESULT_NO_MEMORY;
    if (plan.verdict != PLAN_CHANGE) {
        *reason = plan.refusals.count != 0 ? plan.refusals.items[0].message : "nothing would change";
        return RESULT_REFUSED;
    }
    if (!emit_image(&job->image, &job->refs, &plan, &job->arena, &output, &error)) {
        *reason = error.message;
        return RESULT_REFUSED;
    }
    if (!verify_pair(job->image.file, (struct span){output.bytes, output.nbytes}, &job->arena, &verdict))
        return RESULT_NO_MEMORY;
    if (verdict.result == VERIFY_PROVED || verdict.result == VERIFY_PROVED_WITH_ASSUMPTIONS)
        return !job->folder || write_proved(job, path, &output) ? RESULT_VERIFIED : RESULT_NO_MEMORY;
    *reason = arena_printf(&job->arena, "verifier: %s", verdict.reason ? verdict.reason : "identical");
    *has_more = plan.has_other_layouts;
    bool is_old_odd = verdict.result == VERIFY_UNREADABLE && verdict.in_old;
    return verdict.right_not_shown || is_old_odd ? RESULT_REFUSED : RESULT_WRONG;
}

static enum result try_all(struct job *job, const char *path, enum relayout_kind *kind, const char **reason)
{
    const char *first_reason = NULL;
    for (*kind = job->first; *kind <= job->last; (*kind)++) {
        struct forced_layout forced;
        bool has_more;
        if (!relayout_choose(&job->image, *kind, job->seed, &job->arena, &forced))
            return RESULT_NO_MEMORY;
        enum result result = try_layout(job, path, &forced, 0, &has_more, reason);
        if (result != RESULT_REFUSED)
            return result;
        if (getenv("RELAYOUT_TRACE"))
            fprintf(stderr, "%s: %s\n", relayout_kind_name(*kind), *reason);
        if (!first_reason)
            first_reason = *reason;
    }
    *kind = job->first;
    *reason = first_reason;
    return RESULT_REFUSED;
}

/* False when it was wrong. */
static bool relayout(struct job *job, const char *path)
{
    struct file_content file;
    struct finding error;
    if (!file_read(path, &job->arena, &file, &error) ||
        !image_read(file.bytes, &job->arena, &job->image, &error)) {
        print_line(path, "-", "unreadable", "-", error.message);
        return true;
    }
    const char *machine = machine_name(&job->image);
    if (strcmp(machine, "other") == 0 || job->image.is_managed) {
        print_line(path, machine, "not_native", "-", "");
        return true;
    }
    if (job->image.section_alignment < PAGE_NBYTES) {
        print_line(path, machine, "refused", "-", "its sections are low-aligned");
        return true;
    }
    if (!refs_collect(&job->image, &job->arena, SOURCE_ALL, &job->refs) ||
        !code_read(&job->image, &job->refs, &job->arena, &job->code)) {
        print_line(path, machine, "refused", "-", "memory ran out");
        return true;
    }
    enum relayout_kind kind;
    const char *reason = NULL;
    enum result result = try_all(job, path, &kind, &reason);
    static const char *const words[] = {"verified", "refused", "wrong", "refused"};
    print_line(path, machine, words[result], relayout_kind_name(kind),
               result == RESULT_NO_MEMORY  ? "memory ran out"
               : result == RESULT_VERIFIED ? ""
                                           : reason);
    return result != RESULT_WRONG;
}

static bool parse_kind(const char *word, struct job *job)
{
    for (int kind = 0; kind < RELAYOUT_KIND_COUNT; kind++)
        if (strcmp(word, relayout_kind_name((enum relayout_kind)kind)) == 0) {
            job->first = job->last = (enum relayout_kind)kind;
            return true;
        }
    return false;
}

int main(int argc, char **argv)
{
    struct job job = {.first = RELAYOUT_ALL, .last = RELAYOUT_KIND_COUNT - 1};
    bool is_right = true;
    int i = 1;
    for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
        if (strcmp(argv[i], "-s") == 0)
            job.seed = strtoull(argv[i + 1], NULL, 0);
        else if (strcmp(argv[i], "-o") == 0)
            job.folder = argv[i + 1];
        else if (strcmp(argv[i], "-k") != 0 || !parse_kind(argv[i + 1], &job))
            break;
    }
    if (i >= argc || argv[i][0] == '-') {
        fprintf(stderr, "relayout [-s SEED] [-k KIND] [-o FOLDER] IMAGE...\n");
        return 2;
    }
    for (; i < argc; i++) {
        arena_init(&job.arena, NULL);
        is_right &= relayout(&job, argv[i]);
        arena_free(&job.arena);
    }
    return is_right ? 0 : 1;
}
