/* test_verify_writes_tables.c - what the loader writes, and importers may write, keeps MEM_WRITE in a
 * section; so do tables that cannot be read. Takes: small drivers, each with one table added or damaged.
 * Gives: pass or fail. */
#include "verify_writes_case.h"

static void sections_out_of_order_are_refused(void **state)
{
    (void)state;
    struct driver driver = driver_make(MACHINE_AMD64);
    struct verify_files files = driver_repair(&driver);
    struct pe_view view = view_of(files.new_bytes, files.new_nbytes);
    uint32_t first_foff = view_section_foff(&view, 0), second_foff = view_section_foff(&view, 1);
    uint8_t header[SECTION_HEADER_NBYTES];
    uint8_t *const both[] = {files.old_bytes, files.new_bytes};
    for (size_t i = 0; i < 2; i++) {
        memcpy(header, both[i] + first_foff, sizeof header);
        memcpy(both[i] + first_foff, both[i] + second_foff, sizeof header);
        memcpy(both[i] + second_foff, header, sizeof header);
    }
    pairs_set_checksum(files.new_bytes, files.new_nbytes);
    expect_refuted(&files, first_foff, "not in ascending order");
    pairs_free(&files);
}

static void the_iat_in_the_section_is_refused(void **state)
{
    (void)state;
    struct driver driver = driver_make(MACHINE_AMD64);
    driver.made.directories[DIR_IAT].rva = DRIVER_VARIABLE_RVA;
    expect_written(&driver, DRIVER_VARIABLE_RVA, "the IAT (data directory 12) lies in it");

    /* A thunk array outside directory 12. */
    driver = driver_make(MACHINE_AMD64);
    driver_put(&driver, DRIVER_VARIABLE_RVA, driver_at(&driver, DRIVER_IAT_RVA), 16);
    store_u32(driver_at(&driver, DRIVER_DESCRIPTORS_RVA) + IMPORT_FIRST_THUNK, DRIVER_VARIABLE_RVA);
    expect_written(&driver, DRIVER_VARIABLE_RVA, "FirstThunk");
}

/* A load configuration at 2040h of .rdata that has one address in it. */
static void put_load_config(struct driver *driver, uint32_t at, uint32_t target_rva)
{
    uint32_t rva = DRIVER_RDATA_RVA + 0x40;
    memset(driver_at(driver, rva), 0, 0x40);
    driver->site_count = 0;
    make_directory(&driver->made, DIR_RESOURCE, 0, 0);
    make_directory(&driver->made, DIR_DEBUG, 0, 0);
    make_directory(&driver->made, DIR_LOAD_CONFIG, rva, 0x40);
    store_u32(driver_at(driver, rva), at + 8);
    store_width(driver_at(driver, rva + at), made_is_64(&driver->made) ? 8 : 4,
                driver->made.image_base_va + target_rva);
}

static void what_the_load_configuration_names_is_refused(void **state)
{
    (void)state;
    static const struct {
        uint16_t machine;
        uint32_t at;
        const char *words;
    } fields[] = {
        {MACHINE_AMD64, LC_SECURITY_COOKIE_64, "the security cookie"},
        {MACHINE_I386, LC_SECURITY_COOKIE_32, "the security cookie"},
        {MACHINE_AMD64, LC_GUARD_CF_CHECK_POINTER_64, "the guard check pointer"},
        {MACHINE_AMD64, LC_GUARD_CF_DISPATCH_POINTER_64, "the guard dispatch pointer"},
        {MACHINE_AMD64, LC_GUARD_XFG_DISPATCH_POINTER_64, "the XFG dispatch pointer"},
        {MACHINE_AMD64, LC_GUARD_MEMCPY_POINTER_64, "the guard memcpy pointer"},
        {MACHINE_AMD64, LC_UMA_FUNCTION_POINTERS_64, "the UMA function pointers"},
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        struct driver driver = driver_make(fields[i].machine);
        /* The structure needs the room of the other tables in .rdata. */
        make_directory(&driver.made, DIR_EXCEPTION, 0, 0);
        put_load_config(&driver, fields[i].at, DRIVER_VARIABLE_RVA);
        expect_written(&driver, DRIVER_VARIABLE_RVA, fields[i].words);
    }
}

static void other_loader_written_places_are_refused(void **state)
{
    (void)state;
    struct driver driver = driver_make(MACHINE_AMD64);
    uint32_t tls_rva = DRIVER_RDATA_RVA + 0x1A0;
    store_u64(driver_at(&driver, tls_rva) + TLS_INDEX_64, driver.made.image_base_va + DRIVER_VARIABLE_RVA);
    make_directory(&driver.made, DIR_TLS, tls_rva, TLS_DIRECTORY_NBYTES_64);
    expect_written(&driver, DRIVER_VARIABLE_RVA, "the TLS index");

    driver = driver_make(MACHINE_AMD64);
    uint32_t delay_rva = DRIVER_RDATA_RVA + 0x1A0;
    uint8_t *delay = driver_at(&driver, delay_rva);
    store_u32(delay + DELAY_ATTRIBUTES, DELAY_ATTRIBUTE_RVA);
    store_u32(delay + DELAY_NAME, DRIVER_NAMES_RVA);
    store_u32(delay + DELAY_INT, DRIVER_LOOKUP_RVA);
    store_u32(delay + DELAY_IAT, DRIVER_VARIABLE_RVA);
    make_directory(&driver.made, DIR_DELAY_IMPORT, delay_rva, 2 * DELAY_DESCRIPTOR_NBYTES);
    expect_written(&driver, DRIVER_VARIABLE_RVA, "a delay import's IAT");
}

