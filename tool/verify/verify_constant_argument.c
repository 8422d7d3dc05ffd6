/* verify_constant_argument.c - from the instruction to the call.
 * Takes: see the header.  Gives: what is done there.  Must not: look at more than a fixed number of
 * instructions. */
#include "verify/verify_constant_argument.h"
#include "verify/verify_import_name.h"

#include <string.h>

enum { MOST_INSTRUCTIONS = 24, MOST_BEHIND_COUNT = 64, BACK_NBYTES = 32 };

struct step {
    ZydisDecodedInstruction decoded;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
};

static bool decode_step(struct verify_code *code, const struct verify_code_section *section, size_t at,
                        struct step *step)
{
    struct verify_instruction instruction;
    code->step_count++;
    return verify_code_decode(code, section, at, &instruction) &&
           ZYAN_SUCCESS(ZydisDecoderDecodeFull(&code->decoder.zydis, section->bytes.bytes + at,
                                               section->bytes.nbytes - at, &step->decoded, step->operands));
}

static ZydisRegister whole_register(const struct verify_code *code, ZydisRegister part)
{
    return ZydisRegisterGetLargestEnclosing(
        code->decoder.is_64 ? ZYDIS_MACHINE_MODE_LONG_64 : ZYDIS_MACHINE_MODE_LEGACY_32, part);
}

static bool names_register(const struct verify_code *code, const struct step *step, ZydisRegister whole)
{
    for (unsigned i = 0; i < step->decoded.operand_count; i++) {
        const ZydisDecodedOperand *operand = &step->operands[i];
        if (operand->type == ZYDIS_OPERAND_TYPE_REGISTER && whole_register(code, operand->reg.value) == whole)
            return true;
        if (operand->type == ZYDIS_OPERAND_TYPE_MEMORY && (whole_register(code, operand->mem.base) == whole ||
                                                           whole_register(code, operand->mem.index) == whole))
            return true;
    }
    return false;
}

/* The RVA of the slot that an operand of the instruction at rva is: of a call, a jump or a load. */
static bool slot_of(const struct verify_code *code, const struct step *step,
                    const ZydisDecodedOperand *operand, uint64_t rva, uint64_t *slot_rva)
{
    if (operand->type != ZYDIS_OPERAND_TYPE_MEMORY || operand->mem.index != ZYDIS_REGISTER_NONE)
        return false;
    int64_t disp = operand->mem.disp.value;
    if (code->decoder.is_64) {
        *slot_rva = rva + step->decoded.length + (uint64_t)disp;
        return operand->mem.base == ZYDIS_REGISTER_RIP;
    }
    *slot_rva = (uint32_t)disp - code->image->base_va;
    return operand->mem.base == ZYDIS_REGISTER_NONE;
}

/* mov register, [slot], right in front of the call through that register. */
static bool loaded_slot(struct verify_code *code, const struct step *call, uint64_t rva, uint64_t *slot_rva)
{
    const struct verify_code_section *section = verify_code_at(code, rva);
    struct step load;
    for (size_t back = 2; section && back <= ZYDIS_MAX_INSTRUCTION_LENGTH && back <= rva - section->rva;
         back++) {
        size_t at = (size_t)(rva - section->rva) - back;
        if (verify_bit(section->starts, at))
            return decode_step(code, section, at, &load) && load.decoded.length == back &&
                   load.decoded.mnemonic == ZYDIS_MNEMONIC_MOV &&
                   load.operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
                   load.operands[0].reg.value == call->operands[0].reg.value &&
                   slot_of(code, &load, &load.operands[1], rva - back, slot_rva);
    }
    return false;
}

/* The import that the call at rva reaches: through its slot, or by way of a `jmp [slot]`. */
static bool called_slot(struct verify_code *code, const struct step *call, uint64_t rva, uint64_t *slot_rva)
{
    if (call->operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER)
        return loaded_slot(code, call, rva, slot_rva);
    if (call->operands[0].type != ZYDIS_OPERAND_TYPE_IMMEDIATE)
        return slot_of(code, call, &call->operands[0], rva, slot_rva);
    uint64_t target_rva = rva + call->decoded.length + (uint64_t)call->operands[0].imm.value.s;
    const struct verify_code_section *section =
        target_rva <= UINT32_MAX ? verify_code_at(code, target_rva) : NULL;
    struct step jump;
    return section && decode_step(code, section, (size_t)(target_rva - section->rva), &jump) &&
           jump.decoded.mnemonic == ZYDIS_MNEMONIC_JMP &&
           slot_of(code, &jump, &jump.operands[0], target_rva, slot_rva);
}

