/* test_image.c - the model: headers, sections, lookups, regions, roles, and what is refused. */
#include "cmocka_all.h"

#include "image/image.h"
#include "make_image.h"

struct fixture {
    struct arena arena;
    struct made_image made;
    struct image image;
    struct finding error;
};

static const uint8_t return_code[] = {0xC3};
static const uint8_t zeros[0x300];

/* .text at 0x1000, .data at 0x2000 with a zero-filled tail to 0x4100, INIT at 0x5000. */
static void begin(struct fixture *f, uint16_t machine)
{
    memset(f, 0, sizeof *f);
    arena_init(&f->arena, NULL);
    f->made = make_image(machine);
    f->made.entry_rva = 0x1000;
    make_section(&f->made, ".text", 0x1000, MADE_TEXT, return_code, sizeof return_code);
    make_section(&f->made, ".data", 0x2000, MADE_DATA, zeros, sizeof zeros)->virtual_size = 0x2100;
    make_section(&f->made, "INIT", 0x5000, MADE_INIT, return_code, sizeof return_code);
}

static bool read_it(struct fixture *f)
{
    struct span file = make_file(&f->made);
    return image_read(file, &f->arena, &f->image, &f->error);
}

static void end(struct fixture *f)
{
    make_free(&f->made);
    arena_free(&f->arena);
}

static void test_headers_and_sections(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, MACHINE_AMD64);
    assert_true(read_it(&f));
    assert_true(f.image.is_64);
    assert_false(f.image.is_flat);
    assert_int_equal(f.image.entry_rva, 0x1000);
    assert_int_equal(f.image.section_count, 3);
    assert_string_equal(f.image.sections[2].name, "INIT");
    assert_int_equal(f.image.sections[1].memory_nbytes, 0x2100);
    assert_true(f.image.image_base_va == UINT64_C(0x140000000));
    assert_string_equal(image_machine_name(&f.image), "x64");
    assert_int_equal(f.image.role, ROLE_KERNEL);
    end(&f);
}

static void test_lookups_at_their_edges(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, MACHINE_I386);
    assert_true(read_it(&f));
    const struct image *image = &f.image;
    assert_null(image_section_at_rva(image, 0xFFF));
    assert_ptr_equal(image_section_at_rva(image, 0x1000), &image->sections[0]);
    assert_ptr_equal(image_section_at_rva(image, 0x1FFF), &image->sections[0]);
    assert_ptr_equal(image_section_at_rva(image, 0x40FF), &image->sections[1]);
    assert_ptr_equal(image_section_at_rva(image, 0x4FFF), &image->sections[1]);
    assert_null(image_section_at_rva(image, 0x6000));
    assert_null(image_section_at_rva(image, UINT32_MAX));

    uint32_t foff = 7, rva = 7;
    assert_true(image_rva_to_foff(image, 0x2000, 0x300, &foff));
    assert_int_equal(foff, image->sections[1].raw_foff);
    assert_false(image_rva_to_foff(image, 0x2400, 1, &foff)); /* zero-filled */
    assert_false(image_rva_to_foff(image, 0x1FFF, 2, &foff)); /* crosses sections */
    assert_true(image_foff_to_rva(image, image->sections[1].raw_foff + 5, &rva));
    assert_int_equal(rva, 0x2005);
    assert_true(image_foff_to_rva(image, 0, &rva));
    assert_int_equal(rva, 0);
    assert_false(image_foff_to_rva(image, image->file.nbytes, &rva));

    assert_true(image_va_to_rva(image, image->image_base_va + 3, &rva));
    assert_int_equal(rva, 3);
    assert_false(image_va_to_rva(image, image->image_base_va - 1, &rva));
    end(&f);
}

/* Regions must follow each other from 0 to the end of the file. */
static void check_partition(const struct image *image)
{
    uint64_t at = 0;
    for (size_t i = 0; i < image->region_count; i++) {
        assert_true(image->regions[i].foff == at);
        assert_true(image->regions[i].nbytes != 0);
        at += image->regions[i].nbytes;
    }
    assert_true(at == image->file.nbytes);
}

