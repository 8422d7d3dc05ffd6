/* call_list.c - see call_list.h. */
#include "calls/call_list.h"

#include "calls/argument_words.h"
#include "calls/import_stack.h"

#include <stdlib.h>

enum { MOST_ARGUMENTS = 12 };

static bool read_all_functions(struct call_search *search)
{
    for (size_t i = 0; i < search->list.count; i++) {
        uint32_t begin_rva = search->list.items[i].begin_rva;
        if (code_class_at(search->map, begin_rva) == BYTE_INSTRUCTION &&
            !search_function_holding(search, begin_rva) && search->arena->exhausted)
            return false;
    }
    return true;
}

/* A constant that decides, in the words of the headers; a tag as text; anything else as it is. */
static const char *one_argument(struct call_search *search, const struct call_record *call, const char *name,
                                const struct kernel_api *api, const struct call_site *site, int number)
{
    uint64_t constant;
    bool is_64 = search->image->is_64;
    bool in_register = !is_64 && number < 2 && name && import_is_fastcall(name);
    int word = !is_64 && name && import_is_fastcall(name) ? number - 2 : number;
    value_number value = in_register ? call->registers[number == 0 ? REGISTER_CX : REGISTER_DX]
                                     : search_argument(search, call, number, word);
    if (!api || !value_is_constant(&search->values, value, &constant))
        return argument_words(search, value);
    if (number == (is_64 ? api->argument : api->word_32))
        return kernel_api_value_words(api, constant, search->arena);
    if (number == (is_64 ? api->tag : api->tag_word_32) && site && site->tag)
        return arena_printf(search->arena, "'%s'", site->tag);
    return argument_words(search, value);
}

static const char *arguments_of(struct call_search *search, const struct call_record *call, const char *name,
                                const struct kernel_api *api, const struct call_site *site)
{
    int count = name ? import_argument_count(name) : -1;
    const char *words = "";
    if (api && api->argument >= count)
        count = api->argument + 1;
    if (count < 0)
        return "...";
    if (count > MOST_ARGUMENTS)
        count = MOST_ARGUMENTS;
    for (int i = 0; i < count; i++) {
        const char *one = one_argument(search, call, name, api, site, i);
        words = i == 0 ? one : arena_printf(search->arena, "%s, %s", words, one);
    }
    return words;
}

static const struct call_site *site_at(const struct call_site_list *sites, uint32_t rva)
{
    size_t low = 0, high = sites->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sites->items[middle].rva == rva)
            return &sites->items[middle];
        if (sites->items[middle].rva < rva)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static struct listed_call *add_call(struct call_search *search, struct call_list *list)
{
    struct listed_call *items =
        arena_grow(search->arena, list->items, list->count, &list->capacity, list->count + 1, sizeof *items);
    if (!items)
        return NULL;
    list->items = items;
    return &items[list->count++];
}

static bool list_call(struct call_search *search, const struct call_record *call, struct call_list *list)
{
    const struct import *import = search_called_import(search, call);
    const struct call_site *site = site_at(&list->sites, call->site_rva);
    const char *name = site ? site->api->name : import ? import->name : NULL;
    if ((!import && !site) || call->is_thunk)
        return true;
    struct listed_call *listed = add_call(search, list);
    if (!listed)
        return false;
    *listed = (struct listed_call){
        .rva = call->site_rva,
        .function_rva = call->function_rva,
        .function_name = function_name_of(&search->names, call->function_rva, call->site_rva, search->arena),
        .name = name ? name
                     : arena_printf(search->arena, "%s!#%u", import->module ? import->module : "?",
                                    (unsigned)import->number),
        .arguments = arguments_of(search, call, name, site ? site->api : NULL, site),
        .site = site};
    return true;
}

static int compare(const void *left, const void *right)
{
    const struct listed_call *a = left, *b = right;
    if (a->rva != b->rva)
        return a->rva < b->rva ? -1 : 1;
    return a->function_rva < b->function_rva ? -1 : a->function_rva > b->function_rva;
}

/* Code that two functions share is listed with the first of them. */
static void drop_doubles(struct call_list *list)
{
    size_t kept = 0;
    if (list->count > 1)
        qsort(list->items, list->count, sizeof *list->items, compare);
    for (size_t i = 0; i < list->count; i++)
        if (kept == 0 || list->items[kept - 1].rva != list->items[i].rva)
            list->items[kept++] = list->items[i];
    list->count = kept;
}

/* Sites in code that was not followed are calls, too. */
static bool list_unfollowed(struct call_search *search, struct call_list *list)
{
    size_t followed = list->count, at = 0;
    for (size_t i = 0; i < list->sites.count; i++) {
        const struct call_site *site = &list->sites.items[i];
        while (at < followed && list->items[at].rva < site->rva)
            at++;
        if (at < followed && list->items[at].rva == site->rva)
            continue;
        struct listed_call *listed = add_call(search, list);
        if (!listed)
            return false;
        *listed = (struct listed_call){.rva = site->rva,
                                       .function_rva = site->function_rva,
                                       .function_name = site->function_name,
                                       .name = site->api->name,
                                       .arguments = "...",
                                       .site = site};
    }
    return true;
}

bool call_list_find(const struct image *image, const struct refset *refs, const struct code_map *map,
                    const struct given_names *given, struct arena *arena, struct call_list *list)
{
    struct call_search search;
    *list = (struct call_list){.count = 0};
    if (!map->decoded)
        return true;
    if (!search_begin(&search, image, refs, map, given, arena) || !search_sites(&search, &list->sites) ||
        !read_all_functions(&search))
        return false;
    for (size_t i = 0; i < search.records.call_count; i++) {
        struct call_record call = search.records.calls[i];
        if (!list_call(&search, &call, list))
            return false;
    }
    drop_doubles(list);
    if (!list_unfollowed(&search, list))
        return false;
    drop_doubles(list);
    for (size_t i = 0; i < list->sites.count; i++)
        list->verdict_counts[list->sites.items[i].verdict]++;
    return !arena->exhausted;
}
