/* verify_decode.c - wraps Zydis for the verifier.
 * Takes: bytes.  Gives: struct verify_instruction.  Must not: let a Zydis type decide anything outside. */
#include "verify/verify_decode.h"
#include "verify/verify_full.h"

enum { MOST_KNOWN = 4 * 1024, FIRST_KNOWN = 256 };

bool verify_decoder_init(struct verify_decoder *decoder, struct arena *arena, bool is_64)
{
    struct verify_shapes *shapes = arena_alloc(arena, sizeof *shapes);
    *decoder = (struct verify_decoder){.is_64 = is_64, .shapes = shapes};
    if (!shapes)
        return false;
    shapes->arena = arena;
    prefix_index_init(&shapes->index, arena, MOST_KNOWN);
    return ZYAN_SUCCESS(ZydisDecoderInit(&decoder->zydis,
                                         is_64 ? ZYDIS_MACHINE_MODE_LONG_64 : ZYDIS_MACHINE_MODE_LEGACY_32,
                                         is_64 ? ZYDIS_STACK_WIDTH_64 : ZYDIS_STACK_WIDTH_32));
}

/* bt, bts, btr, btc with a register: the address is that of a string of bits, as long as the register says.
 */
static bool is_bit_string(const ZydisDecodedInstruction *decoded)
{
    return decoded->opcode_map == ZYDIS_OPCODE_MAP_0F && (decoded->opcode & 0xE7) == 0xA3;
}

/* Instructions that no compiler emits for a driver's functions, but that text, zeros and tables decode to.
 * 00 /r is what zeros and UTF-16 text are full of. */
static bool is_unlikely(const ZydisDecodedInstruction *decoded)
{
    if (decoded->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && decoded->opcode == 0x00)
        return true;
    if (decoded->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR)
        return true;
    switch (decoded->meta.category) {
    case ZYDIS_CATEGORY_DECIMAL:
    case ZYDIS_CATEGORY_IO:
    case ZYDIS_CATEGORY_IOSTRINGOP:
    case ZYDIS_CATEGORY_SEGOP:
        return true;
    default:
        break;
    }
    switch (decoded->mnemonic) {
    case ZYDIS_MNEMONIC_ARPL:
    case ZYDIS_MNEMONIC_BOUND:
    case ZYDIS_MNEMONIC_ENTER:
    case ZYDIS_MNEMONIC_INT1:
    case ZYDIS_MNEMONIC_INTO:
    case ZYDIS_MNEMONIC_IRET:
    case ZYDIS_MNEMONIC_IRETD:
    case ZYDIS_MNEMONIC_POPA: /* of 16-bit registers */
    case ZYDIS_MNEMONIC_PUSHA:
    case ZYDIS_MNEMONIC_SALC:
    case ZYDIS_MNEMONIC_XLAT:
        return true;
    default:
        return false;
    }
}

static enum verify_flow flow_of(const ZydisDecodedInstruction *decoded)
{
    switch (decoded->meta.category) {
    case ZYDIS_CATEGORY_CALL:
        return FLOW_CALL;
    case ZYDIS_CATEGORY_UNCOND_BR:
        return FLOW_JUMP;
    case ZYDIS_CATEGORY_COND_BR:
        return FLOW_BRANCH;
    case ZYDIS_CATEGORY_RET:
    case ZYDIS_CATEGORY_SYSRET:
        return FLOW_STOP;
    default:
        break;
    }
    switch (decoded->mnemonic) {
    case ZYDIS_MNEMONIC_INT3:
    case ZYDIS_MNEMONIC_UD0:
    case ZYDIS_MNEMONIC_UD1:
    case ZYDIS_MNEMONIC_UD2:
        return FLOW_STOP;
    default:
        return FLOW_NEXT;
    }
}

/* All but the target. */
static struct verify_instruction instruction_of(const struct verify_decoder *decoder,
                                                const ZydisDecodedInstruction *decoded)
{
    struct verify_instruction instruction = {.nbytes = decoded->length,
                                             .disp_at = decoded->raw.disp.offset,
                                             .disp_nbytes = decoded->raw.disp.size / 8,
                                             .is_unlikely = is_unlikely(decoded),
                                             .is_bit_string = is_bit_string(decoded),
                                             .flow = flow_of(decoded)};
    for (unsigned i = 0; i < 2; i++) {
        instruction.imm_at[i] = decoded->raw.imm[i].offset;
        instruction.imm_nbytes[i] = decoded->raw.imm[i].size / 8;
    }
    instruction.is_rip_relative = decoder->is_64 && (decoded->attributes & ZYDIS_ATTRIB_HAS_MODRM) &&
                                  decoded->raw.modrm.mod == 0 && decoded->raw.modrm.rm == 5;
    instruction.is_plain_memory = decoded->raw.disp.size != 0 && !is_bit_string(decoded) &&
                                  (decoded->attributes & ZYDIS_ATTRIB_HAS_MODRM
                                       ? decoded->raw.modrm.mod == 0 && decoded->raw.modrm.rm == 5
                                       : decoded->raw.imm[0].size == 0);
    instruction.is_stack_relative = decoded->encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY &&
                                    (decoded->attributes & ZYDIS_ATTRIB_HAS_SIB) &&
                                    decoded->raw.sib.base == 4 && decoded->raw.sib.index == 4 &&
                                    !decoded->raw.rex.B && !decoded->raw.rex.X;
    instruction.adds_immediate = decoded->raw.imm[0].size != 0 && (decoded->mnemonic == ZYDIS_MNEMONIC_ADD ||
                                                                   decoded->mnemonic == ZYDIS_MNEMONIC_SUB);
    instruction.has_target = decoded->raw.imm[0].is_relative && instruction.flow != FLOW_NEXT;
    return instruction;
}

