/* calls_internal.h - what the parts of the search for calls share: the image, and what was read of it so far.
 * Takes: nothing.  Gives: struct call_search.  Must not: be included outside tool/calls. */
#ifndef HVCIFIX_CALLS_CALLS_INTERNAL_H
#define HVCIFIX_CALLS_CALLS_INTERNAL_H

#include "calls/call_sites.h"
#include "calls/flow.h"
#include "calls/function_names.h"
#include "image/imports.h"

/* A reference by its target: an index into the inventory. */
struct target_ref {
    uint32_t target_rva;
    uint32_t ref;
};

/* A function whose code was followed: its part of the records. */
struct read_function {
    uint32_t begin_rva;
    bool is_too_large;
    bool returns;
    value_number result; /* what it returns, when it does */
    size_t first_call, call_count, first_store, store_count;
};

/* The KMDF function table, as the bind information of the driver says. */
struct kmdf_binding {
    bool is_bound;
    uint32_t table_rva; /* the variable that becomes the table's address, or the table itself */
    bool is_pointer;    /* the former: from version 1.11 on, drivers have a variable */
    uint32_t function_count;
};

/* Looking for the origins of values ends here: it stays about linear. */
struct step_budget {
    uint64_t left;
    bool is_spent; /* more were wanted */
};

struct call_search {
    const struct image *image;
    const struct refset *refs;
    const struct code_map *map;
    struct arena *arena;
    struct import_list imports;
    struct value_table values;
    struct operation_reader *reader;
    struct function_list list;
    struct function_names names;
    struct call_records records;
    struct target_ref *by_target; /* all references to RVAs, ascending */
    size_t by_target_count;
    struct read_function *functions; /* in the order of reading */
    size_t function_count, function_capacity;
    uint32_t *function_slots; /* by begin RVA: a hash table of numbers + 1 */
    size_t function_slot_count;
    struct kmdf_binding kmdf;
    struct call_site_list *sites;
    uint32_t opt_in_rva; /* the variable that search_is_set_at_start() was asked for last, and its answer */
    bool is_opt_in;
    struct step_budget steps;
};

/* Sorts the references. False when memory ran out. call_references.c */
bool search_index_refs(struct call_search *search);

/* The references to [rva, rva + nbytes): first and count in by_target. */
void search_refs_to(const struct call_search *search, uint32_t rva, uint32_t nbytes, size_t *first,
                    size_t *count);

/* The records of the function that begins at begin_rva, followed now if it was not before. NULL when memory
 * ran out. The pointer holds until the next call. */
const struct read_function *search_function(struct call_search *search, uint32_t begin_rva);

/* The same for the function that holds rva; NULL also when none does. */
const struct read_function *search_function_holding(struct call_search *search, uint32_t rva);

/* The record of the call at site_rva in the function that begins at function_rva. False when there is none,
 * or memory ran out. */
bool search_call_at(struct call_search *search, uint32_t site_rva, uint32_t function_rva,
                    struct call_record *call);

/* The import that a call leads to: its slot, or a jump through its slot at rva; NULL when it is none. */
const struct import *search_import_thunk(const struct call_search *search, uint32_t rva);

/* The import that a stub which adds a no-execute flag goes on to (nx_stub.h), or NULL. call_nx.c */
const struct import *search_nx_stub(const struct call_search *search, uint32_t rva);

/* The stub whose jump begins at rva; 0: none. */
uint32_t search_nx_stub_of_jump(const struct call_search *search, uint32_t rva);

/* Either of the two. */
const struct import *search_import_behind(const struct call_search *search, uint32_t rva);

/* The stub whose address the value is; 0: none. */
uint32_t search_nx_stub_value(const struct call_search *search, value_number value);

/* Finds the bind information. call_kmdf.c */
void search_kmdf(struct call_search *search);

/* What a value can be in the end: constants with the bits that are known, or why they are not. */
enum leaf_kind {
    LEAF_BITS,
    LEAF_IMPORT,
    LEAF_KMDF,
    LEAF_CODE /* an address in the image */,
    LEAF_ROUTINE_NAME
};

