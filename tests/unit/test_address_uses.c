/* test_address_uses.c - what code does with an address: as it is, compared, or computed with; and the bounds
 * of an index. The instructions were assembled by hand from the processor's manual. */
#include "code/address_uses.h"
#include "code/index_range.h"
#include "code_case.h"

enum { PLACE_RVA = CASE_DATA_RVA + 0x40, ENOUGH_STEPS = 1 << 20 };

/* `tail` stands behind mov ecx, PLACE (x86). */
static struct address_uses uses_behind_mov(const char *tail, size_t nbytes)
{
    struct code_case driver;
    uint64_t steps_left = ENOUGH_STEPS;
    case_begin(&driver, MACHINE_I386);
    uint32_t rva = CASE_PUT_VA(&driver, CASE_TEXT_RVA, "\xB9", PLACE_RVA);
    case_put(&driver, rva, tail, nbytes);
    case_read(&driver);
    struct decoder *decoder = decoder_new(&driver.arena, false);
    assert_non_null(decoder);
    assert_true(case_is_code(&driver, rva));
    struct address_uses uses =
        address_uses_follow(&driver.image, &driver.map, decoder, CASE_TEXT_RVA + 1, &steps_left);
    case_end(&driver);
    return uses;
}

#define USES_BEHIND_MOV(literal) uses_behind_mov(literal, sizeof(literal) - 1)

static void accesses_right_there(void **state)
{
    (void)state;
    struct address_uses uses = USES_BEHIND_MOV("\x8B\x41\x08"           /* mov eax, [ecx + 8] */
                                               "\x66\x89\x41\x02\xC3"); /* mov [ecx + 2], ax; ret */
    assert_true(uses.is_as_is && uses.is_decided && !uses.is_never_accessed);
    assert_int_equal(uses.first, 2);
    assert_int_equal(uses.end, 12);

    uses = USES_BEHIND_MOV("\x8B\xF9\x33\xC0\xAB\xC3"); /* mov edi, ecx; xor eax, eax; stosd; ret */
    assert_true(uses.is_decided);
    assert_int_equal(uses.first, 0);
}

static void goes_out_of_sight(void **state)
{
    (void)state;
    struct address_uses uses = USES_BEHIND_MOV("\x51\xFF\xD0\xC3"); /* push ecx; call eax; ret */
    assert_true(uses.is_as_is && !uses.is_decided);
    uses = USES_BEHIND_MOV("\x89\x0A\xC3"); /* mov [edx], ecx; ret */
    assert_true(uses.is_as_is && !uses.is_decided);
    uses = USES_BEHIND_MOV("\x8B\xC1\xC3"); /* mov eax, ecx; ret */
    assert_true(uses.is_as_is && !uses.is_decided);
}

static void something_is_added(void **state)
{
    (void)state;
    assert_false(USES_BEHIND_MOV("\x8B\x04\x81\xC3").is_as_is);     /* mov eax, [ecx + eax * 4] */
    assert_false(USES_BEHIND_MOV("\x8B\x04\x08\xC3").is_as_is);     /* mov eax, [eax + ecx] */
    assert_false(USES_BEHIND_MOV("\x03\xC8\x8B\x01\xC3").is_as_is); /* add ecx, eax; mov eax, [ecx] */
    assert_false(USES_BEHIND_MOV("\x8D\x41\x04\xC3").is_as_is);     /* lea eax, [ecx + 4] */
    /* On one of two paths: jz over nothing but the access. */
    assert_false(USES_BEHIND_MOV("\x74\x02\x8B\x01\x03\xC8\xC3").is_as_is);
}

static void only_compared(void **state)
{
    (void)state;
    struct address_uses uses =
        USES_BEHIND_MOV("\x3B\xD1\xB9\x01\x00\x00\x00\xC3"); /* cmp edx, ecx; mov ecx, 1 */
    assert_true(uses.is_compared && !uses.is_as_is && uses.is_never_accessed);
    uses =
        USES_BEHIND_MOV("\x3B\xD1\xC3"); /* it may still be meant where it lies when the function returns */
    assert_false(uses.is_never_accessed);
}

