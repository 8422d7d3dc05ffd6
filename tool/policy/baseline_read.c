/* baseline_read.c - a SARIF log as a baseline, read with cJSON.
 * Takes: a path.  Gives: struct baseline.  Must not: trust the file: size, depth and number of values are
 * looked at before the library sees it, and whatever is not as hvcifix writes it is an error. */
#include "policy/baseline.h"

#include "base/json_bounds.h"
#include "base/text.h"
#include "io/file.h"
#include "io/gzip.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_NBYTES = 128 * 1024 * 1024,
    MOST_DEPTH = 64,
    MOST_VALUES = 4 * 1000 * 1000, /* each takes the library about 100 bytes */
    MOST_ENTRIES = 200 * 1000
};

struct reader {
    struct arena *arena;
    struct baseline *baseline;
    size_t capacity;
    const char *message;
};

static bool fail(struct reader *reader, const char *message)
{
    if (!reader->message)
        reader->message = message;
    return false;
}

static bool is_bounded(struct reader *reader, struct span text)
{
    switch (json_bounds_of(text, MOST_DEPTH, MOST_VALUES)) {
    case JSON_TOO_DEEP:
        return fail(reader, "it is nested too deeply.");
    case JSON_TOO_MANY_VALUES:
        return fail(reader, "it holds too many values.");
    case JSON_IN_BOUNDS:
        break;
    }
    return true;
}

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_IsObject(object) ? cJSON_GetObjectItemCaseSensitive(object, name) : NULL;
}

static const char *string_member(const cJSON *object, const char *name)
{
    const cJSON *value = member(object, name);
    return cJSON_IsString(value) ? value->valuestring : NULL;
}

/* Where in its image a result is: where the github profile shows another file, that is the related location.
 */
static const cJSON *image_place(const cJSON *result)
{
    const cJSON *related = cJSON_GetArrayItem(member(result, "relatedLocations"), 0);
    const cJSON *location = related ? related : cJSON_GetArrayItem(member(result, "locations"), 0);
    return member(location, "physicalLocation");
}

/* 0 where there is no such number, or one that readers of SARIF refuse. */
static uint32_t count_member(const cJSON *object, const char *name)
{
    const cJSON *value = member(object, name);
    bool fits = cJSON_IsNumber(value) && value->valuedouble >= 0 && value->valuedouble <= INT32_MAX;
    return fits ? (uint32_t)value->valuedouble : 0;
}

static bool is_fingerprint(const char *text)
{
    return text && strlen(text) == FINGERPRINT_CHARS && strspn(text, "0123456789abcdef") == FINGERPRINT_CHARS;
}

static enum finding_level level_of(const char *word)
{
    for (enum finding_level level = LEVEL_NOTE; word && level <= LEVEL_ERROR; level++)
        if (strcmp(word, finding_level_name(level)) == 0)
            return level;
    return LEVEL_OFF; /* excuses nothing */
}

static const char *copy(struct reader *reader, const char *text)
{
    const char *copied = arena_copy_text(reader->arena, text ? text : "", text ? strlen(text) : 0);
    return copied ? copied : "";
}

static bool add_result(struct reader *reader, const cJSON *result)
{
    struct baseline *baseline = reader->baseline;
    const char *kind = string_member(result, "kind"), *state = string_member(result, "baselineState");
    if (!cJSON_IsObject(result))
        return fail(reader, "a result in it is no object.");
    if ((kind && strcmp(kind, "fail") != 0) || (state && strcmp(state, "absent") == 0))
        return true; /* no finding of that run */
    const char *fingerprint = string_member(member(result, "partialFingerprints"), "hvcifixFinding/v1");
    const cJSON *place = image_place(result), *region = member(place, "region");
    const char *uri = string_member(member(place, "artifactLocation"), "uri"),
               *message = string_member(member(result, "message"), "text");
    if (!is_fingerprint(fingerprint) || !uri || !message || !string_member(result, "ruleId"))
        return fail(reader, "a result in it has no fingerprint of hvcifix, no rule, no message or no image.");
    if (baseline->count == MOST_ENTRIES)
        return fail(reader, "it has too many results.");
    const cJSON *places = member(member(result, "properties"), "places");
    bool has_places = cJSON_IsNumber(places) && places->valuedouble >= 1 && places->valuedouble < 1e15;
    struct baseline_entry *entries = arena_grow(reader->arena, baseline->entries, baseline->count,
                                                &reader->capacity, baseline->count + 1, sizeof *entries);
    if (!entries)
        return false;
    baseline->entries = entries;
    struct baseline_entry *entry = &entries[baseline->count++];
    *entry = (struct baseline_entry){
        .uri = copy(reader, uri),
        .rule = copy(reader, string_member(result, "ruleId")),
        .message = copy(reader, message),
        .level = level_of(string_member(result, "level")),
        .place_count = has_places ? (uint64_t)places->valuedouble : 1,
        .byte_offset = count_member(region, "byteOffset"),
        .byte_count = count_member(region, "byteLength"),
        .was_waived = cJSON_GetArraySize(member(result, "suppressions")) != 0,
    };
    memcpy(entry->fingerprint.chars, fingerprint, sizeof entry->fingerprint.chars);
    return true;
}

