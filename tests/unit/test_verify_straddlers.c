/* test_verify_straddlers.c - the verifier on repairs of relocations that straddle a page: start-up stubs,
 * copies of x86 instructions, a shifted section. Takes: pairs made by this test's own code.  Gives: pass or
 * fail. Must not: use the rewriter, or take expected places from the verifier. */
#include "pace.h"
#include "straddle_pairs.h"
#include "verify_expect.h"

static const uint16_t machines[] = {MACHINE_AMD64, MACHINE_I386};

static struct verify_verdict judge_pair(struct straddle_pair *pair, struct arena *arena)
{
    arena_init(arena, NULL);
    pairs_set_checksum(pair->files.new_bytes, pair->files.new_nbytes);
    return judge(&pair->files, arena);
}

struct good {
    const char *name;
    struct straddle_options options;
    bool is_32_only;
};

/* mov eax, ...EB 3A... at 1FBD: one of the ways that decoding can come in jumps to 1FFA, whose bytes end
 * where the operand begins. Only the run from the function's begin tells. */
static void mislead(uint8_t *text)
{
    memcpy(text + 0xFBD, "\xB8\xEB\x3A\x90\x90", 5);
    memcpy(text + 0xFF6, "\xB8\x90\x90\x90\x83", 5);
}

/* The same, with a call at 1080 that says where the function begins. */
static void mislead_in_function(uint8_t *text)
{
    mislead(text);
    text[0x80] = 0xE8;
    store_u32(text + 0x81, STRADDLE_CODE_RVA - 0x1085);
}

static const struct good goods[] = {
    {"a stub", {0}, false},
    {"a DLL that exports DllInitialize", {.has_initialize = true, .is_dll = true}, false},
    {"with another export", {.has_initialize = true, .exports_function = true}, false},
    {"with a guard table", {.is_guarded = true}, false},
    {"with a guard table and two stubs", {.is_guarded = true, .has_initialize = true}, false},
    {"with a shifted section", {.has_const = true}, false},
    {"with copies", {.has_code = true}, true},
    {"with a copy that only its function shows", {.has_code = true, .change_old = mislead_in_function}, true},
    {"with everything",
     {.has_code = true, .has_const = true, .is_guarded = true, .has_initialize = true},
     true},
};

static void the_right_repair_is_proved(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * sizeof goods / sizeof goods[0]; i++) {
        const struct good *good = &goods[i / 2];
        struct straddle_options options = good->options;
        struct arena arena;
        options.machine = machines[i % 2];
        if (good->is_32_only && options.machine != MACHINE_I386)
            continue;
        struct straddle_pair pair = straddle_repair(&options);
        struct verify_verdict verdict = judge_pair(&pair, &arena);
        if (verdict.result != VERIFY_PROVED_WITH_ASSUMPTIONS)
            fail_msg("%s, machine 0x%X: RVA 0x%X: %s", good->name, options.machine, (unsigned)verdict.rva,
                     verdict.reason);
        bool has_stub = false;
        for (size_t k = 0; k < verdict.difference_count; k++)
            has_stub = has_stub || (verdict.differences[k].old_value == STRADDLE_ENTRY_RVA &&
                                    verdict.differences[k].new_value == REPAIR_STUB_RVA);
        assert_true(has_stub);
        arena_free(&arena);
        pairs_free(&pair.files);
    }
}

/* What the image or the repair is like, and the words of the refusal. */
struct bad_pair {
    const char *name;
    struct straddle_options options;
    bool is_unproved, is_32_only;
    uint32_t rva; /* of the counter-example; 0: not looked at */
    const char *words;
};

static void jump_into_the_store(uint8_t *text)
{
    /* at 1080: xor eax, eax; jmp 1FFD; three bytes into the instruction that was copied */
    memcpy(text + 0x80, "\x33\xC0\xE9", 3);
    store_u32(text + 0x83, 0x1FFD - 0x1087);
}

static void branch_into_the_store(uint8_t *text)
{
    /* jz 1FFD at 1FF7 */
    memcpy(text + 0xFF7, "\x74\x04", 2);
}

