/* bulk.c - tries the tool on hostile variants by the hundred thousand.
 * Takes: bulk KIND STEP SEED...; KIND is "cuts", "fields" or "pairs"; every STEPth variant (of "pairs": so
 * many pairs) of each seed. Or bulk work FILE...: the work of each verb on each file. Gives: on stdout one
 * line for each seed, "KIND NAME VARIANTS CLEAN FINDINGS ERROR FIXED"; of "work" a line "VERB NAME NBYTES
 * STEPS ARENA". A broken claim, a sanitizer, or a variant that takes long ends the process, after what was
 * tried was printed on stderr and put into "bulk-broken.sys".
 *
 * Claims for every variant: no crash; work at most linear in its size; the answer of `check` has one of its
 * statuses, and is not "clean" where bulk_oracle.c objects. For some: `show`, `fix` and `verify` too, and the
 * whole pipeline says what its stages say. */
#define _POSIX_C_SOURCE 200809L /* alarm, signal */
#include "bulk.h"
#include "fuzz.h"
#include "image/loader_rules.h"
#include "io/signature_read.h"
#include "report/report.h"
#include "rules/loader_relocations.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SECONDS_PER_VARIANT = 20, SHOW_EACH = 61, FIX_EACH = 7, VERIFY_EACH = 13, PIPELINE_EACH = 31 };

/* About three times the most that was seen on the seeds of test_bulk.py. */
static const struct work_limit check_limit = {10, 15000, 64, 150000};
/* Up to a dozen layouts are tried, one after the other. */
static const struct work_limit whole_limit = {500, 3000000, 300, 2000000};
/* A section that another address was given is judged as one that moved. */
static const struct work_limit verify_limit = {40, 100000, 100, 300000};
static const struct work_limit show_limit = {600, 1000000, 200, 1000000};

struct bulk_run {
    const char *name;
    const uint8_t *seed;
    size_t seed_nbytes;
    const char *seed_objection;
    size_t count, by_status[STATUS_ERROR + 1], fixed_count;
};

static const struct bulk_variant *tried; /* for broken() */

static void broken(int signal_number)
{
    (void)signal_number;
    if (tried) {
        fprintf(stderr, "%s at 0x%llX, 0x%llX, %zu bytes\n", tried->kind, (unsigned long long)tried->first,
                (unsigned long long)tried->second, tried->nbytes);
        FILE *file = fopen("bulk-broken.sys", "wb");
        if (file) {
            fwrite(tried->bytes, 1, tried->nbytes, file);
            fclose(file);
        }
    }
    signal(SIGABRT, SIG_DFL);
    abort();
}

/* All rules at once; what they say of build policy is no part of what `check` answers. */
static void judge_build_policy(const struct rule_input *as_checked, struct rule_answer *answers)
{
    struct rule_input input = *as_checked;
    struct finding_list findings = {.arena = input.arena};
    struct demands demands = {0};
    struct signature_facts signature;
    demand_ask_rest(&demands, LEVEL_NOTE);
    signature_read(NULL, input.image, ASK_DIGEST, input.arena, &signature);
    input.findings = &findings;
    input.demands = &demands;
    input.signature = &signature;
    CLAIM(rules_judge(&input, answers), "out of memory");
}

/* What `check` answers, by its stages, on bytes in a block of their size: the pipeline reads into memory that
 * has room behind it. */
static enum outcome_status check_stages(struct span file, const char **first)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct work work = work_begin(&arena);
    struct image image;
    struct refset refs;
    struct finding error;
    struct finding_list refusals = {.arena = &arena}, findings = {.arena = &arena};
    enum outcome_status status = STATUS_ERROR;
    *first = "";
    if (image_read(file, &arena, &image, &error)) {
        struct rule_answer *answers = arena_array(&arena, rules_count, sizeof *answers);
        CLAIM(answers && refs_collect(&image, &arena, rules_sources(), &refs), "out of memory");
        struct demands demands = {0};
        struct signature_facts signature;
        signature_read(NULL, &image, 0, &arena, &signature);
        struct rule_input input = {.image = &image,
                                   .refs = &refs,
                                   .target = TARGET_DEFAULT,
                                   .arena = &arena,
                                   .findings = &findings,
                                   .demands = &demands,
                                   .signature = &signature};
        CLAIM(loader_rules_judge(&image, &refusals, &findings) &&
                  loader_relocations_judge(&image, &refs, &findings) && rules_judge(&input, answers),
              "out of memory");
        judge_build_policy(&input, answers);
        bool is_damaged = false;
        for (size_t i = 0; i < refs.problem_count; i++)
            is_damaged = is_damaged || (!refs.problems[i].is_limit &&
                                        (rules_deciding_sources() & SOURCE_BIT(refs.problems[i].source)));
        status = refusals.count != 0 || is_damaged ? STATUS_ERROR
                 : findings.count != 0             ? STATUS_FINDINGS
                                                   : STATUS_CLEAN;
    } else {
        CLAIM(is_sentence(error.message) && is_sentence(error.cure), "refused with \"%s\"", error.message);
    }
    work_end(&work, &arena, file.nbytes, &check_limit, "check");
    arena_free(&arena);
    return status;
}

