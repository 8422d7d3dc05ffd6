/* show_regions.c - the regions of the file, the tables in memory, and what the executable bytes are.
 * Takes: an outcome.  Gives: text.  Must not: judge. */
#include "report/layout.h"
#include "report/safe_text.h"
#include "report/show_lists.h"

#include <inttypes.h>

/* More unknown runs than this are only counted; the JSON report lists all. */
enum { MOST_UNKNOWN_RUNS = 100 };

static const char *section_name(const struct image *image, uint32_t index)
{
    return index < image->section_count ? image->sections[index].name : "";
}

static void add_file_regions(struct text *text, const struct image *image)
{
    size_t line_start = text->nbytes;
    text_addz(text, "regions of the file, ");
    layout_count(text, image->file.nbytes, "byte", "bytes");
    safe_end_line(text, line_start);
    text_printf(text, "  %-8s  %10s  %-18s  %s\n", "offset", "bytes", "kind", "section");
    for (size_t i = 0; i < image->region_count; i++) {
        const struct region *region = &image->regions[i];
        line_start = text->nbytes;
        text_printf(text, "  %08" PRIX64 "  %10" PRIu64 "  %-18s  ", region->foff, region->nbytes,
                    region_kind_name(region->kind));
        layout_wrap(text, line_start, 0, section_name(image, region->section));
    }
    for (size_t i = 0; i < image->overlap_count; i++) {
        const struct region_overlap *overlap = &image->overlaps[i];
        text_printf(text, "  %08" PRIX64 "  %10" PRIu64 "  %s, also claimed as %s\n", overlap->foff,
                    overlap->nbytes, region_kind_name(overlap->winner), region_kind_name(overlap->loser));
    }
}

static void add_extents(struct text *text, const struct image *image, const struct refset *refs)
{
    text_addz(text, "tables in memory, in the order of their sources\n");
    text_printf(text, "  %-8s  %10s  %-24s  %s\n", "RVA", "bytes", "kind", "section");
    for (size_t i = 0; i < refs->extent_count; i++) {
        const struct extent *extent = &refs->extents[i];
        const struct section *section = image_section_at_rva(image, extent->rva);
        size_t line_start = text->nbytes;
        text_printf(text, "  %08" PRIX32 "  %10" PRIu32 "  %-24s  ", extent->rva, extent->nbytes,
                    extent_kind_name((enum extent_kind)extent->kind));
        layout_wrap(text, line_start, 0, section ? section->name : "");
    }
}

void show_unread(struct text *text, const struct refset *refs)
{
    if (refs->problem_count == 0)
        return;
    text_addz(text, "not read\n");
    for (size_t i = 0; i < refs->problem_count; i++) {
        const struct ref_problem *problem = &refs->problems[i];
        size_t line_start = text->nbytes;
        text_printf(text, "  %-18s  ", ref_source_name((enum ref_source)problem->source));
        layout_wrap(text, line_start, 22, problem->reason);
    }
}

bool class_run_next(const struct code_section *section, enum byte_class byte_class, uint32_t *at,
                    struct class_run *run)
{
    uint32_t from = *at;
    while (from < section->nbytes && section->classes[from] != byte_class)
        from++;
    uint32_t to = from;
    while (to < section->nbytes && section->classes[to] == byte_class)
        to++;
    *at = to;
    *run = (struct class_run){section->rva + from, to - from};
    return to > from;
}

void class_counts_of(const struct code_section *section, uint64_t counts[5])
{
    for (size_t i = 0; i < 5; i++)
        counts[i] = 0;
    for (uint32_t i = 0; i < section->nbytes; i++)
        if (section->classes[i] < 5)
            counts[section->classes[i]]++;
}

static void add_unknown_runs(struct text *text, const struct code_section *section)
{
    struct class_run run;
    size_t run_count = 0;
    for (uint32_t at = 0; class_run_next(section, BYTE_UNKNOWN, &at, &run); run_count++)
        if (run_count < MOST_UNKNOWN_RUNS)
            text_printf(text, "    %08" PRIX32 "  %10" PRIu32 "  unknown\n", run.rva, run.nbytes);
    if (run_count > MOST_UNKNOWN_RUNS)
        text_printf(text, "    and %zu more runs of unknown bytes (--format json lists all)\n",
                    run_count - MOST_UNKNOWN_RUNS);
}

static void add_code(struct text *text, const struct outcome *outcome)
{
    const struct code_map *code = &outcome->code;
    if (!outcome->has_code || !code->decoded) {
        size_t line_start = text->nbytes;
        text_addz(text, "executable sections: not decoded. ");
        layout_wrap(text, line_start, 2,
                    outcome->has_code && code->not_decoded_reason ? code->not_decoded_reason : "");
        return;
    }
    text_printf(text, "executable sections, %" PRIu64 " instructions, %zu functions\n",
                code->instruction_count, code->function_count);
    text_printf(text, "  %-8s  %10s  %12s  %8s  %8s  %8s  %s\n", "RVA", "bytes", "instructions", "data",
                "padding", "unknown", "section");
    for (size_t i = 0; i < code->section_count; i++) {
        const struct code_section *section = &code->sections[i];
        uint64_t counts[5];
        class_counts_of(section, counts);
        size_t line_start = text->nbytes;
        text_printf(
            text, "  %08" PRIX32 "  %10" PRIu32 "  %12" PRIu64 "  %8" PRIu64 "  %8" PRIu64 "  %8" PRIu64 "  ",
            section->rva, section->nbytes, counts[BYTE_INSTRUCTION] + counts[BYTE_INSTRUCTION_TAIL],
            counts[BYTE_DATA], counts[BYTE_PADDING], counts[BYTE_UNKNOWN]);
        layout_wrap(text, line_start, 0, section_name(&outcome->image, section->section));
        add_unknown_runs(text, section);
    }
}

static void add_path_line(struct text *text, const struct outcome *outcome)
{
    size_t line_start = text->nbytes;
    safe_add_path(text, outcome->path);
    safe_end_line(text, line_start);
}

void show_regions(struct text *text, const struct outcome *outcome, const struct report_style *style)
{
    add_path_line(text, outcome);
    add_file_regions(text, &outcome->image);
    add_extents(text, &outcome->image, &outcome->refs);
    add_code(text, outcome);
    if (!style->quiet)
        show_unread(text, &outcome->refs);
}
