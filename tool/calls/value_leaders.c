/* value_leaders.c - calls and jumps that lead to where a value says.
 * Takes: the code map and the inventory.  Gives: the functions that hold one are followed.  Must not: follow
 * values, or any other function.
 * Left out is what can never lead into memory that a call gave: slots of imports, variables that nobody
 * writes, and what is read through a pointer that was itself read through one, as calls of methods are.
 * Assumption: no such pointer is a slot of the stack that holds an address. */
#include "calls/calls_internal.h"

#include <string.h>

/* Source: Intel SDM volume 2, opcode FF: bits 3 to 5 of the byte behind it are 2 (call) or 4 (jump). */
enum { OPCODE = 0xFF, OPCODE_CALL = 2, OPCODE_JUMP = 4 };

enum { MOST_LOOKED_BACK = 24, READS_ENOUGH = 2 };

static bool read_operation(const struct call_search *search, uint32_t rva, struct operation *operation)
{
    struct span bytes = image_run_at_rva(search->image, rva);
    return code_class_at(search->map, rva) == BYTE_INSTRUCTION &&
           operation_read(search->reader, bytes.bytes, bytes.nbytes, rva, operation);
}

/* Can execution come to rva other than from the instruction before it? */
static bool is_led_to(const struct call_search *search, uint32_t rva)
{
    size_t first, count;
    struct span bytes = image_run_at_rva(search->image, rva);
    if (bytes.nbytes == 0 ||
        site_set_has(&search->map->short_targets, (uint64_t)(bytes.bytes - search->image->file.bytes)))
        return true;
    search_refs_to(search, rva, 1, &first, &count);
    return count != 0;
}

/* Can the variable be written? Imports are, but by Windows alone. */
static bool can_change(const struct call_search *search, const struct operand *operand)
{
    uint32_t rva = (uint32_t)operand->number;
    if (!operand->is_rip_relative && !image_va_to_rva(search->image, rva, &rva))
        return true;
    const struct section *section = image_section_at_rva(search->image, rva);
    return !import_at(&search->imports, rva) && section && (section->characteristics & SCN_MEM_WRITE);
}

/* What is read there: what the flow of values (flow_operand.c) takes it for. */
enum memory {
    MEMORY_NEVER,    /* not what a call gave: an element of a table, a slot that nobody writes */
    MEMORY_VARIABLE, /* or a slot of the stack: it may be */
    MEMORY_POINTED   /* at what register `base` holds */
};

static enum memory memory_of(const struct call_search *search, const struct operand *operand)
{
    if (operand->has_segment)
        return MEMORY_NEVER;
    if (operand->has_place)
        return can_change(search, operand) ? MEMORY_VARIABLE : MEMORY_NEVER;
    if (operand->base == NO_MACHINE_REGISTER || operand->index != NO_MACHINE_REGISTER)
        return MEMORY_NEVER;
    return operand->base == REGISTER_SP || operand->base == REGISTER_BP ? MEMORY_VARIABLE : MEMORY_POINTED;
}

/* Does the operation leave the register, and go on to the next one? */
static bool keeps(const struct call_search *search, const struct operation *operation, uint8_t reg)
{
    uint32_t kept_64 = 1u << REGISTER_BX | 1u << REGISTER_SI | 1u << REGISTER_DI | 0xF000u;
    if (operation->kind == DOES_CALL)
        return search->image->is_64 && (kept_64 >> reg & 1);
    return operation->kind != DOES_JUMP && operation->kind != DOES_RETURN && operation->kind != DOES_STOP &&
           !(operation->written & (1u << reg));
}

/* Is it known from the instructions before rva, with no other way to here, that what the register holds is
 * not what a call gave? `reads`: how often memory is read at what it holds. */
