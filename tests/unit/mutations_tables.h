/* mutations_tables.h - wrong tables of imports, exports, functions, resources, debug data and TLS.
 * Takes: the new image's tables, read here.  Gives: one that is unsorted, short, off by a stride, or changed.
 * Must not: change what is merely an address: mutations_references.h does. */
#ifndef HVCIFIX_TESTS_MUTATIONS_TABLES_H
#define HVCIFIX_TESTS_MUTATIONS_TABLES_H

#include "mutation.h"

/* ---- imports ---- */

static uint32_t iat_slot_foff(const struct mutant *mutant, uint32_t index)
{
    uint32_t foff = directory_foff(mutant, DIR_IAT), width = subject_width(mutant->subject);
    return foff != 0 && (index + 1) * width <= directory_nbytes(mutant, DIR_IAT) ? foff + index * width : 0;
}

/* File offset of the index-th import descriptor; 0 behind the last. */
static uint32_t descriptor_foff(const struct mutant *mutant, uint32_t index)
{
    uint32_t foff = directory_foff(mutant, DIR_IMPORT);
    for (uint32_t i = 0; foff != 0; i++, foff += IMPORT_DESCRIPTOR_NBYTES) {
        if (!range_fits(mutant->nbytes, foff, IMPORT_DESCRIPTOR_NBYTES) ||
            load_u32(mutant->bytes + foff + IMPORT_NAME) == 0)
            return 0;
        if (i == index)
            return foff;
    }
    return 0;
}

static bool take_descriptor(struct mutant *mutant, uint32_t *foff)
{
    for (uint32_t i = 0; descriptor_foff(mutant, i) != 0; i++)
        choice_add(mutant, descriptor_foff(mutant, i));
    return choice_take(mutant, foff);
}

/* File offset of slot `index` of the descriptor's lookup table or IAT. */
static uint32_t thunk_foff(const struct mutant *mutant, uint32_t descriptor, unsigned field, uint32_t index)
{
    uint32_t foff = view_foff(&mutant->view, load_u32(mutant->bytes + descriptor + field));
    return foff ? foff + index * subject_width(mutant->subject) : 0;
}

/* How many imports the module has, up to the zero. */
static uint32_t thunk_count(const struct mutant *mutant, uint32_t descriptor)
{
    uint32_t count = 0, width = subject_width(mutant->subject);
    while (get_field(mutant, thunk_foff(mutant, descriptor, IMPORT_FIRST_THUNK, count), width) != 0)
        count++;
    return count;
}

MUTATE(iat_slots_swapped) /* a: how far apart */
{
    uint32_t width = subject_width(mutant->subject);
    return swap_records(mutant, iat_slot_foff(mutant, mutant->number),
                        iat_slot_foff(mutant, mutant->number + kind->a), width);
}

/* In the IAT and the lookup table alike: each import is there, but not where code calls it. */
MUTATE(imports_swapped)
{
    uint32_t foff, width = subject_width(mutant->subject);
    (void)kind;
    if (!take_descriptor(mutant, &foff) || thunk_count(mutant, foff) < 2)
        return false;
    bool is_done = swap_records(mutant, thunk_foff(mutant, foff, IMPORT_FIRST_THUNK, 0),
                                thunk_foff(mutant, foff, IMPORT_FIRST_THUNK, 1), width);
    if (load_u32(mutant->bytes + foff + IMPORT_ORIGINAL_FIRST_THUNK) != 0)
        swap_records(mutant, thunk_foff(mutant, foff, IMPORT_ORIGINAL_FIRST_THUNK, 0),
                     thunk_foff(mutant, foff, IMPORT_ORIGINAL_FIRST_THUNK, 1), width);
    return is_done;
}

