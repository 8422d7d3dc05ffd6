/* call_sites.c - the search from top to bottom: which functions have to be read, which calls are of interest,
 * what each asks for.
 * Takes: image, inventory, code map.  Gives: struct call_site_list.  Must not: follow values by itself. */
#include "calls/calls_internal.h"
#include "calls/integrity.h"

#include <string.h>

enum { STEPS_AT_LEAST = 1 << 20, STEPS_PER_REFERENCE = 64 };

static const char routine_finder[] = "MmGetSystemRoutineAddress";

const char *site_verdict_name(enum site_verdict verdict)
{
    static const char *const names[] = {"executable", "no-execute", "depends", "unknown"};
    return names[verdict];
}

static bool is_of_interest(const struct import *import)
{
    return import->name && (kernel_api_find(import->name) || strcmp(import->name, routine_finder) == 0);
}

/* Reads all functions that refer to [rva, rva + nbytes), those that do so through a thunk included. */
static bool read_users(struct call_search *search, uint32_t rva, uint32_t nbytes, bool through_thunks)
{
    size_t first, count;
    search_refs_to(search, rva, nbytes, &first, &count);
    for (size_t i = first; i < first + count; i++) {
        const struct ref *ref = &search->refs->refs[search->by_target[i].ref];
        if (ref->source != SOURCE_CODE)
            continue;
        uint32_t site = code_instruction_begin(search->map, ref->site_rva);
        if (through_thunks && search_import_thunk(search, site)) { /* a stub ends in such a jump */
            uint32_t stub_rva = search_nx_stub_of_jump(search, site);
            if (!read_users(search, site, 1, false) || (stub_rva && !read_users(search, stub_rva, 1, true)))
                return false;
        }
        (void)search_function_holding(search, site);
        if (search->arena->exhausted)
            return false;
    }
    return true;
}

bool search_read_users(struct call_search *search, uint32_t rva, uint32_t nbytes)
{
    return read_users(search, rva, nbytes, true);
}

static bool leads_to_api(struct call_search *search, value_number value, uint32_t function_rva)
{
    struct leaves leaves;
    const struct atom *atom = value_atom(&search->values, value, 0);
    if (search->values.values[value].atom_count != 1 ||
        (atom->kind != ATOM_RESULT &&
         !(atom->kind == ATOM_GLOBAL && import_at(&search->imports, (uint32_t)atom->number))))
        return false;
    if (!search_leaves(search, value, function_rva, &leaves) || leaves.count != 1)
        return false;
    const struct leaf *leaf = &leaves.items[0];
    return (leaf->kind == LEAF_IMPORT && is_of_interest(leaf->import)) ||
           (leaf->kind == LEAF_ROUTINE_NAME && kernel_api_find(leaf->name));
}

/* Global variables that hold the address of such a function, and who calls through them. */
static bool read_cached(struct call_search *search)
{
    for (size_t i = 0; i < search->records.store_count; i++) {
        struct store_record store = search->records.stores[i];
        if (leads_to_api(search, store.value, store.function_rva) &&
            !read_users(search, store.rva, image_pointer_nbytes(search->image), false))
            return false;
        if (search->arena->exhausted)
            return false;
    }
    return true;
}

static bool read_all_of_interest(struct call_search *search)
{
    unsigned pointer_nbytes = image_pointer_nbytes(search->image);
    for (size_t i = 0; i < search->imports.count; i++)
        if (is_of_interest(&search->imports.items[i]) &&
            !read_users(search, search->imports.items[i].slot_rva, pointer_nbytes, true))
            return false;
    const struct kmdf_binding *kmdf = &search->kmdf;
    if (kmdf->is_bound &&
        !read_users(search, kmdf->table_rva,
                    pointer_nbytes * (kmdf->is_pointer ? 1 : kmdf->function_count + 1), false))
        return false;
    return read_cached(search);
}

