/* section_writes_import.c - does a function of the kernel that is called write through an argument?
 * Takes: a call, and where the address is.  Gives: yes for functions that are known to write there.
 * Must not: know what they do besides.  Source: the kernel headers (wdm.h, ntddk.h) and the C library's. */
#include "code/section_writes_internal.h"
#include "code/section_writes_whereabouts.h"
#include "image/imports.h"

#include <string.h>

/* Arguments by number, from 0. IoAllocateMdl is the way to a second mapping, which is written instead. */
static const struct {
    const char *name;
    uint8_t argument;
    bool is_fast; /* __fastcall on x86 */
} writing_functions[] = {
    {"memcpy", 0, false},
    {"memmove", 0, false},
    {"memset", 0, false},
    {"RtlCopyMemory", 0, false},
    {"RtlCopyMemoryNonTemporal", 0, false},
    {"RtlMoveMemory", 0, false},
    {"RtlZeroMemory", 0, false},
    {"RtlFillMemory", 0, false},
    {"RtlFillMemoryUlong", 0, false},
    {"strcpy", 0, false},
    {"strncpy", 0, false},
    {"strcat", 0, false},
    {"strncat", 0, false},
    {"sprintf", 0, false},
    {"_snprintf", 0, false},
    {"wcscpy", 0, false},
    {"wcsncpy", 0, false},
    {"wcscat", 0, false},
    {"wcsncat", 0, false},
    {"swprintf", 0, false},
    {"_snwprintf", 0, false},
    {"_strupr", 0, false},
    {"_strlwr", 0, false},
    {"_strset", 0, false},
    {"_strrev", 0, false},
    {"_wcsupr", 0, false},
    {"_wcslwr", 0, false},
    {"InterlockedExchange", 0, true},
    {"InterlockedCompareExchange", 0, true},
    {"InterlockedExchangeAdd", 0, true},
    {"ExInterlockedCompareExchange64", 0, true},
    {"IoAllocateMdl", 0, false},
};

/* call [slot], jmp [slot] or mov register, [slot]; on x86 the slot is an absolute address. */
static bool slot_of(const struct judge *judge, const struct instruction *instruction, uint32_t *slot_rva)
{
    if (instruction->has_register_operand || instruction->disp_nbytes != 4)
        return false;
    if (instruction->is_rip_relative) {
        int64_t rva = (int64_t)instruction_end_rva(instruction) + instruction->disp;
        *slot_rva = (uint32_t)rva;
        return rva >= 0 && rva <= UINT32_MAX;
    }
    return !judge->is_64 && instruction->base == NO_REGISTER && instruction->index == NO_REGISTER &&
           image_va_to_rva(judge->image, (uint32_t)instruction->disp, slot_rva);
}

/* mov register, [slot] right in front of call register: what compilers make that do not optimize. */
static bool loaded_slot(const struct judge *judge, const struct instruction *call, uint32_t *slot_rva)
{
    struct instruction load;
    uint32_t rva = code_instruction_begin(judge->code, call->rva - 1);
    if (call->rva == 0 || !judge_decode(judge, rva, &load) || load.operation != OP_MOV ||
        instruction_end_rva(&load) != call->rva)
        return false;
    if (load.opcode == 0xA1 && !judge->is_64) { /* mov eax, [slot] has no ModRM */
        uint32_t va = load.disp_nbytes == 4 ? (uint32_t)load.disp : (uint32_t)load.imm;
        return call->rm == 0 && image_va_to_rva(judge->image, va, slot_rva);
    }
    return load.opcode == 0x8B && load.reg == call->rm && slot_of(judge, &load, slot_rva);
}

bool judge_called_import(const struct judge *judge, const struct instruction *call, uint32_t *slot_rva)
{
    struct instruction jump;
    if (call->flow == FLOW_CALL_INDIRECT)
        return call->has_register_operand ? loaded_slot(judge, call, slot_rva)
                                          : slot_of(judge, call, slot_rva);
    return call->flow == FLOW_CALL && call->target_fits && judge_decode(judge, call->target_rva, &jump) &&
           jump.flow == FLOW_JUMP_INDIRECT && slot_of(judge, &jump, slot_rva);
}

bool judge_import_writes(struct judge *judge, uint32_t slot_rva, const struct whereabouts *address)
{
    if (!judge->imports) {
        struct import_list *imports = arena_alloc(judge->arena, sizeof *imports);
        if (!imports || !imports_read(judge->image, judge->arena, imports))
            return true; /* out of memory: the caller's caller says so */
        judge->imports = imports;
    }
    const struct import *import = import_at(judge->imports, slot_rva);
    for (size_t i = 0; import && import->name && i < sizeof writing_functions / sizeof *writing_functions;
         i++)
        if (strcmp(import->name, writing_functions[i].name) == 0)
            return whereabouts_is_argument(address, writing_functions[i].argument,
                                           writing_functions[i].is_fast);
    return false;
}
