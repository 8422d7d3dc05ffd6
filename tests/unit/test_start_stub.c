/* test_start_stub.c - the stub that relocates at start: its bytes against an assembler's, its addresses at
 * every place where it can lie, and, on x64 Linux, what it does when it runs. */
#include "cmocka_all.h"

#include "base/pe_format.h"
#include "base/span.h"
#include "plan/start_stub.h"

#if defined(__linux__) && defined(__x86_64__)
#define CAN_RUN 1
#include <sys/mman.h>
#else
#define CAN_RUN 0
#endif

/* From llvm-mc, with flag at 0x3000, stub at 0x2000, table at 0x2050, F at 0x1234; image base 0x140000000. */
static const uint8_t assembled_64[] = {
    0xB8, 0x01, 0x00, 0x00, 0x00,                               /* movl $1, %eax */
    0x87, 0x05, 0xF5, 0x0F, 0x00, 0x00,                         /* xchgl %eax, 0x3000 */
    0x85, 0xC0,                                                 /* testl %eax, %eax */
    0x75, 0x2F,                                                 /* jne 0x203e */
    0x48, 0x8D, 0x05, 0xEA, 0xFF, 0xFF, 0xFF,                   /* leaq 0x2000, %rax */
    0x49, 0xBA, 0x00, 0x20, 0x00, 0x40, 0x01, 0x00, 0x00, 0x00, /* movabsq $0x140002000, %r10 */
    0x4C, 0x29, 0xD0,                                           /* subq %r10, %rax */
    0x74, 0x19,                                                 /* je 0x203e */
    0x4C, 0x8D, 0x15, 0x24, 0x00, 0x00, 0x00,                   /* leaq 0x2050, %r10 */
    0x4D, 0x63, 0x1A,                                           /* movslq (%r10), %r11 */
    0x4D, 0x85, 0xDB,                                           /* testq %r11, %r11 */
    0x74, 0x0A,                                                 /* je 0x203e */
    0x4B, 0x01, 0x04, 0x1A,                                     /* addq %rax, (%r10,%r11) */
    0x49, 0x83, 0xC2, 0x04,                                     /* addq $4, %r10 */
    0xEB, 0xEE,                                                 /* jmp 0x202c */
    0xE9, 0xF1, 0xF1, 0xFF, 0xFF,                               /* jmp 0x1234 */
};

/* The same at image base 0x400000. */
static const uint8_t assembled_32[] = {
    0xB8, 0x01, 0x00, 0x00, 0x00,       /* movl $1, %eax */
    0x87, 0x05, 0x00, 0x30, 0x40, 0x00, /* xchgl %eax, 0x403000 */
    0x85, 0xC0,                         /* testl %eax, %eax */
    0x75, 0x1F,                         /* jne 0x40202e */
    0xB8, 0x00, 0x20, 0x40, 0x00,       /* movl $0x402000, %eax */
    0x2D, 0x00, 0x20, 0x40, 0x00,       /* subl $0x402000, %eax */
    0x74, 0x13,                         /* je 0x40202e */
    0xBA, 0x50, 0x20, 0x40, 0x00,       /* movl $0x402050, %edx */
    0x8B, 0x0A,                         /* movl (%edx), %ecx */
    0x85, 0xC9,                         /* testl %ecx, %ecx */
    0x74, 0x08,                         /* je 0x40202e */
    0x01, 0x04, 0x0A,                   /* addl %eax, (%edx,%ecx) */
    0x83, 0xC2, 0x04,                   /* addl $4, %edx */
    0xEB, 0xF2,                         /* jmp 0x402020 */
    0xE9, 0x01, 0xF2, 0xFF, 0xFF,       /* jmp 0x401234 */
};

static const struct start_stub_addresses places = {
    .stub_rva = 0x2000, .flag_rva = 0x3000, .table_rva = 0x2050, .function_rva = 0x1234};

static void expect_bytes(bool is_64, uint64_t base_va, const uint8_t *expected, size_t nbytes)
{
    uint8_t bytes[START_STUB_NBYTES_64 + 1];
    struct start_stub_addresses addresses = places;
    addresses.image_base_va = base_va;
    memset(bytes, 0xA5, sizeof bytes);
    assert_int_equal(start_stub_nbytes(is_64), nbytes);
    start_stub_write(is_64, &addresses, bytes);
    assert_memory_equal(bytes, expected, nbytes);
    assert_int_equal(bytes[nbytes], 0xA5);
}

