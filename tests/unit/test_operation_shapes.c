/* test_operation_shapes.c - an operation of a shape that is known says what the decoder library would have
 * said. */
#include "calls/operation.h"
#include "cmocka_all.h"

enum { STRINGS = 300000, STRING_NBYTES = 15, KINDS_OF_FIRST_BYTES = 512 };

static uint64_t random_state;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void assert_same_operand(const struct operand *a, const struct operand *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->nbytes, b->nbytes);
    assert_int_equal(a->is_written, b->is_written);
    assert_int_equal(a->is_high_byte, b->is_high_byte);
    assert_int_equal(a->reg, b->reg);
    assert_int_equal(a->base, b->base);
    assert_int_equal(a->index, b->index);
    assert_int_equal(a->scale, b->scale);
    assert_int_equal(a->has_place, b->has_place);
    assert_int_equal(a->is_rip_relative, b->is_rip_relative);
    assert_int_equal(a->has_segment, b->has_segment);
    assert_true(a->number == b->number);
    assert_int_equal(a->field_offset, b->field_offset);
}

static void assert_same_operation(const struct operation *a, const struct operation *b)
{
    assert_int_equal(a->rva, b->rva);
    assert_int_equal(a->nbytes, b->nbytes);
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->compute, b->compute);
    assert_int_equal(a->operand_count, b->operand_count);
    assert_int_equal(a->condition, b->condition);
    assert_int_equal(a->has_target, b->has_target);
    assert_int_equal(a->target_rva, b->target_rva);
    assert_int_equal(a->written, b->written);
    assert_int_equal(a->writes_memory, b->writes_memory);
    assert_int_equal(a->return_nbytes, b->return_nbytes);
    for (unsigned i = 0; i < a->operand_count; i++)
        assert_same_operand(&a->operands[i], &b->operands[i]);
}

static void make_firsts(uint8_t firsts[][4])
{
    static const uint8_t common[] = {0x48, 0x0F, 0x66, 0x4C, 0x41, 0xF3, 0x8B, 0x89};
    for (size_t i = 0; i < KINDS_OF_FIRST_BYTES; i++)
        for (size_t k = 0; k < 4; k++)
            firsts[i][k] = k < 2 && next_random() % 3 == 0 ? common[next_random() % sizeof common]
                                                           : (uint8_t)next_random();
}

/* Few first bytes, so that most shapes come again, with other values behind them. */
static void fill(uint8_t *bytes, uint8_t firsts[][4])
{
    const uint8_t *first = firsts[next_random() % KINDS_OF_FIRST_BYTES];
    for (size_t i = 0; i < STRING_NBYTES; i++)
        bytes[i] = i < 4 ? first[i] : (uint8_t)next_random();
    if (next_random() % 2) /* values of few bits are the usual ones */
        memset(bytes + 5, next_random() % 2 ? 0 : 0xFF, STRING_NBYTES - 5);
}

static void compare_readers(bool is_64, uint64_t seed)
{
    static uint8_t firsts[KINDS_OF_FIRST_BYTES][4];
    struct arena kept, fresh;
    arena_init(&kept, NULL);
    arena_init(&fresh, NULL);
    struct operation_reader *reader = operation_reader_new(&kept, is_64);
    size_t decoded = 0;
    random_state = seed;
    for (size_t i = 0; i < STRINGS; i++) {
        uint8_t bytes[STRING_NBYTES];
        struct operation again, once;
        if (i % (KINDS_OF_FIRST_BYTES * 8) == 0)
            make_firsts(firsts);
        fill(bytes, firsts);
        size_t nbytes = next_random() % 8 == 0 ? next_random() % STRING_NBYTES : STRING_NBYTES;
        uint32_t rva = (uint32_t)next_random() & 0x7FFFFFFF;
        struct operation_reader *reader_once = operation_reader_new(&fresh, is_64);
        bool is_read = operation_read(reader_once, bytes, nbytes, rva, &once);
        assert_int_equal(operation_read(reader, bytes, nbytes, rva, &again), is_read);
        if (is_read)
            assert_same_operation(&again, &once);
        decoded += is_read;
        if (i % 64 == 0)
            arena_free(&fresh);
    }
    assert_true(decoded > STRINGS / 4);
    arena_free(&fresh);
    arena_free(&kept);
}

static void test_x64(void **state)
{
    (void)state;
    compare_readers(true, UINT64_C(0x9E3779B97F4A7C15));
}

static void test_x86(void **state)
{
    (void)state;
    compare_readers(false, UINT64_C(0xD1B54A32D192ED03));
}

/* The number of `bts` is the bit that its value counts. */
static void test_bits(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL);
    struct operation_reader *reader = operation_reader_new(&arena, true);
    for (uint8_t bit = 0; bit < 32; bit++) {
        const uint8_t bts[] = {0x0F, 0xBA, 0xE8, bit}; /* bts eax, bit */
        struct operation operation;
        assert_true(operation_read(reader, bts, sizeof bts, 0x1000, &operation));
        assert_true(operation.operands[1].number == INT64_C(1) << bit);
    }
    arena_free(&arena);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_x64),
        cmocka_unit_test(test_x86),
        cmocka_unit_test(test_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
