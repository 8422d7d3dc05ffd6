/* test_verify_follow.c - what the verifier sees of an address in a register: accesses, where it goes, what is
 * done with it; and the bounds of an index. The instructions were assembled by hand from the processor's
 * manual. Takes: small x86 drivers, each with one function.  Gives: pass or fail. */
#include "cmocka_all.h"

#include "verify/verify_bounded.h"
#include "verify/verify_follow.h"
#include "verify/verify_gaps.h"
#include "verify/verify_ways.h"
#include "verify_pairs.h"

enum { FUNCTION_RVA = DRIVER_SPARE_RVA, PLACE_RVA = DRIVER_DATA_RVA + 0x10 };

struct read_driver {
    struct made_image made;
    struct arena arena;
    struct verify_image image;
    struct verify_tables tables;
    struct verify_code code;
};

/* A driver with these bytes at FUNCTION_RVA. When address_at is not 0, the address of PLACE_RVA is stored so
 * many bytes behind its begin. */
static void read_function(struct read_driver *read, const char *bytes, size_t nbytes, uint32_t address_at)
{
    struct driver driver = driver_make(MACHINE_I386);
    const char *problem;
    uint64_t foff;
    driver_put(&driver, FUNCTION_RVA, bytes, nbytes);
    if (address_at != 0)
        driver_put_address(&driver, FUNCTION_RVA + address_at, PLACE_RVA);
    make_section(&driver.made, ".text", DRIVER_TEXT_RVA, MADE_TEXT, driver.text, sizeof driver.text);
    make_section(&driver.made, ".rdata", DRIVER_RDATA_RVA, MADE_RDATA, driver.rdata, sizeof driver.rdata);
    make_section(&driver.made, ".data", DRIVER_DATA_RVA, MADE_DATA, driver.data, sizeof driver.data);
    make_section(&driver.made, "INIT", DRIVER_INIT_RVA, MADE_INIT, driver.init, sizeof driver.init);
    make_relocations(&driver.made, DRIVER_RELOC_RVA, driver.sites, driver.site_count);
    read->made = driver.made;
    struct span file = make_file(&read->made);
    arena_init(&read->arena, NULL);
    assert_true(verify_image_read(file, &read->arena, &read->image, &problem, &foff));
    assert_true(verify_tables_read(&read->image, &read->arena, &read->tables));
    assert_true(verify_code_read(&read->image, &read->tables, &read->arena, &read->code, &problem, &foff));
    assert_true(verify_gaps_mark(&read->code, NULL, &read->arena));
    assert_true(verify_branches_find(&read->code, &read->arena));
    struct verify_function *function = verify_function_at(&read->code, FUNCTION_RVA);
    assert_true(function && verify_function_is_clean(&read->code, function));
}

static void release(struct read_driver *read)
{
    arena_free(&read->arena);
    make_free(&read->made);
}

/* `tail` stands behind mov ecx, PLACE. */
static struct verify_followed follow(const char *tail, size_t nbytes)
{
    struct read_driver read;
    char bytes[128] = {(char)0xB9};
    assert_true(nbytes <= sizeof bytes - 5);
    memcpy(bytes + 5, tail, nbytes);
    read_function(&read, bytes, nbytes + 5, 1);
    const struct verify_code_section *section = verify_code_at(&read.code, FUNCTION_RVA);
    struct verify_followed followed = verify_follow(&read.code, section, FUNCTION_RVA - section->rva, 0);
    release(&read);
    return followed;
}

#define FOLLOW(literal) follow(literal, sizeof(literal) - 1)

static void expect_reach(struct verify_reach reach, int64_t low, int64_t high)
{
    assert_int_not_equal(reach.count, 0);
    assert_int_equal(reach.low, low);
    assert_int_equal(reach.high, high);
}