static void steps_are_bounded(void **state)
{
    (void)state;
    struct code_case driver;
    uint64_t steps_left = 0;
    case_begin(&driver, MACHINE_I386);
    CASE_PUT(&driver, CASE_PUT_VA(&driver, CASE_TEXT_RVA, "\xB9", PLACE_RVA), "\x8B\x01\xC3");
    case_read(&driver);
    struct decoder *decoder = decoder_new(&driver.arena, false);
    assert_false(
        address_uses_follow(&driver.image, &driver.map, decoder, CASE_TEXT_RVA + 1, &steps_left).is_as_is);
    case_end(&driver);
}

/* `front` stands before mov eax, [edx * 4 + PLACE] (x86). True when the bounds are known. */
static bool range_behind(const char *front, size_t nbytes, struct index_range *range)
{
    struct code_case driver;
    struct site_set joins;
    case_begin(&driver, MACHINE_I386);
    uint32_t access_rva = case_put(&driver, CASE_TEXT_RVA, front, nbytes);
    CASE_PUT(&driver, CASE_PUT_VA(&driver, access_rva, "\x8B\x04\x95", PLACE_RVA),
             "\xC3\xC3\xC3\xC3\xC3\xC3");
    case_read(&driver);
    assert_true(site_set_init(&joins, &driver.arena, driver.image.file.nbytes));
    bool is_known = index_range_find(&driver.image, &driver.map, decoder_new(&driver.arena, false), &joins,
                                     access_rva, range);
    site_set_add(&joins, made_foff(&driver.made, access_rva)); /* something else leads to the access */
    struct index_range other;
    assert_false(index_range_find(&driver.image, &driver.map, decoder_new(&driver.arena, false), &joins,
                                  access_rva, &other));
    case_end(&driver);
    return is_known;
}

#define RANGE_BEHIND(literal, range) range_behind(literal, sizeof(literal) - 1, range)

static void bounds_of_an_index(void **state)
{
    (void)state;
    struct index_range range;
    /* lea edi, [edx - 0x803]; cmp edi, 4; ja */
    assert_true(RANGE_BEHIND("\x8D\xBA\xFD\xF7\xFF\xFF\x83\xFF\x04\x77\x09", &range));
    assert_int_equal(range.low, 0x803);
    assert_int_equal(range.high, 0x807);
    assert_int_equal(range.scale, 4);
    assert_int_equal(range.nbytes, 4);
    assert_true(RANGE_BEHIND("\x83\xFA\x07\x77\x09", &range)); /* cmp edx, 7; ja */
    assert_int_equal(range.low, 0);
    assert_int_equal(range.high, 7);
    assert_true(RANGE_BEHIND("\x83\xE2\x0F", &range)); /* and edx, 15 */
    assert_int_equal(range.high, 15);

    assert_false(RANGE_BEHIND("\x66\x83\xFA\x07\x77\x09", &range));     /* cmp dx, 7; ja */
    assert_false(RANGE_BEHIND("\x80\xE2\x0F", &range));                 /* and dl, 15 */
    assert_false(RANGE_BEHIND("\x83\xFA\x07\x72\x09", &range));         /* cmp edx, 7; jb */
    assert_false(RANGE_BEHIND("\x83\xFA\x07\x77\x0A\x42", &range));     /* ... inc edx */
    assert_false(RANGE_BEHIND("\x83\xF9\x07\x77\x09", &range));         /* of ecx */
    assert_false(RANGE_BEHIND("\x83\xFA\x07\x77\x0B\xFF\xD0", &range)); /* a call between */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accesses_right_there), cmocka_unit_test(goes_out_of_sight),
        cmocka_unit_test(something_is_added),   cmocka_unit_test(only_compared),
        cmocka_unit_test(steps_are_bounded),    cmocka_unit_test(bounds_of_an_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
