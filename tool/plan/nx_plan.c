/* nx_plan.c - which imports are led through stubs: all their references, or none.
 * Takes: see nx_plan.h.  Gives: redirects with their sites, and what is left with the reason.
 * Must not: place anything. */
#include "plan/nx_plan.h"

#include "image/imports.h"

#include <stdlib.h>

enum { MOST_REDIRECTS = 32 };

struct nx_search {
    const struct nx_input *input;
    struct arena *arena;
    struct nx_plan *plan;
    struct import_list imports;
    struct site_set seen; /* where instructions begin that are sites, or were looked at as such */
};

/* Instructions that refer to a slot and have a form of the same length that leads to a stub. */
struct pattern {
    uint8_t bytes[3], mask[3];
    uint8_t prefix_nbytes; /* in front of the four bytes of the operand */
    uint8_t kind;
    bool on_64, on_32;
};

static const struct pattern patterns[] = {
    {{0xFF, 0x15}, {0xFF, 0xFF}, 2, NX_SITE_CALL, true, true},
    {{0x48, 0xFF, 0x15}, {0xFF, 0xFF, 0xFF}, 3, NX_SITE_CALL, true, false},
    {{0xFF, 0x25}, {0xFF, 0xFF}, 2, NX_SITE_JUMP, true, true},
    {{0x48, 0xFF, 0x25}, {0xFF, 0xFF, 0xFF}, 3, NX_SITE_JUMP, true, false},
    {{0x48, 0x8B, 0x05}, {0xFB, 0xFF, 0xC7}, 3, NX_SITE_LOAD, true, false},
    {{0x8B, 0x05}, {0xFF, 0xC7}, 2, NX_SITE_LOAD, false, true},
    {{0xA1}, {0xFF}, 1, NX_SITE_LOAD, false, true},
};

static const struct pattern *pattern_at(const struct image *image, const uint8_t *bytes, size_t nbytes,
                                        size_t field_at)
{
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        const struct pattern *pattern = &patterns[i];
        bool fits = (image->is_64 ? pattern->on_64 : pattern->on_32) && pattern->prefix_nbytes == field_at &&
                    nbytes >= field_at + 4;
        for (size_t k = 0; fits && k < field_at; k++)
            fits = (bytes[k] & pattern->mask[k]) == pattern->bytes[k];
        if (fits)
            return pattern;
    }
    return NULL;
}

static bool leave(struct nx_search *search, const struct nx_api *api, uint32_t rva, const char *reason)
{
    struct nx_plan *plan = search->plan;
    if (!plan->left)
        plan->left = arena_array(search->arena, MOST_REDIRECTS, sizeof *plan->left);
    if (!plan->left)
        return false;
    if (plan->left_count < MOST_REDIRECTS)
        plan->left[plan->left_count++] = (struct nx_left){api, rva, reason};
    return true;
}

/* Adds the instruction that holds the reference; false with *why set when it is none that has a form. */
static bool add_site(struct nx_search *search, const struct ref *ref, uint32_t redirect, const char **why)
{
    const struct nx_input *input = search->input;
    struct nx_plan *plan = search->plan;
    uint32_t rva = code_instruction_begin(input->code, ref->site_rva), foff;
    struct span bytes = image_run_at_rva(input->image, rva);
    *why = NULL;
    if (code_class_at(input->code, rva) != BYTE_INSTRUCTION || rva >= ref->site_rva) {
        *why = "the place is no instruction, but holds the address of the import slot";
        return false;
    }
    const struct pattern *pattern = pattern_at(input->image, bytes.bytes, bytes.nbytes, ref->site_rva - rva);
    if (!pattern || !image_rva_to_foff(input->image, rva, pattern->prefix_nbytes + 4u, &foff)) {
        *why = "the instruction does something else with the import slot than call, jump or load";
        return false;
    }
    struct nx_site *sites = arena_grow(search->arena, plan->sites, plan->site_count, &plan->site_capacity,
                                       plan->site_count + 1, sizeof *sites);
    if (!sites)
        return false;
    plan->sites = sites;
    (void)site_set_add(&search->seen, foff);
    sites[plan->site_count++] = (struct nx_site){.rva = rva,
                                                 .foff = foff,
                                                 .redirect = redirect,
                                                 .kind = pattern->kind,
                                                 .nbytes = (uint8_t)(pattern->prefix_nbytes + 4),
                                                 .field_at = pattern->prefix_nbytes};
    return true;
}

