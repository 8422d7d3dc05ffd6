/* test_mutations.c - the catalogue of wrong rewrites: each kind, made of every repaired fixture and of real
 * drivers, checksum and sizes right, is rejected by the verifier, and the verdict names the place.
 * Takes: the fixtures and real images that HVCIFIX_IMAGES lists.  Gives: pass or fail, and the table on
 * stdout and, as docs/MUTATIONS.md has it, in HVCIFIX_BUILD/mutations.md.  Must not: count a mutant that is
 * the right file. */
#include "cmocka_all.h"

#include "image_list.h"
#include "mutations_page.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { CHECKED_STEP = 20, CHECKED_KIND_STEP = 4 };

/* How much is tried. Sanitizers make it slow: there, little. */
static size_t sure_of_kind = 10, most_of_kind = 944, kind_step = 1;
static bool is_only_for_the_rare; /* kinds that were tried enough are left out */
static const char *only_kind;     /* HVCIFIX_SAY_MUTANTS, for whoever looks for a reason; "*" is all */

/* ---- one mutant ---- */

static bool is_near(uint64_t place, uint64_t begin, uint64_t nbytes)
{
    return place != UINT64_MAX && begin != UINT64_MAX && place + NEAR_NBYTES > begin &&
           place < begin + nbytes + NEAR_NBYTES;
}

/* What differs from the right file is a place. Runs that are near each other are one. */
static void add_changed_places(struct mutant *mutant, bool keeps_checksum)
{
    struct span right = mutant->subject->right;
    size_t common = right.nbytes < mutant->nbytes ? right.nbytes : mutant->nbytes;
    uint64_t begin = UINT64_MAX, end = 0;
    uint32_t checksum_foff = keeps_checksum ? UINT32_MAX - 4 : mutant->view.opt_foff + OPT_CHECK_SUM;
    for (size_t at = 0; at < common; at++) {
        bool is_checksum = at >= checksum_foff && at < checksum_foff + 4u; /* it follows from the rest */
        if (mutant->bytes[at] == right.bytes[at] || is_checksum)
            continue;
        if (begin != UINT64_MAX && at > end + NEAR_NBYTES) {
            add_place_foff(mutant, begin, end - begin);
            begin = UINT64_MAX;
        }
        begin = begin == UINT64_MAX ? at : begin;
        end = at + 1;
    }
    if (begin != UINT64_MAX)
        add_place_foff(mutant, begin, end - begin);
}

/* The verdict names a field, right by itself, that does not agree with what was changed. */
static bool is_contradiction(const struct mutant *mutant, const struct verify_verdict *verdict)
{
    const struct subject *subject = mutant->subject;
    const struct refset *refs = &subject->done->refs;
    uint64_t rva = verdict->rva == UINT32_MAX ? UINT64_MAX : verdict->rva;
    for (size_t i = 0; mutant->contradicted_nbytes != 0 && i < refs->ref_count; i++) {
        const struct ref *ref = &refs->refs[i];
        uint32_t target_rva = subject_new_rva(subject, ref->target);
        if (ref->site_rva != NO_RVA && target_rva >= mutant->contradicted_rva &&
            target_rva - mutant->contradicted_rva < mutant->contradicted_nbytes &&
            is_near(rva, verdict->in_old ? ref->site_rva : subject_new_rva(subject, ref->site_rva),
                    ref->width_nbytes))
            return true;
    }
    return false;
}

static bool is_named(const struct mutant *mutant, const struct verify_verdict *verdict)
{
    uint64_t rva = verdict->rva == UINT32_MAX ? UINT64_MAX : verdict->rva;
    for (size_t i = 0; i < mutant->place_count; i++) {
        const struct place *place = &mutant->places[i];
        if (is_near(verdict->file_offset, verdict->in_old ? place->old_foff : place->foff, place->nbytes) ||
            is_near(rva, verdict->in_old ? place->old_rva : place->rva, place->nbytes))
            return true;
    }
    return is_contradiction(mutant, verdict);
}

