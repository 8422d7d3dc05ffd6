/* test_rules_build.c - build policy, HVCI2201 to HVCI2214: what passes, fails and does not apply, on images
 * made in memory. Real images: tests/cli/test_build_policy.py. */
#include "judge_image.h"

static const uint8_t code[16] = {0xC3};

/* What each case changes of a driver that fails nothing but Control Flow Guard, CETCOMPAT, FORCE_INTEGRITY
 * and the checksum. */
enum change_where {
    NOWHERE,
    DLL_CHARACTERISTICS,
    COFF_FLAGS,
    LINKER_MAJOR,
    TEXT_FLAGS,
    DATA_FLAGS,
    INIT_FLAGS,
    RDATA_FLAGS,
    SUBSYSTEM
};

struct build_case {
    const char *name;
    uint16_t machine;
    enum change_where where;
    uint32_t value;
    unsigned code;
    enum rule_verdict verdict;
    const char *words; /* in the answer's reason */
};

enum { FLAGS = DLLCHAR_NX_COMPAT | DLLCHAR_DYNAMIC_BASE | DLLCHAR_HIGH_ENTROPY_VA };

static const struct build_case cases[] = {
    {"nx", MACHINE_AMD64, NOWHERE, 0, 2201, RULE_PASS, "NX_COMPAT is set"},
    {"no nx", MACHINE_AMD64, DLL_CHARACTERISTICS, FLAGS & ~DLLCHAR_NX_COMPAT, 2201, RULE_FAIL, "not set"},
    {"based", MACHINE_I386, NOWHERE, 0, 2202, RULE_PASS, "base relocations are there"},
    {"no base", MACHINE_AMD64, DLL_CHARACTERISTICS, FLAGS & ~DLLCHAR_DYNAMIC_BASE, 2202, RULE_FAIL,
     "DYNAMIC_BASE is not set"},
    {"stripped", MACHINE_AMD64, COFF_FLAGS, COFF_EXECUTABLE_IMAGE | COFF_RELOCS_STRIPPED, 2202, RULE_FAIL,
     "stripped"},
    {"entropy", MACHINE_ARM64, NOWHERE, 0, 2203, RULE_PASS, "is set"},
    {"no entropy", MACHINE_AMD64, DLL_CHARACTERISTICS, 0, 2203, RULE_FAIL, "not set"},
    {"entropy of x86", MACHINE_I386, NOWHERE, 0, 2203, RULE_NOT_APPLICABLE, "this is x86"},
    {"entropy of IA64", MACHINE_IA64, NOWHERE, 0, 2203, RULE_NOT_APPLICABLE, "this is IA64"},
    {"no guard", MACHINE_AMD64, NOWHERE, 0, 2204, RULE_FAIL, "GUARD_CF is not set"},
    {"guard of nothing", MACHINE_AMD64, DLL_CHARACTERISTICS, DLLCHAR_GUARD_CF, 2204, RULE_FAIL,
     "no load configuration"},
    {"guard of IA64", MACHINE_IA64, NOWHERE, 0, 2204, RULE_NOT_APPLICABLE, "IA64"},
    {"no cet", MACHINE_AMD64, NOWHERE, 0, 2205, RULE_FAIL, "no readable entry"},
    {"cet of ARM64", MACHINE_ARM64, NOWHERE, 0, 2205, RULE_NOT_APPLICABLE, "ARM64"},
    {"no integrity", MACHINE_AMD64, NOWHERE, 0, 2206, RULE_FAIL, "not set"},
    {"integrity", MACHINE_I386, DLL_CHARACTERISTICS, DLLCHAR_FORCE_INTEGRITY, 2206, RULE_PASS, "is set"},
    {"no checksum", MACHINE_AMD64, NOWHERE, 0, 2207, RULE_FAIL, "never set"},
    {"INIT goes", MACHINE_AMD64, NOWHERE, 0, 2210, RULE_PASS, "discardable"},
    {"INIT stays", MACHINE_AMD64, INIT_FLAGS, MADE_TEXT, 2210, RULE_FAIL, "not discardable"},
    {"not shared", MACHINE_AMD64, NOWHERE, 0, 2211, RULE_PASS, "No section"},
    {"shared", MACHINE_AMD64, DATA_FLAGS, MADE_DATA | SCN_MEM_SHARED, 2211, RULE_FAIL, ".data is shared"},
    {"shared, read only", MACHINE_AMD64, RDATA_FLAGS, MADE_RDATA | SCN_MEM_SHARED, 2211, RULE_PASS, ""},
    {"imports are read", MACHINE_AMD64, NOWHERE, 0, 2212, RULE_PASS, "only read"},
    {"imports are written", MACHINE_AMD64, RDATA_FLAGS, MADE_DATA, 2212, RULE_FAIL,
     ".rdata is writable and holds the import directory"},
    {"linker 14", MACHINE_AMD64, NOWHERE, 0, 2214, RULE_PASS, "14.0"},
    {"linker 12", MACHINE_AMD64, LINKER_MAJOR, 12, 2214, RULE_FAIL, "12.0"},
    {"linker 3", MACHINE_AMD64, LINKER_MAJOR, 3, 2214, RULE_FAIL, "3.0"},
    {"GNU ld", MACHINE_AMD64, LINKER_MAJOR, 2, 2214, RULE_NOT_APPLICABLE, "none of link.exe's"},
    {"linker of a program", MACHINE_AMD64, SUBSYSTEM, SUBSYSTEM_WINDOWS_GUI, 2214, RULE_NOT_APPLICABLE,
     "no driver"},
};

