/* code_operands.c - from an instruction to the references it holds.
 * Takes: a decoded instruction of the map.  Gives: references of SOURCE_CODE, candidates for addresses that
 * it forms, marks on data that it reads.  Must not: classify bytes.
 *
 * Recorded: every RIP-relative operand; every rel32; a rel8 only when it leaves its section or its function
 * (inside one piece of code its distance cannot change); absolute fields that a base relocation covers, or,
 * in images without any, that hold an address inside the image; displacements added to the image base. */
#include "code/code_internal.h"

bool operands_add_ref(struct code_reader *reader, uint32_t site_rva, const struct ref_spec *spec,
                      enum ref_access access, unsigned detail)
{
    struct refset *refs = reader->refs;
    size_t count = refs->ref_count;
    /* By RVA: damaged headers can show the same file bytes in two sections. */
    if (!refset_add_at_rva(refs, site_rva, *spec))
        return false;
    if (refs->ref_count > count) {
        refs->refs[count].access = (uint8_t)access;
        refs->refs[count].detail = (uint16_t)detail;
    }
    return true;
}

static bool leaves_piece(const struct reader_section *section, const struct bound *bound, uint32_t target_rva)
{
    if (bound)
        return target_rva < bound->begin_rva || target_rva >= bound->end_rva;
    return target_rva < section->rva || target_rva - section->rva >= section->nbytes;
}

static bool add_branch(struct code_reader *reader, const struct reader_section *section,
                       const struct instruction *instruction, const struct bound *bound)
{
    if (!instruction->target_fits ||
        (instruction->rel_nbytes == 1 && !leaves_piece(section, bound, instruction->target_rva)))
        return true;
    struct ref_spec spec = {.source = SOURCE_CODE,
                            .encoding = REF_PCREL,
                            .width_nbytes = instruction->rel_nbytes,
                            .base_rva = instruction_end_rva(instruction),
                            .flags = REF_FLAG_CODE_TARGET};
    return operands_add_ref(reader, instruction->rva + instruction->rel_offset, &spec,
                            instruction->flow == FLOW_CALL ? ACCESS_CALL : ACCESS_JUMP, CODE_REF_CERTAIN);
}

/* A datum in an executable section that code reads or writes cannot be code of a candidate. */
static void mark_datum(struct code_reader *reader, uint32_t rva, uint32_t nbytes)
{
    struct reader_section *section = reader_section_at(reader, rva);
    for (uint32_t i = 0; section && i < nbytes && rva - section->rva + i < section->nbytes; i++)
        section->marks[rva - section->rva + i] |= MARK_DATA_OPERAND;
}

/* Tells the reader what the newest reference means for the bytes at its target. */
static bool use_target(struct code_reader *reader, size_t count_before, uint32_t datum_nbytes)
{
    if (reader->refs->ref_count == count_before)
        return true;
    const struct ref *ref = &reader->refs->refs[count_before];
    if (ref->access != ACCESS_ADDRESS) {
        mark_datum(reader, ref->target, datum_nbytes);
        return true;
    }
    if (!reader_section_at(reader, ref->target))
        return true;
    return descent_push(reader, ref->target, FUNCTION_LEA, TRUST_POINTER, 0);
}

static unsigned detail_of(unsigned certainty, unsigned datum_nbytes)
{
    return certainty | datum_nbytes << CODE_REF_NBYTES_SHIFT;
}

static bool add_rip_relative(struct code_reader *reader, const struct instruction *instruction)
{
    struct memory_operand memory;
    if (instruction->operation == OP_NOP || !decode_memory(reader->decoder, &memory))
        return true;
    struct ref_spec spec = {.source = SOURCE_CODE,
                            .encoding = REF_PCREL,
                            .width_nbytes = 4,
                            .base_rva = instruction_end_rva(instruction)};
    size_t count = reader->refs->ref_count;
    return operands_add_ref(reader, instruction->rva + instruction->disp_offset, &spec,
                            (enum ref_access)memory.access, detail_of(CODE_REF_CERTAIN, memory.nbytes)) &&
           use_target(reader, count, memory.nbytes);
}

/* Without base relocations an absolute address is told from a constant by its value alone. */
static bool looks_like_va(const struct code_reader *reader, uint64_t value, unsigned nbytes)
{
    uint32_t rva;
    if (nbytes == 4)
        value = (uint32_t)value;
    return !reader->has_relocations && nbytes == image_pointer_nbytes(reader->image) &&
           image_va_to_rva(reader->image, value, &rva) && rva >= reader->image->headers_nbytes &&
           rva < reader->image->image_nbytes;
}

