/* test_layout.c - moving rewrites of small low-aligned drivers: what lies where, what each reference leads
 * to, and what is refused. Expected values are written down from the rules (one distance for all, what leaves
 * goes to fresh pages at the same place in the page), not taken from the output. */
#include "layout_case.h"

enum {
    DELTA = 0x1000,       /* of all that stays together: the first section starts behind the header page */
    NEW_DATA_RVA = 0x2600 /* pages 0x1000 hold code; .data leaves to the next, at the same place in it */
};

static uint32_t va(const struct low_case *driver, uint32_t rva)
{
    return (uint32_t)driver->made.image_base_va + rva;
}

/* mov eax, [data+8]; mov ecx, offset data+0x40; ret, and a call between the code sections. */
static void test_x86_moves(void **state)
{
    (void)state;
    struct low_case driver;
    low_begin(&driver, MACHINE_I386);
    uint32_t at = LOW_PUT(&driver, LOW_TEXT_RVA, "\xA1");
    at = low_put_va(&driver, at, LOW_DATA_RVA + 8);
    at = LOW_PUT(&driver, at, "\xB9");
    at = low_put_va(&driver, at, LOW_DATA_RVA + 0x40);
    at = LOW_PUT(&driver, at, "\xE8");
    at = low_put_rel(&driver, at, LOW_MORE_RVA + 0x10, 0);
    LOW_PUT(&driver, at, "\xC3");
    LOW_PUT(&driver, LOW_MORE_RVA + 0x10, "\xC3");
    low_put_va(&driver, LOW_DATA_RVA + 0x80, LOW_MORE_RVA + 0x10); /* a function pointer */
    low_rewrite(&driver);
    low_expect_moved(&driver);
    assert_int_equal(low_new_u32(&driver, LOW_TEXT_RVA + DELTA + 1), va(&driver, NEW_DATA_RVA + 8));
    assert_int_equal(low_new_u32(&driver, LOW_TEXT_RVA + DELTA + 6), va(&driver, NEW_DATA_RVA + 0x40));
    assert_int_equal(low_new_u32(&driver, LOW_TEXT_RVA + DELTA + 11),
                     LOW_MORE_RVA + 0x10 - (LOW_TEXT_RVA + 15));
    assert_int_equal(low_new_u32(&driver, NEW_DATA_RVA + 0x80), va(&driver, LOW_MORE_RVA + 0x10 + DELTA));
    assert_int_equal(low_new_u32(&driver, NEW_DATA_RVA), 0x11111111);
    assert_int_equal(low_new_u32(&driver, LOW_DATA_RVA + DELTA), 0xCCCCCCCC); /* the hole */
    low_end(&driver);
}

/* Headers of the output, by the format's own offsets. */
static void test_headers(void **state)
{
    (void)state;
    struct low_case driver;
    low_begin(&driver, MACHINE_I386);
    LOW_PUT(&driver, LOW_TEXT_RVA, "\xC3");
    low_put_va(&driver, LOW_DATA_RVA + 0x10, LOW_TEXT_RVA);
    low_rewrite(&driver);
    low_expect_moved(&driver);
    const uint8_t *opt = driver.done.output.bytes + made_opt_foff();
    assert_int_equal(load_u32(opt + OPT_ADDRESS_OF_ENTRY_POINT), LOW_TEXT_RVA + DELTA);
    assert_int_equal(load_u32(opt + OPT_SECTION_ALIGNMENT), 0x1000);
    assert_int_equal(load_u32(opt + OPT_FILE_ALIGNMENT), 0x200);
    assert_int_equal(load_u32(opt + OPT_SIZE_OF_IMAGE), 0x4000); /* headers, code, data, relocations */
    static const struct {
        const char *name;
        uint32_t rva, characteristics;
    } expected[] = {
        {".text", 0x1000, 0x68000020}, {".data", 0x2000, 0xC8000040}, {".reloc", 0x3000, 0x42000040}};
    assert_int_equal(load_u16(driver.done.output.bytes + made_coff_foff() + COFF_NUMBER_OF_SECTIONS), 3);
    for (uint32_t i = 0; i < 3; i++) {
        const uint8_t *header = driver.done.output.bytes + made_section_header_foff(&driver.made, i);
        assert_memory_equal(header, expected[i].name, strlen(expected[i].name));
        assert_int_equal(load_u32(header + SECTION_VIRTUAL_ADDRESS), expected[i].rva);
        assert_int_equal(load_u32(header + SECTION_CHARACTERISTICS), expected[i].characteristics);
    }
    const uint8_t *directory = driver.done.output.bytes + made_directory_foff(&driver.made, DIR_BASERELOC);
    uint32_t table_rva = load_u32(directory);
    assert_int_equal(table_rva % 0x1000, LOW_RELOC_RVA);
    assert_int_equal(load_u32(directory + 4), 12);
    assert_int_equal(low_new_u32(&driver, table_rva), 0x2000);
    assert_int_equal(low_new_u32(&driver, table_rva + 4), 12);
    assert_int_equal(low_new_u32(&driver, table_rva + 8), 0x3610);
    low_end(&driver);
}

