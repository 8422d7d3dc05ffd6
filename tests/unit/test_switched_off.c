/* test_switched_off.c - each fix-up of the rewriter, and each source of its inventory, is left out, one kind
 * at a time, over all fixtures: the verifier refutes every image that this changes, and names the place.
 * Takes: the fixtures and the WDK's drivers among the images that HVCIFIX_IMAGES lists.  Gives: pass or fail,
 * and a table on stdout and in HVCIFIX_BUILD/switched-off.txt.  Must not: count a trial that changed nothing.
 */
#include "cmocka_all.h"

#include "image_list.h"
#include "switched_off.h"
#include "verify/verify.h"

#include <inttypes.h>
#include <stdio.h>

enum { MOST_KINDS = 600, NAME_NBYTES = 96, CHECKED_STEP = 19, FILL_WRONG = 0x5A };

/* What the verifier may accept, because it changes nothing in memory. */
static const char *const harmless[] = {
    "SizeOfCode", /* no Windows reads them */
    "SizeOfInitializedData",
    "SizeOfUninitializedData",
    "headers, RVA, 0x6",               /* BaseOfCode */
    "headers, RVA, 0x7",               /* BaseOfData */
    "SizeOfHeaders",                   /* the old one may cover the new headers as well */
    "section header, name",            /* where it asks for nothing */
    "section header, Characteristics", /* the kind of content, and NOT_PAGED of what is not paged */
    "section header, VirtualSize",     /* within the same pages */
    "source: COFF symbols",            /* nothing loads them (ASSUMPTIONS.md, M13) */
};

/* Fields whose own place the verdict names; with others it may meet something else first that went wrong. */
static const char *const named_sources[] = {"code, ",         "relocated values, ", "exception table, ",
                                            "handler data, ", "guard tables, ",     "unwind info, ",
                                            "resources, ",    "exports, ",          "debug data, "};

struct kind {
    char name[NAME_NBYTES];
    size_t changed_count, refuted_count, not_shown_count, named_count;
    char example[256]; /* the first that was accepted, or whose place was not named */
};

static struct kind kinds[MOST_KINDS];
static size_t kind_count;
static bool tries_sources; /* not under sanitizers: they make it slow */

