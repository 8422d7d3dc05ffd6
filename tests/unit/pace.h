/* pace.h - how thoroughly a test goes through what the plain build has gone through whole.
 * Takes: the variant that is run.  Gives: a step.  Must not: be used for what only the sanitizers can see. */
#ifndef HVCIFIX_TEST_PACE_H
#define HVCIFIX_TEST_PACE_H

#include <stdlib.h>
#include <string.h>

/* 1, but `step` below the sanitizers, which make each trial some thirty times as long. */
static inline unsigned pace_step(unsigned step)
{
    const char *variant = getenv("HVCIFIX_VARIANT");
    return variant && strcmp(variant, "checked") == 0 ? step : 1;
}

#endif