/* Raw bytes of the sections with this kind of content. */
static uint32_t sum_of_raw(const uint8_t *bytes, const struct pe_view *view, uint32_t flag)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < view->section_count; i++)
        if (load_u32(bytes + view_section_foff(view, i) + SECTION_CHARACTERISTICS) & flag)
            sum += load_u32(bytes + view_section_foff(view, i) + SECTION_SIZE_OF_RAW_DATA);
    return sum;
}

/* SizeOfCode and SizeOfInitializedData follow the section table, so that they give nothing away. */
static void set_content_sizes(struct mutant *mutant)
{
    static const struct {
        uint32_t flag, at;
    } sizes[] = {{SCN_CNT_CODE, OPT_SIZE_OF_CODE}, {SCN_CNT_INITIALIZED_DATA, OPT_SIZE_OF_INITIALIZED_DATA}};
    struct pe_view view = mutant->subject->view;
    for (size_t i = 0; mutant->subject->layout && i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t *field = mutant->bytes + view.opt_foff + sizes[i].at;
        if (memcmp(field, mutant->subject->right.bytes + view.opt_foff + sizes[i].at, 4) == 0)
            store_u32(field, load_u32(field) + sum_of_raw(mutant->bytes, &view, sizes[i].flag) -
                                 sum_of_raw(mutant->subject->right.bytes, &view, sizes[i].flag));
    }
}

static void judge_mutant(struct tally *tally, struct mutant *mutant)
{
    struct arena arena;
    struct verify_verdict verdict;
    struct pe_view view = mutant->subject->view;
    uint32_t checksum_foff = view.opt_foff + OPT_CHECK_SUM;
    set_content_sizes(mutant);
    if (!(tally->kind.flags & MUTATION_KEEPS_CHECKSUM))
        store_u32(mutant->bytes + checksum_foff,
                  pe_checksum((struct span){mutant->bytes, mutant->nbytes}, checksum_foff));
    /* An exact block, so that a sanitizer sees a read behind it. */
    uint8_t *bytes = malloc(mutant->nbytes ? mutant->nbytes : 1);
    assert_non_null(bytes);
    memcpy(bytes, mutant->bytes, mutant->nbytes);
    arena_init(&arena, NULL);
    assert_true(
        verify_pair(mutant->subject->old_file, (struct span){bytes, mutant->nbytes}, &arena, &verdict));
    bool is_rejected =
        verdict.result == VERIFY_REFUTED || (verdict.result == VERIFY_UNREADABLE && !verdict.in_old);
    add_changed_places(mutant, (tally->kind.flags & MUTATION_KEEPS_CHECKSUM) != 0);
    if (mutant->nbytes == mutant->subject->right.nbytes &&
        memcmp(bytes, mutant->subject->right.bytes, mutant->nbytes) == 0) {
        arena_free(&arena); /* only the checksum was wrong */
        free(bytes);
        return;
    }
    bool has_place = is_rejected && is_named(mutant, &verdict);
    tally->tried_count++;
    tally->rejected_count += is_rejected;
    tally->not_shown_count += is_rejected && verdict.right_not_shown;
    tally->named_count += has_place;
    if ((!is_rejected && !tally->has_survivor) || (!has_place && tally->example[0] == 0))
        snprintf(tally->example, sizeof tally->example,
                 "%.60s at 0x%" PRIX64 ": %.160s (%s 0x%" PRIX64 ", RVA 0x%" PRIX32 ")",
                 mutant->subject->name, mutant->place_count ? mutant->places[0].foff : 0,
                 is_rejected ? verdict.reason : "accepted", verdict.in_old ? "old" : "new",
                 verdict.file_offset, verdict.rva);
    tally->has_survivor = tally->has_survivor || !is_rejected;
    if (only_kind && (!is_rejected || !has_place)) {
        char path[256];
        print_message("%s #%u: %s at 0x%" PRIX64 ": %s (%s 0x%" PRIX64 ", RVA 0x%" PRIX32 ")\n",
                      mutant->subject->name, (unsigned)mutant->number, tally->name,
                      mutant->places[mutant->place_count - 1].foff, is_rejected ? verdict.reason : "ACCEPTED",
                      verdict.in_old ? "old" : "new", verdict.file_offset, verdict.rva);
        snprintf(path, sizeof path, "%s/survivor-%s", getenv("HVCIFIX_BUILD"), mutant->subject->name);
        FILE *stream = fopen(path, "wb");
        if (stream) {
            fwrite(bytes, 1, mutant->nbytes, stream);
            fclose(stream);
        }
    }
    arena_free(&arena);
    free(bytes);
}

