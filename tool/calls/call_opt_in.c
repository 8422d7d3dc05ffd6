/* call_opt_in.c - is a variable set whenever the driver starts?
 * Takes: the variable that pool types are taken from.  Gives: yes when no way through the driver's first
 * function leaves it as the file has it, but one that asked which Windows this is.  Must not: take a store
 * behind another condition for the opt-in of POOL_NX_OPTIN. */
#include "calls/calls_internal.h"

#include <string.h>

enum { MOST_CALLERS_DEEP = 4 };

/* May the function end without the block that holds site_rva? */
static bool is_avoidable(const struct function_code *code, uint32_t site_rva, struct arena *scratch)
{
    bool *is_reached = arena_array(scratch, code->block_count, sizeof *is_reached);
    size_t *work = arena_array(scratch, code->block_count, sizeof *work), count = 0;
    if (!is_reached || !work)
        return true;
    for (size_t i = 0; i < code->block_count; i++)
        if (code->blocks[i].is_entry)
            is_reached[i] = true, work[count++] = i;
    while (count != 0) {
        const struct block *block = &code->blocks[work[--count]];
        const struct operation *first = &code->operations[block->first], *last = first + block->count - 1;
        if (first->rva <= site_rva && site_rva <= last->rva)
            continue;
        if (last->kind == DOES_RETURN || block->ends_in_tail || block->ends_in_switch)
            return true;
        for (unsigned i = 0; i < 2; i++) {
            uint32_t next = block->successors[i];
            if (next != NO_BLOCK && !is_reached[next])
                is_reached[next] = true, work[count++] = next;
        }
    }
    return false;
}

/* Does the function that holds the site ask which Windows this is? */
static bool asks_for_version(struct call_search *search, uint32_t site_rva)
{
    static const char *const names[] = {"RtlIsNtDdiVersionAvailable", "RtlVerifyVersionInfo", "RtlGetVersion",
                                        "PsGetVersion"};
    const struct read_function *function = search_function_holding(search, site_rva);
    for (size_t i = 0; function && i < function->call_count && search_take_steps(search, 1); i++) {
        const struct import *import =
            search_called_import(search, &search->records.calls[function->first_call + i]);
        for (size_t k = 0; import && import->name && k < sizeof names / sizeof names[0]; k++)
            if (strcmp(import->name, names[k]) == 0)
                return true;
    }
    return false;
}

/* Does the driver's first function come by here, whatever it meets? */
static bool runs_at_start(struct call_search *search, uint32_t site_rva, unsigned depth)
{
    const struct read_function *function = search_function_holding(search, site_rva);
    if (!function || depth == MOST_CALLERS_DEEP)
        return false;
    uint32_t begin_rva = function->begin_rva;
    struct arena scratch;
    struct function_code code;
    arena_init(&scratch, NULL);
    bool is_certain = function_code_read(search->image, search->map, &search->list, search->reader, begin_rva,
                                         &scratch, &code) &&
                      !code.is_too_large && code.block_count != 0 && !is_avoidable(&code, site_rva, &scratch);
    search->arena->exhausted |= scratch.exhausted;
    arena_free(&scratch);
    if (!is_certain && !asks_for_version(search, begin_rva))
        return false;
    if (begin_rva == search->image->entry_rva)
        return true;
    size_t first, count;
    search_refs_to(search, begin_rva, 1, &first, &count);
    for (size_t i = first; i < first + count && search_take_steps(search, 1); i++) {
        const struct ref *ref = &search->refs->refs[search->by_target[i].ref];
        if (ref->source == SOURCE_CODE && ref->encoding == REF_PCREL &&
            (ref->access == ACCESS_CALL || ref->access == ACCESS_JUMP || ref->access == ACCESS_NONE) &&
            runs_at_start(search, code_instruction_begin(search->map, ref->site_rva), depth + 1))
            return true;
    }
    return false;
}

static bool is_set_at_start(struct call_search *search, uint32_t variable_rva)
{
    size_t first, count;
    search_refs_to(search, variable_rva, 1, &first, &count);
    for (size_t i = first; i < first + count && search_take_steps(search, 1); i++) {
        const struct ref *ref = &search->refs->refs[search->by_target[i].ref];
        if (ref->source != SOURCE_CODE || ref->access != ACCESS_WRITE)
            continue;
        uint32_t site_rva = code_instruction_begin(search->map, ref->site_rva);
        if (asks_for_version(search, site_rva) || runs_at_start(search, site_rva, 0))
            return true;
    }
    return false;
}

bool search_is_set_at_start(struct call_search *search, uint32_t variable_rva)
{
    if (search->opt_in_rva != variable_rva) {
        search->is_opt_in = is_set_at_start(search, variable_rva);
        search->opt_in_rva = variable_rva;
    }
    return search->is_opt_in;
}
