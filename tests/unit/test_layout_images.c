/* test_layout_images.c - rewriting over every image that HVCIFIX_IMAGES lists: it is planned or refused with
 * a reason, what is emitted reads as an image without the findings that were to be cured, and rewriting that
 * again changes nothing. With arguments, IN OUT [TARGET]: writes the rewritten image without asking the
 * verifier, and prints the plan. */
#include "cmocka_all.h"

#include "image_list.h"
#include "io/file.h"
#include "rewrite_image.h"

#include <inttypes.h>
#include <stdio.h>

static void print_changes(const struct plan *plan)
{
    for (size_t i = 0; i < plan->change_count; i++)
        printf("HVCI%04u: %s\n  %s\n", (unsigned)plan->changes[i].rule, plan->changes[i].why,
               plan->changes[i].proof);
}

static void print_layout(const struct layout *layout)
{
    for (size_t i = 0; i < layout->piece_count; i++) {
        const struct piece *piece = &layout->pieces[i];
        printf("  %-24s %08" PRIX32 "+%-6" PRIX32 " -> %08" PRIX32 "  %s\n",
               piece_kind_name((enum piece_kind)piece->kind), piece->old_rva, piece->nbytes, piece->new_rva,
               piece->why ? piece->why : "");
    }
    for (uint32_t i = 0; i < layout->section_count; i++)
        printf("  section %-8s %08" PRIX32 "+%-6" PRIX32 " at %08" PRIX32 "+%-6" PRIX32 " %08" PRIX32 "\n",
               layout->sections[i].name, layout->sections[i].rva, layout->sections[i].virtual_size,
               layout->sections[i].raw_foff, layout->sections[i].raw_nbytes,
               layout->sections[i].characteristics);
}

static int rewrite_file(const char *in, const char *out, enum windows_target target)
{
    struct arena arena;
    struct file_content file;
    struct rewritten done;
    struct finding error;
    int result = 1;
    arena_init(&arena, NULL);
    if (!file_read(in, &arena, &file, &error)) {
        printf("%s\n", error.message);
        return 2;
    }
    if (!rewrite_image_for(&done, file.bytes, target, NULL, 0))
        printf("unreadable: %s\n", done.error.message ? done.error.message : "no memory");
    for (size_t i = 0; i < done.plan.refusals.count; i++)
        printf("refused: %s\n  cure: %s\n", done.plan.refusals.items[i].message,
               done.plan.refusals.items[i].cure);
    print_changes(&done.plan);
    if (done.plan.layout)
        print_layout(done.plan.layout);
    if (done.plan.verdict == PLAN_CHANGE && !done.emitted)
        printf("not emitted: %s\n", done.error.message);
    if (done.plan.verdict == PLAN_NO_CHANGE && done.plan.refusals.count == 0)
        printf("nothing to change\n");
    if (done.emitted) {
        FILE *stream = fopen(out, "wb");
        if (stream && fwrite(done.output.bytes, 1, done.output.nbytes, stream) == done.output.nbytes)
            result = 0;
        if (stream)
            fclose(stream);
    }
    rewritten_free(&done);
    arena_free(&arena);
    return result;
}

static void check_again(const struct rewritten *first, const char *path)
{
    struct rewritten again;
    if (!rewrite_image(&again, (struct span){first->output.bytes, first->output.nbytes}, NULL, 0))
        fail_msg("%s: the output is unreadable: %s", path, again.error.message);
    for (size_t i = 0; first->plan.layout && i < again.findings.count; i++)
        for (size_t k = 0; k < first->plan.change_count; k++)
            if (again.findings.items[i].code == first->plan.changes[k].rule)
                fail_msg("%s: HVCI%04u is still there: %s", path, (unsigned)again.findings.items[i].code,
                         again.findings.items[i].message);
    rewritten_free(&again);
}

static void test_all_images(void **state)
{
    (void)state;
    struct image_list images;
    if (!image_list_open(&images)) {
        print_message("HVCIFIX_IMAGES is not set: no image to try\n");
        skip();
    }
    image_list_thin(&images, 13);
    size_t moved_count = 0, refused_count = 0, changed_count = 0;
    while (image_list_next(&images)) {
        struct rewritten done;
        if (!rewrite_image(&done, (struct span){images.bytes, images.nbytes}, NULL, 0))
            fail_msg("%s: %s", images.path, done.error.message);
        if (done.plan.verdict == PLAN_REFUSED)
            refused_count++;
        if (done.plan.verdict == PLAN_CHANGE) {
            if (!done.emitted)
                fail_msg("%s: %s", images.path, done.error.message);
            changed_count++;
            moved_count += done.plan.layout != NULL;
            check_again(&done, images.path);
        }
        rewritten_free(&done);
    }
    image_list_close(&images);
    print_message("%zu images changed, %zu of them moved, %zu refused\n", changed_count, moved_count,
                  refused_count);
    assert_true(changed_count > 0);
}

int main(int argc, char **argv)
{
    enum windows_target target = TARGET_DEFAULT;
    if (argc == 3 || (argc == 4 && target_parse(argv[3], &target)))
        return rewrite_file(argv[1], argv[2], target);
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_images)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