static void test_every_byte_has_one_region(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, MACHINE_AMD64);
    struct span file = make_file(&f.made);
    /* an overlay behind the last section */
    size_t nbytes = file.nbytes + 5;
    uint8_t *longer = malloc(nbytes);
    assert_non_null(longer);
    memcpy(longer, file.bytes, file.nbytes);
    memcpy(longer + file.nbytes, "extra", 5);
    assert_true(image_read((struct span){longer, nbytes}, &f.arena, &f.image, &f.error));
    check_partition(&f.image);
    const struct region *last = &f.image.regions[f.image.region_count - 1];
    assert_int_equal(last->kind, REGION_OVERLAY);
    assert_int_equal(last->nbytes, 5);
    assert_int_equal(f.image.overlap_count, 0);
    free(longer);
    end(&f);
}

static void test_shared_raw_data_is_an_overlap(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, MACHINE_AMD64);
    struct span file = make_file(&f.made);
    uint8_t *bytes = (uint8_t *)(uintptr_t)file.bytes;
    uint32_t opt_foff = MADE_PE_FOFF + PE_SIGNATURE_NBYTES + COFF_HEADER_NBYTES;
    uint32_t table_foff =
        opt_foff + load_u16(bytes + MADE_PE_FOFF + PE_SIGNATURE_NBYTES + COFF_SIZE_OF_OPTIONAL_HEADER);
    uint32_t text_raw_foff = load_u32(bytes + table_foff + SECTION_POINTER_TO_RAW_DATA);
    store_u32(bytes + table_foff + 2 * SECTION_HEADER_NBYTES + SECTION_POINTER_TO_RAW_DATA, text_raw_foff);
    assert_true(image_read(file, &f.arena, &f.image, &f.error));
    check_partition(&f.image);
    assert_int_equal(f.image.overlap_count, 1);
    assert_true(f.image.overlaps[0].foff == text_raw_foff);
    end(&f);
}

static void expect_refusal(struct fixture *f, enum finding_code code, uint64_t foff)
{
    assert_false(read_it(f));
    assert_int_equal(f->error.code, code);
    assert_true(f->error.file_offset == foff);
    assert_non_null(f->error.cure);
    assert_true(strlen(f->error.message) > 10);
    end(f);
}

static void test_refusals_name_their_place(void **state)
{
    (void)state;
    struct fixture f;
    uint32_t opt_foff = MADE_PE_FOFF + PE_SIGNATURE_NBYTES + COFF_HEADER_NBYTES;
    uint32_t table_foff = opt_foff + OPT_DIRECTORIES_64 + DIR_COUNT * DIRECTORY_ENTRY_NBYTES;

    begin(&f, MACHINE_AMD64);
    f.made.section_alignment = 0x1001;
    expect_refusal(&f, HVCI9003_MALFORMED_HEADER, opt_foff + OPT_SECTION_ALIGNMENT);

    begin(&f, MACHINE_AMD64);
    f.made.sections[1].rva = 0x1000; /* on top of .text */
    expect_refusal(&f, HVCI9003_MALFORMED_HEADER,
                   table_foff + SECTION_HEADER_NBYTES + SECTION_VIRTUAL_ADDRESS);

    begin(&f, MACHINE_AMD64);
    f.made.sections[2].virtual_size = 0xFFFFF000;
    expect_refusal(&f, HVCI9003_MALFORMED_HEADER,
                   table_foff + 2 * SECTION_HEADER_NBYTES + SECTION_VIRTUAL_SIZE);
}

static void test_truncation_everywhere(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, MACHINE_AMD64);
    struct span file = make_file(&f.made);
    size_t read_count = 0;
    for (size_t nbytes = 0; nbytes <= file.nbytes; nbytes++) {
        uint8_t *part = malloc(nbytes + 1);
        assert_non_null(part);
        memcpy(part, file.bytes, nbytes);
        uint8_t *exact = realloc(part, nbytes ? nbytes : 1);
        assert_non_null(exact);
        struct arena arena;
        arena_init(&arena, NULL);
        if (image_read((struct span){exact, nbytes}, &arena, &f.image, &f.error)) {
            read_count++;
            check_partition(&f.image);
        } else {
            assert_true(f.error.code == HVCI9001_NOT_A_PE_IMAGE || f.error.code == HVCI9002_TRUNCATED ||
                        f.error.code == HVCI9003_MALFORMED_HEADER);
        }
        arena_free(&arena);
        free(exact);
    }
    assert_int_equal(read_count, 1); /* only the whole file: its last section ends at its end */
    end(&f);
}