static void accesses_are_seen(void **state)
{
    (void)state;
    struct verify_followed found = FOLLOW("\x8B\x41\x08"           /* mov eax, [ecx + 8] */
                                          "\x66\x89\x41\x02\xC3"); /* mov [ecx + 2], ax; ret */
    assert_true(found.is_known && found.is_followed && found.writes && !found.is_computed);
    expect_reach(found.accessed, 2, 12);
    expect_reach(found.certain, 2, 12);
    found = FOLLOW(
        "\x8D\x59\x10\x8B\xF3\x8B\x46\xFC\xC3"); /* lea ebx, [ecx + 16]; mov esi, ebx; mov eax, [esi - 4] */
    assert_true(found.is_followed);
    expect_reach(found.accessed, 12, 16);
    found = FOLLOW("\x83\xE9\x04\x8B\x01\xC3"); /* sub ecx, 4; mov eax, [ecx]; ret */
    assert_true(found.is_followed);
    expect_reach(found.accessed, -4, 0);
    found = FOLLOW("\x49\x8A\x01\xC3"); /* dec ecx; mov al, [ecx]; ret */
    expect_reach(found.accessed, -1, 0);
}

/* Only what is accessed before any branch is certain: the way to the rest may never be taken. */
static void branches_end_certainty(void **state)
{
    (void)state;
    struct verify_followed found = FOLLOW("\x85\xC0\x74\x05"     /* test eax, eax; jz +5 */
                                          "\x83\xE9\x04\x8B\x11" /* sub ecx, 4; mov edx, [ecx] */
                                          "\x8B\x01\xC3");       /* mov eax, [ecx]; ret */
    assert_int_equal(found.certain.count, 0);
    assert_true(found.accessed.low == -4 && found.accessed.high == 4);
    found = FOLLOW(
        "\x8B\x19\xFF\xD2\x8B\x03\x8B\x51\x20\xC3"); /* mov ebx, [ecx]; call edx; ..; mov edx, [ecx + 32] */
    expect_reach(found.certain, 0, 4);
}

static void goes_out_of_sight(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t nbytes;
    } tails[] = {
        {"\x51\xFF\xD0\xC3", 4},         /* push ecx; call eax; ret */
        {"\x89\x0A\xC3", 3},             /* mov [edx], ecx; ret */
        {"\x8B\xC1\xC3", 3},             /* mov eax, ecx; ret */
        {"\xE8\xF6\xFF\xFF\xFF\xC3", 6}, /* call ..; ret */
        {"\x87\x0A\xC3", 3},             /* xchg [edx], ecx; ret */
        {"\x33\xC8\x89\x0A\xC3", 5},     /* xor ecx, eax; mov [edx], ecx; ret */
        {"\x8B\xF1\xFF\xD6\xC3", 5},     /* mov esi, ecx; call esi; ret */
        {"\x89\x4D\xF8\x8B\x45\xF8\x89\x02\xC3",
         9}, /* mov [ebp - 8], ecx; mov eax, [ebp - 8]; mov [edx], eax */
    };
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        struct verify_followed found = follow(tails[i].bytes, tails[i].nbytes);
        assert_true(found.is_known && !found.is_followed && !found.is_computed);
        expect_reach(found.handed, 0, 1);
    }
    struct verify_followed found = FOLLOW("\xC1\xE9\x08\x31\x0A\xC3"); /* shr ecx, 8; xor [edx], ecx; ret */
    assert_true(found.is_known && found.handed.count == 0 && found.accessed.count == 0);
    found = FOLLOW("\x66\xB9\x01\x00\x8B\x01\xC3"); /* mov cx, 1; mov eax, [ecx] */
    assert_false(found.is_known);
    found = FOLLOW("\x0F\x44\xC8\x8B\x01\xC3"); /* cmove ecx, eax; mov eax, [ecx] */
    assert_false(found.is_known);
    found = FOLLOW("\x81\xE1\x00\xF0\xFF\xFF\x8B\x01\xC3"); /* and ecx, -4096; mov eax, [ecx] */
    assert_false(found.is_known);
}

