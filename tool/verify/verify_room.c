/* verify_room.c - whether a part of a code section has room for an array.
 * Takes: the code as read, a range.  Gives: no, when instructions, x86 jump tables, the linker's tables and
 * fill are all it holds. Must not: take zeros for fill. */
#include "verify/verify_relocations.h"
#include "verify/verify_targets.h"

#include <stdlib.h>

enum {
    LEAST_ROOM_NBYTES = 16, /* what is shorter between functions is alignment */
    POINTER_NBYTES = 4
};

/* The first two bytes of jmp [r*4 + disp32] and of movzx r, byte [r + disp32]; a ModRM or SIB byte follows.
 */
static const uint8_t jump_opcode[] = {0xFF, 0x24}, choice_opcode[] = {0x0F, 0xB6};

static int compare_operands(const void *left, const void *right)
{
    const struct verify_table_operand *a = left, *b = right;
    if (a->table_rva != b->table_rva)
        return a->table_rva < b->table_rva ? -1 : 1;
    return a->field_rva < b->field_rva ? -1 : a->field_rva > b->field_rva;
}

/* Three bytes before the field stand the two bytes. */
static bool is_behind(const struct verify_code_section *section, size_t at, const uint8_t *opcode)
{
    return at >= 3 && section->bytes.bytes[at - 3] == opcode[0] && section->bytes.bytes[at - 2] == opcode[1];
}

/* Once for an image: all relocated fields in code that stand where such an operand stands. */
static bool find_operands(struct verify_code *code, struct arena *arena)
{
    struct verify_relocation_reader reader = verify_relocations_begin(code->image);
    struct verify_relocation relocation;
    size_t capacity = 0;
    code->has_table_operands = true;
    while (!code->image->is_64 && verify_relocations_next(&reader, &relocation)) {
        const struct verify_code_section *section = verify_code_at(code, relocation.rva);
        uint64_t va;
        code->step_count++;
        if (!section || !verify_read_at(code->image, relocation.rva, POINTER_NBYTES, &va) ||
            (!is_behind(section, relocation.rva - section->rva, jump_opcode) &&
             !is_behind(section, relocation.rva - section->rva, choice_opcode)))
            continue;
        struct verify_table_operand *grown =
            arena_grow(arena, code->table_operands, code->table_operand_count, &capacity,
                       code->table_operand_count + 1, sizeof *code->table_operands);
        if (!grown) {
            code->has_table_operands = false;
            return false;
        }
        code->table_operands = grown;
        code->table_operands[code->table_operand_count++] =
            (struct verify_table_operand){(uint32_t)(va - code->image->base_va), relocation.rva};
    }
    if (code->table_operand_count > 1)
        qsort(code->table_operands, code->table_operand_count, sizeof *code->table_operands,
              compare_operands);
    return true;
}

/* An instruction that begins with the two bytes has [register + rva] or [register * 4 + rva] as operand. */
static bool is_operand_of(struct verify_code *code, uint32_t rva, const uint8_t *opcode)
{
    size_t low = 0, high = code->table_operand_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (code->table_operands[middle].table_rva < rva)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < code->table_operand_count && code->table_operands[low].table_rva == rva; low++) {
        uint32_t field_rva = code->table_operands[low].field_rva;
        const struct verify_code_section *section = verify_code_at(code, field_rva);
        code->step_count++;
        if (section && is_behind(section, field_rva - section->rva, opcode) &&
            verify_bit(section->starts, field_rva - section->rva - 3))
            return true;
    }
    return false;
}

/* Bytes of a jump table at `at`: relocated fields that lead to instructions (jmp [r*4 + table]), and behind
 * them the bytes that choose among them (movzx r, byte [r + table]). 0 when none begins there. */
static size_t jump_table_nbytes(struct verify_code *code, const struct verify_code_section *section,
                                size_t at)
{
    size_t end = at;
    if (code->image->is_64 || !verify_bit(section->relocated, at) ||
        !is_operand_of(code, section->rva + (uint32_t)at, jump_opcode))
        return 0;
    while (range_fits(section->bytes.nbytes, end, POINTER_NBYTES) && verify_bit(section->relocated, end)) {
        uint64_t rva = load_u32(section->bytes.bytes + end) - code->image->base_va;
        if (!verify_begins_instruction(code, rva))
            break;
        end += POINTER_NBYTES;
    }
    size_t entry_count = (end - at) / POINTER_NBYTES;
    if (is_operand_of(code, section->rva + (uint32_t)end, choice_opcode))
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

/* Tables that the linker made. */
static size_t typed_nbytes(const struct verify_code *code, uint64_t rva)
{
    const struct verify_range *typed = verify_range_at(&code->tables->typed, rva, rva + 1);
    if (!typed)
        typed = verify_import_at(code->tables, rva, rva + 1);
    return typed ? (size_t)(typed->end_rva - rva) : 0;
}

bool verify_has_room(struct verify_code *code, struct arena *arena, uint64_t rva, uint64_t end_rva)
{
    const struct verify_code_section *section = verify_code_at(code, rva);
    size_t run_nbytes = 0;
    if (!code->has_table_operands && !find_operands(code, arena))
        return true; /* out of memory: the next who asks for some fails */
    if (!section || end_rva - section->rva > section->bytes.nbytes)
        return true;
    for (size_t at = (size_t)(rva - section->rva);
         at < end_rva - section->rva && run_nbytes < LEAST_ROOM_NBYTES;) {
        size_t nbytes = instruction_nbytes(code, section, at);
        if (nbytes == 0)
            nbytes = jump_table_nbytes(code, section, at);
        if (nbytes == 0)
            nbytes = typed_nbytes(code, section->rva + at);
        bool is_fill = section->bytes.bytes[at] == 0xCC || section->bytes.bytes[at] == 0x90;
        run_nbytes = nbytes != 0 ? 0 : run_nbytes + !is_fill;
        at += nbytes != 0 ? nbytes : 1;
        code->step_count++;
    }
    return run_nbytes >= LEAST_ROOM_NBYTES;
}
