/* verify_compared.c - walks back from a comparison to what is compared.
 * Takes: see verify_origins.h.  Gives: verify_is_compared_pointer().  Must not: take a variable on the stack,
 * or what was computed, for a pointer that was put somewhere. */
#include "verify/verify_origins_internal.h"

enum { FLAGS_MAX_COUNT = 6, STACK_REGISTER = 4, FRAME_REGISTER = 5 };

static bool is_whole(const struct verify_code *code, const ZydisDecodedOperand *operand)
{
    return operand->size == (code->decoder.is_64 ? 64 : 32);
}

/* Memory that is not on the stack: a variable of a function would be there. */
static bool is_elsewhere(const ZydisDecodedOperand *operand)
{
    int base = verify_register_number(operand->mem.base);
    return operand->type == ZYDIS_OPERAND_TYPE_MEMORY && operand->mem.type == ZYDIS_MEMOP_TYPE_MEM &&
           base != STACK_REGISTER && base != FRAME_REGISTER;
}

/* What defines the register is a pointer that was put somewhere, or a constant. */
static bool is_pointer_from_memory(struct origins *origins, const struct verify_full *full, size_t at,
                                   int number)
{
    const ZydisDecodedOperand *to = &full->operands[0], *from = &full->operands[1];
    if (full->decoded.meta.category == ZYDIS_CATEGORY_CALL)
        return number == 0; /* what it returns */
    if (!origins_is_register(to) || !is_whole(origins->code, to))
        return false;
    if (full->decoded.mnemonic == ZYDIS_MNEMONIC_XOR)
        return origins_is_register(from) && from->reg.value == to->reg.value;
    if (full->decoded.mnemonic != ZYDIS_MNEMONIC_MOV)
        return false;
    if (origins_is_register(from))
        return origins_ask(origins, (struct asked){at, verify_register_number(from->reg.value), 1, 0});
    return from->type == ZYDIS_OPERAND_TYPE_IMMEDIATE || is_elsewhere(from);
}

/* Only equality is asked of the flags that the comparison sets. */
static bool is_equality(struct verify_code *code, const struct verify_code_section *section, size_t at)
{
    struct verify_full full;
    bool is_asked = false;
    for (unsigned i = 0; i < FLAGS_MAX_COUNT; i++) {
        code->step_count++;
        if (!verify_decode_full(code, section, at, &full))
            return false;
        const ZydisAccessedFlags *flags = full.decoded.cpu_flags;
        bool reads_zero = flags && (flags->tested & ZYDIS_CPUFLAG_ZF);
        bool reads_others = flags && (flags->tested & ~(ZyanU32)ZYDIS_CPUFLAG_ZF);
        if (reads_others && (flags->tested & (ZYDIS_CPUFLAG_CF | ZYDIS_CPUFLAG_SF | ZYDIS_CPUFLAG_OF)))
            return false;
        is_asked = is_asked || reads_zero;
        bool is_overwritten =
            flags && ((flags->modified | flags->set_0 | flags->set_1 | flags->undefined) & ZYDIS_CPUFLAG_ZF);
        if (is_overwritten || !verify_falls_through(&full) ||
            full.decoded.meta.category == ZYDIS_CATEGORY_CALL)
            break;
        at += full.decoded.length;
    }
    return is_asked;
}

bool verify_is_compared_pointer(struct verify_code *code, const struct verify_code_section *section,
                                size_t at, const struct verify_full *full,
                                const ZydisDecodedOperand *compared)
{
    struct origins origins = {.code = code, .section = section};
    struct verify_way ways[VERIFY_WAY_MAX_COUNT];
    struct verify_full defining;
    if (full->decoded.mnemonic != ZYDIS_MNEMONIC_CMP || !is_whole(code, compared) ||
        !is_equality(code, section, at + full->decoded.length))
        return false;
    if (!origins_is_register(compared))
        return is_elsewhere(compared);
    origins_ask(&origins, (struct asked){at, verify_register_number(compared->reg.value), 1, 0});
    for (; origins.next < origins.count; origins.next++) {
        struct asked asked = origins.asked[origins.next];
        size_t count = verify_ways_into(code, section, asked.at, ways);
        if (count == 0)
            return false;
        for (size_t i = 0; i < count; i++) {
            if (!verify_decode_full(code, section, ways[i].from, &defining))
                return false;
            bool defines = verify_written_registers(&defining) >> asked.number & 1;
            if (defines ? !is_pointer_from_memory(&origins, &defining, ways[i].from, asked.number)
                        : !origins_ask(&origins, (struct asked){ways[i].from, asked.number, 1, 0}))
                return false;
        }
    }
    return true;
}