/* array[i - 1] is stored as an address in front of .data, where code ends: it means the array. */
static void test_folded_address_means_the_data(void **state)
{
    (void)state;
    struct low_case driver;
    low_begin(&driver, MACHINE_I386);
    uint32_t at = LOW_PUT(&driver, LOW_TEXT_RVA, "\x8B\x04\x85"); /* mov eax, [eax*4 + data - 4] */
    at = low_put_va(&driver, at, LOW_DATA_RVA - 4);
    LOW_PUT(&driver, at, "\xC3");
    low_rewrite(&driver);
    low_expect_moved(&driver);
    assert_int_equal(low_new_u32(&driver, LOW_TEXT_RVA + DELTA + 3), va(&driver, NEW_DATA_RVA - 4));
    low_end(&driver);
}

/* The same with constants in front of .data: they could be meant as well, so both keep their distance. */
static void test_ambiguous_address_keeps_distances(void **state)
{
    (void)state;
    struct low_case driver;
    low_begin(&driver, MACHINE_I386);
    uint32_t at = LOW_PUT(&driver, LOW_TEXT_RVA, "\x8B\x04\x85");
    at = low_put_va(&driver, at, LOW_DATA_RVA - 4);
    LOW_PUT(&driver, at, "\xC3");
    LOW_PUT(&driver, LOW_DATA_RVA - 0x20, "constants: \x06\x0E\x16\x1E\x06\x0E\x16\x1E");
    low_rewrite(&driver);
    low_expect_moved(&driver);
    assert_true(driver.done.plan.layout->keeps_distances);
    assert_int_equal(low_new_u32(&driver, LOW_TEXT_RVA + DELTA + 3), va(&driver, NEW_DATA_RVA - 4));
    assert_int_equal(low_new_u32(&driver, NEW_DATA_RVA - 0x20), 0x736E6F63); /* "cons" */
    assert_int_equal(low_new_u32(&driver, NEW_DATA_RVA), 0x11111111);
    assert_int_equal(low_new_characteristics(&driver, NEW_DATA_RVA - 0x20), 0xC8000040);
    assert_non_null(strstr(driver.done.plan.changes[0].proof, "can be written"));
    low_end(&driver);
}

/* The end of what lies before .reloc is an address of its begin; it stays discardable all the same. */
static void test_end_before_relocations(void **state)
{
    (void)state;
    struct low_case driver;
    low_begin(&driver, MACHINE_I386);
    LOW_PUT(&driver, LOW_TEXT_RVA, "\xC3");
    low_put_va(&driver, LOW_DATA_RVA + 0x10, LOW_RELOC_RVA);
    low_rewrite(&driver);
    low_expect_moved(&driver);
    const uint8_t *directory = driver.done.output.bytes + made_directory_foff(&driver.made, DIR_BASERELOC);
    assert_int_equal(low_new_characteristics(&driver, load_u32(directory)), 0x42000040);
    low_end(&driver);
}

/* A pointer to the byte behind .data, where a function begins at once: &array[N] or the function? */
static void test_end_of_array_or_function(void **state)
{
    (void)state;
    struct low_case driver;
    low_begin(&driver, MACHINE_I386);
    uint32_t at = LOW_PUT(&driver, LOW_TEXT_RVA, "\xE8");
    at = low_put_rel(&driver, at, LOW_MORE_RVA, 0);
    at = LOW_PUT(&driver, at, "\x3D"); /* cmp eax, offset */
    at = low_put_va(&driver, at, LOW_MORE_RVA);
    LOW_PUT(&driver, at, "\xC3");
    LOW_PUT(&driver, LOW_MORE_RVA, "\xC3");
    low_rewrite(&driver);
    low_expect_refused(&driver, LOW_TEXT_RVA + 5, "may mean what lies on either side");
    low_end(&driver);
}

