/* test_call_values.c - sets of atoms and what arithmetic makes of them; stack slots at one point of a
 * function. Expected numbers are worked out by hand. */
#include "cmocka_all.h"

#include "calls/flow_state.h"

struct fixture {
    struct arena arena;
    struct value_table table;
};

static void begin(struct fixture *fixture)
{
    arena_init(&fixture->arena, NULL);
    assert_true(value_table_init(&fixture->table, &fixture->arena));
}

static void assert_number(const struct value_table *table, value_number value, uint64_t expected)
{
    uint64_t number;
    assert_true(value_is_constant(table, value, &number));
    assert_int_equal(number, expected);
}

static void test_equal_sets_have_equal_numbers(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    struct value_table *table = &fixture.table;
    value_number one = value_constant(table, 1), two = value_constant(table, 2);
    assert_int_equal(one, value_constant(table, 1));
    assert_int_not_equal(one, two);
    assert_int_equal(value_join(table, one, two), value_join(table, two, one));
    assert_int_equal(value_join(table, one, one), one);
    value_number all = one;
    for (uint64_t i = 2; i <= VALUE_MOST_ATOMS; i++)
        all = value_join(table, all, value_constant(table, i));
    assert_int_equal(table->values[all].atom_count, VALUE_MOST_ATOMS);
    assert_false(value_has_unknown(table, all));
    assert_int_equal(value_join(table, all, value_constant(table, 99)), value_unknown(table, UNKNOWN_MANY));
    /* one reason not to know is enough */
    value_number unknown = value_join(table, one, value_unknown(table, UNKNOWN_MEMORY));
    assert_int_equal(value_join(table, unknown, value_unknown(table, UNKNOWN_RESULT)), unknown);
    arena_free(&fixture.arena);
}

static void test_arithmetic(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    struct value_table *table = &fixture.table;
    value_number a = value_constant(table, 0xFFFFFFF0), b = value_constant(table, 0x20);
    assert_number(table, value_compute(table, VALUE_ADD, a, b, 4), 0x10);
    assert_number(table, value_compute(table, VALUE_ADD, a, b, 8), UINT64_C(0x100000010));
    assert_number(table, value_compute(table, VALUE_SUB, b, a, 4), 0x30);
    assert_number(table, value_compute(table, VALUE_AND, a, value_constant(table, 0xFF), 4), 0xF0);
    assert_number(table, value_compute(table, VALUE_SHIFT_LEFT, b, value_constant(table, 33), 4), 0x40);
    assert_number(table, value_compute(table, VALUE_SHIFT_LEFT, b, value_constant(table, 33), 8),
                  UINT64_C(0x4000000000));
    assert_number(table, value_sign_extend(table, value_constant(table, 0x80), 1, 4), 0xFFFFFF80);
    assert_number(table, value_sign_extend(table, value_constant(table, 0x7F), 1, 8), 0x7F);
    /* neg; sbb; and 0x200: 0 or 0x200 */
    value_number flag = value_join(table, value_constant(table, 0), value_constant(table, UINT32_MAX));
    value_number chosen = value_compute(table, VALUE_AND, flag, value_constant(table, 0x200), 4);
    assert_int_equal(chosen, value_join(table, value_constant(table, 0), value_constant(table, 0x200)));
    arena_free(&fixture.arena);
}

static void test_known_bits_of_something_unknown(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    struct value_table *table = &fixture.table;
    value_number argument = value_of_atom(table, ATOM_ENTRY_REGISTER, 1, 0);
    value_number with = value_compute(table, VALUE_OR, argument, value_constant(table, 0x200), 4);
    assert_int_equal(value_atom(table, with, 0)->or_mask, 0x200);
    assert_int_equal(value_atom(table, with, 0)->kind, ATOM_ENTRY_REGISTER);
    /* ... & 0: nothing of it is left */
    assert_number(table, value_compute(table, VALUE_AND, with, value_constant(table, 0x200), 4), 0x200);
    assert_number(table, value_mask(table, argument, 0, 7), 7);
    /* the sign of something unknown is unknown */
    value_number low = value_mask(table, argument, 0xFF, 0);
    assert_int_equal(value_atom(table, value_sign_extend(table, low, 1, 4), 0)->kind, ATOM_UNKNOWN);
    /* the sum of two unknown numbers says nothing */
    assert_int_equal(value_compute(table, VALUE_ADD, argument, argument, 8),
                     value_unknown(table, UNKNOWN_COMPUTED));
    arena_free(&fixture.arena);
}

