/* sarif_whole.c - the SARIF log of a run.
 * Takes: fragments.  Gives: the log.  Must not: take longer than a few passes over the fragments. */
#include "report/digits.h"
#include "report/report_policy.h"
#include "report/sarif.h"
#include "version.h"

#define SCHEMA "https://json.schemastore.org/sarif-2.1.0.json"

struct chunk {
    enum sarif_stream stream;
    const char *chars;
    size_t nbytes;
};

/* The next chunk at or behind *offset; false behind the last. */
static bool next_chunk(const char *fragments, size_t nbytes, size_t *offset, struct chunk *chunk)
{
    if (*offset >= nbytes)
        return false;
    chunk->stream = (enum sarif_stream)fragments[*offset];
    chunk->chars = fragments + *offset + 1;
    size_t end = *offset + 1;
    while (end < nbytes && (fragments[end] <= 0 || fragments[end] >= SARIF_STREAM_END))
        end++;
    chunk->nbytes = end - *offset - 1;
    *offset = end;
    return true;
}

/* How many elements of each stream the images before have. */
struct bases {
    size_t counts[SARIF_STREAM_END];
};

/* The elements of a chunk of artifacts or addresses: each begins at the line start of its depth. */
static size_t element_count(const struct chunk *chunk)
{
    static const char begin[] = "\n        {";
    size_t count = 0;
    for (size_t i = 0; i + sizeof begin - 1 <= chunk->nbytes; i++)
        count += memcmp(chunk->chars + i, begin, sizeof begin - 1) == 0;
    return count;
}

/* The chunk with its indices made whole. */
static void add_chunk(struct text *text, const struct chunk *chunk, const struct bases *bases)
{
    const char *at = chunk->chars, *end = chunk->chars + chunk->nbytes;
    while (at < end) {
        const char *mark = memchr(at, SARIF_INDEX_MARK, (size_t)(end - at));
        text_add(text, at, (size_t)((mark ? mark : end) - at));
        if (!mark)
            return;
        size_t number = 0;
        for (at = mark + 2; *at >= '0' && *at <= '9'; at++)
            number = number * 10 + (size_t)(*at - '0');
        digits_decimal(text, bases->counts[mark[1] - '0'] + number);
        at++; /* the mark behind */
    }
}

/* The elements of one stream as the content of an array that is open. Returns their chunks' number. */
static void add_stream(struct json_writer *json, enum sarif_stream stream, const char *fragments,
                       size_t nbytes)
{
    struct bases bases = {{0}}, next = {{0}};
    struct chunk chunk;
    size_t offset = 0;
    while (next_chunk(fragments, nbytes, &offset, &chunk)) {
        if (chunk.stream == SARIF_ARTIFACTS)
            bases = next; /* an image begins with its artifact */
        if (chunk.stream == SARIF_ARTIFACTS || chunk.stream == SARIF_ADDRESSES)
            next.counts[chunk.stream] += element_count(&chunk);
        if (chunk.stream != stream || chunk.nbytes == 0)
            continue;
        if (!json->is_first_member)
            text_add(json->text, ",", 1);
        json->is_first_member = false;
        add_chunk(json->text, &chunk, &bases);
    }
}

static void add_array(struct json_writer *json, const char *key, enum sarif_stream stream,
                      const char *fragments, size_t nbytes)
{
    json_begin_array(json, key);
    add_stream(json, stream, fragments, nbytes);
    json_end_array(json);
}

static void add_tool(struct json_writer *json)
{
    json_begin_object(json, "tool");
    json_begin_object(json, "driver");
    json_text(json, "name", "hvcifix");
    json_text(json, "version", HVCIFIX_VERSION);
    json_text(json, "semanticVersion", HVCIFIX_VERSION);
    sarif_descriptors(json);
    json_end_object(json);
    json_end_object(json);
}

static void add_notification(struct json_writer *json, enum finding_code code, enum finding_level level,
                             const char *message)
{
    json_begin_object(json, NULL);
    json_begin_object(json, "descriptor");
    json_code(json, "id", code);
    json_end_object(json);
    json_text(json, "level", finding_level_name(level));
    json_begin_object(json, "message");
    json_text(json, "text", message);
    json_end_object(json);
    json_end_object(json);
}