static void something_is_added(void **state)
{
    (void)state;
    assert_true(FOLLOW("\x8B\x04\x81\xC3").is_indexed);       /* mov eax, [ecx + eax * 4] */
    assert_true(FOLLOW("\x8B\x04\x08\xC3").is_indexed);       /* mov eax, [eax + ecx] */
    assert_true(FOLLOW("\x03\xC8\x8B\x01\xC3").is_added);     /* add ecx, eax; mov eax, [ecx] */
    assert_true(FOLLOW("\x2B\xC1\xC3").is_added);             /* sub eax, ecx; ret */
    assert_true(FOLLOW("\x8D\x04\x01\x8B\x00\xC3").is_added); /* lea eax, [ecx + eax]; mov eax, [eax] */
    /* a variable on the stack that runs through an array: mov [ebp - 8], ecx; add [ebp - 8], eax */
    assert_true(FOLLOW("\x89\x4D\xF8\x01\x45\xF8\x8B\x45\xF8\x8B\x00\xC3").is_added);
    /* the same by a constant: mov [ebp - 8], ecx; add dword [ebp - 8], 4; mov eax, [ebp - 8]; mov eax, [eax]
     */
    struct verify_followed found = FOLLOW("\x89\x4D\xF8\x83\x45\xF8\x04\x8B\x45\xF8\x8B\x00\xC3");
    expect_reach(found.accessed, 4, 8);
    /* push moves a slot that is counted from the stack pointer: mov [esp + 8], ecx; push eax; add [esp + 12],
     * eax */
    assert_true(FOLLOW("\x89\x4C\x24\x08\x50\x01\x44\x24\x0C\xC3").is_added);
}

/* On each way with a use the first one counts, and a variable on the stack is not yet a use. */
static void first_uses_are_told_apart(void **state)
{
    (void)state;
    struct verify_followed found =
        FOLLOW("\x85\xC0\x74\x02\x8B\x01\xC3"); /* test eax, eax; jz +2; mov eax, [ecx]; ret */
    assert_true(found.is_accessed_first);
    found = FOLLOW("\x85\xC0\x74\x02\x8B\x01\x51\xFF\xD0\xC3"); /* the same; push ecx; call eax */
    assert_false(found.is_accessed_first);
    found =
        FOLLOW("\x89\x4D\xF4\x85\xC0\x8B\x75\xF4\x74\x02\x8B\x06\xC3"); /* mov [ebp - 12], ecx; ...; mov esi,
                                                                           [ebp - 12]; jz; mov eax, [esi] */
    assert_true(found.is_accessed_first);
    found = FOLLOW("\x85\xC0\x74\x02\x03\xC8\x8B\x01\xC3"); /* jz +2; add ecx, eax; mov eax, [ecx] */
    assert_false(found.is_accessed_first);
}

/* What is not understood ends the way, but not what is certain to come behind it. */
static void certainty_goes_on(void **state)
{
    (void)state;
    struct verify_followed found =
        FOLLOW("\x8B\xD6\x2B\xD1\x8B\x3C\x0A\x3B\x39\xC3"); /* mov edx, esi; sub edx, ecx; mov edi, [edx +
                                                               ecx]; cmp edi, [ecx] */
    assert_true(!found.is_known && found.is_added);
    expect_reach(found.certain, 0, 4);
    found = FOLLOW("\x03\xC8\x8B\x01\xC3"); /* add ecx, eax; mov eax, [ecx] */
    assert_int_equal(found.certain.count, 0);
    found = FOLLOW("\x8D\x14\x01\x75\x02\x8B\x01\xC3"); /* lea edx, [ecx + eax]; jnz +2; mov eax, [ecx] */
    assert_int_equal(found.certain.count, 0);
    found = FOLLOW("\x2B\xC8\x89\x0A\xC3"); /* sub ecx, eax; mov [edx], ecx */
    assert_true(found.is_distance && !found.is_added);
}

