/* verify_nx.h - calls that are led through stubs which add a no-execute flag to one argument.
 * Takes: two images.  Gives: the new image as it was before that step, taken back byte by byte, and what the
 * step did, checked against the few forms that are known.
 * Must not: believe names of sections, or leave a byte of the step unexplained.
 *
 * The step is proved by taking it back: from the new image alone another one is made, in which each site has
 * its import slot again and the new sections are gone. That one is held against the old image like any other;
 * what is left to show is that each site is an instruction that called, jumped through or loaded that slot,
 * and that its stub does nothing but set the flag of that function and go on there. */
#ifndef HVCIFIX_VERIFY_VERIFY_NX_H
#define HVCIFIX_VERIFY_VERIFY_NX_H

#include "verify/verify_case.h"

enum { VERIFY_NX_STUB_NBYTES = 32, VERIFY_NX_MAX_STUBS = 32 };

/* What a stub does to its function's arguments. */
enum verify_nx_kind { VERIFY_NX_POOL_TYPE, VERIFY_NX_POOL_FLAGS, VERIFY_NX_MDL_PRIORITY };

struct verify_nx_stub {
    uint32_t rva, slot_rva, slot_field_rva;
    enum verify_nx_kind kind;
    unsigned argument; /* from 0 */
    const char *name;  /* of the function that the slot is */
    const char *flag;  /* that is added, in words */
    uint64_t call_count, jump_count, load_count;
};

/* An instruction that leads to a stub, and led to its slot. */
struct verify_nx_site {
    uint32_t rva;
    uint8_t nbytes, field_at; /* of the four bytes that led to the slot, in the old form */
    uint8_t stub;             /* index */
    bool is_load;
};

struct verify_nx {
    bool is_there;
    struct verify_image image;                       /* the new one, as it is */
    struct verify_image before;                      /* with the step taken back */
    const struct verify_section *code, *relocations; /* the new sections; relocations: x86 only */
    struct verify_nx_stub stubs[VERIFY_NX_MAX_STUBS];
    uint32_t stub_count;
    struct verify_nx_site *sites; /* ascending RVA */
    size_t site_count, site_capacity;
};

/* Looks for the step in judged->new_image, and takes it back. With nx->is_there, judged->new_image is the
 * image before the step from then on. False when the step is there but not as it has to be, or out of memory.
 */
bool verify_nx_undo(struct verify_case *judged, struct verify_nx *nx);

/* What taking it back does not show. False when refuted, not shown or out of memory. */
bool verify_nx_judge(struct verify_case *judged, struct verify_nx *nx);

/* Lists the step, import by import. False when memory ran out. */
bool verify_nx_explain(struct verify_case *judged, const struct verify_nx *nx);

/* For verify_nx*.c: what the stub at stub->rva does, by its instructions. False when refuted. */
bool verify_nx_stub_read(struct verify_case *judged, const struct verify_nx *nx, struct verify_nx_stub *stub);

/* Finds all sites and takes them back in `bytes`, a copy of the new file. False when out of memory. */
bool verify_nx_sites_undo(struct verify_case *judged, struct verify_nx *nx, uint8_t *bytes);

/* x86: the new relocation table is the old one but for what the step needs. False when refuted. */
bool verify_nx_relocations(struct verify_case *judged, const struct verify_nx *nx);

/* The site that holds rva, or NULL. */
const struct verify_nx_site *verify_nx_site_at(const struct verify_nx *nx, uint64_t rva);

struct verify_moves;

/* No code of the image before the step reaches a slot that has a stub, but the sites. */
bool verify_nx_judge_left(struct verify_moves *moves, const struct verify_nx *nx);

/* The stub whose slot holds the byte at rva, or NULL. */
const struct verify_nx_stub *verify_nx_stub_of_slot(const struct verify_nx *nx, uint64_t rva);

/* What is at rva reaches the slot of the stub: not shown. Always false. */
bool verify_nx_refuse_left(struct verify_case *judged, uint32_t rva, const struct verify_nx_stub *stub);

/* What is not shown is about one import; without its stub the others may still be proved. */
void verify_nx_about(struct verify_case *judged, const struct verify_nx_stub *stub);

/* Refutes as not shown. Always false. */
bool verify_nx_unproved(struct verify_case *judged, uint32_t rva, const char *format, ...)
    HVCIFIX_PRINTF(3, 4);

#endif