static void test_roles(void **state)
{
    (void)state;
    static const struct {
        uint16_t subsystem;
        const char *module;
        enum image_role role;
    } cases[] = {
        {SUBSYSTEM_NATIVE, "ntoskrnl.exe", ROLE_KERNEL},
        {SUBSYSTEM_NATIVE, "NTDLL.dll", ROLE_USER},
        {SUBSYSTEM_NATIVE, "mylib.dll", ROLE_KERNEL},
        {SUBSYSTEM_WINDOWS_CUI, "WDFLDR.SYS", ROLE_KERNEL},
        {SUBSYSTEM_WINDOWS_GUI, "mylib.dll", ROLE_USER},
        {SUBSYSTEM_EFI_RUNTIME_DRIVER, "x.sys", ROLE_FIRMWARE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        begin(&f, MACHINE_AMD64);
        f.made.subsystem = cases[i].subsystem;
        uint8_t imports[100] = {0};
        store_u32(imports + IMPORT_NAME, 0x6000 + 60);
        store_u32(imports + IMPORT_FIRST_THUNK, 0x6000 + 90);
        memcpy(imports + 60, cases[i].module, strlen(cases[i].module) + 1);
        make_section(&f.made, ".idata", 0x6000, MADE_RDATA, imports, sizeof imports);
        make_directory(&f.made, DIR_IMPORT, 0x6000, 40);
        assert_true(read_it(&f));
        assert_int_equal(f.image.role, cases[i].role);
        end(&f);
    }
}

/* Second source: the definition, word by word, as the PE specification and ImagHelp describe it. */
static uint32_t slow_checksum(struct span file, uint64_t checksum_foff)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < file.nbytes; i += 2) {
        uint8_t low = file.bytes[i], high = i + 1 < file.nbytes ? file.bytes[i + 1] : 0;
        if (i >= checksum_foff && i < checksum_foff + 4)
            low = 0;
        if (i + 1 >= checksum_foff && i + 1 < checksum_foff + 4)
            high = 0;
        sum += (uint32_t)(low | high << 8);
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    return sum + (uint32_t)file.nbytes;
}

static void test_checksum(void **state)
{
    (void)state;
    uint8_t bytes[203];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7919 >> 3);
    for (size_t nbytes = 100; nbytes <= sizeof bytes; nbytes++)
        for (uint64_t foff = 60; foff < 68; foff++) {
            struct span file = {bytes, nbytes};
            assert_int_equal(pe_checksum(file, foff), slow_checksum(file, foff));
        }
    memset(bytes, 0xFF, sizeof bytes);
    assert_int_equal(pe_checksum((struct span){bytes, 200}, 64),
                     slow_checksum((struct span){bytes, 200}, 64));
}

static void test_many_empty_sections_are_no_burden(void **state)
{
    (void)state;
    /* 65,535 empty sections, all at one RVA: reading and looking up stay quick because they span nothing. */
    size_t table_foff = 0x40 + 4 + 20 + 0xF0, nbytes = table_foff + 65535u * 40u;
    uint8_t *bytes = calloc(1, nbytes);
    assert_non_null(bytes);
    store_u16(bytes, DOS_MAGIC);
    store_u32(bytes + DOS_E_LFANEW, 0x40);
    store_u32(bytes + 0x40, PE_SIGNATURE);
    store_u16(bytes + 0x44, MACHINE_AMD64);
    store_u16(bytes + 0x44 + COFF_NUMBER_OF_SECTIONS, 0xFFFF);
    store_u16(bytes + 0x44 + COFF_SIZE_OF_OPTIONAL_HEADER, 0xF0);
    store_u16(bytes + 0x58, OPT_MAGIC_64);
    store_u32(bytes + 0x58 + OPT_SECTION_ALIGNMENT, 0x1000);
    struct arena arena;
    arena_init(&arena, NULL);
    struct image image;
    struct finding error;
    assert_true(image_read((struct span){bytes, nbytes}, &arena, &image, &error));
    assert_int_equal(image.section_count, 0xFFFF);
    assert_int_equal(image.mapped_section_count, 0);
    for (uint32_t rva = 0; rva < 1000000; rva++)
        assert_null(image_section_at_rva(&image, rva));
    arena_free(&arena);
    free(bytes);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers_and_sections),
        cmocka_unit_test(test_lookups_at_their_edges),
        cmocka_unit_test(test_every_byte_has_one_region),
        cmocka_unit_test(test_shared_raw_data_is_an_overlap),
        cmocka_unit_test(test_refusals_name_their_place),
        cmocka_unit_test(test_truncation_everywhere),
        cmocka_unit_test(test_roles),
        cmocka_unit_test(test_checksum),
        cmocka_unit_test(test_many_empty_sections_are_no_burden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
