/* integrity_code_mapping.c - writable mappings of code, the driver's own or the kernel's (HVCI2301).
 * Takes: calls that map an MDL or physical memory, and where the address behind it came from.  Gives: places.
 * Must not: count a mapping of which it is not known that code lies behind it. */
#include "calls/integrity.h"

#include "calls/calls_internal.h"
#include "calls/import_stack.h"

#include <string.h>

/* Calls that map what a structure or number stands for, and the calls that make it out of an address. */
static const struct {
    const char *name;
    int8_t argument, word_32;
} mappings[] =
    {
        {"MmMapLockedPagesSpecifyCache", 0, 0},
        {"MmMapLockedPages", 0, 0},
        {"MmMapLockedPagesWithReservedMapping", 2, 2},
        {"MmProtectMdlSystemAddress", 0, 0},
        {"MmMapIoSpace", 0, 0},
        {"MmMapIoSpaceEx", 0, 0},
},
  makers[] = {
      {"IoAllocateMdl", 0, 0},
      {"MmCreateMdl", 1, 1},
      {"MmGetPhysicalAddress", 0, 0},
};

/* What lies behind the values of an argument. */
struct behind {
    size_t code, other;
    const char *what; /* the first code that was met, in words */
};

static const char *function_of_windows(const char *name)
{
    return name && import_argument_count(name) >= 0 ? name : NULL; /* variables have no arguments */
}

static void count_address(struct call_search *search, const struct leaf *leaf, struct behind *behind)
{
    const char *what = NULL;
    uint32_t rva = (uint32_t)leaf->value;
    if (leaf->kind == LEAF_IMPORT) {
        what = function_of_windows(leaf->import->name);
    } else if (leaf->kind == LEAF_ROUTINE_NAME) {
        what = function_of_windows(leaf->name);
    } else if (leaf->kind == LEAF_CODE) {
        enum byte_class class = code_class_at(search->map, rva);
        const struct import *import = search_import_thunk(search, rva);
        if (import)
            what = function_of_windows(import->name);
        else if (class == BYTE_INSTRUCTION || class == BYTE_INSTRUCTION_TAIL)
            what = arena_printf(search->arena, "the driver's own code at RVA 0x%X", rva);
    }
    behind->code += what != NULL;
    behind->other += what == NULL;
    if (!behind->what)
        behind->what = what;
}

/* The address that the call of a maker was given. */
static bool look_behind(struct call_search *search, const struct leaf *leaf, struct behind *behind)
{
    struct call_record call;
    struct leaves leaves;
    size_t i = 0;
    bool is_null = leaf->kind == LEAF_BITS && leaf->known_bits == UINT64_MAX && leaf->value == 0;
    if (is_null) /* the variable before anything was stored: nothing is mapped with it */
        return true;
    while (i < sizeof makers / sizeof makers[0] &&
           !(leaf->kind == LEAF_BITS && leaf->reason == UNKNOWN_RESULT && leaf->name &&
             strcmp(leaf->name, makers[i].name) == 0))
        i++;
    if (i == sizeof makers / sizeof makers[0] ||
        !search_call_at(search, leaf->origin_rva, leaf->function_rva, &call)) {
        behind->other++;
        return !search->arena->exhausted;
    }
    value_number address = search_argument(search, &call, makers[i].argument, makers[i].word_32);
    if (!search_leaves(search, address, call.function_rva, &leaves))
        return false;
    for (size_t k = 0; k < leaves.count; k++)
        count_address(search, &leaves.items[k], behind);
    behind->other += leaves.is_full;
    return true;
}

static bool judge(struct call_search *search, const struct call_record *call, size_t mapping)
{
    struct leaves leaves;
    struct behind behind = {0};
    value_number mapped =
        search_argument(search, call, mappings[mapping].argument, mappings[mapping].word_32);
    if (!search_leaves(search, mapped, call->function_rva, &leaves))
        return false;
    for (size_t i = 0; i < leaves.count; i++)
        if (!look_behind(search, &leaves.items[i], &behind))
            return false;
    if (behind.code == 0)
        return true;
    bool is_proved = behind.other == 0 && !leaves.is_full;
    return integrity_add(
        search, (struct integrity_site){
                    .rva = call->site_rva,
                    .function_rva = call->function_rva,
                    .code = HVCI2301_CODE_MAPPED_WRITABLE,
                    .verdict = is_proved ? SITE_EXECUTABLE : SITE_DEPENDS,
                    .api = mappings[mapping].name,
                    .what = arena_printf(search->arena, "makes a writable mapping of code (%s)", behind.what),
                    .reason = is_proved ? NULL : "other addresses can reach it, too"});
}

bool integrity_code_mapping(struct call_search *search)
{
    for (size_t i = 0; i < search->records.call_count; i++) {
        struct call_record call = search->records.calls[i];
        const struct import *import = call.is_thunk ? NULL : search_called_import(search, &call);
        for (size_t k = 0; import && import->name && k < sizeof mappings / sizeof mappings[0]; k++)
            if (strcmp(import->name, mappings[k].name) == 0 && !judge(search, &call, k))
                return false;
    }
    return true;
}
