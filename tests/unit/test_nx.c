/* test_nx.c - stubs that add a no-execute flag: their bytes against an assembler's, on x64 Linux what they do
 * to all arguments when they run, and which uses of an import keep it from its stub. Takes: the fixtures that
 * HVCIFIX_IMAGES lists.  Gives: pass or fail.  Must not: need Windows. */
#include "cmocka_all.h"

#include "image_list.h"
#include "rewrite_image.h"
#include "verify/verify.h"

#include <string.h>

#if defined(__linux__) && defined(__x86_64__)
#define CAN_RUN 1
#include <sys/mman.h>
#if !defined(MAP_ANONYMOUS)
#define MAP_ANONYMOUS 0x20 /* Linux; C17 alone does not show it */
#endif
#else
#define CAN_RUN 0
#endif

enum { ARGUMENT_COUNT = 6, RUN_NBYTES = 4096, SLOT_AT = 2048 };

struct known {
    const char *module, *name;
    uint8_t code_64[NX_STUB_MAX_NBYTES], nbytes_64, code_32[NX_STUB_MAX_NBYTES], nbytes_32;
};

/* From llvm-mc, without the last jump's displacement. */
static const struct known knowns[] = {
    {"ntoskrnl.exe",
     "ExAllocatePoolWithTag",
     {0xF6, 0xC1, 0x01, 0x75, 0x06, 0x81, 0xC9, 0x00, 0x02, 0x00, 0x00, 0xFF, 0x25},
     17,
     {0xF6, 0x44, 0x24, 0x04, 0x01, 0x75, 0x08, 0x81, 0x4C, 0x24, 0x04, 0x00, 0x02, 0x00, 0x00, 0xFF, 0x25},
     21},
    {"FLTMGR.SYS",
     "FltAllocatePoolAlignedWithTag",
     {0xF6, 0xC2, 0x01, 0x75, 0x06, 0x81, 0xCA, 0x00, 0x02, 0x00, 0x00, 0xFF, 0x25},
     17,
     {0xF6, 0x44, 0x24, 0x08, 0x01, 0x75, 0x08, 0x81, 0x4C, 0x24, 0x08, 0x00, 0x02, 0x00, 0x00, 0xFF, 0x25},
     21},
    {"ntoskrnl.exe",
     "ExInitializeLookasideListEx",
     {0x41, 0xF6, 0xC1, 0x01, 0x75, 0x07, 0x41, 0x81, 0xC9, 0x00, 0x02, 0x00, 0x00, 0xFF, 0x25},
     19,
     {0xF6, 0x44, 0x24, 0x10, 0x01, 0x75, 0x08, 0x81, 0x4C, 0x24, 0x10, 0x00, 0x02, 0x00, 0x00, 0xFF, 0x25},
     21},
    {"ntoskrnl.exe",
     "ExInitializeNPagedLookasideList",
     {0x41, 0x81, 0xC9, 0x00, 0x02, 0x00, 0x00, 0xFF, 0x25},
     13,
     {0x81, 0x4C, 0x24, 0x10, 0x00, 0x02, 0x00, 0x00, 0xFF, 0x25},
     14},
    {"ntoskrnl.exe",
     "MmMapLockedPagesSpecifyCache",
     {0x84, 0xD2, 0x75, 0x08, 0x81, 0x4C, 0x24, 0x30, 0x00, 0x00, 0x00, 0x40, 0xFF, 0x25},
     18,
     {0x80, 0x7C, 0x24, 0x08, 0x00, 0x75, 0x08, 0x81, 0x4C, 0x24, 0x18, 0x00, 0x00, 0x00, 0x40, 0xFF, 0x25},
     21},
};
enum { KNOWN_COUNT = sizeof knowns / sizeof knowns[0] };

static void test_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < KNOWN_COUNT; i++) {
        uint8_t code[NX_STUB_MAX_NBYTES];
        const struct nx_api *api = nx_api_find(knowns[i].module, knowns[i].name), *found;
        size_t jump_at;
        assert_non_null(api);
        for (unsigned is_64 = 0; is_64 < 2; is_64++) {
            size_t nbytes = is_64 ? knowns[i].nbytes_64 : knowns[i].nbytes_32;
            assert_int_equal(nx_stub_code(api, is_64, code), nbytes);
            assert_memory_equal(code, is_64 ? knowns[i].code_64 : knowns[i].code_32, nbytes - 4);
            assert_true(nx_stub_is_at(code, nbytes, is_64, &jump_at, &found));
            assert_int_equal(jump_at, nbytes - NX_JUMP_NBYTES);
            assert_true(nx_stub_is_same(api, found));
            assert_false(nx_stub_is_at(code, nbytes - 1, is_64, &jump_at, &found));
        }
    }
    assert_null(nx_api_find("ntoskrnl.exe", "MmMapLockedPages"));
    assert_null(nx_api_find("other.sys", "ExAllocatePool"));
    assert_null(nx_api_find("ntoskrnl.exe", NULL));
}

