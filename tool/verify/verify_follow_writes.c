/* verify_follow_writes.c - is something stored through an address, here or in a function that gets it?
 * Takes: the instruction that takes the address.  Gives: yes, or nothing seen.
 * Must not: say "no" for certain: what goes through memory, or to a function that is not in the image, is out
 * of sight. */
#include "verify/verify_constant_argument.h"
#include "verify/verify_follow_internal.h"

#include <string.h>

enum { DEEPEST_CALL = 2, STACK_NUMBER = 4, FRAME_NUMBER = 5 };

/* A register, or a variable on the stack, with the address is pushed: then there is one more. */
void follow_note_push(const struct verify_full *full, const struct verify_holders *before,
                      struct verify_holders *holders)
{
    const ZydisDecodedOperand *from = &full->operands[0];
    int number = -1;
    if (full->decoded.mnemonic == ZYDIS_MNEMONIC_PUSH && from->type == ZYDIS_OPERAND_TYPE_REGISTER)
        number = verify_register_number(from->reg.value);
    for (int i = 0;
         full->decoded.mnemonic == ZYDIS_MNEMONIC_PUSH && verify_is_frame_slot(from) && i < HOLDER_SLOT_COUNT;
         i++)
        if (before->slots[i].base == verify_register_number(from->mem.base) &&
            before->slots[i].disp == from->mem.disp.value)
            number = HOLDER_REGISTER_COUNT + i;
    for (int i = HOLDER_REGISTER_COUNT; number >= 0 && (before->set >> number & 1) && i < HOLDER_COUNT; i++) {
        if (holders->set >> i & 1)
            continue;
        holders->set |= UINT32_C(1) << i;
        holders->offsets[i] = before->offsets[number];
        holders->slots[i - HOLDER_REGISTER_COUNT].base = STACK_NUMBER;
        holders->slots[i - HOLDER_REGISTER_COUNT].disp = 0;
        return;
    }
}

