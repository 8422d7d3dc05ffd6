/* test_report_text.c - the text report of outcomes filled by hand, word for word. */
#include "cmocka_all.h"

#include "outcome_by_hand.h"

static const char *const init_evidence[] = {"Characteristics 0xE2000020 at file offset 0x21C.",
                                            "The section is named INIT."};

static struct finding init_finding(enum finding_level level)
{
    struct finding finding =
        hand_finding(HVCI2102_INIT_WRITABLE_EXECUTABLE, level, "Section INIT is writable and executable.");
    finding.section = "INIT";
    finding.rva = 0x5000;
    finding.file_offset = 0x1F8;
    finding.evidence = init_evidence;
    finding.evidence_count = 2;
    finding.windows = "Windows 10 strips W.";
    finding.cure = "Link with a newer link.exe.";
    return finding;
}

static const char *image_text(const struct hand *hand, const struct report_style *style)
{
    static struct text text;
    text = (struct text){.arena = (struct arena *)(uintptr_t)&hand->outcome.arena};
    report_text_image(&text, &hand->outcome, style);
    return hand_chars(&text);
}

static void a_finding_has_its_line_and_details(void **state)
{
    (void)state;
    struct hand *hand = hand_new("drv.sys");
    struct finding finding = init_finding(LEVEL_NOTE);
    assert_true(finding_add(&hand->outcome.findings, &finding));
    hand->outcome.status = STATUS_FINDINGS;
    assert_string_equal(image_text(hand, &hand_plain),
                        "drv.sys : note HVCI2102: Section INIT is writable and executable.\n"
                        "    place     section INIT, RVA 0x5000, file offset 0x1F8\n"
                        "    evidence  Characteristics 0xE2000020 at file offset 0x21C.\n"
                        "              The section is named INIT.\n"
                        "    windows   Windows 10 strips W.\n"
                        "    cure      Link with a newer link.exe.\n"
                        "drv.sys: findings (1 note)\n");
    assert_string_equal(image_text(hand, &hand_quiet),
                        "drv.sys : note HVCI2102: Section INIT is writable and executable.\n");
    hand_free(hand);
}

static void equal_advice_is_said_once(void **state)
{
    (void)state;
    struct hand *hand = hand_new("C:\\d\\drv.sys");
    struct finding finding = hand_finding(HVCI2004_SECTION_NOT_PAGE_ALIGNED, LEVEL_ERROR, "First.");
    finding.cure = "Link with /ALIGN.";
    finding.place_count = 400;
    assert_true(finding_add(&hand->outcome.findings, &finding));
    finding.message = "Second.";
    finding.place_count = 1;
    assert_true(finding_add(&hand->outcome.findings, &finding));
    finding.message = "Off.";
    finding.level = LEVEL_OFF;
    assert_true(finding_add(&hand->outcome.findings, &finding));
    finding.message = "Third.";
    finding.level = LEVEL_WARNING;
    finding.cure = "Another cure.";
    assert_true(finding_add(&hand->outcome.findings, &finding));
    finding.message = "Another rule.";
    finding.code = HVCI2005_IAT_EXECUTABLE;
    assert_true(finding_add(&hand->outcome.findings, &finding));
    hand->outcome.status = STATUS_FINDINGS;
    assert_string_equal(image_text(hand, &hand_plain), "C:\\d\\drv.sys : error HVCI2004: First.\n"
                                                       "    place     the first of 400 places\n"
                                                       "C:\\d\\drv.sys : error HVCI2004: Second.\n"
                                                       "    cure      Link with /ALIGN.\n"
                                                       "C:\\d\\drv.sys : warning HVCI2004: Third.\n"
                                                       "    cure      Another cure.\n"
                                                       "C:\\d\\drv.sys : warning HVCI2005: Another rule.\n"
                                                       "    cure      Another cure.\n"
                                                       "C:\\d\\drv.sys: findings (2 errors, 2 warnings)\n");
    hand_free(hand);
}

static void long_words_wrap_under_their_label(void **state)
{
    (void)state;
    struct hand *hand = hand_new("drv.sys");
    struct finding finding = hand_finding(HVCI2004_SECTION_NOT_PAGE_ALIGNED, LEVEL_NOTE, "M.");
    /* 14 columns of label leave 86: eight words of ten columns and their blanks take 87. */
    finding.cure =
        "aaaaaaaaaa bbbbbbbbbb cccccccccc dddddddddd eeeeeeeeee ffffffffff gggggggggg hhhhhhhhhh iii";
    assert_true(finding_add(&hand->outcome.findings, &finding));
    hand->outcome.status = STATUS_FINDINGS;
    assert_string_equal(
        image_text(hand, &hand_plain),
        "drv.sys : note HVCI2004: M.\n"
        "    cure      aaaaaaaaaa bbbbbbbbbb cccccccccc dddddddddd eeeeeeeeee ffffffffff gggggggggg\n"
        "              hhhhhhhhhh iii\n"
        "drv.sys: findings (1 note)\n");
    hand_free(hand);
}

