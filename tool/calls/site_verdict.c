/* site_verdict.c - the verdict on one call, and its reason in words.
 * Takes: all that the deciding argument can be.  Gives: verdict, values and reason of a site.  Must not: look
 * for more. */
#include "calls/calls_internal.h"

#include <string.h>

static const char *unknown_words(uint8_t reason)
{
    static const char *const words[UNKNOWN_REASON_COUNT] = {
        [UNKNOWN_COMPUTED] = "it is computed in a way that is not followed",
        [UNKNOWN_MEMORY] = "it is read through a pointer",
        [UNKNOWN_CLOBBERED] = "a call may have changed it",
        [UNKNOWN_MANY] = "there are too many ways to here",
        [UNKNOWN_STACK] = "the depth of the stack is not known",
        [UNKNOWN_UNREACHED] = "no way from the beginning of the function to here was found",
        [UNKNOWN_RESULT] = "a call returns it",
        [UNKNOWN_LIMIT] = "the function is too large to be followed",
        [UNKNOWN_CONTROL] = "it is what a control register held",
        [UNKNOWN_WHOLE] = "it may be part of a larger variable",
    };
    return reason < UNKNOWN_REASON_COUNT ? words[reason] : "it is not known";
}

static const char *leaf_words(struct call_search *search, const struct kernel_api *api,
                              const struct leaf *leaf)
{
    if (leaf->kind == LEAF_BITS && leaf->known_bits == UINT64_MAX)
        return kernel_api_value_words(api, leaf->value, search->arena);
    if (leaf->kind == LEAF_BITS && leaf->value != 0)
        return arena_printf(search->arena, "something with 0x%llX", (unsigned long long)leaf->value);
    return "something";
}

static const char *origin_words(struct call_search *search, const struct leaf *leaf)
{
    switch ((enum leaf_origin)leaf->origin) {
    case ORIGIN_CALLER:
        return arena_printf(search->arena, " from the call at RVA 0x%X", leaf->origin_rva);
    case ORIGIN_UNKNOWN_CALLER:
        return " from a caller outside of what was followed";
    case ORIGIN_GLOBAL:
    case ORIGIN_GLOBAL_FILE:
    case ORIGIN_UNKNOWN_GLOBAL:
        return arena_printf(search->arena, " from the variable at RVA 0x%X", leaf->origin_rva);
    case ORIGIN_HERE:
        break;
    }
    return "";
}

static bool comes_from(const struct leaf *leaf, enum leaf_origin origin, uint32_t variable_rva)
{
    return (leaf->origin == origin && leaf->origin_rva == variable_rva) ||
           (leaf->other_origin == origin && leaf->other_origin_rva == variable_rva);
}

static bool is_doubt_of_whole(const struct leaf *leaf)
{
    return leaf->kind == LEAF_BITS && leaf->reason == UNKNOWN_WHOLE && leaf->known_bits != UINT64_MAX;
}

/* Is each executable value one that the variable holds in the file, and a no-execute one stored to it? That
 * it might be part of a larger variable is no doubt then: it is one of its own. */
static bool opts_in(const struct kernel_api *api, const struct leaves *leaves, uint32_t variable_rva)
{
    enum { NON_PAGED_POOL_NX = 0x200, MDL_MAPPING_NO_EXECUTE = 0x40000000 };
    uint64_t no_execute = api->question == ASK_MDL_PRIORITY ? MDL_MAPPING_NO_EXECUTE : NON_PAGED_POOL_NX;
    bool is_stored = false;
    for (size_t i = 0; i < leaves->count; i++) {
        const struct leaf *leaf = &leaves->items[i];
        bool is_doubt = is_doubt_of_whole(leaf) && comes_from(leaf, ORIGIN_UNKNOWN_GLOBAL, variable_rva);
        if (kernel_api_meaning(api, leaf->known_bits, leaf->value) != MEANS_NO_EXECUTE && !is_doubt &&
            !comes_from(leaf, ORIGIN_GLOBAL_FILE, variable_rva))
            return false;
        is_stored |= comes_from(leaf, ORIGIN_GLOBAL, variable_rva) && (leaf->value & no_execute);
    }
    return is_stored;
}

/* The variable that a driver with POOL_NX_OPTIN takes its pool type from: NonPagedPool in the file,
 * NonPagedPoolNx from the driver's first function on, on a Windows that knows it. ExDefaultMdlProtection
 * likewise: 0, MdlMappingNoExecute. Gives the variable when each executable value is such a file's value; 0:
 * it is not. */
