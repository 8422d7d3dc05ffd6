/* straddle_layout.c - where everything lies in .hvcode, which sections that makes, and who leads to them.
 * Takes: the copies, fields and stubs that were planned.  Gives: offsets, two new sections, targets.
 * Must not: choose what is repaired how. */
#include "plan/new_sections.h"
#include "plan/straddle_parts.h"

#include <stdlib.h>

static int by_rva(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

bool straddle_is_applied(const struct straddle_repair *repair, uint32_t old_rva)
{
    return repair->applied_count != 0 &&
           bsearch(&old_rva, repair->applied_rvas, repair->applied_count, sizeof old_rva, by_rva) != NULL;
}

const struct code_copy *straddle_copy_at(const struct straddle_repair *repair, uint32_t old_rva)
{
    size_t low = 0, high = repair->copy_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (repair->copies[middle].old_rva <= old_rva)
            low = middle + 1;
        else
            high = middle;
    }
    const struct code_copy *copy = low == 0 ? NULL : &repair->copies[low - 1];
    return copy && old_rva - copy->old_rva < copy->nbytes ? copy : NULL;
}

void straddle_own_relocations(const struct straddle_repair *repair, bool is_64,
                              void (*take)(void *context, uint32_t new_rva), void *context)
{
    for (unsigned i = 0; i < repair->stub_count && !is_64; i++)
        for (unsigned k = 0; k < START_STUB_RELOCATION_COUNT; k++)
            take(context, repair->code_rva + repair->stubs[i].at + start_stub_relocations[k]);
}

static uint32_t next_place(uint32_t at)
{
    return align_up(at, STRADDLE_ALIGN_NBYTES);
}

bool straddle_arrange(struct straddle_plan *plan)
{
    struct straddle_repair *repair = plan->repair;
    uint32_t at = 0;
    for (unsigned i = 0; i < repair->stub_count; i++) {
        /* At these places none of its addresses crosses a page boundary: tests/unit/test_start_stub.c. */
        repair->stubs[i].at = at;
        at = next_place(at + start_stub_nbytes(plan->rewrite->image->is_64));
    }
    if (repair->stub_count != 0) {
        repair->table_at = at;
        at = next_place(at + ((uint32_t)repair->applied_count + 1) * START_TABLE_ENTRY_NBYTES);
    }
    if (repair->guard.stride_nbytes != 0) {
        repair->guard.at = at;
        at = next_place(at + (repair->guard.count + repair->stub_count) * repair->guard.stride_nbytes);
    }
    repair->code_nbytes = at;
    for (size_t i = 0; i < repair->copy_count; i++) {
        struct code_copy *copy = &repair->copies[i];
        /* An instruction of at most 15 bytes does not reach over its 16, so no operand of it crosses a page.
         */
        copy->at = next_place(repair->code_nbytes);
        repair->code_nbytes = copy->at + copy->nbytes + (copy->comes_back ? JUMP_NBYTES : 0);
    }
    repair->code_rva = (UINT32_MAX - repair->code_nbytes) / PAGE_NBYTES * PAGE_NBYTES;
    return true;
}

void straddle_add_sections(struct layout *layout)
{
    struct straddle_repair *repair = layout->straddles;
    if (!repair)
        return;
    if (repair->code_nbytes == 0)
        return;
    repair->code_rva = sections_end_rva(layout);
    (void)sections_add(layout, STRADDLE_CODE_SECTION, repair->code_rva, repair->code_nbytes, NEW_CODE);
    if (repair->stub_count == 0)
        return;
    repair->flag_rva = sections_end_rva(layout);
    (void)sections_add(layout, STRADDLE_FLAG_SECTION, repair->flag_rva, STRADDLE_FLAG_NBYTES, NEW_DATA);
}

/* The field at site_foff, whoever names it, leads to new_rva. */
static void retarget(struct rewrite *rewrite, uint32_t site_foff, uint32_t new_rva)
{
    for (size_t i = 0; i < rewrite->refs->ref_count; i++)
        if (rewrite->refs->refs[i].site_foff == site_foff)
            rewrite->layout->targets[i] = new_rva;
}

void straddle_retarget(struct rewrite *rewrite)
{
    const struct straddle_repair *repair = rewrite->layout->straddles;
    if (!repair)
        return;
    for (unsigned i = 0; i < repair->stub_count; i++)
        retarget(rewrite, repair->stubs[i].site_foff, repair->code_rva + repair->stubs[i].at);
    if (repair->guard.stride_nbytes != 0)
        retarget(rewrite, repair->guard.pointer_foff, repair->code_rva + repair->guard.at);
}
