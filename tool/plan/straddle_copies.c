/* straddle_copies.c - x86: an instruction whose absolute operand crosses a page boundary is executed from a
 * copy. Takes: code map, references.  Gives: repair->copies.  Must not: place them.
 *
 * Such an instruction has at least five bytes, room for a jump to the copy. Nothing else may lead into its
 * other bytes. It runs the same anywhere: it has no operand that is relative to its own address, and what a
 * call in it pushes leads behind the copy, from where a jump leads back. */
#include "code/code_decode.h"
#include "plan/straddle_parts.h"

#include <inttypes.h>

static const char cure_code[] =
    "Compile with /Gy, so that the linker can shift functions off the boundary; in assembler put tables of "
    "addresses into a data section and align them (ALIGN 4).";

static bool refuse_code(struct straddle_plan *plan, const struct relocation *field, const char *why)
{
    return rewrite_refuse(plan->rewrite, field->old_rva, NO_FILE_OFFSET, cure_code,
                          "The base relocation at RVA 0x%" PRIX32 " crosses a page boundary, and %s.",
                          field->old_rva, why);
}

static bool is_operand(const struct instruction *instruction, uint32_t offset)
{
    return (instruction->disp_nbytes == 4 && instruction->disp_offset == offset) ||
           (instruction->imm_nbytes[0] == 4 && instruction->imm_offset[0] == offset) ||
           (instruction->imm_nbytes[1] == 4 && instruction->imm_offset[1] == offset);
}

/* The relocations next to relocations[index] that lie in the same instruction are operands of it, too. */
static bool check_operands(struct straddle_plan *plan, size_t index, const struct instruction *instruction)
{
    uint32_t begin_rva = instruction->rva, end_rva = instruction_end_rva(instruction);
    size_t first = index, end = index + 1;
    while (first > 0 &&
           plan->relocations[first - 1].old_rva + plan->relocations[first - 1].nbytes > begin_rva)
        first--;
    while (end < plan->relocation_count && plan->relocations[end].old_rva < end_rva)
        end++;
    for (size_t i = first; i < end; i++)
        if (plan->relocations[i].old_rva < begin_rva ||
            !is_operand(instruction, plan->relocations[i].old_rva - begin_rva))
            return refuse_code(plan, &plan->relocations[index],
                               "what is decoded there does not fit the base relocations");
    return true;
}

static bool check_flow(struct straddle_plan *plan, const struct relocation *field,
                       const struct instruction *instruction)
{
    bool is_plain = instruction->flow == FLOW_NEXT || instruction->flow == FLOW_CALL_INDIRECT ||
                    instruction->flow == FLOW_JUMP_INDIRECT;
    if (instruction->nbytes < JUMP_NBYTES || !is_plain || instruction->rel_nbytes != 0 ||
        instruction->operation == OP_ODD)
        return refuse_code(plan, field, "the instruction there cannot be executed from another place");
    return true;
}

bool straddle_copy_instruction(struct straddle_plan *plan, size_t index)
{
    struct rewrite *rewrite = plan->rewrite;
    const struct relocation *field = &plan->relocations[index];
    struct straddle_repair *repair = plan->repair;
    uint32_t begin_rva = code_instruction_begin(rewrite->code, field->old_rva);
    struct span bytes = image_run_at_rva(rewrite->image, begin_rva);
    struct instruction instruction;
    if (!plan->decoder)
        plan->decoder = decoder_new(rewrite->arena, false);
    if (!plan->decoder)
        return false;
    if (code_class_at(rewrite->code, begin_rva) != BYTE_INSTRUCTION ||
        !decode(plan->decoder, bytes.bytes, bytes.nbytes, begin_rva, &instruction) ||
        field->old_rva - begin_rva >= instruction.nbytes)
        return refuse_code(plan, field,
                           "it is not an operand of code that is decoded; data in an executable section can "
                           "neither be written nor moved");
    if (layout_piece_at(rewrite->layout, begin_rva) !=
        layout_piece_at(rewrite->layout, instruction_end_rva(&instruction) - 1))
        return refuse_code(plan, field, "the image is cut inside the instruction there");
    if (!check_flow(plan, field, &instruction) || !check_operands(plan, index, &instruction))
        return false;
    repair->copies[repair->copy_count++] = (struct code_copy){
        .old_rva = begin_rva, .nbytes = instruction.nbytes, .comes_back = !flow_ends(instruction.flow)};
    return true;
}

/* Nothing may lead into the bytes behind an instruction's first one. Windows itself changes what dynamic
 * relocations and the list of lock prefixes name. */
bool straddle_check_copies(struct straddle_plan *plan)
{
    const struct refset *refs = plan->rewrite->refs;
    for (size_t i = 0; i < refs->ref_count; i++) {
        const struct ref *ref = &refs->refs[i];
        if (ref->encoding == REF_FOFF || ref->encoding == REF_SECTION_INDEX || ref->encoding == REF_SIZE ||
            ref->state != REF_RESOLVED || ref->source == SOURCE_BASERELOCS)
            continue;
        const struct code_copy *copy = straddle_copy_at(plan->repair, ref->target);
        bool is_changed = ref->source == SOURCE_DVRT || (ref->flags & REF_FLAG_LOADER_WRITES);
        if (copy && (is_changed || ref->target != copy->old_rva))
            return rewrite_refuse(plan->rewrite, copy->old_rva, ref->site_foff, cure_code,
                                  "A base relocation in the instruction at RVA 0x%" PRIX32
                                  " crosses a page boundary, and the reference at RVA 0x%" PRIX32
                                  " (%s) leads %s.",
                                  copy->old_rva, ref->site_rva, ref_source_name(ref->source),
                                  is_changed ? "to it, so that Windows changes it" : "into the middle of it");
    }
    return true;
}
