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
#include <string.h>

enum { LARGEST_ELEMENT_NBYTES = 0x100, FAR_FOLD_NBYTES = 0x10000 }; /* the second: docs/ASSUMPTIONS.md, M2 */

/* A store there, as it stands, faults. */
static bool is_never_written(const struct judge *judge, uint32_t rva)
{
    const struct section *section = image_section_at_rva(judge->image, rva);
    return section && !(section->characteristics & SCN_MEM_WRITE);
}

/* The section may hold an array: it has more than instructions, their jump tables, and fill between them. */
static bool has_room(struct judge *judge)
{
    enum { LEAST_ROOM_NBYTES = 16 }; /* what is shorter is alignment */
    const struct section *section = judge->section;
    uint32_t run_nbytes = 0;
    if (judge->is_looked_through)
        return judge->has_room;
    judge->is_looked_through = true;
    for (uint32_t at = 0; at < section->memory_nbytes && run_nbytes < LEAST_ROOM_NBYTES; at++) {
        struct span byte;
        enum byte_class class = code_class_at(judge->code, section->rva + at);
        uint32_t foff;
        bool is_code = class == BYTE_INSTRUCTION || class == BYTE_INSTRUCTION_TAIL ||
                       (image_rva_to_foff(judge->image, section->rva + at, 1, &foff) &&
                        site_set_has(&judge->jump_tables, foff));
        bool is_fill = image_bytes_at_rva(judge->image, section->rva + at, 1, &byte) &&
                       (byte.bytes[0] == 0xCC || byte.bytes[0] == 0x90);
        run_nbytes = is_code ? 0 : run_nbytes + !is_fill;
    }
    judge->has_room = run_nbytes >= LEAST_ROOM_NBYTES;
    return judge->has_room;
}

/* Another array lies there, but not far from the section. In a place, that is: of parts that move apart a
 * layout knows what is meant. INIT holds no array that is written, as its drivers work where Windows strips W
 * from it. */
static bool is_near(struct judge *judge, uint32_t rva)
{
    const struct section *section = judge->section;
    bool is_init =
        strcmp(section->raw_name, "INIT") == 0 && (section->characteristics & SCN_MEM_DISCARDABLE) != 0;
    uint64_t end_rva = (uint64_t)section->rva + section->memory_nbytes;
    return !judge->means_elsewhere && !is_init && (uint64_t)rva + FAR_FOLD_NBYTES > section->rva &&
           rva < end_rva + FAR_FOLD_NBYTES && has_room(judge);
}

/* x86: something is added to an address at which no array lies that could be written. What is meant is not
 * known, unless the bounds of the index are. */
static bool is_folded_far(struct judge *judge, const struct ref *ref, uint32_t *first_rva, uint64_t *end_rva)
{
    enum byte_class at_target = code_class_at(judge->code, ref->target);
    bool is_store = ref->access == ACCESS_WRITE || ref->access == ACCESS_READ_WRITE;
    bool is_nowhere = ref->state == REF_OUTSIDE || ref->state == REF_HEADERS || ref->state == REF_GAP ||
                      (is_store && (is_never_written(judge, ref->target) || is_near(judge, ref->target)));
    struct index_range range;
    if (judge->is_64 || ref->source != SOURCE_CODE || ref->encoding != REF_VA ||
        (ref->flags & REF_FLAG_CODE_TARGET) ||
        (!is_nowhere && at_target != BYTE_INSTRUCTION && at_target != BYTE_INSTRUCTION_TAIL))
        return false;
    uint32_t begin = code_instruction_begin(judge->code, ref->site_rva);
    struct instruction instruction;
    struct memory_operand memory;
    if (!judge_decode(judge, begin, &instruction))
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
    judge_found(
        judge, begin, ref->site_foff - (ref->site_rva - begin),
        arena_printf(judge->arena,
                     "Section %s may have to stay writable: the code at RVA 0x%" PRIX32
                     " adds an index without known bounds to an address, and may mean an array in it.",
                     judge->section->name, begin),
        judge_cure_variable);
}

/* x64: the same with the image base in a register and an RVA as displacement. */
void judge_folded_base(struct judge *judge, const struct base_use *use)
{
    const struct section *led_to = image_section_at_rva(judge->image, use->displacement);
    struct instruction instruction;
    struct memory_operand memory;
    if ((led_to && (led_to->characteristics & SCN_MEM_WRITE)) ||
        !judge_decode(judge, use->rva, &instruction) || !decode_memory(judge->decoder, &memory) ||
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
                judge_cure_variable);
}
