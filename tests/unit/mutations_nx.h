/* mutations_nx.h - wrong ways of leading calls through stubs that add a no-execute flag.
 * Takes: a mutant of an image with such stubs, whose subject has the plan.  Gives: changes.
 * Must not: be linked into the product. */
#ifndef HVCIFIX_TESTS_MUTATIONS_NX_H
#define HVCIFIX_TESTS_MUTATIONS_NX_H

#include "mutation.h"

#include "plan/nx_plan.h"

#define NX_FAMILY "no-execute stubs"
#define NX_ROWS_FAMILY "two rows of no-execute stubs"

static inline const struct nx_plan *nx_of(const struct mutant *mutant)
{
    return mutant->subject->nx;
}

/* The stub that this mutant is about. */
static inline uint32_t nx_stub_foff(struct mutant *mutant, const struct nx_redirect **redirect)
{
    const struct nx_plan *plan = nx_of(mutant);
    uint32_t index = pick(mutant, plan->redirect_count);
    *redirect = &plan->redirects[index];
    add_place_foff(mutant, plan->code_foff + index * NX_STUB_STRIDE_NBYTES, NX_STUB_STRIDE_NBYTES);
    return plan->code_foff + index * NX_STUB_STRIDE_NBYTES;
}

/* Uses of the stubs speak against what a stub was made. */
static inline void add_uses(struct mutant *mutant)
{
    for (size_t i = 0; i < nx_of(mutant)->site_count && mutant->place_count < MOST_PLACES - 8; i++)
        add_place_rva(mutant, nx_of(mutant)->sites[i].rva, nx_of(mutant)->sites[i].nbytes);
}

/* Adds `a` to the slot that the stub goes on through, in slots. */
MUTATE(nx_other_slot)
{
    const struct nx_redirect *redirect;
    if (!nx_of(mutant))
        return false;
    uint32_t foff = nx_stub_foff(mutant, &redirect) + redirect->jump_at + NX_JUMP_FIELD_AT;
    add_uses(mutant);
    return add_to(mutant, foff, 4, kind->a * subject_width(mutant->subject));
}

/* Changes bits `b` of the byte `a` in front of the stub's last jump: its constant, then what it is added to.
 */
MUTATE(nx_effect)
{
    const struct nx_redirect *redirect;
    if (!nx_of(mutant))
        return false;
    uint32_t foff = nx_stub_foff(mutant, &redirect);
    return redirect->jump_at >= kind->a &&
           flip_byte(mutant, foff + redirect->jump_at - kind->a, (uint8_t)kind->b);
}

/* The byte `a` behind the opcode of the conditional jump gets the bits `b`. */
MUTATE(nx_condition)
{
    const struct nx_redirect *redirect;
    if (!nx_of(mutant))
        return false;
    uint32_t foff = nx_stub_foff(mutant, &redirect), at = 0;
    while (at < redirect->jump_at && mutant->bytes[foff + at] != 0x75)
        at++;
    return at < redirect->jump_at && flip_byte(mutant, foff + at + kind->a, (uint8_t)kind->b);
}

/* Two bytes more in front of the stub. */
MUTATE(nx_more_code)
{
    const struct nx_redirect *redirect;
    if (!nx_of(mutant))
        return false;
    uint32_t foff = nx_stub_foff(mutant, &redirect), nbytes = redirect->jump_at + NX_JUMP_NBYTES;
    memmove(mutant->bytes + foff + 2, mutant->bytes + foff, nbytes);
    store_u16(mutant->bytes + foff, (uint16_t)kind->a);
    return !mutant->view.is_64 || add_to(mutant, foff + nbytes - 2, 4, UINT32_MAX - 1);
}

MUTATE(nx_each_bit)
{
    (void)kind;
    if (!nx_of(mutant) || mutant->number >= 8 * NX_STUB_STRIDE_NBYTES)
        return false;
    add_uses(mutant);
    add_place_foff(mutant, nx_of(mutant)->code_foff, nx_of(mutant)->code_nbytes);
    return flip_byte(mutant, nx_of(mutant)->code_foff + mutant->number / 8,
                     (uint8_t)(1u << mutant->number % 8));
}