enum { RDATA_RVA = 0x2000, NAME_AT = 0x40 };

static void make_driver(struct made_image *made, const struct build_case *c)
{
    /* One import descriptor (of ntoskrnl.exe), and the end. */
    uint8_t rdata[0x80] = {0}, data[8] = {0};
    store_u32(rdata + IMPORT_NAME, RDATA_RVA + NAME_AT);
    store_u32(rdata + IMPORT_FIRST_THUNK, RDATA_RVA + NAME_AT + 0x10);
    memcpy(rdata + NAME_AT, "ntoskrnl.exe", sizeof "ntoskrnl.exe");
    if (c->where == SUBSYSTEM)
        memcpy(rdata + NAME_AT, "kernel32.dll", sizeof "kernel32.dll");
    *made = make_image(c->machine);
    made->dll_characteristics = FLAGS;
    made->entry_rva = 0x1000;
    make_section(made, ".text", 0x1000, MADE_TEXT, code, sizeof code);
    make_section(made, ".rdata", RDATA_RVA, MADE_RDATA, rdata, sizeof rdata);
    make_section(made, ".data", 0x3000, MADE_DATA, data, sizeof data);
    make_section(made, "INIT", 0x4000, MADE_TEXT | SCN_MEM_DISCARDABLE, code, sizeof code);
    make_relocations(made, 0x5000, &(uint32_t){0x3000}, 1);
    make_directory(made, DIR_IMPORT, RDATA_RVA, 2 * IMPORT_DESCRIPTOR_NBYTES);
    switch (c->where) {
    case DLL_CHARACTERISTICS:
        made->dll_characteristics = (uint16_t)c->value;
        break;
    case COFF_FLAGS:
        made->coff_characteristics = (uint16_t)c->value;
        break;
    case LINKER_MAJOR:
        made->linker_major = (uint8_t)c->value;
        break;
    case SUBSYSTEM:
        made->subsystem = (uint16_t)c->value;
        break;
    case TEXT_FLAGS:
    case RDATA_FLAGS:
    case DATA_FLAGS:
    case INIT_FLAGS:
        made->sections[c->where == TEXT_FLAGS    ? 0
                       : c->where == RDATA_FLAGS ? 1
                       : c->where == DATA_FLAGS  ? 2
                                                 : 3]
            .characteristics = c->value;
        break;
    case NOWHERE:
        break;
    }
}

