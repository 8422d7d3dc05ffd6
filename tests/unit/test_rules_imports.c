/* test_rules_imports.c - HVCI2005 and HVCI2006: where the import address table and other loader-written data
 * lie, why they came there, and the stub of managed images. */
#include "judge_image.h"

enum { TEXT_RVA = 0x1000, RDATA_RVA = 0x2000, DATA_RVA = 0x3000, BLOCK_NBYTES = 0x400 };
enum { DESCRIPTORS_AT = 0x100, LOOKUP_AT = 0x140, NAME_AT = 0x180, MODULE_AT = 0x1A0 };

/* Sections' bytes of one image; .text begins with whatever a test puts there. */
struct parts {
    struct made_image made;
    uint8_t text[BLOCK_NBYTES], rdata[BLOCK_NBYTES], data[BLOCK_NBYTES];
};

static unsigned pointer_nbytes(const struct parts *parts)
{
    return made_is_64(&parts->made) ? 8 : 4;
}

static struct parts *new_parts(uint16_t machine)
{
    struct parts *parts = calloc(1, sizeof *parts);
    assert_non_null(parts);
    parts->made = make_image(machine);
    return parts;
}

static uint8_t *at_rva(struct parts *parts, uint32_t rva)
{
    return rva < RDATA_RVA  ? parts->text + (rva - TEXT_RVA)
           : rva < DATA_RVA ? parts->rdata + (rva - RDATA_RVA)
                            : parts->data + (rva - DATA_RVA);
}

/* One imported symbol. Descriptors, lookup table and names begin at tables_rva, the IAT is at iat_rva. */
static void put_import(struct parts *parts, uint32_t tables_rva, uint32_t iat_rva, const char *module,
                       const char *symbol)
{
    uint8_t *tables = at_rva(parts, tables_rva);
    uint8_t *descriptor = tables + DESCRIPTORS_AT;
    store_u32(descriptor + IMPORT_ORIGINAL_FIRST_THUNK, tables_rva + LOOKUP_AT);
    store_u32(descriptor + IMPORT_NAME, tables_rva + MODULE_AT);
    store_u32(descriptor + IMPORT_FIRST_THUNK, iat_rva);
    store_width(tables + LOOKUP_AT, pointer_nbytes(parts), tables_rva + NAME_AT);
    store_width(at_rva(parts, iat_rva), pointer_nbytes(parts), tables_rva + NAME_AT);
    strcpy((char *)tables + NAME_AT + 2, symbol);
    strcpy((char *)tables + MODULE_AT, module);
    make_directory(&parts->made, DIR_IMPORT, tables_rva + DESCRIPTORS_AT, 2 * IMPORT_DESCRIPTOR_NBYTES);
}

/* A second descriptor whose IAT is at iat_rva; it shares names with the first. */
static void put_second_import(struct parts *parts, uint32_t tables_rva, uint32_t iat_rva)
{
    uint8_t *tables = at_rva(parts, tables_rva);
    uint8_t *descriptor = tables + DESCRIPTORS_AT + IMPORT_DESCRIPTOR_NBYTES;
    store_u32(descriptor + IMPORT_ORIGINAL_FIRST_THUNK, tables_rva + LOOKUP_AT + 0x20);
    store_u32(descriptor + IMPORT_NAME, tables_rva + MODULE_AT);
    store_u32(descriptor + IMPORT_FIRST_THUNK, iat_rva);
    store_width(tables + LOOKUP_AT + 0x20, pointer_nbytes(parts), tables_rva + NAME_AT);
    store_width(at_rva(parts, iat_rva), pointer_nbytes(parts), tables_rva + NAME_AT);
}

static void judge_parts(struct judged *judged, struct parts *parts)
{
    struct made_image *made = &parts->made;
    make_section(made, ".text", TEXT_RVA, MADE_TEXT, parts->text, BLOCK_NBYTES);
    make_section(made, ".rdata", RDATA_RVA, MADE_RDATA, parts->rdata, BLOCK_NBYTES);
    make_section(made, ".data", DATA_RVA, MADE_DATA, parts->data, BLOCK_NBYTES);
    judge_made(judged, made, TARGET_DEFAULT);
}

static void done(struct judged *judged, struct parts *parts)
{
    judged_free(judged, &parts->made);
    free(parts);
}

