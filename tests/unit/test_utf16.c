/* test_utf16.c - UTF-16 and UTF-8: against the C library's iconv for well-formed text, by hand for the rest.
 */
#define _POSIX_C_SOURCE 200809L
#include "cmocka_all.h"

#include "base/utf16.h"

#include <iconv.h>

enum { EVERY_CHARACTER = 0x110000 };

static size_t convert(const char *to, const char *from, const void *input, size_t input_nbytes, void *output,
                      size_t output_nbytes)
{
    iconv_t converter = iconv_open(to, from);
    assert_true(converter != (iconv_t)-1);
    char *in = (char *)(uintptr_t)input, *out = output;
    size_t left_nbytes = output_nbytes;
    size_t result = iconv(converter, &in, &input_nbytes, &out, &left_nbytes);
    assert_int_equal(iconv_close(converter), 0);
    assert_int_equal(result, 0);
    return output_nbytes - left_nbytes;
}

static void test_every_character_as_iconv_has_it(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL);
    uint32_t *all = arena_array(&arena, EVERY_CHARACTER, sizeof *all);
    size_t count = 0;
    for (uint32_t code_point = 0; code_point < EVERY_CHARACTER; code_point++)
        if (code_point < 0xD800 || code_point >= 0xE000)
            all[count++] = code_point;
    size_t room_nbytes = count * 4;
    char *utf8 = arena_alloc(&arena, room_nbytes);
    uint16_t *units = arena_alloc(&arena, room_nbytes);
    size_t utf8_nbytes = convert("UTF-8", "UTF-32LE", all, count * 4, utf8, room_nbytes);
    size_t unit_count = convert("UTF-16LE", "UTF-32LE", all, count * 4, units, room_nbytes) / 2;

    size_t ours_nbytes, ours_count;
    char *our_utf8 = utf16_to_utf8(units, unit_count, &arena, &ours_nbytes);
    assert_int_equal(ours_nbytes, utf8_nbytes);
    assert_memory_equal(our_utf8, utf8, utf8_nbytes);
    assert_int_equal(our_utf8[utf8_nbytes], 0);
    uint16_t *our_units = utf16_from_utf8(utf8, utf8_nbytes, &arena, &ours_count);
    assert_int_equal(ours_count, unit_count);
    assert_memory_equal(our_units, units, unit_count * 2);
    assert_int_equal(our_units[unit_count], 0);
    arena_free(&arena);
}

/* Each unit alone and every kind of neighbours come back as they were: no two names become one. */
static void test_unpaired_surrogates_come_back(void **state)
{
    (void)state;
    static const uint16_t kinds[] = {'a', 0xD800, 0xDBFF, 0xDC00, 0xDFFF, 0xFFFD, 0xE9};
    enum { KIND_COUNT = sizeof kinds / sizeof kinds[0] };
    for (size_t n = 0; n < KIND_COUNT * KIND_COUNT * KIND_COUNT; n++) {
        struct arena arena;
        arena_init(&arena, NULL);
        uint16_t units[] = {kinds[n % KIND_COUNT], kinds[n / KIND_COUNT % KIND_COUNT],
                            kinds[n / KIND_COUNT / KIND_COUNT]};
        size_t nbytes, count;
        char *utf8 = utf16_to_utf8(units, 3, &arena, &nbytes);
        uint16_t *back = utf16_from_utf8(utf8, nbytes, &arena, &count);
        assert_int_equal(count, 3);
        assert_memory_equal(back, units, sizeof units);
        arena_free(&arena);
    }
    struct arena arena;
    arena_init(&arena, NULL);
    size_t nbytes;
    static const uint16_t lone[] = {0xD83D};
    assert_string_equal(utf16_to_utf8(lone, 1, &arena, &nbytes), "\xED\xA0\xBD"); /* by the WTF-8 encoding */
    arena_free(&arena);
}

static void test_bytes_that_are_no_characters(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t nbytes;
        uint16_t units[5];
        size_t unit_count;
    } cases[] = {
        {"\x80", 1, {0xFFFD}, 1},                                     /* continuation alone */
        {"\xC3", 1, {0xFFFD}, 1},                                     /* cut off */
        {"\xE2\x82", 2, {0xFFFD, 0xFFFD}, 2},                         /* cut off */
        {"\xF0\x9F\x98", 3, {0xFFFD, 0xFFFD, 0xFFFD}, 3},             /* cut off */
        {"\xC0\xAF", 2, {0xFFFD, 0xFFFD}, 2},                         /* "/" in too many bytes */
        {"\xE0\x80\xAF", 3, {0xFFFD, 0xFFFD, 0xFFFD}, 3},             /* the same */
        {"\xF4\x90\x80\x80", 4, {0xFFFD, 0xFFFD, 0xFFFD, 0xFFFD}, 4}, /* U+110000 */
        {"\xFF", 1, {0xFFFD}, 1},
        {"a\xC3z", 3, {'a', 0xFFFD, 'z'}, 3},
        {"a\0b", 3, {'a', 0, 'b'}, 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena arena;
        arena_init(&arena, NULL);
        size_t count;
        uint16_t *units = utf16_from_utf8(cases[i].bytes, cases[i].nbytes, &arena, &count);
        assert_int_equal(count, cases[i].unit_count);
        assert_memory_equal(units, cases[i].units, count * 2);
        arena_free(&arena);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_character_as_iconv_has_it),
        cmocka_unit_test(test_unpaired_surrogates_come_back),
        cmocka_unit_test(test_bytes_that_are_no_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
