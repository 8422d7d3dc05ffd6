/* verify_called.c - see the header.
 * Takes: decoded code.  Gives: what is called.  Must not: take a load for a call that only may follow. */
#include "verify/verify_called.h"
#include "verify/verify_operand.h"
#include "verify/verify_registers.h"

#include <stdlib.h>

enum { FOLLOWED_MAX_COUNT = 24, STACK_PLACE_STEP = 64 };

/* A word on the stack, as a number below all RVAs; -1 is no place. */
static int64_t stack_place(const ZydisDecodedOperand *operand)
{
    int number = verify_register_number(operand->mem.base);
    return -((int64_t)operand->mem.disp.value + INT64_C(0x100000000)) * STACK_PLACE_STEP - number - 2;
}

/* Where a memory operand leads: an RVA, or a number that is the same for the same word on the stack; or -1.
 */
static int64_t place_of(const struct verify_code *code, const struct verify_code_section *section,
                        const struct verify_full *full, size_t at, const ZydisDecodedOperand *operand)
{
    if (operand->type != ZYDIS_OPERAND_TYPE_MEMORY || operand->mem.index != ZYDIS_REGISTER_NONE)
        return -1;
    switch (operand->mem.base) {
    case ZYDIS_REGISTER_RIP:
        return (int64_t)section->rva + (int64_t)at + full->decoded.length + operand->mem.disp.value;
    case ZYDIS_REGISTER_NONE:
        return (int64_t)(uint32_t)operand->mem.disp.value - (int64_t)code->image->base_va;
    case ZYDIS_REGISTER_ESP:
    case ZYDIS_REGISTER_RSP:
    case ZYDIS_REGISTER_EBP:
    case ZYDIS_REGISTER_RBP:
        return stack_place(operand);
    default:
        return -1;
    }
}