static uint32_t opted_in_by(const struct kernel_api *api, const struct leaves *leaves)
{
    for (size_t i = 0; i < leaves->count; i++) {
        const struct leaf *leaf = &leaves->items[i];
        if (kernel_api_meaning(api, leaf->known_bits, leaf->value) == MEANS_NO_EXECUTE ||
            is_doubt_of_whole(leaf))
            continue;
        /* The first executable value: the opt-in is one of the variables that it comes from, or there is
         * none. */
        if (leaf->origin == ORIGIN_GLOBAL_FILE && opts_in(api, leaves, leaf->origin_rva))
            return leaf->origin_rva;
        if (leaf->other_origin == ORIGIN_GLOBAL_FILE && opts_in(api, leaves, leaf->other_origin_rva))
            return leaf->other_origin_rva;
        return 0;
    }
    return 0;
}

/* Is the word one of "a or b or c"? */
static bool is_among(const char *list, const char *word)
{
    size_t nbytes = strlen(word);
    for (const char *at = strstr(list, word); at; at = strstr(at + 1, word))
        if ((at == list || at[-1] == ' ') && (at[nbytes] == 0 || strncmp(at + nbytes, " or ", 4) == 0))
            return true;
    return false;
}

const char site_stopped_words[] = "the analysis stopped at its bound before all ways to here were followed";

/* The verdict on one call from all that its deciding argument can be. */
void site_decide(struct call_search *search, const struct leaves *leaves, struct call_site *site)
{
    const struct kernel_api *api = site->api;
    unsigned executable = 0, no_execute = 0, unknown = 0, doubts = 0;
    const struct leaf *of_unknown = NULL, *of_executable = NULL;
    const char *values = "";
    for (size_t i = 0; i < leaves->count; i++) {
        const struct leaf *leaf = &leaves->items[i];
        enum api_meaning meaning = leaf->kind == LEAF_BITS
                                       ? kernel_api_meaning(api, leaf->known_bits, leaf->value)
                                       : MEANS_NOTHING_KNOWN;
        executable += meaning == MEANS_EXECUTABLE;
        no_execute += meaning == MEANS_NO_EXECUTE;
        doubts += meaning == MEANS_NOTHING_KNOWN && is_doubt_of_whole(leaf);
        unknown += meaning == MEANS_NOTHING_KNOWN;
        if (meaning == MEANS_NOTHING_KNOWN && !of_unknown)
            of_unknown = leaf;
        if (meaning == MEANS_EXECUTABLE && !of_executable)
            of_executable = leaf;
        if (is_doubt_of_whole(leaf))
            continue;
        const char *words = leaf_words(search, api, leaf);
        if (!is_among(values, words))
            values = *values ? arena_printf(search->arena, "%s or %s", values, words) : words;
    }
    if (leaves->is_full)
        unknown++;
    uint32_t opt_in_rva = unknown == doubts && executable && no_execute ? opted_in_by(api, leaves) : 0;
    if (opt_in_rva && !search_is_set_at_start(search, opt_in_rva))
        opt_in_rva = 0;
    if (doubts && !opt_in_rva && !is_among(values, "something"))
        values = *values ? arena_printf(search->arena, "%s or something", values) : "something";
    site->values = values;
    if (opt_in_rva) {
        site->verdict = SITE_NO_EXECUTE;
        site->reason =
            arena_printf(search->arena, "the driver opts in: it sets the variable at RVA 0x%X", opt_in_rva);
    } else if (!unknown && !(executable && no_execute) && leaves->count != 0) {
        site->verdict = executable ? SITE_EXECUTABLE : SITE_NO_EXECUTE;
    } else if (executable) {
        site->verdict = SITE_DEPENDS;
        site->reason =
            arena_printf(search->arena, "it is executable with %s%s", leaf_words(search, api, of_executable),
                         origin_words(search, of_executable));
    } else if (of_unknown &&
               (of_unknown->origin == ORIGIN_UNKNOWN_CALLER || of_unknown->origin == ORIGIN_UNKNOWN_GLOBAL)) {
        site->verdict = SITE_DEPENDS;
        site->reason = arena_printf(search->arena, "the value comes%s", origin_words(search, of_unknown));
    } else {
        site->verdict = SITE_UNKNOWN;
        site->reason = leaves->is_cut ? site_stopped_words
                       : of_unknown   ? arena_printf(search->arena, "%s%s", unknown_words(of_unknown->reason),
                                                     origin_words(search, of_unknown))
                                      : "there are too many ways to here";
    }
}