static int by_rva(const void *left, const void *right)
{
    const struct nx_site *a = left, *b = right;
    return a->rva < b->rva ? -1 : a->rva > b->rva;
}

static bool has_site(const struct nx_search *search, uint32_t rva)
{
    uint32_t foff;
    return image_rva_to_foff(search->input->image, rva, 1, &foff) && site_set_has(&search->seen, foff);
}

/* Does the reference lead to the slot by its address, or by a distance from code? Tables that describe
 * imports name slots too. */
static bool is_use(const struct ref *ref, uint32_t slot_rva, unsigned pointer_nbytes)
{
    return (ref->source == SOURCE_CODE || ref->source == SOURCE_RELOCATED) && ref->target >= slot_rva &&
           ref->target - slot_rva < pointer_nbytes && ref->encoding != REF_PAGE_12;
}

/* Control flow guard checks addresses of functions before they are called; a stub is in no table of those. */
static bool is_guarded(const struct image *image)
{
    const struct directory *directory = image_directory(image, DIR_LOAD_CONFIG);
    struct span config = directory ? image_run_at_rva(image, directory->rva) : (struct span){0};
    uint32_t nbytes, flags, at = image_pick(image, LC_GUARD_FLAGS_32, LC_GUARD_FLAGS_64);
    /* Behind its own size, which grew with the years, lies something else. */
    return span_u32(config, LC_SIZE, &nbytes) && range_fits(nbytes, at, sizeof flags) &&
           span_u32(config, at, &flags) && (flags & GUARD_FLAG_CF_INSTRUMENTED);
}

/* All references to one slot. When some cannot be led through the stub, none is, and *why says so. */
static bool collect_sites(struct nx_search *search, const struct import *import, uint32_t redirect,
                          uint32_t *where_rva, const char **why)
{
    const struct nx_input *input = search->input;
    size_t first = search->plan->site_count;
    *why = NULL;
    for (size_t i = 0; i < input->refs->ref_count && !*why; i++) {
        const struct ref *ref = &input->refs->refs[i];
        if (!is_use(ref, import->slot_rva, image_pointer_nbytes(input->image)))
            continue;
        uint32_t begin_rva = code_instruction_begin(input->code, ref->site_rva);
        *where_rva = ref->site_rva;
        if (ref->target != import->slot_rva)
            *why = "something refers to the inside of the import slot";
        else if (!has_site(search, begin_rva) && !add_site(search, ref, redirect, why) && !*why)
            return false;
    }
    for (size_t i = first; i < search->plan->site_count && !*why && is_guarded(input->image); i++) {
        if (search->plan->sites[i].kind != NX_SITE_LOAD)
            continue;
        *where_rva = search->plan->sites[i].rva;
        *why = "code loads the function's address, which control flow guard may check before a call, and a "
               "stub is "
               "not in the image's table of functions that may be called so";
    }
    if (*why)
        search->plan->site_count = first;
    return true;
}

/* Bytes of code that may be the operand of an instruction that was not decoded. */
static bool find_hidden(struct nx_search *search, uint32_t slot_rva, uint32_t *where_rva)
{
    const struct nx_input *input = search->input;
    const struct image *image = input->image;
    for (size_t i = 0; i < input->code->section_count; i++) {
        const struct code_section *section = &input->code->sections[i];
        struct span bytes = image_run_at_rva(image, section->rva);
        for (uint32_t at = 0; at + 4 <= section->nbytes && at + 4 <= bytes.nbytes; at++) {
            uint32_t field = load_u32(bytes.bytes + at);
            /* Behind a distance there are 0, 1, 2 or 4 bytes of the instruction. */
            uint32_t behind = slot_rva - (section->rva + at + 4 + field);
            if (image->is_64 ? behind > 4 || behind == 3 : field - (uint32_t)image->image_base_va != slot_rva)
                continue;
            *where_rva = section->rva + at;
            if (code_class_at(input->code, *where_rva) == BYTE_UNKNOWN)
                return true; /* an operand of what was decoded would be in the inventory */
        }
    }
    return false;
}

/* What the call sites say of a function, by name. */
static void count_calls(const struct nx_input *input, const char *name, size_t counts[SITE_VERDICT_COUNT])
{
    for (size_t i = 0; i < input->sites->count; i++) {
        const struct call_site *site = &input->sites->items[i];
        if (!site->by_name && strcmp(site->api->name, name) == 0)
            counts[site->verdict]++;
    }
}