/* mov [place], register or immediate. */
static bool is_store_of(const struct verify_full *full, int number)
{
    return full->decoded.mnemonic == ZYDIS_MNEMONIC_MOV &&
           full->operands[0].type == ZYDIS_OPERAND_TYPE_MEMORY &&
           (number < 0 ? full->operands[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE
                       : full->operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
                             verify_register_number(full->operands[1].reg.value) == number);
}

struct verify_call_use verify_call_use(struct verify_code *code, const struct verify_code_section *section,
                                       size_t at)
{
    struct verify_call_use use = {false, -1};
    struct verify_full full;
    int number = -1;
    int64_t stored_at = -1;
    if (!verify_decode_full(code, section, at, &full))
        return use;
    if (full.operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER)
        number = verify_register_number(full.operands[0].reg.value);
    else if (is_store_of(&full, -1))
        stored_at = place_of(code, section, &full, at, &full.operands[0]);
    for (unsigned i = 0; i < FOLLOWED_MAX_COUNT && (number >= 0 || stored_at != -1); i++) {
        use.stored_rva = stored_at >= 0 ? stored_at : use.stored_rva;
        at += full.decoded.length;
        if (!verify_decode_full(code, section, at, &full))
            break;
        bool is_call = full.decoded.meta.category == ZYDIS_CATEGORY_CALL ||
                       full.decoded.meta.category == ZYDIS_CATEGORY_UNCOND_BR;
        if (is_call && number >= 0 && full.operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER) {
            use.is_called = verify_register_number(full.operands[0].reg.value) == number;
            break;
        }
        if (is_call && stored_at != -1 &&
            place_of(code, section, &full, at, &full.operands[0]) == stored_at) {
            use.is_called = true;
            break;
        }
        if (number >= 0 && is_store_of(&full, number))
            stored_at = place_of(code, section, &full, at, &full.operands[0]);
        if (!verify_falls_through(&full))
            break;
        bool is_reload = full.decoded.mnemonic == ZYDIS_MNEMONIC_MOV && stored_at != -1 &&
                         full.operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
                         place_of(code, section, &full, at, &full.operands[1]) == stored_at;
        if (is_reload)
            number = verify_register_number(full.operands[0].reg.value);
        else if (number >= 0 && (verify_written_registers(&full) >> number & 1))
            number = -1;
    }
    return use;
}

static bool add_variable(struct verify_moves *moves, struct verify_called_variables *found, uint32_t rva,
                         uint32_t field_rva)
{
    struct verify_called_variable *grown = arena_grow(moves->judged->arena, found->items, found->count,
                                                      &found->capacity, found->count + 1, sizeof *grown);
    if (!grown)
        return false;
    found->items = grown;
    found->items[found->count++] = (struct verify_called_variable){rva, field_rva};
    return true;
}

/* call [variable], jmp [variable], or mov register, [variable] and then call register: by the bytes before
 * the field first, which tell nearly always that it is not. */
static bool is_called_through(struct verify_moves *moves, const struct verify_code_section *section,
                              size_t at)
{
    const uint8_t *bytes = section->bytes.bytes;
    bool is_64 = moves->judged->old_image.is_64;
    struct verify_field_in_code field = {section, at, 4, is_64 ? FIELD_RIP_RELATIVE : FIELD_ABSOLUTE, 0};
    size_t begin = at >= 2 ? at - 2 : 0;
    bool is_call = at >= 2 && bytes[at - 2] == 0xFF && (bytes[at - 1] == 0x15 || bytes[at - 1] == 0x25);
    bool is_load = at >= 2 && bytes[at - 2] == 0x8B && (bytes[at - 1] & 0xC7) == 0x05;
    if (is_load && is_64 && at >= 3 && (bytes[at - 3] & 0xF0) == 0x40)
        begin = at - 3;
    else if (!is_load && !is_64 && bytes[at - 1] == 0xA1) {
        is_load = true;
        begin = at - 1;
    }
    if (!is_call && !(is_load && verify_call_use(&moves->code, section, begin).is_called))
        return false;
    moves->looked_at_count++;
    struct verify_uses uses = verify_uses_resolved(&moves->code, &field);
    return uses.is_operand && (is_call || uses.operand_at == begin);
}

static int compare_variables(const void *left, const void *right)
{
    const struct verify_called_variable *a = left, *b = right;
    return a->rva < b->rva ? -1 : a->rva > b->rva;
}

bool verify_called_variables_find(struct verify_moves *moves, struct verify_called_variables *found)
{
    const struct verify_image *image = &moves->judged->old_image;
    *found = (struct verify_called_variables){0};
    for (uint32_t i = 0; i < moves->code.section_count; i++) {
        const struct verify_code_section *section = &moves->code.sections[i];
        for (size_t at = 1; range_fits(section->bytes.nbytes, at, 4); at++) {
            uint32_t value = load_u32(section->bytes.bytes + at);
            bool is_field = image->is_64 ? (section->bytes.bytes[at - 1] & 0xC7) == 0x05
                                         : verify_bit(section->relocated, at);
            int64_t rva = image->is_64 ? (int64_t)section->rva + (int64_t)at + 4 + (int32_t)value
                                       : (int64_t)value - (int64_t)image->base_va;
            moves->judged->verdict->step_count++;
            if (!is_field || rva < 0 || rva > UINT32_MAX ||
                verify_written_in(&moves->old_tables, (uint64_t)rva, (uint64_t)rva + 1) ||
                !is_called_through(moves, section, at))
                continue;
            if (!add_variable(moves, found, (uint32_t)rva, section->rva + (uint32_t)at))
                return false;
        }
    }
    if (found->count != 0)
        qsort(found->items, found->count, sizeof *found->items, compare_variables);
    return true;
}

bool verify_is_called_variable(const struct verify_called_variables *variables, int64_t rva)
{
    size_t low = 0, high = variables->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (variables->items[middle].rva < rva)
            low = middle + 1;
        else
            high = middle;
    }
    return low < variables->count && variables->items[low].rva == rva;
}
