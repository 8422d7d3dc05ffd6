/* test_verify_shapes.c - the verifier's decoder says of an instruction whose first bytes it has met before
 * what Zydis, asked directly, and a new decoder say. Takes: instructions at random, many with the same first
 * bytes.  Gives: pass or fail. */
#include "cmocka_all.h"
#include "verify/verify_full.h"
#include "verify/verify_registers.h"

enum { ROUND_COUNT = 60000, LONGEST_NBYTES = 15 };

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static bool is_same(const struct verify_instruction *a, const struct verify_instruction *b)
{
    bool same = a->nbytes == b->nbytes && a->disp_at == b->disp_at && a->disp_nbytes == b->disp_nbytes &&
                a->is_rip_relative == b->is_rip_relative && a->is_plain_memory == b->is_plain_memory &&
                a->is_bit_string == b->is_bit_string && a->is_stack_relative == b->is_stack_relative &&
                a->is_unlikely == b->is_unlikely && a->flow == b->flow && a->has_target == b->has_target &&
                a->target == b->target;
    for (unsigned i = 0; i < 2; i++)
        same = same && a->imm_at[i] == b->imm_at[i] && a->imm_nbytes[i] == b->imm_nbytes[i];
    return same;
}

/* Random bytes, often behind heads that instructions have, sometimes cut off. */
static struct span random_code(uint32_t *random, const uint8_t *heads, size_t head_count,
                               uint8_t bytes[LONGEST_NBYTES])
{
    for (unsigned k = 0; k < LONGEST_NBYTES; k++)
        bytes[k] = (uint8_t)next_random(random);
    for (unsigned k = 0; k < next_random(random) % 4; k++)
        bytes[k] = heads[next_random(random) % head_count];
    return (struct span){bytes, next_random(random) % 4 == 0 ? next_random(random) % 16 : 15};
}

static void known_instructions_change_nothing(void **state)
{
    (void)state;
    static const uint8_t heads[] = {0x0F, 0x0F, 0x48, 0x66, 0xF3, 0x41, 0x8B, 0x81, 0xE8, 0xEB,
                                    0x74, 0xFF, 0xC7, 0xA1, 0x68, 0x89, 0x67, 0xE2, 0xC4, 0xC8};
    uint32_t random = 1;
    size_t valid_count = 0, target_count = 0;
    for (unsigned is_64 = 0; is_64 < 2; is_64++) {
        struct arena arena, fresh_arena;
        struct verify_decoder decoder, fresh;
        arena_init(&arena, NULL);
        assert_true(verify_decoder_init(&decoder, &arena, is_64));
        for (unsigned i = 0; i < ROUND_COUNT; i++) {
            uint8_t bytes[LONGEST_NBYTES];
            struct span code = random_code(&random, heads, sizeof heads, bytes);
            struct verify_instruction known, anew;
            ZydisDecodedInstruction raw;
            arena_init(&fresh_arena, NULL);
            assert_true(verify_decoder_init(&fresh, &fresh_arena, is_64));
            bool is_decoded = verify_decode(&decoder, code, 0, &known);
            assert_int_equal(is_decoded, verify_decode(&fresh, code, 0, &anew));
            assert_int_equal(is_decoded, ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&fresh.zydis, NULL, bytes,
                                                                                    code.nbytes, &raw)));
            if (is_decoded) {
                assert_true(is_same(&known, &anew));
                assert_int_equal(known.nbytes, raw.length);
                if (known.has_target)
                    assert_true(known.target == raw.length + raw.raw.imm[0].value.s);
                valid_count++;
                target_count += known.has_target;
            }
            arena_free(&fresh_arena);
        }
        assert_true(decoder.shapes->index.count > 1000);
        arena_free(&arena);
    }
    assert_true(valid_count > ROUND_COUNT && target_count > ROUND_COUNT / 20);
}

/* With operands: each byte of each, as Zydis says it, whether first bytes are new, were met without operands,
 * or with them. */
