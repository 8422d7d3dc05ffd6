/* mutation.h - a right rewrite, and one copy of it that is made wrong: what the kinds of mutations share.
 * Takes: a rewritten image that the verifier accepts.  Gives: its bytes to change, ways to choose a place,
 * and the places that the verdict may name.
 * Must not: be linked into the product. */
#ifndef HVCIFIX_TESTS_MUTATION_H
#define HVCIFIX_TESTS_MUTATION_H

#include "rewrite_image.h"
#include "verify/verify.h"
#include "verify_pairs.h"

#include <stdlib.h>

enum {
    MUTANT_SPARE_NBYTES = 0x2000, /* how much longer than the right file a mutant may be */
    MOST_CHOICES = 1 << 14,
    MOST_PLACES = 64,
    NEAR_NBYTES = 16 /* an instruction's first byte lies at most so far before its field */
};

/* What a kind of mutation starts from. */
struct subject {
    const char *name; /* of the old file, without folders */
    const struct rewritten *done;
    struct span old_file, right;
    struct pe_view old_view, view; /* of the two */
    const struct layout *layout;   /* NULL when nothing moves */
    const struct nx_plan *nx;      /* calls that are led through stubs, and nothing else; or NULL */
    const struct nx_plan
        *other_nx; /* the image has a second row of stubs, before or behind that one; or NULL */
};

/* Bytes that a verdict may name: nbytes of the new image, and where they were in the old one. Offsets and
 * RVAs that are not known are UINT64_MAX. */
struct place {
    uint64_t foff, rva, old_foff, old_rva, nbytes;
};

struct mutant {
    const struct subject *subject;
    struct pe_view view; /* of `bytes`, which begin as the right ones */
    uint8_t *bytes;      /* nbytes, and MUTANT_SPARE_NBYTES zeros */
    size_t nbytes;
    uint32_t seed, number, tries; /* the number-th of so many mutants of this kind */
    uint32_t *choices;
    size_t choice_count;
    struct place places[MOST_PLACES]; /* besides what was changed */
    size_t place_count;
    /* Fields that lead into this part of the new image speak against what was changed, and may be named
     * instead of it. */
    uint32_t contradicted_rva, contradicted_nbytes;
};

enum mutation_flag {
    MUTATION_KEEPS_CHECKSUM = 1, /* the change is in the checksum itself */
    MUTATION_HAS_NO_PLACE = 2,   /* the headers no longer fit together: no one place is wrong */
    /* A changed byte can lead the verifier to another guess where parts went; then it names what speaks
     * against that guess. Most verdicts name the place all the same. */
    MUTATION_MAY_MISLEAD = 4
};

struct mutation {
    const char *family, *name, *why;
    /* Makes mutant->bytes wrong; false when the image has nothing of this kind. */
    bool (*apply)(struct mutant *mutant, const struct mutation *kind);
    uint32_t tries;   /* per image */
    uint32_t a, b, c; /* what `apply` does with them */
    uint32_t flags;
};

#define MUTATE(name) static bool name(struct mutant *mutant, const struct mutation *kind)

/* ---- where things are ---- */

static inline uint64_t subject_rva(const struct subject *subject, uint64_t foff)
{
    for (uint32_t i = 0; i < subject->view.section_count; i++) {
        const uint8_t *header = subject->view.bytes + view_section_foff(&subject->view, i);
        uint32_t raw_foff = load_u32(header + SECTION_POINTER_TO_RAW_DATA);
        if (foff >= raw_foff && foff - raw_foff < load_u32(header + SECTION_SIZE_OF_RAW_DATA))
            return load_u32(header + SECTION_VIRTUAL_ADDRESS) + (foff - raw_foff);
    }
    return foff < load_u32(subject->view.bytes + subject->view.opt_foff + OPT_SIZE_OF_HEADERS) ? foff
                                                                                               : UINT64_MAX;
}

static inline uint64_t subject_foff(const struct subject *subject, uint64_t rva)
{
    uint32_t foff = rva <= UINT32_MAX ? view_foff(&subject->view, (uint32_t)rva) : 0;
    return foff != 0 ? foff : UINT64_MAX;
}

/* Where a byte of the new image was in the old one. */
static inline uint64_t subject_old_rva(const struct subject *subject, uint64_t rva)
{
    const struct layout *layout = subject->layout;
    for (size_t i = 0; layout && i < layout->piece_count; i++)
        if (rva >= layout->pieces[i].new_rva && rva - layout->pieces[i].new_rva < layout->pieces[i].nbytes)
            return layout->pieces[i].old_rva + (rva - layout->pieces[i].new_rva);
    return layout ? UINT64_MAX : rva;
}

static inline uint64_t subject_old_foff(const struct subject *subject, uint64_t foff)
{
    const struct layout *layout = subject->layout;
    for (size_t i = 0; layout && i < layout->copy_count; i++)
        if (foff >= layout->copies[i].new_foff &&
            foff - layout->copies[i].new_foff < layout->copies[i].nbytes)
            return layout->copies[i].old_foff + (foff - layout->copies[i].new_foff);
    return layout ? UINT64_MAX : foff;
}

