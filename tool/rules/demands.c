/* demands.c - the table of demands.
 * Takes nothing.  Gives: rows.  Must not: judge. */
#include "rules/demands.h"

const struct demand_row demand_rows[DEMAND_COUNT] = {
    [DEMAND_NX_COMPAT] = {"nx-compat", HVCI2201_NX_COMPAT, {"any", "yes", NULL}},
    [DEMAND_DYNAMIC_BASE] = {"dynamic-base", HVCI2202_DYNAMIC_BASE, {"any", "yes", NULL}},
    [DEMAND_HIGH_ENTROPY_VA] = {"high-entropy-va", HVCI2203_HIGH_ENTROPY_VA, {"any", "yes", NULL}},
    [DEMAND_GUARD_CF] = {"guard-cf", HVCI2204_GUARD_CF, {"any", "yes", NULL}},
    [DEMAND_CET_COMPAT] = {"cet-compat", HVCI2205_CET_COMPAT, {"any", "yes", NULL}},
    [DEMAND_FORCE_INTEGRITY] = {"force-integrity", HVCI2206_FORCE_INTEGRITY, {"any", "yes", NULL}},
    [DEMAND_CHECKSUM] = {"checksum", HVCI2207_CHECKSUM, {"any", "right", NULL}},
    [DEMAND_SIGNATURE] = {"signature", HVCI2208_SIGNATURE, {"any", "present", "absent"}},
    [DEMAND_STALE_SIGNATURE] = {"stale-signature", HVCI2209_SIGNATURE_STALE, {"any", "no", NULL}},
    [DEMAND_INIT_DISCARDABLE] = {"init-discardable", HVCI2210_INIT_NOT_DISCARDABLE, {"any", "yes", NULL}},
    [DEMAND_SHARED_WRITABLE] = {"shared-writable", HVCI2211_SHARED_WRITABLE, {"any", "no", NULL}},
    [DEMAND_LOADER_DATA] = {"writable-loader-data", HVCI2212_LOADER_DATA_WRITABLE, {"any", "no", NULL}},
    [DEMAND_VERSIONS] = {"versions-fit-target", HVCI2213_VERSION_ABOVE_TARGET, {"any", "yes", NULL}},
    [DEMAND_LINKER] = {"rwx-init-linker", HVCI2214_LINKER_MAKES_RWX_INIT, {"any", "no", NULL}},
};

enum demand_id demand_of_code(unsigned code)
{
    for (unsigned i = DEMAND_NONE + 1; i < DEMAND_COUNT; i++)
        if ((unsigned)demand_rows[i].code == code)
            return (enum demand_id)i;
    return DEMAND_NONE;
}

bool demand_is_repairable(enum demand_id demand)
{
    return demand == DEMAND_NX_COMPAT || demand == DEMAND_DYNAMIC_BASE || demand == DEMAND_HIGH_ENTROPY_VA ||
           demand == DEMAND_CHECKSUM;
}

void demand_ask(struct demands *demands, enum demand_id demand, enum finding_level level)
{
    if (demand != DEMAND_NONE && demands->items[demand].level == LEVEL_OFF)
        demands->items[demand].level = level;
}

void demand_ask_rest(struct demands *demands, enum finding_level level)
{
    for (unsigned i = DEMAND_NONE + 1; i < DEMAND_COUNT; i++)
        demand_ask(demands, (enum demand_id)i, level);
}
