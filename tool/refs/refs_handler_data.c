/* refs_handler_data.c - deciding what each language handler is.
 * Takes: all uses of all handlers.  Gives: a kind for each, then its references, or one problem that names
 * it. Must not: accept a kind that one user's data contradict. */
#include "refs/refs_handler_data.h"

#include <stdlib.h>

typedef bool fits_fn(struct handler_walk *walk, const struct handler_use *use);
typedef bool add_fn(struct handler_walk *walk, const struct handler_use *use);

/* The order in which kinds are tried on a handler without a name: what is hardest to meet by chance first. */
static const struct {
    enum handler_kind kind;
    fits_fn *fits;
    add_fn *add;
} kinds[] = {
    {HANDLER_SCOPE_TABLE, scope_table_fits, scope_table_add},
    {HANDLER_CXX3, cxx3_fits, cxx3_add},
    {HANDLER_CXX4, cxx4_fits, cxx4_add},
    {HANDLER_GS, gs_data_fits, gs_data_add},
    {HANDLER_EMPTY, empty_data_fits, empty_data_add},
};
enum { TRIED_KIND_COUNT = sizeof kinds / sizeof kinds[0] };

bool handler_uses_add(struct refset *refs, struct handler_uses *uses, const struct handler_use *use)
{
    struct handler_use *grown =
        arena_grow(refs->arena, uses->items, uses->count, &uses->capacity, uses->count + 1, sizeof *grown);
    if (!grown)
        return false;
    uses->items = grown;
    uses->items[uses->count++] = *use;
    return true;
}

bool handler_is_code(const struct refset *refs, uint32_t rva)
{
    return refset_code_flag(refs->image, rva) != 0;
}

bool handler_spend(struct handler_walk *walk, uint64_t steps)
{
    if (steps > walk->steps_left)
        return false;
    walk->steps_left -= steps;
    return true;
}

bool handler_add_rva(struct handler_walk *walk, const struct window *window, uint64_t offset, uint16_t detail,
                     uint8_t flags)
{
    struct ref_spec spec = {.source = SOURCE_HANDLER_DATA,
                            .encoding = REF_RVA,
                            .width_nbytes = 4,
                            .flags = flags,
                            .detail = detail};
    return window_add(walk->refs, window, offset, spec);
}

static int by_handler(const void *a, const void *b)
{
    const struct handler_use *left = a, *right = b;
    if (left->handler_rva != right->handler_rva)
        return left->handler_rva < right->handler_rva ? -1 : 1;
    if (left->data_rva != right->data_rva)
        return left->data_rva < right->data_rva ? -1 : 1;
    return 0;
}

static size_t count_handlers(const struct handler_uses *uses)
{
    size_t count = 0;
    for (size_t i = 0; i < uses->count; i++)
        count += i == 0 || uses->items[i].handler_rva != uses->items[i - 1].handler_rva;
    return count;
}

static void group_uses(const struct handler_uses *uses, struct handler *handlers)
{
    struct handler *handler = handlers;
    for (size_t i = 0; i < uses->count; i++) {
        if (i != 0 && uses->items[i].handler_rva != uses->items[i - 1].handler_rva)
            handler++;
        if (handler->use_count++ == 0) {
            handler->rva = uses->items[i].handler_rva;
            handler->first_use = i;
        }
    }
}

static bool fits_all(struct handler_walk *walk, const struct handler_uses *uses,
                     const struct handler *handler, fits_fn *fits)
{
    for (size_t i = 0; i < handler->use_count; i++)
        if (!fits(walk, &uses->items[handler->first_use + i]))
            return false;
    return true;
}

static void decide_kind(struct handler_walk *walk, const struct handler_uses *uses, struct handler *handler)
{
    handler->kind = handler->name ? handler_kind_of_name(handler->name) : HANDLER_UNKNOWN;
    if (handler->name && handler->kind == HANDLER_UNKNOWN)
        return; /* a name that says that it is something else */
    for (size_t i = 0; i < TRIED_KIND_COUNT && handler->kind == HANDLER_UNKNOWN; i++)
        if (fits_all(walk, uses, handler, kinds[i].fits))
            handler->kind = kinds[i].kind;
}

static bool add_known(struct handler_walk *walk, const struct handler_uses *uses,
                      const struct handler *handler)
{
    for (size_t i = 0; i < TRIED_KIND_COUNT; i++)
        for (size_t j = 0; kinds[i].kind == handler->kind && j < handler->use_count; j++)
            if (!kinds[i].add(walk, &uses->items[handler->first_use + j]))
                return false;
    return true;
}

static bool tell_unknown(struct refset *refs, const struct handler_uses *uses, const struct handler *handler)
{
    uint32_t data_rva = uses->items[handler->first_use].data_rva;
    const char *quote = handler->name ? " named " : "";
    return refset_limit(refs, SOURCE_HANDLER_DATA, handler->rva, NO_FILE_OFFSET,
                        "The language handler at RVA 0x%X%s%s is not known; the data that %zu functions "
                        "give it (the first at RVA 0x%X) are not read.",
                        handler->rva, quote, handler->name ? handler->name : "", handler->use_count,
                        data_rva);
}

bool refs_collect_handler_data(struct refset *refs, struct handler_uses *uses,
                               const struct unwind_infos *infos)
{
    if (uses->count == 0)
        return true;
    qsort(uses->items, uses->count, sizeof *uses->items, by_handler);
    size_t handler_count = count_handlers(uses);
    struct handler *handlers = arena_array(refs->arena, handler_count, sizeof *handlers);
    struct handler_walk walk = {
        .refs = refs, .infos = infos, .steps_left = 4 * (uint64_t)refs->image->file.nbytes};
    if (!handlers || !site_set_init(&walk.visited, refs->arena, refs->image->file.nbytes))
        return false;
    group_uses(uses, handlers);
    if (!handlers_name(refs, handlers, handler_count))
        return false;
    for (size_t i = 0; i < handler_count; i++) {
        decide_kind(&walk, uses, &handlers[i]);
        if (handlers[i].kind == HANDLER_UNKNOWN ? !tell_unknown(refs, uses, &handlers[i])
                                                : !add_known(&walk, uses, &handlers[i]))
            return false;
    }
    return true;
}
