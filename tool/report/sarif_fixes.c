/* sarif_fixes.c - repairs as replacements of bytes.
 * Takes: a plan.  Gives: the member fixes.  Must not: show a repair that moves things as if it were some
 * bytes. */
#include "report/sarif.h"
#include "report/text_changes.h"

#include "base/pe_format.h"

/* Little-endian bytes in base64 (RFC 4648). */
static void add_base64(struct json_writer *json, uint64_t value, uint32_t nbytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char chars[16];
    size_t count = 0;
    for (uint32_t i = 0; i < nbytes; i += 3) {
        uint32_t bits = 0, left = nbytes - i;
        for (uint32_t k = 0; k < 3; k++)
            bits = bits << 8 | (k < left ? (uint32_t)(value >> (8 * (i + k))) & 0xFF : 0);
        for (uint32_t k = 0; k < 4; k++)
            chars[count++] = k <= left ? digits[bits >> (18 - 6 * k) & 0x3F] : '=';
    }
    chars[count] = 0;
    json_text(json, "binary", chars);
}

static void add_replacement(struct json_writer *json, const struct change *change, uint64_t new_value)
{
    json_begin_object(json, NULL);
    json_begin_object(json, "deletedRegion");
    json_number(json, "byteOffset", change->file_offset);
    json_number(json, "byteLength", change->width_nbytes);
    json_end_object(json);
    json_begin_object(json, "insertedContent");
    add_base64(json, new_value, change->width_nbytes);
    json_end_object(json);
    json_end_object(json);
}

static bool is_field(const struct change *change)
{
    return change->width_nbytes != 0 && change->width_nbytes <= sizeof(uint64_t) &&
           (change->kind == CHANGE_SECTION_CHARACTERISTICS || change->kind == CHANGE_CHECKSUM);
}

/* Can all of the plan be said as fields that get another value? */
static bool has_fields_only(const struct outcome *outcome)
{
    uint64_t new_value;
    for (size_t i = 0; i < outcome->plan.change_count; i++)
        if (!is_field(&outcome->plan.changes[i]) ||
            !change_new_value(outcome, &outcome->plan.changes[i], &new_value))
            return false;
    return true;
}

static bool cures(const struct change *change, const struct finding *finding)
{
    return change->rule == finding->code &&
           change->file_offset - SECTION_CHARACTERISTICS == finding->file_offset;
}

void sarif_fixes(struct json_writer *json, const struct outcome *outcome, const struct finding *finding)
{
    bool is_done_in_place = outcome->wrote && !outcome->output_path;
    const struct change *cure = NULL;
    if (!outcome->has_plan || outcome->plan.verdict != PLAN_CHANGE || is_done_in_place ||
        !has_fields_only(outcome))
        return;
    for (size_t i = 0; i < outcome->plan.change_count && !cure; i++)
        if (cures(&outcome->plan.changes[i], finding))
            cure = &outcome->plan.changes[i];
    if (!cure)
        return;
    json_begin_array(json, "fixes");
    json_begin_object(json, NULL);
    json_begin_object(json, "description");
    json_text(json, "text", cure->why);
    json_end_object(json);
    json_begin_array(json, "artifactChanges");
    json_begin_object(json, NULL);
    json_begin_object(json, "artifactLocation");
    sarif_location_members(json, outcome->path);
    sarif_index(json, "index", SARIF_ARTIFACTS, 0);
    json_end_object(json);
    json_begin_array(json, "replacements");
    for (size_t i = 0; i < outcome->plan.change_count; i++) {
        const struct change *change = &outcome->plan.changes[i];
        uint64_t new_value;
        /* The checksum follows from all fields together. */
        if ((change == cure || change->kind == CHANGE_CHECKSUM) &&
            change_new_value(outcome, change, &new_value))
            add_replacement(json, change, new_value);
    }
    json_end_array(json);
    json_end_object(json);
    json_end_array(json);
    json_end_object(json);
    json_end_array(json);
}
