/* test_rules.c - HVCI2003, HVCI2004 and HVCI2102: rights and alignment of sections, and whom they concern. */
#include "judge_image.h"

#define MADE_RWX (SCN_CNT_CODE | SCN_MEM_EXECUTE | SCN_MEM_READ | SCN_MEM_WRITE)

static const uint8_t code[16] = {0xC3};

/* A native x64 image with .text, .data and one more section of this name and these flags. */
static struct made_image image_with(const char *name, uint32_t characteristics)
{
    struct made_image made = make_image(MACHINE_AMD64);
    made.entry_rva = 0x1000;
    make_section(&made, ".text", 0x1000, MADE_TEXT, code, sizeof code);
    make_section(&made, ".data", 0x2000, MADE_DATA, code, sizeof code);
    if (name)
        make_section(&made, name, 0x3000, characteristics, code, sizeof code);
    return made;
}

static void a_clean_image_passes(void **state)
{
    (void)state;
    struct judged judged;
    struct made_image made = image_with("INIT", MADE_TEXT | SCN_MEM_DISCARDABLE);
    judge_made(&judged, &made, TARGET_DEFAULT);
    assert_verdict(&judged, 2003, RULE_PASS);
    assert_verdict(&judged, 2004, RULE_PASS);
    assert_verdict(&judged, 2102, RULE_PASS);
    assert_int_equal(judged.findings.count, 0);
    judged_free(&judged, &made);
}

static void a_writable_executable_section_fails_2003(void **state)
{
    (void)state;
    struct judged judged;
    struct made_image made = image_with("HOT", MADE_RWX | SCN_MEM_SHARED);
    judge_made(&judged, &made, TARGET_DEFAULT);
    assert_verdict(&judged, 2003, RULE_FAIL);
    assert_verdict(&judged, 2102, RULE_NOT_APPLICABLE);
    const struct finding *finding = finding_of(&judged, 2003, 0);
    assert_int_equal(finding->level, LEVEL_ERROR);
    assert_string_equal(finding->section, "HOT");
    assert_int_equal(finding->rva, 0x3000);
    assert_int_equal(finding->file_offset, made_section_header_foff(&made, 2));
    char header[64];
    snprintf(header, sizeof header, "section header at image base + 0x%X, section name \"HOT\"",
             made_section_header_foff(&made, 2));
    assert_true(evidence_has(finding, header));
    assert_true(evidence_has(finding, "0xC4/0x2003"));
    assert_true(evidence_has(finding, "shared, execute, read, write"));
    assert_int_equal(finding_count_of(&judged, 2003), 1);
    judged_free(&judged, &made);
}

static void each_such_section_is_a_finding(void **state)
{
    (void)state;
    struct judged judged;
    struct made_image made = image_with("ONE", MADE_RWX);
    make_section(&made, "TWO", 0x4000, MADE_RWX, code, sizeof code);
    judge_made(&judged, &made, TARGET_DEFAULT);
    assert_int_equal(finding_count_of(&judged, 2003), 2);
    assert_string_equal(finding_of(&judged, 2003, 0)->section, "ONE");
    assert_string_equal(finding_of(&judged, 2003, 1)->section, "TWO");
    assert_words(answer_of(&judged, 2003)->reason, "2 of 4");
    judged_free(&judged, &made);
}

static void a_discardable_init_is_2102_and_not_2003(void **state)
{
    (void)state;
    struct judged judged;
    struct made_image made = image_with("INIT", MADE_INIT);
    made.linker_major = 9;
    judge_made(&judged, &made, TARGET_DEFAULT);
    assert_verdict(&judged, 2003, RULE_PASS);
    assert_words(answer_of(&judged, 2003)->reason, "HVCI2102");
    assert_verdict(&judged, 2102, RULE_FAIL);
    const struct finding *finding = finding_of(&judged, 2102, 0);
    assert_int_equal(finding->level, LEVEL_NOTE);
    assert_int_equal(finding->file_offset, made_section_header_foff(&made, 2));
    assert_words(finding->windows, "strip");
    assert_true(evidence_has(finding, "linker version 9.0"));
    assert_int_equal(judged.findings.count, 1);
    judged_free(&judged, &made);
}

/* The border between the two rules: the name, its case, and the discardable flag. */
static void what_is_not_a_discardable_init_is_2003(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t characteristics;
    } others[] = {
        {"INIT", MADE_INIT & ~SCN_MEM_DISCARDABLE},
        {"init", MADE_INIT},
        {"INIT2", MADE_INIT},
        {".INIT", MADE_INIT},
        {".text2", MADE_INIT},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct judged judged;
        struct made_image made = image_with(others[i].name, others[i].characteristics);
        judge_made(&judged, &made, TARGET_DEFAULT);
        assert_verdict(&judged, 2003, RULE_FAIL);
        assert_verdict(&judged, 2102, RULE_NOT_APPLICABLE);
        assert_int_equal(finding_count_of(&judged, 2102), 0);
        assert_int_equal(finding_of(&judged, 2003, 0)->level, LEVEL_ERROR);
        judged_free(&judged, &made);
    }
}