MUTATE(lookup_slots_swapped)
{
    uint32_t foff, width = subject_width(mutant->subject);
    (void)kind;
    if (!take_descriptor(mutant, &foff) || thunk_count(mutant, foff) < 2 ||
        load_u32(mutant->bytes + foff + IMPORT_ORIGINAL_FIRST_THUNK) == 0)
        return false;
    return swap_records(mutant, thunk_foff(mutant, foff, IMPORT_ORIGINAL_FIRST_THUNK, 0),
                        thunk_foff(mutant, foff, IMPORT_ORIGINAL_FIRST_THUNK, 1), width);
}

MUTATE(iat_slot_doubled)
{
    uint32_t width = subject_width(mutant->subject);
    (void)kind;
    return double_record(mutant, iat_slot_foff(mutant, mutant->number),
                         iat_slot_foff(mutant, mutant->number + 1), width);
}

/* A thunk array ends one early (a = 1), or goes on over its zero (a = 0). */
MUTATE(thunks_end_wrong)
{
    uint32_t foff, width = subject_width(mutant->subject);
    if (!take_descriptor(mutant, &foff))
        return false;
    uint32_t count = thunk_count(mutant, foff);
    if (count == 0)
        return false;
    uint32_t last = thunk_foff(mutant, foff, IMPORT_FIRST_THUNK, count - kind->a);
    uint64_t value = kind->a ? 0 : get_field(mutant, last - width, width);
    /* A walk over the array may end anywhere in it. */
    add_place_foff(mutant, thunk_foff(mutant, foff, IMPORT_FIRST_THUNK, 0), (uint64_t)(count + 1) * width);
    add_place_foff(mutant, foff, IMPORT_DESCRIPTOR_NBYTES);
    return set_field(mutant, last, width, value);
}

MUTATE(import_by_ordinal)
{
    uint32_t foff, width = subject_width(mutant->subject);
    (void)kind;
    if (!take_descriptor(mutant, &foff) || thunk_count(mutant, foff) == 0)
        return false;
    uint32_t slot = thunk_foff(mutant, foff, IMPORT_FIRST_THUNK, 0);
    return set_field(mutant, slot, width, get_field(mutant, slot, width) ^ UINT64_C(1) << (8 * width - 1));
}

/* A field of a descriptor. a: which, b: what is added; or, c = 1, it becomes 0. */
MUTATE(descriptor_field)
{
    uint32_t foff;
    if (!take_descriptor(mutant, &foff))
        return false;
    add_place_foff(mutant, foff, IMPORT_DESCRIPTOR_NBYTES);
    add_place_directory(mutant, DIR_IMPORT);
    add_place_rva(mutant, load_u32(mutant->bytes + foff + IMPORT_FIRST_THUNK), 16);
    return kind->c ? set_field(mutant, foff + kind->a, 4, 0) : add_to(mutant, foff + kind->a, 4, kind->b);
}

MUTATE(last_descriptor_lost)
{
    uint32_t count = 0;
    (void)kind;
    while (descriptor_foff(mutant, count) != 0)
        count++;
    if (count == 0)
        return false;
    uint32_t foff = descriptor_foff(mutant, count - 1);
    add_place_directory(mutant, DIR_IMPORT);
    add_place_rva(mutant, load_u32(mutant->bytes + foff + IMPORT_FIRST_THUNK), 256);
    add_place_directory(mutant, DIR_IAT);
    memset(mutant->bytes + foff, 0, IMPORT_DESCRIPTOR_NBYTES);
    return true;
}

/* a: 0 the module's name, 1 a function's hint, 2 a function's name. */
MUTATE(import_text)
{
    uint32_t foff, width = subject_width(mutant->subject);
    if (!take_descriptor(mutant, &foff))
        return false;
    if (kind->a == 0)
        return flip_byte(mutant, view_foff(&mutant->view, load_u32(mutant->bytes + foff + IMPORT_NAME)),
                         0x20);
    uint64_t slot = get_field(mutant, thunk_foff(mutant, foff, IMPORT_FIRST_THUNK, 0), width);
    if (slot == 0 || slot >> (8 * width - 1))
        return false;
    uint32_t name_foff = view_foff(&mutant->view, (uint32_t)slot);
    return name_foff != 0 && flip_byte(mutant, name_foff + (kind->a == 1 ? 0 : 2), 0x01);
}

