/* test_policy.c - policy files: what they set, what is wrong with them and where, layers, waivers.
 * Expected places were counted by hand in the texts below; days come from `date -u -d DAY +%s`. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include "cmocka_all.h"

#include "policy/calendar.h"
#include "policy/glob.h"
#include "policy/policy_judge.h"
#include "rules/rule.h"

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { TODAY = 20779 }; /* 2026-11-22 */

struct folder {
    char path[64];
};

struct case_state {
    struct folder folder;
    struct arena arena;
    struct policy policy;
    struct policy_problem_list problems;
    bool is_usable;
};

static const char *file_in(const struct folder *folder, const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder->path, name);
    return path;
}

static void write_bytes(const struct folder *folder, const char *name, const char *chars, size_t nbytes)
{
    FILE *file = fopen(file_in(folder, name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(chars, 1, nbytes, file), nbytes);
    fclose(file);
}

static void write_text(const struct folder *folder, const char *name, const char *text)
{
    write_bytes(folder, name, text, strlen(text));
}

static void read_policy(struct case_state *state, const char *name)
{
    arena_free(&state->arena);
    arena_init(&state->arena, NULL);
    const char *path = arena_printf(&state->arena, "%s", file_in(&state->folder, name));
    state->is_usable = policy_read(path, TODAY, &state->arena, &state->policy, &state->problems);
    assert_false(state->arena.exhausted);
}

static void read_one(struct case_state *state, const char *text)
{
    write_text(&state->folder, "p.ini", text);
    read_policy(state, "p.ini");
}

/* The problem of the given number stands at line and column, has the code, and says `words`. */
static void expect_problem(const struct case_state *state, size_t number, unsigned line, unsigned column,
                           enum finding_code code, const char *words)
{
    if (number >= state->problems.count)
        fail_msg("only %zu problems; missing: %s", state->problems.count, words);
    const struct policy_problem *problem = &state->problems.items[number];
    if (problem->origin.line != line || problem->origin.column != column || problem->code != code ||
        !strstr(problem->message, words))
        fail_msg("(%u,%u) HVCI%d %s", problem->origin.line, problem->origin.column, (int)problem->code,
                 problem->message);
}

static const struct policy_rule *rule_set(const struct case_state *state, enum finding_code code)
{
    for (size_t i = 0; i < rules_count; i++)
        if (rules_all[i]->code == code)
            return &state->policy.rules[i];
    fail_msg("no rule %d", (int)code);
    return NULL;
}

static int begin(void **state)
{
    struct case_state *made = calloc(1, sizeof *made);
    strcpy(made->folder.path, "/tmp/hvcifix-policy-XXXXXX");
    if (!made || !mkdtemp(made->folder.path))
        return 1;
    *state = made;
    return 0;
}

static int end(void **state)
{
    struct case_state *made = *state;
    static const char *const names[] = {"p.ini",     "base.ini",     "mid.ini",
                                        "other.ini", "sub/base.ini", "sub/mid.ini"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unlink(file_in(&made->folder, names[i]));
    rmdir(file_in(&made->folder, "sub"));
    rmdir(made->folder.path);
    arena_free(&made->arena);
    free(made);
    return 0;
}

static void days_are_those_of_the_calendar(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        day_number day;
    } days[] = {{"1970-01-01", 0},     {"1999-12-31", 10956}, {"2000-02-29", 11016}, {"2000-03-01", 11017},
                {"2024-02-29", 19782}, {"2026-11-22", TODAY}, {"2100-03-01", 47541}, {"9999-12-31", 2932896}};
    for (size_t i = 0; i < sizeof days / sizeof days[0]; i++) {
        day_number day = NO_DAY;
        char name[CALENDAR_DAY_NBYTES];
        assert_true(calendar_parse(days[i].name, &day));
        assert_int_equal(day, days[i].day);
        calendar_name(day, name);
        assert_string_equal(name, days[i].name);
    }
    static const char *const none[] = {"2025-02-29", "2100-02-29", "2026-13-01", "2026-00-10", "2026-11-00",
                                       "2026-11-31", "1969-12-31", "2026-1-01",  "26-11-22",   "2026-11-22 ",
                                       "2026/11/22", "",           "tomorrow"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        day_number day = 7;
        if (calendar_parse(none[i], &day) || day != 7)
            fail_msg("\"%s\" is taken for a day", none[i]);
    }
}

/* Names inside packages are anybody's: some take long if a matcher goes back in them. */
static void a_pattern_takes_no_longer_than_it_has_to(void **state)
{
    (void)state;
    enum { NAME_NBYTES = 60000 };
    static const char *const pieces[] = {"a/", "flt", "a"};
    static const char *const patterns[] = {"a/**/y.sys", "**/*flt*.sys", "x/**/a*a*a*b", "*a*a*a*a*b"};
    static char name[NAME_NBYTES + 1];
    clock_t begin = clock();
    for (size_t k = 0; k < sizeof pieces / sizeof pieces[0]; k++) {
        size_t nbytes = strlen(pieces[k]);
        for (size_t i = 0; i < NAME_NBYTES; i++)
            name[i] = pieces[k][i % nbytes];
        for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++)
            assert_false(glob_match_path(patterns[i], name));
    }
    assert_true((clock() - begin) / CLOCKS_PER_SEC < 5);
    memset(name, '*', NAME_NBYTES); /* no line of a policy is so long */
    assert_false(glob_match(name, "a"));
}