static void an_iat_in_rdata_passes(void **state)
{
    (void)state;
    struct judged judged;
    struct parts *parts = new_parts(MACHINE_AMD64);
    put_import(parts, RDATA_RVA, RDATA_RVA, "ntoskrnl.exe", "IoCreateDevice");
    make_directory(&parts->made, DIR_IAT, RDATA_RVA, 16);
    judge_parts(&judged, parts);
    assert_verdict(&judged, 2005, RULE_PASS);
    assert_words(answer_of(&judged, 2005)->reason, ".rdata");
    assert_verdict(&judged, 2006, RULE_NOT_APPLICABLE);
    done(&judged, parts);
}

static void an_iat_in_text_fails(void **state)
{
    (void)state;
    struct judged judged;
    struct parts *parts = new_parts(MACHINE_AMD64);
    put_import(parts, RDATA_RVA, TEXT_RVA + 0x20, "ntoskrnl.exe", "IoCreateDevice");
    make_directory(&parts->made, DIR_IAT, TEXT_RVA + 0x20, 16);
    judge_parts(&judged, parts);
    assert_verdict(&judged, 2005, RULE_FAIL);
    const struct finding *finding = finding_of(&judged, 2005, 0);
    assert_int_equal(finding->level, LEVEL_ERROR);
    assert_string_equal(finding->section, ".text");
    assert_int_equal(finding->rva, TEXT_RVA + 0x20);
    assert_int_equal(finding->file_offset, made_foff(&parts->made, TEXT_RVA + 0x20));
    assert_true(evidence_has(finding, "Driver Verifier stop 0xC4/0x2005 names IAT directory at RVA 0x1020"));
    assert_true(evidence_has(finding, "0x10 bytes (2 slots)"));
    assert_true(evidence_has(finding, "Nothing shows a merge"));
    assert_verdict(&judged, 2006, RULE_NOT_APPLICABLE); /* directory 12 covers the only array */
    done(&judged, parts);
}

static void an_empty_directory_12_means_the_thunk_arrays(void **state)
{
    (void)state;
    struct judged judged;
    struct parts *parts = new_parts(MACHINE_I386);
    put_import(parts, RDATA_RVA, TEXT_RVA + 0x40, "ntoskrnl.exe", "IoCreateDevice");
    put_second_import(parts, RDATA_RVA, TEXT_RVA + 0x20);
    judge_parts(&judged, parts);
    assert_verdict(&judged, 2005, RULE_FAIL);
    const struct finding *finding = finding_of(&judged, 2005, 0);
    assert_int_equal(finding_count_of(&judged, 2005), 1);
    assert_int_equal(finding->rva, TEXT_RVA + 0x20);
    assert_true(evidence_has(finding, "The IAT directory is empty; 2 thunk arrays"));
    assert_words(finding->windows, "does not exist on x86");
    assert_verdict(&judged, 2006, RULE_NOT_APPLICABLE);
    done(&judged, parts);
}

static void an_array_outside_directory_12_is_2006(void **state)
{
    (void)state;
    struct judged judged;
    struct parts *parts = new_parts(MACHINE_AMD64);
    put_import(parts, RDATA_RVA, RDATA_RVA, "ntoskrnl.exe", "IoCreateDevice");
    put_second_import(parts, RDATA_RVA, TEXT_RVA + 0x20);
    make_directory(&parts->made, DIR_IAT, RDATA_RVA, 16);
    judge_parts(&judged, parts);
    assert_verdict(&judged, 2005, RULE_PASS);
    assert_verdict(&judged, 2006, RULE_FAIL);
    const struct finding *finding = finding_of(&judged, 2006, 0);
    assert_int_equal(finding->rva, TEXT_RVA + 0x20);
    assert_int_equal(finding->place_count, 1);
    assert_string_equal(finding->section, ".text");
    assert_true(evidence_has(finding, "import thunk array outside directory 12"));
    done(&judged, parts);
}

/* The terminator is not written, so a directory that ends before it covers the array; one that ends before
 * the last slot does not. */
