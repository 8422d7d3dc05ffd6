/* verify_room.c - whether a code section has room for an array that something may write.
 * Takes: the code as read, a section.  Gives: no, when instructions, x86 jump tables and fill are all it
 * holds. Must not: take zeros for fill. */
#include "verify/verify_relocations.h"
#include "verify/verify_targets.h"

enum {
    LEAST_ROOM_NBYTES = 16, /* what is shorter between functions is alignment */
    MOST_TABLES_COUNT = 64, /* of which each is searched for in all relocations */
    POINTER_NBYTES = 4
};

/* An instruction that begins with the two bytes has [register + rva] or [register * 4 + rva] as operand. */
static bool is_operand_of(struct verify_code *code, uint32_t rva, uint8_t first, uint8_t second)
{
    struct verify_relocation_reader reader = verify_relocations_begin(code->image);
    struct verify_relocation relocation;
    while (verify_relocations_next(&reader, &relocation)) {
        const struct verify_code_section *section = verify_code_at(code, relocation.rva);
        uint64_t va;
        code->step_count++;
        if (!section || !verify_read_at(code->image, relocation.rva, POINTER_NBYTES, &va) ||
            va - code->image->base_va != rva)
            continue;
        size_t at = relocation.rva - section->rva;
        const uint8_t *bytes = section->bytes.bytes;
        if (at >= 3 && bytes[at - 3] == first && bytes[at - 2] == second &&
            verify_bit(section->starts, at - 3))
            return true;
    }
    return false;
}

/* Bytes of a jump table at `at`: relocated fields that lead to instructions (jmp [r*4 + table]), and behind
 * them the bytes that choose among them (movzx r, byte [r + table]). 0 when none begins there. */
static size_t jump_table_nbytes(struct verify_code *code, const struct verify_code_section *section,
                                size_t at, unsigned *budget_count)
{
    size_t end = at;
    if (code->image->is_64 || !verify_bit(section->relocated, at) || *budget_count == 0)
        return 0;
    (*budget_count)--;
    if (!is_operand_of(code, section->rva + (uint32_t)at, 0xFF, 0x24))
        return 0;
    while (range_fits(section->bytes.nbytes, end, POINTER_NBYTES) && verify_bit(section->relocated, end)) {
        uint64_t rva = load_u32(section->bytes.bytes + end) - code->image->base_va;
        if (!verify_begins_instruction(code, rva))
            break;
        end += POINTER_NBYTES;
    }
    size_t entry_count = (end - at) / POINTER_NBYTES;
    if (is_operand_of(code, section->rva + (uint32_t)end, 0x0F, 0xB6))
        while (end < section->bytes.nbytes && section->bytes.bytes[end] < entry_count)
            end++;
    return end - at;
}

static size_t instruction_nbytes(struct verify_code *code, const struct verify_code_section *section,
                                 size_t at)
{
    struct verify_instruction instruction;
    bool is_known = verify_bit(section->starts, at) && verify_code_decode(code, section, at, &instruction);
    return is_known ? instruction.nbytes : 0;
}

bool verify_has_room(struct verify_code *code, const struct verify_section *section)
{
    const struct verify_code_section *bytes = verify_code_at(code, section->rva);
    uint32_t used_nbytes = section->virtual_nbytes ? section->virtual_nbytes : section->memory_nbytes;
    size_t run_nbytes = 0;
    unsigned budget_count = MOST_TABLES_COUNT;
    if (!bytes || bytes->rva != section->rva || used_nbytes > bytes->bytes.nbytes)
        return true;
    for (size_t at = 0; at < used_nbytes && run_nbytes < LEAST_ROOM_NBYTES;) {
        size_t nbytes = instruction_nbytes(code, bytes, at);
        if (nbytes == 0)
            nbytes = jump_table_nbytes(code, bytes, at, &budget_count);
        bool is_fill = bytes->bytes.bytes[at] == 0xCC || bytes->bytes.bytes[at] == 0x90;
        run_nbytes = nbytes != 0 ? 0 : run_nbytes + !is_fill;
        at += nbytes != 0 ? nbytes : 1;
        code->step_count++;
    }
    return run_nbytes >= LEAST_ROOM_NBYTES;
}