static bool add_run(struct reader *reader, const cJSON *run)
{
    const char *name = string_member(member(member(run, "tool"), "driver"), "name");
    const cJSON *results = member(run, "results"), *result;
    if (!name || strcmp(name, "hvcifix") != 0)
        return fail(reader, "a run in it is not by hvcifix.");
    if (!cJSON_IsArray(results))
        return fail(reader, "a run in it has no results.");
    cJSON_ArrayForEach(result, results) if (!add_result(reader, result)) return false;
    return true;
}

static bool add_log(struct reader *reader, const cJSON *log)
{
    const char *version = string_member(log, "version");
    const cJSON *runs = member(log, "runs"), *run;
    if (!version || strcmp(version, "2.1.0") != 0 || !cJSON_IsArray(runs) || cJSON_GetArraySize(runs) == 0)
        return fail(reader, "it is no SARIF 2.1.0 log with a run.");
    cJSON_ArrayForEach(run, runs) if (!add_run(reader, run)) return false;
    return true;
}

static int by_fingerprint(const void *a, const void *b)
{
    const struct baseline_entry *x = a, *y = b;
    int order = strcmp(x->fingerprint.chars, y->fingerprint.chars);
    return order != 0 ? order : strcmp(x->uri, y->uri);
}

static bool parse(struct reader *reader, struct span text)
{
    const char *end = NULL;
    cJSON *log = cJSON_ParseWithLengthOpts((const char *)text.bytes, text.nbytes, &end, false);
    if (!log)
        return fail(reader, "it is no JSON, or there is too little memory to read it.");
    const char *text_end = (const char *)text.bytes + text.nbytes;
    while (end < text_end && (*end == ' ' || *end == '\n' || *end == '\r' || *end == '\t'))
        end++;
    bool is_read = end == text_end ? add_log(reader, log) : fail(reader, "something stands behind its JSON.");
    cJSON_Delete(log);
    return is_read;
}

static bool unpack(struct reader *reader, struct span *text)
{
    if (!gzip_is(*text)) {
        if (text->nbytes > MOST_NBYTES)
            return fail(reader, "it is larger than 128 MiB.");
        return true;
    }
    switch (gzip_decompress(*text, MOST_NBYTES, reader->arena, text)) {
    case GUNZIP_DONE:
        return true;
    case GUNZIP_TOO_LARGE:
        return fail(reader, "it is larger than 128 MiB when it is decompressed.");
    case GUNZIP_NO_MEMORY:
        reader->arena->exhausted = true;
        return false;
    case GUNZIP_DAMAGED:
        break;
    }
    return fail(reader, "its gzip data are damaged.");
}

bool baseline_read(const char *path, struct arena *arena, struct baseline *baseline, const char **message)
{
    struct reader reader = {.arena = arena, .baseline = baseline};
    struct file_content file;
    struct finding error;
    *baseline = (struct baseline){.path = path};
    bool is_read = file_read(path, arena, &file, &error) || fail(&reader, error.message);
    is_read = is_read && unpack(&reader, &file.bytes) && is_bounded(&reader, file.bytes) &&
              parse(&reader, file.bytes);
    if (arena->exhausted)
        return false;
    if (baseline->count > 1)
        qsort(baseline->entries, baseline->count, sizeof *baseline->entries, by_fingerprint);
    if (!is_read)
        *message = arena_printf(arena, "The baseline cannot be used: %s", reader.message);
    return is_read;
}
