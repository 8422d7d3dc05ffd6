/* failure.c - the end of a load.
 * Takes: words and places.  Gives: one sentence, and the way back to whoever began the load.
 * Must not: print. */
#include "failure.h"

#include "load.h"

static char failure_chars[600];
struct text failure = {failure_chars, 0, sizeof(failure_chars), false};

static void *way_back[5];

void failure_add(const char *words)
{
    text_add(&failure, words);
}

void failure_add_rva(uint32_t rva)
{
    const struct section *section = image_section_at(loaded.image, rva);

    text_add(&failure, "RVA ");
    text_add_hex(&failure, rva);
    text_add(&failure, " (");
    text_add(&failure, section ? section->name : rva < PAGE_NBYTES ? "headers" : "no section");
    text_add(&failure, ")");
}

void failure_add_place(uintptr_t address)
{
    if (is_in_image(address)) {
        failure_add_rva((uint32_t)(address - loaded.base));
        return;
    }
    text_add(&failure, "address ");
    text_add_hex(&failure, address);
    text_add(&failure, " outside the image");
}

__attribute__((noinline)) static void go_back(void)
{
    __builtin_longjmp(way_back, 1);
}

_Noreturn void give_up(void)
{
    for (;;)
        go_back();
}

_Noreturn void give_up_saying(const char *words)
{
    failure_add(words);
    give_up();
}

__attribute__((noinline)) bool comes_to_end(void (*function)(void))
{
    void *before[COUNT_OF(way_back)];

    memcpy(before, way_back, sizeof(before));
    if (__builtin_setjmp(way_back)) {
        memcpy(way_back, before, sizeof(before));
        return false;
    }
    function();
    memcpy(way_back, before, sizeof(before));
    return true;
}
