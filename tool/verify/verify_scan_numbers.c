/* verify_scan_numbers.c - RVAs of the sections under judgement that stand in code as immediates, or in data.
 * Takes: the search, once the image base is out of sight.  Gives: true, or the number that may be added to
 * it. Must not: count what leads into code: tables that are not read here do. */
#include "verify/verify_code_target.h"
#include "verify/verify_registers.h"
#include "verify/verify_scan.h"

#include <string.h>

enum { DISP32_NBYTES = 4 };

/* The base is out of sight: who has it may add an RVA that stands in code as an immediate, or in data. What
 * is none of a field, in a table or code is small enough to be looked through. */
static bool refute_number(struct verify_write_search *search, const struct verify_target *target,
                          uint32_t rva, uint32_t number)
{
    return verify_refute(
        search->judged, verify_spot_rva(search->judged, rva),
        "Section %s loses MEM_WRITE, but the number at RVA 0x%X is RVA 0x%X in it, and may be "
        "added to the image base, which is out of sight.",
        target->section->name, (unsigned)rva, (unsigned)number);
}

/* In a function, or fill behind one: tables that are not read here lead to labels and ends. Between functions
 * may stand data too. */
static bool is_code_at(struct verify_write_search *search, uint32_t rva)
{
    const struct verify_function *function = verify_function_at(search->code, rva);
    if (function)
        return !function->is_gap || verify_looks_like_code(search->code, rva, true);
    const struct verify_function *before = rva > 0 ? verify_function_at(search->code, rva - 1) : NULL;
    return before && !before->is_gap;
}

/* What the number leads to, but for a discardable INIT: nobody writes there. */
static const struct verify_target *number_target(struct verify_write_search *search, uint32_t number)
{
    const struct verify_target *target = verify_target_at(search, number);
    bool is_used = target && number - target->section->rva < verify_used_nbytes(target->section);
    return is_used && !verify_is_discardable_init(target->section) && !is_code_at(search, number) ? target
                                                                                                  : NULL;
}

static bool scan_immediates(struct verify_write_search *search, const struct verify_code_section *section)
{
    for (size_t at = 1; range_fits(section->bytes.nbytes, at, DISP32_NBYTES); at++) {
        uint32_t number = load_u32(section->bytes.bytes + at);
        const struct verify_target *target = number_target(search, number);
        struct verify_field_in_code field = {section, at, DISP32_NBYTES, FIELD_ABSOLUTE, 0};
        search->code->step_count++;
        if (!target || verify_bit(section->relocated, at) ||
            !(verify_uses_possible(search->code, &field).uses & USE_ADDRESS))
            continue;
        struct verify_uses uses = verify_uses_resolved(search->code, &field);
        struct verify_full full;
        if (uses.is_operand && (uses.uses & USE_ADDRESS) &&
            verify_decode_full(search->code, section, uses.operand_at, &full) &&
            (full.decoded.mnemonic == ZYDIS_MNEMONIC_ADD || full.decoded.mnemonic == ZYDIS_MNEMONIC_MOV))
            return refute_number(search, target, section->rva + (uint32_t)at, number);
    }
    return true;
}

static bool scan_data(struct verify_write_search *search, const struct verify_section *section)
{
    for (size_t at = 0; range_fits(section->bytes.nbytes, at, DISP32_NBYTES); at += DISP32_NBYTES) {
        uint32_t rva = section->rva + (uint32_t)at, number = load_u32(section->bytes.bytes + at);
        const struct verify_target *target = number_target(search, number);
        search->code->step_count++;
        if (target && !verify_function_at(search->code, rva) &&
            !verify_is_typed(search->code->tables, rva, rva + DISP32_NBYTES))
            return refute_number(search, target, rva, number);
    }
    return true;
}

bool verify_scan_numbers(struct verify_write_search *search)
{
    const struct verify_image *image = search->code->image;
    for (uint32_t i = 0; i < search->code->section_count; i++)
        if (!scan_immediates(search, &search->code->sections[i]))
            return false;
    for (uint32_t i = 0; i < image->section_count; i++)
        if (!scan_data(search, &image->sections[i]))
            return false;
    return true;
}
