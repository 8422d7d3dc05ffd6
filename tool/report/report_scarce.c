/* report_scarce.c - the report of an image for whose own report memory ran out.
 * Takes: an outcome and room.  Gives: the shortest report that is whole.  Must not: allocate. */
#include "report/report_formats.h"
#include "report/text_finding.h"

#include <string.h>

enum { LONGEST_PATH_NBYTES = 1024 };

static void *refuse(void *context, size_t nbytes)
{
    (void)context;
    (void)nbytes;
    return NULL;
}

static void forget(void *context, void *block)
{
    (void)context;
    (void)block;
}

/* What fits; of a long path that is its end. */
static const char *end_of(const char *path)
{
    size_t nbytes = path ? strlen(path) : 0;
    return nbytes > LONGEST_PATH_NBYTES ? path + nbytes - LONGEST_PATH_NBYTES : path;
}

/* An outcome of which nothing is known but its path and whether it was written. */
static struct outcome scarce_outcome(const struct outcome *outcome, struct finding *problem)
{
    *problem = (struct finding){
        .code = HVCI9008_OUT_OF_MEMORY,
        .level = LEVEL_ERROR,
        .rva = NO_RVA,
        .file_offset = NO_FILE_OFFSET,
        .place_count = 1,
        .message = outcome->wrote
                       ? "There was not enough memory to report on this image. It was written, and is whole."
                       : "There was not enough memory for this image. Nothing was written.",
        .cure = "Run on a machine with more free memory, or name fewer images at a time.",
    };
    struct outcome scarce = {
        .path = end_of(outcome->path),
        .output_path = end_of(outcome->output_path),
        .target = outcome->target,
        .wrote = outcome->wrote,
        .status = STATUS_ERROR,
        .exit_code = EXIT_INPUT,
        .problems = {.items = problem, .count = 1, .capacity = 1},
    };
    arena_init(&scarce.arena, &(struct allocator){refuse, forget, NULL, 0});
    return scarce;
}

size_t report_scarce(char room[REPORT_SCARCE_NBYTES], const struct outcome *outcome, bool is_json,
                     const struct report_style *style, struct report_totals *totals)
{
    struct finding problem;
    struct outcome scarce = scarce_outcome(outcome, &problem);
    struct text text = {.arena = &scarce.arena, .chars = room, .capacity = REPORT_SCARCE_NBYTES};
    if (is_json)
        report_json_image(&text, &scarce, true);
    else
        text_finding_line(&text, scarce.path, &problem, LEVEL_ERROR, "", style);
    report_count(totals, &scarce);
    return text.nbytes;
}

size_t report_scarce_fragment(char room[REPORT_SCARCE_NBYTES], const struct outcome *outcome,
                              enum report_format format, const struct report_settings *settings)
{
    static const struct report_style plain_style = {0};
    struct report_totals totals = {0};
    struct finding problem;
    struct outcome scarce = scarce_outcome(outcome, &problem);
    struct text text = {.arena = &scarce.arena, .chars = room, .capacity = REPORT_SCARCE_NBYTES};
    if (format == REPORT_TEXT)
        return report_scarce(room, outcome, false, &plain_style, &totals);
    report_formats[format].image(&text, &scarce, settings);
    text_cut_if_exhausted(&text, 0);
    return text.nbytes;
}
