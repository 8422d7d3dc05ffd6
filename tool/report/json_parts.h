/* json_parts.h - pieces that several JSON reports share.
 * Takes: outcomes and their parts.  Gives: JSON values.  Must not: decide anything. */
#ifndef HVCIFIX_REPORT_JSON_PARTS_H
#define HVCIFIX_REPORT_JSON_PARTS_H

#include "pipeline.h"
#include "report/json_writer.h"

/* path, machine, subsystem, role, status: the members at the head of every image. */
void json_image_head(struct json_writer *json, const struct outcome *outcome);

/* Elements of an array; findings whose level is off are left out. */
void json_findings(struct json_writer *json, const struct finding_list *findings);

/* The same for everything that was found in the old bytes: the tool's problems, what was odd, the rules'
 * findings. */
void json_all_findings(struct json_writer *json, const struct outcome *outcome);

/* The member call: what a finding is about. */
void json_call(struct json_writer *json, const struct finding_call *call);

/* How many calls there are by verdict, or why they were not judged. */
void json_calls(struct json_writer *json, const char *key, const struct call_judgement *calls);

/* The members result, differences, counter_example. */
void json_verdict(struct json_writer *json, const struct verify_verdict *verdict);

#endif
