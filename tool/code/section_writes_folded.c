/* section_writes_folded.c - operands that lead elsewhere than into the section, and may mean it all the same.
 * Takes: the judgement, one reference.  Gives: a counter-example, or nothing.
 * Must not: object to an ordinary store into a variable of a writable section.
 *
 * Compilers fold the first value of an index into the address: counts[code - 0x222003] is stored as an
 * address that far before the array, out of the image or among what nobody may write. Such an address means
 * nothing by itself, so what is stored with it goes into some writable section, and this one is among them.
 */
#include "code/index_range.h"
#include "code/section_writes_internal.h"

#include <inttypes.h>

enum { LARGEST_ELEMENT_NBYTES = 0x100 };

static const char cure_index[] =
    "Keep variables out of this section: remove data_seg, __declspec(allocate) or "
    "/MERGE that puts them there.";

/* A store there, as it stands, faults. */
static bool is_never_written(const struct judge *judge, uint32_t rva)
{
    const struct section *section = image_section_at_rva(judge->image, rva);
    return section && !(section->characteristics & SCN_MEM_WRITE);
}

/* x86: something is added to an address at which no array lies that could be written. What is meant is not
 * known, unless the bounds of the index are. */
static bool is_folded_far(struct judge *judge, const struct ref *ref, uint32_t *first_rva, uint64_t *end_rva)
{
    enum byte_class at_target = code_class_at(judge->code, ref->target);
    bool is_store = ref->access == ACCESS_WRITE || ref->access == ACCESS_READ_WRITE;
    bool is_nowhere = ref->state == REF_OUTSIDE || ref->state == REF_HEADERS || ref->state == REF_GAP ||
                      (is_store && is_never_written(judge, ref->target));
    struct index_range range;
    if (judge->is_64 || ref->source != SOURCE_CODE || ref->encoding != REF_VA ||
        (ref->flags & REF_FLAG_CODE_TARGET) ||
        (!is_nowhere && at_target != BYTE_INSTRUCTION && at_target != BYTE_INSTRUCTION_TAIL))
        return false;
    uint32_t begin = code_instruction_begin(judge->code, ref->site_rva);
    struct span bytes = image_run_at_rva(judge->image, begin);
    struct instruction instruction;
    struct memory_operand memory;
    if (!decode(judge->decoder, bytes.bytes, bytes.nbytes, begin, &instruction))
        return false;
    if (instruction.disp_nbytes == 0 || ref->site_rva != begin + instruction.disp_offset)
        return ref->state == REF_OUTSIDE && ref->access == ACCESS_ADDRESS; /* taken as an immediate */
    if (!decode_memory(judge->decoder, &memory) ||
        (memory.access != ACCESS_WRITE && memory.access != ACCESS_READ_WRITE &&
         memory.access != ACCESS_ADDRESS) ||
        (memory.base == NO_REGISTER && memory.index == NO_REGISTER))
        return false;
    *first_rva = 0;
    *end_rva = UINT32_MAX;
    if (index_range_find(judge->image, judge->code, judge->decoder, &judge->joins, begin, &range)) {
        *first_rva = ref->target + (uint32_t)(range.low * range.scale);
        *end_rva = *first_rva + (uint64_t)(range.high - range.low) * range.scale +
                   (range.nbytes == 0 ? LARGEST_ELEMENT_NBYTES : range.nbytes);
    }
    return true;
}

void judge_folded(struct judge *judge, const struct ref *ref)
{
    uint32_t first_rva = 0;
    uint64_t end_rva = UINT32_MAX;
    if (!is_folded_far(judge, ref, &first_rva, &end_rva) || end_rva <= judge->near_rva ||
        first_rva >= judge->end_rva)
        return;
    uint32_t begin = code_instruction_begin(judge->code, ref->site_rva);
    judge_found(judge, begin, ref->site_foff - (ref->site_rva - begin),
                arena_printf(judge->arena,
                             "Section %s may have to stay writable: the code at RVA 0x%" PRIX32
                             " adds an index to an address that leads to no array, so it may mean any.",
                             judge->section->name, begin),
                cure_index);
}

/* x64: the same with the image base in a register and an RVA as displacement. */
void judge_folded_base(struct judge *judge, const struct base_use *use)
{
    struct span bytes = image_run_at_rva(judge->image, use->rva);
    const struct section *led_to = image_section_at_rva(judge->image, use->displacement);
    struct instruction instruction;
    struct memory_operand memory;
    if ((led_to && (led_to->characteristics & SCN_MEM_WRITE)) ||
        !decode(judge->decoder, bytes.bytes, bytes.nbytes, use->rva, &instruction) ||
        !decode_memory(judge->decoder, &memory) ||
        (memory.access != ACCESS_WRITE && memory.access != ACCESS_READ_WRITE) || memory.base == NO_REGISTER ||
        memory.index == NO_REGISTER)
        return;
    uint32_t foff;
    uint64_t place = image_rva_to_foff(judge->image, use->rva, 1, &foff) ? foff : NO_FILE_OFFSET;
    judge_found(judge, use->rva, place,
                arena_printf(judge->arena,
                             "Section %s may have to stay writable: the code at RVA 0x%" PRIX32
                             " adds an index to an address that leads to no array, so it may mean any.",
                             judge->section->name, use->rva),
                cure_index);
}
