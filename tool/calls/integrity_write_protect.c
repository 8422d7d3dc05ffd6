/* integrity_write_protect.c - code that clears the write-protect bit of CR0 (HVCI2300).
 * Takes: moves into control registers and the values that reach them.  Gives: places.  Must not: judge other
 * bits. Source: Intel SDM volume 3, 2.5: CR0.WP is bit 16; without it the kernel writes to pages that are
 * read-only. */
#include "calls/integrity.h"

#include "calls/calls_internal.h"

#include <string.h>

enum { WRITE_PROTECT = 1 << 16, MOVE_TO_CONTROL_NBYTES = 2 };

/* The only encoding of a move into a control register has these bytes behind any prefixes. The second is the
 * rarer one. */
static const uint8_t move_to_control[MOVE_TO_CONTROL_NBYTES] = {0x0F, 0x22};

/* The first such bytes at or behind `at`; nbytes: there are none. */
static size_t find_move(const uint8_t *bytes, size_t nbytes, size_t at)
{
    while (at + MOVE_TO_CONTROL_NBYTES <= nbytes) {
        const uint8_t *found = memchr(bytes + at + 1, move_to_control[1], nbytes - at - 1);
        if (!found)
            break;
        if (found[-1] == move_to_control[0])
            return (size_t)(found - bytes) - 1;
        at = (size_t)(found - bytes);
    }
    return nbytes;
}

bool integrity_may_write_control(const struct image *image)
{
    for (uint32_t i = 0; i < image->section_count; i++) {
        const struct section *section = &image->sections[i];
        struct span bytes = image_run_at_rva(image, section->rva);
        if ((section->characteristics & SCN_MEM_EXECUTE) &&
            find_move(bytes.bytes, bytes.nbytes, 0) != bytes.nbytes)
            return true;
    }
    return false;
}

/* Follows the functions that hold such a move. */
static bool read_writers(struct call_search *search)
{
    for (size_t i = 0; i < search->map->section_count; i++) {
        const struct code_section *section = &search->map->sections[i];
        struct span bytes = image_run_at_rva(search->image, section->rva);
        size_t nbytes = bytes.nbytes < section->nbytes ? bytes.nbytes : section->nbytes;
        for (size_t at = 0; (at = find_move(bytes.bytes, nbytes, at)) != nbytes; at++) {
            struct operation operation;
            uint32_t rva = code_instruction_begin(search->map, section->rva + (uint32_t)at);
            struct span code = image_run_at_rva(search->image, rva);
            if (code_class_at(search->map, rva) != BYTE_INSTRUCTION ||
                !operation_read(search->reader, code.bytes, code.nbytes, rva, &operation) ||
                operation.operands[0].kind != OPERAND_CONTROL)
                continue;
            (void)search_function_holding(search, rva);
            if (search->arena->exhausted)
                return false;
        }
    }
    return true;
}

bool integrity_write_protect(struct call_search *search)
{
    if (!read_writers(search))
        return false;
    for (size_t i = 0; i < search->records.control_count; i++) {
        const struct control_record control = search->records.controls[i];
        struct leaves leaves;
        size_t cleared = 0, unknown = 0, unset = 0;
        if (control.number != 0)
            continue;
        if (!search_leaves(search, control.value, control.function_rva, &leaves))
            return false;
        for (size_t k = 0; k < leaves.count; k++) {
            const struct leaf *leaf = &leaves.items[k];
            bool is_known = leaf->kind == LEAF_BITS && (leaf->known_bits & WRITE_PROTECT);
            if (leaf->origin == ORIGIN_GLOBAL_FILE && leaf->other_origin != ORIGIN_GLOBAL)
                /* the variable before CR0 was saved in it */
                unset++;
            else if (is_known)
                cleared += !(leaf->value & WRITE_PROTECT);
            else if (leaf->reason != UNKNOWN_CONTROL) /* what it held, as it was, changes nothing */
                unknown++;
        }
        if (cleared == 0 && unknown == 0 && !leaves.is_full)
            continue;
        bool is_proved = cleared != 0 && cleared + unset == leaves.count && !leaves.is_full;
        struct integrity_site site = {.rva = control.site_rva,
                                      .function_rva = control.function_rva,
                                      .code = HVCI2300_WRITE_PROTECT_CLEARED,
                                      .verdict = is_proved ? SITE_EXECUTABLE
                                                 : cleared ? SITE_DEPENDS
                                                           : SITE_UNKNOWN,
                                      .api = "mov cr0",
                                      .what = cleared ? "clears the write-protect bit of CR0" : "writes CR0",
                                      .reason = is_proved ? NULL
                                                : cleared
                                                    ? "not every value that reaches it has the bit cleared"
                                                    : "what the write-protect bit becomes is not known"};
        if (!integrity_add(search, site))
            return false;
    }
    return true;
}
