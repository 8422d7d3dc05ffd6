/* walk_variable.c - what a global variable can hold.
 * Takes: its RVA and size.  Gives: leaves: what it holds in the file, and all that code stores into it.
 * Must not: leave out a store: one that is not understood makes the variable unknown.
 * Assumption: a variable is written only by instructions that name it, unless its address is taken. */
#include "calls/value_walk.h"

enum { WIDEST_STORE = 64 };

/* A structure or array whose later parts are still looked for is not larger. */
enum { LARGEST_WHOLE = 4096, MOST_LOOKED_AT = 64 };

/* The number that is stored in the file; an address is one of code or data. */
static void walk_add_stored(struct walk *walk, uint32_t rva, uint32_t nbytes, enum leaf_origin origin)
{
    const struct image *image = walk->search->image;
    struct span bytes;
    uint32_t target_rva;
    uint64_t number = 0; /* not in the file: zero */
    if (image_bytes_at_rva(image, rva, nbytes, &bytes))
        for (uint32_t i = nbytes; i-- > 0;)
            number = number << 8 | bytes.bytes[i];
    if (nbytes == image_pointer_nbytes(image) && image_va_to_rva(image, number, &target_rva) &&
        target_rva >= image->headers_nbytes && target_rva < image->image_nbytes)
        walk_add_leaf(
            walk, (struct leaf){
                      .kind = LEAF_CODE, .value = target_rva, .origin = (uint8_t)origin, .origin_rva = rva});
    else
        walk_add_number(walk, number, origin, rva);
}

/* May the reference lead to what lies behind its target: an address that somebody takes, or an element that
 * an index selects? Relocated operands of code are listed twice. */
static bool leads_on(const struct call_search *search, const struct ref *ref)
{
    struct operation operation;
    if (ref->source == SOURCE_RELOCATED)
        return code_class_at(search->map, ref->site_rva) == BYTE_UNKNOWN ||
               code_class_at(search->map, ref->site_rva) == BYTE_DATA;
    if (ref->source != SOURCE_CODE || ref->access == ACCESS_READ || ref->access == ACCESS_CALL ||
        ref->access == ACCESS_JUMP)
        return false;
    if (ref->access != ACCESS_WRITE && ref->access != ACCESS_READ_WRITE)
        return true;
    uint32_t site_rva = code_instruction_begin(search->map, ref->site_rva);
    struct span bytes = image_run_at_rva(search->image, site_rva);
    if (!operation_read(search->reader, bytes.bytes, bytes.nbytes, site_rva, &operation))
        return true;
    for (unsigned i = 0; i < operation.operand_count; i++)
        if (operation.operands[i].kind == OPERAND_MEMORY && operation.operands[i].is_written)
            return !operation.operands[i].has_place;
    return true;
}

/* May the variable be a part of something that is written through a pointer to its beginning, or by an index?
 * The pool type of POOL_NX_OPTIN is a variable of its own: then the unknown store is no leaf
 * (site_verdict.c). */
static void walk_whole(struct walk *walk, const struct section *section, uint32_t rva)
{
    size_t first, count;
    uint32_t before_nbytes = rva - section->rva < LARGEST_WHOLE ? rva - section->rva : LARGEST_WHOLE;
    search_refs_to(walk->search, rva - before_nbytes, before_nbytes, &first, &count);
    for (size_t i = first + count, looked_at = 0; i-- > first; looked_at++) {
        const struct ref *ref = &walk->search->refs->refs[walk->search->by_target[i].ref];
        if (looked_at == MOST_LOOKED_AT || leads_on(walk->search, ref)) {
            walk_add_unknown(walk, UNKNOWN_WHOLE, ORIGIN_UNKNOWN_GLOBAL, rva);
            return;
        }
    }
}

/* What the functions that name a global variable store into it. */
bool walk_variable(struct walk *walk, uint32_t rva, uint32_t nbytes)
{
    struct call_search *search = walk->search;
    const struct section *section = image_section_at_rva(search->image, rva);
    if (!section) {
        walk_add_unknown(walk, UNKNOWN_MEMORY, ORIGIN_UNKNOWN_GLOBAL, rva);
        return true;
    }
    if (!(section->characteristics & SCN_MEM_WRITE)) {
        walk_add_stored(walk, rva, nbytes, ORIGIN_HERE);
        return true;
    }
    static const struct atom no_atom = {.kind = ATOM_UNKNOWN};
    enum way_state state = walk_enter(walk, &walk->globals, rva, &no_atom);
    if (state == WAY_AGAIN)
        return true;
    if (state != WAY_NEW) {
        walk_add_unknown(walk, state == WAY_CHANGED ? UNKNOWN_COMPUTED : UNKNOWN_MANY, ORIGIN_UNKNOWN_GLOBAL,
                         rva);
        return true;
    }
    walk_add_stored(walk, rva, nbytes, ORIGIN_GLOBAL_FILE);
    size_t first, count;
    uint32_t before_nbytes = rva < WIDEST_STORE ? 0 : WIDEST_STORE - 1;
    search_refs_to(search, rva - before_nbytes, before_nbytes + nbytes, &first, &count);
    for (size_t i = first; i < first + count && !walk->leaves->is_full && walk_take_step(walk); i++) {
        const struct ref *ref = &search->refs->refs[search->by_target[i].ref];
        uint32_t stored_nbytes = ref->source == SOURCE_CODE ? ref->detail >> CODE_REF_NBYTES_SHIFT : 0;
        if (ref->target < rva &&
            (ref->source != SOURCE_CODE || ref->access != ACCESS_WRITE || stored_nbytes <= rva - ref->target))
            continue;
        if (ref->source == SOURCE_CODE &&
            (ref->access == ACCESS_READ || ref->access == ACCESS_CALL || ref->access == ACCESS_JUMP))
            continue;
        if (ref->source != SOURCE_CODE || ref->access != ACCESS_WRITE) {
            /* Relocated operands of code are listed twice. */
            if (ref->source != SOURCE_RELOCATED ||
                code_class_at(search->map, ref->site_rva) == BYTE_UNKNOWN ||
                code_class_at(search->map, ref->site_rva) == BYTE_DATA)
                walk_add_unknown(walk, UNKNOWN_MEMORY, ORIGIN_UNKNOWN_GLOBAL, rva);
            continue;
        }
        struct read_function function;
        uint32_t site;
        bool is_seen = false;
        if (!walk_find_user(search, ref, &function, &site))
            return false;
        for (size_t k = 0; k < function.store_count && walk_take_step(walk); k++) {
            struct store_record store = search->records.stores[function.first_store + k];
            if (store.site_rva != site || store.rva != rva)
                continue;
            is_seen = true;
            if (store.nbytes < nbytes)
                walk_add_unknown(walk, UNKNOWN_COMPUTED, ORIGIN_GLOBAL, rva);
            else if (!walk_value(walk, store.value, store.function_rva, ORIGIN_GLOBAL, rva))
                return false;
        }
        if (!is_seen && !search->steps.is_spent)
            walk_add_unknown(walk, UNKNOWN_UNREACHED, ORIGIN_UNKNOWN_GLOBAL, rva);
    }
    if (walk->minds_wholes)
        walk_whole(walk, section, rva);
    walk->globals.count--;
    return true;
}
