/* test_verify_constants.c - addresses of data in INIT that the verifier assumes to be only read: text, and
 * arguments that kernel functions are documented to read; and what only looks like it.
 * Takes: small drivers, each with a literal and code that takes its address.  Gives: pass or fail. */
#include "verify_expect.h"
#include "verify_pairs.h"

enum { LITERAL_NBYTES = 16 };

/* Not followed by zeros: the end of a literal among code. "raw" is no text. */
static const uint8_t text[LITERAL_NBYTES] = {'o', 'n', 'l',  'y',  ' ',  'r',  'e',  'a',
                                             'd', 0,   0xCC, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC};
static const uint8_t wide[LITERAL_NBYTES] = {'\\', 0, 'D',  0,    'e',  0,    'v',  0,
                                             0,    0, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC};
static const uint8_t roomy[LITERAL_NBYTES] = {'t', 'e', 'x', 't', 0};
static const uint8_t endless[LITERAL_NBYTES] = {'n', 'o', ' ', 'e', 'n', 'd', 1, 0, 0xCC};
static const uint8_t brief[LITERAL_NBYTES] = {'a', 'b', 'c', 0, 0xCC};
static const uint8_t raw[LITERAL_NBYTES] = {0x80, 0x81, 0x82, 0x83};

static struct driver driver_with(uint16_t machine, const uint8_t *literal, const char *import)
{
    struct driver driver = driver_make(machine);
    driver_put(&driver, DRIVER_VARIABLE_RVA, literal, LITERAL_NBYTES);
    memset(driver_at(&driver, DRIVER_NAMES_RVA + 0x12), 0, 0x20);
    driver_put(&driver, DRIVER_NAMES_RVA + 0x12, import, strlen(import));
    return driver;
}

static enum verify_result result_of(struct driver *driver)
{
    struct verify_files files = driver_repair(driver);
    struct arena arena;
    arena_init(&arena, NULL);
    struct verify_verdict verdict = judge(&files, &arena);
    if (verdict.result == VERIFY_REFUTED && !strstr(verdict.reason, "takes the address of RVA 0x40F0"))
        fail_msg("refuted for another reason: %s", verdict.reason);
    arena_free(&arena);
    pairs_free(&files);
    return verdict.result;
}

/* lea into a register, `between`, then a call through the slot (opcode FF 15), or what `call` is. */
static enum verify_result lea_and_call(const uint8_t *literal, const char *import, const char *lea,
                                       const char *between, const char *call)
{
    struct driver driver = driver_with(MACHINE_AMD64, literal, import);
    uint32_t rva = driver_put_relative(&driver, DRIVER_SPARE_RVA, lea, 3, DRIVER_VARIABLE_RVA, 0);
    driver_put(&driver, rva, between, strlen(between));
    rva += (uint32_t)strlen(between);
    rva = driver_put_relative(&driver, rva, call, strlen(call), DRIVER_IAT_RVA, 0);
    driver_put(&driver, rva, "\xC3", 1);
    return result_of(&driver);
}

static const char lea_rcx[] = "\x48\x8D\x0D", lea_rdx[] = "\x48\x8D\x15", call_slot[] = "\xFF\x15";

static void text_is_assumed_to_be_read(void **state)
{
    (void)state;
    static const char unknown[] = "IoDeleteDevice";
    assert_int_equal(lea_and_call(text, unknown, lea_rcx, "", call_slot), VERIFY_PROVED_WITH_ASSUMPTIONS);
    assert_int_equal(lea_and_call(wide, unknown, lea_rcx, "", call_slot), VERIFY_PROVED_WITH_ASSUMPTIONS);
    assert_int_equal(lea_and_call(roomy, unknown, lea_rcx, "", call_slot), VERIFY_REFUTED);
    assert_int_equal(lea_and_call(endless, unknown, lea_rcx, "", call_slot), VERIFY_REFUTED);
    assert_int_equal(lea_and_call(brief, unknown, lea_rcx, "", call_slot), VERIFY_REFUTED);
    assert_int_equal(lea_and_call(raw, unknown, lea_rcx, "", call_slot), VERIFY_REFUTED);
}

