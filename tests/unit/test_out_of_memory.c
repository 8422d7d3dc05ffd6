/* test_out_of_memory.c - every allocation fails in turn: an error that says so, or the very same outcome as
 * when none fails; no leak; the old file or the new one. The allocator counts down and then refuses for good,
 * or just once. Tried are the pipeline with each goal on small x64 fixtures of every kind and every fixture
 * with a writable INIT, each report of their outcomes, the verifier, and listing. With sanitizers, which are
 * slow, every fifth of the images and of their allocations every fourth, from another one on for each image
 * and goal: the plain run refuses them all. */
#define _XOPEN_SOURCE 700
#include "cmocka_all.h"

#include "image_list.h"
#include "pipeline.h"
#include "report/report_html.h"

#include <unistd.h>

enum { LARGEST_IMAGE_NBYTES = 32 * 1024, MOST_ALLOCATIONS = 100000, CHECKED_IMAGES = 5, CHECKED_STEP = 4 };

struct failing {
    size_t countdown; /* allocations that still succeed */
    bool once;        /* only one fails */
    size_t live_count, refused_count;
};

static void *failing_alloc(void *context, size_t nbytes)
{
    struct failing *failing = context;
    if (failing->countdown == 0) {
        if (failing->once)
            failing->countdown = SIZE_MAX;
        failing->refused_count++;
        return NULL;
    }
    failing->countdown--;
    void *block = malloc(nbytes);
    if (block)
        failing->live_count++;
    return block;
}

static void failing_release(void *context, void *block)
{
    ((struct failing *)context)->live_count--;
    free(block);
}

/* An image in a folder of its own, and what is made of it when nothing fails. */
struct trial {
    char folder[40], path[64], output_path[64];
    struct image_list *images;
    enum windows_target target;
    struct pipeline_options options;
    struct arena arena; /* of the texts and bytes below */
    struct text text, json;
    struct span in_place, output; /* the files afterwards; bytes NULL when there is none */
    size_t step;                  /* of so many allocations one is refused */
    size_t goal_count, run_count;
};

static void write_bytes(const char *path, const uint8_t *bytes, size_t nbytes)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, nbytes, file), nbytes);
    fclose(file);
}

static struct span read_bytes(const char *path, struct arena *arena)
{
    struct file_content content;
    struct finding error;
    return file_read(path, arena, &content, &error) ? content.bytes : (struct span){0};
}

static bool holds(const char *path, struct span bytes)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct span found = read_bytes(path, &arena);
    bool same = (found.bytes != NULL) == (bytes.bytes != NULL) && span_is_equal(found, bytes);
    arena_free(&arena);
    return same;
}

static void renew(const struct trial *trial)
{
    write_bytes(trial->path, trial->images->bytes, trial->images->nbytes);
    remove(trial->output_path);
}

static void report_both(const struct trial *trial, const struct outcome *outcome, struct text *text,
                        struct text *json)
{
    struct report_style style = {0};
    report_text_image(text, outcome, &style);
    if (trial->options.goal == GOAL_SHOW && outcome->judged)
        report_json_show(json, outcome, SHOW_REFERENCES, true);
    else
        report_json_image(json, outcome, true);
    report_html_image(json, outcome, &(struct report_settings){0});
}

static void assert_same_text(const struct text *a, const struct text *b)
{
    assert_int_equal(a->nbytes, b->nbytes);
    assert_memory_equal(a->chars, b->chars, a->nbytes);
}