/* Nothing of an instruction_of() depends on what stands in its displacement and immediates, but for the
 * encoding that has its opcode behind them (3DNow!). */
static uint32_t keep(struct verify_shapes *shapes, const ZydisDecodedInstruction *decoded,
                     const uint8_t *bytes, const struct verify_instruction *instruction)
{
    if (decoded->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY || shapes->index.count == MOST_KNOWN)
        return PREFIX_NONE;
    size_t needed = (size_t)shapes->index.count + 1;
    struct verify_instruction *known =
        arena_grow(shapes->arena, shapes->known, shapes->index.count, &shapes->known_capacity,
                   needed < FIRST_KNOWN ? (size_t)FIRST_KNOWN : needed, sizeof *known);
    if (!known)
        return PREFIX_NONE;
    shapes->known = known;
    size_t nbytes = instruction->disp_nbytes != 0     ? instruction->disp_at
                    : instruction->imm_nbytes[0] != 0 ? instruction->imm_at[0]
                                                      : instruction->nbytes;
    uint32_t number = prefix_index_add(&shapes->index, bytes, nbytes);
    if (number != PREFIX_NONE)
        known[number] = *instruction;
    return number;
}

uint32_t verify_decoder_keep(const struct verify_decoder *decoder, const ZydisDecodedInstruction *decoded,
                             const uint8_t *bytes)
{
    struct verify_instruction instruction = instruction_of(decoder, decoded);
    return keep(decoder->shapes, decoded, bytes, &instruction);
}

/* A direct branch's field has 1, 2 or 4 bytes. */
static int64_t branch_target(const struct verify_instruction *instruction, const uint8_t *bytes)
{
    const uint8_t *field = bytes + instruction->imm_at[0];
    switch (instruction->imm_nbytes[0]) {
    case 1:
        return instruction->nbytes + (int64_t)(int8_t)field[0];
    case 2:
        return instruction->nbytes + (int64_t)(int16_t)load_u16(field);
    default:
        return instruction->nbytes + (int64_t)(int32_t)load_u32(field);
    }
}

/* An instruction that is not known yet. Apart, so that known ones are found without its large frame. */
__attribute__((noinline)) static bool decode_unknown(const struct verify_decoder *decoder,
                                                     const uint8_t *bytes, size_t nbytes,
                                                     struct verify_instruction *instruction)
{
    ZydisDecoderContext context;
    ZydisDecodedInstruction decoded;
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder->zydis, &context, bytes, nbytes, &decoded)))
        return false;
    *instruction = instruction_of(decoder, &decoded);
    keep(decoder->shapes, &decoded, bytes, instruction);
    return true;
}

bool verify_decode(const struct verify_decoder *decoder, struct span code, size_t at,
                   struct verify_instruction *instruction)
{
    if (at >= code.nbytes)
        return false;
    const uint8_t *bytes = code.bytes + at;
    size_t nbytes = verify_window_nbytes(code, at);
    uint32_t number = verify_decoder_find(decoder, bytes, nbytes);
    if (number == PREFIX_NONE && !decode_unknown(decoder, bytes, nbytes, instruction))
        return false;
    if (number != PREFIX_NONE) {
        *instruction = decoder->shapes->known[number];
        if (instruction->nbytes > nbytes)
            return false;
    }
    if (instruction->has_target)
        instruction->target = branch_target(instruction, bytes);
    return true;
}

static unsigned use_of_memory(const struct verify_full *full, const ZydisDecodedOperand *operand)
{
    ZydisInstructionCategory category = full->decoded.meta.category;
    if (category == ZYDIS_CATEGORY_NOP || category == ZYDIS_CATEGORY_WIDENOP ||
        category == ZYDIS_CATEGORY_PREFETCH)
        return USE_NONE;
    if (operand->mem.type == ZYDIS_MEMOP_TYPE_AGEN || operand->mem.type == ZYDIS_MEMOP_TYPE_MIB)
        return USE_ADDRESS;
    unsigned use = USE_READ;
    if (operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
        use |= USE_WRITE;
    return use;
}

unsigned verify_decode_use(const struct verify_decoder *decoder, struct span code, size_t at, size_t field_at)
{
    struct verify_full full;
    if (!verify_full_decode(decoder, code, at, &full))
        return USE_NONE;
    if (full.decoded.raw.disp.size == 0 || full.decoded.raw.disp.offset != field_at - at)
        return USE_ADDRESS;
    unsigned use = USE_NONE;
    for (unsigned i = 0; i < full.decoded.operand_count; i++)
        if (full.operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY && full.operands[i].mem.disp.has_displacement)
            use |= use_of_memory(&full, &full.operands[i]);
    return use;
}

bool verify_is_unknown_store(struct span code, size_t modrm_at)
{
    enum { MAP_0F38 = 2, PREFIX_66 = 1 };
    const uint8_t *bytes = code.bytes;
    if (modrm_at < 4 || modrm_at >= code.nbytes)
        return false;
    uint8_t opcode = bytes[modrm_at - 1];
    bool is_add = opcode == 0xFC && bytes[modrm_at - 2] == 0x38 && bytes[modrm_at - 3] == 0x0F;
    bool is_compare = (opcode & 0xF0) == 0xE0 && bytes[modrm_at - 4] == 0xC4 &&
                      (bytes[modrm_at - 3] & 0x1F) == MAP_0F38 && (bytes[modrm_at - 2] & 3) == PREFIX_66;
    return is_add || is_compare;
}