/* One absolute field: displacement or immediate. *is_absolute: it holds an address. */
static bool add_absolute(struct code_reader *reader, const struct reader_section *section,
                         const struct instruction *instruction, unsigned offset, unsigned nbytes,
                         uint64_t value, bool is_displacement, bool *is_absolute)
{
    *is_absolute = false;
    if (reader->has_relocations && !section->has_relocations)
        return true;
    uint32_t at = instruction->rva - section->rva + offset;
    bool is_relocated = mark_begins_field(section->marks[at]);
    *is_absolute = is_relocated || looks_like_va(reader, value, nbytes);
    if (!*is_absolute)
        return true;
    struct memory_operand memory = {.access = ACCESS_ADDRESS};
    if (is_displacement && (instruction->operation == OP_NOP || !decode_memory(reader->decoder, &memory)))
        return true;
    reader->has_guesses |= !is_relocated;
    struct ref_spec spec = {.source = SOURCE_CODE,
                            .encoding = REF_VA,
                            .width_nbytes = nbytes,
                            .flags = is_relocated ? REF_FLAG_RELOCATED : 0};
    size_t count = reader->refs->ref_count;
    return operands_add_ref(
               reader, section->rva + at, &spec, (enum ref_access)memory.access,
               detail_of(is_relocated ? CODE_REF_CERTAIN : CODE_REF_GUESSED_VA, memory.nbytes)) &&
           use_target(reader, count, memory.nbytes);
}

/* `[r + disp32]` may add an RVA to the image base (compilers index arrays of globals and switch tables so).
 * Whether r may hold the base is asked when all of the function is decoded. */
static bool may_be_image_relative(const struct code_reader *reader, const struct instruction *instruction)
{
    return reader->is_64 && instruction->disp_nbytes == 4 && !instruction->is_rip_relative &&
           instruction->disp >= (int64_t)reader->image->headers_nbytes &&
           instruction->disp < (int64_t)reader->image->image_nbytes && instruction->operation != OP_NOP &&
           !(instruction->base == STACK_REGISTER && instruction->index == NO_REGISTER);
}

static bool keep_image_relative(struct code_reader *reader, uint32_t rva)
{
    uint32_t *grown =
        arena_grow(reader->arena, reader->image_relative, reader->image_relative_count,
                   &reader->image_relative_capacity, reader->image_relative_count + 1, sizeof *grown);
    if (!grown)
        return false;
    reader->image_relative = grown;
    reader->image_relative[reader->image_relative_count++] = rva;
    return true;
}

bool operands_add(struct code_reader *reader, struct reader_section *section,
                  const struct instruction *instruction, const struct bound *bound)
{
    if (instruction->rel_nbytes != 0)
        return add_branch(reader, section, instruction, bound);
    if (instruction->is_rip_relative && !add_rip_relative(reader, instruction))
        return false;
    bool is_absolute = false;
    if (instruction->disp_nbytes >= 4 && !instruction->is_rip_relative &&
        !add_absolute(reader, section, instruction, instruction->disp_offset, instruction->disp_nbytes,
                      (uint64_t)instruction->disp, true, &is_absolute))
        return false;
    if (!is_absolute && may_be_image_relative(reader, instruction) &&
        !keep_image_relative(reader, instruction->rva))
        return false;
    for (unsigned i = 0; i < 2; i++)
        if (instruction->imm_nbytes[i] >= 4 &&
            !add_absolute(reader, section, instruction, instruction->imm_offset[i],
                          instruction->imm_nbytes[i], instruction->imm, false, &is_absolute))
            return false;
    return true;
}

static bool may_hold_base(const struct function_registers *registers, uint8_t number)
{
    return number != NO_REGISTER && (registers->image_base >> number & 1) != 0;
}

static bool resolve_one(struct code_reader *reader, uint32_t rva)
{
    const struct reader_section *section = reader_section_at(reader, rva);
    uint32_t at = rva - section->rva, until_rva;
    const struct function_registers *registers =
        reader_registers(reader, reader_bound_at(reader, rva, &until_rva));
    struct instruction instruction;
    struct memory_operand memory;
    if (registers->image_base == 0 ||
        !decode(reader->decoder, section->bytes + at, section->nbytes - at, rva, &instruction) ||
        !decode_memory(reader->decoder, &memory) ||
        (!may_hold_base(registers, memory.base) && !may_hold_base(registers, memory.index)))
        return true;
    struct ref_spec spec = {.source = SOURCE_CODE, .encoding = REF_IMAGE_REL, .width_nbytes = 4};
    size_t count = reader->refs->ref_count;
    return operands_add_ref(reader, rva + instruction.disp_offset, &spec, (enum ref_access)memory.access,
                            detail_of(CODE_REF_MAY_HOLD_BASE, memory.nbytes)) &&
           use_target(reader, count, memory.nbytes);
}

/* Cautious in one direction: any register into which the function ever loads the image base counts
 * everywhere in it. A base that comes through memory or another function's registers is not seen. */
bool operands_resolve_image_relative(struct code_reader *reader)
{
    while (reader->image_relative_done < reader->image_relative_count)
        if (!resolve_one(reader, reader->image_relative[reader->image_relative_done++]))
            return false;
    return true;
}
