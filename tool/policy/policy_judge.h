/* policy_judge.h - what a policy makes of an image's findings.
 * Takes: the findings of the rules.  Gives: the same findings with the policy's levels, waived ones marked.
 * Must not: remove a finding; one that is waived or off stays in the list. */
#ifndef HVCIFIX_POLICY_POLICY_JUDGE_H
#define HVCIFIX_POLICY_POLICY_JUDGE_H

#include "image/image.h"
#include "policy/policy.h"

/* Which waivers an image has met. One array of waiver_count elements. */
enum waiver_use { WAIVER_ELSEWHERE, WAIVER_UNUSED /* its image came, its finding did not */, WAIVER_USED };

/* Levels and waivers of `policy` for the findings about the image at `path`. `uses` (waiver_count elements,
 * or NULL) is raised, never lowered. Changes nothing of findings whose codes are no rule's. False: memory ran
 * out. */
bool policy_judge(const struct policy *policy, const char *path, const struct image *image,
                  struct finding_list *findings, enum waiver_use *uses, struct arena *arena);

/* May `enforce` repair by itself what the rule of this code finds? */
bool policy_lets_enforce_repair(const struct policy *policy, enum finding_code code);

#endif