static void hostile_words_stay_on_their_line(void **state)
{
    (void)state;
    struct hand *hand = hand_new("a\nb: error X1: c.sys");
    struct finding finding = hand_finding(HVCI2003_SECTION_WRITABLE_EXECUTABLE, LEVEL_ERROR,
                                          "Section \"\ny.sys : error X2: \x1B[2J\" is odd.");
    finding.section = "x : error X3: forged";
    finding.cure = "z\nq.c:1:2: error: forged";
    assert_true(finding_add(&hand->outcome.findings, &finding));
    hand->outcome.status = STATUS_FINDINGS;
    assert_string_equal(image_text(hand, &hand_plain),
                        "a\\x0Ab\\x3A error X1\\x3A c.sys : error HVCI2003: Section \"\\x0Ay.sys : error X2: "
                        "\\x1B[2J\" is odd.\n"
                        "    place     section x : error X3; forged\n"
                        "    cure      z\\x0Aq.c:1:2: error; forged\n"
                        "a\\x0Ab\\x3A error X1\\x3A c.sys: findings (1 error)\n");
    hand_free(hand);
}

static void clean_counts_the_rules(void **state)
{
    (void)state;
    struct hand *hand = hand_new("drv.sys");
    hand->outcome.judged = true;
    hand->outcome.answers = hand->answers;
    for (size_t i = 0; i < rules_count; i++) /* rules that nobody asks for are not counted */
        hand->answers[i] = (struct rule_answer){rules_all[i],
                                                i == 0  ? RULE_NOT_APPLICABLE
                                                : i < 6 ? RULE_PASS
                                                        : RULE_NOT_ASKED,
                                                "Why."};
    hand->outcome.status = STATUS_CLEAN;
    assert_string_equal(image_text(hand, &hand_plain), "drv.sys: clean (5 rules pass, 1 does not apply)\n");
    assert_string_equal(image_text(hand, &hand_quiet), "");
    hand->outcome.remark = "It is signed.";
    hand->answers[0].verdict = RULE_PASS;
    assert_string_equal(image_text(hand, &hand_plain), "drv.sys: clean (6 rules pass)\n"
                                                       "    remark    It is signed.\n");
    hand->outcome.wrote = true;
    hand->outcome.remark = NULL;
    assert_string_equal(image_text(hand, &hand_plain), "drv.sys: clean (6 rules pass)\n"
                                                       "    written   an unchanged copy, in place\n");
    hand_free(hand);
}

