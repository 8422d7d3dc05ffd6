/* test_out_of_memory.c - every allocation of a run fails once: a clear outcome, no leak, the old file intact.
 * A run is the whole pipeline on one small image; the allocator counts down and then refuses for good, or
 * refuses just once. Images: every fixture that HVCIFIX_IMAGES lists below 64 KiB is too many, so each
 * distinct goal is tried on a few. */
#define _XOPEN_SOURCE 700
#include "cmocka_all.h"

#include "image_list.h"
#include "pipeline.h"
#include "report/report.h"

enum { LARGEST_IMAGE_NBYTES = 32 * 1024, IMAGES_TRIED = 3 };

struct failing {
    size_t countdown; /* allocations that still succeed */
    bool once;        /* only one fails */
    size_t live_count, asked_count;
};

static void *failing_alloc(void *context, size_t nbytes)
{
    struct failing *failing = context;
    failing->asked_count++;
    if (failing->countdown == 0) {
        if (failing->once)
            failing->countdown = SIZE_MAX;
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

static void write_bytes(const char *path, const uint8_t *bytes, size_t nbytes)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, nbytes, file), nbytes);
    fclose(file);
}

static bool holds(const char *path, const uint8_t *bytes, size_t nbytes)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    uint8_t *content = malloc(nbytes + 1);
    assert_non_null(content);
    bool same = fread(content, 1, nbytes + 1, file) == nbytes && memcmp(content, bytes, nbytes) == 0;
    free(content);
    fclose(file);
    return same;
}

/* One run that may fail; true when it came through without a refused allocation. */
static bool run_once(const char *path, const struct image_list *images, enum pipeline_goal goal,
                     size_t countdown, bool once)
{
    struct failing failing = {.countdown = countdown, .once = once};
    struct allocator allocator = {failing_alloc, failing_release, &failing, 1};
    struct pipeline_options options = {.goal = goal, .target = TARGET_DEFAULT, .allocator = &allocator};
    struct outcome outcome;
    pipeline_run(path, &options, &outcome);
    bool refused = failing.asked_count > countdown;
    if (refused && !outcome.wrote) {
        assert_int_equal(outcome.status, STATUS_ERROR);
        assert_int_equal(outcome.problems.count, 1);
        assert_true(outcome.exit_code == EXIT_INPUT || outcome.exit_code == EXIT_WRITE);
    }
    if (!outcome.wrote)
        assert_true(holds(path, images->bytes, images->nbytes));
    struct text text = {.arena = &outcome.arena};
    struct report_style style = {0};
    report_text_image(&text, &outcome, &style); /* must not fall over either */
    pipeline_release(&outcome);
    assert_int_equal(failing.live_count, 0);
    if (goal == GOAL_FIX)
        write_bytes(path, images->bytes, images->nbytes);
    return !refused;
}

static void test_every_allocation_fails_once(void **state)
{
    (void)state;
    struct image_list images;
    if (!image_list_open(&images)) {
        print_message("HVCIFIX_IMAGES is not set: no image to try\n");
        skip();
    }
    static const enum pipeline_goal goals[] = {GOAL_CHECK, GOAL_SHOW, GOAL_FIX};
    char path[] = "/tmp/hvcifix-memory-XXXXXX";
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    size_t run_count = 0, image_count = 0;
    while (image_count < IMAGES_TRIED && image_list_next(&images)) {
        if (images.nbytes > LARGEST_IMAGE_NBYTES || !strstr(images.path, "init_rwx"))
            continue;
        image_count++;
        write_bytes(path, images.bytes, images.nbytes);
        for (size_t g = 0; g < sizeof goals / sizeof goals[0]; g++)
            for (int once = 0; once < 2; once++) {
                size_t countdown = 0;
                while (!run_once(path, &images, goals[g], countdown, once != 0)) {
                    countdown++;
                    run_count++;
                    assert_true(countdown < 100000);
                }
                assert_true(countdown > 0);
            }
    }
    remove(path);
    image_list_close(&images);
    print_message("%zu images, %zu runs with a failing allocation\n", image_count, run_count);
    assert_true(image_count > 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_allocation_fails_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