/* What the instruction makes of the address may lead to what lies there, too: a sum, or the one of two. */
static uint32_t derived_registers(const struct follow *follow, const struct verify_full *full,
                                  const struct verify_holders *holders)
{
    unsigned word_nbits = follow->code->decoder.is_64 ? 64 : 32;
    bool reads = false, is_lea = full->decoded.mnemonic == ZYDIS_MNEMONIC_LEA;
    uint32_t written = 0, registers = holders->set & UINT16_MAX;
    if (!is_lea && full->decoded.mnemonic != ZYDIS_MNEMONIC_ADD &&
        full->decoded.mnemonic != ZYDIS_MNEMONIC_XCHG && full->decoded.meta.category != ZYDIS_CATEGORY_CMOV)
        return 0;
    for (unsigned i = 0; i < full->decoded.operand_count_visible; i++) {
        const ZydisDecodedOperand *operand = &full->operands[i];
        if (is_lea && operand->type == ZYDIS_OPERAND_TYPE_MEMORY)
            reads = reads || verify_holds((uint16_t)registers, operand->mem.base) ||
                    verify_holds((uint16_t)registers, operand->mem.index);
        if (operand->type != ZYDIS_OPERAND_TYPE_REGISTER || operand->size != word_nbits ||
            verify_register_number(operand->reg.value) < 0)
            continue;
        reads = reads || ((operand->actions & ZYDIS_OPERAND_ACTION_MASK_READ) &&
                          verify_holds((uint16_t)registers, operand->reg.value));
        if (operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
            written |= UINT32_C(1) << verify_register_number(operand->reg.value);
    }
    return reads ? written & ~(UINT32_C(1) << STACK_NUMBER) : 0;
}

/* Where only a store is asked for: behind an instruction that is not understood, what it does not write holds
 * the address still. */
void follow_go_on_behind(struct follow *follow, struct place place)
{
    struct verify_full full;
    if (!verify_decode_full(follow->code, follow->section, place.at, &full) ||
        full.decoded.meta.branch_type != ZYDIS_BRANCH_TYPE_NONE || !verify_falls_through(&full))
        return;
    uint32_t derived = derived_registers(follow, &full, &place.holders);
    place.holders.set = (place.holders.set & ~(uint32_t)verify_written_registers(&full)) | derived;
    place.at += full.decoded.length;
    follow_add_place(follow, &place);
}

/* push ebp; mov ebp, esp, behind the two bytes that can be patched; their number, or 0. */
static size_t frame_nbytes(const struct verify_code_section *section, size_t at)
{
    static const uint8_t patch[] = {0x8B, 0xFF}, frame[] = {0x55, 0x8B, 0xEC}, gnu[] = {0x55, 0x89, 0xE5};
    const uint8_t *bytes = section->bytes.bytes;
    size_t skipped =
        range_fits(section->bytes.nbytes, at, sizeof patch) && memcmp(bytes + at, patch, sizeof patch) == 0
            ? sizeof patch
            : 0;
    bool is_frame = range_fits(section->bytes.nbytes, at + skipped, sizeof frame) &&
                    (memcmp(bytes + at + skipped, frame, sizeof frame) == 0 ||
                     memcmp(bytes + at + skipped, gnu, sizeof gnu) == 0);
    return is_frame ? skipped + sizeof frame : 0;
}

/* What a function that is called finds in argument registers and on the stack. */
static struct verify_holders passed_on(const struct verify_holders *holders, bool is_64, bool has_frame)
{
    struct verify_holders inside = *holders;
    uint32_t word_nbytes = is_64 ? 8 : 4;
    inside.set &=
        (is_64 ? (unsigned)REGISTERS_ARGUMENT_64 : (unsigned)REGISTERS_ARGUMENT_32) | ~(uint32_t)UINT16_MAX;
    for (int i = 0; i < HOLDER_SLOT_COUNT; i++) {
        if (holders->slots[i].base != STACK_NUMBER)
            inside.set &= ~(UINT32_C(1) << (HOLDER_REGISTER_COUNT + i));
        inside.slots[i].base = has_frame ? FRAME_NUMBER : STACK_NUMBER;
        inside.slots[i].disp =
            (int32_t)((uint32_t)holders->slots[i].disp + (has_frame ? 2u : 1u) * word_nbytes);
    }
    return inside;
}

/* An import that is called writes through an argument that is the address. */
static bool import_writes(const struct follow *follow, const struct place *call)
{
    static const uint8_t registers[] = {1, 2, 8, 9}; /* arguments of x64: rcx, rdx, r8, r9 */
    const struct verify_holders *holders = &call->holders;
    for (unsigned i = 0; follow->code->decoder.is_64 && i < sizeof registers; i++)
        if ((holders->set >> registers[i] & 1) &&
            verify_argument_is_written(follow->code, follow->section, call->at, i + 1))
            return true;
    for (unsigned i = 0; !follow->code->decoder.is_64 && i < HOLDER_SLOT_COUNT; i++) {
        int32_t disp = holders->slots[i].disp;
        if ((holders->set >> (HOLDER_REGISTER_COUNT + i) & 1) && holders->slots[i].base == STACK_NUMBER &&
            disp >= 0 && disp < 32 && disp % 4 == 0 &&
            verify_argument_is_written(follow->code, follow->section, call->at, (unsigned)disp / 4 + 1))
            return true;
    }
    return false;
}

/* Does the function that the call, or the jump out of this one, states store through the address? */
bool follow_callee_writes(const struct follow *from, const struct place *call, const struct verify_full *full)
{
    struct follow follow; /* large */
    struct verify_code *code = from->code;
    uint64_t rva = (uint64_t)from->section->rva + call->at + full->decoded.length +
                   (uint64_t)full->decoded.raw.imm[0].value.s;
    bool is_call = full->decoded.meta.category == ZYDIS_CATEGORY_CALL;
    const struct verify_code_section *section =
        full->decoded.raw.imm[0].is_relative && rva <= UINT32_MAX ? verify_code_at(code, rva) : NULL;
    if (is_call && import_writes(from, call))
        return true;
    if (from->depth == DEEPEST_CALL || !section)
        return false;
    size_t at = (size_t)(rva - section->rva), skipped = code->decoder.is_64 ? 0 : frame_nbytes(section, at);
    struct place first = {at, false, false, call->holders};
    if (is_call) {
        first.holders = passed_on(&call->holders, code->decoder.is_64, skipped != 0);
        first.at += skipped;
    }
    if (first.holders.set == 0 || !follow_begin(&follow, code, section, at))
        return false;
    follow.seeks_writes = true;
    follow.depth = from->depth + 1;
    follow.found.is_known = follow_add_place(&follow, &first);
    follow_walk(&follow);
    return follow_has_written(&follow);
}

bool verify_follow_writes(struct verify_code *code, const struct verify_code_section *section, size_t at)
{
    struct follow follow; /* large */
    struct verify_full full;
    struct verify_holders holders = {0};
    if (!follow_begin(&follow, code, section, at) || !verify_decode_full(code, section, at, &full))
        return false;
    follow.seeks_writes = true;
    if (full.decoded.mnemonic == ZYDIS_MNEMONIC_PUSH) {
        holders.set = UINT32_C(1) << HOLDER_REGISTER_COUNT;
        holders.slots[0].base = STACK_NUMBER;
    } else if (!follow_first_holders(&follow, &full, &holders)) {
        return false;
    }
    follow.found.is_known =
        follow_add_place(&follow, &(struct place){at + full.decoded.length, true, true, holders});
    follow_walk(&follow);
    return follow_has_written(&follow);
}