static void patterns_match_names_and_paths(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *path;
        bool matches;
    } cases[] = {
        {"a.sys", "a.sys", true},
        {"A.SYS", "out/a.sys", true},
        {"a*.sys", "out/abc.sys", true},
        {"a*.sys", "out/b/a.dll", false},
        {"?.sys", "ab.sys", false},
        {"?.sys", "\xC3\xA4.sys", true},
        {"*", "x/y", true},
        {"out/*.sys", "out/a.sys", true},
        {"out/*.sys", "c:\\work\\out\\a.sys", true},
        {"out/*.sys", "about/a.sys", false},
        {"out/*.sys", "out/x/a.sys", false},
        {"out/**/a.sys", "out/x/y/a.sys", true},
        {"out/**a.sys", "out/a.sys", true},
        {"**/x64/*.sys", "d/x64/b/x64/a.sys", true},
        {"**/x64/*.sys", "d/x64/b/x32/a.sys", false},
        {"a*b*c", "aXbXbXc", true},
        {"a*b*c", "aXcXbX", false},
        {"./out/*.sys", "out/a.sys", true},
        {".\\out\\*.sys", "./out/a.sys", true},
        {"./*", "out/a.sys", true},
        {"", "a", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (glob_match_path(cases[i].pattern, cases[i].path) != cases[i].matches)
            fail_msg("%s and %s", cases[i].pattern, cases[i].path);
    /* Whoever goes back to every star at every character needs 2^60 steps for this. */
    char many[128] = "", name[128];
    for (size_t i = 0; i < 30; i++)
        strcat(many, "*a");
    memset(name, 'a', sizeof name - 2);
    name[sizeof name - 2] = 'b';
    name[sizeof name - 1] = 0;
    assert_false(glob_match(many, name));
}

static void values_are_set_with_their_places(void **state)
{
    struct case_state *made = *state;
    read_one(made, "; comment\r\n"
                   "[policy]\r\n"
                   "name = Contoso; drivers ; the rest is comment\r\n"
                   "  target: 11\n"
                   "MODE = Reject\n"
                   "drop-signature=yes\n"
                   "[Rules]\n"
                   "2101 = error\n"
                   "hvci2102 = OFF\n"
                   "[fix]\n"
                   "HVCI2005 = never\n");
    assert_int_equal(made->problems.count, 0);
    assert_true(made->is_usable);
    assert_string_equal(made->policy.name, "Contoso; drivers");
    assert_int_equal(made->policy.target, TARGET_11);
    assert_int_equal(made->policy.target_origin.line, 4);
    assert_int_equal(made->policy.target_origin.column, 3);
    assert_int_equal(made->policy.mode, MODE_REJECT);
    assert_true(made->policy.drop_signature);
    assert_int_equal(rule_set(made, HVCI2101_RELOCATION_STRADDLES)->level, RULE_LEVEL_ERROR);
    assert_int_equal(rule_set(made, HVCI2102_INIT_WRITABLE_EXECUTABLE)->level, RULE_LEVEL_OFF);
    assert_int_equal(rule_set(made, HVCI2003_SECTION_WRITABLE_EXECUTABLE)->level, RULE_LEVEL_DEFAULT);
    assert_null(rule_set(made, HVCI2003_SECTION_WRITABLE_EXECUTABLE)->level_origin.file);
    assert_int_equal(rule_set(made, HVCI2005_IAT_EXECUTABLE)->repair, REPAIR_NEVER);
}

static void what_is_wrong_is_said_with_its_place(void **state)
{
    struct case_state *made = *state;
    read_one(made, "target = 11\n"
                   "[policy]\n"
                   "targte = 11\n"
                   "\tcolour = red\n"
                   "mode =   strict\n"
                   "expiry-warning-days = -1\n"
                   "name =\n"
                   "just words\n"
                   "[polcy]\n"
                   "target = 11\n"
                   "[policy \"x\"]\n"
                   "[waiver]\n"
                   "[rules\n"
                   "HVCI2999 = off\n");
    assert_false(made->is_usable);
    size_t n = 0;
    expect_problem(made, n++, 1, 1, HVCI9040_POLICY_INVALID, "before the first section");
    expect_problem(made, n++, 3, 1, HVCI9040_POLICY_INVALID, "did you mean \"target\"?");
    expect_problem(made, n++, 4, 2, HVCI9040_POLICY_INVALID, "\"colour\" is no key of [policy].");
    expect_problem(made, n++, 7, 1, HVCI9040_POLICY_INVALID, "no value");
    expect_problem(made, n++, 8, 1, HVCI9040_POLICY_INVALID, "no \"key = value\"");
    expect_problem(made, n++, 9, 1, HVCI9040_POLICY_INVALID, "did you mean [policy]?");
    expect_problem(made, n++, 11, 1, HVCI9040_POLICY_INVALID, "Only waivers have names");
    expect_problem(made, n++, 12, 1, HVCI9040_POLICY_INVALID, "A waiver has a name");
    expect_problem(made, n++, 13, 1, HVCI9040_POLICY_INVALID, "ends with ]");
    expect_problem(made, n++, 5, 10, HVCI9040_POLICY_INVALID, "audit, fix or reject");
    expect_problem(made, n++, 6, 23, HVCI9040_POLICY_INVALID, "0 to 3650");
    assert_int_equal(made->problems.count, n);
}

static void long_lines_and_odd_bytes_are_refused_not_cut(void **state)
{
    struct case_state *made = *state;
    char text[600];
    snprintf(text, sizeof text, "[policy]\nname = %0*d\n", 220, 0);
    read_one(made, text);
    assert_false(made->is_usable);
    expect_problem(made, 0, 2, 1, HVCI9040_POLICY_INVALID, "too long");
    snprintf(text, sizeof text, "[policy]\n; %0*d\nname = %0*d\n", 220, 0, 150, 0);
    read_one(made, text);
    assert_true(made->is_usable);
    assert_int_equal(strlen(made->policy.name), 150);
    snprintf(text, sizeof text, "[waiver \"%0*d\"]\n", 60, 0);
    read_one(made, text);
    assert_false(made->is_usable);
    expect_problem(made, 0, 1, 1, HVCI9040_POLICY_INVALID, "too long");
    write_bytes(&made->folder, "p.ini", "[policy]\nna\0me = x\n", 20);
    read_policy(made, "p.ini");
    assert_false(made->is_usable);
    expect_problem(made, 0, 2, 1, HVCI9040_POLICY_INVALID, "NUL");
    /* UTF-16, as some editors save it */
    write_bytes(&made->folder, "p.ini", "\xFF\xFE[\0p\0]\0\n\0", 10);
    read_policy(made, "p.ini");
    assert_false(made->is_usable);
    read_one(made, "\xEF\xBB\xBF[policy]\nname = x");
    assert_true(made->is_usable);
    assert_string_equal(made->policy.name, "x");
    read_one(made, "");
    assert_true(made->is_usable); /* an empty file sets nothing: what is built in holds */
    read_policy(made, "nothing-of-this-name.ini");
    assert_false(made->is_usable);
    expect_problem(made, 0, 0, 0, HVCI9040_POLICY_INVALID, "cannot be read");
}

static void later_layers_override_earlier_ones(void **state)
{
    struct case_state *made = *state;
    assert_int_equal(mkdir(file_in(&made->folder, "sub"), 0755), 0);
    write_text(&made->folder, "sub/base.ini",
               "[policy]\ninclude = mid.ini\ntarget = 1507\nmode = audit\n"
               "[rules]\nHVCI2004 = warning\n");
    write_text(&made->folder, "sub/mid.ini", "[policy]\nname = from mid\ntarget = 7\n");
    read_one(made, "[policy]\n"
                   "mode = fix\n"
                   "include = sub/base.ini\n"
                   "preset = whcp\n");
    assert_int_equal(made->problems.count, 0);
    assert_true(made->is_usable);
    assert_string_equal(made->policy.name, "from mid");
    assert_int_equal(made->policy.target, TARGET_1507);
    assert_int_equal(made->policy.mode, MODE_FIX); /* its own value, though it stands before the include */
    assert_int_equal(rule_set(made, HVCI2004_SECTION_NOT_PAGE_ALIGNED)->level, RULE_LEVEL_WARNING);
    assert_int_equal(rule_set(made, HVCI2102_INIT_WRITABLE_EXECUTABLE)->level, RULE_LEVEL_WARNING); /* whcp */
    assert_string_equal(rule_set(made, HVCI2102_INIT_WRITABLE_EXECUTABLE)->level_origin.file, "preset whcp");
    assert_non_null(strstr(made->policy.target_origin.file, "/sub/base.ini"));
}

static enum finding_level asked(const struct case_state *made, enum demand_id demand)
{
    struct demands demands;
    policy_demands(&made->policy, &demands);
    return demands.items[demand].level;
}

/* What is demanded, by which of the two sections, and how grave it is. */
static void demands_have_levels(void **state)
{
    struct case_state *made = *state;
    read_one(made, "[require]\nnx-compat = yes\nguard-cf = YES\nsignature = absent\n"
                   "[rules]\nHVCI2204 = note\nHVCI2202 = warning\n");
    assert_true(made->is_usable);
    assert_int_equal(asked(made, DEMAND_NX_COMPAT), LEVEL_ERROR);
    assert_int_equal(asked(made, DEMAND_GUARD_CF), LEVEL_NOTE);
    assert_int_equal(asked(made, DEMAND_DYNAMIC_BASE), LEVEL_WARNING); /* by its level alone */
    assert_int_equal(asked(made, DEMAND_SIGNATURE), LEVEL_ERROR);
    assert_int_equal(asked(made, DEMAND_CHECKSUM), LEVEL_OFF);
    assert_int_equal(made->policy.demands[DEMAND_SIGNATURE].value, DEMAND_ABSENT);
    assert_int_equal(made->policy.demands[DEMAND_SIGNATURE].origin.line, 4);
    assert_int_equal(rule_set(made, HVCI2201_NX_COMPAT)->repair, REPAIR_BY_FIX);
    assert_int_equal(rule_set(made, HVCI2003_SECTION_WRITABLE_EXECUTABLE)->repair, REPAIR_BY_ENFORCE);
}

/* Between files a contradiction is refused wherever the two stand; a preset gives way. */
static void demands_and_levels_must_agree(void **state)
{
    struct case_state *made = *state;
    write_text(&made->folder, "base.ini", "[require]\nnx-compat = yes\n[rules]\nHVCI2202 = error\n");
    read_one(made, "[policy]\ninclude = base.ini\n[rules]\nHVCI2201 = off\n[require]\ndynamic-base = any\n");
    assert_false(made->is_usable);
    assert_int_equal(made->problems.count, 2);
    expect_problem(made, 0, 4, 1, HVCI9040_POLICY_INVALID, "nx-compat = any");
    expect_problem(made, 1, 4, 1, HVCI9040_POLICY_INVALID, "dynamic-base = any");
    read_one(made, "[policy]\ninclude = base.ini\n[rules]\nHVCI2202 = default\n[require]\nnx-compat = any\n");
    assert_true(made->is_usable);
    assert_int_equal(asked(made, DEMAND_NX_COMPAT), LEVEL_OFF);
    assert_int_equal(asked(made, DEMAND_DYNAMIC_BASE), LEVEL_OFF);
    read_one(made, "[policy]\npreset = whcp\n[rules]\nHVCI2201 = off\n[require]\ndynamic-base = any\n");
    assert_true(made->is_usable);
    assert_int_equal(asked(made, DEMAND_NX_COMPAT), LEVEL_OFF);
    assert_int_equal(asked(made, DEMAND_DYNAMIC_BASE), LEVEL_OFF);
    assert_int_equal(asked(made, DEMAND_CHECKSUM), LEVEL_WARNING);
    read_one(made, "[rules]\nHVCI2208 = error\n");
    expect_problem(made, 0, 2, 1, HVCI9040_POLICY_INVALID, "present or absent");
    read_one(made, "[require]\nnx-compat = absent\nnxcompat = yes\n");
    expect_problem(made, 0, 3, 1, HVCI9040_POLICY_INVALID, "nx-compat");
    expect_problem(made, 1, 2, 13, HVCI9040_POLICY_INVALID, "yes or any");
}

#define WAIVER(name, more)                                                                                   \
    "[waiver \"" name "\"]\nimage = a*.sys\ncode = HVCI2003\nreason = because\nowner = me\n" more

static void circles_and_twins_are_refused(void **state)
{
    struct case_state *made = *state;
    write_text(&made->folder, "base.ini", "[policy]\ninclude = mid.ini\n");
    write_text(&made->folder, "mid.ini", "[policy]\ninclude = p.ini\n");
    read_one(made, "[policy]\ninclude = base.ini\n");
    assert_false(made->is_usable);
    expect_problem(made, 0, 2, 11, HVCI9040_POLICY_INVALID, "includes itself");
    read_one(made, "[policy]\ninclude = gone.ini\npreset = windows-12\n");
    assert_false(made->is_usable);
    expect_problem(made, 0, 3, 10, HVCI9040_POLICY_INVALID, "no preset");
    expect_problem(made, 1, 2, 11, HVCI9040_POLICY_INVALID, "cannot be read");
    read_one(made, "[policy]\nmode = fix\n[rules]\nHVCI2003 = off\n2003 = error\n[policy]\nmode = audit\n");
    assert_false(made->is_usable);
    expect_problem(made, 0, 5, 1, HVCI9041_POLICY_DUPLICATE, "line 4");
    expect_problem(made, 1, 7, 1, HVCI9041_POLICY_DUPLICATE, "line 2");
    /* A file that is included twice, but not by itself, is no circle. */
    write_text(&made->folder, "base.ini", "[policy]\ntarget = 11\n");
    write_text(&made->folder, "mid.ini", "[policy]\ninclude = base.ini\n");
    read_one(made, "[policy]\ninclude = base.ini\ninclude = mid.ini\n");
    assert_true(made->is_usable);
    /* Two teams build on one base, whose waivers are then there once; but nobody names a file twice. */
    write_text(&made->folder, "base.ini", "[policy]\ntarget = 11\n" WAIVER("one", "expires = 2027-01-01\n"));
    write_text(&made->folder, "other.ini", "[policy]\ninclude = ./base.ini\ntarget = 1507\n");
    read_one(made, "[policy]\ninclude = other.ini\ninclude = mid.ini\n");
    assert_true(made->is_usable);
    assert_int_equal(made->policy.waiver_count, 1);
    assert_int_equal(made->policy.target, TARGET_1507);
    read_one(made, "[policy]\ninclude = base.ini\ninclude = ./base.ini\n");
    assert_false(made->is_usable);
    expect_problem(made, 0, 3, 11, HVCI9041_POLICY_DUPLICATE, "already");
    /* 4,000 times a file of 400 KiB that counts, or of 1.2 MiB that does not, is not read 4,000 times. */
    enum { TIMES = 4000, LINE_NBYTES = 20, LARGE_NBYTES = 1200 * 1024 };
    char *many = calloc(TIMES + 1, LINE_NBYTES), *large = calloc(LARGE_NBYTES + 1, 1);
    assert_true(many && large);
    strcpy(many, "[policy]\n");
    for (size_t i = 0; i < TIMES; i++)
        strcpy(many + strlen("[policy]\n") + i * strlen("include=base.ini\n"), "include=base.ini\n");
    memset(large, '\n', LARGE_NBYTES);
    for (size_t i = 1; i <= 3; i += 2) {
        large[LARGE_NBYTES / i] = 0;
        write_text(&made->folder, "base.ini", large);
        read_one(made, many);
        assert_false(made->is_usable);
        assert_true(made->problems.count >= TIMES - 1);
        assert_true(made->arena.total_nbytes < 64u * 1024 * 1024);
    }
    free(many);
    free(large);
}

/* What inih would pass over in silence. */
static void lines_that_would_be_lost_are_problems(void **state)
{
    struct case_state *made = *state;
    read_one(made, "[policy] mode = audit\n");
    assert_false(made->is_usable);
    expect_problem(made, 0, 1, 1, HVCI9040_POLICY_INVALID, "only a comment");
    read_one(made, "[policy] ; as ever\n[rules]# too\n[fix]\t \n");
    assert_true(made->is_usable);
    read_one(made, "; old Mac\r[policy]\rmode = reject\r");
    assert_false(made->is_usable);
    expect_problem(made, 0, 1, 1, HVCI9040_POLICY_INVALID, "carriage return");
    read_one(made, "[policy]\nname = M\xFCnchen\n; M\xFCnchen\n");
    assert_false(made->is_usable);
    assert_int_equal(made->problems.count, 1);
    expect_problem(made, 0, 2, 1, HVCI9040_POLICY_INVALID, "UTF-8");
    read_one(made, "[policy]\nname = M\xC3\xBCnchen \xF0\x9F\x9A\x97 \xEF\xBF\xBD\n");
    assert_true(made->is_usable);
}

static void only_what_can_be_repaired_is_left_to_enforce(void **state)
{
    struct case_state *made = *state;
    static const unsigned repaired[] = {2000, 2002, 2003, 2004, 2005, 2006,
                                        2101, 2102, 2201, 2202, 2203, 2207};
    size_t found = 0;
    for (size_t i = 0; i < rules_count; i++) {
        char text[64];
        snprintf(text, sizeof text, "[fix]\nHVCI%u = enforce\n", (unsigned)rules_all[i]->code);
        read_one(made, text);
        bool is_repaired =
            found < sizeof repaired / sizeof repaired[0] && repaired[found] == rules_all[i]->code;
        found += is_repaired;
        assert_int_equal(made->is_usable, is_repaired);
        if (!is_repaired)
            expect_problem(made, 0, 2, 12, HVCI9040_POLICY_INVALID, "Nothing repairs");
    }
    assert_int_equal(found, sizeof repaired / sizeof repaired[0]);
    read_one(made, "[fix]\nHVCI2204 = fix\nHVCI2205 = never\n");
    assert_true(made->is_usable);
}

static void waivers_are_complete_and_end(void **state)
{
    struct case_state *made = *state;
    read_one(made, WAIVER("one", "expires = 2026-11-22\n") WAIVER("two", ""));
    assert_false(made->is_usable);
    assert_int_equal(made->problems.count, 1);
    expect_problem(made, 0, 7, 1, HVCI9040_POLICY_INVALID, "\"two\" has no \"expires\"");
    read_one(made, WAIVER("one", "expires = 2026-11-21\n"));
    assert_true(made->is_usable); /* nothing is allowed by it any more */
    expect_problem(made, 0, 1, 1, HVCI9042_WAIVER_EXPIRED, "until 2026-11-21");
    read_one(made, WAIVER("one", "expires = soon\n") WAIVER("one", "expires = 2027-01-01\n"));
    assert_false(made->is_usable);
    expect_problem(made, 0, 6, 11, HVCI9040_POLICY_INVALID, "YYYY-MM-DD");
    expect_problem(made, 1, 7, 1, HVCI9041_POLICY_DUPLICATE, "already");
    read_one(made, WAIVER("one", "expires = 2027-01-01\ncode = HVCI2004\n"));
    assert_false(made->is_usable);
    expect_problem(made, 0, 7, 1, HVCI9041_POLICY_DUPLICATE, "line 3");
}

/* Two findings of an image: HVCI2003 in .text and in INIT. */
static void judge_two(struct case_state *made, const char *path, enum image_role role, enum waiver_use *uses,
                      enum finding_level levels[2])
{
    struct image image = {.role = role};
    struct finding_list list = {.arena = &made->arena};
    static const char *const sections[] = {".text", "INIT"};
    for (size_t i = 0; i < 2; i++) {
        struct finding finding = finding_make(&made->arena, HVCI2003_SECTION_WRITABLE_EXECUTABLE,
                                              rule_level(&image, LEVEL_ERROR), "x");
        finding.section = sections[i];
        assert_true(finding_add(&list, &finding));
    }
    assert_true(policy_judge(&made->policy, path, &image, &list, uses, &made->arena));
    assert_int_equal(list.count, 2);
    for (size_t i = 0; i < 2; i++) {
        levels[i] = list.items[i].level;
        assert_int_equal(list.items[i].waiver != NULL, uses && uses[0] == WAIVER_USED && i == 1);
    }
}

static void waived_findings_are_marked_and_stop_nothing(void **state)
{
    struct case_state *made = *state;
    enum finding_level levels[2];
    read_one(made, WAIVER("one", "section = init\nexpires = 2027-06-01\n"));
    assert_true(made->is_usable);
    enum waiver_use use = WAIVER_ELSEWHERE;
    judge_two(made, "out/b.sys", ROLE_KERNEL, &use, levels);
    assert_int_equal(use, WAIVER_ELSEWHERE);
    assert_int_equal(levels[1], LEVEL_ERROR);
    judge_two(made, "out/a1.sys", ROLE_KERNEL, &use, levels);
    assert_int_equal(use, WAIVER_USED);
    assert_int_equal(levels[0], LEVEL_ERROR);
    assert_int_equal(levels[1], LEVEL_NOTE);

    read_one(made, WAIVER("one", "section = init\nexpires = 2026-12-22\n")); /* 30 days left */
    use = WAIVER_ELSEWHERE;
    judge_two(made, "a.sys", ROLE_KERNEL, &use, levels);
    assert_int_equal(levels[1], LEVEL_WARNING);
    read_one(made, WAIVER("one", "section = init\nexpires = 2026-12-23\n"));
    use = WAIVER_ELSEWHERE;
    judge_two(made, "a.sys", ROLE_KERNEL, &use, levels);
    assert_int_equal(levels[1], LEVEL_NOTE);

    read_one(made, WAIVER("one", "section = .data\nexpires = 2026-12-23\n"));
    use = WAIVER_ELSEWHERE;
    judge_two(made, "a.sys", ROLE_KERNEL, &use, levels);
    assert_int_equal(use, WAIVER_UNUSED);
}

static void levels_are_those_of_the_policy(void **state)
{
    struct case_state *made = *state;
    enum finding_level levels[2];
    read_one(made, "[rules]\nHVCI2003 = warning\n");
    judge_two(made, "a.sys", ROLE_KERNEL, NULL, levels);
    assert_int_equal(levels[0], LEVEL_WARNING);
    judge_two(made, "a.dll", ROLE_USER, NULL, levels);
    assert_int_equal(levels[0], LEVEL_NOTE);
    read_one(made, "[rules]\nHVCI2003 = off\n");
    judge_two(made, "a.sys", ROLE_KERNEL, NULL, levels);
    assert_int_equal(levels[0], LEVEL_OFF);
    read_one(made, "[rules]\nHVCI2004 = off\n");
    judge_two(made, "a.sys", ROLE_KERNEL, NULL, levels);
    assert_int_equal(levels[0], LEVEL_ERROR);
}

static void what_init_writes_is_accepted(void **state)
{
    struct case_state *made = *state;
    for (size_t i = 0; i == 0 || policy_preset_names[i - 1]; i++) {
        const char *preset = i == 0 ? NULL : policy_preset_names[i - 1];
        struct arena arena;
        arena_init(&arena, NULL);
        const char *text = policy_init_text(preset, &arena);
        assert_non_null(text);
        read_one(made, text);
        assert_int_equal(made->problems.count, 0);
        assert_int_equal(made->policy.mode, preset && strcmp(preset, "audit") == 0  ? MODE_AUDIT
                                            : preset && strcmp(preset, "whcp") == 0 ? MODE_REJECT
                                                                                    : MODE_FIX);
        /* Without its comment signs every key of it is valid too. */
        char open[16384];
        size_t nbytes = 0;
        for (const char *at = text; *at; at++) {
            bool is_key = *at == ';' && at[1] != ' ' && (at == text || at[-1] == '\n');
            bool is_path = strncmp(at, ";include", 8) == 0 || strncmp(at, ";preset", 7) == 0;
            if (!is_key || is_path)
                open[nbytes++] = *at;
            assert_true(nbytes < sizeof open);
        }
        open[nbytes] = 0;
        arena_free(&arena);
        read_one(made, open);
        if (made->problems.count != 0)
            fail_msg("(%u) %s", made->problems.items[0].origin.line, made->problems.items[0].message);
        assert_int_equal(made->policy.waiver_count, 1);
    }
}

/* A policy that is cut anywhere, or has one byte changed, never reads out of bounds, and memory that runs out
 * at any moment is said. */
static void cut_changed_and_without_memory(void **state)
{
    struct case_state *made = *state;
    static const char whole[] = "[policy]\nname = x\npreset = audit\n[rules]\nHVCI2003 = off\n" WAIVER(
        "one", "expires = 2027-01-01\n");
    for (size_t nbytes = 0; nbytes < sizeof whole; nbytes++) {
        write_bytes(&made->folder, "p.ini", whole, nbytes);
        read_policy(made, "p.ini");
    }
    static const char odd[] = {0, '\n', '[', ']', '=', ';', '"', '\\', (char)0xFF};
    for (size_t at = 0; at < sizeof whole - 1; at++)
        for (size_t i = 0; i < sizeof odd; i++) {
            char changed[sizeof whole];
            memcpy(changed, whole, sizeof whole);
            changed[at] = odd[i];
            write_bytes(&made->folder, "p.ini", changed, sizeof whole - 1);
            read_policy(made, "p.ini");
            assert_true(made->is_usable || made->problems.count != 0);
        }
}

struct scarce {
    size_t left;
};

static void *scarce_alloc(void *context, size_t nbytes)
{
    struct scarce *scarce = context;
    return scarce->left-- == 0 ? (scarce->left = 0, (void *)NULL) : malloc(nbytes);
}

static void scarce_release(void *context, void *block)
{
    (void)context;
    free(block);
}

static void memory_that_runs_out_is_said(void **state)
{
    struct case_state *made = *state;
    write_text(&made->folder, "base.ini", "[policy]\npreset = audit\n");
    write_text(&made->folder, "p.ini", "[policy]\ninclude = base.ini\ntypo = 1\n" WAIVER("one", ""));
    size_t failures = 0;
    for (size_t allowed = 0; allowed < 10000; allowed++) {
        struct scarce scarce = {allowed};
        struct allocator allocator = {scarce_alloc, scarce_release, &scarce, 1};
        struct arena arena;
        arena_init(&arena, &allocator);
        struct policy policy;
        struct policy_problem_list problems;
        bool is_usable = policy_read(file_in(&made->folder, "p.ini"), TODAY, &arena, &policy, &problems);
        bool is_enough = !arena.exhausted;
        assert_false(is_usable);
        arena_free(&arena);
        if (is_enough)
            break;
        failures++;
    }
    assert_in_range(failures, 10, 9999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(days_are_those_of_the_calendar),
        cmocka_unit_test(patterns_match_names_and_paths),
        cmocka_unit_test(a_pattern_takes_no_longer_than_it_has_to),
        cmocka_unit_test_setup_teardown(values_are_set_with_their_places, begin, end),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_said_with_its_place, begin, end),
        cmocka_unit_test_setup_teardown(long_lines_and_odd_bytes_are_refused_not_cut, begin, end),
        cmocka_unit_test_setup_teardown(later_layers_override_earlier_ones, begin, end),
        cmocka_unit_test_setup_teardown(demands_have_levels, begin, end),
        cmocka_unit_test_setup_teardown(demands_and_levels_must_agree, begin, end),
        cmocka_unit_test_setup_teardown(circles_and_twins_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(lines_that_would_be_lost_are_problems, begin, end),
        cmocka_unit_test_setup_teardown(only_what_can_be_repaired_is_left_to_enforce, begin, end),
        cmocka_unit_test_setup_teardown(waivers_are_complete_and_end, begin, end),
        cmocka_unit_test_setup_teardown(waived_findings_are_marked_and_stop_nothing, begin, end),
        cmocka_unit_test_setup_teardown(levels_are_those_of_the_policy, begin, end),
        cmocka_unit_test_setup_teardown(what_init_writes_is_accepted, begin, end),
        cmocka_unit_test_setup_teardown(cut_changed_and_without_memory, begin, end),
        cmocka_unit_test_setup_teardown(memory_that_runs_out_is_said, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