/* What is accessed through the address before anything is added to it, tells: [ecx + 4] is the first word of
 * .data, though constants lie in front of it, and though something is added later. Where nothing tells, the
 * constants come along. */
static void test_first_access_decides(void **state)
{
    static const struct {
        const char *tail;
        size_t tail_nbytes;
        bool decides;
    } cases[] = {
        {"\x8B\x51\x04\x03\xC8\x8B\x01\xC3", 8, true},  /* mov edx, [ecx + 4]; add ecx, eax; mov eax, [ecx] */
        {"\x03\xC8\x8B\x51\x04\x8B\x01\xC3", 8, false}, /* the other way round */
        {"\x83\xE0\x07\x8B\x44\x81\x04\xC3", 8, true},  /* and eax, 7; mov eax, [ecx + eax * 4 + 4] */
        {"\x83\xE0\x7F\x8B\x44\x81\x04\xC3", 8, false}, /* and eax, 127: past .data's end */
        {"\x83\xF0\x07\x8B\x44\x81\x04\xC3", 8, false}, /* xor eax, 7: no bounds */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct low_case driver;
        low_begin(&driver, MACHINE_I386);
        uint32_t at = LOW_PUT(&driver, LOW_TEXT_RVA, "\xB9"); /* mov ecx, data - 4 */
        at = low_put_va(&driver, at, LOW_DATA_RVA - 4);
        low_put(&driver, at, cases[i].tail, cases[i].tail_nbytes);
        LOW_PUT(&driver, LOW_DATA_RVA - 0x20, "constants: \x06\x0E\x16\x1E\x06\x0E\x16\x1E");
        low_rewrite(&driver);
        low_expect_moved(&driver);
        assert_int_equal(low_new_u32(&driver, LOW_TEXT_RVA + DELTA + 1), va(&driver, NEW_DATA_RVA - 4));
        assert_int_equal(driver.done.plan.layout->keeps_distances, !cases[i].decides);
        low_end(&driver);
    }
}

/* An index times 4 is none of text that lies behind .data; an index times 1 may be. */
static void test_words_are_no_text(void **state)
{
    (void)state;
    for (int is_wide = 0; is_wide < 2; is_wide++) {
        struct low_case driver;
        low_begin(&driver, MACHINE_I386);
        uint32_t at = LOW_PUT(&driver, LOW_TEXT_RVA, "\x8A\x04"); /* mov al, [eax * scale + data + F0] */
        at = low_put(&driver, at, is_wide ? "\x85" : "\x05", 1);
        at = low_put_va(&driver, at, LOW_DATA_RVA + 0xF0);
        LOW_PUT(&driver, at, "\xC3");
        LOW_PUT(&driver, LOW_MORE_RVA, "text of a literal\0");
        low_rewrite(&driver);
        if (is_wide)
            low_expect_moved(&driver);
        else
            low_expect_refused(&driver, LOW_TEXT_RVA, "may mean what lies on either side");
        low_end(&driver);
    }
}

/* An address that is only passed is none in front of a literal, whatever fills up behind the literal. */
static void test_passed_address_is_not_the_text(void **state)
{
    (void)state;
    struct low_case driver;
    low_begin(&driver, MACHINE_I386);
    uint32_t at = LOW_PUT(&driver, LOW_TEXT_RVA, "\x68"); /* push data + F0; call eax */
    at = low_put_va(&driver, at, LOW_DATA_RVA + 0xF0);
    at = LOW_PUT(&driver, at, "\xFF\xD0\x68"); /* push text; call eax */
    at = low_put_va(&driver, at, LOW_MORE_RVA + 0x10);
    LOW_PUT(&driver, at, "\xFF\xD0\xC3");
    LOW_PUT(&driver, LOW_MORE_RVA + 0x10, "t\0e\0x\0t\0\0\0"); /* CC behind */
    low_rewrite(&driver);
    low_expect_moved(&driver);
    assert_int_equal(low_new_u32(&driver, LOW_TEXT_RVA + DELTA + 1), va(&driver, NEW_DATA_RVA + 0xF0));
    low_end(&driver);
}