/* What a call calls, when it is of interest. */
static bool find_api(struct call_search *search, const struct call_record *call,
                     const struct kernel_api **api, bool *by_name, bool *or_other)
{
    uint32_t called_rva = call->target_rva ? call->target_rva : search_nx_stub_value(search, call->target);
    const struct import *import = called_rva ? search_import_behind(search, called_rva) : NULL;
    *api = NULL;
    *by_name = *or_other = false;
    if (called_rva) {
        *api = import && import->name ? kernel_api_find(import->name) : NULL;
        return true;
    }
    struct leaves leaves;
    import = search_called_import(search, call);
    if (import) { /* also when no step is left */
        *api = import->name ? kernel_api_find(import->name) : NULL;
        return true;
    }
    if (!value_may_be_function(&search->values, call->target))
        return true;
    if (!search_leaves(search, call->target, call->function_rva, &leaves))
        return false;
    for (size_t i = 0; i < leaves.count; i++)
        *or_other |= leaves.items[i].kind == LEAF_CODE &&
                     !search_import_behind(search, (uint32_t)leaves.items[i].value);
    for (size_t i = 0; i < leaves.count && !*api; i++) {
        const struct leaf *leaf = &leaves.items[i];
        if (leaf->kind == LEAF_IMPORT && leaf->import->name)
            *api = kernel_api_find(leaf->import->name);
        if (leaf->kind == LEAF_KMDF && leaf->value < search->kmdf.function_count)
            *api = kmdf_api_find((uint32_t)leaf->value);
        if (leaf->kind == LEAF_ROUTINE_NAME)
            *by_name = (*api = kernel_api_find(leaf->name)) != NULL;
    }
    return true;
}

value_number search_argument(const struct call_search *search, const struct call_record *call, int argument,
                             int word_32)
{
    static const uint8_t registers[] = {REGISTER_CX, REGISTER_DX, REGISTER_8, REGISTER_9};
    if (!search->image->is_64)
        return call->stack[word_32];
    return argument < 4 ? call->registers[registers[argument]] : call->stack[argument];
}

static const char *tag_text(struct call_search *search, const struct call_record *call,
                            const struct kernel_api *api)
{
    uint64_t number;
    char text[5] = {0};
    if (api->tag == NO_ARGUMENT ||
        !value_is_constant(&search->values, search_argument(search, call, api->tag, api->tag_word_32),
                           &number))
        return NULL;
    for (unsigned i = 0; i < 4; i++) {
        uint8_t byte = (uint8_t)(number >> (i * 8));
        text[i] = byte >= 0x20 && byte <= 0x7E ? (char)byte : '.';
    }
    return arena_copy_text(search->arena, text, 4);
}

/* A mapping is for the kernel or for user mode; the access mode is one byte. */
enum mapping_mode { MAPPING_KERNEL, MAPPING_USER, MAPPING_EITHER };

static enum mapping_mode mode_of(struct call_search *search, const struct call_record *call,
                                 const struct kernel_api *api)
{
    uint64_t mode;
    if (api->mode == NO_ARGUMENT)
        return MAPPING_KERNEL;
    value_number low =
        value_mask(&search->values, search_argument(search, call, api->mode, api->mode), 0xFF, 0);
    if (!value_is_constant(&search->values, low, &mode))
        return MAPPING_EITHER;
    return mode == 1 ? MAPPING_USER : MAPPING_KERNEL;
}

static bool goes_through_stub(const struct call_search *search, const struct call_record *call)
{
    uint32_t called_rva = call->target_rva ? call->target_rva : search_nx_stub_value(search, call->target);
    return called_rva && search_nx_stub(search, called_rva);
}

struct call_site *search_add_site(struct call_search *search)
{
    struct call_site_list *sites = search->sites;
    struct call_site *items = arena_grow(search->arena, sites->items, sites->count, &sites->capacity,
                                         sites->count + 1, sizeof *items);
    if (!items)
        return NULL;
    sites->items = items;
    return &items[sites->count++];
}

