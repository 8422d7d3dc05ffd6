/* test_report_json.c - the JSON report of outcomes filled by hand: keys, order, types, and bad input. */
#include "cmocka_all.h"

#include "outcome_by_hand.h"
#include "report/json_writer.h"
#include "report/safe_text.h"

#include <cjson/cJSON.h>

static const char *image_json(struct hand *hand)
{
    struct text text = {.arena = &hand->outcome.arena};
    report_json_begin(&text);
    report_json_image(&text, &hand->outcome, true);
    report_json_end(&text);
    return text.chars;
}

/* The text without blanks and newlines outside of strings, so that layout is free to change. */
static const char *compact(struct hand *hand, const char *json)
{
    char *copy = arena_copy_text(&hand->outcome.arena, json, strlen(json));
    cJSON_Minify(copy);
    return copy;
}

static void an_unreadable_file_has_its_problem(void **state)
{
    (void)state;
    struct hand *hand = hand_new("x.sys");
    hand->outcome.has_image = false;
    hand->outcome.status = STATUS_ERROR;
    struct finding problem = hand_finding(HVCI9001_NOT_A_PE_IMAGE, LEVEL_ERROR, "No \"MZ\".");
    assert_true(finding_add(&hand->outcome.problems, &problem));
    assert_string_equal(
        compact(hand, image_json(hand)),
        "{\"images\":[{\"path\":\"x.sys\",\"machine\":null,\"subsystem\":null,\"role\":null,"
        "\"status\":\"error\",\"target\":\"1703\",\"written\":false,\"output\":null,\"undo\":null,\"remark\":"
        "null,"
        "\"rules\":[],\"findings\":["
        "{\"code\":\"HVCI9001\",\"level\":\"error\",\"section\":null,\"rva\":null,\"file_offset\":null,"
        "\"count\":1,\"message\":\"No \\\"MZ\\\".\",\"evidence\":[],\"windows\":null,\"cure\":null}],"
        "\"changes\":[]}]}");
    hand_free(hand);
}