static struct demands all_at(enum finding_level level)
{
    struct demands demands = {0};
    demand_ask_rest(&demands, level);
    return demands;
}

/* The verdict, its words, and a finding at the level that is asked where it fails. */
static void each_case_is_answered(void **state)
{
    (void)state;
    struct demands demands = all_at(LEVEL_ERROR);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct build_case *c = &cases[i];
        struct made_image made;
        struct judged judged;
        make_driver(&made, c);
        judge_made_for(&judged, &made, TARGET_DEFAULT, &demands, NULL);
        const struct rule_answer *answer = answer_of(&judged, c->code);
        if (answer->verdict != c->verdict || !strstr(answer->reason, c->words))
            fail_msg("%s: HVCI%u answers %d, \"%s\"", c->name, c->code, (int)answer->verdict, answer->reason);
        assert_int_equal(finding_count_of(&judged, c->code), c->verdict == RULE_FAIL);
        if (c->verdict == RULE_FAIL) {
            const struct finding *finding = finding_of(&judged, c->code, 0);
            assert_int_equal(finding->level, LEVEL_ERROR);
            assert_non_null(finding->windows);
            assert_non_null(finding->cure);
        }
        judged_free(&judged, &made);
    }
}

static void nobody_asks_nothing_is_judged(void **state)
{
    (void)state;
    struct made_image made;
    struct judged judged;
    make_driver(&made, &cases[1]);
    judge_made(&judged, &made, TARGET_DEFAULT);
    for (size_t i = 0; i < rules_count; i++)
        assert_int_equal(judged.answers[i].verdict == RULE_NOT_ASKED, rules_all[i]->demand != DEMAND_NONE);
    judged_free(&judged, &made);

    /* One alone. */
    struct demands demands = {0};
    demand_ask(&demands, DEMAND_NX_COMPAT, LEVEL_WARNING);
    demand_ask(&demands, DEMAND_NX_COMPAT, LEVEL_NOTE); /* is asked already */
    make_driver(&made, &cases[1]);
    judge_made_for(&judged, &made, TARGET_DEFAULT, &demands, NULL);
    assert_verdict(&judged, 2201, RULE_FAIL);
    assert_verdict(&judged, 2207, RULE_NOT_ASKED);
    assert_int_equal(finding_of(&judged, 2201, 0)->level, LEVEL_WARNING);
    judged_free(&judged, &made);
}

static void a_program_gets_notes(void **state)
{
    (void)state;
    struct demands demands = all_at(LEVEL_ERROR);
    struct made_image made;
    struct judged judged;
    struct build_case program = {
        .machine = MACHINE_AMD64, .where = SUBSYSTEM, .value = SUBSYSTEM_WINDOWS_GUI};
    make_driver(&made, &program);
    made.dll_characteristics = 0;
    judge_made_for(&judged, &made, TARGET_DEFAULT, &demands, NULL);
    assert_int_equal(finding_of(&judged, 2201, 0)->level, LEVEL_NOTE);
    assert_words(finding_of(&judged, 2201, 0)->windows, "user-mode image");
    judged_free(&judged, &made);
}

/* Without INIT, imports and load configuration, and of firmware. */
static void what_is_not_there_does_not_apply(void **state)
{
    (void)state;
    struct demands demands = all_at(LEVEL_ERROR);
    struct made_image made = make_image(MACHINE_AMD64);
    struct judged judged;
    make_section(&made, ".text", 0x1000, MADE_TEXT, code, sizeof code);
    made.subsystem = SUBSYSTEM_EFI_RUNTIME_DRIVER;
    judge_made_for(&judged, &made, TARGET_7, &demands, NULL);
    assert_verdict(&judged, 2210, RULE_NOT_APPLICABLE);
    assert_verdict(&judged, 2212, RULE_NOT_APPLICABLE);
    assert_verdict(&judged, 2213, RULE_NOT_APPLICABLE);
    assert_verdict(&judged, 2214, RULE_NOT_APPLICABLE);
    assert_verdict(&judged, 2209, RULE_NOT_APPLICABLE); /* nobody has read the signature */
    judged_free(&judged, &made);
}

