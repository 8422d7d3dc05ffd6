/* show_calls.c - every call of a function of Windows, with what is known of its arguments.
 * Takes: an outcome with its calls.  Gives: text or JSON.  Must not: judge. */
#include "report/digits.h"
#include "report/json_writer.h"
#include "report/layout.h"
#include "report/safe_text.h"
#include "report/show_lists.h"
#include "report/text_finding.h"

enum { FUNCTION_COLUMN = 12, CALL_COLUMN = 22, VERDICT_INDENT = 24 };

static void add_verdict(struct text *text, const struct call_site *site)
{
    size_t line_start = text->nbytes;
    text_pad_to_column(text, line_start, VERDICT_INDENT);
    text_addz(text, site_verdict_name(site->verdict));
    if (site->values) {
        text_addz(text, ": ");
        text_addz(text, site->api->argument_name ? site->api->argument_name : "argument");
        text_addz(text, " is ");
        safe_add(text, site->values);
    }
    if (site->reason) {
        text_addz(text, site->values ? "; " : ": ");
        safe_add(text, site->reason);
    }
    safe_end_line(text, line_start);
}

static void add_call(struct text *text, const struct listed_call *call)
{
    size_t line_start = text->nbytes;
    text_addz(text, "  ");
    digits_hex(text, call->rva, 8);
    text_pad_to_column(text, line_start, FUNCTION_COLUMN);
    digits_hex(text, call->function_rva, 8);
    text_pad_to_column(text, line_start, CALL_COLUMN);
    safe_add(text, call->name);
    text_addz(text, "(");
    safe_add(text, call->arguments);
    text_addz(text, ")");
    if (call->function_name) {
        text_addz(text, "  in ");
        safe_add(text, call->function_name);
    }
    safe_end_line(text, line_start);
    if (call->site)
        add_verdict(text, call->site);
}

/* "3 executable, 2 no-execute, ...": so that silence is never taken for safety. */
static void add_counts(struct text *text, const struct call_list *calls)
{
    size_t line_start = text->nbytes;
    text_addz(text, "  ");
    layout_count(text, calls->sites.count, "call", "calls");
    text_addz(text, " may ask for executable memory: ");
    for (size_t i = 0; i < SITE_VERDICT_COUNT; i++) {
        text_addz(text, i == 0 ? "" : ", ");
        digits_decimal(text, calls->verdict_counts[i]);
        text_addz(text, " ");
        text_addz(text, site_verdict_name((enum site_verdict)i));
    }
    safe_end_line(text, line_start);
}

/* Places with code that fights memory integrity. */
static void add_integrity(struct text *text, const struct integrity_list *list)
{
    size_t line_start = text->nbytes;
    if (list->count == 0)
        return;
    text_addz(text, "  ");
    layout_count(text, list->count, "place", "places");
    text_addz(text, " with code that fights memory integrity");
    safe_end_line(text, line_start);
    for (size_t i = 0; i < list->count; i++) {
        const struct integrity_site *site = &list->items[i];
        line_start = text->nbytes;
        text_addz(text, "  ");
        digits_hex(text, site->rva, 8);
        text_pad_to_column(text, line_start, FUNCTION_COLUMN);
        digits_hex(text, site->function_rva, 8);
        text_pad_to_column(text, line_start, CALL_COLUMN);
        text_printf(text, "HVCI%04u %s; ", (unsigned)site->code,
                    site->verdict == SITE_EXECUTABLE ? "proved" : site_verdict_name(site->verdict));
        safe_add(text, site->what);
        if (site->reason) {
            text_addz(text, "; ");
            safe_add(text, site->reason);
        }
        if (site->function_name) {
            text_addz(text, "  in ");
            safe_add(text, site->function_name);
        }
        safe_end_line(text, line_start);
    }
}

/* Why functions have no names that were asked for. */
static void add_names_notes(struct text *text, const struct outcome *outcome,
                            const struct report_style *style)
{
    const struct finding_list *notes = &outcome->image.notes;
    for (size_t i = 0; outcome->names_refused && i < notes->count; i++)
        if (notes->items[i].code == outcome->names_refused)
            text_finding_line(text, outcome->path, &notes->items[i], LEVEL_NOTE, "", style);
}

void show_calls(struct text *text, const struct outcome *outcome, const struct report_style *style)
{
    const struct call_list *calls = &outcome->calls;
    add_names_notes(text, outcome, style);
    size_t line_start = text->nbytes;
    safe_add_path(text, outcome->path);
    text_addz(text, ": ");
    if (!outcome->has_code || !outcome->code.decoded) {
        text_addz(text, "calls are not listed: ");
        safe_add(text, outcome->has_code ? outcome->code.not_decoded_reason : "the code was not read.");
        safe_end_line(text, line_start);
        return;
    }
    layout_count(text, calls->count, "call", "calls");
    text_addz(text, " of functions of Windows");
    safe_end_line(text, line_start);
    if (!style->quiet)
        add_counts(text, calls);
    line_start = text->nbytes;
    text_addz(text, "  at RVA");
    text_pad_to_column(text, line_start, FUNCTION_COLUMN);
    text_addz(text, "function");
    text_pad_to_column(text, line_start, CALL_COLUMN);
    text_addz(text, "call");
    safe_end_line(text, line_start);
    for (size_t i = 0; i < calls->count; i++)
        add_call(text, &calls->items[i]);
    add_integrity(text, &calls->sites.integrity);
}

void show_calls_json(struct json_writer *json, const struct outcome *outcome)
{
    const struct call_list *calls = &outcome->calls;
    bool is_read = outcome->has_code && outcome->code.decoded;
    json_text(json, "not_read",
              is_read             ? NULL
              : outcome->has_code ? outcome->code.not_decoded_reason
                                  : "The code was not read.");
    json_begin_array(json, "calls");
    for (size_t i = 0; i < calls->count; i++) {
        const struct listed_call *call = &calls->items[i];
        json_begin_object(json, NULL);
        json_number(json, "rva", call->rva);
        json_number(json, "function", call->function_rva);
        json_text(json, "function_name", call->function_name);
        json_text(json, "name", call->name);
        json_text(json, "arguments", call->arguments);
        if (call->site) {
            json_begin_object(json, "memory");
            json_code(json, "code", call->site->api->code);
            json_text(json, "verdict", site_verdict_name(call->site->verdict));
            json_text(json, "argument", call->site->api->argument_name);
            json_text(json, "values", call->site->values);
            json_text(json, "reason", call->site->reason);
            json_text(json, "tag", call->site->tag);
            json_bool(json, "by_name", call->site->by_name);
            json_end_object(json);
        } else {
            json_null(json, "memory");
        }
        json_end_object(json);
    }
    json_end_array(json);
    json_begin_array(json, "integrity");
    for (size_t i = 0; i < calls->sites.integrity.count; i++) {
        const struct integrity_site *site = &calls->sites.integrity.items[i];
        json_begin_object(json, NULL);
        json_code(json, "code", site->code);
        json_number(json, "rva", site->rva);
        json_number(json, "function", site->function_rva);
        json_text(json, "function_name", site->function_name);
        json_text(json, "verdict",
                  site->verdict == SITE_EXECUTABLE ? "proved" : site_verdict_name(site->verdict));
        json_text(json, "what", site->what);
        json_text(json, "reason", site->reason);
        json_end_object(json);
    }
    json_end_array(json);
}
