/* test_verify_rewritten.c - the verifier against what the rewriter makes of images with straddling
 * relocations: of every listed image whose name says so. Each rewritten image is proved, or its proof is said
 * to be missing; with one byte turned over in what was added, in the relocations or in a straddling field, it
 * is refuted. Takes: HVCIFIX_IMAGES.  Gives: pass, fail, or skipped without the list. Must not: expect a
 * place or a byte: only that none of them may be another one. */
#include "rewrite_image.h"
#include "verify_expect.h"

#include "image_list.h"
#include "pace.h"

enum { TURNED_COUNT = 24 }; /* bytes of each part */

struct rewritten_pair {
    struct verify_files files;
    const char *path;
    size_t refuted_count;
};

static void expect_turned_is_refuted(struct rewritten_pair *pair, uint32_t foff, uint8_t mask,
                                     const char *what)
{
    struct arena arena;
    uint8_t *byte = pair->files.new_bytes + foff, was = *byte;
    assert_true(foff < pair->files.new_nbytes);
    arena_init(&arena, NULL);
    *byte ^= mask;
    pairs_set_checksum(pair->files.new_bytes, pair->files.new_nbytes);
    struct verify_verdict verdict = judge(&pair->files, &arena);
    if (verdict.result != VERIFY_REFUTED && verdict.result != VERIFY_UNREADABLE)
        fail_msg("%s: a byte of %s at file offset 0x%X counts for nothing", pair->path, what, (unsigned)foff);
    *byte = was;
    pair->refuted_count++;
    arena_free(&arena);
}

/* What begins with .hv was added. */
static void turn_sections(struct rewritten_pair *pair)
{
    static const uint8_t masks[] = {0x01, 0x80, 0xFF, 0x12};
    struct pe_view view = view_of(pair->files.new_bytes, pair->files.new_nbytes);
    for (uint32_t i = 0; i < view.section_count; i++) {
        const uint8_t *header = view.bytes + view_section_foff(&view, i);
        uint32_t nbytes = load_u32(header + SECTION_VIRTUAL_SIZE);
        uint32_t raw_nbytes = load_u32(header + SECTION_SIZE_OF_RAW_DATA);
        nbytes = nbytes < raw_nbytes ? nbytes : raw_nbytes;
        if (memcmp(header, ".hv", 3) != 0)
            continue;
        uint32_t step = (nbytes / TURNED_COUNT + 1) * pace_step(5);
        for (uint32_t at = step / 2; at < nbytes; at += step)
            expect_turned_is_refuted(pair, load_u32(header + SECTION_POINTER_TO_RAW_DATA) + at,
                                     masks[at % sizeof masks], "a new section");
    }
}

/* Entries of the new relocations, and the fields that straddle in the old image and kept their distance. */
static void turn_relocations(struct rewritten_pair *pair)
{
    struct pe_view view = view_of(pair->files.new_bytes, pair->files.new_nbytes);
    uint32_t foff = view_foff(&view, view_directory_rva(&view, DIR_BASERELOC));
    uint32_t nbytes = view_directory_nbytes(&view, DIR_BASERELOC);
    uint32_t step = ((nbytes / TURNED_COUNT + 2) & ~1u) * pace_step(5);
    assert_true(foff != 0 && nbytes != 0);
    for (uint32_t at = BASERELOC_BLOCK_HEADER_NBYTES; at < nbytes; at += step)
        expect_turned_is_refuted(pair, foff + at, 0x04, "the base relocations");
}

static bool has_name(const char *path, const char *part)
{
    const char *name = strrchr(path, '/');
    return strstr(name ? name : path, part) != NULL;
}

static void judge_rewritten(struct image_list *images, size_t *proved_count, size_t *refuted_count)
{
    struct rewritten done;
    struct arena arena;
    if (rewrite_image_for(&done, (struct span){images->bytes, images->nbytes}, TARGET_1607, NULL, 0) &&
        done.emitted) {
        struct rewritten_pair pair = {.path = images->path};
        pair.files.old_bytes = images->bytes;
        pair.files.old_nbytes = images->nbytes;
        pair.files.new_bytes = done.output.bytes;
        pair.files.new_nbytes = done.output.nbytes;
        arena_init(&arena, NULL);
        struct verify_verdict verdict = judge(&pair.files, &arena);
        bool is_proved = verdict.result == VERIFY_PROVED_WITH_ASSUMPTIONS;
        if (!is_proved && !verdict.right_not_shown)
            fail_msg("%s: %s", images->path, verdict.reason);
        if (is_proved) {
            turn_sections(&pair);
            turn_relocations(&pair);
            ++*proved_count;
            *refuted_count += pair.refuted_count;
        }
        arena_free(&arena);
    }
    rewritten_free(&done);
}

static void rewritten_straddlers_are_proved_and_no_byte_of_them_may_differ(void **state)
{
    (void)state;
    struct image_list images;
    size_t proved_count = 0, refuted_count = 0;
    if (!image_list_open(&images))
        skip();
    /* Each changed byte is one verdict, which the sanitizers make slow: every third image, and none of those
     * with 105 copies in 430 KB. */
    unsigned step = pace_step(3), number = 0;
    while (image_list_next(&images))
        if (has_name(images.path, "straddle") && !(step > 1 && has_name(images.path, "straddle_forms")) &&
            number++ % step == 0)
            judge_rewritten(&images, &proved_count, &refuted_count);
    image_list_close(&images);
    print_message("%zu rewritten images proved, %zu changed ones refuted\n", proved_count, refuted_count);
    assert_true(proved_count > (step > 1 ? 3 : 12));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rewritten_straddlers_are_proved_and_no_byte_of_them_may_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