/* make_image says 10.0 for both versions. */
static void versions_are_compared_with_the_target(void **state)
{
    (void)state;
    static const struct {
        enum windows_target target;
        enum rule_verdict verdict;
        const char *words;
    } targets[] = {{TARGET_7, RULE_FAIL, "Windows 7 is 6.1"},
                   {TARGET_8, RULE_FAIL, "Windows 8 is 6.2"},
                   {TARGET_8_1, RULE_FAIL, "Windows 8.1 is 6.3"},
                   {TARGET_1507, RULE_PASS, "10.0"},
                   {TARGET_11_25H2, RULE_PASS, "10.0"}};
    struct demands demands = all_at(LEVEL_ERROR);
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        struct made_image made;
        struct judged judged;
        make_driver(&made, &cases[0]);
        judge_made_for(&judged, &made, targets[i].target, &demands, NULL);
        assert_verdict(&judged, 2213, targets[i].verdict);
        assert_words(answer_of(&judged, 2213)->reason, targets[i].words);
        assert_int_equal(finding_count_of(&judged, 2213), targets[i].verdict == RULE_FAIL ? 2 : 0);
        judged_free(&judged, &made);
    }
}

/* HVCI2208 and HVCI2209 by what is known of the signature. */
static void signatures_are_judged_by_what_is_known(void **state)
{
    (void)state;
    static const struct {
        enum demand_value value;
        struct signature_facts facts;
        enum rule_verdict present, stale;
    } known[] = {
        {DEMAND_ANY, {.state = SIGNATURE_NONE}, RULE_NOT_APPLICABLE, RULE_NOT_APPLICABLE},
        {DEMAND_HOLDS, {.state = SIGNATURE_NONE}, RULE_FAIL, RULE_NOT_APPLICABLE},
        {DEMAND_ABSENT, {.state = SIGNATURE_NONE}, RULE_PASS, RULE_NOT_APPLICABLE},
        {DEMAND_HOLDS, {.catalog = "a.cat"}, RULE_PASS, RULE_NOT_APPLICABLE},
        {DEMAND_ABSENT, {.catalog = "a.cat"}, RULE_FAIL, RULE_NOT_APPLICABLE},
        /* What cannot be found out is no pass, either way. */
        {DEMAND_HOLDS, {.catalog_problem = "No folder."}, RULE_FAIL, RULE_NOT_APPLICABLE},
        {DEMAND_ABSENT, {.catalog_problem = "No folder."}, RULE_FAIL, RULE_NOT_APPLICABLE},
        {DEMAND_ANY,
         {.state = SIGNATURE_CURRENT, .algorithm = "SHA-256", .stored = "aa", .actual = "aa"},
         RULE_NOT_APPLICABLE,
         RULE_PASS},
        {DEMAND_ANY,
         {.state = SIGNATURE_STALE, .algorithm = "SHA-1", .stored = "aa", .actual = "bb"},
         RULE_NOT_APPLICABLE,
         RULE_FAIL},
        {DEMAND_ANY, {.state = SIGNATURE_UNREADABLE, .reason = "No."}, RULE_NOT_APPLICABLE, RULE_FAIL},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct demands demands = all_at(LEVEL_ERROR);
        struct made_image made;
        struct judged judged;
        demands.items[DEMAND_SIGNATURE].value = known[i].value;
        make_driver(&made, &cases[0]);
        judge_made_for(&judged, &made, TARGET_DEFAULT, &demands, &known[i].facts);
        if (answer_of(&judged, 2208)->verdict != known[i].present ||
            answer_of(&judged, 2209)->verdict != known[i].stale)
            fail_msg("case %zu: \"%s\" \"%s\"", i, answer_of(&judged, 2208)->reason,
                     answer_of(&judged, 2209)->reason);
        judged_free(&judged, &made);
    }
}

