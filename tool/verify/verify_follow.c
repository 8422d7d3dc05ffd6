/* verify_follow.c - follows an address along all ways through the code behind one instruction.
 * Takes: struct verify_code.  Gives: struct verify_followed.  Must not: take more than a fixed number of
 * steps, or leave the function. */
#include "verify/verify_follow_internal.h"

/* Everything that `now` holds is held there already; *is_stepped when it is at another offset. */
static bool is_covered(const struct verify_holders *before, const struct verify_holders *now,
                       bool *is_stepped)
{
    if ((before->set & now->set) != now->set)
        return false;
    bool differs = false;
    for (int i = 0; i < HOLDER_COUNT; i++) {
        if (!(now->set >> i & 1))
            continue;
        if (i >= HOLDER_REGISTER_COUNT &&
            (before->slots[i - HOLDER_REGISTER_COUNT].base != now->slots[i - HOLDER_REGISTER_COUNT].base ||
             before->slots[i - HOLDER_REGISTER_COUNT].disp != now->slots[i - HOLDER_REGISTER_COUNT].disp))
            return false;
        differs = differs || before->offsets[i] != now->offsets[i];
    }
    *is_stepped = *is_stepped || differs;
    return true;
}

bool follow_add_place(struct follow *follow, const struct place *place)
{
    if (place->holders.set == 0)
        return true;
    for (size_t i = 0; i < follow->seen_count; i++)
        if (follow->seen[i].at == place->at && (follow->seen[i].is_fresh || !place->is_fresh) &&
            is_covered(&follow->seen[i].holders, &place->holders, &follow->found.is_stepped))
            return true;
    if (follow->seen_count == STEP_MAX_COUNT || follow->pending_count == PENDING_MAX_COUNT)
        return false;
    follow->seen[follow->seen_count] = *place;
    follow->pending[follow->pending_count++] = follow->seen_count++;
    return true;
}

/* One instruction; false when the address gets out of sight. */
static bool step(struct follow *follow, const struct place *place)
{
    struct verify_full full;
    int64_t target = 0;
    follow->code->step_count++;
    if (place->at < follow->begin || place->at >= follow->end ||
        (follow->is_bounded && !verify_bit(follow->section->starts, place->at)) ||
        !verify_decode_full(follow->code, follow->section, place->at, &full))
        return false;
    bool is_jump = verify_direct_jump(&full, &target);
    int64_t target_at = (int64_t)place->at + target;
    bool leaves = is_jump && (target_at < (int64_t)follow->begin || target_at >= (int64_t)follow->end);
    bool is_call = full.decoded.meta.category == ZYDIS_CATEGORY_CALL;
    bool is_branch = full.decoded.meta.category == ZYDIS_CATEGORY_COND_BR;
    struct verify_followed *found = &follow->found;
    uint32_t accessed_count = found->accessed.count, handed_count = found->handed.count;
    struct place next = *place;
    if (!verify_holders_step(follow->code, follow->section, place->at, &full, &next.holders,
                             place->is_certain, found))
        return false;
    bool is_spill = full.decoded.mnemonic == ZYDIS_MNEMONIC_MOV && found->handed.count != handed_count &&
                    verify_is_frame_slot(&full.operands[0]);
    if (follow->seeks_writes) {
        follow_note_push(&full, &place->holders, &next.holders);
        found->writes = found->writes || ((is_call || leaves) && follow_callee_writes(follow, place, &full));
    }
    size_t next_at = place->at + full.decoded.length;
    next.is_certain = place->is_certain && !is_call && !is_branch;
    next.is_fresh = place->is_fresh && found->accessed.count == accessed_count;
    struct verify_holders behind_branch = next.holders; /* where it is not taken */
    if (is_call || (is_jump && leaves) || full.decoded.meta.category == ZYDIS_CATEGORY_RET)
        verify_holders_leave(&full, &next.holders, found);
    if (found->handed.count != handed_count && !is_spill) {
        follow->has_other_first = follow->has_other_first || next.is_fresh;
        next.is_fresh = false;
    }
    if (full.decoded.meta.category == ZYDIS_CATEGORY_UNCOND_BR && !is_jump && next.holders.set != 0)
        return false;
    next.at = (size_t)target_at;
    if (is_jump && !leaves && !follow_add_place(follow, &next))
        return false;
    if (is_jump && leaves && is_branch)
        next.holders = behind_branch;
    next.at = next_at;
    return !verify_falls_through(&full) || follow_add_place(follow, &next);
}

/* Behind an instruction that is not understood, what it does not write holds the address still: an access
 * that is certain to come shows as much. Before the first branch nothing else is pending. */
