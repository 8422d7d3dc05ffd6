/* fuzz_cli_text.c - reports about any image, under any path.
 * Claims: text is valid UTF-8 without control characters; a line that MSBuild takes for an error or a warning
 * is one of ours, with a code of ours, and there are as many as findings of those levels; JSON is JSON; text
 * and JSON are the same for the same input; their size is linear. */
#include "fuzz.h"
#include "report/report_html.h"
#include "report_claims.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_NBYTES = 200, REPORT_BYTES_PER_BYTE = 3000, REPORT_BYTES_CONSTANT = 200000 };

/* A line " : error HVCI2003: " behind the path as it is printed. */
static bool is_genuine(const char *line, size_t nbytes)
{
    static const char *const levels[] = {" : error HVCI", " : warning HVCI"};
    char copy[4096];
    size_t length = nbytes < sizeof copy - 1 ? nbytes : sizeof copy - 1;
    memcpy(copy, line, length);
    copy[length] = 0;
    for (size_t i = 0; i < 2; i++) {
        const char *found = strstr(copy, levels[i]);
        if (!found)
            continue;
        const char *code = found + strlen(levels[i]);
        if (strspn(code, "0123456789") == 4 && strncmp(code + 4, ": ", 2) == 0)
            return true;
    }
    return false;
}

static void claim_text(const struct text *text, size_t input_nbytes, bool has_colors)
{
    const char *chars = text->chars ? text->chars : "";
    size_t bad = first_bad_character(chars, text->nbytes, has_colors);
    CLAIM(bad == text->nbytes, "character 0x%02X at %zu of a text report", (unsigned char)chars[bad], bad);
    CLAIM(text->nbytes <= REPORT_BYTES_PER_BYTE * input_nbytes + REPORT_BYTES_CONSTANT,
          "a text report of %zu bytes on %zu", text->nbytes, input_nbytes);
}

/* Lines that pass for diagnostics; each must be one that a finding made. */
static size_t count_diagnostics(const struct text *text)
{
    size_t count = 0;
    for (size_t at = 0; at < text->nbytes;) {
        const char *line = text->chars + at;
        const char *end = memchr(line, '\n', text->nbytes - at);
        CLAIM(end, "the last line of a text report does not end");
        size_t nbytes = (size_t)(end - line);
        if (is_diagnostic(line, nbytes)) {
            CLAIM(is_genuine(line, nbytes), "MSBuild would take this for a diagnostic: %.*s", (int)nbytes,
                  line);
            count++;
        }
        at += nbytes + 1;
    }
    return count;
}

static void claim_json(const struct text *text, size_t input_nbytes)
{
    size_t bad = first_bad_json(text->chars, text->nbytes);
    CLAIM(bad == text->nbytes, "a JSON report is no JSON at %zu: %.*s", bad,
          (int)(text->nbytes - bad < 60 ? text->nbytes - bad : 60), text->chars + bad);
    bad = first_bad_utf8(text->chars, text->nbytes);
    CLAIM(bad == text->nbytes, "character 0x%02X at %zu of a JSON report", (unsigned char)text->chars[bad],
          bad);
    CLAIM(text->nbytes <= REPORT_BYTES_PER_BYTE * input_nbytes + REPORT_BYTES_CONSTANT,
          "a JSON report of %zu bytes on %zu", text->nbytes, input_nbytes);
}

/* A page by one image: text that a browser takes for nothing else, as many pictures begun as ended. */
static void claim_html(const struct outcome *outcome, struct arena *arena, size_t input_nbytes)
{
    static const struct report_settings settings;
    struct text fragment = {.arena = arena}, page = {.arena = arena};
    struct report_run run = {.verb = "fix", .target = outcome->target, .settings = &settings};
    report_html_image(&fragment, outcome, &settings);
    report_html_whole(&page, &run, fragment.chars, fragment.nbytes);
    size_t bad = first_bad_character(page.chars, page.nbytes, false), open_count = 0;
    CLAIM(bad == page.nbytes, "character 0x%02X at %zu of a page", (unsigned char)page.chars[bad], bad);
    CLAIM(page.nbytes <= REPORT_BYTES_PER_BYTE * input_nbytes + REPORT_BYTES_CONSTANT,
          "a page of %zu bytes on %zu", page.nbytes, input_nbytes);
    CLAIM(!strstr(page.chars, "<script") && !strstr(page.chars, "<img"), "an image has made markup");
    for (const char *at = page.chars; (at = strchr(at, '<')) != NULL; at++)
        open_count += strncmp(at, "<svg ", 5) == 0 ? 1 : strncmp(at, "</svg>", 6) == 0 ? SIZE_MAX : 0;
    CLAIM(open_count == 0, "a picture does not end");
}