static void a_repair_tells_everything(void **state)
{
    (void)state;
    struct hand *hand = hand_new("x.sys");
    struct outcome *outcome = &hand->outcome;
    static const char *const evidence[] = {"Fact."};
    static const struct rule rule = {.code = HVCI2102_INIT_WRITABLE_EXECUTABLE, .name = "Name"};
    struct finding finding = hand_finding(HVCI2102_INIT_WRITABLE_EXECUTABLE, LEVEL_NOTE, "M.");
    finding.section = "INIT";
    finding.rva = 0xFFFFF000;
    finding.file_offset = 0x1F8;
    finding.evidence = evidence;
    finding.evidence_count = 1;
    finding.windows = "W.";
    finding.cure = "C.";
    assert_true(finding_add(&outcome->findings, &finding));
    finding.level = LEVEL_OFF;
    assert_true(finding_add(&outcome->findings, &finding));
    struct rule_answer answers[32] = {{0}};
    for (size_t i = 0; i < rules_count; i++)
        answers[i] = (struct rule_answer){&rule,
                                          i == 0  ? RULE_FAIL
                                          : i < 6 ? RULE_NOT_APPLICABLE
                                                  : RULE_NOT_ASKED,
                                          "R."};
    outcome->answers = answers;
    struct change changes[] = {
        {CHANGE_SECTION_CHARACTERISTICS, HVCI2102_INIT_WRITABLE_EXECUTABLE, 0x21C, 4, 0xE2000020, 0x62000020,
         "INIT", "Characteristics", "Why.", ASSURANCE_PROVED, "Proof."},
        {.kind = CHANGE_CHECKSUM, .file_offset = 0x150, .width_nbytes = 4, .assurance = ASSURANCE_ASSUMED},
    };
    outcome->plan = (struct plan){.verdict = PLAN_CHANGE, .changes = changes, .change_count = 2};
    struct verify_difference differences[] = {{"F", 0x21C, 1, UINT64_C(0xFFFF800000000000), 8, "A.", true}};
    outcome->verdict = (struct verify_verdict){
        .result = VERIFY_PROVED_WITH_ASSUMPTIONS, .differences = differences, .difference_count = 1};
    outcome->has_plan = outcome->has_verdict = outcome->has_remaining = outcome->wrote = true;
    outcome->status = STATUS_FIXED;
    outcome->remark = "Remark.";
    outcome->output_path = "o.sys";
    const char *without_rules = compact(hand, image_json(hand));
    assert_string_equal(
        without_rules,
        "{\"images\":[{\"path\":\"x.sys\",\"machine\":\"x64\",\"subsystem\":\"native\",\"role\":\"kernel\","
        "\"status\":\"fixed\",\"target\":\"1703\",\"written\":true,\"output\":\"o.sys\",\"undo\":null,"
        "\"remark\":\"Remark."
        "\",\"rules\":[],\"findings\":["
        "{\"code\":\"HVCI2102\",\"level\":\"note\",\"section\":\"INIT\",\"rva\":4294963200,"
        "\"file_offset\":504,\"count\":1,\"message\":\"M.\",\"evidence\":[\"Fact.\"],\"windows\":\"W.\","
        "\"cure\":\"C.\"}],\"changes\":[{\"what\":\"section-characteristics\",\"rule\":\"HVCI2102\","
        "\"section\":\"INIT\",\"field\":\"Characteristics\",\"file_offset\":540,\"width\":4,"
        "\"old\":\"0xE2000020\",\"new\":\"0x62000020\",\"why\":\"Why.\",\"assurance\":\"proved\","
        "\"proof\":\"Proof.\"},{\"what\":\"checksum\",\"rule\":null,\"section\":null,\"field\":null,"
        "\"file_offset\":336,\"width\":4,\"old\":\"0x00000000\",\"new\":null,\"why\":null,"
        "\"assurance\":\"assumed\",\"proof\":null}],\"verification\":{\"result\":\"assumed\","
        "\"differences\":[{\"field\":\"F\",\"file_offset\":540,\"width\":8,\"old\":\"0x0000000000000001\","
        "\"new\":\"0xFFFF800000000000\",\"why_allowed\":\"A.\",\"assurance\":\"assumed\"}],"
        "\"still_broken\":null,\"counter_example\":null},\"remaining_findings\":[]}]}");

    outcome->judged = true;
    const char *with_rules = compact(hand, image_json(hand));
    assert_non_null(strstr(with_rules,
                           "\"rules\":[{\"code\":\"HVCI2102\",\"name\":\"Name\",\"verdict\":\"fail\","
                           "\"reason\":\"R.\"},{\"code\":\"HVCI2102\",\"name\":\"Name\","
                           "\"verdict\":\"not_applicable\",\"reason\":\"R.\"}"));
    size_t answer_count = 0; /* rules that nobody asks for are left out */
    for (const char *at = with_rules; (at = strstr(at, "\"verdict\":")) != NULL; at++)
        answer_count++;
    assert_int_equal(answer_count, 6);
    assert_string_equal(with_rules, compact(hand, image_json(hand))); /* the same bytes again */
    hand_free(hand);
}

static void several_images_are_separated(void **state)
{
    (void)state;
    struct hand *hand = hand_new("a");
    struct text text = {.arena = &hand->outcome.arena};
    report_json_begin(&text);
    report_json_end(&text);
    assert_string_equal(compact(hand, text.chars), "{\"images\":[]}");
    text = (struct text){.arena = &hand->outcome.arena};
    report_json_begin(&text);
    report_json_image(&text, &hand->outcome, true);
    report_json_show(&text, &hand->outcome, SHOW_PAGES, false);
    report_json_end(&text);
    cJSON *parsed = cJSON_ParseWithOpts(text.chars, NULL, true);
    assert_non_null(parsed);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(parsed, "images")), 2);
    cJSON_Delete(parsed);
    hand_free(hand);
}

static void any_bytes_become_valid_text(void **state)
{
    (void)state;
    struct hand *hand = hand_new("\xC3\xBC\xFF\"\\\x01\n\xED\xA0\x80.sys");
    const char *json = compact(hand, image_json(hand));
    for (const char *at = json; *at; at += safe_utf8_nbytes(at))
        assert_int_not_equal(safe_utf8_nbytes(at), 0);
    cJSON *parsed = cJSON_ParseWithOpts(json, NULL, true);
    assert_non_null(parsed);
    const cJSON *image = cJSON_GetArrayItem(cJSON_GetObjectItem(parsed, "images"), 0);
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(image, "path")),
                        "\xC3\xBC\\xFF\"\\\x01\n\\xED\\xA0\\x80.sys");
    cJSON_Delete(parsed);
    struct text text = {.arena = &hand->outcome.arena};
    json_add_quoted(&text, "\xC3\xBC\xFF\"\\\x01\n");
    assert_string_equal(text.chars, "\"\xC3\xBC\\\\xFF\\\"\\\\\\u0001\\u000A\"");
    hand_free(hand);
}