static void run_pipeline(struct span file, enum pipeline_goal goal, const struct work_limit *limit,
                         struct outcome *outcome)
{
    struct pipeline_options options = {
        .goal = goal, .target = TARGET_DEFAULT, .dry_run = true, .drop_signature = true};
    struct arena nothing = {.total_nbytes = 0};
    struct work work = work_begin(&nothing);
    pipeline_on_bytes(file, &options, outcome);
    work_end(&work, &outcome->arena, file.nbytes, limit, "the pipeline");
    CLAIM(!outcome->arena.exhausted, "out of memory");
    CLAIM(outcome->exit_code == EXIT_CLEAN || outcome->exit_code == EXIT_FINDINGS ||
              outcome->exit_code == EXIT_INPUT,
          "exit code %d", (int)outcome->exit_code);
    CLAIM((outcome->status == STATUS_ERROR) == (outcome->exit_code == EXIT_INPUT), "status %d, exit code %d",
          (int)outcome->status, (int)outcome->exit_code);
}

static void try_show(struct span file)
{
    struct outcome outcome;
    run_pipeline(file, GOAL_SHOW, &whole_limit, &outcome);
    struct report_style style = {0};
    struct work work = work_begin(&outcome.arena);
    for (int what = SHOW_PAGES; what <= SHOW_REFERENCES; what++) {
        struct text text = {.arena = &outcome.arena};
        report_text_show(&text, &outcome, (enum show_what)what, &style);
        CLAIM(text.nbytes != 0, "nothing to show");
    }
    work_end(&work, &outcome.arena, file.nbytes, &show_limit, "show");
    pipeline_release(&outcome);
}

static void try_fix(struct bulk_run *run, struct span file, enum outcome_status checked,
                    const char *objection)
{
    struct outcome outcome;
    run_pipeline(file, GOAL_FIX, &whole_limit, &outcome);
    CLAIM((outcome.status == STATUS_ERROR) == (checked == STATUS_ERROR), "check and fix differ: %d, %d",
          (int)checked, (int)outcome.status);
    CLAIM(!objection || outcome.status != STATUS_CLEAN, "fix calls it clean: %s", objection);
    if (outcome.status == STATUS_FIXED) {
        run->fixed_count++;
        CLAIM(outcome.has_verdict && (outcome.verdict.result == VERIFY_PROVED ||
                                      outcome.verdict.result == VERIFY_PROVED_WITH_ASSUMPTIONS),
              "fixed and not proved");
    }
    pipeline_release(&outcome);
}

/* The seed is sound, so a variant that breaks what the seed keeps is not its equal. */
static void try_verify(const struct bulk_run *run, struct span file, const char *objection)
{
    struct span seed = {run->seed, run->seed_nbytes};
    for (int way = 0; way < 3; way++) {
        struct arena arena;
        arena_init(&arena, NULL);
        struct verify_verdict verdict;
        struct work work = work_begin(&arena);
        bool done = way == 0   ? verify_pair(file, file, &arena, &verdict)
                    : way == 1 ? verify_pair(seed, file, &arena, &verdict)
                               : verify_pair(file, seed, &arena, &verdict);
        work_end(&work, &arena, file.nbytes + run->seed_nbytes, &verify_limit, "verify");
        CLAIM(done && !arena.exhausted, "out of memory");
        bool is_bad = verdict.result == VERIFY_REFUTED || verdict.result == VERIFY_UNREADABLE;
        CLAIM(is_bad || way != 1 || !objection || objection == run->seed_objection, "proved equal, though %s",
              objection);
        CLAIM(!is_bad || is_sentence(verdict.reason), "no reason");
        arena_free(&arena);
    }
}