static void exported_data_is_refused_and_exported_code_is_not(void **state)
{
    (void)state;
    static const struct {
        uint32_t rva;
        bool is_code;
    } exports[] = {{DRIVER_CALLBACK_RVA, true}, {DRIVER_VARIABLE_RVA, false}};
    for (size_t i = 0; i < 2; i++) {
        struct driver driver = driver_make(MACHINE_AMD64);
        uint32_t export_rva = DRIVER_RDATA_RVA + 0x1A0, functions_rva = export_rva + EXPORT_DIRECTORY_NBYTES;
        store_u32(driver_at(&driver, export_rva) + EXPORT_NUMBER_OF_FUNCTIONS, 1);
        store_u32(driver_at(&driver, export_rva) + EXPORT_ADDRESS_OF_FUNCTIONS, functions_rva);
        store_u32(driver_at(&driver, functions_rva), exports[i].rva);
        make_directory(&driver.made, DIR_EXPORT, export_rva, EXPORT_DIRECTORY_NBYTES);
        if (exports[i].is_code)
            expect_unwritten(&driver);
        else
            expect_written(&driver, functions_rva, "the export");
    }
}

/* What cannot be read cannot be shown to write nothing. */
static void damaged_tables_are_refused(void **state)
{
    (void)state;
    struct driver driver = driver_make(MACHINE_AMD64);
    store_u32(driver_at(&driver, DRIVER_DESCRIPTORS_RVA) + IMPORT_ORIGINAL_FIRST_THUNK, 0x9000);
    struct verify_files files = driver_repair(&driver);
    struct pe_view view = view_of(files.new_bytes, files.new_nbytes);
    expect_refuted(&files, view_foff(&view, DRIVER_DESCRIPTORS_RVA), "a thunk array in no section");
    pairs_free(&files);

    driver = driver_make(MACHINE_AMD64);
    make_directory(&driver.made, DIR_TLS, 0x9000, 0x28);
    files = driver_repair(&driver);
    expect_refuted(&files, UINT64_MAX, "the TLS directory cannot be read");
    pairs_free(&files);

    driver = driver_make(MACHINE_AMD64);
    files = driver_repair(&driver);
    view = view_of(files.new_bytes, files.new_nbytes);
    uint32_t block_foff = view_foff(&view, DRIVER_RELOC_RVA);
    store_u32(files.old_bytes + block_foff + BASERELOC_BLOCK_SIZE, 7);
    store_u32(files.new_bytes + block_foff + BASERELOC_BLOCK_SIZE, 7);
    pairs_set_checksum(files.new_bytes, files.new_nbytes);
    expect_refuted(&files, block_foff, "impossible size");

    store_u32(files.old_bytes + block_foff + BASERELOC_BLOCK_SIZE, 12);
    store_u32(files.new_bytes + block_foff + BASERELOC_BLOCK_SIZE, 12);
    files.old_bytes[block_foff + 9] = files.new_bytes[block_foff + 9] = BASERELOC_HIGHADJ << 4;
    pairs_set_checksum(files.new_bytes, files.new_nbytes);
    expect_refuted(&files, block_foff + 8, "a type that this machine's images do not use");
    pairs_free(&files);
}

static void images_of_another_kind_are_refused(void **state)
{
    (void)state;
    struct driver driver = driver_make(MACHINE_AMD64);
    make_directory(&driver.made, DIR_CLR, DRIVER_RDATA_RVA + 0x1A0, 0x48);
    expect_written(&driver, DRIVER_RDATA_RVA + 0x1A0, "managed");

    driver = driver_make(MACHINE_AMD64);
    make_directory(&driver.made, DIR_EXCEPTION, 0, 0);
    put_load_config(&driver, LC_CHPE_METADATA_64, DRIVER_RDATA_RVA);
    expect_written(&driver, DRIVER_RDATA_RVA + 0x40 + LC_CHPE_METADATA_64, "hybrid");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sections_out_of_order_are_refused),
        cmocka_unit_test(the_iat_in_the_section_is_refused),
        cmocka_unit_test(what_the_load_configuration_names_is_refused),
        cmocka_unit_test(other_loader_written_places_are_refused),
        cmocka_unit_test(exported_data_is_refused_and_exported_code_is_not),
        cmocka_unit_test(damaged_tables_are_refused),
        cmocka_unit_test(images_of_another_kind_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