static const struct bad_pair bad_pairs[] = {
    {"export driver without DllInitialize", {.exports_only = true}, false, false, 0, "exports for others"},
    {"a DLL without exports", {.is_dll = true}, true, false, 0, "a DLL without"},
    {"TLS callbacks", {.has_callbacks = true}, false, false, STRADDLE_TLS_RVA, "TLS callbacks"},
    {"TLS data", {.has_tls_data = true}, false, false, REPAIR_TABLE_RVA, "before the stub runs"},
    {"user mode", {.is_user_mode = true}, false, false, 0, "no driver"},
    {"discardable data", {.is_discardable = true}, false, false, REPAIR_TABLE_RVA, "is discardable"},
    {"exported data",
     {.has_initialize = true, .exports_data = true},
     true,
     false,
     STRADDLE_FIRST_RVA,
     "exported at RVA 0x6100"},
    {"relocation kept and in the table",
     {.keeps_site = true},
     false,
     false,
     STRADDLE_FIRST_RVA,
     "does not have there"},
    {"another relocation is gone", {.drops_other_site = true}, false, false, 0x6080, "is missing in the new"},
    {"the stub's own relocation is missing",
     {.drops_stub_site = true},
     false,
     true,
     REPAIR_STUB_RVA + 0x1C,
     "has no base relocation"},
    {"a straddler is left",
     {.leaves_straddler = true},
     false,
     false,
     STRADDLE_SECOND_RVA,
     "the others were repaired"},
    {"a shifted section is executable", {.has_const = true, .shifts_code_rights = true}, false, false, 0, ""},
    {"a pointer into a copied instruction",
     {.has_code = true, .pointer_into = STRADDLE_STORE_RVA + 2},
     true,
     true,
     STRADDLE_POINTER_RVA,
     "which was copied"},
    {"a jump into a copied instruction",
     {.has_code = true, .change_old = jump_into_the_store},
     false,
     true,
     0x1083,
     "which was copied"},
    {"an instruction that may be another",
     {.has_code = true, .change_old = mislead},
     true,
     true,
     0x1FFD,
     "not certain which instruction"},
    {"a branch into a copied instruction",
     {.has_code = true, .change_old = branch_into_the_store},
     false,
     true,
     0x1FF8,
     "which was copied"},
};

static void what_must_not_be_repaired_so_is_rejected(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * sizeof bad_pairs / sizeof bad_pairs[0]; i++) {
        const struct bad_pair *bad = &bad_pairs[i / 2];
        struct straddle_options options = bad->options;
        struct arena arena;
        options.machine = machines[i % 2];
        if (bad->is_32_only && options.machine != MACHINE_I386)
            continue;
        struct straddle_pair pair = straddle_repair(&options);
        struct verify_verdict verdict = judge_pair(&pair, &arena);
        if (verdict.result != VERIFY_REFUTED)
            fail_msg("%s: not rejected", bad->name);
        if (!strstr(verdict.reason, bad->words) || verdict.right_not_shown != bad->is_unproved)
            fail_msg("%s (0x%X): %s", bad->name, options.machine, verdict.reason);
        if (bad->rva != 0 && verdict.rva != bad->rva)
            fail_msg("%s: at RVA 0x%X: %s", bad->name, (unsigned)verdict.rva, verdict.reason);
        arena_free(&arena);
        pairs_free(&pair.files);
    }
}

/* `nbytes` bytes of the right new image at an RVA get another value, or `value` is added to them. */
struct mutation {
    const char *name;
    struct straddle_options options;
    uint32_t rva_64, rva_32; /* 0: not on this machine */
    uint8_t nbytes;
    bool is_added;
    int32_t value;
    int32_t named_at; /* the place that is named, from the RVA */
    const char *words;
};

#define BOTH(rva) (rva), (rva)
#define STUB(at_64, at_32) REPAIR_STUB_RVA + (at_64), REPAIR_STUB_RVA + (at_32)
#define STUB_2(at_64, at_32) REPAIR_STUB_2_RVA + (at_64), REPAIR_STUB_2_RVA + (at_32)
#define PLAIN {0}
#define TWO {.has_initialize = true}
#define GUARDED {.has_initialize = true, .is_guarded = true}
#define CODE {.has_code = true}
#define CONST {.has_const = true}

