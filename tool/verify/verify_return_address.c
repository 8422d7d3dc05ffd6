/* verify_return_address.c - looks at the first instructions of everything that is called.
 * Takes: see the header.  Gives: yes, with the place, or no.  Must not: follow branches. */
#include "verify/verify_return_address.h"
#include "verify/verify_registers.h"

enum {
    HEAD_COUNT = 12,
    FOLLOWED_COUNT = 16,
    NEAR_NBYTES = 0x80,
    CALL_NBYTES = 5,
    SHORT_NBYTES = 16,
    STACK_NUMBER = 4
};

static bool is_register(const ZydisDecodedOperand *operand)
{
    return operand->type == ZYDIS_OPERAND_TYPE_REGISTER && verify_register_number(operand->reg.value) >= 0;
}

static bool is_far(int64_t distance)
{
    return distance > NEAR_NBYTES || distance < -NEAR_NBYTES;
}

/* The operand is memory at what one of the registers holds: written, or far from it. */
static bool is_reached_through(const ZydisDecodedOperand *operand, uint16_t held)
{
    return operand->type == ZYDIS_OPERAND_TYPE_MEMORY && operand->mem.type == ZYDIS_MEMOP_TYPE_MEM &&
           (verify_holds(held, operand->mem.base) || verify_holds(held, operand->mem.index)) &&
           ((operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) ||
            operand->mem.index != ZYDIS_REGISTER_NONE || is_far(operand->mem.disp.value));
}

