/* test_atoms.c - sections are cut into no more atoms than there is room for, whichever section comes last.
 * Takes: sections and runs of data made by hand.  Gives: pass or fail. */
#include "cmocka_all.h"

#include "plan/rewrite.h"

enum { WHOLE_COUNT = 3, SECTION_NBYTES = 0x10000, RUN_NBYTES = 16 };

struct atoms_case {
    struct arena arena;
    struct image image;
    struct rewrite rewrite;
    struct atom wholes[WHOLE_COUNT];
    struct section_split splits[WHOLE_COUNT];
};

static void atoms_begin(struct atoms_case *made)
{
    memset(made, 0, sizeof *made);
    arena_init(&made->arena, NULL);
    made->rewrite = (struct rewrite){.image = &made->image,
                                     .arena = &made->arena,
                                     .wholes = made->wholes,
                                     .whole_count = WHOLE_COUNT,
                                     .splits = made->splits};
    for (uint32_t i = 0; i < WHOLE_COUNT; i++) {
        uint32_t rva = (i + 1) * SECTION_NBYTES;
        made->wholes[i] = (struct atom){.section = i,
                                        .rva = rva,
                                        .nbytes = SECTION_NBYTES,
                                        .end_rva = rva + SECTION_NBYTES,
                                        .needs = NEEDS_EXECUTE};
    }
}

/* Every run has as much code before it as it is long; the last ends with the section when there are
 * SECTION_NBYTES / RUN_NBYTES / 2 of them. */
static void split(struct atoms_case *made, uint32_t section, size_t run_count)
{
    struct data_run *runs = arena_array(&made->arena, run_count, sizeof *runs);
    assert_non_null(runs);
    uint32_t last_rva = made->wholes[section].end_rva - RUN_NBYTES;
    for (size_t i = 0; i < run_count; i++)
        runs[i] = (struct data_run){.rva = last_rva - (uint32_t)(run_count - 1 - i) * 2 * RUN_NBYTES,
                                    .nbytes = RUN_NBYTES};
    made->splits[section] = (struct section_split){SPLIT_ALL, runs, run_count};
}

static void test_every_byte_is_in_one_atom(void **state)
{
    (void)state;
    struct atoms_case made;
    atoms_begin(&made);
    split(&made, 1, 5);
    assert_true(atoms_make(&made.rewrite));
    assert_int_equal(made.rewrite.atom_count, 1 + 10 + 1);
    uint32_t at_rva = SECTION_NBYTES;
    for (uint32_t i = 0; i < made.rewrite.atom_count; i++) {
        assert_int_equal(made.rewrite.atoms[i].rva, at_rva);
        at_rva += made.rewrite.atoms[i].nbytes;
    }
    assert_int_equal(at_rva, (WHOLE_COUNT + 1) * SECTION_NBYTES);
    arena_free(&made.arena);
}

/* The first section takes up all atoms that runs may make; the second takes one as a whole all the same. */
static void test_runs_behind_a_whole_section_are_counted(void **state)
{
    (void)state;
    struct atoms_case made;
    atoms_begin(&made);
    split(&made, 0, MOST_ATOMS / 2);
    split(&made, 2, WHOLE_COUNT + 1);
    assert_false(atoms_make(&made.rewrite));
    assert_true(made.rewrite.is_refused);
    assert_true(made.rewrite.atom_count <= MOST_ATOMS + WHOLE_COUNT);
    arena_free(&made.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_byte_is_in_one_atom),
        cmocka_unit_test(test_runs_behind_a_whole_section_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