/* x64: a table of distances to data; one of them leads to what stays while the table leaves. */
static void test_x64_torn_table_is_refused(void **state)
{
    (void)state;
    for (int is_torn = 0; is_torn < 2; is_torn++) {
        struct low_case driver;
        low_begin(&driver, MACHINE_AMD64);
        uint32_t at = LOW_PUT(&driver, LOW_TEXT_RVA, "\x48\x8D\x0D"); /* lea rcx, [table] */
        at = low_put_rel(&driver, at, LOW_DATA_RVA, 0);
        /* movsxd rax, [rcx + rax * 4]; add rax, rcx; ret */
        LOW_PUT(&driver, at, "\x48\x63\x04\x81\x48\x01\xC8\xC3");
        low_put_u32(&driver, LOW_DATA_RVA, 0x40);
        low_put_u32(&driver, LOW_DATA_RVA + 4, is_torn ? LOW_MORE_RVA + 0x20 - LOW_DATA_RVA : 0x80);
        low_rewrite(&driver);
        if (is_torn)
            low_expect_refused(&driver, LOW_TEXT_RVA, "holds distances to what moves otherwise");
        else
            low_expect_moved(&driver);
        low_end(&driver);
    }
}

/* static T *p = array - 16 in a variable: the address leads among instructions. Data hold addresses of code
 * only where it has a label; a return address, or fill, is none. */
static void test_pointer_to_no_label_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *code;
        size_t nbytes;
        uint32_t at;
        bool is_label;
    } cases[] = {
        {"\x74\x02\x03\xC1\x03\xC1\xC3", 7, 4, true},         /* je; add; add; ret */
        {"\x74\x04\x03\xC1\x03\xC1\xC3", 7, 4, false},        /* the same, to the ret */
        {"\xE8\x03\0\0\0\x03\xC1\xC3\xC3", 9, 5, false},      /* call; add; ret; ret */
        {"\xE8\x04\0\0\0\xC3\x90\x90\x90\xC3", 10, 7, false}, /* call; ret; fill; ret */
        {"\xEB\x02\x03\xC1\x03\xC1\xC3", 7, 4, true},         /* jmp; add; add; ret */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct low_case driver;
        low_begin(&driver, MACHINE_I386);
        low_put(&driver, LOW_TEXT_RVA, cases[i].code, cases[i].nbytes);
        low_put_va(&driver, LOW_DATA_RVA, LOW_TEXT_RVA + cases[i].at);
        low_rewrite(&driver);
        if (cases[i].is_label)
            low_expect_moved(&driver);
        else
            low_expect_refused(&driver, LOW_DATA_RVA, "to no label");
        low_end(&driver);
    }
}

/* A filter of structured exceptions lies behind a call that does not return; its record in the scope table
 * (level, filter, handler) says what it is. */
static void test_exception_filter_is_code(void **state)
{
    (void)state;
    for (uint32_t level = UINT32_MAX - 1; level != UINT32_MAX - 3; level--) {
        struct low_case driver;
        low_begin(&driver, MACHINE_I386);
        /* call stop; filter: mov eax, ecx; ret; handler: pop eax; ret; stop: ret */
        LOW_PUT(&driver, LOW_TEXT_RVA, "\xE8\x05\0\0\0\x8B\xC1\xC3\x58\xC3\xC3");
        uint32_t at = low_put_u32(&driver, LOW_DATA_RVA, level);
        at = low_put_va(&driver, at, LOW_TEXT_RVA + 5);
        low_put_va(&driver, at, LOW_TEXT_RVA + 8);
        low_rewrite(&driver);
        if (level == UINT32_MAX - 1) /* -2: the outermost */
            low_expect_moved(&driver);
        else
            low_expect_refused(&driver, LOW_DATA_RVA + 4, "to no label");
        low_end(&driver);
    }
}

/* The same address falls on the begin of a function. Code that reads or writes memory through the pointer
 * shows that it means none; code that calls it leaves it one. */