static void a_refuted_pair_has_its_counter_example(void **state)
{
    (void)state;
    struct hand *hand = hand_new("unused");
    struct verify_verdict verdict = {
        .result = VERIFY_REFUTED, .reason = "R.", .file_offset = 0x400, .rva = UINT32_MAX, .in_old = true};
    struct text text = {.arena = &hand->outcome.arena};
    report_json_verdict(&text, "a", "b", &verdict);
    assert_string_equal(compact(hand, text.chars),
                        "{\"verify\":{\"old\":\"a\",\"new\":\"b\",\"result\":\"refuted\",\"differences\":[],"
                        "\"still_broken\":null,"
                        "\"counter_example\":{\"reason\":\"R.\",\"file\":\"old\",\"file_offset\":1024,"
                        "\"rva\":null}}}");
    hand_free(hand);
}

static void *failing_alloc(void *context, size_t nbytes)
{
    size_t *countdown = context;
    return (*countdown)-- == 0 ? NULL : malloc(nbytes); /* once, so that what comes after would go on */
}

static void failing_release(void *context, void *block)
{
    (void)context;
    free(block);
}

/* Every allocation of a report fails in turn: the arena says so, and nothing half-made comes out, not even
 * the separator. What comes out in the end is what comes out without failures. */
static void a_failed_allocation_is_told(void **state)
{
    (void)state;
    struct hand *hand = hand_new("x.sys");
    struct finding finding = hand_finding(HVCI2102_INIT_WRITABLE_EXECUTABLE, LEVEL_NOTE, "M.");
    assert_true(finding_add(&hand->outcome.findings, &finding));
    struct text whole = {.arena = &hand->outcome.arena};
    report_json_image(&whole, &hand->outcome, false);
    report_json_show(&whole, &hand->outcome, SHOW_REGIONS, false);
    for (int shows = 0; shows < 2; shows++) {
        size_t failures = 0;
        bool has_succeeded = false;
        for (size_t limit = 0; limit < 1000 && !has_succeeded; limit++) {
            size_t countdown = limit;
            struct allocator allocator = {failing_alloc, failing_release, &countdown, 1};
            struct arena arena;
            arena_init(&arena, &allocator);
            struct text text = {.arena = &arena};
            if (shows)
                report_json_show(&text, &hand->outcome, SHOW_REGIONS, false);
            else
                report_json_image(&text, &hand->outcome, false);
            has_succeeded = !arena.exhausted;
            failures += !has_succeeded;
            assert_true(has_succeeded == (text.nbytes != 0));
            if (has_succeeded)
                assert_memory_equal(
                    text.chars, shows ? whole.chars + whole.nbytes - text.nbytes : whole.chars, text.nbytes);
            arena_free(&arena);
        }
        assert_true(has_succeeded);
        assert_true(failures > 5);
    }
    hand_free(hand);
}

/* The worst path: too long, and each byte takes five. It comes out whole, without any memory. */
static void a_report_without_memory_is_whole(void **state)
{
    (void)state;
    char path[5000], room[REPORT_SCARCE_NBYTES];
    memset(path, 0xFF, sizeof path - 1);
    path[sizeof path - 1] = 0;
    for (int wrote = 0; wrote < 2; wrote++) {
        struct outcome outcome = {.path = path, .output_path = path, .wrote = wrote != 0};
        struct report_totals totals = {0};
        struct report_style style = {0};
        size_t nbytes = report_scarce(room, &outcome, true, &style, &totals);
        assert_true(nbytes != 0 && nbytes < sizeof room);
        cJSON *parsed = cJSON_ParseWithOpts(room, NULL, true);
        assert_non_null(parsed);
        assert_int_equal(cJSON_IsTrue(cJSON_GetObjectItem(parsed, "written")), wrote);
        assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(parsed, "findings")), 1);
        cJSON_Delete(parsed);
        nbytes = report_scarce(room, &outcome, false, &style, &totals);
        assert_true(nbytes > 100 && nbytes < sizeof room && room[nbytes - 1] == '\n');
        assert_non_null(strstr(room, " : error HVCI9008: "));
        assert_int_equal(totals.errors, 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unreadable_file_has_its_problem),
        cmocka_unit_test(a_repair_tells_everything),
        cmocka_unit_test(several_images_are_separated),
        cmocka_unit_test(any_bytes_become_valid_text),
        cmocka_unit_test(a_refuted_pair_has_its_counter_example),
        cmocka_unit_test(a_failed_allocation_is_told),
        cmocka_unit_test(a_report_without_memory_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