static inline const struct nx_site *nx_site_of(const struct mutant *mutant, bool is_load)
{
    const struct nx_plan *plan = nx_of(mutant);
    for (size_t i = 0; plan && i < plan->site_count; i++) {
        const struct nx_site *site = &plan->sites[(i + pick(mutant, plan->site_count)) % plan->site_count];
        if ((site->kind == NX_SITE_LOAD) == is_load)
            return site;
    }
    return NULL;
}

/* Where the four bytes are that lead to the stub. */
static inline uint32_t nx_field_foff(const struct nx_site *site)
{
    return site->foff + (site->kind == NX_SITE_JUMP ? 1u : site->field_at);
}

/* A use leads `a` bytes farther; a: NX_STUB_STRIDE_NBYTES is the next stub. */
MUTATE(nx_use_farther)
{
    const struct nx_site *site = nx_site_of(mutant, kind->b != 0);
    if (!site || (kind->a == NX_STUB_STRIDE_NBYTES && nx_of(mutant)->redirect_count < 2))
        return false;
    uint32_t amount = kind->a;
    if (kind->a == NX_STUB_STRIDE_NBYTES && site->redirect + 1 == nx_of(mutant)->redirect_count)
        amount = UINT32_MAX - NX_STUB_STRIDE_NBYTES + 1;
    add_place_rva(mutant, site->rva, site->nbytes);
    return add_to(mutant, nx_field_foff(site), 4, amount);
}

/* The header of the section at rva, which is there. */
static inline uint32_t nx_header_foff(const struct mutant *mutant, uint32_t rva)
{
    uint32_t index = 0;
    while (index + 1 < mutant->view.section_count &&
           section_field(mutant, index, SECTION_VIRTUAL_ADDRESS) != rva)
        index++;
    return view_section_foff(&mutant->view, index);
}

/* A use is the old instruction again, and goes past the stub; kind->b: a load. */
MUTATE(nx_use_past_stub)
{
    const struct nx_site *site = nx_site_of(mutant, kind->b != 0);
    if (!site || mutant->number >= nx_of(mutant)->site_count)
        return false;
    add_place_rva(mutant, site->rva, site->nbytes);
    memcpy(mutant->bytes + site->foff, mutant->subject->old_file.bytes + site->foff, site->nbytes);
    return true;
}

/* A use leads to the first stub of the other row. */
MUTATE(nx_use_of_other_row)
{
    const struct nx_site *site = nx_site_of(mutant, kind->b != 0);
    if (!site || !mutant->subject->other_nx)
        return false;
    add_place_rva(mutant, site->rva, site->nbytes);
    return add_to(mutant, nx_field_foff(site), 4,
                  mutant->subject->other_nx->code_rva - nx_of(mutant)->redirects[site->redirect].stub_rva);
}

/* The rows' stubs change places. */
MUTATE(nx_rows_exchanged)
{
    const struct nx_plan *plan = nx_of(mutant), *other = mutant->subject->other_nx;
    (void)kind;
    if (!other || plan->code_nbytes != other->code_nbytes)
        return false;
    add_uses(mutant);
    return swap_records(mutant, plan->code_foff, other->code_foff, NX_STUB_STRIDE_NBYTES);
}

/* The first letter of the section's name gets the bits `a`. */
MUTATE(nx_row_renamed)
{
    const struct nx_plan *plan = nx_of(mutant);
    uint32_t foff = nx_header_foff(mutant, plan->code_rva);
    add_uses(mutant);
    add_place_foff(mutant, foff, SECTION_HEADER_NBYTES);
    return flip_byte(mutant, foff + 1, (uint8_t)kind->a);
}

/* The call ends a byte early, and a nop follows: it returns elsewhere. */
MUTATE(nx_other_return)
{
    const struct nx_site *site = nx_site_of(mutant, false);
    (void)kind;
    if (!site || site->kind != NX_SITE_CALL || site->nbytes != 6)
        return false;
    uint8_t *bytes = mutant->bytes + site->foff;
    uint32_t distance = load_u32(bytes + 2) + 1;
    add_place_rva(mutant, site->rva, site->nbytes);
    bytes[0] = 0xE8;
    store_u32(bytes + 1, distance);
    bytes[5] = 0x90;
    return true;
}

