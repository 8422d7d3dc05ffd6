/* mutations_relocations.h - wrong tables of base relocations.
 * Takes: the new table, read here.  Gives: one wrong entry, block or size.
 * Must not: change a field that the table names. */
#ifndef HVCIFIX_TESTS_MUTATIONS_RELOCATIONS_H
#define HVCIFIX_TESTS_MUTATIONS_RELOCATIONS_H

#include "mutation.h"

/* Calls take() with each block: its offset in the file and its size. */
static void each_block(struct mutant *mutant,
                       void (*take)(struct mutant *mutant, uint32_t foff, uint32_t nbytes))
{
    uint32_t table_foff = directory_foff(mutant, DIR_BASERELOC),
             table_nbytes = directory_nbytes(mutant, DIR_BASERELOC);
    if (table_foff == 0 || !range_fits(mutant->nbytes, table_foff, table_nbytes))
        return;
    for (uint32_t at = 0; at + BASERELOC_BLOCK_HEADER_NBYTES <= table_nbytes;) {
        uint32_t nbytes = load_u32(mutant->bytes + table_foff + at + BASERELOC_BLOCK_SIZE);
        if (nbytes < BASERELOC_BLOCK_HEADER_NBYTES || nbytes > table_nbytes - at)
            return;
        take(mutant, table_foff + at, nbytes);
        at += nbytes;
    }
}

static void add_block(struct mutant *mutant, uint32_t foff, uint32_t nbytes)
{
    (void)nbytes;
    choice_add(mutant, foff);
}

static void add_entries(struct mutant *mutant, uint32_t foff, uint32_t nbytes)
{
    for (uint32_t at = BASERELOC_BLOCK_HEADER_NBYTES; at + 2 <= nbytes; at += 2)
        if (load_u16(mutant->bytes + foff + at) >> 12 != BASERELOC_ABSOLUTE)
            choice_add(mutant, foff + at);
}

static void add_padding(struct mutant *mutant, uint32_t foff, uint32_t nbytes)
{
    for (uint32_t at = BASERELOC_BLOCK_HEADER_NBYTES; at + 2 <= nbytes; at += 2)
        if (load_u16(mutant->bytes + foff + at) >> 12 == BASERELOC_ABSOLUTE)
            choice_add(mutant, foff + at);
}

struct found_block {
    uint32_t foff, nbytes, page_rva;
};

/* The block that holds the file offset, by a walk. */
static struct found_block block_at(struct mutant *mutant, uint32_t foff)
{
    uint32_t table_foff = directory_foff(mutant, DIR_BASERELOC);
    struct found_block block = {table_foff, 0, 0};
    for (;;) {
        block.page_rva = load_u32(mutant->subject->right.bytes + block.foff + BASERELOC_PAGE_RVA);
        block.nbytes = load_u32(mutant->subject->right.bytes + block.foff + BASERELOC_BLOCK_SIZE);
        if (foff < block.foff + block.nbytes || block.nbytes == 0)
            return block;
        block.foff += block.nbytes;
    }
}

/* What the block relocates, also in copies of instructions, which go by their old place. */
static void add_place_block(struct mutant *mutant, struct found_block block)
{
    const struct straddle_repair *straddles =
        mutant->subject->layout ? mutant->subject->layout->straddles : NULL;
    add_place_range(mutant, block.page_rva, PAGE_NBYTES);
    for (size_t i = 0; straddles && i < straddles->copy_count; i++)
        if (straddles->code_rva + straddles->copies[i].at - block.page_rva < PAGE_NBYTES)
            add_place_old_rva(mutant, straddles->copies[i].old_rva, straddles->copies[i].nbytes);
}

/* The places of an entry: itself, and what it relocates. */
static void add_place_entry(struct mutant *mutant, uint32_t foff)
{
    uint32_t rva = block_at(mutant, foff).page_rva + (load_u16(mutant->bytes + foff) & 0xFFF);
    add_place_rva(mutant, rva, subject_width(mutant->subject));
    const struct layout *layout = mutant->subject->layout;
    for (size_t i = 0; layout && layout->straddles && i < layout->straddles->copy_count; i++) {
        const struct code_copy *copy = &layout->straddles->copies[i];
        uint32_t copy_rva = layout->straddles->code_rva + copy->at;
        if (rva >= copy_rva && rva - copy_rva < copy->nbytes) /* it is named by the instruction's old place */
            add_place_old_rva(mutant, copy->old_rva, copy->nbytes);
    }
}

