/* call_values.c - where a value comes from, across functions and global variables.
 * Takes: a value of one function.  Gives: the leaves of the tree that leads to it.  Must not: go deeper than
 * MOST_STEPS, or leave out a way: what is not followed is a leaf of which nothing is known.
 * Assumption: a global variable is written only by instructions that name it, unless its address is taken. */
#include "calls/calls_internal.h"

#include <string.h>

struct walk {
    struct call_search *search;
    struct leaves *leaves;
    uint32_t functions[MOST_STEPS]; /* on the way here: no step leads into one again */
    uint32_t globals[MOST_STEPS];
    unsigned function_count, global_count;
    size_t first; /* leaves before this one are done */
};

static bool walk_value(struct walk *walk, value_number value, uint32_t function_rva, enum leaf_origin origin,
                       uint32_t origin_rva);

static bool is_same_leaf(const struct leaf *a, const struct leaf *b)
{
    return a->kind == b->kind && a->known_bits == b->known_bits && a->value == b->value &&
           a->import == b->import && a->name == b->name && a->origin == b->origin && a->reason == b->reason;
}

/* Only leaves from `first` on get the same masks later: only among them one of two equal ones can go. */
static bool is_listed(const struct leaves *leaves, size_t first, size_t count, const struct leaf *leaf)
{
    for (size_t i = first; i < count; i++)
        if (is_same_leaf(&leaves->items[i], leaf))
            return true;
    return false;
}

static void add_leaf(struct walk *walk, struct leaf leaf)
{
    struct leaves *leaves = walk->leaves;
    if (is_listed(leaves, walk->first, leaves->count, &leaf))
        return;
    if (leaves->count == MOST_LEAVES)
        leaves->is_full = true;
    else
        leaves->items[leaves->count++] = leaf;
}

static void add_unknown(struct walk *walk, enum unknown_reason reason, enum leaf_origin origin,
                        uint32_t origin_rva)
{
    add_leaf(walk, (struct leaf){.kind = LEAF_BITS,
                                 .reason = (uint8_t)reason,
                                 .origin = (uint8_t)origin,
                                 .origin_rva = origin_rva});
}

static void add_number(struct walk *walk, uint64_t number, enum leaf_origin origin, uint32_t origin_rva)
{
    add_leaf(walk, (struct leaf){.kind = LEAF_BITS,
                                 .known_bits = UINT64_MAX,
                                 .value = number,
                                 .origin = (uint8_t)origin,
                                 .origin_rva = origin_rva});
}

static bool take_step(struct walk *walk)
{
    bool is_taken = search_take_steps(walk->search, 1);
    walk->leaves->is_full |= !is_taken;
    return is_taken;
}

/* The number that is stored in the file; an address is one of code or data. */
static void add_stored(struct walk *walk, uint32_t rva, uint32_t nbytes, enum leaf_origin origin)
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
        add_leaf(walk,
                 (struct leaf){
                     .kind = LEAF_CODE, .value = target_rva, .origin = (uint8_t)origin, .origin_rva = rva});
    else
        add_number(walk, number, origin, rva);
}

/* The records of the function that a reference of code stands in, all zero when there are none, and where its
 * instruction begins. By value: reading more functions moves the list. False when memory ran out. */
static bool find_user(struct call_search *search, const struct ref *ref, struct read_function *function,
                      uint32_t *site_rva)
{
    const struct read_function *found = search_function_holding(search, ref->site_rva);
    *function = found ? *found : (struct read_function){0};
    *site_rva = code_instruction_begin(search->map, ref->site_rva);
    return found || !search->arena->exhausted;
}

