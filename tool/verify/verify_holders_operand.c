/* verify_holders_operand.c - operands of an instruction as holders of an address, and as accesses through
 * one. Takes: see verify_holders_internal.h.  Gives: see there.  Must not: decide what an instruction does.
 */
#include "verify/verify_holders_internal.h"
#include "verify/verify_origins.h"

void holders_add_reach(struct verify_reach *reach, int64_t low, int64_t high)
{
    reach->low = reach->count == 0 || low < reach->low ? low : reach->low;
    reach->high = reach->count == 0 || high > reach->high ? high : reach->high;
    reach->count++;
}

void holders_hand_on(struct effect *effect, int holder)
{
    int64_t offset = effect->holders->offsets[holder];
    holders_add_reach(&effect->found->handed, offset, offset + 1 + effect->holders->added_most);
}

bool holders_set(struct verify_holders *holders, int number, int64_t offset)
{
    if (offset <= -HOLDER_MOST_NBYTES || offset >= HOLDER_MOST_NBYTES)
        return false;
    holders->set |= UINT32_C(1) << number;
    holders->offsets[number] = (int32_t)offset;
    return true;
}

bool verify_is_frame_slot(const ZydisDecodedOperand *operand)
{
    int base = operand->type == ZYDIS_OPERAND_TYPE_MEMORY ? verify_register_number(operand->mem.base) : -1;
    return (base == STACK_REGISTER || base == FRAME_REGISTER) && operand->mem.index == ZYDIS_REGISTER_NONE &&
           operand->mem.type == ZYDIS_MEMOP_TYPE_MEM &&
           operand->visibility != ZYDIS_OPERAND_VISIBILITY_HIDDEN;
}

int holders_slot_of(const struct effect *effect, const ZydisDecodedOperand *operand)
{
    if (!verify_is_frame_slot(operand) || operand->size != 8 * effect->word_nbytes)
        return -1;
    for (int i = HOLDER_REGISTER_COUNT; i < HOLDER_COUNT; i++)
        if (holders_is_set(effect->holders, i) &&
            effect->holders->slots[i - HOLDER_REGISTER_COUNT].base ==
                verify_register_number(operand->mem.base) &&
            effect->holders->slots[i - HOLDER_REGISTER_COUNT].disp == operand->mem.disp.value)
            return i;
    return -1;
}

bool holders_cuts_slot(const struct effect *effect, const ZydisDecodedOperand *operand)
{
    if (!verify_is_frame_slot(operand) || holders_slot_of(effect, operand) >= 0)
        return false;
    int64_t low = operand->mem.disp.value, high = low + operand->size / 8;
    for (int i = HOLDER_REGISTER_COUNT; i < HOLDER_COUNT; i++) {
        int64_t disp = effect->holders->slots[i - HOLDER_REGISTER_COUNT].disp;
        if (holders_is_set(effect->holders, i) &&
            effect->holders->slots[i - HOLDER_REGISTER_COUNT].base ==
                verify_register_number(operand->mem.base) &&
            low < disp + effect->word_nbytes && disp < high)
            return true;
    }
    return false;
}

int holders_value(const struct effect *effect, const ZydisDecodedOperand *operand)
{
    if (operand->type == ZYDIS_OPERAND_TYPE_MEMORY)
        return holders_slot_of(effect, operand);
    int number =
        operand->type == ZYDIS_OPERAND_TYPE_REGISTER ? verify_register_number(operand->reg.value) : -1;
    return holders_is_set(effect->holders, number) && operand->size == 8 * effect->word_nbytes ? number : -1;
}

bool holders_touches(const struct effect *effect, const ZydisDecodedOperand *operand)
{
    if (operand->type == ZYDIS_OPERAND_TYPE_REGISTER)
        return holders_is_set(effect->holders, verify_register_number(operand->reg.value));
    return operand->type == ZYDIS_OPERAND_TYPE_MEMORY &&
           (holders_slot_of(effect, operand) >= 0 || holders_cuts_slot(effect, operand));
}

bool holders_take_access(struct effect *effect, const ZydisDecodedOperand *operand)
{
    int base = verify_register_number(operand->mem.base), index = verify_register_number(operand->mem.index);
    bool is_base = holders_is_set(effect->holders, base);
    if (!is_base && !holders_is_set(effect->holders, index))
        return true;
    if (effect->full->decoded.mnemonic == ZYDIS_MNEMONIC_LEA && operand->mem.index == ZYDIS_REGISTER_NONE)
        return true;
    uint64_t index_most = 0;
    bool is_bounded = operand->mem.index == ZYDIS_REGISTER_NONE ||
                      (is_base && !holders_is_set(effect->holders, index) &&
                       verify_register_bound(effect->code, effect->section, effect->at, index, &index_most) &&
                       index_most < HOLDER_MOST_NBYTES);
    if (operand->mem.type != ZYDIS_MEMOP_TYPE_MEM || !is_bounded) {
        if (operand->mem.type == ZYDIS_MEMOP_TYPE_MEM) {
            effect->found->is_indexed = true;
            effect->found->writes_anywhere =
                effect->found->writes_anywhere || (operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE);
        } else {
            effect->found->is_added = true;
        }
        return false;
    }
    if (operand->size == 0 || operand->size % 8 != 0 || operand->mem.segment == ZYDIS_REGISTER_FS ||
        operand->mem.segment == ZYDIS_REGISTER_GS)
        return false;
    int64_t low =
        effect->holders->offsets[base] + (operand->mem.disp.has_displacement ? operand->mem.disp.value : 0);
    int64_t high = low + operand->size / 8 + (int64_t)index_most * operand->mem.scale +
                   (int64_t)effect->holders->added_most;
    holders_add_reach(&effect->found->accessed, low, high);
    if (effect->is_certain)
        holders_add_reach(&effect->found->certain, low, high);
    if (operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
        effect->found->writes = true;
    return true;
}

bool holders_copy_to(struct effect *effect, int from, const ZydisDecodedOperand *to, int64_t added)
{
    struct verify_holders *holders = effect->holders;
    int64_t offset = holders->offsets[from] + added;
    int number = to->type == ZYDIS_OPERAND_TYPE_REGISTER ? verify_register_number(to->reg.value) : -1;
    if (to->size != 8 * effect->word_nbytes)
        return false;
    if (number >= 0)
        return holders_set(holders, number, offset);
    if (to->type != ZYDIS_OPERAND_TYPE_MEMORY)
        return false;
    holders_hand_on(effect, from);
    if (!verify_is_frame_slot(to))
        return true;
    number = holders_slot_of(effect, to);
    for (int i = HOLDER_REGISTER_COUNT; i < HOLDER_COUNT && number < 0; i++)
        number = holders_is_set(holders, i) ? -1 : i;
    if (number < 0)
        return false;
    holders->slots[number - HOLDER_REGISTER_COUNT].base = verify_register_number(to->mem.base);
    holders->slots[number - HOLDER_REGISTER_COUNT].disp = (int32_t)to->mem.disp.value;
    return holders_set(holders, number, offset);
}
