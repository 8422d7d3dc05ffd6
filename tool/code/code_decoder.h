/* code_decoder.h - the decoder's state, for the files that decode.
 * Takes: Zydis.  Gives: struct decoder.  Must not: be included by any file but code_decode.c,
 * code_effects.c and code_registers.c.
 * What Zydis says of a legacy-encoded instruction follows from its bytes up to the displacement and
 * immediates, but for their values. So it is asked once for each such string of bytes (a shape): code repeats
 * a few thousand of them. */
#ifndef HVCIFIX_CODE_CODE_DECODER_H
#define HVCIFIX_CODE_CODE_DECODER_H

#include "base/prefix_index.h"
#include "code/code_decode.h"

#include <Zydis/Zydis.h>

/* What decode_memory(), decode_effects() and decode_registers() found: asked for at most once each. */
enum answer { ANSWER_NONE, ANSWER_NO, ANSWER_YES };

struct shape {
    struct instruction plain; /* without RVA and values */
    bool imm_is_signed;
    uint8_t has_memory, has_effects, has_registers; /* enum answer */
    struct memory_operand memory;
    struct instruction_effects effects;
    struct register_sets registers;
};

enum { MOST_SHAPES = 4 * 1024, SHAPES_TOGETHER = 64 };

struct decoder {
    ZydisDecoder zydis;
    struct arena *arena;
    struct prefix_index index;                           /* the numbers of shapes by their bytes */
    struct shape *shapes[MOST_SHAPES / SHAPES_TOGETHER]; /* SHAPES_TOGETHER in each array */
    struct shape unkept;                                 /* of an instruction that is not among them */
    /* Of the last decode(): */
    struct shape *last;                    /* one of the shapes, or unkept; NULL before the first */
    uint8_t bytes[INSTRUCTION_MAX_NBYTES]; /* of it, as many as it has */
    bool has_raw;                          /* raw and context are its own too */
    ZydisDecodedInstruction raw;
    ZydisDecoderContext context;
    bool is_64;
};

/* Makes raw and context those of the last decode(). False when that cannot be. */
bool decoder_need_raw(struct decoder *decoder);

/* The operands of the last decode(), raw.operand_count of them. False when that cannot be. code_effects.c. */
bool decoder_operands(struct decoder *decoder, ZydisDecodedOperand operands[static ZYDIS_MAX_OPERAND_COUNT]);

/* The number of a general register of 32 or 64 bits; NO_REGISTER for every other. code_effects.c. */
uint8_t decoder_register_number(ZydisRegister value);

#endif
