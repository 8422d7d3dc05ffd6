/* call_references.c - references by what they lead to, functions by what they call.
 * Takes: the inventory.  Gives: look-ups, and the records of functions, made when they are first asked for.
 * Must not: judge values. */
#include "calls/calls_internal.h"

#include "calls/import_stack.h"

/* Does the reference name an RVA that something is done with, or that is known elsewhere? */
static bool is_counted(const struct ref *ref)
{
    if (ref->state != REF_RESOLVED || ref->encoding == REF_FOFF || ref->encoding == REF_SECTION_INDEX)
        return false;
    static const uint32_t descriptions = /* they say where things are; nothing is called through them */
        SOURCE_BIT(SOURCE_BASERELOCS) | SOURCE_BIT(SOURCE_EXCEPTION) | SOURCE_BIT(SOURCE_UNWIND) |
        SOURCE_BIT(SOURCE_GUARD_TABLES) | SOURCE_BIT(SOURCE_COFF_SYMBOLS) | SOURCE_BIT(SOURCE_DEBUG) |
        SOURCE_BIT(SOURCE_DIRECTORIES) | SOURCE_BIT(SOURCE_SECTION_HEADERS) | SOURCE_BIT(SOURCE_DVRT);
    return !(descriptions & SOURCE_BIT(ref->source)) && ref->encoding != REF_SIZE;
}

enum { DIGIT_BITS = 8, DIGIT_VALUES = 1 << DIGIT_BITS };

/* One pass of sorting by digits: stable, so that references to one target stay in their order. */
static void sort_by_digit(const struct target_ref *from, struct target_ref *to, size_t count, unsigned shift)
{
    size_t places[DIGIT_VALUES] = {0};
    for (size_t i = 0; i < count; i++)
        places[(from[i].target_rva >> shift) % DIGIT_VALUES]++;
    for (size_t digit = 0, place = 0; digit < DIGIT_VALUES; digit++) {
        size_t here = places[digit];
        places[digit] = place;
        place += here;
    }
    for (size_t i = 0; i < count; i++)
        to[places[(from[i].target_rva >> shift) % DIGIT_VALUES]++] = from[i];
}

/* By target, then by number: an even number of passes ends in `items`. Work: linear, where there may be
 * millions. */
static void sort_by_target(struct target_ref *items, struct target_ref *room, size_t count)
{
    for (unsigned shift = 0; shift < 32; shift += 2 * DIGIT_BITS) {
        sort_by_digit(items, room, count, shift);
        sort_by_digit(room, items, count, shift + DIGIT_BITS);
    }
}

bool search_index_refs(struct call_search *search)
{
    const struct refset *refs = search->refs;
    struct arena scratch;
    arena_init(&scratch, NULL);
    struct target_ref *items = arena_alloc_unset(search->arena, refs->ref_count * sizeof *items);
    struct target_ref *room = arena_alloc_unset(&scratch, refs->ref_count * sizeof *room);
    if (!items || !room) {
        search->arena->exhausted = true;
        arena_free(&scratch);
        return false;
    }
    size_t count = 0;
    for (size_t i = 0; i < refs->ref_count; i++)
        if (is_counted(&refs->refs[i]))
            items[count++] = (struct target_ref){refs->refs[i].target, (uint32_t)i};
    sort_by_target(items, room, count);
    arena_free(&scratch);
    search->by_target = items;
    search->by_target_count = count;
    return true;
}

