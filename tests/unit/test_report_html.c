/* test_report_html.c - the HTML report's own parts: words made harmless, pages joined to rows, fragments, the
 * page that they make. What browsers and parsers make of pages: tests/cli/test_report_html.py. */
#include "cmocka_all.h"

#include "outcome_by_hand.h"
#include "report/html_rows.h"
#include "report/html_text.h"
#include "report/report_html.h"

enum { R_X = 0x60000020, R__ = 0x40000040, RW_ = (int)0xC0000040, RWX = (int)0xE0000020 };

static struct arena arena;
static const struct report_settings settings;

static const char *added(const char *chars)
{
    struct text text = {.arena = &arena};
    html_add(&text, chars);
    return text.chars ? text.chars : "";
}

static const char *added_short(const char *chars, size_t columns)
{
    struct text text = {.arena = &arena};
    html_add_short(&text, chars, columns);
    return text.chars ? text.chars : "";
}

static void words_stay_words(void **state)
{
    (void)state;
    assert_string_equal(added(""), "");
    assert_string_equal(added("plain, 12 % of it; and so on."), "plain, 12 % of it; and so on.");
    assert_string_equal(added("</svg><script>a('&')</script>"),
                        "&lt;/svg&gt;&lt;script&gt;a(&#39;&amp;&#39;)&lt;/script&gt;");
    assert_string_equal(added("\" onload=\"x"), "&quot; onload=&quot;x");
    assert_string_equal(added("\xC3\xBC\xE2\x82\xAC\xF0\x9F\x98\x80"),
                        "\xC3\xBC\xE2\x82\xAC\xF0\x9F\x98\x80");
    assert_string_equal(added("a\nb\x7F\x1B"), "a\\x0Ab\\x7F\\x1B");
    assert_string_equal(added("\xFF<\xC3"), "\\xFF&lt;\\xC3");
    assert_string_equal(added("\xE2\x80\xAEsys\xE2\x81\xA6"),
                        "\\xE2\\x80\\xAEsys\\xE2\\x81\\xA6"); /* directions */
    assert_string_equal(added("\xD8\x9C"), "\\xD8\\x9C");     /* U+061C, a direction too */
    assert_string_equal(added("a\xE2\x80\x8B\xC2\xADz"),
                        "a\\xE2\\x80\\x8B\\xC2\\xADz"); /* what nobody sees */
    assert_string_equal(added("\xEF\xBF\xBE\xEF\xB7\x90\xF0\x9F\xBF\xBF"),
                        "\\xEF\\xBF\\xBE\\xEF\\xB7\\x90\\xF0\\x9F\\xBF\\xBF"); /* no characters */
    assert_string_equal(added("\xF3\xA0\x81\x81"), "\\xF3\\xA0\\x81\\x81");    /* a tag character */
    arena_free(&arena);
}

static void long_words_are_cut_between_characters(void **state)
{
    (void)state;
    assert_string_equal(added_short("12345", 5), "12345");
    assert_string_equal(added_short("123456", 5), "1234…");
    assert_string_equal(added_short("<<<<<<", 4), "&lt;&lt;&lt;…");
    assert_string_equal(added_short("\xC3\xBC\xC3\xBC\xC3\xBC", 2), "\xC3\xBC…");
    assert_string_equal(added_short("\xE4\xB8\xAD\xE4\xB8\xAD\xE4\xB8\xAD", 5), "\xE4\xB8\xAD\xE4\xB8\xAD…");
    assert_string_equal(added_short("\xFF\xFF", 8), "\\xFF\\xFF");
    arena_free(&arena);
}

static void numbers_and_paths_read_well(void **state)
{
    (void)state;
    struct text text = {.arena = &arena};
    html_number(&text, 0);
    text_addz(&text, " ");
    html_number(&text, 999);
    text_addz(&text, " ");
    html_number(&text, 1000);
    text_addz(&text, " ");
    html_count(&text, UINT64_C(1234567), "page", "pages");
    text_addz(&text, " ");
    html_range(&text, 0x1000, 0x2000);
    text_addz(&text, " ");
    html_path(&text, "a<b/c\\x&y.sys");
    assert_string_equal(text.chars, "0 999 1,000 1,234,567 pages 00001000–00002FFF "
                                    "<bdi class=\"path\"><span class=\"folder\">a&lt;b/c\\</span>"
                                    "<b>x&amp;y.sys</b></bdi>");
    arena_free(&arena);
}

