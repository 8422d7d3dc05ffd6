/* verify_origins.c - walks back from an instruction to what bounds a register.
 * Takes: see the header.  Gives: verify_register_bound().  Must not: take more than a fixed number of steps.
 */
#include "verify/verify_origins_internal.h"

/* cmp register, constant; the branch that follows it lets pass, on this way, what is at most *high. */
static bool is_guard(struct verify_code *code, const struct verify_code_section *section,
                     struct verify_way way, const struct verify_full *branch, int number, uint64_t *high)
{
    struct verify_way before[VERIFY_WAY_MAX_COUNT];
    struct verify_full full;
    bool is_below = false, is_at_most = false, is_equal = false;
    switch (branch->decoded.mnemonic) {
    case ZYDIS_MNEMONIC_JNBE:
        is_at_most = !way.is_taken;
        break;
    case ZYDIS_MNEMONIC_JBE:
        is_at_most = way.is_taken;
        break;
    case ZYDIS_MNEMONIC_JNB:
        is_below = !way.is_taken;
        break;
    case ZYDIS_MNEMONIC_JB:
        is_below = way.is_taken;
        break;
    case ZYDIS_MNEMONIC_JZ:
        is_equal = way.is_taken;
        break;
    case ZYDIS_MNEMONIC_JNZ:
        is_equal = !way.is_taken;
        break;
    default:
        return false;
    }
    if ((!is_below && !is_at_most && !is_equal) || verify_ways_into(code, section, way.from, before) != 1 ||
        before[0].is_taken || !verify_decode_full(code, section, before[0].from, &full) ||
        full.decoded.mnemonic != ZYDIS_MNEMONIC_CMP || !origins_is_register(&full.operands[0]) ||
        full.operands[0].size != 32 || verify_register_number(full.operands[0].reg.value) != number ||
        full.operands[1].type != ZYDIS_OPERAND_TYPE_IMMEDIATE)
        return false;
    *high = (uint32_t)full.operands[1].imm.value.u;
    if (is_below && *high == 0)
        return false;
    *high -= is_below ? 1 : 0;
    return true;
}

/* lea r, [x + x * scale + disp] */
static bool bound_of_lea(struct origins *origins, const ZydisDecodedOperand *from, struct asked asked)
{
    int base = verify_register_number(from->mem.base), index = verify_register_number(from->mem.index);
    int64_t disp = from->mem.disp.has_displacement ? from->mem.disp.value : 0;
    uint64_t factor = (base >= 0 ? 1u : 0u) + (index >= 0 ? from->mem.scale : 0u);
    if (disp < 0 || disp > VALUE_MOST || factor == 0 || (base >= 0 && index >= 0 && base != index))
        return false;
    asked.number = base >= 0 ? base : index;
    asked.added += asked.factor * (uint64_t)disp;
    asked.factor *= factor;
    return origins_ask(origins, asked);
}

/* The greatest value that the instruction leaves in the register, unless it asks on. *is_bounded says which.
 */
static bool bound_of(struct origins *origins, const struct verify_full *full, struct asked asked,
                     uint64_t *high, bool *is_bounded)
{
    const ZydisDecodedOperand *to = &full->operands[0], *from = &full->operands[1];
    bool is_constant = from->type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
    uint64_t constant = is_constant ? (uint32_t)from->imm.value.u : 0;
    if (!origins_is_register(to) || verify_register_number(to->reg.value) != asked.number)
        return false;
    if (to->size < 32) { /* the rest of the register stays */
        bool is_first = to->reg.value >= ZYDIS_REGISTER_AL && to->reg.value <= ZYDIS_REGISTER_BL;
        asked.added += asked.factor * (is_first ? UINT8_MAX : UINT16_MAX);
        return origins_ask(origins, asked);
    }
    *is_bounded = true;
    if (to->size != 32)
        return false;
    switch (full->decoded.mnemonic) {
    case ZYDIS_MNEMONIC_AND:
        *high = constant;
        return is_constant;
    case ZYDIS_MNEMONIC_MOVZX:
        *high = (UINT64_C(1) << from->size) - 1;
        return true;
    case ZYDIS_MNEMONIC_SHR:
        *high = UINT32_MAX >> (constant & 31);
        return is_constant;
    case ZYDIS_MNEMONIC_XOR:
        *high = 0;
        return origins_is_register(from) && from->reg.value == to->reg.value;
    case ZYDIS_MNEMONIC_MOV:
        *high = constant;
        if (is_constant || !origins_is_register(from))
            return is_constant;
        asked.number = verify_register_number(from->reg.value);
        break;
    case ZYDIS_MNEMONIC_SHL:
        if (!is_constant)
            return false;
        asked.factor <<= constant & 31;
        break;
    case ZYDIS_MNEMONIC_ADD:
        if (!is_constant || constant > VALUE_MOST)
            return false;
        asked.added += asked.factor * constant;
        break;
    case ZYDIS_MNEMONIC_LEA:
        *is_bounded = false;
        return bound_of_lea(origins, from, asked);
    default:
        return false;
    }
    *is_bounded = false;
    return origins_ask(origins, asked);
}

bool verify_register_bound(struct verify_code *code, const struct verify_code_section *section, size_t at,
                           int number, uint64_t *high)
{
    struct origins origins = {.code = code, .section = section};
    struct verify_way ways[VERIFY_WAY_MAX_COUNT];
    struct verify_full full;
    *high = 0;
    origins_ask(&origins, (struct asked){at, number, 1, 0});
    for (; origins.next < origins.count; origins.next++) {
        struct asked asked = origins.asked[origins.next];
        size_t count = verify_ways_into(code, section, asked.at, ways);
        if (count == 0)
            return false;
        for (size_t i = 0; i < count; i++) {
            uint64_t bound = 0;
            bool is_bounded = false;
            asked.at = ways[i].from;
            if (!verify_decode_full(code, section, ways[i].from, &full))
                return false;
            if (verify_written_registers(&full) >> asked.number & 1) {
                if (!bound_of(&origins, &full, asked, &bound, &is_bounded))
                    return false;
            } else {
                is_bounded = is_guard(code, section, ways[i], &full, asked.number, &bound);
                if (!is_bounded && !origins_ask(&origins, asked))
                    return false;
            }
            if (is_bounded && bound > VALUE_MOST)
                return false;
            bound = is_bounded ? asked.factor * bound + asked.added : 0;
            *high = bound > *high ? bound : *high;
        }
    }
    return true;
}