/* A field of the first delay import descriptor. a: which, b: what is added. */
MUTATE(delay_field)
{
    uint32_t foff = directory_foff(mutant, DIR_DELAY_IMPORT);
    add_place_directory(mutant, DIR_DELAY_IMPORT);
    return foff != 0 && add_to(mutant, foff + kind->a, 4, kind->b);
}

/* The size or the place of directory a becomes another; b: which of the two, c: what is added. */
MUTATE(directory_field)
{
    uint32_t foff = view_directory_foff(kind->a, &mutant->view);
    if (directory_rva(mutant, kind->a) == 0)
        return false;
    add_place_directory(mutant, kind->a);
    return add_to(mutant, foff + kind->b, 4, kind->c);
}

/* A directory that is not there appears. */
MUTATE(directory_appears)
{
    uint32_t foff = view_directory_foff(kind->a, &mutant->view),
             place_rva = directory_rva(mutant, DIR_IMPORT);
    if (directory_rva(mutant, kind->a) != 0 || directory_nbytes(mutant, kind->a) != 0 || place_rva == 0)
        return false;
    return set_field(mutant, foff, 4, place_rva) && set_field(mutant, foff + DIRECTORY_SIZE, 4, 0x40);
}

MUTATE(directory_lost)
{
    uint32_t foff = view_directory_foff(kind->a, &mutant->view);
    if (directory_rva(mutant, kind->a) == 0)
        return false;
    add_place_directory(mutant, kind->a);
    if (kind->a == DIR_BASERELOC) /* any of them is missing */
        add_place(mutant, (struct place){0, 0, 0, 0, UINT32_MAX});
    memset(mutant->bytes + foff, 0, DIRECTORY_ENTRY_NBYTES);
    return true;
}

/* What the binding was: a rewrite takes it back. a: 0 the directory, 1 the time stamp of a descriptor, 2 the
 * first slot of its IAT. */
MUTATE(left_bound)
{
    const struct subject *subject = mutant->subject;
    uint32_t old_rva = view_directory_rva(&subject->old_view, DIR_BOUND_IMPORT), foff;
    if (old_rva == 0 || directory_rva(mutant, DIR_BOUND_IMPORT) != 0 || !take_descriptor(mutant, &foff))
        return false;
    uint64_t old_foff = subject_old_foff(subject, foff);
    uint32_t slot = thunk_foff(mutant, foff, IMPORT_FIRST_THUNK, 0), width = subject_width(subject);
    uint64_t old_slot = subject_old_foff(subject, slot);
    add_place_foff(mutant, foff, IMPORT_DESCRIPTOR_NBYTES);
    switch (kind->a) {
    case 0:
        memcpy(mutant->bytes + view_directory_foff(DIR_BOUND_IMPORT, &mutant->view),
               subject->old_file.bytes + view_directory_foff(DIR_BOUND_IMPORT, &subject->old_view),
               DIRECTORY_ENTRY_NBYTES);
        return true;
    case 1:
        return old_foff != UINT64_MAX &&
               set_field(mutant, foff + IMPORT_TIME_DATE_STAMP, 4,
                         load_u32(subject->old_file.bytes + old_foff + IMPORT_TIME_DATE_STAMP));
    default:
        return old_slot != UINT64_MAX &&
               set_field(mutant, slot, width, load_width(subject->old_file.bytes + old_slot, width));
    }
}

/* ---- exports ---- */

static uint32_t export_table_foff(const struct mutant *mutant, unsigned field)
{
    uint32_t foff = directory_foff(mutant, DIR_EXPORT);
    return foff ? view_foff(&mutant->view, load_u32(mutant->bytes + foff + field)) : 0;
}

/* The first two records of a table. a: the field that names it, b: bytes of a record, c: 1 also the ordinals.
 */