static void directory_12_has_to_cover_the_slots(void **state)
{
    (void)state;
    for (uint32_t nbytes = 4; nbytes <= 16; nbytes += 4) {
        struct judged judged;
        struct parts *parts = new_parts(MACHINE_AMD64);
        put_import(parts, RDATA_RVA, TEXT_RVA, "ntoskrnl.exe", "IoCreateDevice");
        make_directory(&parts->made, DIR_IAT, TEXT_RVA, nbytes);
        judge_parts(&judged, parts);
        assert_verdict(&judged, 2005, RULE_FAIL);
        assert_verdict(&judged, 2006, nbytes < 8 ? RULE_FAIL : RULE_NOT_APPLICABLE);
        done(&judged, parts);
    }
}

/* A POGO debug entry: signature, then {RVA, size, name padded to 4}. */
static void put_pogo(struct parts *parts, const uint32_t *rvas, const char *const *names, size_t count)
{
    uint32_t directory_rva = RDATA_RVA + 0x200, payload_rva = RDATA_RVA + 0x240;
    uint8_t *entry = at_rva(parts, directory_rva), *payload = at_rva(parts, payload_rva);
    size_t at = POGO_SIGNATURE_NBYTES;
    store_u32(payload, 0x4C544347);
    for (size_t i = 0; i < count; i++) {
        store_u32(payload + at, rvas[i]);
        store_u32(payload + at + 4, 0x10);
        strcpy((char *)payload + at + POGO_ENTRY_HEADER_NBYTES, names[i]);
        at += POGO_ENTRY_HEADER_NBYTES + (strlen(names[i]) + 4) / 4 * 4;
    }
    store_u32(entry + DEBUG_TYPE, DEBUG_TYPE_POGO);
    store_u32(entry + DEBUG_SIZE_OF_DATA, (uint32_t)at);
    store_u32(entry + DEBUG_ADDRESS_OF_RAW_DATA, payload_rva);
    /* .rdata is the second of three sections of BLOCK_NBYTES behind the headers. */
    store_u32(entry + DEBUG_POINTER_TO_RAW_DATA,
              made_round_up(made_section_header_foff(&parts->made, 3), parts->made.file_alignment) +
                  BLOCK_NBYTES + (payload_rva - RDATA_RVA));
    make_directory(&parts->made, DIR_DEBUG, directory_rva, DEBUG_ENTRY_NBYTES);
}

static void the_linkers_record_names_the_merge(void **state)
{
    (void)state;
    static const struct {
        uint32_t rvas[3];
        const char *names[3];
        const char *evidence, *option;
    } cases[] = {
        {{TEXT_RVA, TEXT_RVA + 0x40, TEXT_RVA + 0x20},
         {".text$mn", ".rdata$zzzdbg", ".idata$5"},
         "1 contribution of .rdata inside .text; the first is .rdata$zzzdbg at RVA 0x1040",
         "/MERGE:.rdata=.text"},
        {{TEXT_RVA, RDATA_RVA + 0x10, TEXT_RVA + 0x20},
         {".text$mn", ".rdata", ".idata$5"},
         "1 contribution of .idata inside .text; the first is .idata$5 at RVA 0x1020",
         "/MERGE:.idata=.text"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct judged judged;
        struct parts *parts = new_parts(MACHINE_AMD64);
        put_import(parts, RDATA_RVA, TEXT_RVA + 0x20, "ntoskrnl.exe", "IoCreateDevice");
        make_directory(&parts->made, DIR_IAT, TEXT_RVA + 0x20, 16);
        put_pogo(parts, cases[i].rvas, cases[i].names, 3);
        judge_parts(&judged, parts);
        const struct finding *finding = finding_of(&judged, 2005, 0);
        assert_true(evidence_has(finding, cases[i].evidence));
        assert_words(finding->cure, cases[i].option);
        assert_null(strstr(finding->cure, "most likely"));
        done(&judged, parts);
    }
}

static void a_missing_rdata_and_read_only_tables_in_code_speak_for_a_merge(void **state)
{
    (void)state;
    struct judged judged;
    struct parts *parts = new_parts(MACHINE_AMD64);
    put_import(parts, TEXT_RVA, TEXT_RVA + 0x20, "ntoskrnl.exe", "IoCreateDevice");
    make_directory(&parts->made, DIR_IAT, TEXT_RVA + 0x20, 16);
    store_u32(parts->text + 0x200, 0x40); /* the Size field of a load configuration */
    make_directory(&parts->made, DIR_LOAD_CONFIG, TEXT_RVA + 0x200, 0x40);
    make_section(&parts->made, ".text", TEXT_RVA, MADE_TEXT, parts->text, BLOCK_NBYTES);
    judge_made(&judged, &parts->made, TARGET_DEFAULT);
    const struct finding *finding = finding_of(&judged, 2005, 0);
    assert_true(evidence_has(finding, "The image has no section .rdata."));
    assert_true(evidence_has(finding, "load configuration (RVA 0x1200)"));
    assert_words(finding->cure, "most likely /MERGE:.rdata=.text");
    done(&judged, parts);
}

static struct parts *managed_parts(const char *module, const char *symbol)
{
    struct parts *parts = new_parts(MACHINE_I386);
    parts->made.subsystem = SUBSYSTEM_WINDOWS_CUI;
    put_import(parts, TEXT_RVA + 0x80, TEXT_RVA, module, symbol);
    make_directory(&parts->made, DIR_IAT, TEXT_RVA, 8);
    store_u32(parts->text + 0x30, 0x48); /* the CLR header's own size */
    make_directory(&parts->made, DIR_CLR, TEXT_RVA + 0x30, 0x48);
    return parts;
}

static void the_stub_of_the_clr_is_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *module, *symbol;
        enum rule_verdict verdict;
    } cases[] = {
        {"mscoree.dll", "_CorExeMain", RULE_NOT_APPLICABLE},
        {"MSCOREE.DLL", "_CorDllMain", RULE_NOT_APPLICABLE},
        {"mscoree.dll", "_CorExeMain2", RULE_FAIL},
        {"mscoreX.dll", "_CorExeMain", RULE_FAIL},
        {"kernel32.dll", "ExitProcess", RULE_FAIL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct judged judged;
        struct parts *parts = managed_parts(cases[i].module, cases[i].symbol);
        judge_parts(&judged, parts);
        assert_verdict(&judged, 2005, cases[i].verdict);
        if (cases[i].verdict == RULE_NOT_APPLICABLE)
            assert_words(answer_of(&judged, 2005)->reason, cases[i].symbol);
        else
            assert_int_equal(finding_of(&judged, 2005, 0)->level, LEVEL_NOTE);
        done(&judged, parts);
    }
}