static uint32_t seed_of(const char *a, const char *b)
{
    uint32_t seed = 2166136261u;
    for (; *a; a++)
        seed = (seed ^ (uint8_t)*a) * 16777619u;
    for (; *b; b++)
        seed = (seed ^ (uint8_t)*b) * 16777619u;
    return seed >> 4;
}

static bool is_enough(const struct tally *tally)
{
    return !only_kind && tally->tried_count >= most_of_kind;
}

/* Each kind is tried with every eighth image, but with the first ones that it can be made of in any case. */
static bool is_skipped(const struct subject *subject, const struct tally *tally)
{
    if (only_kind)
        return false;
    if (subject->other_nx)
        return is_enough(tally); /* there are few of them */
    return is_enough(tally) || (tally->tried_count >= sure_of_kind &&
                                (is_only_for_the_rare || seed_of(subject->name, tally->name) % 8 != 0));
}

static void try_kind(const struct subject *subject, struct tally *tally, uint8_t *bytes, uint32_t *choices)
{
    if (is_skipped(subject, tally))
        return;
    for (uint32_t number = 0; number < tally->kind.tries && !is_enough(tally); number++) {
        struct mutant mutant = {.subject = subject,
                                .bytes = bytes,
                                .nbytes = subject->right.nbytes,
                                .seed = seed_of(subject->name, tally->name),
                                .number = number,
                                .tries = tally->kind.tries,
                                .choices = choices};
        memcpy(bytes, subject->right.bytes, subject->right.nbytes);
        memset(bytes + subject->right.nbytes, 0, MUTANT_SPARE_NBYTES);
        mutant.view = view_of(bytes, mutant.nbytes);
        if (!tally->kind.apply(&mutant, &tally->kind))
            continue;
        bool is_changed = mutant.nbytes != subject->right.nbytes ||
                          memcmp(bytes, subject->right.bytes, subject->right.nbytes) != 0;
        if (is_changed)
            judge_mutant(tally, &mutant);
    }
}

/* ---- all of them ---- */

static bool is_proved(struct span old_file, struct span new_file)
{
    struct arena arena;
    struct verify_verdict verdict;
    arena_init(&arena, NULL);
    assert_true(verify_pair(old_file, new_file, &arena, &verdict));
    arena_free(&arena);
    return verdict.result == VERIFY_PROVED || verdict.result == VERIFY_PROVED_WITH_ASSUMPTIONS;
}

/* Stubs have kinds of their own, and two rows of them have. */
static bool is_kind_for(const struct subject *subject, const struct mutation *kind)
{
    bool is_of_row = strcmp(kind->family, NX_FAMILY) == 0,
         is_of_rows = strcmp(kind->family, NX_ROWS_FAMILY) == 0;
    return subject->nx ? (subject->other_nx ? is_of_rows : is_of_row) : !is_of_row && !is_of_rows;
}

