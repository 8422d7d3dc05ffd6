/* test_verify_one_distance.c - the verifier on page-aligned images whose data all went one way.
 * Takes: a small x86 driver and a rewrite of it that has .rdata and .data behind everything else, both made
 * by this test's own code.  Gives: pass or fail.  Must not: use the rewriter. */
#include "verify_expect.h"
#include "verify_pairs.h"

#include <stdlib.h>

enum {
    DISTANCE = 0x4000, /* .rdata from 0x2000 to 0x6000, .data from 0x3000 to 0x7000 */
    INDEXED_RVA = DRIVER_TEXT_RVA + 0x10,
    OPERAND_RVA = INDEXED_RVA + 3,
    FUNCTION_RVA = DRIVER_TEXT_RVA,
    AMONG_CODE_RVA = DRIVER_TEXT_RVA + 3, /* in the middle of an instruction */
    BRANCHES_RVA = DRIVER_TEXT_RVA + 0x20,
    LABEL_RVA = BRANCHES_RVA + 5,       /* behind a return; a branch leads there */
    FOLDED_RVA = DRIVER_DATA_RVA - 0x20 /* of an array at the begin of .data whose index begins with 8 */
};

/* How the rewrite differs from the right one. */
struct wrong {
    const char *name;
    bool is_pushed;       /* the operand is handed on, not indexed */
    uint32_t target_rva;  /* that it leads to; 0: FOLDED_RVA */
    uint32_t pointer_rva; /* that a pointer in data leads to; 0: a function */
    bool has_room;        /* code may hold an array, in both images */
    int32_t operand_change, data_delta, rdata_flags, hole_flags, data_flags;
    uint32_t data_nbytes; /* VirtualSize of .data, if it is not its own */
    const char *rdata_name;
    bool is_one_section; /* .rdata and .data together, writable */
    const char *words;   /* of the reason; NULL: proved */
    bool is_not_shown;
};

static uint32_t target_of(const struct wrong *wrong)
{
    return wrong->target_rva ? wrong->target_rva : (uint32_t)FOLDED_RVA;
}

static struct driver make_old(const struct wrong *wrong)
{
    struct driver driver = driver_make(MACHINE_I386);
    /* mov eax, [ecx*4 + address]; ret, or nop; nop; push address; pop eax; ret */
    driver_put(&driver, INDEXED_RVA, wrong->is_pushed ? "\x90\x90\x68" : "\x8B\x04\x8D", 3);
    driver_put_address(&driver, OPERAND_RVA, target_of(wrong));
    driver_put(&driver, OPERAND_RVA + 4, wrong->is_pushed ? "\x58\xC3" : "\xC3\xCC", 2);
    driver_put(&driver, BRANCHES_RVA, "\x74\x03\x33\xC0\xC3\x33\xC0\xC3", 8); /* je label; ...; ret; label: */
    if (wrong->pointer_rva != 0)
        store_u32(driver_at(&driver, DRIVER_POINTER_RVA),
                  (uint32_t)driver.made.image_base_va + wrong->pointer_rva);
    if (wrong->has_room)
        return driver;
    /* Nothing in INIT is room for an array: between its tables lies fill. */
    memset(driver_at(&driver, DRIVER_VARIABLE_RVA), 0xCC, 16);
    memset(driver_at(&driver, DRIVER_DESCRIPTORS_RVA + 2 * IMPORT_DESCRIPTOR_NBYTES), 0xCC, 0x18);
    memset(driver_at(&driver, DRIVER_LOOKUP_RVA + 8), 0xCC, 0x18);
    memset(driver_at(&driver, DRIVER_NAMES_RVA + 0x24), 0xCC, DRIVER_INIT_NBYTES - 0x184);
    return driver;
}

static uint32_t moved_rva(const struct wrong *wrong, uint32_t rva)
{
    if (rva >= DRIVER_RDATA_RVA && rva < DRIVER_DATA_RVA)
        return rva + DISTANCE;
    if (rva >= DRIVER_DATA_RVA && rva < DRIVER_INIT_RVA)
        return rva + DISTANCE + (uint32_t)wrong->data_delta;
    return rva == AMONG_CODE_RVA ? rva + DISTANCE : rva;
}

static int compare_sites(const void *left, const void *right)
{
    const uint32_t *a = left, *b = right;
    return *a < *b ? -1 : *a > *b;
}

