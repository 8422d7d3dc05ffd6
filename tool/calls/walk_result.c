/* walk_result.c - what calls return.
 * Takes: the place of a call.  Gives: what a function of the image returns, the function that Windows was
 * asked for by name, or a leaf that names the function of Windows.  Must not: know what functions of Windows
 * return. */
#include "calls/value_walk.h"

#include <string.h>

/* What a function of the image returns. */
static bool walk_returned(struct walk *walk, uint32_t function_rva)
{
    static const struct atom no_atom = {.kind = ATOM_UNKNOWN};
    enum way_state state = walk_enter(walk, &walk->results, function_rva, &no_atom);
    if (state == WAY_AGAIN) /* it returns what it returned */
        return true;
    const struct read_function *function =
        state == WAY_NEW ? search_function(walk->search, function_rva) : NULL;
    bool is_done = !walk->search->arena->exhausted;
    if (is_done && function && function->returns)
        is_done = walk_value(walk, function->result, function_rva, ORIGIN_HERE, function_rva);
    else
        walk_add_unknown(walk, UNKNOWN_RESULT, ORIGIN_HERE, function_rva);
    walk->results.count -= state == WAY_NEW;
    return is_done;
}

/* What the call at site_rva in the function returns. */
bool walk_result(struct walk *walk, uint32_t site_rva, uint32_t function_rva)
{
    struct call_search *search = walk->search;
    const char *name = NULL;
    struct call_record call;
    if (search_call_at(search, site_rva, function_rva, &call)) {
        const struct import *import = search_called_import(search, &call);
        if (import && import->name && strcmp(import->name, "MmGetSystemRoutineAddress") == 0) {
            const char *wanted = search_routine_name(search, &call);
            if (wanted) {
                walk_add_leaf(
                    walk, (struct leaf){.kind = LEAF_ROUTINE_NAME, .name = wanted, .origin_rva = site_rva});
                return true;
            }
        }
        if (!import && call.target_rva && !search->arena->exhausted)
            return walk_returned(walk, call.target_rva);
        name = import ? import->name : NULL;
    }
    if (search->arena->exhausted)
        return false;
    walk_add_leaf(walk, (struct leaf){.kind = LEAF_BITS,
                                      .reason = UNKNOWN_RESULT,
                                      .origin = ORIGIN_HERE,
                                      .origin_rva = site_rva,
                                      .function_rva = function_rva,
                                      .name = name});
    return true;
}
