/* report_sinks.c - report_sinks.h.
 * Takes: fragments.  Gives: files.  Must not: know formats but by their table. */
#include "cli/report_sinks.h"

#include "cli/console.h"
#include "io/file.h"
#include "io/gzip.h"
#include "report/safe_text.h"

#include <string.h>

void report_sinks_open(struct report_sinks *sinks)
{
    for (size_t i = 0; i < sinks->count; i++) {
        struct report_sink *sink = &sinks->items[i];
        arena_init(&sink->arena, NULL);
        sink->fragments = (struct text){.arena = &sink->arena};
    }
}

void report_sinks_close(struct report_sinks *sinks)
{
    for (size_t i = 0; i < sinks->count; i++)
        arena_free(&sinks->items[i].arena);
}

bool report_sinks_image(const struct report_sinks *sinks, const struct outcome *outcome, struct text *text,
                        struct image_report *report)
{
    for (size_t i = 0; i < sinks->count; i++) {
        size_t start_nbytes = text->nbytes;
        report_formats[sinks->items[i].wish.format].image(text, outcome, sinks->settings);
        report->fragment_nbytes[i] = text->nbytes - start_nbytes;
    }
    return !text->arena->exhausted;
}

static void keep(struct report_sink *sink, const char *fragment, size_t nbytes)
{
    if (nbytes == 0)
        return;
    if (sink->has_fragments)
        text_addz(&sink->fragments, report_formats[sink->wish.format].separator);
    text_add(&sink->fragments, fragment, nbytes);
    sink->has_fragments = true;
}

void report_sinks_keep(struct report_sinks *sinks, const struct image_report *report, const char *path)
{
    const char *fragment = report->chars + report->shown_nbytes;
    char room[REPORT_SCARCE_NBYTES];
    for (size_t i = 0; i < sinks->count; i++) {
        struct report_sink *sink = &sinks->items[i];
        if (!report->is_scarce) {
            keep(sink, fragment, report->fragment_nbytes[i]);
            fragment += report->fragment_nbytes[i];
            continue;
        }
        struct outcome outcome = {.path = path, .wrote = report->was_written};
        keep(sink, room, report_scarce_fragment(room, &outcome, sink->wish.format, sinks->settings));
    }
}

static void complain(const char *path, const char *message)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct text shown = {.arena = &arena};
    safe_add_path(&shown, path);
    console_complain("%s : error HVCI9007: The report could not be written: %s\n",
                     arena.exhausted ? "hvcifix" : shown.chars, message);
    arena_free(&arena);
}

static bool write_sink(struct report_sink *sink, const struct report_run *run, FILE *stream)
{
    static const char no_memory[] = "there was not enough memory for it.";
    struct arena *arena = &sink->arena;
    struct text whole = {.arena = arena};
    struct finding error;
    const char *fragments = sink->fragments.chars ? sink->fragments.chars : "";
    if (!arena->exhausted)
        report_formats[sink->wish.format].whole(&whole, run, fragments, sink->fragments.nbytes);
    if (arena->exhausted) {
        complain(sink->wish.path ? sink->wish.path : "hvcifix", no_memory);
        return false;
    }
    if (!sink->wish.path) {
        if (whole.nbytes != 0)
            console_write(stream, whole.chars, whole.nbytes); /* failures are seen by ferror() */
        return true;
    }
    struct file_replacement replacement = {
        .path = sink->wish.path, .bytes = {(const uint8_t *)whole.chars, whole.nbytes}, .mode = 0644};
    if (sink->wish.is_gzip && !gzip_compress(replacement.bytes, arena, &replacement.bytes)) {
        complain(sink->wish.path, no_memory);
        return false;
    }
    if (file_replace(&replacement, arena, &error) == FILE_WRITTEN)
        return true;
    complain(sink->wish.path, error.message);
    return false;
}

enum exit_code report_sinks_write(struct report_sinks *sinks, const struct report_run *run, FILE *stream)
{
    struct report_run so_far = *run;
    bool is_written = true;
    for (size_t i = 0; i < sinks->count; i++) {
        if (!write_sink(&sinks->items[i], &so_far, stream))
            is_written = false;
        arena_free(&sinks->items[i].arena); /* the next finds the room */
        arena_init(&sinks->items[i].arena, NULL);
    }
    return is_written ? EXIT_CLEAN : EXIT_WRITE;
}
