/* section_writes_borders.c - addresses in a neighbour of the section that may mean the section.
 * Takes: the judgement, one reference that leads elsewhere.  Gives: a counter-example, or nothing.
 * Must not: object to an address that is only used where it leads.
 *
 * One past the last byte is how an array that ends with the section is walked from its end; an address a
 * little before the first byte is what compilers make of array[i - k]. Both lie in a neighbour where sections
 * fill their last page. */
#include "code/address_uses.h"
#include "code/section_writes_internal.h"

#include <inttypes.h>

enum { FOLD_NBYTES = 0x100 }; /* as for parts that move apart: docs/ASSUMPTIONS.md, M1 */

static bool is_one_past_end(const struct judge *judge, uint32_t rva)
{
    uint64_t used_end_rva = (uint64_t)judge->section->rva + judge->section->memory_nbytes;
    return rva == used_end_rva && rva >= judge->end_rva;
}

static bool is_close_before(const struct judge *judge, uint32_t rva)
{
    return rva < judge->near_rva && (uint64_t)rva + FOLD_NBYTES >= judge->section->rva;
}

static bool has_register(const struct judge *judge, uint32_t begin_rva)
{
    struct instruction instruction;
    struct memory_operand memory;
    return judge_decode(judge, begin_rva, &instruction) && decode_memory(judge->decoder, &memory) &&
           (memory.base != NO_REGISTER || memory.index != NO_REGISTER);
}

/* Whether the operand can only mean what lies where it leads. */
static bool is_used_there(struct judge *judge, const struct ref *ref, bool is_past_end)
{
    uint32_t begin_rva = code_instruction_begin(judge->code, ref->site_rva);
    if (ref->access == ACCESS_READ)
        return true;
    if (ref->access != ACCESS_ADDRESS) /* the end of an array is not where an index begins */
        return is_past_end || ref->encoding == REF_PCREL || !has_register(judge, begin_rva);
    struct address_uses uses =
        address_uses_follow(judge->image, judge->code, judge->decoder, ref->site_rva, &judge->steps_left);
    if (uses.is_never_accessed)
        return true;
    if (is_past_end)
        return uses.is_decided && uses.first >= 0;
    return uses.is_as_is ||
           (uses.is_decided && (int64_t)ref->target + uses.end <= (int64_t)judge->section->rva);
}

void judge_border(struct judge *judge, const struct ref *ref)
{
    bool is_past_end = is_one_past_end(judge, ref->target);
    bool is_operand = ref->source == SOURCE_CODE && (ref->encoding == REF_VA || ref->encoding == REF_PCREL) &&
                      ref->access != ACCESS_CALL && ref->access != ACCESS_JUMP;
    enum byte_class at_site = code_class_at(judge->code, ref->site_rva);
    bool is_pointer = ref->source == SOURCE_RELOCATED && is_past_end && at_site != BYTE_INSTRUCTION &&
                      at_site != BYTE_INSTRUCTION_TAIL;
    if ((!is_past_end && !is_close_before(judge, ref->target)) || (!is_operand && !is_pointer) ||
        judge_is_code(judge, ref->target) || code_class_at(judge->code, ref->target) == BYTE_INSTRUCTION ||
        (is_operand && is_used_there(judge, ref, is_past_end)))
        return;
    judge_found(judge, ref->site_rva, ref->site_foff,
                arena_printf(judge->arena,
                             "Section %s may have to stay writable: the address at RVA 0x%" PRIX32
                             " (RVA 0x%" PRIX32 ") leads to its border, and may mean data in it.",
                             judge->section->name, ref->site_rva, ref->target),
                judge_cure_variable);
}
