/* test_verify_base_walk.c - the image base in a register, through the labels of a switch inside a loop.
 * Takes: a small x64 driver with one function, assembled by hand, and the table that it jumps through.
 * Gives: pass or fail. */
#include "cmocka_all.h"

#include "verify/verify_base_walk.h"
#include "verify_pairs.h"

enum {
    FUNCTION_RVA = DRIVER_SPARE_RVA,
    TABLE_RVA = DRIVER_RDATA_RVA + 0x1C0,
    LOAD_AT = 14,
    FIRST_CASE_AT = 26,
    SECOND_CASE_AT = 33,
    FUNCTION_NBYTES = 43
};

static const uint8_t switch_in_loop[FUNCTION_NBYTES] = {
    0x48, 0x8D, 0x35, 0,    0,    0, 0, /*      lea rsi, [image base] */
    0x83, 0xF8, 0x01,                   /* 7:   cmp eax, 1 */
    0x77, 0x1C,                         /*      ja 40 */
    0x48, 0x98,                         /*      cdqe */
    0x8B, 0x8C, 0x86, 0xC0, 0x21, 0, 0, /* 14:  mov ecx, [rsi + rax * 4 + TABLE_RVA] */
    0x48, 0x03, 0xCE,                   /*      add rcx, rsi */
    0xFF, 0xE1,                         /*      jmp rcx */
    0xB8, 0,    0,    0,    0,          /* 26:  mov eax, 0 */
    0xEB, 0xE6,                         /*      jmp 7 */
    0xB8, 1,    0,    0,    0,          /* 33:  mov eax, 1 */
    0xEB, 0xDF,                         /*      jmp 7 */
    0x33, 0xF6,                         /* 40:  xor esi, esi */
    0xC3,                               /*      ret */
};

/* The first reason why the base gets out of sight, or NULL; *is_known says whether it surely is in the
 * register at the load from the table. The second entry of the table leads to second_rva. */
static const char *walk(const uint8_t *bytes, uint32_t second_rva, bool *is_known)
{
    struct driver driver = driver_make(MACHINE_AMD64);
    struct arena arena;
    struct verify_image image;
    struct verify_tables tables;
    struct verify_code code;
    struct verify_base_sites sites = {0};
    struct verify_base_walk walk;
    struct verify_function function = {.rva = FUNCTION_RVA,
                                       .end_rva = FUNCTION_RVA + FUNCTION_NBYTES,
                                       .state = FUNCTION_UNSEEN,
                                       .is_gap = true};
    const char *problem, *escape = NULL;
    uint64_t foff, rva;
    arena_init(&arena, NULL);
    driver_put(&driver, FUNCTION_RVA, bytes, FUNCTION_NBYTES);
    store_u32(driver_at(&driver, FUNCTION_RVA + 3), (uint32_t)-(FUNCTION_RVA + 7));
    store_u32(driver_at(&driver, TABLE_RVA), FUNCTION_RVA + FIRST_CASE_AT);
    store_u32(driver_at(&driver, TABLE_RVA + 4), second_rva);
    struct verify_files files = driver_repair(&driver);
    assert_true(
        verify_image_read((struct span){files.old_bytes, files.old_nbytes}, &arena, &image, &problem, &foff));
    assert_true(verify_tables_read(&image, &arena, &tables));
    assert_true(verify_code_read(&image, &tables, &arena, &code, &problem, &foff));
    assert_true(verify_function_is_clean(&code, &function));
    assert_true(verify_base_add_site(&sites, &arena, FUNCTION_RVA));
    assert_true(verify_base_walk(&code, &sites, &arena, &function, &walk, &problem));
    *is_known = false;
    for (size_t i = 0; i < walk.count; i++) {
        const char *words = verify_base_escape(&walk, &walk.steps[i]);
        escape = escape ? escape : words;
        if (walk.steps[i].rva == FUNCTION_RVA + LOAD_AT)
            *is_known = verify_base_operand(&walk.steps[i], &walk.steps[i].full.operands[1], &rva) &&
                        rva == TABLE_RVA;
    }
    arena_free(&arena);
    pairs_free(&files);
    return escape;
}

static void a_switch_keeps_the_base(void **state)
{
    (void)state;
    bool is_known;
    const char *escape = walk(switch_in_loop, FUNCTION_RVA + SECOND_CASE_AT, &is_known);
    assert_true(is_known);
    assert_null(escape); /* xor esi, esi reads nothing */
}

/* A label that is not known: what the loop brings back is not known either. */
static void an_unknown_label_loses_it(void **state)
{
    (void)state;
    bool is_known;
    walk(switch_in_loop, FUNCTION_RVA + SECOND_CASE_AT + 1, &is_known);
    assert_false(is_known);
    walk(switch_in_loop, DRIVER_TEXT_RVA, &is_known);
    assert_false(is_known);
}

/* One case overwrites the register: the loop has it no longer. */
static void a_case_may_lose_it(void **state)
{
    (void)state;
    bool is_known;
    uint8_t bytes[FUNCTION_NBYTES];
    memcpy(bytes, switch_in_loop, sizeof bytes);
    bytes[SECOND_CASE_AT] = 0xBE; /* mov esi, 1 */
    walk(bytes, FUNCTION_RVA + SECOND_CASE_AT, &is_known);
    assert_false(is_known);
}

/* xor esi, edi reads it. */
static void other_registers_do_not_clear(void **state)
{
    (void)state;
    bool is_known;
    uint8_t bytes[FUNCTION_NBYTES];
    memcpy(bytes, switch_in_loop, sizeof bytes);
    bytes[FUNCTION_NBYTES - 2] = 0xF7;
    assert_non_null(walk(bytes, FUNCTION_RVA + SECOND_CASE_AT, &is_known));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_switch_keeps_the_base),
        cmocka_unit_test(an_unknown_label_loses_it),
        cmocka_unit_test(a_case_may_lose_it),
        cmocka_unit_test(other_registers_do_not_clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