static void test_pointer_that_is_read_through_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *use;
        bool is_function;
    } cases[] = {{"\x8B\x44\x88\0", false},   /* mov eax, [eax + ecx * 4] */
                 {"\x88\x4C\x08\0", false},   /* mov [eax + ecx], cl */
                 {"\xFF\xD0\x90\x90", true}}; /* call eax */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct low_case driver;
        low_begin(&driver, MACHINE_I386);
        uint32_t at = LOW_PUT(&driver, LOW_TEXT_RVA, "\xA1"); /* mov eax, [data] */
        at = low_put_va(&driver, at, LOW_DATA_RVA);
        at = low_put(&driver, at, cases[i].use, 4);
        LOW_PUT(&driver, at, "\xC3");
        LOW_PUT(&driver, LOW_MORE_RVA + 0x10, "\x55\x8B\xEC\x5D\xC3"); /* push ebp; mov ebp, esp; pop; ret */
        low_put_va(&driver, LOW_DATA_RVA, LOW_MORE_RVA + 0x10);
        low_rewrite(&driver);
        if (cases[i].is_function)
            low_expect_moved(&driver);
        else
            low_expect_refused(&driver, LOW_DATA_RVA, "memory is accessed through it");
        low_end(&driver);
    }
}

/* A jump table whose labels lie right behind variables that leave: labels are code, and go with it. */
static void test_labels_are_code(void **state)
{
    (void)state;
    struct low_case driver;
    uint32_t labels = LOW_MORE_RVA + 0xC, table = LOW_MORE_RVA + 0x10;
    low_begin(&driver, MACHINE_I386);
    uint32_t at = LOW_PUT(&driver, LOW_TEXT_RVA, "\xE9");
    low_put_rel(&driver, at, LOW_MORE_RVA, 0);
    /* cmp eax, 1; ja over; jmp [eax * 4 + table]; over: ret; ret */
    at = LOW_PUT(&driver, LOW_MORE_RVA, "\x83\xF8\x01\x77\x07\xFF\x24\x85");
    at = low_put_va(&driver, at, table);
    LOW_PUT(&driver, at, "\xC3\xC3");
    low_put_va(&driver, low_put_va(&driver, table, labels), labels + 1);
    low_rewrite(&driver);
    low_expect_moved(&driver);
    assert_int_equal(low_new_u32(&driver, table + DELTA), va(&driver, labels + DELTA));
    assert_int_equal(low_new_u32(&driver, table + DELTA + 4), va(&driver, labels + 1 + DELTA));
    low_end(&driver);
}

/* The begin of an instruction behind variables that leave, compared: the end of something, or a label? */
static void test_label_or_end_is_refused(void **state)
{
    (void)state;
    struct low_case driver;
    low_begin(&driver, MACHINE_I386);
    uint32_t at = LOW_PUT(&driver, LOW_TEXT_RVA, "\x3D"); /* cmp eax, label; jmp */
    at = low_put_va(&driver, at, LOW_MORE_RVA + 2);
    at = LOW_PUT(&driver, at, "\xE9");
    low_put_rel(&driver, at, LOW_MORE_RVA, 0);
    LOW_PUT(&driver, LOW_MORE_RVA, "\x03\xC1\x03\xC1\xC3"); /* add eax, ecx; add eax, ecx; ret */
    low_rewrite(&driver);
    low_expect_refused(&driver, LOW_TEXT_RVA, "may mean what lies on either side");
    low_end(&driver);
}

static void test_header_address_is_refused(void **state)
{
    (void)state;
    struct low_case driver;
    low_begin(&driver, MACHINE_I386);
    uint32_t at = LOW_PUT(&driver, LOW_TEXT_RVA, "\xB8");
    at = low_put_va(&driver, at, 0);
    LOW_PUT(&driver, at, "\xC3");
    low_rewrite(&driver);
    low_expect_refused(&driver, LOW_TEXT_RVA, "image base");
    low_end(&driver);
}

static void test_store_into_code_is_refused(void **state)
{
    (void)state;
    struct low_case driver;
    low_begin(&driver, MACHINE_I386);
    uint32_t at = LOW_PUT(&driver, LOW_TEXT_RVA, "\xA3"); /* mov [the ret], eax */
    at = low_put_va(&driver, at, LOW_TEXT_RVA + 5);
    LOW_PUT(&driver, at, "\xC3");
    low_rewrite(&driver);
    low_expect_refused(&driver, LOW_TEXT_RVA, "in executable section .text");
    low_end(&driver);
}