static void arguments_that_are_read_are_accepted(void **state)
{
    (void)state;
    static const char init[] = "wcscpy";
    assert_int_equal(lea_and_call(raw, init, lea_rdx, "", call_slot), VERIFY_PROVED_WITH_ASSUMPTIONS);
    /* mov rcx, rbx does not touch it */
    assert_int_equal(lea_and_call(raw, init, lea_rdx, "\x48\x8B\xCB", call_slot),
                     VERIFY_PROVED_WITH_ASSUMPTIONS);
    /* the wrong argument, another function, a jump instead of a call */
    assert_int_equal(lea_and_call(raw, init, lea_rcx, "", call_slot), VERIFY_REFUTED);
    assert_int_equal(lea_and_call(raw, "wcscpY", lea_rdx, "", call_slot), VERIFY_REFUTED);
    assert_int_equal(lea_and_call(raw, init, lea_rdx, "", "\xFF\x25"), VERIFY_REFUTED);
    /* mov [rbx], rdx: stored; mov rbx, rdx: kept; inc edx; jz over nothing: another path has it too */
    assert_int_equal(lea_and_call(raw, init, lea_rdx, "\x48\x89\x13", call_slot), VERIFY_REFUTED);
    assert_int_equal(lea_and_call(raw, init, lea_rdx, "\x48\x8B\xDA", call_slot), VERIFY_REFUTED);
    assert_int_equal(lea_and_call(raw, init, lea_rdx, "\xFF\xC2", call_slot), VERIFY_REFUTED);
    assert_int_equal(lea_and_call(raw, init, lea_rdx, "\x74\x01\x90", call_slot), VERIFY_REFUTED);
}

/* The structure that is initialised leads to the text from then on: text alone is assumed to be only read,
 * and not when a character is stored through what was loaded from the stack behind the call. */
static void strings_lead_to_their_text(void **state)
{
    (void)state;
    static const struct {
        const char *call_and_more;
        enum verify_result wanted;
    } uses[] = {
        {"\xFF\x15", VERIFY_PROVED_WITH_ASSUMPTIONS},
        {"\x48\x8B\x44\x24\x28\x66\xFF\x40\x12", VERIFY_REFUTED}, /* mov rax,[rsp+40]; inc word [rax+18] */
        {"\x48\x8B\x44\x24\x28\x66\x8B\x40\x12", VERIFY_PROVED_WITH_ASSUMPTIONS}, /* mov ax,[rax+18] */
        {"\x48\x8B\x44\x24\x38\x66\xFF\x40\x12", VERIFY_PROVED_WITH_ASSUMPTIONS}, /* mov rax,[rsp+56] */
    };
    assert_int_equal(lea_and_call(raw, "RtlInitUnicodeString", lea_rdx, "", call_slot), VERIFY_REFUTED);
    for (size_t i = 0; i < sizeof uses / sizeof uses[0]; i++) {
        struct driver driver = driver_with(MACHINE_AMD64, wide, "RtlInitUnicodeString");
        uint32_t rva = driver_put_relative(&driver, DRIVER_SPARE_RVA, lea_rdx, 3, DRIVER_VARIABLE_RVA, 0);
        driver_put(&driver, rva, "\x48\x8D\x4C\x24\x20", 5); /* lea rcx,[rsp+32] */
        rva = driver_put_relative(&driver, rva + 5, call_slot, 2, DRIVER_IAT_RVA, 0);
        if (i > 0) {
            driver_put(&driver, rva, uses[i].call_and_more, 9);
            rva += 9;
        }
        driver_put(&driver, rva, "\xC3", 1);
        assert_int_equal(result_of(&driver), uses[i].wanted);
    }
}

static void arguments_that_are_written_are_refused_even_when_they_are_text(void **state)
{
    (void)state;
    assert_int_equal(lea_and_call(text, "strcpy", lea_rdx, "", call_slot), VERIFY_PROVED_WITH_ASSUMPTIONS);
    assert_int_equal(lea_and_call(text, "strcpy", lea_rcx, "", call_slot), VERIFY_REFUTED);
}

