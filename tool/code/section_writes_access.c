/* section_writes_access.c - what one access of the section, or one address of it, means.
 * Takes: its kind and its target.  Gives: a count, or the counter-example.
 * Must not: take an address for one of code because it lies among code. */
#include "code/literals.h"
#include "code/section_writes_internal.h"

#include <inttypes.h>
#include <string.h>

enum { FUNCTION_ALIGNMENT = 16 };

/* Alone on a multiple of 16, with fill up to the next one: a function that does nothing. */
static bool is_set_apart(const struct judge *judge, uint32_t rva)
{
    struct span bytes;
    if (rva % FUNCTION_ALIGNMENT != 0 || !image_bytes_at_rva(judge->image, rva, FUNCTION_ALIGNMENT, &bytes) ||
        bytes.bytes[0] != 0xC3)
        return false;
    struct span fill = {bytes.bytes + 1, FUNCTION_ALIGNMENT - 1};
    return span_is_filled(fill, 0xCC) || span_is_filled(fill, 0x90);
}

/* Assumed: the address of a function is only called or compared. A place counts as a function when it is
 * the first byte of decoded code and something names it as a function: a table of the loader, a call, or an
 * address that leads to bytes which decode cleanly and begin as functions do. */
bool judge_is_code(const struct judge *judge, uint32_t rva)
{
    const struct code_function *function = code_function_at(judge->code, rva);
    struct span bytes;
    if (!function || !image_bytes_at_rva(judge->image, rva, 1, &bytes))
        return false;
    /* A number may happen to be a lone `ret` or jump: where only an address names it, that does not convince.
     */
    bool is_lone =
        bytes.bytes[0] == 0xC3 || bytes.bytes[0] == 0xC2 || bytes.bytes[0] == 0xEB || bytes.bytes[0] == 0xE9;
    bool is_named_by_address = function->source == FUNCTION_RELOCATED_POINTER ||
                               function->source == FUNCTION_LEA || function->source == FUNCTION_EXPORT;
    return !is_lone || !is_named_by_address || is_set_apart(judge, rva);
}

/* A string literal in INIT. Other sections that are writable and executable hold variables too, by some
 * /MERGE. */
static bool is_literal(const struct judge *judge, uint32_t rva)
{
    uint32_t nbytes;
    return strcmp(judge->section->raw_name, "INIT") == 0 &&
           (judge->section->characteristics & SCN_MEM_DISCARDABLE) != 0 &&
           image_section_at_rva(judge->image, rva) == judge->section &&
           code_literal_at(judge->image, judge->code, rva, &nbytes);
}

void judge_access(struct judge *judge, enum ref_access access, uint32_t target_rva, uint32_t rva,
                  uint64_t file_offset)
{
    const char *name = judge->section->name;
    switch (access) {
    case ACCESS_CALL:
    case ACCESS_JUMP:
        judge->branch_count++;
        return;
    case ACCESS_READ:
        judge->read_count++;
        return;
    case ACCESS_WRITE:
    case ACCESS_READ_WRITE:
        judge_found(judge, rva, file_offset,
                    arena_printf(judge->arena,
                                 "Section %s has to stay writable: the code at RVA 0x%" PRIX32
                                 " stores at RVA 0x%" PRIX32 " in it.",
                                 name, rva, target_rva),
                    judge_cure_variable);
        return;
    default:
        /* A label inside a function: where a handler tells the system to go on. */
        if (judge_is_code(judge, target_rva) ||
            (rva != NO_RVA && code_class_at(judge->code, target_rva) == BYTE_INSTRUCTION)) {
            judge->code_address_count++;
            judge_follow(judge, rva, target_rva, false);
            return;
        }
        if (is_literal(judge, target_rva)) {
            judge->literal_count++;
            judge_follow(judge, rva, target_rva, true);
            return;
        }
        judge_found(judge, rva, file_offset,
                    arena_printf(judge->arena,
                                 "Section %s may have to stay writable: the code at RVA 0x%" PRIX32
                                 " takes the address of data at RVA 0x%" PRIX32 " in it.",
                                 name, rva, target_rva),
                    judge_cure_variable);
    }
}

/* Entries of jump tables lead to labels inside functions, delay-load slots to thunks; nothing but a jump uses
 * them. */
static bool leads_to_label(const struct judge *judge, uint64_t file_offset, uint32_t target_rva)
{
    return (site_set_has(&judge->jump_tables, file_offset) ||
            site_set_has(&judge->code_fields, file_offset)) &&
           code_class_at(judge->code, target_rva) == BYTE_INSTRUCTION;
}

void judge_stored_address(struct judge *judge, uint32_t target_rva, uint32_t rva, uint64_t file_offset)
{
    if (judge_is_code(judge, target_rva) || leads_to_label(judge, file_offset, target_rva)) {
        judge->code_address_count++;
        return;
    }
    if (is_literal(judge, target_rva)) {
        judge->literal_count++;
        return;
    }
    judge_found(judge, rva, file_offset,
                arena_printf(judge->arena,
                             "Section %s may have to stay writable: RVA 0x%" PRIX32
                             " holds the address of data at RVA 0x%" PRIX32 " in it.",
                             judge->section->name, rva, target_rva),
                judge_cure_variable);
}