static struct kind *kind_of(const char *name)
{
    for (size_t i = 0; i < kind_count; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    assert_true(kind_count < MOST_KINDS);
    snprintf(kinds[kind_count].name, NAME_NBYTES, "%s", name);
    return &kinds[kind_count++];
}

/* Asks the verifier about what was changed, and counts its answer. */
static void judge_trial(struct trial *trial, const char *name, const char *path, bool keeps_checksum)
{
    struct arena arena;
    struct verify_verdict verdict;
    if (trial->range_count == 0)
        return;
    struct kind *kind = kind_of(name);
    if (!keeps_checksum)
        trial_set_checksum(trial);
    arena_init(&arena, NULL);
    assert_true(
        verify_pair(trial->done->image.file, (struct span){trial->bytes, trial->nbytes}, &arena, &verdict));
    kind->changed_count++;
    bool is_refuted =
        verdict.result == VERIFY_REFUTED || (verdict.result == VERIFY_UNREADABLE && !verdict.in_old);
    bool is_named = is_refuted && trial_has_place(trial, &verdict);
    kind->refuted_count += is_refuted;
    kind->not_shown_count += is_refuted && verdict.right_not_shown;
    kind->named_count += is_named;
    bool had_accepted = kind->refuted_count + !is_refuted < kind->changed_count;
    if ((!is_refuted && !had_accepted) || (!is_named && kind->example[0] == 0))
        snprintf(kind->example, sizeof kind->example, "%s at 0x%" PRIX32 ": %.150s", strrchr(path, '/') + 1,
                 trial->ranges[0].new_foff, is_refuted ? verdict.reason : "accepted");
    if (!is_refuted && getenv("HVCIFIX_SAY_ACCEPTED"))
        print_message("%s: %s at 0x%" PRIX32 "\n", name, path, trial->ranges[0].new_foff);
    arena_free(&arena);
}

typedef void switch_fn(struct trial *trial);

static void try_switch(const struct rewritten *done, const char *path, const char *name, switch_fn *leave_out)
{
    struct trial trial;
    trial_begin(&trial, done);
    leave_out(&trial);
    judge_trial(&trial, name, path, false);
    trial_end(&trial);
}

/* ---- references: by source, encoding, and the field's kind ---- */

static bool has_fine_kinds(uint8_t source)
{
    return source != SOURCE_SECTION_HEADERS && source != SOURCE_DEBUG && source != SOURCE_DVRT &&
           source != SOURCE_COFF_SYMBOLS && source != SOURCE_RESOURCES && source != SOURCE_BASERELOCS;
}

static uint32_t key_of(const struct ref *ref)
{
    uint16_t detail = ref->source == SOURCE_CODE    ? ref->access
                      : has_fine_kinds(ref->source) ? ref->detail
                                                    : 0;
    return (uint32_t)ref->source << 24 | (uint32_t)ref->encoding << 16 | detail;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void try_references(const struct rewritten *done, const char *path)
{
    size_t count = done->refs.ref_count;
    uint32_t *keys = malloc((count + 1) * sizeof *keys);
    assert_non_null(keys);
    for (size_t i = 0; i < count; i++)
        keys[i] = key_of(&done->refs.refs[i]);
    qsort(keys, count, sizeof *keys, by_value);
    for (size_t k = 0; k < count; k++) {
        if (k > 0 && keys[k] == keys[k - 1])
            continue;
        struct trial trial;
        char name[NAME_NBYTES];
        trial_begin(&trial, done);
        for (size_t i = 0; i < count; i++)
            if (key_of(&done->refs.refs[i]) == keys[k] && done->refs.refs[i].source != SOURCE_BASERELOCS &&
                done->refs.refs[i].source != SOURCE_SECTION_HEADERS &&
                done->refs.refs[i].encoding != REF_SIZE)
                put_old(&trial, &done->refs.refs[i]);
        snprintf(name, sizeof name, "%s, %s, 0x%X", ref_source_name((enum ref_source)(keys[k] >> 24)),
                 ref_encoding_name((enum ref_encoding)(keys[k] >> 16 & 0xFF)), (unsigned)(keys[k] & 0xFFFF));
        judge_trial(&trial, name, path, false);
        trial_end(&trial);
    }
    free(keys);
}

/* ---- headers, by field ---- */

static const struct {
    const char *name;
    uint32_t opt_at; /* in the optional header */
} sizes[] = {{"SizeOfImage", OPT_SIZE_OF_IMAGE},
             {"SizeOfHeaders", OPT_SIZE_OF_HEADERS},
             {"SectionAlignment", OPT_SECTION_ALIGNMENT},
             {"FileAlignment", OPT_FILE_ALIGNMENT},
             {"SizeOfCode", OPT_SIZE_OF_CODE},
             {"SizeOfInitializedData", OPT_SIZE_OF_INITIALIZED_DATA},
             {"SizeOfUninitializedData", OPT_SIZE_OF_UNINITIALIZED_DATA}};

static const struct {
    const char *name;
    uint32_t at, nbytes; /* in a section header */
} section_fields[] = {{"section header, name", SECTION_NAME, SECTION_NAME_NBYTES},
                      {"section header, VirtualSize", SECTION_VIRTUAL_SIZE, 4},
                      {"section header, VirtualAddress", SECTION_VIRTUAL_ADDRESS, 4},
                      {"section header, SizeOfRawData", SECTION_SIZE_OF_RAW_DATA, 4},
                      {"section header, PointerToRawData", SECTION_POINTER_TO_RAW_DATA, 4},
                      {"section header, Characteristics", SECTION_CHARACTERISTICS, 4}};

static void put_old_field(struct trial *trial, uint32_t foff, uint32_t nbytes)
{
    put(trial, foff, trial->done->image.file.bytes + foff, nbytes, foff, foff);
}

static void try_headers(const struct rewritten *done, const char *path)
{
    const struct image *image = &done->image;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct trial trial;
        trial_begin(&trial, done);
        put_old_field(&trial, image->opt_foff + sizes[i].opt_at, 4);
        judge_trial(&trial, sizes[i].name, path, false);
        trial_end(&trial);
    }
    for (size_t i = 0; i < sizeof section_fields / sizeof section_fields[0]; i++) {
        struct trial trial;
        trial_begin(&trial, done);
        for (uint32_t k = 0; k < image->section_count && k < done->plan.layout->section_count; k++)
            put_old_field(&trial,
                          image->section_table_foff + k * SECTION_HEADER_NBYTES + section_fields[i].at,
                          section_fields[i].nbytes);
        judge_trial(&trial, section_fields[i].name, path, false);
        trial_end(&trial);
    }
}

static void leave_section_count(struct trial *trial)
{
    put_old_field(trial, trial->done->image.coff_foff + COFF_NUMBER_OF_SECTIONS, 2);
}

static void leave_symbols(struct trial *trial)
{
    put_old_field(trial, trial->done->image.coff_foff + COFF_POINTER_TO_SYMBOL_TABLE, 8);
}

static void leave_relocation_directory(struct trial *trial)
{
    uint32_t foff = trial->done->image.directories[DIR_BASERELOC].entry_foff;
    if (foff != 0)
        put_old_field(trial, foff, DIRECTORY_ENTRY_NBYTES);
}

static void leave_iat_directory(struct trial *trial)
{
    uint32_t foff = trial->done->image.directories[DIR_IAT].entry_foff;
    if (foff != 0)
        put_old_field(trial, foff, DIRECTORY_ENTRY_NBYTES);
}

static void leave_security_directory(struct trial *trial)
{
    uint32_t foff = trial->done->image.directories[DIR_SECURITY].entry_foff;
    if (foff != 0)
        put_old_field(trial, foff, DIRECTORY_ENTRY_NBYTES);
}

/* ---- what is rebuilt, filled, or copied ---- */

static void leave_relocation_table(struct trial *trial)
{
    const struct layout *layout = trial->done->plan.layout;
    const struct image *image = &trial->done->image;
    const struct directory *directory = image_directory(image, DIR_BASERELOC);
    uint32_t old_foff;
    if (!directory || layout->relocations_nbytes == 0 ||
        !image_rva_to_foff(image, directory->rva, directory->nbytes, &old_foff))
        return;
    uint32_t nbytes =
        directory->nbytes < layout->relocations_nbytes ? directory->nbytes : layout->relocations_nbytes;
    put(trial, new_foff_of(layout, layout->relocations_rva), image->file.bytes + old_foff, nbytes,
        directory->rva, old_foff);
}

static void leave_fills(struct trial *trial)
{
    const struct layout *layout = trial->done->plan.layout;
    for (size_t i = 0; i < layout->fill_count; i++)
        put_fill(trial, layout->fills[i].new_foff, layout->fills[i].nbytes, FILL_WRONG);
}

/* Where a piece left the others, its old bytes stay behind. */
static void leave_holes(struct trial *trial)
{
    const struct layout *layout = trial->done->plan.layout;
    const struct image *image = &trial->done->image;
    for (size_t i = 1; i < layout->piece_count; i++) {
        const struct piece *piece = &layout->pieces[i];
        uint32_t new_foff = new_foff_of(layout, piece->old_rva + layout->uniform_delta),
                 nbytes = piece->nbytes;
        uint32_t old_foff;
        if (piece_delta(piece) == layout->uniform_delta || new_foff == 0 ||
            !image_rva_to_foff(image, piece->old_rva, 1, &old_foff))
            continue;
        while (nbytes > 0 && (!range_fits(image->file.nbytes, old_foff, nbytes) ||
                              new_foff_of(layout, piece->old_rva + layout->uniform_delta + nbytes - 1) !=
                                  new_foff + nbytes - 1))
            nbytes--;
        if (nbytes > 0)
            put(trial, new_foff, image->file.bytes + old_foff, nbytes, piece->old_rva, old_foff);
    }
}

/* What leaves does not arrive. */
static void leave_moved_pieces(struct trial *trial)
{
    const struct layout *layout = trial->done->plan.layout;
    for (size_t i = 1; i < layout->piece_count; i++) {
        const struct piece *piece = &layout->pieces[i];
        uint32_t new_foff = new_foff_of(layout, piece->new_rva);
        if (piece_delta(piece) != layout->uniform_delta && new_foff != 0 && piece->kind != PIECE_RELOCATIONS)
            for (uint32_t k = 0; k < piece->nbytes;
                 k++) /* byte by byte: what is zero stays out of the ranges */
                if (new_foff_of(layout, piece->new_rva + k) != 0)
                    put_fill(trial, new_foff + k, 1, 0);
    }
}

static void leave_copies_of_code(struct trial *trial)
{
    const struct layout *layout = trial->done->plan.layout;
    for (size_t i = 0; layout->straddles && i < layout->straddles->copy_count; i++) {
        const struct code_copy *copy = &layout->straddles->copies[i];
        put_fill(trial, new_foff_of(layout, layout->straddles->code_rva + copy->at), copy->nbytes, 0x90);
    }
}

static void leave_jumps_to_copies(struct trial *trial)
{
    const struct layout *layout = trial->done->plan.layout;
    for (size_t i = 0; layout->straddles && i < layout->straddles->copy_count; i++) {
        const struct code_copy *copy = &layout->straddles->copies[i];
        uint32_t from = new_foff_of(layout, layout->straddles->code_rva + copy->at);
        put(trial, new_foff_of(layout, layout_map_rva(layout, copy->old_rva)),
            trial->done->output.bytes + from, copy->nbytes, copy->old_rva, NO_FILE_OFFSET);
    }
}

static void leave_jumps_back(struct trial *trial)
{
    const struct layout *layout = trial->done->plan.layout;
    for (size_t i = 0; layout->straddles && i < layout->straddles->copy_count; i++) {
        const struct code_copy *copy = &layout->straddles->copies[i];
        if (copy->comes_back)
            put_fill(trial, new_foff_of(layout, layout->straddles->code_rva + copy->at) + copy->nbytes,
                     JUMP_NBYTES, 0xCC);
    }
}

static void leave_stubs(struct trial *trial)
{
    const struct layout *layout = trial->done->plan.layout;
    for (unsigned i = 0; layout->straddles && i < layout->straddles->stub_count; i++)
        put_fill(trial, new_foff_of(layout, layout->straddles->code_rva + layout->straddles->stubs[i].at), 16,
                 0x90);
}

static void leave_first_stub_entry(struct trial *trial)
{
    const struct straddle_repair *repair = trial->done->plan.layout->straddles;
    if (repair && repair->stub_count != 0)
        put_u32(trial, new_foff_of(trial->done->plan.layout, repair->code_rva + repair->table_at), 0);
}

static void leave_guard_entry(struct trial *trial)
{
    const struct straddle_repair *repair = trial->done->plan.layout->straddles;
    if (repair && repair->stub_count != 0 && repair->guard.stride_nbytes != 0)
        put_u32(trial,
                new_foff_of(trial->done->plan.layout, repair->code_rva + repair->guard.at +
                                                          repair->guard.count * repair->guard.stride_nbytes),
                0);
}

static const struct {
    const char *name;
    switch_fn *leave_out;
} switches[] = {{"NumberOfSections", leave_section_count},
                {"symbol table pointer", leave_symbols},
                {"directory 5 (base relocations)", leave_relocation_directory},
                {"directory 12 (IAT)", leave_iat_directory},
                {"directory 4 (certificates)", leave_security_directory},
                {"base relocation table", leave_relocation_table},
                {"fills", leave_fills},
                {"fills where pieces left", leave_holes},
                {"content of pieces that leave", leave_moved_pieces},
                {"copies of instructions", leave_copies_of_code},
                {"jumps to copies", leave_jumps_to_copies},
                {"jumps back from copies", leave_jumps_back},
                {"start-up stubs", leave_stubs},
                {"table of the start-up stub", leave_first_stub_entry},
                {"guard entry of the stub", leave_guard_entry}};

static void try_checksum(const struct rewritten *done, const char *path)
{
    struct trial trial;
    trial_begin(&trial, done);
    put_old_field(&trial, done->image.opt_foff + OPT_CHECK_SUM, 4);
    bool was_set = load_u32(done->image.file.bytes + done->image.opt_foff + OPT_CHECK_SUM) != 0;
    if (was_set)
        judge_trial(&trial, "CheckSum", path, true);
    trial_end(&trial);
}

/* ---- sources of the inventory ---- */

static bool has_source(const struct refset *refs, uint32_t source)
{
    for (size_t i = 0; i < refs->ref_count; i++)
        if (refs->refs[i].source == source)
            return true;
    return false;
}

/* Does each field of the source hold what the layout asks for all the same? Then another source names it, too
 * (base relocations those of the load configuration), or nothing it names moved, and only the layout is
 * another one: that rewrite is not wrong. */
static bool is_right_without(const struct rewritten *done, uint32_t source, const struct rewritten *blind)
{
    const struct layout *layout = blind->plan.layout;
    for (size_t i = 0; layout && i < done->refs.ref_count; i++) {
        const struct ref *ref = &done->refs.refs[i];
        bool is_for_tools = source == SOURCE_HEADERS && ref->detail != DETAIL_ENTRY_POINT;
        uint64_t stored = load_width(done->image.file.bytes + ref->site_foff, ref->width_nbytes), value;
        uint32_t foff, base_rva = ref->base_rva;
        bool is_written_anew = layout->straddles && ref->site_foff == layout->straddles->guard.pointer_foff;
        if (ref->source != source || ref->state != REF_RESOLVED || is_for_tools || is_written_anew ||
            ref->encoding == REF_SIZE || !layout_map_foff(layout, ref->site_foff, &foff) ||
            foff >= blind->output.nbytes)
            continue;
        uint32_t target = ref->encoding == REF_FOFF ? 0 : layout_map_rva(layout, ref->target);
        if (ref->encoding == REF_FOFF && !layout_map_foff(layout, ref->target, &target))
            continue;
        if (base_rva != 0)
            base_rva = layout_map_rva(layout, base_rva);
        if (!ref_encode(&done->image, ref, stored, target, base_rva, &value) ||
            load_width(blind->output.bytes + foff, ref->width_nbytes) != value)
            return false;
    }
    return true;
}

/* What the rewriter makes of the image when it does not know of one source at all: findings are the same,
 * but plan and bytes are made without. The layout may be another one, so that the place tells nothing. */
static void try_sources(const struct rewritten *done, const char *path, struct span file,
                        enum windows_target target)
{
    for (uint32_t source = 0; source < SOURCE_COUNT; source++) {
        struct rewritten blind;
        char name[NAME_NBYTES];
        if (!has_source(&done->refs, source))
            continue;
        uint32_t sources = SOURCE_ALL & ~SOURCE_BIT(source);
        bool is_made = rewrite_image_of_sources(&blind, file, target, sources, NULL, 0) && blind.emitted;
        bool is_other = is_made && (blind.output.nbytes != done->output.nbytes ||
                                    memcmp(blind.output.bytes, done->output.bytes, done->output.nbytes) != 0);
        if (is_other && !is_right_without(done, source, &blind)) {
            struct trial trial;
            trial_begin(&trial, done);
            free(trial.bytes);
            trial.bytes = malloc(blind.output.nbytes);
            assert_non_null(trial.bytes);
            memcpy(trial.bytes, blind.output.bytes, blind.output.nbytes);
            trial.nbytes = blind.output.nbytes;
            trial.range_capacity = 1;
            trial.ranges = malloc(sizeof *trial.ranges);
            assert_non_null(trial.ranges);
            trial.ranges[trial.range_count++] = (struct off_range){0, UINT32_MAX, 0, NO_RVA, NO_FILE_OFFSET};
            snprintf(name, sizeof name, "source: %s", ref_source_name((enum ref_source)source));
            judge_trial(&trial, name, path, false);
            trial_end(&trial);
        }
        rewritten_free(&blind);
    }
}

static bool try_image(const char *path, struct span file, enum windows_target target)
{
    struct rewritten done;
    bool is_tried = rewrite_image_for(&done, file, target, NULL, 0) && done.emitted && done.plan.layout &&
                    done.plan.layout->moves;
    struct arena arena;
    struct verify_verdict verdict;
    arena_init(&arena, NULL);
    if (is_tried) { /* a repair that is refuted or not shown as it is tells nothing */
        assert_true(
            verify_pair(file, (struct span){done.output.bytes, done.output.nbytes}, &arena, &verdict));
        is_tried = verdict.result == VERIFY_PROVED || verdict.result == VERIFY_PROVED_WITH_ASSUMPTIONS;
    }
    arena_free(&arena);
    if (is_tried) {
        try_references(&done, path);
        if (tries_sources)
            try_sources(&done, path, file, target);
        try_headers(&done, path);
        try_checksum(&done, path);
        for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++)
            try_switch(&done, path, switches[i].name, switches[i].leave_out);
    }
    rewritten_free(&done);
    return is_tried;
}

