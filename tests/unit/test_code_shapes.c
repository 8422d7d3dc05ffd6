/* test_code_shapes.c - a decoder that has met the shape of an instruction before says the same as one that is
 * new, and as Zydis asked directly; and the index that finds the shapes.
 * Takes: heads of instructions at random, each with many tails.  Gives: pass or fail. */
#include "cmocka_all.h"
#include "code/code_decode.h"

#include "base/prefix_index.h"

#include <Zydis/Zydis.h>

enum { HEAD_COUNT = 3000, TAIL_COUNT = 8, LONGEST_NBYTES = 15 };

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Prefixes, perhaps 0F (and 0F again: 3DNow!), and bytes. */
static void make_head(uint32_t *random, uint8_t head[5])
{
    static const uint8_t prefixes[] = {0x66, 0xF2, 0xF3, 0x67, 0xF0, 0x2E, 0x48, 0x41, 0x4C, 0x40};
    size_t at = 0;
    for (unsigned i = 0; i < 5; i++)
        head[i] = (uint8_t)next_random(random);
    while (at < 2 && next_random(random) % 3 == 0)
        head[at++] = prefixes[next_random(random) % sizeof prefixes];
    if (next_random(random) % 2 == 0)
        head[at++] = 0x0F;
    if (next_random(random) % 50 == 0)
        head[at] = 0x0F;
    if (next_random(random) % 50 == 0)
        head[at] = 0xCD; /* int: what it does, its immediate says */
}

struct answers {
    bool is_decoded, has_memory, has_effects, has_registers;
    struct instruction instruction;
    struct memory_operand memory;
    struct instruction_effects effects;
    struct register_sets registers;
};

static void ask(struct decoder *decoder, const uint8_t *bytes, size_t nbytes, struct answers *answers)
{
    memset(answers, 0, sizeof *answers);
    answers->is_decoded = decode(decoder, bytes, nbytes, 0x1000, &answers->instruction);
    if (!answers->is_decoded)
        return;
    answers->has_memory = decode_memory(decoder, &answers->memory);
    answers->has_effects = decode_effects(decoder, &answers->effects);
    answers->has_registers = decode_registers(decoder, &answers->registers);
}

static void same_instruction(const struct instruction *a, const struct instruction *b)
{
    assert_true(a->rva == b->rva && a->nbytes == b->nbytes && a->flow == b->flow);
    assert_true(a->operation == b->operation && a->opcode == b->opcode);
    assert_true(a->is_one_byte_map == b->is_one_byte_map && a->rel_offset == b->rel_offset);
    assert_true(a->rel_nbytes == b->rel_nbytes && a->target_fits == b->target_fits);
    assert_true(a->target_rva == b->target_rva && a->disp_offset == b->disp_offset);
    assert_true(a->disp_nbytes == b->disp_nbytes && a->disp == b->disp && a->imm == b->imm);
    for (unsigned i = 0; i < 2; i++)
        assert_true(a->imm_offset[i] == b->imm_offset[i] && a->imm_nbytes[i] == b->imm_nbytes[i]);
    assert_true(a->has_modrm == b->has_modrm && a->is_legacy == b->is_legacy && a->reg == b->reg);
    assert_true(a->is_rip_relative == b->is_rip_relative && a->rm == b->rm && a->base == b->base);
    assert_true(a->has_register_operand == b->has_register_operand && a->index == b->index);
    assert_int_equal(a->scale, b->scale);
}

static void same_answers(const struct answers *a, const struct answers *b)
{
    assert_int_equal(a->is_decoded, b->is_decoded);
    if (!a->is_decoded)
        return;
    same_instruction(&a->instruction, &b->instruction);
    assert_true(a->has_memory == b->has_memory && a->has_effects == b->has_effects);
    assert_int_equal(a->has_registers, b->has_registers);
    if (a->has_memory)
        assert_memory_equal(&a->memory, &b->memory, sizeof a->memory);
    assert_memory_equal(&a->effects, &b->effects, sizeof a->effects);
    assert_memory_equal(&a->registers, &b->registers, sizeof a->registers);
}

/* What Zydis says of length and values, without the decoder between. */
static void same_as_zydis(const ZydisDecoder *zydis, const uint8_t *bytes, size_t nbytes,
                          const struct answers *answers)
{
    ZydisDecodedInstruction raw;
    bool is_decoded = ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(zydis, NULL, bytes, nbytes, &raw));
    const struct instruction *instruction = &answers->instruction;
    assert_int_equal(answers->is_decoded, is_decoded);
    if (!is_decoded)
        return;
    assert_int_equal(instruction->nbytes, raw.length);
    assert_true(instruction->disp == raw.raw.disp.value && instruction->opcode == raw.opcode);
    if (!raw.raw.imm[0].is_relative)
        assert_true(instruction->imm == raw.raw.imm[0].value.u);
    else if (instruction->target_fits)
        assert_int_equal(instruction->target_rva, (uint32_t)(0x1000 + raw.length + raw.raw.imm[0].value.s));
}

