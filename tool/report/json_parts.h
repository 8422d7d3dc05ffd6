/* json_parts.h - pieces that several JSON reports share.
 * Takes: outcomes and their parts.  Gives: JSON values.  Must not: decide anything. */
#ifndef HVCIFIX_REPORT_JSON_PARTS_H
#define HVCIFIX_REPORT_JSON_PARTS_H

#include "pipeline.h"
#include "report/json_tree.h"

/* path, machine, subsystem, role, status: the head of every image. */
void json_image_head(struct json_tree *tree, cJSON *image, const struct outcome *outcome);

/* Appends to an array; findings whose level is off are left out. */
void json_findings(struct json_tree *tree, cJSON *array, const struct finding_list *findings);

/* Everything that was found in the old bytes: the tool's problems, what was odd, the rules' findings. */
void json_all_findings(struct json_tree *tree, cJSON *array, const struct outcome *outcome);

/* result, differences, counter_example. */
void json_verdict(struct json_tree *tree, cJSON *object, const struct verify_verdict *verdict);

/* "HVCI2004" in the arena. */
const char *json_code(struct arena *arena, enum finding_code code);

#endif