/* Everything that can be said of one outcome. Returns the first text, to compare. */
static struct text report_all(const struct outcome *outcome, struct arena *arena, size_t input_nbytes)
{
    struct text first = {.arena = arena};
    for (unsigned variant = 0; variant < 4; variant++) {
        struct report_style style = {.color = (variant & 1) != 0, .quiet = (variant & 2) != 0};
        struct report_totals totals = {0};
        struct text text = {.arena = arena};
        report_text_image(&text, outcome, &style);
        report_count(&totals, outcome);
        if (outcome->has_plan)
            report_text_plan(&text, outcome, &style);
        report_text_summary(&text, &totals, &style);
        claim_text(&text, input_nbytes, style.color);
        if (variant != 0)
            continue;
        size_t genuine_count = totals.finding_errors + totals.finding_warnings;
        size_t diagnostic_count = count_diagnostics(&text);
        CLAIM(diagnostic_count == genuine_count,
              "%zu lines pass for diagnostics, %zu findings are errors or warnings", diagnostic_count,
              genuine_count);
        first = text;
    }
    if (outcome->has_verdict) {
        struct text verdict = {.arena = arena};
        report_text_verdict(&verdict, outcome->path, outcome->path, &outcome->verdict,
                            &(struct report_style){0});
        claim_text(&verdict, input_nbytes, false);
    }
    struct text json = {.arena = arena};
    report_json_begin(&json);
    report_json_image(&json, outcome, true);
    report_json_image(&json, outcome, false);
    report_json_end(&json);
    claim_json(&json, input_nbytes);
    claim_html(outcome, arena, input_nbytes);
    return first;
}

static void show_all(const struct outcome *outcome, struct arena *arena, size_t input_nbytes)
{
    static const struct report_style plain = {false, false};
    for (unsigned what = SHOW_PAGES; what <= SHOW_REFERENCES; what++) {
        struct text text = {.arena = arena}, json = {.arena = arena};
        report_text_show(&text, outcome, (enum show_what)what, &plain);
        claim_text(&text, input_nbytes, false);
        (void)count_diagnostics(&text);
        report_json_begin(&json);
        report_json_show(&json, outcome, (enum show_what)what, true);
        report_json_end(&json);
        claim_json(&json, input_nbytes);
    }
    struct text pair = {.arena = arena};
    report_text_show_pair(&pair, outcome, outcome, &plain);
    claim_text(&pair, input_nbytes, false);
}

/* A path as hostile as the image: the bytes behind the headers, without NUL. */
static const char *path_of(struct span file, char path[PATH_NBYTES])
{
    static const char *const traps[] = {
        "x.sys", "a : error HVCI2003: b", "C:\\d\\x.sys", "error :", "\xFF\xFE", "a\nb"};
    size_t length = 0;
    uint8_t kind = file.nbytes > 0x3B ? file.bytes[0x3B] : 0;
    if (kind < 0x80)
        return traps[kind % 6];
    for (size_t at = 0x3A; at < file.nbytes && length < PATH_NBYTES - 1 && file.bytes[at] != 0; at++)
        path[length++] = (char)file.bytes[at];
    path[length] = 0;
    return path;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    static const enum pipeline_goal goals[] = {GOAL_CHECK, GOAL_SHOW, GOAL_FIX};
    static const struct work_limit reporting = {5000, 5000000, 4000, 4000000};
    char path[PATH_NBYTES];
    struct span file = {data, nbytes};
    for (size_t i = 0; i < sizeof goals / sizeof goals[0]; i++) {
        struct pipeline_options options = {
            .goal = goals[i], .target = TARGET_DEFAULT, .dry_run = true, .drop_signature = true};
        struct outcome outcome;
        struct arena arena;
        arena_init(&arena, NULL);
        pipeline_on_bytes(file, &options, &outcome);
        outcome.path = path_of(file, path);
        struct work work = work_begin(&arena);
        struct text text = report_all(&outcome, &arena, nbytes);
        struct text again = report_all(&outcome, &arena, nbytes);
        CLAIM(text.nbytes == again.nbytes && memcmp(text.chars, again.chars, text.nbytes) == 0,
              "two texts about one outcome differ");
        if (goals[i] == GOAL_SHOW)
            show_all(&outcome, &arena, nbytes);
        work_end(&work, &arena, nbytes, &reporting, "the reports");
        arena_free(&arena);
        pipeline_release(&outcome);
    }
    return 0;
}