/* A call whose memory is executed, or NULL. */
static const struct call_site *executed_site(const struct nx_input *input, const char *name)
{
    for (size_t i = 0; i < input->sites->count; i++) {
        const struct call_site *site = &input->sites->items[i];
        if (site->called_rva != 0 && strcmp(site->api->name, name) == 0)
            return site;
    }
    return NULL;
}

/* What the proof failed for, or NULL. */
static const struct nx_left *given_up_of(const struct nx_input *input, const struct nx_api *api)
{
    for (size_t i = 0; input->given_up && i < input->given_up->count; i++)
        if (input->given_up->items[i].api == api)
            return &input->given_up->items[i];
    return NULL;
}

static bool try_import(struct nx_search *search, const struct import *import)
{
    static const char hidden[] =
        "the bytes may be an instruction that was not decoded, and that uses the import slot";
    struct nx_plan *plan = search->plan;
    const struct nx_api *api = nx_api_find(import->module, import->name);
    struct nx_redirect redirect = {.api = api, .slot_rva = import->slot_rva};
    uint32_t where_rva = NO_RVA;
    const char *why;
    if (!api ||
        !(api->rule == HVCI2000_EXECUTABLE_POOL ? search->input->wants_pool : search->input->wants_mdl))
        return true;
    count_calls(search->input, import->name, redirect.call_counts);
    if (redirect.call_counts[SITE_EXECUTABLE] + redirect.call_counts[SITE_DEPENDS] +
            redirect.call_counts[SITE_UNKNOWN] ==
        0)
        return redirect.call_counts[SITE_NO_EXECUTE] != 0 ||
               !find_hidden(search, import->slot_rva, &where_rva) || leave(search, api, where_rva, hidden);
    if (plan->redirect_count == MOST_REDIRECTS)
        return leave(search, api, NO_RVA, "the image imports it too often");
    const struct call_site *executed = executed_site(search->input, import->name);
    if (executed)
        return leave(search, api, executed->rva,
                     arena_printf(search->arena,
                                  "the call at RVA 0x%X runs the memory that is allocated here",
                                  executed->called_rva));
    const struct nx_left *given_up = given_up_of(search->input, api);
    if (given_up)
        return leave(search, api, given_up->rva, given_up->reason);
    size_t first = plan->site_count;
    if (!collect_sites(search, import, (uint32_t)plan->redirect_count, &where_rva, &why))
        return false;
    if (!why && plan->site_count == first)
        return true; /* an import of the same name has the sites, or they come to it otherwise */
    if (!why && find_hidden(search, import->slot_rva, &where_rva))
        why = hidden;
    if (why) {
        plan->site_count = first;
        return leave(search, api, where_rva, why);
    }
    redirect.site_count = plan->site_count - first;
    plan->redirects[plan->redirect_count++] = redirect;
    return true;
}

bool nx_plan_make(const struct nx_input *input, struct arena *arena, struct nx_plan *plan)
{
    struct nx_search search = {.input = input, .arena = arena, .plan = plan};
    *plan = (struct nx_plan){.redirects = arena_array(arena, MOST_REDIRECTS, sizeof *plan->redirects)};
    if (!plan->redirects || !site_set_init(&search.seen, arena, input->image->file.nbytes) ||
        !imports_read(input->image, arena, &search.imports))
        return false;
    for (size_t i = 0; i < search.imports.count; i++)
        if (!try_import(&search, &search.imports.items[i]))
            return false;
    if (plan->site_count > 1)
        qsort(plan->sites, plan->site_count, sizeof *plan->sites, by_rva);
    return true;
}

const char *nx_redirect_words(const struct nx_redirect *redirect, struct arena *arena)
{
    const char *words = "";
    for (size_t i = 0; i < SITE_VERDICT_COUNT; i++)
        if (redirect->call_counts[i] != 0)
            words = arena_printf(arena, "%s%s%zu %s", words, *words ? ", " : "", redirect->call_counts[i],
                                 site_verdict_name((enum site_verdict)i));
    return words;
}

const char *nx_flag_words(const struct nx_api *api)
{
    switch (api->kind) {
    case NX_POOL_TYPE:
        return "They are led through a stub that adds 0x200 (no-execute) to PoolType where it is not paged.";
    case NX_POOL_FLAGS:
        return "They are led through a stub that adds POOL_NX_ALLOCATION to Flags.";
    case NX_MDL_PRIORITY:
        break;
    }
    return "They are led through a stub that adds MdlMappingNoExecute to Priority of mappings for kernel "
           "mode.";
}