static void try_variant(void *context, const struct bulk_variant *variant)
{
    struct bulk_run *run = context;
    struct span file = {variant->bytes, variant->nbytes};
    const char *first, *objection = bulk_objection(variant->bytes, variant->nbytes);
    tried = variant;
    alarm(SECONDS_PER_VARIANT);
    enum outcome_status status = check_stages(file, &first);
    CLAIM(!objection || status != STATUS_CLEAN, "called clean: %s", objection);
    run->by_status[status]++;
    run->count++;
    if (run->count % PIPELINE_EACH == 0) {
        struct outcome outcome;
        run_pipeline(file, GOAL_CHECK, &whole_limit, &outcome);
        CLAIM(outcome.status == status, "the stages say %d, the pipeline %d", (int)status,
              (int)outcome.status);
        pipeline_release(&outcome);
    }
    if (run->count % SHOW_EACH == 0)
        try_show(file);
    if (run->count % FIX_EACH == 0)
        try_fix(run, file, status, objection);
    if (run->count % VERIFY_EACH == 0)
        try_verify(run, file, objection);
    alarm(0);
    tried = NULL;
}

static uint8_t *read_whole(const char *path, size_t *nbytes)
{
    FILE *file = fopen(path, "rb");
    CLAIM(file && fseek(file, 0, SEEK_END) == 0, "cannot open %s", path);
    long end = ftell(file);
    CLAIM(end > 0 && fseek(file, 0, SEEK_SET) == 0, "cannot read %s", path);
    *nbytes = (size_t)end;
    uint8_t *bytes = malloc(*nbytes);
    CLAIM(bytes && fread(bytes, *nbytes, 1, file) == 1, "cannot read %s", path);
    fclose(file);
    return bytes;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void try_seed(const char *kind, size_t step, const char *path)
{
    struct bulk_run run = {.name = base_name(path)};
    uint8_t *seed = read_whole(path, &run.seed_nbytes);
    run.seed = seed;
    run.seed_objection = bulk_objection(seed, run.seed_nbytes);
    size_t count = strcmp(kind, "cuts") == 0     ? bulk_cuts(seed, run.seed_nbytes, step, try_variant, &run)
                   : strcmp(kind, "fields") == 0 ? bulk_fields(seed, run.seed_nbytes, step, try_variant, &run)
                                                 : bulk_pairs(seed, run.seed_nbytes, step, try_variant, &run);
    printf("%s %s %zu %zu %zu %zu %zu\n", kind, run.name, count, run.by_status[STATUS_CLEAN],
           run.by_status[STATUS_FINDINGS], run.by_status[STATUS_ERROR], run.fixed_count);
    fflush(stdout);
    free(seed);
}

/* The steps of each verb, for the caller to compare files of different sizes. */
static void measure(const char *path)
{
    static const struct {
        const char *verb;
        enum pipeline_goal goal;
    } verbs[] = {{"check", GOAL_CHECK}, {"show", GOAL_SHOW}, {"fix", GOAL_FIX}};
    size_t nbytes;
    uint8_t *bytes = read_whole(path, &nbytes);
    struct span file = {bytes, nbytes};
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        struct pipeline_options options = {.goal = verbs[i].goal, .target = TARGET_DEFAULT, .dry_run = true};
        struct outcome outcome;
        uint64_t begun = steps_taken();
        pipeline_on_bytes(file, &options, &outcome);
        printf("%s %s %zu %llu %zu\n", verbs[i].verb, base_name(path), nbytes,
               (unsigned long long)(steps_taken() - begun), outcome.arena.total_nbytes);
        pipeline_release(&outcome);
    }
    struct arena arena;
    arena_init(&arena, NULL);
    struct verify_verdict verdict;
    uint64_t begun = steps_taken();
    CLAIM(verify_pair(file, file, &arena, &verdict), "out of memory");
    printf("verify %s %zu %llu %zu\n", base_name(path), nbytes, (unsigned long long)(steps_taken() - begun),
           arena.total_nbytes);
    arena_free(&arena);
    free(bytes);
}

int main(int argc, char **argv)
{
    bool is_work = argc > 2 && strcmp(argv[1], "work") == 0;
    if (argc < (is_work ? 3 : 4)) {
        fprintf(stderr, "usage: %s cuts|fields|pairs STEP SEED... | work FILE...\n", argv[0]);
        return 2;
    }
    signal(SIGABRT, broken);
    signal(SIGALRM, broken);
    for (int i = is_work ? 2 : 3; i < argc; i++) {
        if (is_work)
            measure(argv[i]);
        else
            try_seed(argv[1], strtoul(argv[2], NULL, 10), argv[i]);
    }
    return 0;
}