/* An image of `count` sections of one page each, whose rights come from give(). */
static struct hand *image_of(uint32_t count, uint32_t (*give)(uint32_t number))
{
    struct hand *hand = hand_new("many.sys");
    struct image *image = &hand->outcome.image;
    struct section *sections = arena_array(&hand->outcome.arena, count, sizeof *sections);
    const struct section **by_rva =
        (const struct section **)arena_array(&hand->outcome.arena, count, sizeof *by_rva);
    assert_non_null(sections);
    assert_non_null(by_rva);
    for (uint32_t i = 0; i < count; i++) {
        sections[i] = (struct section){.index = i,
                                       .name = "s",
                                       .rva = 0x1000 * (i + 1),
                                       .virtual_size = 0x1000,
                                       .memory_nbytes = 0x1000,
                                       .characteristics = give(i)};
        by_rva[i] = &sections[i];
    }
    image->sections = sections;
    image->sections_by_rva = by_rva;
    image->section_count = image->mapped_section_count = count;
    image->image_nbytes = 0x1000 * (count + 1);
    return hand;
}

static uint32_t in_turn(uint32_t number)
{
    return number % 2 == 0 ? (uint32_t)R__ : (uint32_t)RW_;
}

static uint32_t one_is_bad(uint32_t number)
{
    return number == 700 ? (uint32_t)RWX : in_turn(number);
}

/* Rows follow each other from RVA 0 to the end; returns how many pages they have. */
static uint64_t page_count_of(const struct html_rows *rows)
{
    uint64_t page = 0;
    for (size_t i = 0; i < rows->count; i++) {
        assert_int_equal(rows->rows[i].first_page, page);
        page += rows->rows[i].page_count;
    }
    return page;
}

static void few_pages_are_drawn_one_by_one(void **state)
{
    (void)state;
    struct hand *hand = image_of(10, in_turn);
    struct html_rows rows;
    assert_true(html_rows_make(&hand->outcome, &hand->outcome.arena, &rows));
    assert_int_equal(rows.count, 11);
    assert_int_equal(page_count_of(&rows), 11);
    for (size_t i = 0; i < rows.count; i++)
        assert_false(rows.rows[i].is_mixed);
    hand_free(hand);
}

static void thousands_of_pages_are_few_rows(void **state)
{
    (void)state;
    struct hand *hand = image_of(5000, one_is_bad);
    struct html_rows rows;
    assert_true(html_rows_make(&hand->outcome, &hand->outcome.arena, &rows));
    assert_in_range(rows.count, 3, HTML_MOST_ROWS + 1);
    assert_int_equal(page_count_of(&rows), 5001);
    size_t bad_count = 0;
    for (size_t i = 0; i < rows.count; i++) {
        if (!rows.rows[i].is_wx)
            continue;
        bad_count++;
        assert_false(rows.rows[i].is_mixed); /* what is bad has a row of its own */
        assert_int_equal(rows.rows[i].first_page, 701);
        assert_int_equal(rows.rows[i].page_count, 1);
    }
    assert_int_equal(bad_count, 1);
    hand_free(hand);
}

static uint32_t all_bad(uint32_t number)
{
    return number % 2 == 0 ? (uint32_t)RWX : (uint32_t)R_X;
}

static void joined_rows_still_say_what_is_bad(void **state)
{
    (void)state;
    struct hand *hand = image_of(200, all_bad);
    struct html_rows rows;
    assert_true(html_rows_make(&hand->outcome, &hand->outcome.arena, &rows));
    assert_in_range(rows.count, 3, HTML_MOST_ROWS + 1);
    assert_int_equal(page_count_of(&rows), 201);
    assert_true(rows.rows[rows.count - 1].is_mixed);
    assert_true(rows.rows[rows.count - 1].is_wx);
    hand_free(hand);
}

static struct hand *broken(const char *path)
{
    struct hand *hand = hand_new(path);
    hand->outcome.judged = true;
    hand->outcome.answers = arena_array(&hand->outcome.arena, rules_count, sizeof(struct rule_answer));
    hand_section(hand, "BAD<", 0x1000, 0x1000, 0x200, (uint32_t)RWX);
    struct finding finding =
        hand_finding(HVCI2003_SECTION_WRITABLE_EXECUTABLE, LEVEL_ERROR, "Section BAD< is bad.");
    finding.rva = 0x1000;
    finding.cure = "Cure it.";
    assert_true(finding_add(&hand->outcome.findings, &finding));
    hand->outcome.status = STATUS_FINDINGS;
    hand->outcome.exit_code = EXIT_FINDINGS;
    return hand;
}

static const char *page_of(const struct text *fragments, size_t images, size_t most_details_nbytes)
{
    struct report_run run = {.verb = "check", .target = TARGET_DEFAULT, .settings = &settings};
    run.totals.images = images;
    struct text text = {.arena = fragments->arena};
    report_html_whole_within(&text, &run, fragments->chars ? fragments->chars : "", fragments->nbytes,
                             most_details_nbytes);
    return text.chars ? text.chars : "";
}

static size_t count_of(const char *page, const char *words)
{
    size_t count = 0;
    for (const char *at = page; (at = strstr(at, words)) != NULL; at += strlen(words))
        count++;
    return count;
}

