/* test_code_bytes.c - answers about several bytes at once are those of looking at one after the other.
 * Takes: random classes and marks.  Gives: pass or fail. */
#include "cmocka_all.h"
#include "code/code_bytes.h"

enum { SECTION_NBYTES = 61, ROUNDS = 20000 };

struct random_section {
    uint8_t classes[SECTION_NBYTES + SPARE_COUNT], marks[SECTION_NBYTES + SPARE_COUNT];
    struct reader_section section;
};

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

/* Runs of one class, so that long and short ones occur; functions begin anywhere. */
static void fill(struct random_section *random, uint32_t *seed)
{
    memset(random, 0, sizeof *random);
    random->section = (struct reader_section){
        .rva = 0x1000, .nbytes = SECTION_NBYTES, .classes = random->classes, .marks = random->marks};
    for (uint32_t at = 0; at < SECTION_NBYTES;) {
        uint32_t run = 1 + next_random(seed) % 24;
        enum byte_class byte_class = (enum byte_class)(next_random(seed) % (BYTE_PADDING + 1));
        if (next_random(seed) % 2)
            byte_class = BYTE_UNKNOWN;
        for (; run > 0 && at < SECTION_NBYTES; run--, at++) {
            byte_set_class(&random->section, at, byte_class);
            if (next_random(seed) % 8 == 0)
                byte_set_source(&random->section, at, (uint8_t)(next_random(seed) % (FUNCTION_LEA + 1)));
            if (next_random(seed) % 8 == 0)
                random->marks[at] = (uint8_t)next_random(seed);
        }
    }
}

static uint32_t find_slowly(const uint8_t *array, uint32_t at, uint32_t end, uint8_t mask, bool wanted)
{
    while (at < end && ((array[at] & mask) != 0) != wanted)
        at++;
    return at;
}

static void runs(void **state)
{
    (void)state;
    uint32_t seed = 1;
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct random_section random;
        fill(&random, &seed);
        const struct reader_section *section = &random.section;
        uint32_t at = next_random(&seed) % (SECTION_NBYTES + 1);
        uint32_t end = at + next_random(&seed) % (SECTION_NBYTES + 1 - at);
        uint8_t mask = (uint8_t)next_random(&seed);
        assert_int_equal(bytes_find_unknown(section, at, end),
                         find_slowly(random.classes, at, end, CLASS_MASK, false));
        assert_int_equal(bytes_find_known(section, at, end),
                         find_slowly(random.classes, at, end, CLASS_MASK, true));
        assert_int_equal(bytes_find(random.marks, at, end, mask),
                         find_slowly(random.marks, at, end, mask, true));
    }
}

static void instructions(void **state)
{
    (void)state;
    uint32_t seed = 2;
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct random_section random, before;
        fill(&random, &seed);
        uint32_t nbytes = 1 + next_random(&seed) % 15;
        uint32_t at = next_random(&seed) % (SECTION_NBYTES - nbytes + 1);
        bool is_free = find_slowly(random.classes, at, at + nbytes, CLASS_MASK, true) == at + nbytes;
        assert_int_equal(bytes_are_unknown(&random.section, at, nbytes), is_free);
        if (!is_free)
            continue;
        before = random;
        bytes_set_instruction(&random.section, at, nbytes);
        for (uint32_t i = 0; i < SECTION_NBYTES + SPARE_COUNT; i++) {
            uint8_t added = i < at || i >= at + nbytes ? 0
                            : i == at                  ? BYTE_INSTRUCTION
                                                       : BYTE_INSTRUCTION_TAIL;
            assert_int_equal(random.classes[i], before.classes[i] | added);
            assert_int_equal(random.marks[i], before.marks[i]);
        }
    }
}

/* The strongest source that names a function stays, and what the byte is does not matter. */
static void sources(void **state)
{
    (void)state;
    for (unsigned first = 0; first <= FUNCTION_LEA; first++)
        for (unsigned second = 0; second <= FUNCTION_LEA; second++) {
            struct random_section random = {0};
            struct reader_section *section = &random.section;
            section->classes = random.classes;
            byte_set_class(section, 3, BYTE_INSTRUCTION);
            assert_false(byte_begins_function(section, 3));
            assert_true(byte_lacks_source(section, 3, (uint8_t)first));
            assert_false(byte_lacks_source(section, 3, NO_SOURCE));
            byte_set_source(section, 3, (uint8_t)first);
            assert_true(byte_begins_function(section, 3));
            assert_int_equal(byte_function_source(section, 3), first);
            assert_int_equal(byte_lacks_source(section, 3, (uint8_t)second), second < first);
            byte_set_source(section, 3, (uint8_t)second);
            assert_int_equal(byte_function_source(section, 3), second);
            assert_int_equal(byte_class_at(section, 3), BYTE_INSTRUCTION);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs),
        cmocka_unit_test(instructions),
        cmocka_unit_test(sources),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