/* A variable among code leaves it; its old place is filled. */
static void test_store_beside_code_splits(void **state)
{
    (void)state;
    struct low_case driver;
    low_begin(&driver, MACHINE_I386);
    uint32_t variable_rva = LOW_TEXT_RVA + 0x80;
    uint32_t at = LOW_PUT(&driver, LOW_TEXT_RVA, "\xA3"); /* mov [variable], eax */
    at = low_put_va(&driver, at, variable_rva);
    LOW_PUT(&driver, at, "\xC3");
    low_put_u32(&driver, variable_rva, 0x12345678);
    low_rewrite(&driver);
    low_expect_moved(&driver);
    uint32_t new_rva =
        low_new_u32(&driver, LOW_TEXT_RVA + PAGE_NBYTES + 1) - (uint32_t)driver.made.image_base_va;
    assert_int_equal(new_rva % PAGE_NBYTES, variable_rva % PAGE_NBYTES);
    assert_int_equal(low_new_u32(&driver, new_rva), 0x12345678);
    assert_int_equal(low_new_characteristics(&driver, new_rva) & (SCN_MEM_WRITE | SCN_MEM_EXECUTE),
                     SCN_MEM_WRITE);
    assert_int_equal(low_new_u32(&driver, variable_rva + PAGE_NBYTES), 0xCCCCCCCC);
    assert_int_equal(low_new_characteristics(&driver, LOW_TEXT_RVA + PAGE_NBYTES) &
                         (SCN_MEM_WRITE | SCN_MEM_EXECUTE),
                     SCN_MEM_EXECUTE);
    low_end(&driver);
}

/* call $+5; pop eax: whatever is added to it is not known. */
static void test_own_address_is_refused(void **state)
{
    (void)state;
    struct low_case driver;
    low_begin(&driver, MACHINE_I386);
    LOW_PUT(&driver, LOW_TEXT_RVA, "\xE8\x00\x00\x00\x00\x58\xC3");
    low_put_va(&driver, LOW_DATA_RVA + 0x10, LOW_TEXT_RVA);
    low_rewrite(&driver);
    low_expect_refused(&driver, LOW_TEXT_RVA, "takes its own address");
    low_end(&driver);
}

static void test_x64_operand_moves(void **state)
{
    (void)state;
    struct low_case driver;
    low_begin(&driver, MACHINE_AMD64);
    uint32_t at = LOW_PUT(&driver, LOW_TEXT_RVA, "\xC7\x05"); /* mov dword [rip + data + 8], 1 */
    at = low_put_rel(&driver, at, LOW_DATA_RVA + 8, 4);
    LOW_PUT(&driver, at, "\x01\x00\x00\x00\xC3");
    low_rewrite(&driver);
    low_expect_moved(&driver);
    assert_int_equal(low_new_u32(&driver, LOW_TEXT_RVA + DELTA + 2),
                     NEW_DATA_RVA + 8 - (LOW_TEXT_RVA + DELTA + 10));
    low_end(&driver);
}

/* Bytes that nothing reaches and that read as an access to .data. */
static void test_x64_unexplained_bytes_are_refused(void **state)
{
    (void)state;
    struct low_case driver;
    low_begin(&driver, MACHINE_AMD64);
    LOW_PUT(&driver, LOW_TEXT_RVA, "\xC3");
    uint32_t at = LOW_PUT(&driver, LOW_TEXT_RVA + 0x100, "\x8B\x05");
    low_put_rel(&driver, at, LOW_DATA_RVA + 8, 0);
    low_rewrite(&driver);
    low_expect_refused(&driver, LOW_TEXT_RVA + 0x100, "not known to be code or data");
    low_end(&driver);
}

static uint32_t put_base(struct low_case *driver)
{
    uint32_t at = LOW_PUT(driver, LOW_TEXT_RVA, "\x48\x8D\x15"); /* lea rdx, [rip + image base] */
    return low_put_rel(driver, at, 0, 0);
}

/* mov eax, [rdx + rcx*4 + data]: the base stays at its distance to code, so the RVA follows .data from there.
 */