static const struct mutation mutations[] = {
    /* the form */
    {"not 1 into the flag", PLAIN, STUB(1, 1), 1, false, 2, 0, "its form asks"},
    {"another register", PLAIN, STUB(0x11, 0x1B), 1, true, 8, 0, "its form asks"},
    {"mov instead of xchg", PLAIN, STUB(5, 5), 1, false, 0x89, 0, "its form asks"},
    {"jump if zero", PLAIN, STUB(0x0D, 0x0D), 1, false, 0x74, 0, "its form asks"},
    {"jump too far", PLAIN, STUB(0x0E, 0x0E), 1, true, 1, 0, "its form asks"},
    {"a loop that skips", PLAIN, STUB(0x3D, 0x2D), 1, true, 3, 0, "its form asks"},
    {"steps of eight", PLAIN, STUB(0x3B, 0x2B), 1, false, 8, 0, "its form asks"},
    {"or instead of add", PLAIN, STUB(0x35, 0x26), 1, false, 9, 0, "its form asks"},
    {"call instead of jump", PLAIN, STUB(0x3E, 0x2E), 1, false, 0xE8, 0, "its form asks"},
    {"in the second stub", TWO, STUB_2(0x34, 0x24), 1, false, 0x90, 0, "its form asks"},
    /* its fields */
    {"jump to F + 1", PLAIN, STUB(0x3F, 0x2F), 4, true, 1, 0, "a jump to what it replaced"},
    {"the two stubs' functions swapped", TWO, STUB_2(0x3F, 0x2F), 4, true, -0x40, 0,
     "a jump to what it replaced"},
    {"the constant is off", PLAIN, STUB(0x18, 0x15), 4, true, 0x1000, 0, "as its linked address"},
    {"the begin is off", PLAIN, STUB(0x12, 0x10), 4, true, 1, 0, "as its own begin"},
    {"the flag in read-only data", CONST, STUB(7, 7), 4, true, REPAIR_CONST_RVA + 0x10 - REPAIR_FLAG_RVA,
     REPAIR_CONST_RVA + 0x10 - (int32_t)REPAIR_STUB_RVA - 7, "must not be"},
    {"the flag in the stub's code", PLAIN, STUB(7, 7), 4, true, REPAIR_TABLE_RVA + 8 - REPAIR_FLAG_RVA,
     REPAIR_TABLE_RVA + 8 - REPAIR_STUB_RVA - 7, "must not be"},
    {"the flag in the driver's data", PLAIN, STUB(7, 7), 4, true, 0x6800 - REPAIR_FLAG_RVA, 0,
     "content of the old image"},
    {"the flag not aligned", PLAIN, STUB(7, 7), 4, true, 2, 0, "no place of its own"},
    {"the flag outside the image", PLAIN, STUB(7, 7), 4, true, 0x100000, 0, "no place of its own"},
    {"the flag behind its section's size", PLAIN, STUB(7, 7), 4, true, 0x100,
     REPAIR_FLAG_RVA + 0x100 - (int32_t)REPAIR_STUB_RVA - 7, "not in one section"},
    {"another flag", TWO, STUB_2(7, 7), 4, true, 4, 0, "another flag"},
    {"the flag is set", PLAIN, BOTH(REPAIR_FLAG_RVA), 1, false, 1, 0, "is not zero"},
    {"something beside the flag", PLAIN, BOTH(REPAIR_FLAG_RVA + 4), 1, false, 1, 0, "comes from nowhere"},
    {"another table", TWO, STUB_2(0x28, 0x1C), 4, true, 4, 0, "another table"},
    {"a table elsewhere", PLAIN, STUB(0x28, 0x1C), 4, true, 8, 0, ""},
    {"a table outside the image", PLAIN, STUB(0x28, 0x1C), 4, true, 0x100000, 0, "does not end"},
    /* the table */
    {"an entry off by one", PLAIN, BOTH(REPAIR_TABLE_RVA), 4, true, 1, 0, "has no base relocation"},
    {"an entry doubled", PLAIN, BOTH(REPAIR_TABLE_RVA + 4), 4, false,
     STRADDLE_FIRST_RVA - (REPAIR_TABLE_RVA + 4), 0, "twice"},
    {"an entry for a field that keeps its relocation", PLAIN, BOTH(REPAIR_TABLE_RVA), 4, false,
     STRADDLE_POINTER_RVA - REPAIR_TABLE_RVA, 0, "in one page"},
    {"an entry for nothing", PLAIN, BOTH(REPAIR_TABLE_RVA), 4, false, 0x6700 - REPAIR_TABLE_RVA, 0,
     "has no base relocation"},
    {"an entry missing", PLAIN, BOTH(REPAIR_TABLE_RVA + 4), 4, false, 0,
     STRADDLE_SECOND_RVA - (REPAIR_TABLE_RVA + 4), "is missing in the new"},
    {"an empty table", PLAIN, BOTH(REPAIR_TABLE_RVA), 4, false, 0, STRADDLE_FIRST_RVA - REPAIR_TABLE_RVA,
     "is missing in the new"},
    {"no end", PLAIN, BOTH(REPAIR_TABLE_RVA + 8), 4, false, 0x6700 - (REPAIR_TABLE_RVA + 8), 0, ""},
    {"something behind the table", PLAIN, BOTH(REPAIR_TABLE_RVA + 12), 1, false, 0x90, 0,
     "comes from nowhere"},
    {"something behind the stub", PLAIN, STUB(0x43, 0x33), 1, false, 0xC3, 0, "comes from nowhere"},
    {"zeros behind the stub", PLAIN, STUB(0x43, 0x33), 1, false, 0, 0, "not int3"},
    /* what the fields hold */
    {"an applied field changed", PLAIN, BOTH(STRADDLE_FIRST_RVA), 1, true, 1, 0, "a relocated address"},
    {"another byte of the data", PLAIN, BOTH(STRADDLE_FIRST_RVA - 1), 1, true, 1, 0, "no known field"},
    /* entry points */
    {"DllInitialize not wrapped", TWO, BOTH(STRADDLE_SLOTS_RVA), 4, false, STRADDLE_INITIALIZE_RVA, 0,
     "the exported DllInitialize does not"},
    {"DllInitialize leads to the entry point's stub", TWO, STRADDLE_SLOTS_RVA, 0, 4, false, REPAIR_STUB_RVA,
     REPAIR_STUB_RVA + 0x3F - STRADDLE_SLOTS_RVA, "a jump to what it replaced"},
    {"DllInitialize leads to the entry point's stub", TWO, 0, STRADDLE_SLOTS_RVA, 4, false, REPAIR_STUB_RVA,
     REPAIR_STUB_RVA + 0x2F - STRADDLE_SLOTS_RVA, "a jump to what it replaced"},
    {"DllInitialize leads elsewhere", TWO, BOTH(STRADDLE_SLOTS_RVA), 4, false, STRADDLE_EXPORTED_RVA, 0,
     "the exported DllInitialize does not"},
    {"DllInitialize leads behind its stub's begin", TWO, BOTH(STRADDLE_SLOTS_RVA), 4, true, 5,
     REPAIR_STUB_2_RVA + 5 - STRADDLE_SLOTS_RVA, "its form asks"},
    {"the other export leads to a stub",
     {.has_initialize = true, .exports_function = true},
     BOTH(STRADDLE_SLOTS_RVA + 4),
     4,
     false,
     REPAIR_STUB_2_RVA,
     0,
     "an exported address"},
    /* the guard table */
    {"a record not sorted", GUARDED, BOTH(REPAIR_GUARD_RVA), 4, false, REPAIR_STUB_RVA, 0,
     "the next one must be"},
    {"a record doubled", GUARDED, BOTH(REPAIR_GUARD_RVA + 3 * STRADDLE_STRIDE_NBYTES), 4, false,
     REPAIR_STUB_RVA, 0, "the next one must be"},
    {"a record's flag gone", GUARDED, BOTH(REPAIR_GUARD_RVA + 9), 1, false, 0, -4, "with its flags"},
    {"a stub's record with a flag", GUARDED, BOTH(REPAIR_GUARD_RVA + 14), 1, false, 1, -4, "with its flags"},
    {"a stub that is not in the table", GUARDED, BOTH(REPAIR_GUARD_RVA + 15), 4, true, 0x10, 0,
     "the next one must be"},
    {"too few records", GUARDED, STRADDLE_CONFIG_RVA + LC_GUARD_CF_FUNCTION_COUNT_64,
     STRADDLE_CONFIG_RVA + LC_GUARD_CF_FUNCTION_COUNT_32, 4, false, 3, 0, "there must be 4"},
    {"the old table", GUARDED, STRADDLE_CONFIG_RVA + LC_GUARD_CF_FUNCTION_TABLE_64,
     STRADDLE_CONFIG_RVA + LC_GUARD_CF_FUNCTION_TABLE_32, 4, true, STRADDLE_GUARD_RVA - REPAIR_GUARD_RVA, 0,
     ""},
    {"the old table is changed", GUARDED, BOTH(STRADDLE_GUARD_RVA), 4, true, 0x10, 0, "a guarded function"},
    /* copies */
    {"a copied byte", CODE, 0, REPAIR_STORE_COPY_RVA + 1, 1, true, 8, 0, "the instruction at RVA"},
    {"a copied operand", CODE, 0, REPAIR_STORE_COPY_RVA + 2, 4, true, 4, 0, "the instruction at RVA"},
    {"the other operand", CODE, 0, REPAIR_STORE_COPY_RVA + 6, 4, true, 4, 0, "the instruction at RVA"},
    {"the copied jump", CODE, 0, REPAIR_JUMP_COPY_RVA + 1, 1, false, 0x15, 0, "the instruction at RVA"},
    {"the jump back off by one", CODE, 0, REPAIR_STORE_COPY_RVA + 11, 4, true, 1, -1, "does not jump back"},
    {"no jump back", CODE, 0, REPAIR_STORE_COPY_RVA + 10, 1, false, 0xCC, 0, "does not jump back"},
    {"something behind the copied jump", CODE, 0, REPAIR_JUMP_COPY_RVA + 6, 1, false, 0xE9, 0,
     "comes from nowhere"},
    {"the jump there off by one", CODE, 0, STRADDLE_STORE_RVA + 1, 4, true, 1, 0, ""},
    {"the jump there leads into old code", CODE, 0, STRADDLE_STORE_RVA + 1, 4, false, -0x100, 0,
     "does not lead to a copy"},
    {"a call there", CODE, 0, STRADDLE_STORE_RVA, 1, false, 0xE8, 0, "no jump to a copy"},
    {"something behind the jump there", CODE, 0, STRADDLE_STORE_RVA + 7, 1, false, 0x90, 0, "is not int3"},
    {"the two copies swapped", CODE, 0, STRADDLE_JUMP_RVA + 1, 4, true,
     REPAIR_STORE_COPY_RVA - REPAIR_JUMP_COPY_RVA, 0, ""},
    {"the instruction behind", CODE, 0, STRADDLE_STORE_RVA + 10, 1, false, 0x90, 0, "no known field"},
    /* the shifted section */
    {"a shifted byte", CONST, BOTH(STRADDLE_CONST_RVA + REPAIR_CONST_DELTA + 5), 1, true, 1, 0,
     "no known field"},
    {"a pointer in it", CONST, BOTH(STRADDLE_CONST_POINTER_RVA + REPAIR_CONST_DELTA), 4, true, 1, 0,
     "a relocated address"},
    {"a pointer to it", CONST, BOTH(0x6090), 4, true, 0x10, 0, "a relocated address"},
    {"a pointer to it left", CONST, BOTH(0x6090), 4, true, -REPAIR_CONST_DELTA, 0, "a relocated address"},
    {"something in front of it", CONST, BOTH(REPAIR_CONST_RVA + 7), 1, false, 1, 0, "comes from nowhere"},
    {"something at its old place", CONST, BOTH(STRADDLE_CONST_RVA + 7), 1, false, 1, 0, "comes from nowhere"},
};