/* A load configuration with Control Flow Guard, one thing wrong at a time. */
static void guard_needs_a_sane_load_configuration(void **state)
{
    (void)state;
    enum { LC_AT = 0x100, TABLE_AT = 0x300, SLOT_AT = 0x320, LC_NBYTES = 0x148 };
    static const struct {
        uint32_t at, value;
        const char *words; /* NULL: passes */
    } wrongs[] = {
        {LC_GUARD_FLAGS_64, 0x500, NULL},
        {LC_GUARD_FLAGS_64, 0x400, "CF_INSTRUMENTED"},
        {LC_GUARD_FLAGS_64, 0x100, "CF_FUNCTION_TABLE_PRESENT"},
        {LC_GUARD_FLAGS_64, 0xF0000500, "is not inside a section"},
        {LC_GUARD_CF_CHECK_POINTER_64, 0, "leads nowhere"},
        {LC_GUARD_CF_FUNCTION_TABLE_64, 0x40009000, "is not inside a section"},
        {LC_GUARD_CF_FUNCTION_TABLE_64, 0x40003000, "writable section .data"},
        {LC_GUARD_CF_FUNCTION_COUNT_64, 0x40000000, "is not inside a section"},
        {LC_GUARD_CF_FUNCTION_COUNT_64, 0, NULL},
        {LC_SIZE, 0x70, "ends before GuardFlags"},
    };
    struct demands demands = all_at(LEVEL_ERROR);
    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
        struct made_image made;
        struct judged judged;
        uint8_t rdata[0x400] = {0}, data[0x40] = {0};
        uint8_t *lc = rdata + LC_AT;
        made = make_image(MACHINE_AMD64);
        made.dll_characteristics = FLAGS | DLLCHAR_GUARD_CF;
        made.entry_rva = 0x1000;
        store_u32(lc + LC_SIZE, LC_NBYTES);
        store_u64(lc + LC_GUARD_CF_CHECK_POINTER_64, made.image_base_va + RDATA_RVA + SLOT_AT);
        store_u64(lc + LC_GUARD_CF_FUNCTION_TABLE_64, made.image_base_va + RDATA_RVA + TABLE_AT);
        store_u64(lc + LC_GUARD_CF_FUNCTION_COUNT_64, 16);
        store_u32(lc + LC_GUARD_FLAGS_64, 0x500);
        for (uint32_t k = 0; k < 16; k++)
            store_u32(rdata + TABLE_AT + 4 * k, 0x1000);
        store_u32(lc + wrongs[i].at, wrongs[i].value);
        make_section(&made, ".text", 0x1000, MADE_TEXT, code, sizeof code);
        make_section(&made, ".rdata", RDATA_RVA, MADE_RDATA, rdata, sizeof rdata);
        make_section(&made, ".data", 0x3000, MADE_DATA, data, sizeof data);
        make_directory(&made, DIR_LOAD_CONFIG, RDATA_RVA + LC_AT, LC_NBYTES);
        judge_made_for(&judged, &made, TARGET_DEFAULT, &demands, NULL);
        assert_verdict(&judged, 2204, wrongs[i].words ? RULE_FAIL : RULE_PASS);
        if (wrongs[i].words)
            assert_words(answer_of(&judged, 2204)->reason, wrongs[i].words);
        judged_free(&judged, &made);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_case_is_answered),
        cmocka_unit_test(nobody_asks_nothing_is_judged),
        cmocka_unit_test(a_program_gets_notes),
        cmocka_unit_test(what_is_not_there_does_not_apply),
        cmocka_unit_test(versions_are_compared_with_the_target),
        cmocka_unit_test(signatures_are_judged_by_what_is_known),
        cmocka_unit_test(guard_needs_a_sane_load_configuration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