static bool step_over(struct follow *follow, struct place place)
{
    struct verify_full full;
    if (follow->found.certain.count != 0 ||
        !verify_decode_full(follow->code, follow->section, place.at, &full) ||
        full.decoded.meta.branch_type != ZYDIS_BRANCH_TYPE_NONE || !verify_falls_through(&full))
        return false;
    place.holders.set &= UINT16_MAX & ~(uint32_t)verify_written_registers(&full);
    place.at += full.decoded.length;
    place.is_fresh = false;
    follow->pending_count = 0;
    return follow_add_place(follow, &place);
}

/* What the first instruction writes holds the address. An address is no mask: what is masked with it is all
 * zeros or all ones. */
bool follow_first_holders(const struct follow *follow, const struct verify_full *full,
                          struct verify_holders *holders)
{
    const ZydisDecodedOperand *to = &full->operands[0];
    unsigned word_nbits = follow->code->decoder.is_64 ? 64 : 32;
    int base = to->type == ZYDIS_OPERAND_TYPE_MEMORY ? verify_register_number(to->mem.base) : -1;
    bool is_stack = (base == 4 || base == 5) && to->mem.index == ZYDIS_REGISTER_NONE;
    bool is_choice = full->decoded.mnemonic == ZYDIS_MNEMONIC_AND; /* the address, or null */
    if (full->decoded.mnemonic != ZYDIS_MNEMONIC_LEA && full->decoded.mnemonic != ZYDIS_MNEMONIC_MOV &&
        !is_choice && (full->decoded.mnemonic != ZYDIS_MNEMONIC_ADD || holders->added_most == 0))
        return false;
    if (to->type == ZYDIS_OPERAND_TYPE_REGISTER && verify_register_number(to->reg.value) >= 0) {
        holders->set = UINT32_C(1) << verify_register_number(to->reg.value);
        return true;
    }
    if (!is_stack || to->size != word_nbits)
        return false;
    holders->set = UINT32_C(1) << HOLDER_REGISTER_COUNT;
    holders->slots[0].base = base;
    holders->slots[0].disp = (int32_t)to->mem.disp.value;
    return true;
}

/* All that is pending. */
void follow_walk(struct follow *follow)
{
    struct verify_followed *found = &follow->found;
    bool goes_on = found->is_known;
    while (goes_on && follow->pending_count != 0 && !(follow->seeks_writes && follow_has_written(follow))) {
        const struct place *place = &follow->seen[follow->pending[--follow->pending_count]];
        if (step(follow, place))
            continue;
        found->is_known = false;
        if (follow->seeks_writes)
            follow_go_on_behind(follow, *place);
        else
            goes_on = place->is_certain && step_over(follow, *place);
    }
}

/* Sets everything but the arrays: those are large. False where the way forward is not known. */
bool follow_begin(struct follow *follow, struct verify_code *code, const struct verify_code_section *section,
                  size_t at)
{
    struct verify_function *function = verify_function_at(code, section->rva + (uint32_t)at);
    follow->code = code;
    follow->section = section;
    follow->begin = 0;
    follow->end = section->bytes.nbytes;
    follow->found = (struct verify_followed){0};
    follow->has_other_first = follow->seeks_writes = false;
    follow->depth = 0;
    follow->seen_count = follow->pending_count = 0;
    follow->is_bounded = function && verify_function_is_clean(code, function);
    if (follow->is_bounded) {
        follow->begin = function->rva - section->rva;
        follow->end = function->end_rva - section->rva;
    }
    /* Without known starts the way forward is all there is: enough where a relocation names the operand. */
    return follow->is_bounded || !code->decoder.is_64;
}

struct verify_followed verify_follow(struct verify_code *code, const struct verify_code_section *section,
                                     size_t at, uint32_t added_most)
{
    struct follow follow; /* large */
    struct verify_full full;
    struct verify_holders holders = {.added_most = added_most};
    if (!follow_begin(&follow, code, section, at) || !verify_decode_full(code, section, at, &full) ||
        !follow_first_holders(&follow, &full, &holders))
        return follow.found;
    struct verify_followed *found = &follow.found;
    found->is_known =
        follow_add_place(&follow, &(struct place){at + full.decoded.length, true, true, holders});
    follow_walk(&follow);
    found->is_followed = found->is_known && found->handed.count == 0 && !found->is_stepped &&
                         full.operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER;
    found->is_accessed_first = found->is_known && found->accessed.count != 0 && !follow.has_other_first;
    found->is_computed = found->is_indexed || found->is_added || found->is_distance || found->is_stepped;
    return follow.found;
}
