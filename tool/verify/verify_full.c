/* verify_full.c - asks Zydis once for each string of first bytes, and then only reads the values.
 * Takes: bytes.  Gives: struct verify_full.  Must not: keep an instruction with values in places that it does
 * not know. */
#include "verify/verify_full.h"
#include "verify/verify_registers.h"

enum { NO_OPERAND = 0xFF, FIRST_FULL = 256, ZEROED_COUNT = 2 };

/* An instruction without its values, and which operands have them. */
struct verify_full_shape {
    uint8_t disp_operand, imm_operand; /* NO_OPERAND: none */
    bool is_imm_signed;
    size_t used_nbytes;      /* of the following, which goes on as far as there are operands */
    struct verify_full full; /* at least ZEROED_COUNT of them */
};

static struct verify_full_head head_of(const ZydisDecodedInstruction *decoded)
{
    struct verify_full_head head = {.machine_mode = decoded->machine_mode,
                                    .mnemonic = decoded->mnemonic,
                                    .attributes = decoded->attributes,
                                    .length = decoded->length,
                                    .operand_width = decoded->operand_width,
                                    .operand_count = decoded->operand_count,
                                    .operand_count_visible = decoded->operand_count_visible,
                                    .meta = {decoded->meta.category, decoded->meta.branch_type},
                                    .cpu_flags = decoded->cpu_flags};
    head.raw.disp.size = decoded->raw.disp.size;
    head.raw.disp.offset = decoded->raw.disp.offset;
    head.raw.imm[0].is_relative = decoded->raw.imm[0].is_relative;
    head.raw.imm[0].value.s = decoded->raw.imm[0].value.s;
    return head;
}

static uint16_t named_registers(const ZydisDecodedInstruction *decoded, const ZydisDecodedOperand *operands)
{
    unsigned bits = 0;
    for (unsigned i = 0; i < decoded->operand_count; i++) {
        bool is_memory = operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY;
        int first = is_memory ? verify_register_number(operands[i].mem.base) : -1;
        int second = is_memory ? verify_register_number(operands[i].mem.index) : -1;
        if (operands[i].type == ZYDIS_OPERAND_TYPE_REGISTER)
            first = verify_register_number(operands[i].reg.value);
        bits |= (first >= 0 ? 1u << first : 0) | (second >= 0 ? 1u << second : 0);
    }
    return (uint16_t)bits;
}

/* At most one value of each kind, each in the one operand that shows it. */
static bool find_values(const ZydisDecodedInstruction *decoded, const ZydisDecodedOperand *operands,
                        struct verify_full_shape *shape)
{
    unsigned disp_count = 0, imm_count = 0;
    shape->disp_operand = shape->imm_operand = NO_OPERAND;
    for (uint8_t i = 0; i < decoded->operand_count; i++) {
        const ZydisDecodedOperand *operand = &operands[i];
        if (operand->type == ZYDIS_OPERAND_TYPE_POINTER)
            return false;
        if (operand->type == ZYDIS_OPERAND_TYPE_MEMORY && operand->mem.disp.has_displacement) {
            disp_count++;
            shape->disp_operand = i;
            if (operand->mem.disp.value != decoded->raw.disp.value)
                return false;
        }
        /* A shift by one names its constant without having it. */
        if (operand->type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
            operand->encoding != ZYDIS_OPERAND_ENCODING_NONE) {
            imm_count++;
            shape->imm_operand = i;
            if (operand->imm.value.u != decoded->raw.imm[0].value.u)
                return false;
        }
    }
    shape->is_imm_signed = decoded->raw.imm[0].is_signed;
    return disp_count == (decoded->raw.disp.size != 0) && imm_count == (decoded->raw.imm[0].size != 0) &&
           decoded->raw.imm[1].size == 0;
}

