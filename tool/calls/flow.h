/* flow.h - what registers and stack slots may hold at each call of one function.
 * Takes: the function's code, the machine, and what calls do to the stack.  Gives: records of its calls and
 * of what it stores in global variables.  Must not: look into other functions: what comes from a caller, a
 * global variable or a call stays an origin (value.h) that others resolve.
 * Assumptions: calls keep the registers that the calling convention says they keep; what is written through a
 * pointer is not a stack slot, unless the address of a slot at or below it was handed out. */
#ifndef HVCIFIX_CALLS_FLOW_H
#define HVCIFIX_CALLS_FLOW_H

#include "calls/function_code.h"
#include "calls/value.h"

/* Words of the stack that are kept of a call: on x86 the arguments, on x64 the four words of the callee's own
 * and then the arguments from the fifth on. */
enum { CALL_STACK_WORDS = 14 };

struct call_record {
    uint32_t site_rva;
    uint32_t function_rva; /* that holds the site */
    uint32_t target_rva;   /* of a direct call, or 0 */
    bool is_tail;          /* a jump: the callee returns to our caller */
    bool is_indirect;
    bool is_thunk;       /* the jump is all that its function does */
    value_number target; /* of an indirect one */
    value_number registers[MACHINE_REGISTERS];
    value_number stack[CALL_STACK_WORDS];
};

/* A store into memory with a fixed address. */
struct store_record {
    uint32_t site_rva, function_rva;
    uint32_t rva; /* where */
    uint32_t nbytes;
    value_number value;
};

/* A move into a control register. */
struct control_record {
    uint32_t site_rva, function_rva;
    uint32_t number; /* of the register */
    value_number value;
};

struct call_records {
    struct call_record *calls;
    size_t call_count, call_capacity;
    struct store_record *stores;
    size_t store_count, store_capacity;
    struct control_record *controls;
    size_t control_count, control_capacity;
};

/* How many bytes of arguments a call takes off the stack (x86). */
enum { POPS_UNKNOWN = -1 };
typedef int pops_fn(void *context, const struct operation *call, value_number target);

struct flow {
    const struct image *image;
    struct value_table *values;
    struct call_records *records; /* appended to */
    struct arena *arena;          /* for the records */
    pops_fn *pops;
    void *context;
    bool returns;        /* given: does the function come back to its caller, or end in a call that does? */
    value_number result; /* given: what it returns, when it does */
};

/* Follows one function. False when memory ran out. Work: each block at most a fixed number of times. */
bool flow_run(struct flow *flow, const struct function_code *code);

#endif