/* What the functions that name a global variable store into it. */
static bool walk_global(struct walk *walk, uint32_t rva, uint32_t nbytes)
{
    struct call_search *search = walk->search;
    const struct section *section = image_section_at_rva(search->image, rva);
    if (!section) {
        add_unknown(walk, UNKNOWN_MEMORY, ORIGIN_UNKNOWN_GLOBAL, rva);
        return true;
    }
    if (!(section->characteristics & SCN_MEM_WRITE)) {
        add_stored(walk, rva, nbytes, ORIGIN_HERE);
        return true;
    }
    for (unsigned i = 0; i < walk->global_count; i++)
        if (walk->globals[i] == rva)
            return true;
    if (walk->global_count == MOST_STEPS) {
        add_unknown(walk, UNKNOWN_MANY, ORIGIN_UNKNOWN_GLOBAL, rva);
        return true;
    }
    walk->globals[walk->global_count++] = rva;
    add_stored(walk, rva, nbytes, ORIGIN_GLOBAL_FILE);
    size_t first, count;
    search_refs_to(search, rva, nbytes, &first, &count);
    for (size_t i = first; i < first + count && !walk->leaves->is_full && take_step(walk); i++) {
        const struct ref *ref = &search->refs->refs[search->by_target[i].ref];
        if (ref->source == SOURCE_CODE &&
            (ref->access == ACCESS_READ || ref->access == ACCESS_CALL || ref->access == ACCESS_JUMP))
            continue;
        if (ref->source != SOURCE_CODE || ref->access != ACCESS_WRITE) {
            /* Relocated operands of code are listed twice. */
            if (ref->source != SOURCE_RELOCATED ||
                code_class_at(search->map, ref->site_rva) == BYTE_UNKNOWN ||
                code_class_at(search->map, ref->site_rva) == BYTE_DATA)
                add_unknown(walk, UNKNOWN_MEMORY, ORIGIN_UNKNOWN_GLOBAL, rva);
            continue;
        }
        struct read_function function;
        uint32_t site;
        bool is_seen = false;
        if (!find_user(search, ref, &function, &site))
            return false;
        for (size_t k = 0; k < function.store_count && take_step(walk); k++) {
            struct store_record store = search->records.stores[function.first_store + k];
            if (store.site_rva != site || store.rva != rva)
                continue;
            is_seen = true;
            if (store.nbytes < nbytes)
                add_unknown(walk, UNKNOWN_COMPUTED, ORIGIN_GLOBAL, rva);
            else if (!walk_value(walk, store.value, store.function_rva, ORIGIN_GLOBAL, rva))
                return false;
        }
        if (!is_seen)
            add_unknown(walk, UNKNOWN_UNREACHED, ORIGIN_UNKNOWN_GLOBAL, rva);
    }
    walk->global_count--;
    return true;
}

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
            add_unknown(walk, UNKNOWN_STACK, ORIGIN_CALLER, call->site_rva);
            return true;
        }
        given = call->stack[word];
    }
    return walk_value(walk, given, call->function_rva, ORIGIN_CALLER, call->site_rva);
}

static bool walk_callers(struct walk *walk, const struct atom *atom, uint32_t function_rva)
{
    struct call_search *search = walk->search;
    for (unsigned i = 0; i < walk->function_count; i++)
        if (walk->functions[i] == function_rva)
            return true; /* it calls itself with what it was given */
    if (walk->function_count == MOST_STEPS) {
        add_unknown(walk, UNKNOWN_MANY, ORIGIN_UNKNOWN_CALLER, function_rva);
        return true;
    }
    walk->functions[walk->function_count++] = function_rva;
    size_t first, count, caller_count = 0;
    search_refs_to(search, function_rva, 1, &first, &count);
    for (size_t i = first; i < first + count && !walk->leaves->is_full && take_step(walk); i++) {
        const struct ref *ref = &search->refs->refs[search->by_target[i].ref];
        bool is_branch =
            ref->source == SOURCE_CODE && ref->encoding == REF_PCREL &&
            (ref->access == ACCESS_CALL || ref->access == ACCESS_JUMP || ref->access == ACCESS_NONE);
        if (!is_branch) {
            add_unknown(walk, UNKNOWN_MEMORY, ORIGIN_UNKNOWN_CALLER, function_rva);
            continue;
        }
        struct read_function function;
        uint32_t site;
        if (!find_user(search, ref, &function, &site))
            return false;
        bool is_seen = function.begin_rva == function_rva; /* a loop to its own beginning */
        for (size_t k = 0; k < function.call_count && take_step(walk); k++) {
            struct call_record call = search->records.calls[function.first_call + k];
            if (call.site_rva != site || call.target_rva != function_rva)
                continue;
            is_seen = true;
            if (!walk_call(walk, &call, atom))
                return false;
        }
        caller_count++;
        if (!is_seen)
            add_unknown(walk, UNKNOWN_UNREACHED, ORIGIN_UNKNOWN_CALLER, function_rva);
    }
    if (count == 0 || caller_count == 0 || is_run_into(search, function_rva))
        add_unknown(walk, UNKNOWN_MEMORY, ORIGIN_UNKNOWN_CALLER, function_rva);
    walk->function_count--;
    return true;
}

static bool walk_result(struct walk *walk, uint32_t site_rva, uint32_t function_rva)
{
    struct call_search *search = walk->search;
    const struct read_function *function = search_function(search, function_rva);
    if (!function)
        return false;
    for (size_t i = 0; i < function->call_count && take_step(walk); i++) {
        struct call_record call = search->records.calls[function->first_call + i];
        if (call.site_rva != site_rva || call.is_tail)
            continue;
        const struct import *import = search_called_import(search, &call);
        const char *name = NULL;
        if (import && import->name && strcmp(import->name, "MmGetSystemRoutineAddress") == 0)
            name = search_routine_name(search, &call);
        if (search->arena->exhausted)
            return false;
        if (name) {
            add_leaf(walk, (struct leaf){.kind = LEAF_ROUTINE_NAME, .name = name, .origin_rva = site_rva});
            return true;
        }
    }
    add_unknown(walk, UNKNOWN_RESULT, ORIGIN_HERE, site_rva);
    return true;
}