static void put_relocations(struct driver *driver)
{
    qsort(driver->sites, driver->site_count, sizeof driver->sites[0], compare_sites);
    make_relocations(&driver->made, DRIVER_RELOC_RVA, driver->sites, driver->site_count);
}

static void put_old_sections(struct driver *driver)
{
    make_section(&driver->made, ".text", DRIVER_TEXT_RVA, MADE_TEXT, driver->text, sizeof driver->text);
    make_section(&driver->made, ".rdata", DRIVER_RDATA_RVA, MADE_RDATA, driver->rdata, sizeof driver->rdata);
    make_section(&driver->made, ".data", DRIVER_DATA_RVA, MADE_DATA, driver->data, sizeof driver->data);
    make_section(&driver->made, "INIT", DRIVER_INIT_RVA, MADE_INIT & ~SCN_MEM_WRITE, driver->init,
                 sizeof driver->init);
    put_relocations(driver);
}

static void put_hole(struct driver *driver, const struct wrong *wrong, uint32_t rva, uint32_t nbytes)
{
    make_section(&driver->made, ".hvhole", rva, MADE_RDATA | (uint32_t)wrong->hole_flags, "", 0)
        ->virtual_size = nbytes;
}

static void put_new_sections(struct driver *driver, const struct wrong *wrong)
{
    uint32_t rdata_rva = moved_rva(wrong, DRIVER_RDATA_RVA), data_rva = moved_rva(wrong, DRIVER_DATA_RVA);
    make_section(&driver->made, ".text", DRIVER_TEXT_RVA, MADE_TEXT, driver->text, sizeof driver->text);
    put_hole(driver, wrong, DRIVER_RDATA_RVA, sizeof driver->rdata);
    put_hole(driver, wrong, DRIVER_DATA_RVA, sizeof driver->data);
    make_section(&driver->made, "INIT", DRIVER_INIT_RVA, MADE_INIT & ~SCN_MEM_WRITE, driver->init,
                 sizeof driver->init);
    put_relocations(driver);
    if (wrong->is_one_section) {
        uint8_t both[PAGE_NBYTES + sizeof driver->data] = {0};
        memcpy(both, driver->rdata, sizeof driver->rdata);
        memcpy(both + PAGE_NBYTES, driver->data, sizeof driver->data);
        make_section(&driver->made, ".data", rdata_rva, MADE_DATA, both, sizeof both);
        return;
    }
    make_section(&driver->made, wrong->rdata_name ? wrong->rdata_name : ".rdata", rdata_rva,
                 MADE_RDATA ^ (uint32_t)wrong->rdata_flags, driver->rdata, sizeof driver->rdata)
        ->virtual_size = data_rva - rdata_rva > PAGE_NBYTES ? PAGE_NBYTES + 1 : sizeof driver->rdata;
    struct made_section *data =
        make_section(&driver->made, ".data", data_rva, MADE_DATA ^ (uint32_t)wrong->data_flags, driver->data,
                     sizeof driver->data);
    if (wrong->data_nbytes != 0)
        data->virtual_size = wrong->data_nbytes;
}

static void move_data(struct driver *driver, const struct wrong *wrong)
{
    for (size_t i = 0; i < driver->site_count; i++) {
        uint8_t *field = driver_at(driver, driver->sites[i]);
        uint32_t rva = load_u32(field) - (uint32_t)driver->made.image_base_va;
        store_u32(field, (uint32_t)driver->made.image_base_va + moved_rva(wrong, rva));
    }
    uint8_t *operand = driver_at(driver, OPERAND_RVA);
    store_u32(operand, load_u32(operand) + (uint32_t)wrong->operand_change);
    uint8_t *thunk = driver_at(driver, DRIVER_DESCRIPTORS_RVA) + IMPORT_FIRST_THUNK;
    store_u32(thunk, moved_rva(wrong, load_u32(thunk)));
    for (size_t i = 0; i < driver->site_count; i++)
        driver->sites[i] = moved_rva(wrong, driver->sites[i]);
    for (unsigned i = 0; i < DIR_COUNT; i++)
        driver->made.directories[i].rva = moved_rva(wrong, driver->made.directories[i].rva);
}

