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

static bool read_behind_mov(const char *tail, size_t nbytes)
{
    struct code_case driver;
    uint64_t steps_left = ENOUGH_STEPS;
    case_begin(&driver, MACHINE_I386);
    uint32_t rva = CASE_PUT_VA(&driver, CASE_TEXT_RVA, "\xB9", PLACE_RVA);
    case_put(&driver, rva, tail, nbytes);
    case_read(&driver);
    bool is_read = address_is_read_through(&driver.image, &driver.map, decoder_new(&driver.arena, false),
                                           CASE_TEXT_RVA + 1, &steps_left);
    case_end(&driver);
    return is_read;
}

#define READ_BEHIND_MOV(literal) read_behind_mov(literal, sizeof(literal) - 1)

static void read_through(void **state)
{
    (void)state;
    assert_true(READ_BEHIND_MOV("\x41\x02\x01\xEB\xFB"));      /* again: inc ecx; add al, [ecx]; jmp again */
    assert_true(READ_BEHIND_MOV("\x8D\x14\x01\x8A\x02\xC3"));  /* lea edx, [ecx + eax]; mov al, [edx] */
    assert_true(READ_BEHIND_MOV("\x8B\xF1\xAC\xC3"));          /* mov esi, ecx; lodsb */
    assert_false(READ_BEHIND_MOV("\xFF\xD1\xC3"));             /* call ecx */
    assert_false(READ_BEHIND_MOV("\x89\x0A\x51\xFF\xD0\xC3")); /* mov [edx], ecx; push ecx; call eax */
    assert_false(READ_BEHIND_MOV("\x33\xC9\x8B\x01\xC3"));     /* xor ecx, ecx; mov eax, [ecx] */
    assert_false(READ_BEHIND_MOV("\x88\x01\xC3"));             /* mov [ecx], al */
}

/* Branches of two bytes are in no inventory. */
static void short_branches_join(void **state)
{
    (void)state;
    struct code_case driver;
    case_begin(&driver, MACHINE_I386);
    /* jmp over; inc eax; over: jecxz back; 3E jne over; ret */
    CASE_PUT(&driver, CASE_TEXT_RVA, "\x74\x01\x40\xE3\xFD\x3E\x75\xFB\xC3");
    case_read(&driver);
    for (uint32_t i = 0; i < 9; i++)
        assert_int_equal(site_set_has(&driver.map.short_targets, made_foff(&driver.made, CASE_TEXT_RVA + i)),
                         i == 2 || i == 3);
    case_end(&driver);
}

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
    site_set_add(&joins, made_foff(&driver.made, access_rva)); /* something else leads to the access, too */
    struct register_bounds bounds;
    bool is_joined = register_bounds_find(&driver.image, &driver.map, decoder_new(&driver.arena, false),
                                          &joins, access_rva, 2, &bounds);
    assert_true(!is_joined || bounds.is_joined);
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

    assert_false(RANGE_BEHIND("\x66\x83\xFA\x07\x77\x09", &range)); /* cmp dx, 7; ja */
    assert_false(RANGE_BEHIND("\x80\xE2\x0F", &range));             /* and dl, 15 */
    assert_false(RANGE_BEHIND("\x83\xFA\x07\x72\x09", &range));     /* cmp edx, 7; jb */
    assert_true(RANGE_BEHIND("\x83\xFA\x07\x77\x0A\x42", &range));  /* ... inc edx */
    assert_true(range.low == 1 && range.high == 8);
    assert_false(RANGE_BEHIND("\x83\xFA\x07\x77\x0C\x03\xD0", &range)); /* ... add edx, eax */
    assert_false(RANGE_BEHIND("\x83\xF9\x07\x77\x09", &range));         /* of ecx */
    assert_false(RANGE_BEHIND("\x83\xFA\x07\x77\x0B\xFF\xD0", &range)); /* a call between */
}

static void bounds_that_are_made(void **state)
{
    (void)state;
    struct index_range range;
    assert_true(RANGE_BEHIND("\x83\xFA\x07\x73\x09", &range)); /* cmp edx, 7; jae */
    assert_int_equal(range.high, 6);
    assert_true(RANGE_BEHIND("\x25\xFF\x00\x00\x00\x8B\xD0", &range)); /* and eax, 255; mov edx, eax */
    assert_int_equal(range.high, 255);
    assert_true(RANGE_BEHIND("\xC1\xEA\x1C", &range)); /* shr edx, 28 */
    assert_int_equal(range.high, 15);
    assert_true(RANGE_BEHIND("\x33\xD2", &range)); /* xor edx, edx */
    assert_int_equal(range.high, 0);
    assert_true(RANGE_BEHIND("\xBA\x10\x00\x00\x00\x4A", &range)); /* mov edx, 16; dec edx */
    assert_int_equal(range.low, 15);
    assert_int_equal(range.high, 15);
    assert_true(
        RANGE_BEHIND("\x83\xE7\x0F\xFF\xD0\x8D\x57\x04", &range)); /* and edi, 15; call; lea edx, [edi + 4] */
    assert_int_equal(range.low, 4);
    assert_int_equal(range.high, 19);

    assert_true(RANGE_BEHIND("\x83\xE2\x01\x42\xC1\xE2\x06\x42", &range)); /* and edx, 1; inc; shl 6; inc */
    assert_int_equal(range.low, 65);
    assert_int_equal(range.high, 129);

    assert_false(RANGE_BEHIND("\x83\xE2\x0F\xFF\xD0", &range));                 /* and edx, 15; call eax */
    assert_false(RANGE_BEHIND("\x83\xE2\x0F\x83\xEA\x01", &range));             /* ... sub edx, 1: below 0 */
    assert_false(RANGE_BEHIND("\xBA\x00\x10\x40\x00", &range));                 /* mov edx, an address */
    assert_false(RANGE_BEHIND("\x83\xE2\x0F\xB2\x77", &range));                 /* ... mov dl, 0x77 */
    assert_false(RANGE_BEHIND("\x83\xE2\x0F\x0F\x44\xD0", &range));             /* ... cmove edx, eax */
    assert_false(RANGE_BEHIND("\x83\xE2\x0F\x66\xBA\x34\x12", &range));         /* ... mov dx, 0x1234 */
    assert_false(RANGE_BEHIND("\x83\xE2\x0F\x8D\x92\x00\x10\x40\x00", &range)); /* lea edx, [edx + address] */
    assert_false(RANGE_BEHIND("\xC1\xFA\x1C", &range));                         /* sar edx, 28 */
}

