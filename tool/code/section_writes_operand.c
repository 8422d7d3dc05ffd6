/* section_writes_operand.c - four bytes that could be a displacement into the section: what are they?
 * Takes: their place.  Gives: counts, or a counter-example.  Must not: believe that undecoded bytes are data.
 */
#include "code/section_writes_internal.h"

enum { MAX_DISP_OFFSET = INSTRUCTION_MAX_NBYTES - 4 };

struct place {
    const struct code_section *section;
    const uint8_t *bytes; /* of the section */
    uint64_t raw_foff;
    uint32_t at; /* offset of the field */
};

static bool reads_as_displacement(const struct instruction *instruction, uint32_t offset,
                                  bool is_image_relative)
{
    return instruction->disp_nbytes == 4 && instruction->disp_offset == offset &&
           instruction->is_rip_relative != is_image_relative;
}

/* Judges the instruction at offset `begin` when the field is its displacement. */
static void judge_instruction(struct judge *judge, const struct place *place, uint32_t begin,
                              bool is_image_relative)
{
    const struct code_section *section = place->section;
    struct instruction instruction;
    struct memory_operand memory;
    if (!decode(judge->decoder, place->bytes + begin, section->nbytes - begin, section->rva + begin,
                &instruction) ||
        !reads_as_displacement(&instruction, place->at - begin, is_image_relative) ||
        instruction.operation == OP_NOP || !decode_memory(judge->decoder, &memory))
        return;
    /* Without a register there is nothing that could hold the image base. */
    if (is_image_relative && memory.base == NO_REGISTER && memory.index == NO_REGISTER)
        return;
    int64_t target =
        is_image_relative ? instruction.disp : (int64_t)instruction_end_rva(&instruction) + instruction.disp;
    if (target < 0 || !judge_holds(judge, (uint64_t)target))
        return;
    judge_access(judge, (enum ref_access)memory.access, (uint32_t)target, section->rva + begin,
                 place->raw_foff + begin);
}

/* The field lies in a decoded instruction: it is that one's displacement or nothing at all. What the
 * inventory holds was judged there, with what the reference means. */
static void judge_decoded(struct judge *judge, const struct place *place)
{
    if (site_set_has(&judge->operands, place->raw_foff + place->at))
        return;
    uint32_t section_rva = place->section->rva;
    uint32_t begin = code_instruction_begin(judge->code, section_rva + place->at - 1) - section_rva;
    /* A second look at what descent has seen; it is not counted. */
    struct judge before = *judge;
    judge_instruction(judge, place, begin, false);
    judge->branch_count = before.branch_count;
    judge->read_count = before.read_count;
    judge->code_address_count = before.code_address_count;
    judge->literal_count = before.literal_count;
}

/* Padding is a guess by its values: a run of zeros may begin inside a displacement. */
static bool may_be_code(uint8_t byte_class)
{
    return byte_class == BYTE_UNKNOWN || byte_class == BYTE_PADDING;
}

/* Nothing is known about the bytes: every instruction that could end in this field is asked. Where all of
 * them branch or read, whichever it is does no harm. */
static void judge_undecoded(struct judge *judge, const struct place *place, bool is_image_relative)
{
    const uint8_t *classes = place->section->classes;
    for (uint32_t i = 0; i < 4; i++)
        if (!may_be_code(classes[place->at + i]))
            return;
    for (uint32_t offset = 1; offset <= MAX_DISP_OFFSET && offset <= place->at && !judge->found; offset++) {
        uint32_t begin = place->at - offset;
        if (!may_be_code(classes[begin]))
            return;
        judge_instruction(judge, place, begin, is_image_relative);
    }
}

void judge_displacement(struct judge *judge, const struct code_section *section, uint32_t at,
                        bool is_image_relative)
{
    uint32_t raw_foff = judge->image->sections[section->section].raw_foff;
    struct place place = {section, judge->image->file.bytes + raw_foff, raw_foff, at};
    if (judge_excepts(judge, (uint64_t)section->rva + at, 1))
        return; /* in bytes that leave, and are not executed any more */
    switch (section->classes[at - 1]) {
    case BYTE_INSTRUCTION:
    case BYTE_INSTRUCTION_TAIL:
        /* Displacements that decoded code adds to the image base are in the inventory. */
        if (!is_image_relative)
            judge_decoded(judge, &place);
        break;
    case BYTE_UNKNOWN:
        judge_undecoded(judge, &place, is_image_relative);
        break;
    default: /* data with a reason, or padding */
        break;
    }
}
