/* code_back.c - see code_back.h. */
#include "code/code_back.h"

/* Those that calls keep, by every convention that compilers use: ebx, ebp, esi, edi; and on x64 r12 to r15,
 * where rsi and rdi are kept as well. */
#define KEPT_REGISTERS UINT32_C(0xF0E8)

/* Goes to the instruction that ends where this one begins. */
static bool step_back(struct code_back *back)
{
    uint32_t at = back->at;
    if (at == 0)
        return false;
    at--;
    while (at > 0 && back->section->classes[at] == BYTE_INSTRUCTION_TAIL)
        at--;
    if (back->section->classes[at] != BYTE_INSTRUCTION)
        return false;
    back->at = at;
    return true;
}

bool back_decode(const struct code_back *back, struct instruction *instruction)
{
    const uint8_t *bytes = back->image->file.bytes + back->image->sections[back->section->section].raw_foff;
    return decode(back->decoder, bytes + back->at, back->section->nbytes - back->at,
                  back->section->rva + back->at, instruction);
}

bool back_is_narrow(const struct code_back *back)
{
    const uint8_t *bytes = back->image->file.bytes + back->image->sections[back->section->section].raw_foff;
    for (uint32_t at = back->at; at < back->section->nbytes; at++)
        switch (bytes[at]) {
        case 0x66:
        case 0x67:
            return true;
        case 0x26: /* segments, lock, repetition */
        case 0x2E:
        case 0x36:
        case 0x3E:
        case 0x64:
        case 0x65:
        case 0xF0:
        case 0xF2:
        case 0xF3:
            continue;
        default:
            return false;
        }
    return true;
}

static bool is_joined(const struct code_back *back)
{
    return site_set_has(back->joins,
                        (uint64_t)back->image->sections[back->section->section].raw_foff + back->at);
}

/* A call may never return; it does when nothing else leads to what follows it. */
bool back_go(struct code_back *back, struct instruction *instruction, uint32_t kept)
{
    back->is_reached |= is_joined(back);
    if (!step_back(back) || !back_decode(back, instruction))
        return false;
    switch ((enum flow)instruction->flow) {
    case FLOW_NEXT:
    case FLOW_BRANCH: /* not taken */
        return true;
    case FLOW_CALL:
    case FLOW_CALL_INDIRECT:
        return !back->is_reached && (kept & ~KEPT_REGISTERS) == 0;
    default:
        return false;
    }
}

bool back_changes(const struct code_back *back, uint8_t number)
{
    struct register_sets use;
    return !decode_registers(back->decoder, &use) || (use.changes >> number & 1) != 0;
}
