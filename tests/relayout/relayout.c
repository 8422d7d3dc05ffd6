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

static bool moves_anything(const struct layout *layout)
{
    for (size_t i = 0; i < layout->piece_count; i++)
        if (piece_delta(&layout->pieces[i]) != 0)
            return true;
    return false;
}

/* One layout, from plan to verdict. *reason is set unless it was proved. */
static enum result try_layout(struct job *job, const struct relayout_wish *wish, struct output *output,
                              const char **reason)
{
    struct finding_list none = {.arena = &job->arena};
    struct forced_layout forced;
    struct plan_options options = {.drop_signature = true, .target = TARGET_DEFAULT, .forced = &forced};
    struct plan plan;
    struct finding error;
    struct verify_verdict verdict;
    if (!relayout_choose(&job->image, wish, &job->arena, &forced) ||
        !plan_make(&job->image, &job->refs, &job->code, &none, &options, &job->arena, &plan))
        return RESULT_NO_MEMORY;
    if (plan.verdict != PLAN_CHANGE) {
        *reason = plan.refusals.count != 0 ? plan.refusals.items[0].message : "nothing would change";
        return RESULT_REFUSED;
    }
    if (!moves_anything(plan.layout)) {
        *reason = "nothing would change";
        return RESULT_REFUSED;
    }
    if (!emit_image(&job->image, &job->refs, &plan, &job->arena, output, &error)) {
        *reason = error.message;
        return RESULT_REFUSED;
    }
    if (!verify_pair(job->image.file, (struct span){output->bytes, output->nbytes}, &job->arena, &verdict))
        return RESULT_NO_MEMORY;
    if (verdict.result == VERIFY_PROVED || verdict.result == VERIFY_PROVED_WITH_ASSUMPTIONS)
        return RESULT_VERIFIED;
    *reason = arena_printf(&job->arena, "verifier: %s", verdict.reason ? verdict.reason : "identical");
    bool is_old_odd = verdict.result == VERIFY_UNREADABLE && verdict.in_old;
    return verdict.right_not_shown || is_old_odd ? RESULT_REFUSED : RESULT_WRONG;
}

/* What came of an image: of the last layout that was proved, or why none was. */
struct account {
    enum result result;
    enum relayout_kind kind;
    uint32_t moved_count, movable_count;
    bool keeps_iat;
    const char *reason;         /* why the boldest was not */
    const char *careful_reason; /* why the IAT alone could not leave */
    struct output output;
};

/* Sections of tables that directories name, and of debuggers: what moves without a word from code. */
static bool is_likely(const struct image *image, const struct section *section)
{
    static const unsigned tables[] = {DIR_EXPORT, DIR_IMPORT, DIR_RESOURCE, DIR_EXCEPTION, DIR_BASERELOC};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        const struct directory *directory = image_directory(image, tables[i]);
        if (directory && directory->rva == section->rva)
            return true;
    }
    return section->raw_name[0] == '/' || strcmp(section->raw_name, ".xdata") == 0;
}

/* One try of several sections at once; what is not proved moves back. */
static enum result try_more(struct job *job, const struct relayout_wish *wish, bool *moves,
                            const bool *wanted, struct account *account)
{
    uint32_t count = job->image.section_count, added_count = 0;
    bool *before = arena_array(&job->arena, count, sizeof *before);
    struct output output;
    const char *reason = NULL;
    if (!before)
        return RESULT_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        before[i] = moves[i];
        added_count += wanted[i] && !moves[i];
        moves[i] = moves[i] || wanted[i];
    }
    enum result result = added_count != 0 ? try_layout(job, wish, &output, &reason) : RESULT_REFUSED;
    if (result == RESULT_VERIFIED) {
        account->output = output;
        account->moved_count += added_count;
        return result;
    }
    memcpy(moves, before, count * sizeof *moves);
    if (result != RESULT_REFUSED)
        account->reason = reason;
    return result;
}

/* First the likely sections at once, then one after the other, as long as that is proved. Images that are
 * large and have many sections stop early. */