/* Where a byte of the old file is now; 0 when it is nowhere. */
static inline uint32_t subject_new_foff(const struct subject *subject, uint32_t old_foff)
{
    uint32_t foff;
    if (!subject->layout)
        return old_foff < subject->right.nbytes ? old_foff : 0;
    return layout_map_foff(subject->layout, old_foff, &foff) && foff < subject->right.nbytes ? foff : 0;
}

static inline uint32_t subject_new_rva(const struct subject *subject, uint32_t old_rva)
{
    return subject->layout ? layout_map_rva(subject->layout, old_rva) : old_rva;
}

static inline unsigned subject_width(const struct subject *subject)
{
    return subject->view.is_64 ? 8 : 4;
}

static inline uint64_t subject_base(const struct subject *subject)
{
    const uint8_t *opt = subject->view.bytes + subject->view.opt_foff;
    return subject->view.is_64 ? load_u64(opt + OPT_IMAGE_BASE_64) : load_u32(opt + OPT_IMAGE_BASE_32);
}

/* ---- choosing ---- */

static inline void choice_add(struct mutant *mutant, uint32_t value)
{
    if (mutant->choice_count < MOST_CHOICES)
        mutant->choices[mutant->choice_count++] = value;
}

static inline uint32_t pick(const struct mutant *mutant, size_t count)
{
    size_t stride = count / mutant->tries;
    return (uint32_t)((mutant->seed % count + mutant->number * (stride ? stride : 1)) % count);
}

/* One of the choices; false without any, or when there are fewer than mutants. */
static inline bool choice_take(const struct mutant *mutant, uint32_t *value)
{
    if (mutant->choice_count == 0 || mutant->number >= mutant->choice_count)
        return false;
    *value = mutant->choices[pick(mutant, mutant->choice_count)];
    return true;
}

/* ---- changing ---- */

static inline void add_place(struct mutant *mutant, struct place place)
{
    if (mutant->place_count < MOST_PLACES)
        mutant->places[mutant->place_count++] = place;
}

static inline void add_place_foff(struct mutant *mutant, uint64_t foff, uint64_t nbytes)
{
    const struct subject *subject = mutant->subject;
    uint64_t rva = subject_rva(subject, foff);
    add_place(mutant, (struct place){foff, rva, subject_old_foff(subject, foff),
                                     rva == UINT64_MAX ? rva : subject_old_rva(subject, rva), nbytes});
}

static inline void add_place_rva(struct mutant *mutant, uint64_t rva, uint64_t nbytes)
{
    const struct subject *subject = mutant->subject;
    uint64_t foff = subject_foff(subject, rva);
    add_place(mutant, (struct place){foff, rva, foff == UINT64_MAX ? foff : subject_old_foff(subject, foff),
                                     subject_old_rva(subject, rva), nbytes});
}

/* Stores a field; false when it is not in the file or had this value. */
static inline bool set_field(struct mutant *mutant, uint64_t foff, unsigned width_nbytes, uint64_t value)
{
    if (foff == 0 || !range_fits(mutant->nbytes, foff, width_nbytes))
        return false;
    uint64_t mask = width_nbytes == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * width_nbytes) - 1;
    if (load_width(mutant->bytes + foff, width_nbytes) == (value & mask))
        return false;
    store_width(mutant->bytes + foff, width_nbytes, value & mask);
    return true;
}

static inline uint64_t get_field(const struct mutant *mutant, uint64_t foff, unsigned width_nbytes)
{
    return range_fits(mutant->nbytes, foff, width_nbytes) ? load_width(mutant->bytes + foff, width_nbytes)
                                                          : 0;
}

static inline bool add_to(struct mutant *mutant, uint64_t foff, unsigned width_nbytes, uint64_t amount)
{
    return set_field(mutant, foff, width_nbytes, get_field(mutant, foff, width_nbytes) + amount);
}

static inline bool flip_byte(struct mutant *mutant, uint64_t foff, uint8_t bits)
{
    return set_field(mutant, foff, 1, get_field(mutant, foff, 1) ^ bits);
}

/* Exchanges two records; false when they are the same or not in the file. */
static inline bool swap_records(struct mutant *mutant, uint64_t a_foff, uint64_t b_foff, uint32_t nbytes)
{
    uint8_t kept[64];
    if (a_foff == 0 || b_foff == 0 || nbytes > sizeof kept || !range_fits(mutant->nbytes, a_foff, nbytes) ||
        !range_fits(mutant->nbytes, b_foff, nbytes) ||
        memcmp(mutant->bytes + a_foff, mutant->bytes + b_foff, nbytes) == 0)
        return false;
    memcpy(kept, mutant->bytes + a_foff, nbytes);
    memcpy(mutant->bytes + a_foff, mutant->bytes + b_foff, nbytes);
    memcpy(mutant->bytes + b_foff, kept, nbytes);
    return true;
}