static void each_mutation_is_rejected_at_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * sizeof mutations / sizeof mutations[0]; i++) {
        const struct mutation *mutation = &mutations[i / 2];
        uint32_t rva = i % 2 == 0 ? mutation->rva_64 : mutation->rva_32;
        struct straddle_options options = mutation->options;
        struct arena arena;
        options.machine = machines[i % 2];
        if (rva == 0)
            continue;
        struct straddle_pair pair = straddle_repair(&options);
        uint8_t *at = pair_at(&pair, rva);
        uint64_t value = (uint64_t)(int64_t)mutation->value;
        if (mutation->is_added)
            value += load_width(at, mutation->nbytes);
        store_width(at, mutation->nbytes, value);
        struct verify_verdict verdict = judge_pair(&pair, &arena);
        if (verdict.result != VERIFY_REFUTED || verdict.right_not_shown)
            fail_msg("%s (0x%X): not refuted: %s", mutation->name, options.machine,
                     verdict.reason ? verdict.reason : "proved");
        if (!strstr(verdict.reason, mutation->words))
            fail_msg("%s (0x%X): %s", mutation->name, options.machine, verdict.reason);
        int64_t named = (int64_t)rva + mutation->named_at;
        if (mutation->words[0] != 0 && (verdict.rva > named || (int64_t)verdict.rva + 8 <= named))
            fail_msg("%s (0x%X): named at RVA 0x%X: %s", mutation->name, options.machine,
                     (unsigned)verdict.rva, verdict.reason);
        arena_free(&arena);
        pairs_free(&pair.files);
    }
}

