/* verify_targets.h - the sections that must not be written, and the judgement of one field that leads there.
 * Takes: fields that the scans find.  Gives: harmless, or a counter-example.
 * Must not: search for fields. */
#ifndef HVCIFIX_VERIFY_VERIFY_TARGETS_H
#define HVCIFIX_VERIFY_VERIFY_TARGETS_H

#include "verify/verify_base_walk.h"
#include "verify/verify_case.h"
#include "verify/verify_operand.h"

/* The RVAs that count as the section's: also the padding in front of it and behind it, up to its neighbours.
 */
struct verify_target {
    const struct verify_section *section;
    uint64_t rva, end_rva;
    bool is_looked_through, has_room; /* verify_has_room() was asked, and what it said */
};

struct verify_write_search {
    struct verify_case *judged;
    struct verify_code *code;
    struct verify_target *targets; /* ascending */
    size_t target_count;
    uint64_t field_count;                /* fields that led into a target */
    uint64_t resolved_count;             /* of them, those that needed the code around them */
    uint64_t text_count;                 /* addresses of string literals */
    uint64_t text_code_count;            /* fields in text between functions */
    uint64_t constant_argument_count;    /* addresses that a kernel function only reads through */
    uint32_t text_budget_count;          /* searches for what takes the address of text among code */
    bool forms_image_base;               /* some field may take the address of RVA 0 */
    bool has_parts;                      /* the targets are parts of one section, which lie where they lay */
    bool loses_image_base;               /* and not by an instruction that plainly puts it into a register */
    struct verify_base_sites base_sites; /* the instructions that do */
};

/* The target that holds rva, or NULL. */
const struct verify_target *verify_target_at(const struct verify_write_search *search, uint64_t rva);

/* A field in a code section that leads to `rva` in `target`. `may_be_data`: it may also be a pointer among
 * data. */
bool verify_judge_code_field(struct verify_write_search *search, const struct verify_target *target,
                             const struct verify_field_in_code *field, uint32_t rva, bool may_be_data);

/* A field in a code section that leads to rva, outside of all targets: false when it loads a pointer into a
 * target from there and stores through it. */
bool verify_judge_loaded_pointer(struct verify_write_search *search, const struct verify_field_in_code *field,
                                 uint64_t rva);

/* Whether the part of a code section may hold an array: more than instructions of known functions, their jump
 * tables, the linker's tables, and fill between them. */
bool verify_has_room(struct verify_code *code, struct arena *arena, uint64_t rva, uint64_t end_rva);

/* Which border of a target an address outside of it may mean: one past its last byte, or close before its
 * first, where its neighbour fills the last page. */
enum verify_border { BORDER_NONE, BORDER_PAST_END, BORDER_CLOSE_BEFORE };
enum verify_border verify_border_at(const struct verify_write_search *search, uint64_t rva,
                                    const struct verify_target **target);

/* A field in a code section that leads to such an address. False when the target may be meant. */
bool verify_judge_border_field(struct verify_write_search *search, enum verify_border border,
                               const struct verify_target *target, const struct verify_field_in_code *field,
                               uint32_t rva);

/* A pointer outside code, at pointer_rva. */
bool verify_judge_pointer(struct verify_write_search *search, const struct verify_target *target,
                          uint32_t pointer_rva, uint32_t rva, const char *what, bool is_listed);

#endif