/* Tries all kinds, when the rewrite is proved as it is: else a rejection tells nothing. */
static bool try_rewrite(const char *name, struct span file, struct rewritten *done, const struct nx_plan *nx,
                        const struct nx_plan *other_nx)
{
    bool is_tried = done->emitted && is_proved(file, (struct span){done->output.bytes, done->output.nbytes});
    if (is_tried) {
        struct subject subject = {.name = name,
                                  .nx = nx,
                                  .other_nx = other_nx,
                                  .done = done,
                                  .old_file = file,
                                  .right = {done->output.bytes, done->output.nbytes},
                                  .view = view_of(done->output.bytes, done->output.nbytes)};
        uint8_t *old_bytes = malloc(file.nbytes), *bytes = malloc(done->output.nbytes + MUTANT_SPARE_NBYTES);
        uint32_t *choices = malloc(MOST_CHOICES * sizeof *choices);
        assert_true(old_bytes && bytes && choices);
        memcpy(old_bytes, file.bytes, file.nbytes);
        subject.old_view = view_of(old_bytes, file.nbytes);
        subject.layout = done->plan.layout && done->plan.layout->moves ? done->plan.layout : NULL;
        for (size_t i = 0; i < tally_count; i += kind_step)
            if (!is_kind_for(&subject, &tallies[i].kind))
                continue;
            else if (!only_kind || strcmp(only_kind, tallies[i].name) == 0 || strcmp(only_kind, "*") == 0)
                try_kind(&subject, &tallies[i], bytes, choices);
        free(choices);
        free(bytes);
        free(old_bytes);
    }
    return is_tried;
}

static bool try_image(const char *name, struct span file, enum windows_target target)
{
    struct rewritten done;
    bool is_tried =
        rewrite_image_for(&done, file, target, NULL, 0) && try_rewrite(name, file, &done, NULL, NULL);
    rewritten_free(&done);
    return is_tried;
}

/* Images without a finding, which have tables that no fixture has, get another layout: unwind data and
 * resources go behind the rest. Only kinds that need them are tried. */
static bool try_sound_image(const char *name, struct span file)
{
    struct rewritten done;
    bool is_tried = false;
    if (rewrite_read(&done, file, SOURCE_ALL) && done.image.section_alignment >= PAGE_NBYTES) {
        const struct image *image = &done.image;
        uint32_t *rvas = arena_array(&done.arena, image->section_count, sizeof *rvas);
        assert_non_null(rvas);
        for (uint32_t i = 0; i < image->section_count; i++) {
            bool moves = strcmp(image->sections[i].name, ".pdata") == 0 ||
                         strcmp(image->sections[i].name, ".rsrc") == 0;
            rvas[i] = image->sections[i].rva + (moves ? image->image_nbytes : 0);
        }
        struct forced_layout forced = {rvas, 0};
        struct plan_options options = {.drop_signature = true, .target = TARGET_DEFAULT, .forced = &forced};
        is_tried = rewrite_plan_and_emit(&done, &options) && try_rewrite(name, file, &done, NULL, NULL);
    }
    rewritten_free(&done);
    return is_tried;
}

/* The same image with its calls led through stubs, when its pages are in order. */
static bool try_nx_image(const char *name, struct span file)
{
    struct rewritten done;
    struct nx_plan plan;
    bool is_tried = rewrite_read(&done, file, SOURCE_ALL) && rewrite_nx(&done, &plan) &&
                    try_rewrite(name, file, &done, &plan, NULL);
    rewritten_free(&done);
    return is_tried;
}

/* One rule's calls first, then the other's: two rows of stubs. What is wrong may be in either. */
static bool try_nx_rows(const char *name, struct span file)
{
    struct rewritten first, second;
    struct nx_plan plans[2];
    bool is_tried = false;
    if (rewrite_read(&first, file, SOURCE_ALL) && rewrite_nx_of(&first, &plans[0], true, false)) {
        struct span row = {first.output.bytes, first.output.nbytes};
        is_tried = rewrite_read(&second, row, SOURCE_ALL) && rewrite_nx_of(&second, &plans[1], false, true) &&
                   try_rewrite(name, file, &second, &plans[0], &plans[1]) &&
                   try_rewrite(name, file, &second, &plans[1], &plans[0]);
        rewritten_free(&second);
    }
    rewritten_free(&first);
    return is_tried;
}

