/* code_decode.h - one x86 or x64 instruction as the code reader needs it.
 * Takes: bytes and the RVA of the first.  Gives: struct instruction, and its memory operand on request.
 * Must not: know about images, sections or references. code_decode.c (the cheap half), code_effects.c
 * and code_registers.c (operands) alone include the decoder library.
 * The cheap half (length, flow, where the fields lie) is filled for every instruction; operands, which
 * cost as much again, are decoded only when decode_memory() is called. */
#ifndef HVCIFIX_CODE_CODE_DECODE_H
#define HVCIFIX_CODE_CODE_DECODE_H

#include "base/arena.h"
#include "base/span.h"
#include "refs/refset.h"

enum { INSTRUCTION_MAX_NBYTES = 15, REGISTER_COUNT = 16, NO_REGISTER = 0xFF, STACK_REGISTER = 4 };

/* Where execution goes after the instruction. */
enum flow {
    FLOW_NEXT,
    FLOW_CALL, /* direct: target_rva */
    FLOW_CALL_INDIRECT,
    FLOW_BRANCH, /* conditional and direct: target_rva or the next instruction */
    FLOW_JUMP,   /* direct: target_rva only */
    FLOW_JUMP_INDIRECT,
    FLOW_RETURN,
    FLOW_BREAK, /* int3: goes on in a debugger; compilers also put it after calls that never return */
    FLOW_STOP   /* never goes on: ud2, int 29h */
};

/* Instructions that register tracking and padding recognition tell apart. */
enum operation {
    OP_OTHER,
    OP_NOP,
    OP_LEA,
    OP_MOV,    /* general registers and memory */
    OP_MOVSXD, /* sign-extending load of four bytes */
    OP_MOVZX,  /* zero-extending load of one or two bytes */
    OP_ADD,
    OP_CMP,
    OP_SUB,
    OP_AND,
    OP_PUSH, /* one register, immediate or memory operand */
    OP_POP,
    OP_BRANCH_ABOVE,          /* ja */
    OP_BRANCH_ABOVE_EQUAL,    /* jae */
    OP_BRANCH_BELOW,          /* jb */
    OP_BRANCH_BELOW_OR_EQUAL, /* jbe */
    OP_ODD                    /* valid, but compilers do not make it: a sign that data is being decoded */
};

struct instruction {
    uint32_t rva;
    uint8_t nbytes;
    uint8_t flow;         /* enum flow */
    uint8_t operation;    /* enum operation */
    uint8_t opcode;       /* last opcode byte */
    bool is_one_byte_map; /* the opcode has no 0F escape and no VEX, EVEX or XOP prefix */

    /* Direct branches: the field's offset in the instruction, its width (1, 2 or 4; 0: no such field),
     * and where it leads. target_fits is false when that is no 32-bit RVA. */
    uint8_t rel_offset, rel_nbytes;
    bool target_fits;
    uint32_t target_rva;

    /* Displacement and immediates; width 0: absent. */
    uint8_t disp_offset, disp_nbytes;
    uint8_t imm_offset[2], imm_nbytes[2];
    int64_t disp;
    uint64_t imm; /* the first immediate, sign-extended where the instruction does so */

    /* ModRM, for legacy-encoded instructions with REX applied; registers are numbers 0 to 15. */
    bool has_modrm, is_legacy;
    bool is_rip_relative;
    bool has_register_operand; /* mod = 3: `rm` is a register */
    uint8_t reg, rm;           /* ModRM.reg; ModRM.rm when has_register_operand */
    uint8_t base, index;       /* of the memory operand; NO_REGISTER when absent */
    uint8_t scale;             /* 1, 2, 4, 8 */
};

/* What a memory operand does. */
struct memory_operand {
    uint8_t access;      /* enum ref_access: READ, WRITE, READ_WRITE, ADDRESS, CALL or JUMP through memory */
    uint8_t nbytes;      /* of the datum, at most 255; 0 when the instruction only forms the address */
    uint8_t base, index; /* general registers by number; NO_REGISTER for others */
};

/* What an instruction does, as far as the address in a register is concerned: sets of general registers, one
 * bit for each number, whatever part of the register is named. */
struct instruction_effects {
    uint32_t stores_through; /* of the address of memory that it writes, named or not */
    uint32_t
        computes_with; /* it makes a new value of this one, or takes the address that this one is part of */
    uint32_t overwritten;                /* nothing of the old value is left */
    uint32_t moved_to[2], moved_from[2]; /* the value arrives as it was; two of them for an exchange */
    uint32_t pushed, popped;             /* the same by way of the stack */
};

struct decoder;

/* A decoder for one machine, in the arena; NULL when memory ran out. */
struct decoder *decoder_new(struct arena *arena, bool is_64);

/* Decodes the instruction at bytes[0]; at most available_nbytes (and 15) bytes are looked at. False when
 * the bytes are no valid instruction. */
bool decode(struct decoder *decoder, const uint8_t *bytes, size_t available_nbytes, uint32_t rva,
            struct instruction *instruction);

/* The explicit memory operand of the instruction that was decoded last; false when it has none. */
bool decode_memory(struct decoder *decoder, struct memory_operand *memory);

/* What the instruction that was decoded last does. False when its operands cannot be decoded. */
bool decode_effects(struct decoder *decoder, struct instruction_effects *effects);

/* Which general registers (one bit each) the instruction that was decoded last reads and overwrites, hidden
 * operands included; those that only form a memory operand's address are in `addresses`. A register that is
 * written in part, or under a condition, counts as read, not as overwritten; all that may change in any part
 * are in `changes`. False when the operands cannot be decoded. */
struct register_sets {
    uint16_t reads, writes, addresses, changes;
};
bool decode_registers(struct decoder *decoder, struct register_sets *use);

/* True for what linkers and assemblers fill with and what does nothing: NOPs of any length, and for x86 the
 * forms `mov edi, edi`, `lea ecx, [ecx+0]`, `lea esp, [esp+0]`. */
bool instruction_is_fill(const struct instruction *instruction);

/* True when execution never continues behind the instruction. */
static inline bool flow_ends(uint8_t flow)
{
    return flow == FLOW_JUMP || flow == FLOW_JUMP_INDIRECT || flow == FLOW_RETURN || flow == FLOW_STOP;
}

static inline uint32_t instruction_end_rva(const struct instruction *instruction)
{
    return instruction->rva + instruction->nbytes;
}

#endif