static void both_rules_can_fail_in_one_image(void **state)
{
    (void)state;
    struct judged judged;
    struct made_image made = image_with("INIT", MADE_INIT);
    make_section(&made, "HOT", 0x4000, MADE_RWX, code, sizeof code);
    judge_made(&judged, &made, TARGET_DEFAULT);
    assert_verdict(&judged, 2003, RULE_FAIL);
    assert_verdict(&judged, 2102, RULE_FAIL);
    assert_string_equal(finding_of(&judged, 2003, 0)->section, "HOT");
    assert_string_equal(finding_of(&judged, 2102, 0)->section, "INIT");
    judged_free(&judged, &made);
}

/* Flags count as they are stored, for code that only says so and for a section without bytes. */
static void flags_decide_not_contents(void **state)
{
    (void)state;
    struct judged judged;
    struct made_image made = image_with("NOTX", SCN_CNT_CODE | SCN_MEM_READ | SCN_MEM_WRITE);
    judge_made(&judged, &made, TARGET_DEFAULT);
    assert_verdict(&judged, 2003, RULE_PASS); /* CNT_CODE is not a right */
    judged_free(&judged, &made);

    made = image_with(NULL, 0);
    make_section(&made, ".textbss", 0x3000, MADE_RWX, NULL, 0)->virtual_size = 0x2000;
    judge_made(&judged, &made, TARGET_DEFAULT);
    assert_verdict(&judged, 2003, RULE_FAIL);
    assert_words(finding_of(&judged, 2003, 0)->cure, "/INCREMENTAL:NO");
    judged_free(&judged, &made);
}

static void an_image_without_sections_is_not_judged(void **state)
{
    (void)state;
    struct judged judged;
    struct made_image made = make_image(MACHINE_AMD64);
    judge_made(&judged, &made, TARGET_DEFAULT);
    for (size_t i = 0; i < rules_count; i++) {
        assert_int_equal(judged.answers[i].verdict,
                         rules_all[i]->demand == DEMAND_NONE ? RULE_NOT_APPLICABLE : RULE_NOT_ASKED);
        assert_true(strlen(judged.answers[i].reason) > 0);
    }
    judged_free(&judged, &made);
}

static void an_image_without_code_passes_2003(void **state)
{
    (void)state;
    struct judged judged;
    struct made_image made = make_image(MACHINE_AMD64);
    make_section(&made, ".rsrc", 0x1000, MADE_RDATA, code, sizeof code);
    judge_made(&judged, &made, TARGET_DEFAULT);
    assert_verdict(&judged, 2003, RULE_PASS);
    assert_verdict(&judged, 2004, RULE_PASS);
    assert_verdict(&judged, 2005, RULE_NOT_APPLICABLE);
    assert_verdict(&judged, 2006, RULE_NOT_APPLICABLE);
    assert_verdict(&judged, 2101, RULE_NOT_APPLICABLE);
    assert_verdict(&judged, 2102, RULE_NOT_APPLICABLE);
    judged_free(&judged, &made);
}

/* Four sections of 128 bytes: code and data share the first page; one section happens to start on a page. */
static struct made_image low_aligned_image(void)
{
    static const uint8_t most_of_a_page[0xB00];
    struct made_image made = make_image(MACHINE_AMD64);
    made.section_alignment = made.file_alignment = 0x80;
    made.entry_rva = 0x400;
    make_section(&made, ".text", 0x400, MADE_TEXT, code, sizeof code);
    make_section(&made, ".data", 0x480, MADE_DATA, most_of_a_page, 0xB00);
    make_section(&made, ".rdata", 0x1000, MADE_RDATA, code, sizeof code);
    make_section(&made, "INIT", 0x1080, MADE_INIT, code, sizeof code);
    return made;
}

static void low_alignment_is_one_finding_with_a_place_a_section(void **state)
{
    (void)state;
    struct judged judged;
    struct made_image made = low_aligned_image();
    judge_made(&judged, &made, TARGET_DEFAULT);
    assert_verdict(&judged, 2004, RULE_FAIL);
    assert_int_equal(finding_count_of(&judged, 2004), 1);
    const struct finding *finding = finding_of(&judged, 2004, 0);
    assert_int_equal(finding->place_count, 3);
    assert_int_equal(finding->level, LEVEL_ERROR);
    assert_int_equal(finding->file_offset, made_section_header_foff(&made, 0));
    assert_int_equal(finding->rva, 0x400);
    assert_true(evidence_has(finding, "section name \".text\": RVA 0x400"));
    assert_true(evidence_has(finding, "section name \".data\": RVA 0x480"));
    assert_true(evidence_has(finding, "section name \"INIT\": RVA 0x1080"));
    assert_false(evidence_has(finding, "section name \".rdata\""));
    assert_true(evidence_has(finding, "1 page holds bytes of a writable section and of an executable one"));
    assert_words(finding->cure, "DRIVER_ALIGNMENT=0x1000");
    assert_words(finding->cure, "/ALIGN");
    judged_free(&judged, &made);
}

