/* integrity_called_pool.c - memory that a call gives and that is then executed (HVCI2303).
 * Takes: what functions of Windows return, and where it goes.  Gives: the calls and jumps that lead into it,
 * or hand it to Windows as a function; with the call that gave it (call_site.called_rva).  Must not: count a
 * call through a pointer that lies in such memory: that leads elsewhere. */
#include "calls/integrity.h"

#include "calls/calls_internal.h"

#include <string.h>

enum { STEPS = 1 << 20 };

static bool is_allocator(const char *name)
{
    static const char *const names[] = {
        "ExAllocatePool",
        "ExAllocatePoolWithTag",
        "ExAllocatePoolWithQuota",
        "ExAllocatePoolWithQuotaTag",
        "ExAllocatePoolWithTagPriority",
        "ExAllocatePool2",
        "ExAllocatePool3",
        "FltAllocatePoolAlignedWithTag",
        "MmAllocateContiguousMemory",
        "MmAllocateContiguousMemorySpecifyCache",
        "MmAllocateContiguousMemorySpecifyCacheNode",
        "MmAllocateContiguousNodeMemory",
        "MmAllocateNonCachedMemory",
        "MmAllocateIndependentPages",
        "MmAllocateIndependentPagesEx",
        "MmMapIoSpace",
        "MmMapIoSpaceEx",
        "MmMapLockedPages",
        "MmMapLockedPagesSpecifyCache",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* Functions of Windows that call what they are given. */
static const struct {
    const char *name;
    int8_t argument;
} callers[] = {
    {"PsCreateSystemThread", 5},
    {"IoQueueWorkItem", 1},
    {"IoQueueWorkItemEx", 1},
    {"KeInitializeDpc", 1},
    {"KeInitializeThreadedDpc", 1},
    {"KeIpiGenericCall", 0},
    {"PsSetCreateProcessNotifyRoutine", 0},
    {"PsSetCreateProcessNotifyRoutineEx", 0},
    {"PsSetCreateThreadNotifyRoutine", 0},
    {"PsSetLoadImageNotifyRoutine", 0},
};

static bool is_allocation(const struct leaf *leaf)
{
    return leaf->kind == LEAF_BITS && leaf->reason == UNKNOWN_RESULT && leaf->name &&
           is_allocator(leaf->name);
}

static bool may_be_result(const struct call_search *search, value_number value)
{
    for (uint32_t i = 0; i < search->values.values[value].atom_count; i++) {
        uint8_t kind = value_atom(&search->values, value, i)->kind;
        if (kind == ATOM_RESULT || kind == ATOM_INSIDE)
            return true;
    }
    return false;
}

static bool may_be_allocation(struct call_search *search, value_number value, uint32_t function_rva,
                              bool *may)
{
    struct leaves leaves;
    *may = false;
    if (!may_be_result(search, value))
        return true;
    if (!search_leaves(search, value, function_rva, &leaves))
        return false;
    for (size_t i = 0; i < leaves.count; i++)
        *may |= is_allocation(&leaves.items[i]);
    return true;
}

/* Functions that are handed such memory. */
static bool read_callees(struct call_search *search, const struct call_record *call)
{
    bool may = false;
    if (call->target_rva == 0 || search_import_thunk(search, call->target_rva))
        return true;
    for (int i = 0; i < 4 && !may; i++)
        if (!may_be_allocation(search, search_argument(search, call, i, i), call->function_rva, &may))
            return false;
    if (may)
        (void)search_function(search, call->target_rva);
    return !search->arena->exhausted;
}

/* Follows the memory: to functions that get it, variables that hold it, callers that are given it. */
static bool read_holders(struct call_search *search)
{
    size_t call = 0, store = 0, function = 0;
    bool may;
    while (call < search->records.call_count || store < search->records.store_count ||
           function < search->function_count) {
        for (; call < search->records.call_count; call++) {
            const struct call_record copy = search->records.calls[call];
            if (!read_callees(search, &copy))
                return false;
        }
        for (; store < search->records.store_count; store++) {
            const struct store_record copy = search->records.stores[store];
            if (!may_be_allocation(search, copy.value, copy.function_rva, &may) ||
                (may && !search_read_users(search, copy.rva, image_pointer_nbytes(search->image))))
                return false;
        }
        for (; function < search->function_count; function++) {
            const struct read_function copy = search->functions[function];
            if (!may_be_allocation(search, copy.result, copy.begin_rva, &may) ||
                (may && !search_read_users(search, copy.begin_rva, 1)))
                return false;
        }
    }
    return true;
}

static void note_called(struct call_search *search, const struct leaf *allocation, uint32_t called_rva)
{
    for (size_t i = 0; i < search->sites->count; i++)
        if (search->sites->items[i].rva == allocation->origin_rva && !search->sites->items[i].called_rva)
            search->sites->items[i].called_rva = called_rva;
}

/* `caller`: the function of Windows that is handed the address; NULL: it is called here. */
static bool judge(struct call_search *search, const struct call_record *call, value_number target,
                  const char *caller)
{
    struct leaves leaves;
    size_t others = 0;
    const struct leaf *first = NULL;
    if (!value_may_be_function(&search->values, target) && !may_be_result(search, target))
        return true;
    if (!search_leaves(search, target, call->function_rva, &leaves))
        return false;
    for (size_t i = 0; i < leaves.count; i++) {
        const struct leaf *leaf = &leaves.items[i];
        bool is_null = leaf->kind == LEAF_BITS && leaf->known_bits == UINT64_MAX && leaf->value == 0;
        if (is_allocation(leaf))
            first = first ? first : leaf;
        else if (!is_null) /* nobody calls address 0 */
            others++;
    }
    if (!first)
        return true;
    bool is_proved = others == 0 && !leaves.is_full;
    for (size_t i = 0; i < leaves.count; i++)
        if (is_allocation(&leaves.items[i]))
            note_called(search, &leaves.items[i], call->site_rva);
    return integrity_add(
        search, (struct integrity_site){
                    .rva = call->site_rva,
                    .function_rva = call->function_rva,
                    .code = HVCI2303_ALLOCATION_EXECUTED,
                    .verdict = is_proved ? SITE_EXECUTABLE : SITE_DEPENDS,
                    .api = first->name,
                    .what = arena_printf(search->arena, "%s memory that %s gives at RVA 0x%X%s%s",
                                         caller ? "hands" : "executes", first->name, first->origin_rva,
                                         caller ? " as a function to " : "", caller ? caller : ""),
                    .reason = is_proved ? NULL : "the pointer can lead elsewhere, too"});
}

static bool judge_call(struct call_search *search, const struct call_record *call)
{
    const struct import *import = call->is_thunk ? NULL : search_called_import(search, call);
    for (size_t k = 0; import && import->name && k < sizeof callers / sizeof callers[0]; k++)
        if (strcmp(import->name, callers[k].name) == 0)
            return judge(search, call,
                         search_argument(search, call, callers[k].argument, callers[k].argument),
                         callers[k].name);
    return call->target_rva || import || call->is_thunk || judge(search, call, call->target, NULL);
}

bool integrity_called_pool(struct call_search *search)
{
    uint64_t steps_left = search->steps_left;
    search->steps_left = STEPS; /* its own: it takes nothing from the verdicts */
    bool is_done = read_holders(search);
    for (size_t i = 0; is_done && i < search->records.call_count; i++) {
        const struct call_record call = search->records.calls[i];
        is_done = judge_call(search, &call);
    }
    search->steps_left = steps_left;
    return is_done;
}