static void known_operands_change_nothing(void **state)
{
    (void)state;
    static const uint8_t heads[] = {0x48, 0x66, 0xF3, 0x41, 0x8B, 0x81, 0xE8, 0x74, 0xFF, 0xC7,
                                    0xA1, 0x68, 0x89, 0x67, 0xD1, 0xC8, 0x0F, 0x9A, 0x83, 0x8D};
    uint32_t random = 2;
    size_t valid_count = 0;
    for (unsigned is_64 = 0; is_64 < 2; is_64++) {
        struct arena arena;
        struct verify_decoder decoder;
        arena_init(&arena, NULL);
        assert_true(verify_decoder_init(&decoder, &arena, is_64));
        for (unsigned i = 0; i < ROUND_COUNT; i++) {
            uint8_t bytes[LONGEST_NBYTES];
            struct span code = random_code(&random, heads, sizeof heads, bytes);
            struct verify_instruction instruction;
            struct verify_full full;
            ZydisDecodedInstruction raw;
            ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
            if (next_random(&random) % 2 == 0)
                (void)verify_decode(&decoder, code, 0, &instruction);
            bool is_decoded = verify_full_decode(&decoder, code, 0, &full);
            assert_int_equal(is_decoded, ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder.zydis, bytes,
                                                                             code.nbytes, &raw, operands)));
            if (!is_decoded)
                continue;
            valid_count++;
            size_t count = raw.operand_count < 2 ? 2 : raw.operand_count; /* two are zeros at least */
            assert_memory_equal(full.operands, operands, count * sizeof *operands);
            const struct verify_full_head *head = &full.decoded;
            assert_true(head->machine_mode == raw.machine_mode && head->mnemonic == raw.mnemonic &&
                        head->attributes == raw.attributes && head->length == raw.length &&
                        head->operand_width == raw.operand_width &&
                        head->operand_count == raw.operand_count &&
                        head->operand_count_visible == raw.operand_count_visible);
            assert_true(head->meta.category == raw.meta.category &&
                        head->meta.branch_type == raw.meta.branch_type && head->cpu_flags == raw.cpu_flags &&
                        head->raw.disp.size == raw.raw.disp.size &&
                        head->raw.disp.offset == raw.raw.disp.offset &&
                        head->raw.imm[0].is_relative == raw.raw.imm[0].is_relative &&
                        head->raw.imm[0].value.s == raw.raw.imm[0].value.s);
        }
        arena_free(&arena);
    }
    assert_true(valid_count > ROUND_COUNT);
}

/* Zydis's own table of which register holds which. */
static void numbers_of_registers(void **state)
{
    (void)state;
    for (ZydisRegister reg = ZYDIS_REGISTER_NONE; reg <= ZYDIS_REGISTER_MAX_VALUE; reg++) {
        int number =
            (int)ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg) - (int)ZYDIS_REGISTER_RAX;
        bool is_general =
            number >= 0 && number < 16 && reg != ZYDIS_REGISTER_RIP && reg != ZYDIS_REGISTER_EIP;
        assert_int_equal(verify_register_number(reg), is_general ? number : -1);
    }
}

/* 3DNow! has its opcode behind the displacement. */
static void an_opcode_behind_the_displacement(void **state)
{
    (void)state;
    static const uint8_t pfadd[] = {0x0F, 0x0F, 0x41, 0x10, 0x9E}, nothing[] = {0x0F, 0x0F, 0x41, 0x10, 0x00};
    struct arena arena;
    struct verify_decoder decoder;
    struct verify_instruction instruction;
    arena_init(&arena, NULL);
    assert_true(verify_decoder_init(&decoder, &arena, false));
    assert_true(verify_decode(&decoder, (struct span){pfadd, sizeof pfadd}, 0, &instruction));
    assert_false(verify_decode(&decoder, (struct span){nothing, sizeof nothing}, 0, &instruction));
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_instructions_change_nothing), cmocka_unit_test(known_operands_change_nothing),
        cmocka_unit_test(numbers_of_registers), cmocka_unit_test(an_opcode_behind_the_displacement)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
