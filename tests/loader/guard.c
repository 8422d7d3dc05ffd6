/* guard.c - the load configuration, as the kernel reads it.
 * Takes: the loaded image, still writable (guard_fill_slots), and then its tables.  Gives: a cookie, filled
 * slots, and verdicts on targets.  Must not: allow a target inside the image that the table does not list. */
#include "guard.h"

#include "failure.h"
#include "judge.h"
#include "kernel.h"
#include "load.h"
#include "traps.h"

#if IS_64
enum {
    COOKIE_AT = 0x58,
    HANDLERS_AT = 0x60,
    CHECK_AT = 0x70,
    DISPATCH_AT = 0x78,
    TABLE_AT = 0x80,
    FLAGS_AT = 0x90
};
#define DEFAULT_COOKIE 0x2b992ddfa232u
#define NEW_COOKIE 0x4c1e9a7730d5u
#else
enum {
    COOKIE_AT = 0x3c,
    HANDLERS_AT = 0x40,
    CHECK_AT = 0x48,
    DISPATCH_AT = 0x4c,
    TABLE_AT = 0x50,
    FLAGS_AT = 0x58
};
#define DEFAULT_COOKIE 0xbb40e64eu
#define NEW_COOKIE 0x5d1ea773u
#endif
#define INSTRUMENTED 0x100u
#define TABLE_PRESENT 0x400u
#define COOKIE_UNUSED 0x800u

static char refused_chars[200];
struct text guard_refused = {refused_chars, 0, sizeof(refused_chars), false};

static const char what[] = "the load configuration";

/* The field of a pointer's size; 0 where the configuration ends before it. */
static uintptr_t field(unsigned offset)
{
    const struct directory directory = loaded.image->directories[DIRECTORY_LOAD_CONFIG];

    if (directory.nbytes == 0)
        return 0;
    const uint8_t *config = load_at(directory.rva, 4, what);
    const uint32_t nbytes = get32(config);
    if (nbytes < offset + sizeof(uintptr_t))
        return 0;
    return get_pointer(load_at(directory.rva, nbytes, what) + offset);
}

static uint32_t flags(void)
{
    return (uint32_t)field(FLAGS_AT);
}

static uint32_t rva_of(uintptr_t address)
{
    if (!is_in_image(address))
        give_up_saying("an address in the load configuration leads out of the image");
    return (uint32_t)(address - loaded.base);
}

static void fill(unsigned offset, const char *trap, const char *name)
{
    const uintptr_t slot = field(offset);

    if (slot == 0)
        return;
    judge_written(rva_of(slot), name);
    put_pointer(load_at(rva_of(slot), sizeof(slot), what), (uintptr_t)trap);
}

void guard_fill_slots(void)
{
    const uintptr_t cookie = field(COOKIE_AT);

    if (cookie != 0 && !(flags() & COOKIE_UNUSED)) {
        uint8_t *place = load_at(rva_of(cookie), sizeof(cookie), what);

        judge_written(rva_of(cookie), "the security cookie");
        if (get_pointer(place) == (uintptr_t)DEFAULT_COOKIE)
            put_pointer(place, (uintptr_t)NEW_COOKIE);
    }
    if (!loaded.image->checks_calls || !(flags() & INSTRUMENTED))
        return;
    fill(CHECK_AT, trap_guard_check, "the slot of the guard check");
    if (IS_64)
        fill(DISPATCH_AT, trap_guard_dispatch, "the slot of the guard dispatch");
}

/* Is the RVA in a table of RVAs, each followed by some bytes of flags? */
static bool is_listed(unsigned table_offset, unsigned record_nbytes, uint32_t rva)
{
    const uintptr_t table = field(table_offset), count = field(table_offset + sizeof(uintptr_t));
    const uint8_t *records = load_at(rva_of(table), count * record_nbytes, what);
    uintptr_t first = 0, end = count;

    while (first < end) {
        const uintptr_t middle = first + (end - first) / 2;
        const uint32_t here = get32(records + middle * record_nbytes);

        if (here == rva)
            return true;
        if (here < rva)
            first = middle + 1;
        else
            end = middle;
    }
    return false;
}

void guard_judge_call(uintptr_t target, uintptr_t from)
{
    if (!is_in_image(target) || !(flags() & TABLE_PRESENT))
        return;
    if (is_listed(TABLE_AT, 4 + (flags() >> 28), rva_of(target)))
        return;
    text_add(kernel_log, "the guard refuses an indirect call\n");
    if (guard_refused.count > 0)
        return;
    text_add(&guard_refused, "the guard refuses a call to RVA ");
    text_add_hex(&guard_refused, target - loaded.base);
    text_add(&guard_refused, ", which its table does not list; it would return to RVA ");
    text_add_hex(&guard_refused, from - loaded.base);
}

bool guard_knows_handler(uintptr_t handler)
{
    if (IS_64 || field(HANDLERS_AT) == 0 || !is_in_image(handler))
        return true;
    return is_listed(HANDLERS_AT, 4, rva_of(handler));
}