static void test_slots(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    struct value_table *table = &fixture.table;
    struct flow_state at, other;
    state_begin(&at, table, true, 0);
    value_number five = value_constant(table, 5), six = value_constant(table, 6);
    state_store(&at, 0, -8, 8, five);
    state_store(&at, 0, -16, 4, six);
    assert_int_equal(state_load(&at, table, 0, -8, 8), five);
    assert_number(table, state_load(&at, table, 0, -8, 1), 5);
    assert_true(value_has_unknown(table, state_load(&at, table, 0, -12, 8))); /* across two of them */
    assert_int_equal(state_load_argument(&at, table, 0, -16, 8), six);
    assert_non_null(value_single(table, state_load(&at, table, 0, 16, 8), ATOM_ENTRY_STACK));
    assert_true(value_has_unknown(table, state_load(&at, table, 0, -64, 8))); /* nobody wrote it */

    other = at;
    state_store(&other, 0, -8, 8, six);
    assert_true(state_join(&other, &at, table, 1, false));
    assert_int_equal(state_load(&other, table, 0, -8, 8), value_join(table, five, six));
    assert_false(state_join(&other, &at, table, 1, false));

    /* Whose address is handed out may change, and what lies above it, but nothing below. */
    state_hand_out(&at, 0, -8);
    state_others_wrote(&at, table);
    assert_true(value_has_unknown(table, state_load(&at, table, 0, -8, 8)));
    assert_int_equal(state_load(&at, table, 0, -16, 4), six);
    assert_true(value_has_unknown(table, state_load(&at, table, 0, 16, 8)));
    arena_free(&fixture.arena);
}

static void test_depths_that_differ_begin_a_stack_of_their_own(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    struct value_table *table = &fixture.table;
    struct flow_state at, other;
    uint32_t base;
    int32_t offset;
    state_begin(&at, table, true, 0);
    other = at;
    other.registers[REGISTER_SP] = value_of_atom(table, ATOM_STACK_ADDRESS, 0, -8);
    assert_true(state_join(&at, &other, table, 0x1234, false));
    state_stack_pointer(&at, table, &base, &offset);
    assert_int_equal(base, 0x1234);
    assert_int_equal(offset, 0);
    arena_free(&fixture.arena);
}

static void test_order_does_not_depend_on_what_was_asked_first(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 2; first++) {
        struct fixture fixture;
        begin(&fixture);
        struct value_table *table = &fixture.table;
        struct atom atoms[VALUE_MOST_ATOMS];
        if (first == 0)
            (void)value_of_atom(table, ATOM_RESULT, 0, 0x1000);
        (void)value_constant(table, first ? 512 : 1);
        value_number all =
            value_join(table, value_unknown(table, UNKNOWN_MEMORY),
                       value_join(table, value_constant(table, 512), value_constant(table, 1)));
        all = value_join(table, value_of_atom(table, ATOM_RESULT, 0, 0x1000), all);
        assert_int_equal(value_in_order(table, all, atoms), 4);
        assert_int_equal(atoms[0].or_mask, 1);
        assert_int_equal(atoms[1].or_mask, 512);
        assert_int_equal(atoms[2].kind, ATOM_RESULT);
        assert_int_equal(atoms[3].kind, ATOM_UNKNOWN);
        arena_free(&fixture.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_does_not_depend_on_what_was_asked_first),
        cmocka_unit_test(test_equal_sets_have_equal_numbers),
        cmocka_unit_test(test_arithmetic),
        cmocka_unit_test(test_known_bits_of_something_unknown),
        cmocka_unit_test(test_slots),
        cmocka_unit_test(test_depths_that_differ_begin_a_stack_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