static bool is_known_before(const struct call_search *search, uint32_t rva, uint8_t reg, unsigned reads)
{
    unsigned pointer_nbytes = image_pointer_nbytes(search->image);
    uint8_t added = NO_MACHINE_REGISTER; /* to an element of a table: a switch */
    for (unsigned n = 0; n < MOST_LOOKED_BACK && rva != 0 && !is_led_to(search, rva); n++) {
        struct operation operation;
        uint32_t before_rva = code_instruction_begin(search->map, rva - 1);
        if (!read_operation(search, before_rva, &operation) || before_rva + operation.nbytes != rva)
            return false;
        rva = before_rva;
        const struct operand *into = &operation.operands[0], *from = &operation.operands[1];
        bool is_into = operation.operand_count >= 2 && into->kind == OPERAND_REGISTER && into->reg == reg;
        bool is_move = operation.kind == DOES_MOVE || operation.kind == DOES_MOVE_SIGNED;
        if (keeps(search, &operation, reg))
            continue;
        if (!is_into)
            return false;
        if (added != NO_MACHINE_REGISTER)
            return is_move && from->kind == OPERAND_MEMORY && from->base == added &&
                   from->index != NO_MACHINE_REGISTER;
        bool is_pointer_move = operation.kind == DOES_MOVE && into->nbytes == pointer_nbytes;
        if (operation.kind == DOES_COMPUTE && operation.compute == VALUE_ADD && reads == 0 &&
            from->kind == OPERAND_REGISTER && from->reg < MACHINE_REGISTERS) {
            added = from->reg;
        } else if (is_pointer_move && from->kind == OPERAND_REGISTER && from->reg < MACHINE_REGISTERS) {
            reg = from->reg;
        } else if (is_pointer_move && from->kind == OPERAND_MEMORY) {
            enum memory memory = memory_of(search, from);
            if (memory == MEMORY_POINTED && ++reads < READS_ENOUGH) {
                reg = from->base;
                continue;
            }
            bool is_variable_read = memory == MEMORY_VARIABLE && from->has_place && reads > 0;
            return memory != MEMORY_VARIABLE || is_variable_read;
        } else {
            return false;
        }
    }
    return false;
}

static bool leads_by_value(const struct call_search *search, const struct operation *operation)
{
    const struct operand *where = &operation->operands[0];
    if ((operation->kind != DOES_CALL && operation->kind != DOES_JUMP) || operation->has_target)
        return false;
    if (where->kind == OPERAND_REGISTER && where->reg < MACHINE_REGISTERS)
        return !is_known_before(search, operation->rva, where->reg, 0);
    if (where->kind != OPERAND_MEMORY)
        return true;
    enum memory memory = memory_of(search, where);
    return memory == MEMORY_VARIABLE ||
           (memory == MEMORY_POINTED && !is_known_before(search, operation->rva, where->base, 1));
}

static bool is_prefix(uint8_t byte)
{
    static const uint8_t legacy[] = {0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF2, 0xF3};
    return (byte & 0xF0) == 0x40 || memchr(legacy, byte, sizeof legacy);
}

/* Where the instruction begins whose opcode lies at rva; NO_RVA when that is no opcode. */
static uint32_t begin_of(const struct call_search *search, const uint8_t *opcode, uint32_t rva)
{
    uint32_t begin_rva = code_instruction_begin(search->map, rva);
    for (uint32_t before = rva - begin_rva; before > 0; before--)
        if (!is_prefix(*(opcode - before)))
            return NO_RVA;
    return begin_rva;
}

bool search_read_leaders(struct call_search *search)
{
    for (size_t i = 0; i < search->map->section_count; i++) {
        const struct code_section *section = &search->map->sections[i];
        struct span bytes = image_run_at_rva(search->image, section->rva);
        size_t nbytes = bytes.nbytes < section->nbytes ? bytes.nbytes : section->nbytes, at = 0;
        for (const uint8_t *found; at + 1 < nbytes; at++) {
            found = memchr(bytes.bytes + at, OPCODE, nbytes - 1 - at);
            if (!found)
                break;
            at = (size_t)(found - bytes.bytes);
            uint8_t what = found[1] >> 3 & 7;
            struct operation operation;
            if (what != OPCODE_CALL && what != OPCODE_JUMP)
                continue;
            uint32_t rva = begin_of(search, found, section->rva + (uint32_t)at);
            if (rva == NO_RVA || !read_operation(search, rva, &operation) ||
                !leads_by_value(search, &operation))
                continue;
            (void)search_function_holding(search, rva);
            if (search->arena->exhausted)
                return false;
        }
    }
    return true;
}