/* The address of a function goes to an import: through its slot, or through a register. */
static void functions_handed_to_what_writes_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *import, *lea;
        bool is_loaded;
        enum verify_result wanted;
    } uses[] = {
        {"memset", lea_rcx, false, VERIFY_REFUTED},        {"memset", lea_rcx, true, VERIFY_REFUTED},
        {"IoAllocateMdl", lea_rcx, false, VERIFY_REFUTED}, {"memcpy", lea_rdx, false, VERIFY_PROVED},
        {"IoDeleteDevice", lea_rcx, false, VERIFY_PROVED},
    };
    for (size_t i = 0; i < sizeof uses / sizeof uses[0]; i++) {
        struct driver driver = driver_with(MACHINE_AMD64, raw, uses[i].import);
        uint32_t rva = driver_put_relative(&driver, DRIVER_SPARE_RVA, uses[i].lea, 3, DRIVER_CALLBACK_RVA, 0);
        rva = driver_put_relative(&driver, rva, uses[i].is_loaded ? "\x48\x8B\x05" : "\xFF\x15",
                                  uses[i].is_loaded ? 3 : 2, DRIVER_IAT_RVA, 0);
        driver_put(&driver, rva, uses[i].is_loaded ? "\xFF\xD0\xC3" : "\xC3", uses[i].is_loaded ? 3 : 1);
        struct verify_files files = driver_repair(&driver);
        struct arena arena;
        arena_init(&arena, NULL);
        struct verify_verdict verdict = judge(&files, &arena);
        print_message("%s\n", uses[i].import);
        assert_int_equal(verdict.result == VERIFY_REFUTED, uses[i].wanted == VERIFY_REFUTED);
        assert_true(verdict.result != VERIFY_REFUTED || strstr(verdict.reason, "stores there"));
        arena_free(&arena);
        pairs_free(&files);
    }
}

/* push offset; then `between`; then call [slot]. */
static enum verify_result push_and_call(const uint8_t *literal, const char *import, const char *between)
{
    struct driver driver = driver_with(MACHINE_I386, literal, import);
    uint32_t rva = DRIVER_SPARE_RVA;
    driver_put(&driver, DRIVER_INIT_RVA + 5, "\xB8", 1); /* its own code hands the same import nothing */
    driver_put(&driver, rva, "\x68", 1);
    driver_put_address(&driver, rva + 1, DRIVER_VARIABLE_RVA);
    rva += 5;
    driver_put(&driver, rva, between, strlen(between));
    rva += (uint32_t)strlen(between);
    driver_put(&driver, rva, "\xFF\x15", 2);
    driver_put_address(&driver, rva + 2, DRIVER_IAT_RVA);
    driver_put(&driver, rva + 6, "\xC3", 1);
    return result_of(&driver);
}

static void x86_arguments_are_counted_by_pushes(void **state)
{
    (void)state;
    static const char init[] = "wcscpy";
    assert_int_equal(push_and_call(raw, init, "\x50"), VERIFY_PROVED_WITH_ASSUMPTIONS); /* push eax */
    assert_int_equal(push_and_call(raw, init, "\x8D\x4D\x84\x51"), VERIFY_PROVED_WITH_ASSUMPTIONS);
    assert_int_equal(push_and_call(raw, init, ""), VERIFY_REFUTED);
    assert_int_equal(push_and_call(raw, init, "\x50\x50"), VERIFY_REFUTED);
    assert_int_equal(push_and_call(raw, init, "\x50\x58\x50"), VERIFY_REFUTED); /* pop eax */
    assert_int_equal(push_and_call(text, "IoDeleteDevice", "\x50"), VERIFY_PROVED_WITH_ASSUMPTIONS);
    assert_int_equal(push_and_call(text, "wcscpy", ""), VERIFY_REFUTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_assumed_to_be_read),
        cmocka_unit_test(arguments_that_are_read_are_accepted),
        cmocka_unit_test(strings_lead_to_their_text),
        cmocka_unit_test(arguments_that_are_written_are_refused_even_when_they_are_text),
        cmocka_unit_test(functions_handed_to_what_writes_are_refused),
        cmocka_unit_test(x86_arguments_are_counted_by_pushes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