static void a_stub_without_a_clr_header_or_with_more_imports_is_judged(void **state)
{
    (void)state;
    struct judged judged;
    struct parts *parts = managed_parts("mscoree.dll", "_CorExeMain");
    make_directory(&parts->made, DIR_CLR, 0, 0);
    judge_parts(&judged, parts);
    assert_verdict(&judged, 2005, RULE_FAIL);
    done(&judged, parts);

    parts = managed_parts("mscoree.dll", "_CorExeMain");
    put_second_import(parts, TEXT_RVA + 0x80, RDATA_RVA);
    judge_parts(&judged, parts);
    assert_verdict(&judged, 2005, RULE_FAIL);
    done(&judged, parts);
}

/* A load configuration at RDATA_RVA whose cookie and CFG check slot are the given RVAs (0: none). */
static void put_load_config(struct parts *parts, uint32_t cookie_rva, uint32_t check_rva)
{
    bool is_64 = made_is_64(&parts->made);
    uint64_t base = parts->made.image_base_va;
    uint8_t *config = parts->rdata;
    store_u32(config + LC_SIZE, is_64 ? LC_GUARD_FLAGS_64 : LC_GUARD_FLAGS_32);
    store_width(config + (is_64 ? LC_SECURITY_COOKIE_64 : LC_SECURITY_COOKIE_32), pointer_nbytes(parts),
                cookie_rva ? base + cookie_rva : 0);
    store_width(config + (is_64 ? LC_GUARD_CF_CHECK_POINTER_64 : LC_GUARD_CF_CHECK_POINTER_32),
                pointer_nbytes(parts), check_rva ? base + check_rva : 0);
    make_directory(&parts->made, DIR_LOAD_CONFIG, RDATA_RVA, LC_GUARD_FLAGS_64);
}