static void test_as_assembled(void **state)
{
    (void)state;
    expect_bytes(true, UINT64_C(0x140000000), assembled_64, sizeof assembled_64);
    expect_bytes(false, 0x400000, assembled_32, sizeof assembled_32);
}

/* The absolute addresses are where the relocations say, and none crosses a page at a multiple of 16. */
static void test_relocations(void **state)
{
    (void)state;
    uint8_t here[START_STUB_NBYTES_32], elsewhere[START_STUB_NBYTES_32];
    struct start_stub_addresses addresses = places;
    addresses.image_base_va = 0x400000;
    start_stub_write(false, &addresses, here);
    addresses.image_base_va = 0x400000 + 0x11110000;
    start_stub_write(false, &addresses, elsewhere);
    for (unsigned i = 0; i < START_STUB_RELOCATION_COUNT; i++) {
        unsigned offset = start_stub_relocations[i];
        assert_int_equal(load_u32(elsewhere + offset) - load_u32(here + offset), 0x11110000);
        store_u32(elsewhere + offset, load_u32(here + offset));
        for (unsigned at = 0; at < PAGE_NBYTES; at += 16)
            assert_true((at + offset) % PAGE_NBYTES <= PAGE_NBYTES - 4);
    }
    /* The constant is the one difference that is left: Windows must not relocate it. */
    assert_int_equal(load_u32(elsewhere + 0x15) - load_u32(here + 0x15), 0x11110000);
    store_u32(elsewhere + 0x15, load_u32(here + 0x15));
    assert_memory_equal(here, elsewhere, sizeof here);
}

#if CAN_RUN
#if !defined(MAP_ANONYMOUS)
#define MAP_ANONYMOUS 0x20 /* Linux; C17 alone does not show it */
#endif
enum { FLAG = 0x3000, TABLE = 0x2050, FUNCTION = 0x1000, FIRST = 0x3FFA, SECOND = 0x4FFF };

/* Calls the stub as Windows calls an entry point; F is `lea rax, [rcx + rdx]; ret` of Windows' arguments. */
static uint64_t call_stub(const uint8_t *image, uint64_t first, uint64_t second)
{
    uint64_t result;
    __asm__ volatile("call *%[stub]"
                     : "=a"(result)
                     : [stub] "r"(image + 0x2000), "c"(first), "d"(second)
                     : "r10", "r11", "memory", "cc");
    return result;
}

static void run_at(uint64_t distance)
{
    uint8_t *image =
        mmap(NULL, 0x6000, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(image, MAP_FAILED);
    struct start_stub_addresses addresses = {.image_base_va = (uint64_t)(uintptr_t)image - distance,
                                             .stub_rva = 0x2000,
                                             .flag_rva = FLAG,
                                             .table_rva = TABLE,
                                             .function_rva = FUNCTION};
    memcpy(image + FUNCTION, "\x48\x8D\x04\x11\xC3", 5);
    start_stub_write(true, &addresses, image + 0x2000);
    store_u32(image + TABLE, FIRST - TABLE);
    store_u32(image + TABLE + 4, SECOND - (TABLE + 4));
    store_u64(image + FIRST, UINT64_C(0x1111222233334444));
    store_u64(image + SECOND, 5);
    for (int call = 0; call < 3; call++) {
        assert_int_equal(call_stub(image, 40, 2), 42);
        assert_int_equal(load_u32(image + FLAG), 1);
        assert_int_equal(load_u64(image + FIRST), UINT64_C(0x1111222233334444) + distance);
        assert_int_equal(load_u64(image + SECOND), 5 + distance);
        assert_int_equal(image[FIRST - 1] | image[FIRST + 8] | image[SECOND - 1] | image[SECOND + 8], 0);
    }
    munmap(image, 0x6000);
}
#endif

static void test_runs_once(void **state)
{
    (void)state;
#if CAN_RUN
    run_at(0);
    run_at(0x10000);
    run_at(UINT64_C(0xFFFFF80000000000)); /* up, and down */
    run_at((uint64_t)-0x10000);
#else
    skip();
#endif
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_as_assembled),
                                              cmocka_unit_test(test_relocations),
                                              cmocka_unit_test(test_runs_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
