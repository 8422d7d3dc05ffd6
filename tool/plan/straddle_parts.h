/* straddle_parts.h - the steps that plan the repair of straddling base relocations, one file each.
 * Private to tool/plan. Steps return true to go on; false: refused (rewrite_refuse() has said why), or memory
 * ran out.
 *
 *     straddle_plan.c     which relocations straddle in the new layout, and what becomes of each
 *     straddle_shift.c    sections of constants that move inside their pages
 *     straddle_copies.c   x86 instructions that are executed from a copy
 *     straddle_fields.c   what the loader or an importer reads before the stub can run
 *     straddle_start.c    which functions the stub stands in front of
 *     straddle_exports.c  what the export table says about that
 *     straddle_layout.c   where everything lies in .hvcode, its sections, and who leads to them */
#ifndef HVCIFIX_PLAN_STRADDLE_PARTS_H
#define HVCIFIX_PLAN_STRADDLE_PARTS_H

#include "plan/rewrite.h"
#include "plan/straddle.h"

/* An entry of the old base relocation table that changes nbytes (4 or 8) at old_rva. */
struct relocation {
    uint32_t old_rva, new_rva;
    uint8_t nbytes;
};

struct decoder;

struct straddle_plan {
    struct rewrite *rewrite;
    struct straddle_repair *repair;
    struct relocation *relocations; /* all of them, by ascending old_rva, apart from each other */
    size_t relocation_count;
    struct decoder *decoder; /* NULL until an instruction is looked at */
};

/* straddle_shift.c: gives the section a place where none of its relocations crosses a page. False with
 * *why_not, a clause, when there is none. */
bool straddle_shift(struct straddle_plan *plan, const struct piece *found, const char **why_not);

/* straddle_copies.c: the instruction with relocations[index] in it gets a copy. */
bool straddle_copy_instruction(struct straddle_plan *plan, size_t index);

/* straddle_copies.c: refuses a copy when something leads into the original but to its first byte. */
bool straddle_check_copies(struct straddle_plan *plan);

/* straddle_fields.c: refuses the fields in repair->applied_rvas that are read before the stub runs. */
bool straddle_check_fields(struct straddle_plan *plan);

/* straddle_start.c: fills repair->stubs and repair->guard. */
bool straddle_wrap_start(struct straddle_plan *plan);

/* straddle_exports.c */
struct export_facts {
    bool has_others;          /* another image can import something from this one */
    uint32_t initialize_rva;  /* DllInitialize; 0: not exported, or exported as a forwarder */
    uint32_t initialize_foff; /* of its slot in the address table */
};
bool straddle_read_exports(struct straddle_plan *plan, struct export_facts *facts);

/* straddle_layout.c: offsets in .hvcode, and its size. */
bool straddle_arrange(struct straddle_plan *plan);

#endif