static struct verify_files make_pair(const struct wrong *wrong)
{
    struct driver old_driver = make_old(wrong), new_driver = make_old(wrong);
    put_old_sections(&old_driver);
    struct verify_files files = pairs_repair(make_file(&old_driver.made));
    move_data(&new_driver, wrong);
    put_new_sections(&new_driver, wrong);
    struct span file = make_file(&new_driver.made);
    free(files.new_bytes);
    files.new_bytes = calloc(1, file.nbytes + 0x1000);
    assert_non_null(files.new_bytes);
    memcpy(files.new_bytes, file.bytes, file.nbytes);
    files.new_nbytes = file.nbytes;
    pairs_set_checksum(files.new_bytes, files.new_nbytes);
    make_free(&old_driver.made);
    make_free(&new_driver.made);
    return files;
}

static const struct wrong pairs[] = {
    {.name = "right"},
    {.name = "another name", .rdata_name = ".const"},
    /* The folded address means one of the arrays; that all went one way says where it is now. */
    {.name = "an index left as it was",
     .operand_change = -DISTANCE,
     .words = "need not be",
     .is_not_shown = true},
    {.name = "a folded address among code", .is_pushed = true, .target_rva = AMONG_CODE_RVA},
    {.name = "a folded address among code, left as it was",
     .is_pushed = true,
     .target_rva = AMONG_CODE_RVA,
     .operand_change = -DISTANCE,
     .words = "need not be",
     .is_not_shown = true},
    {.name = "a folded address where code has room for an array",
     .is_pushed = true,
     .target_rva = AMONG_CODE_RVA,
     .has_room = true,
     .words = "not shown which of the parts",
     .is_not_shown = true},
    {.name = "an index among code", .target_rva = AMONG_CODE_RVA},
    {.name = "an index among code, left as it was",
     .target_rva = AMONG_CODE_RVA,
     .operand_change = -DISTANCE,
     .words = "need not be",
     .is_not_shown = true},
    {.name = "a function's address", .is_pushed = true, .target_rva = FUNCTION_RVA},
    {.name = "a function's address that moved",
     .is_pushed = true,
     .target_rva = FUNCTION_RVA,
     .operand_change = DISTANCE,
     .words = "to lead where it led"},
    {.name = "a pointer in data to a function", .pointer_rva = BRANCHES_RVA},
    {.name = "a pointer in data to a label",
     .pointer_rva = LABEL_RVA,
     .words = "not shown which of the parts",
     .is_not_shown = true},
    {.name = "data went two ways",
     .data_delta = PAGE_NBYTES,
     .words = "not shown which of the parts",
     .is_not_shown = true},
    {.name = "a hole can be written",
     .hole_flags = (int32_t)SCN_MEM_WRITE,
     .words = "holds nothing that was",
     .is_not_shown = true},
    {.name = "a hole is executable", .hole_flags = (int32_t)SCN_MEM_EXECUTE, .words = "executable section"},
    {.name = "constants can be written",
     .rdata_flags = (int32_t)SCN_MEM_WRITE,
     .words = "holds nothing that was",
     .is_not_shown = true},
    {.name = "constants can be executed", .rdata_flags = (int32_t)SCN_MEM_EXECUTE, .words = "executable"},
    {.name = "constants share a section with variables",
     .is_one_section = true,
     .words = "could not be at RVA 0x2000"},
    {.name = "constants can be discarded",
     .rdata_flags = (int32_t)SCN_MEM_DISCARDABLE,
     .words = "is discardable"},
    {.name = "a section without an end", .data_nbytes = 0x1000000, .words = "bytes in memory"},
    {.name = "constants are paged by name", .rdata_name = "PAGE", .words = "by its name"},
    {.name = "variables cannot be written",
     .data_flags = (int32_t)SCN_MEM_WRITE,
     .words = "could not be found where",
     .is_not_shown = true},
};

static void each_pair_is_judged(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct verify_files files = make_pair(&pairs[i]);
        struct arena arena;
        arena_init(&arena, NULL);
        struct verify_verdict verdict = judge(&files, &arena);
        bool is_proved = verdict.result == VERIFY_PROVED_WITH_ASSUMPTIONS;
        if (is_proved != !pairs[i].words)
            fail_msg("%s: %s", pairs[i].name, is_proved ? "proved" : verdict.reason);
        if (!is_proved &&
            (!strstr(verdict.reason, pairs[i].words) || verdict.right_not_shown != pairs[i].is_not_shown))
            fail_msg("%s: %s", pairs[i].name, verdict.reason);
        arena_free(&arena);
        pairs_free(&files);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_pair_is_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
