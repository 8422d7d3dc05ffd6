/* referents_uses.c - what an instruction does with the address that it holds.
 * Takes: a reference.  Gives: a plain access or not, and what becomes of an address that is taken.
 * Must not: ask where anything moves. */
#include "plan/referents.h"

bool referents_is_direct(struct referents *choice, const struct ref *ref)
{
    const struct rewrite *rewrite = choice->rewrite;
    if (ref->source != SOURCE_CODE || ref->encoding == REF_IMAGE_REL)
        return false;
    if (ref->flags & REF_FLAG_CODE_TARGET) /* a branch, or a label in a jump table */
        return true;
    if (ref->access == ACCESS_ADDRESS || ref->access == ACCESS_NONE)
        return false;
    uint32_t begin = code_instruction_begin(rewrite->code, ref->site_rva);
    struct span bytes = image_run_at_rva(rewrite->image, begin);
    struct instruction instruction;
    struct memory_operand memory;
    if (!decode(choice->decoder, bytes.bytes, bytes.nbytes, begin, &instruction) ||
        ref->site_rva != begin + instruction.disp_offset || !decode_memory(choice->decoder, &memory))
        return false;
    if (instruction.is_rip_relative)
        return true;
    /* Vector registers as index are not told apart from none, and only legacy encodings have a plain one. */
    return (!instruction.has_modrm || instruction.is_legacy) && memory.base == NO_REGISTER &&
           memory.index == NO_REGISTER && instruction.base == NO_REGISTER && instruction.index == NO_REGISTER;
}

struct address_uses referents_uses_of(struct referents *choice, const struct ref *ref)
{
    const struct rewrite *rewrite = choice->rewrite;
    if (ref->source == SOURCE_CODE && ref->access == ACCESS_ADDRESS && ref->encoding != REF_IMAGE_REL)
        return address_uses_follow(rewrite->image, rewrite->code, choice->decoder, ref->site_rva,
                                   &choice->steps_left);
    uint8_t byte_class = (uint8_t)code_class_at(rewrite->code, ref->site_rva);
    bool is_in_data = byte_class == BYTE_DATA || !code_section_at(rewrite->code, ref->site_rva);
    return (struct address_uses){.is_as_is = ref->source == SOURCE_RELOCATED && is_in_data};
}