static bool judge_call(struct call_search *search, const struct call_record *call)
{
    struct call_site site = {.rva = call->site_rva, .function_rva = call->function_rva};
    struct leaves leaves;
    bool or_other;
    if (!find_api(search, call, &site.api, &site.by_name, &or_other))
        return false;
    if (!site.api || call->is_thunk || search_nx_stub(search, call->function_rva))
        return true; /* a thunk is no call of its own, nor is a stub */
    site.function_name = function_name_of(&search->names, call->function_rva, call->site_rva, search->arena);
    site.own_name = function_own_name(&search->names, call->function_rva);
    site.tag = tag_text(search, call, site.api);
    enum mapping_mode mode = mode_of(search, call, site.api);
    if (site.api->question == ASK_SYSTEM) {
        site.verdict = SITE_UNKNOWN;
        site.reason = "no argument of this function decides it";
    } else if (goes_through_stub(search, call)) {
        site.verdict = SITE_NO_EXECUTE;
        site.values = "anything";
        site.reason = "a stub adds the no-execute flag";
    } else if (mode == MAPPING_USER) {
        site.verdict = SITE_NO_EXECUTE;
        site.values = site.api->question == ASK_MDL_MODE ? "UserMode" : "anything";
        site.reason = "the mapping is for user mode";
    } else {
        value_number value = search_argument(search, call, site.api->argument, site.api->word_32);
        if (!search_deciding_leaves(search, value, call->function_rva, &leaves))
            return false;
        site_decide(search, &leaves, &site);
        const char *doubt = or_other ? "the call may lead to a function of the driver's own" : NULL;
        if (mode == MAPPING_EITHER && site.api->question == ASK_MDL_PRIORITY)
            doubt = "the access mode of the mapping is not known";
        if (doubt && site.verdict == SITE_EXECUTABLE)
            site.verdict = SITE_DEPENDS, site.reason = doubt;
    }
    struct call_site *into = search_add_site(search);
    if (into)
        *into = site;
    return into != NULL;
}

bool search_begin(struct call_search *search, const struct image *image, const struct refset *refs,
                  const struct code_map *map, const struct given_names *given, struct arena *arena)
{
    *search = (struct call_search){.image = image, .refs = refs, .map = map, .arena = arena};
    if (!imports_read(image, arena, &search->imports) || !value_table_init(&search->values, arena) ||
        !function_list_make(image, refs, map, arena, &search->list) ||
        !function_names_read(image, arena, &search->names) ||
        !(search->reader = operation_reader_new(arena, image->is_64)) || !search_index_refs(search))
        return false;
    search->names.given = given;
    search_kmdf(search);
    search->steps.left = STEPS_AT_LEAST + (uint64_t)STEPS_PER_REFERENCE * refs->ref_count;
    return true;
}

/* Judging may read more functions, and find more calls in them. `kept`: sites that stand, ascending, and come
 * first in the list. */
static bool judge_from(struct call_search *search, size_t *judged, size_t kept)
{
    for (; *judged < search->records.call_count; ++*judged) {
        struct call_record call = search->records.calls[*judged];
        if (!sites_hold(search->sites, kept, call.site_rva) && !judge_call(search, &call))
            return false;
    }
    return true;
}

bool search_sites(struct call_search *search, struct call_site_list *sites)
{
    search->sites = sites;
    if (!read_all_of_interest(search))
        return false;
    size_t judged = 0;
    if (!judge_from(search, &judged, 0))
        return false;
    sites_order(sites);
    /* What is read for other findings adds sites, and leaves those that are there as they are. */
    size_t kept = sites->count;
    if (!integrity_find(search) || !judge_from(search, &judged, kept))
        return false;
    sites_order(sites);
    if (!search_unfollowed(search))
        return false;
    sites_order(sites);
    return !search->arena->exhausted;
}

bool call_sites_find(const struct image *image, const struct refset *refs, const struct code_map *map,
                     const struct given_names *given, struct arena *arena, struct call_site_list *sites)
{
    struct call_search search;
    *sites = (struct call_site_list){.count = 0};
    return !map->decoded ||
           (search_begin(&search, image, refs, map, given, arena) && search_sites(&search, sites));
}