static void test_x64_image_base_displacement(void **state)
{
    (void)state;
    struct low_case driver;
    low_begin(&driver, MACHINE_AMD64);
    uint32_t at = put_base(&driver);
    at = LOW_PUT(&driver, at, "\x8B\x84\x8A");
    at = low_put_u32(&driver, at, LOW_DATA_RVA);
    LOW_PUT(&driver, at, "\xC3");
    low_rewrite(&driver);
    low_expect_moved(&driver);
    assert_int_equal(low_new_u32(&driver, LOW_TEXT_RVA + DELTA + 3),
                     (uint32_t)-(LOW_TEXT_RVA + 7)); /* as it was */
    assert_int_equal(low_new_u32(&driver, LOW_TEXT_RVA + DELTA + 10), NEW_DATA_RVA - DELTA);
    low_end(&driver);
}

/* A second register gets the base between: what the first one holds is not forgotten there. Nor is a number
 * added to something else than the base an address. */
static void test_x64_image_base_in_two_registers(void **state)
{
    (void)state;
    struct low_case driver;
    low_begin(&driver, MACHINE_AMD64);
    uint32_t at = put_base(&driver);
    at = LOW_PUT(&driver, at, "\x4C\x8D\x0D"); /* lea r9, [rip + image base] */
    at = low_put_rel(&driver, at, 0, 0);
    at = LOW_PUT(&driver, at, "\x81\xC0"); /* add eax, data */
    at = low_put_u32(&driver, at, LOW_DATA_RVA);
    at = LOW_PUT(&driver, at, "\x8B\x84\x8A"); /* mov eax, [rdx + rcx*4 + data] */
    at = low_put_u32(&driver, at, LOW_DATA_RVA);
    LOW_PUT(&driver, at, "\xC3");
    low_rewrite(&driver);
    low_expect_moved(&driver);
    assert_int_equal(low_new_u32(&driver, LOW_TEXT_RVA + DELTA + 16), LOW_DATA_RVA);
    assert_int_equal(low_new_u32(&driver, LOW_TEXT_RVA + DELTA + 23), NEW_DATA_RVA - DELTA);
    low_end(&driver);
}

static void expect_base_refused(const char *use, size_t use_nbytes, const char *words)
{
    struct low_case driver;
    low_begin(&driver, MACHINE_AMD64);
    uint32_t at = put_base(&driver);
    uint32_t end = low_put(&driver, at, use, use_nbytes);
    LOW_PUT(&driver, end, "\xC3");
    low_rewrite(&driver);
    low_expect_refused(&driver, at, words);
    low_end(&driver);
}

static void test_x64_image_base_escapes(void **state)
{
    (void)state;
    expect_base_refused("\x0F\xB7\x42\x3C", 4, "reads headers");             /* movzx eax, word [rdx+3Ch] */
    expect_base_refused("\x48\x89\x54\x24\x08", 5, "stores, passes");        /* mov [rsp+8], rdx */
    expect_base_refused("\x48\x3B\xCA", 3, "stores, passes, compares");      /* cmp rcx, rdx */
    expect_base_refused("\x48\x03\xCA", 3, "adds something");                /* add rcx, rdx */
    expect_base_refused("\xE8\x90\x00\x00\x00", 5, "passes the image base"); /* call */
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_x86_moves),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_folded_address_means_the_data),
        cmocka_unit_test(test_ambiguous_address_keeps_distances),
        cmocka_unit_test(test_end_before_relocations),
        cmocka_unit_test(test_end_of_array_or_function),
        cmocka_unit_test(test_first_access_decides),
        cmocka_unit_test(test_words_are_no_text),
        cmocka_unit_test(test_passed_address_is_not_the_text),
        cmocka_unit_test(test_pointer_to_no_label_is_refused),
        cmocka_unit_test(test_exception_filter_is_code),
        cmocka_unit_test(test_pointer_that_is_read_through_is_refused),
        cmocka_unit_test(test_x64_torn_table_is_refused),
        cmocka_unit_test(test_labels_are_code),
        cmocka_unit_test(test_label_or_end_is_refused),
        cmocka_unit_test(test_header_address_is_refused),
        cmocka_unit_test(test_store_into_code_is_refused),
        cmocka_unit_test(test_store_beside_code_splits),
        cmocka_unit_test(test_own_address_is_refused),
        cmocka_unit_test(test_x64_operand_moves),
        cmocka_unit_test(test_x64_unexplained_bytes_are_refused),
        cmocka_unit_test(test_x64_image_base_displacement),
        cmocka_unit_test(test_x64_image_base_in_two_registers),
        cmocka_unit_test(test_x64_image_base_escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