static void loops_step(void **state)
{
    (void)state;
    struct verify_followed found =
        FOLLOW("\x8B\x01\x83\xC1\x04\x4A\x75\xF8\xC3"); /* l: mov eax, [ecx]; add ecx, 4; dec edx; jnz l */
    assert_true(found.is_stepped && found.is_computed && !found.is_followed);
    expect_reach(found.certain, 0, 4);
    found = FOLLOW("\x4A\x74\x07\x8B\x01\x83\xC1\x04\xEB\xF6\xC3"); /* l: dec edx; jz e; mov eax, [ecx]; add
                                                                       ecx, 4; jmp l */
    assert_true(found.is_stepped && found.certain.count == 0 && found.is_accessed_first);
    found = FOLLOW("\x8B\xF1\xF3\xA5\x66\xA5\xC3"); /* mov esi, ecx; rep movsd; movsw; ret */
    assert_true(found.is_stepped);
    expect_reach(found.certain, 0, 4);
    found = FOLLOW("\x8B\xF1\xA5\x66\xA5\xC3"); /* mov esi, ecx; movsd; movsw; ret */
    assert_true(found.is_followed);
    expect_reach(found.accessed, 0, 6);
}

/* The head of a list is compared with pointers from memory; the end of an array, with one that was computed.
 */
static void comparisons_are_told_apart(void **state)
{
    (void)state;
    struct verify_followed found =
        FOLLOW("\x8B\x06\x3B\xC1\x74\x04\x8B\x00\xEB\xF8\xC3"); /* mov eax, [esi]; l: cmp eax, ecx; je e; mov
                                                                   eax, [eax]; jmp l */
    assert_true(found.is_known && !found.is_computed);
    expect_reach(found.handed, 0, 1);
    found = FOLLOW("\x8B\x06\x3B\xC1\x74\x05\x83\xC0\x08\xEB\xF7\xC3"); /* the same with add eax, 8 */
    assert_true(found.is_distance);
    found = FOLLOW("\x8B\x06\x3B\xC1\x72\x04\x8B\x00\xEB\xF8\xC3"); /* jb */
    assert_true(found.is_distance);
    found = FOLLOW("\x8B\x45\xF8\x3B\xC1\x74\x02\x8B\x00\xC3"); /* mov eax, [ebp - 8]; cmp eax, ecx; je */
    assert_true(found.is_distance);
    found = FOLLOW("\x3B\xC1\x74\x02\x8B\x00\xC3"); /* what the caller left in eax */
    assert_true(found.is_distance);
    found = FOLLOW("\x39\x0E\x74\x02\x8B\x06\xC3"); /* cmp [esi], ecx; je */
    assert_true(found.is_known);
    found = FOLLOW("\x8B\x06\x3B\xC1\x74\x04\x72\x02\x8B\x00\xC3"); /* mov eax, [esi]; cmp eax, ecx; je; jb */
    assert_true(found.is_distance);
}

struct bound {
    const char *bytes;
    size_t nbytes;
    uint32_t at; /* of the operand, from the function's begin */
    uint32_t most, size_nbytes;
    bool is_bounded;
};