/* An entry gets another value. a: what is done. */
enum entry_wrong {
    ENTRY_DROPPED,
    ENTRY_DOUBLED,
    ENTRY_NEXT_BYTE,
    ENTRY_NEXT_SLOT,
    ENTRY_OTHER_WIDTH,
    ENTRY_HIGH,
    ENTRY_UNKNOWN_TYPE
};

MUTATE(wrong_entry)
{
    uint32_t foff;
    each_block(mutant, add_entries);
    if (!choice_take(mutant, &foff))
        return false;
    uint16_t entry = load_u16(mutant->bytes + foff), at = entry & 0xFFF;
    unsigned type = entry >> 12;
    bool has_next = foff + 4 <= block_at(mutant, foff).foff + block_at(mutant, foff).nbytes;
    add_place_entry(mutant, foff);
    switch ((enum entry_wrong)kind->a) {
    case ENTRY_DROPPED:
        return set_field(mutant, foff, 2, 0);
    case ENTRY_DOUBLED: /* over the next, which is lost, or over the padding */
        if (!has_next)
            return false;
        if (load_u16(mutant->bytes + foff + 2) >> 12 != BASERELOC_ABSOLUTE)
            add_place_entry(mutant, foff + 2);
        return set_field(mutant, foff + 2, 2, entry);
    case ENTRY_NEXT_BYTE:
    case ENTRY_NEXT_SLOT:
        at = (uint16_t)((at + (kind->a == ENTRY_NEXT_BYTE ? 1 : subject_width(mutant->subject))) & 0xFFF);
        add_place_rva(mutant, block_at(mutant, foff).page_rva + at, 8);
        return set_field(mutant, foff, 2, (uint64_t)type << 12 | at);
    case ENTRY_OTHER_WIDTH:
        type = type == BASERELOC_DIR64 ? BASERELOC_HIGHLOW : BASERELOC_DIR64;
        return set_field(mutant, foff, 2, (uint64_t)type << 12 | at);
    case ENTRY_HIGH:
        return set_field(mutant, foff, 2, (uint64_t)BASERELOC_HIGH << 12 | at);
    case ENTRY_UNKNOWN_TYPE:
        return set_field(mutant, foff, 2, UINT64_C(15) << 12 | at);
    }
    return false;
}

MUTATE(padding_entry_relocates)
{
    uint32_t foff;
    (void)kind;
    each_block(mutant, add_padding);
    if (!choice_take(mutant, &foff))
        return false;
    unsigned type = mutant->view.is_64 ? BASERELOC_DIR64 : BASERELOC_HIGHLOW;
    add_place_rva(mutant, block_at(mutant, foff).page_rva + 8, 8);
    return set_field(mutant, foff, 2, type << 12 | 8u);
}

/* The entry is taken out, those behind it move up, and the block ends with padding. */
MUTATE(entry_taken_out)
{
    uint32_t foff;
    (void)kind;
    each_block(mutant, add_entries);
    if (!choice_take(mutant, &foff))
        return false;
    struct found_block block = block_at(mutant, foff);
    add_place_entry(mutant, foff);
    memmove(mutant->bytes + foff, mutant->bytes + foff + 2, block.foff + block.nbytes - foff - 2);
    return set_field(mutant, block.foff + block.nbytes - 2, 2, 0) || true;
}

/* The block says another page, or another size. a: the field, b: what is added. */
MUTATE(wrong_block)
{
    uint32_t foff;
    each_block(mutant, add_block);
    if (!choice_take(mutant, &foff))
        return false;
    struct found_block block = block_at(mutant, foff);
    if (block.nbytes == BASERELOC_BLOCK_HEADER_NBYTES) /* it relocates nothing on any page */
        return false;
    add_place_directory(mutant, DIR_BASERELOC);
    add_place_block(mutant, block);
    add_place_range(mutant, block.page_rva + (kind->a == BASERELOC_PAGE_RVA ? kind->b : 0), PAGE_NBYTES);
    return add_to(mutant, foff + kind->a, 4, kind->b);
}

/* The last block is left out; a: 0 the directory ends before it, 1 its entries are padding. */
MUTATE(last_block_lost)
{
    each_block(mutant, add_block);
    if (mutant->choice_count == 0 || mutant->number != 0)
        return false;
    struct found_block block = block_at(mutant, mutant->choices[mutant->choice_count - 1]);
    add_place_directory(mutant, DIR_BASERELOC);
    add_place_block(mutant, block);
    if (kind->a == 1) {
        memset(mutant->bytes + block.foff + BASERELOC_BLOCK_HEADER_NBYTES, 0,
               block.nbytes - BASERELOC_BLOCK_HEADER_NBYTES);
        return true;
    }
    return add_to(mutant, view_directory_foff(DIR_BASERELOC, &mutant->view) + DIRECTORY_SIZE, 4,
                  0 - (uint64_t)block.nbytes);
}