/* A call of another import is led through the first stub. */
MUTATE(nx_call_of_another)
{
    const struct nx_plan *plan = nx_of(mutant);
    (void)kind;
    for (uint32_t i = 0; plan && i < mutant->view.section_count; i++) {
        const uint8_t *header = mutant->bytes + view_section_foff(&mutant->view, i);
        uint32_t foff = load_u32(header + SECTION_POINTER_TO_RAW_DATA),
                 rva = load_u32(header + SECTION_VIRTUAL_ADDRESS);
        uint32_t nbytes = load_u32(header + SECTION_SIZE_OF_RAW_DATA);
        for (uint32_t at = 0; strcmp((const char *)header, ".text") == 0 && at + 6 < nbytes; at++) {
            uint8_t *bytes = mutant->bytes + foff + at;
            if (bytes[0] != 0xFF || bytes[1] != 0x15)
                continue;
            bytes[0] = 0x67, bytes[1] = 0xE8;
            store_u32(bytes + 2, plan->code_rva - (rva + at + 6));
            add_place_foff(mutant, foff + at, 6);
            return true;
        }
    }
    return false;
}

/* A new section's header: a: 1 is the stubs', 0 the relocations'; bits b of its rights. */
MUTATE(nx_rights)
{
    const struct nx_plan *plan = nx_of(mutant);
    if (!plan || (!kind->a && plan->relocation_nbytes == 0))
        return false;
    uint32_t foff = nx_header_foff(mutant, kind->a ? plan->code_rva : plan->relocation_rva);
    add_place_foff(mutant, foff, SECTION_HEADER_NBYTES);
    return set_field(mutant, foff + SECTION_CHARACTERISTICS, 4,
                     get_field(mutant, foff + SECTION_CHARACTERISTICS, 4) ^ kind->b);
}

/* Byte `a` behind the last stub. */
MUTATE(nx_fill)
{
    const struct nx_plan *plan = nx_of(mutant);
    return plan && flip_byte(mutant, plan->code_foff + plan->code_nbytes + kind->a, 0x0C);
}

/* The last base relocation is the last stub's: it goes, or moves by `b`. a: 0 goes, 1 moves, 2: a use's comes
 * back. */
MUTATE(nx_relocation)
{
    const struct nx_plan *plan = nx_of(mutant);
    if (!plan || plan->relocation_nbytes == 0)
        return false;
    uint32_t end_foff = plan->relocation_foff + plan->relocation_nbytes, at = end_foff - 2;
    if (load_u16(mutant->bytes + at) == 0)
        at -= 2;
    add_place_foff(mutant, plan->relocation_foff, plan->relocation_nbytes);
    add_place_rva(mutant, plan->code_rva, plan->code_nbytes);
    return kind->a == 0 ? set_field(mutant, at, 2, 0) : add_to(mutant, at, 2, kind->b);
}

/* Where the old table was said to be. */
MUTATE(nx_trailer)
{
    const struct nx_plan *plan = nx_of(mutant);
    if (!plan || plan->relocation_nbytes == 0)
        return false;
    add_place_foff(mutant, directory_foff(mutant, DIR_BASERELOC), plan->relocation_nbytes);
    add_place_foff(mutant, view_directory_foff(DIR_BASERELOC, &mutant->view), DIRECTORY_ENTRY_NBYTES);
    add_place_foff(mutant, plan->relocation_foff, plan->relocation_nbytes);
    for (size_t i = 0; i < mutant->subject->done->refs.ref_count; i++) { /* the old table, read askew */
        const struct ref *ref = &mutant->subject->done->refs.refs[i];
        if (ref->source == SOURCE_BASERELOCS && mutant->place_count < MOST_PLACES - 8)
            add_place_foff(mutant, ref->site_foff, 2);
    }
    return add_to(mutant, plan->relocation_foff + plan->relocation_nbytes + kind->a, 4, kind->b);
}

#endif