#if CAN_RUN
static uint64_t arrived[ARGUMENT_COUNT];

__attribute__((ms_abi)) static uint64_t target(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
                                               uint64_t f)
{
    uint64_t all[] = {a, b, c, d, e, f};
    memcpy(arrived, all, sizeof all);
    return 0x1122334455667788;
}

typedef __attribute__((ms_abi)) uint64_t called_fn(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                                                   uint64_t);

/* Runs the stub with these arguments; what arrives must be them, but for the low 32 bits of one. */
static void run(uint8_t *page, const struct nx_api *api, const uint64_t *given, uint32_t bits)
{
    size_t nbytes = nx_stub_code(api, true, page);
    uint64_t address = (uint64_t)(uintptr_t)target;
    called_fn *stub;
    store_u32(page + nbytes - 4, (uint32_t)(SLOT_AT - nbytes));
    store_u64(page + SLOT_AT, address);
    memcpy(&stub, &page, sizeof stub);
    assert_true(stub(given[0], given[1], given[2], given[3], given[4], given[5]) == 0x1122334455667788);
    for (unsigned i = 0; i < ARGUMENT_COUNT; i++)
        if (i == api->argument)
            assert_true((uint32_t)arrived[i] == ((uint32_t)given[i] | bits));
        else
            assert_true(arrived[i] == given[i]);
}

static void test_run(void **state)
{
    static const uint32_t types[] = {0, 1, 2, 4, 5, 8, 16, 32, 33, 0x100, 0x200, 0x201, 0x210};
    uint8_t *page =
        mmap(NULL, RUN_NBYTES, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)state;
    assert_true(page != MAP_FAILED);
    for (size_t i = 0; i < KNOWN_COUNT; i++) {
        const struct nx_api *api = nx_api_find(knowns[i].module, knowns[i].name);
        for (size_t k = 0; k < sizeof types / sizeof types[0]; k++) {
            uint64_t given[ARGUMENT_COUNT] = {
                0x1111000000000000, 0x2222000000000000, 0x3333, 0x4444000000000000, 0x55, 0x6666000000000000};
            uint32_t bits = 0;
            given[api->argument] += types[k];
            if (api->kind == NX_MDL_PRIORITY)
                given[1] += k % 2; /* kernel or user mode */
            if (api->kind == NX_MDL_PRIORITY ? k % 2 == 0 : api->kind == NX_POOL_FLAGS || !(types[k] & 1))
                bits = api->kind == NX_MDL_PRIORITY ? 0x40000000 : 0x200;
            run(page, api, given, bits);
        }
    }
    munmap(page, RUN_NBYTES);
}
#endif

static bool load_fixture(struct image_list *images, const char *name)
{
    if (!image_list_open(images))
        return false;
    while (image_list_next(images))
        if (strcmp(strrchr(images->path, '/') + 1, name) == 0)
            return true;
    return false;
}

/* The only load in the image becomes a comparison with the slot: then the address would not be the same
 * everywhere. */
static void test_compared_slot(void **state)
{
    struct image_list images;
    struct rewritten done;
    struct nx_plan plan;
    (void)state;
    if (!load_fixture(&images, "executable_pool_x64.sys")) {
        print_message("HVCIFIX_IMAGES does not list the fixture\n");
        skip();
    }
    struct span file = {images.bytes, images.nbytes};
    assert_true(rewrite_read(&done, file, SOURCE_ALL) && rewrite_nx(&done, &plan));
    assert_int_equal(plan.redirect_count, 3);
    uint8_t *bytes = arena_alloc(&done.arena, file.nbytes);
    size_t load_count = 0;
    assert_non_null(bytes);
    memcpy(bytes, file.bytes, file.nbytes);
    for (size_t i = 0; i < plan.site_count; i++)
        if (plan.sites[i].kind == NX_SITE_LOAD) {
            bytes[plan.sites[i].foff + 1] = 0x3B; /* cmp reg, [slot] */
            load_count++;
        }
    assert_true(load_count != 0);
    struct rewritten compared;
    struct nx_plan other;
    assert_true(rewrite_read(&compared, (struct span){bytes, file.nbytes}, SOURCE_ALL));
    assert_true(rewrite_nx(&compared, &other));
    assert_int_equal(other.redirect_count, 2);
    assert_int_equal(other.left_count, 1);
    assert_non_null(strstr(other.left[0].reason, "something else with the import slot"));
    rewritten_free(&compared);
    rewritten_free(&done);
    image_list_close(&images);
}

