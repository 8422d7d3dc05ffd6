/* operation.h - one instruction as the flow of values sees it: what it does, with which operands.
 * Takes: bytes and their RVA.  Gives: struct operation.  Must not: know images or values. operation*.c alone
 * of tool/calls include the decoder library. */
#ifndef HVCIFIX_CALLS_OPERATION_H
#define HVCIFIX_CALLS_OPERATION_H

#include "base/arena.h"

enum { MACHINE_REGISTERS = 16, NO_MACHINE_REGISTER = 0xFF };

/* General registers by their number in instructions. */
enum {
    REGISTER_AX = 0,
    REGISTER_CX = 1,
    REGISTER_DX = 2,
    REGISTER_BX = 3,
    REGISTER_SP = 4,
    REGISTER_BP = 5,
    REGISTER_SI = 6,
    REGISTER_DI = 7,
    REGISTER_8 = 8,
    REGISTER_9 = 9,
    REGISTER_10 = 10,
    REGISTER_11 = 11
};

enum operation_kind {
    DOES_OTHER, /* what it writes is not followed */
    DOES_MOVE,
    DOES_MOVE_SIGNED, /* movsx, movsxd */
    DOES_MOVE_MAYBE,  /* cmov */
    DOES_ADDRESS,     /* lea */
    DOES_COMPUTE,     /* `compute` says what, into the first operand */
    DOES_INCREMENT,
    DOES_DECREMENT,
    DOES_NEGATE,
    DOES_COMPLEMENT,
    DOES_SUBTRACT_BORROW, /* sbb */
    DOES_SET_FLAG,        /* setcc */
    DOES_EXCHANGE,
    DOES_PUSH,
    DOES_POP,
    DOES_LEAVE,
    DOES_CALL,
    DOES_JUMP,
    DOES_BRANCH,
    DOES_RETURN,
    DOES_STOP,    /* int3, ud2, int 29h: nothing follows */
    DOES_COMPARE, /* cmp: flags of the first operand minus the second */
    DOES_TEST,    /* flags of the two operands' common bits */
    DOES_NOTHING
};

/* When a branch is taken, as far as it says that two numbers are equal. */
enum branch_condition { BRANCH_OTHER, BRANCH_IF_EQUAL, BRANCH_IF_NOT_EQUAL };

enum operand_kind { OPERAND_NONE, OPERAND_REGISTER, OPERAND_CONSTANT, OPERAND_MEMORY, OPERAND_CONTROL };

struct operand {
    uint8_t kind, nbytes;
    bool is_written, is_high_byte; /* ah, ch, dh, bh */
    uint8_t reg; /* NO_MACHINE_REGISTER: none that is followed; OPERAND_CONTROL: which control register */
    uint8_t base, index, scale; /* memory; NO_MACHINE_REGISTER: none */
    bool has_place;             /* memory at a fixed address: place_rva, when is_rip_relative */
    bool is_rip_relative, has_segment;
    int64_t number;       /* constant, sign-extended to the operation's width; or displacement */
    uint8_t field_offset; /* of the constant or displacement in the instruction; 0: none */
};

enum { OPERATION_MOST_OPERANDS = 3 };

struct operation {
    uint32_t rva;
    uint8_t nbytes;
    uint8_t kind;    /* enum operation_kind */
    uint8_t compute; /* enum value_operation, for DOES_COMPUTE */
    uint8_t operand_count;
    uint8_t condition; /* enum branch_condition, for DOES_BRANCH */
    bool has_target;   /* direct branch or call */
    uint32_t target_rva;
    uint16_t written;      /* registers that may change, hidden ones included: one bit each */
    bool keeps_zero_flag;  /* of DOES_COMPUTE: the change of a bit */
    bool writes_memory;    /* in a way that no operand here tells: string instructions and the like */
    uint8_t string_reg;    /* the register that leads to what a string instruction writes, upwards */
    uint8_t string_nbytes; /* an element of it; one of them, or as many as the count register says */
    bool is_repeated;
    uint16_t return_nbytes; /* ret n */
    struct operand operands[OPERATION_MOST_OPERANDS];
};

struct operation_reader;

/* NULL when memory ran out. */
struct operation_reader *operation_reader_new(struct arena *arena, bool is_64);

/* Reads one instruction; false when the bytes are none. */
bool operation_read(struct operation_reader *reader, const uint8_t *bytes, size_t available_nbytes,
                    uint32_t rva, struct operation *operation);

#endif