/* Makes record b the same as record a. */
static inline bool double_record(struct mutant *mutant, uint64_t a_foff, uint64_t b_foff, uint32_t nbytes)
{
    if (a_foff == 0 || b_foff == 0 || !range_fits(mutant->nbytes, a_foff, nbytes) ||
        !range_fits(mutant->nbytes, b_foff, nbytes) ||
        memcmp(mutant->bytes + a_foff, mutant->bytes + b_foff, nbytes) == 0)
        return false;
    memmove(mutant->bytes + b_foff, mutant->bytes + a_foff, nbytes);
    return true;
}

/* ---- directories ---- */

static inline uint32_t directory_rva(const struct mutant *mutant, unsigned number)
{
    return view_directory_rva(&mutant->view, number);
}

static inline uint32_t directory_nbytes(const struct mutant *mutant, unsigned number)
{
    return view_directory_nbytes(&mutant->view, number);
}

/* File offset of the directory's first byte; 0 without it. */
static inline uint32_t directory_foff(const struct mutant *mutant, unsigned number)
{
    uint32_t rva = directory_rva(mutant, number);
    return rva != 0 && directory_nbytes(mutant, number) != 0 ? view_foff(&mutant->view, rva) : 0;
}

static inline void add_place_old_rva(struct mutant *mutant, uint32_t old_rva, uint64_t nbytes)
{
    add_place(mutant, (struct place){UINT64_MAX, UINT64_MAX, UINT64_MAX, old_rva, nbytes});
}

/* What fields of the old image in [rva, rva + nbytes) lead to. */
static inline void add_place_targets(struct mutant *mutant, uint32_t rva, uint32_t nbytes)
{
    const struct refset *refs = &mutant->subject->done->refs;
    for (size_t i = 0; i < refs->ref_count; i++) {
        const struct ref *ref = &refs->refs[i];
        if (ref->site_rva != NO_RVA && ref->site_rva >= rva && ref->site_rva - rva < nbytes &&
            ref->state != REF_NULL && ref->state != REF_CONSTANT && ref->encoding != REF_FOFF)
            add_place_rva(mutant, subject_new_rva(mutant->subject, ref->target), 16);
    }
}

/* The directory's entry in the headers is a place, and so are the bytes that it names, and what they name. */
static inline void add_place_directory(struct mutant *mutant, unsigned number)
{
    uint32_t old_rva = view_directory_rva(&mutant->subject->old_view, number);
    uint32_t nbytes = view_directory_nbytes(&mutant->subject->old_view, number);
    add_place_foff(mutant, view_directory_foff(number, &mutant->view), DIRECTORY_ENTRY_NBYTES);
    if (directory_rva(mutant, number) != 0)
        add_place_rva(mutant, directory_rva(mutant, number), directory_nbytes(mutant, number) + 64);
    if (old_rva == 0)
        return;
    add_place_old_rva(mutant, old_rva, nbytes);
    if (number != DIR_BASERELOC && number != DIR_EXCEPTION && number != DIR_IAT)
        add_place_targets(mutant, old_rva, nbytes);
}

/* All bytes of a range that may hold more than one piece. */
static inline void add_place_range(struct mutant *mutant, uint32_t rva, uint32_t nbytes)
{
    const struct layout *layout = mutant->subject->layout;
    add_place_rva(mutant, rva, nbytes);
    for (size_t i = 0; layout && i < layout->piece_count; i++) {
        const struct piece *piece = &layout->pieces[i];
        uint32_t first_rva = piece->new_rva > rva ? piece->new_rva : rva;
        uint64_t end_rva = (uint64_t)piece->new_rva + piece->nbytes;
        if (end_rva > (uint64_t)rva + nbytes)
            end_rva = (uint64_t)rva + nbytes;
        if (first_rva < end_rva)
            add_place_rva(mutant, first_rva, end_rva - first_rva);
    }
}

/* ---- sections ---- */

static inline uint32_t section_field(const struct mutant *mutant, uint32_t index, unsigned field)
{
    return load_u32(mutant->subject->right.bytes + view_section_foff(&mutant->view, index) + field);
}

static inline uint32_t section_memory_nbytes(const struct mutant *mutant, uint32_t index)
{
    uint32_t nbytes = section_field(mutant, index, SECTION_VIRTUAL_SIZE);
    return nbytes ? nbytes : section_field(mutant, index, SECTION_SIZE_OF_RAW_DATA);
}

/* The section as a whole, and its header. */
static inline void add_place_section(struct mutant *mutant, uint32_t index)
{
    uint32_t rva = section_field(mutant, index, SECTION_VIRTUAL_ADDRESS);
    uint32_t nbytes = section_memory_nbytes(mutant, index);
    add_place_foff(mutant, view_section_foff(&mutant->view, index), SECTION_HEADER_NBYTES);
    add_place_range(mutant, rva, nbytes);
    mutant->contradicted_rva = rva;
    mutant->contradicted_nbytes = nbytes;
}

#endif
