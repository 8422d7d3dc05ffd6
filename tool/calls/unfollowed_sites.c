/* unfollowed_sites.c - calls that were not reached when their functions were followed.
 * Takes: the sites that were judged, and all references to the functions that ask for memory.  Gives: a site
 * with the verdict "unknown" for each call that has none.  Must not: look at values. So that a call that is
 * missing in the list is one that the code map does not hold, never one that was given up. */
#include "calls/calls_internal.h"

/* `judged` sites, ascending, come first in the list. */
static bool note_users(struct call_search *search, const struct kernel_api *api, uint32_t rva,
                       uint32_t nbytes, size_t judged, bool through_thunks)
{
    size_t first, count;
    search_refs_to(search, rva, nbytes, &first, &count);
    for (size_t i = first; i < first + count; i++) {
        const struct ref *ref = &search->refs->refs[search->by_target[i].ref];
        if (ref->source != SOURCE_CODE)
            continue;
        uint32_t site_rva = code_instruction_begin(search->map, ref->site_rva);
        if (through_thunks && search_import_thunk(search, site_rva)) {
            if (!note_users(search, api, site_rva, 1, judged, false))
                return false;
            continue;
        }
        const struct read_function *function = search_function_holding(search, site_rva);
        if (search->arena->exhausted)
            return false;
        /* In code that was followed an address that is read is seen where it is called. */
        bool is_too_large = function && function->is_too_large;
        bool is_call = ref->access == ACCESS_CALL || ref->access == ACCESS_JUMP;
        if ((!is_call && !is_too_large) || sites_hold(search->sites, judged, site_rva))
            continue;
        struct call_site *site = search_add_site(search);
        if (!site)
            return false;
        *site = (struct call_site){
            .rva = site_rva,
            .function_rva = function ? function->begin_rva : site_rva,
            .api = api,
            .verdict = SITE_UNKNOWN,
            .reason = is_too_large             ? "the function is too large to be followed"
                      : search->steps.is_spent ? site_stopped_words
                                               : "no way from the beginning of a function to here was found"};
        site->function_name = function_name_of(&search->names, site->function_rva, site->rva, search->arena);
        site->own_name = function_own_name(&search->names, site->function_rva);
    }
    return true;
}

bool search_unfollowed(struct call_search *search)
{
    size_t judged = search->sites->count;
    for (size_t i = 0; i < search->imports.count; i++) {
        const struct import *import = &search->imports.items[i];
        const struct kernel_api *api = import->name ? kernel_api_find(import->name) : NULL;
        if (api &&
            !note_users(search, api, import->slot_rva, image_pointer_nbytes(search->image), judged, true))
            return false;
    }
    return true;
}
