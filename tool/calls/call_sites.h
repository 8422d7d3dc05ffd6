/* call_sites.h - every call of a driver that may ask for executable memory, with what is known of it.
 * Takes: image, inventory, code map (x86 and x64).  Gives: sites with a verdict and its reason, by RVA.
 * Must not: set levels, or take a guess for a proof: what is not followed is unknown. */
#ifndef HVCIFIX_CALLS_CALL_SITES_H
#define HVCIFIX_CALLS_CALL_SITES_H

#include "calls/function_names.h"
#include "calls/kernel_api.h"
#include "code/code_map.h"

enum site_verdict { SITE_EXECUTABLE, SITE_NO_EXECUTE, SITE_DEPENDS, SITE_UNKNOWN };
enum { SITE_VERDICT_COUNT = 4 };

struct call_site {
    uint32_t rva;
    uint32_t function_rva;     /* of the function that holds it */
    const char *function_name; /* "name+0x12", or NULL: nobody names it */
    const char *own_name;      /* of the function in the image itself, or NULL */
    const struct kernel_api *api;
    enum site_verdict verdict;
    const char *values;  /* of the deciding argument, in words; NULL when no argument decides */
    const char *reason;  /* a half sentence on why the verdict is what it is; NULL for the proved ones */
    const char *tag;     /* the pool tag as text, or NULL */
    uint32_t called_rva; /* of a call or jump that may lead into the memory that this call gives; 0: none was
                            found */
    bool by_name;        /* the function was looked up by MmGetSystemRoutineAddress */
};

/* A place where code fights memory integrity (integrity.h). */
struct integrity_site {
    uint32_t rva;
    uint32_t function_rva;
    const char *function_name; /* "name+0x12", or NULL */
    enum finding_code code;    /* HVCI2300 to 2303 */
    enum site_verdict verdict; /* SITE_EXECUTABLE: proved; SITE_DEPENDS, SITE_UNKNOWN: not */
    const char *api;           /* the function of Windows or the instruction that it is about */
    const char *what;          /* half a sentence: what is done there */
    const char *reason;        /* why the verdict is not "proved", as a half sentence; NULL when it is */
};

struct integrity_list {
    struct integrity_site *items; /* ascending by code, then by RVA */
    size_t count, capacity;
};

struct call_site_list {
    struct call_site *items;
    size_t count, capacity;
    struct integrity_list integrity;
};

/* `given`: names for functions that the image does not name, or NULL; sites point into it. False when memory
 * ran out. Work: each function at most once, a bounded number of steps for each site. */
bool call_sites_find(const struct image *image, const struct refset *refs, const struct code_map *map,
                     const struct given_names *given, struct arena *arena, struct call_site_list *sites);

const char *site_verdict_name(enum site_verdict verdict);

#endif