static enum result try_some(struct job *job, struct account *account)
{
    enum { MOST_NBYTES = 1 << 24 };
    uint32_t count = job->image.section_count;
    bool *moves = arena_array(&job->arena, count, sizeof *moves),
         *wanted = arena_array(&job->arena, count, 1);
    struct relayout_wish wish = {.kind = RELAYOUT_SOME, .seed = job->seed, .moves = moves};
    const char *reason = NULL;
    uint64_t tried_nbytes = 0;
    if (!moves || !wanted)
        return RESULT_NO_MEMORY;
    /* With nothing but the IAT first. Where it has to stay, or nothing would change, sections may move. */
    enum result all = try_layout(job, &wish, &account->output, &reason);
    wish.keeps_iat = account->keeps_iat = all != RESULT_VERIFIED;
    account->careful_reason = all == RESULT_VERIFIED ? NULL : reason;
    if (all != RESULT_VERIFIED && all != RESULT_REFUSED)
        return account->reason = reason, all;
    for (uint32_t i = 0; i < count; i++)
        wanted[i] =
            relayout_may_move(&job->image.sections[i]) && is_likely(&job->image, &job->image.sections[i]);
    enum result result = try_more(job, &wish, moves, wanted, account);
    for (uint32_t i = 0; i < count && result <= RESULT_REFUSED && tried_nbytes < MOST_NBYTES; i++) {
        all = result == RESULT_VERIFIED ? result : all;
        memset(wanted, 0, count * sizeof *wanted);
        wanted[i] = relayout_may_move(&job->image.sections[i]) && !moves[i];
        if (!wanted[i])
            continue;
        tried_nbytes += job->image.file.nbytes;
        result = try_more(job, &wish, moves, wanted, account);
    }
    return result == RESULT_VERIFIED || result > RESULT_REFUSED ? result : all;
}

static void try_all(struct job *job, struct account *account)
{
    for (uint32_t i = 0; i < job->image.section_count; i++)
        account->movable_count += relayout_may_move(&job->image.sections[i]);
    for (account->kind = job->first; account->kind <= job->last; account->kind++) {
        struct relayout_wish wish = {.kind = account->kind, .seed = job->seed};
        const char *reason = NULL;
        if (account->kind == RELAYOUT_SOME) {
            account->result = try_some(job, account);
        } else {
            account->result = try_layout(job, &wish, &account->output, &reason);
            account->moved_count = account->result == RESULT_VERIFIED ? account->movable_count : 0;
        }
        if (!account->reason || account->result == RESULT_WRONG)
            account->reason = reason ? reason : account->reason;
        if (account->result != RESULT_REFUSED)
            return;
    }
    account->kind = job->last;
}

static bool has_writable_code(const struct image *image)
{
    for (uint32_t i = 0; i < image->section_count; i++)
        if (!(~image->sections[i].characteristics & (SCN_MEM_WRITE | SCN_MEM_EXECUTE)))
            return true;
    return false;
}

/* False when it was wrong. */
static bool relayout(struct job *job, const char *path)
{
    static const char *const words[] = {"verified", "refused", "wrong", "refused"};
    struct account account = {.result = RESULT_REFUSED};
    struct file_content file;
    struct finding error;
    if (!file_read(path, &job->arena, &file, &error) ||
        !image_read(file.bytes, &job->arena, &job->image, &error)) {
        printf("%s\t-\tunreadable\t-\t-\t-\t%s\n", path, error.message);
        return true;
    }
    const char *machine = machine_name(&job->image);
    if (strcmp(machine, "other") == 0 || job->image.is_managed) {
        printf("%s\t%s\tnot_native\t-\t-\t-\t\n", path, machine);
        return true;
    }
    if (job->image.section_alignment < PAGE_NBYTES)
        account.reason = "its sections are low-aligned: \"fix\" lays them out anew";
    else if (has_writable_code(&job->image)) /* the verifier accepts none where anything moves */
        account.reason = "a section of it is writable and executable: \"fix\" repairs that with the layout";
    else if (!refs_collect(&job->image, &job->arena, SOURCE_ALL, &job->refs) ||
             !code_read(&job->image, &job->refs, &job->arena, &job->code))
        account.result = RESULT_NO_MEMORY;
    else
        try_all(job, &account);
    if (account.result == RESULT_VERIFIED && job->folder && !write_proved(job, path, &account.output))
        account.result = RESULT_NO_MEMORY;
    if (account.result == RESULT_REFUSED && account.careful_reason)
        account.reason = account.careful_reason;
    if (account.result == RESULT_NO_MEMORY)
        account.reason = "memory ran out, or the result could not be written";
    printf("%s\t%s\t%s\t%s\t%u/%u\t%s\t%s\n", path, machine, words[account.result],
           relayout_kind_name(account.kind), account.moved_count, account.movable_count,
           account.keeps_iat ? "stays" : "moves", account.reason ? account.reason : "");
    (void)fflush(stdout);
    return account.result != RESULT_WRONG;
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