static void failures_say_what_failed(void **state)
{
    (void)state;
    static const struct {
        enum finding_code code;
        enum outcome_status status;
        const char *result;
    } cases[] = {
        {HVCI9006_CANNOT_READ, STATUS_ERROR, "could not be read"},
        {HVCI9002_TRUNCATED, STATUS_ERROR, "could not be read"},
        {HVCI9007_CANNOT_WRITE, STATUS_ERROR, "could not be written; the file is as it was"},
        {HVCI9008_OUT_OF_MEMORY, STATUS_ERROR, "not finished, because memory ran out; nothing was written"},
        {HVCI9020_SIGNED, STATUS_REFUSED, "refused, nothing was written (1 error)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hand *hand = hand_new("d");
        struct finding problem = hand_finding(cases[i].code, LEVEL_ERROR, "Why.");
        assert_true(finding_add(&hand->outcome.problems, &problem));
        hand->outcome.status = cases[i].status;
        char expected[200];
        snprintf(expected, sizeof expected, "d : error HVCI%d: Why.\nd: %s\n", (int)cases[i].code,
                 cases[i].result);
        assert_string_equal(image_text(hand, &hand_plain), expected);
        hand_free(hand);
    }
}

/* A refused repair names each finding that has none; the cure stands once, under the finding itself. */
static void a_refusal_does_not_repeat_the_cure(void **state)
{
    (void)state;
    struct hand *hand = hand_new("d");
    struct finding refusal = hand_finding(HVCI9022_NO_REPAIR, LEVEL_ERROR, "HVCI2004 cannot be repaired.");
    refusal.cure = "Link anew.";
    assert_true(finding_add(&hand->outcome.problems, &refusal));
    struct finding finding = hand_finding(HVCI2004_SECTION_NOT_PAGE_ALIGNED, LEVEL_ERROR, "Not aligned.");
    finding.cure = "Link anew.";
    assert_true(finding_add(&hand->outcome.findings, &finding));
    hand->outcome.status = STATUS_REFUSED;
    assert_string_equal(image_text(hand, &hand_plain), "d : error HVCI9022: HVCI2004 cannot be repaired.\n"
                                                       "d : error HVCI2004: Not aligned.\n"
                                                       "    cure      Link anew.\n"
                                                       "d: refused, nothing was written (2 errors)\n");
    hand_free(hand);
}

static void notes_about_the_file_come_before_findings(void **state)
{
    (void)state;
    struct hand *hand = hand_new("d");
    hand->outcome.image.notes.arena = &hand->outcome.arena;
    struct finding note = hand_finding(HVCI9004_MALFORMED_TABLE, LEVEL_NOTE, "Odd.");
    assert_true(finding_add(&hand->outcome.image.notes, &note));
    struct finding finding = init_finding(LEVEL_NOTE);
    assert_true(finding_add(&hand->outcome.findings, &finding));
    hand->outcome.status = STATUS_FINDINGS;
    assert_string_equal(image_text(hand, &hand_quiet),
                        "d : note HVCI9004: Odd.\n"
                        "d : note HVCI2102: Section INIT is writable and executable.\n");
    hand_free(hand);
}

static struct change changes[] = {
    {.kind = CHANGE_SECTION_CHARACTERISTICS,
     .rule = HVCI2102_INIT_WRITABLE_EXECUTABLE,
     .file_offset = 0x21C,
     .width_nbytes = 4,
     .old_value = 0xE2000020,
     .new_value = 0x62000020,
     .section = "INIT",
     .field = "Characteristics",
     .why = "Takes W away.",
     .assurance = ASSURANCE_ASSUMED,
     .proof = "Windows strips W itself."},
    {.kind = CHANGE_CHECKSUM,
     .file_offset = 0x150,
     .width_nbytes = 4,
     .old_value = 0x1234,
     .field = "CheckSum",
     .why = "Follows.",
     .assurance = ASSURANCE_PROVED,
     .proof = "Computed."},
    {.kind = CHANGE_DROP_SIGNATURE,
     .file_offset = 0x2000,
     .width_nbytes = 1480,
     .field = "Certificate table"},
};

static struct hand *repaired(void)
{
    struct hand *hand = hand_new("d");
    struct finding finding = init_finding(LEVEL_ERROR);
    assert_true(finding_add(&hand->outcome.findings, &finding));
    hand->outcome.status = STATUS_FIXED;
    hand->outcome.has_plan = hand->outcome.has_verdict = hand->outcome.has_remaining = true;
    hand->outcome.plan =
        (struct plan){.verdict = PLAN_CHANGE, .changes = changes, .change_count = 2, .change_capacity = 2};
    hand->outcome.verdict.result = VERIFY_PROVED_WITH_ASSUMPTIONS;
    return hand;
}

/* MSBuild fails a task that prints an error line and exits with 0: what is cured must be a note. */
static void what_was_cured_is_a_note(void **state)
{
    (void)state;
    struct hand *hand = repaired();
    hand->outcome.wrote = true;
    hand->bytes[0x150] = 0xCD;
    hand->bytes[0x151] = 0xAB;
    hand->outcome.output = (struct output){hand->bytes, sizeof hand->bytes};
    assert_string_equal(
        image_text(hand, &hand_plain),
        "d : note HVCI2102: cured: Section INIT is writable and executable.\n"
        "d: fixed, 2 changes, 1 of them assumed\n"
        "    change    section INIT Characteristics at file offset 0x21C: 0xE2000020 -> 0x62000020 "
        "(HVCI2102)\n"
        "      why     Takes W away.\n"
        "      assumed Windows strips W itself.\n"
        "    change    CheckSum at file offset 0x150: 0x00001234 -> 0x0000ABCD\n"
        "      why     Follows.\n"
        "      proved  Computed.\n"
        "    verified  the new file differs from the old one only in these fields; some rest on "
        "assumptions\n"
        "    written   the repaired image, in place\n");
    hand_free(hand);
}

static void what_remains_keeps_its_level(void **state)
{
    (void)state;
    struct hand *hand = repaired();
    hand->outcome.wrote = true;
    struct finding finding = hand_finding(HVCI2102_INIT_WRITABLE_EXECUTABLE, LEVEL_ERROR, "Still there.");
    assert_true(finding_add(&hand->outcome.remaining, &finding));
    assert_string_equal(image_text(hand, &hand_quiet), "d : error HVCI2102: Still there.\n");
    struct report_totals totals = {0};
    report_count(&totals, &hand->outcome);
    assert_int_equal(totals.fixed, 1);
    assert_int_equal(totals.finding_errors, 1);
    assert_int_equal(totals.finding_notes, 0);
    hand_free(hand);
}

static void a_dry_run_tells_its_plan(void **state)
{
    (void)state;
    struct hand *hand = repaired();
    hand->outcome.plan.changes = changes + 1; /* no output: the checksum is not known */
    assert_string_equal(image_text(hand, &hand_plain),
                        "d : note HVCI2102: cured: Section INIT is writable and executable.\n"
                        "d: can be fixed, nothing was written, 2 changes, proved\n");
    struct text text = {.arena = &hand->outcome.arena};
    report_text_plan(&text, &hand->outcome, &hand_plain);
    assert_string_equal(text.chars,
                        "d: the plan, 2 changes, proved\n"
                        "    change    CheckSum at file offset 0x150: 0x00001234 -> computed when "
                        "written\n"
                        "      why     Follows.\n"
                        "      proved  Computed.\n"
                        "    change    Certificate table at file offset 0x2000: 1480 bytes cut off\n");
    hand_free(hand);
}

static void the_summary_adds_up(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL);
    struct text text = {.arena = &arena};
    struct report_totals totals = {
        .images = 5, .clean = 1, .with_findings = 2, .errors = 2, .finding_errors = 3, .finding_notes = 1};
    report_text_summary(&text, &totals, &hand_quiet);
    assert_int_equal(text.nbytes, 0);
    report_text_summary(&text, &totals, &hand_plain);
    totals = (struct report_totals){.images = 1, .fixed = 1};
    report_text_summary(&text, &totals, &hand_plain);
    assert_string_equal(text.chars, "5 images: 1 clean, 2 with findings, 2 failed; 3 errors, 1 note\n"
                                    "1 image: 1 fixed; no findings\n");
    arena_free(&arena);
}