/* Behind the last block the table goes on. a: bytes more; b: 1 a block of no entries, for page c or that of
 * the last, 2 the last block once more. */
MUTATE(table_goes_on)
{
    uint32_t table_foff = directory_foff(mutant, DIR_BASERELOC),
             table_nbytes = directory_nbytes(mutant, DIR_BASERELOC);
    uint32_t more_nbytes = kind->a;
    each_block(mutant, add_block);
    if (table_foff == 0 || mutant->choice_count == 0 || mutant->number != 0)
        return false;
    struct found_block block = block_at(mutant, mutant->choices[mutant->choice_count - 1]);
    if (kind->b == 2)
        more_nbytes = block.nbytes;
    uint64_t end_foff = (uint64_t)table_foff + table_nbytes;
    if (!range_fits(mutant->nbytes, end_foff, more_nbytes))
        return false;
    for (uint32_t i = 0; i < more_nbytes; i++) /* only into padding */
        if (mutant->bytes[end_foff + i] != 0)
            return false;
    add_place_directory(mutant, DIR_BASERELOC);
    add_place_block(mutant, block);
    if (kind->b == 1) {
        store_u32(mutant->bytes + end_foff + BASERELOC_PAGE_RVA, kind->c ? kind->c : block.page_rva);
        store_u32(mutant->bytes + end_foff + BASERELOC_BLOCK_SIZE, more_nbytes);
    } else if (kind->b == 2)
        memcpy(mutant->bytes + end_foff, mutant->bytes + block.foff, block.nbytes);
    return add_to(mutant, view_directory_foff(DIR_BASERELOC, &mutant->view) + DIRECTORY_SIZE, 4, more_nbytes);
}

/* The first two blocks change places. (Entries of one block may have any order.) */
MUTATE(blocks_out_of_order)
{
    (void)kind;
    each_block(mutant, add_block);
    if (mutant->choice_count < 2 || mutant->number != 0)
        return false;
    for (size_t i = 1; i < mutant->choice_count; i++) {
        struct found_block a = block_at(mutant, mutant->choices[i - 1]),
                           b = block_at(mutant, mutant->choices[i]);
        uint8_t *kept = a.nbytes <= 0x1000 ? malloc(a.nbytes) : NULL;
        if (!kept)
            continue;
        add_place_directory(mutant, DIR_BASERELOC);
        memcpy(kept, mutant->bytes + a.foff, a.nbytes);
        memmove(mutant->bytes + a.foff, mutant->bytes + b.foff, b.nbytes);
        memcpy(mutant->bytes + a.foff + b.nbytes, kept, a.nbytes);
        free(kept);
        return true;
    }
    return false;
}

/* One block becomes two for the same page: current Windows does not take that. */
MUTATE(block_cut_in_two)
{
    uint32_t table_foff = directory_foff(mutant, DIR_BASERELOC),
             table_nbytes = directory_nbytes(mutant, DIR_BASERELOC), foff;
    (void)kind;
    each_block(mutant, add_block);
    if (!choice_take(mutant, &foff))
        return false;
    struct found_block block = block_at(mutant, foff);
    uint64_t end_foff = (uint64_t)table_foff + table_nbytes;
    uint32_t first_nbytes = BASERELOC_BLOCK_HEADER_NBYTES + 4;
    if (block.nbytes < first_nbytes + 4 || !range_fits(mutant->nbytes, end_foff, 8) ||
        load_u64(mutant->bytes + end_foff) != 0)
        return false;
    add_place_directory(mutant, DIR_BASERELOC);
    memmove(mutant->bytes + foff + first_nbytes + 8, mutant->bytes + foff + first_nbytes,
            end_foff - foff - first_nbytes);
    store_u32(mutant->bytes + foff + BASERELOC_BLOCK_SIZE, first_nbytes);
    store_u32(mutant->bytes + foff + first_nbytes + BASERELOC_PAGE_RVA, block.page_rva);
    store_u32(mutant->bytes + foff + first_nbytes + BASERELOC_BLOCK_SIZE, block.nbytes - 4);
    return add_to(mutant, view_directory_foff(DIR_BASERELOC, &mutant->view) + DIRECTORY_SIZE, 4, 8);
}

#endif