static bool walk_origin(struct walk *walk, const struct atom *atom, uint32_t function_rva,
                        enum leaf_origin origin, uint32_t origin_rva)
{
    struct call_search *search = walk->search;
    uint32_t pointer_nbytes = image_pointer_nbytes(search->image);
    const struct import *import;
    const struct kmdf_binding *kmdf = &search->kmdf;
    uint32_t rva = (uint32_t)atom->number;
    switch ((enum atom_kind)atom->kind) {
    case ATOM_CONSTANT:
        add_number(walk, atom->or_mask, origin, origin_rva);
        return true;
    case ATOM_ADDRESS:
        add_leaf(walk,
                 (struct leaf){
                     .kind = LEAF_CODE, .value = rva, .origin = (uint8_t)origin, .origin_rva = origin_rva});
        return true;
    case ATOM_GLOBAL:
        import = atom->id == pointer_nbytes ? import_at(&search->imports, rva) : NULL;
        if (import) {
            add_leaf(walk, (struct leaf){.kind = LEAF_IMPORT,
                                         .import = import,
                                         .origin = (uint8_t)origin,
                                         .origin_rva = origin_rva});
            return true;
        }
        if (kmdf->is_bound && rva > kmdf->table_rva &&
            rva - kmdf->table_rva < kmdf->function_count * pointer_nbytes &&
            !(search->kmdf.major == 1 && search->kmdf.minor >= 11)) {
            add_leaf(walk,
                     (struct leaf){.kind = LEAF_KMDF, .value = (rva - kmdf->table_rva) / pointer_nbytes});
            return true;
        }
        return walk_global(walk, rva, atom->id);
    case ATOM_FIELD:
        if (kmdf->is_bound && atom->id == kmdf->table_rva && atom->number >= 0) {
            add_leaf(walk,
                     (struct leaf){.kind = LEAF_KMDF, .value = (uint64_t)atom->number / pointer_nbytes});
            return true;
        }
        add_unknown(walk, UNKNOWN_MEMORY, origin, origin_rva);
        return true;
    case ATOM_ENTRY_REGISTER:
    case ATOM_ENTRY_STACK:
        return walk_callers(walk, atom, function_rva);
    case ATOM_RESULT:
        return walk_result(walk, rva, function_rva);
    case ATOM_STACK_ADDRESS:
        add_unknown(walk, UNKNOWN_COMPUTED, origin, origin_rva);
        return true;
    case ATOM_UNKNOWN:
        break;
    }
    add_unknown(walk, (enum unknown_reason)atom->id, origin, origin_rva);
    return true;
}

/* What the masks of an atom leave of its origin's leaves. */
static void mask_leaves(struct walk *walk, size_t first, const struct atom *atom)
{
    uint64_t all = width_mask(image_pointer_nbytes(walk->search->image));
    bool is_whole = (atom->and_mask & all) == all && atom->or_mask == 0;
    for (size_t i = first; i < walk->leaves->count && !is_whole; i++) {
        struct leaf *leaf = &walk->leaves->items[i];
        if (leaf->kind != LEAF_BITS)
            *leaf = (struct leaf){.kind = LEAF_BITS, .origin = leaf->origin, .origin_rva = leaf->origin_rva};
        leaf->value = (leaf->value & atom->and_mask) | atom->or_mask;
        leaf->known_bits |= ~atom->and_mask | atom->or_mask;
    }
}

static bool walk_value(struct walk *walk, value_number value, uint32_t function_rva, enum leaf_origin origin,
                       uint32_t origin_rva)
{
    uint32_t count = walk->search->values.values[value].atom_count;
    size_t outer_first = walk->first;
    if (!take_step(walk))
        return true;
    for (uint32_t i = 0; i < count; i++) {
        struct atom atom = *value_atom(&walk->search->values, value, i);
        size_t first = walk->leaves->count;
        walk->first = first;
        if (!walk_origin(walk, &atom, function_rva, origin, origin_rva))
            return false;
        if (atom.kind != ATOM_CONSTANT)
            mask_leaves(walk, first, &atom);
        size_t kept = first;
        for (size_t k = first; k < walk->leaves->count; k++)
            if (!is_listed(walk->leaves, outer_first, kept, &walk->leaves->items[k]))
                walk->leaves->items[kept++] = walk->leaves->items[k];
        walk->leaves->count = kept;
    }
    walk->first = outer_first;
    return true;
}

bool search_leaves(struct call_search *search, value_number value, uint32_t function_rva,
                   struct leaves *leaves)
{
    struct walk walk = {.search = search, .leaves = leaves};
    *leaves = (struct leaves){.count = 0};
    return walk_value(&walk, value, function_rva, ORIGIN_HERE, 0) && !search->arena->exhausted;
}