static void colours_touch_level_words_and_results_only(void **state)
{
    (void)state;
    struct hand *hand = hand_new("d");
    struct finding finding = hand_finding(HVCI2004_SECTION_NOT_PAGE_ALIGNED, LEVEL_ERROR, "M.");
    assert_true(finding_add(&hand->outcome.findings, &finding));
    hand->outcome.status = STATUS_FINDINGS;
    const struct report_style coloured = {true, false};
    assert_string_equal(image_text(hand, &coloured), "d : \033[1;31merror\033[0m HVCI2004: M.\n"
                                                     "d: \033[1;31mfindings\033[0m (1 error)\n");
    hand_free(hand);
}

static void verdicts_explain_or_refute(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL);
    struct text text = {.arena = &arena};
    struct verify_difference differences[] = {
        {"section INIT Characteristics", 0x21C, 0xE2000020, 0x62000020, 4, "Nothing writes it.", false}};
    struct verify_verdict verdict = {
        .result = VERIFY_PROVED, .differences = differences, .difference_count = 1};
    report_text_verdict(&text, "old.sys", "new.sys", &verdict, &hand_plain);
    assert_string_equal(
        text.chars,
        "new.sys: proved, 1 difference explained\n"
        "    compared  with old.sys\n"
        "    differs   section INIT Characteristics at file offset 0x21C: 0xE2000020 -> 0x62000020\n"
        "      proved  Nothing writes it.\n");
    verdict = (struct verify_verdict){
        .result = VERIFY_REFUTED, .reason = "A code byte differs.", .file_offset = 0x400, .rva = 0x1000};
    text = (struct text){.arena = &arena};
    report_text_verdict(&text, "old.sys", "new.sys", &verdict, &hand_plain);
    assert_string_equal(text.chars,
                        "new.sys : error HVCI9031: not equivalent to old.sys: A code byte differs.\n"
                        "    seen in   the new file\n"
                        "    place     RVA 0x1000, file offset 0x400\n"
                        "new.sys: refuted\n"
                        "    compared  with old.sys\n");
    verdict = (struct verify_verdict){.result = VERIFY_UNREADABLE,
                                      .reason = "No MZ.",
                                      .file_offset = UINT64_MAX,
                                      .rva = UINT32_MAX,
                                      .in_old = true};
    text = (struct text){.arena = &arena};
    report_text_verdict(&text, "old.sys", "new.sys", &verdict, &hand_quiet);
    assert_string_equal(text.chars, "old.sys : error HVCI9032: cannot be verified: No MZ.\n");
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_finding_has_its_line_and_details),
        cmocka_unit_test(equal_advice_is_said_once),
        cmocka_unit_test(long_words_wrap_under_their_label),
        cmocka_unit_test(hostile_words_stay_on_their_line),
        cmocka_unit_test(clean_counts_the_rules),
        cmocka_unit_test(failures_say_what_failed),
        cmocka_unit_test(a_refusal_does_not_repeat_the_cure),
        cmocka_unit_test(notes_about_the_file_come_before_findings),
        cmocka_unit_test(what_was_cured_is_a_note),
        cmocka_unit_test(what_remains_keeps_its_level),
        cmocka_unit_test(a_dry_run_tells_its_plan),
        cmocka_unit_test(the_summary_adds_up),
        cmocka_unit_test(colours_touch_level_words_and_results_only),
        cmocka_unit_test(verdicts_explain_or_refute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