static void fragments_make_a_page(void **state)
{
    (void)state;
    struct text fragments = {.arena = &arena};
    struct hand *bad = broken("bad.sys"), *good = hand_new("good.sys");
    report_html_image(&fragments, &good->outcome, &settings);
    report_html_image(&fragments, &bad->outcome, &settings);
    const char *page = page_of(&fragments, 2, REPORT_HTML_DETAILS_NBYTES);
    assert_int_equal(strncmp(page, "<!DOCTYPE html>\n", 16), 0);
    assert_non_null(strstr(page, "<title>hvcifix: 1 of 2 images needs attention</title>"));
    assert_int_equal(count_of(page, "<svg "), 1); /* the clean image has a line only */
    assert_int_equal(count_of(page, "good.sys"), 1);
    assert_int_equal(count_of(page, "bad.sys"), 2);
    assert_non_null(strstr(page, "href=\"#image-2\""));
    assert_non_null(strstr(page, "id=\"image-2\""));
    assert_non_null(strstr(page, "Section BAD&lt; is bad."));
    assert_int_equal(count_of(page, "Cure it."), 1);
    assert_null(strstr(page, "BAD<"));
    assert_null(strstr(page, "are left out"));
    hand_free(bad);
    hand_free(good);
    arena_free(&arena);
}

static void details_that_are_too_long_are_left_out_and_said_so(void **state)
{
    (void)state;
    struct text fragments = {.arena = &arena};
    size_t first_nbytes = 0;
    for (unsigned i = 0; i < 3; i++) {
        struct hand *bad = broken("bad.sys");
        report_html_image(&fragments, &bad->outcome, &settings);
        hand_free(bad);
        first_nbytes = first_nbytes ? first_nbytes : fragments.nbytes;
    }
    const char *page = page_of(&fragments, 3, 2 * first_nbytes);
    assert_int_equal(count_of(page, "<section class=\"image\""), 2);
    assert_int_equal(count_of(page, "href=\"#image-"), 2);
    assert_int_equal(count_of(page, "<b>bad.sys</b>"), 5); /* three lines, two headings */
    assert_non_null(strstr(page, "the details of 1 image are left out"));
    arena_free(&arena);
}

static void an_empty_run_is_a_page(void **state)
{
    (void)state;
    struct text none = {.arena = &arena};
    const char *page = page_of(&none, 0, REPORT_HTML_DETAILS_NBYTES);
    assert_non_null(strstr(page, "No image was looked at."));
    assert_non_null(strstr(page, "</html>\n"));
    arena_free(&arena);
}

static void *refuse(void *context, size_t nbytes)
{
    (void)context;
    (void)nbytes;
    return NULL;
}

static void forget(void *context, void *block)
{
    (void)context;
    (void)block;
}

/* Whatever its path is called, an image for which there is no memory has its line. */
static void without_memory_there_is_a_line(void **state)
{
    (void)state;
    char room[REPORT_SCARCE_NBYTES], path[1024];
    memset(path, '"', sizeof path - 1);
    memcpy(path, "a/\xFF\xE2\x80\xAE/", 7);
    path[sizeof path - 1] = 0;
    struct outcome outcome = {.path = path};
    size_t nbytes = report_scarce_fragment(room, &outcome, REPORT_HTML, &settings);
    assert_in_range(nbytes, 1, sizeof room);
    struct text fragments = {.arena = &arena, .chars = room, .nbytes = nbytes, .capacity = sizeof room};
    const char *page = page_of(&fragments, 1, REPORT_HTML_DETAILS_NBYTES);
    assert_non_null(strstr(page, "a/\\xFF\\xE2\\x80\\xAE/"));
    assert_non_null(strstr(page, "HVCI9008"));
    arena_free(&arena);
}

static void a_fragment_is_whole_or_is_not(void **state)
{
    (void)state;
    struct hand *bad = broken("bad.sys");
    struct arena scarce;
    arena_init(&scarce, &(struct allocator){refuse, forget, NULL, 0});
    char room[2048];
    struct text text = {.arena = &scarce, .chars = room, .capacity = sizeof room};
    report_html_image(&text, &bad->outcome, &settings); /* its picture needs memory */
    assert_true(scarce.exhausted);
    assert_int_equal(text.nbytes, 0);
    hand_free(bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_stay_words),
        cmocka_unit_test(long_words_are_cut_between_characters),
        cmocka_unit_test(numbers_and_paths_read_well),
        cmocka_unit_test(few_pages_are_drawn_one_by_one),
        cmocka_unit_test(thousands_of_pages_are_few_rows),
        cmocka_unit_test(joined_rows_still_say_what_is_bad),
        cmocka_unit_test(fragments_make_a_page),
        cmocka_unit_test(details_that_are_too_long_are_left_out_and_said_so),
        cmocka_unit_test(an_empty_run_is_a_page),
        cmocka_unit_test(without_memory_there_is_a_line),
        cmocka_unit_test(a_fragment_is_whole_or_is_not),
    };
    arena_init(&arena, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