static void shared_pages_are_no_evidence_of_2003(void **state)
{
    (void)state;
    struct judged judged;
    struct made_image made = low_aligned_image();
    judge_made(&judged, &made, TARGET_DEFAULT);
    assert_verdict(&judged, 2003, RULE_PASS);
    assert_int_equal(finding_count_of(&judged, 2003), 0);
    assert_verdict(&judged, 2102, RULE_FAIL);
    judged_free(&judged, &made);
}

static void other_multiples_of_a_page_are_aligned(void **state)
{
    (void)state;
    struct judged judged;
    struct made_image made = make_image(MACHINE_IA64);
    made.section_alignment = 0x2000;
    make_section(&made, ".text", 0x2000, MADE_TEXT, code, sizeof code);
    make_section(&made, ".data", 0x4000, MADE_DATA, code, sizeof code);
    judge_made(&judged, &made, TARGET_DEFAULT);
    assert_verdict(&judged, 2004, RULE_PASS);
    judged_free(&judged, &made);
}

/* Levels and words for images that memory integrity does not judge. */
static void machine_and_role_change_words_and_levels(void **state)
{
    (void)state;
    static const struct {
        uint16_t machine, subsystem;
        enum finding_level level;
        const char *words;
    } cases[] = {
        {MACHINE_AMD64, SUBSYSTEM_NATIVE, LEVEL_ERROR, "does not load the driver"},
        {MACHINE_ARM64, SUBSYSTEM_NATIVE, LEVEL_ERROR, "does not load the driver"},
        {MACHINE_I386, SUBSYSTEM_NATIVE, LEVEL_ERROR,
         "This fails Driver Verifier and policy; memory integrity does not exist on x86."},
        {MACHINE_IA64, SUBSYSTEM_NATIVE, LEVEL_ERROR, "memory integrity does not exist on IA64."},
        {MACHINE_AMD64, SUBSYSTEM_WINDOWS_CUI, LEVEL_NOTE, "Memory integrity judges kernel images only"},
        {MACHINE_AMD64, SUBSYSTEM_EFI_APPLICATION, LEVEL_NOTE, "loaded before it"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct judged judged;
        struct made_image made = make_image(cases[i].machine);
        made.subsystem = cases[i].subsystem;
        make_section(&made, ".text", 0x1000, MADE_RWX, code, sizeof code);
        judge_made(&judged, &made, TARGET_DEFAULT);
        const struct finding *finding = finding_of(&judged, 2003, 0);
        assert_int_equal(finding->level, cases[i].level);
        assert_words(finding->windows, cases[i].words);
        if (cases[i].subsystem != SUBSYSTEM_NATIVE)
            assert_false(evidence_has(finding, "Driver Verifier"));
        judged_free(&judged, &made);
    }
}

static void running_out_of_memory_is_said(void **state)
{
    (void)state;
    struct judged judged;
    struct made_image made = image_with("HOT", MADE_RWX);
    judge_made(&judged, &made, TARGET_DEFAULT);
    struct rule_input input = {.image = &judged.image,
                               .refs = &judged.refs,
                               .target = TARGET_DEFAULT,
                               .arena = &judged.arena,
                               .findings = &judged.findings};
    judged.arena.exhausted = true;
    assert_false(rules_judge(&input, judged.answers));
    judged_free(&judged, &made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clean_image_passes),
        cmocka_unit_test(a_writable_executable_section_fails_2003),
        cmocka_unit_test(each_such_section_is_a_finding),
        cmocka_unit_test(a_discardable_init_is_2102_and_not_2003),
        cmocka_unit_test(what_is_not_a_discardable_init_is_2003),
        cmocka_unit_test(both_rules_can_fail_in_one_image),
        cmocka_unit_test(flags_decide_not_contents),
        cmocka_unit_test(an_image_without_sections_is_not_judged),
        cmocka_unit_test(an_image_without_code_passes_2003),
        cmocka_unit_test(low_alignment_is_one_finding_with_a_place_a_section),
        cmocka_unit_test(shared_pages_are_no_evidence_of_2003),
        cmocka_unit_test(other_multiples_of_a_page_are_aligned),
        cmocka_unit_test(machine_and_role_change_words_and_levels),
        cmocka_unit_test(running_out_of_memory_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