MUTATE(exports_swapped)
{
    uint32_t foff = directory_foff(mutant, DIR_EXPORT);
    unsigned counter =
        kind->a == EXPORT_ADDRESS_OF_FUNCTIONS ? EXPORT_NUMBER_OF_FUNCTIONS : EXPORT_NUMBER_OF_NAMES;
    if (foff == 0 || load_u32(mutant->bytes + foff + counter) < 2)
        return false;
    uint32_t table = export_table_foff(mutant, kind->a),
             ordinals = export_table_foff(mutant, EXPORT_ADDRESS_OF_NAME_ORDINALS);
    if (kind->c)
        swap_records(mutant, ordinals, ordinals + 2, 2);
    return swap_records(mutant, table, table + kind->b, kind->b);
}

/* A field of the directory. a: which, b: what is added. */
MUTATE(export_field)
{
    uint32_t foff = directory_foff(mutant, DIR_EXPORT);
    add_place_directory(mutant, DIR_EXPORT);
    return foff != 0 && add_to(mutant, foff + kind->a, 4, kind->b);
}

MUTATE(export_name_changed)
{
    uint32_t table = export_table_foff(mutant, EXPORT_ADDRESS_OF_NAMES);
    (void)kind;
    return table != 0 && flip_byte(mutant, view_foff(&mutant->view, load_u32(mutant->bytes + table)), 0x02);
}

/* ---- functions (x64) ---- */

static bool take_function(struct mutant *mutant, uint32_t *foff, uint32_t kept_behind)
{
    uint32_t table = directory_foff(mutant, DIR_EXCEPTION);
    uint32_t count = directory_nbytes(mutant, DIR_EXCEPTION) / RUNTIME_FUNCTION_NBYTES;
    for (uint32_t i = 0; table != 0 && mutant->view.is_64 && i + kept_behind < count; i++)
        choice_add(mutant, table + i * RUNTIME_FUNCTION_NBYTES);
    return load_u16(mutant->bytes + mutant->view.coff_foff + COFF_MACHINE) == MACHINE_AMD64 &&
           choice_take(mutant, foff);
}

MUTATE(functions_swapped)
{
    uint32_t foff;
    (void)kind;
    return take_function(mutant, &foff, 1) &&
           swap_records(mutant, foff, foff + RUNTIME_FUNCTION_NBYTES, RUNTIME_FUNCTION_NBYTES);
}

MUTATE(function_doubled)
{
    uint32_t foff;
    (void)kind;
    return take_function(mutant, &foff, 1) &&
           double_record(mutant, foff, foff + RUNTIME_FUNCTION_NBYTES, RUNTIME_FUNCTION_NBYTES);
}

/* a: field, b: what is added. */
MUTATE(function_field)
{
    uint32_t foff;
    return take_function(mutant, &foff, 0) && add_to(mutant, foff + kind->a, 4, kind->b);
}

MUTATE(function_with_others_unwind_info)
{
    uint32_t foff;
    (void)kind;
    return take_function(mutant, &foff, 1) &&
           set_field(mutant, foff + RUNTIME_FUNCTION_UNWIND, 4,
                     load_u32(mutant->bytes + foff + RUNTIME_FUNCTION_NBYTES + RUNTIME_FUNCTION_UNWIND));
}

/* A byte of an unwind info. a: which, b: bits that turn. */
MUTATE(unwind_info_byte)
{
    uint32_t foff;
    return take_function(mutant, &foff, 0) &&
           flip_byte(mutant,
                     view_foff(&mutant->view, load_u32(mutant->bytes + foff + RUNTIME_FUNCTION_UNWIND)) +
                         kind->a,
                     (uint8_t)kind->b);
}

/* What a handler finds behind the unwind info: the field's value grows by one (a scope count, a cookie's
 * place). */