/* The headers of what the repair added. */
struct wrong_header {
    const char *name, *section; /* NULL: the optional header */
    uint32_t at, value;
    const char *words;
};

static const struct wrong_header wrong_headers[] = {
    {"entry point not wrapped", NULL, OPT_ADDRESS_OF_ENTRY_POINT, STRADDLE_ENTRY_RVA,
     "but the entry point does not"},
    {"entry point elsewhere", NULL, OPT_ADDRESS_OF_ENTRY_POINT, STRADDLE_EXPORTED_RVA,
     "but the entry point does not"},
    {"entry point behind the stub's begin", NULL, OPT_ADDRESS_OF_ENTRY_POINT, REPAIR_STUB_RVA + 5,
     "its form asks"},
    {"entry point in int3", NULL, OPT_ADDRESS_OF_ENTRY_POINT, REPAIR_CODE_RVA, "its form asks"},
    {"entry point behind everything", NULL, OPT_ADDRESS_OF_ENTRY_POINT, 0x20000, "no room for its bytes"},
    {"stub writable", ".hvcode", SECTION_CHARACTERISTICS, MADE_TEXT | SCN_MEM_WRITE,
     "writable and executable"},
    {"stub not executable", ".hvcode", SECTION_CHARACTERISTICS, MADE_RDATA, "must not be"},
    {"stub discardable", ".hvcode", SECTION_CHARACTERISTICS, MADE_TEXT | SCN_MEM_DISCARDABLE, "must not be"},
    {"stub paged", ".hvcode", SECTION_NAME, 0x45474150, "must not be"},
    {"flag not writable", ".hvdata", SECTION_CHARACTERISTICS, MADE_RDATA, "must not be"},
    {"flag executable", ".hvdata", SECTION_CHARACTERISTICS, MADE_DATA | SCN_MEM_EXECUTE,
     "writable and executable"},
    {"flag discardable", ".hvdata", SECTION_CHARACTERISTICS, MADE_DATA | SCN_MEM_DISCARDABLE, "must not be"},
    {"flag paged", ".hvdata", SECTION_NAME, 0x45474150, "must not be"},
};

