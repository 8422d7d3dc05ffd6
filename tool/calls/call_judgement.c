/* call_judgement.c - call_judgement.h. */
#include "calls/call_judgement.h"

#include "calls/integrity.h"
#include "image/imports.h"

#include <string.h>

/* Through these a driver reaches functions that its import table does not name. */
static bool leads_to_others(const char *name)
{
    return strcmp(name, "MmGetSystemRoutineAddress") == 0 || strcmp(name, "WdfVersionBind") == 0;
}

static bool find_imports(const struct image *image, struct arena *arena, struct call_judgement *judgement)
{
    struct import_list imports;
    if (image->role != ROLE_KERNEL)
        return true;
    if (!imports_read(image, arena, &imports))
        return false;
    judgement->may_fight = integrity_may_write_control(image);
    for (size_t i = 0; i < imports.count && !judgement->may_ask; i++) {
        const char *name = imports.items[i].name;
        judgement->may_ask = name && (kernel_api_find(name) || leads_to_others(name));
    }
    return true;
}

bool calls_leave(const struct image *image, enum calls_state state, const char *reason, struct arena *arena,
                 struct call_judgement *judgement)
{
    *judgement = (struct call_judgement){.state = state, .reason = reason};
    if (image->role != ROLE_KERNEL)
        judgement->state = CALLS_NOT_KERNEL;
    return find_imports(image, arena, judgement);
}

bool calls_judge(const struct image *image, const struct refset *refs, const struct code_map *map,
                 const struct given_names *given, struct arena *arena, struct call_judgement *judgement)
{
    struct refset own_refs;
    struct code_map own_map;
    *judgement = (struct call_judgement){.state = CALLS_JUDGED};
    if (!find_imports(image, arena, judgement))
        return false;
    if (image->role != ROLE_KERNEL) {
        judgement->state = CALLS_NOT_KERNEL;
        judgement->reason = "it is no kernel image";
        return true;
    }
    if (!image_is_decoded(image, arena, &judgement->reason)) {
        judgement->state = CALLS_NOT_READ;
        return !arena->exhausted;
    }
    if (!judgement->may_ask && !judgement->may_fight) {
        judgement->state = CALLS_NONE;
        return true;
    }
    if (!map) {
        if (!refs_collect(image, arena, SOURCE_ALL, &own_refs) ||
            !code_read(image, &own_refs, arena, &own_map))
            return false;
        refs = &own_refs;
        map = &own_map;
    }
    if (!map->decoded) {
        judgement->state = CALLS_NOT_READ;
        judgement->reason = map->not_decoded_reason;
        return true;
    }
    if (!call_sites_find(image, refs, map, given, arena, &judgement->sites))
        return false;
    for (size_t i = 0; i < judgement->sites.count; i++)
        judgement->counts[judgement->sites.items[i].verdict]++;
    return true;
}