static bool is_harmless(const struct kind *kind)
{
    for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++)
        if (strcmp(kind->name, harmless[i]) == 0)
            return true;
    return false;
}

static bool must_be_named(const struct kind *kind)
{
    for (size_t i = 0; i < sizeof named_sources / sizeof named_sources[0]; i++)
        if (strncmp(kind->name, named_sources[i], strlen(named_sources[i])) == 0)
            return true;
    return false;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct kind *)a)->name, ((const struct kind *)b)->name);
}

static void print_table(FILE *stream, size_t image_count)
{
    fprintf(stream, "%zu rewrites\n%-58s changed refuted (not shown) place named\n", image_count, "left out");
    for (size_t i = 0; i < kind_count; i++)
        fprintf(stream, "%-58s %7zu %7zu %11zu %11zu\n", kinds[i].name, kinds[i].changed_count,
                kinds[i].refuted_count, kinds[i].not_shown_count, kinds[i].named_count);
}

static void test_every_switch(void **state)
{
    (void)state;
    struct image_list images;
    const char *variant = getenv("HVCIFIX_VARIANT"), *build = getenv("HVCIFIX_BUILD");
    size_t step = variant && strcmp(variant, "checked") == 0 ? CHECKED_STEP : 1, number = 0, image_count = 0;
    tries_sources = step == 1;
    if (!image_list_open(&images)) {
        print_message("HVCIFIX_IMAGES is not set: no image to try\n");
        skip();
    }
    while (image_list_next(&images)) {
        if ((!strstr(images.path, "/fixtures/") && !strstr(images.path, "install-interception")) ||
            number++ % step != 0)
            continue;
        struct span file = {images.bytes, images.nbytes};
        image_count += try_image(images.path, file, TARGET_DEFAULT);
        if (strstr(images.path, "straddle"))
            image_count += try_image(images.path, file, TARGET_1607);
    }
    image_list_close(&images);
    qsort(kinds, kind_count, sizeof kinds[0], by_name);
    print_table(stdout, image_count);
    if (build && step == 1) {
        char path[4096];
        snprintf(path, sizeof path, "%s/switched-off.txt", build);
        FILE *stream = fopen(path, "w");
        if (stream) {
            print_table(stream, image_count);
            fclose(stream);
        }
    }
    size_t failure_count = 0;
    for (size_t i = 0; i < kind_count; i++) {
        bool is_wrong = (kinds[i].refuted_count != kinds[i].changed_count && !is_harmless(&kinds[i])) ||
                        (step == 1 && must_be_named(&kinds[i]) && /* of a sample, one is too many */
                         8 * kinds[i].named_count < 7 * kinds[i].refuted_count);
        if (is_wrong || kinds[i].named_count != kinds[i].refuted_count)
            print_message("%s%s: %s\n", is_wrong ? "WRONG: " : "", kinds[i].name, kinds[i].example);
        failure_count += is_wrong;
    }
    assert_true(image_count > (step == 1 ? 100 : 5));
    assert_int_equal(failure_count, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_switch)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