static void each_wrong_header_is_rejected(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * sizeof wrong_headers / sizeof wrong_headers[0]; i++) {
        const struct wrong_header *wrong = &wrong_headers[i / 2];
        struct straddle_options options = {.machine = machines[i % 2], .has_initialize = true};
        struct straddle_pair pair = straddle_repair(&options);
        struct pe_view view = view_of(pair.files.new_bytes, pair.files.new_nbytes);
        struct arena arena;
        uint32_t foff = view.opt_foff;
        if (wrong->section)
            foff = view_section_foff(&view, view_find_section(&view, wrong->section, 0));
        store_u32(view.bytes + foff + wrong->at, wrong->value);
        struct verify_verdict verdict = judge_pair(&pair, &arena);
        if (verdict.result != VERIFY_REFUTED || verdict.right_not_shown)
            fail_msg("%s: not refuted", wrong->name);
        if (!strstr(verdict.reason, wrong->words))
            fail_msg("%s: %s", wrong->name, verdict.reason);
        arena_free(&arena);
        pairs_free(&pair.files);
    }
}

/* Any byte of the parts that the repair added or rewrote, with one, many or all of its bits turned over. */
static void every_byte_of_the_repair_counts(void **state)
{
    (void)state;
    static const uint8_t masks[] = {0x01, 0x80, 0x3C, 0xFF};
    static const char *const sections[] = {".hvcode", ".hvdata", ".hvidata", ".hvreloc", ".rdata"};
    for (size_t m = 0; m < 2; m++) {
        struct straddle_options options = {
            .machine = machines[m], .has_initialize = true, .is_guarded = true, .has_const = true};
        options.has_code = options.machine == MACHINE_I386;
        struct straddle_pair pair = straddle_repair(&options);
        struct pe_view view = view_of(pair.files.new_bytes, pair.files.new_nbytes);
        for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
            uint32_t index = view_find_section(&view, sections[i], 0);
            const uint8_t *header = view.bytes + view_section_foff(&view, index);
            uint32_t foff = load_u32(header + SECTION_POINTER_TO_RAW_DATA);
            uint32_t nbytes = load_u32(header + SECTION_VIRTUAL_SIZE);
            for (uint32_t at = 0; at < nbytes && at < 0x300; at += pace_step(13)) {
                uint8_t mask = masks[at % sizeof masks];
                struct arena arena;
                view.bytes[foff + at] ^= mask;
                struct verify_verdict verdict = judge_pair(&pair, &arena);
                if (verdict.result != VERIFY_REFUTED)
                    fail_msg("%s + 0x%X, machine 0x%X: not refuted", sections[i], (unsigned)at,
                             options.machine);
                view.bytes[foff + at] ^= mask;
                arena_free(&arena);
            }
        }
        pairs_free(&pair.files);
    }
}

