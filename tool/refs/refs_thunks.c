/* refs_thunks.c - arrays of import thunks.
 * Takes: the RVA of an array.  Gives: references and extents.  Must not: know descriptors.
 * Source: PE format specification, "Import Lookup Table" and "Hint/Name Table". */
#include "refs/refs_thunks.h"

enum { IMPORT_NAME_MAX_NBYTES = 4096, HINT_NBYTES = 2 };

static bool find_array(const struct refset *refs, uint32_t rva, uint32_t limit_count, bool zero_ends,
                       struct thunk_array *array)
{
    *array = (struct thunk_array){.window = {.rva = NO_RVA}};
    if (rva == 0 || !window_from_rva(refs->image, rva, &array->window))
        return false;
    unsigned slot_nbytes = image_pointer_nbytes(refs->image);
    uint64_t room_count = array->window.bytes.nbytes / slot_nbytes;
    while (array->count < room_count && array->count < limit_count) {
        if (zero_ends && thunk_value(refs, array, array->count) == 0)
            break;
        if (window_claimed(refs, &array->window, (uint64_t)array->count * slot_nbytes)) {
            array->is_shared = true;
            return true;
        }
        array->count++;
    }
    array->is_terminated = array->count < room_count && thunk_value(refs, array, array->count) == 0;
    return true;
}

bool thunk_array_find(const struct refset *refs, uint32_t rva, uint32_t limit_count,
                      struct thunk_array *array)
{
    return find_array(refs, rva, limit_count, true, array);
}

bool thunk_array_find_sized(const struct refset *refs, uint32_t rva, uint32_t count,
                            struct thunk_array *array)
{
    return find_array(refs, rva, count, false, array);
}

uint64_t thunk_value(const struct refset *refs, const struct thunk_array *array, uint32_t index)
{
    unsigned slot_nbytes = image_pointer_nbytes(refs->image);
    return load_width(array->window.bytes.bytes + (size_t)index * slot_nbytes, slot_nbytes);
}

uint32_t thunk_array_nbytes(const struct refset *refs, const struct thunk_array *array)
{
    return (array->count + (array->is_terminated ? 1U : 0U)) * image_pointer_nbytes(refs->image);
}

bool thunk_is_ordinal(const struct refset *refs, uint64_t value)
{
    return (value & (refs->image->is_64 ? IMPORT_ORDINAL_FLAG_64 : IMPORT_ORDINAL_FLAG_32)) != 0;
}

bool thunk_add(struct refset *refs, const struct thunk_array *array, uint32_t index, struct ref_spec spec)
{
    spec.width_nbytes = image_pointer_nbytes(refs->image);
    return window_add(refs, &array->window, (uint64_t)index * spec.width_nbytes, spec);
}

/* A hint of two bytes, the name, its NUL, and a zero byte that makes the length even. */
static bool add_name_extent(struct refset *refs, uint32_t rva, enum ref_source source)
{
    struct window entry;
    size_t length;
    if (!window_from_rva(refs->image, rva, &entry))
        return refset_problem(refs, source, rva, NO_FILE_OFFSET,
                              "The name of an import at RVA 0x%X has no bytes in the file.", rva);
    if (!span_cstr(entry.bytes, HINT_NBYTES, IMPORT_NAME_MAX_NBYTES, &length))
        return true;
    uint32_t nbytes = HINT_NBYTES + (uint32_t)length + 1;
    if ((nbytes & 1) != 0 && nbytes < entry.bytes.nbytes && entry.bytes.bytes[nbytes] == 0)
        nbytes++;
    return refset_extent(refs, rva, nbytes, EXTENT_IMPORT_NAME, source);
}

bool thunk_array_add(struct refset *refs, const struct thunk_array *array, enum ref_source source,
                     enum ref_encoding encoding, uint16_t detail, bool with_names)
{
    for (uint32_t i = 0; i < array->count; i++) {
        uint64_t value = thunk_value(refs, array, i);
        struct ref_spec spec = {.source = source, .encoding = encoding, .detail = detail};
        spec.is_constant = thunk_is_ordinal(refs, value);
        /* An RVA has 31 bits; more in a 64-bit slot is the address that a bound import once had. */
        if (encoding == REF_RVA && value > INT32_MAX)
            spec.is_constant = true;
        if (!thunk_add(refs, array, i, spec) || (with_names && !spec.is_constant && encoding == REF_RVA &&
                                                 !add_name_extent(refs, (uint32_t)value, source)))
            return false;
    }
    return true;
}
