/* mutations_straddlers.h - wrong repairs of relocations that straddle pages: stubs, their table, copies.
 * Takes: where the rewriter put them.  Gives: one that is wrong.
 * Must not: change the bytes that the stub stands for. */
#ifndef HVCIFIX_TESTS_MUTATIONS_STRADDLERS_H
#define HVCIFIX_TESTS_MUTATIONS_STRADDLERS_H

#include "mutation.h"
#include "plan/start_stub.h"

static const struct straddle_repair *straddles_of(const struct mutant *mutant)
{
    return mutant->subject->layout ? mutant->subject->layout->straddles : NULL;
}

static uint32_t hvcode_foff(const struct mutant *mutant, uint32_t at)
{
    return view_foff(&mutant->view, straddles_of(mutant)->code_rva + at);
}

/* File offset of one of the stubs; 0 without any. */
static uint32_t stub_foff(const struct mutant *mutant)
{
    const struct straddle_repair *repair = straddles_of(mutant);
    return repair && mutant->number < repair->stub_count
               ? hvcode_foff(mutant, repair->stubs[mutant->number].at)
               : 0;
}

/* A stub: its bytes, what it relocates, and where its fields lead after the change. */
static void add_place_stub(struct mutant *mutant, uint32_t foff)
{
    static const uint8_t fields[2][5] = {{0x07, 0x10, 0x15, 0x1C, 0x2F}, {0x07, 0x12, 0x18, 0x28, 0x3F}};
    const struct straddle_repair *repair = straddles_of(mutant);
    uint32_t rva = (uint32_t)subject_rva(mutant->subject, foff);
    add_place_foff(mutant, foff, start_stub_nbytes(mutant->view.is_64));
    for (unsigned i = 0; i < 5; i++) {
        uint32_t at = fields[mutant->view.is_64][i], value = load_u32(mutant->bytes + foff + at);
        bool is_relative = i == 4 || (mutant->view.is_64 && i != 2);
        add_place_rva(mutant,
                      is_relative ? value + rva + at + 4 : value - (uint32_t)subject_base(mutant->subject),
                      i == 3 ? PAGE_NBYTES : 8); /* a wrong table may be read on and on */
    }
    for (unsigned i = 0; i < repair->stub_count; i++) /* which must agree */
        add_place_rva(mutant, repair->code_rva + repair->stubs[i].at, start_stub_nbytes(mutant->view.is_64));
    for (size_t i = 0; i < repair->applied_count && i < 8; i++)
        add_place_rva(mutant, subject_new_rva(mutant->subject, repair->applied_rvas[i]), 8);
}

/* Other bytes in a stub. a: offset in the x64 stub, b: in the x86 one, c: what is xored there. */
MUTATE(stub_byte)
{
    uint32_t foff = stub_foff(mutant), at = mutant->view.is_64 ? kind->a : kind->b;
    if (foff == 0 || at == UINT32_MAX)
        return false;
    bool is_changed = flip_byte(mutant, foff + at, (uint8_t)kind->c);
    add_place_stub(mutant, foff);
    return is_changed;
}

/* A field of a stub. a, b: its offset in the x64 and the x86 one, c: what is added. */
MUTATE(stub_field)
{
    uint32_t foff = stub_foff(mutant);
    if (foff == 0)
        return false;
    bool is_changed = add_to(mutant, foff + (mutant->view.is_64 ? kind->a : kind->b), 4, kind->c);
    add_place_stub(mutant, foff);
    return is_changed;
}

/* Each bit of each byte of a stub in turn: `tries` is the number of them. */
MUTATE(stub_bit)
{
    const struct straddle_repair *repair = straddles_of(mutant);
    (void)kind;
    if (!repair || repair->stub_count == 0 || mutant->number >= 8 * start_stub_nbytes(mutant->view.is_64))
        return false;
    uint32_t foff = hvcode_foff(mutant, repair->stubs[repair->stub_count - 1].at);
    bool is_changed = flip_byte(mutant, foff + mutant->number / 8, (uint8_t)(1u << mutant->number % 8));
    add_place_stub(mutant, foff);
    return is_changed;
}

/* The entry point, or the export, leads to the function itself. */
MUTATE(stub_passed_by)
{
    const struct straddle_repair *repair = straddles_of(mutant);
    (void)kind;
    if (!repair || mutant->number >= repair->stub_count)
        return false;
    const struct start_stub *stub = &repair->stubs[mutant->number];
    add_place_stub(mutant, stub_foff(mutant));
    return set_field(mutant, subject_new_foff(mutant->subject, stub->site_foff), 4,
                     subject_new_rva(mutant->subject, stub->function_old_rva));
}

enum table_wrong {
    TABLE_SHORT,
    TABLE_LONG,
    TABLE_DOUBLED, /* a field is relocated twice, another never */
    TABLE_FIRST_LOST,
    TABLE_NEXT_BYTE,
    TABLE_EMPTY
};