/* An allocator that fails from its nth call on. */
struct failing {
    size_t call_count, fails_at;
};

static void *failing_alloc(void *context, size_t nbytes)
{
    struct failing *failing = context;
    return failing->call_count++ >= failing->fails_at ? NULL : malloc(nbytes);
}

static void failing_release(void *context, void *block)
{
    (void)context;
    free(block);
}

/* Running out of memory is said at every place where it can happen. */
static void exhausted_memory_is_reported(void **state)
{
    (void)state;
    struct straddle_options options = {.machine = MACHINE_I386,
                                       .has_code = true,
                                       .has_const = true,
                                       .is_guarded = true,
                                       .has_initialize = true};
    struct straddle_pair pair = straddle_repair(&options);
    bool is_done = false;
    size_t n = 0;
    for (; !is_done && n < 400; n += pace_step(5)) {
        struct failing failing = {.fails_at = n};
        struct allocator allocator = {failing_alloc, failing_release, &failing, 1};
        struct arena arena;
        struct verify_verdict verdict;
        arena_init(&arena, &allocator);
        is_done = verify_pair((struct span){pair.files.old_bytes, pair.files.old_nbytes},
                              (struct span){pair.files.new_bytes, pair.files.new_nbytes}, &arena, &verdict);
        if (is_done)
            assert_int_equal(verdict.result, VERIFY_PROVED_WITH_ASSUMPTIONS);
        arena_free(&arena);
    }
    assert_true(is_done && n > 30);
    pairs_free(&pair.files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_right_repair_is_proved),
        cmocka_unit_test(what_must_not_be_repaired_so_is_rejected),
        cmocka_unit_test(each_mutation_is_rejected_at_its_place),
        cmocka_unit_test(each_wrong_header_is_rejected),
        cmocka_unit_test(every_byte_of_the_repair_counts),
        cmocka_unit_test(exhausted_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