/* Small ones with long tables of guarded functions, import slots, longjmp targets and safe handlers. */
static bool is_sound_image(const char *path)
{
    static const char *const ends[] = {"/x64/rc.exe", "/x64/mssign32.dll", "/x86/mssign32.dll",
                                       "/x86/rcdll.dll"};
    for (size_t i = 0; strstr(path, "Windows.SDK") && i < sizeof ends / sizeof ends[0]; i++)
        if (strstr(path, ends[i]))
            return true;
    return false;
}

static void print_table(FILE *stream, size_t image_count)
{
    size_t tried = 0, rejected = 0, not_shown = 0, named = 0;
    fprintf(stream, "%-64s   tried rejected (not shown) place named\n", "kind");
    for (size_t i = 0; i < tally_count; i++) {
        const struct tally *tally = &tallies[i];
        fprintf(stream, "%-64s %7zu %8zu %11zu %11zu\n", tally->name, tally->tried_count,
                tally->rejected_count, tally->not_shown_count, tally->named_count);
        tried += tally->tried_count, rejected += tally->rejected_count;
        not_shown += tally->not_shown_count, named += tally->named_count;
    }
    fprintf(stream, "%zu kinds, %zu repairs%43s %7zu %8zu %11zu %11zu\n", tally_count, image_count, "", tried,
            rejected, not_shown, named);
}

static void test_every_wrong_rewrite(void **state)
{
    (void)state;
    struct image_list images;
    const char *variant = getenv("HVCIFIX_VARIANT"), *build = getenv("HVCIFIX_BUILD");
    size_t step = variant && strcmp(variant, "checked") == 0 ? CHECKED_STEP : 1, number = 0, image_count = 0,
           sound_count = 0;
    if (!image_list_open(&images)) {
        print_message("HVCIFIX_IMAGES is not set: no image to try\n");
        skip();
    }
    make_tallies();
    only_kind = getenv("HVCIFIX_SAY_MUTANTS");
    if (step != 1)
        most_of_kind = 1, kind_step = CHECKED_KIND_STEP;
    while (image_list_next(&images)) {
        struct span file = {images.bytes, images.nbytes};
        const char *name = strrchr(images.path, '/') + 1;
        is_only_for_the_rare = true;
        if (step == 1 && is_sound_image(images.path))
            sound_count += try_sound_image(name, file);
        is_only_for_the_rare = false;
        bool is_asked_for = only_kind && !strstr(images.path, "/bin/");
        if ((!is_asked_for && !strstr(images.path, "/fixtures/") &&
             !strstr(images.path, "install-interception")) ||
            number++ % step != 0)
            continue;
        image_count += try_image(name, file, TARGET_DEFAULT);
        if (strstr(name, "executable_pool") || strstr(name, "executable_maps"))
            image_count += try_nx_image(name, file);
        if (strstr(name, "executable_maps"))
            image_count += try_nx_rows(name, file);
        if (strstr(name, "straddle"))
            image_count += try_image(name, file, TARGET_1607);
    }
    image_list_close(&images);
    print_table(stdout, image_count);
    size_t failure_count = 0;
    for (size_t i = 0; i < tally_count; i++) {
        const struct tally *tally = &tallies[i];
        bool is_unnamed =
            !(tally->kind.flags & MUTATION_HAS_NO_PLACE) && step == 1 &&
            (tally->kind.flags & MUTATION_MAY_MISLEAD ? 4 * tally->named_count < 3 * tally->rejected_count
                                                      : tally->named_count != tally->rejected_count);
        bool is_untried = sound_count > 2 && tally->tried_count == 0;
        bool is_wrong = tally->rejected_count != tally->tried_count || is_unnamed || is_untried;
        if (is_wrong)
            print_message("WRONG: %s: %s\n", tally->name, is_untried ? "could not be made" : tally->example);
        failure_count += is_wrong;
    }
    assert_true(image_count > (step == 1 ? 200 : 5));
    assert_int_equal(failure_count, 0);
    if (build && step == 1 && !only_kind)
        check_page(build, image_count);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_wrong_rewrite)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