/* add, sub or lea makes another address of it. */
static bool is_computed(const struct verify_full *full, uint16_t held)
{
    const ZydisDecodedOperand *to = &full->operands[0], *from = &full->operands[1];
    bool is_sum =
        full->decoded.mnemonic == ZYDIS_MNEMONIC_ADD || full->decoded.mnemonic == ZYDIS_MNEMONIC_SUB;
    if (full->decoded.mnemonic == ZYDIS_MNEMONIC_LEA)
        return (verify_holds(held, from->mem.base) && is_far(from->mem.disp.value)) ||
               (from->mem.index != ZYDIS_REGISTER_NONE &&
                (verify_holds(held, from->mem.base) || verify_holds(held, from->mem.index)));
    if (!is_sum || !is_register(to))
        return false;
    if (from->type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
        return verify_holds(held, to->reg.value) && is_far(from->imm.value.s);
    return verify_holds(held, to->reg.value) || (is_register(from) && verify_holds(held, from->reg.value));
}

/* Behind `at`, register `number` holds the return address. */
static bool is_used(struct verify_code *code, const struct verify_code_section *section, size_t at,
                    int number, bool counts_returned, uint32_t *rva)
{
    struct verify_full full;
    uint16_t held = (uint16_t)(1u << number);
    for (unsigned i = 0; i < FOLLOWED_COUNT && held != 0 && verify_decode_full(code, section, at, &full);
         i++) {
        bool is_copy = full.decoded.mnemonic == ZYDIS_MNEMONIC_MOV && is_register(&full.operands[0]) &&
                       is_register(&full.operands[1]) && verify_holds(held, full.operands[1].reg.value);
        code->step_count++;
        *rva = section->rva + (uint32_t)at;
        if (is_computed(&full, held) ||
            (counts_returned && i == 0 && full.decoded.meta.category == ZYDIS_CATEGORY_RET))
            return true;
        for (unsigned k = 0; k < full.decoded.operand_count_visible; k++)
            if (is_reached_through(&full.operands[k], held))
                return true;
        if (!verify_falls_through(&full) || full.decoded.meta.category == ZYDIS_CATEGORY_CALL)
            return false;
        held = (uint16_t)(held & ~verify_written_registers(&full));
        if (is_copy)
            held = (uint16_t)(held | 1u << verify_register_number(full.operands[0].reg.value));
        at += full.decoded.length;
    }
    return false;
}

/* What the instruction adds to the depth of the stack; false when that is not known. */
static bool deepen(const struct verify_full *full, unsigned word_nbytes, int64_t *depth)
{
    const ZydisDecodedOperand *to = &full->operands[0], *from = &full->operands[1];
    bool is_stack = is_register(to) && verify_register_number(to->reg.value) == STACK_NUMBER;
    switch (full->decoded.mnemonic) {
    case ZYDIS_MNEMONIC_PUSH:
    case ZYDIS_MNEMONIC_PUSHFD:
    case ZYDIS_MNEMONIC_PUSHFQ:
        *depth += word_nbytes;
        return full->decoded.operand_width != 16;
    case ZYDIS_MNEMONIC_POP:
        *depth -= word_nbytes;
        return !is_stack && *depth >= 0;
    case ZYDIS_MNEMONIC_SUB:
    case ZYDIS_MNEMONIC_ADD:
        if (!is_stack)
            return true;
        if (from->type != ZYDIS_OPERAND_TYPE_IMMEDIATE)
            return false;
        *depth += full->decoded.mnemonic == ZYDIS_MNEMONIC_SUB ? from->imm.value.s : -from->imm.value.s;
        return *depth >= 0;
    default:
        return !(verify_written_registers(full) >> STACK_NUMBER & 1) ||
               (is_register(to) && !is_stack && full->decoded.mnemonic == ZYDIS_MNEMONIC_MOV);
    }
}

/* The instruction loads what lies on the stack where the return address is; the register, or -1. */
static int loaded_into(const struct verify_full *full, int64_t depth)
{
    const ZydisDecodedOperand *to = &full->operands[0], *from = &full->operands[1];
    if (full->decoded.mnemonic == ZYDIS_MNEMONIC_POP && depth == 0 && is_register(to))
        return verify_register_number(to->reg.value);
    if (full->decoded.mnemonic == ZYDIS_MNEMONIC_MOV && is_register(to) &&
        from->type == ZYDIS_OPERAND_TYPE_MEMORY && from->mem.segment != ZYDIS_REGISTER_FS &&
        from->mem.segment != ZYDIS_REGISTER_GS && from->mem.index == ZYDIS_REGISTER_NONE &&
        verify_register_number(from->mem.base) == STACK_NUMBER && from->mem.disp.value == depth)
        return verify_register_number(to->reg.value);
    return -1;
}

static bool head_uses_it(struct verify_code *code, const struct verify_code_section *section, size_t at,
                         bool counts_returned, uint32_t *rva)
{
    struct verify_full full;
    unsigned word_nbytes = code->decoder.is_64 ? 8 : 4;
    int64_t depth = 0;
    for (unsigned i = 0; i < HEAD_COUNT && verify_decode_full(code, section, at, &full); i++) {
        int number = loaded_into(&full, depth);
        at += full.decoded.length;
        code->step_count++;
        if (number >= 0 && is_used(code, section, at, number, counts_returned, rva))
            return true;
        if (!verify_falls_through(&full) || full.decoded.meta.category == ZYDIS_CATEGORY_CALL ||
            full.decoded.meta.category == ZYDIS_CATEGORY_COND_BR || !deepen(&full, word_nbytes, &depth))
            return false;
    }
    return false;
}

/* fnstenv and, behind it, pop: the address of the last instruction of the coprocessor. */
static bool is_environment(struct verify_code *code, const struct verify_code_section *section, size_t at)
{
    struct verify_full full;
    if (code->decoder.is_64 || !verify_decode_full(code, section, at, &full) ||
        full.decoded.mnemonic != ZYDIS_MNEMONIC_FNSTENV)
        return false;
    return verify_decode_full(code, section, at + full.decoded.length, &full) &&
           full.decoded.mnemonic == ZYDIS_MNEMONIC_POP;
}

/* call rel32, of code that decodes; the target, when it does too, and the function that begins there, or
 * NULL. */
static bool is_call(struct verify_code *code, const struct verify_code_section *section, size_t at,
                    const struct verify_code_section **to, size_t *to_at, struct verify_function **begun)
{
    if (section->bytes.bytes[at] != 0xE8 || !range_fits(section->bytes.nbytes, at, CALL_NBYTES))
        return false;
    uint32_t rva = section->rva + (uint32_t)at;
    int32_t distance = (int32_t)load_u32(section->bytes.bytes + at + 1);
    int64_t target_rva = (int64_t)rva + CALL_NBYTES + distance;
    struct verify_function *from = verify_function_at(code, rva);
    *to = target_rva < 0 ? NULL : verify_code_at(code, (uint64_t)target_rva);
    struct verify_function *callee = *to ? verify_function_at(code, (uint32_t)target_rva) : NULL;
    *to_at = *to ? (size_t)(target_rva - (*to)->rva) : 0;
    *begun = callee && callee->rva == target_rva ? callee : NULL;
    /* Over a few bytes to a pop: in whatever bytes, that is code which asks for its own address. */
    bool is_short = distance >= 0 && distance <= SHORT_NBYTES && *to == section &&
                    range_fits(section->bytes.nbytes, *to_at, 1) &&
                    (section->bytes.bytes[*to_at] & 0xF8) == 0x58;
    return is_short ||
           (callee && from && verify_function_is_clean(code, from) && verify_bit(section->starts, at) &&
            verify_function_is_clean(code, callee) && verify_bit((*to)->starts, *to_at));
}

/* Many calls lead to one function: its head is looked at once. */
static bool callee_uses_it(struct verify_code *code, const struct verify_code_section *to, size_t to_at,
                           struct verify_function *begun, bool counts_returned, uint32_t *rva)
{
    uint8_t plain = counts_returned ? 1 : 2;
    if (begun && (begun->plain_heads & plain))
        return false;
    if (head_uses_it(code, to, to_at, counts_returned, rva))
        return true;
    if (begun)
        begun->plain_heads |= plain;
    return false;
}

/* The next byte from `at` that may begin a call or, on x86, fnstenv; the end without one. */
static size_t next_opcode(const struct verify_code *code, struct span bytes, size_t at)
{
    if (code->decoder.is_64) {
        const uint8_t *call = memchr(bytes.bytes + at, 0xE8, bytes.nbytes - at);
        return call ? (size_t)(call - bytes.bytes) : bytes.nbytes;
    }
    while (at < bytes.nbytes && bytes.bytes[at] != 0xE8 && bytes.bytes[at] != 0xD9)
        at++;
    return at;
}

bool verify_return_address_used(struct verify_code *code, bool counts_returned, uint32_t *rva)
{
    for (uint32_t i = 0; i < code->section_count; i++) {
        const struct verify_code_section *section = &code->sections[i], *to;
        struct span bytes = section->bytes;
        struct verify_function *begun;
        size_t to_at;
        code->step_count += bytes.nbytes;
        for (size_t at = next_opcode(code, bytes, 0); at < bytes.nbytes;
             at = next_opcode(code, bytes, at + 1)) {
            *rva = section->rva + (uint32_t)at;
            if ((bytes.bytes[at] == 0xD9 && verify_begins_instruction(code, *rva) &&
                 is_environment(code, section, at)) ||
                (is_call(code, section, at, &to, &to_at, &begun) &&
                 callee_uses_it(code, to, to_at, begun, counts_returned, rva)))
                return true;
        }
    }
    return false;
}