static void known_shapes_change_nothing(void **state)
{
    (void)state;
    uint32_t random = 1;
    size_t valid_count = 0;
    for (unsigned is_64 = 0; is_64 < 2; is_64++) {
        struct arena arena, fresh_arena;
        arena_init(&arena, NULL);
        struct decoder *decoder = decoder_new(&arena, is_64);
        ZydisDecoder zydis;
        ZydisDecoderInit(&zydis, is_64 ? ZYDIS_MACHINE_MODE_LONG_64 : ZYDIS_MACHINE_MODE_LEGACY_32,
                         is_64 ? ZYDIS_STACK_WIDTH_64 : ZYDIS_STACK_WIDTH_32);
        assert_non_null(decoder);
        for (unsigned i = 0; i < HEAD_COUNT * TAIL_COUNT; i++) {
            uint8_t bytes[LONGEST_NBYTES];
            uint32_t head_random = 77 * (i % HEAD_COUNT) + is_64;
            make_head(&head_random, bytes);
            for (unsigned k = 5; k < sizeof bytes; k++)
                bytes[k] = (uint8_t)next_random(&random);
            bytes[3 + i % 2] = (uint8_t)next_random(&random);
            size_t nbytes = next_random(&random) % 4 == 0 ? next_random(&random) % 16 : sizeof bytes;
            struct answers known, fresh;
            arena_init(&fresh_arena, NULL);
            struct decoder *fresh_decoder = decoder_new(&fresh_arena, is_64);
            assert_non_null(fresh_decoder);
            ask(decoder, bytes, nbytes, &known);
            ask(fresh_decoder, bytes, nbytes, &fresh);
            same_answers(&known, &fresh);
            same_as_zydis(&zydis, bytes, nbytes, &known);
            valid_count += known.is_decoded;
            arena_free(&fresh_arena);
        }
        arena_free(&arena);
    }
    assert_true(valid_count > HEAD_COUNT * TAIL_COUNT); /* of twice as many */
}

/* What `int` does, and which instruction 3DNow! has, stands behind what else makes a shape. */
static void values_that_decide(void **state)
{
    (void)state;
    static const uint8_t assertion[] = {0xCD, 0x2C}, fastfail[] = {0xCD, 0x29};
    static const uint8_t pfadd[] = {0x0F, 0x0F, 0x01, 0x9E}, nothing[] = {0x0F, 0x0F, 0x01, 0x00};
    struct arena arena;
    struct instruction instruction;
    arena_init(&arena, NULL);
    struct decoder *decoder = decoder_new(&arena, false);
    assert_non_null(decoder);
    assert_true(decode(decoder, assertion, sizeof assertion, 0, &instruction));
    assert_int_equal(instruction.flow, FLOW_NEXT);
    assert_true(decode(decoder, fastfail, sizeof fastfail, 0, &instruction));
    assert_int_equal(instruction.flow, FLOW_STOP);
    assert_true(decode(decoder, pfadd, sizeof pfadd, 0, &instruction));
    assert_false(decode(decoder, nothing, sizeof nothing, 0, &instruction));
    arena_free(&arena);
}

/* More shapes than are kept: the rest is decoded all the same. */
static void too_many_shapes(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL);
    struct decoder *decoder = decoder_new(&arena, true);
    assert_non_null(decoder);
    for (uint32_t i = 0; i < 40000; i++) {
        /* REX, mov, ModRM with a SIB byte, SIB: as many shapes as values */
        uint8_t bytes[] = {(uint8_t)(0x40 | (i >> 11 & 15)), 0x8B, (uint8_t)(0x44 | (i >> 8 & 7) << 3),
                           (uint8_t)i, 0x10};
        uint8_t scale = (uint8_t)(1u << (bytes[3] >> 6));
        struct instruction instruction;
        assert_true(decode(decoder, bytes, sizeof bytes, 0, &instruction));
        assert_int_equal(instruction.nbytes, 5);
        assert_int_equal(instruction.disp, 0x10);
        assert_int_equal(instruction.scale, scale);
    }
    assert_true(arena.total_nbytes < (size_t)8 * 1024 * 1024);
    arena_free(&arena);
}

static void strings_get_numbers(void **state)
{
    (void)state;
    struct arena arena;
    struct prefix_index index;
    arena_init(&arena, NULL);
    prefix_index_init(&index, &arena, 3);
    assert_int_equal(prefix_index_find(&index, (const uint8_t *)"ab", 2), PREFIX_NONE);
    assert_int_equal(prefix_index_add(&index, (const uint8_t *)"ab", 2), 0);
    assert_int_equal(prefix_index_add(&index, (const uint8_t *)"ac", 2), 1);
    /* Empty, known, the begin of another, behind another. */
    assert_int_equal(prefix_index_add(&index, (const uint8_t *)"", 0), PREFIX_NONE);
    assert_int_equal(prefix_index_add(&index, (const uint8_t *)"ab", 2), PREFIX_NONE);
    assert_int_equal(prefix_index_add(&index, (const uint8_t *)"a", 1), PREFIX_NONE);
    assert_int_equal(prefix_index_add(&index, (const uint8_t *)"abc", 3), PREFIX_NONE);
    assert_int_equal(prefix_index_find(&index, (const uint8_t *)"abc", 3), 0);
    assert_int_equal(prefix_index_find(&index, (const uint8_t *)"acab", 4), 1);
    assert_int_equal(prefix_index_find(&index, (const uint8_t *)"ac", 1), PREFIX_NONE);
    assert_int_equal(prefix_index_find(&index, (const uint8_t *)"ad", 2), PREFIX_NONE);
    assert_int_equal(prefix_index_find(&index, NULL, 0), PREFIX_NONE);
    assert_int_equal(prefix_index_add(&index, (const uint8_t *)"b\0\0", 3), 2);
    assert_int_equal(prefix_index_find(&index, (const uint8_t *)"b\0\0z", 4), 2);
    assert_int_equal(prefix_index_add(&index, (const uint8_t *)"z", 1), PREFIX_NONE); /* full */
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_shapes_change_nothing),
        cmocka_unit_test(values_that_decide),
        cmocka_unit_test(too_many_shapes),
        cmocka_unit_test(strings_get_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