MUTATE(handler_data_changed)
{
    uint32_t foff;
    (void)kind;
    if (load_u16(mutant->bytes + mutant->view.coff_foff + COFF_MACHINE) != MACHINE_AMD64)
        return false;
    uint32_t table = directory_foff(mutant, DIR_EXCEPTION);
    for (uint32_t i = 0; table != 0 && i < directory_nbytes(mutant, DIR_EXCEPTION) / RUNTIME_FUNCTION_NBYTES;
         i++) {
        uint32_t info =
            view_foff(&mutant->view, load_u32(mutant->bytes + table + i * RUNTIME_FUNCTION_NBYTES +
                                              RUNTIME_FUNCTION_UNWIND));
        uint32_t flags = info ? mutant->bytes[info] >> 3 : 0;
        if ((flags & (UNWIND_FLAG_EHANDLER | UNWIND_FLAG_UHANDLER)) && !(flags & UNWIND_FLAG_CHAININFO))
            choice_add(mutant, info + UNWIND_INFO_HEADER_NBYTES + (mutant->bytes[info + 2] + 1u) / 2 * 4 + 4);
    }
    return choice_take(mutant, &foff) && add_to(mutant, foff, 4, 1);
}

/* ---- resources, debug data, TLS ---- */

/* a: offset in the root directory, b: width, c: what is added. */
MUTATE(resource_field)
{
    uint32_t foff = directory_foff(mutant, DIR_RESOURCE);
    add_place_directory(mutant, DIR_RESOURCE);
    return foff != 0 && add_to(mutant, foff + kind->a, kind->b, kind->c);
}

/* A field of a leaf. a: offset in it, b: what is added. */
MUTATE(resource_leaf)
{
    uint32_t root = directory_foff(mutant, DIR_RESOURCE), at = 0;
    for (unsigned level = 0; root != 0 && level < 8; level++) {
        uint32_t offset =
            (uint32_t)get_field(mutant, root + at + RESOURCE_DIRECTORY_NBYTES + RESOURCE_ENTRY_OFFSET, 4);
        at = offset & ~RESOURCE_HIGH_BIT;
        if (!(offset & RESOURCE_HIGH_BIT))
            return add_to(mutant, root + at + kind->a, 4, kind->b);
    }
    return false;
}

/* a: offset in the first entry, b: what is added. */
MUTATE(debug_field)
{
    uint32_t foff = directory_foff(mutant, DIR_DEBUG);
    return foff != 0 && add_to(mutant, foff + kind->a, 4, kind->b);
}

MUTATE(debug_data_changed)
{
    uint32_t foff = directory_foff(mutant, DIR_DEBUG);
    (void)kind;
    if (foff == 0 || load_u32(mutant->bytes + foff + DEBUG_SIZE_OF_DATA) == 0)
        return false;
    return flip_byte(mutant, load_u32(mutant->bytes + foff + DEBUG_POINTER_TO_RAW_DATA), 0x04);
}

/* a: bytes behind the callbacks' field, b: what is added. */
MUTATE(tls_field)
{
    uint32_t foff = directory_foff(mutant, DIR_TLS);
    uint32_t tail = mutant->view.is_64 ? (uint32_t)TLS_CALLBACKS_64 + 8 : (uint32_t)TLS_CALLBACKS_32 + 4;
    return foff != 0 && add_to(mutant, foff + tail + kind->a, 4, kind->b);
}

/* The list of callbacks. a: 0 its first is lost, 1 its zero goes. */
MUTATE(tls_callbacks)
{
    uint32_t foff = directory_foff(mutant, DIR_TLS), width = subject_width(mutant->subject);
    if (foff == 0)
        return false;
    uint64_t va = get_field(mutant, foff + 3 * width, width);
    uint32_t list = va ? view_foff(&mutant->view, (uint32_t)(va - subject_base(mutant->subject))) : 0;
    if (list == 0 || get_field(mutant, list, width) == 0)
        return false;
    add_place_directory(mutant, DIR_TLS);
    return kind->a == 0 ? set_field(mutant, list, width, 0)
                        : set_field(mutant, list + width, width, get_field(mutant, list, width));
}

#endif