/* The list of fields that the stub relocates. a: enum table_wrong. */
MUTATE(wrong_stub_table)
{
    const struct straddle_repair *repair = straddles_of(mutant);
    if (!repair || repair->stub_count == 0 || mutant->number != 0)
        return false;
    uint32_t count = (uint32_t)repair->applied_count, foff = hvcode_foff(mutant, repair->table_at);
    uint32_t last = foff + (count - 1) * START_TABLE_ENTRY_NBYTES;
    add_place_foff(mutant, foff, (uint64_t)(count + 1) * START_TABLE_ENTRY_NBYTES);
    for (uint32_t i = 0; i < count && i < 32; i++) /* or the field that is not relocated */
        add_place_rva(mutant, subject_new_rva(mutant->subject, repair->applied_rvas[i]), 8);
    switch ((enum table_wrong)kind->a) {
    case TABLE_SHORT:
        return set_field(mutant, last, 4, 0);
    case TABLE_LONG:
        return set_field(mutant, last + 4, 4, get_field(mutant, last, 4) + 12);
    case TABLE_DOUBLED:
        return count > 1 && set_field(mutant, last, 4, get_field(mutant, last - 4, 4) - 4);
    case TABLE_FIRST_LOST:                                        /* nobody relocates it */
        for (uint32_t at = foff; count > 1 && at < last; at += 4) /* distances from the entries themselves */
            set_field(mutant, at, 4, get_field(mutant, at + 4, 4) + 4);
        return count > 1 && set_field(mutant, last, 4, 0);
    case TABLE_NEXT_BYTE:
        return add_to(mutant, foff, 4, 1);
    case TABLE_EMPTY:
        return set_field(mutant, foff, 4, 0);
    }
    return false;
}

/* Zero at load. */
MUTATE(flag_is_set)
{
    const struct straddle_repair *repair = straddles_of(mutant);
    (void)kind;
    return repair && repair->stub_count != 0 &&
           set_field(mutant, view_foff(&mutant->view, repair->flag_rva), 4, 1);
}

static const struct code_copy *take_copy(const struct mutant *mutant)
{
    const struct straddle_repair *repair = straddles_of(mutant);
    return repair && mutant->number < repair->copy_count
               ? &repair->copies[(mutant->seed + mutant->number) % repair->copy_count]
               : NULL;
}

static void add_place_copy(struct mutant *mutant, const struct code_copy *copy)
{
    add_place_rva(mutant, straddles_of(mutant)->code_rva + copy->at, copy->nbytes + JUMP_NBYTES);
    add_place_rva(mutant, subject_new_rva(mutant->subject, copy->old_rva), copy->nbytes);
    add_place_old_rva(mutant, copy->old_rva, copy->nbytes);
}

/* A byte of a copy. a: its number, b: what is xored. */
MUTATE(copy_byte)
{
    const struct code_copy *copy = take_copy(mutant);
    if (!copy || kind->a >= copy->nbytes)
        return false;
    add_place_copy(mutant, copy);
    return flip_byte(mutant, hvcode_foff(mutant, copy->at) + kind->a, (uint8_t)kind->b);
}

/* The jump back. a: what is added to where it leads. */
MUTATE(jump_back)
{
    const struct code_copy *copy = take_copy(mutant);
    if (!copy || !copy->comes_back)
        return false;
    add_place_copy(mutant, copy);
    return add_to(mutant, hvcode_foff(mutant, copy->at) + copy->nbytes + 1, 4, kind->a);
}

/* It leads to the original, which jumps to the copy again. */
MUTATE(jump_back_to_begin)
{
    const struct code_copy *copy = take_copy(mutant);
    (void)kind;
    if (!copy || !copy->comes_back)
        return false;
    add_place_copy(mutant, copy);
    return add_to(mutant, hvcode_foff(mutant, copy->at) + copy->nbytes + 1, 4, 0 - (uint64_t)copy->nbytes);
}

MUTATE(jump_back_lost)
{
    const struct code_copy *copy = take_copy(mutant);
    (void)kind;
    if (!copy || !copy->comes_back)
        return false;
    add_place_copy(mutant, copy);
    memset(mutant->bytes + hvcode_foff(mutant, copy->at) + copy->nbytes, 0xCC, JUMP_NBYTES);
    return true;
}

/* Where the copied instruction was, and the jump to its copy is. */
static uint32_t copied_foff(const struct mutant *mutant, const struct code_copy *copy)
{
    return subject_new_foff(mutant->subject, view_foff(&mutant->subject->old_view, copy->old_rva));
}

/* The jump to the copy. a: what is added. */
MUTATE(jump_to_copy)
{
    const struct code_copy *copy = take_copy(mutant);
    if (!copy)
        return false;
    add_place_copy(mutant, copy);
    return add_to(mutant, copied_foff(mutant, copy) + 1, 4, kind->a);
}

/* Bytes behind the jump, which nothing reaches, are int3. */
MUTATE(rest_of_copied)
{
    const struct code_copy *copy = take_copy(mutant);
    (void)kind;
    if (!copy || copy->nbytes <= JUMP_NBYTES)
        return false;
    add_place_copy(mutant, copy);
    return set_field(mutant, copied_foff(mutant, copy) + JUMP_NBYTES, 1, 0x90);
}

#endif
