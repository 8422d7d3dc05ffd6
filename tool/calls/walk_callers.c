/* walk_callers.c - what the callers of a function give it.
 * Takes: an argument as the function finds it at entry.  Gives: the leaves of what each caller has there.
 * Must not: take those who are known for all, where the function's address is taken or it is exported. */
#include "calls/value_walk.h"

/* Does execution run into the function from the bytes before it? */
static bool is_run_into(const struct call_search *search, uint32_t begin_rva)
{
    if (begin_rva == 0 || code_class_at(search->map, begin_rva - 1) == BYTE_PADDING)
        return false;
    uint32_t rva = code_instruction_begin(search->map, begin_rva - 1);
    struct span bytes = image_run_at_rva(search->image, rva);
    struct operation operation;
    enum byte_class class = code_class_at(search->map, rva);
    if (class != BYTE_INSTRUCTION ||
        !operation_read(search->reader, bytes.bytes, bytes.nbytes, rva, &operation))
        return false;
    return operation.kind != DOES_JUMP && operation.kind != DOES_RETURN && operation.kind != DOES_STOP &&
           operation.kind != DOES_CALL;
}

/* The value that a caller gives. `atom` is one of what was there at entry. */
static bool walk_call(struct walk *walk, const struct call_record *call, const struct atom *atom)
{
    unsigned pointer_nbytes = image_pointer_nbytes(walk->search->image);
    value_number given;
    if (atom->kind == ATOM_ENTRY_REGISTER) {
        given = call->registers[atom->id];
    } else {
        int64_t word = atom->number / pointer_nbytes - 1;
        if (atom->number % pointer_nbytes != 0 || word < 0 || word >= CALL_STACK_WORDS) {
            walk_add_unknown(walk, UNKNOWN_STACK, ORIGIN_CALLER, call->site_rva);
            return true;
        }
        given = call->stack[word];
    }
    return walk_value(walk, given, call->function_rva, ORIGIN_CALLER, call->site_rva);
}

bool walk_callers(struct walk *walk, const struct atom *atom, uint32_t function_rva)
{
    struct call_search *search = walk->search;
    enum way_state state = walk_enter(walk, &walk->arguments, function_rva, atom);
    if (state == WAY_AGAIN) /* it calls itself with what it was given */
        return true;
    if (state != WAY_NEW) {
        walk_add_unknown(walk, state == WAY_CHANGED ? UNKNOWN_COMPUTED : UNKNOWN_MANY, ORIGIN_UNKNOWN_CALLER,
                         function_rva);
        return true;
    }
    size_t first, count, caller_count = 0;
    search_refs_to(search, function_rva, 1, &first, &count);
    for (size_t i = first; i < first + count && !walk->leaves->is_full && walk_take_step(walk); i++) {
        const struct ref *ref = &search->refs->refs[search->by_target[i].ref];
        bool is_branch =
            ref->source == SOURCE_CODE && ref->encoding == REF_PCREL &&
            (ref->access == ACCESS_CALL || ref->access == ACCESS_JUMP || ref->access == ACCESS_NONE);
        if (!is_branch) {
            walk_add_unknown(walk, UNKNOWN_MEMORY, ORIGIN_UNKNOWN_CALLER, function_rva);
            continue;
        }
        struct read_function function;
        uint32_t site;
        if (!walk_find_user(search, ref, &function, &site))
            return false;
        bool is_seen = function.begin_rva == function_rva; /* a loop to its own beginning */
        for (size_t k = 0; k < function.call_count && walk_take_step(walk); k++) {
            struct call_record call = search->records.calls[function.first_call + k];
            if (call.site_rva != site || call.target_rva != function_rva)
                continue;
            is_seen = true;
            if (!walk_call(walk, &call, atom))
                return false;
        }
        caller_count++;
        if (!is_seen && !search->steps.is_spent)
            walk_add_unknown(walk, UNKNOWN_UNREACHED, ORIGIN_UNKNOWN_CALLER, function_rva);
    }
    if (count == 0 || (caller_count == 0 && !search->steps.is_spent) || is_run_into(search, function_rva))
        walk_add_unknown(walk, UNKNOWN_MEMORY, ORIGIN_UNKNOWN_CALLER, function_rva);
    walk->arguments.count--;
    return true;
}
