/* operation_shapes.c - operation.h. The decoder library is asked once for each string of first bytes; of
 * others like it only the values are read, in a tenth of the time. Takes: bytes.  Gives: struct operation.
 * Must not: keep an instruction with values in places that it does not know. */
#include "base/prefix_index.h"
#include "calls/operation_raw.h"

enum { NO_OPERAND = 0xFF, MOST_SHAPES = 1 << 14 };

/* An operation without its values, and which operands have them. */
struct operation_shape {
    struct operation plain;
    uint8_t disp_operand, imm_operand; /* NO_OPERAND: none */
    uint8_t disp_at, disp_nbytes, imm_at, imm_nbytes;
    bool imm_is_signed;
};

struct operation_reader {
    ZydisDecoder zydis;
    bool is_64;
    struct arena *arena;
    struct prefix_index index;
    struct operation_shape *shapes; /* by number in the index */
    size_t shape_capacity;
};

struct operation_reader *operation_reader_new(struct arena *arena, bool is_64)
{
    struct operation_reader *reader = arena_alloc(arena, sizeof *reader);
    if (!reader || !ZYAN_SUCCESS(ZydisDecoderInit(
                       &reader->zydis, is_64 ? ZYDIS_MACHINE_MODE_LONG_64 : ZYDIS_MACHINE_MODE_LEGACY_32,
                       is_64 ? ZYDIS_STACK_WIDTH_64 : ZYDIS_STACK_WIDTH_32)))
        return NULL;
    reader->is_64 = is_64;
    reader->arena = arena;
    prefix_index_init(&reader->index, arena, MOST_SHAPES);
    return reader;
}

/* How many bytes decide all but the values; 0 when it is not known that only these do. 3DNow! has its opcode
 * behind the displacement; what `int` does, its immediate says. */
static size_t shape_nbytes(const ZydisDecodedInstruction *raw)
{
    if (raw->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY || raw->mnemonic == ZYDIS_MNEMONIC_INT ||
        raw->raw.imm[1].size != 0)
        return 0;
    return raw->raw.disp.size != 0     ? raw->raw.disp.offset
           : raw->raw.imm[0].size != 0 ? raw->raw.imm[0].offset
                                       : raw->length;
}

/* Is the number of the operand the value itself? Of `bts` it is what the value stands for. */
static bool shows(const struct operation_shape *shape, unsigned operand, int64_t value)
{
    const struct operation *plain = &shape->plain;
    if (plain->operands[operand].is_rip_relative)
        value = (int64_t)(uint32_t)(plain->rva + plain->nbytes + (uint32_t)value);
    return plain->operands[operand].number == value;
}

/* Which operands have the values. False when a value is shown in another form, or twice. */
static bool find_values(const ZydisDecodedInstruction *raw, const ZydisDecodedOperand *operands,
                        struct operation_shape *shape)
{
    unsigned disp_count = 0, imm_count = 0;
    shape->disp_operand = shape->imm_operand = NO_OPERAND;
    for (uint8_t i = 0; i < raw->operand_count; i++) {
        const ZydisDecodedOperand *operand = &operands[i];
        bool is_kept = i < raw->operand_count_visible && i < shape->plain.operand_count;
        if (operand->type == ZYDIS_OPERAND_TYPE_POINTER)
            return false;
        if (operand->type == ZYDIS_OPERAND_TYPE_MEMORY && operand->mem.disp.has_displacement) {
            disp_count++;
            shape->disp_operand = is_kept ? i : NO_OPERAND;
            if (operand->mem.disp.value != raw->raw.disp.value ||
                (is_kept && !shows(shape, i, operand->mem.disp.value)))
                return false;
        }
        /* A shift by one names its constant without having it. */
        if (operand->type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
            operand->encoding != ZYDIS_OPERAND_ENCODING_NONE) {
            imm_count++;
            shape->imm_operand = is_kept ? i : NO_OPERAND;
            if (operand->imm.value.u != raw->raw.imm[0].value.u ||
                operand->imm.is_signed != raw->raw.imm[0].is_signed ||
                (is_kept && !shows(shape, i, operand->imm.value.s)))
                return false;
        }
    }
    shape->disp_at = raw->raw.disp.offset;
    shape->disp_nbytes = raw->raw.disp.size / 8;
    shape->imm_at = raw->raw.imm[0].offset;
    shape->imm_nbytes = raw->raw.imm[0].size / 8;
    shape->imm_is_signed = raw->raw.imm[0].is_signed;
    return disp_count == (raw->raw.disp.size != 0) && imm_count == (raw->raw.imm[0].size != 0);
}

static void keep_shape(struct operation_reader *reader, const uint8_t *bytes,
                       const ZydisDecodedInstruction *raw, const ZydisDecodedOperand *operands,
                       const struct operation *operation)
{
    struct operation_shape shape = {.plain = *operation};
    size_t nbytes = shape_nbytes(raw);
    if (nbytes == 0 || !find_values(raw, operands, &shape))
        return;
    struct operation_shape *shapes =
        arena_grow(reader->arena, reader->shapes, reader->index.count, &reader->shape_capacity,
                   (size_t)reader->index.count + 1, sizeof *shapes);
    if (!shapes)
        return;
    reader->shapes = shapes;
    uint32_t number = prefix_index_add(&reader->index, bytes, nbytes);
    if (number != PREFIX_NONE)
        shapes[number] = shape;
}

static int64_t load_value(const uint8_t *field, unsigned nbytes, bool is_signed)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < nbytes; i++)
        value |= (uint64_t)field[i] << (8 * i);
    if (is_signed && nbytes < 8 && (field[nbytes - 1] & 0x80))
        value |= ~UINT64_C(0) << (8 * nbytes);
    return (int64_t)value;
}

/* An instruction of a known shape: its values alone are read. */
static void fill_shape(const struct operation_shape *shape, const uint8_t *bytes, uint32_t rva,
                       struct operation *operation)
{
    *operation = shape->plain;
    operation->rva = rva;
    if (shape->disp_operand != NO_OPERAND) {
        struct operand *operand = &operation->operands[shape->disp_operand];
        operand->number = load_value(bytes + shape->disp_at, shape->disp_nbytes, true);
        if (operand->is_rip_relative)
            operand->number = (int64_t)(uint32_t)(rva + operation->nbytes + (uint32_t)operand->number);
    }
    if (shape->imm_operand != NO_OPERAND)
        operation->operands[shape->imm_operand].number =
            load_value(bytes + shape->imm_at, shape->imm_nbytes, shape->imm_is_signed);
    operation_set_target(operation);
}

bool operation_read(struct operation_reader *reader, const uint8_t *bytes, size_t available_nbytes,
                    uint32_t rva, struct operation *operation)
{
    uint32_t number = prefix_index_find(&reader->index, bytes, available_nbytes);
    if (number != PREFIX_NONE) {
        if (reader->shapes[number].plain.nbytes > available_nbytes)
            return false;
        fill_shape(&reader->shapes[number], bytes, rva, operation);
        return true;
    }
    ZydisDecodedInstruction raw;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&reader->zydis, bytes, available_nbytes, &raw, operands)))
        return false;
    operation_from_raw(reader->is_64, &raw, operands, rva, operation);
    keep_shape(reader, bytes, &raw, operands, operation);
    return true;
}