static enum verify_argument use_of_argument(struct verify_code *code, const struct step *call, uint64_t rva,
                                            unsigned argument)
{
    uint64_t slot_rva;
    char name[VERIFY_IMPORT_NAME_NBYTES];
    if (argument > 8 || !called_slot(code, call, rva, &slot_rva) ||
        !verify_kernel_import_name(code->image, slot_rva, name, &code->step_count))
        return ARGUMENT_UNKNOWN;
    return verify_known_argument(name, argument);
}

bool verify_argument_is_written(struct verify_code *code, const struct verify_code_section *section,
                                size_t at, unsigned argument)
{
    struct step call;
    return decode_step(code, section, at, &call) &&
           use_of_argument(code, &call, (uint64_t)section->rva + at, argument) == ARGUMENT_WRITTEN;
}

static unsigned argument_number(ZydisRegister whole)
{
    switch (whole) {
    case ZYDIS_REGISTER_RCX:
        return 1;
    case ZYDIS_REGISTER_RDX:
        return 2;
    case ZYDIS_REGISTER_R8:
        return 3;
    case ZYDIS_REGISTER_R9:
        return 4;
    default:
        return 0;
    }
}

static bool goes_on(const struct step *step)
{
    ZydisInstructionCategory category = step->decoded.meta.category;
    return step->decoded.meta.branch_type == ZYDIS_BRANCH_TYPE_NONE && category != ZYDIS_CATEGORY_RET &&
           category != ZYDIS_CATEGORY_SYSRET && category != ZYDIS_CATEGORY_INTERRUPT;
}

static enum verify_argument passed_in_register(struct verify_code *code,
                                               const struct verify_code_section *section, size_t at)
{
    struct step step;
    if (!decode_step(code, section, at, &step) || step.decoded.mnemonic != ZYDIS_MNEMONIC_LEA)
        return ARGUMENT_UNKNOWN;
    ZydisRegister whole = step.operands[0].reg.value;
    unsigned argument = argument_number(whole);
    if (argument == 0) /* also a result of 32 bits */
        return ARGUMENT_UNKNOWN;
    for (unsigned i = 0; i < MOST_INSTRUCTIONS; i++) {
        at += step.decoded.length;
        if (!decode_step(code, section, at, &step))
            return ARGUMENT_UNKNOWN;
        if (step.decoded.meta.category == ZYDIS_CATEGORY_CALL)
            return use_of_argument(code, &step, (uint64_t)section->rva + at, argument);
        if (!goes_on(&step) || names_register(code, &step, whole))
            return ARGUMENT_UNKNOWN;
    }
    return ARGUMENT_UNKNOWN;
}

static enum verify_argument passed_on_stack(struct verify_code *code,
                                            const struct verify_code_section *section, size_t at)
{
    struct step step;
    if (!decode_step(code, section, at, &step) || step.decoded.mnemonic != ZYDIS_MNEMONIC_PUSH)
        return ARGUMENT_UNKNOWN;
    unsigned argument = 1;
    for (unsigned i = 0; i < MOST_INSTRUCTIONS; i++) {
        at += step.decoded.length;
        if (!decode_step(code, section, at, &step))
            return ARGUMENT_UNKNOWN;
        if (step.decoded.meta.category == ZYDIS_CATEGORY_CALL)
            return use_of_argument(code, &step, (uint64_t)section->rva + at, argument);
        bool is_push = step.decoded.mnemonic == ZYDIS_MNEMONIC_PUSH && step.decoded.operand_width == 32;
        if (is_push)
            argument++;
        else if (!goes_on(&step) || names_register(code, &step, ZYDIS_REGISTER_ESP))
            return ARGUMENT_UNKNOWN;
    }
    return ARGUMENT_UNKNOWN;
}

enum verify_argument verify_argument_use(struct verify_code *code, const struct verify_code_section *section,
                                         size_t at)
{
    return code->decoder.is_64 ? passed_in_register(code, section, at) : passed_on_stack(code, section, at);
}

static bool is_on_stack(const struct verify_code *code, const ZydisDecodedOperand *operand)
{
    ZydisRegister base = whole_register(code, operand->mem.base);
    return operand->type == ZYDIS_OPERAND_TYPE_MEMORY && operand->mem.type == ZYDIS_MEMOP_TYPE_MEM &&
           (base == ZYDIS_REGISTER_RSP || base == ZYDIS_REGISTER_RBP || base == ZYDIS_REGISTER_ESP ||
            base == ZYDIS_REGISTER_EBP);
}