static size_t first_at_or_behind(const struct call_search *search, uint64_t rva)
{
    size_t low = 0, high = search->by_target_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (search->by_target[middle].target_rva < rva)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void search_refs_to(const struct call_search *search, uint32_t rva, uint32_t nbytes, size_t *first,
                    size_t *count)
{
    *first = first_at_or_behind(search, rva);
    *count = first_at_or_behind(search, (uint64_t)rva + nbytes) - *first;
}

static size_t function_slot(const struct call_search *search, uint32_t begin_rva)
{
    uint32_t hash = begin_rva * UINT32_C(2654435761);
    size_t at = hash & (search->function_slot_count - 1);
    while (search->function_slots[at] &&
           search->functions[search->function_slots[at] - 1].begin_rva != begin_rva)
        at = (at + 1) & (search->function_slot_count - 1);
    return at;
}

static bool grow_slots(struct call_search *search)
{
    size_t count = search->function_slot_count ? search->function_slot_count * 2 : 64;
    uint32_t *slots = arena_array(search->arena, count, sizeof *slots);
    if (!slots)
        return false;
    search->function_slots = slots;
    search->function_slot_count = count;
    for (size_t i = 0; i < search->function_count; i++)
        slots[function_slot(search, search->functions[i].begin_rva)] = (uint32_t)i + 1;
    return true;
}

const struct import *search_import_thunk(const struct call_search *search, uint32_t rva)
{
    struct operation operation;
    struct span bytes = image_run_at_rva(search->image, rva);
    uint32_t slot_rva;
    if (bytes.nbytes == 0 || !operation_read(search->reader, bytes.bytes, bytes.nbytes, rva, &operation) ||
        operation.kind != DOES_JUMP || operation.has_target || operation.operands[0].kind != OPERAND_MEMORY ||
        !operation.operands[0].has_place)
        return NULL;
    if (operation.operands[0].is_rip_relative)
        slot_rva = (uint32_t)operation.operands[0].number;
    else if (!image_va_to_rva(search->image, (uint64_t)operation.operands[0].number & UINT32_MAX, &slot_rva))
        return NULL;
    return import_at(&search->imports, slot_rva);
}

const struct import *search_called_import(const struct call_search *search, const struct call_record *call)
{
    const struct atom *slot = value_single(&search->values, call->target, ATOM_GLOBAL);
    uint32_t called_rva = call->target_rva ? call->target_rva : search_nx_stub_value(search, call->target);
    if (called_rva)
        return search_import_behind(search, called_rva);
    return slot ? import_at(&search->imports, (uint32_t)slot->number) : NULL;
}

/* The first return of a function says what it takes off the stack. */
static int function_pops(struct call_search *search, uint32_t begin_rva)
{
    const struct function_begin *function = function_list_at(&search->list, begin_rva);
    enum { MOST_LOOKED_AT = 4096 };
    if (!function)
        return POPS_UNKNOWN;
    uint32_t end = function_list_limit(&search->list, search->map, function);
    for (uint32_t rva = begin_rva, n = 0; rva < end && n < MOST_LOOKED_AT; n++) {
        struct operation operation;
        struct span bytes = image_run_at_rva(search->image, rva);
        if (code_class_at(search->map, rva) != BYTE_INSTRUCTION ||
            !operation_read(search->reader, bytes.bytes, bytes.nbytes, rva, &operation)) {
            rva++;
            continue;
        }
        if (operation.kind == DOES_RETURN)
            return operation.return_nbytes;
        rva += operation.nbytes;
    }
    return POPS_UNKNOWN;
}

static int pops(void *context, const struct operation *call, value_number target)
{
    struct call_search *search = context;
    const struct import *import = NULL;
    uint32_t called_rva = call->has_target ? call->target_rva : search_nx_stub_value(search, target);
    if (called_rva) {
        import = search_import_behind(search, called_rva);
        if (!import)
            return function_pops(search, called_rva);
    } else {
        const struct atom *slot = value_single(&search->values, target, ATOM_GLOBAL);
        import = slot ? import_at(&search->imports, (uint32_t)slot->number) : NULL;
    }
    return import && import->name ? import_stack_nbytes(import->name) : POPS_UNKNOWN;
}

static bool follow(struct call_search *search, struct read_function *function)
{
    struct flow flow = {.image = search->image,
                        .values = &search->values,
                        .records = &search->records,
                        .arena = search->arena,
                        .pops = pops,
                        .context = search};
    struct function_code code;
    struct arena scratch;
    arena_init(&scratch, NULL);
    bool is_read = function_code_read(search->image, search->map, &search->list, search->reader,
                                      function->begin_rva, &scratch, &code);
    bool is_done = is_read && (code.is_too_large || flow_run(&flow, &code));
    function->is_too_large = is_read && code.is_too_large;
    function->returns = flow.returns || function->is_too_large;
    function->result = function->is_too_large ? value_unknown(&search->values, UNKNOWN_LIMIT) : flow.result;
    if (scratch.exhausted)
        search->arena->exhausted = true;
    arena_free(&scratch);
    return is_done;
}

const struct read_function *search_function(struct call_search *search, uint32_t begin_rva)
{
    if (search->function_count * 2 >= search->function_slot_count && !grow_slots(search))
        return NULL;
    size_t slot = function_slot(search, begin_rva);
    if (search->function_slots[slot])
        return &search->functions[search->function_slots[slot] - 1];
    struct read_function function = {.begin_rva = begin_rva,
                                     .first_call = search->records.call_count,
                                     .first_store = search->records.store_count};
    if (!follow(search, &function))
        return NULL;
    function.call_count = search->records.call_count - function.first_call;
    function.store_count = search->records.store_count - function.first_store;
    struct read_function *functions =
        arena_grow(search->arena, search->functions, search->function_count, &search->function_capacity,
                   search->function_count + 1, sizeof *functions);
    if (!functions)
        return NULL;
    search->functions = functions;
    functions[search->function_count] = function;
    search->function_slots[slot] = (uint32_t)++search->function_count;
    return &functions[search->function_count - 1];
}

const struct read_function *search_function_holding(struct call_search *search, uint32_t rva)
{
    const struct function_begin *function = function_list_holding(&search->list, search->map, rva);
    return function ? search_function(search, function_parts_owner(&search->list.parts, function->begin_rva))
                    : NULL;
}

bool search_call_at(struct call_search *search, uint32_t site_rva, uint32_t function_rva,
                    struct call_record *call)
{
    const struct read_function *function = search_function(search, function_rva);
    for (size_t i = 0; function && i < function->call_count && search_take_steps(search, 1); i++) {
        *call = search->records.calls[function->first_call + i];
        if (call->site_rva == site_rva)
            return true;
    }
    return false;
}