/* One run that may fail; true when it came through without a refused allocation. */
static bool run_once(struct trial *trial, size_t countdown, bool once)
{
    struct failing failing = {.countdown = countdown, .once = once};
    struct allocator allocator = {failing_alloc, failing_release, &failing, 1};
    struct outcome outcome;
    renew(trial);
    trial->options.allocator = &allocator;
    pipeline_run(trial->path, &trial->options, &outcome);
    trial->options.allocator = NULL;
    trial->run_count++;
    struct span old = {trial->images->bytes, trial->images->nbytes};
    if (outcome.arena.exhausted || outcome.exit_code == EXIT_WRITE) {
        assert_true(failing.refused_count != 0);
        assert_int_equal(outcome.status, STATUS_ERROR);
        assert_int_equal(outcome.problems.count, 1);
        assert_true(outcome.problems.items[0].code == HVCI9008_OUT_OF_MEMORY ||
                    outcome.problems.items[0].code == HVCI9007_CANNOT_WRITE);
        assert_true(outcome.exit_code == EXIT_INPUT || outcome.exit_code == EXIT_WRITE);
        assert_false(outcome.wrote);
        assert_true(holds(trial->path, old));
        assert_true(holds(trial->output_path, (struct span){0}));
    } else {
        /* Whatever failed did not matter: not a word and not a byte is different. */
        struct arena arena;
        arena_init(&arena, NULL);
        struct text text = {.arena = &arena}, json = {.arena = &arena};
        report_both(trial, &outcome, &text, &json);
        assert_same_text(&text, &trial->text);
        assert_same_text(&json, &trial->json);
        arena_free(&arena);
        assert_true(holds(trial->path, trial->in_place));
        assert_true(holds(trial->output_path, trial->output));
    }
    pipeline_release(&outcome);
    assert_int_equal(failing.live_count, 0);
    return failing.refused_count == 0;
}

/* The first allocation that is refused: another one for each image and goal. */
static size_t first_of(const struct trial *trial)
{
    return trial->goal_count % trial->step;
}

/* Each report of one outcome, with memory of its own that fails. */
static void try_reports(struct trial *trial, const struct outcome *outcome)
{
    for (int once = 0; once < 2; once++) {
        bool has_failed = true;
        for (size_t countdown = first_of(trial); has_failed; countdown += trial->step) {
            assert_true(countdown < MOST_ALLOCATIONS);
            struct failing failing = {.countdown = countdown, .once = once != 0};
            struct allocator allocator = {failing_alloc, failing_release, &failing, 1};
            struct arena arena;
            arena_init(&arena, &allocator);
            struct text text = {.arena = &arena}, json = {.arena = &arena};
            report_both(trial, outcome, &text, &json);
            has_failed = failing.refused_count != 0;
            assert_int_equal(arena.exhausted, has_failed);
            if (!has_failed) {
                assert_same_text(&text, &trial->text);
                assert_same_text(&json, &trial->json);
            }
            arena_free(&arena);
            assert_int_equal(failing.live_count, 0);
            trial->run_count++;
        }
    }
}

static void try_goal(struct trial *trial)
{
    struct outcome outcome;
    arena_init(&trial->arena, NULL);
    trial->text = trial->json = (struct text){.arena = &trial->arena};
    renew(trial);
    pipeline_run(trial->path, &trial->options, &outcome);
    report_both(trial, &outcome, &trial->text, &trial->json);
    trial->in_place = read_bytes(trial->path, &trial->arena);
    trial->output = read_bytes(trial->output_path, &trial->arena);
    try_reports(trial, &outcome);
    pipeline_release(&outcome);
    for (int once = 0; once < 2; once++) {
        size_t countdown = first_of(trial);
        while (!run_once(trial, countdown, once != 0)) {
            countdown += trial->step;
            assert_true(countdown < MOST_ALLOCATIONS);
        }
        assert_true(countdown > 5);
    }
    trial->goal_count++;
    arena_free(&trial->arena);
}

static void try_image(struct trial *trial)
{
    static const struct pipeline_options runs[] = {
        {.goal = GOAL_CHECK},
        {.goal = GOAL_SHOW},
        {.goal = GOAL_FIX, .dry_run = true, .drop_signature = true},
        {.goal = GOAL_FIX},
        {.goal = GOAL_FIX, .drop_signature = true},
    };
    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
        trial->options = runs[i];
        trial->options.target = trial->target;
        if (runs[i].drop_signature && !runs[i].dry_run)
            trial->options.output_path = trial->output_path;
        try_goal(trial);
    }
}