/* Room for a shape with this number. */
static bool make_room(struct verify_shapes *shapes, uint32_t number)
{
    if (number < shapes->full_count)
        return true;
    size_t needed = number < FIRST_FULL ? (size_t)FIRST_FULL : (size_t)number + 1;
    const struct verify_full_shape **grown =
        arena_grow(shapes->arena, shapes->full, shapes->full_count, &shapes->full_capacity, needed,
                   sizeof(struct verify_full_shape *));
    if (!grown)
        return false;
    shapes->full = grown;
    while (shapes->full_count < shapes->full_capacity)
        grown[shapes->full_count++] = NULL;
    return true;
}

static void keep_shape(struct verify_shapes *shapes, uint32_t number, const ZydisDecodedInstruction *decoded,
                       const struct verify_full *full)
{
    struct verify_full_shape found, *shape;
    size_t count = decoded->operand_count < ZEROED_COUNT ? ZEROED_COUNT : decoded->operand_count;
    found.used_nbytes = offsetof(struct verify_full, operands) + count * sizeof *full->operands;
    if (!find_values(decoded, full->operands, &found) || !make_room(shapes, number))
        return;
    shape = arena_alloc_unset(shapes->arena, offsetof(struct verify_full_shape, full) + found.used_nbytes);
    if (!shape)
        return;
    memcpy(shape, &found, offsetof(struct verify_full_shape, full));
    memcpy(&shape->full, full, found.used_nbytes);
    shapes->full[number] = shape;
}

/* Apart, so that known ones are found without its large frame. */
__attribute__((noinline)) static bool decode_unknown(const struct verify_decoder *decoder,
                                                     const uint8_t *bytes, size_t nbytes, uint32_t number,
                                                     struct verify_full *full)
{
    ZydisDecodedInstruction decoded;
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder->zydis, bytes, nbytes, &decoded, full->operands)))
        return false;
    full->decoded = head_of(&decoded);
    full->decoded.named_registers = named_registers(&decoded, full->operands);
    if (number == PREFIX_NONE)
        number = verify_decoder_keep(decoder, &decoded, bytes);
    if (number != PREFIX_NONE)
        keep_shape(decoder->shapes, number, &decoded, full);
    return true;
}

static int64_t signed_value(const uint8_t *field, unsigned nbytes)
{
    switch (nbytes) {
    case 1:
        return (int8_t)field[0];
    case 2:
        return (int16_t)load_u16(field);
    case 4:
        return (int32_t)load_u32(field);
    default:
        return (int64_t)load_u64(field);
    }
}

static uint64_t unsigned_value(const uint8_t *field, unsigned nbytes)
{
    switch (nbytes) {
    case 1:
        return field[0];
    case 2:
        return load_u16(field);
    case 4:
        return load_u32(field);
    default:
        return load_u64(field);
    }
}

bool verify_full_decode(const struct verify_decoder *decoder, struct span code, size_t at,
                        struct verify_full *full)
{
    if (at >= code.nbytes)
        return false;
    const uint8_t *bytes = code.bytes + at;
    size_t nbytes = verify_window_nbytes(code, at);
    const struct verify_shapes *shapes = decoder->shapes;
    uint32_t number = verify_decoder_find(decoder, bytes, nbytes);
    const struct verify_full_shape *shape =
        number != PREFIX_NONE && number < shapes->full_count ? shapes->full[number] : NULL;
    if (!shape)
        return decode_unknown(decoder, bytes, nbytes, number, full);
    if (shape->full.decoded.length > nbytes)
        return false;
    const struct verify_instruction *known = &shapes->known[number];
    memcpy(full, &shape->full, shape->used_nbytes);
    if (shape->disp_operand != NO_OPERAND)
        full->operands[shape->disp_operand].mem.disp.value =
            signed_value(bytes + known->disp_at, known->disp_nbytes);
    if (shape->imm_operand != NO_OPERAND) {
        const uint8_t *field = bytes + known->imm_at[0];
        uint64_t value = shape->is_imm_signed ? (uint64_t)signed_value(field, known->imm_nbytes[0])
                                              : unsigned_value(field, known->imm_nbytes[0]);
        full->operands[shape->imm_operand].imm.value.u = value;
        full->decoded.raw.imm[0].value.s = (int64_t)value;
    }
    return true;
}