/* Behind the bytes' own index: mov eax, [eax * 4 + PLACE]. */
static void bounds_are_found(void **state)
{
    (void)state;
    static const struct bound bounds[] = {
        {"\x83\xE0\x07\x8B\x04\x85", 6, 3, 28, 4, true},              /* and eax, 7 */
        {"\x0F\xB6\x06\x8B\x04\x85", 6, 3, 1020, 4, true},            /* movzx eax, byte [esi] */
        {"\x83\xE0\x01\xC1\xE0\x06\x8B\x04\x85", 9, 6, 256, 4, true}, /* and eax, 1; shl eax, 6 */
        {"\x83\xE1\x03\x8D\x04\x49\x8B\x04\x85", 9, 6, 36, 4,
         true},                                                  /* and ecx, 3; lea eax, [ecx + ecx * 2] */
        {"\x83\xF8\x05\x77\x07\x8B\x04\x85", 8, 5, 20, 4, true}, /* cmp eax, 5; ja behind */
        {"\x83\xF8\x05\x73\x07\x8B\x04\x85", 8, 5, 16, 4, true}, /* cmp eax, 5; jae behind */
        {"\x33\xC0\x8A\x06\x8B\x04\x85", 7, 4, 1020, 4, true},   /* xor eax, eax; mov al, [esi] */
        {"\x83\xE0\x07\xFF\xD6\x8B\x04\x85", 8, 5, 0, 0, false}, /* and eax, 7; call esi */
        {"\x85\xC9\x74\x03\x83\xE0\x07\x8B\x04\x85", 10, 7, 0, 0, false}, /* a way past the mask */
        {"\x83\xF8\x05\x7F\x07\x8B\x04\x85", 8, 5, 0, 0, false},     /* cmp eax, 5; jg: may be negative */
        {"\x83\xF8\x05\x40\x77\x07\x8B\x04\x85", 9, 6, 0, 0, false}, /* cmp; inc eax; ja */
        {"\x83\xE0\xF0\x8B\x04\x85", 6, 3, 0, 0, false},             /* and eax, -16 */
        {"\x83\xE0\x07\x83\xE8\x01\x8B\x04\x85", 9, 6, 0, 0, false}, /* and eax, 7; sub eax, 1 */
        {"\x83\xE0\x07\x8D\x40\xFF\x8B\x04\x85", 9, 6, 0, 0, false}, /* and eax, 7; lea eax, [eax - 1] */
        {"\x0F\xBE\x06\x8B\x04\x85", 6, 3, 0, 0, false},             /* movsx eax, byte [esi] */
        {"\x83\xE0\x07\x0F\x44\xC1\x8B\x04\x85", 9, 6, 0, 0, false}, /* and eax, 7; cmove eax, ecx */
        {"\x8B\x06\x8B\x04\x85", 5, 2, 0, 0, false},                 /* mov eax, [esi] */
    };
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        const struct bound *bound = &bounds[i];
        struct read_driver read;
        char bytes[32] = {0};
        uint32_t most = 0, nbytes = 0;
        memcpy(bytes, bound->bytes, bound->nbytes);
        bytes[bound->nbytes + 4] = (char)0xC3;
        read_function(&read, bytes, bound->nbytes + 5, (uint32_t)bound->nbytes);
        const struct verify_code_section *section = verify_code_at(&read.code, FUNCTION_RVA);
        bool is_bounded =
            verify_added_bound(&read.code, section, FUNCTION_RVA - section->rva + bound->at, &most, &nbytes);
        if (is_bounded != bound->is_bounded || (is_bounded && nbytes != bound->size_nbytes) ||
            most != bound->most)
            fail_msg("bound %zu: %d, %u, %u", i, (int)is_bounded, (unsigned)most, (unsigned)nbytes);
        release(&read);
    }
}

/* and eax, 7; mov ecx, PLACE; mov eax, [ecx + eax * 4] */
static void an_index_may_be_bounded(void **state)
{
    (void)state;
    struct read_driver read;
    static const char bytes[] = "\x83\xE0\x07\xB9\0\0\0\0\x8B\x04\x81\xC3";
    read_function(&read, bytes, sizeof bytes - 1, 4);
    const struct verify_code_section *section = verify_code_at(&read.code, FUNCTION_RVA);
    struct verify_followed found = verify_follow(&read.code, section, FUNCTION_RVA + 3 - section->rva, 0);
    assert_true(found.is_followed);
    expect_reach(found.accessed, 0, 32);
    release(&read);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accesses_are_seen),
        cmocka_unit_test(branches_end_certainty),
        cmocka_unit_test(goes_out_of_sight),
        cmocka_unit_test(something_is_added),
        cmocka_unit_test(loops_step),
        cmocka_unit_test(certainty_goes_on),
        cmocka_unit_test(first_uses_are_told_apart),
        cmocka_unit_test(comparisons_are_told_apart),
        cmocka_unit_test(bounds_are_found),
        cmocka_unit_test(an_index_may_be_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