static void begin(struct trial *trial, struct image_list *images)
{
    *trial = (struct trial){.images = images};
    strcpy(trial->folder, "/dev/shm/hvcifix-memory-XXXXXX"); /* no disk: each repair is flushed to it */
    if (!mkdtemp(trial->folder)) {
        strcpy(trial->folder, "/tmp/hvcifix-memory-XXXXXX");
        assert_non_null(mkdtemp(trial->folder));
    }
    snprintf(trial->path, sizeof trial->path, "%s/driver.sys", trial->folder);
    snprintf(trial->output_path, sizeof trial->output_path, "%s/new.sys", trial->folder);
    char catalog[64];
    snprintf(catalog, sizeof catalog, "%s/other.cat", trial->folder);
    write_bytes(catalog, (const uint8_t *)"no digest", 9);
}

static void end(struct trial *trial)
{
    char catalog[64];
    snprintf(catalog, sizeof catalog, "%s/other.cat", trial->folder);
    remove(catalog);
    remove(trial->path);
    remove(trial->output_path);
    assert_int_equal(rmdir(trial->folder), 0); /* no temporary file is left either */
}

/* Images that are laid out anew allocate most: of each kind some stand for all. */
static bool is_wanted(const char *name)
{
    static const char *const chosen[] = {"/low_align_x64",    "/iat_in_text_x64",   "/cookie_in_text_x64",
                                         "/calls_low_80_x64", "/guard_in_text_x64", "/delay_in_text_x64",
                                         "/tls_in_text_x64"};
    bool is_variant = strstr(name, "_low_") || strstr(name, "_in_text_") || strstr(name, "low_align");
    for (size_t i = 0; i < sizeof chosen / sizeof chosen[0]; i++)
        if (strncmp(name, chosen[i], strlen(chosen[i])) == 0)
            return true;
    return !is_variant && (strstr(name, "_x64.sys") || strncmp(name, "/init_rwx_", 10) == 0 ||
                           strncmp(name, "/straddle_few_", 14) == 0);
}

static void test_the_pipeline(void **state)
{
    (void)state;
    struct image_list images;
    if (!image_list_open(&images)) {
        print_message("HVCIFIX_IMAGES is not set: no image to try\n");
        skip();
    }
    struct trial trial;
    begin(&trial, &images);
    image_list_thin(&images, CHECKED_IMAGES);
    trial.step = images.step > 1 ? CHECKED_STEP : 1;
    size_t image_count = 0;
    while (image_list_next(&images)) {
        const char *name = strrchr(images.path, '/');
        if (!strstr(images.path, "/fixtures/") || !name || !is_wanted(name) ||
            images.nbytes > LARGEST_IMAGE_NBYTES)
            continue;
        image_count++;
        trial.target = strstr(name, "/straddle_") ? TARGET_1607 : TARGET_DEFAULT; /* from 1703 on a note */
        try_image(&trial);
    }
    end(&trial);
    image_list_close(&images);
    print_message("%zu images, %zu runs\n", image_count, trial.run_count);
    assert_true(image_count > 5);
}

static void test_listing(void **state)
{
    (void)state;
    struct trial trial;
    begin(&trial, NULL);
    write_bytes(trial.path, (const uint8_t *)"x", 1);
    for (int once = 0; once < 2; once++)
        for (int siblings = 0; siblings < 2; siblings++) {
            bool done = false;
            for (size_t countdown = 0; !done; countdown++) {
                struct failing failing = {.countdown = countdown, .once = once != 0};
                struct allocator allocator = {failing_alloc, failing_release, &failing, 1};
                struct arena arena;
                struct path_list list;
                struct finding error = {0};
                arena_init(&arena, &allocator);
                done = siblings ? file_siblings(trial.path, ".cat", &arena, &list, &error)
                                : file_list(trial.folder, &arena, &list, &error);
                assert_int_equal(done, failing.refused_count == 0);
                if (done)
                    assert_int_equal(list.count, siblings ? 1 : 2);
                else
                    assert_int_equal(error.level, LEVEL_ERROR);
                arena_free(&arena);
                assert_int_equal(failing.live_count, 0);
            }
        }
    end(&trial);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_pipeline),
                                              cmocka_unit_test(test_listing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
