/* verify_decode.h - the verifier's view of one instruction.
 * Takes: bytes, through Zydis.  Gives: length, flow, where its displacement and immediates lie, what it does
 * with the memory it addresses.  Must not: follow control flow or know about images. */
#ifndef HVCIFIX_VERIFY_VERIFY_DECODE_H
#define HVCIFIX_VERIFY_VERIFY_DECODE_H

#include "base/prefix_index.h"
#include "base/span.h"

#include <Zydis/Zydis.h>

enum { INSTRUCTION_MAX_NBYTES = 15 };

struct verify_instruction;
struct verify_full_shape;

/* Without its values, an instruction follows from its first bytes, so the decoder library is asked once for
 * each such string of bytes. What is remembered grows; what is said of bytes does not change by it. */
struct verify_shapes {
    struct arena *arena;
    struct prefix_index index;        /* the numbers of known[] by their first bytes */
    struct verify_instruction *known; /* `target` is not set */
    size_t known_capacity;
    const struct verify_full_shape **full; /* of known[], with operands; NULL: not asked for yet */
    size_t full_count, full_capacity;      /* room for numbers below full_count */
};

struct verify_decoder {
    ZydisDecoder zydis;
    bool is_64;
    struct verify_shapes *shapes;
};

enum verify_flow {
    FLOW_NEXT,   /* goes on behind itself */
    FLOW_BRANCH, /* may go on, may jump */
    FLOW_CALL,
    FLOW_JUMP,
    FLOW_STOP /* return, trap: never goes on behind itself */
};

/* What an instruction may do with the memory that a field of it addresses, as bits. */
enum verify_use {
    USE_NONE = 0,
    USE_READ = 1,
    USE_WRITE = 2,
    USE_ADDRESS = 4 /* takes the address: lea, an immediate */
};

struct verify_instruction {
    uint8_t nbytes;
    uint8_t disp_at, disp_nbytes; /* nbytes 0: none */
    uint8_t imm_at[2], imm_nbytes[2];
    bool is_rip_relative;   /* its memory operand is [rip + disp32] */
    bool is_plain_memory;   /* its memory operand is a displacement alone, or [rip + disp32] */
    bool is_bit_string;     /* its memory operand is as long as a register says, which counts bits */
    bool is_stack_relative; /* its memory operand is [rsp + displacement], no index */
    bool adds_immediate;    /* add or sub of its immediate */
    bool is_unlikely;       /* valid, but compilers do not emit it: a sign that these bytes are data */
    enum verify_flow flow;
    bool has_target; /* direct branch or call */
    int64_t target;  /* relative to the instruction's first byte */
};

/* The arena must outlive the decoder. */
bool verify_decoder_init(struct verify_decoder *decoder, struct arena *arena, bool is_64);

/* Decodes the instruction at code.bytes + at. False when there is none. */
bool verify_decode(const struct verify_decoder *decoder, struct span code, size_t at,
                   struct verify_instruction *instruction);

/* The ModRM byte at modrm_at, with mod 00 and r/m 101, may belong to a store that the decoder does not know:
 * AADD and its kin (0F 38 FC), CMPccXADD (VEX 0F 38 E0 to EF). */
bool verify_is_unknown_store(struct span code, size_t modrm_at);

/* What the instruction at `at` may do through the field (displacement or immediate) that begins at field_at,
 * as bits of enum verify_use. The instruction is known to decode and to have such a field. An immediate
 * counts as an address, whatever is done with it. */
unsigned verify_decode_use(const struct verify_decoder *decoder, struct span code, size_t at,
                           size_t field_at);

/* For verify_full.c: the number in known[] of the instruction that `bytes` begin with, or PREFIX_NONE. */
static inline uint32_t verify_decoder_find(const struct verify_decoder *decoder, const uint8_t *bytes,
                                           size_t nbytes)
{
    return prefix_index_find(&decoder->shapes->index, bytes, nbytes);
}

/* Puts what Zydis said into known[] and returns its number; PREFIX_NONE when it is not to be kept. */
uint32_t verify_decoder_keep(const struct verify_decoder *decoder, const ZydisDecodedInstruction *decoded,
                             const uint8_t *bytes);

/* How many of the bytes behind `at` one instruction can have. */
static inline size_t verify_window_nbytes(struct span code, size_t at)
{
    size_t left_nbytes = code.nbytes - at;
    return left_nbytes < INSTRUCTION_MAX_NBYTES ? left_nbytes : INSTRUCTION_MAX_NBYTES;
}

#endif