/* Another kind of change together with the stubs is refuted: what is left when they are taken back is not the
 * old image. */
static void test_one_byte_more(void **state)
{
    struct image_list images;
    struct rewritten done;
    struct nx_plan plan;
    struct verify_verdict verdict;
    (void)state;
    if (!load_fixture(&images, "executable_pool_x86.sys")) {
        print_message("HVCIFIX_IMAGES does not list the fixture\n");
        skip();
    }
    struct span file = {images.bytes, images.nbytes};
    assert_true(rewrite_read(&done, file, SOURCE_ALL) && rewrite_nx(&done, &plan));
    struct span output = {done.output.bytes, done.output.nbytes};
    assert_true(verify_pair(file, output, &done.arena, &verdict));
    assert_int_equal(verdict.result, VERIFY_PROVED_WITH_ASSUMPTIONS);
    uint32_t checksum_foff = done.image.opt_foff + OPT_CHECK_SUM;
    done.output.bytes[plan.sites[0].foff - 1] ^= 1;
    store_u32(done.output.bytes + checksum_foff, pe_checksum(output, checksum_foff));
    assert_true(verify_pair(file, output, &done.arena, &verdict));
    assert_int_equal(verdict.result, VERIFY_REFUTED);
    rewritten_free(&done);
    image_list_close(&images);
}

/* The load of a slot becomes one of twice its width that begins at the slot before: it reads the function's
 * address, too, though it does not lead to the slot. Five slots before, it does not. */
static void check_wide_load(const char *name, const uint8_t *opcode, size_t opcode_nbytes)
{
    struct image_list images;
    struct rewritten done;
    struct nx_plan plan;
    size_t load = 0;
    if (!load_fixture(&images, name)) {
        print_message("HVCIFIX_IMAGES does not list the fixture\n");
        skip();
    }
    struct span file = {images.bytes, images.nbytes};
    assert_true(rewrite_read(&done, file, SOURCE_ALL) && rewrite_nx(&done, &plan));
    while (load < plan.site_count &&
           (plan.sites[load].kind != NX_SITE_LOAD || plan.sites[load].field_at != opcode_nbytes))
        load++;
    assert_true(load < plan.site_count);
    uint8_t *bytes = arena_alloc(&done.arena, file.nbytes);
    uint32_t slot_nbytes = done.image.is_64 ? 8 : 4;
    assert_non_null(bytes);
    memcpy(bytes, file.bytes, file.nbytes);
    uint8_t *site = bytes + plan.sites[load].foff;
    memcpy(site, opcode, opcode_nbytes);
    uint32_t field = load_u32(site + opcode_nbytes);
    for (unsigned count = 1; count <= 5; count += 4) {
        struct rewritten wide;
        struct nx_plan other;
        struct verify_verdict verdict;
        store_u32(site + opcode_nbytes, field - count * slot_nbytes);
        assert_true(rewrite_read(&wide, (struct span){bytes, file.nbytes}, SOURCE_ALL));
        assert_true(rewrite_nx(&wide, &other) && other.redirect_count != 0);
        assert_true(verify_pair((struct span){bytes, file.nbytes},
                                (struct span){wide.output.bytes, wide.output.nbytes}, &wide.arena, &verdict));
        assert_int_equal(verdict.result, count == 1 ? VERIFY_REFUTED : VERIFY_PROVED_WITH_ASSUMPTIONS);
        if (count == 1)
            assert_non_null(strstr(verdict.reason, "still refer to the import slot"));
        rewritten_free(&wide);
    }
    rewritten_free(&done);
    image_list_close(&images);
}

static void test_wide_load(void **state)
{
    (void)state;
    check_wide_load("executable_pool_x64.sys", (const uint8_t[]){0x0F, 0x10, 0x05}, 3); /* movups xmm0, [] */
    check_wide_load("executable_pool_x86.sys", (const uint8_t[]){0xDD, 0x05}, 2);       /* fld qword [] */
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),
#if CAN_RUN
        cmocka_unit_test(test_run),
#endif
        cmocka_unit_test(test_compared_slot), cmocka_unit_test(test_one_byte_more),
        cmocka_unit_test(test_wide_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
