/* call_routine.c - functions of Windows that a driver asks for by name.
 * Takes: a call of MmGetSystemRoutineAddress.  Gives: the name.  Must not: guess at names that are put
 * together. */
#include "calls/calls_internal.h"

#include <string.h>

bool search_take_steps(struct call_search *search, uint64_t count)
{
    bool is_enough = search->steps.left >= count;
    search->steps.left = is_enough ? search->steps.left - count : 0;
    search->steps.is_spent |= !is_enough;
    return is_enough;
}

/* "MmGetSystemRoutineAddress" returned it: the name that it was asked for. */
const char *search_routine_name(struct call_search *search, const struct call_record *call)
{
    const struct image *image = search->image;
    unsigned pointer_nbytes = image_pointer_nbytes(image);
    value_number given = image->is_64 ? call->registers[REGISTER_CX] : call->stack[0];
    const struct atom *fixed = value_single(&search->values, given, ATOM_ADDRESS);
    const struct atom *text = NULL;
    uint32_t text_rva = 0;
    struct span bytes;
    if (fixed && image_bytes_at_rva(image, (uint32_t)fixed->number + pointer_nbytes, pointer_nbytes, &bytes))
        (void)image_va_to_rva(image, pointer_nbytes == 8 ? load_u64(bytes.bytes) : load_u32(bytes.bytes),
                              &text_rva);
    /* The structure that RtlInitUnicodeString filled: the nearest such call before. */
    uint32_t nearest = 0;
    const struct read_function *function = search_function(search, call->function_rva);
    for (size_t i = 0; function && !text_rva && i < function->call_count && search_take_steps(search, 1);
         i++) {
        const struct call_record *other = &search->records.calls[function->first_call + i];
        const struct import *import = search_called_import(search, other);
        value_number into = image->is_64 ? other->registers[REGISTER_CX] : other->stack[0];
        value_number from = image->is_64 ? other->registers[REGISTER_DX] : other->stack[1];
        if (!import || !import->name || strcmp(import->name, "RtlInitUnicodeString") != 0 || into != given ||
            other->site_rva > call->site_rva || other->site_rva < nearest)
            continue;
        nearest = other->site_rva;
        text = value_single(&search->values, from, ATOM_ADDRESS);
    }
    if (text)
        text_rva = (uint32_t)text->number;
    char name[64];
    for (size_t i = 0; text_rva != 0 && i < sizeof name; i++) {
        if (!image_bytes_at_rva(image, text_rva + (uint32_t)i * 2, 2, &bytes) || load_u16(bytes.bytes) > 0x7E)
            return NULL;
        name[i] = (char)load_u16(bytes.bytes);
        if (name[i] == 0)
            return arena_copy_text(search->arena, name, i);
    }
    return NULL;
}
