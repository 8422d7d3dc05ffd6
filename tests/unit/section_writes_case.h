/* section_writes_case.h - drivers about which the tests ask whether anything writes INIT.
 * Takes: a driver under construction.  Gives: the answer, compared with the expected one.
 * Must not: say what the expected answer is. */
#ifndef HVCIFIX_TESTS_SECTION_WRITES_CASE_H
#define HVCIFIX_TESTS_SECTION_WRITES_CASE_H

#include "code/section_writes.h"
#include "code_case.h"

/* A variable of INIT, behind its code. */
enum { VARIABLE_RVA = CASE_INIT_RVA + 0x200, SPARE_RVA = CASE_TEXT_RVA + 0x200 };

static inline enum write_answer judge(struct code_case *driver, struct finding *why, const char **summary)
{
    enum write_answer answer;
    *why = (struct finding){0};
    *summary = NULL;
    case_read(driver);
    struct write_question question = {
        .image = &driver->image, .refs = &driver->refs, .code = &driver->map, .section = CASE_INIT_SECTION};
    assert_true(section_writes(&question, &driver->arena, &answer, why, summary));
    return answer;
}

static inline void expect_unwritten(struct code_case *driver)
{
    struct finding why;
    const char *summary;
    enum write_answer answer = judge(driver, &why, &summary);
    if (answer != WRITES_NONE)
        fail_msg("answer %d: %s", (int)answer, why.message ? why.message : "");
    assert_non_null(summary);
    case_end(driver);
}

/* The counter-example is at this RVA and its message has these words. */
static inline void expect_written(struct code_case *driver, uint32_t rva, const char *words)
{
    struct finding why;
    const char *summary;
    assert_int_equal(judge(driver, &why, &summary), WRITES_FOUND);
    assert_int_equal(why.code, HVCI9021_SECTION_IS_WRITTEN);
    if (!strstr(why.message, words))
        fail_msg("expected \"%s\" in: %s", words, why.message);
    assert_int_equal(why.rva, rva);
    assert_int_equal(why.file_offset, made_foff(&driver->made, rva));
    assert_string_equal(why.section,
                        image_section_at_rva(&driver->image, rva)->name); /* of the place, not the victim */
    assert_non_null(strstr(why.message, "INIT"));
    assert_non_null(why.cure);
    case_end(driver);
}

/* An entry point in .text that calls INIT, where a function reads and returns: what a clean driver looks
 * like. */
static inline uint32_t begin_driver(struct code_case *driver, uint16_t machine)
{
    case_begin(driver, machine);
    CASE_PUT(driver, CASE_INIT_RVA, "\x33\xC0\xC3");
    memset(case_at(driver, VARIABLE_RVA), 0x11, 0x40);
    return CASE_PUT_REL(driver, CASE_TEXT_RVA, "\xE8", CASE_INIT_RVA);
}

#endif
