/* test_verify_labels.c - the verifier on x64 jump tables of distances that left with the data.
 * Takes: pairs made by moved_pair.h; clang's switch, its table in data that moved.  Gives: pass or fail.
 * Must not: use the rewriter. */
#include "moved_pair.h"

enum {
    TABLE_RVA = PAIR_DATA_RVA + 0x240, /* farther than a page from .rdata: no fold reaches that far */
    CASE_COUNT = 3,
    BEHIND_RVA = TABLE_RVA + CASE_COUNT * 4, /* a number that is no entry */
    LABELS_RVA = PAIR_TEXT_RVA + 0x60        /* two instructions a label, four bytes */
};

/* The code before, between and behind `lea rdx, [table]`. */
struct switch_case {
    const char *name;
    const char *before, *behind;
    size_t before_nbytes, behind_nbytes;
    int32_t entry_change;  /* of the last entry in the new image */
    int32_t behind_change; /* of the number behind it */
    enum pair_verdict wanted;
    uint32_t place_rva; /* 0: of the lea */
    const char *words;
    bool leads_to_data;
};

#define SWITCH(one, two)                                                                                     \
    .before = one, .behind = two, .before_nbytes = sizeof(one) - 1, .behind_nbytes = sizeof(two) - 1

/* cmp ecx, 2; ja to the return; mov eax, ecx */
#define GUARD "\x83\xF9\x02\x77\x40\x89\xC8"
/* movsxd rax, [rdx + rax*4]; add rax, rdx; jmp rax */
#define JUMP "\x48\x63\x04\x82\x48\x01\xD0\xFF\xE0"

static const struct switch_case cases[] = {
    {.name = "a switch", SWITCH(GUARD, JUMP)},
    {.name = "the sum in the register of the table", SWITCH(GUARD, "\x48\x63\x04\x82\x48\x01\xC2\xFF\xE2")},
    {.name = "jae instead of ja", SWITCH("\x83\xF9\x03\x73\x40\x89\xC8", JUMP)},
    {.name = "an entry left as it was",
     SWITCH(GUARD, JUMP),
     .entry_change = PAIR_DELTA,
     .wanted = PAIR_REFUTED,
     .place_rva = TABLE_RVA + 8 + PAIR_DELTA,
     .words = "an entry of a jump table"},
    {.name = "a number behind the table",
     SWITCH(GUARD, JUMP),
     .behind_change = 1,
     .wanted = PAIR_REFUTED,
     .place_rva = BEHIND_RVA + PAIR_DELTA,
     .words = "no known field explains"},
    {.name = "no comparison",
     SWITCH("\x89\xC8", JUMP),
     .wanted = PAIR_NOT_SHOWN,
     .words = "length of the jump table"},
    {.name = "a comparison of something else",
     SWITCH("\x83\xFB\x02\x77\x40\x89\xC8", JUMP),
     /* cmp ebx, 2 */ .wanted = PAIR_NOT_SHOWN,
     .words = "length of the jump table"},
    {.name = "an index computed behind it",
     SWITCH(GUARD "\xFF\xC0", JUMP),
     /* inc eax */ .wanted = PAIR_NOT_SHOWN,
     .words = "length of the jump table"},
    {.name = "flags of another comparison",
     SWITCH("\x83\xF9\x02\x85\xDB\x77\x40\x89\xC8", JUMP),
     /* test ebx, ebx */ .wanted = PAIR_NOT_SHOWN,
     .words = "length of the jump table"},
    {.name = "more cases than entries",
     SWITCH("\x83\xF9\x03\x77\x40\x89\xC8", JUMP),
     .wanted = PAIR_NOT_SHOWN,
     .place_rva = BEHIND_RVA,
     .words = "does not lead into its function"},
    {.name = "the value is another at the sum",
     SWITCH(GUARD, "\x48\x63\x04\x82\x89\xC8\x48\x01\xD0\xFF\xE0"),
     0,
     0,
     PAIR_NOT_SHOWN,
     0,
     "its use is not followed"},
    {.name = "the sum is another at the jump",
     SWITCH(GUARD, "\x48\x63\x04\x82\x48\x01\xD0\x89\xC8\xFF\xE0"),
     0,
     0,
     PAIR_NOT_SHOWN,
     0,
     "its use is not followed"},
    {.name = "the entry is returned",
     SWITCH(GUARD, "\x48\x63\x04\x82\xC3"),
     .wanted = PAIR_NOT_SHOWN,
     .words = "its use is not followed"},
    {.name = "a jump to something else",
     SWITCH(GUARD, "\x48\x63\x04\x82\xFF\xE1"),
     .wanted = PAIR_NOT_SHOWN,
     .words = "its use is not followed"},
    {.name = "distances to what is no code",
     SWITCH(GUARD, "\x48\x63\x04\x82\x48\x01\xD0\xC3"),
     .wanted = PAIR_NOT_SHOWN,
     .words = "its use is not followed",
     .leads_to_data = true},
    /* A loop: the table's address is taken before it, and the load is too far away to be seen at once. */
    {.name = "a loop",
     SWITCH("", "\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90" GUARD JUMP),
     0,
     0,
     PAIR_PROVED,
     0,
     ""},
    {.name = "a loop that loads in two places",
     SWITCH("", "\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90" GUARD JUMP GUARD JUMP),
     0,
     0,
     PAIR_NOT_SHOWN,
     0,
     "its use is not followed"},
    {.name = "a loop that steps the table's address",
     SWITCH("", "\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x48\x83\xC2\x04" GUARD JUMP),
     0,
     0,
     PAIR_NOT_SHOWN,
     0,
     "its use is not followed"},
};

static struct moved_pair make_pair(const struct switch_case *tested, uint32_t *lea_rva)
{
    struct moved_pair pair = pair_begin(MACHINE_AMD64);
    pair.rdata_nbytes = 0x200;
    *lea_rva = pair_put(&pair, PAIR_TEXT_RVA, tested->before, tested->before_nbytes);
    uint32_t at = PAIR_PUT_RELATIVE(&pair, *lea_rva, "\x48\x8D\x15", TABLE_RVA);
    at = pair_put(&pair, at, tested->behind, tested->behind_nbytes);
    memset(pair_at(&pair.old_side, at), 0x90, LABELS_RVA - at);
    memset(pair_at(&pair.new_side, at), 0x90, LABELS_RVA - at);
    for (uint32_t i = 0; i < CASE_COUNT; i++) {
        uint32_t label_rva = LABELS_RVA + 4 * i, distance = label_rva - TABLE_RVA;
        if (tested->leads_to_data)
            distance = PAIR_FREE_RVA + 8 * i - TABLE_RVA;
        PAIR_PUT(&pair, label_rva, "\x33\xC0\xC3\x90"); /* xor eax, eax; ret; nop */
        pair_put_u32(&pair, TABLE_RVA + 4 * i, distance, distance - PAIR_DELTA);
    }
    pair_put_u32(&pair, BEHIND_RVA, 7, 7 + (uint32_t)tested->behind_change);
    uint8_t *last = pair_at(&pair.new_side, BEHIND_RVA - 4);
    store_u32(last, load_u32(last) + (uint32_t)tested->entry_change);
    pair_function(&pair, PAIR_TEXT_RVA, LABELS_RVA + 4 * CASE_COUNT);
    return pair;
}

static void each_switch_is_judged(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t lea_rva;
        struct moved_pair pair = make_pair(&cases[i], &lea_rva);
        pair_expect(cases[i].name, &pair, cases[i].wanted, cases[i].place_rva ? cases[i].place_rva : lea_rva,
                    cases[i].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_switch_is_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