static void guard_slot_and_cookie_in_code_are_2006(void **state)
{
    (void)state;
    static const uint16_t machines[] = {MACHINE_I386, MACHINE_AMD64, MACHINE_ARM64};
    for (size_t i = 0; i < sizeof machines / sizeof *machines; i++) {
        struct judged judged;
        struct parts *parts = new_parts(machines[i]);
        put_load_config(parts, TEXT_RVA + 0x100, TEXT_RVA + 0x80);
        judge_parts(&judged, parts);
        assert_verdict(&judged, 2006, RULE_FAIL);
        const struct finding *finding = finding_of(&judged, 2006, 0);
        assert_int_equal(finding_count_of(&judged, 2006), 1);
        assert_int_equal(finding->place_count, 2);
        assert_int_equal(finding->rva, TEXT_RVA + 0x80);
        assert_true(evidence_has(finding, "GuardCFCheckFunctionPointer at RVA 0x1080 (.text+0x80)"));
        assert_true(evidence_has(finding, "SecurityCookie at RVA 0x1100 (.text+0x100)"));
        assert_verdict(&judged, 2005, RULE_NOT_APPLICABLE);
        done(&judged, parts);
    }
}

static void guard_slot_and_cookie_in_data_pass(void **state)
{
    (void)state;
    struct judged judged;
    struct parts *parts = new_parts(MACHINE_AMD64);
    put_load_config(parts, DATA_RVA, RDATA_RVA + 0x300);
    judge_parts(&judged, parts);
    assert_verdict(&judged, 2006, RULE_PASS);
    assert_words(answer_of(&judged, 2006)->reason, "None of 2");
    done(&judged, parts);
}

static void a_field_of_zero_names_nothing(void **state)
{
    (void)state;
    struct judged judged;
    struct parts *parts = new_parts(MACHINE_AMD64);
    put_load_config(parts, 0, TEXT_RVA + 0x80);
    judge_parts(&judged, parts);
    assert_int_equal(finding_of(&judged, 2006, 0)->place_count, 1);
    assert_false(evidence_has(finding_of(&judged, 2006, 0), "SecurityCookie"));
    done(&judged, parts);
}

static void a_delay_load_table_in_code_is_2006(void **state)
{
    (void)state;
    struct judged judged;
    struct parts *parts = new_parts(MACHINE_AMD64);
    uint8_t *descriptor = parts->rdata;
    store_u32(descriptor + DELAY_ATTRIBUTES, DELAY_ATTRIBUTE_RVA);
    store_u32(descriptor + DELAY_NAME, RDATA_RVA + 0x100);
    store_u32(descriptor + DELAY_MODULE_HANDLE, DATA_RVA);
    store_u32(descriptor + DELAY_IAT, TEXT_RVA + 0x40);
    store_u32(descriptor + DELAY_INT, RDATA_RVA + 0x140);
    strcpy((char *)parts->rdata + 0x100, "late.sys");
    store_u64(parts->rdata + 0x140, RDATA_RVA + 0x180);
    strcpy((char *)parts->rdata + 0x182, "LateCall");
    store_u64(parts->text + 0x40, parts->made.image_base_va + TEXT_RVA);
    make_directory(&parts->made, DIR_DELAY_IMPORT, RDATA_RVA, 2 * DELAY_DESCRIPTOR_NBYTES);
    judge_parts(&judged, parts);
    assert_verdict(&judged, 2006, RULE_FAIL);
    assert_true(evidence_has(finding_of(&judged, 2006, 0), "delay-load import address table at RVA 0x1040"));
    assert_verdict(&judged, 2005, RULE_NOT_APPLICABLE);
    done(&judged, parts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_iat_in_rdata_passes),
        cmocka_unit_test(an_iat_in_text_fails),
        cmocka_unit_test(an_empty_directory_12_means_the_thunk_arrays),
        cmocka_unit_test(an_array_outside_directory_12_is_2006),
        cmocka_unit_test(directory_12_has_to_cover_the_slots),
        cmocka_unit_test(the_linkers_record_names_the_merge),
        cmocka_unit_test(a_missing_rdata_and_read_only_tables_in_code_speak_for_a_merge),
        cmocka_unit_test(the_stub_of_the_clr_is_told_apart),
        cmocka_unit_test(a_stub_without_a_clr_header_or_with_more_imports_is_judged),
        cmocka_unit_test(guard_slot_and_cookie_in_code_are_2006),
        cmocka_unit_test(guard_slot_and_cookie_in_data_pass),
        cmocka_unit_test(a_field_of_zero_names_nothing),
        cmocka_unit_test(a_delay_load_table_in_code_is_2006),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