/* `tail` stands behind mov ecx, PLACE (x86); something else leads to the byte `join` of it. */
static bool first_behind_mov(const char *front, size_t front_nbytes, const char *tail, size_t nbytes,
                             int join, int64_t *first, int64_t *end)
{
    struct code_case driver;
    struct site_set joins;
    uint64_t steps_left = ENOUGH_STEPS;
    case_begin(&driver, MACHINE_I386);
    uint32_t site_rva = case_put(&driver, CASE_TEXT_RVA, front, front_nbytes);
    uint32_t rva = CASE_PUT_VA(&driver, site_rva, "\xB9", PLACE_RVA);
    case_put(&driver, rva, tail, nbytes);
    case_read(&driver);
    assert_true(site_set_init(&joins, &driver.arena, driver.image.file.nbytes));
    if (join >= 0)
        site_set_add(&joins, made_foff(&driver.made, rva + (uint32_t)join));
    bool is_found = address_first_accesses(&driver.image, &driver.map, decoder_new(&driver.arena, false),
                                           &joins, site_rva + 1, &steps_left, first, end);
    case_end(&driver);
    return is_found;
}

#define FIRST_BEHIND(front, tail, join)                                                                      \
    first_behind_mov(front, sizeof(front) - 1, tail, sizeof(tail) - 1, join, &first, &end)

static void first_access_shows(void **state)
{
    (void)state;
    int64_t first, end;
    /* mov eax, [ecx + 8]; add ecx, 4; push ecx; call eax */
    assert_true(FIRST_BEHIND("", "\x8B\x41\x08\x83\xC1\x04\x51\xFF\xD0\xC3", -1));
    assert_int_equal(first, 8);
    assert_int_equal(end, 12);
    /* mov edx, ecx; call [edx]: a slot of imports */
    assert_true(FIRST_BEHIND("", "\x8B\xD1\xFF\x12\xC3", -1));
    assert_int_equal(first, 0);
    assert_int_equal(end, 4);
    /* and eax, 7; mov ecx, PLACE; add eax, [ecx + eax * 4] */
    assert_true(FIRST_BEHIND("\x83\xE0\x07", "\x03\x04\x81\xC3", -1));
    assert_int_equal(first, 0);
    assert_int_equal(end, 32);
    /* mov eax, 16; mov ecx, PLACE; again: mov dl, [ecx + eax]; dec eax; jnz again: what is folded shows */
    assert_true(FIRST_BEHIND("\xB8\x10\x00\x00\x00", "\x8A\x14\x08\x48\x75\xFA\xC3", 0));
    assert_int_equal(first, 16);
    assert_int_equal(end, 17);

    /* add ecx, 2; sub ecx, 8; mov eax, [ecx]: constants belong to the address */
    assert_true(FIRST_BEHIND("", "\x83\xC1\x02\x83\xE9\x08\x8B\x01\xC3", -1));
    assert_int_equal(first, -6);
    assert_int_equal(end, -2);

    /* the address is computed with first: add ecx, eax; mov eax, [ecx] */
    assert_false(FIRST_BEHIND("", "\x03\xC8\x8B\x01\xC3", -1));
    assert_false(FIRST_BEHIND("", "\x8D\x51\x04\x8B\x01\xC3", -1)); /* lea edx, [ecx + 4] */
    /* on one of two paths: jz over the access, then add ecx, eax */
    assert_false(FIRST_BEHIND("", "\x74\x02\x8B\x01\x03\xC8\xC3", -1));
    /* an index of unknown bounds; a difference of two addresses as index: nobody knows */
    assert_false(FIRST_BEHIND("", "\x8B\x04\x81\xC3", -1));
    /* never accessed: push ecx; call eax */
    assert_false(FIRST_BEHIND("", "\x51\xFF\xD0\xC3", -1));
    /* xor eax, eax; again: mov dl, [ecx + eax], and something else leads to `again` with another eax; the
     * address does not come by way of the xor */
    assert_false(FIRST_BEHIND("", "\x33\xC0\x8A\x14\x08\xC3", 2));
    assert_true(FIRST_BEHIND("", "\x33\xC0\x8A\x14\x08\xC3", -1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accesses_right_there), cmocka_unit_test(goes_out_of_sight),
        cmocka_unit_test(something_is_added),   cmocka_unit_test(only_compared),
        cmocka_unit_test(steps_are_bounded),    cmocka_unit_test(bounds_of_an_index),
        cmocka_unit_test(read_through),         cmocka_unit_test(short_branches_join),
        cmocka_unit_test(bounds_that_are_made), cmocka_unit_test(first_access_shows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
