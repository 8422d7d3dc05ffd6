/* test_identity.c - reading an image and emitting the unchanged model gives the identical file.
 * Over every image that HVCIFIX_IMAGES lists (fixtures, Wine's own, the real images), with all references
 * collected and encoded anew, code operands included. A byte that differs is one that the model or the
 * inventory has misread. */
#include "cmocka_all.h"

#include "code/code_map.h"
#include "emit/emit.h"
#include "image_list.h"

static void check_regions(const struct image *image)
{
    uint64_t at_foff = 0;
    for (size_t i = 0; i < image->region_count; i++) {
        if (image->regions[i].foff != at_foff || image->regions[i].nbytes == 0)
            fail_msg("region %zu does not follow the one before", i);
        at_foff += image->regions[i].nbytes;
    }
    assert_true(at_foff == image->file.nbytes);
}

static size_t first_difference(const uint8_t *a, const uint8_t *b, size_t nbytes)
{
    size_t i = 0;
    while (i < nbytes && a[i] == b[i])
        i++;
    return i;
}

static void test_unchanged_model_gives_identical_file(void **state)
{
    (void)state;
    struct image_list images;
    if (!image_list_open(&images)) {
        print_message("HVCIFIX_IMAGES is not set: no image to try\n");
        skip();
    }
    image_list_thin(&images, 13);
    size_t image_count = 0, ref_count = 0;
    while (image_list_next(&images)) {
        struct arena arena;
        arena_init(&arena, NULL);
        struct image image;
        struct refset refs;
        struct code_map code;
        struct output output;
        struct finding error;
        struct span file = {images.bytes, images.nbytes};
        if (!image_read(file, &arena, &image, &error))
            fail_msg("%s: %s", images.path, error.message);
        check_regions(&image);
        assert_true(refs_collect(&image, &arena, SOURCE_ALL, &refs));
        assert_true(code_read(&image, &refs, &arena, &code));
        if (!emit_image(&image, &refs, NULL, &arena, &output, &error))
            fail_msg("%s: %s", images.path, error.message);
        assert_int_equal(output.nbytes, images.nbytes);
        size_t at = first_difference(output.bytes, images.bytes, images.nbytes);
        if (at != images.nbytes)
            fail_msg("%s differs at file offset 0x%zX", images.path, at);
        image_count++;
        ref_count += refs.ref_count;
        arena_free(&arena);
    }
    image_list_close(&images);
    print_message("%zu images, %zu references encoded anew, all identical\n", image_count, ref_count);
    assert_true(image_count > 0 && ref_count > 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_unchanged_model_gives_identical_file)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
