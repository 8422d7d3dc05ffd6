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

static bool imports_allocator(const struct import_list *imports)
{
    for (size_t i = 0; i < imports->count; i++)
        if (imports->items[i].name && is_allocator(imports->items[i].name))
            return true;
    return false;
}

/* Follows the functions that hand Windows a function. */
static bool read_handers(struct call_search *search)
{
    for (size_t i = 0; i < search->imports.count; i++) {
        const struct import *import = &search->imports.items[i];
        for (size_t k = 0; import->name && k < sizeof callers / sizeof callers[0]; k++)
            if (strcmp(import->name, callers[k].name) == 0 &&
                !search_read_users(search, import->slot_rva, image_pointer_nbytes(search->image)))
                return false;
    }
    return true;
}

static void note_called(struct call_search *search, const struct leaf *allocation, uint32_t called_rva)
{
    for (size_t i = 0; i < search->sites->count; i++)
        if (search->sites->items[i].rva == allocation->origin_rva && !search->sites->items[i].called_rva)
            search->sites->items[i].called_rva = called_rva;
}

/* Does the function name the variable by itself? */
static bool names_variable(const struct call_search *search, uint32_t function_rva, uint32_t variable_rva)
{
    size_t first, count;
    search_refs_to(search, variable_rva, 1, &first, &count);
    for (size_t i = first; i < first + count; i++) {
        const struct ref *ref = &search->refs->refs[search->by_target[i].ref];
        const struct function_begin *user =
            ref->source == SOURCE_CODE ? function_list_holding(&search->list, search->map, ref->site_rva)
                                       : NULL;
        if (user && function_parts_owner(&search->list.parts, user->begin_rva) == function_rva)
            return true;
    }
    return false;
}

/* A loop over a table: its first elements were seen alone before it was known to be one. They are no
 * variables that code calls through. */
static bool is_element(const struct call_search *search, const struct call_record *call, value_number target)
{
    bool is_one = value_has_unknown(&search->values, target);
    for (uint32_t i = 0; is_one && i < search->values.values[target].atom_count; i++) {
        const struct atom *atom = value_atom(&search->values, target, i);
        is_one = atom->kind == ATOM_UNKNOWN ||
                 (atom->kind == ATOM_GLOBAL &&
                  !names_variable(search, call->function_rva, (uint32_t)atom->number));
    }
    return is_one;
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
    if (!first || is_element(search, call, target))
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
    struct step_budget steps = search->steps;
    if (!imports_allocator(&search->imports))
        return true;
    search->steps = (struct step_budget){.left = STEPS}; /* its own: it takes nothing from the verdicts */
    bool is_done = search_read_leaders(search) && read_handers(search);
    for (size_t i = 0; is_done && i < search->records.call_count; i++) {
        const struct call_record call = search->records.calls[i];
        is_done = judge_call(search, &call);
    }
    search->steps = steps;
    return is_done;
}
