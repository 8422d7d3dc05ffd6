/* code_decoder.h - the decoder's state, for the files that decode.
 * Takes: Zydis.  Gives: struct decoder.  Must not: be included by any file but code_decode.c,
 * code_effects.c and code_registers.c. */
#ifndef HVCIFIX_CODE_CODE_DECODER_H
#define HVCIFIX_CODE_CODE_DECODER_H

#include "code/code_decode.h"

#include <Zydis/Zydis.h>

struct decoder {
    ZydisDecoder zydis;
    ZydisDecodedInstruction raw; /* of the last decode() */
    ZydisDecoderContext context;
    bool is_64;
};

/* The number of a general register of 32 or 64 bits; NO_REGISTER for every other. code_effects.c. */
uint8_t decoder_register_number(ZydisRegister value);

#endif