/* Waivers that have expired, and those that have nothing to waive. */
static void add_configuration_notifications(struct json_writer *json, const struct report_run *run)
{
    struct arena *arena = json->text->arena;
    json_begin_array(json, "toolConfigurationNotifications");
    for (size_t i = 0; run->policy && i < run->policy->waiver_count; i++) {
        const struct waiver *waiver = &run->policy->waivers[i];
        if (waiver->expires < run->policy->today)
            add_notification(json, HVCI9042_WAIVER_EXPIRED, report_expired_level(run->policy, run->verb),
                             report_expired_waiver(waiver, arena));
        if (run->waiver_uses && run->waiver_uses[i] == WAIVER_UNUSED)
            add_notification(json, HVCI9043_WAIVER_UNUSED, LEVEL_WARNING,
                             arena_printf(arena, "The waiver '%s' of HVCI%04u waives nothing.", waiver->name,
                                          (unsigned)waiver->code));
    }
    json_end_array(json);
}

static bool has_failed(enum exit_code exit_code)
{
    return exit_code != EXIT_CLEAN && exit_code != EXIT_FINDINGS;
}

static void add_invocation(struct json_writer *json, const struct report_run *run, const char *fragments,
                           size_t nbytes)
{
    json_begin_array(json, "invocations");
    json_begin_object(json, NULL);
    json_bool(json, "executionSuccessful", !has_failed(run->exit_code));
    json_number(json, "exitCode", (uint64_t)run->exit_code);
    sarif_overrides(json, run->policy);
    add_array(json, "toolExecutionNotifications", SARIF_NOTIFICATIONS, fragments, nbytes);
    add_configuration_notifications(json, run);
    json_end_object(json);
    json_end_array(json);
}

static void add_automation(struct json_writer *json, const struct report_run *run)
{
    const char *category = run->settings->category;
    json_begin_object(json, "automationDetails");
    json_text(json, "id",
              category ? arena_printf(json->text->arena, "%s/", category)
                       : arena_printf(json->text->arena, "hvcifix/%s/", run->verb));
    json_end_object(json);
}

static void add_uri_base(struct json_writer *json)
{
    json_begin_object(json, "originalUriBaseIds");
    json_begin_object(json, SARIF_URI_BASE);
    json_begin_object(json, "description");
    json_text(json, "text", "The folder that hvcifix ran in.");
    json_end_object(json);
    json_end_object(json);
    json_end_object(json);
}

static void add_run_properties(struct json_writer *json, const struct report_run *run)
{
    json_begin_object(json, "properties");
    json_text(json, "verb", run->verb);
    json_text(json, "target", target_name(run->target));
    if (run->policy) {
        json_text(json, "policy", run->policy->name);
        json_text(json, "mode", policy_mode_name(run->policy->mode));
    }
    json_number(json, "images", run->totals.images);
    json_end_object(json);
}

void sarif_whole(struct text *text, const struct report_run *run, const char *fragments,
                 size_t fragments_nbytes)
{
    struct json_writer json;
    json_begin_root(&json, text);
    json_text(&json, "$schema", SCHEMA);
    json_text(&json, "version", "2.1.0");
    json_begin_array(&json, "runs");
    json_begin_object(&json, NULL);
    add_tool(&json);
    add_automation(&json, run);
    add_invocation(&json, run, fragments, fragments_nbytes);
    add_uri_base(&json);
    json_text(&json, "columnKind", "utf16CodeUnits");
    add_array(&json, "artifacts", SARIF_ARTIFACTS, fragments, fragments_nbytes);
    add_array(&json, "addresses", SARIF_ADDRESSES, fragments, fragments_nbytes);
    json_begin_array(&json, "results");
    add_stream(&json, SARIF_RESULTS, fragments, fragments_nbytes);
    sarif_absent_results(&json, run);
    json_end_array(&json);
    add_run_properties(&json, run);
    json_end_object(&json);
    json_end_array(&json);
    json_end_object(&json);
    text_addz(text, "\n");
}