enum leaf_origin {
    ORIGIN_HERE,
    ORIGIN_CALLER,
    ORIGIN_UNKNOWN_CALLER,
    ORIGIN_GLOBAL,
    ORIGIN_GLOBAL_FILE /* what it holds in the file */,
    ORIGIN_UNKNOWN_GLOBAL
};

struct leaf {
    enum leaf_kind kind;
    uint64_t known_bits, value; /* LEAF_BITS; LEAF_CODE: value is the RVA; LEAF_KMDF: value is the index */
    const struct import *import;
    const char
        *name; /* LEAF_ROUTINE_NAME; of UNKNOWN_RESULT: the function of Windows that returns it, or NULL */
    uint8_t reason;      /* enum unknown_reason, when not all bits are known */
    uint8_t origin;      /* enum leaf_origin: the last step that led here */
    uint32_t origin_rva; /* the caller's call, the global variable, or of UNKNOWN_RESULT the call that returns
                            it */
    uint32_t function_rva; /* of UNKNOWN_RESULT with a name: the function that holds the call */
    uint8_t other_origin;  /* of two variables joined by OR, the second's; else ORIGIN_HERE */
    uint32_t other_origin_rva;
};

enum { MOST_LEAVES = 24, MOST_STEPS = 6 };

struct leaves {
    struct leaf items[MOST_LEAVES];
    size_t count;
    bool is_full; /* there are more */
    bool is_cut;  /* the budget of steps was spent: there may be more */
};

/* All that the value can be, in the function that begins at function_rva. False when memory ran out. */
bool search_leaves(struct call_search *search, value_number value, uint32_t function_rva,
                   struct leaves *leaves);

/* The same for an argument that a verdict rests on: a variable behind an address that somebody takes has a
 * leaf UNKNOWN_WHOLE too. Pointers are looked for without: what they certainly lead to is enough there. */
bool search_deciding_leaves(struct call_search *search, value_number value, uint32_t function_rva,
                            struct leaves *leaves);

/* Is the variable set on every way through the driver's first function, but for ways that ask which Windows
 * this is? False also when memory ran out. call_opt_in.c */
bool search_is_set_at_start(struct call_search *search, uint32_t variable_rva);

/* Reads the tables of the image that the search needs. False when memory ran out. */
bool search_begin(struct call_search *search, const struct image *image, const struct refset *refs,
                  const struct code_map *map, const struct given_names *given, struct arena *arena);

/* Finds and judges the sites; more functions are read for it. False when memory ran out. */
bool search_sites(struct call_search *search, struct call_site_list *sites);

/* Reads all functions that hold a call or jump which may lead into memory that a call gave. False when memory
 * ran out. Work: linear in the code, and that of following them. value_leaders.c */
bool search_read_leaders(struct call_search *search);

/* Reads all functions that refer to [rva, rva + nbytes), those that do so through a thunk included. False
 * when memory ran out. */
bool search_read_users(struct call_search *search, uint32_t rva, uint32_t nbytes);

/* Room for one more site; NULL when memory ran out. */
struct call_site *search_add_site(struct call_search *search);

/* Sorts by address; of two verdicts on one place the weaker stands. site_order.c */
void sites_order(struct call_site_list *sites);

/* Is a site at rva among the first `count`, which are in order? */
bool sites_hold(const struct call_site_list *sites, size_t count, uint32_t rva);

/* Adds what was not reached to the judged sites, which are in order. False when memory ran out.
 * unfollowed_sites.c */
bool search_unfollowed(struct call_search *search);

/* An argument by its number; on x86 the word of the stack. */
value_number search_argument(const struct call_search *search, const struct call_record *call, int argument,
                             int word_32);

/* The import that a call leads to directly: through its slot or a jump through it; or NULL. */
const struct import *search_called_import(const struct call_search *search, const struct call_record *call);

/* The verdict on a site from all that its deciding argument can be. site_verdict.c */
void site_decide(struct call_search *search, const struct leaves *leaves, struct call_site *site);

/* The reason of a site when the budget of steps was spent. */
extern const char site_stopped_words[];

/* The name that MmGetSystemRoutineAddress was asked for by this call, or NULL. call_routine.c */
const char *search_routine_name(struct call_search *search, const struct call_record *call);

/* Takes steps off the budget; false when there were too many. */
bool search_take_steps(struct call_search *search, uint64_t count);

#endif
