/* mutations_page.h - what was tried of each kind of wrong rewrite, and the page that says so.
 * Takes: the catalogue.  Gives: a tally for each kind, and docs/MUTATIONS.md.  Must not: judge. */
#ifndef HVCIFIX_TESTS_MUTATIONS_PAGE_H
#define HVCIFIX_TESTS_MUTATIONS_PAGE_H

#include "cmocka_all.h"

#include "mutations_catalogue.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { MOST_KINDS = 640, NAME_NBYTES = 96 };

struct tally {
    struct mutation kind;
    char name[NAME_NBYTES];
    size_t tried_count, rejected_count, not_shown_count, named_count;
    char example[320]; /* the first that was accepted, or whose place was not named */
    bool has_survivor;
};

static struct tally tallies[MOST_KINDS];
static size_t tally_count;

static void add_tally(struct mutation kind)
{
    assert_true(tally_count < MOST_KINDS);
    struct tally *tally = &tallies[tally_count++];
    tally->kind = kind;
    snprintf(tally->name, sizeof tally->name, "%s: %s", kind.family, kind.name);
}

static void make_tallies(void)
{
    for (uint32_t class = 0; class < REF_CLASS_COUNT; class ++)
        for (uint32_t wrong = ref_classes[class].is_relative ? WRONG_BEFORE : 0; wrong < WRONG_COUNT; wrong++)
            add_tally((struct mutation){ref_classes[class].name, ref_wrongs[wrong].name,
                                        ref_wrongs[wrong].why, wrong_reference, 1, class, wrong, 0,
                                        is_evidence(ref_classes[class].source) ? MUTATION_MAY_MISLEAD : 0});
    for (size_t i = 0; i < SINGLE_COUNT; i++)
        add_tally(single_mutations[i]);
}

static void print_numbers(FILE *stream, size_t tried, size_t rejected, size_t not_shown, size_t named)
{
    fprintf(stream, " %zu | %zu | %zu | %zu |\n", tried, rejected, not_shown, named);
}

/* Each class of references with all ways in which it is wrong, then each other kind. */
static void print_page(FILE *stream, size_t image_count)
{
    const char *family = "";
    size_t i = 0, tried = 0, rejected = 0;
    for (size_t k = 0; k < tally_count; k++)
        tried += tallies[k].tried_count, rejected += tallies[k].rejected_count;
    fprintf(stream,
            "# Wrong rewrites that the verifier rejects\n\n"
            "`tests/unit/test_mutations.c` makes these of right repairs (fixtures, real drivers, and a few "
            "sound images "
            "that were given\nanother layout), computes the checksum anew, and asks the verifier. This page "
            "is what the "
            "test writes to `mutations.md` in the\nbuild folder; it fails when the kinds here are not those "
            "of the "
            "catalogue (`tests/unit/mutations_*.h`).\n\n"
            "%zu kinds, %zu repairs, %zu wrong rewrites: %zu rejected.\n\n"
            "*Not shown* are those rejected because it could not be shown that they are right; the others "
            "were shown to "
            "be wrong. *Named*:\nthe verdict gives the place that was changed, what it leads to, or a "
            "reference that "
            "disagrees with it. It need not where the\nheaders no longer fit together, and may miss where "
            "the change "
            "misleads the verifier's guess of what went where.\n\n"
            "## References\n\nEach class, in each of these ways:\n\n",
            tally_count, image_count, tried, rejected);
    for (unsigned wrong = 0; wrong < WRONG_COUNT; wrong++)
        fprintf(stream, "- %s: %s.\n", ref_wrongs[wrong].name, ref_wrongs[wrong].why);
    fprintf(stream, "\n| class | tried | rejected | not shown | named |\n|---|---|---|---|---|\n");
    for (; i < tally_count && tallies[i].kind.apply == wrong_reference;) {
        struct tally sum = tallies[i];
        for (i++; i < tally_count && strcmp(tallies[i].kind.family, sum.kind.family) == 0; i++) {
            sum.tried_count += tallies[i].tried_count, sum.rejected_count += tallies[i].rejected_count;
            sum.not_shown_count += tallies[i].not_shown_count, sum.named_count += tallies[i].named_count;
        }
        fprintf(stream, "| %s |", sum.kind.family);
        print_numbers(stream, sum.tried_count, sum.rejected_count, sum.not_shown_count, sum.named_count);
    }
    for (; i < tally_count; i++) {
        const struct tally *tally = &tallies[i];
        if (strcmp(tally->kind.family, family) != 0)
            fprintf(stream,
                    "\n## %c%s\n\n| kind | why it is wrong | tried | rejected | not shown | named |\n"
                    "|---|---|---|---|---|---|\n",
                    toupper((unsigned char)tally->kind.family[0]), tally->kind.family + 1);
        family = tally->kind.family;
        fprintf(stream, "| %s | %s |", tally->kind.name, tally->kind.why);
        print_numbers(stream, tally->tried_count, tally->rejected_count, tally->not_shown_count,
                      tally->named_count);
    }
}

/* The next character that is neither blank nor digit. */
static int next_kept(FILE *stream)
{
    int c = fgetc(stream);
    while (c != EOF && (isspace(c) || isdigit(c)))
        c = fgetc(stream);
    return c;
}

/* The two pages are the same but for their numbers. */
static bool is_same_page(const char *written_path, const char *docs_path)
{
    FILE *written = fopen(written_path, "r"), *docs = fopen(docs_path, "r");
    int a = 0, b = EOF;
    while (written && docs && a != EOF) {
        a = next_kept(written), b = next_kept(docs);
        if (a != b)
            break;
    }
    bool is_same = written && docs && a == b;
    if (written)
        fclose(written);
    if (docs)
        fclose(docs);
    return is_same;
}

/* Writes the page, and compares the repository's with it. */
static void check_page(const char *build, size_t image_count)
{
    char path[4096], docs_path[4096];
    const char *source = getenv("HVCIFIX_SOURCE");
    snprintf(path, sizeof path, "%s/mutations.md", build);
    FILE *stream = fopen(path, "w");
    assert_non_null(stream);
    print_page(stream, image_count);
    fclose(stream);
    snprintf(docs_path, sizeof docs_path, "%s/docs/MUTATIONS.md", source ? source : ".");
    if (!is_same_page(path, docs_path))
        fail_msg("docs/MUTATIONS.md does not list the kinds of %s", path);
}

#endif