/* A character is stored through a pointer that was loaded from the stack. */
static bool stores_character(const struct verify_code *code, const struct step *step, uint32_t loaded)
{
    for (unsigned i = 0; i < step->decoded.operand_count_visible; i++) {
        const ZydisDecodedOperand *operand = &step->operands[i];
        ZyanI8 number = ZydisRegisterGetId(whole_register(code, operand->mem.base));
        if (operand->type == ZYDIS_OPERAND_TYPE_MEMORY && operand->size <= 16 &&
            !is_on_stack(code, operand) && (operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) &&
            operand->mem.base != ZYDIS_REGISTER_NONE && number >= 0 && number < 16 && (loaded >> number & 1))
            return true;
    }
    return false;
}

/* Where on the stack the structure is, of which lea took the address. */
struct made_string {
    bool is_known;
    ZydisRegister base;
    int64_t disp;
};

static void note_structure(const struct verify_code *code, const struct step *step,
                           struct made_string *string)
{
    const ZydisDecodedOperand *from = &step->operands[1];
    bool is_lea = step->decoded.mnemonic == ZYDIS_MNEMONIC_LEA && from->mem.index == ZYDIS_REGISTER_NONE;
    bool is_copy = step->decoded.mnemonic == ZYDIS_MNEMONIC_MOV && from->type == ZYDIS_OPERAND_TYPE_REGISTER;
    if (!is_lea && !is_copy)
        return;
    ZydisRegister base = whole_register(code, is_lea ? from->mem.base : from->reg.value);
    if (base == ZYDIS_REGISTER_RSP || base == ZYDIS_REGISTER_RBP || base == ZYDIS_REGISTER_ESP ||
        base == ZYDIS_REGISTER_EBP)
        *string = (struct made_string){true, base, is_lea ? from->mem.disp.value : 0};
}

/* mov register, [structure + offset of Buffer]; pushes of arguments may lie between it and the lea. */
static bool loads_buffer(const struct verify_code *code, const struct step *step,
                         const struct made_string *string)
{
    const ZydisDecodedOperand *from = &step->operands[1];
    unsigned word_nbytes = code->decoder.is_64 ? 8 : 4;
    int64_t between = string->disp + word_nbytes - from->mem.disp.value;
    bool is_near = between == 0 || (string->base == ZYDIS_REGISTER_ESP && (between == 4 || between == 8));
    return step->decoded.mnemonic == ZYDIS_MNEMONIC_MOV && is_on_stack(code, from) && is_near &&
           whole_register(code, from->mem.base) == string->base && step->operands[0].size == word_nbytes * 8;
}

bool verify_is_written_string(struct verify_code *code, const struct verify_code_section *section, size_t at)
{
    struct step step;
    struct made_string string = {0};
    uint32_t loaded = 0; /* registers, by number */
    bool is_called = false;
    char name[VERIFY_IMPORT_NAME_NBYTES];
    for (size_t back = at > BACK_NBYTES ? at - BACK_NBYTES : 0; back < at; back++)
        if (verify_bit(section->starts, back) && decode_step(code, section, back, &step))
            note_structure(code, &step, &string);
    for (unsigned i = 0; i < MOST_BEHIND_COUNT && decode_step(code, section, at, &step); i++) {
        uint64_t slot_rva, rva = (uint64_t)section->rva + at;
        const ZydisDecodedOperand *to = &step.operands[0];
        bool is_call = step.decoded.meta.category == ZYDIS_CATEGORY_CALL;
        at += step.decoded.length;
        if (is_called && stores_character(code, &step, loaded))
            return true;
        if (!is_called && !is_call)
            note_structure(code, &step, &string);
        if (step.decoded.meta.category == ZYDIS_CATEGORY_RET ||
            step.decoded.meta.category == ZYDIS_CATEGORY_UNCOND_BR ||
            (is_call && !is_called &&
             (!string.is_known || !called_slot(code, &step, rva, &slot_rva) ||
              !verify_kernel_import_name(code->image, slot_rva, name, &code->step_count) ||
              strncmp(name, "RtlInit", 7) != 0)))
            return false;
        if (is_call) {
            is_called = true;
            loaded = 0;
        }
        ZyanI8 number = to->type == ZYDIS_OPERAND_TYPE_REGISTER
                            ? ZydisRegisterGetId(whole_register(code, to->reg.value))
                            : -1;
        if (number < 0 || number >= 16 || !(to->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
            continue;
        loaded &= ~(UINT32_C(1) << number);
        if (is_called && loads_buffer(code, &step, &string))
            loaded |= UINT32_C(1) << number;
    }
    return false;
}
