/* sarif.h - what the files that write SARIF 2.1.0 share.
 * Takes: outcomes.  Gives: pieces of a SARIF log.  Must not: decide anything, or be included but by sarif*.c
 * and the table of formats.
 *
 * An image adds elements to several arrays of the log, and refers to some by their index, which is not known
 * before all images are done. So its fragment is a series of chunks, each a byte that says which array it
 * belongs to and the elements' JSON; an index is written as INDEX_MARK, the stream, the index among the
 * image's own, INDEX_MARK. JSON holds no such bytes: it escapes them. */
#ifndef HVCIFIX_REPORT_SARIF_H
#define HVCIFIX_REPORT_SARIF_H

#include "policy/fingerprint.h"
#include "report/json_writer.h"
#include "report/report_formats.h"
#include "report/shown_findings.h"

enum sarif_stream {
    SARIF_ARTIFACTS = 1,
    SARIF_ADDRESSES,
    SARIF_RESULTS,
    SARIF_NOTIFICATIONS,
    SARIF_STREAM_END /* chunks begin with a byte below this one */
};
#define SARIF_INDEX_MARK '\x06'

/* Depth of the elements in the log, for their indentation. */
enum { SARIF_ELEMENT_DEPTH = 4, SARIF_NOTIFICATION_DEPTH = 6 };

/* Readers of SARIF keep offsets and addresses in 32 bits with a sign, and refuse a whole log that has a
 * larger one: such a number is left out. */
static inline bool sarif_fits(uint64_t number)
{
    return number <= INT32_MAX;
}

/* The fragment of an image, and the log of all fragments. */
void sarif_image(struct text *text, const struct outcome *outcome, const struct report_settings *settings);
void sarif_whole(struct text *text, const struct report_run *run, const char *fragments,
                 size_t fragments_nbytes);

/* What relative URIs are relative to: the folder that the program ran in. */
#define SARIF_URI_BASE "RUNROOT"

/* The members of an artifactLocation: uri, and uriBaseId for a relative one. Allocates nothing but the text.
 */
void sarif_location_members(struct json_writer *json, const char *path);

/* An index member. */
void sarif_index(struct json_writer *json, const char *key, enum sarif_stream stream, size_t number);

/* Is a code about the run (it could not judge or write) and not about an image? */
bool sarif_is_notification(enum finding_code code);

/* The place of a code in tool.driver.rules, or in tool.driver.notifications. */
size_t sarif_descriptor_index(enum finding_code code);

/* tool.driver.rules and tool.driver.notifications. */
void sarif_descriptors(struct json_writer *json);

/* invocations[0].ruleConfigurationOverrides: the levels that a policy sets. */
void sarif_overrides(struct json_writer *json, const struct policy *policy);

/* What one image hands to its results. */
struct sarif_subject {
    const struct outcome *outcome;
    const struct report_settings *settings;
    bool has_addresses; /* module first, then one address for each section */
};

/* One result. */
void sarif_result(struct json_writer *json, const struct sarif_subject *subject,
                  const struct shown_finding *shown, const char *fingerprint);

/* One for each entry of the baseline that this run has no finding for. */
void sarif_absent_results(struct json_writer *json, const struct report_run *run);

/* A result for each rule that passed, or did not apply. */
void sarif_passes(struct json_writer *json, const struct sarif_subject *subject);

/* The places of a finding: the members locations and, in the github profile, relatedLocations. */
void sarif_locations(struct json_writer *json, const struct sarif_subject *subject,
                     const struct finding *finding);

/* The member physicalLocation of an image as a whole, or, with a finding, of its place. */
void sarif_binary_place(struct json_writer *json, const struct sarif_subject *subject,
                        const struct finding *finding);

/* The member fixes: bytes that a repair replaces, where the plan cures the finding by single fields. */
void sarif_fixes(struct json_writer *json, const struct outcome *outcome, const struct finding *finding);

#endif
